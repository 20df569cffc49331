"""A notice in words for the team: its stations, what comes next and who does it, and what its record says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from registry.domain.effect import Hold, HoldReason
from registry.domain.notice_life import NoticeState
from registry.domain.notices import EarliestEffect
from registry.domain.vocabulary import Weight
from registry.pages.wording import count_of, short_date
from registry.queries.notice_page import ApprovalGiven, Approver, EventRow
from registry.tables import Notice
from registry.web.team.record_rows import show_value, split_actor
from registry.web.team.record_sentences import say_act

STATE_NAMES: Final = {
    NoticeState.DRAFT: "Draft",
    NoticeState.SUBMITTED: "Submitted",
    NoticeState.APPROVED: "Approved",
    NoticeState.PUBLISHED: "Published, not announced yet",
    NoticeState.ANNOUNCED: "Announced",
    NoticeState.HELD: "On hold",
    NoticeState.IN_EFFECT: "In effect",
    NoticeState.WITHDRAWN: "Withdrawn",
}
STATE_TONES: Final = {
    NoticeState.SUBMITTED: "busy",
    NoticeState.APPROVED: "busy",
    NoticeState.HELD: "bad",
    NoticeState.IN_EFFECT: "good",
}
WEIGHTS: Final = {
    Weight.BINDING: ("Binding", "customers must be told ahead, and it waits for their clocks"),
    Weight.INFORMING: ("Informing", "customers are told, and nothing waits for them"),
    Weight.EDITORIAL: ("Editorial", "it needs no notice, and nobody would be told"),
}
COUNTED: Final = {
    "waiting": "without proof of receipt",
    "received": "received it",
    "deemed": "deemed to have received it",
    "served": "served by other means",
    "exempt": "exempt",
    "overridden": "set aside by two people",
    "dropped": "whose contract ended",
}
STANDINGS: Final = {
    "waiting": "Nothing proves receipt yet",
    "received": "Received",
    "deemed": "Deemed received, by a clause of the contract",
    "served": "Served by other means",
    "exempt": "Exempt",
    "overridden": "Hold set aside by two people",
    "dropped": "Contract ended",
}
_HOLDS: Final = {
    HoldReason.NOT_RECEIVED: "nothing proves that it received the notice",
    HoldReason.CLOCK_RUNNING: "its notice period is still running",
    HoldReason.OBJECTION_OPEN: "its objection is open",
    HoldReason.APPROVAL_MISSING: "its contract asks for its approval, which is missing",
    HoldReason.TERMS_UNREADABLE: (
        "its terms cannot be read, so nothing can be decided for it: set them anew (registry notice add-customer)"
    ),
}


def say_state(state: str) -> str:
    """Return the state of a notice as its team reads it."""
    return STATE_NAMES[NoticeState(state)]


def tone_of(state: str) -> str:
    """Return the tone of a state's badge."""
    return STATE_TONES.get(NoticeState(state), "calm")


def say_event(event: EventRow) -> str:
    """Return an act on record in words, as the record says it; which customer it was about stands there."""
    return say_act(event.kind, {name: show_value(value) for name, value in event.payload.items()})


def say_actor(event: EventRow) -> str:
    """Return who did an act, without the road."""
    name, via, _ = split_actor(event.actor)
    return "the service itself" if via == "worker" else name


def say_hold(hold: Hold) -> str:
    """Return why a customer holds a notice."""
    return _HOLDS[hold.reason]


def say_earliest(earliest: EarliestEffect) -> str:
    """Say whose clock decides the first day on which a notice may take effect, and how it is counted."""
    counted = "working days" if earliest.counting == "business" else "days"
    period = "of notice" if earliest.rule == "notice" else "to object"
    first_on = short_date(earliest.effective_on)
    if earliest.governed_by_name is None:
        return (
            f"Your own terms give {earliest.days} {counted} {period}. Counted in {earliest.zone} from the day of the "
            f"announcement, the first day after them is {first_on}."
        )
    return (
        f"{earliest.governed_by_name} has {earliest.days} {counted} {period}. Counted in {earliest.zone} from its "
        f"receipt, planned for {short_date(earliest.clock.received_on)}, the first day after them is {first_on}."
    )


@dataclass(frozen=True)
class Station:
    """One station of a notice's life. `place` is done, here or ahead; `note` says who, or why."""

    label: str
    place: str
    at: datetime | None = None
    note: str | None = None


