"""How operators hear of trouble, and of silence: by another road than the mail that may be failing.

    an alert ──▶ POST ALERT_URL   {"text": …, "kind": …, …}     a chat room's incoming webhook shows `text`
    a ping   ──▶ GET  PING_URL    once a minute while all is well; a dead-man's switch alarms when it stays away

Both addresses are the operator's own, so they may lie in a private network. Their paths are passwords: they stand in no
answer, no error and no log.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from registry.channels.timed_http import TROUBLE, Exchange, TimedSession, look_up

TOTAL_SECONDS: Final = 10.0
"""For connecting, sending and the answer together, whatever the other side does."""
AGENT: Final = "subprocessor-registry"


class NotHeard(Exception):
    """The other side did not say that it took the alert or the ping. The message says why, and names no address."""


@dataclass(frozen=True)
class AlertRoad:
    """The way to the operators. Either address may be None, and then nothing goes there.

    `total_seconds` bounds each call as a whole: a server that answers a byte now and then is cut off.
    """

    alert_url: str | None = field(default=None, repr=False)
    ping_url: str | None = field(default=None, repr=False)
    total_seconds: float = TOTAL_SECONDS

    def alert(self, document: Mapping[str, object]) -> None:
        """POST one alert as JSON. Raises `NotHeard` unless it was answered with 2xx."""
        if self.alert_url is None:
            raise NotHeard("no address for alerts is set")
        self._ask("POST", self.alert_url, json.dumps(document, ensure_ascii=False).encode())

    def ping(self) -> None:
        """Say that all is well. Raises `NotHeard` unless it was answered with 2xx."""
        if self.ping_url is None:
            raise NotHeard("no address for pings is set")
        self._ask("GET", self.ping_url, None)

    def _ask(self, method: str, url: str, body: bytes | None) -> None:
        headers = {"User-Agent": AGENT, "Accept": "*/*"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        ends_at = time.monotonic() + self.total_seconds
        exchange = Exchange(must_end_at=ends_at, connect_by=ends_at, find_addresses=look_up)
        try:
            # A session of its own each time: minutes lie between two calls, and no server keeps a connection so long.
            with (
                exchange.under_way(),
                TimedSession() as session,
                session.request(
                    method,
                    url,
                    data=body,
                    headers=headers,
                    timeout=self.total_seconds,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                # What else it says is of no use, and could be without end.
                status = response.status_code
        except (*TROUBLE, ValueError) as trouble:
            # The error's own words quote the address.
            raise NotHeard(exchange.trouble or type(trouble).__name__) from None
        if not 200 <= status < 300:
            raise NotHeard(f"answered with {status}")
