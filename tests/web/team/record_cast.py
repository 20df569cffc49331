"""The record of a publisher: acts put on it, read on its page, and taken away as a file."""

from __future__ import annotations

import re
from typing import Any

from registry.steps.lookup import get_publisher
from registry.steps.record import Actor, record_event
from tests.web.colleagues import Team
from tests.web.site import words_of
from tests.world import ANNA

HERE = "/team/antopsis/record/"


def note(
    team: Team, kind: str, subject: tuple[str, str], actor: Actor = ANNA, slug: str = "antopsis", **more: Any
) -> None:
    """Put an act on record now."""
    world = team.site.world
    with world.writing() as session:
        publisher_id = get_publisher(session, slug).id
        record_event(session, world.at, actor, kind, subject=subject, publisher_id=publisher_id, **more)


def acts(page: str) -> list[str]:
    """What the page says was done, in its order."""
    return [" ".join(said.split()) for said in re.findall(r'<p class="said">(.*?)</p>', page, re.DOTALL)]


def export(team: Team, who: Any, form: str, **filters: str) -> str:
    """Take the record away as a file, as somebody of the team."""
    answer = team.sign_in(who).post(f"{HERE}export", {"format": form, **filters})
    assert answer.status_code == 200, words_of(answer.text)
    return answer.get_data().decode("utf-8-sig")
