"""`registry legal-hold`: what is kept for a claim, whatever retention or a person's wish says (R36)."""

from __future__ import annotations

from typing import Any

import click

from registry.cli.invocation import Invocation, Refusal, Section, as_option, pass_invocation, publisher_option
from registry.cli.printing import plain, print_json, print_lines, stamp, table
from registry.cli.values import NUMBER
from registry.steps.legal_holds import (
    DescribedHold,
    HoldScope,
    describe_hold,
    lift_legal_hold,
    list_legal_holds,
    set_legal_hold,
)
from registry.steps.lookup import get_publisher, read_facts
from registry.tables.engine import reading, writing

SAVED = "Nothing it covers is erased, by time or by command, until it is lifted."


@click.group("legal-hold", cls=Section, short_help="Keep what a claim needs.")
def legal_hold() -> None:
    """Keep what a claim needs: set, lift and list legal holds (R36)."""


def _document(described: DescribedHold) -> dict[str, Any]:
    hold = described.hold
    names = ("reason", "set_at", "set_by", "lifted_at", "lifted_by", "lifted_because")
    return {
        "hold": hold.id,
        "scope": described.scope.value,
        "subject": described.subject,
        **{name: plain(getattr(hold, name)) for name in names},
    }


def _say_scope(described: DescribedHold) -> str:
    if described.scope is HoldScope.PUBLISHER:
        return f"everything of {described.subject}"
    return f"the {described.scope.value} {described.subject}"


@legal_hold.command(
    "set",
    examples=[
        'registry legal-hold set --publisher antopsis --customer acme --reason "Claim of 3 Nov 2026, file 26-114"',
        'registry legal-hold set --publisher antopsis --notice 2026-003 --reason "Audit, file 26-120"',
        'registry legal-hold set --publisher antopsis --reason "Order of the court, 7 O 12/26"',
    ],
)
@publisher_option
@click.option("--customer", metavar="K", help="Only what is about this customer, by its key.")
@click.option("--notice", "number", metavar="N", help="Only what is about this notice, by its number.")
@click.option("--reason", required=True, metavar="TEXT", help="Which claim it serves. No names of people.")
@as_option
@pass_invocation
def set_hold(
    run: Invocation, publisher_slug: str, customer: str | None, number: str | None, reason: str, acting_as: str | None
) -> None:
    """Keep everything of a publisher, or of one customer or notice, until the hold is lifted.

    It stops what retention would erase and `registry erase`. Each claim has a hold of its own.
    """
    if customer is not None and number is not None:
        raise Refusal("A hold covers one customer or one notice. Give --customer or --notice, and set a second hold.")
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        hold = set_legal_hold(session, run.now, publisher, actor, reason=reason, customer_key=customer, number=number)
        described = describe_hold(session, hold)
    if run.as_json:
        print_json(_document(described))
    else:
        click.echo(f"Legal hold {hold.id} stands on {_say_scope(described)}: {hold.reason}. {SAVED}")


@legal_hold.command(examples=['registry legal-hold lift 3 --publisher antopsis --reason "Settled on 12 May 2027"'])
@click.argument("hold", type=NUMBER)
@publisher_option
@click.option("--reason", required=True, metavar="TEXT", help="Why it is not needed any more. No names of people.")
@as_option
@pass_invocation
def lift(run: Invocation, hold: int, publisher_slug: str, reason: str, acting_as: str | None) -> None:
    """Lift the legal hold HOLD; what is due and under no other hold is erased within the hour, for good.

    Where the publisher requires approvals, somebody else lifts it than who set it (R16).
    """
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        described = describe_hold(session, lift_legal_hold(session, run.now, publisher, hold, actor, reason=reason))
        others = len(list_legal_holds(session, publisher))
    if run.as_json:
        print_json(_document(described) | {"others_standing": others})
    else:
        left = f"{others} more stand on {publisher_slug}" if others else f"No other stands on {publisher_slug}"
        click.echo(f"Legal hold {hold} on {_say_scope(described)} is lifted: {reason.strip()}. {left}.")
        click.echo("What is due and under no hold is erased by the next sweep, for good.")


@legal_hold.command("list", examples=["registry legal-hold list --publisher antopsis"])
@publisher_option
@click.option("--all", "with_lifted", is_flag=True, help="Those lifted too.")
@pass_invocation
def list_holds(run: Invocation, publisher_slug: str, with_lifted: bool) -> None:
    """List the legal holds that stand on a publisher, and what each covers."""
    with reading(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug)
        found = list_legal_holds(session, publisher, with_lifted=with_lifted)
        zone = read_facts(session, publisher).time_zone
    if run.as_json:
        print_json([_document(each) for each in found])
    elif not found:
        ever = "was ever set" if with_lifted else "stands"
        click.echo(
            f"No legal hold {ever} on {publisher_slug}, so personal data is erased when its days are over. "
            f"`registry legal-hold set --publisher {publisher_slug} --reason TEXT` keeps it all."
        )
    else:
        rows = [
            (
                str(each.hold.id),
                _say_scope(each),
                each.hold.reason,
                f"{stamp(each.hold.set_at, zone)} by {each.hold.set_by}",
                *((_say_lifted(each, zone),) if with_lifted else ()),
            )
            for each in found
        ]
        headings = ("Hold", "Covers", "Reason", "Set", *(("Lifted",) if with_lifted else ()))
        print_lines(table(headings, rows))


def _say_lifted(described: DescribedHold, zone: str) -> str:
    hold = described.hold
    if hold.lifted_at is None:
        return "stands"
    return f"{stamp(hold.lifted_at, zone)} by {hold.lifted_by}: {hold.lifted_because}"
