"""Resend by batch: letters a second, beside the ceiling that the pace in its answers' headers allows.

The other side is a stand-in on this machine in a process of its own. It answers as Resend's documentation says, 50 ms
after it has read a request, and refuses (429) whoever asks more often than its headers allow.
"""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.places import ENGINES, Places
from benchmarks.rows import Row, timed
from benchmarks.sizes import Sizes
from registry.channels.resend import LARGEST_BATCH, ResendChannel
from tests.channels.resend_server import API_KEY, ResendServer

LEAST_RATIO = 0.9
REQUESTS_A_SECOND = 10
SECONDS_AN_ANSWER = 0.05
LONGEST_WAIT = 30.0


def measure(places: Places, sizes: Sizes) -> Iterator[Row]:
    """Send in rounds, on each engine."""
    for engine in ENGINES:
        yield measure_engine(engine, places, sizes)


def measure_engine(engine: str, places: Places, sizes: Sizes) -> Row:
    """Measure one engine. The first answer says how fast it may be asked, so a few letters go before the others."""
    count = sizes.resend_letters
    ceiling = LARGEST_BATCH * REQUESTS_A_SECOND
    paces, refused = [], 0
    with resend() as server, places.new(engine) as place:
        place.add_followers(count * (sizes.resend_rounds + 1))
        place.announce()
        with closing(ResendChannel(API_KEY, base_url=server.url)) as channel:
            place.send(channel, LARGEST_BATCH)
            server.count()
            for _ in range(sizes.resend_rounds):
                # A request that comes too fast is refused, and its letters wait a minute: they do not count as sent.
                seconds = timed(partial(place.send, channel, count, may_wait=LARGEST_BATCH))
                taken, too_fast = server.count()
                assert taken >= count - LARGEST_BATCH * too_fast, (taken, too_fast)
                paces.append(taken / seconds)
                refused += too_fast
    pace = statistics.median(paces)
    return Row(
        f"Resend by batch, answers after 50 ms: {count:,} letters",
        engine,
        f"{pace:,.0f}/s ({min(paces):,.0f}-{max(paces):,.0f})",
        f"its ceiling at {REQUESTS_A_SECOND} requests a second: {ceiling:,}/s",
        f"{pace / ceiling:.2f}x",
        f">= {LEAST_RATIO:g}x",
        pace / ceiling >= LEAST_RATIO,
        f"on {engine} {round(60 * pace, -2):,.0f} letters a minute go out by Resend where it allows "
        f"{REQUESTS_A_SECOND} requests a second; {refused} of the requests came too fast and were refused",
    )


class Elsewhere:
    """The stand-in in its process, as its parent has it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url: str = self._hear()

    def _hear(self) -> Any:
        if not self._pipe.poll(LONGEST_WAIT):
            raise RuntimeError("the stand-in for Resend does not answer")
        return self._pipe.recv()

    def count(self) -> tuple[int, int]:
        """How many letters were taken since it was asked last, and how many requests came too fast."""
        self._pipe.send("count")
        taken, refused = self._hear()
        return taken, refused


@contextmanager
def resend() -> Iterator[Elsewhere]:
    """The stand-in, for the length of the block."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Elsewhere(ours)
        ours.send("enough")
    finally:
        process.join(timeout=10)
        process.kill()


def _serve(pipe: Any) -> None:
    with ResendServer(limit=REQUESTS_A_SECOND, answer_delay=SECONDS_AN_ANSWER) as server:
        pipe.send(server.url)
        while pipe.recv() == "count":
            taken, requests = len(server.taken), len(server.requests)
            pipe.send((taken, requests - len({(r.headers.get("idempotency-key"), r.body) for r in server.requests})))
            del server.taken[:taken], server.requests[:requests]
