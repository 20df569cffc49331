"""A stand-in for Resend on a socket of this machine: behaves as its documentation says, and misbehaves as told."""

from __future__ import annotations

import base64
import json
import math
import ssl
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from standardwebhooks.webhooks import Webhook

from tests.channels.resend_http import HttpServer, Request
from tests.channels.resend_missteps import HTML_502, Manner, Misstep, Response, error

API_KEY = "re_test_4Jd8sKq2_bGhT5yWvNcXzAp"
SIGNING_SECRET = "whsec_" + base64.b64encode(b"a signing secret for the tests only").decode()
KEPT_FOR = timedelta(hours=24)
LARGEST_BATCH = 100


@dataclass(frozen=True)
class TakenLetter:
    """One letter that was taken, and when by the server's clock. `batch_position` is None where it came by itself."""

    id: str
    letter: dict[str, Any]
    key: str | None
    batch_position: int | None
    taken_at: datetime

    @property
    def recipient(self) -> str:
        """The bare address it goes to."""
        to: str = self.letter["to"][0]
        return to.rpartition("<")[2].rstrip(">")


@dataclass(frozen=True)
class Callback:
    """A signed callback, ready to be posted: the headers and the body."""

    headers: dict[str, str]
    body: bytes


@dataclass
class _Remembered:
    body: bytes
    expires_at: datetime
    response: Response | None = None
    """None while the request is still under way."""


