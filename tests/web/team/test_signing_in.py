"""Signing in for real: the forms as a browser fills them, the password hashed as it is in life."""

from __future__ import annotations

import re

from flask_security import hash_password
from sqlalchemy import select

from registry.tables import Event, Person, SignIn
from tests.web.colleagues import EDDA, Colleague, Team

PASSWORD = "correct horse battery staple"


def give_password(team: Team, email: str) -> None:
    with team.site.app.app_context(), team.site.world.writing() as session:
        person = session.scalars(select(Person).where(Person.email == email)).one()
        person.password = hash_password(PASSWORD)
        assert person.password.startswith("$argon2id$")


def token_on(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def sign_in(browser: Colleague, email: str, password: str) -> int:
    page = browser.get("/team/account/login")
    given = {"csrf_token": token_on(page.text), "email": email, "password": password}
    return browser.post_bare("/team/account/login", given).status_code


def test_an_address_and_its_password_open_the_workbench_and_stand_on_record(team: Team) -> None:
    give_password(team, EDDA.email)
    edda = team.stranger()
    assert sign_in(edda, EDDA.email, PASSWORD) == 302
    assert edda.get("/team/antopsis/").status_code == 200
    with team.site.world.reading() as session:
        begun = session.scalars(select(SignIn)).one()
        event = session.scalars(select(Event).where(Event.kind == "person.signed_in")).one()
        assert (begun.address, begun.ended_at) == ("127.0.0.1", None)
        assert (event.actor, event.sign_in_id) == ("edda@antopsis.example (web)", begun.id)


def test_a_wrong_password_opens_nothing_and_says_no_more_than_an_unknown_address(team: Team) -> None:
    give_password(team, EDDA.email)
    wrong, unknown = team.stranger(), team.stranger()
    assert sign_in(wrong, EDDA.email, "something else altogether") == 200
    assert sign_in(unknown, "nobody@antopsis.example", "something else altogether") == 200
    assert wrong.get("/team/antopsis/").status_code == 302
    with team.site.world.reading() as session:
        assert session.scalars(select(SignIn)).all() == []
        assert session.scalars(select(Event.actor).where(Event.kind == "person.sign_in_failed")).all() == [
            "somebody (web)"
        ]


def test_signing_out_ends_the_session_for_good(team: Team) -> None:
    give_password(team, EDDA.email)
    edda = team.stranger()
    sign_in(edda, EDDA.email, PASSWORD)
    page = edda.get("/team/antopsis/")
    assert edda.post_bare("/team/account/logout", {"csrf_token": token_on(page.text)}).status_code == 302
    assert edda.get("/team/antopsis/").status_code == 302
    with team.site.world.reading() as session:
        assert session.scalars(select(SignIn)).one().ended_at == team.site.world.at
