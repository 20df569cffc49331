"""A notice's status in words: the whole of it for those who run it."""

from __future__ import annotations

from collections.abc import Iterator

from registry.cli.plan_lines import change_document
from registry.cli.printing import count_of, one_line, plain, say_at, say_end, stamp, table, words_of
from registry.domain.deliveries import ON_ITS_WAY, OUTBOX
from registry.domain.effect import Hold, HoldReason
from registry.i18n import show_day
from registry.letters.wording import NO_DATE, say_kinds
from registry.steps.notice_status import AttemptStatus, DeliveryStatus, NoticeStatus

WRITTEN = "written, not sent"
"""How a letter stands that lies in the outbox, where a state stands alone."""
WRITTEN_AMONG = "written and not sent"
"""The same where commas part several states."""

REASONS = {
    HoldReason.NOT_RECEIVED: "nothing proves yet that it received the notice",
    HoldReason.CLOCK_RUNNING: "its period runs",
    HoldReason.OBJECTION_OPEN: "it has objected in time, and the objection is open",
    HoldReason.APPROVAL_MISSING: "it has not given the approval that its contract asks for",
    HoldReason.TERMS_UNREADABLE: (
        "its terms cannot be read, so nothing can be decided for it: set them anew (registry notice add-customer)"
    ),
}


def is_on_its_way(status: NoticeStatus) -> bool:
    """Return whether any letter of the notice waits, is being sent, or will be tried again."""
    return any(delivery.state in ON_ITS_WAY for delivery in status.deliveries)


def status_document(status: NoticeStatus) -> dict[str, object]:
    """Return a status as JSON has it, with a name for every value."""
    document: dict[str, object] = plain(status)
    document["changes"] = [change_document(change) for change in status.changes]
    document["statements"] = [
        {"seq": seq, "kind": kind, "made_at": plain(made_at)} for seq, kind, made_at in status.statements
    ]
    document["objections"] = [
        {"customer": customer, "state": state, "is_in_time": in_time, "received_at": plain(received_at)}
        for customer, state, in_time, received_at in status.objections
    ]
    document["events"] = [
        {"at": plain(at), "actor": actor, "kind": kind, "payload": plain(payload)}
        for at, actor, kind, payload in status.events
    ]
    document["is_on_its_way"] = is_on_its_way(status)
    return document


def status_lines(status: NoticeStatus) -> Iterator[str]:
    """Yield all that is on record of a notice, the answer to "when, and what keeps it" first."""
    yield from _head(status)
    yield ""
    yield f"Changes ({len(status.changes)})"
    for change in status.changes:
        yield f"  {change.name} ({change.key}): {say_kinds(change.kinds)}, {change.weight.value}"
    yield from _hold_lines(status)
    yield from _customer_lines(status)
    for customer, state, in_time, received_at in status.objections:
        when = "in time" if in_time else "late"
        came = say_at(received_at, status.time_zone)
        yield f"  Objection of {customer or 'somebody'}, {when}, {words_of(state)}: {came}"
    yield from _statement_lines(status)
    yield ""
    yield "Record"
    for at, actor, kind, _ in status.events:
        yield f"  {stamp(at, status.time_zone)}  {kind}  {actor}"


def _head(status: NoticeStatus) -> Iterator[str]:
    zone = status.time_zone
    yield f"Notice {status.number} of {status.publisher}: {words_of(status.state)}"
    if status.emergency_reason:
        yield f"  Emergency (R19): {one_line(status.emergency_reason)}"
    if status.took_effect_at:
        yield f"  In effect since     {say_at(status.took_effect_at, zone)}"
    elif status.withdrawn_at:
        yield f"  Withdrawn           {say_at(status.withdrawn_at, zone)}"
    elif status.effective_on:
        yield f"  Takes effect on     {show_day(status.effective_on, zone)}"
    else:
        yield f"  Takes effect        {NO_DATE}"
    if status.planned_on != status.effective_on:
        yield f"  First planned for   {show_day(status.planned_on, zone)}"
    if status.announced_at:
        yield f"  Announced           {say_at(status.announced_at, zone)}"
    elif status.announce_at:
        yield f"  To be announced     {say_at(status.announce_at, zone)}"
    yield f"  Approved by         {', '.join(status.approved_by) or 'nobody'}"
    yield f"  Digest              {status.digest}"


