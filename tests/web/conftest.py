"""The site under test, once on either database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from registry.readers.registry_file import RegistryFile
from tests.web.colleagues import Team
from tests.web.site import Site, streams_file
from tests.world import World, antopsis, settings_for, utc


@pytest.fixture
def streams() -> RegistryFile:
    """A second publisher, in another zone and with a host of its own."""
    return streams_file()


@contextmanager
def serving(database_url: str, instance: Path, *files: RegistryFile, **more: str) -> Iterator[Site]:
    """Serve an installation that was founded on 30 September 2026 with these files."""
    world = World(settings_for(database_url, instance, **more), utc("2026-09-30 08:00"))
    for file in files:
        world.apply(file)
    site = Site(world)
    try:
        yield site
    finally:
        site.close()
        world.close()


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    """Antopsis alone, with two customers under contract."""
    with serving(database_url, tmp_path / "instance", antopsis()) as site:
        yield site


@pytest.fixture
def light_site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """The same on the embedded database, for what does not depend on one."""
    with serving(sqlite_url, tmp_path / "instance", antopsis()) as site:
        yield site


@pytest.fixture
def empty_site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    """An installation without any publisher."""
    with serving(database_url, tmp_path / "instance") as site:
        yield site


@pytest.fixture
def https_site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """Antopsis behind an https address."""
    with serving(sqlite_url, tmp_path / "instance", antopsis(), REGISTRY_BASE_URL="https://lists.example") as site:
        yield site


@pytest.fixture
def proxied_site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """Antopsis behind one trusted proxy."""
    with serving(sqlite_url, tmp_path / "instance", antopsis(), REGISTRY_TRUSTED_PROXIES="1") as site:
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
def two_teams(sqlite_url: str, tmp_path: Path, streams: RegistryFile) -> Iterator[Team]:
    """Antopsis and another publisher with a colleague each, to see that neither touches the other's."""
    with serving(sqlite_url, tmp_path / "instance", antopsis(), streams) as site:
        yield Team(site)
