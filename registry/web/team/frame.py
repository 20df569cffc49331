"""What every screen of the workbench is put together from: its template in the frame, its errors, its pages.

Templates below `templates/team/` extend `team/base.html` and build from the macros in `team/_parts.html`. An undefined
name in one is an error, never an empty place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Response, current_app, flash, g, redirect, request, url_for
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape
from werkzeug.wrappers import Response as BaseResponse

from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.notices import SHORTEST_TIME, first_instant
from registry.domain.people import ROLE_POWERS, TeamRole
from registry.i18n import explain, say_problem
from registry.language import ENGLISH, gettext_for_templates, language_name
from registry.pages import wording
from registry.pages.render import datetime_attribute
from registry.web.answers import HTML
from registry.web.current import now, wiring

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d[\d:.]*[+-]\d\d:\d\d")
PAGE_SIZE: Final = 50
"""Rows on one page of a list."""
_ENVIRONMENT: Final = "registry_team_templates"

Row = TypeVar("Row")


def show(template_name: str, /, status: int = 200, **values: Any) -> Response:
    """Answer with a screen for this person alone, kept by nobody.

    The template takes `values`, and besides what the frame shows: `desk`, `errors` (field -> sentence) and `values`
    (field -> what was given), both empty unless given.
    """
    given: dict[str, Any] = {"errors": {}, "desk": g.get("desk")} | values
    given["values"] = _Given(given.get("values", {}).items())
    template = _environment().get_template(template_name)
    current_app.update_template_context(given)
    return private(template.render(given), status)


class _Given(dict[str, Any]):
    """What was typed into a form. A box that was not ticked and a field that was not sent are empty, and no error."""

    def __missing__(self, name: str) -> str:
        return ""


def private(body: str | bytes, status: int = 200, content_type: str = HTML) -> Response:
    """Answer with what is for this person alone, kept by nobody."""
    response = Response(body, status, content_type=content_type)
    response.cache_control.no_store = True
    return response


def go(endpoint: str, /, said: str | None = None, **values: Any) -> BaseResponse:
    """Lead to a screen after an act (303), with a sentence that says what was done.

    `endpoint` is the view's name; the publisher's slug is filled in.
    """
    if said:
        flash(said, "done")
    return redirect(to(endpoint, **values), 303)


def to(endpoint: str, /, **values: Any) -> str:
    """Return the path of a screen by its view's name, at the publisher at work on."""
    desk = g.get("desk")
    if desk is not None and desk.place is not None:
        values.setdefault("slug", desk.slug)
    return url_for(f"team.{endpoint}", **values)


def to_if_there(endpoint: str, /, **values: Any) -> str | None:
    """Return the path of a screen, or None where this release has no such screen."""
    return to(endpoint, **values) if f"team.{endpoint}" in current_app.view_functions else None


def is_live() -> bool:
    """Return whether htmx asks, which wants a piece of a page instead of all of it."""
    return request.headers.get("HX-Request") == "true"


def errors_of(error: RegistryError, prefix: str = "", zone: str | None = None) -> dict[str, str]:
    """Return what a step refused as a form shows it: a sentence for each field, or one under `form`.

    Fields are named as the domain names them, without `prefix` (`publisher.`) where they begin with it. Instants are
    said in words of `zone`, where one is given.
    """
    if isinstance(error, InvalidInput):
        found: dict[str, str] = {}
        for problem in error.problems:
            said = say_problem(_localised(problem, zone) if zone else problem)
            found.setdefault(problem.field.removeprefix(prefix) or "form", said)
        return found
    return {"form": explain(error)}


def _localised(problem: Problem, zone: str) -> Problem:
    params = {name: _local_instant(value, zone) for name, value in problem.params.items()}
    return Problem(problem.field, _local_instant(problem.value, zone), problem.code, params)


