"""What `registry doctor` finds: one thing that was looked at, what it means for going live, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """What a finding means for going live. `warn` keeps nobody from it, and somebody should have decided about it."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, and what to do where it is not as it should be."""

    about: str
    grade: Grade
    says: str
    remedy: str = ""
