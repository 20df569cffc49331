"""Errors of the domain: each names its condition by a code and parameters; `registry.i18n` makes the sentence."""

from __future__ import annotations

import dataclasses
from typing import ClassVar


class RegistryError(Exception):
    """A condition the caller can act on.

    `code` is stable and machine-readable, `params` are the values a sentence about it needs. The sentence itself
    (English or another language) is made by `registry.i18n.explain`, never here.
    """

    code: ClassVar[str] = "error"

    def __init__(self, **params: object) -> None:
        self.params: dict[str, object] = params
        super().__init__(self.code, params)

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.code}({shown})"


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing wrong with a value somebody gave.

    `field` is a dotted path (`locations.0.country`), `value` what was given, `code` and `params` say what would do.
    `line` is the line of the file it stands in, counted from 1, where the value came from a file.
    """

    field: str
    value: object
    code: str
    params: dict[str, object] = dataclasses.field(default_factory=dict)
    line: int | None = None


class InvalidInput(RegistryError):
    """Values that cannot be taken, all of them at once, so that one correction mends the lot."""

    code = "invalid-input"

    def __init__(self, problems: list[Problem], **params: object) -> None:
        self.problems = problems
        super().__init__(problems=problems, **params)


class IllegalTransition(RegistryError):
    """A state machine was asked for a step it does not have. Params: machine, state, event."""

    code = "illegal-transition"
