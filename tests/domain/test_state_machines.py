"""The machines of notice, delivery and objection over all pairs of state and event (R14, R25, R26).

The tables here are written out by hand, state by state, and know nothing of how the machines are built.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.deliveries import (
    REPORTABLE_STATES,
    SENDABLE_STATES,
    DeliveryEvent,
    DeliveryState,
    choose_exhausted_event,
    fold_delivery,
    next_delivery_state,
)
from registry.domain.errors import IllegalTransition
from registry.domain.notice_life import (
    EDITABLE_STATES,
    FINAL_STATES,
    OPEN_STATES,
    PENDING_STATES,
    PUBLIC_STATES,
    NoticeEvent,
    NoticeState,
    next_notice_state,
)
from registry.domain.objections import (
    OPEN_OBJECTION_STATES,
    ObjectionEvent,
    ObjectionState,
    next_objection_state,
)
from registry.domain.vocabulary import Audience

NOTICE: dict[str, dict[str, str]] = {
    "draft": {"edit": "draft", "submit": "submitted", "withdraw": "withdrawn"},
    "submitted": {"edit": "draft", "approve": "approved", "withdraw": "withdrawn"},
    "approved": {"edit": "draft", "publish": "published", "withdraw": "withdrawn"},
    "published": {"announce": "announced", "withdraw": "withdrawn"},
    "announced": {"hold": "held", "take_effect": "in_effect", "withdraw": "withdrawn"},
    "held": {"release": "announced", "withdraw": "withdrawn"},
    "in_effect": {},
    "withdrawn": {},
}

REPORTS_MOVE_ON = {
    "report_delivered": "delivered",
    "report_complaint": "delivered",
    "report_bounced": "bounced",
}

DELIVERY: dict[str, dict[str, str]] = {
    "pending": {
        "claim": "leased",
        "cancel": "cancelled",
        "skip": "skipped",
        "escalate": "needs_attention",
        "give_up": "failed",
        **REPORTS_MOVE_ON,
    },
    "leased": {
        "accept": "accepted",
        "defer": "retry_wait",
        "refuse": "failed",
        "lose_answer": "ambiguous",
        "lapse_unsent": "pending",
        "lapse_sent": "ambiguous",
        "escalate": "needs_attention",
        "give_up": "failed",
    },
    "retry_wait": {
        "claim": "leased",
        "cancel": "cancelled",
        "skip": "skipped",
        "escalate": "needs_attention",
        "give_up": "failed",
        **REPORTS_MOVE_ON,
    },
    "accepted": REPORTS_MOVE_ON,
    "ambiguous": {
        "claim": "leased",
        "cancel": "cancelled",
        "escalate": "needs_attention",
        "give_up": "failed",
        **REPORTS_MOVE_ON,
    },
    "delivered": REPORTS_MOVE_ON,
    "bounced": {"report_delivered": "bounced", "report_complaint": "bounced", "report_bounced": "bounced"},
    "failed": REPORTS_MOVE_ON,
    "cancelled": REPORTS_MOVE_ON,
    "skipped": {"call_in": "pending", **REPORTS_MOVE_ON},
    "needs_attention": {"cancel": "cancelled", "give_up": "failed", "requeue": "pending", **REPORTS_MOVE_ON},
}

CURES = {
    "accommodate": "accommodated",
    "withdraw": "withdrawn",
    "terminate": "terminated",
    "refund": "refunded",
    "resolve_otherwise": "resolved_otherwise",
    "notice_withdrawn": "moot",
}

OBJECTION: dict[str, dict[str, str]] = {
    "received": {"take_up": "under_review", **CURES},
    "under_review": CURES,
    "accommodated": {},
    "withdrawn": {},
    "terminated": {"refund": "refunded"},
    "refunded": {},
    "resolved_otherwise": {},
    "moot": {},
}


def names(members: frozenset[NoticeState] | frozenset[DeliveryState] | frozenset[ObjectionState]) -> set[str]:
    return {member.value for member in members}


@pytest.mark.parametrize(
    ("table", "states", "events"),
    [
        (NOTICE, NoticeState, NoticeEvent),
        (DELIVERY, DeliveryState, DeliveryEvent),
        (OBJECTION, ObjectionState, ObjectionEvent),
    ],
    ids=["notice", "delivery", "objection"],
)
def test_the_tables_name_every_state_and_every_event(
    table: dict[str, dict[str, str]], states: type[StrEnum], events: type[StrEnum]
) -> None:
    assert set(table) == {state.value for state in states}
    assert {event for row in table.values() for event in row} == {event.value for event in events}


@pytest.mark.parametrize(("state", "event"), list(product(NoticeState, NoticeEvent)))
def test_a_notice_takes_the_steps_of_its_life_and_no_other(state: NoticeState, event: NoticeEvent) -> None:
    if event.value in NOTICE[state.value]:
        assert next_notice_state(state, event) == NOTICE[state.value][event.value]
        return
    with pytest.raises(IllegalTransition) as refused:
        next_notice_state(state, event)
    assert refused.value.params == {"machine": "notice", "state": state, "event": event}


@pytest.mark.parametrize(("state", "event"), list(product(DeliveryState, DeliveryEvent)))
def test_a_delivery_takes_the_steps_of_its_machine_and_no_other(state: DeliveryState, event: DeliveryEvent) -> None:
    if event.value in DELIVERY[state.value]:
        assert next_delivery_state(state, event) == DELIVERY[state.value][event.value]
        return
    with pytest.raises(IllegalTransition) as refused:
        next_delivery_state(state, event)
    assert refused.value.params == {"machine": "delivery", "state": state, "event": event}


@pytest.mark.parametrize(("state", "event"), list(product(ObjectionState, ObjectionEvent)))
def test_an_objection_takes_the_steps_of_its_life_and_no_other(state: ObjectionState, event: ObjectionEvent) -> None:
    if event.value in OBJECTION[state.value]:
        assert next_objection_state(state, event) == OBJECTION[state.value][event.value]
        return
    with pytest.raises(IllegalTransition) as refused:
        next_objection_state(state, event)
    assert refused.value.params == {"machine": "objection", "state": state, "event": event}


def test_the_sets_of_notice_states_say_what_may_be_edited_shown_and_sent_to_joiners() -> None:
    assert names(EDITABLE_STATES) == {state for state, row in NOTICE.items() if "edit" in row}
    assert names(FINAL_STATES) == {state for state, row in NOTICE.items() if not row}
    assert names(OPEN_STATES) == {state for state, row in NOTICE.items() if "withdraw" in row}
    assert names(PENDING_STATES) == {"announced", "held"}
    assert names(PUBLIC_STATES) == {"announced", "held", "in_effect"}


def test_the_sets_of_delivery_and_objection_states_agree_with_their_machines() -> None:
    assert names(SENDABLE_STATES) == {state for state, row in DELIVERY.items() if "claim" in row}
    assert names(REPORTABLE_STATES) == {state for state, row in DELIVERY.items() if "report_bounced" in row}
    assert names(OPEN_OBJECTION_STATES) == {state for state, row in OBJECTION.items() if "accommodate" in row}


def test_reports_lead_to_the_same_state_in_whatever_order_they_come() -> None:
    sent = [DeliveryEvent.CLAIM, DeliveryEvent.ACCEPT]
    reports = [DeliveryEvent.REPORT_DELIVERED, DeliveryEvent.REPORT_COMPLAINT, DeliveryEvent.REPORT_BOUNCED]
    assert {fold_delivery([*sent, *order]) for order in permutations(reports)} == {DeliveryState.BOUNCED}
    assert {fold_delivery([*sent, *order]) for order in permutations(reports[:2])} == {DeliveryState.DELIVERED}


@given(st.lists(st.sampled_from(list(DeliveryEvent)), max_size=30))
def test_what_was_learned_of_a_delivery_is_never_unlearned(events: list[DeliveryEvent]) -> None:
    rank = {DeliveryState.ACCEPTED: 1, DeliveryState.DELIVERED: 2, DeliveryState.BOUNCED: 3}
    state = DeliveryState.PENDING
    for event in events:
        try:
            after = next_delivery_state(state, event)
        except IllegalTransition:
            continue
        assert rank.get(after, 0) >= rank.get(state, 0)
        state = after


def test_a_letter_once_accepted_delivered_bounced_or_refused_is_never_claimed_again() -> None:
    settled = [DeliveryState.ACCEPTED, DeliveryState.DELIVERED, DeliveryState.BOUNCED, DeliveryState.FAILED]
    reachable = set(settled)
    for _ in DeliveryState:
        reachable |= {DeliveryState(after) for state in reachable for after in DELIVERY[state.value].values()}
    assert not reachable & {DeliveryState.LEASED, *SENDABLE_STATES}


def test_an_answer_lost_and_sent_once_more_is_settled_by_a_late_report() -> None:
    events = ["claim", "lose_answer", "claim", "defer", "report_delivered"]
    assert fold_delivery(DeliveryEvent(event) for event in events) is DeliveryState.DELIVERED


def test_spent_tries_need_a_person_for_a_contact_and_fail_for_a_follower() -> None:
    assert {
        audience: next_delivery_state(DeliveryState.LEASED, choose_exhausted_event(audience)) for audience in Audience
    } == {Audience.CUSTOMER: DeliveryState.NEEDS_ATTENTION, Audience.FOLLOWER: DeliveryState.FAILED}
