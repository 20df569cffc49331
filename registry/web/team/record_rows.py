"""An act as a row of the record: in words, with what it was about, what it changed, and from where it was done."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import current_app
from werkzeug.routing import BuildError

from registry.queries.record import Act, Names
from registry.web.team.frame import to
from registry.web.team.record_sentences import say_act, say_subject_kind

_ACTOR: Final = re.compile(r"(?P<name>.*) \((?P<via>[^()]*?)(?:, as (?P<login>.*))?\)", re.DOTALL)
_ROADS: Final = {
    "web": "Workbench",
    "command line": "Command line",
    "worker": "The service itself",
    "public page": "Public page or link in a letter",
}
_SHOWN_OTHERWISE: Final = {"before", "after", "changes", "customer_id"}
_CODE: Final = re.compile(r"[a-z]+(?:_[a-z]+)+")
LONGEST_SHOWN: Final = 300

_SCREENS: Final = {
    "notice": ("notice", "number"),
    "entry": ("entry", "key"),
    "customer": ("customer", "key"),
    "person": ("colleague", "number"),
    "publisher": ("settings", None),
}
"""Where the subject of each kind is shown: the view, and what it calls the key."""


@dataclass(frozen=True)
class Difference:
    """What one value was and is, as people read it."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class RecordRow:
    """One act as the record shows it. `road` is by what means it was done, `origin` from where, None where unknown."""

    id: int
    at: datetime
    actor: str
    road: str
    origin: str | None
    kind: str
    said: str
    about_kind: str
    about: str
    subject_kind: str
    subject: str
    url: str | None
    differences: tuple[Difference, ...]
    facts: tuple[tuple[str, str], ...]


def make_row(act: Act, names: Names, *, may_see_origin: bool, may_see_people: bool) -> RecordRow:
    """Return an act as a row. Whatever its payload holds, a row comes of it."""
    actor, via, login = split_actor(act.actor)
    values = {name: show_value(value) for name, value in act.payload.items()}
    number = act.payload.get("customer_id")
    customer = names.customers.get(number) if isinstance(number, int) else None
    if customer is not None:
        values["customer"] = customer[1]
    about = act.subject
    if act.subject_kind == "person":
        about = names.people.get(act.subject, f"person {act.subject}")
        values["person"] = about
    facts = [(_words(name), show_value(act.payload[name])) for name in act.payload if name not in _SHOWN_OTHERWISE]
    if customer is not None:
        facts.insert(0, ("Customer", f"{customer[1]} ({customer[0]})"))
    return RecordRow(
        id=act.id,
        at=act.at,
        actor=actor,
        road=_ROADS.get(via, via.capitalize()),
        origin=_say_origin(act, login) if may_see_origin else None,
        kind=act.kind,
        said=say_act(act.kind, values),
        about_kind=say_subject_kind(act.subject_kind),
        about=about,
        subject_kind=act.subject_kind,
        subject=about if act.subject_kind == "person" else act.subject,
        url=_address_of(act, may_see_people=may_see_people),
        differences=find_differences(act.payload),
        facts=tuple(facts),
    )


def split_actor(actor: str) -> tuple[str, str, str | None]:
    """Return who acted, by what means, and for the command line the operating system's user."""
    found = _ACTOR.fullmatch(actor)
    return (found["name"], found["via"], found["login"]) if found else (actor, "", None)


def find_differences(payload: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return what an act changed, from whatever its payload says of before and after."""
    before, after = payload.get("before"), payload.get("after")
    changes = payload.get("changes")
    if isinstance(changes, Mapping):
        return tuple(_difference(str(name), *_pair(value)) for name, value in changes.items())
    if "before" not in payload and "after" not in payload:
        return ()
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        before = before if isinstance(before, Mapping) else {}
        after = after if isinstance(after, Mapping) else {}
        fields = [*before, *(name for name in after if name not in before)]
        return tuple(
            _difference(str(name), before.get(name), after.get(name))
            for name in fields
            if before.get(name) != after.get(name)
        )
    return (_difference("", before, after),)


def show_value(value: object) -> str:
    """Return a value of a payload as people read it, cut where it is too long for a row."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        # A code of the registry's own, such as `objection_open`; what people wrote holds no such word alone.
        text = value.replace("_", " ") if _CODE.fullmatch(value) else value
    elif isinstance(value, Mapping):
        text = "; ".join(f"{_words(str(name))}: {show_value(member)}" for name, member in value.items()) or "nothing"
    elif isinstance(value, Sequence) and all(isinstance(member, str | int) for member in value):
        text = ", ".join(show_value(member) for member in value) or "nothing"
    elif isinstance(value, Sequence):
        # Pairs, such as who holds a notice and why.
        text = "; ".join(show_value(member) for member in value)
    else:
        text = str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _difference(field: str, before: object, after: object) -> Difference:
    return Difference(_words(field), show_value(before), show_value(after))


def _pair(value: object) -> tuple[object, object]:
    if isinstance(value, Mapping):
        return value.get("before"), value.get("after")
    if isinstance(value, list | tuple) and len(value) == 2:
        return value[0], value[1]
    return None, value


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", ": ").capitalize()


def _say_origin(act: Act, login: str | None) -> str | None:
    if act.sign_in_id is not None:
        where = act.address or "an address that was erased since"
        return f"{where}, {act.agent}" if act.agent else where
    return f"user {login} of the machine" if login else None


def _address_of(act: Act, *, may_see_people: bool) -> str | None:
    endpoint, name = _SCREENS.get(act.subject_kind, ("", None))
    if f"team.{endpoint}" not in current_app.view_functions:
        return None
    if act.subject_kind == "person" and not may_see_people:
        return None
    try:
        return to(endpoint, **({name: act.subject} if name else {}))
    except BuildError:
        return None
