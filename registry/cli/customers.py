"""`registry customer` and `registry publisher`: who is under contract, with which contacts; whose lists there are."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import click
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.cli.invocation import Function, Invocation, Refusal, Section, as_option, pass_invocation, publisher_option
from registry.cli.printing import count_of, plain, print_json, print_lines, short_day, table
from registry.cli.values import FILE_NAME, LOCAL_DATE, read_input
from registry.domain.notice_life import PENDING_STATES
from registry.domain.notices import local_date
from registry.domain.publishers import CustomerFacts
from registry.domain.terms import Terms
from registry.domain.validation import read_model
from registry.i18n import show_day
from registry.queries.customers import ContractState, contract_state
from registry.readers.registry_file import read_registry_file
from registry.steps.approve_terms import approve_terms
from registry.steps.artefacts import addresses_of
from registry.steps.contacts import add_contact, end_contact
from registry.steps.customers import end_contract, record_customer
from registry.steps.list_endpoints import show_address
from registry.steps.lookup import find_customer_terms, get_customer, get_publisher, read_facts
from registry.tables import Address, Customer, ListPeriod, Notice, Publisher, Subscription
from registry.tables.engine import reading, writing

TERM_OPTIONS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("days", {"type": int}, "Days of notice."),
    ("objection_days", {"type": int}, "Days to object."),
    ("counting", {"type": click.Choice(["calendar", "business"])}, "Which days are counted."),
    ("holidays", {"metavar": "REGION"}, "Whose public holidays count, such as DE-SN."),
    ("language", {"metavar": "TAG"}, "The language of its letters."),
    ("authorisation", {"type": click.Choice(["general", "specific"])}, "What its contract gives."),
    ("objection", {"type": click.Choice(["hold", "record"])}, "What its open objection does."),
    ("clock_starts_on", {"type": click.Choice(["accepted", "delivered"])}, "The evidence that starts its clock."),
)
"""The terms that a command line can state; the others are for a registry file."""


def term_options(function: Function) -> Function:
    """Add an option for each term in which a contract may differ from the publisher's."""
    decorated: Any = function
    for name, attributes, text in reversed(TERM_OPTIONS):
        decorated = click.option(f"--{name.replace('_', '-')}", name, help=text, **attributes)(decorated)
    result: Function = decorated
    return result


@click.group(cls=Section, short_help="List and add customers and their contacts.")
def customer() -> None:
    """List and add customers under contract, and their contacts."""


@customer.command("list", examples=["registry customer list --publisher antopsis"])
@publisher_option
@pass_invocation
def list_customers(run: Invocation, publisher_slug: str) -> None:
    """List a publisher's customers with their terms and contacts."""
    with reading(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug)
        terms = read_facts(session, publisher).notice
        found = session.scalars(
            select(Customer).where(Customer.publisher_id == publisher.id).order_by(Customer.key)
        ).all()
        documents = [_customer_document(session, each, terms) for each in found]
    if run.as_json:
        print_json(documents)
    elif not documents:
        click.echo(
            f"{publisher_slug} has no customers yet. `registry customer add KEY --publisher {publisher_slug}` adds one."
        )
    else:
        rows = [
            (
                each["key"],
                each["name"],
                f"{own['days']}/{own['objection_days']} {own['counting']}"
                if (own := each["terms"])
                else "cannot be read",
                own["time_zone"] if own else "set its terms anew",
                _say_contract(run.now, each, own["time_zone"] if own else terms.time_zone),
                ", ".join(
                    f"{contact} (stands by)" if contact in each["standing_by"] else contact
                    for contact in each["contacts"]
                )
                or "none: nobody can be told",
            )
            for each in documents
        ]
        print_lines(table(("Key", "Name", "Notice/objection", "Zone", "Contract", "Contacts"), rows))


def _say_contract(now: datetime, document: dict[str, Any], zone: str) -> str:
    first, last = document["contract_from"], document["contract_until"]
    match contract_state(local_date(now, zone), first, last):
        case ContractState.TO_COME:
            return f"begins {short_day(first)}"
        case ContractState.ENDED:
            return f"ended {short_day(last)}"
        case ContractState.RUNNING:
            return f"ends {short_day(last)}" if last else "runs"


