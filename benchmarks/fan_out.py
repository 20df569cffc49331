"""Fan-out by one set-based statement (R27), beside the rows that an object-relational mapper would make."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sqlalchemy
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from benchmarks.places import ENGINES, Place, Places
from benchmarks.rows import Row, paces, timed
from benchmarks.sizes import Sizes
from registry import clock
from registry.steps.fan_out import fan_out
from registry.tables import Delivery, Letter, Notice, Statement, Subscription

LEAST_RATIO_BY_ROW = 5.0
LEAST_RATIO_BY_BATCH = 1.5


def measure(places: Places, sizes: Sizes) -> Iterator[Row]:
    """Compare with rows that a mapper makes: one by one, and all in one batch."""
    count = sizes.mapped_subscriptions
    mapper = f"SQLAlchemy {sqlalchemy.__version__} ORM"
    what = f"fan-out of {count:,} subscriptions"
    for engine in ENGINES:
        with places.new(engine) as place:
            place.announce()
            place.add_followers(count)
            ours, batched, single = [], [], []
            for _ in range(sizes.mapped_rounds):
                ours.append(timed_alone(place, count, by_one_statement))
                batched.append(timed_alone(place, count, by_batch))
                single.append(timed_alone(place, count, by_row))
        yield paces(what, engine, count, ours, f"{mapper}, a row each", single, LEAST_RATIO_BY_ROW)
        yield paces(what, engine, count, ours, f"{mapper}, one batch", batched, LEAST_RATIO_BY_BATCH)


def timed_alone(place: Place, count: int, make: Callable[[Session], None]) -> float:
    """Return the seconds that a transaction takes which makes `count` deliveries; they are gone afterwards."""

    def work() -> None:
        with place.world.writing() as session:
            make(session)

    seconds = timed(work)
    with place.world.writing() as session:
        assert session.execute(delete(Delivery)).rowcount == count  # type: ignore[attr-defined] # of a cursor
    return seconds


def by_one_statement(session: Session) -> None:
    """As announcing does."""
    notice, statement = session.scalars(select(Notice)).one(), session.scalars(select(Statement)).one()
    fan_out(session, clock.now(), notice, statement)


def by_row(session: Session) -> None:
    """A row at a time."""
    for row in rows(session):
        session.add(row)
        session.flush()


def by_batch(session: Session) -> None:
    """All rows at once."""
    session.add_all(rows(session))


def rows(session: Session) -> Iterator[Delivery]:
    """Make the rows as a program would that asks for the subscriptions and goes through them."""
    now = clock.now()
    statement = session.scalars(select(Statement)).one()
    letter = session.scalars(
        select(Letter).where(Letter.statement_id == statement.id, Letter.audience == "follower", Letter.form == "email")
    ).one()
    subscriptions = session.scalars(
        select(Subscription).where(Subscription.confirmed_at.is_not(None), Subscription.ended_at.is_(None))
    ).all()
    for subscription in subscriptions:
        yield Delivery(
            publisher_id=subscription.publisher_id,
            statement_id=statement.id,
            subscription_id=subscription.id,
            letter_id=letter.id,
            state="pending",
            priority=1_000_000_000,
            due_at=now,
            created_at=now,
        )
