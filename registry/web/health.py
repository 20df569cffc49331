"""Whether the service is up, whether it is fit to work, and its figures: for load balancers and for monitoring.

None of it names a person, an address, a secret or a publisher.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, jsonify, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from registry.migrations import known_revisions, newest_revision
from registry.steps.health import Health, look_at_health
from registry.steps.measurements import Measurements, measure
from registry.tables import Installation
from registry.tables.engine import reading
from registry.web.current import now, wiring

health = Blueprint("health", __name__)

KEPT: Final = "registry-figures"
FRESH_SECONDS: Final = 5.0
"""How long figures are kept at least; and ten times as long as they took, so that asking costs a tenth at most."""
SHARE_OF_TIME: Final = 10
PASSED_ON: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
"""What a proxy adds. A request with one of them comes from elsewhere, whatever its last stretch was."""

logger = logging.getLogger(__name__)


@health.get("/healthz")
def show_health() -> Response:
    """Answer 200 while the database does, and holds this service's tables; else 503."""
    try:
        with reading(wiring().engine) as session:
            session.scalar(select(Installation.id))
    except SQLAlchemyError as error:
        logger.warning("Not healthy: %s", getattr(error, "orig", None) or type(error).__name__)
        response = Response("the database does not answer\n", 503, mimetype="text/plain")
    else:
        response = Response("ok\n", mimetype="text/plain")
    response.cache_control.no_store = True
    return response


@health.get("/readyz")
def show_readiness() -> Response:
    """Answer 200 while this installation does its work, else 503; the body says what was found, in JSON."""
    found = look_at_health(wiring().engine, now(), newest_revision(), _known())
    response = jsonify(ready=found.is_ready, checks=_checks(found))
    response.status_code = 200 if found.is_ready else 503
    response.cache_control.no_store = True
    return response


@cache
def _known() -> frozenset[str]:
    return frozenset(known_revisions())


def _checks(found: Health) -> dict[str, dict[str, object]]:
    age = found.heartbeat_age
    return {
        "database": {"ok": found.database_answers},
        "schema": {"ok": found.schema == "newest", "state": found.schema, "found": found.schema_found},
        "scheduler": {
            "ok": found.scheduler in ("alive", "expected"),
            "state": found.scheduler,
            "heartbeat_age_seconds": round(age.total_seconds(), 1) if age is not None else None,
        },
        "sweeps": {"ok": not found.failing, "failing": list(found.failing)},
        # A pause is a person's decision: shown, and no reason to take the service away from its readers.
        "dispatch": {"ok": True, "paused": found.is_paused, "because": found.paused_because},
    }


@health.get("/metrics")
def show_metrics() -> Response:
    """Answer with the figures in Prometheus' text form, to whoever may read them."""
    refusal = _refuse()
    if refusal is not None:
        return refusal
    figures: _Figures = current_app.extensions.setdefault(KEPT, _Figures())
    response = Response(figures.text(now()), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    response.cache_control.no_store = True
    return response


def _refuse() -> Response | None:
    """Refuse whoever lacks the token; where none is set, whoever does not ask from this machine itself."""
    token = wiring().metrics_token
    if token is None:
        if _is_from_this_machine():
            return None
        refusal = Response(
            "only this machine may read the figures, unless REGISTRY_METRICS_TOKEN is set\n", 403, mimetype="text/plain"
        )
    else:
        given = request.headers.get("Authorization", "").partition(" ")
        if given[0].lower() == "bearer" and hmac.compare_digest(given[2].strip().encode(), token.encode()):
            return None
        refusal = Response("the figures need their bearer token\n", 401, mimetype="text/plain")
        refusal.headers["WWW-Authenticate"] = "Bearer"
    refusal.cache_control.no_store = True
    return refusal


def _is_from_this_machine() -> bool:
    try:
        peer = ipaddress.ip_address(request.remote_addr or "")
        host = urlsplit(f"//{request.host}").hostname or ""
        # A name of the outside was asked for, so the outside asked, by a proxy on this machine that says nothing of it.
        names_this_machine = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return peer.is_loopback and names_this_machine and not any(name in request.headers for name in PASSED_ON)


class _Figures:
    """The figures taken last, in Prometheus' text form. Of requests that come at once one takes them anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text = b""
        self._fresh_until = 0.0

    def text(self, at: datetime) -> bytes:
        """Return the figures, taken just now or a few seconds ago."""
        with self._lock:
            began = time.monotonic()
            if began >= self._fresh_until:
                with reading(wiring().engine) as session:
                    measured = measure(session, at)
                self._text = _render(measured)
                ended = time.monotonic()
                self._fresh_until = ended + max(FRESH_SECONDS, SHARE_OF_TIME * (ended - began))
            return self._text


def _render(measured: Measurements) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Collector(measured))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, measured: Measurements) -> None:
        self._measured = measured

    def collect(self) -> Iterable[Metric]:
        """Return the figures as Prometheus' families. All are gauges: the database, not this process, counts."""
        return _families(self._measured)


def _families(measured: Measurements) -> Iterator[Metric]:
    queue = GaugeMetricFamily(
        "registry_queue_letters", "Letters that are not at an end, by channel and state.", labels=("channel", "state")
    )
    every = GaugeMetricFamily(
        "registry_deliveries", "Every letter there ever was, by channel and state.", labels=("channel", "state")
    )
    for family, counts in ((queue, measured.queue), (every, measured.deliveries)):
        for (channel, state), count in sorted(counts.items()):
            family.add_metric((channel, state), count)
        yield family
    yield GaugeMetricFamily(
        "registry_oldest_due_seconds",
        "How long the oldest letter that is due has been waiting; 0 where none waits.",
        value=measured.oldest_due_seconds,
    )
    first = GaugeMetricFamily(
        "registry_first_try_seconds",
        "Quantiles of the time from due to the first try, over the newest letters of the last day.",
        labels=("quantile",),
    )
    for quantile, seconds in measured.first_try_seconds.items():
        first.add_metric((str(quantile),), seconds)
    yield first
    yield GaugeMetricFamily(
        "registry_first_tries", "How many letters these quantiles are of.", value=measured.first_tries
    )
    yield GaugeMetricFamily(
        "registry_needs_attention_letters", "Letters that need a person.", value=measured.needs_attention
    )
    tasks = GaugeMetricFamily("registry_open_tasks", "Open tasks of the team, by kind.", labels=("kind",))
    for kind, count in sorted(measured.open_tasks.items()):
        tasks.add_metric((kind,), count)
    yield tasks
    yield GaugeMetricFamily("registry_dispatch_paused", "1 while sending is paused.", value=int(measured.is_paused))
    if measured.heartbeat_age_seconds is not None:
        yield GaugeMetricFamily(
            "registry_heartbeat_age_seconds",
            "How long ago the worker's scheduler last ran; absent before the first time.",
            value=measured.heartbeat_age_seconds,
        )
    yield GaugeMetricFamily(
        "registry_blocked_providers",
        "Provider accounts that asked to be left alone for now.",
        value=measured.blocked_providers,
    )
