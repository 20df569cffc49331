"""The lanes that letters leave by: one connection each, and for more than one at a time a thread each.

A lane knows no database. It takes a letter out of its road's queue, and puts what came of it into the queue of answers.
What has lain in the road's queue for too long comes back unsent, for whether it may go out is to be asked anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue
from typing import Protocol, runtime_checkable

from registry.channels.base import Accepted, Ambiguous, Answer, Channel, Envelope
from registry.steps.claim_deliveries import Lease


@runtime_checkable
class ManyConnections(Protocol):
    """A channel that may hold several connections at once."""

    @property
    def connections(self) -> int:
        """The most connections that one worker may hold."""

    def sibling(self) -> Channel:
        """Return another channel of the same road, with a connection of its own."""


@runtime_checkable
class Paced(Protocol):
    """A channel whose provider sets a pace, or whose operator has (R31)."""

    @property
    def account(self) -> str:
        """What the pace belongs to, the same in every worker, without secrets."""

    @property
    def requests_per_second(self) -> float | None:
        """How many requests the operator allows in a second, None for as many as the provider takes."""

    @property
    def connections_in_all(self) -> int | None:
        """The most connections that all workers together may hold, None for no such limit."""


@runtime_checkable
class TakesBatches(Protocol):
    """A channel that carries many letters in one request."""

    @property
    def largest_batch(self) -> int:
        """The most letters of one request."""

    def send_batch(self, envelopes: Sequence[Envelope], key: str) -> list[Answer]:
        """Carry the letters in one request under a key, and return one answer for each, in their order."""


@dataclass(frozen=True, slots=True)
class ReadyLetter:
    """A letter whose start is committed. A plain one needs no more than its row settled once it is taken."""

    lease: Lease
    envelope: Envelope
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes on the wire at once: one letter, or a batch under the key that is stored with it.

    `goes_until` is for one that must wait for its lane: if it has none by then, on the monotonic clock, it comes back;
    so it does once a stop is asked for.
    """

    letters: tuple[ReadyLetter, ...]
    batch_key: str | None = None
    goes_until: float | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A parcel that was on the wire, what came back for each letter, and when (UTC).

    `defect` is what the channel raised, if it did. Without answers it was not on the wire, and came back.
    """

    lane: Lane
    parcel: Parcel
    answers: tuple[Answer, ...]
    answered_at: datetime
    defect: BaseException | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is one plain letter that was taken, so that its answer is all there is to keep."""
        is_alone = self.parcel.batch_key is None and self.was_sent
        return is_alone and self.parcel.letters[0].is_plain and isinstance(self.answers[0], Accepted)

    @property
    def was_sent(self) -> bool:
        """Whether it went on the wire."""
        return bool(self.answers)


class Lane:
    """One connection of a road. Until it `gets_a_thread`, a letter is sent by whoever has it `carry` one."""

    def __init__(
        self,
        channel: Channel,
        parcels: SimpleQueue[Parcel | None],
        answers: SimpleQueue[Answered],
        clock: Callable[[], datetime],
        should_stop: Callable[[], bool],
    ) -> None:
        self.channel = channel
        self._batches = channel if isinstance(channel, TakesBatches) else None
        self._parcels = parcels
        self._answers = answers
        self._clock = clock
        self._should_stop = should_stop
        self._thread: threading.Thread | None = None

    @property
    def has_a_thread(self) -> bool:
        """Whether it takes letters out of its road's queue by itself."""
        return self._thread is not None

    def get_a_thread(self) -> None:
        """Take letters out of the road's queue by a thread of its own from now on. The lane must be idle."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"lane-{self.channel.name}", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Wait for the thread, which ends once it finds a None in the road's queue, or its channel failed."""
        if self._thread is not None:
            self._thread.join()

    def carry(self, parcel: Parcel) -> bool:
        """Put a parcel on the wire, and what came of it into the queue of answers; return False for a defect."""
        defect: BaseException | None = None
        # What ends a program is raised where it is heard; in a thread nobody would hear it.
        kept = Exception if self._thread is None else BaseException
        try:
            answers = self._send(parcel)
        except kept as raised:
            # Nobody can say how far it came, so it counts as what may have arrived.
            unknown = Ambiguous(None, f"the channel failed with {type(raised).__name__}")
            answers, defect = (unknown,) * len(parcel.letters), raised
        self._answers.put(Answered(self, parcel, answers, self._clock(), defect))
        return defect is None

    def _work(self) -> None:
        is_well = True
        # A channel that failed as none should is given no other letter: its run ends.
        while is_well and (parcel := self._parcels.get()) is not None:
            if parcel.goes_until is None or (time.monotonic() <= parcel.goes_until and not self._should_stop()):
                is_well = self.carry(parcel)
            else:
                self._answers.put(Answered(self, parcel, (), self._clock()))

    def _send(self, parcel: Parcel) -> tuple[Answer, ...]:
        if parcel.batch_key is None or self._batches is None:
            return tuple(self.channel.send(letter.envelope) for letter in parcel.letters)
        return tuple(self._batches.send_batch([letter.envelope for letter in parcel.letters], parcel.batch_key))