def list_stations(notice: Notice, submitted_at: datetime | None, approvals: Approvals) -> list[Station]:
    """Return the stations a notice has passed, the one it is at, and those ahead of it."""
    state = NoticeState(notice.state)
    last_approval = approvals.given[-1].at if approvals.given else None
    approved_by = ", ".join(each.actor for each in approvals.given) or (None if approvals.required else "none required")
    announced = "Announced, and on hold" if state is NoticeState.HELD else "Announced"
    # A station, whether the notice came past it, when, and by whom.
    passed = [
        ("Draft", NoticeState.DRAFT, notice.created_at, notice.author),
        ("Submitted", NoticeState.SUBMITTED, submitted_at, None),
        ("Approved", NoticeState.APPROVED, last_approval, approved_by),
        ("Published", NoticeState.PUBLISHED, notice.published_at, None),
        (announced, NoticeState.ANNOUNCED, notice.announced_at, None),
        ("In effect", NoticeState.IN_EFFECT, notice.took_effect_at, None),
    ]
    order = [each for _, each, _, _ in passed]
    if state is NoticeState.WITHDRAWN:
        told = notice.announced_at is not None
        reached = order.index(NoticeState.ANNOUNCED) if told else 0
        done = [Station(label, "done", at, note) for label, _, at, note in passed[: reached + 1]]
        return [*done, Station("Withdrawn", "here", notice.withdrawn_at)]
    here = order.index(NoticeState.ANNOUNCED if state is NoticeState.HELD else state)
    return [
        Station(
            label,
            "done" if n < here else "here" if n == here else "ahead",
            at if n <= here else None,
            note if n <= here else None,
        )
        for n, (label, _, at, note) in enumerate(passed)
    ]


@dataclass(frozen=True)
class Approvals:
    """How far the approvals of a notice are: how many it needs and has, and whom they can still come from."""

    required: int
    given: tuple[ApprovalGiven, ...]
    approvers: tuple[Approver, ...]
    authors: frozenset[str]

    @property
    def counted(self) -> int:
        """How many of those given count: not those of its authors, where approvals are required (R16)."""
        own = {author.strip().casefold() for author in self.authors} if self.required else set()
        return len({each.actor.strip().casefold() for each in self.given} - own)

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is needed."""
        return self.counted >= self.required

    @property
    def open_to(self) -> tuple[Approver, ...]:
        """Who may still approve: those who hold the role, did not write it and have not approved yet."""
        given = {each.actor.strip().casefold() for each in self.given}
        return tuple(each for each in self.approvers if not each.wrote_it and each.email not in given)

    @property
    def shut_out(self) -> tuple[Approver, ...]:
        """Who holds the role and may not approve, since they wrote it."""
        return tuple(each for each in self.approvers if each.wrote_it) if self.required else ()


def say_next(notice: Notice, approvals: Approvals, *, binds: bool, is_refused: bool) -> str:
    """Say what comes next for a notice, and who does it.

    `binds`: at least one of its changes does. `is_refused`: it cannot be published with its date, or its hour has come
    and it cannot be announced.
    """
    wanted = approvals.required - approvals.counted
    who = _names([each.name for each in approvals.open_to])
    missing = count_of(wanted, "approval", "approvals")
    match NoticeState(notice.state):
        case NoticeState.DRAFT | NoticeState.SUBMITTED | NoticeState.APPROVED if is_refused:
            return "An editor gives it another date."
        case NoticeState.DRAFT if approvals.required:
            return "An editor submits it. Then somebody who did not write it approves it."
        case NoticeState.DRAFT:
            return "An editor submits it, or an approver publishes it at once: no approval is required here."
        case NoticeState.SUBMITTED | NoticeState.APPROVED if 0 < len(approvals.open_to) < wanted:
            return (
                f"It needs {missing}{' more' if approvals.counted else ''}, and only {who} can give one: the others "
                "who may approve wrote it or have approved it. An owner can make somebody else an approver."
            )
        case NoticeState.SUBMITTED | NoticeState.APPROVED if not approvals.is_complete and who:
            return (
                f"It needs {missing} more. {who} can give it."
                if approvals.counted
                else f"It needs {missing}, which {who} can give."
            )
        case NoticeState.SUBMITTED | NoticeState.APPROVED if not approvals.is_complete:
            return (
                f"It needs {missing}{' more' if approvals.counted else ''}, and nobody here can give one: everybody "
                "who may approve wrote it or has approved it. An owner can make somebody else an approver."
            )
        case NoticeState.SUBMITTED | NoticeState.APPROVED:
            return "An approver publishes it. Nobody outside has heard of it yet."
        case NoticeState.PUBLISHED if is_refused:
            return (
                "Its hour has come, and it cannot be announced. Nobody was told of it. An approver takes it back, and "
                "its edits wait for another notice with a later date."
            )
        case NoticeState.PUBLISHED:
            return "It is announced by itself at its hour. Until then an approver can take it back, and nobody is told."
        case NoticeState.ANNOUNCED if notice.emergency_reason:
            return "It takes effect by itself on its day. It is an emergency, so no customer can hold it."
        case NoticeState.ANNOUNCED if not binds:
            return "It takes effect by itself on its day. Nothing in it binds, so no customer can hold it."
        case NoticeState.ANNOUNCED:
            return "It takes effect by itself on its day, unless a customer holds it."
        case NoticeState.HELD:
            return "It takes effect on the first midnight after nobody holds it any more, and not before the date told."
        case NoticeState.IN_EFFECT:
            return "Nothing more: the list says it. Another change needs another notice."
        case _:
            return "Nothing more. Its number is not given again."


def _names(names: Sequence[str]) -> str:
    most = 4
    shown = list(names[:most])
    if len(names) > most:
        return ", ".join(shown) + f" or one of {len(names) - most} others"
    return " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
