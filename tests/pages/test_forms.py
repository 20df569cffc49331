"""Forms and error pages: what they ask, what they post, and what they say when something is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import UndefinedError

from registry.queries.sent_letters import SentPage
from tests.pages.factories import ADDRESSES, PUBLISHER
from tests.pages.reading import Page, renderer

WHO = {"recipient": "anna@customer.example", "audience": "follower", "customer_name": None}
CONTACT = {**WHO, "audience": "customer", "customer_name": "Example Customer GmbH"}
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
ASKED: dict[str, Any] = {
    "channels": [("email", "E-mail"), ("webhook", "Webhook")],
    "letter_languages": LANGUAGES,
    "filter_names": {"product": "Product"},
    "values": {"channel": "email", "reminders": False, "language": "en"},
}
MANAGED: dict[str, Any] = {
    "own_path": "manage/x",
    "channel": "email",
    "is_follower": True,
    "is_confirmed": True,
    "paused_at": None,
    "endpoint": None,
    "secret": None,
    "owned": (),
    "links": {},
    "sent": SentPage((), None),
    "said_kind": str,
    "said_state": str,
    "said_at": str,
    "letter_languages": LANGUAGES,
    "saved": False,
    "done": None,
}
PAGES: dict[str, dict[str, Any]] = {
    "subscribe": ASKED,
    "subscribe_sent": {**WHO, "by_web": False},
    "confirm": WHO,
    "confirmed": {**WHO, "manage_url": "https://lists.example/antopsis/manage/x", "pending_count": 1},
    "confirm_endpoint": {**WHO, "channel": "slack", "place": "hooks.slack.com/…"},
    "manage": {**WHO, **MANAGED},
    "manage_erase": {**WHO, "endpoints": ()},
    "manage_address_sent": {**WHO, "new_recipient": "ben@customer.example"},
    "change_contact": CONTACT,
    "change_contact_sent": {**CONTACT, "new_recipient": "ben@customer.example"},
    "unsubscribe": {**WHO, "manage_url": None},
    "unsubscribed": WHO,
}


def form(name: str, **values: Any) -> Page:
    given = {"publisher": PUBLISHER, "addresses": ADDRESSES, **PAGES[name], **values}
    return Page(renderer().page(f"public/{name}.html", **given))


@pytest.mark.parametrize("name", PAGES)
def test_every_form_page_stands_in_the_frame_with_one_heading(name: str) -> None:
    page = form(name)
    assert len(page.texts("//h1")) == 1
    assert page.text("//title").endswith("Antopsis subprocessors")
    assert page.text("//p[@class='brand']") == "Antopsis"
    assert page.root.xpath("//script|//style|//*[@style]") == []


@pytest.mark.parametrize("name", ["subscribe", "confirm", "manage", "change_contact", "unsubscribe"])
def test_a_form_changes_things_by_post_to_its_own_address_and_carries_its_token(name: str) -> None:
    page = form(name, csrf_token="token-1")
    forms = page.root.xpath("//form")
    assert forms
    assert all(one.get("method") == "post" and one.get("action") is None for one in forms)
    assert page.attributes("//form/input[@name='csrf_token']", "value") == ["token-1"] * len(forms)
    assert form(name).attributes("//input[@name='csrf_token']", "value") == []


def test_subscribing_asks_for_an_address_and_offers_products_and_the_letter_of_effect() -> None:
    page = form("subscribe")
    assert page.attributes("//input[@required]", "name") == ["email"]
    assert page.attributes("//input[@name='email']", "autocomplete") == ["email"]
    assert page.attributes("//input[@name='products']", "value") == ["streaming", "recording"]
    assert page.attributes("//input[@name='effect']", "value") == ["1"]
    assert page.attributes("//input[@name='reminders']", "value") == ["1"]
    assert page.attributes("//input[@checked]", "name") == ["channel"]
    assert "Announcements always come" in page.text("//form")
    assert page.attributes("//form//a", "href") == ["https://antopsis.example/privacy"]


def test_a_refused_form_keeps_what_was_given_and_leads_to_each_wrong_field() -> None:
    page = form(
        "subscribe",
        errors={"email": "“anna@” is not an e-mail address.", "form": "Too many tries; wait a minute."},
        values={"channel": "email", "email": "anna@", "name": "Anna", "products": ["recording"], "effect": True},
    )
    assert page.texts("//div[@role='alert']//li") == [
        "“anna@” is not an e-mail address.",
        "Too many tries; wait a minute.",
    ]
    assert page.attributes("//div[@role='alert']//a", "href") == ["#email"]
    field = page.root.xpath("//input[@id='email']")[0]
    assert field.get("value") == "anna@"
    assert field.get("aria-invalid") == "true"
    assert field.get("aria-describedby").split() == ["email-hint", "email-error"]
    assert page.text("//*[@id='email-error']") == "“anna@” is not an e-mail address."
    assert page.attributes("//input[@name='name']", "value") == ["Anna"]
    assert page.attributes("//input[@checked]", "value") == ["email", "recording", "1"]
    assert page.text("//title").startswith("Not taken yet: ")


def test_the_page_after_subscribing_does_not_tell_whether_the_address_is_known() -> None:
    text = form("subscribe_sent").text("//main")
    assert "A letter is on its way to anna@customer.example." in text
    assert "If this address is subscribed already, the letter says so" in text


def test_confirming_is_a_button_and_says_what_happens_without_it() -> None:
    page = form("confirm")
    assert page.texts("//button") == ["Confirm the subscription"]
    assert "without the click nothing is sent to this address" in page.text("//form")
    contact = form("confirm", **CONTACT)
    assert "for Example Customer GmbH" in contact.text("//main")
    assert contact.texts("//button") == ["Confirm this contact"]


def test_a_new_subscriber_is_told_that_pending_notices_follow_at_once() -> None:
    assert "1 change is announced already; the letter about it" in form("confirmed").text("//main")
    assert "2 changes are announced already; the letters about them" in (
        form("confirmed", pending_count=2).text("//main")
    )
    assert "Nothing is announced at the moment" in form("confirmed", pending_count=0).text("//main")


def test_a_follower_may_change_their_wishes_or_stop() -> None:
    page = form("manage", values={"products": ["streaming"], "effect": True}, saved=True, done="Saved.")
    assert page.attributes("//button", "value") == ["save", "change_address", "pause", "stop", "erase"]
    assert page.attributes("//button", "name") == ["action"] * 5
    assert page.attributes("//input[@checked]", "value") == ["streaming", "1"]
    assert page.text("//p[@class='done']") == "Saved."


def test_a_customers_contact_cannot_stop_but_can_hand_the_notices_on_and_is_told_why() -> None:
    page = form("manage", **CONTACT, is_follower=False)
    assert page.attributes("//button", "value") == ["save", "change_contact"]
    assert "owes Example Customer GmbH these notices by contract, so this address cannot simply leave" in (
        page.text("//main")
    )
    assert page.attributes("//form[2]//input[not(@type='hidden')]", "name") == []
    assert page.attributes("//button[@value='change_contact']/..//input[@name]", "name") == ["email", "name"]


def test_leaving_is_one_button_and_names_the_address() -> None:
    page = form("unsubscribe", manage_url="https://lists.example/antopsis/manage/x")
    assert page.texts("//button") == ["Stop all letters"]
    assert "anna@customer.example will no longer be told" in page.text("//main")
    assert page.attributes("//form//a", "href") == ["https://lists.example/antopsis/manage/x"]


def test_pages_behind_a_token_are_kept_out_of_search_engines() -> None:
    for name in ("confirm", "confirmed", "manage", "change_contact", "unsubscribe", "unsubscribed"):
        assert form(name).attributes("//meta[@name='robots']", "content") == ["noindex"], name


def test_an_error_page_says_what_happened_and_what_to_do_with_or_without_a_publisher() -> None:
    said = {
        "title": "This link has run out",
        "happened": "Confirmation links work for 7 days.",
        "advice": "Subscribe again.",
    }
    page = Page(renderer().page("errors/error.html", **said))
    assert page.text("//h1") == "This link has run out"
    assert page.texts("//main/p") == ["Subscribe again."]
    assert page.text("//p[@class='brand']") == "Subprocessor registry"
    assert page.root.xpath("//nav") == []
    page = Page(
        renderer().page(
            "errors/error.html",
            **said,
            publisher=PUBLISHER,
            addresses=ADDRESSES,
            action=("Subscribe again", ADDRESSES.at("subscribe")),
        )
    )
    assert page.attributes("//a[@class='button']", "href") == ["https://lists.example/antopsis/subscribe"]
    assert page.attributes("//main/p[last()]/a", "href") == ["https://lists.example/antopsis/"]


def test_a_page_that_lacks_a_value_is_an_error_and_never_an_empty_place() -> None:
    with pytest.raises(UndefinedError, match="recipient"):
        renderer().page("public/unsubscribed.html", publisher=PUBLISHER, addresses=ADDRESSES)


def test_only_a_page_without_a_token_claims_that_it_sets_no_cookie() -> None:
    assert "sets no cookie" in form("subscribe").text("//footer")
    assert "sets no cookie" not in form("subscribe", csrf_token="token-1").text("//footer")
