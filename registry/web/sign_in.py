"""Signing in, by Flask-Security: passwords, one-time codes, recovery codes, passkeys. What it is told stands here.

Nothing of it is written by hand. Ours are the session that can be ended from elsewhere (`sessions`), the letters' road
(`sign_in_mail`), what of it is open (`sign_in_gate`), how often it may be tried (`sign_in_limits`), the record of what
people change (`sign_in_events`), the sign-in at a company (`sign_in_company`), and who may do what (`team.access`).
"""

from __future__ import annotations

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
from registry.web.sign_in_company import add_company_sign_in
from registry.web.sign_in_events import follow_changes, note_codes_refused
from registry.web.sign_in_factors import OneTimeCodes, PasskeyRules, RecoveryCodes
from registry.web.sign_in_forms import (
    CodeForm,
    NewPasskeyForm,
    NoRescueForm,
    PasskeyAnswerForm,
    PasskeyForm,
    PasswordForm,
    RecoveryForm,
    SetupForm,
)
from registry.web.sign_in_gate import guard_sign_in
from registry.web.sign_in_keys import one_time_codes_key, recovery_codes_key
from registry.web.sign_in_limits import limit_sign_in
from registry.web.sign_in_links import ACCOUNT as ACCOUNT
from registry.web.sign_in_links import INVITATION_LINK_FOR
from registry.web.sign_in_mail import SignInMail, send_after_answers
from registry.web.sign_in_pages import render
from registry.web.sign_in_words import MESSAGES, PASSWORD_LETTER
from registry.wiring import Wiring

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
    send_after_answers(app)
    app.config.update(_cookies(parts), **_security(parts), **_factors(parts), **_said())
    app.session_interface = TeamSessions()
    app.before_request(_keep_to_one_host)
    csrf.init_app(app)
    security = Security(
        app,
        make_datastore(),
        render_template=render,
        mail_util_cls=SignInMail,
        totp_cls=OneTimeCodes,
        mf_recovery_codes_util_cls=RecoveryCodes,
        webauthn_util_cls=PasskeyRules,
        login_form=PasswordForm,
        two_factor_setup_form=SetupForm,
        two_factor_verify_code_form=CodeForm,
        two_factor_rescue_form=NoRescueForm,
        mf_recovery_form=RecoveryForm,
        wan_register_form=NewPasskeyForm,
        wan_signin_form=PasskeyForm,
        wan_signin_response_form=PasskeyAnswerForm,
    )
    # It would look for a token in the body of every request, also of those that nobody has to sign in for.
    security.login_manager.request_loader(lambda request: None)
    app.before_request(_let_sign_in_write)
    guard_sign_in(app, security)
    limit_sign_in(app, note_codes_refused)
    follow_sessions(app)
    follow_changes(app)
    if parts.company_sign_in is not None:
        add_company_sign_in(app, security, parts.company_sign_in)


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
        "SECURITY_POST_VERIFY_VIEW": f"{ACCOUNT}/",
        "SECURITY_DATETIME_FACTORY": clock.now,
        "SECURITY_JOIN_USER_ROLES": False,
        "SECURITY_API_ENABLED_METHODS": ["session"],
        "SECURITY_CLI_USERS_NAME": None,
        "SECURITY_CLI_ROLES_NAME": None,
        "SECURITY_SCRIPT_NONCE_KEY": "csp_nonce",
        "SECURITY_FLASH_MESSAGES": True,
        "SECURITY_LOGOUT_CSRF": True,
        # What an unknown address and a wrong password are answered with is the same.
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
        "SECURITY_PASSWORD_SCHEMES": ["argon2"],
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_PASSWORD_SINGLE_HASH": ["argon2"],
        "SECURITY_PASSWORD_LENGTH_MIN": SHORTEST_PASSWORD,
        "SECURITY_RECOVERABLE": True,
        "SECURITY_RESET_PASSWORD_WITHIN": INVITATION_LINK_FOR,
        "SECURITY_CHANGEABLE": True,
        "SECURITY_EMAIL_SENDER": parts.letterhead.mail_from,
        # What happened to an account is told by letters of one kind (`sign_in_events`).
        "SECURITY_SEND_PASSWORD_CHANGE_EMAIL": False,
        "SECURITY_SEND_PASSWORD_RESET_NOTICE_EMAIL": False,
        "SECURITY_FRESHNESS": FRESH_FOR,
        "SECURITY_FRESHNESS_GRACE_PERIOD": FRESH_FOR,
    }


def _factors(parts: Wiring) -> dict[str, Any]:
    return {
        "SECURITY_TWO_FACTOR": True,
        "SECURITY_TWO_FACTOR_POST_SETUP_VIEW": f"{ACCOUNT}/",
        "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        # Seconds by which the clock of a phone may be wrong.
        "SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY": 30,
        "SECURITY_TWO_FACTOR_RESCUE_EMAIL": False,
        "SECURITY_TOTP_SECRETS": {"1": one_time_codes_key(parts.secret_key)},
        "SECURITY_TOTP_ISSUER": "Subprocessor registry",
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES": True,
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_N": 8,
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_KEYS": [recovery_codes_key(parts.secret_key)],
        "SECURITY_WEBAUTHN": True,
        "SECURITY_WAN_POST_REGISTER_VIEW": f"{ACCOUNT}/",
        "SECURITY_WAN_RP_NAME": "Subprocessor registry",
        # Which passkeys belong to an address would be told to whoever types it.
        "SECURITY_WAN_ALLOW_USER_HINTS": False,
        "SECURITY_WAN_SIGNIN_WITHIN": timedelta(minutes=5),
        "SECURITY_WAN_SIGNIN_TIMEOUT": 240_000,
        "SECURITY_WAN_REGISTER_TIMEOUT": 240_000,
        "SECURITY_WAN_NAME_ALLOWED_CHARS": ["L", "M", "N", "Pc", "Pd", "Po", "Ps", "Pe", "Zs"],
        "SECURITY_OAUTH_ENABLE": parts.company_sign_in is not None,
        "SECURITY_OAUTH_BUILTIN_PROVIDERS": [],
    }


def _said() -> dict[str, Any]:
    said: dict[str, Any] = {f"SECURITY_MSG_{name}": message for name, message in MESSAGES.items()}
    return said | {"SECURITY_EMAIL_SUBJECT_PASSWORD_RESET": PASSWORD_LETTER}
