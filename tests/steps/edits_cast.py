"""What the tests of edits look at: the list's Hetzner, and the edits that wait."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select

from registry.tables import Entry, PendingEdit
from tests.steps.path_cast import (
    edit,
)
from tests.world import World


def places(world: World, as_of: date | None = None) -> list[str | None]:
    """Return the places of Hetzner on the list."""
    hetzner = next(entry for entry in world.public(as_of).entries if entry.key == "hetzner-falkenstein")
    return [place.place for place in hetzner.content.locations]


def website(world: World) -> str | None:
    """Return the website of Hetzner on the list."""
    hetzner = next(entry for entry in world.public().entries if entry.key == "hetzner-falkenstein")
    return hetzner.content.links.website if hetzner.content.links else None


def translations(world: World) -> dict[str, dict[str, str]]:
    """Return what the list says of Hetzner in other languages."""
    return next(entry for entry in world.public().entries if entry.key == "hetzner-falkenstein").content.translations


def pending(world: World) -> list[str]:
    """Return the entries with an edit that is not on the list yet."""
    with world.reading() as session:
        query = select(Entry.key).join(PendingEdit, PendingEdit.entry_id == Entry.id)
        return list(session.scalars(query.order_by(Entry.key)))


def announce_removal(world: World) -> str:
    """Announce that Stripe leaves the list."""
    edit(world, None, "stripe")
    number = world.draft()
    world.publish(number)
    return number
