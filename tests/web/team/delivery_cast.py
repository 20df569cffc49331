"""What the tests of delivery share: an announced notice with letters of every fate, on a real mail server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from registry.tables import Address, Customer, Delivery, Event, NoticeCustomer, Subscription
from tests.channels.smtp_server import MailServer
from tests.web.colleagues import Team
from tests.web.conftest import serving
from tests.world import BREMEN, HANOI, antopsis

OSLO = """  - key: oslo
    name: Oslo Radio AS
    time_zone: Europe/Oslo
    notice: {authorisation: specific}
    contacts: [law@oslo.example]
"""
PDF = b"%PDF-1.7\nsigned for"
HERE = "/team/antopsis/notices/2026-001"


@contextmanager
def mailing(database_url: str, instance: Path, mail: MailServer) -> Iterator[Team]:
    """Serve Antopsis with its team and three customers, whose letters go to a real mail server."""
    file = antopsis(customers=HANOI + BREMEN + OSLO)
    with serving(database_url, instance, file, mail_url=f"{mail.url}?starttls=off") as site:
        yield Team(site)


def announce(team: Team, customers: str = HANOI + BREMEN + OSLO) -> str:
    """Announce Helsinki, and return the notice's number; nothing is sent yet."""
    return team.site.world.announce(antopsis(helsinki=True, customers=customers))


def delivery_to(team: Team, email: str) -> Delivery:
    """Return the newest delivery to an address."""
    with team.site.world.reading() as session:
        return session.scalars(
            select(Delivery)
            .join(Subscription, Subscription.id == Delivery.subscription_id)
            .join(Address, Address.id == Subscription.address_id)
            .where(Address.value == email)
            .order_by(Delivery.id.desc())
            .limit(1)
        ).one()


def standing_of(team: Team, key: str) -> NoticeCustomer:
    """Return how a customer stands in the first notice that concerns it."""
    with team.site.world.reading() as session:
        return session.scalars(
            select(NoticeCustomer).join(Customer, Customer.id == NoticeCustomer.customer_id).where(Customer.key == key)
        ).one()


def events(team: Team, kind: str) -> list[Event]:
    """Return the acts of one kind on record."""
    with team.site.world.reading() as session:
        return list(session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id)))
