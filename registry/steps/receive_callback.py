"""A provider's callback, verified and read, becomes an outcome on record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from registry.channels.resend_events import CallbackEvent, CallbackKind
from registry.domain.outcomes import OutcomeKind
from registry.readers.delivery_status import find_class, find_status
from registry.steps.bounce_kinds import choose_kind_by_words
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
# Nor is one with a refusal: it stands behind "smtp;", or a part of the details begins with its code. An automatic reply
# comes with no more than Amazon's own words, and whatever number somebody may write in one begins no part.
_BEFORE_REFUSAL: Final = re.compile(r";\s*(?:smtp\s*;|(?=[45](?:[0-5]\d[ -]|\.\d{1,3}\.\d)))", re.IGNORECASE)


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
        return choose_kind_by_words(find_status(event.detail), event.detail, is_permanent=True, gave_up=True)
    if event.kind is CallbackKind.BOUNCED_TRANSIENT:
        return OutcomeKind.GAVE_UP if _is_lost(event.detail) else OutcomeKind.BOUNCED_TRANSIENT
    return _KINDS.get(event.kind)


def _is_lost(detail: str) -> bool:
    """Return whether a transient bounce says that its letter is lost; the address may work all the same."""
    if _LOST_FOR_NOW & set(detail.lower().split("; ")[1:2]):
        return True
    _, *said = _BEFORE_REFUSAL.split(detail, maxsplit=1)
    return bool(said) and find_class(said[0]) in ("4", "5")
