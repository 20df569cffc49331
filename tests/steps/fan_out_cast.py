"""The audience of the fan-out's tests: a notice made by hand, and subscriptions with every oddity they can have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, FieldChange
from registry.domain.entries import digest_of
from registry.domain.notices import local_date
from registry.domain.recipients import NoticeFacts, SubscriptionFacts
from registry.domain.vocabulary import Audience, StatementKind, Weight
from registry.tables import (
    Address,
    Customer,
    Delivery,
    Entry,
    EntryVersion,
    Letter,
    Notice,
    NoticeChange,
    NoticeCustomer,
    Publisher,
    Statement,
    Subscription,
    SubscriptionKind,
    SubscriptionProduct,
    Suppression,
)
from tests.world import World


def announcement_of(notice: Notice) -> Select[Statement]:
    """Find a notice's announcement."""
    return select(Statement).where(Statement.notice_id == notice.id, Statement.kind == "announcement")


def make_notice(
    session: Session, world: World, publisher: Publisher, rule: NoticeFacts, number: str = "2026-900"
) -> tuple[Notice, Statement]:
    """Add an announced notice with the changes of `rule`, its announcement and, where it is another, its statement."""
    notice = Notice(
        publisher_id=publisher.id,
        number=number,
        state="announced",
        summary="tried",
        planned_on=world.at.date(),
        effective_on=world.at.date(),
        effective_at=world.at + timedelta(days=40),
        announced_at=world.at,
        updated_at=world.at,
        terms={},
        digest="",
        author="anna",
        created_at=world.at,
    )
    session.add(notice)
    session.flush()
    for place, each in enumerate(rule.changes):
        document = {"name": "Somebody", "role": "subprocessor", "products": sorted(each.products)}
        entry = Entry(publisher_id=publisher.id, key=f"{number}-{place}", created_at=world.at)
        session.add(entry)
        session.flush()
        version = EntryVersion(
            publisher_id=publisher.id,
            entry_id=entry.id,
            seq=1,
            document=document,
            digest=digest_of(document),
            author="anna",
            created_at=world.at,
        )
        session.add(version)
        session.flush()
        weight = Weight.BINDING if rule.has_binding else Weight.INFORMING
        fields = tuple(FieldChange("locations", each_kind, weight, None, []) for each_kind in sorted(each.kinds))
        change = EntryChange(entry.key, "Somebody", tuple(sorted(each.kinds)), weight, fields)
        session.add(
            NoticeChange(
                notice_id=notice.id,
                entry_id=entry.id,
                publisher_id=publisher.id,
                target_version_id=version.id,
                change=change.as_document(),
                weight=weight.value,
                is_open=True,
            )
        )
    statements = []
    for seq, kind in enumerate([StatementKind.ANNOUNCEMENT, rule.statement][: 1 + (rule.statement != "announcement")]):
        statement = Statement(
            publisher_id=publisher.id, notice_id=notice.id, seq=seq + 1, kind=kind.value, made_at=world.at
        )
        session.add(statement)
        session.flush()
        statements.append(statement)
        for audience in Audience:
            session.add(make_letter(world, publisher, statement, audience))
    session.flush()
    return notice, statements[-1]


def make_letter(world: World, publisher: Publisher, statement: Statement, audience: Audience) -> Letter:
    """A letter of a statement, empty."""
    return Letter(
        publisher_id=publisher.id,
        statement_id=statement.id,
        kind=statement.kind,
        language="en",
        audience=audience.value,
        sender={},
        subject="",
        text="",
        html="",
        digest="",
        made_at=world.at,
    )


def sharing_nothing_as_a_contact(wanted: SubscriptionFacts) -> SubscriptionFacts:
    """The facts as a subscription can have them: only a follower shares its address with a contact."""
    if wanted.audience is Audience.CUSTOMER:
        return replace(wanted, shares_address_with_contact=False)
    return wanted


def subscribe(
    session: Session, world: World, publisher: Publisher, notice: Notice, number: int, wanted: SubscriptionFacts
) -> Subscription:
    """Add one subscription as the facts have it; `number` tells addresses and customers apart."""
    (row,) = subscribe_all(session, world, publisher, notice, {number: wanted})
    return row


