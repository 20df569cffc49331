"""Step five: claim, send, settle (DESIGN §4.4, R26–R31). The one step that owns its transactions.

```
claim N rows ──▶ commit ──▶ for each: start k (and settle k-1) ──▶ commit ──▶ on the wire ──▶ … ──▶ settle the last
```

Nothing is open while on the wire. A row is fenced by its lease's token: who lost the lease settles nothing. If the
process dies, `recover_leases` finds the row: before the send began it is due again, afterwards it may have arrived.

Each kind of address is a road with lanes of its own, so that a slow one keeps no other waiting. All transactions are
made by the one thread that called; the lanes know no database.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from queue import SimpleQueue
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from registry.channels.base import Accepted, Channel
from registry.steps.claim_deliveries import Lease, claim_deliveries, find_held, get_attempt, release_leases
from registry.steps.dispatch import Dispatch
from registry.steps.keyring import load_keyring
from registry.steps.lanes import Answered, Lane, ReadyLetter, add_lane, most_lanes
from registry.steps.letter_turns import NOTHING_DONE, Beginning, LetterTurns, Taken, Turn, TurnFailed
from registry.steps.prepare_letters import Prepared, prepare_letters
from registry.steps.settle_delivery import ACCEPTED, move_delivery, record_answer, settle_delivery
from registry.steps.start_delivery import start_delivery
from registry.tables.engine import writing

__all__ = ["Dispatch", "move_delivery", "send_deliveries"]

BATCH: Final = 100
LETTERS_A_LANE: Final = 10
"""A further connection is opened for so many letters that wait: a handful is not worth one."""
PAUSES_FOR_THE_DATABASE: Final = (0.1, 0.5, 2.0)
"""Seconds between tries to store what happened to a letter. On SQLite each try also waits for the lock by itself."""

LOOK_AGAIN_AFTER: Final = 5.0
"""Seconds until a road that had nothing due is looked at again, while others are busy."""
DATABASE_AWAY: Final = (OperationalError, InterfaceError)

Result = TypeVar("Result")


def send_deliveries(
    engine: Engine,
    clock: Callable[[], datetime],
    dispatch: Dispatch,
    limit: int | None = None,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, int]:
    """Send what is due until nothing is, or until `limit` letters; return how many ended in each state.

    `clock` gives aware UTC. Sends nothing while dispatch is paused (R32). Between two letters `should_stop` is asked:
    on True the letters that are on the wire are settled, and what was claimed and not begun is due again at once.

    A letter that cannot be made is put before a person, and the others go on. What a channel raises is an error of the
    program: its letter counts as ambiguous, the rest that was claimed is given back, and the error goes to the caller.
    """
    run = _Run(engine, clock, dispatch, limit, should_stop)
    try:
        run.send()
    finally:
        run.end()
    return dict(run.ended)


@dataclass
class _Road:
    """A kind of address during one run: its channel, its lanes, and what was claimed for it and not begun.

    `look_at` (monotonic) is when to look for due letters again, after there were none.
    """

    channel: Channel
    lanes: list[Lane] = field(default_factory=list)
    idle: list[Lane] = field(default_factory=list)
    waiting: deque[tuple[Lease, Prepared | None]] = field(default_factory=deque)
    last_publisher: int = 0
    look_at: float = 0.0


class _Run:
    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], datetime],
        dispatch: Dispatch,
        limit: int | None,
        should_stop: Callable[[], bool],
    ) -> None:
        self.ended: Counter[str] = Counter()
        self._engine, self._clock, self._dispatch = engine, clock, dispatch
        self._left = limit
        self._should_stop = should_stop
        self._roads = [_Road(channel) for channel in dispatch.channels.values()]
        self._road_of: dict[Lane, _Road] = {}
        self._answers: SimpleQueue[Answered] = SimpleQueue()
        self._on_the_wire = 0
        self._turns: LetterTurns | None = None

    def send(self) -> None:
        while True:
            for road in self._roads:
                self._fill(road)
            self._open_lanes()
            for road in self._roads:
                while road.idle and road.waiting and not self._should_stop():
                    self._go_on(road.idle.pop(), None)
            if self._on_the_wire:
                self._settle_and_go_on(self._answers.get())
            elif self._should_stop() or not any(self._has_more(road) for road in self._roads):
                return

    def end(self) -> None:
        """Give back what was not begun, and settle what is on the wire, whatever has happened."""
        waiting = [lease for road in self._roads for lease, _ in road.waiting]
        for road in self._roads:
            road.waiting.clear()
        try:
            if waiting:
                self._persist(lambda session: release_leases(session, self._clock(), waiting))
        finally:
            try:
                while self._on_the_wire:
                    self._settle_and_go_on(self._answers.get())
            finally:
                for lane, road in self._road_of.items():
                    lane.end()
                    if lane.channel is not road.channel:
                        lane.channel.close()
                if self._turns is not None:
                    self._turns.close()

    def _has_more(self, road: _Road) -> bool:
        return bool(road.waiting) or (self._left != 0 and time.monotonic() >= road.look_at)

    def _fill(self, road: _Road) -> None:
        """Claim for a road whose lanes are about to have nothing to do."""
        is_supplied = len(road.waiting) >= max(1, len(road.lanes))
        if is_supplied or time.monotonic() < road.look_at or self._left == 0 or self._should_stop():
            return
        wanted = BATCH if self._left is None else min(BATCH, self._left)
        with writing(self._engine) as session:
            now = self._clock()
            self._dispatch = replace(self._dispatch, keyring=load_keyring(session, now))
            leases = claim_deliveries(
                session, now, road.channel, self._dispatch.mail_only_to, wanted, after_publisher=road.last_publisher
            )
            prepared = prepare_letters(session, now, leases, self._dispatch)
        if not leases:
            road.look_at = time.monotonic() + LOOK_AGAIN_AFTER
            return
        if self._left is not None:
            self._left -= len(leases)
        road.last_publisher = leases[-1].publisher_id
        road.waiting.extend((lease, prepared.get(lease.delivery_id)) for lease in leases)

    def _open_lanes(self) -> None:
        for road in self._roads:
            wanted = min(most_lanes(road.channel), -(-len(road.waiting) // LETTERS_A_LANE))
            while len(road.lanes) < wanted:
                lane = add_lane(road.channel, road.lanes, self._answers, self._clock)
                road.idle.append(lane)
                self._road_of[lane] = road
        if len(self._road_of) > 1:
            for road in self._roads:
                for lane in road.idle:
                    lane.get_a_thread()

    def _settle_and_go_on(self, answered: Answered) -> None:
        self._on_the_wire -= 1
        self._go_on(answered.lane, answered)
        if answered.defect is not None:
            raise answered.defect

    def _go_on(self, lane: Lane, answered: Answered | None) -> None:
        """Settle the lane's letter and put the next one that may go out on the wire, in one commit (R29)."""
        road = self._road_of[lane]
        while True:
            stops = self._should_stop() or (answered is not None and answered.defect is not None)
            following = road.waiting[0] if road.waiting and not stops else None
            ready = self._settle_and_start(answered, following)
            answered = None
            if following is None:
                road.idle.append(lane)
                return
            road.waiting.popleft()
            if ready is not None:
                lane.hand_over(ready)
                self._on_the_wire += 1
                return

    def _settle_and_start(
        self, answered: Answered | None, following: tuple[Lease, Prepared | None] | None
    ) -> ReadyLetter | None:
        """Settle one letter and commit that the next one begins, together; return the next one if it may go out."""
        lease, prepared = following or (None, None)
        if _is_plain(answered) and (lease is None or prepared is not None):
            turn = self._take_turn(answered, lease, prepared)
            if turn.is_settled:
                self.ended[ACCEPTED] += 1
                answered = None
            if turn.has_begun and lease is not None and prepared is not None:
                if answered is not None:
                    lost = answered
                    self._persist(lambda session: self._settle(lost, session))
                return ReadyLetter(lease, prepared.envelope, is_plain=True)
        if answered is None and lease is None:
            return None

        def work(session: Session) -> tuple[ReadyLetter | None, list[str]]:
            states = self._settle(answered, session) if answered is not None else []
            if lease is None:
                return None, states
            envelope, state = start_delivery(session, self._clock(), lease, self._dispatch)
            return ReadyLetter(lease, envelope) if envelope else None, [*states, *([state] if state else [])]

        ready, states = self._persist(work)
        self.ended.update(states)
        return ready

    def _take_turn(self, answered: Answered | None, lease: Lease | None, prepared: Prepared | None) -> Turn:
        taken = beginning = None
        if answered is not None and isinstance(answered.answer, Accepted):
            taken = Taken(answered.letter.lease, answered.answer, answered.answered_at)
        if lease is not None and prepared is not None:
            beginning = Beginning(lease, prepared.sha256, self._clock())
        if taken is None and beginning is None:
            return NOTHING_DONE
        try:
            if self._turns is None:
                self._turns = LetterTurns(self._engine)
            return self._turns.take(taken, beginning)
        except (TurnFailed, *DATABASE_AWAY):
            # What came of it is found out row by row, by the way that can wait for the database.
            if self._turns is not None:
                self._turns.give_up()
                self._turns = None
            return NOTHING_DONE

    def _settle(self, answered: Answered, session: Session) -> list[str]:
        lease = answered.letter.lease
        delivery = find_held(session, lease)
        attempt = get_attempt(session, lease)
        if delivery is None:
            # The lease ran out meanwhile. What the server said stays on record, and whoever holds the row now heeds it.
            record_answer(attempt, answered.answer, answered.answered_at)
            return []
        settle_delivery(
            session,
            delivery,
            attempt,
            answered.answer,
            answered.answered_at,
            channel_kind=answered.lane.channel.kind,
            jitter=self._dispatch.jitter(),
        )
        return [delivery.state]

    def _persist(self, work: Callable[[Session], Result]) -> Result:
        """Do `work` in a transaction, and again where the database is locked or was away, until patience ends.

        Then its error is raised, and the leases of whatever was under way run out. Work that was done, but whose commit
        lost its answer, may be done again: each part asks first whether its lease still holds.
        """
        for pause in PAUSES_FOR_THE_DATABASE:
            try:
                with writing(self._engine) as session:
                    return work(session)
            except DATABASE_AWAY:
                time.sleep(pause)
        with writing(self._engine) as session:
            return work(session)


def _is_plain(answered: Answered | None) -> bool:
    return answered is None or (answered.letter.is_plain and isinstance(answered.answer, Accepted))
