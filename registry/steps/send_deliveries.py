"""Step five: claim, send, settle (DESIGN §4.4, R26–R31). The one step that owns its transactions.

```
claim N rows ──▶ commit ──▶ for each: start k (and settle k-1) ──▶ commit ──▶ on the wire ──▶ … ──▶ settle the last
```

Nothing is open while on the wire. A row is fenced by its lease's token: who lost the lease settles nothing. If the
process dies, `recover_leases` finds the row: before the send began it is due again, afterwards it may have arrived.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from registry.channels.base import Ambiguous, Answer
from registry.steps.claim_deliveries import Lease, claim_deliveries, find_held, get_attempt, release_leases
from registry.steps.dispatch import Dispatch
from registry.steps.keyring import load_keyring
from registry.steps.settle_delivery import move_delivery, record_answer, settle_delivery
from registry.steps.start_delivery import ReadyLetter, start_delivery
from registry.tables.engine import writing

__all__ = ["Dispatch", "move_delivery", "send_deliveries"]

BATCH: Final = 20
PAUSES_FOR_THE_DATABASE: Final = (0.1, 0.5, 2.0)
"""Seconds between tries to store what happened to a letter. On SQLite each try also waits for the lock by itself."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Answered:
    """A letter that was on the wire, what came back, and when (UTC)."""

    lease: Lease
    channel_kind: str
    answer: Answer
    answered_at: datetime


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
    on True the letter that was on the wire is settled, and what was claimed and not begun is due again at once.

    A letter that cannot be made is put before a person, and the others go on. What a channel raises is an error of the
    program: its letter counts as ambiguous, the rest of the batch is given back, and the error goes on to the caller.
    """
    ended: Counter[str] = Counter()
    taken = last_publisher = 0
    while (limit is None or taken < limit) and not should_stop():
        wanted = BATCH if limit is None else min(BATCH, limit - taken)
        with writing(engine) as session:
            now = clock()
            keyring = load_keyring(session, now)
            leases = claim_deliveries(
                session, now, dispatch.channels, dispatch.mail_only_to, wanted, after_publisher=last_publisher
            )
        if not leases:
            break
        taken += len(leases)
        last_publisher = leases[-1].publisher_id
        _send_batch(engine, clock, replace(dispatch, keyring=keyring), leases, should_stop, ended)
    return dict(ended)


def _send_batch(
    engine: Engine,
    clock: Callable[[], datetime],
    dispatch: Dispatch,
    leases: Iterable[Lease],
    should_stop: Callable[[], bool],
    ended: Counter[str],
) -> None:
    waiting = deque(leases)
    answered: _Answered | None = None
    try:
        while waiting and not should_stop():
            ready = _settle_and_start(engine, clock, dispatch, answered, waiting[0], ended)
            lease, answered = waiting.popleft(), None
            if ready is None:
                continue
            try:
                answer = ready.channel.send(ready.envelope)
            except Exception as defect:
                # Nobody can say how far it came, so it counts as what may have arrived.
                unknown = Ambiguous(None, f"the channel failed with {type(defect).__name__}")
                answered = _Answered(lease, ready.channel.kind, unknown, clock())
                raise
            answered = _Answered(lease, ready.channel.kind, answer, clock())
    finally:
        try:
            if waiting:
                _persist(engine, lambda session: release_leases(session, clock(), waiting))
        finally:
            if answered is not None:
                _settle_and_start(engine, clock, dispatch, answered, None, ended)


def _settle_and_start(
    engine: Engine,
    clock: Callable[[], datetime],
    dispatch: Dispatch,
    answered: _Answered | None,
    lease: Lease | None,
    ended: Counter[str],
) -> ReadyLetter | None:
    """Settle one letter and commit that the next one begins, together; return the next one if it may go out (R29)."""

    def work(session: Session) -> tuple[ReadyLetter | None, list[str]]:
        states: list[str] = []
        if answered is not None:
            states += _settle(session, answered, dispatch)
        if lease is None:
            return None, states
        ready, state = start_delivery(session, clock(), lease, dispatch)
        return ready, [*states, *([state] if state else [])]

    ready, states = _persist(engine, work)
    ended.update(states)
    return ready


def _persist(engine: Engine, work: Callable[[Session], Result]) -> Result:
    """Do `work` in a transaction, and again where the database is locked or was away, until patience ends.

    Then its error is raised, and the leases of whatever was under way run out. Work that was done, but whose commit
    lost its answer, may be done again: each part asks first whether its lease still holds.
    """
    for pause in PAUSES_FOR_THE_DATABASE:
        try:
            with writing(engine) as session:
                return work(session)
        except (OperationalError, InterfaceError):
            time.sleep(pause)
    with writing(engine) as session:
        return work(session)


def _settle(session: Session, answered: _Answered, dispatch: Dispatch) -> list[str]:
    delivery = find_held(session, answered.lease)
    attempt = get_attempt(session, answered.lease)
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
        channel_kind=answered.channel_kind,
        jitter=dispatch.jitter(),
    )
    return [delivery.state]
