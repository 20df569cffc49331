"""What a view needs of its surroundings: the parts of the installation, and the time, read once per request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from flask import current_app, g

from registry import clock
from registry.wiring import Wiring

EXTENSION: Final = "registry"
CLOCK: Final = "REGISTRY_CLOCK"
"""The configuration that holds another clock than the real one: a callable that gives aware UTC instants."""


def wiring() -> Wiring:
    """Return the parts of this installation."""
    parts: Wiring = current_app.extensions[EXTENSION]
    return parts


def now() -> datetime:
    """Return the UTC instant of this request, the same however often it is asked for (R37)."""
    if "now" not in g:
        read: Callable[[], datetime] = current_app.config.get(CLOCK, clock.now)
        g.now = read()
    instant: datetime = g.now
    return instant
