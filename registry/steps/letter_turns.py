"""One commit per letter (R29): what was answered to the last one, and the next one's start, are on record.

This is the plain case, which most letters of a long list are: accepted, to a follower, and the next one may go out as
it was made ready. It is one journey to PostgreSQL, and two short statements on SQLite. Both parts are rows of attempts,
and these are what counts: a delivery's state follows from them (R26). So the states of letters that were taken are
moved together, a moment later (`settle`). Who dies before that leaves deliveries that are leased and whose attempts are
answered, and `recover_leases` settles these as they were answered.

Whatever is not plain, and every failure, goes by `settle_delivery` and `start_delivery`, which can do all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Engine,
    Select,
    Update,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.dml import ReturningUpdate

from registry.channels.base import Accepted
from registry.domain.deliveries import DeliveryEvent, DeliveryState, next_delivery_state
from registry.domain.notice_life import NoticeState
from registry.domain.vocabulary import StatementKind
from registry.steps.claim_deliveries import LEASED, RENEW_BELOW, Lease, is_in
from registry.steps.settle_delivery import ACCEPTED
from registry.tables import Address, Attempt, Delivery, Installation, Notice, Statement, Subscription, Suppression
from registry.tables.among import is_among
from registry.tables.audience import suppresses
from registry.tables.compiled import CompiledStatement

TAKEN = next_delivery_state(DeliveryState(LEASED), DeliveryEvent.ACCEPT).value
SETTLED_TOGETHER: Final = 100
"""So many letters that were taken are settled together at most."""


# Planned once, and by indexes alone: a plan that was made while the tables were small reads them whole for each letter
# of the first long list, until the server has counted anew. Where a small table is read whole all the same, servers
# before 18 reckon that with costs for which they would compile the statement anew for each letter.
_OF_POSTGRESQL: Final = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter that the other side took, at `answered_at` (UTC)."""

    lease: Lease
    answer: Accepted
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Beginning:
    """A letter that is about to go out with these bytes, at `begins_at` (UTC)."""

    lease: Lease
    sha256: str
    begins_at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """What one commit did: the answer to the letter taken is on record, and the one beginning may go out.

    `has_begun` is False where the letter must not go out as it was made ready, or may not at all, and nothing about it
    is on record.
    """

    is_kept: bool
    has_begun: bool


NOTHING_DONE = Turn(is_kept=False, has_begun=False)


class TurnFailed(Exception):
    """The database did not do it, or its answer was lost: what was done is to be found out row by row."""


class LetterTurns:
    """The statements of plain letters, on a connection of their own. Each call is a transaction, durable at once."""

    def __init__(self, engine: Engine) -> None:
        self._is_sqlite = engine.dialect.name == "sqlite"
        statements: dict[object, ClauseElement]
        if self._is_sqlite:
            statements, isolation = {"keep_answer": _keep_answer(), "begin": _begin()}, {}
        else:
            statements = {parts: _in_one_journey(*parts) for parts in ((True, True), (True, False), (False, True))}
            isolation = {"isolation_level": "AUTOCOMMIT"}
        statements["settle"] = _settle(engine.dialect.name)
        self._statements = {name: CompiledStatement(each, engine.dialect) for name, each in statements.items()}
        self._connection = engine.connect().execution_options(**isolation)
        driver: Any = self._connection.connection.driver_connection
        self._cursor = driver.cursor()
        self._settings: Mapping[str, str] = {} if self._is_sqlite else _OF_POSTGRESQL
        for setting, value in self._settings.items():
            self._cursor.execute(f"SET {setting} = {value}")
        self._trouble: type[Exception] = engine.dialect.loaded_dbapi.Error

    def close(self) -> None:
        """Give the connection back as it was, or let go of it where that fails."""
        try:
            for setting in self._settings:
                self._cursor.execute(f"RESET {setting}")
            self._cursor.close()
        except self._trouble:
            self.give_up()
        else:
            self._connection.close()

    def give_up(self) -> None:
        """Let go of a connection that failed, so that nobody is given it again."""
        self._connection.invalidate()
        self._connection.close()

    def take(self, taken: Taken | None, beginning: Beginning | None) -> Turn:
        """Keep the answer to the letter that was taken and begin the next one, in one commit. Raises `TurnFailed`."""
        try:
            return self._take(taken, beginning)
        except self._trouble as trouble:
            raise TurnFailed(type(trouble).__name__) from trouble

    def _take(self, taken: Taken | None, beginning: Beginning | None) -> Turn:
        values: dict[str, Any] = {}
        if taken is not None:
            answer, values["answered_at"] = taken.answer, taken.answered_at
            values |= {"taken_delivery": taken.lease.delivery_id, "taken_n": taken.lease.attempt_n}
            values["taken_token"] = taken.lease.token
            values |= {"taken_provider_ref": answer.provider_ref, "taken_code": answer.code}
            values["taken_answer"] = answer.answer
        if beginning is not None:
            lease, at = beginning.lease, beginning.begins_at
            values |= {"next_delivery": lease.delivery_id, "next_n": lease.attempt_n, "next_token": lease.token}
            values |= {"begins_at": at, "next_sha256": beginning.sha256, "held_until": at + RENEW_BELOW}
        if not self._is_sqlite:
            kept, begun = self._run((taken is not None, beginning is not None), values).fetchone()
            return Turn(kept == 1, begun == 1)
        self._cursor.execute("BEGIN IMMEDIATE")
        try:
            kept = begun = 0
            if taken is not None:
                kept = self._run("keep_answer", values).rowcount
            if beginning is not None:
                begun = self._run("begin", values).rowcount
        except BaseException:
            self._cursor.execute("ROLLBACK")
            raise
        self._cursor.execute("COMMIT")
        return Turn(kept == 1, begun == 1)

    def settle(self, deliveries: Iterable[int]) -> set[int]:
        """Settle these deliveries, whose letters were taken, in one commit; return those whose lease held.

        Raises `TurnFailed`.
        """
        try:
            return {delivery_id for (delivery_id,) in self._run("settle", {"deliveries": list(deliveries)}).fetchall()}
        except self._trouble as trouble:
            raise TurnFailed(type(trouble).__name__) from trouble

    def _run(self, name: object, values: Mapping[str, Any]) -> Any:
        statement = self._statements[name]
        if self._is_sqlite:
            return self._cursor.execute(statement.sql, statement.values(values))
        return self._cursor.execute(statement.sql, statement.values(values), prepare=True)


