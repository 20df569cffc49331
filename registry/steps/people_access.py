"""Who may sign in to the installation at all: shutting people out, letting them in again, and links to get in (R33).

For whoever runs the installation, and nobody else: what a publisher's owners decide is in `registry.steps.people`.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from registry.domain.people import IsShutOut, NobodyHere
from registry.domain.validation import find_near
from registry.steps.lookup import lock_publisher
from registry.steps.people import find_person, get_member, read_person_address, refuse_last_owner
from registry.steps.record import Actor, record_event
from registry.tables import Membership, Person, Publisher, SignIn


def shut_out(session: Session, now: datetime, email: str, actor: Actor) -> bool:
    """Let a person in nowhere any more, and end all their sessions; return whether that is new.

    What they hold stays, for when they are let in again. Raises `NobodyHere`, `InvalidInput`, and `LastOwner` where a
    publisher would be left with no owner who can sign in.
    """
    person = get_person(session, email)
    publishers = session.scalars(
        select(Publisher)
        .join(Membership, Membership.publisher_id == Publisher.id)
        .where(Membership.person_id == person.id)
        .order_by(Publisher.id)
    ).all()
    if not person.active:
        return False
    for publisher in publishers:
        lock_publisher(session, publisher)
        _, held = get_member(session, publisher, person.id)
        refuse_last_owner(session, publisher, person, held)
    person.active = False
    # Neither an open session nor a link in a letter comes back to life once the person is let in again.
    person.fs_uniquifier = secrets.token_hex(16)
    session.execute(update(SignIn).where(SignIn.person_id == person.id, SignIn.ended_at.is_(None)).values(ended_at=now))
    record_event(session, now, actor, "person.shut_out", subject=("person", str(person.id)), before=True, after=False)
    session.flush()
    return True


def let_in(session: Session, now: datetime, email: str, actor: Actor) -> bool:
    """Let a person sign in again who was shut out; return whether they were. Raises `NobodyHere`, `InvalidInput`."""
    person = get_person(session, email)
    if person.active:
        return False
    person.active = True
    record_event(session, now, actor, "person.let_in", subject=("person", str(person.id)), before=False, after=True)
    session.flush()
    return True


def allow_password_link(session: Session, now: datetime, email: str, actor: Actor) -> Person:
    """Put on record that a link to choose a password is made for somebody, and return them: whoever has the link can
    sign in as them. Raises `NobodyHere`, `IsShutOut` and `InvalidInput`.
    """
    person = get_person(session, email)
    if not person.active:
        raise IsShutOut(email=person.email)
    record_event(session, now, actor, "person.link_made", subject=("person", str(person.id)))
    session.flush()
    return person


def get_person(session: Session, email: str) -> Person:
    """Return whoever is known by an address. Raises `NobodyHere`, and `InvalidInput` for what is no address."""
    address = read_person_address(email)
    person = find_person(session, address)
    if person is None:
        raise NobodyHere(email=address, near=find_near(address, session.scalars(select(Person.email)).all()))
    return person
