"""Who engages whom: the entries of a list as a tree, by their `parent`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from registry.pages.entry_facts import Names
from registry.pages.values import Addresses, PublicEntry, PublicList

DEEPEST = 6
"""A file refuses a chain that leads back to itself, but none says how long one may be: what is deeper stands here."""


@dataclass(frozen=True)
class Link:
    """One entry of a chain, with those it engages. `is_this` marks the one whose page shows the chain."""

    name: str
    url: str
    is_this: bool
    engages: tuple[Link, ...]


def order_as_tree(entries: Sequence[PublicEntry]) -> tuple[tuple[PublicEntry, int], ...]:
    """Return entries with how deep each stands, every one after the one that engages it and else as they were.

    One whose parent is not among them stands by itself.
    """
    by_parent = _by_parent(entries)
    keys = {entry.key for entry in entries}
    found: dict[str, tuple[PublicEntry, int]] = {}

    def add(entry: PublicEntry, depth: int) -> None:
        if entry.key in found:
            return
        found[entry.key] = (entry, min(depth, DEEPEST))
        for below in by_parent.get(entry.key, ()):
            add(below, depth + 1)

    for entry in entries:
        if entry.content.parent not in keys:
            add(entry, 0)
    for entry in entries:
        # Whatever leads back to itself is still on the list.
        add(entry, 0)
    return tuple(found.values())


def find_chain(key: str, public: PublicList, addresses: Addresses, names: Names) -> Link | None:
    """Return the chain that an entry stands in, from the first of those that engage it down to all that it engages.

    None where it is engaged by nobody on the list, and engages nobody.
    """
    by_key = {entry.key: entry for entry in public.entries}
    if key not in by_key:
        return None
    above = [key]
    while (parent := by_key[above[-1]].content.parent) in by_key and parent not in above:
        above.append(parent)
    by_parent = _by_parent(public.entries)
    if len(above) == 1 and not by_parent.get(key):
        return None

    def link(at: str, below: tuple[Link, ...]) -> Link:
        return Link(names.entries.get(at, at), addresses.to(f"entries/{at}"), at == key, below)

    def all_below(at: str, seen: frozenset[str]) -> tuple[Link, ...]:
        found = [entry for entry in by_parent.get(at, ()) if entry.key not in seen]
        return tuple(link(entry.key, all_below(entry.key, seen | {entry.key})) for entry in found)

    chain = link(key, all_below(key, frozenset(above)))
    for each in above[1:]:
        chain = link(each, (chain,))
    return chain


def _by_parent(entries: Iterable[PublicEntry]) -> Mapping[str, list[PublicEntry]]:
    found: dict[str, list[PublicEntry]] = {}
    for entry in entries:
        if entry.content.parent is not None:
            found.setdefault(entry.content.parent, []).append(entry)
    return found
