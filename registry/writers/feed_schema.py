"""The JSON Schema of what the JSON Feed carries for programs (`registry.pages.feed_changes`)."""

from __future__ import annotations

from importlib import resources


def load_feed_schema() -> bytes:
    """Return the JSON Schema (draft 2020-12) that every JSON Feed fits. It is served at `FEED_SCHEMA_PATH`."""
    return resources.files("registry.writers").joinpath("feed.schema.json").read_bytes()
