"""Signing in at one's company: a real issuer on a socket, who it lets in, and what it may do wrong."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from registry.tables import Event, Person, SignIn
from registry.web import sign_in_company
from tests.web.colleagues import EDDA, Team
from tests.web.conftest import serving
from tests.web.team.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, issuer
from tests.web.team.sign_in_browser import LOGIN, Browser, code_of, give_password, said, token_on
from tests.world import antopsis

START = f"{LOGIN}/oauthstart/company"
EDDA_THERE = {"email": EDDA.email, "email_verified": True}


@pytest.fixture
def provider() -> Iterator[Provider]:
    """The company's issuer, where Edda is known."""
    with issuer() as provider:
        provider.person = dict(EDDA_THERE)
        yield provider


@pytest.fixture
def company_team(provider: Provider, sqlite_url: str, tmp_path: Path) -> Iterator[Team]:
    """Antopsis with its team, whose company has a sign-in of its own."""
    settings = {
        "REGISTRY_OIDC_ISSUER": provider.base,
        "REGISTRY_OIDC_CLIENT_ID": CLIENT_ID,
        "REGISTRY_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "REGISTRY_OIDC_NAME": "Antopsis ID",
    }
    with serving(sqlite_url, tmp_path / "instance", antopsis(), **settings) as site:
        yield Team(site)


def leave(browser: Browser, page: str = LOGIN, start: str = START) -> str:
    """Press the company's button; return the address that the browser is led to."""
    token = token_on(browser.get(page).text)
    answer = browser.post_bare(start, {"csrf_token": token})
    assert answer.status_code == 200, answer.text
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
    assert found is not None, answer.text
    return html.unescape(found[1])


def come_back(browser: Browser, back: str) -> TestResponse:
    """Follow the address that the issuer leads back to, as far as the first answer."""
    there = urlsplit(back)
    assert f"{there.scheme}://{there.netloc}" == browser.base_url
    return browser.get(f"{there.path}?{there.query}")


def sign_in(team: Team, provider: Provider) -> tuple[Browser, TestResponse]:
    browser = Browser(team)
    return browser, come_back(browser, provider.consent(leave(browser)))


def test_whoever_was_invited_comes_in_by_their_company(company_team: Team, provider: Provider) -> None:
    page = Browser(company_team).get(LOGIN)
    assert "Sign in with Antopsis ID" in said(page)
    edda, answer = sign_in(company_team, provider)
    assert answer.headers["Location"] == "/team/"
    assert edda.get("/team/antopsis/").status_code == 200
    assert provider.asked[0]["redirect_uri"] == f"{company_team.base_url}{LOGIN}/oauthresponse/company"
    assert set(provider.asked[0]["scope"].split()) == {"openid", "email"}
    with company_team.site.world.reading() as session:
        event = session.scalars(select(Event).where(Event.kind == "person.signed_in")).one()
        assert (event.actor, event.payload) == ("edda@antopsis.example (web)", {"by": "company"})


def test_the_way_to_the_company_is_a_page_and_no_redirect_of_a_form(company_team: Team) -> None:
    browser = Browser(company_team)
    answer = browser.post_bare(START, {"csrf_token": token_on(browser.get(LOGIN).text)})
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert "form-action 'self';" in answer.headers["Content-Security-Policy"]


def test_another_website_cannot_begin_it(company_team: Team) -> None:
    assert Browser(company_team).post_bare(START).status_code == 400


def test_they_come_back_to_where_they_were(company_team: Team, provider: Provider) -> None:
    browser = Browser(company_team)
    address = leave(browser, start=f"{START}?next=/team/antopsis/people/")
    assert come_back(browser, provider.consent(address)).headers["Location"] == "/team/antopsis/people/"
    other = Browser(company_team)
    address = leave(other, start=f"{START}?next=//evil.example/")
    assert come_back(other, provider.consent(address)).headers["Location"] == "/team/"


def test_an_address_is_the_same_however_the_company_writes_it(company_team: Team, provider: Provider) -> None:
    provider.person["email"] = "Edda@Antopsis.example"
    browser, _ = sign_in(company_team, provider)
    assert browser.is_in()


def test_whoever_was_not_invited_stays_out_and_is_not_made_known(company_team: Team, provider: Provider) -> None:
    provider.person["email"] = "mallory@antopsis.example"
    browser, answer = sign_in(company_team, provider)
    assert "mallory@antopsis.example has not been invited here" in said(browser.follow(answer))
    assert not browser.is_in()
    with company_team.site.world.reading() as session:
        assert session.scalar(select(func.count()).where(Person.email.startswith("mallory"))) == 0


