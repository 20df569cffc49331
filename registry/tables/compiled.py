"""Statements compiled once and run on the driver itself, for the few places where every microsecond is paid per letter.

They are written with SQLAlchemy like all others, so that the schema has one description. What is left out is what the
library does anew at each execution: compiling, looking up caches, wrapping results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler


class CompiledStatement:
    """One statement for one kind of database. Values are given by the names of its bound parameters."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        # By position the order of the values would be the compiler's secret.
        named = sqlite.dialect(paramstyle="named") if dialect.name == "sqlite" else dialect
        compiled = cast(SQLCompiler, statement.compile(dialect=named))
        self.sql = str(compiled)
        self._fixed: dict[str, Any] = {}
        self._processors: list[tuple[str, Callable[[Any], Any]]] = []
        for bind, name in compiled.bind_names.items():
            processor = bind.type.dialect_impl(named).bind_processor(named)
            if not bind.required:
                self._fixed[name] = processor(bind.value) if processor is not None else bind.value
            elif processor is not None:
                self._processors.append((name, processor))

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the driver takes for `given`: all bound parameters by name, each as its column stores it.

        What `given` has besides is left as it is, and the drivers do not look at it.
        """
        values = {**self._fixed, **given}
        for name, processor in self._processors:
            values[name] = processor(values[name])
        return values
