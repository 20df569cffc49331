"""Two days of the list side by side, at an address that can be kept: as a page, and as a file for programs (R6)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput
from registry.domain.notices import first_instant, local_date
from registry.i18n import say_problem
from registry.pages.compare import (
    AskedDays,
    address_of,
    asking_for,
    build_comparison,
    default_days,
    read_days,
    show_comparison,
)
from registry.pages.offered_languages import offer_languages
from registry.pages.own_words import tell_own_words
from registry.queries.comparison import find_founding_day, load_comparison
from registry.steps.artefacts import Built, moment_of, tag_of
from registry.tables.engine import reading
from registry.web.answers import HTML, show_view
from registry.web.current import now, wiring
from registry.web.publishers import Chosen, choose_publisher, keep_slug

compare = Blueprint("compare", __name__)
keep_slug(compare)

PATH: Final = "compare"
FILE: Final = "compare.json"
LONGEST_SHOWN: Final = 40
"""Characters of a refused value that are put back into its field."""


@compare.get(f"/{PATH}")
def show_compare() -> Response:
    """Show what differs between two days; where they cannot be compared, the form with what would do."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        today, founded_on = _bounds(session, chosen)
        try:
            days = read_days(request.args, today, founded_on)
        except InvalidInput as error:
            return _refuse(chosen, error, today, founded_on)

        def make() -> Built:
            comparison = load_comparison(session, _moment(chosen), chosen.row, chosen.public, days)
            offered = offer_languages(chosen.addresses, PATH, asking_for(days))
            shown = show_comparison(comparison, chosen.addresses)
            shown |= tell_own_words(chosen.public, (each.change for each in comparison.differences))
            return _as_built(_render(chosen, days, today, founded_on, **offered, **shown), chosen, today)

        return show_view(chosen, PATH, (days, chosen.addresses.lang), make)


@compare.get(f"/{FILE}")
def show_compare_file() -> Response:
    """Answer with the same as JSON."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        today, founded_on = _bounds(session, chosen)
        days = read_days(request.args, today, founded_on)

        def make() -> Built:
            comparison = load_comparison(session, _moment(chosen), chosen.row, chosen.public, days)
            public = chosen.public
            named = {"slug": public.slug, "name": public.name, "legal_name": public.legal_name}
            return _as_built(build_comparison(comparison, chosen.addresses, named), chosen, today)

        return show_view(chosen, FILE, (days, chosen.addresses.lang), make, "application/json")


def _moment(chosen: Chosen) -> datetime:
    return moment_of(now(), chosen.row)


def _bounds(session: Session, chosen: Chosen) -> tuple[date, date]:
    zone = chosen.public.time_zone
    today = local_date(_moment(chosen), zone)
    return today, find_founding_day(session, chosen.row, zone) or today


def _as_built(body: bytes, chosen: Chosen, today: date) -> Built:
    since = max(chosen.row.changed_at, first_instant(today, chosen.public.time_zone))
    return Built(body, tag_of(body), since.replace(microsecond=0))


def _refuse(chosen: Chosen, error: InvalidInput, today: date, founded_on: date) -> Response:
    problems = {problem.field: problem for problem in error.problems}
    given = {name: request.args.get(name, "").strip()[:LONGEST_SHOWN] for name in ("from", "to")}
    body = _render(
        chosen,
        default_days(today, founded_on),
        today,
        founded_on,
        errors={field: say_problem(problem) for field, problem in problems.items()},
        languages=offer_languages(chosen.addresses, PATH, given.items())["languages"],
        given=given,
        is_to_come=any(problem.code == "future-as-of" for problem in error.problems),
    )
    response = Response(body, 400, content_type=HTML)
    response.cache_control.no_store = True
    return response


def _render(chosen: Chosen, days: AskedDays, today: date, founded_on: date, **values: Any) -> bytes:
    addresses = chosen.addresses
    as_of = {on: addresses.to("", as_of=on.isoformat() if on < today else None) for on in (days.from_on, days.to_on)}
    return wiring().pages.page(
        "public/compare.html",
        **chosen.shown(),
        zone=chosen.public.time_zone,
        days=days,
        today=today,
        founded_on=founded_on,
        lists=as_of,
        address=address_of(days, addresses),
        file=address_of(days, addresses, FILE),
        **values,
    )
