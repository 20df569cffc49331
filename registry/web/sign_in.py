"""Signing in, by Flask-Security: passwords, one-time codes, recovery codes, passkeys. What it is told stands here.

Nothing of it is written by hand. Ours are the session that can be ended from elsewhere (`sessions`), the letters' road
(`sign_in_mail`), and who may do what (`team.access`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any, Final

from flask import Flask, Request, Response, redirect, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask_security import Security
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from registry import clock
from registry.database import may_write
from registry.web.current import wiring
from registry.web.headers import is_for_the_team
from registry.web.people import make_datastore
from registry.web.publishers import is_installation_host
from registry.web.sessions import follow_sessions
from registry.web.sign_in_mail import SignInMail
from registry.wiring import Wiring

ACCOUNT: Final = "/team/account"
"""Where everything about signing in is."""
FRESH_FOR: Final = timedelta(minutes=15)
"""How long after proving who one is publishing, exporting and changing people ask for no new proof."""
SIGNED_IN_FOR: Final = timedelta(hours=12)
SHORTEST_PASSWORD: Final = 12

csrf = CSRFProtect()


class TeamSessions(SecureCookieSessionInterface):
    """Sessions below /team alone. Everywhere else nobody is asked for a cookie, and no answer depends on one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the session's cookie, in the workbench."""
        return super().open_session(app, request) if is_for_the_team(request.path) else self.session_class()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the session's cookie, in the workbench."""
        if is_for_the_team(request.path):
            super().save_session(app, session, response)


def add_sign_in(app: Flask, parts: Wiring) -> None:
    """Have `app` know people: their sign-in below `ACCOUNT`, with a cookie that is sent below /team only."""
    app.config.update(_cookies(parts), **_security(parts))
    app.session_interface = TeamSessions()
    app.before_request(_keep_to_one_host)
    csrf.init_app(app)
    Security(app, make_datastore(), mail_util_cls=SignInMail)
    # It would look for a token in the body of every request, also of those that nobody has to sign in for.
    app.extensions["security"].login_manager.request_loader(lambda request: None)
    app.before_request(_let_sign_in_write)
    follow_sessions(app)


def _keep_to_one_host() -> BaseResponse | None:
    """The workbench is at the installation's own address alone: cookies, passkeys and links are for that one (R33)."""
    if not is_for_the_team(request.path) or is_installation_host():
        return None
    if request.method != "GET":
        raise NotFound
    return redirect(f"{wiring().letterhead.base_url}{request.full_path.rstrip('?')}")


def _let_sign_in_write() -> None:
    # A sign-in at another company comes back by GET, and begins a session like any other.
    if request.blueprint == "security" and (request.method == "POST" or request.endpoint == "security.oauthresponse"):
        may_write()


def _cookies(parts: Wiring) -> dict[str, Any]:
    return {
        # Readers of the public pages get no cookie, and a form of another website none of ours.
        "SESSION_COOKIE_NAME": "registry_team",
        "SESSION_COOKIE_PATH": "/team",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SECURE": parts.letterhead.base_url.startswith("https://"),
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": SIGNED_IN_FOR,
        # Only the team's forms have a session; the public ones guard themselves.
        "WTF_CSRF_CHECK_DEFAULT": False,
        "WTF_CSRF_TIME_LIMIT": None,
    }


def _security(parts: Wiring) -> dict[str, Any]:
    return {
        "SECURITY_URL_PREFIX": ACCOUNT,
        "SECURITY_POST_LOGIN_VIEW": "/team/",
        "SECURITY_POST_LOGOUT_VIEW": f"{ACCOUNT}/login",
        "SECURITY_POST_RESET_VIEW": f"{ACCOUNT}/login",
        "SECURITY_POST_CHANGE_VIEW": f"{ACCOUNT}/",
        "SECURITY_TWO_FACTOR_POST_SETUP_VIEW": f"{ACCOUNT}/",
        "SECURITY_WAN_POST_REGISTER_VIEW": f"{ACCOUNT}/",
        "SECURITY_DATETIME_FACTORY": clock.now,
        "SECURITY_JOIN_USER_ROLES": False,
        "SECURITY_SCRIPT_NONCE_KEY": "csp_nonce",
        "SECURITY_FLASH_MESSAGES": True,
        # What an unknown address and a wrong password are answered with is the same.
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
        "SECURITY_PASSWORD_SCHEMES": ["argon2"],
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_PASSWORD_SINGLE_HASH": ["argon2"],
        "SECURITY_PASSWORD_LENGTH_MIN": SHORTEST_PASSWORD,
        "SECURITY_RECOVERABLE": True,
        "SECURITY_RESET_PASSWORD_WITHIN": timedelta(days=7),
        "SECURITY_CHANGEABLE": True,
        "SECURITY_EMAIL_SENDER": parts.letterhead.mail_from,
        "SECURITY_FRESHNESS": FRESH_FOR,
        "SECURITY_FRESHNESS_GRACE_PERIOD": FRESH_FOR,
        "SECURITY_TWO_FACTOR": True,
        "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "SECURITY_TWO_FACTOR_RESCUE_EMAIL": False,
        "SECURITY_TOTP_SECRETS": {"1": _derive(parts.secret_key, "one-time codes")},
        "SECURITY_TOTP_ISSUER": "Subprocessor registry",
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES": True,
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_KEYS": [_derive(parts.secret_key, "recovery codes")],
        "SECURITY_WEBAUTHN": True,
        "SECURITY_WAN_RP_NAME": "Subprocessor registry",
    }


def _derive(secret_key: str, purpose: str) -> str:
    """Return a key of its own for each purpose, as base64: what opens one thing opens no other."""
    digest = hmac.new(secret_key.encode(), f"registry sign-in: {purpose}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()
