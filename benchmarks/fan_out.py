"""Fan-out: one set-based statement makes a delivery for every follower, in the transaction that announces (R27)."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from benchmarks.figures import Figure, time_runs
from benchmarks.places import NOW
from registry.steps.fan_out import fan_out
from registry.tables import Delivery, Letter, Notice, Statement, Subscription
from tests.world import World, antopsis

FOLLOWERS = 5_000
LEAST_RATIO_BY_ROW = 5.0
LEAST_RATIO_BY_BATCH = 1.5
BECAUSE = "on SQLite nobody else can write, and on PostgreSQL nobody can edit the list, while a notice is announced"


def measure(engine: str, world: World) -> Iterator[Figure]:
    """Compare with rows that an object-relational mapper makes: one by one, and all in one batch."""
    world.announce(antopsis(customers="", helsinki=True))
    with world.reading() as session:
        statement, notice = session.scalars(select(Statement)).one(), session.scalars(select(Notice)).one()

    def forget() -> None:
        with world.writing() as session:
            session.execute(delete(Delivery))

    def by_one_statement() -> None:
        with world.writing() as session:
            counts = fan_out(session, NOW, notice, statement)
            assert counts["due"] == FOLLOWERS

    def by_row() -> None:
        with world.writing() as session:
            for row in rows(session, statement):
                session.add(row)
                session.flush()

    def by_batch() -> None:
        with world.writing() as session:
            session.add_all(rows(session, statement))

    forget()
    ours = time_runs(5, by_one_statement, forget)
    mapper = f"SQLAlchemy {sqlalchemy.__version__} ORM"
    what = "deliveries made by one statement"
    batched = time_runs(3, by_batch, forget)
    single = time_runs(1, by_row, forget)
    yield Figure(what, engine, FOLLOWERS, ours, f"{mapper}, a row each", single, LEAST_RATIO_BY_ROW, BECAUSE)
    yield Figure(what, engine, FOLLOWERS, ours, f"{mapper}, one batch", batched, LEAST_RATIO_BY_BATCH, BECAUSE)


def rows(session: Session, statement: Statement) -> Iterator[Delivery]:
    """Make the rows as a program would that asks for the subscriptions and goes through them."""
    letter = session.scalars(
        select(Letter).where(Letter.statement_id == statement.id, Letter.audience == "follower")
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
            due_at=NOW,
            created_at=NOW,
        )
