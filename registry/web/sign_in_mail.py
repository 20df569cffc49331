"""The letters of the sign-in itself: invitations, links to choose a password, and what happened to an account.

They leave by the one mail road. Those that somebody waits for on the screen are sent at once (`send_letter`). All
others leave beside the answer (`send_later`): how long a mail server takes would otherwise tell a stranger whose
address is known here, and a transaction would be held open while it thinks.
"""

from __future__ import annotations

import logging
import secrets
from threading import Thread
from typing import Any, Final

from flask import Flask, Response, g
from flask_security import EmailValidateException, MailUtil, hash_password
from flask_security.utils import get_message
from werkzeug.exceptions import ServiceUnavailable

from registry.channels.base import Accepted, Envelope
from registry.domain.errors import InvalidInput
from registry.domain.vocabulary import ChannelKind
from registry.letters.mime import address_header, date_header, text_header, verbatim_header, write_alternative
from registry.steps.people import read_person_address
from registry.web.current import now, wiring
from registry.web.sign_in_limits import may_write_to

LEAVING: Final = "letter-of-the-sign-in"
"""The name of the threads that letters leave on."""
_LATER: Final = "letters_later"

logger = logging.getLogger(__name__)


class LetterNotSent(ServiceUnavailable):
    """The mail server did not take a letter that somebody waits for."""

    description = "The letter could not be sent: the mail server did not take it. Try again in a few minutes."


class SignInMail(MailUtil):
    """Hands Flask-Security's letters to the installation's own mail channel, and reads addresses as invitations do."""

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
        """Send the letter with a link to choose a password, at most a few a day to one address."""
        address = recipient if isinstance(recipient, str) else recipient[1]
        # As long as it takes for an address that nobody has here.
        hash_password("not-a-password")
        if may_write_to(address):
            send_later(str(subject), address, body or "", html or "")

    def normalize(self, email: str) -> str:
        """Return an address as people are known by it. Raises `EmailValidateException`."""
        try:
            return read_person_address(email)
        except InvalidInput:
            raise EmailValidateException(get_message("INVALID_EMAIL_ADDRESS")[0]) from None

    def validate(self, email: str) -> str:
        """Return an address as people are known by it. No name server is asked. Raises `EmailValidateException`."""
        return self.normalize(email)


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


def send_later(subject: str, recipient: str, text: str, html: str) -> None:
    """Send one letter to a person of the team once its page is made; where that fails, it is logged."""
    if _LATER not in g:
        setattr(g, _LATER, [])
    g.get(_LATER).append((subject, recipient, text, html))


def send_after_answers(app: Flask) -> None:
    """Have `app` send what `send_later` was given. To be called before anything else that ends requests is added."""

    @app.after_request
    def leave(response: Response) -> Response:
        # Not when the answer is closed: whoever hangs up early would keep the owner of an account from being told.
        if letters := g.pop(_LATER, None):
            try:
                Thread(target=_send_quietly, args=(app, letters), name=LEAVING).start()
            except RuntimeError:
                # There is no room for another thread, and what was done stands.
                _send_quietly(app, letters)
        return response


def _send_quietly(app: Flask, letters: list[tuple[str, str, str, str]]) -> None:
    with app.app_context():
        for subject, recipient, text, html in letters:
            try:
                send_letter(subject, recipient, text, html)
            except Exception as error:  # noqa: BLE001 - what ends this thread would write the address to the log
                # Without the address, and without the link.
                logger.error("A letter of the sign-in was not sent (%s): %s", subject, type(error).__name__)
