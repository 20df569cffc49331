"""What a web process keeps of what it computed, bounded in number and in weight, so that nobody can fill its memory.

Two who ask for the same at the same time have it made once: the second waits for the first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from flask import current_app

from registry.pages.values import PublicList
from registry.steps.artefacts import Built
from registry.web.current import wiring
from registry.wiring import Wiring

Value = TypeVar("Value")

KEPT: Final = "registry-memory"

MEGABYTE: Final = 2**20
MOST_ARTEFACTS: Final = 2_000
MOST_BYTES_OF_ARTEFACTS: Final = 96 * MEGABYTE
MOST_VIEWS: Final = 500
MOST_BYTES_OF_VIEWS: Final = 32 * MEGABYTE
MOST_LISTS: Final = 16
MOST_ROWS_OF_LISTS: Final = 20_000
"""Entries and notices together; each takes a few kilobytes."""


class _Making(Generic[Value]):
    """A value that somebody is making, for the others to wait for."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.made: list[Value] = []


class Kept(Generic[Value]):
    """Values by key: the last used ones, at most so many and of so much weight. What is heavier than half of that
    is made and not kept.
    """

    def __init__(self, most: int, most_weight: int, weigh: Callable[[Value], int]) -> None:
        self._most, self._most_weight, self._weigh = most, most_weight, weigh
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._making: dict[Hashable, _Making[Value]] = {}
        self._lock = threading.Lock()
        self.weight = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return what is kept under the key, or make it; an error in making it is raised and not kept."""
        while True:
            with self._lock:
                found = self._values.get(key)
                if found is not None:
                    self._values.move_to_end(key)
                    return found[0]
                making = self._making.get(key)
                is_ours = making is None
                if making is None:
                    making = self._making[key] = _Making()
            if is_ours:
                return self._make(key, make, making)
            making.done.wait()
            if making.made:
                return making.made[0]

    def _make(self, key: Hashable, make: Callable[[], Value], making: _Making[Value]) -> Value:
        try:
            value = make()
            making.made.append(value)
        finally:
            with self._lock:
                del self._making[key]
                if making.made:
                    self._keep(key, making.made[0])
            making.done.set()
        return value

    def _keep(self, key: Hashable, value: Value) -> None:
        weight = self._weigh(value)
        if weight > self._most_weight / 2:
            return
        self._values[key] = (value, weight)
        self.weight += weight
        while len(self._values) > self._most or self.weight > self._most_weight:
            _, (_, dropped) = self._values.popitem(last=False)
            self.weight -= dropped


def weigh_built(built: Built) -> int:
    """Return the bytes that built ones may come to: compressed in two ways they are half as many again at most."""
    return len(built.body) * 3 // 2 + 500


def weigh_list(public: PublicList) -> int:
    """Return how many rows a list has."""
    return len(public.entries) + len(public.removed) + len(public.notices)


@dataclass
class Memory:
    """What one process keeps of one installation: artefacts, pages made for a reader, and lists as values."""

    parts: Wiring
    artefacts: Kept[Built] = field(default_factory=lambda: Kept(MOST_ARTEFACTS, MOST_BYTES_OF_ARTEFACTS, weigh_built))
    views: Kept[Built] = field(default_factory=lambda: Kept(MOST_VIEWS, MOST_BYTES_OF_VIEWS, weigh_built))
    lists: Kept[PublicList] = field(default_factory=lambda: Kept(MOST_LISTS, MOST_ROWS_OF_LISTS, weigh_list))


def memory() -> Memory:
    """Return the memory of this process; another installation begins with an empty one."""
    parts = wiring()
    kept: Memory | None = current_app.extensions.get(KEPT)
    if kept is None or kept.parts is not parts:
        kept = current_app.extensions[KEPT] = Memory(parts)
    return kept
