"""docs/webhooks.md is tested: its example fits the schema, its code checks a signature, its figures are right."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from registry.channels.webhook_signing import make_secret, sign
from registry.domain.deliveries import RETRY_SCHEDULES
from registry.letters.webhook_payload import EVENT_TYPES
from registry.steps.call_in import IN_VAIN_AFTER
from registry.steps.endpoint_owners import TOLD_AFTER
from registry.writers.webhook_schema import WEBHOOK_SCHEMA_PATH, load_webhook_schema

DOCUMENT = (Path(__file__).resolve().parents[1] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_the_example_fits_the_schema_and_shows_every_field() -> None:
    schema: dict[str, Any] = json.loads(load_webhook_schema())
    example = json.loads(block("json"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(example)
    data = schema["properties"]["data"]["properties"]
    assert set(example["data"]) == set(data)
    for part in ("publisher", "notice", "recipient"):
        assert set(example["data"][part]) == set(data[part]["properties"])
    assert WEBHOOK_SCHEMA_PATH in DOCUMENT


def test_the_code_that_checks_a_signature_takes_ours_and_no_other() -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)  # noqa: S102 - what the document shows is what is tried
    is_ours, old, new = names["is_ours"], make_secret(), make_secret()
    at, body = datetime(2026, 9, 30, 8, 0, tzinfo=UTC), '{"type": "notice.announced", "data": "Bücher"}'.encode()
    headers = sign("<17.3@antopsis.example>", at, body, [new, old])
    now = at.timestamp() + 10
    assert is_ours(new, headers, body, now)
    assert is_ours(old, headers, body, now)
    assert not is_ours(make_secret(), headers, body, now)
    assert not is_ours(new, headers, body + b" ", now)
    assert not is_ours(new, headers, body, now + 600)


def test_every_type_of_event_is_explained() -> None:
    told = set(re.findall(r"^\| `(notice\.[a-z_]+)` \|", DOCUMENT, re.MULTILINE))
    assert told == set(EVENT_TYPES.values())


def test_the_gaps_and_the_patience_are_those_of_the_product() -> None:
    gaps = RETRY_SCHEDULES["webhook"].gaps
    hours = [int(gap / timedelta(hours=1)) for gap in gaps[3:9]]
    assert f"5 seconds, 5 minutes, 30 minutes, {', '.join(map(str, hours[:-1]))} and {hours[-1]} hours" in DOCUMENT
    assert gaps[:3] == (timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30))
    assert RETRY_SCHEDULES["webhook"].horizon == TOLD_AFTER == timedelta(days=7)
    assert timedelta(hours=24) == IN_VAIN_AFTER
