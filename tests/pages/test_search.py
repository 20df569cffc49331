"""Which entries a search finds."""

from __future__ import annotations

import pytest

from registry.pages.selection import ListQuery, select_entries
from registry.pages.values import PublicEntry
from tests.pages.factories import FOUNDED_AT, content, public_list


def found(query: ListQuery | None) -> list[str]:
    return [entry.key for entry in select_entries(public_list(), query)]


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("stripe", ["stripe"]),
        ("STRIPE payments", ["stripe"]),
        ("Hetzner Online GmbH", ["hetzner"]),
        ("germany", ["cloudflare-r2", "hetzner"]),
        ("de backup", ["cloudflare-r2"]),
        ("privacy framework", ["cloudflare", "stripe"]),
        ("post office labs", ["resend"]),
        ("independent controller", ["google"]),
        ("sign in with google", ["google"]),
        ("nothing-of-the-kind", []),
    ],
)
def test_a_search_finds_entries_by_every_word_a_reader_sees(words: str, keys: list[str]) -> None:
    assert found(ListQuery(q=words)) == keys


def test_a_search_does_not_ask_for_accents_or_capitals() -> None:
    entry = PublicEntry("muenchen", content("Müller & Söhne"), FOUNDED_AT, FOUNDED_AT)
    public = public_list(entries=(entry,))
    assert select_entries(public, ListQuery(q="muller sohne")) == (entry,)
    assert select_entries(public, ListQuery(q="MÜLLER")) == (entry,)


def test_an_entry_that_names_no_product_concerns_them_all() -> None:
    assert "restream" in found(ListQuery(product=("streaming",)))
    assert "stripe" in found(ListQuery(product=("streaming",)))
    assert "restream" not in found(ListQuery(product=("recording",)))
    assert "stripe" in found(ListQuery(product=("recording",)))


def test_a_product_the_publisher_does_not_have_finds_nothing() -> None:
    assert found(ListQuery(product=("no-such-product",))) == []


def test_words_and_product_narrow_together() -> None:
    assert found(ListQuery(q="stream", product=("recording",))) == ["cloudflare", "hetzner"]


def test_an_empty_search_finds_everything() -> None:
    assert len(found(ListQuery(q="   ", product=()))) == len(found(None)) == 8
    assert not ListQuery(q="  ", product=()).asks_anything


def test_only_the_beginning_of_an_endless_query_is_searched_for() -> None:
    assert ListQuery(q="a" * 1000).words == ("a" * 200,)
