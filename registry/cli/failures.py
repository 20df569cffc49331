"""From any exception to one clear message and an exit code. No traceback reaches a person who did not ask for it."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass

import click
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError, InterfaceError, OperationalError

from registry.cli.invocation import Refusal
from registry.cli.printing import plain
from registry.domain.errors import InvalidInput, RegistryError
from registry.i18n import explain
from registry.settings import BadSettings
from registry.worker import WorkerRunning

BAD_INPUT = 2
BUG = 70
"""EX_SOFTWARE of sysexits.h: an internal error."""
UNWRITTEN = 74
"""EX_IOERR of sysexits.h: standard output took nothing more."""
INTERRUPTED = 130
LONGEST_LINE = 300


@dataclass(frozen=True)
class Failure:
    """What to tell a person, what to tell a machine, and the exit code."""

    message: str
    code: str
    exit_code: int = BAD_INPUT
    problems: tuple[dict[str, object], ...] = ()


def explain_failure(error: BaseException) -> Failure:
    """Return what an exception means for whoever ran the command."""
    match error:
        case RegistryError():
            return Failure(explain(error), error.code, problems=_problems(error))
        case BadSettings():
            return Failure("\n".join(error.problems), "bad-settings")
        case Refusal():
            return Failure(str(error), "refused")
        case WorkerRunning():
            holder = f" (process {error.process})" if error.process else ""
            return Failure(
                f"A worker runs on this database already{holder}, and an embedded database has one. Stop that one, or "
                "use PostgreSQL, where any number may run.",
                "worker-running",
            )
        case click.UsageError():
            return Failure(_say_usage(error), "bad-usage")
        case click.ClickException():
            return Failure(error.format_message(), "refused")
        case KeyboardInterrupt() | click.Abort():
            return Failure("Stopped.", "interrupted", INTERRUPTED)
        case OperationalError() | InterfaceError():
            return Failure(_say_database(error), "database-unusable")
        case DatabaseError() if type(error) is DatabaseError and not isinstance(error, IntegrityError):
            return Failure(_say_database(error), "database-unusable")
        case OSError() if _is_of_output(error):
            return Failure(
                f"The output could not be written: {error.strerror}. What the command did is done, so look at how "
                "things are before you run it again.",
                "output-unwritten",
                UNWRITTEN,
            )
        case _:
            said = " ".join(str(error).split())[:LONGEST_LINE]
            named = type(error).__name__ + (f": {said}" if said else "")
            return Failure(f"This is a bug ({named}). Run it again with --debug to see where.", "bug", BUG)


def report(failure: Failure, error: BaseException, *, as_json: bool, debug: bool) -> None:
    """Print a failure on standard error."""
    if debug:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    if as_json:
        document = {"error": failure.code, "message": failure.message, "problems": list(failure.problems)}
        click.echo(json.dumps(document, ensure_ascii=False), err=True)
    else:
        lead = "" if "\n" in failure.message else "Error: "
        click.echo(f"{lead}{failure.message}", err=True)


def _problems(error: RegistryError) -> tuple[dict[str, object], ...]:
    if not isinstance(error, InvalidInput):
        return ()
    return tuple(
        {
            "field": problem.field,
            "code": problem.code,
            "line": problem.line,
            "value": _shown(problem.value),
            "params": {name: _shown(value) for name, value in problem.params.items()},
        }
        for problem in error.problems
    )


def _shown(value: object) -> object:
    value = plain(value)
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)


def _is_of_output(error: OSError) -> bool:
    """Return whether an error arose in writing to standard output, which every command does by `click.echo`."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_code is click.echo.__code__ and not frames[-1].f_locals["err"]


def _say_usage(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "registry"
    message = " ".join(error.format_message().split())
    stop = "" if message.endswith((".", "?")) else "."
    return f"{message}{stop} `{path} --help` shows how."


def _say_database(error: DBAPIError) -> str:
    first = str(error.orig).partition("\n")[0].strip().rstrip(".")
    if "locked" in first:
        return f"The database is in use by another process for too long ({first}). Nothing was changed; try again."
    return f"The database cannot be used ({first}). Nothing was changed. `registry doctor` says more."
