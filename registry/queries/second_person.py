"""What waits for a second person at one publisher, besides notices: corrections, holds, terms and settings (R8, R16).

A correction and a hold that is to be set aside are proposed by acts on record, and so are shorter terms of a customer:
each waits until an act that answers it. They are asked for in one query.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, null, select, union_all
from sqlalchemy.orm import Session, aliased

from registry.domain.notice_life import PENDING_STATES
from registry.domain.standings import HOLDING
from registry.steps.propose import CORRECTED, CORRECTION_PROPOSED, OVERRIDE_PROPOSED
from registry.steps.propose_terms import ANSWERS, PROPOSED
from registry.tables import Customer, Event, Notice, NoticeCustomer, Proposal, Publisher, Statement

MOST: Final = 50
"""Proposals that are shown; the screens behind them show all."""


class ProposedWhat(StrEnum):
    """What somebody proposed."""

    CORRECTION = CORRECTION_PROPOSED
    OVERRIDE = OVERRIDE_PROPOSED
    TERMS = PROPOSED
    SETTINGS = "settings"


@dataclass(frozen=True)
class WaitingProposal:
    """Something that one person proposed and another must agree to.

    `number` is the notice's, `customer_key` and `customer` the customer's, None where it is about none. `at` is UTC.
    """

    what: ProposedWhat
    number: str | None
    customer_key: str | None
    customer: str | None
    proposed_by: str
    at: datetime


def list_waiting_proposals(session: Session, publisher: Publisher) -> tuple[WaitingProposal, ...]:
    """Return what waits for a second person's yes, the oldest first; at most `MOST`, in one query."""
    pending = Notice.state.in_([state.value for state in PENDING_STATES])
    parts: list[Any] = [
        _columns(Notice.number, null(), null())
        .join(Notice, and_(Notice.publisher_id == Event.publisher_id, Notice.number == Event.subject))
        .where(pending, *_stands(publisher, "notice", CORRECTION_PROPOSED, CORRECTED)),
        _columns(Notice.number, Customer.key, Customer.name)
        .join(Notice, and_(Notice.publisher_id == Event.publisher_id, _is_about(Notice.number)))
        .join(Customer, and_(Customer.publisher_id == Event.publisher_id, Customer.key == _rest(Notice.number)))
        .join(
            NoticeCustomer,
            and_(NoticeCustomer.notice_id == Notice.id, NoticeCustomer.customer_id == Customer.id),
        )
        .where(
            pending,
            NoticeCustomer.state.in_(HOLDING),
            # What was asked for before the clocks began anew counts no more (R20).
            Event.at >= _clocks_began(),
            *_stands(publisher, "override", OVERRIDE_PROPOSED),
        ),
        _columns(null(), Customer.key, Customer.name)
        .join(Customer, and_(Customer.publisher_id == Event.publisher_id, Customer.key == Event.subject))
        .where(*_stands(publisher, "customer", PROPOSED, *ANSWERS)),
        select(
            literal(ProposedWhat.SETTINGS.value), null(), null(), null(), Proposal.author, Proposal.made_at.label("at")
        ).where(Proposal.publisher_id == publisher.id, Proposal.closed_at.is_(None)),
    ]
    asked = union_all(*parts).subquery()
    rows = session.execute(select(asked).order_by(asked.c.at).limit(MOST))
    return tuple(
        WaitingProposal(ProposedWhat(what), number, key, name, actor.partition(" (")[0], at)
        for what, number, key, name, actor, at in rows
    )


def _columns(number: Any, customer_key: Any, customer: Any) -> Select[Any]:
    return select(
        Event.kind.label("what"),
        number.label("number"),
        customer_key.label("customer_key"),
        customer.label("customer"),
        Event.actor.label("actor"),
        Event.at.label("at"),
    )


def _stands(publisher: Publisher, subject_kind: str, kind: str, *answers: str) -> list[ColumnElement[bool]]:
    """The act proposes something, and no later one about the same answers it or proposes something else."""
    later = aliased(Event)
    answered = exists().where(
        later.publisher_id == Event.publisher_id,
        later.subject_kind == Event.subject_kind,
        later.subject == Event.subject,
        later.kind.in_((kind, *answers)),
        later.id > Event.id,
    )
    return [Event.publisher_id == publisher.id, Event.subject_kind == subject_kind, Event.kind == kind, ~answered]


def _is_about(number: Any) -> ColumnElement[bool]:
    begins: ColumnElement[bool] = func.substr(Event.subject, 1, func.length(number) + 1) == number + "/"
    return begins


def _rest(number: Any) -> ColumnElement[str]:
    return func.substr(Event.subject, func.length(number) + 2)


def _clocks_began() -> Any:
    return (
        select(func.max(Statement.made_at))
        .where(Statement.notice_id == Notice.id, Statement.restarts_clocks)
        .correlate(Notice)
        .scalar_subquery()
    )
