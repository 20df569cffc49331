"""The list searched and filtered: what it shows, says, offers, and takes along."""

from __future__ import annotations

from registry.pages.selection import ListQuery
from tests.pages.factories import public_list
from tests.pages.reading import Page, page_of


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
