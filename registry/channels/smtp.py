"""Letters by SMTP, over one connection that is used again.

open ──▶ EHLO ──▶ STARTTLS ──▶ sign-in ──┐
                                         ▼
     MAIL FROM ──▶ RCPT TO ──▶ DATA ──▶ the letter with its final dot ──▶ answer
      ▲                                                              │      │
      ├─────────────────────── the next letter ◀─────────────────────┼──────┤ accepted
      └─ RSET ◀─ the next letter ◀───────────────────────────────────┼──────┘ anything else
                                                                     ▼
                       trouble up to the last byte: certainly not taken; after it: nobody knows

A server with PIPELINING (RFC 2920) is asked MAIL FROM, RCPT TO and DATA at once, and answers each in turn.
"""

from __future__ import annotations

import contextlib
import time

from registry.channels.base import Accepted, Ambiguous, Answer, Envelope, PermanentFailure, TemporaryFailure
from registry.channels.smtp_address import Security, SmtpAddress, parse_mail_url
from registry.channels.smtp_letter import SmtpLetter, prepare
from registry.channels.smtp_opening import FAREWELL_SECONDS, Opening, Refused, SmtpTimeouts
from registry.channels.smtp_refusals import blames_installation, blames_size
from registry.channels.smtp_wire import Point, SpokeOutOfTurn, Wire, WireError, words_of

__all__ = ["Security", "SmtpAddress", "SmtpChannel", "SmtpTimeouts", "parse_mail_url"]

_CLOSING = 421
_OUT_OF_STEP = 503
_TOO_LARGE = 552
_FINAL_DOT = b".\r\n"
_ANSWERED_AFTER: dict[Point, tuple[Point, ...]] = {
    Point.MAIL: (Point.RCPT, Point.DATA),
    Point.RCPT: (Point.DATA,),
    Point.DATA: (),
}


