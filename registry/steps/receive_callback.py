"""A provider's callback, verified and read, becomes an outcome on record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from registry.channels.resend_events import CallbackEvent, CallbackKind
from registry.domain.outcomes import OutcomeKind, choose_bounce_kind
from registry.readers.delivery_status import find_status
from registry.steps.check_addresses import find_check, record_check_outcome
from registry.steps.record import Actor
from registry.steps.record_outcome import record_outcome

RESEND: Final = "resend"
"""The channel's name, under which attempts by it stand in the record."""
BY_CALLBACK: Final = Actor(RESEND, "callback")

_KINDS: Final[Mapping[CallbackKind, OutcomeKind]] = {
    CallbackKind.SENT: OutcomeKind.SENT,
    CallbackKind.DELIVERED: OutcomeKind.DELIVERED,
    CallbackKind.DELAYED: OutcomeKind.DELAYED,
    CallbackKind.COMPLAINED: OutcomeKind.COMPLAINED,
    # The provider says bounced: the letter is lost (DESIGN §4.4). Nobody blames the address.
    CallbackKind.BOUNCED_UNDETERMINED: OutcomeKind.GAVE_UP,
    CallbackKind.FAILED: OutcomeKind.FAILED,
    CallbackKind.SUPPRESSED: OutcomeKind.SUPPRESSED,
}
# Amazon SES, which sends for Resend, reports a transient bounce once it has stopped trying, and an automatic reply in
# the same way, as "General". These are never an automatic reply. They stand second in the event's details.
_LOST_FOR_NOW: Final = frozenset({"mailboxfull", "messagetoolarge", "contentrejected", "attachmentrejected"})


def receive_callback(session: Session, now: datetime, event: CallbackEvent) -> bool:
    """Record what a callback of Resend says; return False where that was known, or says nothing of a letter's fate."""
    kind = _choose_kind(event)
    if kind is None:
        return False
    check = find_check(session, event.message_id) if event.message_id is not None else None
    if check is not None:
        return record_check_outcome(session, now, check, kind, BY_CALLBACK)
    return record_outcome(
        session,
        now,
        provider=RESEND,
        event_id=event.event_id,
        message_id=event.message_id,
        provider_ref=event.email_id,
        kind=kind,
        happened_at=event.happened_at,
        actor=BY_CALLBACK,
        detail=event.detail or None,
    )


def _choose_kind(event: CallbackEvent) -> OutcomeKind | None:
    if event.kind is CallbackKind.BOUNCED_PERMANENT:
        return choose_bounce_kind(find_status(event.detail), is_permanent=True, gave_up=True)
    if event.kind is CallbackKind.BOUNCED_TRANSIENT:
        words = event.detail.lower().split("; ")
        return OutcomeKind.GAVE_UP if _LOST_FOR_NOW & set(words[1:2]) else OutcomeKind.BOUNCED_TRANSIENT
    return _KINDS.get(event.kind)
