"""The team: what a person may do at a publisher by the role they hold there.

Four eyes are no role: whoever wrote or last changed something does not approve it, whatever they hold (R16).
"""

from __future__ import annotations

from enum import StrEnum

from registry.domain.errors import RegistryError


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
    """A publisher must not be left without an owner. Params: email."""

    code = "last-owner"


class UnknownPerson(RegistryError):
    """Nobody with this address may work on the publisher. Params: email, publisher."""

    code = "unknown-person"
