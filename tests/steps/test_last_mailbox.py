"""A customer's last mailbox: what may not be ended, moved or removed, so that somebody can always be told (R34)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registry.domain.errors import InvalidInput
from registry.steps.addresses import find_address
from registry.steps.audience_errors import LastContact, LastMailbox
from registry.steps.change_contact import move_contact, remove_contact
from registry.steps.endpoints import remove_endpoint
from registry.steps.lookup import get_customer, get_publisher
from registry.tables import Subscription
from tests.channels.http_receiver import HttpReceiver
from tests.steps.post_office import DPO
from tests.steps.standby_cast import BY_BOTH, SECOND, block, contact_number, end, stand_by
from tests.steps.web_cast import OWNER, add, bremen, connect
from tests.world import ANNA, World, antopsis


def test_the_last_mailbox_is_not_ended_while_an_endpoint_is_all_that_would_be_left(
    world: World, receiver: HttpReceiver
) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    connect(world, receiver)
    with pytest.raises(LastMailbox):
        end(world, DPO)
    stand_by(world, SECOND)
    end(world, DPO)
    with pytest.raises(LastMailbox):
        end(world, SECOND)


def test_the_owner_who_stands_by_is_not_ended_moved_or_removed_while_no_other_mailbox_is_left(
    world: World, receiver: HttpReceiver
) -> None:
    other = "  - {key: jena, name: Jena AG}\n"
    world.apply(antopsis(customers=bremen() + other))
    connect(world, receiver)
    with pytest.raises(LastMailbox):
        end(world, OWNER)
    number = contact_number(world, OWNER)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        customer, jena = get_customer(session, publisher, "bremen"), get_customer(session, publisher, "jena")
        with pytest.raises(LastMailbox):
            remove_contact(session, world.at, customer, number, ANNA)
        with pytest.raises(LastMailbox):
            move_contact(session, world.at, customer, number, jena, ANNA)


def test_a_mailbox_that_nobody_can_write_to_is_no_other_contact(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    number = connect(world, receiver).number
    stand_by(world, SECOND)
    block(world, SECOND)
    with pytest.raises(LastMailbox):
        end(world, DPO)
    block(world, DPO)
    with world.writing() as session, pytest.raises(LastContact):
        remove_endpoint(session, world.at, get_publisher(session, "antopsis"), number, ANNA)


def test_a_mailbox_that_nobody_writes_to_any_more_can_be_ended(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=bremen(contacts=DPO)))
    connect(world, receiver)
    block(world, DPO)
    end(world, DPO)
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        address = find_address(session, publisher, world.wiring.keyring, DPO)
        assert address is not None
        ended = session.scalars(select(Subscription.ended_at).where(Subscription.address_id == address.id)).all()
    assert ended == [world.at]


def test_an_owner_who_is_not_written_to_is_refused_where_the_customer_has_no_other_mailbox(
    world: World, receiver: HttpReceiver
) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    block(world, DPO)
    with pytest.raises(InvalidInput) as refused:
        add(world, receiver.url, owner=DPO)
    assert [(each.field, each.code) for each in refused.value.problems] == [("owner", "owner-not-written-to")]
    assert add(world, receiver.url).has_new_standby
    follower = add(world, f"{receiver.url}/follower", customer=None, owner=DPO)
    assert not follower.has_new_standby
