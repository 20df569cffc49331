"""What proves receipt, and whose clock it starts (R12)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from registry.domain.deliveries import (
    DeliveryState,
    EvidenceGrade,
    Receipt,
    can_prove_receipt,
    choose_grade,
    choose_receipt_at,
    receipt_counts,
)
from registry.domain.terms import Terms

ACCEPTED_SUFFICES = Terms(time_zone="Europe/Berlin", clock_starts_on="accepted")
DELIVERED_NEEDED = Terms(time_zone="Europe/Berlin", clock_starts_on="delivered")
BY_WEBHOOK = Terms(time_zone="Europe/Berlin", receipt_by_webhook=True)


@pytest.mark.parametrize(
    ("grade", "terms", "demo", "counts"),
    [
        (EvidenceGrade.ACCEPTED, ACCEPTED_SUFFICES, False, True),
        (EvidenceGrade.DELIVERED, ACCEPTED_SUFFICES, False, True),
        (EvidenceGrade.ACCEPTED, DELIVERED_NEEDED, False, False),
        (EvidenceGrade.DELIVERED, DELIVERED_NEEDED, False, True),
        (EvidenceGrade.OUTBOX, ACCEPTED_SUFFICES, False, False),
        (EvidenceGrade.OUTBOX, DELIVERED_NEEDED, False, False),
        (EvidenceGrade.OUTBOX, ACCEPTED_SUFFICES, True, True),
        (EvidenceGrade.OUTBOX, DELIVERED_NEEDED, True, True),
        (EvidenceGrade.ACCEPTED, DELIVERED_NEEDED, True, False),
    ],
)
def test_receipt_counts_at_the_grade_the_terms_name(
    grade: EvidenceGrade, terms: Terms, demo: bool, counts: bool
) -> None:
    assert receipt_counts(grade, terms, demo) is counts


@pytest.mark.parametrize("demo", [False, True])
def test_a_webhook_counts_only_where_terms_say_so_and_chat_never(demo: bool) -> None:
    assert not receipt_counts(EvidenceGrade.DELIVERED, ACCEPTED_SUFFICES, demo, "webhook")
    assert receipt_counts(EvidenceGrade.ACCEPTED, BY_WEBHOOK, demo, "webhook")
    for chat in ("slack", "teams"):
        assert not receipt_counts(EvidenceGrade.DELIVERED, BY_WEBHOOK, demo, chat)


@pytest.mark.parametrize(
    ("channel_kind", "terms", "can"),
    [
        ("email", ACCEPTED_SUFFICES, True),
        ("email", DELIVERED_NEEDED, True),
        ("webhook", ACCEPTED_SUFFICES, False),
        ("webhook", BY_WEBHOOK, True),
        ("webhook", BY_WEBHOOK.model_copy(update={"clock_starts_on": "delivered"}), False),
        ("slack", BY_WEBHOOK, False),
        ("teams", BY_WEBHOOK, False),
    ],
)
def test_a_channel_can_prove_receipt_where_the_best_it_ever_says_counts(
    channel_kind: str, terms: Terms, can: bool
) -> None:
    assert can_prove_receipt(channel_kind, terms) is can


def test_only_accepted_and_delivered_prove_anything_and_the_outbox_is_not_sent() -> None:
    proving = {state: choose_grade(state, outbox=False) for state in DeliveryState}
    assert {state: grade for state, grade in proving.items() if grade is not None} == {
        DeliveryState.ACCEPTED: EvidenceGrade.ACCEPTED,
        DeliveryState.DELIVERED: EvidenceGrade.DELIVERED,
    }
    assert choose_grade(DeliveryState.ACCEPTED, outbox=True) is EvidenceGrade.OUTBOX
    assert choose_grade(DeliveryState.BOUNCED, outbox=True) is None


def test_the_earliest_receipt_that_counts_starts_the_clock() -> None:
    def at(day: int) -> datetime:
        return datetime(2026, 10, day, tzinfo=UTC)

    receipts = [
        Receipt(at(1), EvidenceGrade.DELIVERED, "slack"),
        Receipt(at(4), EvidenceGrade.DELIVERED),
        Receipt(at(2), EvidenceGrade.OUTBOX),
        Receipt(at(3), EvidenceGrade.ACCEPTED),
    ]
    assert choose_receipt_at(receipts, ACCEPTED_SUFFICES, demo=False) == at(3)
    assert choose_receipt_at(receipts, DELIVERED_NEEDED, demo=False) == at(4)
    assert choose_receipt_at(receipts, ACCEPTED_SUFFICES, demo=True) == at(2)
    assert choose_receipt_at(receipts[:1], ACCEPTED_SUFFICES, demo=True) is None
