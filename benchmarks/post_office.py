"""The same letters to the same sink by django-post-office, the Django application for it, by its own command.

It comes from the package index into an environment of its own below the user's cache folder, made once. Its queue is
filled before the clock starts, with letters whose words are ready: what is timed is `send_queued_mail` as shipped,
with its five threads. It records a batch of a hundred letters once all of them are sent.
"""

from __future__ import annotations

import email
import email.policy
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from benchmarks.bare_loops import BareLoop, sent_letters
from benchmarks.places import ENGINES, Place, Places
from benchmarks.rows import Row, Skipped, paces, timed
from benchmarks.sink import Sink
from benchmarks.sizes import Sizes
from registry.channels.base import Envelope

LEAST_RATIO = 2.0
PACKAGES = ("django", "django-post-office", "psycopg[binary]")
SITE = Path(__file__).parent / "post_office_site"
LONGEST_INSTALLATION = 180
KEPT_HEADERS = ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Auto-Submitted", "Message-ID", "Reply-To")


def measure(places: Places, sizes: Sizes) -> Iterator[Row]:
    """Send the same letters in rounds, ours and theirs in turn, on each engine."""
    python = find_or_make_environment()
    for engine in ENGINES:
        yield measure_engine(engine, places, sizes, python)


def measure_engine(engine: str, places: Places, sizes: Sizes, python: Path) -> Row:
    """Measure one engine. The bare loop goes along, so that it can be seen how much of its pace the limit asks for."""
    count, rounds = sizes.post_office_letters, sizes.post_office_rounds
    ours, theirs, bare_ones = [], [], []
    with Sink() as sink, places.new(engine) as place, closing(place.smtp(sink.url)) as channel:
        place.add_followers(count * (rounds + 1))
        place.announce()
        place.send(channel, count)
        envelopes = sent_letters(place, count)
        with PostOffice(python, place, sink, envelopes) as peer, closing(BareLoop(place, count * rounds)) as bare:
            for _ in range(rounds):
                ours.append(timed(partial(place.send, channel, count)))
                theirs.append(peer.send())
                bare_ones.append(timed(partial(bare.send, sink.url, envelopes)))
        assert sink.count() == count * (3 * rounds + 1), sink.count()
    means = (
        f"on {engine} a list of 100,000 is told in {100_000 / count * statistics.median(ours):.0f} seconds, by "
        f"django-post-office in {100_000 / count * statistics.median(theirs):.0f}; twice the pace of that one is "
        f"{LEAST_RATIO * statistics.median(bare_ones) / statistics.median(theirs):.2f} of the bare loop's"
    )
    what = f"one worker, one connection: {count:,} letters"
    return paces(what, engine, count, ours, peer.name, theirs, LEAST_RATIO, means)


class PostOffice:
    """The peer in a process of its own, on a database of its own beside ours."""

    def __init__(self, python: Path, place: Place, sink: Sink, envelopes: Sequence[Envelope]) -> None:
        folder = place.folder
        letters = folder / "letters.json"
        letters.write_text(json.dumps([as_words(envelope) for envelope in envelopes]), encoding="utf-8")
        server = urlsplit(sink.url)
        url = place.url
        where = {
            "host": server.hostname,
            "port": server.port,
            "sqlite": str(folder / "post-office.db") if place.is_sqlite else None,
            # Its tables go by other names than ours, so that both can be in one database.
            "name": url.database,
            "user": url.username,
            "password": url.password,
            "server": url.query.get("host", url.host),
            "server_port": url.port or "",
        }
        self._log = folder / "post-office.log"
        with self._log.open("w", encoding="utf-8") as log:
            self._process = self._start(python, letters, where, log)
        self.name = "django-post-office"

    def _start(self, python: Path, letters: Path, where: dict[str, Any], log: TextIO) -> subprocess.Popen[str]:
        folder = letters.parent
        return subprocess.Popen(
            [str(python), str(SITE / "send.py"), str(letters), str(folder / "post-office")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={"PATH": os.environ["PATH"], "POST_OFFICE_PLACE": json.dumps(where)},
            cwd=folder,
        )

    def __enter__(self) -> PostOffice:
        versions = self._ask("versions")
        self.name = f"django-post-office {versions['post_office']}, Django {versions['django']}"
        return self

    def __exit__(self, *_: object) -> None:
        with self._process as process:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()

    def send(self) -> float:
        """Queue all letters, and return the seconds that sending them took."""
        self._ask("queue")
        answer = self._ask("send")
        assert answer["left"] == 0, answer
        return float(answer["seconds"])

    def _ask(self, question: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"django-post-office has ended: {self._log.read_text(encoding='utf-8')[-2_000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def as_words(envelope: Envelope) -> dict[str, object]:
    """A letter as the peer's queue has it: words and headers, from which it makes the bytes itself."""
    message = email.message_from_bytes(envelope.message, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    plain, markup = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert markup is not None
    return {
        "from_email": str(message["From"]),
        "to": [envelope.recipient],
        "subject": str(message["Subject"]),
        "message": plain.get_content(),
        "html_message": markup.get_content(),
        "headers": {name: str(message[name]) for name in KEPT_HEADERS if message[name] is not None},
    }


def find_or_make_environment() -> Path:
    """The Python of the peer's own environment. Raises `Skipped` where its packages cannot be had."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "registry-benchmarks"
    folder = cache / f"post-office-{sys.version_info.major}.{sys.version_info.minor}"
    python, is_whole = folder / "bin" / "python", folder / "is-whole"
    if is_whole.exists():
        return python
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    try:
        for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], pip):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=LONGEST_INSTALLATION)
    except subprocess.SubprocessError as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise Skipped(f"the packages {', '.join(PACKAGES)} cannot be had: {said[-1] if said else error}") from error
    is_whole.touch()
    return python
