"""The same installation as in the tests of the path, and workers in processes of their own that may be killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.workers import Workers
from tests.steps.conftest import mail_server, world
from tests.world import World

__all__ = ["mail_server", "workers", "world"]


@pytest.fixture
def workers(world: World) -> Iterator[Workers]:
    """Worker processes on the world's database and mail server; none outlives the test."""
    with Workers(world) as started:
        yield started
