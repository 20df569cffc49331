"""The fan-out in SQL is the pure rule of `registry.domain.recipients` (R27): the same answer for any audience."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from registry.domain.deliveries import delivery_priority
from registry.domain.recipients import (
    ConcernedBy,
    NoticeFacts,
    SubscriptionFacts,
    choose_recipient,
    is_addressed,
)
from registry.domain.vocabulary import Audience, ChangeKind, StatementKind
from registry.steps.fan_out import fan_out, products_of
from registry.steps.lookup import get_publisher
from registry.tables import (
    Delivery,
    EntryVersion,
    Publisher,
    Statement,
    Subscription,
    Suppression,
)
from tests.steps.fan_out_cast import (
    announcement_of,
    make_letter,
    make_notice,
    sharing_nothing_as_a_contact,
    subscribe,
    subscribe_all,
    tell,
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
    is_standby=st.integers(0, 2).map(lambda n: n == 0),
    is_paused=st.integers(0, 4).map(lambda n: n == 0),
)
changes = st.lists(st.builds(ConcernedBy, products=limits, kinds=kinds.filter(bool)), min_size=1, max_size=3)


class _RolledBack(Exception):
    """Ends an example and leaves the database as it was."""


ODD_ONES: tuple[dict[str, object], ...] = (
    {},
    {"is_confirmed": False},
    {"has_ended": True},
    {"is_address_known": False},
    {"is_suppressed": True},
    {"products": frozenset({"streaming"})},
    {"products": frozenset({"storage"})},
    {"products": frozenset(PRODUCTS)},
    {"kinds": frozenset({ChangeKind.LOCATION})},
    {"kinds": frozenset({ChangeKind.DATA})},
    {"products": frozenset({"streaming"}), "kinds": frozenset({ChangeKind.DATA})},
    {"products": frozenset({"storage"}), "kinds": frozenset({ChangeKind.DATA})},
    {"wants_reminders": False},
    {"wants_effect": True},
    {"wants_effect": True, "has_contract_ended": True},
    {"wants_effect": True, "shares_address_with_contact": True},
    {"shares_address_with_contact": True},
    {"has_contract_ended": True},
    {"is_standby": True},
    {"is_standby": True, "wants_effect": True},
    {"is_standby": True, "is_suppressed": True},
    {"is_standby": True, "products": frozenset({"storage"})},
    {"is_paused": True},
    {"is_paused": True, "shares_address_with_contact": True},
    {"is_paused": True, "products": frozenset({"storage"})},
)
"""What can be odd about a subscription, one thing at a time; each is tried as told and as not told before."""

EVERYBODY = [
    replace(SubscriptionFacts(audience, was_told=was_told), **odd)  # type: ignore[arg-type] # a table of single fields
    for audience in Audience
    for was_told in (True, False)
    for odd in ODD_ONES
]
CONCERNED = {
    "all": (ConcernedBy(frozenset(), frozenset({ChangeKind.LOCATION})),),
    "one": (ConcernedBy(frozenset({"streaming"}), frozenset({ChangeKind.LOCATION})),),
    "two": (
        ConcernedBy(frozenset({"streaming"}), frozenset({ChangeKind.LOCATION})),
        ConcernedBy(frozenset({"storage"}), frozenset({ChangeKind.DATA})),
    ),
}


@pytest.mark.parametrize("has_binding", [True, False], ids=["binding", "informing"])
@pytest.mark.parametrize("concerned", CONCERNED)
@pytest.mark.parametrize(
    "kind",
    [
        StatementKind.ANNOUNCEMENT,
        StatementKind.CORRECTION,
        StatementKind.REMINDER,
        StatementKind.POSTPONEMENT,
        StatementKind.WITHDRAWAL,
        StatementKind.EFFECT,
    ],
)
def test_each_single_oddity_is_treated_by_the_rule(
    sqlite_world: World, kind: StatementKind, concerned: str, has_binding: bool
) -> None:
    sqlite_world.apply(antopsis(customers=""))
    with sqlite_world.writing() as session:
        _compare(session, sqlite_world, EVERYBODY, NoticeFacts(kind, CONCERNED[concerned], has_binding))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    audience=st.lists(facts, min_size=1, max_size=12),
    concerned=changes,
    has_binding=st.booleans(),
    kind=st.sampled_from(
        [StatementKind.ANNOUNCEMENT, StatementKind.REMINDER, StatementKind.WITHDRAWAL, StatementKind.EFFECT]
    ),
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


def test_who_joins_gets_a_row_alone_and_nobody_else_with_them(world: World) -> None:
    world.apply(antopsis(customers=""))
    rule = NoticeFacts(StatementKind.ANNOUNCEMENT, CONCERNED["all"], has_binding=True)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice, statement = make_notice(session, world, publisher, rule)
        joiner, other = (
            subscribe(session, world, publisher, notice, number, SubscriptionFacts(Audience.FOLLOWER))
            for number in range(2)
        )
        assert fan_out(session, world.at, notice, statement, joiner=joiner) == {"due": 1}
        told = session.scalars(select(Delivery.subscription_id).where(Delivery.statement_id == statement.id)).all()
        assert told == [joiner.id]
        assert fan_out(session, world.at, notice, statement, joiner=other) == {"due": 1}


@pytest.mark.parametrize("state", ["skipped", "cancelled"])
def test_whose_announcement_never_left_is_told_nothing_later(world: World, state: str) -> None:
    world.apply(antopsis(customers=""))
    rule = NoticeFacts(StatementKind.WITHDRAWAL, CONCERNED["all"], has_binding=True)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice, statement = make_notice(session, world, publisher, rule)
        facts = SubscriptionFacts(Audience.FOLLOWER, was_told=True)
        row = subscribe(session, world, publisher, notice, 1, facts)
        announced = session.scalars(select(Delivery).where(Delivery.subscription_id == row.id)).one()
        announced.state, announced.skip_reason = state, "suppressed" if state == "skipped" else None
        session.flush()
        assert fan_out(session, world.at, notice, statement) == {"due": 0}


@pytest.mark.parametrize("told_by", ["a reminder alone", "another notice"])
def test_later_statements_are_for_who_was_told_this_notice(world: World, told_by: str) -> None:
    world.apply(antopsis(customers=""))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        follower = SubscriptionFacts(Audience.FOLLOWER)
        rule = NoticeFacts(StatementKind.REMINDER, CONCERNED["all"], has_binding=True)
        notice, statement = make_notice(session, world, publisher, rule)
        row = subscribe(session, world, publisher, notice, 3, follower)
        if told_by == "another notice":
            other, _ = make_notice(session, world, publisher, rule, "2026-901")
            tell(session, world, other, row)
        else:
            fan_out(session, world.at, notice, session.scalars(announcement_of(notice)).one())
            session.execute(
                update(Delivery)
                .where(Delivery.subscription_id == row.id)
                .values(statement_id=statement.id, state="accepted")
            )
            later = Statement(
                publisher_id=publisher.id, notice_id=notice.id, seq=3, kind="postponement", made_at=world.at
            )
            session.add(later)
            session.flush()
            session.add(make_letter(world, publisher, later, Audience.FOLLOWER))
            session.flush()
            statement = later
        assert fan_out(session, world.at, notice, statement) == {"due": 0}


def test_a_follower_hears_of_the_effect_where_the_contact_at_its_address_did_not_ask(world: World) -> None:
    world.apply(antopsis(customers=""))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        rule = NoticeFacts(StatementKind.EFFECT, CONCERNED["all"], has_binding=True)
        notice, statement = make_notice(session, world, publisher, rule)
        wanted = SubscriptionFacts(
            Audience.FOLLOWER, wants_effect=True, was_told=True, shares_address_with_contact=True
        )
        row = subscribe(session, world, publisher, notice, 1, wanted)
        contact = select(Subscription).where(Subscription.address_id == row.address_id, Subscription.id != row.id)
        session.scalars(contact).one().wants_effect = False
        session.flush()
        assert fan_out(session, world.at, notice, statement) == {"due": 1}


def test_a_customer_that_dropped_out_of_another_notice_is_told_of_this_one(world: World) -> None:
    world.apply(antopsis(customers=""))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        rule = NoticeFacts(StatementKind.ANNOUNCEMENT, CONCERNED["all"], has_binding=True)
        other, _ = make_notice(session, world, publisher, rule, "2026-901")
        notice, statement = make_notice(session, world, publisher, rule)
        gone = SubscriptionFacts(Audience.CUSTOMER, has_contract_ended=True)
        subscribe(session, world, publisher, other, 0, gone)
        assert fan_out(session, world.at, notice, statement) == {"due": 1}


@pytest.mark.parametrize("where", ["another publisher", "another channel"])
def test_a_suppression_elsewhere_stops_no_letter(world: World, where: str) -> None:
    world.apply(antopsis(customers=""))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        stranger = Publisher(slug="nextapi", facts=publisher.facts, changed_at=world.at, created_at=world.at)
        session.add(stranger)
        session.flush()
        rule = NoticeFacts(StatementKind.ANNOUNCEMENT, CONCERNED["all"], has_binding=True)
        notice, statement = make_notice(session, world, publisher, rule)
        subscribe(session, world, publisher, notice, 3, SubscriptionFacts(Audience.FOLLOWER))
        is_other_publisher = where == "another publisher"
        session.add(
            Suppression(
                publisher_id=stranger.id if is_other_publisher else publisher.id,
                channel="email" if is_other_publisher else "webhook",
                lookup_hmac="hmac-3",
                reason="bounced",
                since_at=world.at,
            )
        )
        session.flush()
        assert fan_out(session, world.at, notice, statement) == {"due": 1}


@pytest.mark.parametrize(
    ("before", "after", "concerned"),
    [
        ((), ("streaming",), frozenset()),
        (("streaming",), (), frozenset()),
        (("streaming",), ("storage",), frozenset(PRODUCTS)),
        (None, ("storage",), frozenset({"storage"})),
        (("storage",), None, frozenset({"storage"})),
    ],
)
def test_a_change_concerns_the_products_before_it_and_after_it(
    before: tuple[str, ...] | None, after: tuple[str, ...] | None, concerned: frozenset[str]
) -> None:
    def version(products: tuple[str, ...] | None) -> EntryVersion:
        document = None if products is None else {"name": "Tried", "role": "subprocessor", "products": [*products]}
        return EntryVersion(document=document)

    assert products_of(None if before is None else version(before), version(after)) == concerned


def test_another_publishers_followers_hear_nothing(world: World) -> None:
    world.apply(antopsis(customers=""))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        stranger = Publisher(
            slug="nextapi", facts=publisher.facts, revision=1, changed_at=world.at, created_at=world.at
        )
        session.add(stranger)
        session.flush()
        rule = NoticeFacts(StatementKind.ANNOUNCEMENT, CONCERNED["all"], has_binding=True)
        notice, statement = make_notice(session, world, publisher, rule)
        others, _ = make_notice(session, world, stranger, rule)
        subscribe(session, world, stranger, others, 1, SubscriptionFacts(Audience.FOLLOWER))
        assert fan_out(session, world.at, notice, statement) == {"due": 0}


def _compare(session: Session, world: World, audience: Sequence[SubscriptionFacts], rule: NoticeFacts) -> None:
    publisher = get_publisher(session, "antopsis")
    notice, statement = make_notice(session, world, publisher, rule)
    everybody = dict(enumerate(map(sharing_nothing_as_a_contact, audience)))
    added = subscribe_all(session, world, publisher, notice, everybody)
    rows = {row.id: wanted for row, wanted in zip(added, everybody.values(), strict=True)}
    session.flush()
    counts = fan_out(session, world.at, notice, statement)
    written = {
        row.subscription_id: row
        for row in session.scalars(select(Delivery).where(Delivery.statement_id == statement.id))
    }
    skipped: Counter[str] = Counter()
    for subscription_id, wanted in rows.items():
        row, reason = written.pop(subscription_id, None), choose_recipient(wanted, rule)
        is_row_wanted = is_addressed(wanted, rule) and wanted.is_confirmed and not wanted.has_ended
        if not is_row_wanted or (reason is not None and wanted.audience is Audience.FOLLOWER):
            assert row is None, wanted
        else:
            assert row is not None, wanted
            assert row.skip_reason == (reason.value if reason else None), wanted
            assert row.state == ("skipped" if reason else "pending")
            assert row.priority == delivery_priority(wanted.audience, notice.effective_at)
        if is_row_wanted:
            skipped[f"{_PLURALS[wanted.audience]}_{reason}" if reason else "due"] += 1
    # What is left belongs to the contacts at shared addresses.
    for row in written.values():
        skipped[f"contacts_{row.skip_reason}" if row.skip_reason else "due"] += 1
    assert counts == {"due": 0} | skipped
    assert fan_out(session, world.at, notice, statement) == counts


_PLURALS = {Audience.CUSTOMER: "contacts", Audience.FOLLOWER: "followers"}
