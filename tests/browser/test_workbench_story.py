"""The life of a change, as the team lives it: in a real Chromium, with real letters on a real mail server.

    owner invites editor and approver ─▶ editor adds Helsinki, is told the earliest day, drafts, submits, cannot approve
      ─▶ approver approves and publishes ─▶ letters arrive ─▶ a customer objects from the letter ─▶ the notice is held
      ─▶ the objection is resolved ─▶ the change takes effect

The editor proves who she is by a password and a code, the approver by a passkey.
"""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask_security import hash_password
from playwright.sync_api import Page, expect

from registry.steps.lookup import get_publisher
from registry.tables import Membership, Person
from tests.browser.conftest import Contexts, answering
from tests.browser.test_signing_in import authenticator
from tests.channels.smtp_server import MailServer
from tests.web.conftest import serving
from tests.web.site import Site
from tests.web.team.sign_in_browser import PASSWORD, code_of
from tests.world import antopsis, letters_to, link_in, text_of, utc

pytestmark = pytest.mark.browser

OWNER, EDITOR, APPROVER = (f"{name}@antopsis.example" for name in ("ola", "edda", "arno"))
HANOI, BREMEN = "privacy@hanoi.example", "dpo@bremen.example"


@dataclass
class Office:
    """A publisher with a list, two customers and an owner; a mail server; and a clock that is moved by hand."""

    site: Site
    base: str
    mail: MailServer
    contexts: Contexts
    open_pages: ExitStack

    def page_of(self, somebody: str) -> Page:
        """Return a page in a browser of somebody's own."""
        return self.open_pages.enter_context(self.contexts.page(self.base, somebody))

    def link_to(self, address: str, word: str) -> str:
        """Return the path of the newest link with a word in it that came to an address."""
        parts = urlsplit(link_in(letters_to(self.mail, address)[-1], word))
        return parts.path


@contextmanager
def office(database_url: str, folder: Path, listening: socket.socket, contexts: Contexts) -> Iterator[Office]:
    """Open the office at a name: passkeys belong to names, and an address of numbers is none."""
    with MailServer() as mail:
        base = f"http://localhost:{listening.getsockname()[1]}"
        more = {"REGISTRY_BASE_URL": base, "REGISTRY_MAIL_URL": mail.url}
        with serving(database_url, folder / "instance", antopsis(approvals=1), **more) as site:
            add_owner(site)
            with answering(site.app, listening), ExitStack() as open_pages:
                yield Office(site, base, mail, contexts, open_pages)


def add_owner(site: Site) -> None:
    """Let there be an owner, as `registry user add` leaves one once they have chosen their password."""
    with site.app.app_context():
        password = hash_password(PASSWORD)
    with site.world.writing() as session:
        owner = Person(
            email=OWNER,
            name="Ola Owner",
            password=password,
            fs_uniquifier=secrets.token_hex(16),
            created_at=site.world.at,
            joined_at=site.world.at,
        )
        session.add(owner)
        session.flush()
        publisher = get_publisher(session, "antopsis")
        held = Membership(
            publisher_id=publisher.id, person_id=owner.id, role="owner", since_at=site.world.at, added_by="tests"
        )
        session.add(held)


def sign_in(page: Page, address: str) -> None:
    page.goto("/team/")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def invite(page: Page, address: str, name: str, role: str) -> None:
    page.goto("/team/antopsis/people/")
    page.get_by_role("link", name="Invite").first.click()
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Name").fill(name)
    page.locator(f"#role-{role}").check()
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_text(address).first).to_be_visible()


def choose_password(page: Page, office: Office, address: str) -> None:
    page.goto(office.link_to(address, "reset"))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Set my password").click()


def connect_an_app(page: Page) -> str:
    page.goto("/team/account/tf-setup")
    page.get_by_role("button", name="Connect an app").click()
    key = page.locator("#authenticator-key").inner_text()
    page.get_by_label("Code").fill(code_of(key))
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("heading", name="Keep these codes")).to_be_visible()
    return key


def sign_out(page: Page) -> None:
    page.goto("/team/account/")
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Sign out", exact=True).last.click()
    expect(page).to_have_url(re.compile("/login"))


def accept(page: Page) -> None:
    """Say yes to whatever the page asks once more."""
    page.on("dialog", lambda dialog: dialog.accept())


