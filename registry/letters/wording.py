"""Values in words: dates, places, transfers, roles, and why somebody gets a letter.

English is the only language yet. Every function takes the language all the same, and an unknown one reads as English.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date

from registry.domain.transfers import UNKNOWN, load_mechanisms
from registry.domain.vocabulary import ChangeKind, ConditionWhen, LocationFunction, Role

DEFAULT_LANGUAGE: Final = "en"
LANGUAGES: Final = (DEFAULT_LANGUAGE,)
_LOCALES: Final = {"en": "en_GB"}

NOT_STATED: Final = "not stated"
NO_DATE: Final = "until further notice"

_ROLES: Final = {
    Role.SUBPROCESSOR: "subprocessor",
    Role.PROCESSOR: "processor",
    Role.AFFILIATE: "company of the same group",
    Role.INDEPENDENT_CONTROLLER: "independent controller",
    Role.CUSTOMER_DIRECTED: "used at the customer's direction",
    Role.CATEGORY: "category of recipients, named by kind only",
}
_FUNCTIONS: Final = {
    LocationFunction.PROCESSING: "processing",
    LocationFunction.STORAGE: "storage",
    LocationFunction.BACKUP: "backup",
    LocationFunction.SUPPORT_ACCESS: "remote access for support",
    LocationFunction.TRANSIT: "transit",
}
_REACHES: Final = {
    "edge": "edge locations (edge)",
    "global": "worldwide (global)",
    "customer-selected": "where the customer chooses (customer-selected)",
}
_CONDITIONS: Final = {
    ConditionWhen.ALWAYS: "always",
    ConditionWhen.OPT_IN: "only if switched on (opt-in)",
    ConditionWhen.OPT_OUT: "unless switched off (opt-out)",
    ConditionWhen.FEATURE: "only with a certain feature",
    ConditionWhen.REGION: "only in certain regions",
    ConditionWhen.CUSTOMER_CHOICE: "only if the customer chooses it",
}
_REGIMES: Final = {
    "eu": "EU GDPR",
    "uk": "UK GDPR",
    "ch": "Swiss FADP",
    "vn": "Vietnamese PDPL",
    "cn": "Chinese PIPL",
    "br": "Brazilian LGPD",
    "tr": "Turkish KVKK",
    "jp": "Japanese APPI",
    "kr": "Korean PIPA",
    "ca-qc": "Quebec P-39.1",
    "in": "Indian DPDP Act",
}
_KINDS: Final[dict[ChangeKind, str]] = {
    ChangeKind.ADDITION: "becomes a subprocessor",
    ChangeKind.ENTITY: "legal entity",
    ChangeKind.RENAME: "name",
    ChangeKind.ROLE: "role",
    ChangeKind.LOCATION: "places",
    ChangeKind.PURPOSE: "purpose",
    ChangeKind.DATA: "data",
    ChangeKind.TRANSFER: "transfers",
    ChangeKind.PRODUCT: "products",
    ChangeKind.CONDITION: "condition",
    ChangeKind.CHAIN: "chain of processors",
    ChangeKind.RETENTION: "retention",
    ChangeKind.EDITORIAL: "details",
}
FIELD_LABELS: Final[dict[str, str]] = {
    "name": "Name",
    "legal_name": "Legal name",
    "former_names": "Former names",
    "role": "Role",
    "address": "Address",
    "country": "Established in",
    "contact.name": "Contact",
    "contact.position": "Contact position",
    "contact.email": "Contact e-mail",
    "purposes": "Purpose",
    "activity": "What it does",
    "products": "Products",
    "data_categories": "Personal data",
    "data_subjects": "People concerned",
    "special_categories": "Special data",
    "locations": "Places",
    "transfers": "Transfers",
    "condition.when": "Applies",
    "condition.text": "Condition",
    "parent": "Engaged by",
    "links.website": "Website",
    "links.privacy": "Privacy notice",
    "links.dpa": "Data agreement",
    "links.subprocessors": "Subprocessors",
    "links.security": "Security",
    "retention": "Kept for",
    "since": "Engaged since",
    "until": "Engaged until",
}
"""What each field of a change is called in a letter; short, because in plain text it heads a column."""


def choose_language(asked_for: str) -> str:
    """Return the language a letter is written in: the one asked for ("en-GB" is "en"), or English."""
    base = asked_for.replace("_", "-").split("-")[0].lower()
    return base if base in LANGUAGES else DEFAULT_LANGUAGE


def _locale(language: str) -> Locale:
    return Locale.parse(_LOCALES[choose_language(language)])


def say_day(on: date, language: str = DEFAULT_LANGUAGE) -> str:
    """A local date as a subject line has it: "31 October 2026"."""
    return format_date(on, "d MMMM y", locale=_locale(language))


def _say_weekday_and_day(on: date, language: str) -> str:
    return format_date(on, "EEEE, d MMMM y", locale=_locale(language))


def say_date(on: date, time_zone: str, language: str = DEFAULT_LANGUAGE) -> str:
    """A date local to `time_zone`: "Saturday, 31 October 2026 (2026-10-31, Europe/Berlin)"."""
    return f"{_say_weekday_and_day(on, language)} ({on.isoformat()}, {time_zone})"


def say_instant(at: datetime, time_zone: str, language: str = DEFAULT_LANGUAGE) -> str:
    """An aware instant, shown in `time_zone`.

    "Saturday, 31 October 2026, 00:00 (2026-10-31T00:00+01:00, Europe/Berlin)".
    """
    local = _in_zone(at, time_zone)
    words = f"{_say_weekday_and_day(local.date(), language)}, {local:%H:%M}"
    return f"{words} ({local.isoformat(timespec='minutes')}, {time_zone})"


def say_in_utc(at: datetime) -> str:
    """An aware instant in UTC, for readers in other zones: "2026-10-30 23:00 UTC"."""
    return f"{_in_zone(at, 'Etc/UTC'):%Y-%m-%d %H:%M} UTC"


def say_effective(on: date | None, at: datetime | None, time_zone: str, language: str = DEFAULT_LANGUAGE) -> str | None:
    """The date a notice takes effect, local to the publisher, with its first instant for readers elsewhere.

    "Saturday, 31 October 2026 (2026-10-31, Europe/Berlin), from its first minute (2026-10-30 23:00 UTC)"; None where
    there is no date.
    """
    if on is None:
        return None
    said = say_date(on, time_zone, language)
    return f"{said}, from its first minute ({say_in_utc(at)})" if at is not None else said


def say_deadline(last_on: date, time_zone: str, language: str = DEFAULT_LANGUAGE) -> str:
    """A period's last day, which counts to its end (Reg. 1182/71 art. 3(2)(b), R9); local to the customer's zone.

    "end of Friday, 30 October 2026 (2026-10-30, Europe/Berlin)" is the value of the slot `objection_deadline`.
    """
    return f"end of {say_date(last_on, time_zone, language)}"


def _in_zone(at: datetime, time_zone: str) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"a naive instant has no zone to be shown in: {at!r}")
    return at.astimezone(ZoneInfo(time_zone))


def say_why_follower(publisher: str, subscribed_on: date, language: str = DEFAULT_LANGUAGE) -> str:
    """The slot `why` of a follower: by their own subscription, confirmed on a local date of the publisher (R34)."""
    day = f"{say_day(subscribed_on, language)} ({subscribed_on.isoformat()})"
    return f"You asked to be told of changes to {publisher}'s list, and confirmed it on {day}."


def say_why_contact(publisher: str, customer: str, language: str = DEFAULT_LANGUAGE) -> str:
    """The slot `why` of a contract contact: named by the customer, told because the contract asks for it (R34)."""
    del language
    return f"You are a named contact of {customer} for these notices, under its contract with {publisher}."


def say_country(code: str, language: str = DEFAULT_LANGUAGE) -> str:
    """An ISO 3166-1 code, or a reach such as "edge", in words with its code: "Germany (DE)"."""
    if code in _REACHES:
        return _REACHES[code]
    name = _locale(language).territories.get(code)
    return f"{name} ({code})" if name else code


def say_place(location: Mapping[str, Any], language: str = DEFAULT_LANGUAGE) -> str:
    """One member of `locations`: "Germany (DE), Falkenstein: processing"."""
    place = say_country(location["country"], language)
    if location.get("place"):
        place += f", {location['place']}"
    function = location.get("function")
    return f"{place}: {_FUNCTIONS[LocationFunction(function)] if function else f'function {NOT_STATED}'}"


def say_transfer(transfer: Mapping[str, Any], language: str = DEFAULT_LANGUAGE) -> str:
    """One member of `transfers`: destination, legal ground with its citation, regime, details, assessment (R7)."""
    destination = transfer.get("destination")
    where = f"To {say_country(destination, language)}" if destination else f"Destination {NOT_STATED}"
    regime = transfer.get("regime")
    ground = _say_ground(transfer)
    sentence = f"{where}: {ground}" + (f", under {_REGIMES.get(regime, regime)}" if regime else "") + "."
    more = [sentence]
    if transfer.get("details"):
        more.append(f"Details: {transfer['details']}")
    assessment = transfer.get("assessment") or {}
    if assessment.get("reference") or assessment.get("made_on"):
        made_on = assessment.get("made_on")
        parts = [assessment.get("reference"), f"of {_say_stored_day(made_on, language)}" if made_on else None]
        more.append(f"Transfer impact assessment: {' '.join(part for part in parts if part)}.")
    if assessment.get("none_because"):
        more.append(f"No transfer impact assessment: {assessment['none_because']}")
    if transfer.get("checked_on"):
        more.append(f"Checked on {_say_stored_day(transfer['checked_on'], language)}.")
    return "\n".join(more)


def _say_ground(transfer: Mapping[str, Any]) -> str:
    # The document leaves the default out, so a transfer without a mechanism is one of which none is stated.
    mechanism_id = transfer.get("mechanism", UNKNOWN)
    if mechanism_id == UNKNOWN:
        return f"legal ground {NOT_STATED}"
    if mechanism_id == "other":
        return "another legal ground, see the details"
    mechanism = load_mechanisms()[mechanism_id]
    return f"{mechanism.label} [{mechanism.citation}]"


def _say_stored_day(iso: str, language: str) -> str:
    return f"{say_day(date.fromisoformat(iso), language)} ({iso})"


def say_field(
    field: str, value: Any, product_names: Mapping[str, str], language: str = DEFAULT_LANGUAGE
) -> tuple[str, ...]:
    """The members of a field's JSON value in words, none where nothing is stated.

    `field` is a name of `registry.domain.changes.FIELD_RULES`; an entry without products concerns them all.
    """
    if field == "products":
        return tuple(product_names.get(key, key) for key in value or ()) or ("all products",)
    if value is None or value == []:
        return ()
    match field:
        case "role":
            return (_ROLES[Role(value)],)
        case "country":
            return (say_country(value, language),)
        case "locations":
            return tuple(say_place(location, language) for location in value)
        case "transfers":
            return tuple(say_transfer(transfer, language) for transfer in value)
        case "condition.when":
            return (_CONDITIONS[ConditionWhen(value)],)
        case "since" | "until":
            return (_say_stored_day(value, language),)
        case _:
            return tuple(value) if isinstance(value, list | tuple) else (str(value),)


def say_kinds(kinds: tuple[ChangeKind, ...]) -> str:
    """What happens to an entry, as the words after its name: "new on the list", "change of places, data"."""
    if kinds == (ChangeKind.ADDITION,):
        return "new on the list"
    if kinds == (ChangeKind.REMOVAL,):
        return "removed from the list"
    told = tuple(kind for kind in kinds if kind is not ChangeKind.EDITORIAL) or kinds
    if ChangeKind.ADDITION in told:
        rest = [_KINDS[kind] for kind in told if kind not in {ChangeKind.ADDITION, ChangeKind.ROLE}]
        return _KINDS[ChangeKind.ADDITION] + (f"; change of {', '.join(rest)}" if rest else "")
    return f"change of {', '.join(_KINDS[kind] for kind in told)}"
