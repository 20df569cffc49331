"""What stands on the list: the content of one engagement (DESIGN §4.1), validated, and its digest.

An entry is a legal entity × a purpose × products × places. Its versions are immutable documents; what is not known
is left out and is published as "not stated" (R7). Private facts are not in it (R1).
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date, datetime
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import urlsplit

import iso3166
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from registry.domain import free_texts
from registry.domain.free_texts import Translations
from registry.domain.text import Line, Text
from registry.domain.transfers import UNKNOWN, find_near_mechanisms, load_mechanisms
from registry.domain.validation import Document, find_near, read_model
from registry.domain.vocabulary import ConditionWhen, LocationFunction, Role

Group = TypeVar("Group", bound=Document)

PLACES_WITHOUT_A_COUNTRY = ("edge", "global", "customer-selected")
RESERVED_ENTRY_KEYS = frozenset({"new"})
"""Words that stand in the workbench's addresses where an entry's key does."""
REGIMES = ("eu", "uk", "ch", "vn", "cn", "br", "tr", "jp", "kr", "ca-qc", "in")


def _country(value: str) -> str:
    if value in iso3166.countries_by_alpha2:
        return value
    by_name = {country.name: country.alpha2 for country in iso3166.countries}
    near = [f"{by_name[name]} ({name})" for name in find_near(value, by_name)]
    if value.upper() in iso3166.countries_by_alpha2:
        near.insert(0, value.upper())
    raise PydanticCustomError("unknown-country", "unknown country", {"near": near})


def _country_or_reach(value: str) -> str:
    return value if value in PLACES_WITHOUT_A_COUNTRY else _country(value)


def _mechanism(value: str) -> str:
    if value not in load_mechanisms():
        raise PydanticCustomError("unknown-mechanism", "unknown mechanism", {"near": find_near_mechanisms(value)})
    return value


def _regime(value: str) -> str:
    if value not in REGIMES:
        raise PydanticCustomError("unknown-regime", "unknown regime", {"near": list(REGIMES)})
    return value


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that no address can have
        usable = False
    if not usable or re.search(r"\s", value):
        raise PydanticCustomError("not-a-web-address", "not a web address", {})
    return value


def _email(value: str) -> str:
    # Full validation of deliverable addresses is the work of the place that takes subscriptions; on the list an
    # address is only shown, so its form is all that matters here.
    if not re.fullmatch(r"[^\s@<>\"]{1,64}@[^\s@<>\"]+\.[^\s@<>\".]{2,}", value):
        raise PydanticCustomError("not-an-email-address", "not an e-mail address", {})
    return value


def _day(value: object) -> date:
    # pydantic would read a number, even one in quotes, as seconds since 1970, and drop the time and zone of a
    # timestamp; either way it would quietly invent a date.
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, datetime) or (isinstance(value, str) and re.match(r"\s*\d{4}-\d{2}-\d{2}[Tt ]+\d", value)):
        raise PydanticCustomError("time-in-a-date", "a time where a date is due", {})
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip(), re.ASCII):
        raise PydanticCustomError("not-a-date", "not a date", {})
    try:
        return date.fromisoformat(value.strip())
    except ValueError:
        raise PydanticCustomError("impossible-date", "no such day in the calendar", {}) from None


def _stated(group: Group | None) -> Group | None:
    # A group of which nothing is stated says no more than no group, and must not differ from it (R7).
    return group if group is not None and any(value is not None for _, value in group) else None


Day = Annotated[date, BeforeValidator(_day)]
"""A calendar date, written 2026-11-21."""

Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,78}[a-z0-9])?$")]
"""A stable key in addresses and files: small letters, digits and hyphens."""

Country = Annotated[
    Line,
    AfterValidator(_country),
    Field(json_schema_extra={"enum": [*iso3166.countries_by_alpha2]}),
]
"""An ISO 3166-1 alpha-2 code in capitals, such as DE or NO."""

CountryOrReach = Annotated[
    Line,
    AfterValidator(_country_or_reach),
    Field(json_schema_extra={"enum": [*PLACES_WITHOUT_A_COUNTRY, *iso3166.countries_by_alpha2]}),
]
"""A country as in `Country`, or the reach of a service that is in no one country: edge, global, customer-selected."""

MechanismId = Annotated[Line, AfterValidator(_mechanism), Field(json_schema_extra={"enum": [*load_mechanisms()]})]
"""The id of a transfer mechanism in `rules/transfer_mechanisms.json`."""

Regime = Annotated[Line, AfterValidator(_regime), Field(json_schema_extra={"enum": [*REGIMES]})]
"""The law a transfer is measured by."""

WebAddress = Annotated[
    Line, AfterValidator(_web_address), Field(json_schema_extra={"pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"})
]
"""An address beginning with https:// or http://."""

EmailShown = Annotated[Line, AfterValidator(_email), Field(json_schema_extra={"format": "email"})]
"""An e-mail address by its form. Where letters go to it, it is checked further when it is read."""


class Contact(Document):
    """Whom to ask at the organisation."""

    name: Line | None = None
    position: Line | None = None
    email: EmailShown | None = None


