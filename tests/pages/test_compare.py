"""Two days side by side, without a database: which days can be compared, and what is shown of a difference."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from registry.domain.entries import EntryContent, read_entry
from registry.domain.errors import InvalidInput
from registry.domain.vocabulary import ChangeKind
from registry.pages import compare
from registry.pages.compare import (
    AskedDays,
    Cause,
    Comparison,
    Difference,
    build_comparison,
    read_days,
    show_comparison,
)
from registry.pages.entry_facts import Names
from tests.pages.factories import ADDRESSES, BUNNY, HETZNER, OLD_CDN, PUBLISHER, STRIPE, STRIPE_LATER, change
from tests.pages.reading import Page, renderer

TODAY, FOUNDED = date(2026, 11, 21), date(2026, 3, 16)
DAYS = AskedDays(date(2026, 4, 1), TODAY)
KEYCDN_LEAVES = Cause("2026-001", "KeyCDN leaves the list", datetime(2026, 4, 30, 22, tzinfo=UTC))


def comparison(*differences: Difference, days: AskedDays = DAYS) -> Comparison:
    """Return a comparison of the tests' publisher."""
    names = Names({}, {difference.change.key: difference.change.name for difference in differences})
    return Comparison(days, "Europe/Berlin", differences, names)


THREE = (
    Difference(change("stripe", STRIPE, STRIPE_LATER), is_corrected=True),
    Difference(change("bunny", None, BUNNY)),
    Difference(change("keycdn", OLD_CDN, None), (KEYCDN_LEAVES,)),
)


def rendered(found: Comparison) -> Page:
    """Return the page that shows a comparison."""
    body = renderer().page(
        "public/compare.html",
        publisher=PUBLISHER,
        addresses=ADDRESSES,
        zone=found.time_zone,
        days=found.days,
        today=TODAY,
        founded_on=FOUNDED,
        lists={found.days.from_on: "https://lists.example/then", found.days.to_on: "https://lists.example/now"},
        address="https://lists.example/kept",
        file="https://lists.example/file",
        **show_comparison(found, ADDRESSES),
    )
    return Page(body)


