"""`registry backup` and `registry restore`: everything in one file, and back into an empty database."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import click
from sqlalchemy.exc import OperationalError

from registry.cli.invocation import Command, Invocation, Refusal, as_option, pass_invocation
from registry.cli.operation import UTC_NAME, bring_to_newest
from registry.cli.printing import count_of, print_json, print_lines, print_progress, say_at
from registry.cli.values import STANDARD_INPUT
from registry.domain.errors import RegistryError
from registry.migrations import downgrade, find_revision, known_revisions, newest_revision
from registry.migrations import upgrade as upgrade_schema
from registry.steps.back_up import back_up, record_backup
from registry.steps.backup_file import Manifest, Progress, open_backup
from registry.steps.restore import Restored, check_empty
from registry.steps.restore import restore as restore_backup
from registry.tables import Person
from registry.tables.engine import reading, writing
from registry.wiring import DatabaseUnreachable, SchemaNewer, Wiring

TELL_EVERY = 50_000
"""Rows of one table between two words about it."""
DISTRIBUTION = "subprocessor-registry"


class BackupSchemaUnknown(RegistryError):
    """A newer release made the backup. Params: file, product, found, newest."""

    code = "backup-schema-unknown"


@click.command(
    cls=Command,
    short_help="Write everything into one file, while the service runs.",
    examples=[
        "registry backup /var/backups/registry-2026-11-21.zip",
        "registry backup latest.zip --force --as boris@antopsis.example",
    ],
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE where it is there already.")
@as_option
@pass_invocation
def backup(run: Invocation, file: Path, force: bool, acting_as: str | None) -> None:
    """Write everything in the database into FILE, as it was at one instant, while the service runs.

    FILE holds addresses and keys, and only its owner may read it. The secret key is not in it: keep that apart.
    """
    actor = run.actor(acting_as)
    if str(file) == STANDARD_INPUT:
        raise Refusal("A backup needs a file that has a name. Give one, such as registry.zip.")
    engine = run.wiring.engine
    with reading(engine) as session:
        made = back_up(
            session,
            run.now,
            file,
            product=version(DISTRIBUTION),
            overwrite=force,
            progress=_teller("Reading"),
        )
    try:
        with writing(engine) as session:
            record_backup(session, run.now, actor, made)
    except OperationalError as error:
        # A database that takes no more is when the file is needed most.
        why = str(error.orig).partition("\n")[0]
        click.echo(f"Warning: {file} is whole, but the record could not take note of it ({why}).", err=True)
        is_recorded = False
    else:
        is_recorded = True
    manifest = made.manifest
    if run.as_json:
        facts = {"file": made.path, "bytes": made.length, "sha256": made.sha256, "made_at": manifest.made_at}
        print_json(facts | _facts_of(manifest) | {"is_recorded": is_recorded})
        return
    print_lines(
        [
            f"{file}: {count_of(manifest.rows, 'row')} of {count_of(len(manifest.tables), 'table')}, "
            f"{made.length:,} bytes, SHA-256 {made.sha256}",
            f"It holds everything as it was on {say_at(manifest.made_at, UTC_NAME)}, with addresses and keys: keep it "
            "as safe as the database.",
            "The secret key is not in it. Keep that apart (docs/backup.md).",
        ]
    )


@click.command(
    cls=Command,
    short_help="Bring a backup back, into an empty database.",
    examples=["registry restore /var/backups/registry-2026-11-21.zip --as boris@antopsis.example"],
)
@click.argument("file", type=click.Path(path_type=Path))
@as_option
@pass_invocation
def restore(run: Invocation, file: Path, acting_as: str | None) -> None:
    """Bring the backup FILE back, into a database without any rows: SQLite or PostgreSQL, whichever it came from.

    FILE is verified whole before anything is written, and everything is written at once or not at all. Sending is
    paused then, until a person has seen what the original did since (R32).
    """
    actor = run.actor(acting_as)
    wiring = run.unchecked
    with open_backup(file) as opened:
        manifest = opened.manifest
        if manifest.schema_revision not in known_revisions():
            raise BackupSchemaUnknown(
                file=str(file), product=manifest.product, found=manifest.schema_revision, newest=newest_revision()
            )
        opened.verify(_teller("Verifying"))
        _make_schema(wiring, manifest)
        with writing(wiring.engine) as session:
            restored = restore_backup(
                session,
                run.now,
                opened,
                actor,
                wiring.fingerprint,
                wiring.letterhead.base_url,
                progress=_teller("Writing"),
            )
    bring_to_newest(wiring)
    if run.as_json:
        facts = {"file": file, "sha256": restored.sha256, "made_at": manifest.made_at, "schema": newest_revision()}
        print_json(
            facts
            | _facts_of(manifest)
            | {
                "paused_because": restored.paused_because,
                "letters": restored.letters,
                "notices": restored.notices,
                "link_key": restored.link_key,
                "is_same_key": restored.is_same_key,
                "is_same_address": restored.is_same_address,
            }
        )
    else:
        print_lines(_restored_lines(file, restored, wiring))


def _make_schema(wiring: Wiring, manifest: Manifest) -> None:
    """Give an empty database the schema that the backup's rows need. What is in it is looked for first."""
    try:
        found = find_revision(wiring.database_url)
        if found is not None and found not in known_revisions():
            raise SchemaNewer(found=found, newest=newest_revision())
        with reading(wiring.engine) as session:
            check_empty(session, manifest)
        if found == manifest.schema_revision:
            return
        if found is not None:
            # The tables hold nothing, so they are made anew, whichever of the two revisions is the older one.
            downgrade(wiring.database_url, "base")
        upgrade_schema(wiring.database_url, manifest.schema_revision)
    except OperationalError as error:
        raise DatabaseUnreachable(why=str(error.orig).partition("\n")[0]) from error


