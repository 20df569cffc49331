"""Notice terms: how long customers are told ahead, how their days are counted and what holds a change (R8)."""

from __future__ import annotations

import dataclasses
import re
import zoneinfo
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal

import iso3166
from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationError
from pydantic_core import PydanticCustomError

from registry.domain.errors import InvalidInput, Problem
from registry.domain.text import Line
from registry.domain.validation import Document, find_near, read_model

SATURDAY = 5
LONGEST_PERIOD_DAYS = 730

# Names that zoneinfo offers on some systems and that say nothing about where somebody is.
_NOT_PLACES = {"Factory", "localtime", "posixrules"}


@lru_cache(maxsize=1)
def list_time_zones() -> frozenset[str]:
    """Return the keys of the IANA time zone database that a publisher or customer may name."""
    return frozenset(zoneinfo.available_timezones() - _NOT_PLACES)


def _time_zone(value: str) -> str:
    if value not in list_time_zones():
        raise PydanticCustomError(
            "unknown-time-zone", "unknown time zone", {"near": find_near(value, list_time_zones())}
        )
    return value


def _holiday_region(value: str) -> str:
    country, _, subdivision = value.partition("-")
    if country not in iso3166.countries_by_alpha2:
        by_name = {known.name: known.alpha2 for known in iso3166.countries}
        near = [f"{by_name[name]} ({name})" for name in find_near(country, by_name)]
        if country.upper() in iso3166.countries_by_alpha2:
            near.insert(0, value.upper())
        raise PydanticCustomError("unknown-region", "unknown region", {"near": near})
    if value != country and not re.fullmatch(r"[A-Z0-9]{1,3}", subdivision):
        raise PydanticCustomError("unknown-region", "unknown region", {"near": [country]})
    return value


