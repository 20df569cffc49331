"""Workers on threads of this process and in processes of their own, what they log, and a notice for them to send."""

from __future__ import annotations

import json
import threading
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

from sqlalchemy import select

from registry.tables import Installation
from registry.worker import StopRequest, run_worker
from tests.cli.conftest import environ_for
from tests.world import World, antopsis


def events(log: StringIO) -> list[dict[str, Any]]:
    """Return what was logged, the first line first."""
    return [json.loads(line) for line in log.getvalue().splitlines()]


class Running:
    """A worker on a thread of this process, stopped and joined at the end of the block."""

    def __init__(self, world: World, **options: Any) -> None:
        self.stop = StopRequest()
        self.exit_code: int | None = None
        self._thread = threading.Thread(target=self._run, args=(world, options))

    def _run(self, world: World, options: dict[str, Any]) -> None:
        self.exit_code = run_worker(world.wiring, self.stop, **options)

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.ask()
        self.join()

    def join(self) -> None:
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()


def announce(world: World) -> str:
    """Announce a second place; return the notice's number."""
    world.apply(antopsis())
    return world.announce(antopsis(helsinki=True))


def heartbeat_of(world: World) -> datetime:
    """Return when a worker of this database last showed that it lives."""
    with world.reading() as session:
        found = session.scalars(select(Installation.heartbeat_at)).one()
    assert found is not None
    return found


def environ_of(database_url: str, tmp_path: Path, mail_url: str) -> dict[str, str]:
    """Return the settings of an installation in a folder below `tmp_path`, as an environment."""
    sender = "notices@registry.example"
    return environ_for(database_url, tmp_path / "instance", REGISTRY_MAIL_URL=mail_url, REGISTRY_MAIL_FROM=sender)
