"""The list as CSV: what a spreadsheet shows, and what it must not run."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from registry.pages.selection import ListQuery
from registry.pages.values import PublicEntry, PublicList
from registry.writers.csv_list import COLUMNS, build_csv
from tests.pages.factories import FOUNDED_AT, content, empty_list, public_list


def rows(public: PublicList, query: ListQuery | None = None) -> dict[str, dict[str, str]]:
    text = build_csv(public, query).decode("utf-8-sig")
    return {row["key"]: row for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)}


def entry(**fields: object) -> PublicEntry:
    return PublicEntry("one", content(**{"name": "One", **fields}), FOUNDED_AT, FOUNDED_AT)  # type: ignore[arg-type]  # a value of any type is what is tried


def test_there_is_one_row_an_entry_by_key() -> None:
    assert list(rows(public_list())) == [
        "analytics",
        "cloudflare",
        "cloudflare-r2",
        "google",
        "hetzner",
        "resend",
        "restream",
        "stripe",
    ]


def test_a_narrowed_file_has_the_rows_of_what_fits_alone() -> None:
    assert list(rows(public_list(), ListQuery(region=("DE",)))) == ["cloudflare-r2", "hetzner"]
    assert rows(public_list(), ListQuery(q="no such thing")) == {}


def test_a_row_holds_what_is_stated() -> None:
    stripe = rows(public_list())["stripe"]
    assert stripe["legal_name"] == "Stripe Payments Europe, Limited"
    assert stripe["address"] == "1 Grand Canal Street Lower\nDublin"
    assert stripe["data_categories"] == "Customer id; Subscription status; Payment events"
    assert stripe["locations"] == "IE Dublin (processing); US (support_access)"
    assert stripe["transfers"].startswith("US: eu.art45.us-dpf (EU-US Data Privacy Framework, GDPR Art 45;")
    assert stripe["since"] == "2024-05-01"
    assert stripe["contact"] == "Data Protection Officer, dpo@stripe.example"
    assert stripe["listed_at"] == "2026-03-16T09:00:00Z"


def test_what_is_not_known_is_not_stated_and_what_most_lack_is_empty() -> None:
    resend = rows(public_list())["resend"]
    assert resend["legal_name"] == resend["locations"] == resend["transfers"] == "not stated"
    assert resend["parent"] == resend["until"] == resend["website"] == ""
    assert resend["products"] == "all"


def test_unknown_grounds_and_functions_are_not_stated_and_other_grounds_are_told() -> None:
    public = public_list(
        entries=(
            entry(
                locations=[{"country": "DE"}],
                transfers=[{"destination": "US"}, {"mechanism": "other", "details": "A treaty"}],
            ),
        )
    )
    assert rows(public)["one"]["locations"] == "DE (function not stated)"
    assert rows(public)["one"]["transfers"] == "US: not stated; other (A treaty)"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＋", "－", "＠"])
def test_a_cell_that_would_run_as_a_formula_begins_with_an_apostrophe(start: str) -> None:
    formula = f'{start}HYPERLINK("https://evil.example")'
    row = rows(public_list(entries=(entry(name=formula, purposes=[formula, "Payments"]),)))["one"]
    assert row["name"] == f"'{formula}"
    assert row["purposes"] == f"'{formula}; Payments"


def test_commas_quotes_and_line_breaks_do_not_break_a_row() -> None:
    hostile = 'a "quoted", comma'
    row = rows(public_list(entries=(entry(name=hostile, activity="first\nsecond"),)))["one"]
    assert row["name"] == hostile
    assert row["activity"] == "first\nsecond"


def test_the_file_begins_with_a_byte_order_mark_and_ends_its_lines_as_rfc_4180_asks() -> None:
    built = build_csv(empty_list())
    assert built == b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n"


def test_the_same_values_make_the_same_bytes_in_whatever_order_they_are_loaded() -> None:
    public = public_list()
    assert build_csv(public) == build_csv(replace(public, entries=public.entries[::-1]))