def test_a_change_from_the_first_word_to_its_effect(
    database_url: str, tmp_path: Path, lasting: socket.socket, contexts: Contexts
) -> None:
    with office(database_url, tmp_path, lasting, contexts) as office_:
        world = office_.site.world

        # The owner invites two colleagues, and both choose their passwords by the link that came.
        ola = office_.page_of("ola")
        sign_in(ola, OWNER)
        invite(ola, EDITOR, "Edda Editor", "editor")
        invite(ola, APPROVER, "Arno Approver", "approver")

        edda = office_.page_of("edda")
        choose_password(edda, office_, EDITOR)
        sign_in(edda, EDITOR)
        key = connect_an_app(edda)
        sign_out(edda)
        sign_in(edda, EDITOR)
        edda.get_by_label("Code").fill(code_of(key, 1))
        edda.get_by_role("button", name="Sign in").click()
        expect(edda.get_by_role("heading", name="Today")).to_be_visible()

        arno = office_.page_of("arno")
        accept(arno)
        choose_password(arno, office_, APPROVER)
        authenticator(arno, "internal")
        sign_in(arno, APPROVER)
        arno.goto("/team/account/wan-register")
        arno.get_by_label("Its name").fill("Work laptop")
        arno.get_by_role("button", name="Go on").click()
        expect(arno.get_by_text("is added")).to_be_visible()
        sign_out(arno)
        arno.goto("/team/")
        arno.get_by_role("button", name="Sign in with a passkey").click()
        expect(arno.get_by_role("heading", name="Today")).to_be_visible()

        # The editor adds Helsinki, and is told what that means before she saves it.
        edda.goto("/team/antopsis/entries/hetzner-falkenstein/edit")
        edda.get_by_role("button", name="Add a place").click()
        edda.locator('[id="locations.1.country"]').fill("Finland (FI)")
        edda.locator('[id="locations.1.place"]').fill("Helsinki")
        edda.locator('[id="locations.1.function"]').select_option("processing")
        expect(edda.get_by_text("16 November 2026").first).to_be_visible(timeout=10_000)
        edda.get_by_role("button", name="Save", exact=True).click()
        expect(edda.get_by_role("link", name="Draft a notice").first).to_be_visible()

        # She drafts a notice of it with a word of her own, and submits it. To approve it is not for her.
        edda.goto("/team/antopsis/notices/new")
        expect(edda.get_by_label("Takes effect on")).to_have_value("2026-11-16")
        edda.get_by_label("Explanation").fill("We open a **second data centre** so that a fire in one stops nobody.")
        edda.get_by_role("button", name="Draft it").click()
        expect(edda.get_by_role("heading", name="Notice 2026-001")).to_be_visible()
        edda.get_by_role("link", name="Submit").first.click()
        edda.get_by_role("button", name="Submit").click()
        expect(edda.get_by_text("Notice 2026-001 waits for approval.")).to_be_visible()
        answer = edda.goto("/team/antopsis/notices/2026-001/approve")
        assert answer is not None
        assert answer.status == 403

        # A colleague approves exactly that, and publishes it, having read whom it goes to.
        arno.goto("/team/antopsis/")
        arno.get_by_role("link", name="Read and approve").click()
        expect(arno.get_by_text("second data centre")).to_be_visible()
        arno.get_by_role("link", name="Approve").first.click()
        arno.get_by_role("button", name="Approve it").click()
        arno.get_by_role("link", name="Publish").first.click()
        arno.get_by_label("I have read what it says").check()
        arno.get_by_role("button", name="Publish it").click()
        expect(arno.get_by_text("Announced", exact=True).first).to_be_visible()
        expect(arno.get_by_text("16 November 2026").first).to_be_visible()

        # The letters arrive, and the page says so.
        world.tick()
        assert {len(letters_to(office_.mail, each)) for each in (HANOI, BREMEN)} == {1}
        assert "second data centre" in text_of(letters_to(office_.mail, BREMEN)[0])
        arno.goto("/team/antopsis/notices/2026-001/deliveries")
        expect(arno.get_by_text("letters accepted by the recipients’ servers").first).to_be_visible()

        # A customer objects from the letter, without an account.
        dpo = office_.page_of("dpo")
        world.at = utc("2026-10-12 09:00")
        dpo.goto(office_.link_to(BREMEN, "object"))
        dpo.locator("#ground").fill("Our own customers were promised that data stays in Germany.")
        dpo.get_by_role("button", name="Send the objection").click()
        expect(dpo.get_by_text("received").first).to_be_visible()
        world.tick()

        # On its day the notice is held, and customers are told that it is.
        world.at = utc("2026-11-15 23:30")
        world.tick()
        arno.goto("/team/antopsis/notices/2026-001")
        expect(arno.get_by_text("On hold").first).to_be_visible()
        expect(arno.get_by_text("Bremen Media GmbH, its objection is open").first).to_be_visible()
        assert "Helsinki" not in office_.site.get("/antopsis/subprocessors.csv").text
        world.tick()
        assert "postponed" in str(letters_to(office_.mail, HANOI)[-1]["Subject"]).lower()

        # The team settles it with the customer, and reads beforehand what that does.
        arno.goto("/team/antopsis/objections/")
        arno.get_by_role("link", name=re.compile("Bremen")).first.click()
        arno.get_by_role("button", name="Take it up").click()
        arno.get_by_role("link", name="Accommodated").click()
        arno.locator("#cure-accommodated").check()
        arno.get_by_label("Words for the record").fill(
            "Bremen's data stays in Falkenstein; confirmed in writing on 17 November."
        )
        arno.get_by_role("button", name="Close the objection").click()
        expect(arno.get_by_text("Accommodated").first).to_be_visible()

        # Nobody holds it any more: it takes effect at the next midnight.
        world.at = utc("2026-11-17 09:00")
        world.tick()
        assert "Helsinki" not in office_.site.get("/antopsis/subprocessors.csv").text
        world.at = utc("2026-11-17 23:30")
        world.tick()
        world.tick()
        assert "Helsinki" in office_.site.get("/antopsis/subprocessors.csv").text
        arno.goto("/team/antopsis/notices/2026-001")
        expect(arno.get_by_text("In effect", exact=True).first).to_be_visible()

        # And all of it stands on record, with who did it.
        arno.goto("/team/antopsis/record/")
        for said in (EDITOR, APPROVER, "Published the notice", "Approved the notice"):
            expect(arno.locator("main").get_by_text(said).first).to_be_visible()