def test_whoever_was_shut_out_stays_out(company_team: Team, provider: Provider) -> None:
    with company_team.site.world.writing() as session:
        session.scalars(select(Person).where(Person.email == EDDA.email)).one().active = False
    browser, answer = sign_in(company_team, provider)
    assert "This account is shut" in said(browser.follow(answer))
    assert not browser.is_in()


@pytest.mark.parametrize("verified", [{}, {"email_verified": False}, {"email_verified": "no"}, {"xms_edov": 0}])
def test_an_address_the_company_has_not_checked_proves_nothing(
    verified: dict[str, Any], company_team: Team, provider: Provider
) -> None:
    provider.person = {"email": EDDA.email, **verified}
    browser, answer = sign_in(company_team, provider)
    assert "Antopsis ID has not checked that your e-mail address is yours" in said(browser.follow(answer))
    assert not browser.is_in()


def test_microsofts_own_word_for_a_checked_address_counts(company_team: Team, provider: Provider) -> None:
    provider.person = {"email": EDDA.email, "xms_edov": True}
    browser, _ = sign_in(company_team, provider)
    assert browser.is_in()


def test_an_address_that_is_told_on_a_second_question_counts_if_it_is_theirs(
    company_team: Team, provider: Provider
) -> None:
    provider.person = {}
    provider.userinfo = {"sub": "somebody else", **EDDA_THERE}
    browser, answer = sign_in(company_team, provider)
    assert "did not say which e-mail address you have" in said(browser.follow(answer))
    assert not browser.is_in()
    provider.userinfo = {"sub": "somebody", **EDDA_THERE}
    browser, _ = sign_in(company_team, provider)
    assert browser.is_in()


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"aud": "another application"},
        {"iss": "https://evil.example"},
        {"exp": 1_700_000_000},
    ],
)
def test_a_token_that_was_made_for_something_else_opens_nothing(
    claims: dict[str, Any], company_team: Team, provider: Provider
) -> None:
    provider.claims = claims
    browser, answer = sign_in(company_team, provider)
    assert "Antopsis ID could not be understood" in said(browser.follow(answer))
    assert not browser.is_in()


def test_a_token_that_somebody_else_signed_opens_nothing(company_team: Team, provider: Provider) -> None:
    provider.signs_with_another_key = True
    browser, answer = sign_in(company_team, provider)
    assert "could not be understood" in said(browser.follow(answer))
    assert not browser.is_in()


def test_an_answer_that_this_browser_never_asked_for_opens_nothing(company_team: Team, provider: Provider) -> None:
    back = provider.consent(leave(Browser(company_team)))
    victim = Browser(company_team)
    victim.get(LOGIN)
    assert "begun in another window" in said(victim.follow(come_back(victim, back)))
    assert not victim.is_in()


def test_an_answer_is_taken_once(company_team: Team, provider: Provider) -> None:
    browser = Browser(company_team)
    back = provider.consent(leave(browser))
    come_back(browser, back)
    browser.post("/team/account/logout", {"csrf_token": token_on(browser.get("/team/account/").text)})
    assert "begun in another window" in said(browser.follow(come_back(browser, back)))


def test_whoever_says_no_there_is_told_so(company_team: Team) -> None:
    browser = Browser(company_team)
    leave(browser)
    answer = browser.get(f"{LOGIN}/oauthresponse/company?error=access_denied&error_description=no&state=x")
    assert "You did not let Antopsis ID tell us who you are" in said(browser.follow(answer))


def test_what_an_issuer_writes_as_its_error_is_not_shown(company_team: Team) -> None:
    browser = Browser(company_team)
    answer = browser.get(f"{LOGIN}/oauthresponse/company?error=x&error_description=Call+0900+12345&state=x")
    assert "0900" not in browser.follow(answer).text


def test_an_issuer_that_is_down_is_named_and_the_other_ways_stay_open(company_team: Team, provider: Provider) -> None:
    provider.answers_badly = True
    browser = Browser(company_team)
    answer = browser.post_bare(START, {"csrf_token": token_on(browser.get(LOGIN).text)})
    assert answer.status_code == 503
    assert "Antopsis ID does not answer" in said(answer)
    # And once it is back, nothing has to be started anew.
    provider.answers_badly = False
    browser, _ = sign_in(company_team, provider)
    assert browser.is_in()


def test_an_issuer_that_goes_down_on_the_way_back_is_named(company_team: Team, provider: Provider) -> None:
    browser = Browser(company_team)
    back = provider.consent(leave(browser))
    provider.answers_badly = True
    answer = come_back(browser, back)
    assert answer.status_code in (302, 503)
    assert "Antopsis ID" in said(browser.follow(answer))
    assert not browser.is_in()


