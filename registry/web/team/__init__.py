"""The legal team's workbench, below /team: each module a screen or a few, every view with its rule of access."""

from __future__ import annotations

from registry.web.team import account, places, today
from registry.web.team.access import team

__all__ = ["account", "places", "team", "today"]
