"""Notice terms in words: what each says, whose it is, and what it does, with the clause behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from registry.domain.terms import Deemed, Terms, find_deemed
from registry.language import language_name
from registry.queries.customer_page import TermsVersion
from registry.queries.customers import OWN_TERMS, ListedCustomer


@dataclass(frozen=True)
class TermWords:
    """What a term is called in a form, what it does and by which clause, and its choices where it has any."""

    label: str
    help: str
    choices: tuple[tuple[str, str], ...] = ()


YES_OR_NO: Final = (("yes", "Yes"), ("no", "No"))

TERMS: Final[dict[str, TermWords]] = {
    "days": TermWords(
        "Days of notice",
        "How long before it takes effect this customer is told of a binding change, from receipt (GDPR art. 28(2): the "
        "processor informs of intended changes, so that the controller can object). The day of receipt is not counted.",
    ),
    "objection_days": TermWords(
        "Days to object",
        "How long from receipt an objection is in time (GDPR art. 28(2); SCCs clause 9(a)). The last day counts to its "
        "last hour. 0 for a contract without a right to object.",
    ),
    "counting": TermWords(
        "Which days are counted",
        "Calendar days, or working days: then no Saturday, no Sunday and no public holiday counts.",
        (("calendar", "Calendar days"), ("business", "Working days")),
    ),
    "roll_to_working_day": TermWords(
        "An objection period that ends on a day off",
        "Runs on to the end of the next working day (Reg. 1182/71 art. 3(4); BGB § 193), or ends on the day it falls.",
        (("yes", "Runs on to the next working day"), ("no", "Ends on that day")),
    ),
    "time_zone": TermWords(
        "Time zone",
        "Where its days begin and end, and its contract: an IANA name such as Europe/Berlin.",
    ),
    "holidays": TermWords(
        "Public holidays",
        "Whose public holidays are days off: a country such as DE, or a part of one such as DE-SN. They matter where "
        "working days are counted or a period runs on.",
    ),
    "language": TermWords("Language", "Of the letters to contacts who name none of their own, such as en or de."),
    "authorisation": TermWords(
        "What its contract gives",
        "General written authorisation: it is told and may object (GDPR art. 28(2); SCCs clause 9(a), option 2). "
        "Specific prior authorisation (option 1): the change waits until it has approved.",
        (("general", "General authorisation"), ("specific", "Specific authorisation")),
    ),
    "objection": TermWords(
        "An open objection",
        "Holds the change until it is resolved, or is on record while the change takes effect.",
        (("hold", "Holds the change"), ("record", "Is recorded only")),
    ),
    "undeliverable": TermWords(
        "If no letter reaches it",
        "Holds the change until somebody serves it by other means; or counts as received after some days, by a clause "
        "of the contract, once every contact was tried. It is shown as “deemed”, never as received.",
        (("hold", "Holds the change"), ("deemed", "Is deemed to have received it")),
    ),
    "clock_starts_on": TermWords(
        "What starts its periods",
        "Its mail server took the letter (the letter reached its sphere, as BGB § 130 asks), or a report of delivery "
        "came, which not every server gives.",
        (("accepted", "Its mail server took the letter"), ("delivered", "Delivery was reported")),
    ),
    "receipt_by_webhook": TermWords(
        "A webhook proves receipt",
        "Only where the contract names this road; otherwise a mailbox is needed too.",
        YES_OR_NO,
    ),
}
"""The terms in the order of the form."""


@dataclass(frozen=True)
class DescribedTerm:
    """One term as it counts: its name, what it is called, what it says, and what the publisher's says if it differs."""

    name: str
    label: str
    value: str
    publishers: str | None


def describe_terms(terms: Terms, publishers: Terms) -> tuple[DescribedTerm, ...]:
    """Return every term in words, with the publisher's beside it where it differs."""
    return tuple(
        DescribedTerm(
            name,
            words.label,
            say_term(name, getattr(terms, name)),
            say_term(name, getattr(publishers, name)) if getattr(terms, name) != getattr(publishers, name) else None,
        )
        for name, words in TERMS.items()
    )


def describe_versions(versions: Iterable[TermsVersion]) -> list[tuple[TermsVersion, list[tuple[str, str, str]]]]:
    """Return each version with its differences in words: the term, what it said before, what it says."""
    return [
        (
            each,
            [
                (TERMS[name].label, say_stored(name, before), say_stored(name, after))
                for name, before, after in each.differing
                if name in TERMS
            ],
        )
        for each in versions
    ]


def say_stored(name: str, value: Any) -> str:
    """Say what stored terms hold of a term; what they do not hold is the publisher's."""
    if value is None:
        return "as the publisher’s"
    return say_term(name, find_deemed(value) if isinstance(value, dict) else value)


def say_term(name: str, value: object) -> str:
    """Say the value of a term in words."""
    if isinstance(value, Deemed):
        return f"Is deemed to have received it after {value.deemed_after_days} days ({value.clause})"
    if value is None:
        return "none"
    written = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    chosen = dict(TERMS[name].choices).get(written)
    if chosen is not None:
        return chosen
    if name == "language":
        return f"{language_name(written)} ({written})"
    return f"{written} days" if name in {"days", "objection_days"} else written


def say_notice_days(row: ListedCustomer) -> str:
    """Say how long a customer is told ahead, such as "45 working days"."""
    if not row.has_readable_terms:
        return "unknown"
    kind = "working day" if row.terms.counting == "business" else "day"
    return f"{row.terms.days} {kind}{'' if row.terms.days == 1 else 's'}"


def say_whose(row: ListedCustomer) -> str:
    """Say whose terms count for a customer: the publisher's, or its own and in what."""
    if not row.has_readable_terms:
        return "terms that cannot be read: set them anew"
    if not row.own_terms:
        return "the publisher’s"
    names = [TERMS[name].label.lower() for name in OWN_TERMS if name in row.own_terms]
    return "its own: " + ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
