"""Workers as processes of their own, started by the product's own command, and what they cost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.places import Place

TICKS = os.sysconf("SC_CLK_TCK")
STOPS_WITHIN = 30.0


class Worker:
    """`registry worker` on a place, sending to a mail URL. Ends with its block, by SIGTERM as an operator ends it."""

    def __init__(self, place: Place, mail_url: str) -> None:
        self.name = f"worker-{time.monotonic_ns()}"
        """What its sessions are called by the database server."""
        self._log = place.folder / f"{self.name}.log"
        around = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        environ = {**around, **place.environ, "REGISTRY_MAIL_URL": mail_url, "PGAPPNAME": self.name}
        command = [str(Path(sys.executable).parent / "registry"), "worker"]
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(command, env=environ, stderr=log, stdout=log, cwd=place.folder)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def number(self) -> int:
        """The process's number."""
        return self._process.pid

    def raise_if_ended(self) -> None:
        """Raise RuntimeError with the end of its log where it has ended by itself, or failed at something."""
        said = self._log.read_text(encoding="utf-8")
        if self._process.poll() is not None or '"sweep-failed"' in said:
            raise RuntimeError(f"the worker failed: {said[-2_000:]}")

    def peak_memory(self) -> float:
        """The most memory it held at once so far, in megabytes (10^6 bytes)."""
        return _status(self.number, "VmHWM") * 1024 / 1e6


def keep_on(processor: int, processes: Iterable[int]) -> None:
    """Have these processes, with all their threads, run on one processor alone."""
    for number in processes:
        for task in Path(f"/proc/{number}/task").iterdir():
            os.sched_setaffinity(int(task.name), {processor})


def seconds_of_processor(processes: Iterable[int]) -> float:
    """Seconds of processor time that these processes have used, and those of their children that still run."""
    spent = 0.0
    for number in _with_children(set(processes)):
        try:
            stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        fields = stat.rpartition(") ")[2].split()
        # Fields behind the name: state is the first, user time the twelfth, system time the thirteenth.
        spent += (int(fields[11]) + int(fields[12])) / TICKS
    return spent


def seconds_of_machine() -> tuple[float, float, float]:
    """Seconds since the start that all cores together were busy, had only a disk to wait for, and had in all."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:9]]
    idle, waited = fields[3], fields[4]
    return (sum(fields) - idle - waited) / TICKS, waited / TICKS, sum(fields) / TICKS


def _with_children(processes: set[int]) -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8")
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(entry.name)] = int(stat.rpartition(") ")[2].split()[1])
    found = set(processes)
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return found


def _status(number: int, name: str) -> int:
    for line in Path(f"/proc/{number}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {number} does not tell its {name}")
