"""Addresses that belong to no publisher's page: its bare slug, and whether the service is fit to answer."""

from __future__ import annotations

import logging
from typing import Final

from flask import Blueprint, Response
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as BaseResponse

from registry.tables import Installation
from registry.tables.engine import reading
from registry.web.answers import lead_to
from registry.web.current import wiring
from registry.web.publishers import choose_publisher, keep_slug

root = Blueprint("root", __name__)
keep_slug(root)

ICON_FRESH_SECONDS: Final = 86_400

logger = logging.getLogger(__name__)


@root.get("/<slug>")
def find_list() -> BaseResponse:
    """Lead to the publisher's page, whose address ends with a slash."""
    with reading(wiring().engine) as session:
        return lead_to(choose_publisher(session).addresses.page())


@root.get("/favicon.ico")
def show_no_icon() -> Response:
    """Answer every browser's question for an icon: there is none, and that is no error."""
    response = Response(status=204)
    response.cache_control.public = True
    response.cache_control.max_age = ICON_FRESH_SECONDS
    return response


@root.get("/healthz")
def show_health() -> Response:
    """Answer 200 while the database does, and holds this service's tables; else 503."""
    try:
        with reading(wiring().engine) as session:
            session.scalar(select(Installation.id))
    except SQLAlchemyError as error:
        logger.warning("Not healthy: %s", getattr(error, "orig", None) or type(error).__name__)
        response = Response("the database does not answer\n", 503, mimetype="text/plain")
    else:
        response = Response("ok\n", mimetype="text/plain")
    response.cache_control.no_store = True
    return response
