"""The log of a worker: one JSON object a line, with the facts of each event and never an address.

Whoever wants its facts in the log gives them to a logger of the registry's, from any module and without importing this:

    logging.getLogger("registry.delivery").info("settled", extra={"facts": {"delivery": 4711, "notice": "2026-003"}})
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from sqlalchemy.exc import DBAPIError, OperationalError

OURS: Final = "registry."


class JsonLines(logging.Formatter):
    """One JSON object a line: when (UTC), how grave, what happened, and its facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one record.

        The registry's own loggers say an event and its `facts`. Of a record without facts, and of any other library's,
        the line says where it came from and not its words: those may quote an address.
        """
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower()}
        facts = getattr(record, "facts", None)
        if record.name.startswith(OURS) and isinstance(facts, dict):
            line["event"] = record.getMessage()
            # No fact replaces what every line has.
            line |= {name: value for name, value in facts.items() if name not in line}
        else:
            line |= {"event": "log", "logger": record.name, "where": f"{record.module}:{record.lineno}"}
        return json.dumps({name: value for name, value in line.items() if value is not None}, default=str)


def log_to(stream: TextIO | None = None) -> None:
    """Send this process's log to `stream` (standard error), one JSON object a line."""
    target = logging.StreamHandler(stream or sys.stderr)
    target.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [target]
    root.setLevel(logging.INFO)


def describe_error(error: BaseException) -> dict[str, object]:
    """Return what a log may say of an error: its kind and where it arose, and never its words or parameters.

    Messages of mail and database libraries quote addresses. Those of a database that cannot be used at all do not.
    """
    described: dict[str, object] = {"error": type(error).__qualname__}
    if isinstance(error, DBAPIError):
        described["database_error"] = type(error.orig).__qualname__
        described["sqlstate"] = getattr(error.orig, "sqlstate", None)
        if isinstance(error, OperationalError):
            described["why"] = str(error.orig).partition("\n")[0]
    described["trace"] = [
        f"{frame.filename.rpartition('/registry/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return described
