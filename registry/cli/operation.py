"""`registry upgrade`, `tick`, `pause`, `resume`, `erase` and `rotate-keys`: keeping the service running by hand."""

from __future__ import annotations

from datetime import datetime

import click
from sqlalchemy.exc import OperationalError

from registry import clock
from registry.cli.invocation import Command, Invocation, as_option, pass_invocation, publisher_option
from registry.cli.printing import plain, print_json, print_lines, print_progress, say_at, table, words_of
from registry.cli.values import INSTANT
from registry.migrations import find_revision, known_revisions, newest_revision
from registry.migrations import upgrade as upgrade_schema
from registry.steps import installation
from registry.steps.erase_person import erase_person
from registry.steps.errors import TimeTravelRefused
from registry.steps.installation import dispatch_pause, mark_not_evidence
from registry.steps.keyring import make_keyring, rotate_link_key
from registry.steps.lookup import get_publisher
from registry.steps.sweeps import tick as run_every_sweep
from registry.tables.engine import reading, writing
from registry.wiring import DatabaseUnreachable, SchemaNewer, Wiring

UTC_NAME = "UTC"


def bring_to_newest(wiring: Wiring) -> tuple[str | None, str | None]:
    """Bring the schema to the newest; return what it was and is. Raises `SchemaNewer` and `DatabaseUnreachable`."""
    newest = newest_revision()
    try:
        found = find_revision(wiring.database_url)
        if found is not None and found not in known_revisions():
            raise SchemaNewer(found=found, newest=newest)
        if found != newest:
            upgrade_schema(wiring.database_url)
    except OperationalError as error:
        raise DatabaseUnreachable(why=str(error.orig).partition("\n")[0]) from error
    return found, newest


@click.command(cls=Command, examples=["registry upgrade"])
@pass_invocation
def upgrade(run: Invocation) -> None:
    """Bring the database's schema to the newest. Running it again changes nothing."""
    print_progress("Upgrading the schema …")
    found, newest = bring_to_newest(run.unchecked)
    if run.as_json:
        print_json({"from": found, "to": newest, "changed": found != newest})
    elif found == newest:
        click.echo(f"The schema is the newest already: {newest}.")
    else:
        click.echo(f"The schema was {found or 'not there'}, and is now {newest}.")


@click.command(
    cls=Command,
    short_help="Erase what is known of an address.",
    examples=["registry erase fred@reader.example --publisher antopsis --as boris@antopsis.example"],
)
@click.argument("email")
@publisher_option
@as_option
@pass_invocation
def erase(run: Invocation, email: str, publisher_slug: str, acting_as: str | None) -> None:
    """Erase an address, names and servers' answers for good (R36). Times, states and letters' hashes stay as proof.

    A customer's standing contact is ended first: registry customer contact-end.
    """
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        letters = erase_person(session, run.now, get_publisher(session, publisher_slug, lock=True), email, actor)
    if run.as_json:
        print_json({"publisher": publisher_slug, "letters": letters})
    else:
        click.echo(f"Erased. Of {letters} letters to it, only times, states and hashes are left.")


@click.command(
    "rotate-keys",
    cls=Command,
    short_help="Sign links with a new key.",
    examples=["registry rotate-keys --as boris@antopsis.example"],
)
@as_option
@pass_invocation
def rotate_keys(run: Invocation, acting_as: str | None) -> None:
    """Let a new key sign the links of letters from now on (R33). Links in letters already sent go on working."""
    with writing(run.wiring.engine) as session:
        make_keyring(session, run.now)
        rotate_link_key(session, run.now, run.actor(acting_as))
    if run.as_json:
        print_json({"rotated": True})
    else:
        click.echo("A new key signs links from now on. Older links go on working.")


