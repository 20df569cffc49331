"""`registry task`: what needs a person, how long there is, and what was done about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.cli.invocation import Invocation, Section, as_option, pass_invocation
from registry.cli.printing import count_of, plain, print_json, print_lines, say_at
from registry.cli.values import NUMBER
from registry.steps.lookup import get_publisher
from registry.steps.task_words import say_remedy, say_task, say_time_left
from registry.steps.tasks import ListedTask, close_task_by_hand, list_tasks
from registry.tables import Publisher
from registry.tables.engine import reading, writing

UTC_NAME = "UTC"
INDENT = " " * 7


@click.group(cls=Section, short_help="See what needs a person, and close what was done.")
def task() -> None:
    """See what needs a person, with the time that is left, and close what was done."""


@task.command(
    "list",
    examples=["registry task list", "registry task list --publisher antopsis --all", "registry task list --json"],
)
@click.option("--publisher", "publisher_slug", metavar="P", help="Only the tasks about this publisher.")
@click.option("--all", "include_closed", is_flag=True, help="Those that are closed as well, at the end.")
@pass_invocation
def list_all(run: Invocation, publisher_slug: str | None, include_closed: bool) -> None:
    """List the open tasks, what is too late soonest first, each with what to do.

    Most close by themselves once they are no longer true. Times are in the publisher's zone.
    """
    with reading(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug) if publisher_slug is not None else None
        found = list_tasks(session, publisher=publisher, include_closed=include_closed)
        zones = _zones(session)
    if run.as_json:
        print_json([_document(each, run.now) for each in found])
        return
    print_lines(_lines(found, run.now, zones))
    still_open = sum(each.task.closed_at is None for each in found)
    click.echo(f"{count_of(still_open, 'task')} open." if still_open else "No task is open.")


@task.command(
    short_help="Close a task, with what was done.",
    examples=['registry task close 12 --reason "The report is about another service of ours."'],
)
@click.argument("number", type=NUMBER)
@click.option("--reason", required=True, metavar="TEXT", help="What was done about it, or why nothing need be.")
@as_option
@pass_invocation
def close(run: Invocation, number: int, reason: str, acting_as: str | None) -> None:
    """Close a task by your word. One that closes by itself is refused: its cause is what must be mended."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        closed = close_task_by_hand(session, run.now, number, actor, reason)
    if run.as_json:
        print_json({"number": number, "kind": closed.kind, "closed_at": plain(run.now), "closed_by": str(actor)})
    else:
        click.echo(f"Task {number} is closed, by {actor}.")


def _zones(session: Session) -> dict[str, str]:
    """Return each publisher's zone, by its slug."""
    rows = session.execute(select(Publisher.slug, Publisher.facts))
    return {slug: facts.get("time_zone", UTC_NAME) for slug, facts in rows}


def _lines(found: Sequence[ListedTask], now: datetime, zones: Mapping[str, str]) -> Iterator[str]:
    for each in found:
        row = each.task
        # One zone for all that is said of a task, so that its two times can be compared.
        zone = zones.get(each.publisher or "", UTC_NAME)
        if row.closed_at is not None:
            when = f"closed {say_at(row.closed_at, zone)}"
        elif row.due_at is not None:
            when = f"{say_time_left(row.due_at, now)}: {say_at(row.due_at, zone)}"
        else:
            when = say_time_left(None, now)
        yield f"{row.id:>5}  {say_task(row.kind, each.publisher, row.facts)}"
        yield f"{INDENT}{when[0].upper()}{when[1:]}. Open since {say_at(row.opened_at, zone)}."
        if row.closed_at is not None:
            yield f"{INDENT}By {row.closed_by}: {row.closed_because}"
        elif remedy := say_remedy(row.kind, each.publisher, row.facts):
            yield f"{INDENT}{remedy}"
        yield ""


def _document(each: ListedTask, now: datetime) -> dict[str, object]:
    row = each.task
    is_open = row.closed_at is None
    return {
        "number": row.id,
        "kind": row.kind,
        "publisher": each.publisher,
        "about": [row.subject_kind, row.subject],
        "says": say_task(row.kind, each.publisher, row.facts),
        "remedy": say_remedy(row.kind, each.publisher, row.facts),
        "facts": row.facts,
        "opened_at": row.opened_at,
        "due_at": row.due_at,
        "time_left": say_time_left(row.due_at, now) if is_open else None,
        "seconds_left": round((row.due_at - now).total_seconds()) if is_open and row.due_at is not None else None,
        "alerted_at": row.alerted_at,
        "closed_at": row.closed_at,
        "closed_by": row.closed_by,
        "closed_because": row.closed_because,
    }
