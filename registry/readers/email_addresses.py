"""E-mail addresses that letters will be sent to: which can be, and the one form each has."""

from __future__ import annotations

from typing import Final

from email_validator import EmailNotValidError, validate_email

from registry.domain.errors import InvalidInput, Problem
from registry.domain.text import find_unclean

LONGEST_ADDRESS: Final = 254
LONGEST_MAILBOX: Final = 64

ON_THIS_MACHINE: Final = ".localhost"
STAND_IN: Final = ".example"


def read_email_address(text: str, field: str = "email") -> str:
    """Return an address as it is written to: as typed, with its domain in small ASCII letters.

    It judges the form alone and asks no name server. Names that can never receive mail (`localhost`, `.invalid`,
    `.local`) are refused; `.example`, `.test` and `.localhost`, kept for documents, tests and trying out, are not.

    Raises `InvalidInput` naming `field`, with one of the codes `control-character`, `too-long`, `mailbox-not-ascii`
    (the part before the @ is written in letters that many mail servers refuse) and `not-an-email-address`.
    """
    typed = text.strip(" \t\u00a0")
    unclean = next((character for character in typed if character in "\n\t" or find_unclean(character)), None)
    if unclean is not None:
        raise InvalidInput([Problem(field, text, "control-character", {"character": f"U+{ord(unclean):04X}"})])
    mailbox, at, _ = typed.rpartition("@")
    for part, longest in ((typed, LONGEST_ADDRESS), (mailbox, LONGEST_MAILBOX)):
        if at and len(part) > longest:
            raise InvalidInput([Problem(field, text, "too-long", {"max_length": longest})])
    # The library refuses names on this machine, which serve to try things out; with a stand-in it judges the rest.
    is_here = typed.lower().endswith(ON_THIS_MACHINE)
    judged = typed[: -len(ON_THIS_MACHINE)] + STAND_IN if is_here else typed
    try:
        found = validate_email(judged, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError:
        raise InvalidInput([Problem(field, text, "not-an-email-address", {})]) from None
    if found.ascii_email is None:
        raise InvalidInput([Problem(field, text, "mailbox-not-ascii", {})])
    return found.ascii_email.removesuffix(STAND_IN) + ON_THIS_MACHINE if is_here else found.ascii_email
