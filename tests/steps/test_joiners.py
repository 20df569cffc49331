"""Who confirms while notices are pending gets them at once, and everything that follows (R15, R18)."""

from __future__ import annotations

from registry.steps.end_subscription import EndedBecause, end_subscription
from registry.steps.lookup import get_publisher
from registry.steps.make_statement import deliver_pending_to
from registry.tables import Product, Subscription, SubscriptionProduct
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import (
    STRIPE,
    TWO_PLACES,
    announce,
    at,
    edit,
    follow,
    object_to,
    sweep,
    withdraw,
)
from tests.world import ANNA, BREMEN, World, antopsis, letters_to, text_of, utc

FRED = "fred@reader.example"


def subjects(mail_server: MailServer, address: str = FRED) -> list[str]:
    return [text_of(letter).splitlines()[0] for letter in letters_to(mail_server, address)]


def test_who_joins_gets_the_pending_notices_at_once_and_only_once(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    first = announce(world)
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    second = world.draft()
    world.publish(second)
    sweep(world)
    row = follow(world, FRED, joins=True)
    sweep(world)
    letters = [text_of(letter) for letter in letters_to(mail_server, FRED)]
    assert [first in letters[0], second in letters[1], len(letters)] == [True, True, 2]
    with world.writing() as session:
        deliver_pending_to(session, world.at, session.get_one(Subscription, row))
    sweep(world)
    assert len(letters_to(mail_server, FRED)) == 2


def test_who_joins_a_postponed_notice_gets_the_announcement_and_the_last_date(
    world: World, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    at(world, utc("2026-10-10 08:00"))
    at(world, utc("2026-10-31 23:00"))
    object_to(world, number, "bremen", utc("2026-10-20 08:00"))
    at(world, utc("2026-11-09 23:00"))
    assert world.notice(number).effective_on is None
    follow(world, FRED, joins=True)
    sweep(world)
    announcement, postponement = letters_to(mail_server, FRED)
    assert number in text_of(announcement)
    assert "until further notice" in text_of(postponement)


def test_who_joins_is_told_of_all_that_follows(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    sweep(world)
    world.at = utc("2026-10-10 08:00")
    follow(world, FRED, joins=True, wants_effect=True)
    sweep(world)
    at(world, utc("2026-10-26 08:00"))
    at(world, utc("2026-10-31 23:00"))
    assert world.notice(number).state == "in_effect"
    assert len(letters_to(mail_server, FRED)) == 3


def test_what_is_over_is_not_told_to_who_joins(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=""))
    announce(world)
    at(world, utc("2026-10-30 23:00"))
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    number = world.draft()
    world.publish(number)
    withdraw(world, number)
    edit(world, {"name": "Clerk"}, "clerk")
    world.publish(world.draft(announce_at=utc("2026-12-01 08:00"), effective_on=None))
    follow(world, FRED, joins=True)
    sweep(world)
    assert letters_to(mail_server, FRED) == []


def test_a_follower_who_left_hears_nothing_of_what_follows(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    row = follow(world, FRED)
    follow(world, "olga@watcher.example")
    number = announce(world)
    sweep(world)
    with world.writing() as session:
        end_subscription(session, world.at, session.get_one(Subscription, row), EndedBecause.UNSUBSCRIBED, ANNA)
    withdraw(world, number)
    sweep(world)
    assert len(letters_to(mail_server, FRED)) == 1
    assert len(letters_to(mail_server, "olga@watcher.example")) == 2


def test_who_joins_for_one_product_is_told_of_that_product_alone(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=""))
    announce(world, TWO_PLACES | {"products": ["storage"]})
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    wanted = world.draft()
    world.publish(wanted)
    row = follow(world, FRED)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        assert session.query(Product).count() == 2
        session.add(SubscriptionProduct(publisher_id=publisher.id, subscription_id=row, product_key="streaming"))
        session.flush()
        due = deliver_pending_to(session, world.at, session.get_one(Subscription, row))
    # Hetzner concerned all products before, and so concerns streaming too.
    assert due == 2
    world.at = utc("2026-12-01 08:00")
    sweep(world)
    assert len(world.public().upcoming) == 0
    edit(world, TWO_PLACES | {"products": ["storage"], "retention": "30 days"})
    world.publish(world.draft())
    with world.writing() as session:
        assert deliver_pending_to(session, world.at, session.get_one(Subscription, row)) == 0
