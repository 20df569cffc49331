"""Signing in as people do, in a real Chromium: password and code, recovery code, passkeys of a laptop and of a key."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests import databases
from tests.browser.axe import light_and_dark
from tests.browser.conftest import DESKTOP, Contexts, answering
from tests.browser.console import faults_in
from tests.processes import wait_for
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Somebody, Team
from tests.web.conftest import serving
from tests.web.site import Site
from tests.web.team.oidc_provider import CLIENT_ID, CLIENT_SECRET, issuer
from tests.web.team.sign_in_browser import PASSWORD, code_of, give_password, letters_to, text_of
from tests.world import antopsis

pytestmark = pytest.mark.browser

LOGIN = "/team/account/login"
ACCOUNT = "/team/account/"


@dataclass
class Workbench:
    """A site with its team, at a name: passkeys belong to names, and an address of numbers is none."""

    site: Site
    team: Team
    base: str


@contextmanager
def at_a_name(sqlite_template: Path, folder: Path, **settings: str) -> Iterator[Workbench]:
    """Serve Antopsis and its team at localhost."""
    url = databases.copied_sqlite_url(folder, sqlite_template)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        base = f"http://localhost:{port}"
        with serving(url, folder / "instance", antopsis(), REGISTRY_BASE_URL=base, **settings) as site:
            team = Team(site)
            for somebody in (OLA, ARNO, EDDA, VERA):
                give_password(team, somebody.email)
            with answering(site.app, listening):
                yield Workbench(site, team, base)


@pytest.fixture(scope="module")
def workbench(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """The workbench of a team that signs in here."""
    with at_a_name(sqlite_template, tmp_path_factory.mktemp("sign-in")) as workbench:
        yield workbench


@pytest.fixture
def page(contexts: Contexts, workbench: Workbench) -> Iterator[Page]:
    """A page that asks the server alone, says nothing in its console, and whose every cookie is the workbench's."""
    said: list[str] = []
    asked: set[str] = set()
    with contexts.page(workbench.base) as page:
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        yield page
        cookies = {(cookie.get("name"), cookie.get("path")) for cookie in page.context.cookies()}
    assert faults_in(said, "status of 400") == []
    assert asked == {urlsplit(workbench.base).netloc}
    assert cookies <= {("registry_team", "/team")}


