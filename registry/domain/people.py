"""The team: what a person may do at a publisher by the role they hold there.

Four eyes are no role: whoever wrote or last changed something does not approve it, whatever they hold (R16).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from registry.domain.errors import RegistryError

INVITATION_GOOD_FOR: Final = timedelta(days=7)
"""How long the link of an invitation can be used."""


class TeamRole(StrEnum):
    """What somebody holds at one publisher. Each may do all that those before it may."""

    VIEWER = "viewer"
    EDITOR = "editor"
    APPROVER = "approver"
    OWNER = "owner"

    def includes(self, needed: TeamRole) -> bool:
        """Return whether this role may do what `needed` may."""
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER = (TeamRole.VIEWER, TeamRole.EDITOR, TeamRole.APPROVER, TeamRole.OWNER)

ROLE_POWERS = {
    TeamRole.VIEWER: "sees everything of this publisher, and changes nothing",
    TeamRole.EDITOR: "also edits the list, drafts and submits notices, and keeps customers and objections",
    TeamRole.APPROVER: "also approves what others wrote, and publishes, postpones and withdraws",
    TeamRole.OWNER: "also decides on settings, people and terms",
}


class LastOwner(RegistryError):
    """A publisher must not be left without an owner. Params: email, publisher."""

    code = "last-owner"


class UnknownPerson(RegistryError):
    """Nobody with this address may work on the publisher. Params: email, publisher."""

    code = "unknown-person"


class NobodyHere(RegistryError):
    """Nobody with this address may sign in to this installation. Params: email, near."""

    code = "nobody-here"


class WorksHereAlready(RegistryError):
    """Somebody was invited who has joined already. Params: email, publisher, role."""

    code = "works-here-already"


class HasJoined(RegistryError):
    """Only what was typed for somebody who has not signed in yet can be changed for them. Params: email."""

    code = "has-joined"


class StillWorksHere(RegistryError):
    """Somebody was to be erased who works for the publisher. Params: email, publisher (its slug)."""

    code = "still-works-here"


class IsShutOut(RegistryError):
    """Somebody was invited who is shut out of the whole installation. Params: email."""

    code = "is-shut-out"


@dataclass(frozen=True)
class Owner:
    """An owner of a publisher. `has_joined`: they have signed in before. `is_active`: they are not shut out."""

    email: str
    has_joined: bool
    is_active: bool = True


def keeps_an_owner(leaving: Owner, owners: Iterable[Owner]) -> bool:
    """Return whether a publisher with these owners has one left without `leaving`.

    In the place of somebody who has signed in there must be another who has: an invitation may never be taken up. In
    the place of an open invitation another one will do, or a mistyped address could not be taken back.
    """
    left = [owner for owner in owners if owner.email != leaving.email and owner.is_active]
    return any(owner.has_joined for owner in left) if leaving.has_joined else bool(left)
