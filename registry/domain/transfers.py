"""Transfer mechanisms: the legal grounds on which data may leave an area, as dated data in `rules/`."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

UNKNOWN = "unknown"
"""The mechanism id for "the publisher does not say". It is allowed, and published as "not stated" (R7)."""


@dataclass(frozen=True)
class Mechanism:
    """One legal ground. `id` is what files carry, `label` the legal name, `citation` where the law says so."""

    id: str
    label: str
    citation: str


@cache
def load_mechanisms() -> dict[str, Mechanism]:
    """Read the mechanisms known to this release, keyed by id, in the order of the data file."""
    text = resources.files("registry.domain").joinpath("rules/transfer_mechanisms.json").read_text("utf-8")
    rows = json.loads(text)["mechanisms"]
    return {row["id"]: Mechanism(row["id"], row["label"], row["citation"]) for row in rows}


def find_near_mechanisms(mechanism_id: str) -> list[str]:
    """Return up to four known ids that resemble an unknown one, so that an error can offer them.

    Ids that hold every word of it come first: whoever writes `eu.scc` means one of the four modules.
    """
    words = re.findall(r"[a-z0-9]+", mechanism_id.lower())
    known = load_mechanisms()
    holding = [
        id_ for id_, row in known.items() if words and all(word in f"{id_} {row.label}".lower() for word in words)
    ]
    return list(dict.fromkeys(holding + difflib.get_close_matches(mechanism_id.lower(), known, n=3, cutoff=0.4)))[:4]
