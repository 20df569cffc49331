"""The typed changes in the JSON Feed: their schema, their shapes, and what stays out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from registry.domain.changes import EntryChange
from registry.language import LANGUAGES, speaking
from registry.pages.feed_changes import EXTENSION_NAME, EXTENSION_VERSION, FEED_SCHEMA_PATH, notice_document
from registry.pages.feed_items import build_feed
from registry.pages.selection import CHOICES, ListQuery
from registry.pages.values import PublicList, PublicNotice, ToldStatement
from registry.writers.feed_schema import load_feed_schema
from registry.writers.json_list import build_json, load_schema
from tests.feeds.json_feed_rules import JSON_FEED
from tests.pages.factories import (
    ADDRESSES,
    BUNNY_NOTICE,
    KEYCDN_NOTICE,
    STRIPE_NOTICE,
    WITHDRAWN_NOTICE,
    at,
    empty_list,
    public_list,
)

SCHEMA: dict[str, Any] = json.loads(load_feed_schema())
NAME = f"_{EXTENSION_NAME}"


def read(public: PublicList, query: ListQuery | None = None) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(build_feed(public, ADDRESSES, "json", query))
    for schema in (SCHEMA, JSON_FEED):
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)
    return document


def told(*notices: PublicNotice) -> dict[str, dict[str, Any]]:
    document = read(public_list(notices=notices))
    return {item["id"].rpartition("notices/")[2]: item[NAME] for item in document["items"]}


def test_the_schema_is_a_schema_and_the_feed_names_it() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    extension = read(public_list())[NAME]
    assert extension["about"] == f"https://lists.example/antopsis/{FEED_SCHEMA_PATH}"
    assert extension["version"] == EXTENSION_VERSION == SCHEMA["properties"][NAME]["properties"]["version"]["const"]
    assert extension["publisher"]["time_zone"] == "Europe/Berlin"
    assert extension["filter"] is None


@pytest.mark.parametrize("public", [public_list(), empty_list(), public_list(is_demo=True)], ids=["full", "no", "demo"])
def test_every_feed_fits_the_schema(public: PublicList) -> None:
    assert read(public)[NAME]["is_demo"] is public.is_demo


def test_the_schema_describes_every_field_that_is_written_and_no_other() -> None:
    document = read(public_list(), ListQuery("stripe", ("streaming",)))
    feed = SCHEMA["properties"][NAME]["properties"]
    assert set(document[NAME]) == set(feed)
    assert set(document[NAME]["publisher"]) == set(feed["publisher"]["properties"])
    assert set(document[NAME]["filter"]) == set(feed["filter"]["properties"]) == {"q", *CHOICES}
    item = SCHEMA["properties"]["items"]["items"]["properties"][NAME]["properties"]
    extension = document["items"][0][NAME]
    assert set(extension) == set(item)
    assert set(extension["statement"]) == set(item["statement"]["properties"])
    assert set(extension["notice"]) == set(SCHEMA["$defs"]["notice"]["properties"])
    described = set(SCHEMA["$defs"]["change"]["properties"])
    assert set(extension["notice"]["changes"][0]) | {"translations"} == described


def test_a_notice_has_the_shape_it_has_in_the_lists_own_file() -> None:
    in_file = json.loads(build_json(public_list(), ADDRESSES))["upcoming"]
    in_feed = {notice.number: notice_document(notice, ADDRESSES) for notice in public_list().upcoming}
    assert [notice["number"] for notice in in_file] == list(in_feed)
    for notice in in_file:
        more = in_feed[notice["number"]]
        assert {field: json.loads(json.dumps(more[field])) for field in notice} == notice
        assert set(more) - set(notice) == {"took_effect_at", "withdrawn_at"}
    schema_of_file = json.loads(load_schema())
    assert SCHEMA["$defs"]["change"] == schema_of_file["$defs"]["change"]
    for field, schema in schema_of_file["properties"]["upcoming"]["items"]["properties"].items():
        if field not in {"state", "changes"}:
            assert SCHEMA["$defs"]["notice"]["properties"][field] == schema, field


def test_an_item_carries_its_changes_typed_field_by_field() -> None:
    item = told(STRIPE_NOTICE)["2026-004/announcement"]
    assert item["statement"] == {
        "kind": "announcement",
        "number": 1,
        "made_at": "2026-11-02T08:00:00Z",
        "effective_on": "2026-12-04",
        "is_replaced": False,
    }
    notice = item["notice"]
    assert (notice["number"], notice["state"]) == ("2026-004", "announced")
    assert (notice["effective_on"], notice["objection_until_on"]) == ("2026-12-04", "2026-12-02")
    assert [EntryChange.from_document(change) for change in notice["changes"]] == list(STRIPE_NOTICE.changes)
    fields = {field["field"]: field for field in notice["changes"][0]["fields"]}
    assert fields["retention"]["after"] == "10 years"
    assert fields["data_categories"]["weight"] == "binding"


def test_each_kind_of_statement_is_told_with_its_own_date_and_the_notice_as_it_holds_now() -> None:
    postponed = replace(
        STRIPE_NOTICE,
        effective_on=at(12, 18).date(),
        statements=(
            *STRIPE_NOTICE.statements,
            ToldStatement(2, "reminder", at(11, 20), at(12, 4).date()),
            ToldStatement(3, "correction", at(11, 21), at(12, 4).date()),
            ToldStatement(4, "postponement", at(12, 1), at(12, 11).date()),
            ToldStatement(5, "postponement", at(12, 8), at(12, 18).date()),
        ),
    )
    items = told(postponed, KEYCDN_NOTICE, WITHDRAWN_NOTICE, BUNNY_NOTICE)
    statements = {name: item["statement"] for name, item in items.items()}
    shown = {name: (each["kind"], each["number"], each["effective_on"]) for name, each in statements.items()}
    founding = shown.pop("tag:lists.example,2026:antopsis/founding")
    assert founding == ("founding", None, None)
    assert shown == {
        "2026-001/announcement": ("announcement", 1, "2026-05-01"),
        "2026-001/effect": ("effect", 2, "2026-05-01"),
        "2026-002/announcement": ("announcement", 1, "2026-07-02"),
        "2026-002/withdrawal": ("withdrawal", 2, None),
        "2026-003/announcement": ("announcement", 1, "2026-11-06"),
        "2026-003/postponement-2": ("postponement", 2, None),
        "2026-004/announcement": ("announcement", 1, "2026-12-04"),
        "2026-004/correction-3": ("correction", 3, "2026-12-04"),
        "2026-004/postponement-4": ("postponement", 4, "2026-12-11"),
        "2026-004/postponement-5": ("postponement", 5, "2026-12-18"),
    }
    assert [name for name, each in statements.items() if each["is_replaced"]] == ["2026-004/postponement-4"]
    assert {items[name]["notice"]["effective_on"] for name in shown if name.startswith("2026-004")} == {"2026-12-18"}
    assert items["2026-002/withdrawal"]["notice"]["withdrawn_at"] == "2026-06-20T08:00:00Z"
    assert items["2026-001/effect"]["notice"]["took_effect_at"] == "2026-04-30T22:00:00Z"


def test_a_filtered_feed_says_what_it_asks_for_and_how_many_changes_it_leaves_out() -> None:
    both = replace(STRIPE_NOTICE, changes=(*STRIPE_NOTICE.changes, *BUNNY_NOTICE.changes))
    document = read(public_list(notices=(both,)), ListQuery("bunny  cdn", region=("SI",)))
    assert document[NAME]["filter"] == {
        "q": "bunny cdn",
        "product": [],
        "region": ["SI"],
        "purpose": [],
        "data": [],
        "role": [],
        "mechanism": [],
    }
    announcement = document["items"][0][NAME]
    assert [change["key"] for change in announcement["notice"]["changes"]] == ["bunny"]
    assert announcement["changes_left_out"] == 1


def test_what_programs_read_is_the_same_in_every_language() -> None:
    extensions = []
    for language in LANGUAGES:
        with speaking(language):
            document = read(public_list())
        extensions.append([document[NAME], *(item[NAME] for item in document["items"])])
    assert all(extension == extensions[0] for extension in extensions)