class SmtpChannel:
    """Sends each letter to one recipient through one mail server.

    One object belongs to one worker: it holds a connection and is not safe to share between threads. Call
    `close` after a batch; a connection that was idle longer than `idle_seconds`, or carried
    `letters_per_connection` (by default as many as the address says), is replaced anyway. One that was idle longer than
    `unproven_seconds` is first asked whether it still stands.

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
        letters_per_connection: int | None = None,
        idle_seconds: float = 60,
        unproven_seconds: float = 5,
    ) -> None:
        self._address = address
        self._timeouts = timeouts or SmtpTimeouts()
        self._opening = Opening(address, self._timeouts)
        self._letters_per_connection = letters_per_connection or address.letters_per_connection
        self._idle_seconds = idle_seconds
        self._unproven_seconds = unproven_seconds
        self._wire: Wire | None = None
        self._letters_carried = 0
        self._is_between_letters = True
        self._last_used = 0.0

    @property
    def connections(self) -> int:
        """The most connections that one worker may hold."""
        return self._address.connections

    @property
    def connections_in_all(self) -> int | None:
        """The most connections that all workers together may hold, None for no such limit."""
        return self._address.connections_in_all

    @property
    def requests_per_second(self) -> float | None:
        """How many letters a second the operator allows, None for as many as the server takes."""
        return self._address.rate_per_second

    @property
    def account(self) -> str:
        """What the pace belongs to: the server, and who signs in."""
        return f"smtp:{self._address.username or ''}@{self._address}"

    def sibling(self) -> SmtpChannel:
        """Return another channel to the same server, with a connection of its own."""
        return SmtpChannel(
            self._address,
            timeouts=self._timeouts,
            letters_per_connection=self._letters_per_connection,
            idle_seconds=self._idle_seconds,
            unproven_seconds=self._unproven_seconds,
        )

    def send(self, envelope: Envelope) -> Answer:
        """Carry one letter and say what the server said.

        Refused with 4xx, or any trouble up to the final dot: TemporaryFailure. Refused with 5xx at RCPT TO,
        DATA or after the letter, or at MAIL FROM for its size: PermanentFailure, unless the server blames the sign-in,
        the sender or this installation, or has lost a step (503).
        Any trouble after the final dot: Ambiguous, for the server may have taken the letter.
        """
        letter = prepare(envelope)
        if isinstance(letter, PermanentFailure):
            return letter
        must_end_at = time.monotonic() + self._timeouts.before_dot
        wire = self._wire_of_the_last_letter(must_end_at)
        if wire is not None:
            carried_before = self._letters_carried
            answer = self._carry(wire, letter)
            if wire.point is not Point.MAIL or not self._has_had_enough(answer, carried_before):
                return answer
            # Nothing was given yet, so the letter may begin anew; on a new connection, and once.
            self.close()
        wire = self._wire = Wire(must_end_at)
        self._letters_carried = 0
        self._is_between_letters = True
        return self._carry(wire, letter)

    def check(self) -> Answer:
        """Go as far as a letter would before MAIL FROM, on a new connection, and say what the server said.

        Accepted: it was reached, encrypted and signed in to as the address asks. Else a TemporaryFailure.
        """
        self.close()
        wire = self._wire = Wire(time.monotonic() + self._timeouts.before_dot)
        self._letters_carried = 0
        try:
            self._opening.make_ready(wire)
        except Refused as refusal:
            self._drop()
            return TemporaryFailure(refusal.code, f"{self._address}, {wire.point}: {refusal.reason}")
        except WireError as trouble:
            self._drop()
            return TemporaryFailure(None, f"{self._address}, {wire.point}: {trouble}")
        done = [*(["encrypted"] if wire.is_encrypted else []), *(["signed in"] if self._address.username else [])]
        self.close()
        return Accepted(250, ", ".join(["greeted", *done]))

    def close(self) -> None:
        """Take leave of the server and close the connection. The next letter opens a new one."""
        if self._wire is not None:
            self._wire.must_end_at = time.monotonic() + FAREWELL_SECONDS
            self._wire.within(FAREWELL_SECONDS)
            # Every letter has its answer by now; a server that does not say goodbye changes none of them.
            with contextlib.suppress(WireError):
                self._wire.docmd("QUIT")
        self._drop()

    def _drop(self) -> None:
        # Never QUIT here: in the middle of a letter it would become part of the letter.
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _wire_of_the_last_letter(self, must_end_at: float) -> Wire | None:
        """The connection that is still open and fit for another letter, or None."""
        wire = self._wire
        if wire is None:
            return None
        idle = time.monotonic() - self._last_used
        if self._letters_carried >= self._letters_per_connection or idle > self._idle_seconds:
            self.close()
            return None
        wire.must_end_at = must_end_at
        if self._is_between_letters and idle <= self._unproven_seconds:
            return wire
        wire.within(self._timeouts.command)
        try:
            code, _ = wire.rset()
        except WireError:
            # A connection that went stale is no failure of the letter: a new one is opened for it.
            code = 0
        if code // 100 != 2:
            self._drop()
        return self._wire

    def _has_had_enough(self, answer: Answer, carried_before: int) -> bool:
        """Whether a server that refused at MAIL FROM may mean the connection: some take so many letters on one.

        Most say 421 or hang up. Some say another 4xx, which on a connection that carried nothing means what it says.
        """
        return self._wire is None or (carried_before > 0 and answer.code is not None and answer.code // 100 == 4)

    def _carry(self, wire: Wire, letter: SmtpLetter) -> Answer:
        settled = False
        try:
            if wire.sock is None:
                self._opening.make_ready(wire)
            answer = self._converse(wire, letter)
            settled = True
        except Refused as refusal:
            answer = TemporaryFailure(refusal.code, f"{self._address}, {wire.point}: {refusal.reason}")
        except SpokeOutOfTurn:
            answer = self._answer_out_of_turn(wire)
        except WireError as trouble:
            text = f"{self._address}, {wire.point}: {trouble}"
            answer = Ambiguous(None, text) if wire.point is Point.DOT else TemporaryFailure(None, text)
        finally:
            # Also when a worker is stopped in mid-letter: the next letter must not continue half a conversation.
            if not settled:
                self._drop()
        self._last_used = time.monotonic()
        return answer

    def _converse(self, wire: Wire, letter: SmtpLetter) -> Answer:
        wire.point = Point.MAIL
        parameters = letter.parameters_for(wire.esmtp_features)
        if isinstance(parameters, PermanentFailure):
            return parameters
        self._is_between_letters = False
        refusal = self._offer(wire, f"MAIL FROM:<{letter.return_path}>{parameters}", f"RCPT TO:<{letter.recipient}>")
        if refusal is not None:
            return refusal
        wire.point = Point.LETTER
        # The dot is in the last piece: where writing raises, its last byte has not left, and the letter has no end.
        wire.write_in_pieces(letter.text + _FINAL_DOT, self._timeouts.data_block)
        wire.point = Point.DOT
        wire.must_end_at = time.monotonic() + self._timeouts.after_dot
        wire.within(self._timeouts.after_dot)
        code, reply = wire.getreply()
        self._letters_carried += 1
        text = words_of(reply)
        if code // 100 != 2:
            return self._refusal(wire, code, text)
        self._is_between_letters = True
        return Accepted(code, text)

    def _offer(self, wire: Wire, mail: str, rcpt: str) -> Answer | None:
        """Ask for leave to give the letter; None where the server waits for it."""
        together = self._address.may_pipeline and "pipelining" in wire.esmtp_features
        if together:
            wire.within(self._timeouts.command)
            wire.send_together((mail, rcpt, "DATA"))
            if wire.takes_three():
                return None
        for point, command, wanted in ((Point.MAIL, mail, 2), (Point.RCPT, rcpt, 2), (Point.DATA, "DATA", 3)):
            wire.point = point
            wire.within(self._timeouts.command)
            code, text = wire.getreply() if together else wire.docmd(command)
            if code // 100 != wanted:
                refusal = self._refusal(wire, code, words_of(text))
                if together and self._wire is not None:
                    self._hear_out(wire, point)
                return refusal
        return None

    def _hear_out(self, wire: Wire, refused_at: Point) -> None:
        """Read what the server still has to say to commands that it was given together with a refused one.

        Where it lets the letter begin all the same, a lone dot ends it (RFC 2920 section 3.1). Nothing that is said
        here changes the refusal: the letter was not given.
        """
        try:
            for point in _ANSWERED_AFTER[refused_at]:
                wire.within(self._timeouts.command)
                code, _ = wire.getreply()
                if code == _CLOSING or code // 100 == (2 if point is Point.DATA else 3):
                    # The server is closing, or a step was lost.
                    self._drop()
                    return
                if point is Point.DATA and code // 100 == 3:
                    wire.within(self._timeouts.command)
                    wire.docmd(".")
        except WireError:
            self._drop()

    def _refusal(self, wire: Wire, code: int, text: str) -> Answer:
        answer = f"at {wire.point}: {text}"
        if _is_for_good(wire.point, code, text):
            return PermanentFailure(code, answer)
        if code in (_CLOSING, _OUT_OF_STEP) or code // 100 in (2, 3):
            # 421 says that the server is closing (RFC 5321 section 3.8); the others, that step was lost.
            self._drop()
        if wire.point is Point.DOT and code // 100 == 3:
            return Ambiguous(code, answer)
        return TemporaryFailure(code, answer)

    def _answer_out_of_turn(self, wire: Wire) -> Answer:
        """What to make of a server that spoke before the final dot: it has not taken the letter, whatever it says."""
        wire.within(FAREWELL_SECONDS)
        try:
            code, text = wire.getreply()
        except WireError as trouble:
            return TemporaryFailure(None, f"{self._address}, {wire.point}: {trouble}")
        words = words_of(text)
        answer = f"at {wire.point}, out of turn: {words}"
        if wire.point is Point.LETTER and _is_for_good(wire.point, code, words):
            return PermanentFailure(code, answer)
        return TemporaryFailure(code, answer)


def _is_for_good(point: Point, code: int, text: str) -> bool:
    """Whether the same letter to the same address will never be taken.

    What is said to MAIL FROM is about this installation, but for the letter's size. The same code also says that some
    store is full.
    """
    is_about_letter = point is not Point.MAIL or (code == _TOO_LARGE and blames_size(text))
    return code // 100 == 5 and is_about_letter and not blames_installation(code, text)
