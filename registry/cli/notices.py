"""`registry notice`: the path from a draft to its effect, without the web."""

from __future__ import annotations

from datetime import date, datetime

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry import clock
from registry.cli import notice_answers, notice_mending
from registry.cli.invocation import Invocation, Refusal, Section, as_option, pass_invocation, publisher_option
from registry.cli.notice_lines import status_document, status_lines
from registry.cli.notice_watch import watch_letters
from registry.cli.printing import count_of, plain, print_json, print_lines, say_at, short_day, table, words_of
from registry.cli.values import FILE_NAME, INSTANT, LOCAL_DATE, read_text
from registry.domain.notice_life import NoticeState
from registry.domain.vocabulary import Weight
from registry.i18n import show_day
from registry.letters.wording import NO_DATE
from registry.steps.approvals import count_approvals
from registry.steps.draft_notice import draft_notice
from registry.steps.installation import dispatch_pause
from registry.steps.lookup import get_notice, get_publisher, read_facts
from registry.steps.notice_status import load_notice_status
from registry.steps.publish_notice import approve_notice, publish_notice
from registry.steps.revise_draft import find_authors
from registry.steps.weigh_change import count_approvals_required, weigh_change
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Delivery, Notice, Statement
from registry.tables.engine import reading, writing


@click.group(cls=Section, short_help="Draft, approve, publish and follow notices.")
def notice() -> None:
    """Draft, approve, publish, withdraw and follow notices, and record what customers answer."""


@notice.command(
    examples=[
        "registry notice draft --publisher antopsis",
        "registry notice draft --publisher antopsis --effective-on 2027-01-15 --entry stripe",
        "registry notice draft --publisher antopsis --announce-at 2026-12-01T09:00+01:00",
        'registry notice draft --publisher antopsis --emergency "The host was breached and is replaced at once."',
    ]
)
@publisher_option
@click.option("--effective-on", type=LOCAL_DATE, help="The day it takes effect, in the publisher's zone.")
@click.option("--announce-at", type=INSTANT, help="When it is announced, with its offset; at publication if left out.")
@click.option("--entry", "entries", multiple=True, metavar="KEY", help="Only this entry's edit. May be repeated.")
@click.option("--emergency", metavar="REASON", help="Take effect without waiting for clocks, for this reason (R19).")
@click.option(
    "--summary", default="", metavar="TEXT", help="The notice in one line; made from the changes if left out."
)
@click.option("--explanation", default="", metavar="TEXT", help="Your own words beside the changes, in Markdown.")
@click.option(
    "--explanation-file",
    "explanation_from",
    type=FILE_NAME,
    metavar="FILE",
    help="The same from a file, or - for standard input.",
)
@as_option
@pass_invocation
def draft(
    run: Invocation,
    publisher_slug: str,
    effective_on: date | None,
    announce_at: datetime | None,
    entries: tuple[str, ...],
    emergency: str | None,
    summary: str,
    explanation: str,
    explanation_from: str | None,
    acting_as: str | None,
) -> None:
    """Draft a notice of the edits that wait, and print its number.

    Without a date it gets the earliest lawful one. The number stands alone on standard output, for scripts.
    """
    actor = run.actor(acting_as)
    if explanation_from is not None:
        if explanation:
            raise Refusal("--explanation and --explanation-file say the same twice. Give one of them.")
        explanation = read_text(explanation_from)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        drafted = draft_notice(
            session,
            run.now,
            publisher,
            actor,
            effective_on=effective_on,
            entry_keys=entries,
            announce_at=announce_at,
            emergency_reason=emergency,
            summary=summary,
            explanation=explanation,
        )
        zone = read_facts(session, publisher).time_zone
        required = count_approvals_required(session, publisher, drafted)
    if run.as_json:
        print_json(_document(drafted, publisher_slug))
        return
    click.echo(drafted.number)
    click.echo(f"{drafted.summary}\nTakes effect on {show_day(drafted.planned_on, zone)}.", err=True)
    act, by = ("approve", " --as EMAIL") if required else ("publish", "")
    click.echo(f"Next: registry notice {act} {drafted.number} --publisher {publisher_slug}{by}", err=True)


