"""Letters by SMTP, over one connection that is used again.

open ──▶ EHLO ──▶ STARTTLS ──▶ sign-in ──┐
                                         ▼
RSET ──▶ MAIL FROM ──▶ RCPT TO ──▶ DATA ──▶ the letter ──▶ the final dot ──▶ answer
 ▲                                                     │                       │
 └─────────────────── the next letter ────────────────┼───────────────────────┘
                                                       ▼
                          trouble up to here: certainly not taken; after it: nobody knows
"""

from __future__ import annotations

import contextlib
import re
import ssl
import time
from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from registry.channels.base import Accepted, Ambiguous, Answer, Envelope, PermanentFailure, TemporaryFailure
from registry.channels.smtp_address import Security, SmtpAddress, parse_mail_url
from registry.channels.smtp_letter import SmtpLetter, prepare
from registry.channels.smtp_wire import CannotConnect, SpokeOutOfTurn, Wire, WireError

__all__ = ["Security", "SmtpAddress", "SmtpChannel", "SmtpTimeouts", "parse_mail_url"]

# Codes that blame the sign-in (RFC 4954 section 6): the deployment's fault, so no letter may be given up for them.
_SIGN_IN_CODES = frozenset({530, 534, 535, 538})
_TOO_LARGE = 552
# How Postfix and Exim say under which name they keep a letter.
_QUEUE_NAME = re.compile(r"(?:^|\s)(?:queued as |id=)([A-Za-z0-9][A-Za-z0-9-]*)")
_FAREWELL_SECONDS = 5.0


@dataclass(frozen=True)
class SmtpTimeouts:
    """How long to wait, in seconds.

    `connect` is for the connection and each TLS handshake, `command` for the greeting and the answer to each
    command, `data_block` for each piece of the letter to be taken, `after_dot` for the answer to the whole
    letter (ten minutes, RFC 5321 section 4.5.3.2.6: a server may be storing or scanning it, and giving up early
    makes duplicates). `before_dot` caps everything up to the final dot together.
    """

    connect: float = 20
    command: float = 60
    data_block: float = 180
    after_dot: float = 600
    before_dot: float = 300

    @property
    def longest_send(self) -> timedelta:
        """The longest one `send` can take, the name service's own time-out aside. A lease must be longer."""
        seconds = self.before_dot + self.data_block + self.after_dot + 2 * _FAREWELL_SECONDS
        return timedelta(seconds=seconds)


class _Point(StrEnum):
    """How far the conversation has come, in words for an answer."""

    CONNECTING = "connecting"
    GREETING = "the greeting"
    STARTTLS = "STARTTLS"
    SIGN_IN = "the sign-in"
    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    LETTER = "the letter"
    DOT = "the final dot"


