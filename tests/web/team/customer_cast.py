"""Customers in the workbench: their addresses, saving one, and what is on record of it then."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from registry.steps.lookup import find_customer_terms, get_customer, get_publisher, read_facts
from registry.tables import Address, Customer, Event, Subscription
from tests.web.colleagues import EDDA, Team

CUSTOMERS = "/team/antopsis/customers"
BREMEN = f"{CUSTOMERS}/bremen"


def seen_of(team: Team, path: str) -> str:
    """Return what the form at `path` says was seen, as its browser sends it back."""
    found: str = team.sign_in(EDDA).get(path).text
    _, _, rest = found.partition('name="seen" value="')
    return rest.partition('"')[0]


def save(team: Team, path: str = BREMEN, somebody: Any = EDDA, **fields: Any) -> Any:
    """Send a customer's form as somebody who has just opened it."""
    facts = {"name": "Bremen Media GmbH", "time_zone": "Europe/Berlin", "seen": seen_of(team, f"{path}/edit")}
    return team.sign_in(somebody).post(f"{path}/edit", facts | fields)


def terms_of(team: Team, key: str = "bremen") -> Any:
    """Return the customer's terms that count now."""
    with team.site.world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        customer = get_customer(session, publisher, key)
        return find_customer_terms(session, customer, read_facts(session, publisher).notice)


def contacts_of(team: Team, key: str = "bremen") -> list[tuple[str | None, int, bool]]:
    """Return address, number and whether it stands by of each contact, in their order."""
    with team.site.world.reading() as session:
        rows = session.execute(
            select(Address.value, Subscription.id, Subscription.is_standby)
            .join(Subscription, Subscription.address_id == Address.id)
            .join(Customer, Customer.id == Subscription.customer_id)
            .where(Customer.key == key, Subscription.ended_at.is_(None))
            .order_by(Subscription.rank)
        )
        return [(value, number, is_standby) for value, number, is_standby in rows]


def events(team: Team, kind: str) -> list[Event]:
    """Return the acts of a kind, the first one first."""
    with team.site.world.reading() as session:
        return list(session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id)))
