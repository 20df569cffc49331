"""One delivery: every try at it, what was reported later, its letter made again, and whom to tell instead."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

from flask import abort, request
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.people import TeamRole
from registry.queries.deliveries import find_delivery, list_attempts, list_contacts_told, list_outcomes
from registry.queries.delivery_letter import MadeAgain, ShownLetter, make_again, without_acting_links
from registry.steps.load_letter import Recipient, load_recipient
from registry.steps.resend_delivery import Resent, resend_to_address, resend_to_contact
from registry.tables import Attempt, Publisher
from registry.web.current import wiring
from registry.web.team import delivery_words as say
from registry.web.team.access import Desk, screen
from registry.web.team.deliveries import is_pending
from registry.web.team.delivery_sandbox import show_letter
from registry.web.team.frame import errors_of, go, show, status_of

ANOTHER = "another"


@screen("/deliveries/<int:number>", TeamRole.VIEWER)
def delivery(desk: Desk, number: int) -> Any:
    """Show one delivery with all that is known of it."""
    with desk.reading() as (session, publisher):
        return _show(desk, session, publisher, number)


@screen("/deliveries/<int:number>/letter", TeamRole.VIEWER)
def delivery_letter(desk: Desk, number: int) -> Any:
    """Show the HTML of a delivery's letter alone, for the frame on its screen."""
    with desk.reading() as (session, publisher):
        recipient = _load(session, publisher, number)
        made = _make_again(desk, session, recipient, [])
    if made.letter is None or made.letter.html is None:
        abort(404)
    return show_letter(made.letter.html)


@screen("/deliveries/<int:number>/resend", TeamRole.EDITOR, get=False)
def resend(desk: Desk, number: int) -> Any:
    """Send the statement of a delivery to another contact of the same customer."""
    chosen = request.form.get("contact", "")
    try:
        with desk.writing() as (session, publisher):
            found = find_delivery(session, publisher, number)
            if found is None:
                abort(404)
            resent: Resent
            if chosen.isascii() and chosen.isdigit() and len(chosen) < 19:
                resent = resend_to_contact(session, desk.now, publisher, found, int(chosen), desk.actor)
            elif chosen == ANOTHER:
                email, name = request.form.get("email", ""), request.form.get("name")
                resent = resend_to_address(session, desk.now, publisher, found, email, desk.actor, name=name)
            else:
                raise InvalidInput([Problem("contact", "", "missing")])
            made = resent.delivery.id
    except RegistryError as error:
        with desk.reading() as (session, publisher):
            return _show(desk, session, publisher, number, error)
    added = "The contact was added, and the letter" if resent.is_new_contact else "The letter"
    return go("delivery", said=f"{added} goes out within the next minute. This is the new delivery.", number=made)


def _load(session: Session, publisher: Publisher, number: int) -> Recipient:
    found = find_delivery(session, publisher, number)
    if found is None:
        abort(404)
    return load_recipient(session, found)


def _show(desk: Desk, session: Session, publisher: Publisher, number: int, error: RegistryError | None = None) -> Any:
    recipient = _load(session, publisher, number)
    attempts = list_attempts(session, recipient.delivery)
    outcomes = list_outcomes(session, recipient.delivery)
    made = _make_again(desk, session, recipient, attempts)
    customer, statement, notice = recipient.customer, recipient.statement, recipient.notice
    contacts = list_contacts_told(session, customer.id, statement.id) if customer and statement else []
    address = recipient.address.value
    sees_addresses = desk.may(TeamRole.EDITOR)
    values = request.form.to_dict() if error is not None else {}
    return show(
        "team/deliveries/one.html",
        status=status_of(error) if error is not None else 200,
        errors=errors_of(error) if error is not None else {},
        values=values,
        delivery=recipient.delivery,
        customer=customer,
        statement=statement,
        notice=notice,
        audience=recipient.subscription.audience,
        address=address if sees_addresses or address is None else say.mask_address(address),
        contacts=[each for each in contacts if each.subscription_id != recipient.subscription.id],
        can_resend=customer is not None and notice is not None and is_pending(notice) and sees_addresses,
        attempts=attempts,
        outcomes=outcomes,
        made=made,
        say=say,
        quoted=(lambda text: text) if sees_addresses else (lambda text: say.mask_in(text, address)),
        zone=publisher.facts["time_zone"],
        deadline_zone=(recipient.delivery.merge or {}).get("zone", publisher.facts["time_zone"]),
        another=ANOTHER,
    )


def _make_again(desk: Desk, session: Session, recipient: Recipient, attempts: list[Attempt]) -> MadeAgain:
    """Make the letter again as this person may see it: without links that act, and for a viewer without the address."""
    made = make_again(session, recipient, wiring().keyring, attempts)
    if made.letter is None:
        return made
    letter = without_acting_links(made.letter)
    if not desk.may(TeamRole.EDITOR):
        letter = _masked(letter, recipient.address.value)
    return replace(made, letter=letter)


def _masked(letter: ShownLetter, address: str | None) -> ShownLetter:
    return replace(
        letter,
        headers=tuple((name, say.mask_in(value, address)) for name, value in letter.headers),
        text=say.mask_in(letter.text, address),
        html=None if letter.html is None else say.mask_in(say.mask_in(letter.html, escape(address or "")), address),
    )
