"""What a privacy officer finds on the list: upcoming changes, entries, and what was; today and on a past day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from registry.pages.values import RemovedEntry
from tests.pages.factories import (
    ADDRESSES,
    BUNNY_NOTICE,
    KEYCDN_NOTICE,
    OLD_CDN,
    STRIPE_NOTICE,
    WITHDRAWN_NOTICE,
    at,
    empty_list,
    public_list,
)
from tests.pages.reading import Page, page_of, renderer


def test_an_upcoming_change_tells_its_date_in_words_in_iso_and_with_its_zone(page: Page) -> None:
    facts = page.facts("//article[@id='notice-2026-004']")
    assert facts["Takes effect"] == "Friday, 4 December 2026 (2026-12-04), Europe/Berlin"
    assert facts["Objections until"] == ("end of Wednesday, 2 December 2026 (2026-12-02), Europe/Berlin – 11 days left")
    assert page.text("//article[@id='notice-2026-004']//p[@class='countdown']") == "in 13 days"
    dates = page.attributes("//article[@id='notice-2026-004']//time", "datetime")
    assert dates == ["2026-12-04", "2026-12-02", "2026-11-02"]


def test_an_upcoming_change_says_how_to_object_and_that_a_contract_may_give_longer(page: Page) -> None:
    notice = "//article[@id='notice-2026-004']"
    assert (
        "Customers follow the link in their letter, or write to privacy@antopsis.example and name notice 2026-004."
        in page.text(notice)
    )
    assert "Where your own letter names a later day, that day counts." in page.text(notice)
    assert page.attributes(f"{notice}//a[contains(@href, 'mailto:')]", "href") == [
        "mailto:privacy@antopsis.example?subject=Notice%202026-004%3A%20objection"
    ]


def test_an_upcoming_change_shows_each_field_before_and_after(page: Page) -> None:
    table = "//article[@id='notice-2026-004']//table"
    assert page.texts(f"{table}/thead//th") == ["Field", "Now", "From 4 December 2026"]
    assert page.rows(table) == [
        [
            "Data",
            "Customer id Subscription status Payment events",
            "Customer id Subscription status Payment events IP addresses",
        ],
        [
            "Places",
            "Dublin, Ireland (processing) United States (support access)",
            "Dublin, Ireland (processing) Singapore (support access)",
        ],
        ["Retention", "As long as the account is active, and 7 years for invoices", "10 years"],
    ]
    assert page.texts(f"{table}//ins") == ["IP addresses", "Singapore (support access)"]
    assert page.texts(f"{table}//del") == ["United States (support access)"]


def test_a_held_change_without_a_date_is_shown_as_postponed_after_those_with_a_date(page: Page) -> None:
    order = page.attributes("//section[@class='upcoming']/article", "id")
    assert order == ["notice-2026-004", "notice-2026-003"]
    held = "//article[@id='notice-2026-003']"
    assert page.text(f"{held}//p[@class='countdown']") == "no date yet On hold"
    assert page.facts(held)["Takes effect"] == (
        "Postponed until further notice. Once no customer has to be waited for any more, it takes effect with the "
        "beginning of the next day in Europe/Berlin, and this page shows that date as soon as it is set."
    )
    assert "it has not taken effect" in page.text(held)


def test_a_change_whose_time_to_object_is_over_invites_no_objection(page: Page) -> None:
    held = "//article[@id='notice-2026-003']"
    assert page.facts(held)["Objections until"].endswith("– ended")
    assert "How to object" not in page.text(held)


def test_an_addition_shows_what_will_join_and_links_to_its_page(page: Page) -> None:
    added = page.facts("//article[@id='notice-2026-003']//section[@class='change']")
    assert added["Legal name"] == "BunnyWay d.o.o."
    assert added["Established in"] == "Slovenia"
    assert added["Places"] == "Network edge, near the user (transit) Slovenia (support access)"
    links = page.attributes("//article[@id='notice-2026-003']//h4/a", "href")
    assert links == ["https://lists.example/antopsis/entries/bunny"]


def test_entries_stand_in_sections_by_role_and_in_each_by_name(page: Page) -> None:
    headings = page.texts("//section[@class='entries']/h2")
    assert headings == [
        "Subprocessors 5",
        "Independent controllers 1",
        "Customer-directed recipients 1",
        "Named as a category only 1",
    ]
    subprocessors = page.texts("//table[@aria-labelledby='subprocessor']//a[@class='name']")
    assert subprocessors == ["Cloudflare", "Cloudflare R2", "Hetzner", "Resend", "Stripe"]


def test_an_entry_tells_who_what_for_which_data_where_on_which_ground_and_since_when(page: Page) -> None:
    who, purpose, data, places, ground = page.entry("stripe")
    assert "Stripe Payments Europe, Limited" in who
    assert "Ireland" in who
    assert "since 1 May 2024" in who
    assert purpose == "Payments"
    assert data == "Customer id Subscription status Payment events"
    assert places == "Dublin, Ireland processing United States support access"
    assert "United States: The recipient is certified under the EU–US Data Privacy Framework" in ground
    assert "EU-US Data Privacy Framework, GDPR Art 45; Dec (EU) 2023/1795" in ground
    assert ground.index("EU–US") < ground.index("Standard contractual clauses")
    further = page.further("stripe")
    assert "Antopsis never sees a card number." in further
    assert "People concerned: Account holders" in further
    assert further.endswith("Website Privacy notice")


def test_what_the_publisher_does_not_say_is_published_as_not_stated(page: Page) -> None:
    _who, _purpose, data, places, ground = page.entry("resend")
    assert data == places == ground == "not stated"
    missing = "legal name, established in, condition of use, people concerned, retention, engaged since"
    assert f"Not stated: {missing}" in page.further("resend")


def test_a_category_is_said_to_be_one_and_is_not_asked_for_a_legal_name(page: Page) -> None:
    section = "//section[@aria-labelledby='category']"
    assert page.texts(f"{section}/p") == ["Antopsis names the kind of recipient, not the organisation."]
    assert "legal name" not in page.further("analytics")


def test_an_entry_with_an_announced_change_points_to_its_notice(page: Page) -> None:
    pending = "//tbody[@id='entry-stripe']//a[@class='pending']"
    assert page.text(pending) == "Changes on 4 December 2026"
    assert page.attributes(pending, "href") == ["https://lists.example/antopsis/notices/2026-004"]
    assert page.texts("//tbody[@id='entry-hetzner']//a[@class='pending']") == []


def test_an_entry_engaged_by_another_stands_below_it_and_names_it(page: Page) -> None:
    below = "//tbody[@id='entry-cloudflare']/following-sibling::tbody[1]"
    assert page.attributes(below, "id") == ["entry-cloudflare-r2"]
    assert page.attributes(below, "class") == ["below below-1"]
    assert page.text("//tbody[@id='entry-cloudflare-r2']//small[@class='chain']") == "engaged by Cloudflare"


def test_a_condition_and_a_limit_to_products_are_told(page: Page) -> None:
    (lines,) = page.root.xpath("//tbody[@id='entry-google']//small[@class='condition']")
    assert list(lines.itertext()) == ["Only where the customer chooses it", "Only for users who sign in with Google."]
    assert "Products: Live streaming" in page.further("restream")


def test_figures_sum_the_list_up(page: Page) -> None:
    assert page.facts("//main") | {
        "On the list": "8",
        "Countries": "3",
        "Upcoming changes": "2",
        "Last changed": "6 November 2026",
    } == page.facts("//main")


def test_the_list_as_it_is_today_has_an_address_for_good(page: Page) -> None:
    facts = page.facts("//section[@aria-labelledby='follow']")
    assert facts["Copy this address"].endswith("https://lists.example/antopsis/?as_of=2026-11-21")


def test_past_notices_and_removed_entries_stay_readable(page: Page) -> None:
    assert page.rows("//section[@aria-labelledby='past']/table") == [
        ["2026-002", "Hetzner would also have served from Helsinki", "1 June 2026", "Withdrawn on 20 June 2026"],
        ["2026-001", "KeyCDN leaves the list", "1 April 2026", "In effect since 1 May 2026"],
    ]
    assert page.rows("//section[@aria-labelledby='removed']/table") == [["KeyCDN", "Content delivery", "1 May 2026"]]


def test_only_the_newest_past_notices_stand_on_the_list_with_a_way_to_all() -> None:
    past = tuple(replace(KEYCDN_NOTICE, number=f"2026-{n:03}", updated_at=at(1, n)) for n in range(1, 8))
    page = page_of(public_list(notices=past))
    numbers = [row[0] for row in page.rows("//section[@aria-labelledby='past']/table")]
    assert numbers == ["2026-007", "2026-006", "2026-005", "2026-004", "2026-003"]
    assert "All 7 past notices" in page.text("//section[@aria-labelledby='past']")


def test_the_last_removed_entry_stands_first() -> None:
    removed = (RemovedEntry("older", OLD_CDN, at(2, 1)), RemovedEntry("newer", OLD_CDN, at(3, 1)))
    page = page_of(public_list(removed=removed))
    links = page.attributes("//section[@aria-labelledby='removed']//a", "href")
    assert links == [ADDRESSES.at("entries/newer"), ADDRESSES.at("entries/older")]


def test_a_past_day_is_announced_as_such_with_a_way_back_and_its_own_files() -> None:
    page = page_of(public_list(as_of=date(2026, 11, 10)))
    banner = page.text("//div[@class='as-of']")
    assert "as it stood at the end of Tuesday, 10 November 2026 (2026-11-10), Europe/Berlin" in banner
    assert page.attributes("//div[@class='as-of']//a", "href") == ["https://lists.example/antopsis/"]
    assert page.attributes("//div[@class='as-of']//input[@type='date']", "value") == ["2026-11-10"]
    assert page.attributes("//a[contains(text(), 'CSV')]", "href") == [
        "https://lists.example/antopsis/subprocessors.csv?as_of=2026-11-10"
    ]
    assert page.attributes("//form[@role='search']/input[@type='hidden']", "value") == ["2026-11-10"]


def test_days_are_counted_from_the_past_day_shown_and_nobody_is_invited_to_object() -> None:
    page = page_of(public_list(as_of=date(2026, 11, 10)))
    notice = "//article[@id='notice-2026-004']"
    assert page.text(f"{notice}//p[@class='countdown']") == "24 days later"
    assert page.facts(notice)["Objections until"] == "end of Wednesday, 2 December 2026 (2026-12-02), Europe/Berlin"
    assert "How to object" not in page.text(notice)


@pytest.mark.parametrize(
    ("today", "words"),
    [
        (date(2026, 12, 3), "tomorrow"),
        (date(2026, 12, 4), "today"),
        (date(2026, 12, 5), "due yesterday"),
        (date(2026, 12, 7), "due 3 days ago"),
    ],
)
def test_the_countdown_says_plainly_how_far_the_day_is(today: date, words: str) -> None:
    page = page_of(public_list(today=today))
    assert page.text("//article[@id='notice-2026-004']//p[@class='countdown']") == words


def test_an_emergency_is_marked_with_its_reason() -> None:
    notice = replace(STRIPE_NOTICE, emergency_reason="The old processor has stopped working")
    page = page_of(public_list(notices=(notice,)))
    assert page.text("//p[@class='countdown']") == "in 13 days Emergency"
    assert "Reason: The old processor has stopped working" in page.text("//article[@class='notice']")


def test_a_demonstration_says_that_letters_are_not_sent() -> None:
    assert page_of(public_list()).texts("//aside[@class='demo']") == []
    assert page_of(public_list(is_demo=True)).text("//aside[@class='demo']") == (
        "Demonstration installation: letters are not sent."
    )


def test_a_list_without_anything_says_so_and_offers_no_search() -> None:
    page = page_of(empty_list())
    assert page.texts("//p[@class='nothing']") == ["No change is announced.", "Nothing is on the list yet."]
    assert page.texts("//form[@role='search']") == []


def test_notices_of_every_state_are_told_apart() -> None:
    page = Page(renderer().notices_page(public_list(), ADDRESSES))
    assert page.attributes("//section[@class='upcoming']/article", "id") == ["notice-2026-004", "notice-2026-003"]
    assert [row[0] for row in page.rows("//section[@aria-labelledby='past']/table")] == [
        WITHDRAWN_NOTICE.number,
        KEYCDN_NOTICE.number,
    ]
    assert BUNNY_NOTICE.number not in page.text("//section[@aria-labelledby='past']")
