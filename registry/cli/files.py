"""`registry plan`, `apply`, `schema` and `export`: the list as a file, in and out."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import click

from registry.cli.invocation import Command, Invocation, Refusal, as_option, pass_invocation, publisher_option
from registry.cli.plan_lines import applied_lines, plan_document, plan_lines
from registry.cli.printing import print_json, print_lines, print_progress
from registry.cli.values import FILE_NAME, LOCAL_DATE, STANDARD_OUTPUT, read_input, write_output
from registry.language import speaking
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.readers.schema import registry_file_schema
from registry.steps.apply_file import apply_file, plan_file
from registry.steps.artefacts import addresses_of, own_language
from registry.steps.editorial import find_open_notice
from registry.steps.lookup import find_entry, get_publisher
from registry.steps.published import load_public_list
from registry.tables.engine import reading, writing
from registry.writers.csv_list import build_csv
from registry.writers.json_list import build_json

CHANGES = 3
"""Exit code of `registry plan` where the file and the published list differ."""


def _read_file(name: str) -> RegistryFile:
    data, called = read_input(name)
    return read_registry_file(data, called)


@click.command(
    cls=Command,
    short_help="Compare a registry file with what is published.",
    examples=[
        "registry plan antopsis.yaml",
        "git show HEAD:antopsis.yaml | registry plan -",
        "registry plan antopsis.yaml --json; [ $? = 3 ] && echo changes",
    ],
)
@click.argument("file", type=FILE_NAME)
@pass_invocation
@click.pass_context
def plan(context: click.Context, run: Invocation, file: str) -> None:
    """Compare a registry FILE with what is published, changing nothing.

    Prints the typed changes by what they ask for, and the earliest lawful date with the clock that decides it. Exits 0
    where file and list agree, 3 where they differ, 2 for a bad file. Customers in the file are not compared.
    """
    wanted = _read_file(file)
    with reading(run.wiring.engine) as session:
        planned = plan_file(session, run.now, wanted)
    if run.as_json:
        print_json(plan_document(planned))
    else:
        print_lines(plan_lines(planned, wanted, run.now))
    if planned.is_founding or planned.changes or planned.moved or planned.publisher_changes:
        context.exit(CHANGES)


@click.command(
    cls=Command,
    examples=[
        "registry apply antopsis.yaml",
        "registry apply antopsis.yaml --publisher antopsis --as anna@antopsis.example",
    ],
)
@click.argument("file", type=FILE_NAME)
@click.option("--publisher", "publisher_slug", metavar="P", help="Refuse the file unless it is this publisher's.")
@as_option
@pass_invocation
def apply(run: Invocation, file: str, publisher_slug: str | None, acting_as: str | None) -> None:
    """Bring the drafts to what a registry FILE wants.

    The first file of a publisher states its list as it is. Later ones become drafts: what binds or informs waits for a
    notice, what is editorial takes effect. Applying a file twice changes nothing.
    """
    actor = run.actor(acting_as)
    wanted = _read_file(file)
    slug = wanted.publisher.slug
    if publisher_slug is not None and slug != publisher_slug:
        raise Refusal(f"This file is the list of {slug}, not of {publisher_slug}. Nothing was changed.")
    print_progress(f"Applying {len(wanted.entries):,} entries of {slug} …")
    with writing(run.wiring.engine) as session:
        applied = apply_file(session, run.now, wanted, actor, publisher_slug)
        publisher = get_publisher(session, slug)
        page = addresses_of(session, publisher, run.wiring.letterhead).page()
        notices = {}
        for edit in applied.edits:
            entry = find_entry(session, publisher, edit.key)
            notice = find_open_notice(session, entry) if entry else None
            if notice is not None:
                notices[edit.key] = (notice.number, notice.state)
    if run.as_json:
        edits = [
            {"key": edit.key, "fate": edit.fate, "change": edit.change, "notice": notices.get(edit.key, (None,))[0]}
            for edit in applied.edits
        ]
        print_json(
            {
                "publisher": slug,
                "is_founding": applied.is_founding,
                "changed_anything": applied.changed_anything,
                "edits": edits,
                "publisher_changes": applied.publisher_changes,
                "customers": applied.customers,
                "left_as_they_are": applied.left_as_they_are,
                "moved": [{"from": former, "to": key} for former, key in applied.moved],
                "is_reordered": applied.is_reordered,
                "internals_changed": applied.internals_changed,
            }
        )
    else:
        print_lines(applied_lines(applied, notices, page))


@click.command(
    cls=Command,
    short_help="Print the JSON Schema of a registry file.",
    examples=["registry schema > registry-file.schema.json"],
)
def schema() -> None:
    """Print the JSON Schema of a registry file, for editors and checks."""
    click.echo(json.dumps(registry_file_schema(), ensure_ascii=False, indent=2))


@click.command(
    cls=Command,
    short_help="Write a publisher's published list as a file.",
    examples=[
        "registry export --publisher antopsis --format json",
        "registry export --publisher antopsis --format csv --as-of 2026-03-01 -o list.csv",
    ],
)
@publisher_option
@click.option("--format", "format_name", type=click.Choice(["json", "csv"]), required=True, help="The kind of file.")
@click.option("--as-of", type=LOCAL_DATE, help="The list at the end of this day in the publisher's zone.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE; - is standard output."
)
@pass_invocation
def export(run: Invocation, publisher_slug: str, format_name: str, as_of: date | None, output: Path | None) -> None:
    """Write a publisher's published list as a file, now or as of a past day.

    The bytes are those that the public address of the list serves. With --json, FILE is described.
    """
    if output == Path(STANDARD_OUTPUT):
        output = None
    if run.as_json and output is None:
        raise Refusal("--json describes the file that -o names, and there is none. Add -o FILE, or leave --json out.")
    with reading(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug)
        public = load_public_list(session, run.now, publisher, as_of)
        addresses = addresses_of(session, publisher, run.wiring.letterhead)
    with speaking(own_language(public.publisher)):
        data = build_json(public, addresses) if format_name == "json" else build_csv(public)
    if output is None:
        click.echo(data, nl=False)
        return
    write_output(output, data)
    digest = hashlib.sha256(data).hexdigest()
    if run.as_json:
        print_json({"file": output, "bytes": len(data), "sha256": digest, "as_of": public.as_of})
    else:
        click.echo(f"{output}: {len(public.entries):,} entries, {len(data):,} bytes, SHA-256 {digest}")
