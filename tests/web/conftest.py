"""The site under test, once on either database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.readers.registry_file import RegistryFile, read_registry_file
from tests.web.site import Site
from tests.world import World, antopsis, settings_for, utc

STREAMS = """
registry: 1
publisher:
  slug: streams
  name: Streams & Söhne
  contact: privacy@streams.example
  time_zone: Asia/Ho_Chi_Minh
  notice: {days: 30, objection_days: 30}
  host: legal.streams.example
entries:
  - {key: mail-delivery, name: Mail delivery, role: category, purposes: [E-mail]}
"""


@pytest.fixture
def streams() -> RegistryFile:
    """A second publisher, in another zone and with a host of its own."""
    return read_registry_file(STREAMS.encode(), "streams.yaml")


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    """Antopsis alone, founded on 30 September 2026 with two customers under contract."""
    world = World(settings_for(database_url, tmp_path / "instance"), utc("2026-09-30 08:00"))
    world.apply(antopsis())
    site = Site(world)
    yield site
    site.close()
    world.close()


@pytest.fixture
def light_site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """The same on the embedded database, for what does not depend on one."""
    world = World(settings_for(sqlite_url, tmp_path / "instance"), utc("2026-09-30 08:00"))
    world.apply(antopsis())
    site = Site(world)
    yield site
    site.close()
    world.close()
