"""A customer's contacts: added, changed, put in order, moved and ended. The last that works stays (R34)."""

from __future__ import annotations

from typing import Any

from flask import abort, request
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.people import TeamRole
from registry.domain.vocabulary import ChannelKind
from registry.queries.customer_page import ContactRow, CustomerPage
from registry.steps import change_contact
from registry.steps.addresses import is_suppressed
from registry.steps.audience_errors import UnknownContact
from registry.steps.contacts import add_contact
from registry.steps.errors import UnknownCustomer
from registry.steps.keyring import load_keyring
from registry.steps.lookup import find_customer_terms, get_customer
from registry.tables import Address, Customer, Publisher
from registry.web.team.access import Desk, screen
from registry.web.team.customers import get_page, show_customer
from registry.web.team.frame import errors_of, go, show, status_of


@screen("/customers/<key>/contacts", TeamRole.EDITOR, get=False)
def add_customer_contact(desk: Desk, key: str) -> Any:
    """Add a contact, who is told of what is pending at once."""
    try:
        with desk.writing() as (session, publisher):
            row = _customer(session, publisher, key)
            facts = desk.facts(session, publisher)
            added = add_contact(
                session,
                desk.now,
                row,
                request.form.get("email", ""),
                desk.actor,
                name=request.form.get("name"),
                language=request.form.get("language", "").strip()
                or (find_customer_terms(session, row, facts.notice) or facts.notice).language,
                is_standby=bool(request.form.get("is_standby")),
            )
            address = session.get_one(Address, added.subscription.address_id)
            keyring = load_keyring(session, desk.now)
            blocked = is_suppressed(session, publisher, keyring, address.value or "", ChannelKind(address.channel))
    except RegistryError as error:
        return show_customer(desk, key, status_of(error), errors=errors_of(error), values=request.form)
    if not added.is_new:
        return go("customer", said="Nothing changed: this address is a contact of the customer already.", key=key)
    said = f"The contact is on record, and {added.letters_due or 'no'} letters about pending notices are due to it."
    if blocked:
        said = "The contact is on record, but its address is not written to. Lift that first, if it is meant."
    return go("customer", said=said, key=key)


@screen("/customers/<key>/contacts/<int:contact>", TeamRole.EDITOR, post=True)
def customer_contact(desk: Desk, key: str, contact: int) -> Any:
    """Change what is known of a contact."""
    if request.method == "GET":
        return _show(desk, key, contact)
    try:
        with desk.writing() as (session, publisher):
            changed = change_contact.change_contact(
                session,
                desk.now,
                _customer(session, publisher, key),
                contact,
                desk.actor,
                name=request.form.get("name"),
                language=request.form.get("language", ""),
                is_standby=bool(request.form.get("is_standby")),
            )
    except RegistryError as error:
        return _show(desk, key, contact, error)
    return go("customer", said="The contact is changed." if changed else "Nothing changed.", key=key)


@screen("/customers/<key>/contacts/<int:contact>/raise", TeamRole.EDITOR, get=False)
def raise_customer_contact(desk: Desk, key: str, contact: int) -> Any:
    """Put a contact before the one above it."""
    try:
        with desk.writing() as (session, publisher):
            change_contact.raise_contact(session, desk.now, _customer(session, publisher, key), contact, desk.actor)
    except RegistryError as error:
        return _show(desk, key, contact, error)
    return go("customer", said="The order is changed.", key=key)


@screen("/customers/<key>/contacts/<int:contact>/end", TeamRole.EDITOR, get=False)
def end_customer_contact(desk: Desk, key: str, contact: int) -> Any:
    """End a contact, where another one stands that can be written to."""
    try:
        with desk.writing() as (session, publisher):
            change_contact.remove_contact(session, desk.now, _customer(session, publisher, key), contact, desk.actor)
    except RegistryError as error:
        return _show(desk, key, contact, error)
    return go("customer", said="The contact is ended, and what waited for it is not sent.", key=key)


@screen("/customers/<key>/contacts/<int:contact>/move", TeamRole.EDITOR, get=False)
def move_customer_contact(desk: Desk, key: str, contact: int) -> Any:
    """Make a contact one of another customer."""
    other = request.form.get("other", "").strip()
    try:
        with desk.writing() as (session, publisher):
            row = _customer(session, publisher, key)
            try:
                target = get_customer(session, publisher, other.replace("\0", ""))
            except UnknownCustomer as error:
                near = error.params["near"]
                raise InvalidInput([Problem("other", other, "customer-not-known", {"near": near})]) from None
            if target.id == row.id:
                raise InvalidInput([Problem("other", other, "customer-not-known")])
            change_contact.move_contact(session, desk.now, row, contact, target, desk.actor)
    except RegistryError as error:
        return _show(desk, key, contact, error)
    return go("customer", said=f"The contact is one of {target.name} now.", key=other)


def _customer(session: Session, publisher: Publisher, key: str) -> Customer:
    if "\0" in key:
        abort(404)
    try:
        return get_customer(session, publisher, key)
    except UnknownCustomer:
        abort(404)


def _show(desk: Desk, key: str, number: int, error: RegistryError | None = None) -> Any:
    if isinstance(error, UnknownContact):
        abort(404)
    with desk.reading() as (session, publisher):
        found = get_page(session, publisher, desk.facts(session, publisher), key)
        contact = _pick(found, number)
        known = {"name": contact.name, "language": contact.language, "is_standby": contact.is_standby}
        return show(
            "team/customers/contact.html",
            status_of(error) if error else 200,
            found=found,
            contact=contact,
            others=sum(each.state.value == "works" for each in found.contacts if each.number != number),
            values=request.form if error and "language" in request.form else known | request.form.to_dict(),
            errors=errors_of(error) if error else {},
        )


def _pick(found: CustomerPage, number: int) -> ContactRow:
    standing = (each for each in found.contacts if each.number == number and each.confirmed_at is not None)
    contact = next(standing, None)
    if contact is None:
        abort(404)
    return contact
