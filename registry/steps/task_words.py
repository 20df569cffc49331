"""A task in words, for the team's list and for operators' alerts: what is wrong, what to do, and how long there is.

None of it names a person or an address: alerts leave the house.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from registry.steps.tasks import TaskKind
from registry.steps.unreached import WhyUnreached

Facts = Mapping[str, Any]

_WHY: Final = {
    WhyUnreached.NO_CONTACT: "no letter was made for it, for it has no contact",
    WhyUnreached.NOTHING_SENT: "nothing is under way to it that would count as receipt",
    WhyUnreached.NOT_TAKEN: "no mailbox of its contacts took the letter",
    WhyUnreached.UNCONFIRMED: "its server took the letter, and the receipt that its terms ask for has not come",
    WhyUnreached.TIME_RUNNING_OUT: "its letters are still being tried, and little time or none is left",
}
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)


def say_task(kind: str, publisher: str | None, facts: Facts) -> str:
    """Return what is wrong in one sentence. A kind without a sentence is named with its facts, so nothing is lost."""
    say = _SENTENCES.get(kind)
    if say is not None:
        return say(publisher or "", facts)
    told = ", ".join(f"{name}: {value}" for name, value in facts.items() if value is not None)
    of = f" of {publisher}" if publisher else ""
    return f"{kind.replace('_', ' ').capitalize()}{of}" + (f" ({told})." if told else ".")


def say_remedy(kind: str, publisher: str | None, facts: Facts) -> str:
    """Return what to do about it; empty where nobody has said so yet."""
    remedy = _REMEDIES.get(kind)
    return remedy(publisher or "", facts) if remedy is not None else ""


def say_time_left(due_at: datetime | None, now: datetime) -> str:
    """Return how long there is until `due_at`, or since when it is too late: "2 days left", "too late by 3 hours"."""
    if due_at is None:
        return "no time limit"
    left = due_at - now
    return f"{_say_span(left)} left" if left > timedelta() else f"too late by {_say_span(-left)}"


def _say_span(span: timedelta) -> str:
    # Rounded down, so that nobody counts on time there is not.
    for unit, word in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        count = span // unit
        if count >= 2 or (count and unit is not _DAY):
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "less than a minute"


def _of_notice(publisher: str, facts: Facts) -> str:
    number = facts.get("notice")
    return f"notice {number} of {publisher}" if number else f"a subscription of {publisher}"


def _say_unreached(publisher: str, facts: Facts) -> str:
    why = facts.get("why")
    said = _WHY[WhyUnreached(why)] if why in set(WhyUnreached) else why
    return f"{facts.get('customer')} was not reached by {_of_notice(publisher, facts)}: {said}."


def _mend_unreached(publisher: str, facts: Facts) -> str:
    key, number = facts.get("customer"), facts.get("notice")
    return (
        f"Name another contact (registry customer contact-add {key} EMAIL --publisher {publisher}), or record service "
        f"by other means (registry notice served {number} --publisher {publisher} --customer {key})."
    )


def _say_attention(publisher: str, facts: Facts) -> str:
    note = str(facts.get("note") or "").replace("_", " ")
    return f"A letter about {_of_notice(publisher, facts)} needs a person" + (f": {note}." if note else ".")


def _mend_attention(publisher: str, facts: Facts) -> str:
    number = facts.get("notice")
    if not number:
        return "Look at the address, and close the task with what was done."
    return (
        f"See registry notice status {number} --publisher {publisher}; then try again (registry notice resend), name "
        "another contact, or record service by other means."
    )


def _say_overdue(publisher: str, facts: Facts) -> str:
    should = "be announced" if facts.get("what") == "announcement" else "be in effect or held"
    return f"Notice {facts.get('notice')} of {publisher} should {should} by now, and is not."


def _say_blocked(_: str, facts: Facts) -> str:
    return f"The provider {facts.get('account')} asked to be left alone until {facts.get('until')}: nothing goes by it."


def _say_standing_mail(_: str, facts: Facts) -> str:
    road = {"smtp": "The mail server", "resend": "Resend"}.get(str(facts.get("road")), str(facts.get("road")))
    return f"{road} has taken no letter since {facts.get('since')}: all of them wait, and none is lost."


def _say_heartbeat(_: str, facts: Facts) -> str:
    return f"The worker's heartbeat was silent since {facts.get('since')}."


def _say_unmatched(_: str, facts: Facts) -> str:
    count = facts.get("count")
    reports = "1 report" if count == 1 else f"{count} reports"
    return f"{reports} of {facts.get('provider')} came that no letter of this installation is known for."


def _say_missing(publisher: str, facts: Facts) -> str:
    return (
        f"Deliveries of {_of_notice(publisher, facts)}, statement {facts.get('statement')}, were missing and were "
        f"added: {facts.get('added')}. No recipient should ever lack one."
    )


def _say_own_address(publisher: str, facts: Facts) -> str:
    why = ", ".join(str(facts[name]).replace("_", " ") for name in ("why", "said") if facts.get(name))
    return f"The address of {publisher} that letters name for replies and objections takes no mail ({why})."


def _say_mail(publisher: str, facts: Facts) -> str:
    about = f" about a letter to {facts['customer']}" if facts.get("customer") else ""
    of = f" to {publisher}" if publisher else ""
    why = str(facts.get("reason") or "").replace("_", " ")
    return f"Mail{of} came{about} that a person must read" + (f" ({why})." if why else ".")


_SENTENCES: Final[dict[str, Callable[[str, Facts], str]]] = {
    TaskKind.CUSTOMER_NOT_REACHED: _say_unreached,
    TaskKind.NEEDS_ATTENTION: _say_attention,
    TaskKind.NOTICE_OVERDUE: _say_overdue,
    TaskKind.PROVIDER_BLOCKED: _say_blocked,
    TaskKind.MAIL_STANDS_STILL: _say_standing_mail,
    TaskKind.HEARTBEAT_LATE: _say_heartbeat,
    TaskKind.CALLBACK_UNMATCHED: _say_unmatched,
    TaskKind.RECIPIENTS_MISSING: _say_missing,
    TaskKind.ADDRESS_FAILS: _say_own_address,
    TaskKind.MAIL_TO_READ: _say_mail,
}
_REMEDIES: Final[dict[str, Callable[[str, Facts], str]]] = {
    TaskKind.CUSTOMER_NOT_REACHED: _mend_unreached,
    TaskKind.NEEDS_ATTENTION: _mend_attention,
    TaskKind.NOTICE_OVERDUE: lambda publisher, facts: (
        f"See registry notice status {facts.get('notice')} --publisher {publisher} and the worker's log."
    ),
    TaskKind.PROVIDER_BLOCKED: lambda publisher, facts: "Ask the provider why; letters wait and none is lost.",
    TaskKind.MAIL_STANDS_STILL: lambda publisher, facts: (
        "See what it says (registry doctor, registry notice status), and mend the server, REGISTRY_MAIL_URL or "
        "REGISTRY_MAIL_FROM; letters go on by themselves."
    ),
    TaskKind.HEARTBEAT_LATE: lambda publisher, facts: "Look at the worker's log and at the database.",
    TaskKind.CALLBACK_UNMATCHED: lambda publisher, facts: (
        "If its account also sends other mail, close the task with that; else look at what it reports."
    ),
    TaskKind.ADDRESS_FAILS: lambda publisher, facts: (
        "Mend the mailbox, or name another contact in the registry file; until then objections are read by nobody."
    ),
    TaskKind.MAIL_TO_READ: lambda publisher, facts: (
        f"Read it (registry bounce show {facts.get('mail')}), record what it says, and close the task."
    ),
    TaskKind.RECIPIENTS_MISSING: lambda publisher, facts: (
        "Find out what took them away (a restored backup, rows deleted by hand), and close the task with it."
    ),
}
