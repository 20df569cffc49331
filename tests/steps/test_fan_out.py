"""The fan-out in SQL is the pure rule of `registry.domain.recipients` (R27): any audience, any notice, the same answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, FieldChange
from registry.domain.entries import digest_of
from registry.domain.recipients import (
    ConcernedBy,
    NoticeFacts,
    SubscriptionFacts,
    choose_recipient,
    is_addressed,
)
from registry.domain.vocabulary import Audience, ChangeKind, StatementKind, Weight
from registry.steps.fan_out import fan_out
from registry.steps.lookup import get_publisher
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
from tests.world import World, antopsis

PRODUCTS = ("streaming", "storage")
KINDS = (ChangeKind.LOCATION, ChangeKind.DATA, ChangeKind.PURPOSE)

limits = st.frozensets(st.sampled_from(PRODUCTS))
kinds = st.frozensets(st.sampled_from(KINDS))
facts = st.builds(
    SubscriptionFacts,
    audience=st.sampled_from(Audience),
    is_confirmed=st.integers(0, 9).map(bool),
    has_ended=st.integers(0, 9).map(lambda n: n == 0),
    is_address_known=st.integers(0, 9).map(bool),
    is_suppressed=st.integers(0, 5).map(lambda n: n == 0),
    products=limits,
    kinds=kinds,
    wants_reminders=st.booleans(),
    wants_effect=st.booleans(),
    shares_address_with_contact=st.integers(0, 4).map(lambda n: n == 0),
    was_told=st.booleans(),
    has_contract_ended=st.integers(0, 4).map(lambda n: n == 0),
)
changes = st.lists(st.builds(ConcernedBy, products=limits, kinds=kinds.filter(bool)), min_size=1, max_size=3)


class _RolledBack(Exception):
    """Ends an example and leaves the database as it was."""


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    audience=st.lists(facts, min_size=1, max_size=12),
    concerned=changes,
    has_binding=st.booleans(),
    kind=st.sampled_from([StatementKind.ANNOUNCEMENT, StatementKind.REMINDER, StatementKind.EFFECT]),
)
def test_sql_and_rule_agree_on_everybody(
    world: World,
    audience: list[SubscriptionFacts],
    concerned: list[ConcernedBy],
    has_binding: bool,
    kind: StatementKind,
) -> None:
    if world.public_or_none() is None:
        world.apply(antopsis(customers=""))
    rule = NoticeFacts(kind, tuple(concerned), has_binding)
    try:
        with world.writing() as session:
            _compare(session, world, audience, rule)
            raise _RolledBack
    except _RolledBack:
        pass


def _compare(session: Session, world: World, audience: list[SubscriptionFacts], rule: NoticeFacts) -> None:
    publisher = get_publisher(session, "antopsis")
    notice, statement = _notice(session, world, publisher, rule)
    rows = {}
    for number, wanted in enumerate(audience):
        if wanted.audience is Audience.CUSTOMER:
            wanted = replace(wanted, shares_address_with_contact=False)
        rows[_subscribe(session, world, publisher, notice, number, wanted).id] = wanted
    session.flush()
    counts = fan_out(session, world.at, notice, statement)
    written = {
        row.subscription_id: row
        for row in session.scalars(select(Delivery).where(Delivery.statement_id == statement.id))
        if row.subscription_id in rows
    }
    due = 0
    for subscription_id, wanted in rows.items():
        row, reason = written.get(subscription_id), choose_recipient(wanted, rule)
        is_row_wanted = is_addressed(wanted, rule) and wanted.is_confirmed and not wanted.has_ended
        if not is_row_wanted or (reason is not None and wanted.audience is Audience.FOLLOWER):
            assert row is None, wanted
        else:
            assert row is not None, wanted
            assert row.skip_reason == (reason.value if reason else None), wanted
            assert row.state == ("skipped" if reason else "pending")
            due += reason is None
    assert counts["due"] >= due
    assert fan_out(session, world.at, notice, statement)["due"] == counts["due"]


def _notice(session: Session, world: World, publisher: Publisher, rule: NoticeFacts) -> tuple[Notice, Statement]:
    notice = Notice(
        publisher_id=publisher.id,
        number="2026-900",
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
    for number, each in enumerate(rule.changes):
        document = {"name": "Somebody", "role": "subprocessor", "products": sorted(each.products)}
        entry = Entry(publisher_id=publisher.id, key=f"tried-{number}", created_at=world.at)
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
            session.add(_letter(world, publisher, statement, audience))
    session.flush()
    return notice, statements[-1]


def _letter(world: World, publisher: Publisher, statement: Statement, audience: Audience) -> Letter:
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


def _subscribe(
    session: Session, world: World, publisher: Publisher, notice: Notice, number: int, wanted: SubscriptionFacts
) -> Subscription:
    address = Address(
        publisher_id=publisher.id,
        channel="email",
        lookup_hmac=f"hmac-{number}",
        value=f"reader{number}@reader.example" if wanted.is_address_known else None,
        created_at=world.at,
    )
    customer = _customer(session, world, publisher, notice, f"own-{number}", wanted.is_customer_concerned)
    session.add(address)
    session.flush()
    is_contact = wanted.audience is Audience.CUSTOMER
    if wanted.shares_address_with_contact and not is_contact:
        other = _customer(session, world, publisher, notice, f"other-{number}", concerned=True)
        session.add(_row(world, publisher, address, other, Audience.CUSTOMER))
    if wanted.is_suppressed:
        session.add(
            Suppression(
                publisher_id=publisher.id,
                channel="email",
                lookup_hmac=address.lookup_hmac,
                reason="bounced",
                since_at=world.at,
            )
        )
    row = _row(world, publisher, address, customer if is_contact else None, wanted.audience)
    row.confirmed_at = world.at if wanted.is_confirmed else None
    row.ended_at = world.at if wanted.has_ended else None
    row.wants_reminders, row.wants_effect = wanted.wants_reminders, wanted.wants_effect
    session.add(row)
    session.flush()
    for key in wanted.products:
        session.add(SubscriptionProduct(publisher_id=publisher.id, subscription_id=row.id, product_key=key))
    for kind in wanted.kinds:
        session.add(SubscriptionKind(publisher_id=publisher.id, subscription_id=row.id, kind=kind.value))
    told = session.scalars(select(Statement).where(Statement.notice_id == notice.id).order_by(Statement.seq)).all()
    if wanted.was_told and len(told) > 1:
        letter = session.scalars(select(Letter).where(Letter.statement_id == told[0].id)).first()
        assert letter is not None
        session.add(
            Delivery(
                publisher_id=publisher.id,
                statement_id=told[0].id,
                subscription_id=row.id,
                letter_id=letter.id,
                state="accepted",
                due_at=world.at,
                created_at=world.at,
            )
        )
    return row


def _customer(
    session: Session, world: World, publisher: Publisher, notice: Notice, key: str, concerned: bool
) -> Customer:
    customer = Customer(publisher_id=publisher.id, key=key, name=key, products=[], created_at=world.at)
    session.add(customer)
    session.flush()
    if concerned:
        session.add(
            NoticeCustomer(
                notice_id=notice.id, customer_id=customer.id, publisher_id=publisher.id, terms={}, state="waiting"
            )
        )
        session.flush()
    return customer


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
