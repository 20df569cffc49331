"""How the front learns what is published: seldom, in time, and without keeping readers waiting or at a loss."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from werkzeug.test import Client

from registry import clock
from registry.steps import artefacts
from registry.web import front_shelf
from registry.web.current import CLOCK
from registry.web.front_shelf import AWAY_SECONDS, GRACE_SECONDS, MUST_LOOK_SECONDS, Shelf
from tests.web.conftest import serving
from tests.web.site import Site
from tests.web.team.counting import queries
from tests.web.test_front import front_of, handed_over
from tests.world import antopsis

WITHIN = 30.0
"""Seconds within which a busy machine has done anything; how soon it should be is asserted where it counts."""


@contextmanager
def by_the_real_clock(site: Site) -> Iterator[Shelf]:
    """Have the front look as it does in service, and end its thread in the end."""
    del site.app.config[CLOCK]
    site.world.at = clock.now()
    shelf = front_of(site).shelf
    shelf._begin()
    try:
        yield shelf
    finally:
        shelf.close()
        site.app.config[CLOCK] = site.world.clock


@pytest.fixture
def real(site: Site) -> Iterator[Shelf]:
    """The front by the real clock, on either database."""
    with by_the_real_clock(site) as shelf:
        yield shelf


@pytest.fixture
def light_real(light_site: Site) -> Iterator[Shelf]:
    """The same on the embedded database."""
    with by_the_real_clock(light_site) as shelf:
        yield shelf


class Later:
    """The monotonic clock, put forward by hand."""

    def __init__(self) -> None:
        self.by = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return monotonic() + self.by


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """How much later it is for the front."""
    put_forward = Later()
    monkeypatch.setattr(front_shelf, "monotonic", put_forward)
    monkeypatch.setattr("registry.web.front.monotonic", put_forward)
    return put_forward


def until(what: Any) -> None:
    """Wait for a condition that comes by itself, at most `WITHIN`."""
    end = monotonic() + WITHIN
    while not what():
        assert monotonic() < end, "it did not come"


def test_what_was_asked_before_is_answered_without_flask_and_without_a_query_for_each(site: Site, real: Shelf) -> None:
    site.get("/antopsis/")
    began, count = monotonic(), 2_000
    with handed_over(site) as asked, queries(site.app.extensions["registry"].engine) as sent:
        for _ in range(count):
            assert site.get("/antopsis/").status_code == 200
    assert asked == []
    # A look is one query; twice a second is the most, and one may have been under way.
    assert len(sent) <= 2 * (monotonic() - began) + 2
    assert all("list_periods" not in statement for statement in sent)


def test_a_publication_is_seen_by_every_process_while_nobody_waits(site: Site, real: Shelf) -> None:
    before = site.get("/antopsis/").data
    site.world.at = clock.now()
    number = site.world.announce(antopsis(helsinki=True))
    committed = monotonic()
    # Until it is looked for and built, each is answered out of memory; for how long at most, the next tests show.
    while number.encode() not in (page := site.get("/antopsis/").data):
        assert page == before
        assert monotonic() - committed < WITHIN, "it did not come"


def test_a_process_that_nobody_asked_for_hours_answers_with_what_is_true_now(
    light_site: Site, light_real: Shelf, later: Later
) -> None:
    before = light_site.get("/antopsis/").data
    light_site.world.at = clock.now()
    number = light_site.world.announce(antopsis(helsinki=True))
    with queries(light_site.app.extensions["registry"].engine) as sent:
        later.by += 3 * 3_600
        # Nobody asks, nobody looks.
        assert sent == []
    assert number.encode() in light_site.get("/antopsis/").data != before


def test_what_is_out_of_date_is_given_for_a_moment_only(light_site: Site, light_real: Shelf, later: Later) -> None:
    before = light_site.get("/antopsis/").data
    (answer,) = light_real._answers.values()
    shelf, renewed = light_real, threading.Event()
    shelf._renew_outdated = renewed.set  # type: ignore[method-assign]  # a build that takes for ever
    light_site.world.at = clock.now()
    number = light_site.world.announce(antopsis(helsinki=True))
    later.by += MUST_LOOK_SECONDS / 2
    until(lambda: light_site.get("/antopsis/").status_code == 200 and renewed.is_set())
    assert answer.expires is not None
    assert light_site.get("/antopsis/").data == before
    later.by += GRACE_SECONDS
    assert number.encode() in light_site.get("/antopsis/").data


def test_while_the_database_is_away_what_is_published_stays_for_an_hour_and_forms_do_not(
    own_sqlite_url: str, tmp_path: Path, later: Later
) -> None:
    with serving(own_sqlite_url, tmp_path / "instance", antopsis()) as site, by_the_real_clock(site):
        first = site.get("/antopsis/").data
        site.get("/antopsis/feed.atom")
        with taken_away(site):
            later.by += MUST_LOOK_SECONDS
            began = monotonic()
            for _ in range(200):
                assert site.get("/antopsis/").data == first
                assert site.get("/antopsis/feed.atom").status_code == 200
            assert monotonic() - began < 2 * front_shelf.PATIENCE_SECONDS + 5
            # What was never asked for before cannot be had, nor what has to be looked up.
            assert site.get("/antopsis/subprocessors.csv").status_code == 503
            assert site.get("/antopsis/?q=stripe").status_code == 503
            later.by += AWAY_SECONDS
            assert site.get("/antopsis/").status_code == 503
        # Back again, it is looked at anew, and all is as before.
        later.by += MUST_LOOK_SECONDS
        until(lambda: site.get("/antopsis/").status_code == 200)
        assert site.get("/antopsis/").data == first


def test_while_the_database_is_away_no_page_is_given_past_its_day(
    own_sqlite_url: str, tmp_path: Path, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(own_sqlite_url, tmp_path / "instance", antopsis()) as site, by_the_real_clock(site):
        assert site.get("/antopsis/").status_code == 200
        with taken_away(site):
            later.by += MUST_LOOK_SECONDS
            assert site.get("/antopsis/").status_code == 200
            tomorrow = clock.now() + timedelta(days=1)
            monkeypatch.setattr(clock, "now", lambda: tomorrow)
            assert site.get("/antopsis/").status_code == 503


@contextmanager
def taken_away(site: Site) -> Iterator[None]:
    """Take the file of the embedded database away, and lead to a folder in its place, which nobody can open as one.

    A link is replaced at once: where there is nothing for a moment, a thread that looks makes an empty database.
    """
    engine = site.app.extensions["registry"].engine
    path = Path(str(engine.url.database))
    # Whoever closes the last connection takes the log with it.
    engine.dispose()
    files = [path, *path.parent.glob(f"{path.name}-*")]
    for file in files:
        file.rename(file.with_name(f"away-{file.name}"))
    path.symlink_to(path.parent)
    try:
        yield
    finally:
        engine.dispose()
        for file in reversed(files):
            if file.with_name(f"away-{file.name}").exists():
                file.with_name(f"away-{file.name}").rename(file)


def test_at_the_end_of_the_publishers_day_the_page_is_built_anew(
    light_site: Site, light_real: Shelf, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    light_site.world.at = clock.now()
    light_site.world.announce(antopsis(helsinki=True))
    later.by += MUST_LOOK_SECONDS
    until(lambda: b"Helsinki" in light_site.get("/antopsis/").data)
    today = light_site.get("/antopsis/").data
    tomorrow: datetime = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    later.by += MUST_LOOK_SECONDS + GRACE_SECONDS
    assert light_site.get("/antopsis/").data != today


def test_many_who_ask_at_the_same_time_have_it_built_once(
    light_site: Site, light_real: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    make = artefacts.get_artefact

    def count(*arguments: Any, **named: Any) -> Any:
        built.append(arguments[3])
        return make(*arguments, **named)

    monkeypatch.setattr("registry.web.answers.get_artefact", count)
    start, bodies = threading.Barrier(8), []

    def ask() -> None:
        client = light_site.app.test_client(use_cookies=False)
        start.wait()
        bodies.append(client.get("/antopsis/feed.rss", buffered=True).data)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == ["rss"]
    assert len(bodies) == 8
    assert len(set(bodies)) == 1


def test_a_child_that_is_forked_looks_for_itself(light_site: Site, light_real: Shelf) -> None:
    body = light_site.get("/antopsis/").data
    light_site.app.extensions["registry"].engine.dispose()
    with warnings.catch_warnings():
        # That there are threads is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            shelf = front_of(light_site).shelf
            is_new = not shelf.remembered and shelf._thread is None
            answer = Client(light_site.app).get("/antopsis/", buffered=True)
            has_looked = shelf._thread is not None and shelf._thread.is_alive()
            os._exit(0 if is_new and has_looked and answer.data == body else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_whoever_sends_ever_other_headers_fills_no_memory(
    light_site: Site, light_real: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_shelf, "MOST_REMEMBERED", 100)
    for n in range(250):
        answer = light_site.get(
            "/antopsis/",
            headers={"Accept-Language": f"x-{n}", "Accept-Encoding": f"gzip, x{n}", "Host": f"h{n}.example"},
        )
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(light_real.remembered) <= 100
    assert len(light_real._answers) == 1


def test_the_bodies_of_ready_answers_are_bounded(
    light_site: Site, light_real: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_shelf, "MOST_BYTES", 20_000)
    for language in ("en", "de", "vi", "zh"):
        for name in ("", "feed.rss", "feed.atom", "subprocessors.json"):
            assert light_site.get(f"/antopsis/{name}?lang={language}").status_code == 200
            held = sum(len(answer.body) for answer in light_real._answers.values())
            assert held == light_real._weight
            assert held <= 20_000 or len(light_real._answers) == 1
