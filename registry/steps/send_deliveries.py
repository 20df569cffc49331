"""Step five: claim, send, settle (DESIGN §4.4, R26–R31). It owns its transactions.

```
claim N rows ──▶ commit ──▶ for each: settle k-1 and start k ──▶ commit ──▶ on the wire ──▶ … ──▶ settle the last
```

Nothing of a letter is open while it is on the wire. A row is fenced by its lease's token: who lost the lease settles
nothing. If the process dies, `recover_leases` finds the row: before the send began it is due again, afterwards it may
have arrived.

Each kind of address is a road with lanes of its own, so that a slow one keeps no other waiting. All transactions are
made by the one thread that called; the lanes know no database, and several to one server do not wait for it either
(`Road.has_room`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from registry.channels.base import Accepted, Answer
from registry.steps.claim_deliveries import Lease, find_attempt, find_held, release_leases
from registry.steps.delivery_log import DeliveryLog
from registry.steps.dispatch import Dispatch
from registry.steps.lanes import Answered, Parcel, ReadyLetter
from registry.steps.persist import persist
from registry.steps.plain_letters import PlainLetters
from registry.steps.prepare_letters import Prepared, Waiting
from registry.steps.roads import Road
from registry.steps.send_batches import (
    SETTLED,
    begin_batch,
    claim_batch_again,
    finish_batch,
    is_decided,
    settle_accepted,
)
from registry.steps.settle_delivery import ACCEPTED, count_defect, record_answer, settle_delivery
from registry.steps.start_delivery import start_delivery
from registry.steps.supply import Supply
from registry.tables.engine import writing

LONGEST_NAP: Final = 0.25
"""Seconds to sleep at most while letters wait for their place, so that a stop is heard."""
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
    on True the letters that are on the wire are settled, and whatever else was claimed is due again at once.

    A letter that cannot be made is put before a person, and the others go on. What a channel raises is an error of the
    program: its letter counts as ambiguous, the rest that was claimed is given back, and the error goes to the caller.
    """
    run = Run(engine, clock, dispatch, limit, should_stop)
    try:
        run.send()
    finally:
        run.end()
    return dict(run.log.ended)


