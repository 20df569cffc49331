"""Values in words: dates, places, transfers, roles, and why somebody gets a letter.

They are said in the language spoken where they are asked for: whoever makes a letter says in which (`speaking`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from registry.domain.transfers import UNKNOWN, load_mechanisms
from registry.domain.vocabulary import ChangeKind, ConditionWhen, LocationFunction, Role
from registry.language import Words, country_name, long_date, marked, say_translations, short_date
from registry.language import gettext as _

NOT_STATED: Final = marked("not stated")
NO_DATE: Final = marked("until further notice")
"""Both are translated where they are used."""

_ROLES: Final = Words(
    {
        Role.SUBPROCESSOR: marked("subprocessor"),
        Role.PROCESSOR: marked("processor"),
        Role.AFFILIATE: marked("company of the same group"),
        Role.INDEPENDENT_CONTROLLER: marked("independent controller"),
        Role.CUSTOMER_DIRECTED: marked("used at the customer's direction"),
        Role.CATEGORY: marked("category of recipients, named by kind only"),
    }
)
_FUNCTIONS: Final = Words(
    {
        LocationFunction.PROCESSING: marked("processing"),
        LocationFunction.STORAGE: marked("storage"),
        LocationFunction.BACKUP: marked("backup"),
        LocationFunction.SUPPORT_ACCESS: marked("remote access for support"),
        LocationFunction.TRANSIT: marked("transit"),
    }
)
_REACHES: Final = Words(
    {
        "edge": marked("edge locations (edge)"),
        "global": marked("worldwide (global)"),
        "customer-selected": marked("where the customer chooses (customer-selected)"),
    }
)
_CONDITIONS: Final = Words(
    {
        ConditionWhen.ALWAYS: marked("always"),
        ConditionWhen.OPT_IN: marked("only if switched on (opt-in)"),
        ConditionWhen.OPT_OUT: marked("unless switched off (opt-out)"),
        ConditionWhen.FEATURE: marked("only with a certain feature"),
        ConditionWhen.REGION: marked("only in certain regions"),
        ConditionWhen.CUSTOMER_CHOICE: marked("only if the customer chooses it"),
    }
)
_REGIMES: Final = Words(
    {
        "eu": marked("EU GDPR"),
        "uk": marked("UK GDPR"),
        "ch": marked("Swiss FADP"),
        "vn": marked("Vietnamese PDPL"),
        "cn": marked("Chinese PIPL"),
        "br": marked("Brazilian LGPD"),
        "tr": marked("Turkish KVKK"),
        "jp": marked("Japanese APPI"),
        "kr": marked("Korean PIPA"),
        "ca-qc": marked("Quebec P-39.1"),
        "in": marked("Indian DPDP Act"),
    }
)
_KINDS: Final = Words(
    {
        ChangeKind.ADDITION: marked("becomes a subprocessor"),
        ChangeKind.ENTITY: marked("legal entity"),
        ChangeKind.RENAME: marked("name"),
        ChangeKind.ROLE: marked("role"),
        ChangeKind.LOCATION: marked("places"),
        ChangeKind.PURPOSE: marked("purpose"),
        ChangeKind.DATA: marked("data"),
        ChangeKind.TRANSFER: marked("transfers"),
        ChangeKind.PRODUCT: marked("products"),
        ChangeKind.CONDITION: marked("condition"),
        ChangeKind.CHAIN: marked("chain of processors"),
        ChangeKind.RETENTION: marked("retention"),
        ChangeKind.EDITORIAL: marked("details"),
    }
)
FIELD_LABELS: Final = Words(
    {
        "name": marked("Name"),
        "legal_name": marked("Legal name"),
        "former_names": marked("Former names"),
        "role": marked("Role"),
        "address": marked("Address"),
        "country": marked("Established in"),
        "contact.name": marked("Contact"),
        "contact.position": marked("Contact position"),
        "contact.email": marked("Contact e-mail"),
        "purposes": marked("Purpose"),
        "activity": marked("What it does"),
        "products": marked("Products"),
        "data_categories": marked("Personal data"),
        "data_subjects": marked("People concerned"),
        "special_categories": marked("Special data"),
        "locations": marked("Places"),
        "transfers": marked("Transfers"),
        "condition.when": marked("Applies"),
        "condition.text": marked("Condition"),
        "parent": marked("Engaged by"),
        "links.website": marked("Website"),
        "links.privacy": marked("Privacy notice"),
        "links.dpa": marked("Data agreement"),
        "links.subprocessors": marked("Subprocessors"),
        "links.security": marked("Security"),
        "retention": marked("Kept for"),
        "since": marked("Engaged since"),
        "until": marked("Engaged until"),
        "translations": marked("Translations"),
    }
)
"""What each field of a change is called in a letter; short, because in plain text it heads a column."""


def say_day(on: date) -> str:
    """A local date as a subject line has it: "31 October 2026"."""
    return short_date(on)


def say_date(on: date, time_zone: str) -> str:
    """A date local to `time_zone`: "Saturday, 31 October 2026 (2026-10-31, Europe/Berlin)"."""
    return f"{long_date(on)} ({on.isoformat()}, {time_zone})"


def say_instant(at: datetime, time_zone: str) -> str:
    """An aware instant, shown in `time_zone`.

    "Saturday, 31 October 2026, 00:00 (2026-10-31T00:00+01:00, Europe/Berlin)".
    """
    local = _in_zone(at, time_zone)
    words = f"{long_date(local.date())}, {local:%H:%M}"
    return f"{words} ({local.isoformat(timespec='minutes')}, {time_zone})"


def say_in_utc(at: datetime) -> str:
    """An aware instant in UTC, for readers in other zones: "2026-10-30 23:00 UTC"."""
    return f"{_in_zone(at, 'Etc/UTC'):%Y-%m-%d %H:%M} UTC"


def say_effective(on: date | None, at: datetime | None, time_zone: str) -> str | None:
    """The date a notice takes effect, local to the publisher, with its first instant for readers elsewhere.

    "Saturday, 31 October 2026 (2026-10-31, Europe/Berlin), from its first minute (2026-10-30 23:00 UTC)"; None where
    there is no date.
    """
    if on is None:
        return None
    said = say_date(on, time_zone)
    return said if at is None else _("%(date)s, from its first minute (%(instant)s)", date=said, instant=say_in_utc(at))


def say_deadline(last_on: date, time_zone: str) -> str:
    """A period's last day, which counts to its end (Reg. 1182/71 art. 3(2)(b), R9); local to the customer's zone.

    "end of Friday, 30 October 2026 (2026-10-30, Europe/Berlin)" is the value of the slot `objection_deadline`.
    """
    return _("end of %(date)s", date=say_date(last_on, time_zone))


def _in_zone(at: datetime, time_zone: str) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"a naive instant has no zone to be shown in: {at!r}")
    return at.astimezone(ZoneInfo(time_zone))


def say_why_follower(publisher: str, subscribed_on: date) -> str:
    """The slot `why` of a follower: by their own subscription, confirmed on a local date of the publisher (R34)."""
    day = f"{say_day(subscribed_on)} ({subscribed_on.isoformat()})"
    return _(
        "You asked to be told of changes to %(publisher)s's list, and confirmed it on %(date)s.",
        publisher=publisher,
        date=day,
    )


def say_why_contact(publisher: str, customer: str) -> str:
    """The slot `why` of a contract contact: named by the customer, told because the contract asks for it (R34)."""
    return _(
        "You are a named contact of %(customer)s for these notices, under its contract with %(publisher)s.",
        customer=customer,
        publisher=publisher,
    )


def say_country(code: str) -> str:
    """An ISO 3166-1 code, or a reach such as "edge", in words with its code: "Germany (DE)"."""
    if code in _REACHES:
        return _REACHES[code]
    name = country_name(code)
    return f"{name} ({code})" if name else code


def say_place(location: Mapping[str, Any]) -> str:
    """One member of `locations`: "Germany (DE), Falkenstein: processing"."""
    place = say_country(location["country"])
    if location.get("place"):
        place += f", {location['place']}"
    function = location.get("function")
    if not function:
        return _("%(place)s: function not stated", place=place)
    return _("%(place)s: %(function)s", place=place, function=_FUNCTIONS[LocationFunction(function)])


def say_transfer(transfer: Mapping[str, Any]) -> str:
    """One member of `transfers`: destination, legal ground with its citation, regime, details, assessment (R7)."""
    more = [_say_ground_and_destination(transfer)]
    if transfer.get("details"):
        more.append(_("Details: %(details)s", details=transfer["details"]))
    assessment = transfer.get("assessment") or {}
    reference, made_on = assessment.get("reference"), assessment.get("made_on")
    if reference and made_on:
        day = _say_stored_day(made_on)
        more.append(_("Transfer impact assessment: %(reference)s of %(date)s.", reference=reference, date=day))
    elif reference:
        more.append(_("Transfer impact assessment: %(reference)s.", reference=reference))
    elif made_on:
        more.append(_("Transfer impact assessment: of %(date)s.", date=_say_stored_day(made_on)))
    if assessment.get("none_because"):
        more.append(_("No transfer impact assessment: %(reason)s", reason=assessment["none_because"]))
    if transfer.get("checked_on"):
        more.append(_("Checked on %(date)s.", date=_say_stored_day(transfer["checked_on"])))
    return "\n".join(more)


def _say_ground_and_destination(transfer: Mapping[str, Any]) -> str:
    destination, regime, ground = transfer.get("destination"), transfer.get("regime"), _say_ground(transfer)
    if regime:
        law = _REGIMES.get(regime, regime)
        if destination:
            return _("To %(place)s: %(ground)s, under %(law)s.", place=say_country(destination), ground=ground, law=law)
        return _("Destination not stated: %(ground)s, under %(law)s.", ground=ground, law=law)
    if destination:
        return _("To %(place)s: %(ground)s.", place=say_country(destination), ground=ground)
    return _("Destination not stated: %(ground)s.", ground=ground)


def _say_ground(transfer: Mapping[str, Any]) -> str:
    # The document leaves the default out, so a transfer without a mechanism is one of which none is stated.
    mechanism_id = transfer.get("mechanism", UNKNOWN)
    if mechanism_id == UNKNOWN:
        return _("legal ground not stated")
    if mechanism_id == "other":
        return _("another legal ground, see the details")
    mechanism = load_mechanisms()[mechanism_id]
    return f"{_(mechanism.label)} [{mechanism.citation}]"


def _say_stored_day(iso: str) -> str:
    return f"{say_day(date.fromisoformat(iso))} ({iso})"


def say_field(field: str, value: Any, product_names: Mapping[str, str]) -> tuple[str, ...]:
    """The members of a field's JSON value in words, none where nothing is stated.

    `field` is a name of `registry.domain.changes.FIELD_RULES`; an entry without products concerns them all.
    """
    if field == "products":
        return tuple(product_names.get(key, key) for key in value or ()) or (_("all products"),)
    if value is None or value in ([], {}):
        return ()
    match field:
        case "role":
            return (_ROLES[Role(value)],)
        case "country":
            return (say_country(value),)
        case "locations":
            return tuple(say_place(location) for location in value)
        case "transfers":
            return tuple(say_transfer(transfer) for transfer in value)
        case "condition.when":
            return (_CONDITIONS[ConditionWhen(value)],)
        case "since" | "until":
            return (_say_stored_day(value),)
        case "translations":
            return say_translations(value)
        case _:
            return tuple(value) if isinstance(value, list | tuple) else (str(value),)


def say_kinds(kinds: tuple[ChangeKind, ...]) -> str:
    """What happens to an entry, as the words after its name: "new on the list", "change of places, data"."""
    if kinds == (ChangeKind.ADDITION,):
        return _("new on the list")
    if kinds == (ChangeKind.REMOVAL,):
        return _("removed from the list")
    told = tuple(kind for kind in kinds if kind is not ChangeKind.EDITORIAL) or kinds
    if ChangeKind.ADDITION not in told:
        return _("change of %(kinds)s", kinds=_listed(told))
    rest = tuple(kind for kind in told if kind not in {ChangeKind.ADDITION, ChangeKind.ROLE})
    if not rest:
        return _KINDS[ChangeKind.ADDITION]
    return _("becomes a subprocessor; change of %(kinds)s", kinds=_listed(rest))


def _listed(kinds: tuple[ChangeKind, ...]) -> str:
    return _(", ").join(_KINDS[kind] for kind in kinds)
