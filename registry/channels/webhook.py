"""Notices as webhooks to endpoints that customers run, by the Standard Webhooks specification."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from registry.channels.base import Accepted, Answer, Envelope, PermanentFailure
from registry.channels.guarded_http import GuardedHttp, HttpAnswer, NotSent, Unclear
from registry.channels.webhook_signing import sign

VERIFICATION_TYPE = "endpoint.verification"
"""The `type` of the one webhook that asks for something: to be answered with the challenge in its data."""

CONNECTIONS = 8
"""So many receivers may be slow at once without holding up the others: each may take all of its time-out."""

_HEADERS = {"Content-Type": "application/json", "Accept": "application/json, */*;q=0.5"}
_GONE = 410


class WebhookChannel:
    """Posts each message, signed, to the address that the customer gave.

    One object belongs to one worker, as `http` does. `clock` gives the instant of each try (aware), which is signed.
    """

    name = "webhook"
    kind = "webhook"
    is_real = True
    connections = CONNECTIONS

    def __init__(self, http: GuardedHttp, clock: Callable[[], datetime]) -> None:
        self._http = http
        self._clock = clock

    @property
    def longest_send(self) -> timedelta:
        """The longest one `send` can take. A lease must be longer."""
        return self._http.longest_post

    def sibling(self) -> WebhookChannel:
        """Return another channel like this one, with connections of its own."""
        return WebhookChannel(self._http.sibling(), self._clock)

    def send(self, envelope: Envelope) -> Answer:
        """Post one message and say what the endpoint made of it.

        2xx is accepted. 410 ends the address. Every other status is a failure for now, also 400, 401, 403 and 404:
        people mend their servers, and the same message is what a mended one needs. A `Retry-After` is handed on.

        Refused by the guard: a name that leads to a private address fails for now, as a name service that is wrong
        today may be right tomorrow; an address that is wrong as it is written fails for good. What broke before the
        whole request was written fails for now; what broke after it is ambiguous.

        Raises ValueError for an envelope that cannot be signed: no secret, an unusable one, or no id.
        """
        outcome = self._post(envelope.recipient, envelope.message, envelope.message_id, envelope.secrets)
        if not isinstance(outcome, HttpAnswer):
            return outcome.as_answer()
        if 200 <= outcome.status <= 299:
            return Accepted(outcome.status, outcome.describe())
        return self._failure(outcome)

    def challenge(self, url: str, secrets: Sequence[str], challenge: str, message_id: str) -> Answer:
        """Ask an endpoint to prove that whoever named it also runs it.

        It is sent `{"type": "endpoint.verification", "timestamp": …, "data": {"challenge": …}}`, signed like every
        webhook, and is Accepted only where it answers 2xx with `{"challenge": "<the same>"}`, or with the bare
        challenge as plain text. Any 2xx with something else is a failure for good: it is there, and does not take part.
        `challenge` must not be guessable. Raises ValueError where it is empty, or the request cannot be signed.
        """
        if not challenge:
            raise ValueError("an empty challenge proves nothing")
        payload = {
            "type": VERIFICATION_TYPE,
            "timestamp": self._clock().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "data": {"challenge": challenge},
        }
        outcome = self._post(url, json.dumps(payload).encode("ascii"), message_id, secrets)
        if not isinstance(outcome, HttpAnswer):
            return outcome.as_answer()
        if not 200 <= outcome.status <= 299:
            return self._failure(outcome)
        if hmac.compare_digest(_echoed(outcome).encode("utf-8", "surrogatepass"), challenge.encode("utf-8")):
            return Accepted(outcome.status, "the endpoint answered with the challenge")
        return PermanentFailure(outcome.status, f"the answer does not hold the challenge: {outcome.describe()}")

    def close(self) -> None:
        """Close the connections. The next message opens a new one."""
        self._http.close()

    def _post(self, url: str, body: bytes, message_id: str, secrets: Sequence[str]) -> HttpAnswer | NotSent | Unclear:
        return self._http.post(url, body, {**_HEADERS, **sign(message_id, self._clock(), body, secrets)})

    def _failure(self, answer: HttpAnswer) -> Answer:
        if answer.status == _GONE:
            return PermanentFailure(answer.status, answer.describe(), ends_address=True)
        return answer.as_failure(self._clock())


def _echoed(answer: HttpAnswer) -> str:
    """The challenge in an answer, empty where there is none."""
    if not answer.is_whole:
        return ""
    try:
        found: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        echoed = found.get("challenge")
        return echoed if isinstance(echoed, str) else ""
    kind = answer.headers.get("Content-Type", "text/plain").partition(";")[0].strip().lower()
    return answer.text.strip() if kind == "text/plain" else ""
