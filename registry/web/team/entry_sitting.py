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
    """One person at one form: of which entry (None: a new one), on what it was opened, under which name it is kept.

    Once a colleague was quicker, `base` is what they saved, and `first` the version that the form was opened on.
    """

    key: str | None
    base: Base | None
    subject: str
    first: int | None = None

    @property
    def opened_on(self) -> int | None:
        """The version that the form was opened on; None where nothing was wanted then."""
        return self.first or (self.base.version_id if self.base else None)

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
        base = Base(posted_version("base"), request.form.get("base_internals", "")[:64])
    return Sitting(present.entry.key, base, present.entry.key, posted_version("opened_on"))


def posted_version(name: str) -> int | None:
    """Return the version that a hidden field of a form names, or None where it names none."""
    given = request.form.get(name, "")
    return int(given) if re.fullmatch(r"\d{1,18}", given, re.ASCII) else None
