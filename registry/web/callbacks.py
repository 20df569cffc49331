"""Where providers report what became of letters. What is signed is taken; what is not is refused without a reason.

The signature is the whole of the protection: there is no form here to be sent from another site, and no limit that a
provider with many reports to give would run into.
"""

from __future__ import annotations

import logging
from typing import Final

from flask import Blueprint, Response, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import RequestEntityTooLarge

from registry.channels.resend_events import LONGEST_CALLBACK, ForgedCallback, MalformedCallback, read_callback
from registry.log_lines import describe_error
from registry.steps.receive_callback import receive_callback
from registry.tables.engine import writing
from registry.web.current import now, wiring

callbacks = Blueprint("callbacks", __name__, url_prefix="/callbacks")

RETRY_AFTER_SECONDS: Final = 30

logger = logging.getLogger(__name__)


@callbacks.post("/resend")
def take_resend() -> Response:
    """Take one of Resend's callbacks: 204 once it is on record, also where it was before or says nothing of use.

    404 where no signing secret is set, 401 for what Resend did not sign, 400 for what it signed and nobody can read,
    and 503 where it could not be recorded: Resend then sends it again.
    """
    secrets = wiring().resend_webhook_secrets
    if not secrets:
        return _answer(404, "no callbacks are taken here: set REGISTRY_RESEND_WEBHOOK_SECRET")
    try:
        event = read_callback(dict(request.headers), _read_body(), secrets, now())
    except ForgedCallback:
        return _answer(401, "this is not signed by whom it must be")
    except MalformedCallback:
        return _answer(400, "this cannot be read")
    try:
        with writing(wiring().engine) as session:
            receive_callback(session, now(), event)
    except SQLAlchemyError as error:
        # Without the statement and its values, among which are people's addresses.
        logger.warning("callback-not-recorded", extra={"facts": describe_error(error)})
    except Exception as error:  # noqa: BLE001 - whatever it is, the report is not on record, and must come again
        logger.error("callback-not-recorded", extra={"facts": describe_error(error)})
    else:
        return _answer(204)
    response = _answer(503, "this could not be recorded now")
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _read_body() -> bytes:
    """Return the body, of which no more is read than a callback may have."""
    if request.content_length is not None:
        request.max_content_length = LONGEST_CALLBACK
        try:
            return request.get_data(cache=False, parse_form_data=False)
        except RequestEntityTooLarge:
            raise MalformedCallback("the body is too long") from None
    if "chunked" not in request.headers.get("Transfer-Encoding", "").lower():
        return b""
    # A proxy may send on in pieces what came whole. The server knows where these end; Flask would rather read nothing.
    body = b""
    while len(body) <= LONGEST_CALLBACK and (piece := request.environ["wsgi.input"].read(LONGEST_CALLBACK + 1)):
        body += piece
    return body


def _answer(status: int, words: str = "") -> Response:
    response = Response(f"{words}\n" if words else None, status, mimetype="text/plain")
    response.cache_control.no_store = True
    return response