@notice.command(examples=["registry notice approve 2026-003 --publisher antopsis --as bela@antopsis.example"])
@click.argument("number")
@publisher_option
@as_option
@pass_invocation
def approve(run: Invocation, number: str, publisher_slug: str, acting_as: str | None) -> None:
    """Approve exactly the notice's present content (R16). Nobody approves what they wrote or last changed."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        found = get_notice(session, publisher, number)
        approve_notice(session, run.now, publisher, found, actor)
        required = count_approvals_required(session, publisher, found)
        authors = find_authors(session, found) if required else set()
        given = count_approvals(session, publisher, "notice", found.id, found.digest, excluding=authors)
    if run.as_json:
        print_json(_document(found, publisher_slug) | {"approvals_given": given, "approvals_required": required})
        return
    click.echo(f"Notice {number} is {words_of(found.state)}: {given} of {required} approvals, by {actor}.")
    if given >= required:
        click.echo(f"Next: registry notice publish {number} --publisher {publisher_slug}")


@notice.command(
    examples=[
        "registry notice weigh 2026-003 --publisher antopsis --entry stripe --weight binding",
        "registry notice weigh 2026-003 --publisher antopsis --entry stripe --weight informing "
        '--reason "The legal form changed, the entity did not"',
    ]
)
@click.argument("number")
@publisher_option
@click.option("--entry", "key", required=True, metavar="KEY", help="The entry whose change is weighed.")
@click.option("--weight", type=click.Choice([each.value for each in Weight]), required=True, help="What it asks for.")
@click.option("--reason", metavar="TEXT", help="Why, where it is less than what was computed.")
@as_option
@pass_invocation
def weigh(
    run: Invocation, number: str, publisher_slug: str, key: str, weight: str, reason: str | None, acting_as: str | None
) -> None:
    """Raise or lower what a change in a draft asks for (R3).

    Lowering needs a reason, and a second person's approval of the notice. Approvals given before are void.
    """
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        found = get_notice(session, publisher, number)
        weigh_change(session, run.now, publisher, found, key, Weight(weight), actor, reason=reason)
        required = count_approvals_required(session, publisher, found)
    if run.as_json:
        print_json(_document(found, publisher_slug) | {"entry": key, "weight": weight, "approvals_required": required})
        return
    needs = f"it needs {count_of(required, 'approval')}" if required else "it needs no approval"
    click.echo(f"The change of {key} in notice {number} is {weight}; {needs}.")


@notice.command(
    short_help="Freeze a notice and announce it.", examples=["registry notice publish 2026-003 --publisher antopsis"]
)
@click.argument("number")
@publisher_option
@as_option
@pass_invocation
def publish(run: Invocation, number: str, publisher_slug: str, acting_as: str | None) -> None:
    """Freeze the notice's content, and announce it now or at its own time (R14).

    From the announcement on the page shows it, and its letters are on their way.
    """
    actor = run.actor(acting_as)
    wiring = run.wiring
    with writing(wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        found = get_notice(session, publisher, number)
        publish_notice(session, run.now, publisher, found, actor, wiring.letterhead)
        zone = read_facts(session, publisher).time_zone
        session.flush()
        counts = _count_deliveries(session, found)
        paused = dispatch_pause(session)
    if run.as_json:
        print_json(_document(found, publisher_slug) | {"deliveries": counts, "is_paused": paused is not None})
        return
    if found.announced_at is None:
        click.echo(f"Notice {number} is published, and is announced on {say_at(found.announce_at, zone)}.")
        return
    click.echo(f"Notice {number} is announced; it takes effect on {show_day(found.planned_on, zone)}.")
    told = ", ".join(f"{count} {words_of(state)}" for state, count in counts.items())
    click.echo(f"Deliveries: {told or 'none, for nobody is subscribed'}.")
    if paused is not None:
        click.echo(f"Sending is paused ({paused.paused_because}): `registry resume` lets the letters go.")
    click.echo(f"Next: registry notice status {number} --publisher {publisher_slug} --watch")


@notice.command(
    short_help="Take a notice back that is not in effect.",
    examples=['registry notice withdraw 2026-003 --publisher antopsis --reason "The contract was not signed."'],
)
@click.argument("number")
@publisher_option
@click.option("--reason", metavar="TEXT", help="Why, in the words that customers read.")
@as_option
@pass_invocation
def withdraw(run: Invocation, number: str, publisher_slug: str, reason: str | None, acting_as: str | None) -> None:
    """Take a notice back that is not in effect; whoever was told of it is told of this too (R15)."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        found = get_notice(session, publisher, number)
        counts = withdraw_notice(session, run.now, publisher, found, actor, run.wiring.letterhead, reason)
    if run.as_json:
        print_json(_document(found, publisher_slug) | {"counts": counts})
        return
    click.echo(f"Notice {number} is withdrawn; its entries are free for another notice.")
    if counts:
        cancelled = count_of(counts.get("cancelled", 0), "letter")
        click.echo(f"Cancelled: {cancelled} not sent yet. Told of the withdrawal: {counts.get('due', 0):,}.")
    else:
        click.echo("Nobody had been told of it.")


