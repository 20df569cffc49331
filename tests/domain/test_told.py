"""What of a notice a customer did not get: what holds whatever was said and whatever became of it (R12, R13, R15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.deliveries import OUTBOX, DeliveryState, SkipReason
from registry.domain.notice_life import NoticeState
from registry.domain.standings import COUNTS_AS_TOLD, StandingState
from registry.domain.terms import Terms
from registry.domain.told import (
    WITHOUT_WORD_FOR,
    Letter,
    Said,
    Standing,
    Told,
    WhyUnreached,
    find_clock,
    find_missed,
)
from registry.domain.vocabulary import ChannelKind, StatementKind

TERMS = Terms(time_zone="Europe/Berlin")
NOW = datetime(2026, 10, 20, 12, tzinfo=UTC)
TOLD_IN = (NoticeState.ANNOUNCED, NoticeState.HELD, NoticeState.IN_EFFECT, NoticeState.WITHDRAWN)
MISSED = Letter("email", "failed", None, None, NOW - timedelta(days=1), "smtp")
TAKEN = Letter("email", "accepted", None, NOW - timedelta(days=1), NOW - timedelta(days=1), "smtp")


def said(*kinds: StatementKind) -> list[Said]:
    """Return statements of these kinds, one a day; the first is the announcement, and binds."""
    first = NOW - timedelta(days=15)
    every = (StatementKind.ANNOUNCEMENT, *kinds)
    restarting = (StatementKind.ANNOUNCEMENT, StatementKind.CORRECTION)
    return [
        Said(100 + n, n + 1, kind.value, kind in restarting, kind in restarting, first + timedelta(days=n))
        for n, kind in enumerate(every)
    ]


def told(letters: dict[int, Sequence[Letter]], state: str | None = StandingState.RECEIVED) -> Told:
    standing = Standing(state, None, TERMS) if state is not None else None
    return Told(letters, frozenset(), standing, frozenset())


def missed(state: NoticeState, statements: Sequence[Said], what: Told) -> list[tuple[int, WhyUnreached | None]]:
    return [(each.seq, why) for each, why in find_missed(state, statements, what, NOW)]


_ends_in = st.sampled_from([None, StatementKind.WITHDRAWAL, StatementKind.EFFECT])
_between = st.lists(
    st.sampled_from([StatementKind.CORRECTION, StatementKind.REMINDER, StatementKind.POSTPONEMENT]), max_size=4
)
_statements = st.builds(lambda middle, end: said(*middle, *([end] if end else [])), _between, _ends_in)
_at = st.none() | st.integers(0, 14).map(lambda days: NOW - timedelta(days=days))
_letters = st.builds(
    Letter,
    st.sampled_from([kind.value for kind in ChannelKind]),
    st.sampled_from([state.value for state in DeliveryState]),
    st.none() | st.sampled_from([reason.value for reason in SkipReason]),
    _at,
    _at,
    st.sampled_from(["smtp", "resend", OUTBOX, None]),
    st.booleans(),
)
_standings = st.none() | st.builds(
    Standing, st.sampled_from([state.value for state in StandingState]), _at, st.none() | st.just(TERMS)
)


@st.composite
def _courses(draw: st.DrawFn) -> tuple[NoticeState, list[Said], Told]:
    statements = draw(_statements)
    numbers = [each.number for each in statements]
    letters = draw(st.dictionaries(st.sampled_from(numbers), st.lists(_letters, max_size=3)))
    acknowledged = draw(st.frozensets(st.sampled_from(numbers)))
    known = draw(st.frozensets(st.sampled_from([each.seq for each in statements])))
    what = Told(letters, acknowledged, draw(_standings), known, draw(st.booleans()))
    return draw(st.sampled_from(TOLD_IN)), statements, what


@given(_courses())
def test_nobody_misses_what_they_have_by_a_road_that_counts(course: tuple[NoticeState, list[Said], Told]) -> None:
    state, statements, what = course
    for statement, why in find_missed(state, statements, what, NOW):
        assert why is not None or not what.has_counted(statement)
        assert statement.number not in what.acknowledged


@given(_courses())
def test_who_acknowledged_everything_or_dropped_out_misses_nothing(
    course: tuple[NoticeState, list[Said], Told],
) -> None:
    state, statements, what = course
    every = frozenset(each.number for each in statements)
    assert missed(state, statements, replace(what, acknowledged=every)) == []
    dropped = Standing(StandingState.DROPPED, None, TERMS)
    assert missed(state, statements, replace(what, standing=dropped)) == []


@given(_courses())
def test_of_a_withdrawn_notice_nothing_is_missed_but_the_withdrawal(
    course: tuple[NoticeState, list[Said], Told],
) -> None:
    _, statements, what = course
    kinds = {each.kind for each, _ in find_missed(NoticeState.WITHDRAWN, statements, what, NOW)}
    assert kinds <= {StatementKind.WITHDRAWAL.value}


@given(_courses())
def test_whom_a_pending_notice_waits_for_is_not_said_to_miss_what_starts_its_clock(
    course: tuple[NoticeState, list[Said], Told],
) -> None:
    _, statements, what = course
    clock = find_clock(statements)
    waits = replace(what, standing=Standing(StandingState.WAITING, None, TERMS))
    assert clock not in [each for each, _ in find_missed(NoticeState.HELD, statements, waits, NOW)]


@given(_courses(), st.data())
def test_one_more_letter_that_is_taken_makes_nobody_miss_that_statement(
    course: tuple[NoticeState, list[Said], Told], data: st.DataObject
) -> None:
    state, statements, what = course
    statement = data.draw(st.sampled_from(statements))
    before = missed(state, statements, what)
    more = {**what.letters, statement.number: [*what.letters.get(statement.number, ()), TAKEN]}
    after = missed(state, statements, replace(what, letters=more))
    assert statement.seq in [seq for seq, _ in before] or statement.seq not in [
        seq for seq, why in after if why is not WhyUnreached.UNCONFIRMED
    ]


@pytest.mark.parametrize("kind", [StatementKind.CORRECTION, StatementKind.POSTPONEMENT, StatementKind.REMINDER])
def test_one_lost_letter_about_a_pending_notice_is_missed(kind: StatementKind) -> None:
    statements = said(kind)
    announced = replace(TAKEN, accepted_at=statements[0].made_at)
    assert missed(NoticeState.ANNOUNCED, statements, told({100: [announced], 101: [MISSED]})) == [(2, None)]


def test_one_lost_withdrawal_is_missed_by_who_may_have_heard_of_the_notice_and_by_nobody_else() -> None:
    statements = said(StatementKind.WITHDRAWAL)
    unclear = replace(MISSED, is_unclear=True)
    for announced, expected in ((TAKEN, [(2, None)]), (unclear, [(2, None)]), (MISSED, [])):
        assert missed(NoticeState.WITHDRAWN, statements, told({100: [announced], 101: [MISSED]})) == expected


@pytest.mark.parametrize("state", sorted(COUNTS_AS_TOLD))
def test_who_counts_as_told_and_has_nobody_left_misses_a_postponement_unless_its_contract_ended(state: str) -> None:
    statements = said(StatementKind.POSTPONEMENT)
    expected = [] if state == StandingState.DROPPED else [(2, None)]
    assert missed(NoticeState.HELD, statements, told({}, state)) == expected


@pytest.mark.parametrize(("days", "expected"), [(2, []), (3, [(1, WhyUnreached.UNCONFIRMED)])])
def test_after_the_effect_what_was_taken_and_never_confirmed_is_so_after_three_days(
    days: int, expected: list[tuple[int, WhyUnreached]]
) -> None:
    assert timedelta(days=3) == WITHOUT_WORD_FOR
    letter = replace(TAKEN, accepted_at=NOW - timedelta(days=days))
    assert missed(NoticeState.IN_EFFECT, said(), told({100: [letter]}, StandingState.WAITING)) == expected
