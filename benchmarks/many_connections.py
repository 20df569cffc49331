"""One worker with eight connections to a relay that takes its time over each letter, beside eight bare threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial

from benchmarks.bare_loops import send_by_threads, sent_letters
from benchmarks.places import ENGINES, Places
from benchmarks.rows import Row, a_minute, paces, timed
from benchmarks.sink import Sink
from benchmarks.sizes import Sizes

LEAST_RATIO = 0.85
CONNECTIONS = 8
SECONDS_A_LETTER = 0.005


def measure(places: Places, sizes: Sizes) -> Iterator[Row]:
    """Send to the slow relay, each letter settled durably; the peer's threads settle nothing."""
    for engine in ENGINES:
        yield measure_engine(engine, places, sizes)


def measure_engine(engine: str, places: Places, sizes: Sizes) -> Row:
    """Measure one engine."""
    count = sizes.slow_relay_letters
    ours, theirs = [], []
    with Sink() as quick, Sink(delay=SECONDS_A_LETTER) as relay, places.new(engine) as place:
        place.add_followers(count * (sizes.slow_relay_rounds + 1))
        place.announce()
        with closing(place.smtp(quick.url)) as channel:
            place.send(channel, count)
        envelopes = sent_letters(place, count)
        with closing(place.smtp(f"{relay.url}&connections={CONNECTIONS}")) as channel:
            for _ in range(sizes.slow_relay_rounds):
                ours.append(timed(partial(place.send, channel, count)))
                theirs.append(timed(partial(send_by_threads, relay.url, envelopes, CONNECTIONS)))
        assert relay.count() == 2 * count * sizes.slow_relay_rounds
    what = f"one worker, {CONNECTIONS} connections, a relay that takes 5 ms a letter: {count:,} letters"
    peer = f"{CONNECTIONS} threads of smtplib, nothing recorded"
    means = (
        f"on {engine} one worker with {CONNECTIONS} connections hands {a_minute(count, ours)} letters a minute to a "
        "relay that thinks for 5 ms about each; by one connection there would be fewer than 12,000"
    )
    return paces(what, engine, count, ours, peer, theirs, LEAST_RATIO, means)
