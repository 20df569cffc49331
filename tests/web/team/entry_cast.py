"""Entries in the workbench: an edit that waits, and what their pages name."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from registry.domain.entries import read_entry
from registry.steps.lookup import get_publisher
from registry.steps.record_edit import record_edit
from tests.web.site import links_of
from tests.web.team.entry_forms import LIST
from tests.world import ANNA, World

STRIPE = {"name": "Stripe", "purposes": ["Payments"], "data_categories": ["Customer id", "Subscription status"]}


def edit(world: World, key: str, document: dict[str, Any] | None) -> None:
    """Edit an entry as Anna, or remove it."""
    with world.writing() as session:
        content = read_entry(document) if document else None
        record_edit(session, world.at, get_publisher(session, "antopsis"), key, content, ANNA)


def names_on(answer: TestResponse) -> list[str]:
    """Return the keys of the entries that a list shows, in order."""
    assert answer.status_code == 200, answer.text
    main = answer.text.partition("<main")[2]
    found = [link.removeprefix(LIST) for link in links_of(main) if link.startswith(LIST)]
    return [key for key in found if key and "/" not in key and not key.startswith(("new", "?"))]


def base_on(page: str) -> str:
    """Return which version the form on a page builds on."""
    return page.partition('name="base" value="')[2].partition('"')[0]
