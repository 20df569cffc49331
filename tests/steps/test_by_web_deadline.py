"""A deadline that a message by web has told never gets earlier, whatever is learnt of a receipt since (R25, R30)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from registry.domain.outcomes import OutcomeKind
from registry.domain.vocabulary import ChannelKind
from registry.steps.lookup import get_customer, get_notice, get_publisher
from registry.steps.objection_period import find_period
from tests.channels.http_receiver import BAD_GATEWAY, HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import decide
from tests.steps.post_office import DPO, report_to, send, standing_of
from tests.steps.web_cast import add, bremen, connect, delivery_at, posted, probe
from tests.world import World, antopsis, utc

DELIVERED = bremen(terms="{receipt_by_webhook: true, clock_starts_on: delivered}", contacts=DPO)


def deadline_in(payload: dict[str, Any]) -> str:
    return str(payload["data"]["recipient"]["objection_deadline"]["at"])


def announce(world: World, customers: str, *, later: timedelta) -> str:
    """Announce on 30 September, and have the first try come `later`; return the notice's number."""
    number = world.announce(antopsis(helsinki=True, customers=customers))
    world.at += later
    send(world)
    return number


def takes(world: World, number: str, at: str) -> bool:
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        customer = get_customer(session, publisher, "bremen")
        period = find_period(session, get_notice(session, publisher, number), customer)
        assert period is not None
        return period.takes(utc(at))


def test_service_of_an_earlier_day_makes_a_repeat_tell_no_earlier_deadline(
    world: World, receiver: HttpReceiver
) -> None:
    world.apply(antopsis(customers=bremen()))
    endpoint = connect(world, receiver).number
    announced_at = world.at
    receiver.script(BAD_GATEWAY)
    number = announce(world, bremen(), later=timedelta(days=3))
    decide(world, number, "bremen", "served", "Courier slip 17", served_at=announced_at)
    world.at += timedelta(days=1)
    send(world)
    first, again = receiver.requests
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert [deadline_in(each) for each in posted(receiver)] == ["2026-11-02T23:00:00Z", "2026-11-02T23:00:00Z"]
    assert standing_of(world, "bremen").objection_ends_at == utc("2026-10-30 23:00")
    # Who objects by the day that was told first is in time.
    assert takes(world, number, "2026-11-02 22:59")
    assert delivery_at(world, endpoint).deadline_at == utc("2026-11-02 23:00")


def test_a_late_report_of_an_early_delivery_makes_a_repeat_tell_no_earlier_deadline(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=DELIVERED))
    connect(world, receiver)
    mailed_at = world.at
    receiver.always(BAD_GATEWAY)
    announce(world, DELIVERED, later=timedelta())
    world.at += timedelta(days=3)
    send(world)
    report_to(world, DPO, OutcomeKind.DELIVERED, at=mailed_at + timedelta(hours=1))
    assert standing_of(world, "bremen").objection_ends_at == utc("2026-10-30 23:00")
    world.at += timedelta(days=1)
    send(world)
    told = [deadline_in(each) for each in posted(receiver)]
    assert told == ["2026-10-30T23:00:00Z", "2026-11-02T23:00:00Z", "2026-11-02T23:00:00Z"]


@pytest.mark.parametrize("kind", [ChannelKind.SLACK, ChannelKind.TEAMS])
def test_the_same_goes_for_a_chat_room(world: World, receiver: HttpReceiver, kind: ChannelKind) -> None:
    world.apply(antopsis(customers=DELIVERED))
    number = add(world, receiver.url, kind).number
    assert probe(world, number)[0].is_verified
    announced_at = world.at
    receiver.script(BAD_GATEWAY)
    notice = announce(world, DELIVERED, later=timedelta(days=3))
    decide(world, notice, "bremen", "served", "Courier slip 17", served_at=announced_at)
    world.at += timedelta(days=1)
    send(world)
    assert delivery_at(world, number).deadline_at == utc("2026-11-02 23:00")


def test_a_later_deadline_is_told_as_ever(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=bremen()))
    connect(world, receiver)
    receiver.script(BAD_GATEWAY)
    announce(world, bremen(), later=timedelta())
    world.at += timedelta(days=2)
    send(world)
    assert [deadline_in(each) for each in posted(receiver)] == ["2026-10-30T23:00:00Z", "2026-11-01T23:00:00Z"]