def _customer_document(session: Session, row: Customer, publisher_terms: Terms) -> dict[str, Any]:
    contacts = session.execute(
        select(Address.channel, Address.value, Subscription.is_standby)
        .join(Subscription, Subscription.address_id == Address.id)
        .where(
            Subscription.customer_id == row.id,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
            Address.value.is_not(None),
        )
        .order_by(Subscription.rank, Subscription.id)
    )
    shown = [(show_address(channel, value or ""), is_standby) for channel, value, is_standby in contacts]
    terms = find_customer_terms(session, row, publisher_terms)
    return {
        "key": row.key,
        "name": row.name,
        "contract_from": row.contract_from,
        "contract_until": row.contract_until,
        "products": row.products,
        "terms": plain(terms.model_dump(mode="json")) if terms else None,
        "contacts": [address for address, _ in shown],
        "standing_by": [address for address, is_standby in shown if is_standby],
    }


@customer.command(
    examples=[
        'registry customer add acme --publisher antopsis --name "Acme GmbH" --contact privacy@acme.example',
        'registry customer add acme --publisher antopsis --name "Acme GmbH" --days 45 --time-zone Europe/Berlin',
    ]
)
@click.argument("key")
@publisher_option
@click.option("--name", required=True, metavar="TEXT", help="The company's name.")
@click.option("--contact", "contacts", multiple=True, metavar="EMAIL", help="Who is told. May be repeated.")
@click.option("--product", "products", multiple=True, metavar="KEY", help="A product it uses; all if left out.")
@click.option("--time-zone", metavar="ZONE", help="Its zone, such as Europe/Berlin; the publisher's if left out.")
@click.option("--contract-from", type=LOCAL_DATE, help="The contract's first day.")
@click.option("--contract-until", type=LOCAL_DATE, help="The contract's last day.")
@term_options
@as_option
@pass_invocation
def add(
    run: Invocation,
    /,
    key: str,
    publisher_slug: str,
    name: str,
    contacts: tuple[str, ...],
    products: tuple[str, ...],
    time_zone: str | None,
    contract_from: date | None,
    contract_until: date | None,
    acting_as: str | None,
    **terms: Any,
) -> None:
    """Add a customer under contract. Terms left out are the publisher's (R8).

    One that is on record already is changed by the customers of a registry file, not by this.
    """
    actor = run.actor(acting_as)
    given = {
        "key": key,
        "name": name,
        "contacts": list(contacts),
        "products": list(products),
        "notice": {term: value for term, value in terms.items() if value is not None},
        **({"time_zone": time_zone} if time_zone else {}),
        **({"contract_from": contract_from} if contract_from else {}),
        **({"contract_until": contract_until} if contract_until else {}),
    }
    facts = read_model(CustomerFacts, given)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        if session.scalar(select(Customer.id).where(Customer.publisher_id == publisher.id, Customer.key == key)):
            raise Refusal(f"{publisher_slug} has a customer {key} already. Change it by `registry apply FILE`.")
        row = record_customer(session, run.now, publisher, facts, actor)
        document = _customer_document(session, row, read_facts(session, publisher).notice)
    if run.as_json:
        print_json(document)
    else:
        told = count_of(len(document["contacts"]), "contact")
        click.echo(
            f"{name} ({key}) is on record with {told}: {', '.join(document['contacts']) or 'nobody can be told'}."
        )


@customer.command(
    "contact-add", examples=["registry customer contact-add acme dpo@acme.example --publisher antopsis --name 'A. Roe'"]
)
@click.argument("key")
@click.argument("email")
@publisher_option
@click.option("--name", metavar="TEXT", help="The person's name.")
@click.option("--language", default="en", show_default=True, metavar="TAG", help="The language of the letters.")
@click.option("--standby", "is_standby", is_flag=True, help="Told once the other contacts were not reached (R13).")
@as_option
@pass_invocation
def contact_add(
    run: Invocation,
    /,
    key: str,
    email: str,
    publisher_slug: str,
    name: str | None,
    language: str,
    is_standby: bool,
    acting_as: str | None,
) -> None:
    """Add a contact of the customer KEY, who is told of what is pending at once (R18)."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        row = get_customer(session, get_publisher(session, publisher_slug, lock=True), key)
        added = add_contact(session, run.now, row, email, actor, name=name, language=language, is_standby=is_standby)
    if run.as_json:
        print_json({"customer": key, "is_new": added.is_new, "letters_due": added.letters_due})
    elif added.is_new and is_standby:
        click.echo(f"{email} stands by as a contact of {key}, and is told once the others were not reached.")
    elif added.is_new:
        letters = count_of(added.letters_due, "letter")
        click.echo(f"{email} is a contact of {key}; {letters} about what is pending.")
    else:
        click.echo(f"Nothing changed: {email} is a contact of {key} already.")


@customer.command("contact-end", examples=["registry customer contact-end acme dpo@acme.example --publisher antopsis"])
@click.argument("key")
@click.argument("email")
@publisher_option
@as_option
@pass_invocation
def contact_end(run: Invocation, key: str, email: str, publisher_slug: str, acting_as: str | None) -> None:
    """End a contact of the customer KEY, where another one stands (R34)."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        row = get_customer(session, get_publisher(session, publisher_slug, lock=True), key)
        ended = end_contact(session, run.now, row, email, actor)
    if run.as_json:
        print_json({"customer": key, "ended_at": ended.ended_at, "because": ended.ended_because})
    else:
        click.echo(f"{email} is no contact of {key} any more.")


