"""What an ended contact did not get: a task in the transaction that stores the news of it (R12, R13).

The sweep finds it as well (`left_out`), a minute later. Here it stands as soon as the loss does.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.vocabulary import StatementKind
from registry.steps.persist import DATABASE_TROUBLE, name_of
from registry.steps.record import Actor, record_event
from registry.steps.tasks import TaskKind, find_closed_by_hand, open_task
from registry.steps.untold import find_untold_by
from registry.tables import Delivery, Statement, Subscription


def note_left(session: Session, now: datetime, contact: Subscription, actor: Actor) -> None:
    """Open a task for each withdrawal that its customer does not get, now that this contact has ended.

    Whoever comes instead is told what is pending, and that is no withdrawal.
    """
    withdrawals = (
        select(Delivery)
        .join(Statement, Statement.id == Delivery.statement_id)
        .where(Delivery.subscription_id == contact.id, Statement.kind == StatementKind.WITHDRAWAL.value)
        .order_by(Delivery.id)
    )
    for delivery in session.scalars(withdrawals).all():
        note_untold(session, now, delivery, actor)


def note_untold(session: Session, now: datetime, delivery: Delivery, actor: Actor) -> None:
    """Open a task where a contact that has ended did not get what its customer has by nobody else.

    What fails there goes on record, and keeps nothing else from being done.
    """
    try:
        with session.begin_nested():
            untold = find_untold_by(session, now, delivery)
    except DATABASE_TROUBLE:
        raise
    except Exception as trouble:  # noqa: BLE001 - it goes on record; raised, a report would be refused again and again
        record_event(
            session,
            now,
            actor,
            "delivery.untold_not_found_out",
            subject=("delivery", str(delivery.id)),
            publisher_id=delivery.publisher_id,
            trouble=name_of(trouble),
        )
        return
    if untold is None:
        return
    kind, about = TaskKind.CUSTOMER_NOT_TOLD, untold.subject[1]
    if not untold.was_seen_to(find_closed_by_hand(session, kind, about).get(about)):
        open_task(
            session,
            now,
            kind,
            subject=untold.subject,
            publisher_id=untold.publisher_id,
            due_at=None,
            actor=actor,
            **untold.facts,
        )
