"""A task in words, for the team's list and for operators' alerts: what is wrong, what to do, and how long there is.

None of it names a person or an address: alerts leave the house.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from registry.domain.notice_life import NoticeState
from registry.domain.told import WhyUnreached
from registry.domain.vocabulary import StatementKind
from registry.steps.check_senders import SENDER, SIGN_IN
from registry.steps.tasks import TaskKind

Facts = Mapping[str, Any]

_WHY: Final = {
    WhyUnreached.NO_CONTACT: "no letter was made for it, for it has no contact",
    WhyUnreached.NOTHING_SENT: "nothing is under way to it that would count as receipt",
    WhyUnreached.NOT_TAKEN: "no mailbox of its contacts took the letter",
    WhyUnreached.UNCONFIRMED: "its server took the letter, and the receipt that its terms ask for has not come",
    WhyUnreached.TIME_RUNNING_OUT: "its letters are still being tried, and little time or none is left",
}
_WHAT: Final[Mapping[Any, str]] = {
    StatementKind.ANNOUNCEMENT: "the announcement",
    StatementKind.CORRECTION: "the correction",
    StatementKind.REMINDER: "the reminder",
    StatementKind.POSTPONEMENT: "the postponement",
    StatementKind.WITHDRAWAL: "the withdrawal",
    StatementKind.EFFECT: "the letter that it is in effect",
}
_WHY_MAIL: Final = {
    "another-recipient": "somebody else than its address did not get it, perhaps the mailbox that it is sent on to, so "
    "perhaps nobody read it",
    "unsigned": "it says what became of the letter, and anybody may have written it, for it did not come to the "
    "letter's own return path",
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


def _say_untold(publisher: str, facts: Facts) -> str:
    what, why = _WHAT.get(facts.get("letter"), "a letter"), facts.get("why")
    because = "each letter to its contacts was refused, came back, or could not be sent, or none was made for them"
    if why in set(WhyUnreached):
        because = _WHY[WhyUnreached(why)]
    got = "may not have got" if why == WhyUnreached.UNCONFIRMED.value else "did not get"
    said = f"{facts.get('customer')} {got} {what} of {_of_notice(publisher, facts)}: {because}."
    return f"{said} The notice is in effect, and stays so." if facts.get("in_effect") else said


def _mend_untold(publisher: str, facts: Facts) -> str:
    key, number = facts.get("customer"), facts.get("notice")
    return (
        f"See registry notice status {number} --publisher {publisher}. While the notice is pending, another contact is "
        f"told at once (registry customer contact-add {key} EMAIL --publisher {publisher}); or tell it yourself, by "
        "telephone, post or courier, and close the task with what was done."
    )


def _say_running_again(publisher: str, facts: Facts) -> str:
    key, notice, ended = facts.get("customer"), _of_notice(publisher, facts), facts.get("ended")
    if facts.get("dropped_out"):
        said = f"{key} dropped out of {notice} as its contract ended, and its contract runs."
        if ended == NoticeState.WITHDRAWN.value:
            return f"{said} The notice is withdrawn, and it was not told so."
        if ended == NoticeState.IN_EFFECT.value:
            return f"{said} The notice took effect without waiting for it, and stays so."
        return f"{said} The notice does not wait for it."
    said = (
        f"{key} does not stand in {notice}: when that was announced its contract did not run, by what was on record. "
    )
    if facts.get("told"):
        return f"{said}It runs, and was told as one that came later; the notice does not wait for it."
    return f"{said}It runs, and nobody there was told." + (" The notice is in effect, and stays so." if ended else "")


def _mend_running_again(publisher: str, facts: Facts) -> str:
    key, number = facts.get("customer"), facts.get("notice")
    if facts.get("ended"):
        return "Tell it yourself, by telephone, post or courier, or find that it need not know; and close the task so."
    return (
        f"If the notice concerns it, add it (registry notice add-customer {number} --publisher {publisher} --customer "
        f"{key}, or on its page): its contacts are told, and the notice waits for it. If not, close the task with the "
        "reason."
    )


def _say_unreadable_terms(publisher: str, facts: Facts) -> str:
    return (
        f"The terms of {facts.get('customer')} that were frozen for {_of_notice(publisher, facts)} cannot be read: "
        "nothing is decided for it, and the notice does not take effect."
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
    if facts.get("purpose") == SENDER:
        return f"An address that letters of {publisher} come from takes no mail ({why}): answers to it are lost."
    if facts.get("purpose") == SIGN_IN:
        return f"REGISTRY_MAIL_FROM, which letters of the sign-in come from, takes no mail ({why})."
    return f"The address of {publisher} that letters name for replies and objections takes no mail ({why})."


def _say_mail(publisher: str, facts: Facts) -> str:
    about = f" about a letter to {facts['customer']}" if facts.get("customer") else ""
    of = f" to {publisher}" if publisher else ""
    reason = str(facts.get("reason") or "")
    why = _WHY_MAIL.get(reason, reason.replace("_", " "))
    return f"Mail{of} came{about} that a person must read" + (f" ({why})." if why else ".")


def _mend_mail(publisher: str, facts: Facts) -> str:
    read = f"Read it (registry bounce show {facts.get('mail')})"
    key, number = facts.get("customer"), facts.get("notice")
    if not key or not number or facts.get("reason") not in _WHY_MAIL:
        return f"{read}, record what it says, and close the task."
    return (
        f"{read}. If nobody there has the letter, record that (registry outcome MESSAGE-ID --kind gave_up), and "
        f"name another contact (registry customer contact-add {key} EMAIL --publisher {publisher}) or record service "
        f"by other means (registry notice served {number} --publisher {publisher} --customer {key}); then close the "
        "task."
    )


def _say_owner_not_told(publisher: str, facts: Facts) -> str:
    why = "that address was erased" if facts.get("why") == "erased" else "nobody may write to that address"
    return (
        f"Endpoint {facts.get('endpoint')} of {publisher} has failed for a week, and whoever answers for it was not "
        f"told: {why}."
    )


_SENTENCES: Final[dict[str, Callable[[str, Facts], str]]] = {
    TaskKind.CUSTOMER_NOT_REACHED: _say_unreached,
    TaskKind.CUSTOMER_NOT_TOLD: _say_untold,
    TaskKind.CONTRACT_RUNS_AGAIN: _say_running_again,
    TaskKind.TERMS_UNREADABLE: _say_unreadable_terms,
    TaskKind.NEEDS_ATTENTION: _say_attention,
    TaskKind.NOTICE_OVERDUE: _say_overdue,
    TaskKind.PROVIDER_BLOCKED: _say_blocked,
    TaskKind.MAIL_STANDS_STILL: _say_standing_mail,
    TaskKind.HEARTBEAT_LATE: _say_heartbeat,
    TaskKind.CALLBACK_UNMATCHED: _say_unmatched,
    TaskKind.RECIPIENTS_MISSING: _say_missing,
    TaskKind.ADDRESS_FAILS: _say_own_address,
    TaskKind.MAIL_TO_READ: _say_mail,
    TaskKind.OWNER_NOT_TOLD: _say_owner_not_told,
}
_REMEDIES: Final[dict[str, Callable[[str, Facts], str]]] = {
    TaskKind.CUSTOMER_NOT_REACHED: _mend_unreached,
    TaskKind.CUSTOMER_NOT_TOLD: _mend_untold,
    TaskKind.CONTRACT_RUNS_AGAIN: _mend_running_again,
    TaskKind.TERMS_UNREADABLE: lambda publisher, facts: (
        "Set them anew, by the terms that count for it now (registry customer list), with registry notice add-customer "
        f"{facts.get('notice')} --publisher {publisher} --customer {facts.get('customer')}."
    ),
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
        "Have the mail server take mail to it, and run registry doctor."
        if facts.get("purpose") in (SENDER, SIGN_IN)
        else "Mend the mailbox, or name another contact in the registry file; until then objections are read by nobody."
    ),
    TaskKind.MAIL_TO_READ: _mend_mail,
    TaskKind.OWNER_NOT_TOLD: lambda publisher, facts: (
        f"Name another owner, who is told within the hour (registry endpoint owner {facts.get('endpoint')} EMAIL "
        f"--publisher {publisher}), or tell whoever runs it by other means, and close the task."
    ),
    TaskKind.RECIPIENTS_MISSING: lambda publisher, facts: (
        "Find out what took them away (a restored backup, rows deleted by hand), and close the task with it."
    ),
}
