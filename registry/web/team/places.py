"""Where somebody works: the choice of a publisher, for whoever holds something at several."""

from __future__ import annotations

from typing import Any

from werkzeug.utils import redirect

from registry.web.team.access import Desk, own_screen
from registry.web.team.frame import show, to


@own_screen("/")
def places(desk: Desk) -> Any:
    """Show the publishers somebody works for, or lead to the only one."""
    if len(desk.places) == 1:
        return redirect(to("today", slug=desk.places[0].slug), 302)
    return show("team/places.html")
