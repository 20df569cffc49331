"""The rules of JSON Feed 1.1 (https://jsonfeed.org/version/1.1) as a JSON Schema, stricter where we can be.

What the specification allows and we do not write is left out, so that a misspelt name is found. Extensions begin with
an underscore and a letter, and their names hold no full stop.
"""

from typing import Any

_TEXT = {"type": "string", "minLength": 1}
_ADDRESS = {"type": "string", "format": "uri", "pattern": "^https?://[!-~]+$"}
_INSTANT = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
}
_LANGUAGE = {"type": "string", "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"}
_EXTENSIONS = {"^_[A-Za-z][^.]*$": {"type": "object"}}
_AUTHORS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "properties": {"name": _TEXT, "url": _ADDRESS, "avatar": _ADDRESS},
        "minProperties": 1,
        "additionalProperties": False,
    },
}

JSON_FEED: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["version", "title", "home_page_url", "feed_url", "language", "authors", "items"],
    "properties": {
        "version": {"const": "https://jsonfeed.org/version/1.1"},
        "title": _TEXT,
        "home_page_url": _ADDRESS,
        "feed_url": _ADDRESS,
        "description": _TEXT,
        "language": _LANGUAGE,
        "authors": _AUTHORS,
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "url", "title", "date_published", "date_modified"],
                "oneOf": [{"required": ["content_html"]}, {"required": ["content_text"]}],
                "properties": {
                    "id": _TEXT,
                    "url": _ADDRESS,
                    "title": _TEXT,
                    "summary": _TEXT,
                    "content_html": _TEXT,
                    "content_text": _TEXT,
                    "date_published": _INSTANT,
                    "date_modified": _INSTANT,
                    "tags": {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True},
                },
                "patternProperties": _EXTENSIONS,
                "additionalProperties": False,
            },
        },
    },
    "patternProperties": _EXTENSIONS,
    "additionalProperties": False,
}
