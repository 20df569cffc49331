"""The product's own commands as processes of their own, and waiting for what they do, within limits."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import requests

Found = TypeVar("Found")


@contextmanager
def running(environ: Mapping[str, str], log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `registry` with `arguments` until the block ends; its output goes to `log`. Nothing of it is left behind."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_") and name != "PORT"}
    command = [sys.executable, "-m", "registry.cli", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=clean | dict(environ), stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        if process.poll() is None:
            children = _descendants(process.pid)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                for child in [process.pid, *children]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
                process.wait(timeout=5)


def _descendants(pid: int) -> list[int]:
    try:
        below = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*below, *(deeper for child in below for deeper in _descendants(child))]


def children_of(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """Return the process ids of the commands that a running `registry serve` has started, by name."""
    found: dict[str, int] = {}
    for child in _descendants(process.pid):
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if b"registry.cli" in words:
            found.setdefault(words[words.index(b"registry.cli") + 1].decode(), child)
    return found


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def answer_of(url: str) -> requests.Response | None:
    """Return what a server answers, None while there is none."""
    try:
        return requests.get(url, timeout=2)
    except requests.ConnectionError:
        return None


def wait_for(look: Callable[[], Found | None], what: str, seconds: float = 30) -> Found:
    """Look again and again until there is something, or fail saying what did not come."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"within {seconds} seconds there was no {what}")
