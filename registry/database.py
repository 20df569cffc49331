"""Flask-SQLAlchemy on the registry's own engine. Imported by app, web, cli and worker only."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine

from registry.tables import Base


class Database(SQLAlchemy):
    """Hands Flask-SQLAlchemy the engine that wiring made, so that every road to the database keeps the same rules."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        engine: Engine = app.extensions["registry"].engine
        return engine


db = Database(metadata=Base.metadata)
