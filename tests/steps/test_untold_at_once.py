"""Two last letters of a customer that come back at the same moment, to contacts that have ended: the later one sees it.

On PostgreSQL: on SQLite one writes after the other anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.channels.smtp_server import MailServer
from tests.steps.post_office import DPO
from tests.steps.test_untold import SECOND, TWO_CONTACTS
from tests.steps.test_untold_by_the_ended import bounce, bounced, open_tasks, succeed, withdrawn
from tests.world import World, settings_for, utc


@pytest.fixture
def world(postgresql_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    world = World(settings_for(postgresql_url, tmp_path / "instance", mail_server.url), utc("2026-09-30 08:00"))
    yield world
    world.close()


def test_of_two_at_once_the_later_one_opens_the_task(world: World) -> None:
    withdrawn(world, TWO_CONTACTS)
    succeed(world, DPO, SECOND)
    other = threading.Thread(target=bounce, args=(world, SECOND, "withdrawal"))
    with world.writing() as session:
        assert bounced(world, session, DPO, "withdrawal")
        other.start()
        other.join(0.5)
        assert other.is_alive(), "it waits for this one"
    other.join(20)
    assert open_tasks(world) == [("withdrawal", "bremen")]
