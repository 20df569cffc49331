"""What becomes of a notice customer by customer, recorded by a person: objections, service, exemptions, outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.cli.invocation import Command, Function, Invocation, Refusal, as_option, pass_invocation, publisher_option
from registry.cli.printing import plain, print_json, say_at, say_end, words_of
from registry.cli.values import INSTANT, LOCAL_DATE
from registry.domain.notices import first_instant, local_date
from registry.domain.objections import OPEN_OBJECTION_STATES
from registry.domain.terms import find_zone
from registry.domain.text import refuse_unclean
from registry.i18n import show_day
from registry.steps.errors import UnknownDelivery
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.override_hold import override_hold
from registry.steps.receipts import find_told_at
from registry.steps.record_objection import (
    CURES,
    approve_for_customer,
    exempt_customer,
    get_standing,
    record_objection,
    record_service,
    resolve_objection,
)
from registry.steps.record_outcome import OutcomeKind, record_outcome
from registry.tables import Delivery, Notice, NoticeCustomer, Publisher
from registry.tables.engine import writing

PROVIDER = "command line"
NO_PERIOD = "its period to object has not begun, for nothing proves receipt"


def customer_option(function: Function) -> Function:
    """Add `--customer`, the key of the customer that is meant."""
    return click.option("--customer", required=True, metavar="K", help="The customer's key.")(function)


@contextmanager
def open_notice(run: Invocation, slug: str, number: str) -> Iterator[tuple[Session, Publisher, Notice]]:
    """Open a session that may write, with the publisher's notice in it."""
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, slug, lock=True)
        yield session, publisher, get_notice(session, publisher, number)


def _tell_standing(run: Invocation, standing: NoticeCustomer, customer: str, said: str) -> None:
    if not run.as_json:
        zone = find_zone(standing.terms, "UTC")
        clock = f" Its clock runs until {say_at(standing.earliest_at, zone)}." if standing.earliest_at else ""
        click.echo(f"{said}{clock}")
        return
    names = ("state", "basis", "received_at", "earliest_at", "objection_ends_at", "approved_at")
    print_json({"customer": customer, **{name: plain(getattr(standing, name)) for name in names}})


@click.command(
    cls=Command,
    short_help="Record service by other means than mail.",
    examples=[
        'registry notice served 2026-003 --publisher antopsis --customer acme --on 2026-11-23 --document "Post RR 1 DE"'
    ],
)
@click.argument("number")
@publisher_option
@customer_option
@click.option(
    "--on", "served_on", type=LOCAL_DATE, required=True, help="The day it was served, in the customer's zone."
)
@click.option("--document", required=True, metavar="TEXT", help="What proves it: a reference, a receipt.")
@as_option
@pass_invocation
def served(
    run: Invocation,
    number: str,
    publisher_slug: str,
    customer: str,
    served_on: date,
    document: str,
    acting_as: str | None,
) -> None:
    """Record service by post, courier or hand; the customer's clock runs from that day (R13)."""
    actor = run.actor(acting_as)
    with open_notice(run, publisher_slug, number) as (session, publisher, notice):
        standing = get_standing(session, publisher, notice, customer)
        zone = find_zone(standing.terms, notice.terms["time_zone"])
        told_at = find_told_at(session, notice.id) or run.now
        if not local_date(told_at, zone) <= served_on <= local_date(run.now, zone):
            raise Refusal(
                f"Notice {number} cannot have been served on {show_day(served_on, zone)}: it was told on "
                f"{show_day(local_date(told_at, zone), zone)}, and today is "
                f"{show_day(local_date(run.now, zone), zone)}."
            )
        served_at = max(first_instant(served_on, zone), told_at)
        record_service(session, run.now, publisher, notice, customer, actor, served_at=served_at, document=document)
    _tell_standing(run, standing, customer, f"{customer} is recorded as served on {show_day(served_on, zone)}.")


