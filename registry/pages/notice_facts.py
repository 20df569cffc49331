"""Changes, notices and history as a reader needs them: what differs, from when, and what can be done about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import quote

from markupsafe import Markup

from registry.domain.changes import EntryChange, FieldChange, change_in_language
from registry.domain.free_texts import FREE_TEXTS
from registry.domain.vocabulary import ChangeKind
from registry.language import gettext as _
from registry.language import ngettext, spoken
from registry.markdown import to_html
from registry.pages.entry_facts import Names, show_field
from registry.pages.values import Addresses, PastVersion, PublicList, PublicNotice, PublicPublisher
from registry.pages.wording import (
    STATEMENTS,
    STATES,
    date_told,
    days_left,
    field_name,
    kinds_in_words,
    local_date,
    period_left,
)


@dataclass(frozen=True)
class Member:
    """One line of a value; `differs` marks what is only on this side of the change."""

    text: str
    differs: bool


@dataclass(frozen=True)
class ChangeRow:
    """One field before and after; an empty side is not stated. `is_own`: its lines are the publisher's own words."""

    label: str
    before: tuple[Member, ...]
    after: tuple[Member, ...]
    is_own: bool = False


@dataclass(frozen=True)
class ChangeShown:
    """One entry's change, ready for a template. `url` is None where the entry has no page."""

    key: str
    name: str
    url: str | None
    kinds: str
    is_addition: bool
    is_removal: bool
    rows: tuple[ChangeRow, ...]


@dataclass(frozen=True)
class StatementShown:
    """One statement in words, with its UTC instant and its local date.

    `effective_on` is the date it told, if any; `is_without_date` says that it put the notice off until further notice.
    """

    label: str
    made_at: datetime
    made_on: date
    effective_on: date | None
    is_without_date: bool


@dataclass(frozen=True)
class NoticeShown:
    """One notice, ready for a template. Dates are local to the publisher; `countdown` is seen from the day shown.

    `own_words` are the publisher's, in Markdown, empty for none.
    """

    number: str
    url: str
    summary: str
    state: str
    state_label: str
    is_open: bool
    effective_on: date | None
    countdown: str | None
    objection_until_on: date | None
    objection_left: str | None
    objection_is_open: bool
    announced_on: date
    took_effect_on: date | None
    withdrawn_on: date | None
    emergency_reason: str | None
    changes: tuple[ChangeShown, ...]
    statements: tuple[StatementShown, ...]
    contact_url: str | None
    own_words: str

    @property
    def explanation(self) -> Markup:
        """The publisher's own words as safe HTML, empty for none; made when asked for, since most pages have no use."""
        return to_html(self.own_words)


@dataclass(frozen=True)
class PastShown:
    """One version of an entry in its history, newest first; `change` is None for the version it began with."""

    label: str
    notice_url: str | None
    from_at: datetime
    from_on: date
    to_on: date | None
    is_removal: bool
    change: ChangeShown | None


def tell_change(change: EntryChange, addresses: Addresses, names: Names) -> ChangeShown:
    """Prepare one entry's change for the public, which reads it in the language spoken here where it is translated."""
    return show_change(change_in_language(change, spoken()), addresses, names)


def show_change(change: EntryChange, addresses: Addresses, names: Names) -> ChangeShown:
    """Prepare one entry's change as it stands: each field that differs, with what is only on one side marked."""
    fields = change.fields
    is_addition = change.kinds == (ChangeKind.ADDITION,)
    is_removal = change.kinds == (ChangeKind.REMOVAL,)
    if is_removal:
        fields = tuple(field for field in fields if field.field in _WORTH_SAYING_OF_A_REMOVAL)
    return ChangeShown(
        key=change.key,
        name=change.name,
        url=addresses.to(f"entries/{change.key}") if change.key in names.entries else None,
        kinds=kinds_in_words(change.kinds),
        is_addition=is_addition,
        is_removal=is_removal,
        rows=tuple(_row(field, names, whole=is_addition or is_removal) for field in fields if field.field != "name")
        if is_addition or is_removal
        else tuple(_row(field, names, whole=False) for field in fields),
    )


_WORTH_SAYING_OF_A_REMOVAL = {"legal_name", "purposes", "data_categories", "locations", "since"}


def _row(field: FieldChange, names: Names, *, whole: bool) -> ChangeRow:
    before, after = show_field(field.field, field.before, names), show_field(field.field, field.after, names)
    return ChangeRow(
        field_name(field.field),
        tuple(Member(line, not whole and line not in after) for line in before),
        tuple(Member(line, not whole and line not in before) for line in after),
        is_own=field.field in FREE_TEXTS,
    )


