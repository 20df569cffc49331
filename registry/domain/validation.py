"""From pydantic's errors to the registry's problems: which field, which value, what would do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from registry.domain.errors import InvalidInput, Problem

Model = TypeVar("Model", bound=BaseModel)


class Document(BaseModel):
    """A frozen value with no field but those it names. What is left out stays unknown (R7)."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


def read_model(model: type[Model], data: object, prefix: str = "") -> Model:
    """Validate `data` as `model`, or raise `InvalidInput` with every problem found, each field below `prefix`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidInput(find_problems(model, error, prefix)) from None


def find_problems(model: type[BaseModel], error: ValidationError, prefix: str = "") -> list[Problem]:
    """Turn pydantic's report into problems with stable codes, offering near names for a misspelt field."""
    return [_problem(model, details, prefix) for details in error.errors(include_url=False)]


_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown-field",
    "string_too_short": "empty",
    "string_too_long": "too-long",
    "too_short": "empty",
    "too_long": "too-long",
    "enum": "unknown-choice",
    "literal_error": "unknown-choice",
    "date_from_datetime_parsing": "impossible-date",
    "date_parsing": "impossible-date",
    "date_type": "impossible-date",
    "date_from_datetime_inexact": "impossible-date",
    "int_type": "not-a-whole-number",
    "int_parsing": "not-a-whole-number",
    "bool_type": "not-yes-or-no",
    "bool_parsing": "not-yes-or-no",
    "greater_than_equal": "too-small",
    "less_than_equal": "too-large",
    "string_type": "not-text",
    "string_unicode": "control-character",
    "string_pattern_mismatch": "not-a-key",
    "tuple_type": "not-a-list",
    "list_type": "not-a-list",
    "model_type": "not-a-group",
    "model_attributes_type": "not-a-group",
    "dict_type": "not-a-group",
}


def _problem(model: type[BaseModel], details: ErrorDetails, prefix: str) -> Problem:
    code = _CODES.get(details["type"], details["type"])
    params: dict[str, object] = dict(details.get("ctx", {}))
    params.pop("error", None)
    # A validator that looks at a whole field names the part of it (`at`) and the value that it refuses.
    part = [params.pop("at")] if "at" in params else []
    given = params.pop("value", details["input"])
    path = ".".join(
        [*([prefix] if prefix else []), *(str(each) for each in (*details["loc"], *part) if each != "[key]")]
    )
    if code == "unknown-field":
        known = _fields_at(model, details["loc"][:-1])
        params["near"] = find_near(str(details["loc"][-1]), known)
        params["known"] = sorted(known)
    if code == "unknown-choice" and isinstance(details["input"], str):
        expected = str(params.get("expected", ""))
        params["near"] = find_near(
            details["input"], [word.strip("' ") for word in expected.replace(" or ", ",").split(",")]
        )
    if details["type"] == "string_unicode":
        # Text that pydantic cannot read holds half of a pair (U+D800 to U+DFFF), and it does not say which one.
        params["character"] = next(
            f"U+{ord(each):04X}" for each in str(details["input"]) if 0xD800 <= ord(each) < 0xE000
        )
    value = None if code == "missing" else given
    return Problem(path, value, code, params)


def _fields_at(model: type[BaseModel], path: Iterable[int | str]) -> set[str]:
    current: type[BaseModel] = model
    for part in path:
        if isinstance(part, int):
            continue
        info = current.model_fields.get(part)
        inner = _model_in(info.annotation) if info else None
        if inner is None:
            return set()
        current = inner
    return {info.alias or name for name, info in current.model_fields.items()}


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def find_near(word: str, known: Iterable[str]) -> list[str]:
    """Return up to three known words that resemble `word`, nearest first."""
    by_lower = {name.lower(): name for name in known}
    return [by_lower[match] for match in difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.55)]


def show_value(value: object, limit: int = 80) -> str:
    """Render a refused value for a message: on one line, in quotes, cut to `limit` characters."""
    text = repr(dict(value)) if isinstance(value, Mapping) else (value if isinstance(value, str) else repr(value))
    # Cut before it is walked through: a refused value may be as large as the file it came from.
    text = text[: limit + 1]
    text = "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)
    return f"“{text[:limit]}…”" if len(text) > limit else f"“{text}”"