class Run:
    """One run of sending: the roads, the letters on the wire, and the log of those that ended."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], datetime],
        dispatch: Dispatch,
        limit: int | None,
        should_stop: Callable[[], bool],
    ) -> None:
        self.log = DeliveryLog()
        self._engine, self._clock = engine, clock
        self._supply = Supply(engine, clock, dispatch, limit, self._take_turns_meanwhile)
        self._should_stop = should_stop
        self._roads = [Road(channel, should_stop) for channel in dispatch.channels.values()]
        self._answers: SimpleQueue[Answered] = SimpleQueue()
        self._plain = PlainLetters(engine, clock, self.log)

    def send(self) -> None:
        """Send until nothing is due, or a stop is asked for. What is on the wire then is settled by `end`."""
        while True:
            for road in self._roads:
                self._fill(road)
                if road.may_open_more:
                    road.open_lanes(self._engine, self._clock(), self._answers, self._clock)
                    self._give_threads()
            for road in self._roads:
                while road.has_room and road.waiting and not self._should_stop():
                    if not road.find_place(self._engine, self._clock()):
                        if road.is_shut:
                            self._release(road)
                        break
                    self._go_on(road, None)
            if self._should_stop() or not (self._under_way or any(self._has_more(road) for road in self._roads)):
                return
            self._wait_for_an_answer()

    def end(self) -> None:
        """Give back what is not on the wire, and settle what is, whatever has happened.

        All of it is done, from the bottom to the top, also where a part of it fails.
        """
        # Nothing begins any more, whatever it was that ended the run.
        self._should_stop = lambda: True
        for road in self._roads:
            road.take_back()
        with ExitStack() as each:
            each.callback(self.log.tell)
            each.callback(self._plain.close)
            each.callback(self._plain.settle)
            for road in self._roads:
                each.callback(road.close, self._engine)
            for road in self._roads:
                # What a lane had taken may come back unsent.
                each.callback(self._release, road)
            for _ in range(self._under_way):
                each.callback(lambda: self._take_answer(self._answers.get()))
            for road in self._roads:
                each.callback(self._release, road)

    @property
    def _under_way(self) -> int:
        return sum(road.under_way for road in self._roads)

    def _give_threads(self) -> None:
        """More than one lane at once needs a thread for each; a single one is quicker without."""
        lanes = [lane for road in self._roads for lane in road.lanes]
        for lane in lanes if len(lanes) > 1 else ():
            lane.get_a_thread()

    def _has_more(self, road: Road) -> bool:
        return bool(road.lanes) if road.unbegun else self._supply.may_have_more(road)

    def _wait_for_an_answer(self) -> None:
        """Take the next answer; wait no longer than until a letter has its place, or a road is to be looked at."""
        while self._under_way and self._answers.empty() and self._supply.work_ahead():
            # The lanes' threads want to go on, too.
            time.sleep(0)
        if not self._answers.empty():
            self._take_answer(self._answers.get())
            return
        moments = [at for road in self._roads if (at := road.next_place_at) is not None]
        if self._under_way:
            moments += [at for road in self._roads if (at := self._next_look_at(road)) is not None]
        wait = max(0.0, min(moments) - time.monotonic()) if moments else None
        if not self._under_way:
            time.sleep(0.0 if wait is None else min(wait, LONGEST_NAP))
            return
        try:
            answered = self._answers.get(timeout=wait)
        except Empty:
            # Lanes may hang for long: what the others took is settled meanwhile.
            self._plain.settle_if_due()
            return
        self._take_answer(answered)

    def _next_look_at(self, road: Road) -> float | None:
        at = road.next_look_at
        is_spent = at is not None and at <= time.monotonic() and not self._supply.may_have_more(road)
        return None if is_spent else at

    def _fill(self, road: Road) -> None:
        """Supply a road whose lanes are about to have nothing to do, and look ahead before they are."""
        if not road.is_running_low or self._should_stop():
            return
        if not road.claimed:
            self._claim(road)
        if not road.claimed:
            return
        if road.is_supplied:
            self._supply.begin_ahead(road)
        else:
            self._supply.make_ready(road)

    def _claim(self, road: Road) -> None:
        if not self._supply.may_have_more(road):
            return
        if not road.waiting and not road.find_place(self._engine, self._clock()) and not road.places:
            return
        if road.is_limited and not self._open_first_lane(road):
            return
        if road.largest_batch > 1 and self._repeat_batch(road):
            return
        self.log.tell()
        self._supply.claim(road)

    def _take_turns_meanwhile(self, road: Road) -> None:
        """In the midst of a claim or a making: give lanes whose letter was taken the next one, where that is plain.

        Either takes about as long as a letter, and all lanes would come to wait for it. Nothing but rows of attempts
        may be touched here: a claim's own transaction is open, and whoever wants a row that it has waits for ever.
        """
        is_taken = True
        while is_taken and not self._answers.empty() and road.waiting:
            answered, is_taken = self._answers.get(), False
            try:
                is_taken = self._take_turn_meanwhile(road, answered)
            finally:
                if not is_taken:
                    # Whatever has happened: after the claim it is found out what is on record.
                    self._answers.put(answered)

    def _take_turn_meanwhile(self, road: Road, answered: Answered) -> bool:
        """Return whether the answer is on record. A letter that has begun by then and did not go out begins again."""
        lease, prepared = road.waiting[0]
        # Nothing follows from such an answer but the next letter. One that is sent here would hold all up.
        lane = answered.lane
        is_all = answered.is_plain and answered.answers[0].rate is None and lane.has_a_thread and lane in road.lanes
        if prepared is None or not is_all or self._should_stop() or not (road.has_room_then and road.has_place()):
            return False
        turn = self._plain.take_turn(answered, lease, prepared)
        if not turn.is_kept:
            return False
        road.under_way -= 1
        if turn.has_begun:
            road.waiting.popleft()
            road.hand_over(Parcel((ReadyLetter(lease, prepared.envelope, is_plain=True),)))
        else:
            road.waiting[0] = (lease, None)
        return True

    def _open_first_lane(self, road: Road) -> bool:
        """Return whether the road has a connection to send by: the other workers may hold all that there are."""
        if not road.lanes:
            road.open_lanes(self._engine, self._clock(), self._answers, self._clock, at_least=1)
        if not road.lanes:
            road.rest()
        return bool(road.lanes)

    def _repeat_batch(self, road: Road) -> bool:
        """Put a batch without a clear answer on the wire again. Its lane takes no other letter meanwhile."""
        if (road.lanes and not road.has_room) or not road.find_place(self._engine, self._clock()):
            return False
        with writing(self._engine) as session:
            parcel = claim_batch_again(session, self._clock(), road.channel, self._supply.dispatch)
        if parcel is None:
            return False
        road.open_lanes(self._engine, self._clock(), self._answers, self._clock, at_least=1)
        self._give_threads()
        road.hand_over(parcel)
        return True

    def _release(self, road: Road) -> None:
        leases = [*(lease for lease, _ in road.waiting), *road.claimed]
        self._supply.forget(road)
        road.waiting.clear()
        road.claimed.clear()
        if leases:
            self._persist(lambda session: release_leases(session, self._clock(), leases))

    def _take_answer(self, answered: Answered) -> None:
        road = next(road for road in self._roads if answered.lane in road.lanes)
        if not answered.was_sent:
            road.put_back(answered.parcel)
            return
        road.under_way -= 1
        try:
            self._go_on(road, answered)
        except BaseException:
            # No failure at what comes next may cost what was answered; what is settled already stays as it is.
            self._settle(answered)
            raise
        if answered.defect is not None:
            raise answered.defect

    def _go_on(self, road: Road, answered: Answered | None) -> None:
        """Settle what a lane carried, and hand over the next parcel that may go out."""
        stops = self._should_stop() or (answered is not None and answered.defect is not None)
        if answered is not None:
            road.heed(self._engine, self._clock(), answered)
        if answered is not None and answered.parcel.batch_key is not None:
            self._settle(answered)
            answered = None
        while not stops and road.waiting and road.has_room and road.find_place(self._engine, self._clock()):
            batch = road.take_prepared()
            if batch:
                if answered is not None:
                    self.settle_and_start(answered, None)
                parcel, answered = self._begin_batch(road, batch), None
            else:
                ready = self.settle_and_start(answered, road.waiting.popleft())
                parcel, answered = Parcel((ready,)) if ready is not None else None, None
            if parcel is not None:
                road.hand_over(parcel)
                return
        if answered is not None:
            self.settle_and_start(answered, None)

    def _begin_batch(self, road: Road, letters: list[tuple[Lease, Prepared]]) -> Parcel | None:
        parcel = self._persist(lambda session: begin_batch(session, self._clock(), road.account, letters))
        going = {letter.lease.delivery_id for letter in parcel.letters} if parcel is not None else set()
        road.waiting.extendleft((lease, None) for lease, _ in reversed(letters) if lease.delivery_id not in going)
        return parcel

    def _settle(self, answered: Answered) -> None:
        if answered.parcel.batch_key is not None:
            self._settle_batch(answered, answered.parcel.batch_key)
        else:
            self._settle_alone(answered)

    def _settle_batch(self, answered: Answered, key: str) -> None:
        letters = list(zip(answered.parcel.letters, answered.answers, strict=True))
        taken = [(each.lease, answer) for each, answer in letters if isinstance(answer, Accepted)]
        others = [
            (each.lease, answer)
            for each, answer in letters
            if not isinstance(answer, Accepted) and each.lease.token != SETTLED
        ]

        def work(session: Session) -> dict[int, str]:
            states = dict.fromkeys(settle_accepted(session, answered.answered_at, taken), ACCEPTED)
            for lease, answer in others:
                if (state := self._settle_one(session, lease, answer, answered)) is not None:
                    states[lease.delivery_id] = state
            # Where the leases were lost somebody else asks for the answer, and makes an end of it.
            if states and is_decided(answered.parcel, answered.answers):
                finish_batch(session, answered.answered_at, key)
            return states

        states = self._persist(work)
        for letter, answer in letters:
            if state := states.get(letter.lease.delivery_id):
                self.log.note(letter.lease, state, answer.code)

    def settle_and_start(self, answered: Answered | None, following: Waiting | None) -> ReadyLetter | None:
        """Settle one letter and commit that the next one begins (R29); return the next if it may go out.

        Both in one commit where that is plain. Otherwise one after the other, so that a letter whose making ends the
        worker neither takes the settling of the one before it along, nor has its crash put down to that one.
        """
        lease, prepared = following or (None, None)
        if answered is not None and not answered.is_plain:
            self._settle_alone(answered)
            answered = None
        if answered is not None or prepared is not None:
            turn = self._plain.take_turn(answered, lease, prepared)
            if answered is not None and not turn.is_kept:
                self._settle_alone(answered)
            self._plain.settle_if_due()
            if turn.has_begun and lease is not None and prepared is not None:
                return ReadyLetter(lease, prepared.envelope, is_plain=True)
        if lease is None:
            return None
        dispatch = self._supply.dispatch
        envelope, state = self._persist(lambda session: start_delivery(session, self._clock(), lease, dispatch))
        if state is not None:
            self.log.note(lease, state)
        return ReadyLetter(lease, envelope, is_plain=prepared is not None) if envelope else None

    def _settle_alone(self, answered: Answered) -> None:
        lease, answer = answered.parcel.letters[0].lease, answered.answers[0]
        state = self._persist(lambda session: self._settle_one(session, lease, answer, answered))
        if state is not None:
            self.log.note(lease, state, answer.code)

    def _settle_one(self, session: Session, lease: Lease, answer: Answer, answered: Answered) -> str | None:
        delivery = find_held(session, lease)
        attempt = find_attempt(session, lease)
        if attempt is None:
            # A backup was brought back meanwhile: whatever has these numbers now is not what was answered.
            return None
        if delivery is None:
            # The lease ran out meanwhile. What the server said stays on record, and whoever holds the row now heeds it.
            record_answer(attempt, answer, answered.answered_at)
            return None
        settle_delivery(
            session,
            delivery,
            attempt,
            answer,
            answered.answered_at,
            channel_kind=answered.lane.channel.kind,
            jitter=self._supply.dispatch.jitter(),
        )
        if answered.defect is not None:
            count_defect(session, answered.answered_at, delivery)
        return delivery.state

    def _persist(self, work: Callable[[Session], Result]) -> Result:
        """Do `work` with patience, each time anew whether its lease holds; in the end the leases run out."""
        return persist(self._engine, work)
