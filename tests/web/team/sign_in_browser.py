"""A browser that signs in for real: it fills the forms as they are shown, keeps its cookies, and is led about."""

from __future__ import annotations

import email
import re
import threading
from email.message import EmailMessage
from email.policy import default
from typing import Any
from urllib.parse import urlsplit

from flask_security import hash_password
from passlib.totp import TOTP
from sqlalchemy import select
from werkzeug.test import TestResponse

from registry.tables import Event, Person
from registry.web.sign_in_mail import LEAVING
from tests.web.colleagues import Colleague, Team
from tests.web.site import Site, words_of

PASSWORD = "correct horse battery staple"
LOGIN = "/team/account/login"


class Browser(Colleague):
    """Somebody at a browser who has not signed in yet."""

    def __init__(self, team: Team, address: str = "192.0.2.7") -> None:
        super().__init__(team.site.app.test_client(), team.base_url, "")
        self.client.environ_base["REMOTE_ADDR"] = address
        self.client.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko Firefox/140.0"

    def fill(self, path: str, data: dict[str, Any] | None = None, at: str | None = None) -> TestResponse:
        """Open a page, and send its form with what is filled in, to `at` if the form leads elsewhere."""
        page = self.get(path)
        assert page.status_code == 200, (path, page.status_code, page.headers.get("Location"))
        return self.post_bare(at or path, {"csrf_token": token_on(page.text), **(data or {})})

    def sign_in(self, email: str, password: str = PASSWORD, query: str = "") -> TestResponse:
        """Type an address and a password."""
        return self.fill(f"{LOGIN}{query}", {"email": email, "password": password})

    def follow(self, answer: TestResponse) -> TestResponse:
        """Go where an answer leads, and on from there."""
        for _ in range(6):
            if answer.status_code not in (302, 303):
                return answer
            there = urlsplit(answer.headers["Location"])
            assert there.netloc in ("", urlsplit(self.base_url).netloc), answer.headers["Location"]
            answer = self.get(f"{there.path}?{there.query}" if there.query else there.path)
        raise AssertionError("led in circles")

    def connect_app(self) -> str:
        """Set codes from an app up, as far as its key; return the key."""
        page = self.fill("/team/account/tf-setup", {"setup": "authenticator"})
        found = re.search(r'id="authenticator-key">([^<]+)<', page.text)
        assert found is not None, page.text
        return found[1]

    def is_in(self) -> bool:
        """Return whether this browser reaches the workbench."""
        return self.get("/team/account/").status_code == 200


def token_on(page: str) -> str:
    """Return the token of a page's first form."""
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def code_of(key: str, steps: int = 0) -> str:
    """Return the code an app shows for a key, `steps` half minutes from now."""
    totp = TOTP(key=key)
    return str(totp.generate(totp.now() + 30 * steps).token)


def give_password(team: Team, email: str, password: str = PASSWORD) -> None:
    """Let somebody of the cast have a password, hashed as it is in life."""
    with team.site.app.app_context(), team.site.world.writing() as session:
        person = session.scalars(select(Person).where(Person.email == email)).one()
        person.password = hash_password(password)
        assert person.password.startswith("$argon2id$")


def wait_for_letters() -> None:
    """Wait until every letter of the sign-in that is on its way has left."""
    for leaving in threading.enumerate():
        if leaving.name == LEAVING:
            leaving.join()


def letters_to(site: Site, address: str) -> list[EmailMessage]:
    """Return the letters of the sign-in to one address, in order, without a turn of the worker."""
    wait_for_letters()
    written = sorted(site.world.wiring.outbox.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    letters = [email.message_from_bytes(path.read_bytes(), policy=default) for path in written]
    return [each for each in letters if isinstance(each, EmailMessage) and str(each["To"]).endswith(address)]


def text_of(letter: EmailMessage) -> str:
    """Return the plain text of a letter."""
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def link_to(team: Team, address: str) -> str:
    """Return the link to choose a password in the newest letter to an address, as a path."""
    found = re.search(r"https?://\S+/reset/\S+", text_of(letters_to(team.site, address)[-1]))
    assert found is not None
    assert found[0].startswith(f"{team.base_url}/")
    return urlsplit(found[0]).path


def acts(team: Team, prefix: str = "person.") -> list[str]:
    """Return what stands on record, of kinds that begin so, in order."""
    with team.site.world.reading() as session:
        found = session.scalars(select(Event.kind).where(Event.kind.startswith(prefix)).order_by(Event.id))
        return list(found)


def said(answer: TestResponse) -> str:
    """Return what a page says, as one line."""
    return words_of(answer.text)