def _language(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", value):
        raise PydanticCustomError("not-a-language", "not a language tag", {})
    return value


TimeZone = Annotated[Line, AfterValidator(_time_zone)]
"""A key of the IANA time zone database, such as Europe/Berlin; an error names near ones."""

HolidayRegion = Annotated[Line, AfterValidator(_holiday_region)]
"""Whose public holidays count: an ISO 3166 country, or one of its parts, such as DE or DE-SN."""

Language = Annotated[Line, AfterValidator(_language)]
"""A language tag (BCP 47), such as en or pt-BR."""

Days = Annotated[int, Field(strict=True, ge=0, le=LONGEST_PERIOD_DAYS)]
YesOrNo = Annotated[bool, Field(strict=True)]


class Deemed(Document):
    """Receipt deemed after `deemed_after_days` calendar days, by a clause of the contract that says so (R13)."""

    deemed_after_days: Annotated[int, Field(strict=True, ge=1, le=LONGEST_PERIOD_DAYS)]
    clause: Line


def _hold_or_deemed(value: object) -> str:
    return "hold" if isinstance(value, str) else "deemed"


class Terms(Document):
    """The notice terms of a publisher, or of one customer whose contract differs (R8). Immutable.

    `days` is the notice before a binding change, `objection_days` the time to object; both run from receipt.
    `counting` says whether they are calendar or working days, `roll_to_working_day` whether an objection period that
    ends on a non-working day runs on (Reg. (EEC, Euratom) 1182/71 art. 3(4); BGB § 193), `holidays` whose public
    holidays are non-working. All dates are those of `time_zone`. `clock_starts_on` is the evidence of receipt that
    starts the periods, and `receipt_by_webhook` whether a webhook can give it at all (R12). `counting_rule` names the
    rule that governs counting, so that a record can still say it after another one was added.
    """

    days: Annotated[int, Field(strict=True, ge=1, le=LONGEST_PERIOD_DAYS)] = 30
    objection_days: Days = 30
    counting: Literal["calendar", "business"] = "calendar"
    roll_to_working_day: YesOrNo = False
    time_zone: TimeZone
    holidays: HolidayRegion | None = None
    language: Language = "en"
    authorisation: Literal["general", "specific"] = "general"
    objection: Literal["hold", "record"] = "hold"
    undeliverable: Annotated[
        Annotated[Literal["hold"], Tag("hold")] | Annotated[Deemed, Tag("deemed")],
        Discriminator(_hold_or_deemed),
    ] = "hold"
    clock_starts_on: Literal["accepted", "delivered"] = "accepted"
    receipt_by_webhook: YesOrNo = False
    counting_rule: Literal["eu-1182-71"] = "eu-1182-71"


@dataclasses.dataclass(frozen=True)
class WorkingDays:
    """Which dates are working days: neither public holidays, nor Sundays, nor Saturdays (Reg. 1182/71 art. 2(2)).

    `holidays` are the public holidays of the region that the terms name. They must reach to the end of the longest
    period counted with them: a year that is not in them is taken as a year without holidays.
    """

    holidays: frozenset[date] = frozenset()

    def is_working_day(self, on: date) -> bool:
        """Return whether `on` is neither a Saturday, nor a Sunday, nor a public holiday."""
        return on.weekday() < SATURDAY and on not in self.holidays


def read_terms(data: object, prefix: str = "notice") -> Terms:
    """Validate notice terms from a file, form or stored document.

    Raises `InvalidInput` with every problem found; each names its field below `prefix` (`notice.days`).
    """
    try:
        return read_model(Terms, data, prefix)
    except InvalidInput as error:
        raise InvalidInput([_without_choice(problem, prefix) for problem in error.problems]) from None


def _without_choice(problem: Problem, prefix: str) -> Problem:
    """Name a field inside `undeliverable` as the person wrote it: pydantic adds the form it took the value for."""
    start = f"{prefix}.undeliverable" if prefix else "undeliverable"
    for choice in ("hold", "deemed"):
        if problem.field != f"{start}.{choice}" and not problem.field.startswith(f"{start}.{choice}."):
            continue
        params = dict(problem.params)
        if problem.code == "unknown-field":
            known = sorted(Deemed.model_fields)
            params |= {"known": known, "near": find_near(problem.field.rpartition(".")[2], known)}
        field = start + problem.field.removeprefix(f"{start}.{choice}")
        return dataclasses.replace(problem, field=field, params=params)
    return problem


def find_terms(document: object) -> Terms | None:
    """Return the terms that are stored as this document, None where it says nothing that this release can read."""
    try:
        return Terms.model_validate(document)
    except ValidationError:
        return None


def find_deemed(document: object) -> Deemed | str:
    """Return what is stored of deemed receipt, or as it is stored where it cannot be read."""
    try:
        return Deemed.model_validate(document)
    except ValidationError:
        return str(document)


def find_zone(document: object, otherwise: str) -> str:
    """Return the zone that stored terms name, even where no more of them can be read, or else the zone `otherwise`."""
    named = document.get("time_zone") if isinstance(document, dict) else None
    return named if isinstance(named, str) and named in list_time_zones() else otherwise


def merge_terms(publisher_terms: Terms, overrides: Mapping[str, object], prefix: str = "notice") -> Terms:
    """Return the terms of a customer whose contract differs from the publisher's in the fields of `overrides` (R8).

    Raises `InvalidInput` as `read_terms` does.
    """
    return read_terms({**publisher_terms.model_dump(), **overrides}, prefix)


def find_merged_terms(publisher_terms: Terms, overrides: object) -> Terms | None:
    """Return the terms of a customer by what is stored of them, as `merge_terms`; None where that cannot be read."""
    try:
        return merge_terms(publisher_terms, overrides) if isinstance(overrides, dict) else None
    except InvalidInput:
        return None


def find_overrides(document: object) -> dict[str, Any]:
    """Return what a customer's stored terms say differently; nothing where they are not even a group of fields."""
    return document if isinstance(document, dict) else {}


def find_shortened(new: Terms, old: Terms | None) -> tuple[str, ...]:
    """Return the fields in which `new` could let a change take effect sooner than `old`, in the order of `Terms` (R8).

    Fewer days; calendar for working days; no roll; another set of holidays where they count; weaker evidence of
    receipt; receipt deemed, or deemed sooner; a hold given up. The zone is not among them: a day stays a day. Where
    `old` cannot be read, None, any field may be shorter than it was.
    """
    if old is None:
        return tuple(Terms.model_fields)
    holidays_counted = old.counting == "business" or old.roll_to_working_day
    shortened = {
        "days": new.days < old.days,
        "objection_days": new.objection_days < old.objection_days,
        "counting": (old.counting, new.counting) == ("business", "calendar"),
        "roll_to_working_day": old.roll_to_working_day and not new.roll_to_working_day,
        "holidays": holidays_counted and old.holidays is not None and new.holidays != old.holidays,
        "authorisation": (old.authorisation, new.authorisation) == ("specific", "general"),
        "objection": (old.objection, new.objection) == ("hold", "record"),
        "undeliverable": _is_deemed_sooner(new, old),
        "clock_starts_on": (old.clock_starts_on, new.clock_starts_on) == ("delivered", "accepted"),
        "receipt_by_webhook": new.receipt_by_webhook and not old.receipt_by_webhook,
    }
    return tuple(name for name, is_shorter_here in shortened.items() if is_shorter_here)


def _is_deemed_sooner(new: Terms, old: Terms) -> bool:
    if not isinstance(new.undeliverable, Deemed):
        return False
    if not isinstance(old.undeliverable, Deemed):
        return True
    return new.undeliverable.deemed_after_days < old.undeliverable.deemed_after_days
