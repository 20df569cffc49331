"""Two processes that live and end together: the web and the worker of `registry serve`."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import click

from registry.cli.invocation import Refusal

LOOK_EVERY: Final = 0.1
READY_WITHIN: Final = 60.0
ANSWER_WITHIN: Final = 2.0
HEALTH: Final = "/healthz"
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stops:
    """How often a stop was asked for by a signal. The second time, nothing is waited for any more."""

    def __init__(self) -> None:
        self.count = 0

    def ask(self, *_: object) -> None:
        """Count one; usable as a signal's function."""
        self.count += 1

    def listen(self) -> None:
        """Count the signals that ask this process to end."""
        for number in STOP_SIGNALS:
            signal.signal(number, self.ask)


def run_together(
    commands: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
    stops: Stops,
    is_ready: Callable[[], bool],
    announce: Callable[[], None],
) -> int:
    """Start every command, `announce` once `is_ready`, and wait; return the exit code for all of them.

    0 after a stop that was asked for. Where one ends by itself the others are stopped, and its exit code is returned,
    or 1 where that was 0. Each is stopped by SIGTERM and has the time it needs, until a second signal ends the wait.
    """
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            # In a session of its own a child does not get the terminal's Ctrl-C, so this process decides the order.
            children[name] = subprocess.Popen(command, env=dict(environ), start_new_session=True)  # noqa: S603 - our own command
        began, announced = time.monotonic(), False
        while not stops.count:
            ended = next(((name, child) for name, child in children.items() if child.poll() is not None), None)
            if ended is not None:
                return _tell_end(*ended)
            if not announced and is_ready():
                announce()
                announced = True
            elif not announced and time.monotonic() - began > READY_WITHIN:
                click.echo(f"Error: the web did not answer within {READY_WITHIN:.0f} seconds.", err=True)
                return 1
            time.sleep(LOOK_EVERY)
        return 0
    finally:
        _stop(children, stops)


def _tell_end(name: str, child: subprocess.Popen[bytes]) -> int:
    code = child.returncode
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    click.echo(f"Error: the {name} {how}, so everything is stopped.", err=True)
    return code if code > 0 else 1


def _stop(children: Mapping[str, subprocess.Popen[bytes]], stops: Stops) -> None:
    asked = stops.count
    for child in children.values():
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
    while any(child.poll() is None for child in children.values()):
        if stops.count > asked:
            asked = stops.count
            click.echo("Stopping at once.", err=True)
            for child in children.values():
                child.kill()
        time.sleep(LOOK_EVERY)
    for child in children.values():
        # A child that was killed could not end what it had started; the session of its own is what holds them.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)


def choose_address(host: str, port: int) -> str:
    """Return the numeric address of `host` if `port` is free there, or raise `Refusal` saying what to do.

    The web server shares a port that another one of its kind holds, so that each would get a part of the requests.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError) as error:
        raise Refusal(f"--host {host} cannot be found: {error}.") from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except PermissionError as error:
            raise Refusal(f"Port {port} needs rights that this user lacks. Take one above 1023: --port 8000") from error
        except OSError as error:
            raise Refusal(
                f"Port {port} of {host} cannot be used ({error.strerror}). Stop what uses it, or take another: "
                f"--port {port + 1 if port < 65_535 else 8000}"
            ) from error
    return str(address[0])


def answers(address: str, port: int) -> bool:
    """Return whether the web answers there that it is well. Its socket is open before anything can answer on it."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared with, not bound to
    connection = http.client.HTTPConnection(here, port, timeout=ANSWER_WITHIN)
    try:
        connection.request("GET", HEALTH)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
