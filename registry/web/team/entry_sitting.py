"""One person at one form of an entry: what the form carries in its hidden fields from one request to the next."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from flask import request

from registry.steps.entry_drafts import NEW
from registry.steps.save_entry import Base, Present


@dataclass(frozen=True)
class Sitting:
    """One person at one form: of which entry (None: a new one), on what it was opened, under which name it is kept."""

    key: str | None
    base: Base | None
    subject: str

    @property
    def word(self) -> str:
        """The word by which the form of a new entry is kept."""
        return self.subject.partition(":")[2] if self.key is None else ""


def sit_down(present: Present | None) -> Sitting:
    """Return the sitting that a request belongs to, or a new one: what its form carries in its hidden fields."""
    if present is None:
        word = request.values.get("draft", "")
        word = word if re.fullmatch(r"[0-9a-f]{8}", word) else secrets.token_hex(4)
        return Sitting(None, None, f"{NEW}:{word}")
    base = present.base
    if request.method == "POST":
        version, digest = request.form.get("base", ""), request.form.get("base_internals", "")
        base = Base(int(version) if re.fullmatch(r"\d{1,18}", version, re.ASCII) else None, digest[:64])
    return Sitting(present.entry.key, base, present.entry.key)
