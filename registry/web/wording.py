"""What the error pages say: a title, what happened, what to do, and where to go from there.

`registry.i18n` has the sentence of each condition. Here stand the words around it, which only a page has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from werkzeug.exceptions import HTTPException

from registry.domain.errors import InvalidInput, RegistryError
from registry.domain.people import TeamRole
from registry.domain.vocabulary import Audience
from registry.i18n import explain
from registry.language import Words, marked
from registry.language import gettext as _
from registry.pages.values import Addresses

Action = tuple[str, str]


@dataclass(frozen=True)
class Explained:
    """One error as it is answered: `code` and `message` for machines too, `advice` and `action` for people."""

    status: int
    code: str
    title: str
    message: str
    advice: str
    action: Action | None = None
    field: str | None = None


_CONDITIONS: Final[dict[str, tuple[int, str, str]]] = {
    "unknown-publisher": (
        404,
        marked("There is no such list"),
        marked("Look at the address again, or choose from the lists here."),
    ),
    "unknown-entry": (
        404,
        marked("There is no such entry"),
        marked("It may go by another name: look for it on the list."),
    ),
    "unknown-notice": (404, marked("There is no such notice"), marked("Look for it among all notices.")),
    "future-as-of": (
        400,
        marked("“as_of” names a day to come"),
        marked("Ask for today or a day before, or see what is announced."),
    ),
    "before-founding": (404, marked("“as_of” names a day before the list"), marked("Ask for that day or a later one.")),
    "unknown-token": (
        404,
        marked("This link opens nothing"),
        marked("Some mail programs break long links in two. If the whole of it leads here too, ask for a new letter."),
    ),
    "used-token": (410, marked("This link was used already"), marked("You can close this page.")),
    "expired-token": (
        410,
        marked("This link is too old"),
        marked("Nothing was changed, and nothing is sent to this address."),
    ),
    "unknown-objection": (
        409,
        marked("There is no open objection"),
        marked("It was closed meanwhile. Open the link again to see how."),
    ),
    "subscription-ended": (
        410,
        marked("This subscription has ended"),
        marked("The list and its feeds stay open to everyone."),
    ),
    "not-a-follower": (
        409,
        marked("This address is not yours alone to change"),
        marked("Hand over to another contact by the link in your letter."),
    ),
    "contact-may-not-pause": (
        409,
        marked("A contact’s letters cannot be paused"),
        marked("Hand over to another contact by the link in your letter."),
    ),
    "not-a-contact": (
        409,
        marked("There is no contact to change"),
        marked("Choose what you are told by the link in your letter."),
    ),
}

_STATUSES: Final[dict[int, tuple[str, str, str, str]]] = {
    400: (
        "bad-request",
        marked("This could not be understood"),
        marked("What was sent here is not what this address takes."),
        marked("Go back, look at it again, and send it once more."),
    ),
    403: (
        "cross-site",
        marked("This form came from another website"),
        marked("A form that another website sends here is not taken. Nothing was changed."),
        marked("Open the form on this website and fill it in here."),
    ),
    404: (
        "not-found",
        marked("There is nothing at this address"),
        marked("No page of the registry has this address."),
        marked("Look at the address again, or begin with the list."),
    ),
    405: (
        "method-not-allowed",
        marked("This address does not take that"),
        marked("What was asked cannot be done at this address. Nothing was changed."),
        marked("Open the address in a browser to see what it has."),
    ),
    413: (
        "too-large",
        marked("That was too much"),
        marked("The form was longer than anything that is read here. Nothing of it was taken."),
        marked("Shorten it and send it once more."),
    ),
    429: (
        "too-many-requests",
        marked("Too many letters asked for"),
        marked(
            "From your address or its neighbourhood more letters were asked for within an hour than one person needs."
        ),
        marked(
            "Try again in an hour. Letters already asked for are on their way, and the feeds need no address at all."
        ),
    ),
    500: (
        "internal-error",
        marked("Something went wrong here"),
        marked("The service made a mistake while answering. What you sent was not taken."),
        marked("Try again in a while. If it happens again, tell whoever runs this service."),
    ),
    503: (
        "unavailable",
        marked("Back in a moment"),
        marked("The service cannot reach its records right now. Nothing was changed, and nothing is lost."),
        marked("Try again in half a minute."),
    ),
}


OBJECTION_STATES: Final = Words(
    {
        "received": marked("Received. It has not been looked at yet."),
        "under_review": marked("Received, and being looked at."),
        "accommodated": marked("Settled: your objection was accommodated."),
        "withdrawn": marked("Withdrawn by your company."),
        "terminated": marked("Closed: the contract ends."),
        "refunded": marked("Closed: the contract ended, and what was paid ahead was refunded."),
        "resolved_otherwise": marked("Closed."),
        "moot": marked("Closed: the notice was withdrawn."),
    }
)
"""Where an objection stands, as the customer reads it."""

OBJECTION_DONE: Final = Words(
    {
        "object": marked("Your objection was received. Every contact of your company gets a letter that confirms it."),
        "add": marked("That was received, and stands with your objection."),
        "withdraw": marked("The objection was withdrawn. Every contact of your company gets a letter that says so."),
    }
)
"""What the page behind the link says after each act, by its button."""


def explain_condition(error: RegistryError, addresses: Addresses | None, start_url: str) -> Explained:
    """Explain what a step or query refused. `start_url` is where the list of all publishers is."""
    if isinstance(error, InvalidInput):
        return _explain_input(error, addresses)
    unknown = (400, marked("This cannot be done"), marked("Nothing was changed."))
    status, title, advice = _CONDITIONS.get(error.code, unknown)
    message = explain(error)
    action = _action(error, addresses, start_url)
    if error.code == "used-token" and error.params.get("confirmed"):
        title = marked("Confirmed already")
    elif error.code == "expired-token" and error.params.get("audience") == Audience.CUSTOMER.value:
        # Contacts are named by their company, and do not subscribe.
        message = _("This link was good for 7 days, and they are over.")
        advice = marked("The contact who was to be replaced still stands, and can name you again.")
        action = None
    field = "as_of" if error.code in {"future-as-of", "before-founding"} else None
    return Explained(status, error.code, _(title), message, _(advice), action, field)


def _explain_input(error: InvalidInput, addresses: Addresses | None) -> Explained:
    first = error.problems[0]
    return Explained(
        400,
        first.code,
        _("This address asks for something impossible"),
        explain(error),
        _("Correct the address, or begin with the list as it is now."),
        (_("Show the whole list"), addresses.page()) if addresses else None,
        first.field,
    )


def _action(error: RegistryError, addresses: Addresses | None, start_url: str) -> Action | None:
    if addresses is None:
        return (_("Show all lists"), start_url)
    match error.code:
        case "unknown-notice":
            return (_("Show all notices"), addresses.at("notices/"))
        case "future-as-of":
            return (_("See what is upcoming"), f"{addresses.page()}#upcoming")
        case "unknown-token" | "expired-token" | "subscription-ended":
            return (_("Subscribe"), addresses.at("subscribe"))
        case _:
            return None


def explain_status(error: HTTPException) -> Explained:
    """Explain what never came to a step: an address, a method or a form that does not exist."""
    status = error.code or 500
    known = status if status in _STATUSES else 500 if status >= 500 else 400
    code, title, message, advice = _STATUSES[known]
    return Explained(status, code, _(title), _(message), _(advice))


def explain_unavailable() -> Explained:
    """Explain that the database is locked, missing or not to be reached."""
    code, title, message, advice = _STATUSES[503]
    return Explained(503, code, _(title), _(message), _(advice))


def explain_role(needed: TeamRole, held: TeamRole, publisher: str) -> Explained:
    """Explain that somebody's role does not reach for what they asked."""
    return Explained(
        403,
        "role-too-low",
        "Your role does not reach this",
        f"This takes the role {needed.value} at {publisher}, and yours is {held.value}. Nothing was changed.",
        "Ask an owner of the publisher, who can do it or give you the role.",
    )


def explain_old_form() -> Explained:
    """Explain that a form was sent without the token of its session, most often because the session has changed."""
    return Explained(
        400,
        "old-form",
        "This form is too old",
        "You have signed in or out since it was opened, or it comes from another website. Nothing was changed.",
        "Go back, reload the page, and send it once more. What you typed can be copied before that.",
    )


def explain_unsent() -> Explained:
    """Explain that a letter somebody waits for could not be sent."""
    return Explained(
        503,
        "letter-not-sent",
        "The letter could not be sent",
        "The mail server did not take it.",
        "Try again in a few minutes. If it happens again, tell whoever runs this service.",
    )
