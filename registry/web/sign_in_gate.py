"""What of Flask-Security can be reached, and by whom: it has more pages than are used, and knows nothing of sessions
that were ended from elsewhere.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Flask, Response, flash, redirect, request, session
from flask_security import Security, current_user, logout_user
from flask_security.recoverable import reset_password_token_status
from flask_security.tf_plugin import tf_clean_session
from flask_security.utils import check_and_get_token_status, get_message
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from registry.database import db
from registry.web.sessions import end_this_session, find_sign_in, has_one_proof
from registry.web.sign_in_events import NEW_CODES
from registry.web.sign_in_links import ACCOUNT, FORGOTTEN_LINK_FOR

OPEN: Final = frozenset(
    f"security.{name}"
    for name in (
        *("login", "logout", "verify", "static"),
        *("forgot_password", "reset_password", "change_password"),
        *("two_factor_setup", "two_factor_token_validation", "tf_select", "mf_recovery", "mf_recovery_codes"),
        *("wan_register", "wan_register_response", "wan_signin", "wan_signin_response"),
        *("wan_verify", "wan_verify_response"),
        *("oauthstart", "oauthresponse", "oauth_verify_start", "oauth_verify_response"),
    )
)
"""The views of Flask-Security that are used. What a newer release adds stays shut until it is looked at."""
SHOWS_CODES: Final = f"{ACCOUNT}/mf-recovery-codes?show_codes=1"


def guard_sign_in(app: Flask, security: Security) -> None:
    """Have `app` keep to what is used of Flask-Security, and to sessions that have not been ended."""
    # Nothing but browsers signs in here: what would be another answer for programs is another way in.
    security.want_json(lambda request: False)
    security.mf_recovery_codes_context_processor(_show_new_codes)
    app.before_request(_guard)
    app.after_request(_lead_to_new_codes)


def _guard() -> BaseResponse | None:
    if request.blueprint != "security" or request.endpoint == "security.static":
        return None
    if request.endpoint not in OPEN:
        raise NotFound
    if request.method == "GET" and not _is_ours(request.args.get("next", "/team/")):
        return redirect(request.path)
    if current_user.is_authenticated and find_sign_in(db.session(), current_user.id) is None:
        logout_user()
    if current_user.is_authenticated and has_one_proof(current_user) and current_user.check_tf_required_setup():
        # Otherwise it could set up codes of its own, and so prove itself.
        end_this_session()
    if request.endpoint == "security.oauthresponse":
        tf_clean_session()  # type: ignore[no-untyped-call]  # it has no types
    if request.endpoint == "security.oauth_verify_response" and not current_user.is_authenticated:
        # Flask-Security takes it for granted that the session is still there when they come back.
        return redirect(f"{ACCOUNT}/login")
    if request.endpoint == "security.two_factor_setup" and not current_user.is_authenticated:
        return _lead_to_passkey()
    if request.endpoint == "security.two_factor_token_validation" and _comes_from_nowhere():
        return redirect(f"{ACCOUNT}/")
    if request.endpoint == "security.reset_password":
        return _refuse_old_link((request.view_args or {})["token"])
    return None


def _is_ours(path: str) -> bool:
    """Return whether somebody may be led there after signing in: a page of the workbench, and no other website."""
    return path.startswith("/team/") and "\\" not in path and path.isprintable()


def _lead_to_passkey() -> BaseResponse:
    """Ask for the passkey of whoever typed their password, has one instead of it, and needs two proofs.

    Flask-Security would let them set up codes now: with a password alone, which is one proof.
    """
    is_half_done = "tf_user_id" in session
    tf_clean_session()  # type: ignore[no-untyped-call]  # it has no types
    if not is_half_done:
        return redirect(f"{ACCOUNT}/login")
    flash("Your publisher asks for a second proof. Sign in with your passkey instead, which is both.")
    return redirect(f"{ACCOUNT}/wan-signin")


def _comes_from_nowhere() -> bool:
    # Flask-Security ends the session of whoever opens this page without having begun to set up codes.
    return current_user.is_authenticated and session.get("tf_state") != "validating_profile"


def _refuse_old_link(token: str) -> BaseResponse | None:
    """Refuse a link that replaces a password a day after it was asked for. Invitations are good for longer."""
    _, is_invalid, user = reset_password_token_status(token)  # type: ignore[no-untyped-call]  # it has no types
    if is_invalid or user is None or user.password is None:
        return None
    is_old, _, _ = check_and_get_token_status(token, "reset", FORGOTTEN_LINK_FOR)
    if not is_old:
        return None
    said, category = get_message("PASSWORD_RESET_EXPIRED", within="a day")
    flash(said, category)
    return redirect(f"{ACCOUNT}/reset")


def _show_new_codes() -> dict[str, Any]:
    """Say whether the page may show the codes: right after they were made, and never again."""
    is_new = session.pop(NEW_CODES, False)
    return {"shows_codes": is_new or request.method == "POST"}


def _lead_to_new_codes(response: Response) -> Response:
    is_done = request.blueprint == "security" and request.method == "POST" and response.status_code == 302
    if is_done and session.get(NEW_CODES) and current_user.is_authenticated:
        response.location = SHOWS_CODES
    return response
