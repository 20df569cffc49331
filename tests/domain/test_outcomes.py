"""What reports come to, whatever the order they come in, and what a bounce says of its address (R12, R26)."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.deliveries import REPORTABLE_STATES, DeliveryState, next_delivery_state
from registry.domain.outcomes import (
    EVENTS,
    LOST,
    SUPPRESSES,
    OutcomeKind,
    SuppressionReason,
    choose_bounce_kind,
    outranks,
)

KINDS = st.lists(st.sampled_from(list(OutcomeKind)), max_size=8)


def fold(state: DeliveryState, kinds: list[OutcomeKind]) -> DeliveryState:
    for kind in kinds:
        if kind in EVENTS:
            state = next_delivery_state(state, EVENTS[kind])
    return state


@given(st.sampled_from(sorted(REPORTABLE_STATES)), KINDS, st.randoms())
def test_reports_in_any_order_and_number_come_to_the_same_and_nothing_moves_backwards(
    state: DeliveryState, kinds: list[OutcomeKind], random: object
) -> None:
    shuffled = [*kinds, *kinds[: len(kinds) // 2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    final = fold(state, kinds)
    assert fold(state, shuffled) == final
    if state is DeliveryState.BOUNCED or LOST & set(kinds):
        assert final is DeliveryState.BOUNCED
    elif EVENTS.keys() & set(kinds):
        assert final is DeliveryState.DELIVERED
    else:
        assert final is state


@pytest.mark.parametrize(
    "kind",
    [
        OutcomeKind.SENT,
        OutcomeKind.RELAYED,
        OutcomeKind.EXPANDED,
        OutcomeKind.DELAYED,
        OutcomeKind.BOUNCED_TRANSIENT,
    ],
)
def test_what_is_only_on_record_moves_and_suppresses_nothing(kind: OutcomeKind) -> None:
    assert kind not in EVENTS
    assert kind not in SUPPRESSES


def test_only_what_speaks_of_the_address_suppresses_it() -> None:
    assert set(SUPPRESSES) == {OutcomeKind.BOUNCED, OutcomeKind.COMPLAINED, OutcomeKind.SUPPRESSED}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (None, OutcomeKind.BOUNCED),
        ("5.0.0", OutcomeKind.BOUNCED),
        ("5.1.1", OutcomeKind.BOUNCED),
        ("5.1.10", OutcomeKind.BOUNCED),
        ("5.2.1", OutcomeKind.BOUNCED),
        ("5.4.1", OutcomeKind.BOUNCED),
        ("5.4.0", OutcomeKind.BOUNCED),
        ("5.4.4", OutcomeKind.BOUNCED),
        ("5.4.310", OutcomeKind.BOUNCED),
        ("5.7.1", OutcomeKind.REFUSED),
        ("5.7.26", OutcomeKind.REFUSED),
        ("5.6.0", OutcomeKind.REFUSED),
        ("5.5.2", OutcomeKind.REFUSED),
        ("5.3.4", OutcomeKind.REFUSED),
        ("5.1.8", OutcomeKind.REFUSED),
        ("5.1.90", OutcomeKind.REFUSED),
        ("5.2.2", OutcomeKind.GAVE_UP),
        ("5.2.121", OutcomeKind.GAVE_UP),
        ("5.2.122", OutcomeKind.GAVE_UP),
        ("5.3.0", OutcomeKind.GAVE_UP),
        ("5.4.5", OutcomeKind.GAVE_UP),
        ("5.4.7", OutcomeKind.GAVE_UP),
        ("5.4.8", OutcomeKind.GAVE_UP),
        ("5.4.14", OutcomeKind.GAVE_UP),
        ("5.4.300", OutcomeKind.GAVE_UP),
        ("5.4.312", OutcomeKind.GAVE_UP),
        ("5.4.316", OutcomeKind.GAVE_UP),
        ("5.4.317", OutcomeKind.GAVE_UP),
        ("5.4.318", OutcomeKind.GAVE_UP),
        ("5.4.319", OutcomeKind.GAVE_UP),
    ],
)
def test_a_letter_lost_for_good_counts_against_the_address_only_where_the_code_blames_it(
    status: str | None, kind: OutcomeKind
) -> None:
    assert choose_bounce_kind(status, is_permanent=True, gave_up=True) is kind


@given(st.none() | st.from_regex(r"[245]\.[0-7]\.[0-9]{1,3}", fullmatch=True), st.booleans(), st.booleans())
def test_a_bounce_of_any_code_has_a_kind_and_one_that_is_not_final_moves_nothing(
    status: str | None, is_permanent: bool, gave_up: bool
) -> None:
    kind = choose_bounce_kind(status, is_permanent=is_permanent, gave_up=gave_up)
    assert (kind in LOST) is gave_up
    assert (kind is OutcomeKind.DELAYED) is not gave_up
    if not is_permanent:
        assert kind not in SUPPRESSES


def test_of_several_reasons_the_weightiest_stands_in_whatever_order_they_came() -> None:
    for order in permutations(SuppressionReason):
        standing = order[0]
        for reason in order[1:]:
            standing = reason if outranks(reason, standing) else standing
        assert standing is SuppressionReason.BY_HAND
