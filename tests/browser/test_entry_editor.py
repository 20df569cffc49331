"""The form of an entry in a real browser: rows, order, words picked, what it means, what is kept, by keyboard."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from registry.tables import EntryDraft
from tests.browser.axe import light_and_dark, violations
from tests.browser.conftest import Contexts
from tests.browser.console import faults_in
from tests.browser.workbench import Workbench, at_work_again, sign_in
from tests.databases import ReusedDatabase
from tests.web.colleagues import ARNO, EDDA, Somebody
from tests.world import antopsis

pytestmark = pytest.mark.browser

EDIT = "/team/antopsis/entries/hetzner-falkenstein/edit"


@pytest.fixture
def workbench(lasting: socket.socket, sqlite_database: ReusedDatabase, instance: Path) -> Iterator[Workbench]:
    """Antopsis and its team, on a socket."""
    with at_work_again(lasting, sqlite_database, instance, antopsis()) as workbench:
        yield workbench


@pytest.fixture
def desk(contexts: Contexts, workbench: Workbench) -> Iterator[Page]:
    """Edda at her browser, which says nothing in its console."""
    said: list[str] = []
    with sit_down(contexts, workbench, EDDA) as page:
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
    assert faults_in(said, "status of 4") == []


@contextmanager
def sit_down(contexts: Contexts, workbench: Workbench, somebody: Somebody, *, scripts: bool = True) -> Iterator[Page]:
    with contexts.page(workbench.base, somebody.name, java_script_enabled=scripts) as page:
        sign_in(page, workbench, somebody)
        yield page


def drafts(workbench: Workbench) -> list[str]:
    with workbench.site.world.reading() as session:
        return [draft.fields["retention"] for draft in session.scalars(select(EntryDraft))]


def test_a_place_is_added_by_keyboard_and_what_it_means_is_said(desk: Page) -> None:
    desk.goto(EDIT)
    desk.get_by_role("button", name="Add a place").focus()
    desk.keyboard.press("Enter")
    expect(desk.locator("[id='locations.1.country']")).to_be_focused()
    desk.keyboard.type("Finland")
    desk.keyboard.press("Tab")
    desk.keyboard.type("Helsinki")
    expect(desk.locator("#meaning")).to_contain_text("This is a location change: it binds customers.")
    expect(desk.locator("#meaning")).to_contain_text("Whose clock: Hanoi Streams Co., 45 days of notice.")
    assert violations(desk) == []
    desk.get_by_role("button", name="Save").click()
    expect(desk.get_by_role("status")).to_contain_text("it waits for a notice")


def test_rows_are_taken_out_and_keep_their_numbers_and_what_was_typed(desk: Page) -> None:
    desk.goto(EDIT)
    for place in ("Helsinki", "Oslo"):
        desk.get_by_role("button", name="Add a place").click()
        desk.locator("[data-rows=locations] .row").last.get_by_label("City or region").fill(place)
    desk.get_by_role("button", name="Take out place 2").click()
    expect(desk.locator("[id='locations.1.place']")).to_have_value("Oslo")
    expect(desk.locator("[id='locations.2.place']")).to_have_count(0)
    expect(desk.locator("[id='locations.1.country']")).to_be_focused()
    expect(desk.locator("#said")).to_have_text("Place 2 is taken out.")
    assert violations(desk) == []


def test_transfers_are_put_in_order_by_keyboard(desk: Page) -> None:
    desk.goto(EDIT)
    desk.get_by_role("button", name="Add a transfer").click()
    desk.locator("[id='transfers.1.mechanism']").fill("eu.art45")
    desk.locator("[id='transfers.1.destination']").fill("Japan (JP)")
    desk.get_by_role("button", name="Move up transfer 2").focus()
    desk.keyboard.press("Enter")
    expect(desk.locator("[id='transfers.0.mechanism']")).to_have_value("eu.art45")
    expect(desk.get_by_role("button", name="Move up transfer 1")).to_be_focused()
    expect(desk.locator("#said")).to_have_text("Now number 1 of 2.")
    desk.keyboard.press("Enter")
    expect(desk.locator("#said")).to_have_text("It is the first already.")
    desk.get_by_role("button", name="Save").click()
    expect(desk.locator("main")).to_contain_text("a change of transfer ground")


def test_a_word_used_before_is_picked_by_enter(desk: Page) -> None:
    desk.goto("/team/antopsis/entries/new")
    desk.get_by_label("Name", exact=True).fill("Clerk")
    offered = desk.locator("#purposes-used option").evaluate_all("all => all.map(each => each.value)")
    assert set(offered) == {"Payments", "Servers that run the service"}
    desk.locator("[id='purposes.more']").fill("Payments")
    desk.keyboard.press("Enter")
    expect(desk.locator("#purposes")).to_have_value("Payments")
    expect(desk.locator("[id='purposes.more']")).to_have_value("")
    expect(desk.locator("[data-proposed-key]")).to_have_text("clerk")
    expect(desk).to_have_url("/team/antopsis/entries/new")


def test_enter_in_a_field_saves_nothing(desk: Page, workbench: Workbench) -> None:
    desk.goto(EDIT)
    desk.get_by_label("Retention").press("End")
    desk.get_by_label("Legal name").fill("Hetzner Online GmbH")
    desk.keyboard.press("Enter")
    desk.wait_for_load_state()
    expect(desk.locator("#meaning")).to_contain_text("a change of legal entity")
    expect(desk.get_by_label("Legal name")).to_have_value("Hetzner Online GmbH")
    desk.goto("/team/antopsis/entries/hetzner-falkenstein")
    expect(desk.locator("main")).not_to_contain_text("What waits")


def test_what_is_typed_is_kept_by_itself_and_on_leaving(desk: Page, workbench: Workbench) -> None:
    desk.goto(EDIT)
    desk.get_by_label("Retention").fill("30 days")
    expect(desk.locator("#kept")).to_contain_text("Kept for you, 30 September 2026, 10:00", timeout=10_000)
    assert drafts(workbench) == ["30 days"]
    desk.get_by_label("Retention").fill("60 days")
    desk.goto("/team/antopsis/entries/")
    desk.goto(EDIT)
    expect(desk.locator("main")).to_contain_text("You left something unsaved")
    assert drafts(workbench) == ["60 days"]
    assert violations(desk) == []
    desk.get_by_role("link", name="Take it up").click()
    expect(desk.get_by_label("Retention")).to_have_value("60 days")
    desk.get_by_role("button", name="Save").click()
    expect(desk.get_by_role("status")).to_contain_text("a change of retention")
    assert drafts(workbench) == []


def test_two_people_at_one_entry_see_both_and_no_barrier(contexts: Contexts, workbench: Workbench) -> None:
    with sit_down(contexts, workbench, EDDA) as edda, sit_down(contexts, workbench, ARNO) as arno:
        for page, retention in ((edda, "60 days"), (arno, "30 days")):
            page.goto(EDIT)
            page.get_by_label("Retention").fill(retention)
        arno.get_by_role("button", name="Save").click()
        edda.get_by_role("button", name="Save").click()
        expect(edda.get_by_role("alert")).to_contain_text("arno@antopsis.example saved Hetzner")
        assert light_and_dark(edda) == []
        edda.get_by_role("button", name="Save what I chose").click()
        expect(edda.locator(".problems")).to_be_focused()
        assert light_and_dark(edda) == []
        edda.set_viewport_size({"width": 320, "height": 800})
        assert edda.evaluate("document.documentElement.scrollWidth") <= 320
        edda.get_by_label("Yours").check()
        edda.get_by_role("button", name="Save what I chose").click()
        expect(edda.locator("main")).to_contain_text("60 days")


def test_without_scripts_the_form_does_all_of_it(contexts: Contexts, workbench: Workbench) -> None:
    with sit_down(contexts, workbench, EDDA, scripts=False) as page:
        page.goto(EDIT)
        page.get_by_role("button", name="Add a place").click()
        page.locator("[id='locations.1.country']").fill("Finland")
        page.get_by_role("button", name="Check", exact=True).last.click()
        expect(page.locator("#meaning")).to_contain_text("This is a location change")
        page.get_by_role("button", name="Keep for later").click()
        expect(page.get_by_role("status")).to_contain_text("What you typed is kept for you.")
        page.goto(EDIT)
        page.get_by_role("link", name="Take it up").click()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_contain_text("it waits for a notice")
