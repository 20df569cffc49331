"""The web application at hand for a command: it alone makes links of the sign-in, and writes its letters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from registry.settings import Settings


@contextmanager
def workbench_at_hand(settings: Settings) -> Iterator[Engine]:
    """Have the context of the web application, and give its engine, which is let go at the end.

    It is loaded here and not with the command line: no other command should wait for it.
    """
    from registry.app import create_app
    from registry.web.current import EXTENSION

    app = create_app(settings)
    engine: Engine = app.extensions[EXTENSION].engine
    try:
        with app.app_context():
            yield engine
    finally:
        engine.dispose()
