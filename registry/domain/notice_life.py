"""The life of a notice: its states, what moves it on, and which states mean what (R14)."""

from __future__ import annotations

from enum import StrEnum

from registry.domain.errors import IllegalTransition


class NoticeState(StrEnum):
    """Where a notice stands. `held`: announced, its date has come, and somebody named keeps it from effect (R22)."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    PUBLISHED = "published"
    ANNOUNCED = "announced"
    HELD = "held"
    IN_EFFECT = "in_effect"
    WITHDRAWN = "withdrawn"


class NoticeEvent(StrEnum):
    """What happens to a notice.

    `approve` is the approval that makes up the number the publisher requires; where none is required the step that
    publishes records `submit` and `approve` itself. `edit` is a change of content or target, which voids approvals
    (R16).
    """

    SUBMIT = "submit"
    APPROVE = "approve"
    EDIT = "edit"
    PUBLISH = "publish"
    ANNOUNCE = "announce"
    HOLD = "hold"
    RELEASE = "release"
    TAKE_EFFECT = "take_effect"
    WITHDRAW = "withdraw"


EDITABLE_STATES = frozenset({NoticeState.DRAFT, NoticeState.SUBMITTED, NoticeState.APPROVED})
"""Content may still change. From `published` on it is frozen (R14)."""

PENDING_STATES = frozenset({NoticeState.ANNOUNCED, NoticeState.HELD})
"""Told to customers and not yet in effect: shown as upcoming, and sent to joiners (R18)."""

PUBLIC_STATES = PENDING_STATES | {NoticeState.IN_EFFECT}
"""Shown on the page, in files and feeds. A withdrawn notice is shown too, if it was ever announced (R14)."""

FINAL_STATES = frozenset({NoticeState.IN_EFFECT, NoticeState.WITHDRAWN})

OPEN_STATES = frozenset(NoticeState) - FINAL_STATES
"""An entry stands in at most one notice of these states (R4)."""

_NEXT = {
    (NoticeState.DRAFT, NoticeEvent.EDIT): NoticeState.DRAFT,
    (NoticeState.SUBMITTED, NoticeEvent.EDIT): NoticeState.DRAFT,
    (NoticeState.APPROVED, NoticeEvent.EDIT): NoticeState.DRAFT,
    (NoticeState.DRAFT, NoticeEvent.SUBMIT): NoticeState.SUBMITTED,
    (NoticeState.SUBMITTED, NoticeEvent.APPROVE): NoticeState.APPROVED,
    (NoticeState.APPROVED, NoticeEvent.PUBLISH): NoticeState.PUBLISHED,
    (NoticeState.PUBLISHED, NoticeEvent.ANNOUNCE): NoticeState.ANNOUNCED,
    (NoticeState.ANNOUNCED, NoticeEvent.HOLD): NoticeState.HELD,
    (NoticeState.HELD, NoticeEvent.RELEASE): NoticeState.ANNOUNCED,
    # A held notice is released first, so that the record says when its last hold ended.
    (NoticeState.ANNOUNCED, NoticeEvent.TAKE_EFFECT): NoticeState.IN_EFFECT,
    **{(state, NoticeEvent.WITHDRAW): NoticeState.WITHDRAWN for state in OPEN_STATES},
}


def next_notice_state(state: NoticeState, event: NoticeEvent) -> NoticeState:
    """Return the state of a notice after `event` (R14). Raises `IllegalTransition` for a step its life lacks."""
    try:
        return _NEXT[state, event]
    except KeyError:
        raise IllegalTransition(machine="notice", state=state, event=event) from None
