"""What the front knows: ready answers, and of which edition and day each is.

A look at the database tells which editions are published: a small query, made when somebody asks and the last look is
half a second old, by a thread of its own. So no request waits for the database, a process that nobody asks makes no
query, and what is published shows within a second everywhere. An answer that is no longer right is asked of the
application anew; until it is there the last one is given, for `GRACE_SECONDS` at most.

While the database is away, what was right at the last look goes on being served: for an hour, and never past the end of
the publisher's day, when the days left would be wrong.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from time import monotonic
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from registry import clock
from registry.domain.notices import local_date
from registry.steps.artefacts import Edition, read_editions
from registry.tables.engine import reading
from registry.web.answers import EDITION
from registry.web.current import CLOCK, EXTENSION
from registry.web.headers import UNCHANGED
from registry.web.languages import PARAMETER
from registry.wiring import Wiring

LOOK_SECONDS: Final = 0.5
MUST_LOOK_SECONDS: Final = 1.0
"""After so long without a look a request waits for one."""
PATIENCE_SECONDS: Final = 2.0
"""So long at most; then the database counts as away."""
GRACE_SECONDS: Final = 5.0
AWAY_SECONDS: Final = 3_600.0
MOST_BYTES: Final = 96 * 2**20
"""Of the bodies of ready answers; beyond that the oldest are asked for again when they are wanted."""
MOST_REMEMBERED: Final = 5_000
"""Ways to ask for an answer that are remembered, each with the headers it was asked with."""

logger = logging.getLogger(__name__)

Asked = tuple[str | None, ...]


class Wanted(NamedTuple):
    """One answer: of which publisher and at which address (its own host or a slug), what, in which form."""

    publisher_id: int
    host: str | None
    slug: str | None
    name: str
    language: str
    coding: str | None


@dataclass
class Answer:
    """A ready answer. `unchanged` are the headers of a 304.

    Monotonic times: `asked_at` is when the application was asked, so that it may know of more than the last look, and
    `expires` until when it is given although it is out of date.
    """

    edition: tuple[Edition, date]
    asked_at: float
    headers: list[tuple[str, str]]
    unchanged: list[tuple[str, str]]
    body: bytes
    etag: str | None
    modified: str | None
    expires: float | None = None


@dataclass(frozen=True)
class Known:
    """What a look found: the editions by publisher, slug and host, each with its publisher's local date."""

    present: dict[int, tuple[Edition, date]] = field(default_factory=dict)
    by_slug: dict[str, Edition] = field(default_factory=dict)
    by_host: dict[str, Edition] = field(default_factory=dict)


