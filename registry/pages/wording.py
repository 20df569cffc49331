"""The words of the public artefacts: dates, countries, fields, kinds and states as people say them.

One language so far, English; the words of a notice, a page, a feed and a calendar come from here, so that a reader
meets the same word for the same thing everywhere.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date

from registry.domain.vocabulary import ChangeKind, ConditionWhen, LocationFunction, Role

LANGUAGE = "en"

NOT_STATED = "not stated"
"""What the publisher has not said is published as this (R7)."""

REACHES = {
    "edge": "Network edge, near the user",
    "global": "Worldwide",
    "customer-selected": "Chosen by the customer",
}
"""Places that are not one country (DESIGN §4.1)."""

ROLES = {
    Role.SUBPROCESSOR: "Subprocessor",
    Role.PROCESSOR: "Processor",
    Role.AFFILIATE: "Affiliate",
    Role.INDEPENDENT_CONTROLLER: "Independent controller",
    Role.CUSTOMER_DIRECTED: "Customer-directed recipient",
    Role.CATEGORY: "Named as a category only",
}

ROLE_HEADINGS = {
    Role.SUBPROCESSOR: "Subprocessors",
    Role.PROCESSOR: "Processors",
    Role.AFFILIATE: "Affiliates",
    Role.INDEPENDENT_CONTROLLER: "Independent controllers",
    Role.CUSTOMER_DIRECTED: "Customer-directed recipients",
    Role.CATEGORY: "Named as a category only",
}

ROLE_MEANINGS = {
    Role.SUBPROCESSOR: "Engaged by {publisher} to process personal data on behalf of its customers.",
    Role.PROCESSOR: "Process personal data for {publisher} and on its instructions.",
    Role.AFFILIATE: "Companies of the same group as {publisher}.",
    Role.INDEPENDENT_CONTROLLER: "Receive personal data and decide for themselves how they use it. "
    "Their own privacy notices apply.",
    Role.CUSTOMER_DIRECTED: "Receive data only where a customer tells {publisher} to send it to them.",
    Role.CATEGORY: "{publisher} names the kind of recipient, not the organisation.",
}

FUNCTIONS = {
    LocationFunction.PROCESSING: "processing",
    LocationFunction.STORAGE: "storage",
    LocationFunction.BACKUP: "backup",
    LocationFunction.SUPPORT_ACCESS: "support access",
    LocationFunction.TRANSIT: "transit",
}

CONDITIONS = {
    ConditionWhen.ALWAYS: "Always",
    ConditionWhen.OPT_IN: "Only where the customer opts in",
    ConditionWhen.OPT_OUT: "Unless the customer opts out",
    ConditionWhen.FEATURE: "Only where a certain feature is used",
    ConditionWhen.REGION: "Only in certain regions",
    ConditionWhen.CUSTOMER_CHOICE: "Only where the customer chooses it",
}

CHANGE_KINDS = {
    ChangeKind.ADDITION: "joins the list",
    ChangeKind.REMOVAL: "leaves the list",
    ChangeKind.ENTITY: "legal entity",
    ChangeKind.RENAME: "new name",
    ChangeKind.ROLE: "role",
    ChangeKind.LOCATION: "places",
    ChangeKind.PURPOSE: "purposes",
    ChangeKind.DATA: "data",
    ChangeKind.TRANSFER: "transfer ground",
    ChangeKind.PRODUCT: "products",
    ChangeKind.CONDITION: "condition of use",
    ChangeKind.CHAIN: "chain of processors",
    ChangeKind.RETENTION: "retention",
    ChangeKind.EDITORIAL: "details",
}

KIND_CHOICES = (
    (ChangeKind.ADDITION.value, "Somebody joins the list"),
    (ChangeKind.REMOVAL.value, "Somebody leaves the list"),
    (ChangeKind.ENTITY.value, "Another legal entity"),
    (ChangeKind.RENAME.value, "Another brand of the same entity"),
    (ChangeKind.ROLE.value, "Another legal role"),
    (ChangeKind.LOCATION.value, "Places"),
    (ChangeKind.PURPOSE.value, "Purposes"),
    (ChangeKind.DATA.value, "Data and people concerned"),
    (ChangeKind.TRANSFER.value, "Transfer grounds"),
    (ChangeKind.PRODUCT.value, "Products concerned"),
    (ChangeKind.CONDITION.value, "Conditions of use"),
    (ChangeKind.CHAIN.value, "Chain of processors"),
    (ChangeKind.RETENTION.value, "Retention"),
)
"""The kinds of change a subscription may be limited to, in the order a form shows them. Editorial ones send nothing."""

FIELDS = {
    "name": "Name",
    "legal_name": "Legal name",
    "former_names": "Former names",
    "role": "Role",
    "address": "Address",
    "country": "Established in",
    "contact": "Contact",
    "contact.name": "Contact",
    "contact.position": "Contact’s position",
    "contact.email": "Contact’s e-mail",
    "purposes": "Purposes",
    "activity": "What it does",
    "products": "Products",
    "data_categories": "Data",
    "data_subjects": "People concerned",
    "special_categories": "Special categories of data",
    "locations": "Places",
    "transfers": "Transfer ground",
    "condition": "Condition of use",
    "condition.when": "Condition of use",
    "condition.text": "Condition in words",
    "parent": "Engaged by",
    "links": "Links",
    "links.website": "Website",
    "links.privacy": "Privacy notice",
    "links.dpa": "Data processing agreement",
    "links.subprocessors": "Its own subprocessors",
    "links.security": "Security",
    "retention": "Retention",
    "since": "Engaged since",
    "until": "Engaged until",
}

STATES = {
    "announced": "Announced",
    "held": "On hold",
    "in_effect": "In effect",
    "withdrawn": "Withdrawn",
}

STATEMENTS = {
    "announcement": "Announced",
    "correction": "Corrected",
    "reminder": "Reminder sent",
    "postponement": "Postponed",
    "withdrawal": "Withdrawn",
    "effect": "Told as in effect",
}


def local_date(at: datetime, time_zone: str) -> date:
    """Return the local date of the aware instant `at` in the IANA zone `time_zone`."""
    return at.astimezone(ZoneInfo(time_zone)).date()


def date_in_words(on: date) -> str:
    """Return a date with its weekday, such as "Saturday, 31 October 2026"."""
    return format_date(on, "EEEE, d MMMM y", locale=LANGUAGE)


def short_date(on: date) -> str:
    """Return a date without its weekday, such as "31 October 2026"."""
    return format_date(on, "d MMMM y", locale=LANGUAGE)


def date_told(on: date, time_zone: str) -> str:
    """Return a date as deadlines are told: in words, as ISO 8601 and with its IANA zone."""
    return f"{date_in_words(on)} ({on.isoformat()}), {time_zone}"


def days_left(on: date, today: date) -> str:
    """Say how far the date `on` is from `today`, both local dates of one zone."""
    days = (on - today).days
    if days == 0:
        return "today"
    if days == 1:
        return "tomorrow"
    if days == -1:
        return "yesterday"
    return f"in {days} days" if days > 0 else f"{-days} days ago"


def period_left(last_day: date, today: date) -> str:
    """Say what is left of a period that runs to the end of `last_day`, seen on the local date `today`."""
    days = (last_day - today).days
    if days < 0:
        return "ended"
    if days == 0:
        return "ends today"
    return "1 day left" if days == 1 else f"{days} days left"


def count_of(number: int, one: str, many: str) -> str:
    """Return a number with its noun: "1 entry", "3 entries"."""
    return f"{number} {one if number == 1 else many}"


@cache
def _territories() -> dict[str, str]:
    return {str(code): str(name) for code, name in Locale.parse(LANGUAGE).territories.items()}


def place_name(code: str) -> str:
    """Return a country, or a reach beyond one country, in words; a code unknown to CLDR stays as it is."""
    return REACHES.get(code) or _territories().get(code, code)


def kinds_in_words(kinds: tuple[ChangeKind, ...]) -> str:
    """Return what a change is about as one phrase, such as "Data, places"."""
    phrase = ", ".join(CHANGE_KINDS[kind] for kind in kinds)
    return phrase[:1].upper() + phrase[1:]


def field_name(field: str) -> str:
    """Return the label of an entry's field or sub-field, such as "Data" for `data_categories`."""
    return FIELDS.get(field, field.replace("_", " ").replace(".", ": ").capitalize())
