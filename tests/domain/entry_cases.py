"""Entries for tests: one with every field stated, and a hypothesis strategy over all of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from registry.domain.entries import EntryContent, read_entry
from registry.domain.errors import Problem
from registry.domain.transfers import load_mechanisms
from registry.domain.translations import with_translations
from registry.domain.vocabulary import ConditionWhen, LocationFunction, Role

FULL: dict[str, Any] = {
    "name": "Nimbus",
    "legal_name": "Nimbus Hosting GmbH",
    "former_names": ["Cumulus"],
    "role": "processor",
    "address": "Hauptstraße 1\n99084 Erfurt",
    "country": "DE",
    "contact": {"name": "Ada Example", "position": "Privacy officer", "email": "privacy@nimbus.example"},
    "purposes": ["Hosting", "Backups"],
    "activity": "Runs the servers.",
    "products": ["streaming", "api"],
    "data_categories": ["Account data", "Usage data"],
    "data_subjects": ["Customers' staff"],
    "special_categories": ["Health data"],
    "locations": [{"country": "DE", "place": "Falkenstein", "function": "processing"}, {"country": "edge"}],
    "transfers": [
        {"regime": "eu", "mechanism": "eu.art45", "destination": "JP", "details": "Backups only."},
        {
            "mechanism": "eu.art46.scc2021.m3",
            "destination": "US",
            "assessment": {"reference": "TIA-7", "made_on": "2026-01-31"},
            "checked_on": "2026-02-28",
        },
    ],
    "condition": {"when": "feature", "text": "With backups switched on."},
    "parent": "cumulus-cloud",
    "links": {
        "website": "https://nimbus.example",
        "privacy": "https://nimbus.example/privacy",
        "dpa": "https://nimbus.example/dpa",
        "subprocessors": "https://nimbus.example/subprocessors",
        "security": "https://nimbus.example/security",
    },
    "retention": "30 days.",
    "since": "2024-03-01",
    "until": "2028-02-29",
    "translations": {
        "de": {"Hosting": "Bereitstellung", "Runs the servers.": "Betreibt die Server.", "30 days.": "30 Tage."},
        "zh": {"Hosting": "托管"},
    },
}


def full_entry(**changed: Any) -> EntryContent:
    """Return an entry with every field stated, but for those given, with the translations of what it still says."""
    entry = read_entry(UNTRANSLATED | changed)
    return entry if "translations" in changed else with_translations(entry, FULL["translations"])


UNTRANSLATED = {field: value for field, value in FULL.items() if field != "translations"}


def bare_entry(**stated: Any) -> EntryContent:
    """Return an entry of which only the name is stated, and what is given."""
    return read_entry({"name": "Nimbus", **stated})


def offered_by(problem: Problem) -> list[str]:
    """Return what a problem offers in place of the refused value."""
    near = problem.params["near"]
    assert isinstance(near, list)
    return near


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _set_of(*members: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(members), unique=True, max_size=3)


_lines = st.sampled_from(["One", "Two", "Ba\u0308r & Söhne", "名前", "NO", "a <b> “c”"])
_texts = st.sampled_from(["One", "First\nSecond", "\tIndented"])
_days = st.dates().map(lambda on: on.isoformat())
_reaches = st.sampled_from(["DE", "NO", "US", "edge", "customer-selected"])

_transfers = _some(
    mechanism=st.sampled_from(sorted(set(load_mechanisms()) - {"other"})),
    destination=_reaches,
    details=_texts,
    assessment=_some(reference=_lines, made_on=_days, none_because=_lines),
    checked_on=_days,
)
_locations = st.lists(
    st.fixed_dictionaries(
        {"country": _reaches},
        optional={"place": _lines, "function": st.sampled_from([function.value for function in LocationFunction])},
    ),
    unique_by=lambda place: tuple(sorted(place.items())),
    max_size=3,
)

_untranslated = st.fixed_dictionaries(
    {"name": st.sampled_from(["Nimbus", "Cirrus"]), "locations": _locations},
    optional={
        "legal_name": _lines,
        "former_names": _set_of("Cumulus", "Stratus"),
        "role": st.sampled_from([role.value for role in Role]),
        "address": _texts,
        "country": st.sampled_from(["DE", "NO", "US"]),
        "contact": _some(name=_lines, position=_lines, email=st.just("a@nimbus.example")),
        "purposes": _set_of("Hosting", "Backups", "Mail"),
        "activity": _texts,
        "products": _set_of("streaming", "api", "billing"),
        "data_categories": _set_of("Account data", "Usage data"),
        "data_subjects": _set_of("Staff", "Visitors"),
        "special_categories": _set_of("Health data"),
        "transfers": st.lists(_transfers, max_size=3),
        "condition": _some(when=st.sampled_from([when.value for when in ConditionWhen]), text=_texts),
        "parent": st.sampled_from(["cumulus-cloud", "stratus"]),
        "links": _some(website=st.just("https://nimbus.example"), dpa=st.just("https://nimbus.example/dpa")),
        "retention": _texts,
        "since": _days,
    },
).map(read_entry)

translations = st.dictionaries(
    st.sampled_from(["de", "vi", "zh"]),
    st.dictionaries(
        st.sampled_from(["One", "Two", "First\nSecond", "Hosting", "Backups", "Mail", "Staff", "Account data"]),
        st.sampled_from(["Eins", "Zwei", "Eins\nZwei", "Backups", "One"]),
    ),
)
"""Any translations, of texts that entries may have or not."""

entries = st.builds(with_translations, _untranslated, translations)
"""Any entry content: every field but `until` may be stated or not."""
