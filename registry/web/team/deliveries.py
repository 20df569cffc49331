"""The letters of a notice: how far they are, whom they have not reached, and every one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar

from flask import request
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.people import TeamRole
from registry.domain.vocabulary import Audience, ChannelKind
from registry.pages.wording import count_of
from registry.queries.deliveries import (
    REFUSED,
    RETRYING,
    DeliveryFilter,
    ListedDelivery,
    Progress,
    Tally,
    count_progress,
    find_customer_names,
    list_deliveries,
)
from registry.steps.lookup import get_notice
from registry.steps.requeue_deliveries import requeue_deliveries
from registry.steps.task_words import say_time_left
from registry.steps.unreached import RUNNING_OUT, Unreached, find_unreached_in
from registry.tables import Notice
from registry.web.team import delivery_words as say
from registry.web.team.access import Desk, screen
from registry.web.team.frame import PAGE_SIZE, cut_page, go, page_number, show

UNREACHED_SHOWN: Final = 25
"""Customers not reached that stand above the list; the screen of all customers has the others."""
_LATEST: Final = timedelta(days=36_500)

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True)
class Part:
    """A part of the bar: letters of one fate, from where to where of a hundred."""

    tone: str
    start: float
    width: float


@dataclass(frozen=True)
class NotReached:
    """A customer that was not reached, in words: why, what can be done, and how long there is."""

    customer: str
    name: str
    why: str
    remedy: str
    time_left: str
    is_urgent: bool
    latest_at: datetime | None
    zone: str


@screen("/notices/<number>/deliveries", TeamRole.VIEWER)
def deliveries(desk: Desk, number: str) -> Any:
    """Show how far a notice's letters are, whom they have not reached, and a page of all of them."""
    wanted = read_filter()
    with desk.reading() as (session, publisher):
        notice = get_notice(session, publisher, number)
        progress = count_progress(session, notice)
        rows = list_deliveries(session, progress, wanted, page_number(), PAGE_SIZE)
        unreached = _list_unreached(session, desk, notice)
        zone = publisher.facts["time_zone"]
    return show(
        "team/deliveries/list.html",
        notice=notice,
        zone=zone,
        unreached=unreached[:UNREACHED_SHOWN],
        unreached_count=len(unreached),
        page=cut_page(rows, page_number()),
        wanted=wanted,
        values={**request.args, "statement": wanted.statement},
        choices=_choices(progress),
        is_pending=is_pending(notice),
        **describe_progress(desk.now, notice, progress),
        **describe_rows(desk),
    )


@screen("/notices/<number>/deliveries/progress", TeamRole.VIEWER)
def deliveries_progress(desk: Desk, number: str) -> Any:
    """Show the progress alone, for the page that asks for it every few seconds while letters are under way."""
    with desk.reading() as (session, publisher):
        notice = get_notice(session, publisher, number)
        progress = count_progress(session, notice)
        zone = publisher.facts["time_zone"]
    shown = describe_progress(desk.now, notice, progress)
    return show("team/deliveries/_progress.html", notice=notice, zone=zone, say=say, **shown)


@screen("/notices/<number>/deliveries/retry", TeamRole.EDITOR, get=False)
def retry_deliveries(desk: Desk, number: str) -> Any:
    """Let every letter of a notice that needs attention be tried once more."""
    with desk.writing() as (session, publisher):
        notice = get_notice(session, publisher, number)
        count = requeue_deliveries(session, desk.now, publisher, notice, desk.actor)
    said = f"{count_of(count, 'letter is', 'letters are')} tried once more." if count else "No letter needs attention."
    return go("deliveries", said=said, number=number)


def is_pending(notice: Notice) -> bool:
    """Return whether what is recorded about a notice's customers still counts."""
    return NoticeState(notice.state) in PENDING_STATES


