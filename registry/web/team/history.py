"""History: any two versions of an entry, and any two days of the list, side by side and field by field."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import request

from registry.domain.changes import diff_entry
from registry.domain.people import TeamRole
from registry.pages.notice_facts import show_change
from registry.pages.values import Addresses
from registry.pages.wording import local_date
from registry.queries.history import compare_days, find_versions, list_versions, names_in
from registry.steps.lookup import get_entry, read_content
from registry.web.team.access import Desk, screen
from registry.web.team.frame import PAGE_SIZE, cut_page, page_number, show

MOST_CHANGES = 200
"""Entries that a comparison shows; beyond that it says how many more there are."""
NOWHERE = Addresses("")
"""The public addresses of changes that are shown here: none, for they lead within the workbench."""


@screen("/entries/<key>/history", TeamRole.VIEWER)
def entry_history(desk: Desk, key: str) -> Any:
    """Show an entry's versions, and two of them side by side: those asked for, or the last two that were listed."""
    with desk.reading() as (session, publisher):
        entry = get_entry(session, publisher, key)
        page = cut_page(list_versions(session, publisher, entry, page_number(), PAGE_SIZE), page_number())
        errors: dict[str, str] = {}
        after_seq = _read_seq("to", errors) or (page.rows[0].seq if page.rows else 0)
        before_seq = _read_seq("from", errors) or max(after_seq - 1, 0)
        found = find_versions(session, publisher, entry, {before_seq, after_seq})
        for name, seq in (("from", before_seq), ("to", after_seq)):
            if name in request.args and name not in errors and seq not in found:
                errors[name] = f"This entry has no version {seq}. Choose one of those below."
        before, after = read_content(found.get(before_seq)), read_content(found.get(after_seq))
        change = None if errors else diff_entry(entry.key, before, after)
        names = names_in(session, publisher, (before, after))
        latest = after or before
        return show(
            "team/history/entry.html",
            status=400 if errors else 200,
            errors=errors,
            values={"from": before_seq, "to": after_seq},
            key=entry.key,
            name=latest.name if latest else entry.key,
            zone=desk.facts(session, publisher).time_zone,
            page=page,
            before_seq=before_seq,
            after_seq=after_seq,
            change=show_change(change, NOWHERE, names) if change else None,
        )


def _read_seq(name: str, errors: dict[str, str]) -> int | None:
    text = request.args.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        errors[name] = f"“{text[:40]}” is no number of a version. Choose one of those below."
        return None
    return int(text)


@screen("/compare", TeamRole.VIEWER)
def compare(desk: Desk) -> Any:
    """Show what differs between the list of two days, a month ago and today unless the address names others."""
    with desk.reading() as (session, publisher):
        zone = desk.facts(session, publisher).time_zone
        today_on = local_date(desk.now, zone)
        errors: dict[str, str] = {}
        from_on = _read_day("from", today_on - timedelta(days=30), today_on, errors)
        to_on = _read_day("to", today_on, today_on, errors)
        if not errors and from_on > to_on:
            errors["from"] = f"{from_on.isoformat()} is after {to_on.isoformat()}. Give the earlier day first."
        changes = [] if errors else compare_days(session, publisher, from_on, to_on, desk.now, today_on, zone)
        names = names_in(session, publisher, ())
        return show(
            "team/history/compare.html",
            status=400 if errors else 200,
            errors=errors,
            values={
                "from": request.args.get("from", from_on.isoformat()),
                "to": request.args.get("to", to_on.isoformat()),
            },
            from_on=from_on,
            to_on=to_on,
            today=today_on,
            zone=zone,
            changes=[show_change(change, NOWHERE, names) for change in changes[:MOST_CHANGES]],
            more=max(len(changes) - MOST_CHANGES, 0),
        )


def _read_day(name: str, otherwise: date, today_on: date, errors: dict[str, str]) -> date:
    text = request.args.get(name, "").strip()
    if not text:
        return otherwise
    try:
        on = date.fromisoformat(text)
    except ValueError:
        errors[name] = f"“{text[:40]}” is no date. Write it as {today_on.isoformat()}."
        return otherwise
    if on > today_on:
        errors[name] = f"{on.isoformat()} is still to come, and nobody knows that day’s list. See the notices instead."
        return otherwise
    return on
