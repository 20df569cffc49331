"""Whom a notice would reach is what the fan-out then writes, and whose clock is the longest is who decides its date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain import vocabulary
from registry.domain.deliveries import SkipReason
from registry.domain.recipients import ConcernedBy, NoticeFacts, SubscriptionFacts
from registry.domain.vocabulary import ChannelKind, StatementKind
from registry.queries import notice_audience
from registry.queries.notice_audience import Audience, load_audience
from registry.steps.fan_out import fan_out
from registry.steps.lookup import get_notice, get_publisher, list_running_customers, read_facts
from registry.tables import Delivery, Notice, Publisher, Subscription
from tests.channels.http_receiver import HttpReceiver
from tests.steps.fan_out_cast import make_notice, sharing_nothing_as_a_contact, subscribe_all
from tests.steps.path_cast import TWO_PLACES as HELSINKI_TOO
from tests.steps.path_cast import add_customer, counting, edit, follow
from tests.steps.test_fan_out import CONCERNED, EVERYBODY, changes, facts
from tests.steps.web_cast import connect
from tests.world import BREMEN, HANOI, World, antopsis, utc

KINDS = (
    StatementKind.ANNOUNCEMENT,
    StatementKind.CORRECTION,
    StatementKind.REMINDER,
    StatementKind.WITHDRAWAL,
    StatementKind.EFFECT,
)


class _RolledBack(Exception):
    """Ends an example and leaves the database as it was."""


@pytest.mark.parametrize("has_binding", [True, False], ids=["binding", "informing"])
@pytest.mark.parametrize("concerned", CONCERNED)
@pytest.mark.parametrize("kind", KINDS)
def test_each_single_oddity_is_counted_as_the_fan_out_treats_it(
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
    kind=st.sampled_from(KINDS),
)
def test_what_is_counted_beforehand_is_what_is_written(
    world: World,
    audience: list[SubscriptionFacts],
    concerned: list[ConcernedBy],
    has_binding: bool,
    kind: StatementKind,
) -> None:
    if world.public_or_none() is None:
        world.apply(antopsis(customers=""))
    try:
        with world.writing() as session:
            _compare(session, world, audience, NoticeFacts(kind, tuple(concerned), has_binding))
            raise _RolledBack
    except _RolledBack:
        pass


def test_a_draft_is_counted_by_channel_and_agrees_with_its_announcement(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis())
    connect(world, receiver)
    follow(world, "reader@follower.example")
    edit(world, HELSINKI_TOO)
    number = world.draft()
    audience = _audience(world, number)
    assert [(each.channel, each.contacts, each.followers) for each in audience.letters] == [
        (ChannelKind.EMAIL, 2, 1),
        (ChannelKind.WEBHOOK, 1, 0),
    ]
    assert (audience.contacts, audience.followers, audience.total) == (3, 1, 4)
    assert (audience.customers, audience.reached, audience.unreached) == (2, 2, ())
    world.publish(number)
    with world.reading() as session:
        assert len(session.scalars(select(Delivery).where(Delivery.statement_id.is_not(None))).all()) == audience.total


def test_customers_nobody_can_be_told_at_are_named_with_the_reason(world: World) -> None:
    world.apply(antopsis())
    add_customer(world, key="bergen", name="Bergen AS")
    with world.writing() as session:
        (contact,) = session.scalars(select(Subscription).where(Subscription.customer_id == _id(session, "bremen")))
        contact.confirmed_at = None
    edit(world, HELSINKI_TOO)
    audience = _audience(world, world.draft())
    assert [(each.name, each.reason) for each in audience.unreached] == [
        ("Bergen AS", None),
        ("Bremen Media GmbH", SkipReason.NOT_CONFIRMED),
    ]
    assert (audience.customers, audience.reached, audience.unreached_count) == (3, 1, 2)
    assert [(each.audience, each.reason, each.count) for each in audience.skipped] == [
        (vocabulary.Audience.CUSTOMER, SkipReason.NOT_CONFIRMED, 1)
    ]


def test_the_longest_clock_stands_first_with_whose_it_is(world: World) -> None:
    world.apply(antopsis())
    edit(world, HELSINKI_TOO)
    number = world.draft()
    audience = _audience(world, number)
    assert audience.waits
    assert audience.earliest.governed_by == "hanoi"
    assert audience.earliest.effective_on == world.notice(number).planned_on == date(2026, 11, 16)
    assert [(each.key, each.effective_on, each.rule, each.days) for each in audience.clocks] == [
        ("hanoi", date(2026, 11, 16), "notice", 45),
        ("bremen", date(2026, 11, 1), "notice", 30),
    ]
    assert audience.clocks[0].objection_ends_on == date(2026, 10, 31)
    assert all(each.is_told for each in audience.clocks)


def test_clocks_come_by_the_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice_audience, "CLOCKS_SHOWN", 1)
    world.apply(antopsis())
    edit(world, HELSINKI_TOO)
    number = world.draft()
    first, second = _audience(world, number), _audience(world, number, page=2)
    assert [each.key for each in first.clocks + second.clocks] == ["hanoi", "bremen"]
    assert (first.has_more_clocks, second.has_more_clocks) == (True, False)


@pytest.mark.parametrize("options", [{"emergency_reason": "The host was breached."}, {}])
def test_nothing_waits_in_an_emergency(world: World, options: dict[str, Any]) -> None:
    world.apply(antopsis())
    edit(world, HELSINKI_TOO)
    assert _audience(world, world.draft(**options)).waits is not bool(options)


def test_an_announcement_set_for_later_is_counted_for_its_hour(world: World) -> None:
    world.apply(antopsis(customers=HANOI + "    contract_until: 2026-10-05\n" + BREMEN))
    edit(world, HELSINKI_TOO)
    audience = _audience(world, world.draft(announce_at=utc("2026-10-08 08:00")))
    assert audience.announced_at == utc("2026-10-08 08:00")
    assert [each.key for each in audience.clocks] == ["bremen"]
    assert audience.contacts == 1


def test_the_number_of_queries_does_not_grow(sqlite_world: World) -> None:
    sqlite_world.apply(antopsis())
    edit(sqlite_world, HELSINKI_TOO)
    number = sqlite_world.draft()
    counts = []
    for size in (1, 20):
        for place in range(size):
            add_customer(sqlite_world, key=f"c{size}-{place}", name=f"Customer {size}-{place}")
        with counting(sqlite_world) as sent:
            _audience(sqlite_world, number)
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 9


def _audience(world: World, number: str, page: int = 1) -> Audience:
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        return load_audience(session, world.at, publisher, get_notice(session, publisher, number), page=page)


def _id(session: Session, key: str) -> int:
    publisher = get_publisher(session, "antopsis")
    running = list_running_customers(session, publisher, read_facts(session, publisher).notice, utc("2026-09-30 08:00"))
    return next(row.id for row, _ in running if row.key == key)


def _compare(session: Session, world: World, everybody: Sequence[SubscriptionFacts], rule: NoticeFacts) -> None:
    publisher = get_publisher(session, "antopsis")
    notice, statement = make_notice(session, world, publisher, rule)
    facts = map(sharing_nothing_as_a_contact, everybody)
    subscribe_all(session, world, publisher, notice, dict(enumerate(facts)))
    session.flush()
    audience = load_audience(session, world.at, publisher, notice, kind=rule.statement)
    counts = fan_out(session, world.at, notice, statement)
    assert audience.total == counts["due"]
    told: Counter[str] = Counter()
    for each in audience.skipped:
        if each.reason is not SkipReason.NOT_CONFIRMED:
            name = "contacts" if each.audience is vocabulary.Audience.CUSTOMER else "followers"
            told[f"{name}_{each.reason.value}"] += each.count
    assert {"due": counts["due"]} | told == counts
    assert audience.reached == _count_reached(session, world, publisher, notice, statement.id)
    assert audience.customers == audience.reached + audience.unreached_count


def _count_reached(session: Session, world: World, publisher: Publisher, notice: Notice, statement_id: int) -> int:
    told = set(
        session.scalars(
            select(Subscription.customer_id)
            .join(Delivery, Delivery.subscription_id == Subscription.id)
            .where(Delivery.statement_id == statement_id, Delivery.state == "pending")
        )
    )
    running = list_running_customers(session, publisher, read_facts(session, publisher).notice, world.at)
    return len(told & {row.id for row, _ in running})
