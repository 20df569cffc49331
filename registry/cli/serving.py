"""`registry serve`, `web` and `worker`: the processes of the service."""

from __future__ import annotations

import multiprocessing
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from registry.cli.demo import WayIn, find_ways_in, prepare_demo
from registry.cli.invocation import Command, Invocation, pass_invocation
from registry.cli.operation import bring_to_newest
from registry.cli.printing import plain, print_json, print_lines
from registry.cli.processes import STOP_SIGNALS, Stops, answers, choose_address, run_together
from registry.settings import OUTBOX, masked
from registry.steps.artefacts import addresses_of
from registry.steps.installation import dispatch_pause
from registry.steps.lookup import read_facts
from registry.tables import Publisher
from registry.tables.engine import reading
from registry.wiring import Wiring
from registry.worker import StopRequest, log_to, only_worker, run_worker

PROGRAM = "registry"
APPLICATION = "registry.app:create_app_from_env"
DEFAULT_PORT = 8000
HERE = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - a platform that gives a port routes to it from outside
STOP_WEB_WITHIN = 10
LEAST_THREADS = 2
MOST_THREADS = 8
"""In each process, and in all of them together. Threads of one process get in each other's way."""
MOST_WORKERS = 64
MOST_PAGES_SHOWN = 20
SHOWN_IN_DEMO = "antopsis"
"""The publisher whose people a demonstration lets in."""

PORT = click.IntRange(1, 65_535)


@click.command(
    cls=Command, examples=["registry serve", "registry serve --demo", "REGISTRY_INSTANCE=/srv/list registry serve"]
)
@click.option("--port", type=PORT, default=DEFAULT_PORT, show_default=True, help="The port of the web.")
@click.option("--host", default=HERE, show_default=True, help="The address of the web.")
@click.option("--demo", is_flag=True, help="Load the example publishers, with invented notices that are pending.")
@pass_invocation
@click.pass_context
def serve(context: click.Context, run: Invocation, port: int, host: str, demo: bool) -> None:
    """Run the web and the worker together, until Ctrl-C.

    On the embedded database the schema is brought to the newest first. If one of the two ends, the other is stopped
    and the exit code says so.
    """
    address = choose_address(host, port)
    needs_address = port != DEFAULT_PORT and not run.environ.get("REGISTRY_BASE_URL", "").strip()
    if needs_address:
        run.environ["REGISTRY_BASE_URL"] = f"http://{HERE}:{port}"
    wiring = run.unchecked
    if wiring.uses_sqlite:
        bring_to_newest(wiring)
    else:
        wiring.check_schema()
    if demo:
        prepare_demo(wiring, run.now)
        ways_in = find_ways_in(run.settings, SHOWN_IN_DEMO)
    else:
        wiring.bind()
        ways_in = []
    wiring.engine.dispose()
    stops = Stops()
    stops.listen()
    this = [sys.executable, "-m", "registry.cli"]
    code = run_together(
        {"web": [*this, "web", "--host", host, "--port", str(port)], "worker": [*this, "worker"]},
        run.environ,
        stops,
        is_ready=lambda: answers(address, port),
        announce=lambda: _announce(wiring, ways_in, as_json=run.as_json, needs_address=needs_address),
    )
    context.exit(code)


def _announce(wiring: Wiring, ways_in: Sequence[WayIn], *, as_json: bool, needs_address: bool) -> None:
    root = f"{wiring.letterhead.base_url}/"
    with reading(wiring.engine) as session:
        publishers = session.scalars(select(Publisher).order_by(Publisher.slug)).all()
        pages = {publisher.slug: addresses_of(session, publisher, wiring.letterhead).page() for publisher in publishers}
        names = [(pages[each.slug], read_facts(session, each).name) for each in publishers[:MOST_PAGES_SHOWN]]
        paused = dispatch_pause(session)
        paused_because = paused.paused_because if paused else None
    wiring.engine.dispose()
    if wiring.mail_url == OUTBOX:
        mail = f"Letters are written to {wiring.outbox}, and nothing is sent."
    else:
        mail = f"Letters are sent by {masked('MAIL_URL', wiring.mail_url)}."
    if as_json:
        outbox = wiring.outbox if wiring.mail_url == OUTBOX else None
        document = {"address": root, "pages": pages, "outbox": outbox, "paused_because": paused_because}
        print_json(document | {"workbench": f"{root}team/", "people": [plain(each) for each in ways_in]})
        return
    click.echo("The registry is up. Open:")
    for page, name in [(root, "all publishers"), *names]:
        click.echo(f"  {page:<44} {name}")
    if len(pages) > len(names):
        click.echo(f"  … and {len(pages) - len(names):,} more: `{say_program()} publisher list`")
    if not pages:
        click.echo(f"There is no publisher yet: `{say_program()} apply FILE` adds one.")
    print_lines(_say_ways_in(f"{root}team/", ways_in, has_publishers=bool(pages)))
    click.echo(mail)
    if paused_because is not None:
        click.echo(
            f"Sending is paused ({paused_because}). If this is the original and no copy: "
            f"REGISTRY_BASE_URL={wiring.letterhead.base_url} {say_program()} resume"
        )
    if needs_address:
        click.echo(f"Other commands on it need: export REGISTRY_BASE_URL={wiring.letterhead.base_url}")
    click.echo("Ctrl-C stops it.")


