"""The site under test, once on either database.

Hundreds of these tests begin with the same installation. It is founded by the product's own steps the first time, and
its rows are put back for every other test; the application that serves it is made once as well. `serving` makes
everything anew, for a test that asks for more.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from registry.readers.registry_file import RegistryFile
from tests.channels.resend_server import ResendServer
from tests.databases import ReusedDatabase, make_reused_engine
from tests.web.colleagues import Team
from tests.web.site import Site, keep_app, streams_file
from tests.world import World, antopsis, settings_for, utc

FOUNDED = utc("2026-09-30 08:00")


@pytest.fixture
def streams() -> RegistryFile:
    """A second publisher, in another zone and with a host of its own."""
    return streams_file()


@contextmanager
def serving(database_url: str, instance: Path, *files: RegistryFile, **more: str) -> Iterator[Site]:
    """Serve an installation that was founded on 30 September 2026 with these files."""
    world = World(settings_for(database_url, instance, **more), FOUNDED)
    for file in files:
        world.apply(file)
    site = Site(world)
    try:
        yield site
    finally:
        site.close()
        world.close()


LIVED: dict[tuple[str, str], tuple[datetime, Path]] = {}
"""By database and state: the time that a founding and what came after it ended at, and the folder it left."""


@contextmanager
def serving_again(
    database: ReusedDatabase,
    instance: Path,
    *files: RegistryFile,
    live: Callable[[World], object] | None = None,
    **more: str,
) -> Iterator[Site]:
    """Serve what `serving` would: founded once, put back to that since, and by an application that is kept.

    `live` is what happens to it before the test begins, once as well; the clock and the letters are put back too.
    """
    state = repr((files, more, live))
    settings = settings_for(database.url, instance, **more)
    shutil.rmtree(instance, ignore_errors=True)
    # Another site of the same test may have left a connection in the pool, to the file that was there before.
    make_reused_engine(database.url).dispose()
    if not database.has(state):
        database.put_back()
        with closing(World(settings, FOUNDED)) as world:
            for file in files:
                world.apply(file)
            if live is not None:
                live(world)
        kept = instance.with_name(f"{len(LIVED)}.kept")
        if instance.exists():
            instance.rename(kept)
        LIVED[database.url, state] = world.at, kept
        database.keep(state)
    database.put_back(state)
    at, kept = LIVED[database.url, state]
    if kept.exists():
        shutil.copytree(kept, instance)
    world = World(settings, at, was_bound=True)
    site = Site(world, keep_app(settings))
    try:
        yield site
    finally:
        site.close()
        world.close()


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of every installation that is served again."""
    return tmp_path_factory.mktemp("web") / "instance"


@pytest.fixture
def site(database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    """Antopsis alone, with two customers under contract."""
    with serving_again(database, instance, antopsis()) as site:
        yield site


@pytest.fixture
def light_site(sqlite_database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    """The same on the embedded database, for what does not depend on one."""
    with serving_again(sqlite_database, instance, antopsis()) as site:
        yield site


@pytest.fixture
def empty_site(database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    """An installation without any publisher."""
    with serving_again(database, instance) as site:
        yield site


@pytest.fixture
def https_site(sqlite_database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    """Antopsis behind an https address."""
    with serving_again(sqlite_database, instance, antopsis(), REGISTRY_BASE_URL="https://lists.example") as site:
        yield site


@pytest.fixture
def proxied_site(sqlite_database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    """Antopsis behind one trusted proxy."""
    with serving_again(sqlite_database, instance, antopsis(), REGISTRY_TRUSTED_PROXIES="1") as site:
        yield site


@pytest.fixture
def team(site: Site) -> Team:
    """The cast of colleagues, at Antopsis, on either database."""
    return Team(site)


@pytest.fixture
def light_team(light_site: Site) -> Team:
    """The same on the embedded database, for what does not depend on one."""
    return Team(light_site)


@pytest.fixture
def two_teams(sqlite_database: ReusedDatabase, instance: Path, streams: RegistryFile) -> Iterator[Team]:
    """Antopsis and another publisher with a colleague each, to see that neither touches the other's."""
    with serving_again(sqlite_database, instance, antopsis(), streams) as site:
        yield Team(site)


@pytest.fixture
def resend() -> Iterator[ResendServer]:
    """A server that behaves as Resend does."""
    with ResendServer() as server:
        yield server