@click.command(
    cls=Command,
    examples=[
        'registry notice exempt 2026-003 --publisher antopsis --customer acme --basis "Contract ended, letter of 3 Nov"'
    ],
)
@click.argument("number")
@publisher_option
@customer_option
@click.option("--basis", required=True, metavar="TEXT", help="Why it no longer holds, with the document.")
@as_option
@pass_invocation
def exempt(run: Invocation, number: str, publisher_slug: str, customer: str, basis: str, acting_as: str | None) -> None:
    """Record that a customer no longer holds the notice. It is neither receipt nor consent (R23)."""
    actor = run.actor(acting_as)
    with open_notice(run, publisher_slug, number) as (session, publisher, notice):
        exempt_customer(session, run.now, publisher, notice, customer, actor, basis=basis)
        standing = get_standing(session, publisher, notice, customer)
    _tell_standing(run, standing, customer, f"{customer} no longer holds notice {number}: {basis}.")


@click.command(
    cls=Command,
    short_help="Set a customer's hold aside, by two people.",
    examples=[
        'registry notice override 2026-003 --publisher antopsis --customer acme --reason "Unreachable since May"'
    ],
)
@click.argument("number")
@publisher_option
@customer_option
@click.option("--reason", required=True, metavar="TEXT", help="Why. The second person gives the same one.")
@as_option
@pass_invocation
def override(
    run: Invocation, number: str, publisher_slug: str, customer: str, reason: str, acting_as: str | None
) -> None:
    """Set a customer's hold aside, once a second person says the same (R23). It is neither receipt nor consent."""
    actor = run.actor(acting_as)
    with open_notice(run, publisher_slug, number) as (session, publisher, notice):
        is_aside = override_hold(session, run.now, publisher, notice, customer, actor, reason=reason)
        standing = get_standing(session, publisher, notice, customer)
    if is_aside:
        said = f"The hold of {customer} on notice {number} is set aside: {reason}."
    else:
        said = f"Asked for by {actor}. The hold of {customer} on notice {number} stands until a second person agrees."
    _tell_standing(run, standing, customer, said)


@click.command(
    "approve-for",
    cls=Command,
    short_help="Record a customer's own approval.",
    examples=[
        'registry notice approve-for 2026-003 --publisher antopsis --customer acme --basis "E-mail of 24 Nov 2026"'
    ],
)
@click.argument("number")
@publisher_option
@customer_option
@click.option("--basis", required=True, metavar="TEXT", help="Where the customer's approval stands.")
@as_option
@pass_invocation
def approve_for(
    run: Invocation, number: str, publisher_slug: str, customer: str, basis: str, acting_as: str | None
) -> None:
    """Record a customer's own approval, which specific authorisation asks for (R21)."""
    actor = run.actor(acting_as)
    with open_notice(run, publisher_slug, number) as (session, publisher, notice):
        approve_for_customer(session, run.now, publisher, notice, customer, actor, basis=basis)
        standing = get_standing(session, publisher, notice, customer)
    _tell_standing(run, standing, customer, f"{customer} approves of notice {number}: recorded.")


@click.command(
    "object",
    cls=Command,
    examples=[
        "registry notice object 2026-003 --publisher antopsis --customer acme",
        "registry notice object 2026-003 --publisher antopsis --customer acme --received-at 2026-11-24T08:00Z "
        '--ground "No transfers"',
    ],
)
@click.argument("number")
@publisher_option
@customer_option
@click.option("--received-at", type=INSTANT, help="When it came in, with its offset; now if left out.")
@click.option("--ground", metavar="TEXT", help="Why the customer objects.")
@as_option
@pass_invocation
def object_to(
    run: Invocation,
    number: str,
    publisher_slug: str,
    customer: str,
    received_at: datetime | None,
    ground: str | None,
    acting_as: str | None,
) -> None:
    """Record a customer's objection. In time, it holds the notice while it is open (R21, R25)."""
    actor = run.actor(acting_as)
    with open_notice(run, publisher_slug, number) as (session, publisher, notice):
        objection = record_objection(
            session,
            run.now,
            publisher,
            notice,
            customer,
            actor,
            received_at=received_at or run.now,
            ground=ground,
        )
        standing = get_standing(session, publisher, notice, customer)
        zone = find_zone(standing.terms, notice.terms["time_zone"])
    if run.as_json:
        names = ("state", "received_at", "deadline_at", "is_in_time")
        print_json({"customer": customer, **{name: plain(getattr(objection, name)) for name in names}})
        return
    when = "in time" if objection.is_in_time else "late"
    until = f"the deadline is the {say_end(objection.deadline_at, zone)}" if objection.deadline_at else NO_PERIOD
    click.echo(f"The objection of {customer} to notice {number} is recorded as {when}: {until}.")
    if objection.state not in OPEN_OBJECTION_STATES:
        click.echo(f"Notice {number} is {words_of(notice.state)}, so the objection is on record, and moot.")
        return
    click.echo(f"Next: registry notice resolve {number} --publisher {publisher_slug} --customer {customer} --cure CURE")


