"""docs/feeds.md is tested: its example fits the schema and shows every field, and its figures are the product's."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from registry.language import LANGUAGES
from registry.pages.feed_changes import EXTENSION_NAME, FEED_SCHEMA_PATH
from registry.pages.feed_items import CALENDAR_LENGTH, DEADLINE_ALARMS, FEED_LENGTH, PATHS
from registry.pages.selection import CHOICES
from registry.writers.feed_schema import load_feed_schema

DOCUMENT = (Path(__file__).resolve().parents[1] / "docs" / "feeds.md").read_text(encoding="utf-8")
SCHEMA: dict[str, Any] = json.loads(load_feed_schema())


def test_the_example_fits_the_schema_and_shows_every_field() -> None:
    (found,) = re.findall(r"^```json\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    extension = json.loads(found)[f"_{EXTENSION_NAME}"]
    schema = SCHEMA["properties"]["items"]["items"]["properties"][f"_{EXTENSION_NAME}"]
    whole = {**schema, "$defs": SCHEMA["$defs"]}
    Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(extension)
    assert set(extension) == set(schema["properties"])
    assert set(extension["statement"]) == set(schema["properties"]["statement"]["properties"])
    assert list(extension["notice"]) == list(SCHEMA["$defs"]["notice"]["properties"])
    assert FEED_SCHEMA_PATH in DOCUMENT


def test_every_kind_of_statement_and_every_state_is_named() -> None:
    statement = SCHEMA["properties"]["items"]["items"]["properties"][f"_{EXTENSION_NAME}"]["properties"]["statement"]
    for value in statement["properties"]["kind"]["enum"] + SCHEMA["$defs"]["notice"]["properties"]["state"]["enum"]:
        assert f"`{value}`" in DOCUMENT, value


def test_the_addresses_filters_languages_and_figures_are_those_of_the_product() -> None:
    assert re.findall(r"^\| `/([a-z.]+)` \|", DOCUMENT, re.MULTILINE) == [
        PATHS["atom"],
        PATHS["rss"],
        PATHS["json"],
        PATHS["calendar"],
    ]
    assert set(re.findall(r"`\?(\w+)=", DOCUMENT)) >= {*CHOICES, "q"}
    assert "(`en`, `de`, `vi`, `zh`)" in DOCUMENT
    assert list(LANGUAGES) == ["en", "de", "vi", "zh"]
    assert f"its {FEED_LENGTH} newest items" in DOCUMENT
    assert f"the {CALENDAR_LENGTH} that ended last" in DOCUMENT
    assert (timedelta(days=7) - timedelta(hours=9), timedelta(days=1) - timedelta(hours=9)) == DEADLINE_ALARMS
    assert "every six hours" in DOCUMENT
