"""The list as JSON: it fits its own schema, says what is not stated, and is the same for the same values."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from registry.domain.changes import EntryChange
from registry.domain.entries import EntryContent
from registry.pages.selection import ListQuery
from registry.pages.values import PublicEntry, PublicList
from registry.writers.json_list import SCHEMA_PATH, build_json, load_schema
from tests.pages.factories import ADDRESSES, FOUNDED_AT, STRIPE_NOTICE, change, content, empty_list, public_list

SCHEMA: dict[str, Any] = json.loads(load_schema())


def read(public: PublicList) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(build_json(public, ADDRESSES))
    return document


def check(document: dict[str, Any]) -> None:
    Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "public",
    [public_list(), empty_list(), public_list(as_of=date(2026, 11, 10), is_demo=True)],
    ids=["full", "empty", "past"],
)
def test_every_list_fits_the_schema_it_names(public: PublicList) -> None:
    document = read(public)
    check(document)
    assert document["$schema"] == f"https://lists.example/antopsis/{SCHEMA_PATH}"


def test_the_schema_describes_every_field_that_is_written_and_no_other() -> None:
    document = read(public_list())
    properties = SCHEMA["properties"]
    assert set(document) == set(properties)
    assert set(document["publisher"]) == set(properties["publisher"]["properties"])
    for part in ("entries", "upcoming", "removed"):
        assert set(document[part][0]) == set(properties[part]["items"]["properties"]), part
    entry = properties["entries"]["items"]["properties"]
    stripe = next(entry for entry in document["entries"] if entry["key"] == "stripe")
    for part in ("locations", "transfers"):
        assert set(stripe[part][0]) == set(entry[part]["items"]["properties"]), part
    for part in ("contact", "links"):
        assert set(stripe[part]) == set(entry[part]["properties"]), part
    assert set(document["upcoming"][0]["changes"][0]) | {"translations"} == set(SCHEMA["$defs"]["change"]["properties"])


def test_every_field_of_an_entry_is_written() -> None:
    entry = read(public_list())["entries"][0]
    assert set(EntryContent.model_fields) <= set(entry)


def test_what_is_not_stated_is_null_and_an_entry_of_all_products_names_none() -> None:
    resend = next(entry for entry in read(public_list())["entries"] if entry["key"] == "resend")
    assert resend["legal_name"] is None
    assert resend["data_categories"] is None
    assert resend["locations"] is None
    assert resend["transfers"] is None
    assert resend["products"] == []
    assert resend["former_names"] == ["Post Office Labs"]


def test_a_transfer_carries_its_legal_name_and_citation_and_an_unknown_one_is_null() -> None:
    unknown = content("Somebody", transfers=[{"destination": "US"}])
    public = public_list(entries=(PublicEntry("somebody", unknown, FOUNDED_AT, FOUNDED_AT),))
    document = read(public)
    check(document)
    [transfer] = document["entries"][0]["transfers"]
    assert (transfer["mechanism"], transfer["mechanism_name"], transfer["citation"]) == (None, None, None)
    stripe = next(entry for entry in read(public_list())["entries"] if entry["key"] == "stripe")
    assert stripe["transfers"][1]["mechanism"] == "eu.art46.scc2021.m3"
    assert stripe["transfers"][1]["citation"] == "GDPR Art 46(2)(c); Dec (EU) 2021/914"


def test_translations_stand_beside_the_texts_they_translate() -> None:
    mail = content("Post", purposes=["Mail"], translations={"de": {"Mail": "Post"}})
    added = replace(STRIPE_NOTICE, changes=(change("post", None, mail),))
    entry = PublicEntry("post", mail, FOUNDED_AT, FOUNDED_AT)
    document = read(public_list(entries=(entry,), notices=(added,)))
    check(document)
    written = document["entries"][0]
    assert (written["purposes"], written["translations"]) == (["Mail"], {"de": {"Mail": "Post"}})
    assert document["upcoming"][0]["changes"][0]["translations"] == {"de": {"Mail": "Post"}}
    assert read(public_list())["entries"][0]["translations"] == {}


def test_upcoming_notices_carry_their_typed_changes_which_can_be_read_back() -> None:
    upcoming = read(public_list())["upcoming"]
    assert [notice["number"] for notice in upcoming] == ["2026-004", "2026-003"]
    first = upcoming[0]
    assert first["effective_on"] == "2026-12-04"
    assert first["effective_at"] == "2026-12-03T23:00:00Z"
    assert first["objection_until_on"] == "2026-12-02"
    assert EntryChange.from_document(first["changes"][0]) == STRIPE_NOTICE.changes[0]
    assert upcoming[1]["effective_on"] is None


def test_removed_entries_keep_their_name_and_the_instant_they_left() -> None:
    assert read(public_list())["removed"] == [
        {
            "key": "keycdn",
            "url": "https://lists.example/antopsis/entries/keycdn",
            "name": "KeyCDN",
            "legal_name": None,
            "removed_at": "2026-04-30T22:00:00Z",
        }
    ]


def test_the_bytes_do_not_change_with_the_day_nor_with_the_order_of_loading() -> None:
    public = public_list()
    tomorrow = replace(public, today=date(2026, 11, 22), entries=public.entries[::-1])
    assert build_json(public, ADDRESSES) == build_json(tomorrow, ADDRESSES)
    assert read(public)["as_of"] is None
    assert read(replace(public, as_of=date(2026, 11, 10)))["as_of"] == "2026-11-10"


def test_text_stays_readable_in_the_file() -> None:
    entry = PublicEntry("a", content("Ängström 株式会社"), FOUNDED_AT, FOUNDED_AT)
    assert "Ängström 株式会社".encode() in build_json(public_list(entries=(entry,)), ADDRESSES)


def test_a_narrowed_file_holds_what_fits_and_says_what_was_asked_for() -> None:
    document: dict[str, Any] = json.loads(
        build_json(public_list(), ADDRESSES, ListQuery(purpose=("Content delivery",)))
    )
    check(document)
    assert document["filter"]["purpose"] == ["Content delivery"]
    assert [entry["key"] for entry in document["entries"]] == ["cloudflare"]
    assert [notice["number"] for notice in document["upcoming"]] == ["2026-003"]
    assert [entry["key"] for entry in document["removed"]] == ["keycdn"]
    assert build_json(public_list(), ADDRESSES, ListQuery()) == build_json(public_list(), ADDRESSES)
    assert read(public_list())["filter"] is None
