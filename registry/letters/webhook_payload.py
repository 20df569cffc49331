"""What a webhook carries: one JSON document a statement, by the shape of the Standard Webhooks specification.

`registry/writers/webhook-payload.schema.json` is its schema, and docs/webhooks.md explains it. Fields may be added
within a version; a change that breaks readers gets a new one.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from registry.domain.vocabulary import Audience, StatementKind
from registry.letters.values import StatementFacts
from registry.letters.web_slots import WebSlot, freeze_document, refuse_marks_within

PAYLOAD_VERSION: Final = 1

EVENT_TYPES: Final = {
    StatementKind.ANNOUNCEMENT: "notice.announced",
    StatementKind.CORRECTION: "notice.corrected",
    StatementKind.REMINDER: "notice.reminder",
    StatementKind.POSTPONEMENT: "notice.postponed",
    StatementKind.WITHDRAWAL: "notice.withdrawn",
    StatementKind.EFFECT: "notice.in_effect",
}
"""The `type` of each kind of statement."""

WITHOUT_DEADLINE: Final = frozenset({StatementKind.WITHDRAWAL, StatementKind.EFFECT})
"""Statements after which objecting makes no sense, as in letters."""


def freeze_payload(facts: StatementFacts, audience: Audience, made_at: datetime) -> str:
    """Return the payload of a statement made at `made_at` (UTC) for one audience, open where recipients differ.

    Changes stand in it as in the list's JSON file. Instants are UTC, dates local to the publisher's `time_zone`; null
    is "not stated", and for `effective_on` and `effective_at` "until further notice". Raises `BrokenSlot`.
    """
    refuse_marks_within(asdict(facts))
    kind, sender = StatementKind(facts.kind), facts.sender
    return freeze_document(
        {
            "type": EVENT_TYPES[kind],
            "timestamp": say_instant(made_at),
            "data": {
                "version": PAYLOAD_VERSION,
                "publisher": {
                    "slug": sender.slug,
                    "name": sender.name,
                    "legal_name": sender.legal_name,
                    "contact": sender.contact,
                    "time_zone": sender.time_zone,
                    "page": sender.page_url,
                },
                "notice": {
                    "number": facts.number,
                    "url": facts.notice_url,
                    "statement": facts.seq,
                    "summary": facts.summary,
                    "explanation": facts.explanation or None,
                    "announced_at": say_instant(facts.announced_at),
                    "effective_on": facts.effective_on.isoformat() if facts.effective_on else None,
                    "effective_at": say_instant(facts.effective_at) if facts.effective_at else None,
                    "previous_effective_on": (
                        facts.previous_effective_on.isoformat() if facts.previous_effective_on else None
                    ),
                    "took_effect_at": say_instant(facts.took_effect_at) if facts.took_effect_at else None,
                    "emergency_reason": facts.emergency_reason,
                    "reason": facts.reason,
                },
                "changes": [change.as_document() for change in facts.changes],
                "recipient": _recipient(kind, audience),
            },
        }
    )


def say_instant(at: datetime) -> str:
    """Return an aware instant as the payload has it: UTC, to the second, ending in Z."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _recipient(kind: StatementKind, audience: Audience) -> dict[str, Any]:
    is_customer = audience is Audience.CUSTOMER
    customer = {"key": WebSlot.CUSTOMER_KEY.mark, "name": WebSlot.CUSTOMER_NAME.mark}
    deadline = {
        "at": WebSlot.DEADLINE_AT.mark,
        "on": WebSlot.DEADLINE_ON.mark,
        "time_zone": WebSlot.DEADLINE_ZONE.mark,
    }
    may_object = is_customer and kind not in WITHOUT_DEADLINE
    return {
        "audience": audience.value,
        "customer": customer if is_customer else None,
        "objection_deadline": deadline if may_object else None,
        "object_url": WebSlot.OBJECT_URL.mark if may_object else None,
        "acknowledge_url": WebSlot.ACKNOWLEDGE_URL.mark if may_object else None,
        "delivery": WebSlot.DELIVERY_REFERENCE.mark,
    }