def _say_ways_in(workbench: str, ways_in: Sequence[WayIn], *, has_publishers: bool) -> Iterator[str]:
    """Say how to get into the workbench: in a demonstration by these people, else by whoever was added."""
    if not ways_in:
        if has_publishers:
            yield f"The workbench is at {workbench}; `{say_program()} user add` lets its first owner in."
        return
    if all(each.link is None for each in ways_in):
        yield f"The workbench: {workbench}, as {', '.join(each.email for each in ways_in)}"
    else:
        yield f"The workbench: {workbench}. Each link, in a window of its own, lets one person choose a password:"
        width = max(len(each.email) for each in ways_in)
        for each in ways_in:
            yield f"  {each.email:<{width}}  {each.link or 'has one'}"
    link = f"{say_program()} user link owner@nextapi.example"
    yield f"The other publishers have the same three people; `{link}` lets one in."


def say_program() -> str:
    """Return how a shell finds this program from here: by its name, or else by the path it was started by."""
    started, found = Path(sys.argv[0]), shutil.which(PROGRAM)
    is_found = found is not None and started.exists() and started.samefile(found)
    return PROGRAM if is_found or started.name != PROGRAM else shlex.quote(str(started))


@click.command(cls=Command, examples=["registry web", "PORT=8080 registry web --workers 4"])
@click.option("--port", type=PORT, envvar="PORT", default=DEFAULT_PORT, help="The port; $PORT, or 8000, if left out.")
@click.option("--host", help="The address; everywhere if the port comes from $PORT, else this machine alone.")
@click.option(
    "--workers", type=click.IntRange(1, MOST_WORKERS), default=1, show_default=True, help="Processes that answer."
)
@pass_invocation
@click.pass_context
def web(context: click.Context, run: Invocation, port: int, host: str | None, workers: int) -> None:
    """Run the web alone. Any number may run on a database server."""
    is_on_a_platform = context.get_parameter_source("port") is click.core.ParameterSource.ENVIRONMENT
    address = choose_address(host or (EVERYWHERE if is_on_a_platform else HERE), port)
    wiring = run.wiring
    wiring.bind()
    # The server forks, and a connection must not be shared.
    wiring.engine.dispose()
    make_server(APPLICATION, address, port, workers, factory=True).serve()


def make_server(application: str, address: str, port: int, workers: int, *, factory: bool = False) -> Any:
    """Return the web server, to be started by its `serve`. The benchmarks compare with another application on it."""
    # Only the web needs the server.
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, RuntimeModes
    from granian.log import LogLevels

    return Granian(
        application,
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        factory=factory,
        blocking_threads=max(LEAST_THREADS, min(MOST_THREADS, 2 * multiprocessing.cpu_count() + 1) // workers),
        http=HTTPModes.http1,
        runtime_mode=RuntimeModes.st,
        log_level=LogLevels.warning,
        workers_kill_timeout=STOP_WEB_WITHIN,
    )


@click.command(
    cls=Command, short_help="Run the worker: send what is due, and let it take effect.", examples=["registry worker"]
)
@pass_invocation
@click.pass_context
def worker(context: click.Context, run: Invocation) -> None:
    """Run the worker: announce, send, remind and take effect, when each is due.

    On SIGTERM the letter on the wire is finished first. Its log is JSON, a line for each thing that happened, on
    standard error. Exits 1 where its clock has died, to be started again.
    """
    wiring = run.wiring
    wiring.bind()
    with only_worker(Path(str(wiring.engine.url.database))) if wiring.uses_sqlite else nullcontext():
        stop = StopRequest()
        for number in STOP_SIGNALS:
            signal.signal(number, stop.ask)
        log_to(sys.stderr)
        code = run_worker(wiring, stop)
    context.exit(code)
