"""What a publisher states about itself, its products and its customers, validated.

These are the facts of a registry file or a form. Which of them are new, and what follows from that, is for the steps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from registry.domain.colours import Colour
from registry.domain.entries import Country, Day, EmailShown, EntryContent, EntryInternals, Key, WebAddress
from registry.domain.errors import InvalidInput, Problem
from registry.domain.retention import Retention
from registry.domain.terms import Language, Terms, TimeZone, YesOrNo, list_time_zones, merge_terms, read_terms
from registry.domain.text import Line
from registry.domain.validation import Document, read_model

# fmt: off
RESERVED_SLUGS = frozenset([
    "account", "acknowledge", "admin", "api", "assets", "calendar", "callbacks", "compare", "confirm", "docs", "embed",
    "entries", "favicon", "feed", "feeds", "healthz", "help", "imprint", "login", "logo", "logout", "manage",
    "metrics", "notices", "object", "privacy", "public", "readyz", "robots", "schema", "schemas", "search", "security",
    "sitemap", "static", "subprocessors", "subscribe", "team", "unsubscribe", "well-known",
])
# fmt: on
"""First parts of addresses that belong to the service or to a publisher's own host; no publisher has them (R35)."""

HOST_NAME = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(?=[a-z0-9-]*[a-z])[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$"
LONGEST_HOST_NAME = 253

FOLLOWERS_TAG = "+updates"
"""Stands before the @ of the sender of letters to followers, so that the two audiences see two addresses (R34)."""


def _slug(value: str) -> str:
    if value in RESERVED_SLUGS:
        raise PydanticCustomError("reserved-slug", "reserved slug", {})
    return value


def _host_name(value: str) -> str:
    if len(value) > LONGEST_HOST_NAME or not re.fullmatch(HOST_NAME, value):
        raise PydanticCustomError("not-a-host-name", "not a host name", {})
    return value


Slug = Annotated[Key, AfterValidator(_slug), Field(json_schema_extra={"not": {"enum": sorted(RESERVED_SLUGS)}})]
"""A publisher's key in addresses: as `Key`, and not the name of a route of the service."""

HostName = Annotated[Line, AfterValidator(_host_name), Field(json_schema_extra={"pattern": HOST_NAME})]
"""A fully qualified host name in small letters, without scheme, port or path."""


class PublisherFacts(Document):
    """A publisher as it describes itself. `sender` is the address its letters come from, where the installation may
    send for that domain; otherwise they come from the installation's. Replies go to `contact`. Both are checked further
    when they are given (`readers.email_addresses`); here they are as they were written.

    `time_zone` (an IANA key) is the zone of all its dates; its notice terms are in the same zone and language unless
    they name their own. `reminder_days` before the effective date customers are reminded, None for never.
    `dispatch_margin_days` is how long after the announcement receipt is planned for (R11). `inquiries` is what the
    publisher promises about answering questions on privacy. `colour` is its brand's, for its pages. `retention` is how
    long it keeps personal data (R36).
    """

    slug: Slug
    name: Line
    legal_name: Line | None = None
    contact: EmailShown
    sender: EmailShown | None = None
    website: WebAddress | None = None
    privacy_url: WebAddress | None = None
    imprint_url: WebAddress | None = None
    inquiries: Line | None = None
    country: Country | None = None
    time_zone: TimeZone
    language: Language = "en"
    host: HostName | None = None
    colour: Colour | None = None
    notice: Terms
    approvals_required: Annotated[int, Field(strict=True, ge=0, le=5)] = 0
    command_line_may_approve: YesOrNo = False
    dispatch_margin_days: Annotated[int, Field(strict=True, ge=0, le=30)] = 1
    reminder_days: Annotated[int, Field(strict=True, ge=1, le=365)] | None = 7
    retention: Retention = Retention()

    @model_validator(mode="before")
    @classmethod
    def _fill_notice(cls, data: object) -> object:
        return {**data, "notice": _notice_of(data)} if isinstance(data, Mapping) else data


def _notice_of(data: Mapping[Any, Any]) -> object:
    """Return the terms as given, with the publisher's own zone and language where they name none."""
    given = data.get("notice", {})
    if not isinstance(given, Mapping):
        return given
    zone, language = data.get("time_zone"), data.get("language", "en")
    # A zone that cannot be is reported once, where it stands.
    usable = zone if isinstance(zone, str) and zone.strip() in list_time_zones() else "UTC"
    return {"time_zone": usable, **({"language": language} if isinstance(language, str) else {}), **given}


def read_publisher(data: object, prefix: str = "publisher") -> PublisherFacts:
    """Validate a publisher's facts. Raises `InvalidInput` with every problem found, each field below `prefix`."""
    try:
        return read_model(PublisherFacts, data, prefix)
    except InvalidInput as error:
        below = f"{prefix}.notice" if prefix else "notice"
        problems = [problem for problem in error.problems if not f"{problem.field}.".startswith(f"{below}.")]
        if isinstance(data, Mapping):
            problems += _problems_of_notice(data, below)
        raise InvalidInput(problems or error.problems) from None


def _problems_of_notice(data: Mapping[Any, Any], prefix: str) -> list[Problem]:
    try:
        read_terms(_notice_of(data), prefix)
    except InvalidInput as error:
        return error.problems
    return []


class ProductFacts(Document):
    """One of the publisher's services, which entries and subscriptions may be limited to."""

    key: Key
    name: Line


class ContactFacts(Document):
    """One contact of a customer that is told of changes. A bare address in a file is a contact without a name."""

    email: EmailShown
    name: Line | None = None
    language: Language | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_address(cls, data: object) -> object:
        return {"email": data} if isinstance(data, str) else data

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "format": "email"}, handler.resolve_ref_schema(handler(schema))]}


class CustomerFacts(Document):
    """A company under contract (R17). Dates are those of its zone.

    `notice` holds only the terms in which its contract differs from the publisher's (R8). Without `products` it uses
    them all; without `contract_until` its contract runs on.
    """

    key: Key
    name: Line
    time_zone: TimeZone | None = None
    contract_from: Day | None = None
    contract_until: Day | None = None
    products: tuple[Key, ...] = ()
    notice: dict[str, Any] = Field(default_factory=dict)
    contacts: tuple[ContactFacts, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.contract_from and self.contract_until and self.contract_until < self.contract_from:
            raise PydanticCustomError(
                "contract-ends-before-it-begins",
                "contract",
                {"from": self.contract_from.isoformat(), "until": self.contract_until.isoformat()},
            )
        addresses = [contact.email.lower() for contact in self.contacts]
        repeated = next((address for address in addresses if addresses.count(address) > 1), None)
        if repeated is not None:
            raise PydanticCustomError("repeated-member", "repeated", {"list": "contacts", "member": repeated})
        return self

    def terms_under(self, publisher_terms: Terms, prefix: str = "notice") -> Terms:
        """Return the customer's terms: the publisher's, in the customer's zone, with what its contract says instead.

        Raises `InvalidInput` where `notice` holds a value that terms cannot have, each field below `prefix`.
        """
        own_zone = {"time_zone": self.time_zone} if self.time_zone else {}
        return merge_terms(publisher_terms, {**own_zone, **self.notice}, prefix)


class FileEntry(Document):
    """One entry as it stands in a registry file: its key, the keys it had, what is published and what is not (R1)."""

    key: Key
    former_keys: tuple[Key, ...] = ()
    content: EntryContent
    internals: EntryInternals = EntryInternals()
