"""`registry entry`: approving an editorial edit, which needs no notice (R3)."""

from __future__ import annotations

import click
from sqlalchemy.orm import Session

from registry.cli.invocation import Invocation, Refusal, Section, as_option, pass_invocation, publisher_option
from registry.cli.plan_lines import change_document
from registry.cli.printing import print_json
from registry.steps.editorial import EditFate, approve_edit, find_open_notice
from registry.steps.lookup import find_pending_version, get_entry, get_publisher
from registry.tables import Publisher
from registry.tables.engine import writing


@click.group(cls=Section)
def entry() -> None:
    """Approve editorial edits of entries."""


@entry.command(examples=["registry entry approve stripe --publisher antopsis --as bela@antopsis.example"])
@click.argument("key")
@publisher_option
@as_option
@pass_invocation
def approve(run: Invocation, key: str, publisher_slug: str, acting_as: str | None) -> None:
    """Approve an editorial edit that waits; with enough approvals it takes effect, and nothing is sent (R3, R16)."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        edit = approve_edit(session, run.now, publisher, key, actor)
        if edit.fate in {EditFate.UNCHANGED, EditFate.WAITS}:
            raise Refusal(_say_why_not(session, publisher, key, edit.fate))
    if run.as_json:
        print_json({"key": key, "fate": edit.fate, "change": change_document(edit.change) if edit.change else None})
    else:
        click.echo(f"Approved by {actor}: {_say_fate(edit.fate)}")


def _say_fate(fate: EditFate) -> str:
    match fate:
        case EditFate.IN_EFFECT:
            return "the edit is in effect."
        case EditFate.NEEDS_APPROVAL:
            return "the edit waits for more approvals."
        case _:
            return "the edit differs from the list in nothing any more, and is dropped."


def _say_why_not(session: Session, publisher: Publisher, key: str, fate: EditFate) -> str:
    found = get_entry(session, publisher, key)
    notice = find_open_notice(session, found)
    if notice is not None and fate is EditFate.WAITS:
        return f"The edit of {key} touches what notice {notice.number} says, and waits until that has ended."
    if notice is not None:
        return (
            f"The edit of {key} belongs to notice {notice.number}, and is approved with it: "
            f"`registry notice approve {notice.number} --publisher {publisher.slug} --as EMAIL`."
        )
    if find_pending_version(session, found) is None:
        return f"No edit of {key} waits for anything."
    return (
        f"The edit of {key} is not editorial, so customers are told of it first: "
        f"`registry notice draft --publisher {publisher.slug} --entry {key}`."
    )