def settle_taken(session: Session, deliveries: Iterable[int]) -> set[int]:
    """Settle these deliveries as their attempts were answered; return those whose lease held."""
    statement = _settle(session.get_bind().dialect.name)
    return set(session.scalars(statement, {"deliveries": list(deliveries)}))


def _settle(dialect_name: str) -> ReturningUpdate[int]:
    """Move deliveries whose letters were taken, by the attempt that their lease is for.

    Only what is leased has a token. With its state named as well, or the attempts joined, PostgreSQL may go through all
    that is leased, or all attempts, instead of by number.
    """
    taken_at = (
        select(Attempt.finished_at)
        .where(
            Attempt.delivery_id == Delivery.id,
            Attempt.n == Delivery.attempt_count,
            Attempt.token == Delivery.token,
            Attempt.answer_class == ACCEPTED,
        )
        .correlate(Delivery)
        .scalar_subquery()
    )
    return (
        update(Delivery)
        .where(is_among(Delivery.id, "deliveries", dialect_name), taken_at.is_not(None))
        .values(state=TAKEN, token=None, lease_until=None, skip_reason=None, accepted_at=taken_at)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )


def _keep_answer() -> Update:
    # By its token too: after a restore the same numbers may be another reader's letter. That what begins is this
    # worker's own, its delivery's token tells.
    return (
        update(Attempt)
        .where(
            Attempt.delivery_id == bindparam("taken_delivery"),
            Attempt.n == bindparam("taken_n"),
            Attempt.token == bindparam("taken_token"),
        )
        .values(
            finished_at=bindparam("answered_at"),
            code=bindparam("taken_code"),
            answer=bindparam("taken_answer"),
            answer_class=ACCEPTED,
            provider_ref=bindparam("taken_provider_ref"),
        )
    )


def _begin(*, by_database_clock: bool = False) -> Update:
    return (
        update(Attempt)
        .where(
            Attempt.delivery_id == bindparam("next_delivery"),
            Attempt.n == bindparam("next_n"),
            exists(_may_begin(by_database_clock)),
        )
        .values(send_started_at=bindparam("begins_at"), sha256=bindparam("next_sha256"))
    )


def _may_begin(by_database_clock: bool) -> Select[int]:
    """The delivery, where it is held for long enough and may go out."""
    # One with less of its lease left is renewed first (`start_delivery`). On PostgreSQL all machines share its clock.
    held_until = func.clock_timestamp() + literal(RENEW_BELOW) if by_database_clock else bindparam("held_until")
    return may_go_out().where(
        Delivery.id == bindparam("next_delivery"),
        Delivery.token == bindparam("next_token"),
        Delivery.lease_until > held_until,
    )


def may_go_out(state: str = LEASED) -> Select[int]:
    """Deliveries to followers, leased unless told otherwise, about which nothing came up since (R28, R32)."""
    is_suppressed = exists(select(Suppression.id).where(suppresses()).correlate(Address))
    return (
        select(Delivery.id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .join(Statement, Statement.id == Delivery.statement_id)
        .join(Notice, Notice.id == Statement.notice_id)
        .where(
            is_in(state),
            Subscription.ended_at.is_(None),
            Address.value.is_not(None),
            or_(Notice.state != NoticeState.WITHDRAWN.value, Statement.kind == StatementKind.WITHDRAWAL.value),
            ~is_suppressed,
            ~exists().where(Installation.paused_at.is_not(None)),
        )
    )


def _in_one_journey(has_taken: bool, has_beginning: bool) -> Select[*tuple[int, ...]]:
    """All of a turn as one statement of PostgreSQL, which is one transaction by itself: how many rows each part met."""
    counts: list[ColumnElement[int]] = []
    if has_taken:
        kept = _keep_answer().returning(Attempt.id).cte("kept")
        counts.append(select(func.count()).select_from(kept).scalar_subquery())
    else:
        counts.append(literal(0))
    if has_beginning:
        begun = _begin(by_database_clock=True).returning(Attempt.id).cte("begun")
        counts.append(select(func.count()).select_from(begun).scalar_subquery())
    else:
        counts.append(literal(0))
    return select(*counts)
