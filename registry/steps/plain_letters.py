"""The plain letters of a run: their turns, and the settling of those that were taken (`letter_turns`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from registry.channels.base import Accepted
from registry.steps.claim_deliveries import Lease
from registry.steps.delivery_log import DeliveryLog
from registry.steps.lanes import Answered
from registry.steps.letter_turns import (
    NOTHING_DONE,
    SETTLED_TOGETHER,
    Beginning,
    LetterTurns,
    Taken,
    Turn,
    TurnFailed,
    settle_taken,
)
from registry.steps.persist import DATABASE_AWAY, persist
from registry.steps.prepare_letters import Prepared
from registry.steps.settle_delivery import ACCEPTED

SETTLE_EVERY: Final = 0.1
"""Seconds between which letters that were taken are settled together. Slower ones are settled each by itself."""


class PlainLetters:
    """Takes the turns of one run, on a connection of their own, and settles what they keep. `clock` gives aware UTC."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime], log: DeliveryLog) -> None:
        self._engine, self._clock, self._log = engine, clock, log
        self._turns: LetterTurns | None = None
        self._kept: list[Taken] = []
        self._settle_at = 0.0

    def take_turn(self, answered: Answered | None, lease: Lease | None, prepared: Prepared | None) -> Turn:
        """Keep the answer to a plain letter and begin the next one, in one commit.

        Where the database fails nothing counts as done: what came of it is found out row by row, by the way that can
        wait for the database.
        """
        taken = beginning = None
        if answered is not None and isinstance(answer := answered.answers[0], Accepted):
            taken = Taken(answered.parcel.letters[0].lease, answer, answered.answered_at)
        if lease is not None and prepared is not None:
            beginning = Beginning(lease, prepared.sha256, self._clock())
        if taken is None and beginning is None:
            return NOTHING_DONE
        try:
            if self._turns is None:
                self._turns = LetterTurns(self._engine)
            turn = self._turns.take(taken, beginning)
        except (TurnFailed, *DATABASE_AWAY):
            self._give_up()
            return NOTHING_DONE
        if taken is not None and turn.is_kept:
            self._kept.append(taken)
        return turn

    def settle_if_due(self) -> None:
        """Settle the letters that were taken where they are many, or the last time was a moment ago."""
        if len(self._kept) >= SETTLED_TOGETHER or (self._kept and time.monotonic() >= self._settle_at):
            self.settle()

    def settle(self) -> None:
        """Settle the letters that were taken. Their answers are on record, so that no failure here sends one again."""
        kept, self._kept = self._kept, []
        if not kept:
            return
        ids = [each.lease.delivery_id for each in kept]
        settled = None
        if self._turns is not None:
            try:
                settled = self._turns.settle(ids)
            except TurnFailed:
                self._give_up()
        if settled is None:
            settled = persist(self._engine, lambda session: settle_taken(session, ids))
        self._settle_at = time.monotonic() + SETTLE_EVERY
        for each in kept:
            # Where the lease was lost meanwhile, whoever holds the row now heeds the answer.
            if each.lease.delivery_id in settled:
                self._log.note(each.lease, ACCEPTED, each.answer.code)

    def close(self) -> None:
        """Give the connection back."""
        if self._turns is not None:
            self._turns.close()

    def _give_up(self) -> None:
        turns, self._turns = self._turns, None
        if turns is not None:
            turns.give_up()
