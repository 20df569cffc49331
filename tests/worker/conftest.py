"""What the tests of the worker share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO

import pytest

from registry.worker import log_to


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the worker logs. The test run's own logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = StringIO()
    log_to(stream)
    yield stream
    root.handlers[:], root.level = handlers, level
