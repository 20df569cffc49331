"""Letters by Resend, through its HTTP API.

    envelope ──▶ translate ──▶ POST /emails ──────────▶ answer
    envelopes ─▶ translate each ─▶ POST /emails/batch ─▶ one answer each

Every request carries an Idempotency-Key. Within 24 hours Resend gives a repeat with the same key and the same bytes the
same answer and sends nothing again, so a lost answer can be asked for once more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from registry.channels.base import Ambiguous, Answer, Envelope, PermanentFailure, Rate, TemporaryFailure
from registry.channels.resend_answers import (
    RefusedTogether,
    TakenWithOtherBytes,
    answer_for_letter,
    answers_for_batch,
    read_rate,
)
from registry.channels.resend_letter import Untranslatable, key_for, translate
from registry.channels.resend_wire import AnswerLost, NothingSent, Reply, ResendTimeouts, ResendWire

__all__ = ["RefusedTogether", "ResendChannel", "ResendTimeouts", "TakenWithOtherBytes", "key_for", "translate"]

RESEND_URL = "https://api.resend.com"
LARGEST_BATCH = 100
"""Letters that Resend takes in one request."""

_KEY = re.compile(r"[!-~]{1,256}")


class ResendChannel:
    """Sends letters through Resend, singly or in batches.

    One object belongs to one worker: it holds a connection and is not safe to share between threads. The API key
    stands in no answer, no message and no representation. Raises ValueError where the key or the address cannot be
    used.
    """

    name = "resend"
    kind = "email"
    is_real = True
    largest_batch = LARGEST_BATCH
    connections = 2
    account = "resend"
    requests_per_second = None
    """Resend says with each answer how fast it may be asked."""
    connections_in_all = None

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = RESEND_URL,
        timeouts: ResendTimeouts | None = None,
        idle_seconds: float = 60,
    ) -> None:
        self._timeouts = timeouts or ResendTimeouts()
        self._wire = ResendWire(api_key, base_url, self._timeouts, idle_seconds)
        self._idle_seconds = idle_seconds
        self._api_key = api_key.encode("ascii")
        self._rate: Rate | None = None
        """The pace that was asked for last."""

    def __repr__(self) -> str:
        return f"ResendChannel({self._wire.base_url!r})"

    def sibling(self) -> ResendChannel:
        """Return another channel of the same account, with a connection of its own."""
        key, url = self._api_key.decode("ascii"), self._wire.base_url
        return ResendChannel(key, base_url=url, timeouts=self._timeouts, idle_seconds=self._idle_seconds)

    def send(self, envelope: Envelope) -> Answer:
        """Carry one letter. Its Idempotency-Key comes from its Message-ID and its bytes, and is the same every time.

        `registry.channels.resend_answers` says which answer stands for what. A letter that cannot be put into Resend's
        form is a PermanentFailure, as is one that Resend refuses for itself. Where no connection came about it is a
        TemporaryFailure; where the answer was lost, Ambiguous.
        """
        try:
            body = translate(envelope)
        except Untranslatable as reason:
            return PermanentFailure(None, f"Resend cannot carry this letter: {reason}")
        reply = self._ask("/emails", body, key_for(envelope.message_id, body))
        return answer_for_letter(reply, self._read_pace(reply)) if isinstance(reply, Reply) else reply

    def send_batch(self, envelopes: Sequence[Envelope], key: str) -> list[Answer]:
        """Carry up to a hundred letters in one request and return one answer for each, in their order.

        `key` is the batch's Idempotency-Key: whoever repeats the batch gives the same key with the same letters in the
        same order. Resend takes a batch whole or not at all (strict validation). So either every letter was accepted,
        or all have the same answer, and a batch that must be repeated is repeated whole. Two answers stand out: with
        `RefusedTogether` each letter is to be sent by itself from then on; `TakenWithOtherBytes` needs a person. Where
        a letter cannot be put into Resend's form nothing is sent: that one fails for good, the others are
        `RefusedTogether`.

        Raises ValueError for more than a hundred letters, or a key that is not 1 to 256 visible ASCII characters.
        """
        if len(envelopes) > LARGEST_BATCH:
            raise ValueError(f"a batch has at most {LARGEST_BATCH} letters, not {len(envelopes)}")
        if not _KEY.fullmatch(key):
            raise ValueError("a batch's key must be 1 to 256 visible ASCII characters")
        if not envelopes:
            return []
        bodies: list[bytes] = []
        impossible: dict[int, Answer] = {}
        for position, envelope in enumerate(envelopes):
            try:
                bodies.append(translate(envelope))
            except Untranslatable as reason:
                impossible[position] = PermanentFailure(None, f"Resend cannot carry this letter: {reason}")
        if impossible:
            together = RefusedTogether(None, "not sent: another letter of the batch cannot be put into Resend's form")
            return [impossible.get(position, together) for position in range(len(envelopes))]
        reply = self._ask("/emails/batch", b"[" + b",".join(bodies) + b"]", key, {"x-batch-validation": "strict"})
        if isinstance(reply, Reply):
            return answers_for_batch(reply, len(envelopes), self._read_pace(reply))
        return [reply] * len(envelopes)

    def close(self) -> None:
        """Close the connection. The next letter opens a new one."""
        self._wire.close()

    def _ask(
        self, path: str, body: bytes, key: str, headers: dict[str, str] | None = None
    ) -> Reply | TemporaryFailure | Ambiguous:
        try:
            reply = self._wire.post(path, body, {"Idempotency-Key": key, **(headers or {})})
        except NothingSent as reason:
            return TemporaryFailure(None, f"no connection to {self._wire.base_url}: {reason}")
        except AnswerLost as reason:
            return Ambiguous(None, f"{self._wire.base_url}, after the letter was sent: {reason}")
        # Should the server quote the key at us, it must not get into the record.
        return replace(reply, body=reply.body.replace(self._api_key, b"[API key]"))

    def _read_pace(self, reply: Reply) -> Rate | None:
        rate = read_rate(reply.headers, self._rate)
        self._rate = rate or self._rate
        return rate
