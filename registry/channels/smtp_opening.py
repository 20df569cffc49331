"""How a connection to a mail server is made ready for letters: greeted, encrypted, signed in.

reach ──▶ greeting ──▶ EHLO ──▶ STARTTLS ──▶ EHLO ──▶ sign-in ──▶ ready
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta

from registry.channels.smtp_address import Security, SmtpAddress
from registry.channels.smtp_wire import CannotConnect, Point, Wire, WireError, words_of

FAREWELL_SECONDS = 5.0
"""How long a server may take over its last words before it is hung up on."""
_GO_ON = 334


@dataclass(frozen=True)
class SmtpTimeouts:
    """How long to wait, in seconds.

    `connect` is for the connection and each TLS handshake, `command` for the greeting and the answer to each
    command, `data_block` for each piece of the letter to be taken, `after_dot` for the answer to the whole
    letter (ten minutes, RFC 5321 section 4.5.3.2.6: a server may be storing or scanning it, and giving up early
    makes duplicates). `before_dot` caps everything up to the final dot together, with the dot.
    """

    connect: float = 20
    command: float = 60
    data_block: float = 180
    after_dot: float = 600
    before_dot: float = 300

    @property
    def longest_send(self) -> timedelta:
        """The longest one `send` can take, the name service's own time-out aside. A lease must be longer."""
        return timedelta(seconds=self.before_dot + self.after_dot + 2 * FAREWELL_SECONDS)


class Refused(Exception):
    """The server will not talk to this installation. That says nothing about the letter."""

    def __init__(self, code: int | None, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(code, reason)


class Opening:
    """Makes connections to one mail server ready. It holds none of them.

    Raises ValueError where the certificate authority's file cannot be used.
    """

    def __init__(self, address: SmtpAddress, timeouts: SmtpTimeouts) -> None:
        self._address = address
        self._timeouts = timeouts
        self._context = None if address.security is Security.OFF else _context_for(address)

    def make_ready(self, wire: Wire) -> None:
        """Connect `wire` and bring it to where letters can be given. `wire.point` says how far it came.

        Raises Refused where the server does not want this installation, WireError where the conversation broke.
        """
        wire.within(self._timeouts.connect)
        wire.reach(self._address.host, self._address.port)
        if self._address.security is Security.FROM_THE_START:
            self._encrypt(wire)
        wire.point = Point.GREETING
        wire.within(self._timeouts.command)
        code, text = wire.getreply()
        if code != 220:
            raise Refused(code, words_of(text))
        wire.introduce(self._address.ehlo_name)
        self._greet(wire)
        if self._address.security in (Security.REQUIRED, Security.WHEN_OFFERED):
            self._start_tls(wire)
        if self._address.username is not None and self._address.password is not None:
            self._sign_in(wire, self._address.username, self._address.password)

    def _greet(self, wire: Wire) -> None:
        wire.point = Point.GREETING
        wire.within(self._timeouts.command)
        code, text = wire.ehlo()
        if code // 100 == 5:
            wire.within(self._timeouts.command)
            code, text = wire.helo()
        if code // 100 != 2:
            raise Refused(code, words_of(text))

    def _start_tls(self, wire: Wire) -> None:
        wire.point = Point.STARTTLS
        if not wire.has_extn("starttls"):
            if self._address.security is Security.WHEN_OFFERED:
                return
            raise Refused(
                None,
                "the server does not offer encryption here: use smtps:// where it speaks TLS from the start (port 465),"
                " or ?starttls=when-offered in the mail URL to send in clear",
            )
        code, text = self._ask(wire, "STARTTLS")
        if code != 220:
            raise Refused(code, words_of(text))
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

    def _sign_in(self, wire: Wire, username: str, password: str) -> None:
        wire.point = Point.SIGN_IN
        if not wire.is_encrypted and not self._address.is_loopback:
            raise Refused(None, "the password is not given to a server without encryption: use ?starttls=required")
        mechanisms = wire.esmtp_features.get("auth", "").upper().split()
        both = _base64(f"{chr(0)}{username}{chr(0)}{password}")
        refusals: list[str] = []
        code: int | None = None
        # A server that refuses one of what it offers may well take the other.
        for mechanism, secrets in (("PLAIN", (both,)), ("LOGIN", (_base64(username), _base64(password)))):
            if mechanism not in mechanisms or (code is not None and code // 100 != 5):
                continue
            try:
                code, text = self._offer(wire, mechanism, secrets)
            except WireError:
                if not refusals:
                    raise
                break
            if code // 100 == 2:
                return
            refusals.append(words_of(text))
        if not refusals:
            raise Refused(
                None, f"the server offers no sign-in with PLAIN or LOGIN (it offers: {' '.join(mechanisms) or 'none'})"
            )
        said = "; ".join(refusals)
        for secret in (both, _base64(password), password):
            # Some servers repeat the command that they refuse, and what they say goes into the record.
            said = said.replace(secret, "[password]")
        raise Refused(code, f"{said} (check the user name and password in the mail URL)")

    def _offer(self, wire: Wire, mechanism: str, secrets: tuple[str, ...]) -> tuple[int, bytes]:
        """Sign in by one mechanism, and return the server's last word."""
        # PLAIN has one answer to give, which goes along with the command; who does not read it there asks for it.
        code, text = self._ask(wire, " ".join(("AUTH", mechanism, *(secrets if mechanism == "PLAIN" else ()))))
        for secret in secrets:
            if code == _GO_ON:
                code, text = self._ask(wire, secret)
        if code == _GO_ON:
            # It asks for more than there is to say, and would take the next command for an answer (RFC 4954 section 4).
            code, text = self._ask(wire, "*")
        return code, text

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
