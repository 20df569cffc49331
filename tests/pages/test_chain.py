"""Chains of processors as trees."""

from __future__ import annotations

from registry.pages.chain import Link, find_chain, order_as_tree
from registry.pages.entry_facts import Names
from registry.pages.values import PublicEntry, PublicList
from tests.pages.factories import ADDRESSES, FOUNDED_AT, content, public_list


def entries(**parents: str | None) -> tuple[PublicEntry, ...]:
    return tuple(
        PublicEntry(key, content(key.title(), **({"parent": parent} if parent else {})), FOUNDED_AT, FOUNDED_AT)
        for key, parent in parents.items()
    )


def ordered(**parents: str | None) -> list[tuple[str, int]]:
    return [(entry.key, depth) for entry, depth in order_as_tree(entries(**parents))]


def chain(key: str, public: PublicList) -> list[str]:
    found = find_chain(key, public, ADDRESSES, Names.of(public))
    lines: list[str] = []

    def read(link: Link, depth: int) -> None:
        lines.append("  " * depth + link.name + (" *" if link.is_this else ""))
        for each in link.engages:
            read(each, depth + 1)

    if found:
        read(found, 0)
    return lines


def test_each_entry_stands_after_the_one_that_engages_it() -> None:
    assert ordered(alfa=None, bravo="zulu", charlie=None, delta="bravo", zulu=None) == [
        ("alfa", 0),
        ("charlie", 0),
        ("zulu", 0),
        ("bravo", 1),
        ("delta", 2),
    ]


def test_one_whose_parent_is_not_among_them_stands_by_itself() -> None:
    assert ordered(alfa="elsewhere", bravo=None) == [("alfa", 0), ("bravo", 0)]


def test_a_circle_loses_nobody() -> None:
    assert {key for key, _ in ordered(alfa="bravo", bravo="alfa", charlie="charlie")} == {"alfa", "bravo", "charlie"}
    assert chain("alfa", public_list(entries=entries(alfa="bravo", bravo="alfa")))


def test_a_chain_runs_from_the_first_to_all_that_the_entry_engages_and_leaves_its_siblings_out() -> None:
    public = public_list(entries=entries(top=None, middle="top", other="top", leaf="middle", last="leaf"))
    assert chain("middle", public) == ["Top", "  Middle *", "    Leaf", "      Last"]
    assert chain("last", public) == ["Top", "  Middle", "    Leaf", "      Last *"]


def test_an_entry_without_a_chain_has_none() -> None:
    public = public_list(entries=entries(alone=None, orphan="elsewhere"))
    assert chain("alone", public) == chain("orphan", public) == chain("nobody", public) == []
