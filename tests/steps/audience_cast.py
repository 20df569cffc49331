"""The cast of the tests about who is told: Antopsis in Berlin, its customers, and people who follow its list."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.entries import read_entry
from registry.domain.publishers import CustomerFacts, read_publisher
from registry.domain.validation import read_model
from registry.letters.render import LetterRenderer
from registry.steps.addresses import record_address
from registry.steps.draft_notice import draft_notice
from registry.steps.keyring import Keyring, make_keyring
from registry.steps.letterhead import Letterhead
from registry.steps.publish_notice import publish_notice
from registry.steps.record import Actor
from registry.steps.record_edit import record_edit
from registry.tables import (
    Address,
    ConfirmToken,
    Delivery,
    Event,
    Letter,
    Notice,
    Product,
    Publisher,
    PublisherTerms,
    Subscription,
    Suppression,
)
from registry.tables.engine import writing
from tests.databases import make_reused_engine

MONDAY = datetime(2026, 9, 7, 8, 0, tzinfo=UTC)
"""A Monday morning on which nothing else happens."""

EDITOR = Actor("legal@antopsis.example", "web")
VISITOR = Actor("visitor", "public page")

LETTERHEAD = Letterhead(
    LetterRenderer(Path(__file__).parents[2] / "templates"), "https://registry.example", "notices@registry.example"
)


class House:
    """One session on a fresh database in which Antopsis has two products, and the keyring has its keys."""

    def __init__(self, session: Session, approvals_required: int = 0) -> None:
        self.session = session
        self.keyring: Keyring = make_keyring(session, MONDAY)
        self.publisher = self.add_publisher("antopsis", approvals_required)

    def add_publisher(self, slug: str, approvals_required: int = 0) -> Publisher:
        """Add a publisher whose list is already founded, with the products streaming and clips."""
        facts = read_publisher(
            {
                "slug": slug,
                "name": slug.title(),
                "contact": f"privacy@{slug}.example",
                "time_zone": "Europe/Berlin",
                "approvals_required": approvals_required,
            }
        )
        publisher = Publisher(
            slug=slug,
            facts=facts.model_dump(mode="json", exclude={"notice"}),
            revision=1,
            changed_at=MONDAY,
            created_at=MONDAY,
        )
        self.session.add(publisher)
        self.session.flush()
        terms = facts.notice.model_dump(mode="json")
        self.session.add(PublisherTerms(publisher_id=publisher.id, version=1, document=terms, from_at=MONDAY))
        for at, (key, name) in enumerate([("streaming", "Live streaming"), ("clips", "Clips")]):
            self.session.add(Product(publisher_id=publisher.id, key=key, name=name, position=at))
        self.session.flush()
        return publisher

    def announce_addition(self, key: str = "hetzner", at: datetime = MONDAY, **content: Any) -> Notice:
        """Announce that an engagement comes onto the list, which binds."""
        entry = read_entry({"name": key.title(), "purposes": ["Hosting"]} | content)
        record_edit(self.session, at, self.publisher, key, entry, EDITOR)
        notice = draft_notice(self.session, at, self.publisher, EDITOR)
        publish_notice(self.session, at, self.publisher, notice, EDITOR, LETTERHEAD)
        return notice

    def suppress(self, email: str) -> None:
        """Have an address that must not be sent to."""
        self.session.add(
            Suppression(
                publisher_id=self.publisher.id,
                channel="email",
                lookup_hmac=self.keyring.lookup("email", email),
                reason="bounced",
                since_at=MONDAY,
            )
        )
        self.session.flush()

    def address_of(self, email: str) -> Address:
        """The row of an address."""
        return record_address(self.session, MONDAY, self.publisher, self.keyring, email)

    def subscriptions_at(self, email: str) -> list[Subscription]:
        """Every subscription at an address, the first one first."""
        hmac = self.keyring.lookup("email", email)
        query = select(Subscription).join(Address, Address.id == Subscription.address_id)
        return list(self.session.scalars(query.where(Address.lookup_hmac == hmac).order_by(Subscription.id)))

    def letters_to(self, email: str) -> list[tuple[Delivery, Letter]]:
        """Every delivery to an address with its letter, the first one first."""
        ids = [subscription.id for subscription in self.subscriptions_at(email)]
        query = select(Delivery, Letter).join(Letter, Letter.id == Delivery.letter_id).order_by(Delivery.id)
        rows = self.session.execute(query.where(Delivery.subscription_id.in_(ids)))
        return [(delivery, letter) for delivery, letter in rows]

    def kinds_to(self, email: str) -> list[str]:
        """The kinds of the letters to an address, in order."""
        return [letter.kind for _, letter in self.letters_to(email)]

    def token_for(self, email: str) -> str:
        """The confirm token in the newest letter to an address, made as the sending of that letter makes it."""
        ids = [subscription.id for subscription in self.subscriptions_at(email)]
        query = select(ConfirmToken).where(ConfirmToken.subscription_id.in_(ids)).order_by(ConfirmToken.id.desc())
        token = self.session.scalars(query).first()
        assert token is not None
        return self.keyring.confirm_secret(token.key_id, token.nonce)

    def events(self, kind: str) -> list[Event]:
        """The record's events of one kind, the first one first."""
        self.session.flush()
        return list(self.session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id)))

    def whole_record(self) -> str:
        """All that the record says, to look for what must not stand in it."""
        self.session.flush()
        rows = self.session.scalars(select(Event).order_by(Event.id))
        return "\n".join(f"{row.actor} {row.kind} {row.subject} {row.payload}" for row in rows)


@contextmanager
def open_house(database_url: str, approvals_required: int = 0) -> Iterator[House]:
    """A house in one writing session on a database, committed at the end."""
    # It keeps the SQL it has compiled; its connections go, for the next test's file is another.
    engine = make_reused_engine(database_url)
    try:
        with writing(engine) as session:
            yield House(session, approvals_required)
    finally:
        engine.dispose()


def later(**gap: float) -> datetime:
    """An instant after Monday morning."""
    return MONDAY + timedelta(**gap)


def customer_facts(key: str, *contacts: Any, **facts: Any) -> CustomerFacts:
    """A customer as a file states it."""
    data = {"key": key, "name": f"{key.title()} GmbH", "contacts": list(contacts)} | facts
    return read_model(CustomerFacts, data)
