"""While letters are made ready lanes go on, but not from a batch: each of its letters has an answer to keep (R29)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import pytest

from registry.channels.base import Accepted, Answer, Channel, Envelope
from registry.steps.prepare_letters import Making
from tests.steps.post_office import announce_to, send, states_of, use_channel
from tests.world import World

READERS = [f"reader{n}@reader.example" for n in range(200)]


class TakesTen:
    """A provider that takes ten letters in one request, by two connections, and names no pace."""

    name, kind, is_real = "resend", "email", True
    account, requests_per_second, connections_in_all = "ten", None, None
    largest_batch, connections = 10, 2

    def __init__(self, sent: list[str]) -> None:
        self.sent = sent

    def sibling(self) -> Channel:
        return TakesTen(self.sent)

    def send(self, envelope: Envelope) -> Answer:
        return self.send_batch([envelope], "")[0]

    def send_batch(self, envelopes: Sequence[Envelope], key: str) -> list[Answer]:
        time.sleep(0.02)
        self.sent += [each.recipient for each in envelopes]
        return [Accepted(200, "taken", provider_ref=each.recipient) for each in envelopes]

    def close(self) -> None:
        """Nothing is open."""


def test_a_batch_that_is_answered_while_letters_are_made_keeps_every_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce_to(world, *READERS, customers="")
    make_one = Making.make_one

    def make_slowly(making: Making) -> bool:
        # So that what is on the wire is answered meanwhile.
        time.sleep(0.003)
        return make_one(making)

    monkeypatch.setattr(Making, "make_one", make_slowly)
    sent: list[str] = []
    use_channel(world, TakesTen(sent))
    assert send(world) == {"accepted": len(READERS)}
    assert Counter(states_of(world).values()) == {"accepted": len(READERS)}
    assert Counter(sent) == Counter(READERS)
