"""What a process keeps is bounded, and made once however many ask for it."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from registry.web.front_memory import Kept


def kept(most: int = 3, most_weight: int = 100) -> Kept[str]:
    return Kept(most, most_weight, len)


def test_the_last_used_are_kept() -> None:
    memory, made = kept(), []

    def get(key: str) -> None:
        def make() -> str:
            made.append(key)
            return key

        assert memory.get(key, make) == key

    for key in "abcabcdbcd":
        get(key)
    # The room of `a` went to `d`.
    assert made == ["a", "b", "c", "d"]
    get("a")
    assert made[-1] == "a"
    assert len(memory) == 3


def test_together_they_are_no_heavier_than_they_may_be() -> None:
    memory = kept(most=1_000)
    for n in range(500):
        memory.get(n, partial(str.__mul__, "x", n % 50 + 1))
        assert memory.weight <= 100
    assert memory.weight == sum(len(value) for value, _ in memory._values.values())


def test_what_is_too_heavy_is_made_each_time_and_drives_out_nothing() -> None:
    memory, made = kept(), []
    memory.get("light", lambda: "x")

    def make() -> str:
        made.append(1)
        return "x" * 51

    for _ in range(2):
        assert len(memory.get("heavy", make)) == 51
    assert len(made) == 2
    assert len(memory) == 1


def test_an_error_is_raised_to_whoever_made_it_and_the_next_one_tries_again() -> None:
    memory = kept()

    def fail() -> str:
        raise ValueError("not now")

    for _ in range(2):
        with pytest.raises(ValueError, match="not now"):
            memory.get("key", fail)
    assert memory.get("key", lambda: "made") == "made"


def test_who_waits_for_one_that_fails_makes_it() -> None:
    memory, began, go = kept(), threading.Event(), threading.Event()
    outcome: list[object] = []

    def fail() -> str:
        began.set()
        go.wait(30)
        raise ValueError("not now")

    def first() -> None:
        try:
            memory.get("key", fail)
        except ValueError as error:
            outcome.append(str(error))

    def second() -> None:
        outcome.append(memory.get("key", lambda: "made"))

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert began.wait(30)
    threads[1].start()
    go.set()
    for thread in threads:
        thread.join(30)
    assert sorted(map(str, outcome)) == ["made", "not now"]
