"""Signing in for real: the forms as a browser fills them, the password hashed as it is in life, if more cheaply."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask_security import hash_password
from sqlalchemy import select

from registry.app import create_app
from registry.tables import Event, Person, SignIn
from tests.web.colleagues import EDDA, Team
from tests.web.team.sign_in_browser import LOGIN, PASSWORD, Browser, give_password, said, token_on
from tests.world import settings_for


def test_an_address_and_its_password_open_the_workbench_and_stand_on_record(team: Team) -> None:
    give_password(team, EDDA.email)
    edda = Browser(team)
    assert edda.sign_in(EDDA.email).status_code == 302
    assert edda.get("/team/antopsis/").status_code == 200
    with team.site.world.reading() as session:
        begun = session.scalars(select(SignIn)).one()
        event = session.scalars(select(Event).where(Event.kind == "person.signed_in")).one()
        assert (begun.address, begun.ended_at) == ("192.0.2.7", None)
        assert (event.actor, event.sign_in_id) == ("edda@antopsis.example (web)", begun.id)
        assert event.payload == {"by": "password"}


def test_a_password_is_hashed_at_the_cost_that_guessing_it_has(sqlite_url: str, tmp_path: Path) -> None:
    app = create_app(settings_for(sqlite_url, tmp_path / "instance"))
    with app.app_context():
        assert hash_password(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    app.extensions["registry"].engine.dispose()


def test_an_address_is_known_however_it_is_typed(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    edda = Browser(light_team)
    assert edda.sign_in(" Edda@Antopsis.EXAMPLE ").status_code == 302
    assert edda.is_in()


def test_a_wrong_password_opens_nothing_and_says_no_more_than_an_unknown_address(team: Team) -> None:
    give_password(team, EDDA.email)
    wrong, unknown = Browser(team), Browser(team)
    answers = [
        wrong.sign_in(EDDA.email, "something else"),
        unknown.sign_in("nobody@antopsis.example", "something else"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert said(answers[0]) == said(answers[1])
    assert "do not go together" in said(answers[0])
    assert 'value="edda@antopsis.example"' in answers[0].text
    assert "something else" not in answers[0].text
    assert wrong.get("/team/antopsis/").status_code == 302
    with team.site.world.reading() as session:
        assert session.scalars(select(SignIn)).all() == []
        assert session.scalars(select(Event.actor).where(Event.kind == "person.sign_in_failed")).all() == [
            "somebody (web)"
        ]


def test_somebody_invited_who_has_no_password_and_somebody_shut_out_get_the_same_answer(light_team: Team) -> None:
    invited = Browser(light_team).sign_in(EDDA.email)
    give_password(light_team, EDDA.email)
    with light_team.site.world.writing() as session:
        session.scalars(select(Person).where(Person.email == EDDA.email)).one().active = False
    shut_out = Browser(light_team).sign_in(EDDA.email)
    assert said(invited) == said(shut_out)
    assert "do not go together" in said(shut_out)


def test_signing_out_ends_the_session_for_good(team: Team) -> None:
    give_password(team, EDDA.email)
    edda = Browser(team)
    edda.sign_in(EDDA.email)
    page = edda.get("/team/antopsis/")
    assert edda.post_bare("/team/account/logout", {"csrf_token": token_on(page.text)}).status_code == 302
    assert edda.get("/team/antopsis/").status_code == 302
    with team.site.world.reading() as session:
        assert session.scalars(select(SignIn)).one().ended_at == team.site.world.at


def test_another_website_cannot_sign_somebody_out(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    edda = Browser(light_team)
    edda.sign_in(EDDA.email)
    asked = edda.post_bare("/team/account/logout")
    assert "Sign out?" in said(asked)
    assert edda.is_in()


def test_nobody_is_remembered_whatever_a_form_says(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    edda = Browser(light_team)
    page = edda.get(LOGIN)
    assert "remember" not in page.text
    given = {"email": EDDA.email, "password": PASSWORD, "remember": "y", "csrf_token": token_on(page.text)}
    answer = edda.post_bare(LOGIN, given)
    assert answer.status_code == 302
    cookies = answer.headers.getlist("Set-Cookie")
    assert all(each.startswith("registry_team=") and "Path=/team" in each for each in cookies)
    assert all("HttpOnly" in each and "SameSite=Lax" in each for each in cookies)
    assert {each.key for each in (edda.client._cookies or {}).values()} == {"registry_team"}


def test_whoever_signs_in_comes_back_to_where_they_were(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    answer = Browser(light_team).sign_in(EDDA.email, query="?next=/team/antopsis/entries/%3Fpage%3D2")
    assert answer.headers["Location"] == "/team/antopsis/entries/?page=2"


ELSEWHERE = (
    *("https://evil.example/", "//evil.example/", "///evil.example", r"/\evil.example", r"\\evil.example"),
    *("javascript:x", "/team/\\..\\..//evil.example", "/antopsis/", " //evil.example"),
)


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_nobody_is_led_away_after_signing_in(elsewhere: str, light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    edda = Browser(light_team)
    asked = edda.get(LOGIN, query_string={"next": elsewhere})
    assert (asked.status_code, asked.headers["Location"]) == (302, LOGIN)
    # A form that was made by hand, with that in its address or in a field.
    given = {"csrf_token": token_on(edda.get(LOGIN).text), "email": EDDA.email, "password": PASSWORD}
    for query, field in ((elsewhere, ""), ("", elsewhere)):
        more = {"next": field} if field else {}
        answer = edda.post_bare(LOGIN, given | more, query_string={"next": query} if query else {})
        there = urlsplit(answer.headers.get("Location", ""))
        assert there.netloc == ""
        assert not there.path.startswith(("//", "/\\"))


def test_a_session_that_was_ended_elsewhere_reaches_nothing_of_the_account_either(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    edda = Browser(light_team)
    edda.sign_in(EDDA.email)
    with light_team.site.world.writing() as session:
        session.scalars(select(SignIn)).one().ended_at = light_team.site.world.at
    for path in ("change", "tf-setup", "wan-register", "mf-recovery-codes", "verify"):
        assert edda.get(f"/team/account/{path}").status_code == 302, path
    # Without going in circles.
    assert "Sign in" in said(edda.follow(edda.get("/team/antopsis/")))


def test_what_is_not_used_of_the_sign_in_cannot_be_reached(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    edda = Browser(light_team)
    edda.sign_in(EDDA.email)
    shut = ["tf-rescue", "wan-delete", "register", "confirm", "us-signin", "change-email", "recover-username"]
    for path in shut:
        assert edda.get(f"/team/account/{path}").status_code == 404, path
        assert edda.post(f"/team/account/{path}").status_code == 404, path


def test_programs_get_no_other_way_in(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    browser = Browser(light_team)
    page = browser.get(LOGIN)
    answer = browser.client.post(
        LOGIN,
        base_url=browser.base_url,
        json={"email": EDDA.email, "password": PASSWORD, "csrf_token": token_on(page.text)},
        headers={"Accept": "application/json", "X-CSRFToken": token_on(page.text)},
        query_string={"include_auth_token": "1"},
    )
    assert "authentication_token" not in answer.text
    assert answer.mimetype == "text/html"
    token = {"Authentication-Token": "x"}
    assert Browser(light_team).get("/team/account/", headers=token).status_code == 302


def test_every_page_of_the_sign_in_keeps_the_policy(light_team: Team) -> None:
    page = Browser(light_team).get(LOGIN)
    policy = page.headers["Content-Security-Policy"]
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert "style=" not in page.text
    assert "no-store" in page.headers["Cache-Control"]