def test_without_days_it_is_the_last_90_and_never_before_the_founding() -> None:
    assert read_days({}, TODAY, FOUNDED) == AskedDays(date(2026, 8, 23), TODAY)
    assert read_days({"from": " ", "to": ""}, TODAY, FOUNDED) == AskedDays(date(2026, 8, 23), TODAY)
    assert read_days({"to": "2026-04-01"}, TODAY, FOUNDED) == AskedDays(FOUNDED, date(2026, 4, 1))
    assert read_days({"from": "2026-04-01"}, TODAY, FOUNDED) == AskedDays(date(2026, 4, 1), TODAY)
    assert read_days({"from": "2026-11-21", "to": "2026-11-21"}, TODAY, TODAY) == AskedDays(TODAY, TODAY)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"from": "2026-11-22"}, [("from", "future-as-of")]),
        ({"from": "2026-03-15", "to": "2026-11-22"}, [("from", "before-founding"), ("to", "future-as-of")]),
        ({"from": "2026-11-02", "to": "2026-11-01"}, [("from", "days-reversed")]),
        ({"from": "soon", "to": "2026-02-30"}, [("from", "not-a-date"), ("to", "impossible-date")]),
        ({"from": "0001-01-01", "to": "9999-12-31"}, [("from", "before-founding"), ("to", "future-as-of")]),
    ],
)
def test_every_problem_is_told_at_once_by_its_field(given: dict[str, str], found: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_days(given, TODAY, FOUNDED)
    assert [(problem.field, problem.code) for problem in refused.value.problems] == found


def test_entries_stand_by_what_became_of_them_with_their_counts_and_kinds() -> None:
    page = rendered(comparison(*THREE))
    assert page.texts("//section[@aria-labelledby]/h2") == [
        "From 1 April 2026 to 21 November 2026",
        "Joined the list 1",
        "Left the list 1",
        "Changed 1",
    ]
    assert page.text("//*[@role='status']") == "3 entries differ."
    assert page.texts("//article/h3/a") == ["BunnyCDN", "KeyCDN", "Stripe"]
    facts = page.facts("//section[@aria-labelledby='result']")
    assert " ".join(facts["What happened"].split()) == "1 joined 1 left 1 changed"
    kinds = facts["Kinds of change"]
    for told in ("Data: 1", "Places: 1", "Retention: 1"):
        assert told in kinds
    assert "Joins" not in kinds
    assert page.text("//article[@id='entry-keycdn']/p").startswith("Notice 2026-001, in effect since 1 May 2026")
    assert "editorial correction" in page.text("//article[@id='entry-stripe']/p")
    assert [row[0] for row in page.rows("//article[@id='entry-stripe']/table")] == ["Data", "Places", "Retention"]
    assert page.texts("//article[@id='entry-stripe']/table/thead//th")[1:] == ["1 April 2026", "21 November 2026"]


def test_nothing_to_show_is_said() -> None:
    assert "Nothing differs" in rendered(comparison()).text("//*[@role='status']")
    same = rendered(comparison(days=AskedDays(TODAY, TODAY)))
    assert "Both days are the same one" in same.text("//*[@role='status']")


def test_a_page_shows_so_many_and_says_how_many_more_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "MOST_SHOWN", 2)
    shown = show_comparison(comparison(*THREE), ADDRESSES)
    assert (shown["total"], shown["more"]) == (3, 1)
    assert [outcome for outcome, _, _ in shown["sections"]] == ["added", "removed"]
    page = rendered(comparison(*THREE))
    assert page.text("//p[@class='nothing']") == "1 more entry differs. The file has them all."


def test_a_role_that_becomes_subprocessor_is_a_change_of_an_entry_that_stood() -> None:
    affiliate = read_entry(HETZNER.as_document() | {"role": "affiliate"})
    difference = Difference(change("hetzner", affiliate, HETZNER))
    assert difference.outcome == "changed"
    assert comparison(difference).kinds == ((ChangeKind.ADDITION, 1), (ChangeKind.ROLE, 1))


def test_the_file_has_every_difference_typed_and_is_the_same_for_the_same_values() -> None:
    publisher = {"slug": "antopsis", "name": "Antopsis", "legal_name": None}
    body = build_comparison(comparison(*THREE), ADDRESSES, publisher)
    assert body == build_comparison(comparison(*THREE), ADDRESSES, publisher)
    document = json.loads(body)
    assert document["counts"] == {"added": 1, "removed": 1, "changed": 1}
    assert document["page"] == "https://lists.example/antopsis/compare?from=2026-04-01&to=2026-11-21"
    assert [(each["key"], each["outcome"]) for each in document["differences"]] == [
        ("stripe", "changed"),
        ("bunny", "added"),
        ("keycdn", "removed"),
    ]
    assert document["differences"][2]["notices"] == [
        {
            "number": "2026-001",
            "url": "https://lists.example/antopsis/notices/2026-001",
            "summary": "KeyCDN leaves the list",
            "took_effect_at": "2026-04-30T22:00:00Z",
        }
    ]
    assert {"field", "kind", "weight", "before", "after"} == set(document["differences"][0]["fields"][0])


def test_nobodys_text_becomes_markup() -> None:
    hostile: EntryContent = read_entry({"name": "<script>alert(1)</script>", "purposes": ['"><img src=x>']})
    cause = Cause("2026-009", "<b>bold</b>", KEYCDN_LEAVES.took_effect_at)
    page = rendered(comparison(Difference(change("hostile", None, hostile), (cause,))))
    assert page.root.xpath("//script|//img|//article//b") == []
    assert "<b>bold</b>" in page.text("//article/p")
