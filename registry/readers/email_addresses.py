"""E-mail addresses that letters will be sent to: which can be, and the one form each has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from email_validator import EmailNotValidError, validate_email

from registry.domain.errors import InvalidInput, Problem
from registry.domain.publishers import FOLLOWERS_TAG
from registry.domain.text import find_unclean

LONGEST_ADDRESS: Final = 254
LONGEST_MAILBOX: Final = 64
LONGEST_SENDER_MAILBOX: Final = LONGEST_MAILBOX - len(FOLLOWERS_TAG)
"""Octets before the @ of an address that letters come from, so that followers can be written to from it too."""

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


def read_sender_address(text: str, field: str = "sender") -> str:
    """Return an address that letters may come from, to customers and with its tag to followers: as it is written to.

    Raises `InvalidInput` as that does, and with `sender-too-long` where the tag would make it longer than an address
    can be.
    """
    address = read_email_address(text, field)
    over = max(
        len(address.rpartition("@")[0]) - LONGEST_SENDER_MAILBOX, len(address) + len(FOLLOWERS_TAG) - LONGEST_ADDRESS
    )
    if over > 0:
        raise InvalidInput([Problem(field, text, "sender-too-long", {"over": over, "tag": FOLLOWERS_TAG})])
    return address


def find_impossible_addresses(contact: object, sender: object) -> Iterator[Problem]:
    """Yield what keeps letters from naming a publisher's own addresses. What is no text is for others to refuse."""
    for field, given, read in (
        ("publisher.contact", contact, read_email_address),
        ("publisher.sender", sender, read_sender_address),
    ):
        if isinstance(given, str):
            try:
                read(given, field)
            except InvalidInput as error:
                yield from error.problems
