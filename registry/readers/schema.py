"""The JSON Schema of a registry file, for editors and for checks before the registry sees it."""

from __future__ import annotations

from typing import Any

from registry.readers.registry_file import FileShape


def registry_file_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a registry file, made from the models that read it.

    What no schema can say stays with the reader: keys that are used twice, parents and products that are not in the
    file, and days that are not in the calendar.
    """
    schema = FileShape.model_json_schema(mode="validation")
    definitions = schema["$defs"]
    definitions["TermsThatDiffer"] = _without_defaults(definitions["Terms"])
    definitions["CustomerFacts"]["properties"]["notice"] = {"$ref": "#/$defs/TermsThatDiffer"}
    # The zone of the terms is the publisher's where they name none, so a file needs neither.
    definitions["Terms"]["required"] = []
    definitions["PublisherFacts"]["required"].remove("notice")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Registry file",
    }


def _without_defaults(terms: dict[str, Any]) -> dict[str, Any]:
    fields = {name: {k: v for k, v in field.items() if k != "default"} for name, field in terms["properties"].items()}
    return {
        "type": "object",
        "additionalProperties": False,
        "title": "Terms that differ",
        "description": "Where a customer's contract differs from the publisher's terms; all else is as there.",
        "properties": fields,
    }
