"""`registry suppression`: which addresses are not written to, and why; added and lifted by hand (R28, R34)."""

from __future__ import annotations

from typing import Any

import click

from registry.cli.invocation import Invocation, Section, as_option, pass_invocation, publisher_option
from registry.cli.printing import plain, print_json, print_lines, stamp, table, words_of
from registry.steps.keyring import load_keyring
from registry.steps.lookup import get_publisher, read_facts
from registry.steps.suppressions import (
    LiftedBecause,
    ListedSuppression,
    add_suppression,
    lift_suppression,
    list_suppressions,
)
from registry.tables.engine import reading, writing


@click.group(cls=Section, short_help="Addresses that are not written to.")
def suppression() -> None:
    """List, add and lift suppressions: addresses that are not written to, and why."""


@suppression.command("list", examples=["registry suppression list --publisher antopsis"])
@publisher_option
@pass_invocation
def list_all(run: Invocation, publisher_slug: str) -> None:
    """List the addresses that are not written to, the newest first.

    Of an erased address only its keyed hash is left, by which it is still known when it comes again.
    """
    with reading(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug)
        found = list_suppressions(session, publisher)
        zone = read_facts(session, publisher).time_zone
    if run.as_json:
        print_json([_document(each) for each in found])
    elif not found:
        click.echo(f"{publisher_slug} writes to every address that it knows.")
    else:
        rows = [
            (
                each.address or "(not on record)",
                words_of(each.suppression.reason),
                stamp(each.suppression.since_at, zone),
                ", ".join(each.customers) or "–",
            )
            for each in found
        ]
        print_lines(table(("Address", "Why", "Since", "Contact of"), rows))


def _document(listed: ListedSuppression) -> dict[str, Any]:
    row = listed.suppression
    return {
        "address": listed.address,
        "channel": row.channel,
        "reason": row.reason,
        "since_at": plain(row.since_at),
        "customers": list(listed.customers),
    }


@suppression.command(examples=["registry suppression add old@customer.example --publisher antopsis"])
@click.argument("email")
@publisher_option
@as_option
@pass_invocation
def add(run: Invocation, email: str, publisher_slug: str, acting_as: str | None) -> None:
    """Write to EMAIL no more. What waits for it is skipped; a customer whose only contact it is becomes a task."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug)
        is_new = add_suppression(session, run.now, publisher, load_keyring(session, run.now), email, actor)
    if run.as_json:
        print_json({"address": email, "is_new": is_new})
    elif is_new:
        click.echo(f"{publisher_slug} does not write to {email} any more.")
    else:
        click.echo(f"Nothing changed: {publisher_slug} was told before not to write to {email}.")


@suppression.command(
    examples=["registry suppression lift dpo@customer.example --publisher antopsis --because works-again"],
)
@click.argument("email")
@publisher_option
@click.option(
    "--because",
    type=click.Choice([each.value for each in LiftedBecause]),
    required=True,
    help="Why it may be written to again. It goes on record.",
)
@as_option
@pass_invocation
def lift(run: Invocation, email: str, publisher_slug: str, because: str, acting_as: str | None) -> None:
    """Write to EMAIL again. Letters that were skipped meanwhile stay skipped."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug)
        keyring = load_keyring(session, run.now)
        was = lift_suppression(session, run.now, publisher, keyring, email, actor, LiftedBecause(because))
    if run.as_json:
        print_json({"address": email, "was": was.value, "because": because})
    else:
        click.echo(f"{publisher_slug} writes to {email} again. Why it did not: {words_of(was.value)}.")