def _local_instant(value: object, zone: str) -> object:
    """Return an instant in words of a zone, whether it is one or written as ISO 8601; anything else as it is."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return value
    local = value.astimezone(ZoneInfo(zone))
    return f"{wording.short_date(local.date())}, {local:%H:%M} ({zone})"


def status_of(error: RegistryError) -> int:
    """Return the HTTP status of a form that a step refused: 400 for its values, 409 for the state of things."""
    return 400 if isinstance(error, InvalidInput) else 409


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list. `number` counts from 1; `has_more` says whether another follows."""

    rows: Sequence[Row]
    number: int
    has_more: bool

    def address(self, number: int) -> str:
        """Return the address of another page, with the filters of this one."""
        arguments = request.args.to_dict(flat=False) | {"page": [str(number)]}
        return f"{request.path}?{urlencode(arguments, doseq=True)}"


def page_number() -> int:
    """Return which page the address asks for, from 1; what is no number is the first."""
    text = request.args.get("page", "1")
    # The first digits of a long number say enough: the page is past the last one.
    return min(max(int(text[:9]), 1), 100_000) if text.isascii() and text.isdigit() else 1


def cut_page(rows: Sequence[Row], number: int, size: int = PAGE_SIZE) -> Page[Row]:
    """Return a page of rows that were fetched with an offset of `(number - 1) * size` and a limit of `size + 1`."""
    return Page(rows[:size], number, len(rows) > size)


def _environment() -> Environment:
    made: Environment | None = current_app.extensions.get(_ENVIRONMENT)
    if made is None:
        made = current_app.jinja_env.overlay(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        # For the parts that it shares with the public pages, whose words are translated.
        made.add_extension("jinja2.ext.i18n")
        made.policies["ext.i18n.trimmed"] = True
        made.install_gettext_callables(**gettext_for_templates())  # type: ignore[attr-defined]  # the extension's own
        made.filters.update(
            in_words=wording.date_in_words,
            short_date=wording.short_date,
            instant=datetime_attribute,
            local_date=wording.local_date,
            moment=show_moment,
            day=show_day,
            until=show_until,
            words=in_plain_words,
            language_name=language_name,
        )
        made.globals.update(
            to=to,
            asset=asset,
            has_view=lambda name: f"team.{name}" in current_app.view_functions,
            language=ENGLISH,
            NOT_STATED=wording.NOT_STATED,
            count_of=wording.count_of,
            role_powers={role.value: powers for role, powers in ROLE_POWERS.items()},
            team_roles=[role.value for role in TeamRole],
        )
        current_app.extensions[_ENVIRONMENT] = made
    return made


def asset(name: str) -> str:
    """Return the address of a file in `static/`, which changes with each release: no browser keeps an old one."""
    return f"/static/{name}?v={wiring().build}"


_MOMENT: Final = Markup('<time datetime="{0}" title="{0}">{1} <small class="zone">{2}</small></time>')
_DAY: Final = Markup('<time datetime="{0}" title="{0}">{1}</time>')


def show_moment(at: datetime | None, zone: str, otherwise: str = "–") -> Markup:
    """Show an instant in words in a zone that is named, with ISO 8601 in UTC for machines."""
    if at is None:
        return escape(otherwise)
    local = at.astimezone(ZoneInfo(zone))
    iso = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    said = f"{wording.short_date(local.date())}, {local:%H:%M}"
    return Markup('<time datetime="{}" title="{}">{} <small class="zone">{}</small></time>').format(
        iso, iso, said, zone
    )


def show_until(at: datetime | None, zone: str, otherwise: str = "–") -> Markup:
    """Show when a period is over as it is told: by its last day in `zone`, which counts to its end (R9).

    Where it does not end with a day of the zone its instant is shown.
    """
    if at is None or first_instant(wording.local_date(at, zone), zone) != at:
        return show_moment(at, zone, otherwise)
    last_on = wording.local_date(at - SHORTEST_TIME, zone)
    return Markup('end of {} <small class="zone">{}</small>').format(show_day(last_on), zone)


def show_day(on: date | None, otherwise: str = "–") -> Markup:
    """Show a date in words, with ISO 8601 for machines."""
    if on is None:
        return escape(otherwise)
    return _DAY.format(on.isoformat(), wording.short_date(on))


def in_plain_words(code: str) -> str:
    """Return a code of a fixed vocabulary as people read it: `needs_attention` is "needs attention"."""
    return code.replace("_", " ").replace(".", ": ")


def today_at(zone: str) -> date:
    """Return today's date in a zone."""
    return wording.local_date(now(), zone)
