"""Objections: the inbox, one of them whole, and what the team does about it (R25)."""

from __future__ import annotations

from typing import Any, Final

from flask import abort, request
from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.domain.objections import read_thread_words
from registry.domain.people import TeamRole
from registry.queries.objection import ObjectionSheet, load_objection
from registry.queries.objections import ObjectionFilter, count_objections, list_objections
from registry.steps.objection_thread import (
    WrittenTo,
    add_note,
    find_objection,
    record_refund,
    send_reply,
    take_up,
)
from registry.steps.record_objection import resolve_objection
from registry.tables import Customer, Notice, Objection, Publisher
from registry.web.current import wiring
from registry.web.team import objection_words as words
from registry.web.team.access import Desk, screen
from registry.web.team.delivery_words import mask_address
from registry.web.team.frame import PAGE_SIZE, cut_page, errors_of, go, page_number, show, status_of

SHOWN: Final = ("open", "late", "closed", "all")


@screen("/objections/", TeamRole.VIEWER)
def objections(desk: Desk) -> Any:
    """Show the inbox: what is open first, by the day it matters."""
    asked = request.args.get("show", "open")
    wanted = ObjectionFilter(
        asked if asked in SHOWN else "open",
        request.args.get("notice", "").strip() or None,
        request.args.get("customer", "").strip() or None,
    )
    with desk.reading() as (session, publisher):
        rows = list_objections(session, publisher, wanted, page_number(), PAGE_SIZE)
        counts = count_objections(session, publisher)
    return show(
        "team/objections/list.html",
        page=cut_page(rows, page_number()),
        wanted=wanted,
        counts=counts,
        words=words,
        values={"notice": wanted.notice, "customer": wanted.customer, "show": wanted.show},
    )


@screen("/objections/<int:objection>", TeamRole.VIEWER)
def objection(desk: Desk, objection: int) -> Any:
    """Show one objection whole, with its thread and its effect on the notice."""
    return _sheet(desk, objection)


@screen("/objections/<int:objection>/take-up", TeamRole.EDITOR, get=False)
def take_up_objection(desk: Desk, objection: int) -> Any:
    """Record that somebody works on it."""
    try:
        with desk.writing() as (session, publisher):
            take_up(session, desk.now, publisher, _get(session, publisher, objection), desk.actor)
    except RegistryError as error:
        return _sheet(desk, objection, error)
    return go("objection", said="The objection is under review.", objection=objection)


@screen("/objections/<int:objection>/note", TeamRole.EDITOR, get=False)
def note_objection(desk: Desk, objection: int) -> Any:
    """Put a note of the team's own in the thread."""
    try:
        with desk.writing() as (session, publisher):
            row = _get(session, publisher, objection)
            add_note(session, desk.now, publisher, row, desk.actor, request.form.get("text", ""))
    except RegistryError as error:
        return _sheet(desk, objection, error)
    return go("objection", said="The note is in the thread. The customer does not see it.", objection=objection)


@screen("/objections/<int:objection>/answer", TeamRole.EDITOR, get=False)
def answer_objection(desk: Desk, objection: int) -> Any:
    """Answer the customer by e-mail."""
    to: WrittenTo = "objector" if request.form.get("to") == "objector" else "contacts"
    try:
        with desk.writing() as (session, publisher):
            row = _get(session, publisher, objection)
            answer = read_thread_words(request.form.get("answer", ""), "answer")
            contacts = send_reply(session, desk.now, publisher, row, desk.actor, wiring().letterhead, answer, to)
    except RegistryError as error:
        return _sheet(desk, objection, error)
    count = "1 contact" if len(contacts) == 1 else f"{len(contacts)} contacts"
    return go("objection", said=f"The reply goes to {count} by e-mail.", objection=objection)


@screen("/objections/<int:objection>/close", TeamRole.EDITOR, post=True)
def close_objection(desk: Desk, objection: int) -> Any:
    """Say what closing it does to the notice, and do it: an objection that was closed is not opened again."""
    if request.method == "GET":
        return _closing(desk, objection, request.args.get("cure", ""))
    cure = words.find_cure(request.form.get("cure", ""))
    if cure is None:
        return _closing(desk, objection, "", status=400, errors={"cure": "Choose how it is closed."})
    try:
        with desk.writing() as (session, publisher):
            row = _get(session, publisher, objection)
            text = read_thread_words(request.form.get("text", ""))
            notice = session.get_one(Notice, row.notice_id)
            customer = session.get_one(Customer, row.customer_id)
            if "send" in request.form:
                # Before it is closed, so that nothing is closed where nobody can be told.
                send_reply(session, desk.now, publisher, row, desk.actor, wiring().letterhead, text)
            resolve_objection(session, desk.now, publisher, notice, customer.key, desk.actor, cure=cure.name, note=text)
    except RegistryError as error:
        return _closing(desk, objection, cure.name, status=status_of(error), errors=errors_of(error))
    return go("objection", said=f"The objection is closed: {cure.called.lower()}.", objection=objection)


@screen("/objections/<int:objection>/refund", TeamRole.EDITOR, get=False)
def refund_objection(desk: Desk, objection: int) -> Any:
    """Record that what was paid ahead was given back, after the contract had ended."""
    try:
        with desk.writing() as (session, publisher):
            row = _get(session, publisher, objection)
            refund = read_thread_words(request.form.get("refund", ""), "refund")
            record_refund(session, desk.now, publisher, row, desk.actor, refund)
    except RegistryError as error:
        return _sheet(desk, objection, error)
    return go("objection", said="The refund is recorded.", objection=objection)


def _get(session: Session, publisher: Publisher, number: int) -> Objection:
    found = find_objection(session, publisher, number)
    if found is None:
        abort(404)
    return found


def _load(desk: Desk, number: int) -> ObjectionSheet:
    with desk.reading() as (session, publisher):
        sheet = load_objection(session, desk.now, publisher, number)
    if sheet is None:
        abort(404)
    return sheet


def _sheet(desk: Desk, number: int, error: RegistryError | None = None) -> Any:
    sheet = _load(desk, number)
    return show(
        "team/objections/sheet.html",
        status=status_of(error) if error else 200,
        sheet=sheet,
        words=words,
        effect=words.say_effect(sheet),
        shown=(lambda address: address) if desk.may(TeamRole.EDITOR) else mask_address,
        errors=errors_of(error) if error else {},
        values=request.form if error else {"to": "contacts"},
    )


def _closing(
    desk: Desk, number: int, cure_name: str, *, status: int = 200, errors: dict[str, str] | None = None
) -> Any:
    sheet = _load(desk, number)
    if not sheet.is_open:
        return go("objection", said="The objection is closed already.", objection=number)
    return show(
        "team/objections/close.html",
        status=status,
        sheet=sheet,
        words=words,
        effect=words.say_closing(sheet),
        errors=errors or {},
        values=request.form if errors else {"cure": cure_name},
    )
