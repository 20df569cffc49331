"""The `registry` command: every act and question of the registry without the web (DESIGN §5)."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from registry.cli.backup import backup, restore
from registry.cli.bounces import bounce
from registry.cli.customers import customer, publisher
from registry.cli.doctor import doctor
from registry.cli.edits import entry
from registry.cli.endpoints import endpoint
from registry.cli.failures import UNWRITTEN, explain_failure, report
from registry.cli.files import apply, export, plan, schema
from registry.cli.invocation import Invocation, Section
from registry.cli.legal_holds import legal_hold
from registry.cli.notice_answers import outcome
from registry.cli.notices import notice
from registry.cli.operation import erase, pause, resume, rotate_keys, tick, upgrade
from registry.cli.serving import serve, web, worker
from registry.cli.suppressions import suppression
from registry.cli.tasks import task
from registry.cli.users import user

PROGRAM = "registry"


class RegistryCommandLine(Section):
    """The whole of it: every error becomes one clear message and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit: 0 done, 2 bad input, 70 a bug, 74 done without output, 130 interrupted.

        Others stand in a command's help.
        """
        given = list(sys.argv[1:] if args is None else args)
        run = extra.setdefault("obj", Invocation())
        for stream in (sys.stdout, sys.stderr):
            # A terminal without UTF-8 shows an escape where it lacks a letter; the command goes on.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            code = super().main(
                given,
                PROGRAM,
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except BrokenPipeError:
            # Whoever read the output has enough of it.
            _let_go_of_output()
            sys.exit(1)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, a person gets a message
            failure = explain_failure(error)
            report(failure, error, as_json="--json" in given, debug="--debug" in given)
            if failure.exit_code == UNWRITTEN:
                _let_go_of_output()
            sys.exit(failure.exit_code)
        finally:
            run.close()
        sys.exit(code if isinstance(code, int) else 0)


def _let_go_of_output() -> None:
    """Write nothing more to standard output, not even at the interpreter's end."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=RegistryCommandLine,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def main() -> None:
    """A subprocessor registry that tells customers before anything changes, and can prove that it did.

    Settings are REGISTRY_* environment variables; without any, an embedded database in instance/ is used.
    """


for each in (
    serve,
    web,
    worker,
    upgrade,
    plan,
    apply,
    schema,
    export,
    notice,
    entry,
    customer,
    publisher,
    endpoint,
    outcome,
    bounce,
    suppression,
    task,
    user,
):
    main.add_command(each)
for each in (tick, pause, resume, erase, rotate_keys, backup, restore, legal_hold, doctor):
    main.add_command(each)
