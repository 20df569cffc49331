"""What goes wrong with one notice, or in one sweep, keeps nothing else from its turn."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select, update

from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.steps.sweeps import list_sweeps, tick
from registry.tables import NoticeCustomer, Publisher, PublisherTerms
from tests.steps.path_cast import events
from tests.world import ANTOPSIS, BREMEN, HELSINKI, World, utc

SLUGS = ("antopsis", "zebra")


def list_of(slug: str, more: str = "") -> RegistryFile:
    text = ANTOPSIS.format(approvals=0, more_locations=more, customers=BREMEN, more_entries="")
    return read_registry_file(text.replace("slug: antopsis", f"slug: {slug}").encode(), f"{slug}.yaml")


def two_notices(world: World, **options: Any) -> dict[str, str]:
    """Have two publishers publish a notice each."""
    numbers = {}
    for slug in SLUGS:
        world.apply(list_of(slug))
        numbers[slug] = world.announce(list_of(slug, HELSINKI), **options)
    return numbers


def spoil_terms(world: World, slug: str) -> None:
    """Leave terms on record that this release cannot read."""
    with world.writing() as session:
        of_it = select(Publisher.id).where(Publisher.slug == slug).scalar_subquery()
        for table, column in ((PublisherTerms, "document"), (NoticeCustomer, "terms")):
            session.execute(update(table).where(table.publisher_id == of_it).values({column: {"days": "soon"}}))


def sweep(world: World, name: str) -> object:
    return list_sweeps(world.wiring.make_sweeping(world.channels, world.clock))[name]()


def test_a_notice_that_cannot_be_announced_keeps_no_other_publishers_waiting(world: World) -> None:
    numbers = two_notices(world, announce_at=utc("2026-10-01 08:00"))
    spoil_terms(world, "antopsis")
    world.at = utc("2026-10-01 08:00")
    for _ in range(2):
        with pytest.raises(ValidationError):
            sweep(world, "announce")
    assert [world.notice(numbers[slug], slug).state for slug in SLUGS] == ["published", "announced"]
    assert len(events(world, "notice.announced")) == 1


def test_a_notice_that_cannot_take_effect_keeps_no_other_publishers_waiting(world: World) -> None:
    numbers = two_notices(world)
    sweep(world, "send")
    spoil_terms(world, "antopsis")
    world.at += timedelta(days=40)
    for _ in range(2):
        with pytest.raises(ValidationError):
            sweep(world, "take_effect")
    assert [world.notice(numbers[slug], slug).state for slug in SLUGS] == ["announced", "in_effect"]


def test_a_sweep_that_fails_keeps_no_other_from_its_turn_in_a_tick(world: World) -> None:
    numbers = two_notices(world)
    sweep(world, "send")
    spoil_terms(world, "antopsis")
    world.at += timedelta(days=40)
    begun: list[str] = []
    with pytest.raises(ValidationError):
        tick(world.wiring.make_sweeping(world.channels, world.clock), begun.append)
    assert begun == list(list_sweeps(world.wiring.make_sweeping(world.channels, world.clock)))
    assert world.notice(numbers["zebra"], "zebra").state == "in_effect"