def describe_progress(now: datetime, notice: Notice, progress: Progress) -> dict[str, Any]:
    """Return what the progress is shown from: the counts, the bar, and the time since the announcement in words."""
    since = None
    if notice.announced_at is not None:
        until = now if progress.is_under_way else progress.last_taken_at
        since = say.say_span(until - notice.announced_at) if until is not None else None
    counts = [
        (count, word, tone)
        for count, word, tone in (
            (progress.all.of(DeliveryState.DELIVERED), "reported as delivered", "good"),
            (progress.all.of(DeliveryState.PENDING, DeliveryState.LEASED), "waiting or being sent", "busy"),
            (progress.all.of(*RETRYING), "being tried again", "busy"),
            (progress.all.of(*REFUSED), "refused or came back", "bad"),
            (progress.all.of(DeliveryState.NEEDS_ATTENTION), "in need of attention", "bad"),
            (progress.all.of(DeliveryState.CANCELLED), "called off", "calm"),
        )
        if count
    ]
    return {"progress": progress, "since": since, "bar": _bar(progress.all), "counts": counts}


def _bar(tally: Tally) -> list[Part]:
    sizes = (
        ("good", tally.taken),
        ("bad", tally.of(*REFUSED, DeliveryState.NEEDS_ATTENTION)),
        ("busy", tally.of(*RETRYING)),
    )
    parts, start = [], 0.0
    for tone, size in sizes:
        if size:
            width = 100 * size / tally.letters
            parts.append(Part(tone, round(start, 3), round(width, 3)))
            start += width
    return parts


def describe_rows(desk: Desk) -> dict[str, Any]:
    """Return what rows of deliveries are shown with: their words, and whose addresses may be seen."""
    sees_addresses = desk.may(TeamRole.EDITOR)

    def address_of(row: ListedDelivery) -> str | None:
        return row.address if sees_addresses or row.address is None else say.mask_address(row.address)

    def answer_of(row: ListedDelivery) -> str | None:
        answer = say.say_last_answer(row)
        return answer if sees_addresses or answer is None else say.mask_in(answer, row.address)

    return {
        "say": say,
        "address_of": address_of,
        "answer_of": answer_of,
        "is_unconfirmed": lambda row: say.is_unconfirmed(row, desk.now),
        "waits": lambda row: row.state in {"pending", "retry_wait", "ambiguous"},
    }


def _list_unreached(session: Session, desk: Desk, notice: Notice) -> list[NotReached]:
    """The customers that a pending notice has not reached, those with the least time first."""
    if not is_pending(notice) or notice.announced_at is None:
        return []
    found = find_unreached_in(session, desk.now, notice, desk.slug)
    ranked = sorted(found, key=lambda each: (_left(each, desk.now), each.customer))
    names = find_customer_names(session, notice.publisher_id, [each.customer for each in ranked[:UNREACHED_SHOWN]])
    return [
        NotReached(
            each.customer,
            names.get(each.customer, each.customer),
            say.UNREACHED[each.why],
            say.UNREACHED_REMEDIES[each.why],
            say_time_left(each.latest_receipt_at, desk.now),
            _left(each, desk.now) < RUNNING_OUT,
            each.latest_receipt_at,
            each.time_zone,
        )
        for each in ranked
    ]


def _left(each: Unreached, now: datetime) -> timedelta:
    return each.latest_receipt_at - now if each.latest_receipt_at is not None else _LATEST


def read_filter() -> DeliveryFilter:
    """Read from the address which deliveries are wanted; what is no such choice limits nothing."""
    statement = request.args.get("statement", "")
    channel = _choice(ChannelKind, "channel")
    return DeliveryFilter(
        _choice(DeliveryState, "state"),
        _choice(Audience, "audience"),
        channel.value if channel else None,
        request.args.get("customer", "").strip()[:200],
        int(statement) if statement.isascii() and statement.isdigit() and len(statement) < 6 else None,
    )


def _choice(kind: type[Choice], name: str) -> Choice | None:
    given = request.args.get(name, "")
    return kind(given) if given in {member.value for member in kind} else None


def _choices(progress: Progress) -> dict[str, Sequence[tuple[object, str]]]:
    """What the filters offer: of states and statements only those that occur."""
    present = {state for state, count in progress.all.states.items() if count}
    if progress.all.skipped:
        present.add(DeliveryState.SKIPPED.value)
    return {
        "state": [(state, word.capitalize()) for state, (word, _) in say.STATES.items() if state in present],
        "audience": [(Audience.CUSTOMER.value, "Customers’ contacts"), (Audience.FOLLOWER.value, "Followers")],
        "channel": list(say.CHANNELS.items()),
        "statement": [(each.seq, f"{each.seq}: {each.kind}") for each in progress.statements],
    }
