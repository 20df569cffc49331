"""What every test may rely on: a database of its own on either engine, and no way out to the network."""

from __future__ import annotations

import gc
import ipaddress
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import pytest
from sqlalchemy.engine import URL

from tests import databases

# Tests start dozens of processes of the product: without its bytecode each would compile all of it, for two seconds.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A thousand mapped classes and templates stay for good: looking through them again and again takes a tenth of the time.
gc.set_threshold(200_000, 50, 1_000)

hypothesis.settings.register_profile(
    "registry",
    deadline=None,  # the first example pays for imports, and a shared machine has slow moments
    derandomize=os.environ.get("CI") == "true",  # CI fails for what changed, a developer's run goes on looking
    print_blob=True,
)
hypothesis.settings.load_profile("registry")

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
"""The browser of these tests: the one without windows where it is here, the same engine at two thirds of the work."""
BROWSER_TIMEOUT = 400
"""Seconds for one test in a browser. Some walk through every screen, which takes a busy machine more than a minute."""
LONG_ONES = ("browser", "faults", "cli", "worker", "steps", "web")
"""The folders whose tests come first, so that no process is still at a long one when the others have ended."""


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of every later look through all objects."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what comes first and what stays together, and skip browser tests without a Chromium. CI never skips them.

    The browser tests stay in two processes: one would go on when the others have nothing left to do; with more,
    Chromium is in its own way. Of all other tests those of a file stay together: they ask the same of the database,
    and begin with what one of them has made.
    """
    missing = CHROMIUM is None and os.environ.get("CI") != "true"
    items.sort(key=_turn)
    for item in items:
        if item.get_closest_marker("browser") is None:
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
            continue
        of_the_workbench = item.path.name.startswith("test_workbench_")
        item.add_marker(pytest.mark.xdist_group("browser-workbench" if of_the_workbench else "browser"))
        item.add_marker(pytest.mark.timeout(BROWSER_TIMEOUT))
        if missing:
            item.add_marker(pytest.mark.skip(reason="no Chromium here; `make browser` says how to get it"))


def _turn(item: pytest.Item) -> int:
    folder = item.location[0].split("/")[1:2]
    return LONG_ONES.index(folder[0]) if folder and folder[0] in LONG_ONES else len(LONG_ONES)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    return databases.migrated_sqlite_file(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[URL]:
    """A PostgreSQL server, up from the first test that needs it to the last."""
    with databases.postgresql_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: URL) -> Iterator[str]:
    """The name of a migrated PostgreSQL database, to be copied."""
    with databases.migrated_postgresql_database(postgresql_server) as name:
        yield name


@pytest.fixture(scope="session")
def parts_made_once() -> Iterator[None]:
    """Let all installations of this process share what depends on the code alone, and the engine of a database.

    Thousands of tests make one: an engine keeps the SQL it has compiled, renderers keep their templates, and a list
    that was read or compressed for one test is for every other that applies or publishes the same one.
    """
    from registry import wiring
    from registry.readers import registry_file
    from registry.readers.yaml_values import read_yaml
    from registry.steps import artefacts

    read_once = lru_cache(256)(read_yaml)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "make_engine", databases.make_reused_engine)
        for name in ("LetterRenderer", "PageRenderer"):
            patch.setattr(wiring, name, lru_cache(getattr(wiring, name)))
        patch.setattr(artefacts, "compress", lru_cache(1_024)(artefacts.compress))
        # Each reader has values of its own, so that no test sees what another may have done to them.
        patch.setattr(registry_file, "read_yaml", lambda data, name: deepcopy(read_once(data, name)))
        yield


@pytest.fixture(scope="session")
def sqlite_database(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, parts_made_once: None
) -> Iterator[databases.ReusedSqlite]:
    """The one SQLite database of this process's tests. What was kept of it goes at the end: pytest would keep it."""
    folder = tmp_path_factory.mktemp("reused")
    yield databases.ReusedSqlite(folder, sqlite_template)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgresql_database(
    postgresql_server: URL, postgresql_template: str, parts_made_once: None
) -> Iterator[databases.ReusedPostgresql]:
    """The one PostgreSQL database of this process's tests."""
    with (
        databases.postgresql_database(postgresql_server, postgresql_template) as url,
        closing(databases.ReusedPostgresql(url)) as database,
    ):
        yield database
        databases.make_reused_engine(database.url).dispose()