def _hold_lines(status: NoticeStatus) -> Iterator[str]:
    if status.state not in {"announced", "held"}:
        return
    zones = {customer.key: customer.time_zone for customer in status.customers}
    yield ""
    if not status.holds:
        yield "Holds: none as things stand. It takes effect on its day."
        return
    yield f"Holds ({len(status.holds)})"
    for hold in status.holds:
        yield f"  {hold.customer_name} ({hold.customer_key}): {_say_hold(hold, zones)}"


def _say_hold(hold: Hold, zones: dict[str, str]) -> str:
    if hold.until_at is None:
        return REASONS[hold.reason]
    return f"{REASONS[hold.reason]} until {say_at(hold.until_at, zones[hold.customer_key])}"


def _customer_lines(status: NoticeStatus) -> Iterator[str]:
    if not status.customers:
        return
    yield ""
    yield f"Customers ({len(status.customers)}), each in its own zone"
    for customer in status.customers:
        zone = customer.time_zone
        days = "its terms cannot be read"
        if customer.notice_days is not None:
            days = f"{count_of(customer.notice_days, 'day')}, {zone}"
        yield f"  {customer.name} ({customer.key}): {customer.state}, {days}"
        yield f"      Received            {say_at(customer.received_at, zone)}"
        if customer.received_at:
            if customer.objection_ends_at:
                yield f"      Objections until    {say_end(customer.objection_ends_at, zone)}"
            yield f"      Earliest effect     {say_at(customer.earliest_at, zone)}"
        if customer.basis:
            yield f"      Basis               {one_line(customer.basis)}"


def _statement_lines(status: NoticeStatus) -> Iterator[str]:
    zone = status.time_zone
    for seq, kind, made_at in status.statements:
        deliveries = [delivery for delivery in status.deliveries if delivery.statement == seq]
        states = [WRITTEN_AMONG if each.is_in_outbox else words_of(each.state) for each in deliveries]
        told = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        yield ""
        yield f"Statement {seq}: {kind}, {say_at(made_at, zone)}. Deliveries: {told or 'none'}"
        rows = [row for delivery in deliveries for row in _delivery_rows(delivery, zone)]
        if rows:
            yield from table(("To", "For", "State", "Tried", "Answer"), rows, indent="  ")


def _delivery_rows(delivery: DeliveryStatus, zone: str) -> Iterator[tuple[str, ...]]:
    whose = delivery.customer or delivery.audience
    state = WRITTEN if delivery.is_in_outbox else words_of(delivery.state)
    if delivery.skip_reason:
        state += f": {words_of(delivery.skip_reason)}"
    if delivery.possible_duplicate:
        state += " (possible duplicate)"
    first = (delivery.address or "erased", whose, state)
    tried = [attempt for attempt in delivery.attempts if attempt.started_at is not None]
    if not tried:
        waits = f"due {stamp(delivery.due_at, zone)}" if delivery.due_at else "–"
        yield (*first, waits, words_of(delivery.note or ""))
    for attempt in tried:
        yield (*first, stamp(attempt.started_at, zone), f"{attempt.road}: {_say_answer(attempt)}")
        first = ("", "", "")
    if tried and delivery.due_at:
        yield (*first, f"again {stamp(delivery.due_at, zone)}", words_of(delivery.note or ""))


def _say_answer(attempt: AttemptStatus) -> str:
    """Say what a try was answered; where the words were erased, of what kind the answer was."""
    said = " ".join(part for part in (str(attempt.code or ""), attempt.answer or "") if part)
    if said or attempt.answer_class is None:
        return said or "no answer"
    return WRITTEN if (attempt.road, attempt.answer_class) == (OUTBOX, "accepted") else words_of(attempt.answer_class)
