"""Letters that a worker has claimed and made ready, and what may come up before one of them begins."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import update

from registry.steps.claim_deliveries import LEASE, RENEW_BELOW, Lease, claim_deliveries
from registry.steps.installation import pause
from registry.steps.prepare_letters import Making, Prepared
from registry.tables import Address, Notice
from tests.steps.post_office import change, delivery_to, dispatch_of, leave, suppress
from tests.world import ANNA, World

ADA, BOB, EVE = "ada@reader.example", "bob@reader.example", "eve@reader.example"


def claim_and_prepare(world: World, wanted: int = 100) -> tuple[list[Lease], dict[int, Prepared]]:
    """Claim as a worker does, and make ready what is plain."""
    with world.writing() as session:
        leases = claim_deliveries(session, world.at, world.channels["email"], (), wanted)
        making = Making(session, world.at, leases, dispatch_of(world))
        while making.make_one():
            pass
        made = making.store(session, wanted)
        return leases, {lease.delivery_id: prepared for lease, prepared in made if prepared is not None}


def paused(world: World) -> None:
    """Pause dispatch."""
    with world.writing() as session:
        pause(session, world.at, ANNA, "a wrong letter is going out")


def erased(world: World) -> None:
    """Erase Bob's address."""
    with world.writing() as session:
        session.execute(update(Address).where(Address.value == BOB).values(value=None))


def withdrawn(world: World) -> None:
    """Have every notice withdrawn behind the back of a run."""
    with world.writing() as session:
        session.execute(update(Notice).values(state="withdrawn"))


def expire_soon(world: World, email: str) -> None:
    """Leave a leased letter with less of its lease than it may begin with."""
    delivery = delivery_to(world, email)
    assert delivery.lease_until is not None
    change(world, delivery, lease_until=delivery.lease_until - LEASE + RENEW_BELOW - timedelta(seconds=1))


REASONS: dict[str, Callable[[World], object]] = {
    "the lease was lost": lambda world: change(world, delivery_to(world, BOB), token="another worker's"),
    "it was settled": lambda world: change(world, delivery_to(world, BOB), state="delivered", token=None),
    "little lease is left": lambda world: expire_soon(world, BOB),
    "dispatch is paused": paused,
    "he unsubscribed": lambda world: leave(world, BOB),
    "he is suppressed": lambda world: suppress(world, BOB),
    "his address was erased": erased,
    "the notice was withdrawn": withdrawn,
}
