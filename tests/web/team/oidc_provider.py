"""An OpenID Connect issuer on a socket of this machine: it speaks as one does, and can be told to fail as they do.

    with issuer() as provider:
        site = serving(…, REGISTRY_OIDC_ISSUER=provider.base, …)
        provider.person = {"email": "edda@antopsis.example", "email_verified": True}
        back = provider.consent(address_of_the_redirect)      # as a browser would go there, and agree

Its keys are made for each run; its tokens are signed with RS256 as those of Google, Microsoft and Clerk are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

CLIENT_ID = "registry-at-the-issuer"
CLIENT_SECRET = "hush-hush-hush"


@cache
def _make_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "now", "use": "sig", "alg": "RS256"})


@dataclass
class Provider:
    """The issuer: whom it knows, and how it misbehaves. What it was asked stands in `asked`."""

    base: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    told_issuer: str | None = None
    signs_with_another_key: bool = False
    answers_badly: bool = False
    is_slow: bool = False
    userinfo: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    key: RSAKey = field(default_factory=_make_key)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def consent(self, address: str) -> str:
        """Go where a browser was led, and agree; return the address it is led back to."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert address.startswith(f"{self.base}/authorize?"), address
        assert query["client_id"] == CLIENT_ID
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        self.asked.append(query)
        code = secrets.token_hex(8)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer one request."""
        request = Request(environ)
        self.paths.append(request.path)
        if self.is_slow:
            time.sleep(2)
        answers = {
            "/.well-known/openid-configuration": self._discovery,
            "/jwks": self._keys,
            "/token": self._token,
            "/userinfo": self._userinfo,
        }
        answer = answers.get(request.path)
        if self.answers_badly:
            return Response("<h1>Out of order</h1>", 500)(environ, start_response)
        if request.path == "/authorize":
            back = self.consent(request.url)
            return Response(status=302, headers={"Location": back})(environ, start_response)
        found = (answer(request), 200) if answer else ({"error": "not_found"}, 404)
        return Response(json.dumps(found[0]), found[1], content_type="application/json")(environ, start_response)

    def _discovery(self, request: Request) -> dict[str, Any]:
        return {
            "issuer": self.told_issuer or self.base,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "jwks_uri": f"{self.base}/jwks",
            "userinfo_endpoint": f"{self.base}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _keys(self, request: Request) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def _userinfo(self, request: Request) -> dict[str, Any]:
        assert request.headers["Authorization"] == "Bearer an-access-token"
        return self.userinfo

    def _token(self, request: Request) -> dict[str, Any]:
        asked = self.codes.pop(request.form["code"])
        challenge = hashlib.sha256(request.form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(challenge).decode().rstrip("=") == asked["code_challenge"]
        assert request.authorization is not None
        assert (request.authorization.username, request.authorization.password) == (CLIENT_ID, CLIENT_SECRET)
        assert request.form["redirect_uri"] == asked["redirect_uri"]
        now = int(time.time())
        said = {
            "iss": self.base,
            "aud": CLIENT_ID,
            "sub": "somebody",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
            **self.claims,
        }
        signing = RSAKey.generate_key(2048, {"kid": "now"}) if self.signs_with_another_key else self.key
        token = jwt.encode({"alg": "RS256", "kid": "now"}, said, signing)
        return {"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 300, "id_token": token}


@contextmanager
def issuer() -> Iterator[Provider]:
    """Run an issuer meanwhile."""
    provider = Provider()
    server = make_server("127.0.0.1", 0, provider, threaded=True)
    provider.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
