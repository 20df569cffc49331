"""Flask-SQLAlchemy on the registry's own engine. Imported by app, web, cli and worker only.

Its session belongs to the sign-in. On SQLite it begins a writing transaction only for a request that `may_write`
marked: elsewhere the view has a session of its own, and would wait for this one until it gives up (R38).
"""

from __future__ import annotations

from typing import Any, Final

from flask import Flask, g, has_app_context
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from sqlalchemy import Connection, Engine

from registry.tables import Base

_WRITES: Final = "session_may_write"
_WRITING_ENGINE: Final = "session_engine"


def may_write() -> None:
    """Let Flask-SQLAlchemy's session of this request write, before it reads anything."""
    setattr(g, _WRITES, True)


class SignInSession(Session):
    """Flask-SQLAlchemy's session, with the registry's rule of who begins a writing transaction."""

    def get_bind(self, *args: Any, **options: Any) -> Engine | Connection:
        """Return the engine for what is asked, marked where this request may write."""
        engine = super().get_bind(*args, **options)
        if not isinstance(engine, Engine) or not has_app_context() or not g.get(_WRITES):
            return engine
        # One for the whole request: a session opens a connection for each engine that it is given, and the second
        # would wait for the first.
        if _WRITING_ENGINE not in g:
            setattr(g, _WRITING_ENGINE, engine.execution_options(writes=True))
        writing: Engine = getattr(g, _WRITING_ENGINE)
        return writing


class Database(SQLAlchemy):
    """Hands Flask-SQLAlchemy the engine that wiring made, so that every road to the database keeps the same rules."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        engine: Engine = app.extensions["registry"].engine
        return engine


db = Database(metadata=Base.metadata, session_options={"class_": SignInSession})