def _facts_of(manifest: Manifest) -> dict[str, object]:
    return {
        "installation": manifest.installation_id,
        "base_url": manifest.base_url,
        "made_by": manifest.product,
        "made_on": manifest.database,
        "made_with_schema": manifest.schema_revision,
        "rows": manifest.rows,
        "tables": {table.name: table.rows for table in manifest.tables},
        "left_out": manifest.left_out,
    }


def _restored_lines(file: Path, restored: Restored, wiring: Wiring) -> list[str]:
    manifest, letters, notices = restored.manifest, restored.letters, restored.notices
    lines = [
        f"{file} is restored: {count_of(manifest.rows, 'row')} of {count_of(len(manifest.tables), 'table')}.",
        f"Sending is paused ({restored.paused_because}). What the original did after that is not known here.",
    ]
    if letters.open:
        lines.append(
            f"Letters that were still to be sent: {letters.open:,}, of which {letters.leased:,} were with a worker at "
            f"that moment. {letters.due:,} were due by now, so the original may have sent them: they are marked as "
            "possible duplicates."
        )
    else:
        lines.append("No letter was still to be sent.")
    if notices.to_announce or notices.to_take_effect:
        lines.append(
            f"Notices whose time has come since: {notices.to_announce:,} to announce, {notices.to_take_effect:,} to "
            "take effect. A worker does both, also while sending is paused, and the original may have done so."
        )
    if not restored.is_same_key:
        lines.append("The secret key here is not the original's. Links in letters go on working all the same.")
    if any(facts.name == Person.__tablename__ and facts.rows for facts in manifest.tables):
        codes = "" if restored.is_same_key else " Codes of theirs fit no more: `registry doctor` says whose."
        lines.append(f"The team signs in anew, since the original may have ended sessions meanwhile.{codes}")
    if not restored.is_same_address:
        lines.append(f"Links led to {manifest.base_url}, and lead to {wiring.letterhead.base_url} from here.")
    then = f", and {count_of(letters.due, 'letter')} at once" if letters.due else ""
    lines.append(
        f"See what was sent since (docs/backup.md), before a worker starts. `registry resume` lets sending go on{then}."
    )
    return lines


def _teller(doing: str) -> Progress:
    told: dict[str, int] = {}

    def tell(table: str, rows: int) -> None:
        if rows - told.get(table, 0) >= TELL_EVERY:
            told[table] = rows
            print_progress(f"{doing} {table}: {count_of(rows, 'row')} …")

    print_progress(f"{doing} …")
    return tell
