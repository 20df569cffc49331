"""The words of the public artefacts: dates, countries, fields, kinds and states as people say them.

The words of a notice, a page, a feed and a calendar come from here, so that a reader meets the same word for the same
thing everywhere. They are said in the language spoken where they are asked for (`registry.language`).
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from registry import language
from registry.domain.vocabulary import ChangeKind, ConditionWhen, LocationFunction, Role
from registry.language import Words, marked, ngettext
from registry.language import gettext as _

NOT_STATED = marked("not stated")
"""What the publisher has not said is published as this (R7), translated where it is shown."""

REACHES = Words(
    {
        "edge": marked("Network edge, near the user"),
        "global": marked("Worldwide"),
        "customer-selected": marked("Chosen by the customer"),
    }
)
"""Places that are not one country (DESIGN §4.1)."""

ROLES = Words(
    {
        Role.SUBPROCESSOR: marked("Subprocessor"),
        Role.PROCESSOR: marked("Processor"),
        Role.AFFILIATE: marked("Affiliate"),
        Role.INDEPENDENT_CONTROLLER: marked("Independent controller"),
        Role.CUSTOMER_DIRECTED: marked("Customer-directed recipient"),
        Role.CATEGORY: marked("Named as a category only"),
    }
)

ROLE_HEADINGS = Words(
    {
        Role.SUBPROCESSOR: marked("Subprocessors"),
        Role.PROCESSOR: marked("Processors"),
        Role.AFFILIATE: marked("Affiliates"),
        Role.INDEPENDENT_CONTROLLER: marked("Independent controllers"),
        Role.CUSTOMER_DIRECTED: marked("Customer-directed recipients"),
        Role.CATEGORY: marked("Named as a category only"),
    }
)

ROLE_MEANINGS = Words(
    {
        Role.SUBPROCESSOR: marked("Engaged by {publisher} to process personal data on behalf of its customers."),
        Role.PROCESSOR: marked("Process personal data for {publisher} and on its instructions."),
        Role.AFFILIATE: marked("Companies of the same group as {publisher}."),
        Role.INDEPENDENT_CONTROLLER: marked(
            "Receive personal data and decide for themselves how they use it. Their own privacy notices apply."
        ),
        Role.CUSTOMER_DIRECTED: marked("Receive data only where a customer tells {publisher} to send it to them."),
        Role.CATEGORY: marked("{publisher} names the kind of recipient, not the organisation."),
    }
)

FUNCTIONS = Words(
    {
        LocationFunction.PROCESSING: marked("processing"),
        LocationFunction.STORAGE: marked("storage"),
        LocationFunction.BACKUP: marked("backup"),
        LocationFunction.SUPPORT_ACCESS: marked("support access"),
        LocationFunction.TRANSIT: marked("transit"),
    }
)

CONDITIONS = Words(
    {
        ConditionWhen.ALWAYS: marked("Always"),
        ConditionWhen.OPT_IN: marked("Only where the customer opts in"),
        ConditionWhen.OPT_OUT: marked("Unless the customer opts out"),
        ConditionWhen.FEATURE: marked("Only where a certain feature is used"),
        ConditionWhen.REGION: marked("Only in certain regions"),
        ConditionWhen.CUSTOMER_CHOICE: marked("Only where the customer chooses it"),
    }
)

CHANGE_KINDS = Words(
    {
        ChangeKind.ADDITION: marked("joins the list"),
        ChangeKind.REMOVAL: marked("leaves the list"),
        ChangeKind.ENTITY: marked("legal entity"),
        ChangeKind.RENAME: marked("new name"),
        ChangeKind.ROLE: marked("role"),
        ChangeKind.LOCATION: marked("places"),
        ChangeKind.PURPOSE: marked("purposes"),
        ChangeKind.DATA: marked("data"),
        ChangeKind.TRANSFER: marked("transfer ground"),
        ChangeKind.PRODUCT: marked("products"),
        ChangeKind.CONDITION: marked("condition of use"),
        ChangeKind.CHAIN: marked("chain of processors"),
        ChangeKind.RETENTION: marked("retention"),
        ChangeKind.EDITORIAL: marked("details"),
    }
)

KIND_CHOICES = Words(
    {
        ChangeKind.ADDITION.value: marked("Somebody joins the list"),
        ChangeKind.REMOVAL.value: marked("Somebody leaves the list"),
        ChangeKind.ENTITY.value: marked("Another legal entity"),
        ChangeKind.RENAME.value: marked("Another brand of the same entity"),
        ChangeKind.ROLE.value: marked("Another legal role"),
        ChangeKind.LOCATION.value: marked("Places"),
        ChangeKind.PURPOSE.value: marked("Purposes"),
        ChangeKind.DATA.value: marked("Data and people concerned"),
        ChangeKind.TRANSFER.value: marked("Transfer grounds"),
        ChangeKind.PRODUCT.value: marked("Products concerned"),
        ChangeKind.CONDITION.value: marked("Conditions of use"),
        ChangeKind.CHAIN.value: marked("Chain of processors"),
        ChangeKind.RETENTION.value: marked("Retention"),
    }
).items()
"""The kinds of change a subscription may be limited to, in the order a form shows them. Editorial ones send nothing."""

FIELDS = Words(
    {
        "name": marked("Name"),
        "legal_name": marked("Legal name"),
        "former_names": marked("Former names"),
        "role": marked("Role"),
        "address": marked("Address"),
        "country": marked("Established in"),
        "contact": marked("Contact"),
        "contact.name": marked("Contact"),
        "contact.position": marked("Contact’s position"),
        "contact.email": marked("Contact’s e-mail"),
        "purposes": marked("Purposes"),
        "activity": marked("What it does"),
        "products": marked("Products"),
        "data_categories": marked("Data"),
        "data_subjects": marked("People concerned"),
        "special_categories": marked("Special categories of data"),
        "locations": marked("Places"),
        "transfers": marked("Transfer ground"),
        "condition": marked("Condition of use"),
        "condition.when": marked("Condition of use"),
        "condition.text": marked("Condition in words"),
        "parent": marked("Engaged by"),
        "links": marked("Links"),
        "links.website": marked("Website"),
        "links.privacy": marked("Privacy notice"),
        "links.dpa": marked("Data processing agreement"),
        "links.subprocessors": marked("Its own subprocessors"),
        "links.security": marked("Security"),
        "retention": marked("Retention"),
        "since": marked("Engaged since"),
        "until": marked("Engaged until"),
        "translations": marked("Translations"),
    }
)

STATES = Words(
    {
        "announced": marked("Announced"),
        "held": marked("On hold"),
        "in_effect": marked("In effect"),
        "withdrawn": marked("Withdrawn"),
    }
)

STATEMENTS = Words(
    {
        "announcement": marked("Announced"),
        "correction": marked("Corrected"),
        "reminder": marked("Reminder sent"),
        "postponement": marked("Postponed"),
        "withdrawal": marked("Withdrawn"),
        "effect": marked("Told as in effect"),
    }
)


FIELDS_IN_A_SENTENCE = Words(
    {
        "legal_name": marked("legal name"),
        "country": marked("established in"),
        "condition": marked("condition of use"),
        "data_subjects": marked("people concerned"),
        "retention": marked("retention"),
        "since": marked("engaged since"),
    }
)
"""Fields whose absence is named in one line: in English without their capitals, which German nouns keep."""


def local_date(at: datetime, time_zone: str) -> date:
    """Return the local date of the aware instant `at` in the IANA zone `time_zone`."""
    return at.astimezone(ZoneInfo(time_zone)).date()


def date_in_words(on: date) -> str:
    """Return a date with its weekday, such as "Saturday, 31 October 2026"."""
    return language.long_date(on)


def short_date(on: date) -> str:
    """Return a date without its weekday, such as "31 October 2026"."""
    return language.short_date(on)


def date_told(on: date, time_zone: str) -> str:
    """Return a date as deadlines are told: in words, as ISO 8601 and with its IANA zone."""
    return f"{date_in_words(on)} ({on.isoformat()}), {time_zone}"


def days_left(on: date, today: date) -> str:
    """Say how far the date `on` is from `today`, both local dates of one zone."""
    days = (on - today).days
    if days == 0:
        return _("today")
    if days == 1:
        return _("tomorrow")
    if days == -1:
        return _("yesterday")
    if days > 0:
        return ngettext("in %(num)s day", "in %(num)s days", days)
    return ngettext("%(num)s day ago", "%(num)s days ago", -days)


def period_left(last_day: date, today: date) -> str:
    """Say what is left of a period that runs to the end of `last_day`, seen on the local date `today`."""
    days = (last_day - today).days
    if days < 0:
        return _("ended")
    if days == 0:
        return _("ends today")
    return ngettext("%(num)s day left", "%(num)s days left", days)


def count_of(number: int, one: str, many: str) -> str:
    """Return a number with its noun: "1 entry", "3 entries". For the workbench, which is in English: see `ngettext`."""
    return f"{number} {one if number == 1 else many}"


def place_name(code: str) -> str:
    """Return a country, or a reach beyond one country, in words; a code unknown to CLDR stays as it is."""
    return REACHES.get(code) or language.country_name(code) or code


def kinds_in_words(kinds: tuple[ChangeKind, ...]) -> str:
    """Return what a change is about as one phrase, such as "Data, places"."""
    phrase = _(", ").join(CHANGE_KINDS[kind] for kind in kinds)
    return phrase[:1].upper() + phrase[1:]


def field_name(field: str) -> str:
    """Return the label of an entry's field or sub-field, such as "Data" for `data_categories`."""
    return FIELDS.get(field, field.replace("_", " ").replace(".", ": ").capitalize())
