"""All personal data that a publisher holds of somebody, as a document for them to take away (GDPR arts. 15 and 20).

By the link of one letter: what belongs to its subscription, and the endpoints that its mailbox answers for. Hashes and
keys that stand for an address are left out, for nobody could read them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.pages.values import PublicPublisher
from registry.queries.own_endpoints import list_own_endpoints
from registry.steps.attachments import list_documents
from registry.steps.choices import list_choices
from registry.tables import (
    Acknowledgement,
    Address,
    Attempt,
    ConfirmToken,
    Customer,
    Delivery,
    EndpointRequest,
    Letter,
    Notice,
    Objection,
    ObjectionNote,
    Outcome,
    Publisher,
    Statement,
    Subscription,
    Suppression,
)
from registry.tables.audience import suppresses

FROM_THEM = ("addition", "withdrawal")


def load_own_data(session: Session, now: datetime, publisher: PublicPublisher, subscription: Subscription) -> Any:
    """Return everything on record about a subscription's owner, ready for JSON. Instants are ISO 8601 in UTC."""
    address = session.get_one(Address, subscription.address_id)
    customer = session.get(Customer, subscription.customer_id) if subscription.customer_id is not None else None
    suppression = session.scalar(select(Suppression).join(Address, suppresses()).where(Address.id == address.id))
    choices = list_choices(session, subscription)
    return {
        "made_at": _say(now),
        "publisher": {
            "slug": publisher.slug,
            "name": publisher.legal_name or publisher.name,
            "contact": publisher.contact,
        },
        "subscription": {
            "audience": subscription.audience,
            "customer": customer.name if customer else None,
            "channel": address.channel,
            "address": address.value,
            "name": subscription.name,
            "language": subscription.language,
            "products": list(choices.products),
            "kinds": [kind.value for kind in choices.kinds],
            "wants_reminders": subscription.wants_reminders,
            "wants_effect": subscription.wants_effect,
            "asked_at": _say(subscription.created_at),
            "confirmed_at": _say(subscription.confirmed_at),
            "paused_at": _say(subscription.paused_at),
            "ended_at": _say(subscription.ended_at),
            "ended_because": subscription.ended_because,
        },
        "not_written_to": (
            {"reason": suppression.reason, "since_at": _say(suppression.since_at)} if suppression is not None else None
        ),
        "confirmations": _load_confirmations(session, subscription),
        "letters": _load_letters(session, subscription),
        "acknowledgements": _load_acknowledgements(session, subscription),
        "objections": _load_objections(session, subscription),
        "endpoints": [
            {"channel": each.channel, "address": each.shown, "verified_at": _say(each.verified_at)}
            for each in list_own_endpoints(session, address.id)
        ],
        "endpoint_requests": [
            {"channel": each.channel, "address": each.url, "asked_at": _say(each.created_at)}
            for each in session.scalars(
                select(EndpointRequest)
                .where(EndpointRequest.subscription_id == subscription.id, EndpointRequest.url.is_not(None))
                .order_by(EndpointRequest.id)
            )
        ],
    }


def _load_confirmations(session: Session, subscription: Subscription) -> list[dict[str, Any]]:
    tokens = session.scalars(
        select(ConfirmToken).where(ConfirmToken.subscription_id == subscription.id).order_by(ConfirmToken.id)
    )
    return [{"asked_at": _say(token.created_at), "used_at": _say(token.used_at)} for token in tokens]


def _load_letters(session: Session, subscription: Subscription) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Delivery, Letter.kind, Letter.subject, Notice.number)
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Notice, Notice.id == Statement.notice_id)
        .where(Delivery.subscription_id == subscription.id)
        .order_by(Delivery.id)
    ).all()
    tries: dict[int, list[dict[str, Any]]] = {}
    of_subscription = select(Delivery.id).where(Delivery.subscription_id == subscription.id)
    for attempt in session.scalars(
        select(Attempt).where(Attempt.delivery_id.in_(of_subscription)).order_by(Attempt.delivery_id, Attempt.n)
    ):
        tries.setdefault(attempt.delivery_id, []).append(
            {
                "by": attempt.channel,
                "sent_at": _say(attempt.send_started_at),
                "answered_at": _say(attempt.finished_at),
                "result": attempt.answer_class,
                "code": attempt.code,
                "answer": attempt.answer,
                "sha256": attempt.sha256,
            }
        )
    reports: dict[int, list[dict[str, Any]]] = {}
    for report in session.scalars(select(Outcome).where(Outcome.delivery_id.in_(of_subscription)).order_by(Outcome.id)):
        reports.setdefault(report.delivery_id or 0, []).append(
            {"kind": report.kind, "detail": report.detail, "happened_at": _say(report.happened_at)}
        )
    return [
        {
            "kind": kind,
            "notice": number,
            "subject": subject,
            "state": delivery.state,
            "because": delivery.skip_reason,
            "made_at": _say(delivery.created_at),
            "accepted_at": _say(delivery.accepted_at),
            "delivered_at": _say(delivery.delivered_at),
            "message_id": delivery.message_id,
            "objection_deadline": _say(delivery.deadline_at),
            "merged": delivery.merge,
            "tries": tries.get(delivery.id, []),
            "reports": reports.get(delivery.id, []),
        }
        for delivery, kind, subject, number in rows
    ]


def _load_acknowledgements(session: Session, subscription: Subscription) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Acknowledgement, Notice.number, Statement.seq)
        .join(Statement, Statement.id == Acknowledgement.statement_id)
        .join(Notice, Notice.id == Statement.notice_id)
        .where(Acknowledgement.subscription_id == subscription.id)
        .order_by(Acknowledgement.id)
    )
    return [
        {"notice": number, "statement": seq, "acknowledged_at": _say(row.acknowledged_at)} for row, number, seq in rows
    ]


def _load_objections(session: Session, subscription: Subscription) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Objection, Notice.number)
        .join(Notice, Notice.id == Objection.notice_id)
        .where(Objection.subscription_id == subscription.id)
        .order_by(Objection.id)
    ).all()
    numbers = [objection.id for objection, _ in rows]
    said: dict[int, list[dict[str, Any]]] = {}
    for note in session.scalars(
        select(ObjectionNote)
        .where(ObjectionNote.objection_id.in_(numbers), ObjectionNote.kind.in_(FROM_THEM))
        .order_by(ObjectionNote.id)
    ):
        said.setdefault(note.objection_id, []).append(
            {"kind": note.kind, "text": note.text, "made_at": _say(note.made_at)}
        )
    publisher = session.get_one(Publisher, subscription.publisher_id)
    documents = list_documents(session, publisher, "objection", [str(number) for number in numbers])
    return [
        {
            "notice": number,
            "received_at": _say(objection.received_at),
            "in_time": objection.is_in_time,
            "state": objection.state,
            "ground": objection.ground,
            "name": objection.name,
            "company": objection.company,
            "entries": objection.entry_keys,
            "said": said.get(objection.id, []),
            "documents": [
                {"name": document.name, "size": document.size, "sha256": document.sha256}
                for document in documents.get(str(objection.id), [])
                if document.purpose == "objection"
            ],
        }
        for objection, number in rows
    ]


def _say(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
