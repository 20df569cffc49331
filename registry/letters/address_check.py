"""The letter by which a publisher's own address is tested: it says what it is, and asks for nothing."""

from __future__ import annotations

import html
from datetime import datetime
from typing import Final

from registry.letters.compose import on_one_clean_line
from registry.letters.mime import address_header, date_header, text_header, verbatim_header, write_alternative
from registry.letters.values import Sender

_TEXT: Final = """This letter tests whether this address takes mail. No answer is needed.

Every notice of {name} about its subprocessors names this address: customers
reply and object to it. So a letter like this one comes once a day, and if
one comes back, {name} is told.

If {name} should be written to elsewhere, change the contact in its registry
file. The list is at {page}
"""


def compose_address_check(sender: Sender, recipient: str, message_id: str, date_at: datetime, boundary: str) -> bytes:
    """Return the letter that tests one of the publisher's own addresses, as RFC 5322 bytes.

    `date_at` is an aware instant. Programs that answer letters are asked not to (RFC 3834 section 5, and in Exchange's
    own words). Raises `ImpossibleHeader` for an address that cannot be written to.
    """
    name = on_one_clean_line(sender.name)
    headers = [
        ("From", address_header("From", name, sender.from_address)),
        ("To", address_header("To", None, recipient)),
        ("Subject", text_header("Subject", f"Test of this address, no answer needed ({name})")),
        ("Date", date_header(date_at)),
        ("Message-ID", verbatim_header("Message-ID", message_id)),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ]
    text = _TEXT.format(name=name, page=sender.page_url)
    paragraphs = "".join(f"<p>{html.escape(each)}</p>\n" for each in text.strip().split("\n\n"))
    return write_alternative(
        headers, boundary, text, f'<!DOCTYPE html>\n<html lang="en"><body>\n{paragraphs}</body></html>\n'
    )
