"""The letter by which an address that letters come from is tested: it says what it is, and asks for nothing."""

from __future__ import annotations

import html
from datetime import datetime
from typing import Final

from registry.letters.mime import address_header, date_header, text_header, verbatim_header, write_alternative

NAME: Final = "Subprocessor registry"

_TEXT: Final = """This letter tests whether letters may come from {sender},
and whether {recipient} takes mail. No answer is needed.

{why}
to them. `registry doctor` sent this letter when somebody ran it.
"""
_OF_NOTICES: Final = "Notices of changed subprocessors come from one of the two, and people answer"
_OF_SIGN_IN: Final = "Letters about signing in come from there, and people answer"


def compose_sender_check(sender: str, recipient: str, message_id: str, date_at: datetime, boundary: str) -> bytes:
    """Return the letter that tests an address that letters come from, as RFC 5322 bytes.

    `sender` and `recipient` are bare ASCII addresses, the same where only letters of the sign-in come from it, and
    `date_at` is an aware instant. Programs that answer letters are
    asked not to (RFC 3834 section 5, and in Exchange's own words). Raises `ImpossibleHeader` for an address that cannot
    be written to or from.
    """
    headers = [
        ("From", address_header("From", NAME, sender)),
        ("To", address_header("To", None, recipient)),
        ("Subject", text_header("Subject", f"Test of {recipient}, no answer needed")),
        ("Date", date_header(date_at)),
        ("Message-ID", verbatim_header("Message-ID", message_id)),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ]
    text = _TEXT.format(sender=sender, recipient=recipient, why=_OF_SIGN_IN if sender == recipient else _OF_NOTICES)
    paragraphs = "".join(f"<p>{html.escape(each)}</p>\n" for each in text.strip().split("\n\n"))
    return write_alternative(
        headers, boundary, text, f'<!DOCTYPE html>\n<html lang="en"><body>\n{paragraphs}</body></html>\n'
    )
