"""Reading letters back as a mail program does: by the standard library's parser, which had no part in writing them."""

from __future__ import annotations

import email
import email.policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

STRICT = email.policy.SMTP.clone(raise_on_defect=True)


def parsed(message: bytes) -> EmailMessage:
    """The message as parsed, any defect being an error."""
    read = email.message_from_bytes(message, policy=STRICT)
    assert isinstance(read, EmailMessage)
    return read


def mailbox_of(message: bytes, header: str) -> tuple[str, str]:
    """The display name and the address of a header, decoded as RFC 2047 says: nothing between two encoded words.

    The newer parser is not used for it, as up to 3.13 it reads a space there.
    """
    name, address = parseaddr("".join(email.message_from_bytes(message)[header].splitlines()))
    return str(make_header(decode_header(name))), address


def text_of(message: bytes) -> str:
    """The plain text part."""
    return _part(message, "plain")


def html_of(message: bytes) -> str:
    """The HTML part."""
    return _part(message, "html")


def squeezed(body: str) -> str:
    """A body with every run of white space as one space, and without tags, so that wrapping does not matter."""
    out, in_tag = [], False
    for character in body:
        if character == "<":
            in_tag = True
        elif character == ">" and in_tag:
            in_tag = False
        elif not in_tag:
            out.append(character)
    return " ".join("".join(out).split())


def _part(message: bytes, subtype: str) -> str:
    part = parsed(message).get_body((subtype,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")
