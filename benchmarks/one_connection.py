"""One worker with one connection: personal letters, each settled durably by itself, beside the bare loop."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import closing
from functools import partial

from benchmarks.bare_loops import BareLoop, RecordingLoop, sent_letters
from benchmarks.places import ENGINES, Places
from benchmarks.rows import Row, a_minute, paces, timed
from benchmarks.sink import Sink
from benchmarks.sizes import Sizes

LEAST_RATIO = 0.7


def measure(places: Places, sizes: Sizes) -> Iterator[Row]:
    """Send the letters in rounds, ours and each bare loop's in turn, on each engine."""
    for engine in ENGINES:
        yield from measure_engine(engine, places, sizes)


def measure_engine(engine: str, places: Places, sizes: Sizes) -> Iterator[Row]:
    """Measure one engine. A round of ours goes before the others, so that caches are warm for everybody."""
    count = sizes.letters // sizes.rounds
    ours, theirs, recording = [], [], []
    with Sink() as sink, places.new(engine) as place, closing(place.smtp(sink.url)) as channel:
        place.add_followers(sizes.letters + count)
        place.announce()
        place.send(channel, count)
        envelopes = sent_letters(place, count)
        with (
            closing(BareLoop(place, sizes.letters + count)) as bare,
            closing(RecordingLoop(place, sizes.letters + count)) as record,
        ):
            bare.send(sink.url, envelopes)
            record.send(sink.url, envelopes)
            for _ in range(sizes.rounds):
                ours.append(timed(partial(place.send, channel, count)))
                theirs.append(timed(partial(bare.send, sink.url, envelopes)))
                recording.append(timed(partial(record.send, sink.url, envelopes)))
        assert sink.count() == 3 * (sizes.letters + count)
    size = statistics.mean(len(envelope.message) for envelope in envelopes)
    what = f"one worker, one connection: {sizes.letters:,} letters of {size / 1_000:.1f} kB"
    means = (
        f"on {engine} one worker with one connection hands {a_minute(count, ours)} letters a minute to a mail server "
        "that takes them at once, each on record before the next begins"
    )
    yield paces(what, engine, count, ours, "bare loop, a durable commit each", theirs, LEAST_RATIO, means)
    peer = "bare loop that keeps start, answer and hash of each try"
    yield paces(f"{what}, beside the same record", engine, count, ours, peer, recording, LEAST_RATIO)