class _Refused(Exception):
    """The server will not talk to this installation. That says nothing about the letter."""

    def __init__(self, code: int | None, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(code, reason)


class SmtpChannel:
    """Sends each letter to one recipient through one mail server.

    One object belongs to one worker: it holds a connection and is not safe to share between threads. Call
    `close` after a batch; a connection that was idle longer than `idle_seconds`, or carried
    `letters_per_connection`, is replaced anyway.

    Raises ValueError where the certificate authority's file cannot be used.
    """

    name = "smtp"
    kind = "email"
    is_real = True

    def __init__(
        self,
        address: SmtpAddress,
        *,
        timeouts: SmtpTimeouts | None = None,
        letters_per_connection: int = 100,
        idle_seconds: float = 60,
    ) -> None:
        self._address = address
        self._timeouts = timeouts or SmtpTimeouts()
        self._letters_per_connection = letters_per_connection
        self._idle_seconds = idle_seconds
        self._context = None if address.security is Security.OFF else _context_for(address)
        self._wire: Wire | None = None
        self._is_encrypted = False
        self._letters_carried = 0
        self._last_used = 0.0
        self._point = _Point.CONNECTING

    def send(self, envelope: Envelope) -> Answer:
        """Carry one letter and say what the server said.

        Refused with 4xx, or any trouble up to the final dot: TemporaryFailure. Refused with 5xx at RCPT TO,
        DATA or after the letter, or at MAIL FROM for its size: PermanentFailure, unless the code blames the sign-in.
        Any trouble after the final dot: Ambiguous, for the server may have taken the letter.
        """
        letter = prepare(envelope)
        if isinstance(letter, PermanentFailure):
            return letter
        must_end_at = time.monotonic() + self._timeouts.before_dot
        was_reused = self._is_ready_again(must_end_at)
        answer = self._carry(letter, must_end_at)
        if was_reused and self._wire is None and self._point is _Point.MAIL:
            # Some servers end a connection after so many letters, at the next MAIL FROM: nothing was given yet.
            answer = self._carry(letter, must_end_at)
        return answer

    def close(self) -> None:
        """Take leave of the server and close the connection. The next letter opens a new one."""
        if self._wire is not None:
            self._wire.must_end_at = time.monotonic() + _FAREWELL_SECONDS
            self._wire.within(_FAREWELL_SECONDS)
            # Every letter has its answer by now; a server that does not say goodbye changes none of them.
            with contextlib.suppress(WireError):
                self._wire.docmd("QUIT")
        self._drop()

    def _drop(self) -> None:
        # Never QUIT here: in the middle of a letter it would become part of the letter.
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _is_ready_again(self, must_end_at: float) -> bool:
        wire = self._wire
        if wire is None:
            return False
        idle = time.monotonic() - self._last_used
        if self._letters_carried >= self._letters_per_connection or idle > self._idle_seconds:
            self.close()
            return False
        wire.must_end_at = must_end_at
        wire.within(self._timeouts.command)
        try:
            code, _ = wire.rset()
        except WireError:
            # A connection that went stale is no failure of the letter: a new one is opened for it.
            code = 0
        if code // 100 != 2:
            self._drop()
        return self._wire is not None

    def _carry(self, letter: SmtpLetter, must_end_at: float) -> Answer:
        settled = False
        try:
            answer = self._converse(self._wire or self._open(must_end_at), letter)
            settled = True
        except _Refused as refusal:
            answer = TemporaryFailure(refusal.code, f"{self._address}, {self._point}: {refusal.reason}")
        except SpokeOutOfTurn:
            answer = self._answer_out_of_turn()
        except WireError as trouble:
            text = f"{self._address}, {self._point}: {trouble}"
            answer = Ambiguous(None, text) if self._point is _Point.DOT else TemporaryFailure(None, text)
        finally:
            # Also when a worker is stopped in mid-letter: the next letter must not continue half a conversation.
            if not settled:
                self._drop()
        self._last_used = time.monotonic()
        return answer

    def _open(self, must_end_at: float) -> Wire:
        wire = self._wire = Wire(must_end_at)
        self._is_encrypted = False
        self._letters_carried = 0
        self._point = _Point.CONNECTING
        wire.within(self._timeouts.connect)
        wire.reach(self._address.host, self._address.port)
        if self._address.security is Security.FROM_THE_START:
            self._encrypt(wire)
        self._point = _Point.GREETING
        wire.within(self._timeouts.command)
        code, text = wire.getreply()
        if code != 220:
            raise _Refused(code, _words(text))
        wire.introduce(self._address.ehlo_name)
        self._greet(wire)
        if self._address.security in (Security.REQUIRED, Security.WHEN_OFFERED):
            self._start_tls(wire)
        if self._address.username is not None and self._address.password is not None:
            self._sign_in(wire, self._address.username, self._address.password)
        return wire

    def _greet(self, wire: Wire) -> None:
        self._point = _Point.GREETING
        wire.within(self._timeouts.command)
        code, text = wire.ehlo()
        if code // 100 == 5:
            wire.within(self._timeouts.command)
            code, text = wire.helo()
        if code // 100 != 2:
            raise _Refused(code, _words(text))

    def _start_tls(self, wire: Wire) -> None:
        self._point = _Point.STARTTLS
        if not wire.has_extn("starttls"):
            if self._address.security is Security.WHEN_OFFERED:
                return
            raise _Refused(
                None,
                "the server does not offer encryption here: use smtps:// where it speaks TLS from the start (port 465),"
                " or ?starttls=when-offered in the mail URL to send in clear",
            )
        code, text = self._ask(wire, "STARTTLS")
        if code != 220:
            raise _Refused(code, _words(text))
        self._encrypt(wire)
        self._greet(wire)

    def _encrypt(self, wire: Wire) -> None:
        if self._context is None:
            raise AssertionError("a channel that encrypts has a context")
        wire.within(self._timeouts.connect)
        try:
            wire.encrypt(self._address.host, self._context)
        except CannotConnect as trouble:
            if self._address.is_loopback and self._address.security is Security.WHEN_OFFERED:
                # A mail server fresh from a distribution offers a certificate it made for itself.
                raise CannotConnect(f"{trouble}; for a server on this machine ?starttls=off will do") from trouble
            raise
        self._is_encrypted = True

    def _sign_in(self, wire: Wire, username: str, password: str) -> None:
        self._point = _Point.SIGN_IN
        if not self._is_encrypted and not self._address.is_loopback:
            raise _Refused(None, "the password is not given to a server without encryption: use ?starttls=required")
        mechanisms = wire.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in mechanisms:
            code, text = self._ask(wire, f"AUTH PLAIN {_base64(f'{chr(0)}{username}{chr(0)}{password}')}")
        elif "LOGIN" in mechanisms:
            code, text = self._ask(wire, "AUTH LOGIN")
            for secret in (username, password):
                if code == 334:
                    code, text = self._ask(wire, _base64(secret))
        else:
            raise _Refused(
                None, f"the server offers no sign-in with PLAIN or LOGIN (it offers: {' '.join(mechanisms) or 'none'})"
            )
        if code // 100 != 2:
            raise _Refused(code, f"{_words(text)} (check the user name and password in the mail URL)")

    def _converse(self, wire: Wire, letter: SmtpLetter) -> Answer:
        self._point = _Point.MAIL
        parameters = letter.parameters_for(wire.esmtp_features)
        if isinstance(parameters, PermanentFailure):
            return parameters
        for point, command, wanted in (
            (_Point.MAIL, f"MAIL FROM:<{letter.return_path}>{parameters}", 2),
            (_Point.RCPT, f"RCPT TO:<{letter.recipient}>", 2),
            (_Point.DATA, "DATA", 3),
        ):
            self._point = point
            code, text = self._ask(wire, command)
            if code // 100 != wanted:
                return self._refusal(code, _words(text))
        self._point = _Point.LETTER
        wire.write_in_pieces(letter.text, self._timeouts.data_block)
        wire.within(self._timeouts.data_block)
        wire.listen()
        self._point = _Point.DOT
        wire.must_end_at = time.monotonic() + self._timeouts.data_block + self._timeouts.after_dot
        wire.write(b".\r\n")
        wire.within(self._timeouts.after_dot)
        code, text = wire.getreply()
        self._letters_carried += 1
        if code // 100 != 2:
            return self._refusal(code, _words(text))
        named = _QUEUE_NAME.search(_words(text))
        return Accepted(code, _words(text), provider_ref=named[1] if named else None)

    def _refusal(self, code: int, text: str) -> Answer:
        answer = f"at {self._point}: {text}"
        # A sender that a relay does not know is the deployment's fault: no letter may fail for good by it.
        is_about_the_sender = self._point is _Point.MAIL and code != _TOO_LARGE
        if code // 100 == 5 and code not in _SIGN_IN_CODES and not is_about_the_sender:
            return PermanentFailure(code, answer)
        if code == 421 or code // 100 in (2, 3):
            # 421 says that the server is closing (RFC 5321 section 3.8); another code here, that step was lost.
            self._drop()
        if self._point is _Point.DOT and code // 100 == 3:
            return Ambiguous(code, answer)
        return TemporaryFailure(code, answer)

    def _answer_out_of_turn(self) -> Answer:
        """What to make of a server that spoke before the final dot: it has not taken the letter, whatever it says."""
        if self._wire is None:
            raise AssertionError("a server that spoke has a connection")
        self._wire.within(_FAREWELL_SECONDS)
        try:
            code, text = self._wire.getreply()
        except WireError as trouble:
            return TemporaryFailure(None, f"{self._address}, {self._point}: {trouble}")
        answer = f"at {self._point}, out of turn: {_words(text)}"
        if self._point is _Point.LETTER and code // 100 == 5 and code not in _SIGN_IN_CODES:
            return PermanentFailure(code, answer)
        return TemporaryFailure(code, answer)

    def _ask(self, wire: Wire, command: str) -> tuple[int, bytes]:
        wire.within(self._timeouts.command)
        return wire.docmd(command)


def _context_for(address: SmtpAddress) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if address.certificate_authority is not None:
        try:
            context.load_verify_locations(cafile=address.certificate_authority)
        except OSError as trouble:
            raise ValueError(
                f"the certificate authority {address.certificate_authority} is no readable PEM file: {trouble}"
            ) from trouble
    return context


def _base64(secret: str) -> str:
    # UTF-8, as RFC 4616 has it; the standard library's sign-in knows ASCII only.
    return b64encode(secret.encode("utf-8")).decode("ascii")


def _words(text: bytes) -> str:
    return text.decode("utf-8", "replace")