def authenticator(page: Page, transport: str, *, verifies: bool = True) -> Callable[[], None]:
    """Plug a key in, or give the laptop a fingerprint reader; return what takes it away again."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable", {})
    options: dict[str, Any] = {
        "protocol": "ctap2",
        "transport": transport,
        "hasResidentKey": verifies,
        "hasUserVerification": verifies,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    made = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    def take_away() -> None:
        devtools.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": made["authenticatorId"]})

    return take_away


def seen(page: Page) -> None:
    """Have axe-core judge the page as it is, in light and in dark, and nothing be scrolled sideways on a phone."""
    assert light_and_dark(page) == [], page.url
    page.set_viewport_size({"width": 320, "height": 640})
    wide = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not page.evaluate(wide), page.url
    page.set_viewport_size(DESKTOP)


def type_password(page: Page, somebody: Somebody, password: str = PASSWORD) -> None:
    page.goto(LOGIN)
    page.get_by_label("E-mail address").fill(somebody.email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def told(workbench: Workbench, somebody: Somebody, count: int) -> list[str]:
    """Return the subjects of the letters of the sign-in to somebody; they go out beside its answer."""
    wait_for(lambda: len(letters_to(workbench.site, somebody.email)) >= count, f"{count} letters to {somebody.name}")
    return [str(letter["Subject"]) for letter in letters_to(workbench.site, somebody.email)]


def link_to_reset(workbench: Workbench, somebody: Somebody) -> re.Match[str] | None:
    """Return the link of the last letter to somebody, where it is one to choose a password with."""
    last = letters_to(workbench.site, somebody.email)[-1:]
    return re.search(r"http\S+/reset/\S+", text_of(last[0])) if last else None


def sign_out(page: Page) -> None:
    page.goto(ACCOUNT)
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Sign out", exact=True).last.click()
    expect(page).to_have_url(re.compile("/login"))


def test_password_and_code_and_a_recovery_code(page: Page, workbench: Workbench) -> None:
    page.goto(LOGIN)
    seen(page)
    type_password(page, EDDA, "something else altogether")
    expect(page.get_by_text("do not go together")).to_be_visible()
    expect(page.get_by_label("E-mail address")).to_have_value(EDDA.email)
    seen(page)
    type_password(page, EDDA)
    expect(page).to_have_url("/team/antopsis/")

    page.goto(ACCOUNT)
    seen(page)
    page.get_by_role("link", name="Connect an app").click()
    seen(page)
    page.get_by_role("button", name="Connect an app").click()
    expect(page.get_by_role("img", name="The picture that connects your app")).to_be_visible()
    seen(page)
    key = page.locator("#authenticator-key").inner_text()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_text("That code does not fit")).to_be_visible()
    seen(page)
    page.get_by_label("Code").fill(code_of(key))
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("heading", name="Keep these codes")).to_be_visible()
    seen(page)
    codes = page.locator(".codes code").all_inner_texts()
    assert len(codes) == 8
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("8 left")).to_be_visible()
    sign_out(page)

    type_password(page, EDDA)
    expect(page.get_by_role("heading", name="The code from your app")).to_be_visible()
    seen(page)
    page.get_by_label("Code").fill(code_of(key, 1))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url("/team/antopsis/")
    sign_out(page)

    type_password(page, EDDA)
    page.get_by_role("link", name="use a recovery code").click()
    seen(page)
    page.get_by_label("Recovery code").fill(codes[0].upper())
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url("/team/antopsis/")
    page.goto(ACCOUNT)
    expect(page.get_by_text("7 left")).to_be_visible()
    assert told(workbench, EDDA, 2) == ["Codes from an app are asked for", "A recovery code was used"]


@pytest.mark.parametrize(("somebody", "transport"), [(VERA, "usb"), (ARNO, "internal")])
def test_a_passkey_instead_of_the_password(
    somebody: Somebody, transport: str, page: Page, workbench: Workbench
) -> None:
    authenticator(page, transport)
    type_password(page, somebody)
    page.goto(ACCOUNT)
    page.get_by_role("link", name="Add a passkey").click()
    seen(page)
    page.get_by_label("Its name").fill("Ola's work laptop")
    page.get_by_role("button", name="Go on").click()
    expect(page).to_have_url(ACCOUNT)
    expect(page.get_by_text("is added")).to_be_visible()
    expect(page.get_by_text("Instead of your password")).to_be_visible()
    seen(page)
    sign_out(page)

    # Neither address nor password is typed.
    page.goto("/team/antopsis/people/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url("/team/antopsis/people/")
    expect(page.locator(".menu summary")).to_contain_text(somebody.name)
    assert told(workbench, somebody, 1) == ["A passkey was added"]

    # And it proves anew who they are.
    page.goto("/team/account/verify?next=/team/account/tf-setup")
    seen(page)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url("/team/account/tf-setup")
    expect(page.get_by_text("You can go on for a quarter of an hour")).to_be_visible()


def test_a_key_that_is_only_touched_comes_after_the_password(page: Page, workbench: Workbench) -> None:
    authenticator(page, "usb", verifies=False)
    type_password(page, OLA)
    page.goto("/team/account/wan-register")
    page.get_by_label("Its name").fill("Key on my ring")
    page.get_by_label("After my password").check()
    page.get_by_role("button", name="Go on").click()
    # With the first thing that recovery codes can stand in for, they are made and shown.
    expect(page.get_by_role("heading", name="Keep these codes")).to_be_visible()
    sign_out(page)

    type_password(page, OLA)
    expect(page.get_by_role("heading", name="Your passkey or security key")).to_be_visible()
    seen(page)
    page.get_by_role("button", name="Use my passkey").click()
    expect(page).to_have_url("/team/antopsis/")

    # Codes besides: then one of the two is chosen.
    page.goto("/team/account/tf-setup")
    page.get_by_role("button", name="Connect an app").click()
    key = page.locator("#authenticator-key").inner_text()
    page.get_by_label("Code").fill(code_of(key))
    page.get_by_role("button", name="Switch on").click()
    expect(page).to_have_url(ACCOUNT)
    sign_out(page)
    type_password(page, OLA)
    expect(page.get_by_role("heading", name="Your second proof")).to_be_visible()
    seen(page)
    page.get_by_label("A passkey or security key").check()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Use my passkey").click()
    expect(page).to_have_url("/team/antopsis/")

    # Removed again, and told.
    page.goto(ACCOUNT)
    page.get_by_role("link", name="Remove Key on my ring").click()
    seen(page)
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("The passkey “Key on my ring” is removed")).to_be_visible()
    assert told(workbench, OLA, 3)[-1] == "A passkey was removed"


def test_a_key_that_does_not_verify_cannot_replace_the_password(page: Page) -> None:
    authenticator(page, "usb", verifies=False)
    type_password(page, ARNO)
    page.goto("/team/account/wan-register")
    page.get_by_label("Its name").fill("Key without a PIN")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("go back and choose “after my password”")).to_be_visible(timeout=15_000)
    seen(page)


def test_without_a_passkey_at_hand_the_page_says_so_and_asks_again(page: Page) -> None:
    take_away = authenticator(page, "internal")
    page.goto("/team/account/wan-signin")
    seen(page)
    page.get_by_role("button", name="Use my passkey").click()
    expect(page.get_by_text("The browser found no passkey that fits")).to_be_visible(timeout=15_000)
    seen(page)
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()
    page.get_by_role("link", name="Sign in with a password instead").click()
    expect(page).to_have_url(re.compile("/login"))
    take_away()


def test_a_forgotten_password_by_keyboard_alone(page: Page, workbench: Workbench) -> None:
    page.goto(LOGIN)
    page.get_by_role("link", name="Forgotten your password?").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    seen(page)
    page.keyboard.type(OLA.email)
    page.keyboard.press("Enter")
    expect(page.get_by_text("a letter with a link is on its way")).to_be_visible()
    seen(page)
    found = wait_for(lambda: link_to_reset(workbench, OLA), "link to choose a password")
    page.goto(found[0])
    expect(page.get_by_label("Password")).to_be_focused()
    seen(page)
    for _ in range(2):
        page.keyboard.type("a new one, and long enough")
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your password is set. Sign in with it.")).to_be_visible()
    give_password(workbench.team, OLA.email)


def test_the_other_pages_of_the_sign_in(page: Page) -> None:
    page.goto("/team/account/reset/nothing")
    expect(page.get_by_text("This link opens nothing")).to_be_visible()
    seen(page)
    type_password(page, VERA)
    for path in ("change", "mf-recovery-codes", "wan-verify"):
        page.goto(f"/team/account/{path}")
        seen(page)
    page.goto("/team/account/change")
    page.get_by_label("Your password now").fill("not this one")
    page.get_by_label("New password").fill("short")
    page.get_by_label("The same again").fill("other")
    page.get_by_role("button", name="Change your password").click()
    expect(page.get_by_text("This is not what you typed above")).to_be_visible()
    seen(page)


def test_the_sign_in_of_the_company(contexts: Contexts, sqlite_template: Path, tmp_path: Path) -> None:
    with issuer() as provider:
        settings = {
            "REGISTRY_OIDC_ISSUER": provider.base,
            "REGISTRY_OIDC_CLIENT_ID": CLIENT_ID,
            "REGISTRY_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "REGISTRY_OIDC_NAME": "Antopsis ID",
        }
        provider.person = {"email": EDDA.email, "email_verified": True}
        with at_a_name(sqlite_template, tmp_path, **settings) as workbench, contexts.page(workbench.base) as page:
            said: list[str] = []
            page.on("console", lambda message: said.append(message.text))
            page.goto("/team/antopsis/people/")
            seen(page)
            # The issuer is another origin, and leads on by itself: no policy of ours stands in its way.
            page.get_by_role("button", name="Sign in with Antopsis ID").click()
            expect(page).to_have_url("/team/antopsis/people/")
            expect(page.locator(".menu summary")).to_contain_text(EDDA.name)
            page.goto("/team/account/verify")
            seen(page)
            assert said == []


def test_an_issuer_that_is_down_and_too_many_tries_are_pages_like_the_others(
    contexts: Contexts, sqlite_template: Path, tmp_path: Path
) -> None:
    settings = {
        "REGISTRY_OIDC_ISSUER": "http://127.0.0.1:9",
        "REGISTRY_OIDC_CLIENT_ID": CLIENT_ID,
        "REGISTRY_OIDC_CLIENT_SECRET": CLIENT_SECRET,
    }
    with at_a_name(sqlite_template, tmp_path, **settings) as workbench, contexts.page(workbench.base) as page:
        page.goto(LOGIN)
        page.get_by_role("button", name="Sign in with 127.0.0.1").click()
        expect(page.get_by_role("heading", name="127.0.0.1 does not answer")).to_be_visible()
        seen(page)
        for _ in range(12):
            type_password(page, EDDA, "a wrong guess")
        type_password(page, EDDA)
        expect(page.get_by_role("heading", name="Too many tries")).to_be_visible()
        seen(page)