class ResendServer:
    """Runs while the `with` block does.

        with ResendServer() as server:
            server.script(TIMES_OUT_THEN_TAKEN)
            channel = ResendChannel(server.api_key, base_url=server.url)
            ...
            assert [letter.recipient for letter in server.taken] == ["privacy@customer.example"]
            callback = server.callback(server.taken[0], "email.delivered")

    It knows `POST /emails` and `POST /emails/batch`, checks the key, keeps Idempotency-Keys for 24 hours of its own
    clock, counts requests in fixed windows and says so in the headers. `limit` is the requests in each `window` of real
    time, None for any number (then no headers are sent). `answer_delay` is the seconds each request takes, its key
    being "in progress" meanwhile; both may be changed while it runs. `tls` is a server-side context.
    """

    def __init__(
        self,
        *,
        api_key: str = API_KEY,
        limit: int | None = None,
        window: timedelta = timedelta(seconds=1),
        answer_delay: float = 0,
        signing_secret: str = SIGNING_SECRET,
        tls: ssl.SSLContext | None = None,
        now: datetime | None = None,
    ) -> None:
        self.api_key = api_key
        self.limit = limit
        self.window = window
        self.answer_delay = answer_delay
        self.signing_secret = signing_secret
        self.taken: list[TakenLetter] = []
        """Every letter taken, once each however often it was asked for, in order."""
        self.requests: list[Request] = []
        """Every request that was read, in order, the refused ones too."""
        self._now = now
        self._lock = threading.Lock()
        self._script: deque[Misstep] = deque()
        self._remembered: dict[tuple[str, str], _Remembered] = {}
        self._window_began = 0.0
        self._in_window = 0
        self._closing = threading.Event()
        self._http = HttpServer(self._handle, self._closing)
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """What to give as `base_url`."""
        return f"{self._scheme}://127.0.0.1:{self._http.server_address[1]}"

    @property
    def connections(self) -> int:
        """How many connections were opened to it so far."""
        return self._http.connections

    @property
    def now(self) -> datetime:
        """The server's clock, aware UTC: the real one, unless it was set."""
        return self._now or datetime.now(UTC)

    @now.setter
    def now(self, instant: datetime) -> None:
        self._now = instant

    def advance(self, by: timedelta) -> None:
        """Set the clock forward from where it stands. It stands still from then on."""
        self._now = self.now + by

    def script(self, *missteps: Misstep) -> None:
        """Do these with the next requests, one each, before anything else is looked at. Then all goes well again."""
        with self._lock:
            self._script.extend(missteps)

    def __enter__(self) -> ResendServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        self._thread.join(timeout=5)
        self._http.hang_up()
        self._http.server_close()

    def callback(
        self,
        letter: TakenLetter,
        event_type: str,
        *,
        at: datetime | None = None,
        event_id: str | None = None,
        **details: object,
    ) -> Callback:
        """A signed callback about a letter that was taken. `details` go into its `data`: `bounce={"type": …}`.

        `at` is when the event happened and the callback was signed, by the server's clock unless given. The same
        `event_id` is the same callback sent again.
        """
        happened_at = (at or self.now).astimezone(UTC)
        payload = {
            "type": event_type,
            "created_at": f"{happened_at:%Y-%m-%dT%H:%M:%S}.{happened_at.microsecond // 1000:03}Z",
            "data": {
                "created_at": letter.taken_at.isoformat(),
                "email_id": letter.id,
                "message_id": f"<{letter.id}@email.resend.example>",
                "from": letter.letter["from"],
                "to": [letter.recipient],
                "subject": letter.letter["subject"],
                "tags": {tag["name"]: tag["value"] for tag in letter.letter.get("tags", [])},
                **details,
            },
        }
        return self.sign(json.dumps(payload).encode(), at=happened_at, event_id=event_id)

    def sign(self, body: bytes, *, at: datetime | None = None, event_id: str | None = None) -> Callback:
        """Sign any text as a callback, by the server's clock unless `at` is given."""
        name = event_id or f"msg_{uuid.uuid4().hex}"
        # Whole seconds in UTC: `sign` gets anything else wrong.
        signed_at = (at or self.now).astimezone(UTC).replace(microsecond=0)
        signature = Webhook(self.signing_secret).sign(name, signed_at, body.decode())
        headers = {
            "Content-Type": "application/json",
            "svix-id": name,
            "svix-timestamp": str(int(signed_at.timestamp())),
            "svix-signature": signature,
        }
        return Callback(headers, body)

    def _handle(self, request: Request) -> tuple[Response, Manner]:
        with self._lock:
            self.requests.append(request)
            misstep = self._script.popleft() if self._script else None
            headers, is_too_fast = self._count()
        if misstep is not None and not misstep.takes:
            return self._with(headers, misstep.response or HTML_502), misstep.manner
        if misstep is None and is_too_fast:
            headers["retry-after"] = headers["ratelimit-reset"]
            return self._with(headers, error(429, "rate_limit_exceeded", "Too many requests.")), Manner.WHOLE
        response = self._answer(request)
        if misstep is None:
            return self._with(headers, response), Manner.WHOLE
        return self._with(headers, misstep.response or response), misstep.manner

    def _with(self, headers: dict[str, str], response: Response) -> Response:
        return Response(response.status, response.content, {**headers, **response.headers})

    def _count(self) -> tuple[dict[str, str], bool]:
        if self.limit is None:
            return {}, False
        now, length = time.monotonic(), self.window.total_seconds()
        if now - self._window_began >= length:
            self._window_began, self._in_window = now, 0
        self._in_window += 1
        headers = {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(max(0, self.limit - self._in_window)),
            "ratelimit-reset": str(math.ceil(self._window_began + length - now)),
        }
        return headers, self._in_window > self.limit

    def _answer(self, request: Request) -> Response:
        if (refused := self._refuse_sender(request)) is not None:
            return refused
        key = request.headers.get("idempotency-key")
        if key is None:
            return self._take(request, None)
        if not 1 <= len(key) <= 256:
            return error(400, "invalid_idempotency_key", "The key must be between 1-256 chars.")
        with self._lock:
            remembered = self._remembered.get((request.path, key))
            if remembered is not None and remembered.expires_at > self.now:
                if remembered.body != request.body:
                    return error(409, "invalid_idempotent_request", "Same idempotency key used with another payload.")
                if remembered.response is None:
                    return error(409, "concurrent_idempotent_requests", "Another request is in progress with the key.")
                return remembered.response
            remembered = _Remembered(request.body, self.now + KEPT_FOR)
            self._remembered[request.path, key] = remembered
        response = self._take(request, key)
        with self._lock:
            if response.status == 200:
                remembered.response = response
            else:
                del self._remembered[request.path, key]
        return response

    def _refuse_sender(self, request: Request) -> Response | None:
        if request.path not in ("/emails", "/emails/batch"):
            return error(404, "not_found", "The requested endpoint does not exist.")
        if not request.headers.get("user-agent"):
            return Response(403, b"error code: 1010")
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            return error(401, "missing_api_key", "Missing API key in the authorization header.")
        if key != self.api_key:
            return error(400, "validation_error", "API key is invalid")
        return None

    def _take(self, request: Request, key: str | None) -> Response:
        if self.answer_delay:
            self._closing.wait(self.answer_delay)
        try:
            content = json.loads(request.body)
        except ValueError:
            return error(400, "validation_error", "The request body is not JSON.")
        is_batch = request.path == "/emails/batch"
        letters = content if is_batch and isinstance(content, list) else [content]
        if len(letters) > LARGEST_BATCH:
            return error(422, "validation_error", "The batch must have at most 100 emails.")
        for letter in letters:
            if (refused := _refuse_letter(letter)) is not None:
                return refused
        now = self.now
        taken = [
            TakenLetter(str(uuid.uuid4()), letter, key, position if is_batch else None, now)
            for position, letter in enumerate(letters)
        ]
        with self._lock:
            self.taken.extend(taken)
        names = [{"id": letter.id} for letter in taken]
        return Response(200, {"data": names} if is_batch else names[0])


def _refuse_letter(letter: object) -> Response | None:
    if not isinstance(letter, dict):
        return error(422, "validation_error", "The email must be an object.")
    for name in ("from", "to", "subject"):
        if not letter.get(name):
            return error(422, "missing_required_field", f"Missing `{name}` field.")
    if not (letter.get("html") or letter.get("text")):
        return error(422, "missing_required_field", "Missing `html` or `text` field.")
    form = "The email address needs to follow the `email@example.com` or `Name <email@example.com>` format."
    if "@" not in letter["from"]:
        return error(422, "validation_error", f"Invalid `from` field. {form}")
    recipients = [letter["to"]] if isinstance(letter["to"], str) else letter["to"]
    if len(recipients) > 50 or not all("@" in recipient for recipient in recipients):
        return error(422, "validation_error", f"Invalid `to` field. {form}")
    return None
