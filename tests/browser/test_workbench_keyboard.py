"""The life of a change by keyboard alone: nothing here clicks, and nothing is given the focus but by a key."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from registry.steps.lookup import get_notice, get_publisher
from registry.steps.record_objection import record_objection
from tests.browser.conftest import Contexts
from tests.browser.workbench import Seat, Workbench, at_work_again, seat
from tests.databases import ReusedDatabase
from tests.web.colleagues import ARNO, EDDA
from tests.web.team.notice_cast import BY_EDDA, edit_places, edit_purposes, require_approvals
from tests.web.team.sign_in_browser import PASSWORD, give_password
from tests.world import antopsis

pytestmark = pytest.mark.browser

HERE = "/team/antopsis/"
LONGEST_WAY = 200
"""Steps of the Tab key. No screen has more stops: each part of a date is one."""

# What has the focus: its name as it is read out, whether a ring is around it, and whether it can be seen where it is.
_FOCUSED = """() => {
    const each = document.activeElement;
    if (!each || each === document.body) return null;
    const label = each.labels?.[0] ?? document.getElementById(each.getAttribute('aria-labelledby'));
    const name = each.getAttribute('aria-label') ?? (label ?? each).textContent;
    const box = each.getBoundingClientRect(), style = getComputedStyle(each);
    const x = box.x + Math.min(box.width / 2, 20), y = box.y + Math.min(box.height / 2, 20);
    const top = document.elementFromPoint(x, y);
    return {
        name: name.trim().replace(/\\s+/g, ' '),
        id: each.id,
        ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
        seen: top !== null && (each.contains(top) || top.contains(each) || top.tagName === 'LABEL'),
        hidden: each.matches('.unseen'),
    };
}"""


@pytest.fixture
def workbench(lasting: socket.socket, sqlite_database: ReusedDatabase, instance: Path) -> Iterator[Workbench]:
    """Antopsis and its team, who sign in with passwords."""
    with at_work_again(lasting, sqlite_database, instance, antopsis()) as workbench:
        yield workbench


@pytest.fixture
def edda(contexts: Contexts, workbench: Workbench) -> Iterator[Seat]:
    """Edda, the editor, signed in."""
    with seat(contexts, workbench, EDDA) as taken:
        yield taken


@pytest.fixture
def arno(contexts: Contexts, workbench: Workbench) -> Iterator[Seat]:
    """Arno, the approver, signed in."""
    with seat(contexts, workbench, ARNO) as taken:
        yield taken


def press(page: Page, key: str) -> str:
    """Press a key that moves the focus; return the name of what has it then, which can be seen and has a ring."""
    page.keyboard.press(key)
    focused = page.evaluate(_FOCUSED)
    if focused is None:
        return ""
    name: str = focused["name"]
    assert not focused["hidden"], f"{name} has the focus and is for nobody to see"
    assert focused["ring"], f"nothing shows that {name or focused['id']} has the focus"
    assert focused["seen"], f"{name or focused['id']} has the focus and is covered or out of sight"
    return name


def go_to(page: Page, name: str, key: str = "Tab") -> None:
    """Press Tab until what is named so has the focus: a whole name, or the beginning of one that ends in `…`."""
    passed = []
    for _ in range(LONGEST_WAY):
        passed.append(press(page, key))
        if passed[-1] == name or (name.endswith("…") and passed[-1].startswith(name[:-1])):
            return
    raise AssertionError(f"{name} is on no way of the Tab key: {passed}")


def go_and_press(page: Page, name: str, key: str = "Enter") -> None:
    """Go to what is named so and press a key on it."""
    go_to(page, name)
    page.keyboard.press(key)


def follow(page: Page, name: str) -> None:
    """Go to a link or a button and press Enter on it, which leads to another page."""
    go_to(page, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def fill(page: Page, label: str, text: str) -> None:
    """Go to a field and type, in place of what is in it."""
    go_to(page, label)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def test_signing_in_and_the_account_menu(contexts: Contexts, workbench: Workbench) -> None:
    give_password(workbench.team, EDDA.email)
    with seat(contexts, workbench, None) as taken:
        page = taken.page
        page.goto(f"/team/account/login?next={HERE}")
        expect(page.get_by_label("E-mail address")).to_be_focused()
        page.keyboard.type(EDDA.email)
        assert press(page, "Tab") == "Password"
        page.keyboard.type("not this one")
        page.keyboard.press("Enter")
        expect(page.get_by_text("do not go together")).to_be_visible()
        fill(page, "Password", PASSWORD)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        expect(page).to_have_url(HERE)

        assert press(page, "Tab") == "Skip to the content"
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        page.goto(HERE)
        go_and_press(page, "Your account: Edda Editor")
        expect(page.locator("details.menu")).to_have_attribute("open", "")
        assert press(page, "Tab") == "Your account"
        page.keyboard.press("Escape")
        expect(page.locator("details.menu")).not_to_have_attribute("open", "")
        expect(page.locator("details.menu summary")).to_be_focused()
        page.keyboard.press("Enter")
        follow(page, "Sign out")
        expect(page).to_have_url(re.compile("/login"))


def test_an_entry_with_two_places_and_transfers_in_another_order(edda: Seat) -> None:
    page = edda.page
    page.goto(f"{HERE}entries/")
    follow(page, "Add an entry")
    expect(page).to_have_url(re.compile("/entries/new$"))
    go_and_press(page, "Save")
    # The name is missing: the browser leads to it, as it does in any form.
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("OpenAI")
    fill(page, "Purposes", "Summaries")
    for country, place in (("Ireland", "Dublin"), ("Finland", "Helsinki")):
        go_and_press(page, "Add a place")
        assert page.evaluate(_FOCUSED)["name"] == "Country, or how far it reaches"
        page.keyboard.type(country)
        press(page, "Tab")
        page.keyboard.type(place)
    for to, ground in (("United States", "eu.art46.scc2021.m2"), ("Japan (JP)", "eu.art45")):
        go_and_press(page, "Add a transfer")
        page.keyboard.type(to)
        fill(page, "Ground", ground)
    go_to(page, "Take out transfer 2")
    go_to(page, "Move up transfer 2", "Shift+Tab")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Move up transfer 1")).to_be_focused()
    expect(page.locator("[id='transfers.0.mechanism']")).to_have_value("eu.art45")
    follow(page, "Save")
    expect(page.locator(".problems, [role=status].done")).not_to_have_count(0)
    assert page.locator(".problems").count() == 0, page.locator(".problems").inner_text()
    expect(page.locator("main")).to_contain_text("Helsinki")


def test_what_is_wrong_has_the_focus_and_leads_to_its_field(edda: Seat) -> None:
    page = edda.page
    page.goto(f"{HERE}entries/hetzner-falkenstein/edit")
    fill(page, "Established in", "Atlantis")
    follow(page, "Save")
    expect(page.locator(".problems")).to_be_focused()
    press(page, "Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Established in")).to_be_focused()
    expect(page.get_by_label("Established in")).to_have_value("Atlantis")


def test_the_stops_of_the_tab_key_follow_the_order_of_reading(edda: Seat) -> None:
    page = edda.page
    for path in ("", "entries/", "entries/new", "customers/new", "objections/", "record/", "settings/"):
        page.goto(HERE + path)
        order: list[int] = []
        for _ in range(LONGEST_WAY):
            page.keyboard.press("Tab")
            place = page.evaluate(
                "() => document.activeElement === document.body ? -1"
                " : [...document.querySelectorAll('*')].indexOf(document.activeElement)"
            )
            # After the last stop comes the window's own, or the first again.
            if place == -1 or (order and place == order[0] != order[-1]):
                break
            order.append(place)
        assert len(order) > 8, path
        assert order == sorted(order), path


def test_a_notice_from_its_date_to_its_letters(edda: Seat, arno: Seat, workbench: Workbench) -> None:
    edit_places(workbench.team)
    edit_purposes(workbench.team)
    require_approvals(workbench.team)
    page = edda.page
    page.goto(f"{HERE}notices/")
    follow(page, "Draft a notice")
    expect(page.locator("[data-calendar]")).to_be_visible()
    go_to(page, "Hetzner: …")
    page.keyboard.press("Space")
    expect(page.locator("#dates")).to_contain_text("earliest")
    expect(page.locator("#change-hetzner-falkenstein")).to_be_focused()
    day = page.locator("[data-day][tabindex='0']")
    go_to(page, str(day.get_attribute("aria-label")))
    chosen = page.evaluate("() => document.activeElement.id")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".chosen")).to_be_focused()
    assert page.locator(".chosen").get_attribute("id") != chosen
    follow(page, "Draft it")
    expect(page).to_have_url(re.compile(r"/notices/\d{4}-\d{3}$"))
    address = page.url
    follow(page, "Submit…")
    follow(page, "Submit…")
    expect(page).to_have_url(address)

    page = arno.page
    page.goto(address)
    follow(page, "Approve…")
    follow(page, "Approve…")
    expect(page).to_have_url(address)
    follow(page, "Publish…")
    follow(page, "Publish…")
    expect(page.locator(".problems")).to_be_focused()
    go_and_press(page, "I have read what it says…", "Space")
    follow(page, "Publish…")
    expect(page).to_have_url(address)
    expect(page.locator("main")).to_contain_text("announced")


def test_an_objection_is_taken_up_answered_and_closed(edda: Seat, workbench: Workbench) -> None:
    world = workbench.site.world
    number = world.announce(antopsis(helsinki=True))
    world.tick()
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        record_objection(session, world.at, publisher, notice, "bremen", BY_EDDA, received_at=world.at, ground="No.")
    page = edda.page
    page.goto(f"{HERE}objections/")
    follow(page, "Bremen Media GmbH…")
    follow(page, "Take it up")
    expect(page.get_by_role("status")).to_be_visible()
    fill(page, "Note", "Called them; they would take an assurance.")
    follow(page, "Put it in the thread")
    expect(page.locator(".objection-thread")).to_contain_text("Called them")
    follow(page, "Accommodated")
    fill(page, "Words for the record", "Assured in writing that live data stays in Germany.")
    follow(page, "Close the objection")
    expect(page).to_have_url(re.compile(r"/objections/\d+"))
    expect(page.locator("main")).to_contain_text("Assured in writing")
