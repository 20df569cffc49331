"""The letters of the sign-in itself: invitations, and links to set a password anew. They leave by the one mail road."""

from __future__ import annotations

import secrets
from typing import Any

from flask_security import MailUtil
from werkzeug.exceptions import ServiceUnavailable

from registry.channels.base import Accepted, Envelope
from registry.domain.vocabulary import ChannelKind
from registry.letters.mime import address_header, date_header, text_header, verbatim_header, write_alternative
from registry.web.current import now, wiring


class LetterNotSent(ServiceUnavailable):
    """The mail server did not take a letter that somebody waits for."""

    description = "The letter could not be sent: the mail server did not take it. Try again in a few minutes."


class SignInMail(MailUtil):
    """Hands Flask-Security's letters to the installation's own mail channel."""

    def send_mail(
        self,
        template: str,
        subject: str,
        recipient: str | tuple[str, str],
        sender: str | tuple[str, str],
        body: str | None,
        html: str | None,
        **kwargs: Any,
    ) -> None:
        """Send one letter now. Raises `LetterNotSent` where the mail server does not take it."""
        address = recipient if isinstance(recipient, str) else recipient[1]
        send_letter(str(subject), address, body or "", html or "")


def send_letter(subject: str, recipient: str, text: str, html: str) -> None:
    """Send one letter to a person of the team now. Raises `LetterNotSent` where the mail server does not take it."""
    parts = wiring()
    message_id = f"<team.{secrets.token_hex(16)}@{parts.letterhead.host}>"
    headers = [
        ("From", address_header("From", "Subprocessor registry", parts.letterhead.mail_from)),
        ("To", address_header("To", None, recipient)),
        ("Subject", text_header("Subject", subject)),
        ("Date", date_header(now())),
        ("Message-ID", verbatim_header("Message-ID", message_id)),
        ("Auto-Submitted", "auto-generated"),
    ]
    message = write_alternative(headers, f"=_{secrets.token_hex(16)}", text, html)
    channel = parts.make_channels(now)[ChannelKind.EMAIL.value]
    try:
        answer = channel.send(Envelope(recipient, parts.letterhead.mail_from, message, message_id))
    finally:
        channel.close()
    if not isinstance(answer, Accepted):
        raise LetterNotSent