class Location(Document):
    """One place and what is done there. A place of establishment is `EntryContent.country`, not this."""

    country: CountryOrReach
    place: Line | None = None
    function: LocationFunction | None = None


class Assessment(Document):
    """The transfer impact assessment, or why there is none."""

    reference: Line | None = None
    made_on: Day | None = None
    none_because: Line | None = None


class Transfer(Document):
    """One legal ground for one destination under one regime; several stand in order of precedence."""

    regime: Regime | None = None
    mechanism: MechanismId = UNKNOWN
    destination: CountryOrReach | None = None
    details: Text | None = None
    assessment: Annotated[Assessment | None, AfterValidator(_stated)] = None
    checked_on: Day | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.mechanism == "other" and not self.details:
            raise PydanticCustomError("other-mechanism-needs-details", "details missing", {})
        area = self.mechanism.split(".")[0]
        if area in REGIMES and self.regime is not None and area != self.regime:
            raise PydanticCustomError(
                "mechanism-of-another-regime",
                "regime",
                {"mechanism": self.mechanism, "regime": self.regime, "area": area},
            )
        return self


class Condition(Document):
    """When the engagement concerns a customer."""

    when: ConditionWhen = ConditionWhen.ALWAYS
    text: Text | None = None


class Links(Document):
    """Pages of the organisation itself."""

    website: WebAddress | None = None
    privacy: WebAddress | None = None
    dpa: WebAddress | None = None
    subprocessors: WebAddress | None = None
    security: WebAddress | None = None


class EntryContent(Document):
    """The published content of one entry version. Fields left out are unknown, never empty statements.

    `translations` say its free texts in other languages, each by the text as it stands here.
    """

    name: Line
    legal_name: Line | None = None
    former_names: tuple[Line, ...] = ()
    role: Role = Role.SUBPROCESSOR
    address: Text | None = None
    country: Country | None = None
    contact: Annotated[Contact | None, AfterValidator(_stated)] = None
    purposes: tuple[Line, ...] = ()
    activity: Text | None = None
    products: tuple[Key, ...] = ()
    data_categories: tuple[Line, ...] = ()
    data_subjects: tuple[Line, ...] = ()
    special_categories: tuple[Line, ...] = ()
    locations: tuple[Location, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    condition: Condition | None = None
    parent: Key | None = None
    links: Annotated[Links | None, AfterValidator(_stated)] = None
    retention: Text | None = None
    since: Day | None = None
    until: Day | None = None
    translations: Translations = Field(default_factory=dict)

    @field_validator("translations")
    @classmethod
    def _translates_what_stands_here(cls, given: Translations, info: ValidationInfo) -> Any:
        # A text that is refused itself is mended first: until then nobody can say what translates it.
        if not given or not info.data.keys() >= free_texts.FIELDS:
            return given
        return free_texts.check_translations(given, free_texts.find_texts(info.data))

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for field in (
            "former_names",
            "purposes",
            "products",
            "data_categories",
            "data_subjects",
            "special_categories",
        ):
            members = getattr(self, field)
            repeated = next((member for member in members if members.count(member) > 1), None)
            if repeated is not None:
                raise PydanticCustomError("repeated-member", "repeated", {"list": field, "member": repeated})
        if len(set(self.locations)) != len(self.locations):
            raise PydanticCustomError("repeated-member", "repeated", {"list": "locations", "member": "the same place"})
        if self.since and self.until and self.until < self.since:
            raise PydanticCustomError(
                "until-before-since",
                "until",
                {"since": self.since.isoformat(), "until": self.until.isoformat()},
            )
        return self

    def __hash__(self) -> int:
        # Translations are a dict, which has no hash; entries that are equal are so in all else too.
        return hash(tuple(value for field, value in self if field != "translations"))

    def as_document(self) -> dict[str, Any]:
        """Return the JSON document that is stored and hashed: only what is stated, so new fields change no digest."""
        document = self.model_dump(mode="json", exclude_defaults=True) | {
            "name": self.name,
            "role": self.role.value,
        }
        if self.condition is not None:
            # Whoever gives a condition states when it holds, be it always: an empty group would say nothing.
            document["condition"] = {"when": self.condition.when.value, **document["condition"]}
        return document


class EntryInternals(Document):
    """Private facts beside an entry: mutable, never published, exported, compared or hashed (R1)."""

    owner: Line | None = None
    note: Text | None = None
    contract_reference: Line | None = None
    dpa_signed_on: Day | None = None
    review_due_on: Day | None = None


def read_entry(data: object, prefix: str = "") -> EntryContent:
    """Validate entry content. Raises `InvalidInput` naming each field, its value and what would do."""
    return read_model(EntryContent, data, prefix)


def canonical_json(document: object) -> bytes:
    """Return the one byte form of a JSON document: sorted keys, no spaces, UTF-8. Digests are taken of this."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def digest_of(document: object) -> str:
    """Return the SHA-256 of a document's canonical form, in hexadecimal."""
    return hashlib.sha256(canonical_json(document)).hexdigest()
