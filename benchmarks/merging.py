"""Merging: what differs per recipient into a frozen letter, in memory and on one core, to the bytes sent (R30).

No database, no network and no hash. Every round has recipients of its own, made anew before the clock starts, so that
nothing a run has seen helps the next. Three recipients in ten have names that HTML or quoted-printable must escape.
`python -m benchmarks.merging` measures this alone.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from benchmarks.rows import Row, a_minute, at_least, paces, table, timed
from registry.domain.vocabulary import Audience, ServiceLetterKind
from registry.letters import wording
from registry.letters.compose import compose, list_headers
from registry.letters.press import Press
from registry.letters.slots import slots_of
from registry.letters.values import FrozenLetter, Merge
from tests.letters.cast import ANNOUNCEMENT, ANTOPSIS, FOUR_CHANGES, RENDERER

LETTERS = 2_000
ROUNDS = 7
PACE = 50_000
LEAST_RATIO = 4.0
MEMORY = "memory"

NAMES = (
    "Example Customer {} GmbH",
    "Nordlicht {} AG",
    "Beispiel & Söhne {} GmbH",
    "Atelier {} Ltd.",
    "Công ty {} TNHH",
    "O'Neill {} Inc.",
    "Kontor {} KG",
    "Werft {} SE",
    "Example Widgets and Machine Tools {} Company",
    "Muster {} e.V.",
)


def measure() -> Iterator[Row]:
    """Compare a press with composing every letter by itself, and with the pace it must reach."""
    four = RENDERER.render_statement(ANNOUNCEMENT, Audience.CUSTOMER, "en")
    one = RENDERER.render_statement(replace(ANNOUNCEMENT, changes=FOUR_CHANGES[2:3]), Audience.FOLLOWER, "en")
    confirm = RENDERER.render_service_letter(ServiceLetterKind.CONFIRM, ANTOPSIS, "en")
    yield from measure_letter("announcement of 4 changes to a customer", four, Audience.CUSTOMER)
    yield from measure_letter("announcement of 1 change to a follower", one, Audience.FOLLOWER)
    yield from measure_letter("request to confirm a subscription", confirm, Audience.FOLLOWER)


def measure_letter(called: str, letter: FrozenLetter, audience: Audience) -> Iterator[Row]:
    """Measure one letter in rounds, a round of ours and a round of the peer's in turn."""
    press = Press(letter, ANTOPSIS)
    ours, composed = [], []
    size = 0
    for number in range(ROUNDS):
        merges = list(recipients(letter, audience, number))

        def merge_all(merges: list[Merge] = merges) -> None:
            for merge in merges:
                press.merge(merge)

        def compose_all(merges: list[Merge] = merges) -> None:
            for merge in merges:
                compose(letter, merge, ANTOPSIS)

        ours.append(timed(merge_all))
        composed.append(timed(compose_all))
        size = len(press.merge(merges[0]))
        assert all(press.merge(merge) == compose(letter, merge, ANTOPSIS) for merge in merges[:100])
    what = f"letters merged: {called}, {size / 1_000:.1f} kB"
    means = f"one processor core makes {a_minute(LETTERS, ours)} letters a minute ready of this: {called}"
    yield at_least(what, MEMORY, LETTERS, ours, PACE, "letters", means)
    yield paces(what, MEMORY, LETTERS, ours, "composed one by one", composed, LEAST_RATIO)


def recipients(letter: FrozenLetter, audience: Audience, round_number: int) -> Iterator[Merge]:
    """Make what is stored and signed for each recipient of a round, as the product has it when it sends."""
    wanted = slots_of(letter) | {"manage_url", "unsubscribe_url"}
    deadline = wording.say_deadline(date(2026, 10, 30), "Europe/Berlin")
    for number in range(round_number * LETTERS, (round_number + 1) * LETTERS):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        name = NAMES[number % len(NAMES)].format(number)
        leave = f"https://registry.example/antopsis/unsubscribe/k1.{number}.{digest[:40]}"
        confirmed_on = date(2026, 1, 1) + timedelta(days=number % 250)
        said = {
            "recipient_name": name,
            "objection_deadline": deadline,
            "why": wording.say_why_contact("Antopsis", name)
            if audience is Audience.CUSTOMER
            else wording.say_why_follower("Antopsis", confirmed_on),
            "manage_url": f"https://registry.example/antopsis/manage/k1.{number}.{digest[24:]}",
            "object_url": f"https://registry.example/antopsis/object/k1.{number}.{digest[:40]}",
            "acknowledge_url": f"https://registry.example/antopsis/acknowledge/k1.{number}.{digest[:40]}",
            "unsubscribe_url": leave,
            "confirm_url": f"https://registry.example/antopsis/confirm/{digest}",
            "delivery_reference": f"registry.example/{number}",
        }
        yield Merge(
            recipient=f"privacy@customer{number}.example",
            recipient_name=name if number % 2 else None,
            message_id=f"<2026-001-announcement.{number}.{digest[:16]}@registry.example>",
            boundary=f"=_{digest[:32]}",
            date_at=datetime(2026, 9, 30, 8, tzinfo=UTC) + timedelta(seconds=number // LETTERS),
            slots=tuple((slot, words) for slot, words in said.items() if slot in wanted),
            headers=list_headers(ANTOPSIS, audience, leave, "registry.example"),
        )


def main() -> None:
    """Measure, and print the table."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.merging",
        description="Measure how quickly a recipient's words are merged into a frozen letter, in memory.",
        epilog="Example: python -m benchmarks.merging",
    ).parse_args()
    print(table(measure()))


if __name__ == "__main__":
    main()
