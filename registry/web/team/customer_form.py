"""A customer's facts and terms by a form, its contract's end, its place in a notice, shorter terms by two people."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.customer_import import RESERVED_KEYS
from registry.domain.entries import digest_of
from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.people import TeamRole
from registry.domain.publishers import CustomerFacts
from registry.domain.terms import list_time_zones
from registry.domain.validation import read_model
from registry.i18n import show_day
from registry.queries.customer_page import CustomerPage
from registry.steps import propose_terms
from registry.steps.add_forgotten import add_forgotten_customer, say_added
from registry.steps.customers import end_contract, record_customer
from registry.steps.errors import UnknownNotice
from registry.steps.lookup import find_customer_terms, get_notice
from registry.steps.propose_terms import approve_proposal, drop_proposal
from registry.tables import Customer, Product, Publisher
from registry.web.team.access import Desk, screen
from registry.web.team.customer_words import TERMS, say_term
from registry.web.team.customers import get_page, show_customer
from registry.web.team.frame import errors_of, go, show, status_of

NUMBERS: Final = ("days", "objection_days")
TICKED: Final = ("roll_to_working_day", "receipt_by_webhook")
DEEMED_DAYS, DEEMED_CLAUSE = "undeliverable.deemed_after_days", "undeliverable.clause"


@screen("/customers/new", TeamRole.EDITOR, post=True)
def new_customer(desk: Desk) -> Any:
    """Add a customer by hand."""
    if request.method == "GET":
        return _show_form(desk, None, {})
    try:
        with desk.writing() as (session, publisher):
            wanted = _read_form(_key_given())
            if session.scalar(select(Customer.id).where(_is_key(publisher, wanted.key))) is not None:
                raise InvalidInput([Problem("key", wanted.key, "customer-key-taken")])
            record_customer(session, desk.now, publisher, wanted, desk.actor)
    except RegistryError as error:
        return _show_form(desk, None, _as_typed(), error)
    told = "It has no contact yet, so nobody can be told." if not wanted.contacts else "It is told from now on."
    return go("customer", said=f"{wanted.name} is on record. {told}", key=wanted.key)


@screen("/customers/<key>/edit", TeamRole.EDITOR, post=True)
def edit_customer(desk: Desk, key: str) -> Any:
    """Edit a customer's facts and terms."""
    with desk.reading() as (session, publisher):
        found = _load(desk, session, publisher, key)
    if request.method == "GET":
        return _show_form(desk, found, _values_of(found))
    try:
        with desk.writing() as (session, publisher):
            now_there = _load(desk, session, publisher, key)
            if request.form.get("seen") != _seen(now_there):
                raise CustomerChangedMeanwhile(customer=now_there.row.name)
            edited = propose_terms.edit_customer(
                session, desk.now, publisher, _read_form(key), desk.actor, reason=_given("reason")
            )
            has_proposal = edited.proposal is not None
    except RegistryError as error:
        return _show_form(desk, found, _as_typed(), error)
    if has_proposal:
        return go("customer", said="Saved, but for the shorter terms: these wait for a second person.", key=key)
    return go("customer", said="Saved. Terms count for notices that are announced from now on.", key=key)


@screen("/customers/<key>/terms/approve", TeamRole.APPROVER, get=False, is_fresh=True)
def approve_customer_terms(desk: Desk, key: str) -> Any:
    """Approve the shorter terms that wait."""
    try:
        with desk.writing() as (session, publisher):
            _load(desk, session, publisher, key)
            counts, given = approve_proposal(
                session, desk.now, publisher, key, request.form.get("digest", ""), desk.actor
            )
    except RegistryError as error:
        return show_customer(desk, key, status_of(error), errors=errors_of(error))
    if counts:
        return go("customer", said="Approved. The terms count for notices that are announced from now on.", key=key)
    return go("customer", said=f"Your approval is on record, the {given}. More are required.", key=key)


@screen("/customers/<key>/terms/drop", TeamRole.EDITOR, get=False)
def drop_customer_terms(desk: Desk, key: str) -> Any:
    """Drop the shorter terms that wait."""
    try:
        with desk.writing() as (session, publisher):
            _load(desk, session, publisher, key)
            drop_proposal(session, desk.now, publisher, key, request.form.get("digest", ""), desk.actor)
    except RegistryError as error:
        return show_customer(desk, key, status_of(error), errors=errors_of(error))
    return go("customer", said="Dropped. The terms stay as they are.", key=key)


@screen("/customers/<key>/contract", TeamRole.EDITOR, post=True)
def end_customer_contract(desk: Desk, key: str) -> Any:
    """Record the last day of a customer's contract."""
    errors: dict[str, str] = {}
    status = 200
    if request.method == "POST":
        try:
            with desk.writing() as (session, publisher):
                _load(desk, session, publisher, key)
                on = read_model(CustomerFacts, {"key": key, "name": "-", "contract_until": _given("contract_until")})
                if on.contract_until is None:
                    raise InvalidInput([Problem("contract_until", None, "missing")])
                row = end_contract(session, desk.now, publisher, key, on.contract_until, desk.actor)
                own_terms = desk.facts(session, publisher).notice
                zone = (find_customer_terms(session, row, own_terms) or own_terms).time_zone
            return go("customer", said=f"The contract ends with {show_day(on.contract_until, zone)}.", key=key)
        except RegistryError as error:
            errors, status = errors_of(error), status_of(error)
    with desk.reading() as (session, publisher):
        found = _load(desk, session, publisher, key)
        values = {"contract_until": request.form.get("contract_until", found.row.contract_until)}
        return show("team/customers/contract.html", status, found=found, values=values, errors=errors)


