"""What an address may ask of a list, and what it is told where that stands for nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.errors import InvalidInput
from registry.i18n import explain
from registry.language import LANGUAGES, speaking
from registry.pages.asking import read_query
from registry.pages.selection import (
    CHOICES,
    ListQuery,
    narrow_list,
    select_entries,
    select_notices,
)
from registry.pages.values import PublicEntry, PublicNotice
from tests.pages.factories import (
    BUNNY_NOTICE,
    FOUNDED_AT,
    KEYCDN_NOTICE,
    STRIPE_NOTICE,
    content,
    empty_list,
    public_list,
)


def found(**asked: Any) -> list[str]:
    query = read_query(
        {field: [value] if isinstance(value, str) else value for field, value in asked.items()}, public_list()
    )
    return sorted(entry.key for entry in select_entries(public_list(), query))


def refused(**asked: list[str]) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as refusal:
        read_query(asked, public_list())
    (problem,) = refusal.value.problems
    return problem.field, explain(refusal.value)


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ({"region": "DE"}, ["cloudflare-r2", "hetzner"]),
        ({"region": "de"}, ["cloudflare-r2", "hetzner"]),
        ({"region": "Germany"}, ["cloudflare-r2", "hetzner"]),
        ({"region": ["DE", "IE"]}, ["cloudflare-r2", "hetzner", "stripe"]),
        ({"region": "edge"}, ["cloudflare"]),
        ({"region": "US"}, ["cloudflare", "stripe"]),
        ({"region": "eea"}, ["cloudflare-r2", "hetzner", "stripe"]),
        ({"region": "outside-eea"}, ["cloudflare", "restream", "stripe"]),
        ({"region": "not-stated"}, ["analytics", "google", "resend"]),
        ({"region": "VN"}, []),
        ({"purpose": "payments"}, ["stripe"]),
        ({"purpose": ["Payments", "Usage statistics"]}, ["analytics", "stripe"]),
        ({"data": "stream content"}, ["cloudflare", "hetzner", "restream"]),
        ({"data": "not-stated"}, ["analytics", "resend"]),
        ({"data": "Stream content", "region": "DE"}, ["hetzner"]),
        ({"role": "independent_controller"}, ["google"]),
        ({"role": ["category", "customer_directed"]}, ["analytics", "restream"]),
        ({"mechanism": "eu.art45.us-dpf"}, ["cloudflare", "stripe"]),
        ({"mechanism": "unknown", "role": "customer_directed"}, ["restream"]),
        ({"product": "recording", "data": "Stream content"}, ["cloudflare", "hetzner"]),
        ({"q": "cloudflare", "region": "DE"}, ["cloudflare-r2"]),
    ],
)
def test_an_entry_fits_one_value_of_every_field_that_is_asked_for(asked: dict[str, Any], keys: list[str]) -> None:
    assert found(**asked) == keys


@pytest.mark.parametrize(
    ("field", "value", "near"),
    [
        ("product", "streeming", "streaming"),
        ("region", "germony", "DE"),
        ("region", "XX", "country code"),
        ("purpose", "Paymints", "Payments"),
        ("data", "IP adresses", "IP addresses"),
        ("role", "subprocesor", "subprocessor"),
        ("mechanism", "eu.art45.us-dfp", "eu.art45.us-dpf"),
    ],
)
def test_a_value_that_stands_for_nothing_is_refused_with_near_ones(field: str, value: str, near: str) -> None:
    refused_field, sentence = refused(**{field: [value]})
    assert refused_field == field
    assert f"“{value}”" in sentence
    assert near in sentence


def test_every_field_with_a_mistake_is_named_once_however_many_there_are() -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_query({"role": [f"role{n}" for n in range(500)], "region": ["nowhere"]}, public_list())
    assert [problem.field for problem in refusal.value.problems] == ["region", "role"]


def test_what_is_empty_asks_for_nothing_and_what_is_unknown_is_passed_over() -> None:
    asked = {"q": ["  "], "region": [""], "role": ["", " "], "utm_source": ["letter"]}
    assert read_query(asked, public_list()) == ListQuery()


def test_words_of_removed_and_announced_entries_are_known() -> None:
    assert found(purpose="Content delivery") == ["cloudflare"]
    later = replace(public_list(), entries=())
    assert read_query({"data": ["IP addresses"], "purpose": ["Content delivery"]}, later).data == ("IP addresses",)


def test_a_bookmark_of_a_past_day_may_name_what_came_later() -> None:
    then = empty_list(as_of=date(2026, 3, 20))
    with pytest.raises(InvalidInput):
        read_query({"purpose": ["Payments"]}, then)
    assert read_query({"purpose": ["Payments"]}, then, public_list()).purpose == ("Payments",)


def test_a_question_has_one_address_however_it_was_asked() -> None:
    asked = {"region": ["us", "DE", "Germany"], "q": ["  stripe   payments "], "data": ["ip ADDRESSES"]}
    pairs = read_query(asked, public_list()).as_query()
    assert pairs == (("q", "stripe payments"), ("region", "DE"), ("region", "US"), ("data", "IP addresses"))
    again: dict[str, list[str]] = {}
    for field, value in pairs:
        again.setdefault(field, []).append(value)
    assert read_query(again, public_list()).as_query() == pairs


def test_one_choice_can_be_taken_out() -> None:
    query = ListQuery(q="x", region=("DE", "US"))
    assert query.without("region", "DE") == ListQuery(q="x", region=("US",))
    assert query.without("q", "x") == ListQuery(region=("DE", "US"))


@given(
    st.dictionaries(st.sampled_from(("q", *CHOICES, "other")), st.lists(st.text(max_size=250), max_size=4), max_size=4)
)
def test_whatever_is_asked_is_answered_or_refused(asked: dict[str, list[str]]) -> None:
    public, refused = public_list(), []
    try:
        query = read_query(asked, public)
    except InvalidInput as refusal:
        refused = [problem.field for problem in refusal.problems]
        said = explain(refusal)
    if refused:
        assert set(refused) <= set(asked)
        assert all(said.count(field) for field in refused)
        return
    assert set(select_entries(public, query)) <= set(public.entries)
    assert {notice.number for notice in select_notices(public, query)} <= {notice.number for notice in public.notices}


def test_a_bookmark_finds_the_same_in_every_language() -> None:
    for language in LANGUAGES:
        with speaking(language):
            assert found(q="germany") == found(q="deutschland") == ["cloudflare-r2", "hetzner"]


def changed(notice: PublicNotice, **asked: Any) -> list[str]:
    (narrowed,) = select_notices(public_list(notices=(notice,)), ListQuery(**asked)) or (None,)
    return [change.key for change in narrowed.changes] if narrowed else []


def test_a_notice_is_narrowed_to_the_changes_that_concern_what_is_asked_for() -> None:
    both = replace(STRIPE_NOTICE, changes=(*STRIPE_NOTICE.changes, *BUNNY_NOTICE.changes))
    assert changed(both, purpose=("Content delivery",)) == ["bunny"]
    assert changed(both, region=("SG",)) == ["stripe"]
    assert changed(both, region=("US",)) == ["stripe"]  # it leaves, which concerns whoever asks for it
    assert changed(both, purpose=("Payments",)) == ["stripe"]  # which the change leaves alone
    assert changed(both, role=("subprocessor",)) == ["stripe", "bunny"]
    assert changed(both, role=("category",)) == []
    assert changed(both) == ["stripe", "bunny"]


def test_a_removal_concerns_whoever_asks_for_what_was() -> None:
    assert changed(KEYCDN_NOTICE, region=("CH",)) == ["keycdn"]
    assert changed(KEYCDN_NOTICE, region=("DE",)) == []


def test_a_narrowed_list_holds_what_fits_and_nothing_else() -> None:
    narrowed = narrow_list(public_list(), ListQuery(purpose=("Content delivery",)))
    assert [entry.key for entry in narrowed.entries] == ["cloudflare"]
    assert [entry.key for entry in narrowed.removed] == ["keycdn"]
    assert [notice.number for notice in narrowed.notices] == ["2026-001", "2026-003"]
    assert narrow_list(public_list(), ListQuery()) is not None
    assert narrow_list(public_list(), None) == public_list()


def test_a_document_of_an_older_release_is_still_searched() -> None:
    odd = replace(STRIPE_NOTICE.changes[0].fields[0], field="transfers", before=[{"mechanism": "eu.gone"}], after=None)
    notice = replace(STRIPE_NOTICE, changes=(replace(STRIPE_NOTICE.changes[0], fields=(odd,)),))
    assert changed(notice, q="eu.gone") == ["stripe"]


def test_a_folded_word_is_found() -> None:
    entry = PublicEntry("m", content("Müller", purposes=["Zahlungsverkehr für Kund:innen"]), FOUNDED_AT, FOUNDED_AT)
    public = public_list(entries=(entry,))
    assert read_query({"purpose": ["zahlungsverkehr fur kund:innen"]}, public).purpose == entry.content.purposes
