"""Addresses that must not be written to: found, added by hand, and lifted with a reason, each on record."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from flask import abort, request
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.people import TeamRole
from registry.queries.customers import shown_address
from registry.queries.suppressions import SuppressedRow, find_customers_told, list_suppressed
from registry.readers.email_addresses import read_email_address
from registry.steps.addresses import find_address
from registry.steps.keyring import load_keyring
from registry.steps.suppressions import AddedBecause, LiftedBecause, NotSuppressed, add_suppression, lift_suppression
from registry.tables import Publisher
from registry.web.team.access import Desk, screen
from registry.web.team.frame import PAGE_SIZE, cut_page, errors_of, go, page_number, show, status_of

REASONS: Final = {
    "by_hand": "put here by a person",
    "bounced": "letters to it came back for good",
    "complained": "its reader called a letter unwanted",
    "suppressed_by_provider": "the mail provider writes to it no more",
}
ADDED: Final = (
    (AddedBecause.ASKED_FOR.value, "Whoever reads it asked not to be written to"),
    (AddedBecause.DOES_NOT_WORK.value, "Nobody reads it any more"),
    (AddedBecause.SOMEBODY_ELSE.value, "It belongs to somebody who has nothing to do with this"),
)
LIFTED: Final = (
    (LiftedBecause.ASKED_FOR.value, "Whoever reads it wants the letters again"),
    (LiftedBecause.WORKS_AGAIN.value, "The mailbox takes letters again"),
    (LiftedBecause.REPORTED_WRONGLY.value, "It was reported by mistake"),
)


@screen("/suppressions/", TeamRole.VIEWER)
def suppressions(desk: Desk) -> Any:
    """Show addresses that must not be written to, the newest first, or look for one."""
    number = page_number()
    errors: dict[str, str] = {}
    with desk.reading() as (session, publisher):
        address = _searched(errors)
        rows: list[SuppressedRow] = []
        if not errors:
            rows = list_suppressed(
                session,
                publisher,
                load_keyring(session, desk.now),
                address=address,
                offset=(number - 1) * PAGE_SIZE,
                limit=PAGE_SIZE,
            )
        return show(
            "team/suppressions/list.html",
            page=cut_page(rows, number),
            searched=address,
            values=request.args,
            errors=errors,
            **_words(desk, session, publisher),
        )


@screen("/suppressions/add", TeamRole.EDITOR, post=True)
def add_suppressed(desk: Desk) -> Any:
    """Put an address on the list by hand, knowing which customers are told by it."""
    customers: list[tuple[str, str]] = []
    error: RegistryError | None = None
    if request.method == "POST":
        try:
            with desk.writing() as (session, publisher):
                email = read_email_address(request.form.get("email", ""))
                because = _chosen(AddedBecause)
                keyring = load_keyring(session, desk.now)
                address = find_address(session, publisher, keyring, email)
                told = find_customers_told(session, [address.id]) if address else {}
                customers = next(iter(told.values()), [])
                if customers and not request.form.get("understood"):
                    raise InvalidInput([Problem("understood", None, "suppresses-a-contact")])
                is_new = add_suppression(session, desk.now, publisher, keyring, email, desk.actor, because)
            said = "It is written to no more." if is_new else "Nothing changed: it was put on the list before."
            return go("suppressions", said=said)
        except RegistryError as refused:
            error = refused
    return show(
        "team/suppressions/add.html",
        status_of(error) if error else 200,
        choices=ADDED,
        customers=customers,
        values=request.form,
        errors=errors_of(error) if error else {},
    )


@screen("/suppressions/<int:number>", TeamRole.APPROVER, post=True)
def suppression(desk: Desk, number: int) -> Any:
    """Show one address that is not written to, and lift that with a reason."""
    error: RegistryError | None = None
    if request.method == "POST":
        try:
            with desk.writing() as (session, publisher):
                row = _load(desk, session, publisher, number)
                keyring = load_keyring(session, desk.now)
                email = row.address or read_email_address(request.form.get("email", ""))
                found = list_suppressed(session, publisher, keyring, address=email, limit=1)
                if [each.number for each in found] != [number]:
                    raise InvalidInput([Problem("email", email, "another-address")])
                lift_suppression(session, desk.now, publisher, keyring, email, desk.actor, _chosen(LiftedBecause))
            return go("suppressions", said="It is written to again. Letters that were skipped meanwhile stay skipped.")
        except NotSuppressed:
            abort(404)
        except RegistryError as refused:
            error = refused
    with desk.reading() as (session, publisher):
        row = _load(desk, session, publisher, number)
        return show(
            "team/suppressions/one.html",
            status_of(error) if error else 200,
            row=row,
            choices=LIFTED,
            values=request.form,
            errors=errors_of(error) if error else {},
            **_words(desk, session, publisher),
        )


def _load(desk: Desk, session: Session, publisher: Publisher, number: int) -> SuppressedRow:
    rows = list_suppressed(session, publisher, load_keyring(session, desk.now), number=number, limit=1)
    if not rows:
        abort(404)
    return rows[0]


def _searched(errors: dict[str, str]) -> str | None:
    text = request.args.get("address", "").strip()
    if not text:
        return None
    try:
        return read_email_address(text, "address")
    except InvalidInput as error:
        errors.update(errors_of(error))
        return None


def _chosen(kind: type[Any]) -> Any:
    with suppress(ValueError):
        return kind(request.form.get("because", ""))
    raise InvalidInput([Problem("because", None, "reason-not-chosen")])


def _words(desk: Desk, session: Session, publisher: Publisher) -> dict[str, Any]:
    zone = desk.facts(session, publisher).time_zone
    return {"zone": zone, "reasons": REASONS, "shown_address": shown_address, "in_full": desk.may(TeamRole.EDITOR)}