@screen("/customers/<key>/notices/<number>", TeamRole.EDITOR, get=False)
def add_customer_to_notice(desk: Desk, key: str, number: str) -> Any:
    """Add a customer to a pending notice that left it out for the end of its contract (R17)."""
    try:
        with desk.writing() as (session, publisher):
            found = _load(desk, session, publisher, key)
            notice = get_notice(session, publisher, number)
            added = add_forgotten_customer(session, desk.now, publisher, notice, key, desk.actor)
            said = say_added(found.row.name, number, added)
    except UnknownNotice:
        raise
    except RegistryError as error:
        return show_customer(desk, key, status_of(error), errors=errors_of(error))
    return go("customer", said=said, key=key)


class CustomerChangedMeanwhile(RegistryError):
    """Somebody saved the customer while its form was open. Params: customer."""

    code = "customer-changed-meanwhile"


def _load(desk: Desk, session: Session, publisher: Publisher, key: str) -> CustomerPage:
    return get_page(session, publisher, desk.facts(session, publisher), key)


def _show_form(
    desk: Desk, found: CustomerPage | None, values: dict[str, Any], error: RegistryError | None = None
) -> Any:
    with desk.reading() as (session, publisher):
        facts = desk.facts(session, publisher)
        products = session.execute(
            select(Product.key, Product.name).where(Product.publisher_id == publisher.id).order_by(Product.position)
        ).all()
    errors = _by_field(error) if error else {}
    return show(
        "team/customers/form.html",
        status_of(error) if error else 200,
        found=found,
        seen=_seen(found) if found else "",
        values=values,
        errors=errors,
        products=[(product_key, name) for product_key, name in products],
        terms=TERMS,
        numbers=NUMBERS,
        publishers={name: say_term(name, getattr(facts.notice, name)) for name in TERMS},
        zones=sorted(list_time_zones()),
        facts=facts,
    )


def _by_field(error: RegistryError) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, sentence in errors_of(error, "notice.").items():
        found.setdefault("products" if field.startswith("products.") else field, sentence)
    return found


def _read_form(key: str) -> CustomerFacts:
    """Return the customer as the form states it. A blank term is the publisher's. Raises `InvalidInput`."""
    notice: dict[str, Any] = {}
    for name in TERMS:
        given = _given(name)
        if given is None or name == "time_zone":
            continue
        if name in NUMBERS:
            notice[name] = _number(given)
        elif name in TICKED:
            notice[name] = given == "yes"
        elif name == "undeliverable" and given == "deemed":
            days = _given(DEEMED_DAYS)
            stated = {"deemed_after_days": _number(days) if days else None, "clause": _given(DEEMED_CLAUSE)}
            notice[name] = {field: value for field, value in stated.items() if value is not None}
        else:
            notice[name] = given
    email = _given("contacts.0.email")
    contacts = [{"email": email, "name": _given("contacts.0.name")}] if email else []
    data = {
        "key": key,
        "name": _given("name") or "",
        "time_zone": _given("time_zone"),
        "contract_from": _given("contract_from"),
        "contract_until": _given("contract_until"),
        "products": request.form.getlist("products"),
        "notice": notice,
        "contacts": contacts,
    }
    if key in RESERVED_KEYS:
        raise InvalidInput([Problem("key", key, "reserved-key")])
    return read_model(CustomerFacts, data)


def _key_given() -> str:
    """Return the key of the form, or one made of the name where none is given."""
    given = _given("key")
    if given:
        return given
    plain = unicodedata.normalize("NFKD", _given("name") or "").encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-")


def _values_of(found: CustomerPage) -> dict[str, Any]:
    row, own = found.row, found.overrides
    values: dict[str, Any] = {name: own.get(name) for name in TERMS}
    values |= {name: {"True": "yes", "False": "no"}.get(str(own.get(name))) for name in TICKED}
    if isinstance(own.get("undeliverable"), dict):
        values["undeliverable"] = "deemed"
        values[DEEMED_DAYS] = own["undeliverable"].get("deemed_after_days")
        values[DEEMED_CLAUSE] = own["undeliverable"].get("clause")
    dates = {name: getattr(row, name) for name in ("contract_from", "contract_until")}
    return values | dates | {"name": row.name, "products": row.products}


def _as_typed() -> dict[str, Any]:
    return request.form.to_dict() | {"products": request.form.getlist("products")}


def _seen(found: CustomerPage) -> str:
    row = found.row
    return digest_of([row.name, str(row.contract_from), str(row.contract_until), row.products, found.version])


def _is_key(publisher: Publisher, key: str) -> Any:
    return (Customer.publisher_id == publisher.id) & (Customer.key == key)


def _given(name: str) -> str | None:
    return request.form.get(name, "").strip() or None


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else text
