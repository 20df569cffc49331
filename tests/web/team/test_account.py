"""One's own account: the name, the passkeys, and the sessions that can be ended from elsewhere."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registry.steps.account import take_second_factors
from registry.steps.record import Actor
from registry.tables import Event, Passkey, Person, SignIn
from registry.web.sign_in_browsers import describe_browser
from tests.web.colleagues import EDDA, VERA, Team
from tests.web.team.counting import queries
from tests.web.team.sign_in_browser import Browser, acts, give_password, letters_to, said

ACCOUNT = "/team/account/"


def signed_in(team: Team, address: str = "192.0.2.7") -> Browser:
    browser = Browser(team, address)
    assert browser.sign_in(EDDA.email).status_code == 302
    return browser


def add_passkey(team: Team, email: str, name: str = "Work laptop", usage: str = "first") -> int:
    with team.site.world.writing() as session:
        person = session.scalars(select(Person).where(Person.email == email)).one()
        passkey = Passkey(
            person_id=person.id,
            name=name,
            credential_id=name.encode(),
            public_key=b"2",
            backup_state=True,
            device_type="multi_device",
            usage=usage,
            lastuse_datetime=team.site.world.at,
        )
        session.add(passkey)
        session.flush()
        return passkey.id


def sessions_of(team: Team) -> list[int]:
    with team.site.world.reading() as session:
        return list(session.scalars(select(SignIn.id).where(SignIn.ended_at.is_(None)).order_by(SignIn.id)))


def test_a_person_says_what_they_are_called(team: Team) -> None:
    edda = team.sign_in(EDDA)
    assert edda.post("/team/account/name", {"name": "  Edda von Antopsis "}).status_code == 303
    assert 'value="Edda von Antopsis"' in edda.get(ACCOUNT).text
    with team.site.world.reading() as session:
        event = session.scalars(select(Event).where(Event.kind == "person.renamed")).one()
        assert (event.actor, event.payload) == ("edda@antopsis.example (web)", {})
        assert event.sign_in_id is not None


def test_a_name_that_cannot_be_one_comes_back_with_what_is_wrong(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    answer = edda.post("/team/account/name", {"name": "Edda\u202edrow"})
    assert answer.status_code == 400
    assert 'id="name-error"' in answer.text


def test_open_sessions_are_shown_and_one_of_them_can_be_ended(team: Team) -> None:
    give_password(team, EDDA.email)
    here, elsewhere = signed_in(team), signed_in(team, "203.0.113.9")
    page = said(here.get(ACCOUNT))
    assert "Firefox on Windows this one" in page
    assert "203.0.113.9" in page
    other = sessions_of(team)[1]
    done = here.fill(ACCOUNT, at=f"/team/account/sessions/{other}/end")
    assert "That browser is signed out" in said(here.follow(done))
    assert here.is_in()
    assert not elsewhere.is_in()
    assert acts(team)[-1] == "person.session_ended"


def test_all_other_sessions_can_be_ended_at_once(team: Team) -> None:
    give_password(team, EDDA.email)
    here, *others = (signed_in(team, f"203.0.113.{number}") for number in range(4))
    done = here.fill(ACCOUNT, at="/team/account/sessions/end-others")
    assert "You are signed out everywhere else" in said(here.follow(done))
    assert here.is_in()
    assert not any(browser.is_in() for browser in others)
    assert acts(team)[-3:] == ["person.session_ended"] * 3


def test_nobody_ends_the_session_of_somebody_else(light_team: Team) -> None:
    vera, edda = light_team.sign_in(VERA), light_team.sign_in(EDDA)
    veras = sessions_of(light_team)[0]
    assert edda.post(f"/team/account/sessions/{veras}/end").status_code == 404
    edda.post("/team/account/sessions/end-others")
    assert vera.get(ACCOUNT).status_code == 200


def test_a_passkey_is_removed_after_a_question_and_its_owner_is_told(team: Team) -> None:
    passkey = add_passkey(team, EDDA.email)
    edda = team.sign_in(EDDA)
    assert "Work laptop" in said(edda.get(ACCOUNT))
    asked = edda.get(f"/team/account/passkeys/{passkey}/remove")
    assert "the only way you sign in with" in said(asked)
    assert edda.post(f"/team/account/passkeys/{passkey}/remove").status_code == 303
    assert "Work laptop" not in edda.get(ACCOUNT).text.partition('id="passkeys"')[2]
    assert acts(team) == ["person.passkey_removed"]
    assert letters_to(team.site, EDDA.email)[-1]["Subject"] == "A passkey was removed"


def test_recovery_codes_go_with_the_last_thing_they_stand_in_for(light_team: Team) -> None:
    passkey = add_passkey(light_team, EDDA.email, usage="secondary")
    with light_team.site.world.writing() as session:
        session.scalars(select(Person).where(Person.email == EDDA.email)).one().mf_recovery_codes = ["x"]
    light_team.sign_in(EDDA).post(f"/team/account/passkeys/{passkey}/remove")
    with light_team.site.world.reading() as session:
        assert session.scalars(select(Person).where(Person.email == EDDA.email)).one().mf_recovery_codes is None


def test_nobody_removes_or_sees_the_passkey_of_somebody_else(light_team: Team) -> None:
    veras = add_passkey(light_team, VERA.email)
    edda = light_team.sign_in(EDDA)
    assert edda.get(f"/team/account/passkeys/{veras}/remove").status_code == 404
    assert edda.post(f"/team/account/passkeys/{veras}/remove").status_code == 404
    with light_team.site.world.reading() as session:
        assert session.get(Passkey, veras) is not None


def test_removing_a_passkey_needs_a_fresh_proof(light_team: Team) -> None:
    passkey = add_passkey(light_team, EDDA.email)
    stale = light_team.sign_in(EDDA, is_fresh=False)
    asked = stale.get(f"/team/account/passkeys/{passkey}/remove")
    assert asked.headers["Location"].startswith("/team/account/verify?next=")
    assert stale.post(f"/team/account/passkeys/{passkey}/remove").status_code == 302
    with light_team.site.world.reading() as session:
        assert session.get(Passkey, passkey) is not None


def test_the_account_asks_few_questions_of_the_database_however_much_there_is(light_team: Team) -> None:
    for number in range(30):
        light_team.sign_in(EDDA)
        add_passkey(light_team, EDDA.email, f"Key {number}")
    edda = light_team.sign_in(EDDA)
    with queries(light_team.site.app.extensions["registry"].engine) as sent:
        page = edda.get(ACCOUNT)
    assert page.status_code == 200
    assert "There are more than these" in said(page)
    assert 0 < len(sent) <= 10, sent


def test_whoever_lost_phone_and_key_can_be_let_in_by_password_again(team: Team) -> None:
    give_password(team, EDDA.email)
    browser = signed_in(team)
    add_passkey(team, EDDA.email, usage="secondary")
    assert Browser(team).sign_in(EDDA.email).headers["Location"].startswith("/team/account/wan-signin")
    operator = Actor("operator", "cli", login="root")
    with team.site.world.writing() as session:
        person = session.scalars(select(Person).where(Person.email == EDDA.email)).one()
        assert take_second_factors(session, team.site.world.at, person.id, operator)
        assert not take_second_factors(session, team.site.world.at, person.id, operator)
    assert not browser.is_in()
    assert Browser(team).sign_in(EDDA.email).headers["Location"] == "/team/"
    with team.site.world.reading() as session:
        event = session.scalars(select(Event).where(Event.kind == "person.second_factors_taken")).one()
        assert (event.actor, event.payload) == ("operator (cli, as root)", {"codes": False, "passkeys": 1})


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X) AppleWebKit/605 Version/18.0 Safari/605.1", "Safari on a Mac"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/130.0 Safari/537 Edg/130.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537 Chrome/130.0 Mobile Safari/537", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) AppleWebKit CriOS/130 Mobile Safari/604", "Chrome on an iPhone"),
        ("Something on Linux", "A browser on Linux"),
        ("curl/8", "A browser that does not say which"),
        (None, "A browser that does not say which"),
    ],
)
def test_a_browser_is_named_as_people_call_it(agent: str | None, words: str) -> None:
    assert describe_browser(agent) == words
