"""Being told, from the form to the last letter, in Chromium: with scripts and without, by keyboard, on any screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import light_and_dark, violations
from tests.browser.conftest import Contexts, Served
from tests.browser.test_public_pages import assert_fits
from tests.web.site import path_of
from tests.world import link_in

pytestmark = pytest.mark.browser

DPO = "dpo@bremen.example"


@pytest.fixture(params=[True, False], ids=["with-javascript", "without"])
def any_page(request: pytest.FixtureRequest, contexts: Contexts, served: Served) -> Iterator[Page]:
    """A page in a browser that runs scripts, or in one that does not; either may ask nobody but the server."""
    asked: set[str] = set()
    with contexts.page(served.base, java_script_enabled=request.param) as page:
        page.on("request", lambda one: asked.add(urlsplit(one.url).netloc))
        yield page
        cookies = page.context.cookies()
    assert asked == {urlsplit(served.base).netloc}
    assert cookies == []


def mailbox(page: Page, name: str) -> str:
    """An address for this test alone: the server is shared by all of them."""
    return f"{name}-{abs(hash(page)) % 10**8}@reader.example"


def follow(page: Page, served: Served, address: str) -> str:
    """Subscribe by the form and confirm; return the path of the manage link in the last letter."""
    page.goto("/antopsis/subscribe")
    page.get_by_label("Your e-mail address").fill(address)
    page.get_by_role("button", name="Subscribe").click()
    page.goto(path_of(link_in(served.site.letters_to(address)[-1], "confirm")))
    page.get_by_role("button", name="Confirm the subscription").click()
    return path_of(link_in(served.site.letters_to(address)[-1], "manage"))


def test_somebody_subscribes_confirms_is_told_chooses_pauses_and_is_forgotten(any_page: Page, served: Served) -> None:
    page, address = any_page, mailbox(any_page, "fred")
    page.goto("/antopsis/subscribe?product=storage")
    expect(page.get_by_role("radio", name="E-mail")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Recordings")).to_be_checked()
    expect(page.get_by_label("Atom feed")).to_have_value(f"{served.base}/antopsis/feed.atom?product=storage")
    # What only a webhook needs is not asked of who wants letters.
    expect(page.get_by_label("Address to post to")).to_be_hidden()
    page.get_by_label("Your e-mail address").fill(address)
    page.get_by_label("Name (optional)").fill("Fred")
    page.get_by_label("Also tell me when a change has taken effect").check()
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()

    (letter,) = served.site.letters_to(address)
    page.goto(path_of(link_in(letter, "confirm")))
    page.get_by_role("button", name="Confirm the subscription").click()
    expect(page.get_by_role("heading", name="Confirmed", exact=True)).to_be_visible()
    # What is pending came at once.
    announced = served.site.letters_to(address)[-1]
    assert served.number in str(announced["Subject"])

    page.goto(path_of(link_in(announced, "manage")))
    expect(page.get_by_role("row").filter(has_text="Announcement, notice")).to_have_count(1)
    expect(page.get_by_label("Also tell me when a change has taken effect")).to_be_checked()
    page.locator("#language").select_option("de")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.locator("#language").select_option("en")
    page.locator("button[value=save]").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("No letters come until you resume")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_contain_text("Resumed")

    with page.expect_download() as download:
        page.get_by_role("link", name="Take everything away as a file").click()
    held = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert (held["subscription"]["address"], held["subscription"]["name"]) == (address, "Fred")

    page.get_by_role("button", name="Erase everything …").click()
    expect(page.get_by_role("heading", name="Erase everything?")).to_be_visible()
    page.get_by_role("button", name="Erase everything").click()
    expect(page.get_by_role("heading", name="Erased")).to_be_visible()


def test_a_contact_acknowledges_its_letter_objects_and_sees_both_on_its_page(any_page: Page, served: Served) -> None:
    page = any_page
    told = next(letter for letter in served.site.letters_to(DPO) if served.number in str(letter["Subject"]))
    page.goto(path_of(link_in(told, "acknowledge")))
    if page.get_by_role("button", name="Yes, I have received it").count():
        page.get_by_role("button", name="Yes, I have received it").click()
        expect(page.get_by_role("status")).to_contain_text("That is on record")
    expect(page.get_by_role("heading", name="This letter is acknowledged")).to_be_visible()
    page.get_by_role("link", name="Object to this change").click()
    page.get_by_label("On what ground?").fill("Helsinki is outside what our works council agreed to.")
    page.get_by_label("Your name").fill("Dana Poe")
    page.get_by_label("Document").set_input_files({"name": "ground.txt", "mimeType": "text/plain", "buffer": b"Why"})
    page.get_by_role("button", name="Send the objection").click()
    expect(page.get_by_role("status")).to_contain_text("Your objection was received")
    expect(page.get_by_text("ground.txt").first).to_be_visible()
    page.get_by_label("Why do you withdraw it?").fill("Settled")
    page.get_by_role("button", name="Withdraw the objection").click()
    expect(page.get_by_role("status")).to_contain_text("The objection was withdrawn")
    page.goto(path_of(link_in(told, "manage")))
    expect(page.get_by_text("Acknowledged by you on").first).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Your company’s objection").first).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)


def test_somebody_asks_for_a_webhook_and_gets_its_secret_once(any_page: Page, served: Served) -> None:
    page, owner = any_page, mailbox(any_page, "ops")
    page.goto("/antopsis/subscribe")
    page.get_by_role("radio", name="Webhook").check()
    expect(page.get_by_label("Name (optional)")).to_be_hidden()
    page.get_by_label("Address to post to").fill(f"{served.base}/nowhere/{owner}")
    page.get_by_label("Your e-mail address").fill(owner)
    page.get_by_role("button", name="Subscribe").click()
    page.goto(path_of(link_in(served.site.letters_to(owner)[-1], "confirm")))
    expect(page.get_by_role("heading", name="Do you answer for this address?")).to_be_visible()
    page.get_by_role("button", name="Yes, post changes there").click()
    secret = page.get_by_label("Shown this once").input_value()
    assert secret.startswith("whsec_")
    page.get_by_role("link", name="What is posted there").click()
    expect(page.get_by_text("It has not proved itself yet")).to_be_visible()
    assert secret not in page.content()
    page.get_by_role("button", name="Make a new secret").click()
    assert page.get_by_label("Shown this once").input_value() not in {"", secret}


def test_the_whole_form_is_filled_in_by_keyboard(page: Page, served: Served) -> None:
    page.goto("/antopsis/subscribe")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.name") == "channel":
            break
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Webhook")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("nowhere")
    page.keyboard.press("Tab")
    page.keyboard.type("ops@reader.example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Address to post to")).to_have_value("nowhere")
    expect(page.get_by_label("Address to post to")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("radio", name="Webhook")).to_be_checked()


def test_every_form_fits_any_screen_and_axe_finds_nothing_wrong_in_light_and_in_dark(
    page: Page, served: Served
) -> None:
    address = mailbox(page, "olga")
    manage = follow(page, served, address)
    contact = next(letter for letter in served.site.letters_to(DPO) if served.number in str(letter["Subject"]))
    owner = mailbox(page, "owner")
    page.goto("/antopsis/subscribe")
    page.get_by_role("radio", name="Slack").check()
    page.get_by_label("Address to post to").fill(f"https://hooks.slack.com/services/T0/B0/{owner.partition('@')[0]}")
    page.get_by_label("Your e-mail address").fill(owner)
    page.get_by_role("button", name="Subscribe").click()
    places = {
        "subscribe": "/antopsis/subscribe",
        "subscribe-filtered": "/antopsis/subscribe?product=storage&q=a-very-long-word-" + "x" * 120,
        "confirm-endpoint": path_of(link_in(served.site.letters_to(owner)[-1], "confirm")),
        "manage": manage,
        "manage-contact": path_of(link_in(contact, "manage")),
        "unsubscribe": path_of(link_in(served.site.letters_to(address)[-1], "unsubscribe")),
        "acknowledge": path_of(link_in(contact, "acknowledge")),
        "object": path_of(link_in(contact, "object")),
    }
    for name, place in places.items():
        page.goto(place)
        for width in (320, 640, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert_fits(page, f"{name} at {width}")
        assert light_and_dark(page) == [], name
    # And what comes back with a mistake in it.
    page.goto("/antopsis/subscribe")
    page.get_by_role("radio", name="Webhook").check()
    page.get_by_label("Address to post to").fill("nowhere")
    page.get_by_label("Your e-mail address").fill("ops@reader.example")
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []
    page.goto(manage)
    page.get_by_role("button", name="Erase everything …").click()
    assert violations(page) == []
