"""The lanes that letters leave by: one connection each, and for more than one at a time a thread each.

A lane knows no database. It is handed one letter, and puts what came of it into the queue of answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue
from typing import Protocol, runtime_checkable

from registry.channels.base import Ambiguous, Answer, Channel, Envelope
from registry.steps.claim_deliveries import Lease


@runtime_checkable
class ManyConnections(Protocol):
    """A channel that may hold several connections at once."""

    @property
    def connections(self) -> int:
        """The most connections that one worker may hold."""

    def sibling(self) -> Channel:
        """Return another channel of the same road, with a connection of its own."""


@dataclass(frozen=True, slots=True)
class ReadyLetter:
    """A letter whose start is committed. A plain one needs no more than its row settled once it is taken."""

    lease: Lease
    envelope: Envelope
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """A letter that was on the wire, what came back, and when (UTC). `defect` is what the channel raised, if it did."""

    lane: Lane
    letter: ReadyLetter
    answer: Answer
    answered_at: datetime
    defect: BaseException | None = None


class Lane:
    """One connection of a road. Until it `gets_a_thread`, a letter is sent by whoever hands it over."""

    def __init__(self, channel: Channel, answers: SimpleQueue[Answered], clock: Callable[[], datetime]) -> None:
        self.channel = channel
        self._answers = answers
        self._clock = clock
        self._letters: SimpleQueue[ReadyLetter | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def get_a_thread(self) -> None:
        """Send by a thread of its own from now on. The lane must be idle."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"lane-{self.channel.name}", daemon=True)
            self._thread.start()

    def hand_over(self, letter: ReadyLetter) -> None:
        """Put a letter on the wire. Its answer comes into the queue of answers."""
        if self._thread is None:
            self._carry(letter)
        else:
            self._letters.put(letter)

    def end(self) -> None:
        """Let the thread end once its letter is answered, and wait for it."""
        if self._thread is not None:
            self._letters.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (letter := self._letters.get()) is not None:
            self._carry(letter)

    def _carry(self, letter: ReadyLetter) -> None:
        defect: BaseException | None = None
        # What ends a program is raised where it is heard; in a thread nobody would hear it.
        kept = Exception if self._thread is None else BaseException
        try:
            answer: Answer = self.channel.send(letter.envelope)
        except kept as raised:
            # Nobody can say how far it came, so it counts as what may have arrived.
            answer, defect = Ambiguous(None, f"the channel failed with {type(raised).__name__}"), raised
        self._answers.put(Answered(self, letter, answer, self._clock(), defect))


def most_lanes(channel: Channel) -> int:
    """Return how many letters may be on a road at once."""
    return channel.connections if isinstance(channel, ManyConnections) else 1


def add_lane(
    channel: Channel, lanes: list[Lane], answers: SimpleQueue[Answered], clock: Callable[[], datetime]
) -> Lane:
    """Open a lane of a road: the first over the channel itself, a further one over a connection beside it."""
    beside = lanes and isinstance(channel, ManyConnections)
    lane = Lane(channel.sibling() if beside and isinstance(channel, ManyConnections) else channel, answers, clock)
    lanes.append(lane)
    return lane
