"""What entries say in the language of the page, where the publisher had it translated; everywhere else the original."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest

from registry.domain.entries import EntryContent
from registry.domain.translations import with_translations
from registry.language import speaking
from registry.pages.compare import Difference, show_comparison
from registry.pages.embed import show_frame
from registry.pages.feed_items import FeedKind, build_feed
from registry.pages.filters import find_words, offer_choices, show_chosen
from registry.pages.selection import ListQuery, select_entries, select_notices
from registry.pages.values import Addresses, PastVersion, PublicList
from registry.writers.csv_list import build_csv
from registry.writers.json_list import build_json
from tests.pages.factories import (
    ADDRESSES,
    BUNNY,
    BUNNY_NOTICE,
    CURRENT,
    FOUNDED_AT,
    OLD_CDN,
    STRIPE,
    STRIPE_LATER,
    STRIPE_NOTICE,
    change,
    public_list,
)
from tests.pages.reading import Page, renderer
from tests.pages.test_compare import comparison

GERMAN = {
    "de": {
        "Payments": "Zahlungsabwicklung",
        "Customer id": "Kundennummer",
        "IP addresses": "IP-Adressen",
        "Account holders": "Kontoinhaber",
        "Dublin": "Dublin (Irland)",
        "10 years": "10 Jahre",
        "Content delivery": "Auslieferung <von> Inhalten",
        "Only for users who sign in with Google.": "Nur bei Anmeldung mit Google.",
        "Encrypted backups": "Verschlüsselte Sicherungen",
        "Sign-in with a Google account": "Verschlüsselte Sicherungen",
    }
}
NOTICES = (STRIPE_NOTICE, BUNNY_NOTICE)
ORIGINAL = public_list(notices=NOTICES)
ORIGINAL_HISTORY = (PastVersion(STRIPE_LATER, FOUNDED_AT, None, "editorial", change("stripe", STRIPE, STRIPE_LATER)),)
TO_GERMAN = Addresses(ADDRESSES.base, "de")


def german(content: EntryContent) -> EntryContent:
    """Return an entry with the translations of its texts."""
    return with_translations(content, GERMAN)


STRIPES = change("stripe", german(STRIPE), german(STRIPE_LATER))
TRANSLATED = replace(
    ORIGINAL,
    entries=tuple(replace(entry, content=german(entry.content)) for entry in ORIGINAL.entries),
    removed=tuple(replace(entry, content=german(entry.content)) for entry in ORIGINAL.removed),
    notices=(
        replace(STRIPE_NOTICE, changes=(STRIPES,)),
        replace(BUNNY_NOTICE, changes=(change("bunny", None, german(BUNNY)),)),
    ),
)
HISTORY = (replace(ORIGINAL_HISTORY[0], change=STRIPES),)


def in_german(make: Callable[[], bytes]) -> Page:
    with speaking("de"):
        return Page(make())


def pages_of(public: PublicList, history: tuple[PastVersion, ...]) -> dict[str, bytes]:
    """Every page and feed of a list, and its CSV, in the language spoken here; the typed feed has an own test."""
    pages = renderer()
    made = {
        "list": pages.list_page(public, ADDRESSES, ListQuery(purpose=("Payments",))),
        "entry": pages.entry_page(public, "stripe", history, ADDRESSES),
        "notices": pages.notices_page(public, ADDRESSES),
        "notice": pages.notice_page(public, public.notices[0], ADDRESSES),
        "csv": build_csv(public),
    }
    return made | {kind: build_feed(public, ADDRESSES, kind) for kind in get_args(FeedKind) if kind != "json"}


def test_in_the_publishers_own_language_not_a_byte_differs_from_a_list_without_translations() -> None:
    assert pages_of(TRANSLATED, HISTORY) == pages_of(ORIGINAL, ORIGINAL_HISTORY)


def test_a_list_without_translations_is_handed_on_as_it_is() -> None:
    with speaking("de"):
        row = renderer().list_page(ORIGINAL, TO_GERMAN)
        assert find_words(ORIGINAL) == {}
    assert "übersetzt".encode() not in row


def test_the_list_says_what_is_translated_and_leaves_the_rest_as_it_stands() -> None:
    page = in_german(lambda: renderer().list_page(TRANSLATED, TO_GERMAN))
    assert page.entry("stripe")[1:4] == [
        "Zahlungsabwicklung",
        "Kundennummer Subscription status Payment events",
        "Dublin (Irland), Irland Verarbeitung Vereinigte Staaten Zugriff für den Support",
    ]
    assert "Kontoinhaber" in page.further("stripe")
    assert page.entry("google")[1].endswith("Nur bei Anmeldung mit Google.")
    (removed,) = page.rows("//section[@aria-labelledby='removed']/table")
    assert removed[:2] == ["KeyCDN", "Auslieferung <von> Inhalten"]
    upcoming = page.text("//article[@id='notice-2026-004']")
    assert "Kundennummer Subscription status Payment events IP-Adressen" in upcoming
    assert "10 Jahre" in upcoming


def test_an_entrys_page_says_its_facts_and_its_history_in_the_language_of_the_page() -> None:
    page = in_german(lambda: renderer().entry_page(TRANSLATED, "stripe", HISTORY, TO_GERMAN))
    facts = page.facts("//section[@aria-labelledby='facts']")
    assert facts["Zwecke"] == "Zahlungsabwicklung"
    assert facts["Speicherdauer"] == "As long as the account is active, and 7 years for invoices"
    (history,) = page.texts("//section[@aria-labelledby='history']")
    assert "10 Jahre" in history


def test_what_is_not_translated_is_marked_as_of_the_publishers_language_and_the_page_says_where_the_original_is() -> (
    None
):
    page = in_german(lambda: renderer().entry_page(TRANSLATED, "stripe", HISTORY, TO_GERMAN))
    marked = page.texts("//main//*[@lang='en']")
    assert "Subscription status" in marked
    assert "As long as the account is active, and 7 years for invoices" in marked
    assert not {"Kundennummer", "Zahlungsabwicklung", "10 Jahre"} & set(marked)
    said = "Einige Texte auf dieser Seite hat Antopsis übersetzt; das Original ist auf Englisch."
    assert said in page.texts("//p[@class='quiet']")
    assert page.attributes("//a[@hreflang='en'][text()='Englisch']", "href") == [
        "https://lists.example/antopsis/entries/stripe?lang=en"
    ]
    untranslated = in_german(lambda: renderer().entry_page(TRANSLATED, "resend", (), TO_GERMAN))
    assert said not in untranslated.texts("//p")


def test_each_page_of_notices_says_them_before_and_after() -> None:
    for make in (
        lambda: renderer().notice_page(TRANSLATED, TRANSLATED.notices[0], TO_GERMAN),
        lambda: renderer().notices_page(TRANSLATED, TO_GERMAN),
    ):
        page = in_german(make)
        rows = {row[0]: row[1:] for row in page.rows("//table[@class='diff']")}
        assert rows["Daten"] == [
            "Kundennummer Subscription status Payment events",
            "Kundennummer Subscription status Payment events IP-Adressen",
        ]
        assert rows["Speicherdauer"] == ["As long as the account is active, and 7 years for invoices", "10 Jahre"]
        assert "hat Antopsis übersetzt" in page.text("//main")


def test_a_translation_that_a_text_outlived_is_not_shown() -> None:
    moved = with_translations(STRIPE.model_copy(update={"purposes": ("Payment processing",)}), GERMAN)
    public = replace(TRANSLATED, entries=(replace(TRANSLATED.entries[0], content=moved),), notices=())
    page = in_german(lambda: renderer().list_page(public, TO_GERMAN))
    assert page.entry("stripe")[1] == "Payment processing"


def test_a_comparison_and_the_frame_say_them_too() -> None:
    found = comparison(Difference(STRIPES), Difference(change("keycdn", german(OLD_CDN), None)))
    with speaking("de"):
        shown = show_comparison(found, TO_GERMAN)["sections"]
        frame = show_frame(TRANSLATED, TO_GERMAN, ListQuery())
    told = [row for _, _, differences in shown for each in differences for row in each.change.rows]
    assert "10 Jahre" in [member.text for row in told for member in row.after]
    assert "Auslieferung <von> Inhalten" in [member.text for row in told for member in row.before]
    entries = {entry.name: entry for _, _, section in frame["sections"] for entry in section}
    assert entries["Stripe"].purposes == ("Zahlungsabwicklung",)
    assert entries["Stripe"].places[0].startswith("Dublin (Irland), Irland")


@pytest.mark.parametrize(
    ("words", "keys"),
    [("zahlungs", ["stripe"]), ("Payments", ["stripe"]), ("anmeldung mit google", ["google"]), ("10 jahre", [])],
)
def test_a_search_finds_the_original_and_what_it_was_translated_to(words: str, keys: list[str]) -> None:
    assert [entry.key for entry in select_entries(TRANSLATED, ListQuery(q=words))] == keys
    if not keys:
        assert [notice.number for notice in select_notices(TRANSLATED, ListQuery(q=words))] == ["2026-004"]


def test_a_search_finds_a_notice_by_the_translations_of_an_entry_that_is_not_listed_yet() -> None:
    found = select_notices(TRANSLATED, ListQuery(q="auslieferung"))
    assert [notice.number for notice in found] == ["2026-003"]
    # Both words never stood in the entry at once: one is of before, the other of after.
    narrowed = german(STRIPE.model_copy(update={"purposes": ("Encrypted backups",)}))
    notice = replace(STRIPE_NOTICE, changes=(change("stripe", german(STRIPE), narrowed),))
    public = replace(TRANSLATED, notices=(notice,))
    assert len(select_notices(public, ListQuery(q="zahlungsabwicklung"))) == 1
    assert select_notices(public, ListQuery(q="zahlungsabwicklung sicherungen")) == ()


def test_a_filter_asks_for_the_original_and_is_called_by_its_translation() -> None:
    query = ListQuery(purpose=("Payments",))
    with speaking("de"):
        options = {
            option.value: option.label
            for choice in offer_choices(TRANSLATED, query)
            for option in choice.options
            if choice.field == "purpose"
        }
        (chosen,) = show_chosen(query, TRANSLATED, TO_GERMAN)
        feed = build_feed(TRANSLATED, TO_GERMAN, "atom", query).decode()
    assert options["Payments"] == chosen.value == "Zahlungsabwicklung"
    assert options["Transactional e-mail"] == "Transactional e-mail"
    # Two purposes must not look like one.
    assert options["Encrypted backups"] == "Encrypted backups"
    assert options["Sign-in with a Google account"] == "Sign-in with a Google account"
    assert "Zweck: Zahlungsabwicklung" in feed
    assert "purpose=Payments" in feed


@pytest.mark.parametrize("kind", ["rss", "atom", "json"])
def test_feeds_tell_it_in_their_language(kind: FeedKind) -> None:
    with speaking("de"):
        feed = build_feed(TRANSLATED, TO_GERMAN, kind).decode()
    assert "10 Jahre" in feed
    assert "Kundennummer" in feed


def test_what_programs_read_keeps_the_originals_and_has_the_translations_beside() -> None:
    with speaking("de"):
        feed = json.loads(build_feed(TRANSLATED, TO_GERMAN, "json"))
        file = build_json(TRANSLATED, ADDRESSES)
    assert file == build_json(TRANSLATED, ADDRESSES)
    assert "Payments" in file.decode()
    changes = [
        each for item in feed["items"] for each in ((item["_subprocessor_registry"]["notice"] or {}).get("changes", []))
    ]
    (stripes,) = [each for each in changes if each["key"] == "stripe"]
    retention: dict[str, Any] = next(field for field in stripes["fields"] if field["field"] == "retention")
    assert retention["after"] == "10 years"
    assert stripes["translations"]["de"]["10 years"] == "10 Jahre"


def test_a_table_is_in_the_language_of_its_address() -> None:
    def row(language: str) -> dict[str, str]:
        with speaking(language):
            text = build_csv(TRANSLATED).decode("utf-8-sig")
        return next(row for row in csv.DictReader(io.StringIO(text)) if row["key"] == "stripe")

    assert row("de")["purposes"] == "Zahlungsabwicklung"
    assert row("de")["data_categories"] == "Kundennummer; Subscription status; Payment events"
    assert row("en")["purposes"] == row("vi")["purposes"] == CURRENT["stripe"].purposes[0]
