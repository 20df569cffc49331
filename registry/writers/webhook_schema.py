"""The JSON Schema of what webhooks carry (`registry.letters.webhook_payload`)."""

from __future__ import annotations

from importlib import resources

WEBHOOK_SCHEMA_PATH = "schemas/notice-webhook-1.json"
"""Where it is served, below a publisher's address. The number is the payload's `version`."""


def load_webhook_schema() -> bytes:
    """Return the JSON Schema (draft 2020-12) that every payload fits."""
    return resources.files("registry.writers").joinpath("webhook-payload.schema.json").read_bytes()
