"""Every error as one page, or for machines as one JSON shape: {"error": {"code", "message", "field"?}}."""

from __future__ import annotations

import logging
from typing import Final

from flask import Flask, Response, g, jsonify, request
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from werkzeug.exceptions import BadRequest, HTTPException, MethodNotAllowed, NotFound

from registry.domain.errors import RegistryError
from registry.tables.engine import reading
from registry.web.answers import HTML
from registry.web.current import wiring
from registry.web.headers import is_for_machines, is_for_the_team
from registry.web.publishers import Chosen, find_publisher_for_error
from registry.web.sign_in_mail import LetterNotSent
from registry.web.team.access import NotEnough
from registry.web.team.frame import show
from registry.web.wording import (
    Explained,
    explain_condition,
    explain_old_form,
    explain_role,
    explain_status,
    explain_unavailable,
    explain_unsent,
)

RETRY_AFTER_SECONDS: Final = 30
RETRY_AFTER_LIMIT_SECONDS: Final = 3_600

logger = logging.getLogger(__name__)


def add_error_pages(app: Flask) -> None:
    """Have `app` answer every error in the one way."""
    app.register_error_handler(RegistryError, _answer_condition)
    app.register_error_handler(HTTPException, _answer_status)
    for unavailable in (OperationalError, InterfaceError, NoConnectionFree):
        app.register_error_handler(unavailable, _answer_unavailable)
    app.before_request(_refuse_bytes_that_are_no_text)


def _refuse_bytes_that_are_no_text() -> None:
    try:
        request.query_string.decode()
    except UnicodeDecodeError:
        raise BadRequest from None


def _answer_condition(error: RegistryError) -> Response:
    chosen = _chosen()
    start_url = f"{wiring().letterhead.base_url}/"
    return _answer(explain_condition(error, chosen.addresses if chosen else None, start_url), chosen)


def _answer_status(error: HTTPException) -> Response:
    chosen = _chosen()
    if chosen is None and isinstance(error, NotFound | MethodNotAllowed):
        try:
            with reading(wiring().engine) as session:
                chosen = find_publisher_for_error(session)
        except OperationalError as trouble:
            return _answer_unavailable(trouble)
    response = _answer(_explain(error), chosen)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if isinstance(error, RateLimitExceeded):
        response.headers["Retry-After"] = str(RETRY_AFTER_LIMIT_SECONDS)
    return response


def _explain(error: HTTPException) -> Explained:
    if isinstance(error, NotEnough):
        return explain_role(error.needed, error.place.role, error.place.name)
    if isinstance(error, CSRFError):
        return explain_old_form()
    if isinstance(error, LetterNotSent):
        return explain_unsent()
    return explain_status(error)


def _answer_unavailable(error: SQLAlchemyError) -> Response:
    # Without the statement and its values, among which are people's addresses.
    logger.warning("The database does not answer: %s", getattr(error, "orig", None) or type(error).__name__)
    response = _answer(explain_unavailable(), None)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _chosen() -> Chosen | None:
    chosen: Chosen | None = g.get("chosen")
    return chosen


def _answer(explained: Explained, chosen: Chosen | None) -> Response:
    response = _as_json(explained) if _wants_json() else _as_page(explained, chosen)
    response.status_code = explained.status
    response.cache_control.no_store = True
    response.vary.add("Accept")
    return response


def _wants_json() -> bool:
    if is_for_machines(request.path):
        return True
    # What takes anything gets the page.
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


def _as_json(explained: Explained) -> Response:
    error = {"code": explained.code, "message": explained.message}
    if explained.field:
        error["field"] = explained.field
    return jsonify(error=error)


def _as_page(explained: Explained, chosen: Chosen | None) -> Response:
    if is_for_the_team(request.path):
        return show("team/error.html", explained=explained)
    body = wiring().pages.page(
        "errors/error.html",
        title=explained.title,
        happened=explained.message,
        advice=explained.advice,
        action=explained.action,
        **(chosen.shown() if chosen else {}),
    )
    return Response(body, content_type=HTML)
