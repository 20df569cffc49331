"""In which order the letters of one notice reach a reader, without a database (R15, R28)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from registry.domain.deliveries import DeliveryState
from registry.domain.letter_order import EarlierLetter, LaterLetter, find_wait, takes_back_nothing
from registry.domain.vocabulary import StatementKind
from tests.world import utc

NOW = utc("2026-09-30 08:00")
MINUTE = timedelta(minutes=1)
PENDING = EarlierLetter(
    StatementKind.ANNOUNCEMENT, DeliveryState.PENDING, NOW, begun_at=(), may_be_out=False, is_on_the_wire=False
)
REFUSED = replace(PENDING, state=DeliveryState.RETRY_WAIT, due_at=NOW + MINUTE * 30, begun_at=(NOW - MINUTE,))
LEASED = replace(PENDING, state=DeliveryState.LEASED)
TAKEN = replace(PENDING, state=DeliveryState.ACCEPTED, begun_at=(NOW - MINUTE,), may_be_out=True)
REMINDER = LaterLetter(StatementKind.REMINDER, "email", NOW, begun_at=(), attempt_n=1)
WITHDRAWAL = replace(REMINDER, kind=StatementKind.WITHDRAWAL)


@pytest.mark.parametrize(
    ("earlier", "waits"),
    [
        (TAKEN, None),
        (LEASED, MINUTE),
        (PENDING, MINUTE),
        (REFUSED, MINUTE * 30),
        (replace(REFUSED, begun_at=(NOW,)), None),
        (replace(REFUSED, state=DeliveryState.FAILED), None),
        (replace(PENDING, state=DeliveryState.NEEDS_ATTENTION), None),
    ],
    ids=["taken", "a worker has it", "due", "waits for its retry", "tried since", "failed", "with a person"],
)
def test_a_later_letter_waits_for_what_is_still_on_its_way(earlier: EarlierLetter, waits: timedelta | None) -> None:
    assert find_wait(NOW, REMINDER, [TAKEN, earlier]) == (NOW + waits if waits is not None else None)


def test_after_a_try_of_its_own_it_waits_for_another_of_the_earlier_one() -> None:
    tried = replace(REMINDER, begun_at=(NOW,))
    assert find_wait(NOW, tried, [replace(REFUSED, begun_at=(NOW,))]) == REFUSED.due_at
    assert find_wait(NOW, tried, [replace(REFUSED, begun_at=(NOW, NOW + MINUTE))]) is None


def test_it_looks_ever_more_seldom_at_what_a_worker_keeps() -> None:
    assert [find_wait(NOW, replace(REMINDER, attempt_n=n), [LEASED]) for n in (2, 9)] == [
        NOW + MINUTE * 2,
        NOW + MINUTE * 9,
    ]


def test_by_webhook_only_a_withdrawal_waits() -> None:
    assert find_wait(NOW, replace(REMINDER, channel_kind="webhook"), [LEASED]) is None
    assert find_wait(NOW, replace(WITHDRAWAL, channel_kind="webhook"), [LEASED]) == NOW + MINUTE


def test_a_withdrawal_waits_only_for_what_a_worker_has_and_what_is_not_decided_yet() -> None:
    may_be_out = replace(LEASED, may_be_out=True)
    assert find_wait(NOW, WITHDRAWAL, [REFUSED, may_be_out]) is None
    assert find_wait(NOW, WITHDRAWAL, [replace(may_be_out, is_on_the_wire=True)]) == NOW + MINUTE


@pytest.mark.parametrize(
    ("earlier", "nothing"),
    [
        ([PENDING], True),
        ([REFUSED, replace(PENDING, kind=StatementKind.REMINDER, state=DeliveryState.SKIPPED)], True),
        ([replace(PENDING, state=DeliveryState.NEEDS_ATTENTION)], True),
        ([replace(REFUSED, state=DeliveryState.NEEDS_ATTENTION)], False),
        ([replace(PENDING, may_be_out=True)], False),
        ([REFUSED, replace(TAKEN, kind=StatementKind.POSTPONEMENT)], False),
        ([LEASED], False),
        ([replace(PENDING, kind=StatementKind.REMINDER)], False),
        ([], False),
    ],
)
def test_a_withdrawal_takes_back_nothing_where_certainly_nothing_was_told(
    earlier: list[EarlierLetter], nothing: bool
) -> None:
    assert takes_back_nothing(StatementKind.WITHDRAWAL, earlier) is nothing
    assert takes_back_nothing(StatementKind.REMINDER, earlier) is False
