"""From codes and parameters to sentences, and from dates to words. The domain returns the former; people read these.

Sentences that readers of public pages may meet are `marked`, and said in the language spoken where they are asked for
(`registry.language`); those for the team and for operators are English. A test walks every error and every problem code
of the registry and fails for one without a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Final

from registry.domain.changes import EntryChange
from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.validation import show_value
from registry.language import Words, long_date, marked
from registry.language import gettext as _
from registry.operation_sentences import OPERATION_SENTENCES
from registry.team_sentences import TEAM_SENTENCES

MOST_PROBLEMS_SHOWN: Final = 50


def explain(error: RegistryError) -> str:
    """Say what the error means and what would mend it, in full sentences.

    Invalid input gets a line for each problem, `file:line: field: sentence`, as far as each is known. A code without
    a sentence is named with its parameters, so that nothing is lost.
    """
    if isinstance(error, InvalidInput):
        file = error.params.get("file")
        shown = error.problems[:MOST_PROBLEMS_SHOWN]
        lines = [explain_problem(problem, file if isinstance(file, str) else None) for problem in shown]
        if len(error.problems) > len(shown):
            lines.append(_("… and %(count)s more problems.", count=f"{len(error.problems) - len(shown):,}"))
        return "\n".join(lines)
    return _say(error.code, error.params)


def explain_problem(problem: Problem, file: str | None = None) -> str:
    """Say what is wrong with one value and what would do, led by its place: `list.yaml:14: entries.2.country: …`."""
    if file is not None:
        place = f"{_plain(file)}:{problem.line}: " if problem.line else f"{_plain(file)}: "
    else:
        place = f"line {problem.line}: " if problem.line else ""
    field = f"{_plain(problem.field)}: " if problem.field else ""
    return f"{place}{field}{say_problem(problem)}"


def say_problem(problem: Problem) -> str:
    """Say what is wrong with one value and what would do, for a place that names the field itself, such as a form."""
    params = {**problem.params, "value": _Quoted(problem.value)}
    return _say(problem.code, params)


def show_day(on: date, zone: str | None = None) -> str:
    """Return a local date in words and ISO, with its zone: "Saturday, 31 October 2026 (2026-10-31), Europe/Berlin"."""
    return f"{long_date(on)} ({on.isoformat()})" + (f", {zone}" if zone else "")


def has_sentence(code: str) -> bool:
    """Return whether a code of an error or problem has a sentence of its own."""
    return code in _SENTENCES


class _Quoted:
    """A refused value, which is shown as it was given."""

    def __init__(self, value: object) -> None:
        self.value = value


class _Shown(dict[str, str]):
    def __missing__(self, name: str) -> str:
        # A sentence with a hole still says more than an error while explaining an error.
        return _("(%(name)s not given)", name=name)


def _say(code: str, params: Mapping[str, object]) -> str:
    sentence = _SENTENCES.get(code)
    if sentence is None:
        given = "; ".join(f"{name}: {_show(value)}" for name, value in params.items() if value is not None)
        return f"Refused: {code}" + (f" ({given})." if given else ".")
    if callable(sentence):
        return _plain(sentence(params))
    shown = {name: _show(value) for name, value in params.items()}
    return _(sentence).format_map(_Shown(shown, hint=_hint(params)))


def _show(value: object) -> str:
    if isinstance(value, _Quoted):
        return _quote(value.value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="minutes")
    if isinstance(value, date):
        return show_day(value)
    if isinstance(value, Enum):
        return _(str(value.value).replace("_", " "))
    if isinstance(value, EntryChange):
        return ", ".join(field.field for field in value.fields)
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, Sequence | set | frozenset):
        return ", ".join(_show(member) for member in value)
    return _plain(str(value))


def _quote(value: object) -> str:
    if value is None:
        return _("Nothing")
    if isinstance(value, bool):
        return "“true”" if value else "“false”"
    if isinstance(value, Mapping):
        return _("A group of fields")
    if isinstance(value, list | tuple):
        return _("A list")
    return show_value(value)


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)


def _listed(params: Mapping[str, object], name: str) -> list[str]:
    members = params.get(name)
    return [_plain(str(member)) for member in members] if isinstance(members, list | tuple) else []


def _hint(params: Mapping[str, object]) -> str:
    near, known = _listed(params, "near"), _listed(params, "known")
    if near:
        named = _("%(some)s or %(last)s", some=", ".join(near[:-1]), last=near[-1]) if len(near) > 1 else near[0]
        return _(" Did you mean %(named)s?", named=named)
    return _(" Known: %(named)s.", named=", ".join(known)) if known else ""


def _count_days(params: Mapping[str, object]) -> str:
    days = params.get("days")
    kind = "working day" if params.get("counting") == "business" else "day"
    return f"1 {kind}" if days == 1 else f"{_plain(str(days))} {kind}s"


def _say_too_short(params: Mapping[str, object]) -> str:
    def day(name: str) -> str:
        on, zone = params.get(name), params.get("publisher_zone")
        return show_day(on, zone if isinstance(zone, str) else None) if isinstance(on, date) else str(on)

    customer, key = params.get("customer"), params.get("customer_key")
    named = f"{_plain(str(customer))} ({key})" if key else _plain(str(customer))
    whose, its = (f"for {named}", "its") if customer else ("under the publisher's own terms", "the")
    rule = "time to object" if params.get("rule") == "objection" else "notice"
    return (
        f"{day('requested_on')} is too early {whose}: {its} {_count_days(params)} of {rule}, counted in "
        f"{_plain(str(params.get('zone')))}, will not be over. The first date that would do is {day('first_on')}."
    )


def _say_transition(params: Mapping[str, object]) -> str:
    machine, state, event = (_show(params.get(name)).replace("_", " ") for name in ("machine", "state", "event"))
    return f"This {machine} is in the state “{state}”, from which “{event}” is not possible."


_REASONS: Final = {
    "reason": "a reason",
    "emergency_reason": "the reason of the emergency",
    "basis": "the basis of it",
    "document": "the document that proves it",
}


def _say_repeated_key(params: Mapping[str, object]) -> str:
    line = params.get("first_line")
    place = f"{params.get('first')}, line {line}" if line else f"{params.get('first')}"
    return f"{_show(params.get('value'))} is taken already ({place}). Each key, former keys too, leads to one."


def _say_cycle(params: Mapping[str, object]) -> str:
    chain = " → ".join(_listed(params, "cycle"))
    return f"The entry would be its own parent ({chain}). Take out one of these parents."


def _say_used(params: Mapping[str, object]) -> str:
    if params.get("confirmed"):
        return _("This link has done its work already, and nothing more is needed.")
    return _("This link was used already, and the subscription has ended since. Subscribe again to be told of changes.")


_ENDED: Final = Words(
    {
        "unsubscribed": marked("This subscription was ended by its link. Subscribe again to be told of changes."),
        "replaced": marked("This subscription has ended: another contact or address took its place."),
        "expired": marked("This subscription has ended: nobody confirmed it in time. Subscribe again to be told."),
    }
)


def _say_ended(params: Mapping[str, object]) -> str:
    because = params.get("because")
    return _ENDED.get(str(because)) or _("This subscription has ended. Subscribe again to be told of changes.")


Sentence = str | Callable[[Mapping[str, object]], str]

_ENGLISH: Final[dict[str, Sentence]] = {
    # Any field
    "missing": marked("This field is missing, and nothing can stand in for it. Add it."),
    "unknown-field": "There is no such field.{hint}",
    "repeated-field": "This field stands here twice; it was first given in line {first_line}. Take one out.",
    "empty": marked("Nothing stands here. Write something, or leave the field out."),
    "too-long": marked("{value} is too long: {max_length} is the most."),
    "unknown-choice": marked("{value} is not one of {expected}.{hint}"),
    "not-text": marked("{value} is no text. Put it in quotation marks if it is meant as one."),
    "not-a-list": "{value} is no list. Write [one, two], or leave the field out.",
    "not-a-group": "{value} is no group of fields. Write its fields below it, each as name: value.",
    "not-a-whole-number": "{value} is no whole number. Write digits alone, such as 30, without quotation marks.",
    "not-yes-or-no": marked("{value} is neither true nor false. Write one of the two words, without quotation marks."),
    "too-small": marked("{value} is too small: {ge} is the least."),
    "too-large": marked("{value} is too large: {le} is the most."),
    "control-character": marked("The character {character} cannot stand in text that people read. Take it out."),
    "line-break": marked(
        "{value} runs over several lines or holds a tab, and this field has one line. Write it in one."
    ),
    "repeated-member": marked("“{member}” stands twice in {list}. Take one out."),
    # Dates
    "impossible-date": marked("{value} is no day of the calendar. Write a date that exists, such as 2026-11-21."),
    "not-a-date": marked("{value} is no date. Write year, month and day, such as 2026-11-21."),
    "time-in-a-date": marked("{value} holds a time of day, and a date alone is meant here. Write it as 2026-11-21."),
    "days-reversed": marked("{value} is after the second day, {to}. Give the earlier day first."),
    "until-before-since": "The entry ends ({until}) before it begins ({since}). Correct one of the two dates.",
    "contract-ends-before-it-begins": "The contract ends ({until}) before it begins ({from}). Correct one of the two.",
    # Entries
    "unknown-country": marked("{value} is no country code of ISO 3166, such as DE or NO.{hint}"),
    "unknown-mechanism": marked("{value} is no transfer mechanism that this release knows; “unknown” is one.{hint}"),
    "unknown-regime": "{value} is no regime of transfers that this release knows.{hint}",
    "other-mechanism-needs-details": "The mechanism “other” needs details that say which one it is. Add details.",
    "mechanism-of-another-regime": (
        "The mechanism {mechanism} belongs to the regime {area}, and this transfer names the regime {regime}. "
        "Correct one of the two."
    ),
    "no-such-text": "{value} is no text of this entry.{hint} Translate one as it stands, or delete this translation.",
    "own-language": "{value} is the language of the texts themselves. Change the text, or delete this translation.",
    "not-a-web-address": marked("{value} is no web address. Write it in full, such as https://vendor.example/privacy."),
    "not-an-email-address": marked("{value} cannot be an e-mail address. Write it as name@company.example."),
    "not-a-key": marked(
        "{value} cannot be a key. Use small letters, digits and hyphens, with a letter or digit at both ends, "
        "80 characters at most."
    ),
    "repeated-key": _say_repeated_key,
    "unknown-product": marked("{value} is no product of this publisher.{hint}"),
    "unknown-parent": "{value} is no entry of this file, so it cannot be the parent of one.{hint}",
    "parent-cycle": _say_cycle,
    # Publishers and terms
    "reserved-slug": "{value} is an address of the service itself, so no publisher can have it. Choose another slug.",
    "not-a-host-name": "{value} is no host name. Write it in small letters without https://, as legal.company.example.",
    "sender-too-long": (
        "{value} leaves no room for {tag}, which stands before the @ in letters to followers. Choose an address with "
        "{over} characters less, or fewer."
    ),
    "unknown-time-zone": "{value} is no time zone of the IANA database, such as Europe/Berlin or UTC.{hint}",
    "unknown-region": "{value} is no region whose public holidays are known, such as DE or DE-SN.{hint}",
    "not-a-retention": "{value} is no time to keep something. Write whole days, such as 365, or forever.",
    "not-a-language": "{value} is no language tag. Write it as en or pt-BR.",
    "mailbox-not-ascii": marked(
        "{value} has letters before the @ that many mail servers refuse. Give one of a to z alone."
    ),
    # Files
    "line-too-long": "The line has {bytes} bytes, and {limit} are the most that are read. Break it up.",
    "file-too-large": "The file has {bytes} bytes, and {limit} are the most that are read. Nothing of it was read.",
    "not-utf-8": marked("The file is not UTF-8 (byte {byte}). Save it as UTF-8."),
    "bad-yaml": "This is not YAML: {problem} (column {column}).",
    "empty-file": "Nothing stands in this file. It begins with registry: 1.",
    "second-document": "A second document begins here (---). A registry file holds one; put it in a file of its own.",
    "key-not-text": "The name of a field is a word, not a list, a group or an alias. Write it out.",
    "merge-key": "Merge keys (<<) are not taken. Write the fields out.",
    "tag-refused": "The tag {tag} is not taken; nothing in a registry file needs one. Leave it out.",
    "unknown-alias": "The alias *{alias} stands for nothing: there is no &{alias} before it.",
    "alias-inside-itself": "The alias *{alias} stands inside what it stands for. Write the value out.",
    "too-deep": "Lists and groups are nested more than {limit} deep here.",
    "too-many-values": "The file holds more than {limit} values once its aliases are followed. Split it.",
    "unknown-format-version": "{value} is no version of the format that this release reads. Write registry: {known}.",
    # Notices
    "notice-period-too-short": _say_too_short,
    "no-such-day": "In {zone} there was no {on}: its calendar leaves that date out. Take the day after.",
    "illegal-transition": _say_transition,
    "correction-undoes-change": (
        "Corrected so, {key} would be as the list has it now, and notice {number} would change nothing of it. "
        "Withdraw it instead: registry notice withdraw {number}."
    ),
    "date-in-the-past": "{requested_on} is past, and nothing is back-dated. The first possible date is {today}.",
    "nothing-to-announce": "No edit of {publisher} waits for a notice. Edit an entry, or apply a registry file, first.",
    "entry-in-open-notice": (
        "The entry {key} stands in the open notice {number}, and an entry stands in one at a time. Wait until that "
        "notice is in effect, or withdraw it."
    ),
    "stale-base": (
        "The list has changed under notice {number}: the entry {key} now differs in {change}. Look at the difference "
        "and draft the change again."
    ),
    "not-approved": "Notice {number} has {given} of the {required} approvals it needs. Have it approved first.",
    "own-approval": "{actor} wrote or last changed {subject}, and nobody approves their own work. Ask somebody else.",
    "command-line-may-not-approve": (
        "{publisher} requires approvals and does not take them from the command line, where a name is only claimed. A "
        "publisher that approves by command says so in its file from the first load: command_line_may_approve: true."
    ),
    "approval-needed": (
        "{publisher} requires a second person for this: {what}. Let somebody else run "
        "registry publisher approve-terms FILE first."
    ),
    "served-before-told": (
        "{value} is before the statement that clocks run from was made ({told_at}), so that cannot have been served "
        "then. Give the date on which this statement was served."
    ),
    "reason-missing": lambda params: (
        f"This is done only with {_REASONS.get(str(params.get('what')), params.get('what'))} on record. Write it down."
    ),
    # Finding things
    "unknown-publisher": marked("There is no publisher “{slug}”.{hint}"),
    "unknown-entry": marked("{publisher} has no entry “{key}”.{hint}"),
    "unknown-notice": marked("{publisher} has no notice “{number}”.{hint}"),
    "unknown-customer": "{publisher} has no customer “{key}”, or the notice does not concern it.{hint}",
    "unknown-delivery": "No letter was sent with the Message-ID “{message_id}”.",
    "unknown-objection": marked("Notice {number} has no open objection of {customer}."),
    "future-as-of": marked(
        "{on} is still to come (today is {today}), and nobody knows that day's list. See what is upcoming."
    ),
    "before-founding": marked("There was no list on {on}. It begins on {founded_on}."),
    # Subscriptions and contacts
    "unknown-token": marked("This link is none of ours, or a part of it was cut off. Copy it whole from the letter."),
    "expired-token": marked("This link was good for 7 days, and they are over. Subscribe again to get a new one."),
    "used-token": _say_used,
    "unknown-address": marked("{publisher} knows nothing of this address, or it was erased already."),
    "letter-on-the-wire": marked(
        "A letter of {publisher} to this address is being sent just now. Try again in a minute."
    ),
    "legal-hold-stands": (
        "Nothing was erased: legal hold {hold} stands on the {scope} {subject} ({reason}). Once the claim is over, "
        "lift it: registry legal-hold lift {hold} --publisher {publisher} --reason TEXT."
    ),
    "unknown-legal-hold": "{publisher} has no legal hold of the number {hold}.{hint}",
    "legal-hold-lifted": "Legal hold {hold} of {publisher} was lifted already ({lifted_at}).",
    "legal-hold-needs-another": (
        "{actor} set legal hold {hold}, and {publisher} requires a second person: let somebody else lift it."
    ),
    "subscription-ended": _say_ended,
    "contact-may-not-leave": marked(
        "{publisher} owes {customer} these notices, so a contact cannot end them, only name another contact instead."
    ),
    "not-a-contact": marked("This subscription belongs to no customer of {publisher}, so no contact can be replaced."),
    "not-a-follower": marked("A customer’s contact of {publisher} hands over to another contact, who confirms it."),
    "contact-may-not-pause": marked(
        "{publisher} owes {customer} these notices, so a contact cannot stop them for a while, only name another "
        "contact."
    ),
    "kept-for-a-claim": marked(
        "What is on record here is needed for a legal claim, so it cannot be erased yet. Write to {contact}, who can "
        "say more."
    ),
    "endpoints-of-customers": marked(
        "You answer for an address on the web at which {customers} is told of changes. Write to {contact} and name "
        "somebody else for it; then all that is known of you can be erased."
    ),
    "unknown-contact": "{customer} has no contact {email} at {publisher}. Name one that it has.",
    "last-contact": marked("{customer} keeps at least one contact that can be written to. Add another contact first."),
    # Endpoints
    "address-not-https": marked("{value} does not begin with https://. Nothing is posted without encryption."),
    "address-with-sign-in": marked("{value} holds a user name or password. Give the address without it."),
    "address-bad-host": marked("{value} names no host of the internet. Give the host by its full name."),
    "address-bad-port": marked(
        "{value} has a port below 1024 that is not the web's own. Leave the port out, or use 443."
    ),
    "address-not-public": marked("{value} is no public address, and nothing is posted to any other."),
    "address-foreign-host": marked(
        "{value} is no incoming webhook of this service. Copy its address whole from there."
    ),
    "unknown-endpoint": "{publisher} has no endpoint {number}.{hint}",
    "endpoint-ended": "Endpoint {number} of {publisher} has ended. Add its address again to begin anew.",
    "endpoint-stands": marked(
        "This address is told already, as endpoint {number} of {publisher} (`registry endpoint list`)."
    ),
    "endpoint-not-verified": "Endpoint {number} of {publisher} did not answer as asked ({answer}). Mend it first.",
    "endpoint-not-tried": "With REGISTRY_MAIL_URL=outbox: nothing leaves the house: endpoint {number} cannot answer.",
    "endpoint-not-signed": "Endpoint {number} is a chat room ({kind}), whose messages are not signed.",
    "endpoint-without-secret": "Endpoint {number} has no secret. `registry endpoint rotate-secret {number}` makes one.",
    "same-address": marked("{value} is the contact's address already. Give the address of another contact."),
    # Letters
    "unknown-slot": "The letter has a slot “{slot}” that nothing fills. Correct its template.",
    "missing-slot-value": "The letter has the slot “{slot}”, and no value for it was given.",
    "broken-slot": "The letter holds half a slot: “{text}”. Correct its template.",
    "impossible-link": "“{value}” is no web address, and the slot “{slot}” of a letter takes nothing else.",
    "other-merge-version": (
        "This letter was composed by version {version}, and this release composes by version {own}: its bytes cannot "
        "be made again here. The stored hash stays valid."
    ),
    "impossible-header": "“{value}” cannot stand in the mail header {header} ({why}).",
    "boundary-in-content": "The letter holds the very line that parts it. Compose it with another boundary.",
}

_SENTENCES: Final[dict[str, Sentence]] = {**_ENGLISH, **OPERATION_SENTENCES, **TEAM_SENTENCES}
