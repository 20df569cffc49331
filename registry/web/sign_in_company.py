"""Signing in at one's company (OpenID Connect): Google, or any issuer that says how it is spoken to.

    our page ──▶ issuer ──▶ back here with a code ──▶ issuer's signed word on who that is ──▶ invited? ──▶ in

Nobody gets in who has not been invited: the issuer proves an address, and a role here is given by an owner. Whether a
second proof is asked for besides is decided as after a password.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from flask import Flask, Response, flash, redirect, request
from flask_security import FsOAuthProvider, Security
from joserfc.errors import JoseError
from requests import RequestException
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.wrappers import Response as BaseResponse

from registry import clock
from registry.web.current import wiring
from registry.web.sign_in_links import ACCOUNT
from registry.web.sign_in_pages import answer
from registry.wiring import CompanySignIn

NAME: Final = "company"
"""What it is called in addresses: `…/login/oauthresponse/company` is to be registered with the issuer."""
SECONDS: Final = 5
"""How long the issuer may take for one answer, while somebody looks at a blank page."""
PROVED_WITHIN: Final = 300
"""Seconds. How old the issuer's proof may be where a fresh one was asked for, and it says how old it is."""
NO_PROMPT: Final = frozenset({"accounts.google.com"})
"""Issuers that refuse to be asked for the password anew."""
_VERIFY: Final = "security.oauth_verify_response"


class IssuerUnavailable(ServiceUnavailable):
    """The company's sign-in does not answer, or not as one does."""


class NotTheirs(OAuthError):  # type: ignore[misc]  # it has no types
    """What the issuer says does not prove an address; `error` says why, as a code of `_REASONS`."""


_REASONS: Final = {
    "no-email": "{name} did not say which e-mail address you have. Tell whoever runs this service.",
    "unverified": "{name} has not checked that your e-mail address is yours. Confirm the address there, and try again.",
    "too-old": "{name} did not ask you to prove who you are just now. Prove it in another way.",
    "access_denied": "You did not let {name} tell us who you are, so you are not signed in.",
    "mismatching_state": "That took too long, or was begun in another window. Try again.",
}
_OTHERWISE: Final = "{name} could not be understood, so nothing was done. Try again; tell whoever runs this service."


class CompanyApp(FlaskOAuth2App):  # type: ignore[misc]  # it has no types
    """Speaks with the issuer. What goes wrong on the way is one of two errors, and never a failure of ours."""

    def load_server_metadata(self) -> dict[str, Any]:
        """Return how the issuer is spoken to, asked for once. Raises `IssuerUnavailable`."""
        expected = _company().issuer
        try:
            found: dict[str, Any] = super().load_server_metadata()
            told = str(found.get("issuer", ""))
        except (RequestException, ValueError, TypeError, AttributeError) as error:
            raise IssuerUnavailable from error
        if told.rstrip("/") != expected.rstrip("/"):
            # Asked for again next time: this was somebody else's answer, or a slip in the setting.
            self.server_metadata.pop("_loaded_at", None)
            raise IssuerUnavailable
        return found

    def authorize_redirect(self, redirect_uri: str | None = None, **more: Any) -> BaseResponse:
        """Lead to the issuer, and have it lead back to the installation's address, whatever host was asked (R33)."""
        del redirect_uri
        endpoint = "oauth-verify-response" if _is_fresh_proof() else "oauthresponse"
        if _is_fresh_proof():
            more["max_age"] = 0
            if urlsplit(_company().issuer).hostname not in NO_PROMPT:
                more["prompt"] = "login"
        back = f"{wiring().letterhead.base_url}{ACCOUNT}/login/{endpoint}/{NAME}"
        found: BaseResponse = super().authorize_redirect(back, **more)
        return found

    def authorize_access_token(self, **more: Any) -> dict[str, Any]:
        """Return what the issuer signed. Raises `OAuthError` where that does not hold, or does not come."""
        try:
            token: dict[str, Any] = super().authorize_access_token(**more)
        except (RequestException, IssuerUnavailable) as error:
            raise IssuerUnavailable from error
        except OAuthError:
            raise
        except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise OAuthError(error="not-understood", description=type(error).__name__) from error
        if not token.get("userinfo"):
            raise OAuthError(error="not-understood", description="no id_token")
        return token