@pytest.fixture
def sqlite_url(sqlite_database: databases.ReusedSqlite) -> str:
    """A migrated SQLite database without rows, always in the same place."""
    sqlite_database.put_back()
    return sqlite_database.url


@pytest.fixture
def postgresql_url(postgresql_database: databases.ReusedPostgresql) -> str:
    """A migrated PostgreSQL database without rows, always of the same name."""
    postgresql_database.put_back()
    return postgresql_database.url


@pytest.fixture
def own_postgresql_url(postgresql_server: URL, postgresql_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own: for what is done to a database as a whole."""
    with databases.postgresql_database(postgresql_server, postgresql_template) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def own_sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A migrated SQLite database of the test's own."""
    return databases.copied_sqlite_url(tmp_path, sqlite_template)


@pytest.fixture(params=["sqlite", "postgresql"])
def own_database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of the test's own, on each engine in turn: for what is done to its schema.

    The reused one loses its rows between tests; it does not get back a table.
    """
    url: str = request.getfixturevalue(f"own_{request.param}_url")
    return url


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A SQLite database without a schema; the file is made by whoever connects first."""
    return databases.copied_sqlite_url(tmp_path, None)


@pytest.fixture
def empty_postgresql_url(postgresql_server: URL) -> Iterator[str]:
    """A PostgreSQL database without a schema."""
    with databases.postgresql_database(postgresql_server) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> databases.ReusedDatabase:
    """A migrated database without rows: the test runs once on SQLite, once on PostgreSQL (`-k postgresql` selects)."""
    reused: databases.ReusedDatabase = request.getfixturevalue(f"{request.param}_database")
    reused.put_back()
    return reused


@pytest.fixture
def database_url(database: databases.ReusedDatabase) -> str:
    """The URL of `database`."""
    return database.url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """A database without a schema, on each engine in turn: for the migrations themselves."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url


@pytest.fixture(scope="session", autouse=True)
def no_way_out() -> Iterator[None]:
    """Fail the test that looks up a name or connects beyond this machine, even where the code would catch an error.

    Peers of the product run for real, on 127.0.0.1. PostgreSQL's own library and other processes are not watched.
    """
    connect, connect_ex, sendto = socket.socket.connect, socket.socket.connect_ex, socket.socket.sendto
    getaddrinfo = socket.getaddrinfo

    def check(watched: socket.socket, address: Any) -> None:
        if watched.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
            watched.close()  # callers close what raised an OSError, and this is none
            _fail(address[0])

    def watched_connect(self: socket.socket, address: Any, /) -> None:
        check(self, address)
        connect(self, address)

    def watched_connect_ex(self: socket.socket, address: Any, /) -> int:
        check(self, address)
        return connect_ex(self, address)

    def watched_sendto(self: socket.socket, data: Any, *flags_and_address: Any) -> int:
        check(self, flags_and_address[-1])
        return sendto(self, data, *flags_and_address)

    def watched_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        # An address needs no looking up, and this machine may look up itself; both are judged when connecting.
        if name and not _is_address(name) and not _is_here(name) and name != socket.gethostname():
            _fail(name)
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", watched_connect)
        patch.setattr(socket.socket, "connect_ex", watched_connect_ex)
        patch.setattr(socket.socket, "sendto", watched_sendto)
        patch.setattr(socket, "getaddrinfo", watched_getaddrinfo)
        yield


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_here(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _fail(host: str) -> NoReturn:
    pytest.fail(f"This test tried to reach {host!r}. Tests speak to peers they run on 127.0.0.1, and to nobody else.")
