"""What a privacy officer finds on the list."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest

from registry.language import speaking
from registry.pages.selection import ListQuery
from registry.pages.values import PublicList, RemovedEntry
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
from tests.pages.reading import STYLESHEET_URL, Page, renderer


def page_of(public: PublicList, query: ListQuery | None = None) -> Page:
    return Page(renderer().list_page(public, ADDRESSES, query))


@pytest.fixture(scope="module")
def page() -> Page:
    return page_of(public_list())


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


def test_feeds_calendar_and_files_are_discoverable_and_linked(page: Page) -> None:
    alternates = dict(
        zip(
            page.attributes("//link[@rel='alternate'][@type]", "href"),
            page.attributes("//link[@rel='alternate'][@type]", "type"),
            strict=True,
        )
    )
    assert alternates == {
        "https://lists.example/antopsis/feed.atom": "application/atom+xml",
        "https://lists.example/antopsis/feed.rss": "application/rss+xml",
        "https://lists.example/antopsis/feed.json": "application/feed+json",
        "https://lists.example/antopsis/calendar.ics": "text/calendar",
        "https://lists.example/antopsis/subprocessors.json": "application/json",
        "https://lists.example/antopsis/subprocessors.csv": "text/csv",
    }
    linked = page.attributes("//section[@aria-labelledby='follow']//a", "href")
    assert set(alternates) <= set(linked)
    assert "https://lists.example/antopsis/subscribe" in linked
    assert "https://lists.example/antopsis/compare" in linked
    assert "https://lists.example/antopsis/embed/how" in linked


def test_every_language_is_offered_by_its_own_name_and_to_programs(page: Page) -> None:
    chooser = "//nav[@class='languages']//a"
    assert page.texts(chooser) == ["English", "Deutsch", "Tiếng Việt", "中文"]
    assert page.attributes(chooser, "lang") == page.attributes(chooser, "hreflang") == ["en", "de", "vi", "zh"]
    assert page.attributes(f"{chooser}[@aria-current]", "lang") == ["en"]
    alternates = "//link[@rel='alternate'][@hreflang]"
    assert page.attributes(alternates, "hreflang") == ["en", "de", "vi", "zh", "x-default"]
    assert page.attributes(alternates, "href")[1] == "https://lists.example/antopsis/?lang=de"
    assert page.attributes(alternates, "href")[-1] == "https://lists.example/antopsis/"


def test_a_page_in_another_language_keeps_it_in_its_links_and_its_permanent_addresses_do_not() -> None:
    with speaking("de"):
        page = Page(renderer().list_page(public_list(), replace(ADDRESSES, lang="de"), ListQuery(region=("DE",))))
    assert page.attributes("/html", "lang") == ["de"]
    own = [url for url in page.attributes("//main//a", "href") if url.startswith("https://lists.example")]
    assert own
    assert [url for url in own if "lang=de" not in url] == []
    addresses = page.texts("//code[@class='address']")
    assert len(addresses) == 2
    assert [url for url in addresses if "lang" in url] == []
    assert page.attributes("//form[@role='search']/input[@name='lang']", "value") == ["de"]
    assert page.attributes("//link[@rel='canonical']", "href") == ["https://lists.example/antopsis/?lang=de"]


def test_a_page_says_to_other_services_what_it_is(page: Page) -> None:
    said = dict(
        zip(
            page.attributes("//meta[@property]", "property"),
            page.attributes("//meta[@property]", "content"),
            strict=True,
        )
    )
    assert said["og:title"] == "Antopsis subprocessors"
    assert said["og:description"].startswith("Who Antopsis shares personal data with")
    assert said["og:url"] == "https://lists.example/antopsis/"


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


def test_a_search_that_finds_nothing_says_so_teaches_how_to_ask_and_leads_back() -> None:
    page = page_of(public_list(), ListQuery(q="no such thing", region=("VN",)))
    nothing = page.text("//div[@class='nothing']")
    assert nothing.startswith("Nothing on the list fits.")
    assert "An entry is found if it holds every word." in nothing
    assert "not where a company has its seat" in nothing
    assert page.attributes("//div[@class='nothing']//a", "href") == ["https://lists.example/antopsis/#list"]
    assert page.text("//p[@role='status']") == "0 entries of 8 found."


def test_a_search_narrows_the_entries_and_never_the_upcoming_changes() -> None:
    page = page_of(public_list(), ListQuery(q="falkenstein"))
    assert page.texts("//a[@class='name']") == ["Hetzner"]
    assert len(page.texts("//article[@class='notice']")) == 2
    assert page.attributes("//input[@type='search']", "value") == ["falkenstein"]


def test_what_is_filtered_is_said_and_can_be_taken_out_one_by_one() -> None:
    query = ListQuery(q="stripe", region=("US", "IE"), role=("subprocessor",))
    page = page_of(public_list(), query)
    assert page.texts("//ul[@class='chips']//span") == [
        "Words: “stripe”",
        "Region: Ireland",
        "Region: United States",
        "Role: Subprocessor",
    ]
    without = page.attributes("//ul[@class='chips']/li[span]/a", "href")
    assert without[0] == "https://lists.example/antopsis/?region=IE&region=US&role=subprocessor#list"
    assert without[1] == "https://lists.example/antopsis/?q=stripe&region=US&role=subprocessor#list"
    labels = page.attributes("//ul[@class='chips']/li[span]/a", "aria-label")
    assert labels[1] == "Without Region: Ireland"
    several = page.root.xpath("//select[@name='region'][@multiple]/option[@selected]")
    assert [option.get("value") for option in several] == ["IE", "US"]


def test_a_filtered_list_is_taken_along_as_files_feeds_and_calendar() -> None:
    page = page_of(public_list(), ListQuery(purpose=("Payments",)))
    links = page.attributes("//div[@class='outcome']/ul[@class='run']//a", "href")
    assert links == [
        f"https://lists.example/antopsis/{path}?purpose=Payments"
        for path in (
            *("subscribe", "subprocessors.json", "subprocessors.csv"),
            *("feed.atom", "feed.rss", "feed.json", "calendar.ics"),
        )
    ]
    assert page.text("//div[@class='outcome']//code") == "https://lists.example/antopsis/?purpose=Payments"
    assert page.attributes("//meta[@name='robots']", "content") == ["noindex"]
    assert page.attributes("//link[@rel='canonical']", "href") == ["https://lists.example/antopsis/"]


def test_a_filter_offers_what_the_list_holds_and_only_where_there_is_a_choice(page: Page) -> None:
    offered = page.attributes("//form[@role='search']//select", "name")
    assert offered == ["product", "region", "purpose", "data", "role", "mechanism"]
    regions = page.texts("//select[@name='region']/option")
    assert regions[:3] == ["all", "European Economic Area", "Outside the European Economic Area"]
    assert regions[-1] == "not stated"
    only = public_list(entries=public_list().entries[:1])
    assert "purpose" not in page_of(only).attributes("//form[@role='search']//select", "name")


def test_headings_go_down_one_level_at_a_time(page: Page) -> None:
    levels = [int(element.tag[1]) for element in page.root.xpath("//h1|//h2|//h3|//h4|//h5|//h6")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_the_page_has_landmarks_a_skip_link_and_labels_for_every_field(page: Page) -> None:
    assert [len(page.root.xpath(f"/html/body/{tag}")) for tag in ("header", "main", "footer")] == [1, 1, 1]
    assert page.attributes("//a[@class='skip']", "href") == ["#main"]
    fields = page.root.xpath("//input[not(@type='hidden')]|//select")
    labelled = set(page.attributes("//label", "for"))
    assert fields
    assert {field.get("id") for field in fields} <= labelled
    assert page.attributes("/html", "lang") == ["en"]


def test_every_table_heading_has_a_scope_and_every_id_stands_once(page: Page) -> None:
    assert page.root.xpath("//th[not(@scope)]") == []
    ids = page.attributes("//*[@id]", "id")
    assert len(ids) == len(set(ids))


def test_the_page_asks_nobody_else_for_anything_and_needs_no_script_or_inline_style(page: Page) -> None:
    loaded = page.attributes("//link[@rel='stylesheet']", "href") + page.attributes("//*[@src]", "src")
    assert loaded == [STYLESHEET_URL, STYLESHEET_URL.replace("registry", "pictures")]
    assert page.root.xpath("//script|//style|//iframe|//*[@style]") == []
    handlers = [name for element in page.root.iter() for name in element.attrib if name.startswith("on")]
    assert handlers == []


def test_notices_of_every_state_are_told_apart() -> None:
    page = Page(renderer().notices_page(public_list(), ADDRESSES))
    assert page.attributes("//section[@class='upcoming']/article", "id") == ["notice-2026-004", "notice-2026-003"]
    assert [row[0] for row in page.rows("//section[@aria-labelledby='past']/table")] == [
        WITHDRAWN_NOTICE.number,
        KEYCDN_NOTICE.number,
    ]
    assert BUNNY_NOTICE.number not in page.text("//section[@aria-labelledby='past']")
