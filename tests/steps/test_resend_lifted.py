"""A contact that was skipped since its address was suppressed can be told once the suppression is lifted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from registry.steps.lookup import get_publisher
from registry.steps.resend_delivery import ContactCannotBeTold, ContactToldAlready, resend_to_address
from registry.steps.suppressions import LiftedBecause, add_suppression, lift_suppression
from registry.tables import Delivery
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import look, tasks
from tests.steps.path_cast import announce, sweep
from tests.steps.post_office import subscription_of
from tests.steps.test_postponing import postpone
from tests.steps.test_resend_delivery import DPO, letters, resend
from tests.steps.test_untold import UNREACHED
from tests.world import ANNA, BREMEN, World, antopsis, letters_to, utc


def skipped(world: World) -> str:
    """Announce a notice whose customer's one contact is suppressed by mistake."""
    world.apply(antopsis(customers=BREMEN))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        add_suppression(session, world.at, publisher, world.wiring.keyring, DPO, ANNA)
    number = announce(world)
    sweep(world, "send")
    assert letters(world, DPO) == [("announcement", "skipped")]
    return number


def lift(world: World) -> None:
    """Take the address off the list."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        keyring = world.wiring.keyring
        lift_suppression(session, world.at, publisher, keyring, DPO, ANNA, LiftedBecause.REPORTED_WRONGLY)


@pytest.mark.parametrize("by", ["row", "address"])
def test_it_is_told_all_that_it_missed(world: World, mail_server: MailServer, by: str) -> None:
    postpone(world, skipped(world))
    assert letters(world, DPO) == [("announcement", "skipped")]
    world.at += timedelta(hours=2)
    look(world)
    assert len(tasks(world, UNREACHED)) == 1
    lift(world)
    resent = resend(world, subscription_of(world, DPO).id if by == "row" else DPO)
    assert not resent.is_new_contact
    sweep(world, "send")
    assert letters(world, DPO) == [("announcement", "accepted"), ("postponement", "accepted")]
    assert len(letters_to(mail_server, DPO)) == 2
    look(world)
    assert tasks(world, UNREACHED) == []
    with pytest.raises(ContactToldAlready):
        resend(world, DPO)


def test_while_it_is_suppressed_the_refusal_says_that(world: World) -> None:
    skipped(world)
    with pytest.raises(ContactCannotBeTold) as refused:
        resend(world, DPO)
    assert refused.value.params["because"] == "suppressed"
    assert letters(world, DPO) == [("announcement", "skipped")]


def test_a_reminder_goes_too_though_who_joins_is_told_none(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    announce(world)
    sweep(world, "send")
    with world.writing() as session:
        add_suppression(session, world.at, get_publisher(session, "antopsis"), world.wiring.keyring, DPO, ANNA)
    world.at = utc("2026-10-26 09:00")
    sweep(world, "remind", "send")
    assert letters(world, DPO) == [("announcement", "accepted"), ("reminder", "skipped")]
    lift(world)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        reminder = session.scalars(select(Delivery).order_by(Delivery.id.desc())).first()
        assert reminder is not None
        resend_to_address(session, world.at, publisher, reminder, DPO, ANNA, name=None)
    sweep(world, "send")
    assert letters(world, DPO) == [("announcement", "accepted"), ("reminder", "accepted")]
