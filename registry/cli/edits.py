"""`registry entry`: approving an editorial edit, which needs no notice (R3)."""

from __future__ import annotations

import click

from registry.cli.invocation import Invocation, Refusal, Section, as_option, pass_invocation, publisher_option
from registry.cli.plan_lines import change_document
from registry.cli.printing import print_json
from registry.domain.changes import diff_entry
from registry.domain.vocabulary import Weight
from registry.steps.approvals import give_approval
from registry.steps.lookup import (
    find_current_version,
    find_pending_version,
    get_entry,
    get_publisher,
    read_content,
    read_facts,
)
from registry.steps.record_edit import EditFate, find_open_notice, take_editorial_effect
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
        facts = read_facts(session, publisher)
        found = get_entry(session, publisher, key)
        version = find_pending_version(session, found)
        if version is None:
            raise Refusal(f"No edit of {key} waits for anything.")
        change = diff_entry(found.key, read_content(find_current_version(session, found)), read_content(version))
        notice = find_open_notice(session, found)
        if notice is not None:
            raise Refusal(
                f"The edit of {key} belongs to notice {notice.number}, and is approved with it: "
                f"`registry notice approve {notice.number} --publisher {publisher_slug} --as EMAIL`."
            )
        if change is None or change.weight is not Weight.EDITORIAL:
            raise Refusal(
                f"The edit of {key} is not editorial, so customers are told of it first: "
                f"`registry notice draft --publisher {publisher_slug} --entry {key}`."
            )
        given = give_approval(
            session,
            run.now,
            publisher,
            facts,
            ("edit", version.id, found.key),
            version.digest,
            {version.author},
            actor,
        )
        edit = take_editorial_effect(session, run.now, publisher, found, actor)
    is_in_effect = edit.fate is EditFate.IN_EFFECT
    if run.as_json:
        document = {"key": key, "fate": edit.fate, "approvals_given": given, "change": change_document(change)}
        print_json(document | {"approvals_required": facts.approvals_required})
    else:
        outcome = "it is in effect" if is_in_effect else "it waits for more"
        click.echo(f"The edit of {key} has {given} of {facts.approvals_required} approvals: {outcome}.")
