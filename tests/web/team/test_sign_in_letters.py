"""The letters of the sign-in: links to choose a password, made from settings alone, and never telling who is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import time_machine
from sqlalchemy import select

from registry.channels.base import Envelope, TemporaryFailure
from registry.channels.outbox import OutboxChannel
from registry.tables import Person, SignIn
from registry.web.sign_in_links import make_password_link
from registry.web.sign_in_mail import SignInMail
from tests.web.colleagues import EDDA, VERA, Team
from tests.web.team.sign_in_browser import (
    PASSWORD,
    Browser,
    acts,
    give_password,
    letters_to,
    link_to,
    said,
    text_of,
    token_on,
    wait_for_letters,
)

FORGOTTEN = "/team/account/reset"
ANOTHER = "an entirely different one"


def ask_for_letter(team: Team, email: str, **options: str) -> str:
    """Ask for a letter as a browser does; return what the page says."""
    browser = Browser(team, **options)
    return said(browser.fill(FORGOTTEN, {"email": email}))


def invitation_link(team: Team, email: str) -> str:
    with team.site.app.app_context(), team.site.world.reading() as session:
        person = session.scalars(select(Person).where(Person.email == email)).one()
        return make_password_link(person)


def test_a_forgotten_password_is_replaced_by_a_letter_and_every_session_ends(team: Team) -> None:
    give_password(team, EDDA.email)
    edda = Browser(team)
    edda.sign_in(EDDA.email)
    ask_for_letter(team, EDDA.email)
    assert letters_to(team.site, EDDA.email)[-1]["Subject"] == "Choose a new password"
    link = link_to(team, EDDA.email)
    other = Browser(team)
    page = other.get(link)
    assert "Choose a new password" in said(page)
    done = other.fill(link, {"password": ANOTHER, "password_confirm": ANOTHER})
    assert "Your password is set. Sign in with it." in said(other.follow(done))
    assert not edda.is_in()
    with team.site.world.reading() as session:
        assert session.scalars(select(SignIn.id).where(SignIn.ended_at.is_(None))).all() == []
    assert letters_to(team.site, EDDA.email)[-1]["Subject"] == "Your password was set anew"
    assert "person.password_reset" in acts(team)
    assert other.sign_in(EDDA.email, ANOTHER).status_code == 302
    # The link was good for one password.
    again = Browser(team)
    assert "This link opens nothing" in said(again.follow(again.get(link)))


def test_a_letter_is_answered_alike_for_whoever_is_known_unknown_or_shut_out(light_team: Team) -> None:
    give_password(light_team, VERA.email)
    with light_team.site.world.writing() as session:
        session.scalars(select(Person).where(Person.email == VERA.email)).one().active = False
    pages = [ask_for_letter(light_team, each) for each in (EDDA.email, "nobody@antopsis.example", VERA.email)]
    emails = (EDDA.email, "nobody@antopsis.example", VERA.email)
    assert len({page.replace(email, "…") for page, email in zip(pages, emails, strict=True)}) == 1
    assert "a letter with a link is on its way" in pages[0]
    assert [len(letters_to(light_team.site, each)) for each in emails] == [1, 0, 0]


def test_links_are_made_from_settings_whatever_host_was_asked(light_team: Team) -> None:
    browser = Browser(light_team)
    page = browser.get(FORGOTTEN)
    given = {"email": EDDA.email, "csrf_token": token_on(page.text)}
    host = urlsplit(light_team.base_url).hostname
    # The name must be ours, or the workbench is not there; the port is whatever the browser says.
    answer = browser.client.post(FORGOTTEN, base_url=f"http://{host}:6666", data=given, buffered=True)
    assert answer.status_code == 200
    letter = text_of(letters_to(light_team.site, EDDA.email)[-1])
    assert "6666" not in letter
    assert f"{light_team.base_url}/team/account/reset/" in letter


def test_an_invitation_opens_a_page_that_welcomes_and_sets_the_first_password(team: Team) -> None:
    with team.site.world.writing() as session:
        session.scalars(select(Person).where(Person.email == EDDA.email)).one().joined_at = None
    link = invitation_link(team, EDDA.email)
    assert link.startswith(f"{team.base_url}/team/account/reset/")
    edda = Browser(team)
    page = edda.get(urlsplit(link).path)
    assert "Choose your password" in said(page)
    assert EDDA.email in said(page)
    short = edda.fill(urlsplit(link).path, {"password": "short", "password_confirm": "short"})
    assert "12 characters or more" in said(short)
    differing = edda.fill(urlsplit(link).path, {"password": PASSWORD, "password_confirm": "another one entirely"})
    assert "This is not what you typed above" in said(differing)
    edda.fill(urlsplit(link).path, {"password": PASSWORD, "password_confirm": PASSWORD})
    assert edda.sign_in(EDDA.email).status_code == 302
    assert edda.is_in()
    assert acts(team) == ["person.password_set", "person.signed_in"]
    with team.site.world.reading() as session:
        assert session.scalars(select(Person).where(Person.email == EDDA.email)).one().joined_at is not None


@pytest.mark.parametrize(("days", "is_good"), [(6.9, True), (7.1, False)])
def test_an_invitation_is_good_for_a_week(days: float, is_good: bool, light_team: Team) -> None:
    link = urlsplit(invitation_link(light_team, EDDA.email)).path
    with time_machine.travel(datetime.now(UTC) + timedelta(days=days)):
        browser = Browser(light_team)
        assert ("Choose your password" in said(browser.follow(browser.get(link)))) is is_good


@pytest.mark.parametrize(("hours", "is_good"), [(23, True), (25, False)])
def test_a_link_that_replaces_a_password_is_good_for_a_day(hours: int, is_good: bool, light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    ask_for_letter(light_team, EDDA.email)
    link = link_to(light_team, EDDA.email)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)):
        browser = Browser(light_team)
        page = said(browser.follow(browser.get(link)))
        assert ("It replaces the one of" in page) is is_good
        assert ("older than a day" in page) is not is_good
        token = token_on(browser.get(FORGOTTEN).text)
        given = {"csrf_token": token, "password": ANOTHER, "password_confirm": ANOTHER}
        assert (browser.follow(browser.post_bare(link, given)).request.path == "/team/account/login") is is_good


def test_a_link_that_was_broken_on_the_way_says_so(light_team: Team) -> None:
    link = urlsplit(invitation_link(light_team, EDDA.email)).path
    browser = Browser(light_team)
    assert "This link opens nothing" in said(browser.follow(browser.get(link[:-4])))


def test_at_most_three_letters_a_day_go_to_one_address_and_nobody_can_tell(light_team: Team) -> None:
    pages = [ask_for_letter(light_team, EDDA.email, address=f"198.51.{number}.7") for number in range(5)]
    assert len(set(pages)) == 1
    assert len(letters_to(light_team.site, EDDA.email)) == 3
    ask_for_letter(light_team, VERA.email)
    assert len(letters_to(light_team.site, VERA.email)) == 1


def test_a_mail_server_that_takes_nothing_tells_nobody_who_is_known(
    light_team: Team, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(OutboxChannel, "send", lambda self, envelope: TemporaryFailure(451, "later"))
    assert "a letter with a link is on its way" in ask_for_letter(light_team, EDDA.email)
    wait_for_letters()
    assert "A letter of the sign-in was not sent" in caplog.text
    assert EDDA.email not in caplog.text
    assert "/reset/" not in caplog.text


def test_a_mail_channel_that_cannot_even_be_made_is_logged_without_whom_it_was_for(
    light_team: Team, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: OutboxChannel, envelope: Envelope) -> None:
        raise ValueError(envelope.recipient)

    monkeypatch.setattr(OutboxChannel, "send", fail)
    assert "a letter with a link is on its way" in ask_for_letter(light_team, EDDA.email)
    wait_for_letters()
    assert "A letter of the sign-in was not sent" in caplog.text
    assert EDDA.email not in caplog.text


def test_a_password_is_hashed_for_the_known_too_as_it_is_for_the_unknown(
    light_team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    monkeypatch.setattr("registry.web.sign_in_mail.hash_password", hashed.append)
    with light_team.site.app.test_request_context("/team/account/reset", method="POST"):
        SignInMail(light_team.site.app).send_mail("x", "Subject", EDDA.email, "", "text", "<p>text</p>")
    assert len(hashed) == 1


def test_a_changed_password_signs_out_everywhere_else_and_its_owner_is_told(team: Team) -> None:
    give_password(team, EDDA.email)
    here, elsewhere = Browser(team), Browser(team)
    for browser in (here, elsewhere):
        browser.sign_in(EDDA.email)
    given = {"password": PASSWORD, "new_password": ANOTHER, "new_password_confirm": ANOTHER}
    refused = here.fill("/team/account/change", given | {"password": "not this one"})
    assert "This is not your password" in said(refused)
    done = here.fill("/team/account/change", given)
    assert "you are signed out everywhere else" in said(here.follow(done))
    assert here.is_in()
    assert not elsewhere.is_in()
    assert letters_to(team.site, EDDA.email)[-1]["Subject"] == "Your password was changed"
    assert acts(team)[-2:] == ["person.session_ended", "person.password_changed"]
    with team.site.world.reading() as session:
        assert len(session.scalars(select(SignIn.id).where(SignIn.ended_at.is_(None))).all()) == 1


def test_whoever_hangs_up_before_the_answer_does_not_keep_its_owner_from_being_told(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    given = {"email": EDDA.email, "csrf_token": token_on((browser := Browser(light_team)).get(FORGOTTEN).text)}
    unread = browser.client.post(FORGOTTEN, base_url=light_team.base_url, data=given, buffered=False)
    assert [letter["Subject"] for letter in letters_to(light_team.site, EDDA.email)] == ["Choose a new password"]
    unread.close()
