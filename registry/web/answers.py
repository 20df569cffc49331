"""Making answers that caches and feed readers can work with: entity tags, dates, codings, and how long they are fresh.

What is built for everybody comes from `registry.steps.artefacts`, and what is built for what somebody asks, such as a
search, from here. Both are kept in memory for their edition and day, so that asking again costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import date
from functools import lru_cache
from typing import Any, Final

from flask import Response, redirect, request
from sqlalchemy.orm import Session
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header
from werkzeug.wrappers import Response as BaseResponse

from registry.domain.notices import local_date
from registry.language import spoken
from registry.pages.values import PublicList
from registry.steps.artefacts import CODINGS, Built, Edition, edition_of, get_artefact, moment_of, tag_of
from registry.steps.published import load_public_list
from registry.web.current import now, wiring
from registry.web.front_memory import memory
from registry.web.languages import read_language, refuse_unknown_language
from registry.web.publishers import Chosen

HTML: Final = "text/html; charset=utf-8"
FRESH_SECONDS: Final = 60
"""How long a cache may answer without asking: a notice shows a minute after its announcement at the latest."""
SCHEMA_FRESH_SECONDS: Final = 86_400
LONGEST_HEADER: Final = 500
"""Characters of an Accept header that is read; who sends more gets the plain bytes."""

EDITION: Final = "registry.edition"
"""In the environment of a request: a list that takes the edition and day of the artefact it was answered with."""


def show_artefact(session: Session, chosen: Chosen, kind: str, content_type: str) -> Response:
    """Answer with one kind of artefact: a page in the language asked for, files and feeds in the one of the address."""
    refuse_unknown_language(request.args)
    parts, at = wiring(), moment_of(now(), chosen.row)
    edition = edition_of(chosen.row, chosen.public)
    today = local_date(at, edition.time_zone)
    asked_for = request.headers.get("Accept-Language") if content_type == HTML else None
    language = read_language(request.args, asked_for, edition.language)

    def make() -> Built:
        return get_artefact(
            *(session, at, chosen.row, kind, parts.pages, parts.letterhead, parts.build, language),
            load=lambda: load_list(session, chosen),
        )

    is_settled = chosen.row.changed_at <= at
    # What is dated in the future, since time was travelled, comes to pass without a change that would tell.
    built = memory().artefacts.get((edition, today, kind, language), make) if is_settled else make()
    if is_settled:
        request.environ.get(EDITION, []).append((edition, today))
    return _show(built, content_type, language)


def load_list(session: Session, chosen: Chosen, as_of: date | None = None) -> PublicList:
    """Return the list as the public sees it now, or saw it on a past day, as `load_public_list` does; it is kept."""
    at = moment_of(now(), chosen.row)

    def make() -> PublicList:
        return load_public_list(session, at, chosen.row, as_of)

    if chosen.row.changed_at > at:
        return make()
    return memory().lists.get((*_present(chosen), as_of), make)


def show_view(
    chosen: Chosen, name: str, asked: Hashable, make: Callable[[], Built], content_type: str = HTML
) -> Response:
    """Answer with a page or file that is made for what was asked, once for its edition, day and language.

    `name` is the view's, `asked` what was asked for in its shortest form: two questions with the same answer should
    have the same one. `make` is called in the language spoken here, where the answer is not at hand.
    """
    if chosen.row.changed_at > moment_of(now(), chosen.row):
        return show_built(make(), content_type)
    return show_built(memory().views.get((*_present(chosen), name, spoken(), asked), make), content_type)


def _present(chosen: Chosen) -> tuple[Edition, date]:
    edition = edition_of(chosen.row, chosen.public)
    return edition, local_date(moment_of(now(), chosen.row), edition.time_zone)


def show_built(built: Built, content_type: str) -> Response:
    """Answer with built bytes in the language spoken here, or with 304 where the client has them already."""
    return _show(built, content_type, spoken())


def _show(built: Built, content_type: str, language: str) -> Response:
    sent = built.encoded(choose_coding(request.headers.get("Accept-Encoding")))
    response = Response(sent.body, content_type=content_type)
    response.last_modified = built.modified_at
    response.headers["Content-Language"] = language
    if sent.coding is not None:
        response.headers["Content-Encoding"] = sent.coding
    if content_type == HTML:
        response.vary.add("Accept-Language")
    response.vary.add("Accept-Encoding")
    return _conditional(response, sent.etag, FRESH_SECONDS)


def show_public(body: bytes, content_type: str = HTML, fresh_seconds: int = FRESH_SECONDS) -> Response:
    """Answer with bytes that are the same for everybody who reads the same language, tagged by their hash."""
    response = Response(body, content_type=content_type)
    if content_type == HTML:
        response.vary.add("Accept-Language")
    return _conditional(response, tag_of(body), fresh_seconds)


def show_private(template_name: str, /, status: int = 200, **values: Any) -> Response:
    """Answer with a page that is for this one reader and is kept by nobody, such as one behind a link in a letter."""
    response = Response(wiring().pages.page(template_name, **values), status, content_type=HTML)
    response.cache_control.no_store = True
    return response


def lead_to(url: str, status: int = 301) -> BaseResponse:
    """Lead to another address of this service.

    Without a limit browsers would keep a permanent redirect for ever, also past a publisher's change of host.
    """
    response = redirect(url, status)
    response.cache_control.public = True
    response.cache_control.max_age = FRESH_SECONDS
    return response


def choose_coding(header: str | None) -> str | None:
    """Return the content coding that Accept-Encoding asks for: one of `CODINGS`, or None for plain bytes."""
    return _choose_coding(header) if header and len(header) <= LONGEST_HEADER else None


@lru_cache(maxsize=512)
def _choose_coding(header: str) -> str | None:
    asked: Accept = parse_accept_header(header)
    plain = next((quality for name, quality in asked if name.lower() == "identity"), 0)
    wanted = {coding: asked.quality(coding) for coding in CODINGS}
    best = max(CODINGS, key=lambda coding: wanted[coding])
    return best if wanted[best] > 0 and wanted[best] >= plain else None


def _conditional(response: Response, etag: str, fresh_seconds: int) -> Response:
    response.set_etag(etag)
    response.cache_control.public = True
    response.cache_control.max_age = fresh_seconds
    response.cache_control.must_revalidate = True
    response.make_conditional(request)
    return response
