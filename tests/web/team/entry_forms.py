"""The form of an entry as a browser sends it, and what became of it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from sqlalchemy import select
from werkzeug.test import TestResponse

from registry.steps.lookup import get_publisher
from registry.steps.save_entry import load_present
from registry.tables import EntryDraft
from tests.web.colleagues import Colleague
from tests.web.site import words_of
from tests.world import World

LIST = "/team/antopsis/entries/"
KEY = "hetzner-falkenstein"
HETZNER = LIST + KEY
HELSINKI = {"locations.1.country": "Finland", "locations.1.place": "Helsinki", "locations.1.function": "processing"}


def fields_on(page: str) -> dict[str, Any]:
    """Return the entry's form as a browser would send it unchanged."""
    form = page.partition('id="entry-form"')[2].partition("</form>")[0] or page.partition("<main")[2]
    form = re.sub(r"(?s)<template>.*?</template>", "", form)
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input\b[^>]*>", form):
        attributes = {name: unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        if "name" not in attributes or attributes["name"] == "csrf_token":
            continue
        if attributes.get("type") in {"checkbox", "radio"}:
            if " checked" in tag:
                found.setdefault(attributes["name"], []).append(attributes["value"])
        else:
            found[attributes["name"]] = attributes.get("value", "")
    for name, text in re.findall(r'(?s)<textarea[^>]* name="([^"]+)"[^>]*>(.*?)</textarea>', form):
        found[name] = unescape(text)
    for name, options in re.findall(r'(?s)<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', form):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        found[name] = chosen[1] if chosen else ""
    return found


def open_form(colleague: Colleague, path: str = f"{HETZNER}/edit") -> dict[str, Any]:
    answer = colleague.get(path)
    assert answer.status_code == 200, answer.text
    return fields_on(answer.text)


def said_after(colleague: Colleague, answer: TestResponse) -> str:
    """Follow an act to where it leads, and return what is said there."""
    assert answer.status_code == 303, words_of(answer.text)
    return unescape(words_of(colleague.get(answer.headers["Location"]).text))


def wanted(world: World, key: str = KEY) -> dict[str, Any] | None:
    with world.reading() as session:
        present = load_present(session, get_publisher(session, "antopsis"), key)
        return present.document if present else None


def drafts(world: World) -> list[str]:
    with world.reading() as session:
        return list(session.scalars(select(EntryDraft.subject).order_by(EntryDraft.id)))
