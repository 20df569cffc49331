"""The people of a publisher's team, each at a browser of their own, signed in without the ceremony of it.

    site = …                       # tests.web.conftest
    team = Team(site)
    edda = team.sign_in(EDDA)      # the editor of Antopsis
    edda.get("/team/antopsis/")
    edda.post("/team/antopsis/notices/", {"summary": "…"})   # with the CSRF token of her session

The sign-in itself has tests of its own, which do it for real.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select
from werkzeug.test import TestResponse

from registry.domain.people import TeamRole
from registry.tables import Membership, Person, Publisher, SignIn
from tests.web.site import Site, closing_body


@dataclass(frozen=True)
class Somebody:
    """A person of the cast: what they hold at which publisher."""

    email: str
    name: str
    role: TeamRole | None
    slug: str = "antopsis"


OLA = Somebody("ola@antopsis.example", "Ola Owner", TeamRole.OWNER)
ARNO = Somebody("arno@antopsis.example", "Arno Approver", TeamRole.APPROVER)
EDDA = Somebody("edda@antopsis.example", "Edda Editor", TeamRole.EDITOR)
VERA = Somebody("vera@antopsis.example", "Vera Viewer", TeamRole.VIEWER)
ZOE = Somebody("zoe@streams.example", "Zoe of another company", TeamRole.OWNER, "streams")
CAST = (OLA, ARNO, EDDA, VERA, ZOE)


class Team:
    """The cast, in the tables of a site: whoever works for a publisher that it has."""

    def __init__(self, site: Site) -> None:
        self.site = site
        at = site.world.at
        with site.world.writing() as session:
            publishers = {each.slug: each.id for each in session.scalars(select(Publisher))}
            here = [each for each in CAST if each.slug in publishers]
            people = [
                Person(
                    email=each.email, name=each.name, fs_uniquifier=secrets.token_hex(16), created_at=at, joined_at=at
                )
                for each in here
            ]
            session.add_all(people)
            session.flush()
            session.add_all(
                Membership(
                    publisher_id=publishers[each.slug],
                    person_id=person.id,
                    role=each.role.value,
                    since_at=at,
                    added_by="tests",
                )
                for each, person in zip(here, people, strict=True)
                if each.role is not None
            )

    def sign_in(self, somebody: Somebody, *, is_fresh: bool = True) -> Colleague:
        """Sit somebody down at a browser, signed in just now, or with `is_fresh=False` hours ago."""
        with self.site.world.writing() as session:
            person = session.scalars(select(Person).where(Person.email == somebody.email)).one()
            key = secrets.token_urlsafe(24)
            at = self.site.world.at
            sign_in = SignIn(person_id=person.id, key=key, address="192.0.2.7", agent="tests", began_at=at, seen_at=at)
            session.add(sign_in)
            uniquifier, has_codes = person.fs_uniquifier, person.tf_primary_method is not None
        client, token = self.site.app.test_client(), secrets.token_hex(20)
        with client.session_transaction("/team/", base_url=self.base_url) as cookie:
            cookie.update(
                {
                    "_user_id": uniquifier,
                    "_fresh": True,
                    "fs_paa": time.time() - (0 if is_fresh else 7_200),
                    "sign_in": key,
                    "two_proofs": has_codes,
                    "csrf_token": token,
                }
            )
        signed = URLSafeTimedSerializer(self.site.world.settings.secret_key, salt="wtf-csrf-token").dumps(token)
        assert isinstance(signed, str)
        return Colleague(client, self.base_url, signed)

    def stranger(self) -> Colleague:
        """Return somebody at a browser who has not signed in."""
        return Colleague(self.site.app.test_client(), self.base_url, "")

    @property
    def base_url(self) -> str:
        """The address of the installation, which is the only one the workbench is at."""
        return self.site.world.settings.base_url


class Colleague:
    """Somebody at a browser."""

    def __init__(self, client: FlaskClient, base_url: str, csrf_token: str) -> None:
        self.client = client
        self.base_url = base_url
        self.csrf_token = csrf_token

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET a path."""
        return self.client.get(path, base_url=self.base_url, buffered=True, **options)

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """POST a form with this session's token. A redirect is not followed."""
        return self.post_bare(path, {"csrf_token": self.csrf_token, **(data or {})}, **options)

    def post_bare(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """POST a form without a token, as another website would make this browser do."""
        return closing_body(self.client.post(path, base_url=self.base_url, data=data, buffered=True, **options))
