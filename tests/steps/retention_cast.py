"""What the tests of retention share: a notice that has taken effect, people who have left, and one run of the sweep."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from registry.domain.notices import first_instant
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.steps.erase_expired import erase_expired
from registry.steps.legal_holds import lift_legal_hold, set_legal_hold
from registry.steps.lookup import get_publisher
from registry.steps.preferences import unsubscribe
from registry.tables import Address, Attempt, Delivery, LegalHold, Letter, Objection, Subscription
from tests.steps.path_cast import add_customer, announce, at, follow, sweep
from tests.world import ANNA, ANTOPSIS, BREMEN, World, utc

IN_EFFECT = utc("2026-10-31 23:00")
"""The first instant of 1 November in Berlin, when the tests' notice takes effect."""
DPO = "dpo@bremen.example"
FRED = "fred@reader.example"
A_MOMENT = timedelta.resolution


def midnight(day: str) -> datetime:
    """Return the first instant of a date in Berlin."""
    return first_instant(date.fromisoformat(day), "Europe/Berlin")


def keeping(retention: str, customers: str = BREMEN, approvals: int = 0) -> RegistryFile:
    """Return the file of Antopsis with this retention."""
    listed = customers or "  []"
    text = ANTOPSIS.format(approvals=approvals, more_locations="", customers=listed, more_entries="")
    return read_registry_file(text.replace("products:", f"  retention: {retention}\nproducts:", 1).encode(), "a.yaml")


def tell(world: World, retention: str, *, customers: str = BREMEN, followers: Iterable[str] = (FRED,)) -> str:
    """Announce a second place to these people, send the letters, and return the notice's number."""
    world.apply(keeping(retention, customers))
    for email in followers:
        follow(world, email, name=f"A person at {email}")
    number = announce(world)
    sweep(world)
    return number


def put_in_effect(world: World, retention: str, **options: Any) -> str:
    """As `tell`, and the notice takes effect on 1 November."""
    number = tell(world, retention, **options)
    at(world, IN_EFFECT)
    assert world.notice(number).took_effect_at == IN_EFFECT
    return number


def erase(world: World, now: datetime | None = None, **options: Any) -> dict[str, int]:
    """Run the sweep, at `now` where it is given, and return what it erased."""
    world.at = now or world.at
    return {kind: count for kind, count in erase_expired(world.wiring.engine, world.clock, **options).items() if count}


def leave(world: World, subscription_id: int) -> None:
    """Have a follower leave now."""
    with world.writing() as session:
        unsubscribe(session, world.at, subscription_id)


def follower_of(world: World, email: str = FRED) -> int:
    """Return the row of the follower at an address."""
    with world.reading() as session:
        query = select(Subscription.id).join(Address, Address.id == Subscription.address_id)
        return session.scalars(query.where(Address.value == email, Subscription.customer_id.is_(None))).one()


def employ(world: World, customer: str, *contacts: Any, **facts: Any) -> None:
    """Have a customer with these contacts."""
    add_customer(world, key=customer, name=f"{customer.title()} GmbH", contacts=list(contacts), **facts)


def hold(world: World, **scope: str) -> int:
    """Set a legal hold now and return its number."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        return set_legal_hold(session, world.at, publisher, ANNA, reason="File 26-114", **scope).id


def lift(world: World, number: int) -> LegalHold:
    """Lift a legal hold now."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        return lift_legal_hold(session, world.at, publisher, number, ANNA, reason="Settled")


def addresses(world: World) -> set[str]:
    """Return every address that is on record still."""
    with world.reading() as session:
        return {value for value in session.scalars(select(Address.value)) if value is not None}


def names(world: World) -> set[str]:
    """Return every name of a subscriber that is on record still."""
    with world.reading() as session:
        return {name for name in session.scalars(select(Subscription.name)) if name is not None}


def letters(world: World, kind: str = "announcement") -> list[Delivery]:
    """Return the deliveries of one kind of letter, the first one first."""
    with world.reading() as session:
        query = select(Delivery).join(Letter, Letter.id == Delivery.letter_id).where(Letter.kind == kind)
        return list(session.scalars(query.order_by(Delivery.id)))


def attempts(world: World) -> list[Attempt]:
    """Return every attempt, the first one first."""
    with world.reading() as session:
        return list(session.scalars(select(Attempt).order_by(Attempt.id)))


def objections(world: World) -> list[Objection]:
    """Return every objection, the first one first."""
    with world.reading() as session:
        return list(session.scalars(select(Objection).order_by(Objection.id)))
