"""The one place that reads the clock. Everything else is told the time."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware and in UTC. Entry points call it once and pass the value on (R37)."""
    return datetime.now(UTC)