@customer.command("contract-end", examples=["registry customer contract-end acme --publisher antopsis --on 2026-12-31"])
@click.argument("key")
@publisher_option
@click.option(
    "--on", "ends_on", type=LOCAL_DATE, required=True, help="The contract's last day, in the customer's zone."
)
@as_option
@pass_invocation
def contract_end(run: Invocation, key: str, publisher_slug: str, ends_on: date, acting_as: str | None) -> None:
    """Record the last day of a contract; after it the customer KEY holds nothing (R17)."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        row = end_contract(session, run.now, publisher, key, ends_on, actor)
        own_terms = read_facts(session, publisher).notice
        zone = (find_customer_terms(session, row, own_terms) or own_terms).time_zone
    if run.as_json:
        print_json({"customer": key, "contract_until": row.contract_until})
    else:
        click.echo(f"The contract of {key} ends with {show_day(ends_on, zone)}.")


@click.group(cls=Section)
def publisher() -> None:
    """Publishers of this installation."""


@publisher.command(
    "approve-terms",
    short_help="Approve a file that shortens terms.",
    examples=["registry publisher approve-terms antopsis.yaml --as boris@antopsis.example"],
)
@click.argument("file", type=FILE_NAME)
@as_option
@pass_invocation
def approve_terms_of(run: Invocation, file: str, acting_as: str | None) -> None:
    """Approve exactly the terms that a registry FILE states, where it shortens what customers were promised (R8).

    Somebody else applies the file afterwards. Its entries are not approved by this, but with their notice.
    """
    data, called = read_input(file)
    wanted = read_registry_file(data, called)
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        row = get_publisher(session, wanted.publisher.slug, lock=True)
        given = approve_terms(session, run.now, row, wanted, actor)
    if run.as_json:
        print_json({"publisher": wanted.publisher.slug, "approvals": given})
    else:
        click.echo(f"The terms of {wanted.publisher.slug} in {called}: {count_of(given, 'approval')}.")
        click.echo(f"Next, by somebody else: registry apply {called}")


@publisher.command("list", examples=["registry publisher list"])
@pass_invocation
def list_publishers(run: Invocation) -> None:
    """List the publishers with the addresses of their pages."""
    with reading(run.wiring.engine) as session:
        documents = [
            _publisher_document(session, each, run)
            for each in session.scalars(select(Publisher).order_by(Publisher.slug))
        ]
    if run.as_json:
        print_json(documents)
    elif not documents:
        click.echo("There is no publisher yet. `registry apply FILE` adds the one a registry file is about.")
    else:
        rows = [
            (each["slug"], each["name"], str(each["entries"]), str(each["pending_notices"]), each["page"])
            for each in documents
        ]
        print_lines(table(("Slug", "Name", "Entries", "Pending notices", "Page"), rows))


def _publisher_document(session: Session, row: Publisher, run: Invocation) -> dict[str, Any]:
    facts = read_facts(session, row)
    entries = (
        select(func.count())
        .select_from(ListPeriod)
        .where(ListPeriod.publisher_id == row.id, ListPeriod.to_at.is_(None))
    )
    pending = (
        select(func.count())
        .select_from(Notice)
        .where(Notice.publisher_id == row.id, Notice.state.in_([state.value for state in PENDING_STATES]))
    )
    return {
        "slug": row.slug,
        "name": facts.name,
        "time_zone": facts.time_zone,
        "entries": session.scalar(entries) or 0,
        "pending_notices": session.scalar(pending) or 0,
        "page": addresses_of(session, row, run.wiring.letterhead).page(),
    }
