"""Making answers that caches and feed readers can work with: entity tags, dates, and how long they stay fresh."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from flask import Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from registry.steps.artefacts import Built
from registry.web.current import wiring

HTML: Final = "text/html; charset=utf-8"
FRESH_SECONDS: Final = 60
"""How long a cache may answer without asking: a notice shows a minute after its announcement at the latest."""
SCHEMA_FRESH_SECONDS: Final = 86_400


def show_built(built: Built, content_type: str) -> Response:
    """Answer with built bytes, or with 304 where the client has them already."""
    response = Response(built.body, content_type=content_type)
    response.last_modified = built.modified_at
    return _conditional(response, built.etag, FRESH_SECONDS)


def show_public(body: bytes, content_type: str = HTML, fresh_seconds: int = FRESH_SECONDS) -> Response:
    """Answer with bytes that are the same for everybody, tagged by their hash."""
    response = Response(body, content_type=content_type)
    return _conditional(response, hashlib.sha256(body).hexdigest()[:32], fresh_seconds)


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


def _conditional(response: Response, etag: str, fresh_seconds: int) -> Response:
    response.set_etag(etag)
    response.cache_control.public = True
    response.cache_control.max_age = fresh_seconds
    response.cache_control.must_revalidate = True
    response.make_conditional(request)
    return response
