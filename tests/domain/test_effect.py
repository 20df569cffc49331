"""Who holds a notice on its day (R17, R19, R21–R23), and which objections do (R25)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registry.domain.effect import CustomerStanding, Hold, HoldReason, choose_holds, find_possible_at
from registry.domain.objections import is_in_time
from registry.domain.terms import Terms

EFFECTIVE_AT = datetime(2026, 10, 31, tzinfo=UTC)
BERLIN = Terms(time_zone="Europe/Berlin")
RECORD_ONLY = Terms(time_zone="Europe/Berlin", objection="record")
SPECIFIC = Terms(time_zone="Europe/Berlin", authorisation="specific")

CLEAR = CustomerStanding("example-customer", "Example Customer GmbH", BERLIN, earliest_at=EFFECTIVE_AT)
BOUNCED = CustomerStanding("bounced", "Bounced AG", BERLIN, earliest_at=None)
SLOW = CustomerStanding("slow-bank", "Slow Bank", BERLIN, earliest_at=EFFECTIVE_AT + timedelta(days=4))


def reasons(*customers: CustomerStanding, now: datetime = EFFECTIVE_AT, emergency: bool = False) -> list[str]:
    return [
        f"{hold.customer_key}: {hold.reason}"
        for hold in choose_holds(customers, now, EFFECTIVE_AT, emergency=emergency)
    ]


def test_a_customer_whose_clock_has_run_holds_nothing() -> None:
    assert reasons(CLEAR) == []


def test_a_customer_without_receipt_holds_and_nobody_can_say_until_when() -> None:
    assert choose_holds([BOUNCED], EFFECTIVE_AT, EFFECTIVE_AT, emergency=False) == (
        Hold("bounced", "Bounced AG", HoldReason.NOT_RECEIVED, None),
    )


def test_a_customer_whose_clock_runs_holds_until_it_has_run() -> None:
    until_at = EFFECTIVE_AT + timedelta(days=4)
    assert choose_holds([SLOW], EFFECTIVE_AT, EFFECTIVE_AT, emergency=False) == (
        Hold("slow-bank", "Slow Bank", HoldReason.CLOCK_RUNNING, until_at),
    )
    assert reasons(SLOW, now=until_at - timedelta.resolution) == ["slow-bank: clock_running"]
    assert reasons(SLOW, now=until_at) == []


def test_before_the_day_a_clock_that_will_have_run_by_then_is_no_hold() -> None:
    assert reasons(CLEAR, SLOW, now=EFFECTIVE_AT - timedelta(days=20)) == ["slow-bank: clock_running"]


def test_an_open_objection_in_time_holds_where_terms_say_hold() -> None:
    assert reasons(replace(CLEAR, open_in_time_objections=2)) == ["example-customer: objection_open"]
    assert reasons(replace(CLEAR, open_in_time_objections=2, terms=RECORD_ONLY)) == []


def test_a_customer_whose_terms_cannot_be_read_holds_whatever_else_is_so() -> None:
    unreadable = replace(CLEAR, terms=None)
    assert reasons(unreadable) == ["example-customer: terms_unreadable"]
    # Whether its objection holds nobody knows either.
    both = ["example-customer: terms_unreadable", "example-customer: objection_open"]
    assert reasons(replace(unreadable, open_in_time_objections=1)) == both
    assert reasons(replace(unreadable, exempt=True)) == []


def test_specific_authorisation_holds_until_the_customer_has_approved() -> None:
    assert reasons(replace(CLEAR, terms=SPECIFIC)) == ["example-customer: approval_missing"]
    assert reasons(replace(CLEAR, terms=SPECIFIC, approved=True)) == []


def test_approval_does_not_stand_in_for_the_clock() -> None:
    assert reasons(replace(SLOW, terms=SPECIFIC, approved=True)) == ["slow-bank: clock_running"]


def test_an_exempt_customer_and_one_whose_contract_ended_no_longer_hold() -> None:
    everything = replace(BOUNCED, terms=SPECIFIC, open_in_time_objections=1)
    assert len(reasons(everything)) == 3
    assert reasons(replace(everything, exempt=True)) == []
    assert reasons(replace(everything, dropped=True)) == []


def test_every_reason_of_every_customer_is_named_by_key() -> None:
    objecting = replace(SLOW, open_in_time_objections=1)
    assert reasons(objecting, CLEAR, BOUNCED) == [
        "bounced: not_received",
        "slow-bank: clock_running",
        "slow-bank: objection_open",
    ]


def test_nothing_holds_an_emergency() -> None:
    assert reasons(BOUNCED, SLOW, replace(CLEAR, terms=SPECIFIC), emergency=True) == []


def test_a_notice_is_possible_when_its_last_hold_ends_by_itself() -> None:
    slower = replace(SLOW, key="slower", earliest_at=EFFECTIVE_AT + timedelta(days=9))
    holds = choose_holds([SLOW, slower], EFFECTIVE_AT, EFFECTIVE_AT, emergency=False)
    assert find_possible_at(holds, EFFECTIVE_AT) == EFFECTIVE_AT + timedelta(days=9)
    with_bounce = choose_holds([BOUNCED, SLOW], EFFECTIVE_AT, EFFECTIVE_AT, emergency=False)
    assert find_possible_at(with_bounce, EFFECTIVE_AT) is None
    assert find_possible_at((), EFFECTIVE_AT) == EFFECTIVE_AT


PRINTED = datetime(2026, 10, 30, 23, tzinfo=UTC)
COMPUTED = datetime(2026, 10, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("received_at", "printed", "computed", "in_time"),
    [
        (COMPUTED - timedelta.resolution, PRINTED, COMPUTED, True),
        (COMPUTED, PRINTED, COMPUTED, False),
        (COMPUTED - timedelta.resolution, COMPUTED, PRINTED, True),
        (COMPUTED, COMPUTED, PRINTED, False),
        (COMPUTED - timedelta.resolution, None, COMPUTED, True),
        (COMPUTED, None, COMPUTED, False),
    ],
)
def test_an_objection_is_in_time_by_the_later_of_the_deadline_printed_and_the_one_computed(
    received_at: datetime, printed: datetime | None, computed: datetime, in_time: bool
) -> None:
    assert is_in_time(received_at, printed, computed) is in_time


def test_a_period_that_never_began_has_not_ended() -> None:
    assert is_in_time(PRINTED + timedelta(days=30), PRINTED, None)
    assert is_in_time(PRINTED, None, None)
