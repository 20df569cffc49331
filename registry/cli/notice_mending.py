"""Mending a notice under way: another date for a draft, a correction, a customer forgotten, letters sent once more."""

from __future__ import annotations

from datetime import date, datetime

import click

from registry.cli.invocation import Command, Invocation, as_option, pass_invocation, publisher_option
from registry.cli.notice_answers import customer_option, open_notice
from registry.cli.printing import count_of, plain, print_json
from registry.cli.values import INSTANT, LOCAL_DATE
from registry.i18n import show_day
from registry.steps.add_forgotten import add_forgotten_customer, say_added
from registry.steps.correct_notice import approve_correction, correct_notice
from registry.steps.draft_notice import revise_notice
from registry.steps.lookup import read_facts
from registry.steps.requeue_deliveries import requeue_deliveries


@click.command(
    cls=Command,
    short_help="Give a draft another date or summary.",
    examples=[
        "registry notice revise 2026-003 --publisher antopsis",
        "registry notice revise 2026-003 --publisher antopsis --effective-on 2027-02-01",
    ],
)
@click.argument("number")
@publisher_option
@click.option("--effective-on", type=LOCAL_DATE, help="The day it takes effect, in the publisher's zone.")
@click.option("--announce-at", type=INSTANT, help="When it is announced, with its offset.")
@click.option("--summary", metavar="TEXT", help="The notice in one line; an empty one is made from the changes.")
@click.option("--explanation", metavar="TEXT", help="Your own words beside the changes, in Markdown; empty for none.")
@as_option
@pass_invocation
def revise(
    run: Invocation,
    number: str,
    publisher_slug: str,
    effective_on: date | None,
    announce_at: datetime | None,
    summary: str | None,
    explanation: str | None,
    acting_as: str | None,
) -> None:
    """Give a draft another date, announcement or other words; what is left out stays. Approvals given before are void.

    A date that has become too early since it was drafted moves to the earliest lawful one.
    """
    actor = run.actor(acting_as)
    with open_notice(run, publisher_slug, number) as (session, publisher, notice):
        revise_notice(
            session,
            run.now,
            publisher,
            notice,
            actor,
            effective_on=effective_on,
            announce_at=announce_at if announce_at is not None else ...,
            summary=summary,
            explanation=explanation,
        )
        zone = read_facts(session, publisher).time_zone
    if run.as_json:
        print_json({"number": number, "state": notice.state, "planned_on": plain(notice.planned_on)})
    else:
        click.echo(f"Notice {number} is to take effect on {show_day(notice.planned_on, zone)}.")


@click.command(
    cls=Command,
    short_help="Correct an announced notice by the edits that wait.",
    examples=[
        'registry notice correct 2026-003 --publisher antopsis --reason "The place is Tampere, not Helsinki"',
        'registry notice correct 2026-003 --publisher antopsis --approve --reason "The place is Tampere, not Helsinki"',
    ],
)
@click.argument("number")
@publisher_option
@click.option("--reason", required=True, metavar="TEXT", help="What was wrong. Customers read it.")
@click.option("--summary", metavar="TEXT", help="The notice in one line; made from the changes if left out.")
@click.option("--explanation", metavar="TEXT", help="Your own words, in Markdown; those announced stay if left out.")
@click.option("--approve", is_flag=True, help="Approve exactly this correction instead of making it.")
@as_option
@pass_invocation
def correct(
    run: Invocation,
    number: str,
    publisher_slug: str,
    reason: str,
    summary: str | None,
    explanation: str | None,
    approve: bool,
    acting_as: str | None,
) -> None:
    """Correct an announced notice by the edits of its entries that were applied since, and tell everybody (R20).

    Where what was wrong binds, every clock starts again at the receipt of the correction, and the date moves.
    """
    actor = run.actor(acting_as)
    counts: dict[str, int] = {}
    with open_notice(run, publisher_slug, number) as (session, publisher, notice):
        zone = read_facts(session, publisher).time_zone
        if approve:
            counts["approvals"] = approve_correction(
                session, run.now, publisher, notice, actor, reason=reason, summary=summary, explanation=explanation
            )
        else:
            counts = correct_notice(
                session,
                run.now,
                publisher,
                notice,
                actor,
                run.wiring.letterhead,
                reason=reason,
                summary=summary,
                explanation=explanation,
            )
    if run.as_json:
        print_json({"number": number, "effective_on": plain(notice.effective_on), **counts})
    elif approve:
        click.echo(f"The correction of notice {number} has {count_of(counts['approvals'], 'approval')}.")
    else:
        on = show_day(notice.effective_on, zone) if notice.effective_on else "a day nobody can name yet"
        click.echo(f"Notice {number} is corrected; {count_of(counts['due'], 'letter')} due. It takes effect on {on}.")


@click.command(
    "add-customer",
    cls=Command,
    short_help="Add a customer that a notice forgot.",
    examples=["registry notice add-customer 2026-003 --publisher antopsis --customer acme"],
)
@click.argument("number")
@publisher_option
@customer_option
@as_option
@pass_invocation
def add_customer(run: Invocation, number: str, publisher_slug: str, customer: str, acting_as: str | None) -> None:
    """Add a customer that a pending notice should have concerned, tell its contacts, and let it hold (R17).

    Frozen terms of a customer that cannot be read are set anew, by those that count for it now.
    """
    actor = run.actor(acting_as)
    with open_notice(run, publisher_slug, number) as (session, publisher, notice):
        added = add_forgotten_customer(session, run.now, publisher, notice, customer, actor)
        state = added.standing.state
    if run.as_json:
        print_json(
            {
                "number": number,
                "customer": customer,
                "state": state,
                "changed": added.is_changed,
                "due": added.letters_due,
            }
        )
    else:
        click.echo(say_added(customer, number, added))


@click.command(
    cls=Command,
    short_help="Send letters that need attention once more.",
    examples=["registry notice resend 2026-003 --publisher antopsis"],
)
@click.argument("number")
@publisher_option
@as_option
@pass_invocation
def resend(run: Invocation, number: str, publisher_slug: str, acting_as: str | None) -> None:
    """Make the notice's letters that need attention due again, once a person has looked at why."""
    actor = run.actor(acting_as)
    with open_notice(run, publisher_slug, number) as (session, publisher, notice):
        requeued = requeue_deliveries(session, run.now, publisher, notice, actor)
    if run.as_json:
        print_json({"number": number, "due": requeued})
    else:
        click.echo(f"{count_of(requeued, 'letter')} of notice {number} due again.")


COMMANDS = (revise, correct, add_customer, resend)
