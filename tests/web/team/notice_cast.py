"""What the tests of notices share: a list with an edit that waits, and the acts of a notice by its screens."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from werkzeug.test import TestResponse

from registry.steps.lookup import get_publisher
from registry.steps.record import Actor
from tests.steps.path_cast import STRIPE, TWO_PLACES, edit
from tests.web.colleagues import ARNO, EDDA, Colleague, Team

BY_EDDA = Actor(EDDA.email, "web")
NOTICES = "/team/antopsis/notices"
EARLIEST = "2026-11-16"
"""45 days of Hanoi's, from 1 October on, are over on 15 November in Hanoi, which Berlin's next midnight is after."""
MORE_PURPOSES = STRIPE | {"purposes": ["Payments", "Fraud checks"]}


def edit_places(team: Team) -> None:
    """Have Edda add a second place to Hetzner, which binds."""
    edit(team.site.world, TWO_PLACES, actor=BY_EDDA)


def edit_purposes(team: Team) -> None:
    """Have Edda add a purpose to Stripe, which binds."""
    edit(team.site.world, MORE_PURPOSES, "stripe", actor=BY_EDDA)


def require_approvals(team: Team, count: int = 1) -> None:
    """Have the publisher ask for approvals."""
    with team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        publisher.facts = publisher.facts | {"approvals_required": count}


def draft(somebody: Colleague, **fields: Any) -> str:
    """Draft a notice of Hetzner's edit by the form; return its number."""
    given = {"changes": ["hetzner-falkenstein"], "effective_on": EARLIEST, "announce": "now"} | fields
    answer = somebody.post(f"{NOTICES}/new", given)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def reading(answer: TestResponse) -> str:
    """Return what a page carries of the notice it showed."""
    found = re.search(r'name="read" value="([^"]*)"', answer.text)
    assert found is not None, answer.text
    return unescape(found[1])


def correction_read(somebody: Colleague, number: str) -> dict[str, str]:
    """Return what the page of a correction carries of the words and edits it shows."""
    page = somebody.get(f"{NOTICES}/{number}/correct").text
    names = ("proposed_reason", "proposed_summary", "edits")
    found = {name: re.search(rf'name="{name}" value="([^"]*)"', page) for name in names}
    return {name: unescape(each[1]) for name, each in found.items() if each is not None}


def do(somebody: Colleague, number: str, act: str, **fields: Any) -> TestResponse:
    """Open the page of an act and send its form."""
    path = f"{NOTICES}/{number}/{act}"
    page = somebody.get(path)
    assert page.status_code == 200, (page.status_code, page.headers.get("Location"))
    return somebody.post(path, {"read": reading(page), **fields})


def said(somebody: Colleague, answer: TestResponse) -> str:
    """Follow an act to the screen it leads to, and return that screen."""
    assert answer.status_code == 303, answer.text
    return somebody.get(answer.headers["Location"]).text


def published(team: Team) -> str:
    """Draft, and publish what Edda edited, by the screens and without approvals; return the number."""
    edit_places(team)
    number = draft(team.sign_in(EDDA))
    answer = do(team.sign_in(ARNO), number, "publish", understood="1")
    assert answer.status_code == 303, answer.text
    return number