@click.command(
    cls=Command,
    short_help="Run every due sweep once.",
    examples=["registry tick", "REGISTRY_ALLOW_TIME_TRAVEL=1 registry tick --at 2027-01-15T00:00+01:00"],
)
@click.option("--at", "travelled_at", type=INSTANT, help="Run as if it were this instant, to try things out (R39).")
@pass_invocation
def tick(run: Invocation, travelled_at: datetime | None) -> None:
    """Run every due sweep once: announce, send, remind, take effect, and build the pages.

    It does what the worker does all the time. --at works only where REGISTRY_ALLOW_TIME_TRAVEL=1 and never in
    production, and marks the database as no evidence for good.
    """
    wiring = run.wiring
    if travelled_at is not None:
        if wiring.is_production:
            raise TimeTravelRefused(because="this is production, where evidence is made")
        if not wiring.allow_time_travel:
            raise TimeTravelRefused(because="set REGISTRY_ALLOW_TIME_TRAVEL=1 on an instance that proves nothing")
    wiring.bind()
    if travelled_at is not None:
        with writing(wiring.engine) as session:
            mark_not_evidence(session, clock.now())
    at = travelled_at

    def now() -> datetime:
        return at if at is not None else clock.now()

    channels = wiring.make_channels(now)
    try:
        did = run_every_sweep(wiring.make_sweeping(channels, now), lambda name: print_progress(f"{words_of(name)} …"))
    finally:
        for channel in channels.values():
            channel.close()
    with reading(wiring.engine) as session:
        paused = dispatch_pause(session)
        paused_because = paused.paused_because if paused else None
    if run.as_json:
        document = {"at": plain(travelled_at or run.now), "sweeps": plain(did), "paused_because": paused_because}
        print_json(document | {"is_evidence": travelled_at is None})
        return
    if travelled_at is not None:
        click.echo("TIME TRAVEL: this database is marked as no evidence; nothing in it proves anything any more.")
    click.echo(f"As of {say_at(travelled_at or run.now, UTC_NAME)}")
    print_lines(table(("Sweep", "Did"), [(words_of(name), _say_result(result)) for name, result in did.items()]))
    if paused_because is not None:
        click.echo(f"Sending is paused ({paused_because}): nothing was sent. `registry resume` lets it go on.")


def _say_result(result: object) -> str:
    if isinstance(result, dict):
        counts = [f"{count} {words_of(str(name))}" for name, count in result.items() if count]
        return ", ".join(counts) or "nothing"
    return str(result) if result else "nothing"


@click.command(
    cls=Command, short_help="Stop all sending.", examples=['registry pause --reason "The mail server moves"']
)
@click.option("--reason", default="by a person", show_default=True, metavar="TEXT", help="Why, for whoever resumes it.")
@as_option
@pass_invocation
def pause(run: Invocation, reason: str, acting_as: str | None) -> None:
    """Stop all sending, in every process, until `registry resume` (R32). Everything else goes on."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        paused = installation.pause(session, run.now, actor, reason)
        paused_at, because = paused.paused_at, paused.paused_because
    if run.as_json:
        print_json({"paused_at": paused_at, "because": because})
    else:
        click.echo(f"Sending is paused since {say_at(paused_at, UTC_NAME)}: {because}. Letters wait, none is lost.")


@click.command(cls=Command, short_help="Let sending go on.", examples=["registry resume"])
@as_option
@pass_invocation
def resume(run: Invocation, acting_as: str | None) -> None:
    """Let sending go on, and bind the database to this installation: this is the original, not a copy (R32)."""
    actor = run.actor(acting_as)
    wiring = run.wiring
    with writing(wiring.engine) as session:
        paused = dispatch_pause(session)
        because = paused.paused_because if paused else None
        bound = installation.resume(session, run.now, actor, wiring.fingerprint, wiring.letterhead.base_url)
        base_url = bound.base_url
    if run.as_json:
        print_json({"resumed": because is not None, "was_paused_because": because, "base_url": base_url})
    elif because is None:
        click.echo("Nothing changed: sending was not paused.")
    else:
        click.echo(f"Sending goes on (it was paused: {because}). Letters link to {base_url}.")