def subscribe_all(
    session: Session, world: World, publisher: Publisher, notice: Notice, audience: Mapping[int, SubscriptionFacts]
) -> list[Subscription]:
    """Add the subscriptions of an audience by number, table by table: one flush for each, not for each subscription."""
    addresses = {
        number: Address(
            publisher_id=publisher.id,
            channel="email",
            lookup_hmac=f"hmac-{number}",
            value=f"reader{number}@reader.example" if wanted.is_address_known else None,
            created_at=world.at,
        )
        for number, wanted in audience.items()
    }
    _add(session, addresses.values())
    own = {
        number: _customer(world, publisher, f"own-{number}", number, ended=wanted.has_contract_ended)
        for number, wanted in audience.items()
    }
    # A contact who does not stand, or is not told this statement, takes no follower's place.
    others = {
        number: _customer(world, publisher, f"other-{number}", number // 4, ended=_has_other_ended(number, wanted))
        for number, wanted in audience.items()
        if wanted.audience is not Audience.CUSTOMER
    }
    _add(session, [*own.values(), *others.values()])
    for number, wanted in audience.items():
        _stand(session, notice, own[number], number, ended=wanted.has_contract_ended)
        if number in others:
            _stand(session, notice, others[number], number // 4, ended=_has_other_ended(number, wanted))
    contacts = {}
    for number, other in others.items():
        shares = audience[number].shares_address_with_contact
        if shares or number % 4 < 3:
            contact = contacts[number] = _row(world, publisher, addresses[number], other, Audience.CUSTOMER)
            contact.wants_effect = shares or number % 4 == 0
            contact.confirmed_at = None if not shares and number % 4 == 1 else world.at
            contact.ended_at = world.at if not shares and number % 4 == 2 else None
    _add(session, contacts.values())
    told = [
        contact
        for number, contact in contacts.items()
        if audience[number].was_told and audience[number].shares_address_with_contact
    ]
    rows = []
    for number, wanted in audience.items():
        if wanted.is_suppressed:
            session.add(
                Suppression(
                    publisher_id=publisher.id,
                    channel="email",
                    lookup_hmac=addresses[number].lookup_hmac,
                    reason="bounced",
                    since_at=world.at,
                )
            )
        is_contact = wanted.audience is Audience.CUSTOMER
        row = _row(world, publisher, addresses[number], own[number] if is_contact else None, wanted.audience)
        row.confirmed_at = world.at if wanted.is_confirmed else None
        row.ended_at = world.at if wanted.has_ended else None
        row.wants_reminders, row.wants_effect = wanted.wants_reminders, wanted.wants_effect
        row.is_standby = wanted.is_standby
        row.paused_at = world.at if wanted.is_paused else None
        rows.append(row)
        if wanted.was_told:
            told.append(row)
    _add(session, rows)
    for row, wanted in zip(rows, audience.values(), strict=True):
        for key in wanted.products:
            session.add(SubscriptionProduct(publisher_id=publisher.id, subscription_id=row.id, product_key=key))
        for kind in wanted.kinds:
            session.add(SubscriptionKind(publisher_id=publisher.id, subscription_id=row.id, kind=kind.value))
    tell(session, world, notice, *told)
    return rows


def tell(session: Session, world: World, notice: Notice, *rows: Subscription) -> None:
    """Have the announcement gone to these subscriptions."""
    told = session.scalars(select(Statement).where(Statement.notice_id == notice.id).order_by(Statement.seq)).all()
    if len(told) == 1:
        return
    letter = session.scalars(select(Letter).where(Letter.statement_id == told[0].id)).first()
    assert letter is not None
    session.add_all(
        Delivery(
            publisher_id=notice.publisher_id,
            statement_id=told[0].id,
            subscription_id=row.id,
            letter_id=letter.id,
            state="accepted",
            due_at=world.at,
            created_at=world.at,
        )
        for row in rows
    )


def _add(session: Session, rows: Iterable[object]) -> None:
    session.add_all(rows)
    session.flush()


def _has_other_ended(number: int, wanted: SubscriptionFacts) -> bool:
    return not wanted.shares_address_with_contact and number % 4 == 0


def _customer(world: World, publisher: Publisher, key: str, number: int, *, ended: bool) -> Customer:
    """A customer; one of an odd `number` that `ended` is long gone."""
    yesterday = local_date(world.at, "Europe/Berlin") - timedelta(days=2)
    customer = Customer(publisher_id=publisher.id, key=key, name=key, products=[], created_at=world.at)
    customer.contract_until = yesterday if ended and number % 2 else None
    return customer


def _stand(session: Session, notice: Notice, customer: Customer, number: int, *, ended: bool) -> None:
    """Have a customer of an even `number` stand in the notice, dropped out where it `ended`; others came later."""
    if number % 2 == 0:
        state = "dropped" if ended else "waiting"
        session.add(
            NoticeCustomer(
                notice_id=notice.id,
                customer_id=customer.id,
                publisher_id=notice.publisher_id,
                terms={},
                state=state,
            )
        )


def _row(
    world: World, publisher: Publisher, address: Address, customer: Customer | None, audience: Audience
) -> Subscription:
    return Subscription(
        publisher_id=publisher.id,
        address_id=address.id,
        customer_id=customer.id if customer else None,
        audience=audience.value,
        language="en",
        created_at=world.at,
        confirmed_at=world.at,
    )
