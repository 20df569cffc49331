"""Tests of the addresses that customers reply and object to: one round of them, and the rows it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import select

from registry.channels.base import Envelope
from registry.steps.check_addresses import check_addresses
from registry.tables import AddressCheck
from tests.steps.post_office import dispatch_of, meanwhile
from tests.world import World, antopsis


def check(world: World, *mail_only_to: str) -> dict[str, int]:
    """Test what is to be tested now; return how often each answer came."""
    return check_addresses(world.wiring.engine, world.clock, dispatch_of(world, *mail_only_to))


def during_a_test(world: World, *happenings: Callable[[Envelope], None]) -> None:
    """Let something happen while a test letter is on the wire."""
    channel = world.channels["email"]
    meanwhile(world, *happenings)
    # Tests go over a connection of their own.
    vars(channel)["sibling"] = lambda: channel


def add_publishers(world: World, *slugs: str) -> None:
    """Add publishers, each with an address of its own."""
    file = antopsis()
    for slug in slugs:
        one = file.publisher.model_copy(update={"slug": slug, "contact": f"support@{slug}.example"})
        world.apply(replace(file, publisher=one, customers=()))


def checks(world: World) -> list[AddressCheck]:
    """Return what was tested, the first one first."""
    with world.reading() as session:
        return list(session.scalars(select(AddressCheck).order_by(AddressCheck.id)))
