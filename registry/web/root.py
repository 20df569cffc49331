"""Addresses that belong to no publisher's page: its bare slug, and the icon that browsers ask for."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response
from werkzeug.wrappers import Response as BaseResponse

from registry.tables.engine import reading
from registry.web.answers import lead_to
from registry.web.current import wiring
from registry.web.publishers import choose_publisher, keep_language, keep_slug

root = Blueprint("root", __name__)
keep_slug(root)

ICON_FRESH_SECONDS: Final = 86_400


@root.get("/<slug>")
def find_list() -> BaseResponse:
    """Lead to the publisher's page, whose address ends with a slash."""
    with reading(wiring().engine) as session:
        return lead_to(keep_language(choose_publisher(session).addresses).to())


@root.get("/favicon.ico")
def show_no_icon() -> Response:
    """Answer every browser's question for an icon: there is none, and that is no error."""
    response = Response(status=204)
    response.cache_control.public = True
    response.cache_control.max_age = ICON_FRESH_SECONDS
    return response
