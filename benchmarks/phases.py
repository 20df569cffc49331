"""Where the time of a letter goes, in microseconds: `python -m benchmarks.phases [letters]`. For tuning; no limits.

The parts of a run are timed where they are called, which costs less than a microsecond each. The bare loop's two
halves stand beside them.
"""

from __future__ import annotations

import argparse
import smtplib
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from benchmarks.bare_loops import BareLoop, sent_letters
from benchmarks.places import ENGINES, places
from benchmarks.sink import Sink
from registry import clock
from registry.channels.smtp import SmtpChannel
from registry.steps import prepare_letters, send_deliveries, supply
from registry.steps.letter_turns import LetterTurns

LETTERS = 2_000
ROUNDS = 5

PARTS: tuple[tuple[str, Any, str], ...] = (
    ("claim: rows leased, attempts made", supply, "claim_deliveries"),
    ("prepare: rows read, letters merged, hashed, stored", supply.Supply, "make_ready"),
    ("  of it merging and links", prepare_letters, "fill_letter"),
    ("  of it the hash", prepare_letters, "sha256_of"),
    ("begin and settle: the commit of each letter", LetterTurns, "take"),
    ("SMTP", SmtpChannel, "send"),
)


@contextmanager
def timed_parts(spent: Counter[str]) -> Iterator[None]:
    """Add up the seconds of each part into `spent`, for the length of the block."""
    with ExitStack() as stack:
        for name, owner, attribute in PARTS:
            original = getattr(owner, attribute)
            stack.callback(setattr, owner, attribute, original)
            setattr(owner, attribute, _timing(name, original, spent))
        yield


def _timing(name: str, original: Callable[..., Any], spent: Counter[str]) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return original(*args, **named)
        finally:
            spent[name] += time.perf_counter() - began  # type: ignore[assignment] # seconds are no whole number

    return call


def main(arguments: list[str] | None = None) -> int:
    """Print the medians of a few rounds, for each engine."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.phases",
        description="Say where the time of a letter goes, in microseconds, on each database. For tuning; no limits.",
        epilog="Example: python -m benchmarks.phases 500",
    )
    parser.add_argument("letters", type=int, nargs="?", default=LETTERS, help="letters a round, %(default)s by default")
    letters = parser.parse_args(arguments).letters
    if letters < 1:
        parser.error("a round has at least one letter")
    with places() as made:
        for engine in ENGINES:
            with Sink() as sink, made.new(engine) as place, closing(place.smtp(sink.url)) as channel:
                place.add_followers(letters * (ROUNDS + 1))
                place.announce()
                dispatch = place.dispatch(channel)
                engine_of = place.world.wiring.engine
                send_deliveries.send_deliveries(engine_of, clock.now, dispatch, limit=letters)
                rounds = []
                for _ in range(ROUNDS):
                    spent: Counter[str] = Counter()
                    began, busy = time.perf_counter(), time.process_time()
                    with timed_parts(spent):
                        send_deliveries.send_deliveries(engine_of, clock.now, dispatch, limit=letters)
                    whole = time.perf_counter() - began
                    parts = sum(seconds for name, seconds in spent.items() if not name.startswith(" "))
                    rounds.append({**spent, "the rest": whole - parts, "in all": whole})
                    rounds[-1]["processor time of it"] = time.process_time() - busy
                print(f"{engine}, one worker, one connection, µs a letter")
                for name in (*(name for name, _, _ in PARTS), "the rest", "in all", "processor time of it"):
                    print(f"  {name:<52} {statistics.median(each[name] for each in rounds) / letters * 1e6:7.1f}")
                envelopes = sent_letters(place, 500)
                with closing(BareLoop(place, letters * ROUNDS)) as bare:
                    marks = []
                    for _ in range(ROUNDS):
                        began = time.perf_counter()
                        bare.mark_all(letters)
                        marks.append(time.perf_counter() - began)
                with closing(smtplib.SMTP(sink.host, sink.port)) as client:
                    sends = []
                    for _ in range(ROUNDS):
                        began = time.perf_counter()
                        for envelope in envelopes:
                            client.sendmail(envelope.return_path, [envelope.recipient], envelope.message)
                        sends.append(time.perf_counter() - began)
                print(f"  {'bare loop: its commit':<52} {statistics.median(marks) / letters * 1e6:7.1f}")
                print(f"  {'bare loop: smtplib':<52} {statistics.median(sends) / 500 * 1e6:7.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