def show_notice(notice: PublicNotice, public: PublicList, addresses: Addresses, names: Names) -> NoticeShown:
    """Prepare one notice. Days are counted from the day the page is made for, or from the past day it shows (R6)."""
    zone = public.publisher.time_zone
    seen_on = public.as_of or public.today
    is_open = notice.state in {"announced", "held"}
    until = notice.objection_until_on
    return NoticeShown(
        number=notice.number,
        url=addresses.to(f"notices/{notice.number}"),
        summary=notice.summary,
        state=notice.state,
        state_label=STATES[notice.state],
        is_open=is_open,
        effective_on=notice.effective_on,
        countdown=_countdown(notice.effective_on, seen_on, of_the_past=public.as_of is not None) if is_open else None,
        objection_until_on=until,
        # On a past day's page nobody can object any more, so it keeps the date and offers nothing.
        objection_left=period_left(until, seen_on) if until and is_open and public.as_of is None else None,
        objection_is_open=is_open and until is not None and until >= seen_on and public.as_of is None,
        announced_on=local_date(notice.announced_at, zone),
        took_effect_on=local_date(notice.took_effect_at, zone) if notice.took_effect_at else None,
        withdrawn_on=local_date(notice.withdrawn_at, zone) if notice.withdrawn_at else None,
        emergency_reason=notice.emergency_reason,
        changes=tuple(tell_change(change, addresses, names) for change in notice.changes),
        statements=_show_statements(notice, zone),
        contact_url=contact_url(public.publisher.contact, _("Notice %(number)s: objection", number=notice.number)),
        own_words=notice.explanation,
    )


def _show_statements(notice: PublicNotice, zone: str) -> tuple[StatementShown, ...]:
    postponed_by = max((told.seq for told in notice.statements if told.kind == "postponement"), default=None)
    return tuple(
        StatementShown(
            label=STATEMENTS[told.kind],
            made_at=told.made_at,
            made_on=local_date(told.made_at, zone),
            effective_on=told.effective_on,
            is_without_date=told.seq == postponed_by and told.effective_on is None and notice.effective_on is None,
        )
        for told in notice.statements
    )


def _countdown(effective_on: date | None, seen_on: date, *, of_the_past: bool) -> str | None:
    if effective_on is None:
        return None
    days = (effective_on - seen_on).days
    if days < 0:
        return ngettext("due %(num)s day ago", "due %(num)s days ago", -days) if days < -1 else _("due yesterday")
    if of_the_past and days > 0:
        return ngettext("%(num)s day later", "%(num)s days later", days)
    return _("that day") if of_the_past else days_left(effective_on, seen_on)


def show_history(history: tuple[PastVersion, ...], public: PublicList, addresses: Addresses) -> tuple[PastShown, ...]:
    """Prepare an entry's versions, the newest first."""
    names, zone = Names.of(public), public.publisher.time_zone
    known = {notice.number for notice in public.notices}
    newest_first = sorted(history, key=lambda version: version.from_at, reverse=True)
    return tuple(
        PastShown(
            label=_cause(version, first=version is newest_first[-1]),
            notice_url=addresses.to(f"notices/{version.cause}") if version.cause in known else None,
            from_at=version.from_at,
            from_on=local_date(version.from_at, zone),
            to_on=local_date(version.to_at, zone) if version.to_at else None,
            is_removal=version.content is None,
            change=tell_change(version.change, addresses, names) if version.change else None,
        )
        for version in newest_first
    )


def _cause(version: PastVersion, *, first: bool) -> str:
    if version.cause == "founding":
        return _("On the list when it was first published")
    if version.cause == "editorial":
        return _("Editorial correction")
    number = version.cause if re.match(r"\d{4}-\d+$", version.cause) else None
    if version.content is None:
        return _("Left the list with notice %(number)s", number=number) if number else _("Left the list")
    if first:
        return _("Joined the list with notice %(number)s", number=number) if number else _("Joined the list")
    return _("Changed with notice %(number)s", number=number) if number else _("Changed")


def contact_url(contact: str, subject: str) -> str | None:
    """Return the address that reaches a publisher's contact: a letter with its subject, a web page, or None."""
    if contact.startswith(("https://", "http://")):
        return contact
    if re.fullmatch(r"[^\s@<>\"]+@[^\s@<>\"]+", contact):
        return f"mailto:{quote(contact, safe='@')}?subject={quote(subject)}"
    return None


def tell_effect(notice: PublicNotice, publisher: PublicPublisher) -> str:
    """Say in one sentence of plain text when a notice takes, or took, effect."""
    zone = publisher.time_zone
    if notice.state == "withdrawn":
        return _("Withdrawn: nothing changes.")
    if notice.took_effect_at is not None:
        return _("In effect since %(date)s.", date=date_told(local_date(notice.took_effect_at, zone), zone))
    if notice.effective_on is None:
        return _("Postponed until further notice.")
    return _("Takes effect on %(date)s.", date=date_told(notice.effective_on, zone))


def tell_objection(notice: PublicNotice, publisher: PublicPublisher) -> str | None:
    """Say in one sentence of plain text how long and where customers may object; None where no end is told."""
    if notice.objection_until_on is None:
        return None
    until = date_told(notice.objection_until_on, publisher.time_zone)
    return _(
        "Customers may object until the end of %(date)s, by writing to %(contact)s and naming notice %(number)s. Where "
        "a customer’s own letter names a later day, that day counts.",
        date=until,
        contact=publisher.contact,
        number=notice.number,
    )
