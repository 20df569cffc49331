"""A provider that accepts everything and later says that half of it came back (R12, R26)."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from registry.channels.resend import ResendChannel
from registry.channels.resend_events import read_callback
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.receive_callback import receive_callback
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Customer, NoticeCustomer, Suppression
from tests.channels.resend_server import Callback, ResendServer
from tests.faults.conftest import Figures
from tests.faults.post import Post, readers
from tests.faults.table import Fault
from tests.steps.post_office import announce_to, send, states_of, use_channel
from tests.world import ANNA, World

CUSTOMERS = 12
FOLLOWERS = 60
HARD: dict[str, Any] = {"bounce": {"type": "Permanent", "subType": "General", "message": "550 5.1.1 user unknown"}}


def customer(number: int) -> str:
    return (
        f"  - key: customer{number}\n    name: Customer {number} GmbH\n    time_zone: Europe/Berlin\n"
        f"    contacts: [privacy@customer{number}.example]\n"
    )


def take(world: World, server: ResendServer, callbacks: list[Callback]) -> None:
    for callback in callbacks:
        event = read_callback(callback.headers, callback.body, [server.signing_secret], world.at)
        with world.writing() as session:
            receive_callback(session, world.at, event)


def standings(world: World) -> dict[str, tuple[str, bool]]:
    """Return how each customer stands, and whether its clock runs."""
    with world.reading() as session:
        rows = session.execute(
            select(Customer.key, NoticeCustomer.state, NoticeCustomer.received_at).join(
                Customer, Customer.id == NoticeCustomer.customer_id
            )
        )
        return {key: (state, received_at is not None) for key, state, received_at in rows}


def test_clocks_that_began_with_an_acceptance_end_with_the_bounce_and_nobody_bounced_is_written_to_again(
    world: World, figures: Figures
) -> None:
    customers = "".join(customer(number) for number in range(CUSTOMERS))
    number = announce_to(world, *readers(FOLLOWERS), customers=customers)
    with ResendServer(now=world.at) as server:
        use_channel(world, ResendChannel(server.api_key, base_url=server.url))
        assert send(world) == {"accepted": CUSTOMERS + FOLLOWERS}
        assert set(standings(world).values()) == {("received", True)}
        world.at += timedelta(minutes=10)
        server.now = world.at
        taken = list(server.taken)
        gone = {letter.recipient for letter in taken[::2]}
        callbacks = [
            callback
            for letter in taken
            for callback in (
                server.callback(letter, "email.sent"),
                server.callback(letter, "email.bounced", **HARD)
                if letter.recipient in gone
                else server.callback(letter, "email.delivered"),
            )
        ]
        # In any order, and many of them twice.
        random.Random(7).shuffle(callbacks)
        take(world, server, callbacks + callbacks[::3])

        states = states_of(world)
        assert {to for to, state in states.items() if state == "bounced"} == gone
        assert Counter(states.values()) == {"bounced": 36, "delivered": 36}
        for key, standing in standings(world).items():
            expected = ("waiting", False) if f"privacy@{key}.example" in gone else ("received", True)
            assert standing == expected, key
        with world.reading() as session:
            assert session.scalars(select(func.count()).select_from(Suppression)).one() == len(gone)

        # What is said next goes to those who can be reached, and to nobody twice.
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            notice = get_notice(session, publisher, number)
            withdraw_notice(session, world.at, publisher, notice, ANNA, world.wiring.letterhead)
        send(world)
        told = Counter(letter.recipient for letter in server.taken[len(taken) :])
        assert told == Counter(set(states) - gone)
    figures(Fault.LATER_BOUNCES, "accepted, and half of it bounced later", world, Post(len(taken), 0, 0))
