"""Headers of every answer: what a browser may do with it, and who may read it from elsewhere."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, g, request

from registry.web.current import wiring

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",  # pages loosen it to same-origin, so that their forms can say where they are from
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
OF_PAGES_ALONE: Final = frozenset({"Referrer-Policy", "Permissions-Policy", "Cross-Origin-Opener-Policy"})
"""What a file or feed has no use for: it leads nowhere and runs nothing."""
UNCHANGED: Final = frozenset(
    {"etag", "cache-control", "vary", "access-control-allow-origin", "access-control-expose-headers"}
)
"""What a 304 says (RFC 9110, 15.4.5): the rest stands with the answer that the client has. A script that revalidates by
itself is shown the 304, so whether it may read it is said again."""
TEAM_POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
"""Of the workbench, which has scripts: only those that the page itself names, and none that is written into it."""
HSTS: Final = "max-age=31536000"

MACHINE_SUFFIXES: Final = (".json", ".csv", ".rss", ".atom", ".ics")


def is_for_machines(path: str) -> bool:
    """Return whether an address is that of a file or feed, which any page of the web may load."""
    return path.endswith(MACHINE_SUFFIXES) and not is_for_the_team(path)


def is_for_the_team(path: str) -> bool:
    """Return whether an address is one of the workbench."""
    return path == "/team" or path.startswith("/team/")


def add_headers(app: Flask) -> None:
    """Have `app` send these headers with every answer, errors too."""

    @app.before_request
    def choose_nonce() -> None:
        if is_for_the_team(request.path):
            g.csp_nonce = secrets.token_urlsafe(16)

    @app.after_request
    def finish(response: Response) -> Response:
        _add_policies(response)
        if is_for_machines(request.path):
            _open_to_other_pages(response)
        else:
            response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            for name in set(response.headers.keys()):
                if name.lower() not in UNCHANGED:
                    del response.headers[name]
        return response


def _add_policies(response: Response) -> None:
    # What holds others' words (a letter, a document) comes with a policy of its own, which is tighter; so does what
    # others may frame.
    policy = response.headers.get("Content-Security-Policy")
    for name, value in HEADERS.items():
        response.headers[name] = value
    if is_for_the_team(request.path):
        response.headers["Content-Security-Policy"] = policy or TEAM_POLICY.format(nonce=g.csp_nonce)
        response.headers["Referrer-Policy"] = "same-origin"
    elif policy:
        response.headers["Content-Security-Policy"] = policy
    if wiring().letterhead.base_url.startswith("https://"):
        response.headers["Strict-Transport-Security"] = HSTS


def _open_to_other_pages(response: Response) -> None:
    if response.mimetype != "text/html":
        for name in OF_PAGES_ALONE:
            del response.headers[name]
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = "ETag"
    if request.method == "OPTIONS":
        # A script that revalidates has to ask first, since these are not among the headers that are always allowed.
        response.headers["Access-Control-Allow-Methods"] = "GET, HEAD"
        response.headers["Access-Control-Allow-Headers"] = "If-None-Match, If-Modified-Since"
        response.headers["Access-Control-Max-Age"] = "86400"
