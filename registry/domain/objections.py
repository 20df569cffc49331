"""Objections of customers: their life, and whether they are in time (R25). Who holds is in `registry.domain.effect`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum

from registry.domain.errors import IllegalTransition, InvalidInput, Problem
from registry.domain.text import Line, LongText
from registry.domain.validation import Document, read_model


class ObjectionState(StrEnum):
    """Where an objection stands: two open states, the five cures (R25), and moot when the notice was withdrawn."""

    RECEIVED = "received"
    UNDER_REVIEW = "under_review"
    ACCOMMODATED = "accommodated"
    WITHDRAWN = "withdrawn"
    TERMINATED = "terminated"
    REFUNDED = "refunded"
    RESOLVED_OTHERWISE = "resolved_otherwise"
    MOOT = "moot"


class ObjectionEvent(StrEnum):
    """What happens to an objection.

    The publisher takes it up or accommodates it; the customer withdraws it; the contract is terminated, with or without
    a refund; something else settles it, in writing; or the notice it is about is withdrawn.
    """

    TAKE_UP = "take_up"
    ACCOMMODATE = "accommodate"
    WITHDRAW = "withdraw"
    TERMINATE = "terminate"
    REFUND = "refund"
    RESOLVE_OTHERWISE = "resolve_otherwise"
    NOTICE_WITHDRAWN = "notice_withdrawn"


class ObjectionRoad(StrEnum):
    """How an objection came: by the link in a letter, or by another road, as a person of the team recorded it."""

    LINK = "link"
    EMAIL = "email"
    POST = "post"
    PHONE = "phone"
    OTHER = "other"


class NoteKind(StrEnum):
    """What stands in an objection's thread.

    The team's own note, and its reply to the customer; what the customer added by the link, and why it withdrew; and
    that the customer's contacts were told of it (R25), which has no words of its own.
    """

    NOTE = "note"
    REPLY = "reply"
    ADDITION = "addition"
    WITHDRAWAL = "withdrawal"
    TOLD = "told"


class ObjectionWords(Document):
    """What somebody objects with: the ground, and who they say they are."""

    ground: LongText
    name: Line | None = None
    company: Line | None = None


class ThreadWords(Document):
    """Words for an objection's thread."""

    text: LongText


def read_objection_words(ground: str, name: str, company: str) -> ObjectionWords:
    """Return what was typed into a form, cleaned; what is blank was not said.

    Raises `InvalidInput` naming `ground`, `name` or `company`. An objection without a ground says nothing that could be
    answered.
    """
    if not ground.strip():
        raise InvalidInput([Problem("ground", ground, "objection-without-ground")])
    return read_model(
        ObjectionWords, {"ground": ground, "name": name.strip() or None, "company": company.strip() or None}
    )


def read_thread_words(text: str, field: str = "text") -> str:
    """Return words for a thread, cleaned. Raises `InvalidInput` naming `field`."""
    if not text.strip():
        raise InvalidInput([Problem(field, text, "nothing-written")])
    try:
        return read_model(ThreadWords, {"text": text}).text
    except InvalidInput as error:
        raise InvalidInput([Problem(field, each.value, each.code, each.params) for each in error.problems]) from None


def choose_objected(
    changes: Mapping[str, str], chosen: Collection[str], field: str = "changes"
) -> tuple[str, ...] | None:
    """Return which of a notice's changes an objection is about, by the entries' keys; None for all of them.

    `changes` are the notice's, key and name. Raises `InvalidInput` naming `field` where none was chosen, or one that
    the notice does not have.
    """
    unknown = next((key for key in chosen if key not in changes), None)
    if unknown is not None:
        raise InvalidInput([Problem(field, unknown, "not-a-change-of-notice")])
    if not chosen:
        raise InvalidInput([Problem(field, None, "no-change-chosen")])
    about = tuple(key for key in changes if key in chosen)
    return None if len(about) == len(changes) else about


OPEN_OBJECTION_STATES = frozenset({ObjectionState.RECEIVED, ObjectionState.UNDER_REVIEW})

_CLOSING = {
    ObjectionEvent.ACCOMMODATE: ObjectionState.ACCOMMODATED,
    ObjectionEvent.WITHDRAW: ObjectionState.WITHDRAWN,
    ObjectionEvent.TERMINATE: ObjectionState.TERMINATED,
    ObjectionEvent.REFUND: ObjectionState.REFUNDED,
    ObjectionEvent.RESOLVE_OTHERWISE: ObjectionState.RESOLVED_OTHERWISE,
    ObjectionEvent.NOTICE_WITHDRAWN: ObjectionState.MOOT,
}

_NEXT = {
    (ObjectionState.RECEIVED, ObjectionEvent.TAKE_UP): ObjectionState.UNDER_REVIEW,
    # What was paid ahead is often settled after the contract has ended.
    (ObjectionState.TERMINATED, ObjectionEvent.REFUND): ObjectionState.REFUNDED,
    **{(state, event): closed for state in OPEN_OBJECTION_STATES for event, closed in _CLOSING.items()},
}


def next_objection_state(state: ObjectionState, event: ObjectionEvent) -> ObjectionState:
    """Return the state of an objection after `event` (R25).

    Raises `IllegalTransition` for a step the life does not have. A closed objection is not opened again: a customer
    who objects anew has a new one, with its own date of receipt.
    """
    try:
        return _NEXT[state, event]
    except KeyError:
        raise IllegalTransition(machine="objection", state=state, event=event) from None


def is_in_time(
    received_at: datetime, printed_deadline_at: datetime | None, computed_deadline_at: datetime | None
) -> bool:
    """Return whether an objection received at `received_at` is in time: by the later of the two deadlines (R25).

    Deadlines are the instants at which the last day has ended, so the last day counts to its last hour (Reg. (EEC,
    Euratom) 1182/71 art. 3(2)(b)). `printed_deadline_at` is what the customer's letter said, None where no letter was
    rendered; `computed_deadline_at` follows from its receipt, None while nothing proves receipt. Such a customer's
    period has not begun, so it cannot have ended.
    """
    if computed_deadline_at is None:
        return True
    deadline_at = max(computed_deadline_at, printed_deadline_at or computed_deadline_at)
    return received_at < deadline_at
