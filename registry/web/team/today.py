"""Today: what needs a person now."""

from __future__ import annotations

from typing import Any

from registry.domain.people import TeamRole
from registry.web.team.access import Desk, screen
from registry.web.team.frame import show


@screen("/", TeamRole.VIEWER)
def today(desk: Desk) -> Any:
    """Show what needs a person now, the most urgent first."""
    return show("team/today.html")