class Shelf:
    """The ready answers of one process. `ask` is the application behind the front."""

    def __init__(self, app: Flask, ask: Callable[..., Iterable[bytes]]) -> None:
        self._app, self._ask = app, ask
        self._begin()
        _begin_anew_in_children(weakref.ref(self))

    def _begin(self) -> None:
        """Know nothing: at the start, in a child that was forked, and where the installation is another one."""
        self._parts: Wiring | None = None
        self._known = Known()
        self._answers: dict[Wanted, Answer] = {}
        self.remembered: dict[Asked, Answer] = {}
        self.fresh_until = 0.0
        self._looked_at = self._tried_at = float("-inf")
        self._is_away = False
        self._weight = 0
        self._lock = threading.Lock()
        self._looking = threading.Condition()
        self._is_wanted = False
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._renewing: threading.Thread | None = None

    def close(self) -> None:
        """End the threads that look and renew."""
        with self._looking:
            self._is_closed = True
            self._looking.notify_all()
        for thread in (self._thread, self._renewing):
            if thread is not None:
                thread.join()

    @property
    def installation_host(self) -> str:
        """The host name of the installation itself."""
        return self._parts_now().letterhead.host

    def current(self) -> Known | None:
        """Return what is known well enough to be served by, or None where the application should answer by itself."""
        parts = self._parts_now()
        if self._parts is not parts:
            self.close()
            self._begin()
            self._parts = parts
        if CLOCK in self._app.config:
            # A clock that is moved by hand does not say how old a look is.
            return self._known if self._look_now() else None
        if monotonic() - self._tried_at >= LOOK_SECONDS:
            self._want_look()
        if self._age() >= MUST_LOOK_SECONDS and not self._is_away and not self._wait_for_look():
            self._is_away = True
        if self._is_away:
            return self._known if self._age() < AWAY_SECONDS else None
        return self._known

    def _age(self) -> float:
        return monotonic() - self._looked_at

    def find(self, wanted: Wanted) -> Answer | None:
        """Return the answer, which is asked of the application where it is not at hand; None where that has none."""
        answer = self._answers.get(wanted)
        present = self._known.present.get(wanted.publisher_id)
        if answer is not None and self._may_be_given(answer, present):
            return answer
        if self._is_away:
            return None
        return self._renew(wanted)

    def remember(self, asked: Asked, answer: Answer) -> None:
        """Give this answer at once to whoever asks in just this way, until something changes."""
        with self._lock:
            if answer.expires is None and not self._is_away:
                if len(self.remembered) >= MOST_REMEMBERED:
                    self.remembered = {}
                self.remembered[asked] = answer

    def _may_be_given(self, answer: Answer, present: tuple[Edition, date] | None) -> bool:
        if self._is_away:
            edition, day = answer.edition
            return local_date(self._now(), edition.time_zone) == day
        if answer.edition == present or answer.asked_at >= self._looked_at:
            return True
        return answer.expires is not None and monotonic() < answer.expires

    def _parts_now(self) -> Wiring:
        parts: Wiring = self._app.extensions[EXTENSION]
        return parts

    def _now(self) -> datetime:
        read: Callable[[], datetime] = self._app.config.get(CLOCK, clock.now)
        return read()

    def _want_look(self) -> None:
        with self._looking:
            if self._thread is None:
                self._thread = threading.Thread(target=self._look_when_wanted, name="front", daemon=True)
                self._thread.start()
            self._is_wanted = True
            self._looking.notify_all()

    def _wait_for_look(self) -> bool:
        """Wait until a look has ended that may have begun before; return whether what is known is young enough now."""
        until = monotonic() + PATIENCE_SECONDS
        with self._looking:
            while self._age() >= MUST_LOOK_SECONDS and not self._is_away:
                if not self._looking.wait(until - monotonic()):
                    return False
        return not self._is_away

    def _look_when_wanted(self) -> None:
        looking = self._looking
        while True:
            with looking:
                looking.wait_for(lambda: self._is_wanted or self._is_closed)
                if self._is_closed or self._looking is not looking:
                    return
                self._is_wanted = False
            self._look_now()
            with looking:
                looking.notify_all()
            # By another thread: while a long list is built, looking goes on, and nobody waits for it.
            if not (self._renewing is not None and self._renewing.is_alive()) and self._list_outdated():
                self._renewing = threading.Thread(target=self._renew_outdated, name="front-renewing", daemon=True)
                self._renewing.start()

    def _look_now(self) -> bool:
        """Look which editions are published, and return whether that went well."""
        self._tried_at = began = monotonic()
        try:
            with reading(self._parts_now().engine) as session:
                editions = read_editions(session)
        except Exception as error:  # noqa: BLE001 - whatever it is, what is published goes on being served
            if not self._is_away:
                logger.warning("Cannot look for what is published: %s", getattr(error, "orig", type(error).__name__))
            self._is_away = True
            self.remembered = {}
            return False
        with self._lock:
            self._take_in(editions, began)
        return True

    def _take_in(self, editions: list[Edition], began: float) -> None:
        before, last_look, now = self._known, self._looked_at, self._now()
        is_real = CLOCK not in self._app.config
        known = Known(
            {each.publisher_id: (each, local_date(now, each.time_zone)) for each in editions},
            {each.slug: each for each in editions},
            {each.host: each for each in editions if each.host},
        )
        is_as_before = known.present == before.present
        if not is_as_before:
            if _ways_in(known) != _ways_in(before):
                # What an address meant may mean another publisher now.
                self._drop_all()
            for answer in self._answers.values():
                if answer.edition != known.present.get(answer.edition[0].publisher_id):
                    answer.expires = (
                        answer.expires
                        if answer.expires is not None
                        else (last_look + GRACE_SECONDS if is_real else 0.0)
                    )
        self._known = known
        if not is_as_before:
            self.remembered = {}
        self._is_away = False
        self._looked_at = began
        if is_real:
            self.fresh_until = began + LOOK_SECONDS

    def _list_outdated(self) -> list[Wanted]:
        present = self._known.present
        with self._lock:
            return [each for each, answer in self._answers.items() if answer.edition != present.get(each.publisher_id)]

    def _renew_outdated(self) -> None:
        """Ask anew for every answer that is out of date, so that no reader waits for it."""
        for wanted in self._list_outdated():
            self._renew(wanted)

    def _renew(self, wanted: Wanted) -> Answer | None:
        try:
            answer = self._ask_for(wanted)
        except Exception:
            # Whoever asks is answered by the application, which then fails in the open.
            logger.exception("Cannot renew what is published: %s", wanted.name)
            answer = None
        with self._lock:
            self._drop(wanted)
            if answer is not None:
                self._answers[wanted] = answer
                self._weight += len(answer.body)
                while self._weight > MOST_BYTES and len(self._answers) > 1:
                    self._drop(next(iter(self._answers)))
                    self.remembered = {}
        return answer

    def _drop(self, wanted: Wanted) -> None:
        answer = self._answers.pop(wanted, None)
        if answer is not None:
            self._weight -= len(answer.body)

    def _drop_all(self) -> None:
        self._answers, self._weight = {}, 0

    def _ask_for(self, wanted: Wanted) -> Answer | None:
        """Ask the application as a plain reader would, so that nothing one client sends gets into what all get."""
        base = urlsplit(self._parts_now().letterhead.base_url)
        own = self._known.present.get(wanted.publisher_id)
        path = f"/{wanted.slug}/{wanted.name}" if wanted.slug is not None else f"/{wanted.name}"
        asked_at = monotonic()
        builder = EnvironBuilder(
            path,
            base_url=f"{base.scheme}://{wanted.host or base.netloc}",
            query_string="" if own and own[0].language == wanted.language else f"{PARAMETER}={wanted.language}",
            headers=Headers({"Accept-Encoding": wanted.coding or "identity"}),
        )
        try:
            environ = builder.get_environ()
        finally:
            builder.close()
        editions: list[tuple[Edition, date]] = []
        environ[EDITION] = editions
        body, status, headers = run_wsgi_app(self._ask, environ, buffered=True)
        if not editions or not status.startswith("200 ") or editions[0][0].publisher_id != wanted.publisher_id:
            return None
        return _make_answer(editions[0], asked_at, headers, b"".join(body))


def _make_answer(edition: tuple[Edition, date], asked_at: float, headers: Headers, body: bytes) -> Answer:
    # The server adds the date of each answer.
    headers.remove("Date")
    unchanged = [(name, value) for name, value in headers.to_wsgi_list() if name.lower() in UNCHANGED]
    tag, modified = headers.get("ETag"), headers.get("Last-Modified")
    return Answer(edition, asked_at, headers.to_wsgi_list(), unchanged, body, tag, modified)


def _begin_anew_in_children(this: weakref.ref[Shelf]) -> None:
    """Have a process that is forked from this one begin with nothing: its threads and locks are not its own."""

    def begin() -> None:
        shelf = this()
        if shelf is not None:
            shelf._begin()

    os.register_at_fork(after_in_child=begin)


def _ways_in(known: Known) -> list[tuple[int, str, str | None, str]]:
    return [(each.publisher_id, each.slug, each.host, each.language) for each, _ in known.present.values()]
