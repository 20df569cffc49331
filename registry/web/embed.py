"""The list for other websites: in a frame that anybody may show, and how to show it."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final

from flask import Blueprint, Response, request

from registry.domain.errors import InvalidInput
from registry.i18n import say_problem
from registry.pages.asking import read_query
from registry.pages.embed import PATH, address_of, show_frame, write_snippet
from registry.pages.offered_languages import offer_languages
from registry.pages.selection import CHOICES, ListQuery
from registry.pages.values import PublicList
from registry.steps.artefacts import Built, as_built
from registry.tables.engine import reading
from registry.web.answers import HTML, load_list, show_view
from registry.web.current import wiring
from registry.web.publishers import Chosen, choose_publisher, keep_slug
from registry.wiring import STATIC

embed = Blueprint("embed", __name__)
keep_slug(embed)

FRAME_POLICY: Final = "default-src 'none'; style-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors *"
"""Of the one page that others may frame. It has no form, no picture and no script: there is nothing to lure to."""


@embed.get(f"/{PATH}")
def show_embed() -> Response:
    """Show the list as it is now, or what is asked of it, in a frame of another website."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        public = load_list(session, chosen)
    try:
        query = _read_query(public)
    except InvalidInput as error:
        # Said within the frame, which shows no other page: a word of the list may go long after it was framed.
        body = _render(chosen, public, ListQuery(), say_problem(error.problems[0]))
        response = Response(body, 400, content_type=HTML)
        response.cache_control.no_store = True
    else:
        asked = (query.as_query(), chosen.addresses.lang)
        response = show_view(chosen, PATH, asked, lambda: as_built(_render(chosen, public, query), public))
    response.headers["Content-Security-Policy"] = FRAME_POLICY
    return response


def _render(chosen: Chosen, public: PublicList, query: ListQuery, problem: str | None = None) -> bytes:
    slug, colour = chosen.public.slug, chosen.public.colour
    return wiring().pages.page(
        "public/embed.html",
        **chosen.shown(),
        **show_frame(public, chosen.addresses, query),
        problem=problem,
        embed_stylesheet_url=_stylesheet_url(),
        # By the slug it is there on the publisher's own host and on the installation's, so that the policy allows it.
        brand_url=f"/{slug}/brand.css?v={colour[1:]}" if colour else None,
    )


@embed.get(f"/{PATH}/how")
def show_how() -> Response:
    """Show what to copy into another website, for the list or for what is asked of it."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        public = load_list(session, chosen)
    query = _read_query(public)
    address = address_of(chosen.addresses, query)

    def make() -> Built:
        body = wiring().pages.page(
            "public/embed_how.html",
            **chosen.shown(),
            **offer_languages(chosen.addresses, f"{PATH}/how", query.as_query()),
            query=query,
            address=address,
            snippet=write_snippet(chosen.public, address),
        )
        return as_built(body, public)

    return show_view(chosen, f"{PATH}/how", (query.as_query(), chosen.addresses.lang), make)


def _read_query(public: PublicList) -> ListQuery:
    return read_query({name: request.args.getlist(name) for name in ("q", *CHOICES)}, public)


@cache
def _stylesheet_url() -> str:
    version = hashlib.sha256((STATIC / "embed.css").read_bytes()).hexdigest()[:12]
    return f"/static/embed.css?v={version}"
