"""Erasing a person keeps the proof and lets the person go (R36)."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from registry.domain.vocabulary import Audience
from registry.steps.audience_errors import StandingContact, UnknownAddress
from registry.steps.confirm import confirm, subscriber
from registry.steps.erase_person import erase_person
from registry.steps.lookup import get_publisher
from registry.steps.subscribe import request_subscription
from registry.tables import Address, Attempt, Delivery, Subscription
from tests.channels.smtp_server import MailServer
from tests.world import ANNA, World, antopsis, letters_to, link_in

FRED = "fred@reader.example"


def _erase(world: World, email: str) -> int:
    with world.writing() as session:
        return erase_person(session, world.at, get_publisher(session, "antopsis"), email, ANNA)


def _follow(world: World, mail_server: MailServer) -> None:
    with world.writing() as session:
        request_subscription(
            session,
            world.at,
            get_publisher(session, "antopsis"),
            world.wiring.letterhead,
            world.wiring.keyring,
            email=FRED,
            name="Fred Reader",
            actor=subscriber(Audience.FOLLOWER),
        )
    world.tick()
    token = link_in(letters_to(mail_server, FRED)[0], "confirm").rpartition("/")[2]
    with world.writing() as session:
        confirm(session, world.at, token, world.wiring.keyring)


def test_a_follower_is_erased_and_the_proof_of_what_was_sent_stays(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis())
    _follow(world, mail_server)
    number = world.announce(antopsis(helsinki=True))
    world.tick()
    sent = len(letters_to(mail_server, FRED))
    assert _erase(world, FRED) == sent == 2
    with world.reading() as session:
        assert session.scalar(select(func.count()).where(Address.value == FRED)) == 0
        follower = session.scalars(select(Subscription).where(Subscription.customer_id.is_(None))).one()
        assert (follower.name, follower.ended_at) == (None, world.at)
        letters = session.scalars(select(Delivery).where(Delivery.subscription_id == follower.id)).all()
        assert [(letter.merge, letter.state) for letter in letters] == [(None, "accepted")] * 2
        attempts = session.scalars(select(Attempt).where(Attempt.delivery_id.in_([each.id for each in letters]))).all()
        assert all(each.sha256 and each.answer is None for each in attempts)
    assert [each.address for each in world.status(number).deliveries if each.audience == "follower"] == [None]
    world.tick()
    assert len(letters_to(mail_server, FRED)) == sent
    with pytest.raises(UnknownAddress):
        _erase(world, FRED)


def test_a_standing_contact_is_not_erased_under_its_customer(world: World) -> None:
    world.apply(antopsis())
    with pytest.raises(StandingContact):
        _erase(world, "dpo@bremen.example")
    with pytest.raises(UnknownAddress):
        _erase(world, "nobody@reader.example")
