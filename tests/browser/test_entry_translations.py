"""An entry's translations in a real browser: by keyboard, refused, and with a colleague who was quicker."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import databases
from tests.browser.conftest import Contexts
from tests.browser.workbench import at_work, faults, seat
from tests.browser.workbench_life import UNBROKEN
from tests.steps.path_cast import HETZNER, edit
from tests.web.colleagues import EDDA
from tests.world import BORIS, antopsis

pytestmark = pytest.mark.browser

HERE = "/team/antopsis/entries/hetzner-falkenstein/translations"
LONG = {"activity": f"Runs the servers.\n\n{UNBROKEN} {'and what belongs to it, ' * 40}", "retention": "30 days."}


def test_texts_are_translated_by_keyboard_and_what_is_wrong_or_was_quicker_is_shown_accessibly(
    contexts: Contexts, sqlite_template: Path, tmp_path: Path
) -> None:
    url = databases.copied_sqlite_url(tmp_path, sqlite_template)
    with at_work(url, tmp_path, antopsis()) as workbench, seat(contexts, workbench, EDDA) as taken:
        edit(workbench.site.world, HETZNER | LONG | {"translations": {"de": {"30 days.": "30 Tage."}}})
        page = taken.page
        page.goto(HERE)
        account = page.get_by_label("German for “Account data”")
        usage = page.get_by_label("German for “Usage data”")
        account.focus()
        page.keyboard.type("Konto\u200bdaten")
        page.keyboard.press("Tab")
        expect(usage).to_be_focused()
        page.keyboard.type("Nutzung\u202edaten")
        page.keyboard.press("Enter")
        expect(page.locator(".problems")).to_be_focused()
        expect(usage).to_have_attribute("aria-invalid", "true")
        assert faults(page) == []

        usage.fill(UNBROKEN)
        edit(
            workbench.site.world,
            HETZNER | {"translations": {"de": {"Usage data": UNBROKEN[::-1]}}},
            actor=BORIS,
        )
        page.get_by_label("German for “Runs the servers.").fill(f"Betreibt die Server. {UNBROKEN}")
        page.get_by_role("button", name="Save in German").click()
        expect(page.get_by_role("alert")).to_contain_text("boris@antopsis.example saved Hetzner")
        expect(page.get_by_label("What you typed")).to_have_value(f"Betreibt die Server. {UNBROKEN}")
        assert faults(page) == []

        page.get_by_role("button", name="Save in German").click()
        expect(page.get_by_role("status")).to_contain_text("on the list at once")
        expect(page.get_by_role("link", name="German: 2 of 4")).to_have_attribute("aria-current", "page")
