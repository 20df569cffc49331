"""Who works for a publisher, as the screen of people shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session

from registry.domain.people import INVITATION_GOOD_FOR, TeamRole, UnknownPerson
from registry.tables import Membership, Passkey, Person, Publisher, SignIn

MOST_NAMED: Final = 20
"""How many people a warning names; the rest are counted."""


@dataclass(frozen=True)
class Colleague:
    """Somebody who works for a publisher, with what an owner must know. Instants are UTC.

    `last_sign_in_at` is their last since they work here: what they did before is no affair of this publisher.
    """

    id: int
    email: str
    name: str | None
    role: TeamRole
    since_at: datetime
    added_by: str
    is_active: bool
    invited_at: datetime | None
    joined_at: datetime | None
    has_second_factor: bool
    last_sign_in_at: datetime | None

    @property
    def is_invited(self) -> bool:
        """Whether they have not signed in yet."""
        return self.joined_at is None

    def is_link_good(self, now: datetime) -> bool:
        """Return whether the link of the invitation can still be used."""
        return self.invited_at is not None and now < self.invited_at + INVITATION_GOOD_FOR


@dataclass(frozen=True)
class SecondFactors:
    """How many work for a publisher, and who of them has no second proof of who they are: the first of them named."""

    people: int
    without: int
    named: tuple[str, ...]


def list_colleagues(session: Session, publisher: Publisher, limit: int, offset: int = 0) -> list[Colleague]:
    """Return who works for the publisher, by address: at most `limit` from `offset` on."""
    rows = session.execute(_colleagues(publisher).order_by(Person.email).limit(limit).offset(offset))
    return [_colleague(*row) for row in rows]


def get_colleague(session: Session, publisher: Publisher, person_id: int) -> Colleague:
    """Return one who works for the publisher. Raises `UnknownPerson`."""
    row = session.execute(_colleagues(publisher).where(Person.id == person_id)).one_or_none()
    if row is None:
        raise UnknownPerson(email=f"person {person_id}", publisher=publisher.facts["name"])
    return _colleague(*row)


def list_addresses(session: Session, publisher: Publisher, limit: int) -> list[str]:
    """Return the addresses of who works for the publisher, at most `limit`."""
    at_work = select(Person.email).join(Membership, Membership.person_id == Person.id)
    return list(
        session.scalars(at_work.where(Membership.publisher_id == publisher.id).order_by(Person.email).limit(limit))
    )


def count_second_factors(session: Session, publisher: Publisher) -> SecondFactors:
    """Count who would have to set up a second proof, were it asked for."""
    here = Membership.publisher_id == publisher.id
    at_work = select(func.count()).select_from(Person).join(Membership, Membership.person_id == Person.id).where(here)
    people = session.scalar(at_work) or 0
    without = session.scalar(at_work.where(~_has_second_factor())) or 0
    named = session.scalars(
        select(Person.email)
        .join(Membership, Membership.person_id == Person.id)
        .where(here, ~_has_second_factor())
        .order_by(Person.email)
        .limit(MOST_NAMED)
    )
    return SecondFactors(people, without, tuple(named))


def _has_second_factor() -> ColumnElement[bool]:
    return Person.tf_primary_method.is_not(None) | exists().where(Passkey.person_id == Person.id)


def _colleagues(publisher: Publisher) -> Select[Person, Membership, bool, datetime]:
    last_sign_in = (
        select(func.max(SignIn.began_at))
        .where(SignIn.person_id == Person.id, SignIn.began_at >= Membership.since_at)
        .correlate(Person, Membership)
        .scalar_subquery()
    )
    return (
        select(Person, Membership, _has_second_factor(), last_sign_in)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.publisher_id == publisher.id)
    )


def _colleague(person: Person, held: Membership, has_second_factor: bool, last_sign_in: datetime | None) -> Colleague:
    return Colleague(
        id=person.id,
        email=person.email,
        name=person.name,
        role=TeamRole(held.role),
        since_at=held.since_at,
        added_by=held.added_by,
        is_active=person.active,
        invited_at=person.invited_at,
        joined_at=person.joined_at,
        has_second_factor=bool(has_second_factor),
        last_sign_in_at=last_sign_in,
    )


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in to the installation: `holds` are publishers' slugs, each with the role there."""

    email: str
    name: str | None
    is_active: bool
    has_second_factor: bool
    invited_at: datetime | None
    joined_at: datetime | None
    holds: tuple[tuple[str, TeamRole], ...]


def list_accounts(session: Session, publisher: Publisher | None = None) -> list[Account]:
    """Return everybody who may sign in, or who of them works for one publisher, by address."""
    people = select(Person, _has_second_factor()).order_by(Person.email)
    if publisher is not None:
        here = Membership.publisher_id == publisher.id
        people = people.where(Person.id.in_(select(Membership.person_id).where(here)))
    holds: dict[int, list[tuple[str, TeamRole]]] = {}
    for person_id, slug, role in session.execute(
        select(Membership.person_id, Publisher.slug, Membership.role)
        .join(Publisher, Publisher.id == Membership.publisher_id)
        .order_by(Publisher.slug)
    ):
        holds.setdefault(person_id, []).append((slug, TeamRole(role)))
    return [
        Account(
            email=person.email,
            name=person.name,
            is_active=person.active,
            has_second_factor=bool(has_second_factor),
            invited_at=person.invited_at,
            joined_at=person.joined_at,
            holds=tuple(holds.get(person.id, ())),
        )
        for person, has_second_factor in session.execute(people)
    ]