class Company(FsOAuthProvider):
    """The company's sign-in, as Flask-Security asks it."""

    def __init__(self, company: CompanySignIn) -> None:
        super().__init__(NAME)
        self.company = company

    def authlib_config(self) -> dict[str, Any]:
        """Return how the issuer is spoken to."""
        return {
            "client_cls": CompanyApp,
            "client_id": self.company.client_id,
            "client_secret": self.company.client_secret,
            "server_metadata_url": self.company.discovery_url,
            "client_kwargs": {
                "scope": "openid email",
                "code_challenge_method": "S256",
                "default_timeout": SECONDS,
            },
        }

    def fetch_identity_cb(self, oauth: OAuth, token: Any) -> tuple[str, str]:
        """Return the address that the issuer has proved to be this person's. Raises `NotTheirs`."""
        claims = dict(token["userinfo"])
        if "email" not in claims:
            claims |= _ask_for_more(oauth, token, claims)
        email = claims.get("email")
        if not isinstance(email, str) or not email:
            raise NotTheirs(error="no-email")
        if not _is_verified(claims):
            raise NotTheirs(error="unverified")
        if request.endpoint == _VERIFY and _is_too_old(claims):
            raise NotTheirs(error="too-old")
        return "email", email.lower()

    def oauth_response_failure(self, error_view: str, e: OAuthError) -> BaseResponse:
        """Lead back to where it began, with a sentence on what did not work."""
        del error_view
        said = _REASONS.get(str(e.error), _OTHERWISE)
        flash(said.format(name=self.company.name), "error")
        return redirect(f"{ACCOUNT}/{'verify' if request.endpoint == _VERIFY else 'login'}")


def add_company_sign_in(app: Flask, security: Security, company: CompanySignIn) -> None:
    """Have people sign in to `app` at their company too."""
    assert security.oauthglue is not None  # noqa: S101 - it is switched on where there is a company
    security.oauthglue.register_provider_ext(Company(company))
    app.register_error_handler(IssuerUnavailable, _answer_unavailable)
    app.after_request(_leave)


def _leave(response: Response) -> Response:
    """Lead to the issuer by a page of ours instead of a redirect.

    A redirect would still be the form that was sent, and browsers hold all that follows to this page's `form-action`.
    Issuers lead on to hosts of their own, of which nobody here knows; so the form ends here, and a link begins.
    """
    starts = request.endpoint in {"security.oauthstart", "security.oauth_verify_start"}
    if not starts or response.status_code != 302 or response.location.startswith("/"):
        return response
    return answer("security/leaving.html", company=_company().name, address=response.location)


def _answer_unavailable(error: IssuerUnavailable) -> Response:
    del error
    return answer("security/company_unavailable.html", 503, company=_company().name)


def _ask_for_more(oauth: OAuth, token: Any, claims: dict[str, Any]) -> dict[str, Any]:
    """Ask for the address of whom the issuer named without one (OpenID Connect Core, 5.3)."""
    try:
        found = dict(getattr(oauth, NAME).userinfo(token=token))
    except (RequestException, ValueError, KeyError, TypeError):
        return {}
    # Somebody else's would be taken for theirs (5.3.2).
    return found if found.get("sub") == claims.get("sub") else {}


def _is_verified(claims: dict[str, Any]) -> bool:
    # Microsoft says it by a name of its own: the owner of the address's domain is this tenant.
    return any(claims.get(name) in (True, "true", "True", 1, "1") for name in ("email_verified", "xms_edov"))


def _is_too_old(claims: dict[str, Any]) -> bool:
    proved_at = claims.get("auth_time")
    return isinstance(proved_at, int | float) and clock.now().timestamp() - proved_at > PROVED_WITHIN


def _is_fresh_proof() -> bool:
    return request.endpoint == "security.oauth_verify_start"


def _company() -> CompanySignIn:
    company = wiring().company_sign_in
    assert company is not None  # noqa: S101 - these views are there only where there is one
    return company