@notice.command(
    short_help="Show all that is on record of a notice.",
    examples=[
        "registry notice status 2026-003 --publisher antopsis",
        "registry notice status 2026-003 --publisher antopsis --watch",
    ],
)
@click.argument("number")
@publisher_option
@click.option("--watch", is_flag=True, help="First show how far the letters are, until none is under way.")
@pass_invocation
def status(run: Invocation, number: str, publisher_slug: str, watch: bool) -> None:
    """Show all that is on record of a notice: who was sent what and when, with which answer, and who holds it.

    With --watch it first shows how far the letters are and how fast they go, until none is under way or until Ctrl-C;
    with --json as well it prints only that, a JSON document on a line for each change.
    """
    if watch:
        watch_letters(run.wiring.engine, publisher_slug, number, as_json=run.as_json)
        if run.as_json:
            return
    with reading(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug)
        found = load_notice_status(session, clock.now(), publisher, get_notice(session, publisher, number))
    if run.as_json:
        print_json(status_document(found))
    else:
        print_lines(status_lines(found))


@notice.command("list", examples=["registry notice list --publisher antopsis"])
@publisher_option
@pass_invocation
def list_notices(run: Invocation, publisher_slug: str) -> None:
    """List a publisher's notices, the newest first."""
    with reading(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug)
        zone = read_facts(session, publisher).time_zone
        found = session.scalars(
            select(Notice).where(Notice.publisher_id == publisher.id).order_by(Notice.id.desc())
        ).all()
    if run.as_json:
        print_json([_document(each, publisher_slug) for each in found])
    elif not found:
        click.echo(
            f"{publisher_slug} has no notice yet. `registry notice draft --publisher {publisher_slug}` makes one."
        )
    else:
        rows = [(each.number, words_of(each.state), _say_day(each), each.summary) for each in found]
        print_lines(table(("Number", "State", f"Date ({zone})", "Summary"), rows))


def _say_day(found: Notice) -> str:
    """Return the date for the list; a held notice that tells none has only the one that it missed."""
    if found.state == NoticeState.HELD.value:
        return short_day(found.effective_on, NO_DATE)
    return short_day(found.effective_on or found.planned_on)


def _document(found: Notice, slug: str) -> dict[str, object]:
    return {
        "publisher": slug,
        "number": found.number,
        "state": found.state,
        "summary": found.summary,
        "planned_on": plain(found.planned_on),
        "effective_on": plain(found.effective_on),
        "effective_at": plain(found.effective_at),
        "announce_at": plain(found.announce_at),
        "announced_at": plain(found.announced_at),
        "took_effect_at": plain(found.took_effect_at),
        "withdrawn_at": plain(found.withdrawn_at),
        "emergency_reason": found.emergency_reason,
        "digest": found.digest,
        "author": found.author,
    }


def _count_deliveries(session: Session, found: Notice) -> dict[str, int]:
    states = session.scalars(
        select(Delivery.state)
        .join(Statement, Statement.id == Delivery.statement_id)
        .where(Statement.notice_id == found.id)
        .order_by(Delivery.state)
    ).all()
    return {state: states.count(state) for state in dict.fromkeys(states)}


for each in (*notice_answers.COMMANDS, *notice_mending.COMMANDS):
    notice.add_command(each)