def test_an_issuer_that_hangs_is_waited_for_no_longer_than_agreed(
    provider: Provider, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_company, "SECONDS", 0.3)
    settings = {
        "REGISTRY_OIDC_ISSUER": provider.base,
        "REGISTRY_OIDC_CLIENT_ID": CLIENT_ID,
        "REGISTRY_OIDC_CLIENT_SECRET": CLIENT_SECRET,
    }
    provider.is_slow = True
    with serving(sqlite_url, tmp_path / "slow", antopsis(), **settings) as site:
        browser = Browser(Team(site))
        token = token_on(browser.get(LOGIN).text)
        began = time.monotonic()
        assert browser.post_bare(START, {"csrf_token": token}).status_code == 503
        assert time.monotonic() - began < 1.5


def test_an_issuer_that_calls_itself_something_else_is_not_believed(company_team: Team, provider: Provider) -> None:
    provider.told_issuer = "https://evil.example"
    browser = Browser(company_team)
    answer = browser.post_bare(START, {"csrf_token": token_on(browser.get(LOGIN).text)})
    assert answer.status_code == 503


def test_a_second_proof_that_was_set_up_is_asked_for_after_the_company_too(
    company_team: Team, provider: Provider
) -> None:
    edda, _ = sign_in(company_team, provider)
    key = edda.connect_app()
    edda.fill("/team/account/tf-validate", {"code": code_of(key, -1)})
    again, answer = sign_in(company_team, provider)
    assert "The code from your app" in said(again.follow(answer))
    assert not again.is_in()
    assert again.fill("/team/account/tf-validate", {"code": code_of(key)}).status_code == 302
    assert again.is_in()


def test_a_fresh_proof_by_the_company_asks_there_for_the_password_anew(company_team: Team, provider: Provider) -> None:
    stale = company_team.sign_in(EDDA, is_fresh=False)
    verify = "/team/account/verify"
    start = f"{LOGIN}/oauth-verify-start/company?next=/team/account/tf-setup"
    page = stale.get(verify)
    assert "Go on with Antopsis ID" in said(page)

    def prove() -> TestResponse:
        answer = stale.post_bare(start, {"csrf_token": token_on(stale.get(verify).text)})
        found = re.search(r'content="0; url=([^"]+)"', answer.text)
        assert found is not None, answer.text
        back = urlsplit(provider.consent(html.unescape(found[1])))
        return stale.get(f"{back.path}?{back.query}")

    provider.claims = {"auth_time": int(time.time()) - 3_600}
    assert prove().headers["Location"] == verify
    assert stale.get("/team/account/tf-setup").status_code == 302
    provider.claims = {"auth_time": int(time.time())}
    assert prove().headers["Location"] == "/team/account/tf-setup"
    assert stale.get("/team/account/tf-setup").status_code == 200
    assert (provider.asked[-1]["prompt"], provider.asked[-1]["max_age"]) == ("login", "0")


def test_a_fresh_proof_by_somebody_elses_company_account_proves_nothing(company_team: Team, provider: Provider) -> None:
    stale = company_team.sign_in(EDDA, is_fresh=False)
    provider.person["email"] = "vera@antopsis.example"
    answer = stale.post_bare(
        f"{LOGIN}/oauth-verify-start/company", {"csrf_token": token_on(stale.get("/team/account/verify").text)}
    )
    found = re.search(r'content="0; url=([^"]+)"', answer.text)
    assert found is not None
    back = urlsplit(provider.consent(html.unescape(found[1])))
    stale.get(f"{back.path}?{back.query}")
    assert stale.get("/team/account/tf-setup").status_code == 302


def test_a_fresh_proof_that_comes_back_after_the_session_ended_is_no_failure(
    company_team: Team, provider: Provider
) -> None:
    give_password(company_team, EDDA.email)
    edda = Browser(company_team)
    edda.sign_in(EDDA.email)
    back = provider.consent(leave(edda, "/team/account/verify", f"{LOGIN}/oauth-verify-start/company"))
    with company_team.site.world.writing() as session:
        session.execute(update(SignIn).values(ended_at=company_team.site.world.at))
    assert come_back(edda, back).headers["Location"] == LOGIN
    assert not edda.is_in()


def test_without_a_company_there_is_no_such_way(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    browser = Browser(light_team)
    page = browser.get(LOGIN)
    assert "oauthstart" not in page.text
    assert browser.post_bare(START, {"csrf_token": token_on(page.text)}).status_code == 404
