"""Who works for a publisher, and as what: inviting people, changing what they hold, removing them.

A person may work for several publishers; what they hold is said for each. Nobody is ever deleted, since the record
names them. No publisher is left without an owner.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.people import (
    HasJoined,
    IsShutOut,
    LastOwner,
    Owner,
    TeamRole,
    UnknownPerson,
    WorksHereAlready,
    keeps_an_owner,
)
from registry.domain.text import Line
from registry.domain.validation import Document, read_model
from registry.readers.email_addresses import read_email_address
from registry.steps.lookup import lock_publisher
from registry.steps.record import Actor, record_event
from registry.tables import Membership, Person, Publisher


class _Named(Document):
    name: Line | None


@dataclass(frozen=True)
class Invitation:
    """Somebody who was invited; `is_again` where they had been before.

    `needs_password`: they have none yet, and never signed in by anything else. Whoever can sign in needs no link, and
    works for one publisher more.
    """

    person_id: int
    email: str
    role: TeamRole
    needs_password: bool
    is_again: bool


def read_person_address(text: str) -> str:
    """Return an address by which a person is known: in small letters. Raises `InvalidInput` naming `email`."""
    return read_email_address(text).lower()


def invite_person(
    session: Session,
    now: datetime,
    publisher: Publisher,
    email: str,
    role: TeamRole,
    actor: Actor,
    *,
    name: str | None = None,
) -> Invitation:
    """Let somebody work for the publisher in a role; who may not sign in yet is made known, without a password.

    Invited again while the invitation is open, they hold the new role. A name is taken for whoever has none. Raises
    `InvalidInput`, `WorksHereAlready` for whoever has joined, and `IsShutOut`.
    """
    address = read_person_address(email)
    wanted = _read_name(name)
    lock_publisher(session, publisher)
    person = find_person(session, address)
    if person is None:
        person = Person(email=address, name=wanted, fs_uniquifier=secrets.token_hex(16), created_at=now)
        session.add(person)
        session.flush()
    if not person.active:
        raise IsShutOut(email=address)
    held = _find_membership(session, publisher, person)
    if held is not None and person.joined_at is not None:
        raise WorksHereAlready(email=address, publisher=publisher.facts["name"], role=held.role)
    if person.joined_at is None:
        person.invited_at = now
        person.name = person.name or wanted
    if held is None:
        held = Membership(
            publisher_id=publisher.id, person_id=person.id, role=role.value, since_at=now, added_by=actor.name
        )
        session.add(held)
        _record(session, now, publisher, person, actor, "person.invited", role=role.value)
        return _invitation(person, role, is_again=False)
    if held.role != role.value:
        _set_role(session, now, publisher, person, held, role, actor)
    _record(session, now, publisher, person, actor, "person.invited_again", role=role.value)
    return _invitation(person, role, is_again=True)


def invite_again(
    session: Session, now: datetime, publisher: Publisher, person_id: int, actor: Actor
) -> tuple[Invitation, Person]:
    """Renew an open invitation, as it stands. Raises `UnknownPerson` and `WorksHereAlready`."""
    person, held = get_member(session, publisher, person_id)
    role = TeamRole(held.role)
    return invite_person(session, now, publisher, person.email, role, actor), person


def change_role(
    session: Session, now: datetime, publisher: Publisher, person_id: int, role: TeamRole, actor: Actor
) -> bool:
    """Let a person hold another role; return whether it is another. Raises `UnknownPerson` and `LastOwner`."""
    lock_publisher(session, publisher)
    person, held = get_member(session, publisher, person_id)
    if held.role == role.value:
        return False
    _set_role(session, now, publisher, person, held, role, actor)
    return True


def remove_person(session: Session, now: datetime, publisher: Publisher, person_id: int, actor: Actor) -> Person:
    """Have a person work for the publisher no more, from their next click on.

    The record goes on naming them, and what they hold elsewhere stays. Raises `UnknownPerson` and `LastOwner`.
    """
    lock_publisher(session, publisher)
    person, held = get_member(session, publisher, person_id)
    refuse_last_owner(session, publisher, person, held)
    session.delete(held)
    _record(session, now, publisher, person, actor, "person.removed", before=held.role, after=None)
    session.flush()
    return person


def rename_invited(
    session: Session, now: datetime, publisher: Publisher, person_id: int, name: str | None, actor: Actor
) -> bool:
    """Correct the name that was typed for somebody who has not signed in yet; return whether it is another.

    Whoever has signed in says themselves what they are called, at every publisher. Raises `UnknownPerson`, `HasJoined`
    and `InvalidInput` naming `name`.
    """
    lock_publisher(session, publisher)
    person, _ = get_member(session, publisher, person_id)
    if person.joined_at is not None:
        raise HasJoined(email=person.email)
    return _rename(session, now, person, name, actor, publisher)


def rename_oneself(session: Session, now: datetime, person_id: int, name: str | None, actor: Actor) -> bool:
    """Take the name a person gives themselves; return whether it is another. Raises `InvalidInput` naming `name`."""
    return _rename(session, now, session.get_one(Person, person_id), name, actor, None)


def set_second_factor_required(
    session: Session, now: datetime, publisher: Publisher, required: bool, actor: Actor
) -> bool:
    """Ask everybody who works for the publisher for a second proof of who they are, or no more; return whether that
    is new. Whoever has none is led to set one up before anything else.
    """
    lock_publisher(session, publisher)
    if publisher.requires_second_factor is required:
        return False
    publisher.requires_second_factor = required
    record_event(
        session,
        now,
        actor,
        "publisher.second_factor",
        subject=("publisher", publisher.slug),
        publisher_id=publisher.id,
        before=not required,
        after=required,
    )
    session.flush()
    return True


def find_person(session: Session, address: str) -> Person | None:
    """Return whoever is known by an address in small letters, at whatever publisher, or None."""
    return session.scalar(select(Person).where(Person.email == address))


def get_member(session: Session, publisher: Publisher, person_id: int) -> tuple[Person, Membership]:
    """Return a person who works for the publisher, and what they hold there. Raises `UnknownPerson`."""
    found = session.execute(
        select(Person, Membership)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.publisher_id == publisher.id, Person.id == person_id)
    ).one_or_none()
    if found is None:
        raise UnknownPerson(email=f"person {person_id}", publisher=publisher.facts["name"])
    return found[0], found[1]


def get_member_by_address(session: Session, publisher: Publisher, email: str) -> tuple[Person, Membership]:
    """As `get_member`, by address. Raises `UnknownPerson`, and `InvalidInput` for what is no address."""
    address = read_person_address(email)
    person = find_person(session, address)
    held = _find_membership(session, publisher, person) if person is not None else None
    if person is None or held is None:
        raise UnknownPerson(email=address, publisher=publisher.facts["name"])
    return person, held


def _find_membership(session: Session, publisher: Publisher, person: Person) -> Membership | None:
    return session.scalar(
        select(Membership).where(Membership.publisher_id == publisher.id, Membership.person_id == person.id)
    )


def _invitation(person: Person, role: TeamRole, *, is_again: bool) -> Invitation:
    needs_password = person.password is None and person.joined_at is None
    return Invitation(person.id, person.email, role, needs_password, is_again)


def _set_role(
    session: Session,
    now: datetime,
    publisher: Publisher,
    person: Person,
    held: Membership,
    role: TeamRole,
    actor: Actor,
) -> None:
    if role is not TeamRole.OWNER:
        refuse_last_owner(session, publisher, person, held)
    before, held.role = held.role, role.value
    _record(session, now, publisher, person, actor, "person.role_changed", before=before, after=role.value)
    session.flush()


def refuse_last_owner(session: Session, publisher: Publisher, person: Person, held: Membership) -> None:
    """Raise `LastOwner` where the publisher would have no owner left without this person."""
    if held.role != TeamRole.OWNER.value:
        return
    owners: Iterable[Person] = session.scalars(
        select(Person)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.publisher_id == publisher.id, Membership.role == TeamRole.OWNER.value)
    )
    if not keeps_an_owner(_as_owner(person), [_as_owner(owner) for owner in owners]):
        raise LastOwner(email=person.email, publisher=publisher.facts["name"])


def _as_owner(person: Person) -> Owner:
    return Owner(person.email, person.joined_at is not None, person.active)


def _read_name(name: str | None) -> str | None:
    return read_model(_Named, {"name": (name or "").strip() or None}).name


def _rename(
    session: Session, now: datetime, person: Person, name: str | None, actor: Actor, publisher: Publisher | None
) -> bool:
    wanted = _read_name(name)
    if wanted == person.name:
        return False
    person.name = wanted
    # Which name it was and is, is personal data, and the record holds none (R39).
    record_event(
        session,
        now,
        actor,
        "person.renamed",
        subject=("person", str(person.id)),
        publisher_id=publisher.id if publisher is not None else None,
    )
    session.flush()
    return True


def _record(
    session: Session,
    now: datetime,
    publisher: Publisher,
    person: Person,
    actor: Actor,
    kind: str,
    **payload: object,
) -> None:
    session.flush()
    record_event(session, now, actor, kind, subject=("person", str(person.id)), publisher_id=publisher.id, **payload)