@click.command(
    cls=Command,
    examples=[
        "registry notice resolve 2026-003 --publisher antopsis --customer acme --cure accommodated "
        '--note "Stays on the old host until May"'
    ],
)
@click.argument("number")
@publisher_option
@customer_option
@click.option("--cure", type=click.Choice(list(CURES)), required=True, help="How it was settled (R25).")
@click.option("--note", metavar="TEXT", help="What was agreed.")
@as_option
@pass_invocation
def resolve(
    run: Invocation,
    number: str,
    publisher_slug: str,
    customer: str,
    cure: str,
    note: str | None,
    acting_as: str | None,
) -> None:
    """Close a customer's open objections to a notice."""
    actor = run.actor(acting_as)
    with open_notice(run, publisher_slug, number) as (session, publisher, notice):
        closed = resolve_objection(session, run.now, publisher, notice, customer, actor, cure=cure, note=note)
    if run.as_json:
        print_json([{"customer": customer, "state": each.state, "resolved_at": each.resolved_at} for each in closed])
    else:
        click.echo(f"{customer} holds notice {number} by no objection any more: {words_of(closed[0].state)}.")


@click.command(
    cls=Command,
    short_help="Record what became of a letter after it was sent.",
    examples=["registry outcome '<2026-003.1.17@registry.example>' --kind bounced --detail '550 no such user'"],
)
@click.argument("message_id")
@click.option(
    "--kind", type=click.Choice([kind.value for kind in OutcomeKind]), required=True, help="What became of the letter."
)
@click.option("--event-id", metavar="ID", help="The report's own id, by which a repeated one is known.")
@click.option("--at", "happened_at", type=INSTANT, help="When it happened, with its offset; now if left out.")
@click.option("--detail", metavar="TEXT", help="The report's words.")
@as_option
@pass_invocation
def outcome(
    run: Invocation,
    message_id: str,
    kind: str,
    event_id: str | None,
    happened_at: datetime | None,
    detail: str | None,
    acting_as: str | None,
) -> None:
    """Record what became of a letter after the mail server took it, by its MESSAGE_ID.

    A permanent bounce revokes receipt and suppresses the address; a complaint proves receipt, and suppresses it too.
    """
    actor = run.actor(acting_as)
    # A mail server's own report is taken as it is: none may be lost.
    refuse_unclean(detail=detail or "", event_id=event_id or "")
    bare = f"<{message_id.strip().removeprefix('<').removesuffix('>')}>"
    with writing(run.wiring.engine) as session:
        known = session.scalar(select(Delivery).where(Delivery.message_id == bare))
        if known is None:
            raise UnknownDelivery(message_id=bare)
        is_new = record_outcome(
            session,
            run.now,
            provider=PROVIDER,
            event_id=event_id or f"{kind} {bare}",
            message_id=bare,
            kind=OutcomeKind(kind),
            happened_at=happened_at or run.now,
            actor=actor,
            detail=detail,
        )
        state = known.state
    if run.as_json:
        print_json({"message_id": bare, "kind": kind, "is_new": is_new, "state": state})
    elif is_new:
        click.echo(f"Recorded: {bare} was {kind}; the delivery is now {words_of(state)}.")
    else:
        click.echo(f"Nothing changed: this report is on record already; the delivery is {words_of(state)}.")


COMMANDS = (served, exempt, override, approve_for, object_to, resolve)
