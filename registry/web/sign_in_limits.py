"""How often signing in may be tried, counted where the tries come from: nobody locks a colleague out by wrong guesses.

    60 in a quarter of an hour   from one client, whatever it tries
    12 in a quarter of an hour   for one account, from one neighbourhood of addresses
     5                           codes for one sign-in whose password was right; then it begins again
    60 a day                    codes for one password, from wherever: whoever has many addresses guesses no code either
     3 letters a day             with a link to choose a password, to one address, whoever asks

An account as such is never locked: from anywhere else its owner signs in as always. Codes alone can be used up, by
somebody who knows the password; its owner chooses another one, and goes on.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from flask import Flask, Response, flash, g, redirect, request, session
from flask_limiter import RateLimitExceeded
from flask_security import current_user
from flask_security.tf_plugin import tf_clean_session
from werkzeug.wrappers import Response as BaseResponse

from registry import clock
from registry.web.limits import client_address, client_network, count_asking, limiter
from registry.web.sign_in_links import ACCOUNT
from registry.web.sign_in_pages import answer

PER_CLIENT: Final = "60 per 15 minutes"
PER_ACCOUNT: Final = "12 per 15 minutes"
CODES_PER_SIGN_IN: Final = "5 per hour"
CODES_FROM_ANYWHERE: Final = "60 per day"
LETTERS_PER_ADDRESS: Final = "3 per day"

PASSWORDS: Final = frozenset({"security.login", "security.verify", "security.change_password"})
"""Where a password is typed."""
CODES: Final = frozenset({"security.two_factor_token_validation", "security.mf_recovery"})
"""Where a code is typed after it."""
BEGINNINGS: Final = frozenset({"security.login", "security.oauthresponse"})
"""Where a sign-in begins, and what another one left half done is forgotten."""
HALF: Final = "half_done"
"""In the session: the name of the sign-in whose password was right, and whose second proof is waited for."""

Refused = Callable[[str], None]
"""What is done about a sign-in that ended over wrong codes; it takes the person's `fs_uniquifier`."""


def limit_sign_in(app: Flask, refused: Refused) -> None:
    """Have `app` count what is tried at its sign-in, and call `refused` where five codes were wrong."""

    @app.before_request
    def count() -> BaseResponse | None:
        if request.blueprint != "security":
            return None
        if request.endpoint in BEGINNINGS:
            session.pop(HALF, None)
        if request.method != "POST" or request.endpoint == "security.logout":
            return None
        try:
            _count()
        except RateLimitExceeded:
            return _refuse()
        if request.endpoint not in CODES or "tf_user_id" not in session:
            return None
        try:
            _count_codes_from_anywhere()
        except RateLimitExceeded:
            return _ask_for_new_password()
        return None if _has_codes_left() else _begin_again(refused)

    @app.after_request
    def bound(response: Response) -> BaseResponse:
        if request.blueprint != "security":
            return response
        if "tf_user_id" not in session:
            session.pop(HALF, None)
        elif HALF not in session:
            # From the very first answer on: a cookie without it could be sent again and again, and count anew.
            session[HALF] = secrets.token_urlsafe(12)
        elif request.endpoint in CODES and response.status_code == 200 and g.get("codes_left") == 0:
            return _begin_again(refused)
        return response


def may_write_to(address: str) -> bool:
    """Count one letter to an address that a stranger may have typed; return whether it may be sent today."""
    g.letter_to = _digest(address.lower())
    try:
        _count_letter()
    except RateLimitExceeded:
        return False
    return True


def _count() -> None:
    _count_client()
    if request.endpoint in PASSWORDS:
        _count_password()
    elif request.endpoint in CODES:
        _count_code()
    elif request.endpoint == "security.forgot_password":
        count_asking()


def _has_codes_left() -> bool:
    try:
        _count_half_done()
    except RateLimitExceeded:
        return False
    counted = limiter.current_limit
    g.codes_left = counted.remaining if counted else None
    return True


def _ask_for_new_password() -> BaseResponse:
    tf_clean_session()  # type: ignore[no-untyped-call]  # it has no types
    session.pop(HALF, None)
    said = "Too many wrong codes followed your password today, so somebody may know it. Choose another one, and go on."
    flash(said, "error")
    return redirect(f"{ACCOUNT}/reset")


def _begin_again(refused: Refused) -> BaseResponse:
    refused(session["tf_user_id"])
    tf_clean_session()  # type: ignore[no-untyped-call]  # it has no types
    session.pop(HALF, None)
    flash("Five codes did not fit. Begin again with your password.", "error")
    return redirect(f"{ACCOUNT}/login")


def _refuse() -> Response:
    counted = limiter.current_limit
    # The store counts in real time, whatever clock the registry works by.
    ends_at = datetime.fromtimestamp(counted.reset_at, UTC) if counted else clock.now()
    seconds = max(int((ends_at - clock.now()).total_seconds()), 1)
    refused = answer("security/too_many.html", 429, minutes=-(-seconds // 60), ends_at=ends_at)
    refused.headers["Retry-After"] = str(seconds)
    return refused


def _account() -> str:
    """Return whose sign-in is tried, and from where; hashed, since the store is no place for addresses."""
    if current_user.is_authenticated:
        account = current_user.email
    elif request.endpoint in CODES:
        account = session.get("tf_user_id", "")
    else:
        account = request.form.get("email", "").strip().lower()
    return f"{_digest(account)} {client_network()}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@limiter.shared_limit(PER_CLIENT, scope="sign-in-client", key_func=client_address)
def _count_client() -> None: ...


@limiter.shared_limit(PER_ACCOUNT, scope="sign-in-password", key_func=_account)
def _count_password() -> None: ...


@limiter.shared_limit(PER_ACCOUNT, scope="sign-in-code", key_func=_account)
def _count_code() -> None: ...


@limiter.shared_limit(CODES_PER_SIGN_IN, scope="sign-in-half-done", key_func=lambda: session.get(HALF, "none"))
def _count_half_done() -> None: ...


# Counted by the person's `fs_uniquifier`, which is another one once the password is.
@limiter.shared_limit(CODES_FROM_ANYWHERE, scope="sign-in-code-anywhere", key_func=lambda: session["tf_user_id"])
def _count_codes_from_anywhere() -> None: ...


@limiter.shared_limit(LETTERS_PER_ADDRESS, scope="sign-in-letter", key_func=lambda: g.letter_to)
def _count_letter() -> None: ...
