"""One entry with its history, one notice with its statements, and the lists of an installation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from registry.domain.entries import read_entry
from registry.domain.vocabulary import Role
from registry.pages.values import PublicNotice
from registry.pages.wording import ROLE_HEADINGS, ROLE_MEANINGS, ROLES
from tests.pages.factories import (
    ADDRESSES,
    BUNNY_NOTICE,
    KEYCDN_NOTICE,
    STRIPE,
    STRIPE_LATER,
    STRIPE_NOTICE,
    WITHDRAWN_NOTICE,
    change,
    empty_list,
    public_list,
    stripe_history,
)
from tests.pages.reading import Page, renderer


def entry(key: str) -> Page:
    return Page(renderer().entry_page(public_list(), key, stripe_history() if key == "stripe" else (), ADDRESSES))


def notice_page(notice: PublicNotice) -> Page:
    return Page(renderer().notice_page(public_list(), notice, ADDRESSES))


def test_an_entry_shows_every_field_stated_or_not() -> None:
    facts = entry("stripe").facts("//section[@aria-labelledby='facts']")
    assert facts["Address"] == "1 Grand Canal Street Lower Dublin"
    assert facts["Contact"] == "Data Protection Officer dpo@stripe.example"
    assert facts["Special categories of data"] == "not stated"
    assert facts["Condition of use"] == "not stated"
    assert facts["Products"] == "All products"
    assert facts["On this list since"] == "16 March 2026"
    assert (
        "Transfer impact assessment: none, because: an adequacy decision covers the destination"
        in (facts["Transfer ground"])
    )
    assert "Checked on 1 October 2026" in facts["Transfer ground"]


def test_the_history_stands_newest_first_with_what_changed_and_what_made_it_change() -> None:
    page = entry("stripe")
    assert page.texts("//ol[@class='history']/li/h3") == ["1 June 2026", "10 April 2026", "16 March 2026"]
    assert page.texts("//ol[@class='history']/li/p") == [
        "Editorial correction",
        "Changed with notice 2026-001 until 1 June 2026",
        "On the list when it was first published until 10 April 2026",
    ]
    assert page.rows("//ol[@class='history']//table") == [
        ["Address", "not stated", "1 Grand Canal Street Lower Dublin"],
        ["Data", "Customer id", "Customer id Subscription status Payment events"],
    ]


def test_an_entry_with_an_announced_change_shows_that_change_alone() -> None:
    both = replace(STRIPE_NOTICE, changes=(*STRIPE_NOTICE.changes, *BUNNY_NOTICE.changes))
    public = public_list(notices=(both,))
    page = Page(renderer().entry_page(public, "stripe", (), ADDRESSES))
    assert [row[0] for row in page.rows("//article[@class='notice']//table")] == ["Data", "Places", "Retention"]
    assert "BunnyWay" not in page.text("//main")


def test_an_entry_no_longer_on_the_list_says_since_when() -> None:
    page = entry("keycdn")
    assert "No longer on the list since 1 May 2026." in page.text("//main")
    assert page.facts("//section[@aria-labelledby='facts']")["Places"] == "Switzerland (transit)"


def test_an_entry_that_is_only_announced_says_that_it_is_not_on_the_list_yet() -> None:
    page = entry("bunny")
    assert "Not on the list yet." in page.text("//main")
    assert page.facts("//article[@class='notice']")["Legal name"] == "BunnyWay d.o.o."


def test_an_entry_nobody_knows_has_no_page() -> None:
    with pytest.raises(KeyError, match="nobody"):
        renderer().entry_page(public_list(), "nobody", (), ADDRESSES)


def test_an_addition_that_was_withdrawn_leaves_no_page_and_no_link() -> None:
    withdrawn = replace(BUNNY_NOTICE, state="withdrawn", withdrawn_at=BUNNY_NOTICE.updated_at)
    public = public_list(notices=(withdrawn,))
    with pytest.raises(KeyError):
        renderer().entry_page(public, "bunny", (), ADDRESSES)
    page = Page(renderer().notice_page(public, withdrawn, ADDRESSES))
    assert page.attributes("//section[@class='change']/h3/a", "href") == []


def test_an_announced_notice_tells_what_changes_and_what_was_told_when() -> None:
    page = notice_page(STRIPE_NOTICE)
    assert page.text("//h1") == "Stripe sees IP addresses, and gives support from Singapore"
    assert page.text("//p[@class='lede']") == "Takes effect in 13 days."
    assert page.text("//section[@aria-labelledby='changes']/h2") == "What changes"
    assert page.rows("//section[@aria-labelledby='statements']/table") == [
        ["Announced", "2 November 2026", "4 December 2026"]
    ]


def test_a_postponed_notice_tells_both_dates_ever_told() -> None:
    page = notice_page(BUNNY_NOTICE)
    assert page.rows("//section[@aria-labelledby='statements']/table") == [
        ["Announced", "5 October 2026", "6 November 2026"],
        ["Postponed", "6 November 2026", "until further notice"],
    ]


def test_a_notice_in_effect_tells_its_local_day_not_the_day_in_utc() -> None:
    page = notice_page(KEYCDN_NOTICE)
    facts = page.facts("//section[@aria-labelledby='dates']")
    assert facts["In effect since"] == "Friday, 1 May 2026 (2026-05-01), Europe/Berlin"
    assert page.text("//section[@aria-labelledby='changes']/h2") == "What changed"
    assert "Leaves the list" in page.text("//section[@class='change']")


def test_a_withdrawn_notice_says_that_nothing_changes() -> None:
    page = notice_page(WITHDRAWN_NOTICE)
    assert page.text("//p[@class='lede']") == "This notice was withdrawn. Nothing changes because of it."
    facts = page.facts("//section[@aria-labelledby='dates']")
    assert facts == {"Withdrawn": "Saturday, 20 June 2026 (2026-06-20), Europe/Berlin", "Announced": "1 June 2026"}


def test_a_chain_a_product_and_a_condition_are_told_by_name_not_by_key() -> None:
    later = read_entry(
        STRIPE.as_document() | {"parent": "hetzner", "products": ["recording"], "condition": {"when": "opt_in"}}
    )
    notice = replace(STRIPE_NOTICE, changes=(change("stripe", STRIPE, later),))
    assert notice_page(notice).rows("//section[@class='change']/table") == [
        ["Products", "All products", "Recording"],
        ["Condition of use", "not stated", "Only where the customer opts in"],
        ["Engaged by", "not stated", "Hetzner"],
    ]


def test_an_entry_of_a_chain_shows_who_engages_whom() -> None:
    for key, links in (
        ("cloudflare-r2", ["https://lists.example/antopsis/", "https://lists.example/antopsis/entries/cloudflare"]),
        ("cloudflare", ["https://lists.example/antopsis/", "https://lists.example/antopsis/entries/cloudflare-r2"]),
    ):
        page = entry(key)
        assert page.text("//ul[@class='tree']") == "Antopsis Cloudflare Cloudflare R2"
        assert page.attributes("//ul[@class='tree']//a", "href") == links
        assert page.attributes("//ul[@class='tree']//li//li//ul", "aria-label") == ["Engaged by Cloudflare"]
    assert entry("stripe").texts("//ul[@class='tree']") == []


def test_a_list_of_notices_without_any_says_so() -> None:
    page = Page(renderer().notices_page(empty_list(), ADDRESSES))
    assert page.texts("//p[@class='nothing']") == ["No change is announced.", "There is no past notice."]


def test_a_publisher_reached_by_a_page_or_by_words_is_linked_only_where_it_can_be() -> None:
    by_page = replace(public_list().publisher, contact="https://antopsis.example/contact")
    by_words = replace(public_list().publisher, contact="the support desk")
    page = Page(renderer().notice_page(public_list(publisher=by_page), STRIPE_NOTICE, ADDRESSES))
    assert page.attributes("//p[@class='aside']/a", "href") == ["https://antopsis.example/contact"]
    page = Page(renderer().notice_page(public_list(publisher=by_words), STRIPE_NOTICE, ADDRESSES))
    assert page.attributes("//p[@class='aside']/a", "href") == []
    assert "or write to the support desk and name" in page.text("//p[@class='aside']")


def test_an_installation_lists_its_publishers_by_name_with_the_size_of_their_lists() -> None:
    page = Page(
        renderer().publishers_page(
            [("Zeta", "https://lists.example/zeta/", 1), ("antopsis", "https://lists.example/antopsis/", 8)]
        )
    )
    assert page.texts("//ul[@class='publishers']/li") == ["antopsis 8 entries", "Zeta 1 entry"]
    assert page.attributes("//ul[@class='publishers']//a", "href") == [
        "https://lists.example/antopsis/",
        "https://lists.example/zeta/",
    ]


def test_an_installation_without_a_list_says_so() -> None:
    assert Page(renderer().publishers_page([])).text("//p[@class='nothing']") == "No list is published here yet."


def test_every_role_has_its_words() -> None:
    assert set(ROLES) == set(ROLE_HEADINGS) == set(ROLE_MEANINGS) == set(Role)


def test_a_change_back_and_forth_marks_only_what_differs() -> None:
    notice = replace(STRIPE_NOTICE, changes=(change("stripe", STRIPE_LATER, STRIPE),))
    page = notice_page(notice)
    assert page.texts("//ins") == ["United States (support access)"]
    assert page.texts("//del") == ["IP addresses", "Singapore (support access)"]
