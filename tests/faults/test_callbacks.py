"""Callbacks in every order, twice, at once, forged and fuzzed: never an error of ours, and nothing moves back (R26)."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from registry.channels.resend import ResendChannel
from tests.channels.resend_server import SIGNING_SECRET, Callback, ResendServer
from tests.faults.conftest import Figures
from tests.faults.post import Post, readers
from tests.faults.table import Fault
from tests.steps.post_office import announce_to, delivery_to, send, states_of, use_channel
from tests.web.callbacks import ANY_JSON, CALLBACKS, HARD, PATH
from tests.web.site import Site
from tests.world import BREMEN, World, settings_for, utc

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("email.sent", {}),
    ("email.delivered", {}),
    ("email.complained", {}),
    ("email.bounced", HARD),
]
ORDERS = list(permutations(KINDS))
RANKS = {"accepted": 0, "delivered": 1, "bounced": 2}


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """An installation that takes Resend's callbacks."""
    given_settings = settings_for(database_url, tmp_path / "instance", REGISTRY_RESEND_WEBHOOK_SECRET=SIGNING_SECRET)
    with closing(World(given_settings, utc("2026-09-30 08:00"))) as made:
        yield made


@pytest.fixture
def server(world: World) -> Iterator[ResendServer]:
    """A provider that took a letter to everybody."""
    announce_to(world, *readers(len(ORDERS) - 1), customers=BREMEN)
    with ResendServer(now=world.at) as running:
        use_channel(world, ResendChannel(running.api_key, base_url=running.url))
        assert send(world) == {"accepted": len(ORDERS)}
        yield running


@pytest.fixture
def site(world: World) -> Iterator[Site]:
    """The same installation behind a web client."""
    with closing(Site(world)) as served:
        yield served


def post(site: Site, callback: Callback) -> int:
    return site.post(PATH, callback.body, headers=callback.headers).status_code


def test_callbacks_in_every_order_come_to_the_same_and_never_go_back(
    world: World, server: ResendServer, site: Site, figures: Figures
) -> None:
    count = 0
    for letter, order in zip(server.taken, ORDERS, strict=True):
        before = 0
        for kind, details in order:
            callback = server.callback(letter, kind, **details)
            # The second time is the provider's own repeat.
            assert [post(site, callback), post(site, callback)] == [204, 204]
            count += 2
            rank = RANKS[delivery_to(world, letter.recipient).state]
            assert rank >= before
            before = rank
    assert set(states_of(world).values()) == {"bounced"}
    figures(Fault.CALLBACKS, "in every order, each twice", world, Post(len(ORDERS), 0, 0), callbacks=count)


def test_callbacks_that_come_at_once_come_to_what_they_come_to_one_by_one(
    world: World, server: ResendServer, site: Site, figures: Figures
) -> None:
    gone = {letter.recipient for letter in server.taken[::2]}
    callbacks = [
        server.callback(letter, kind, **details)
        for letter in server.taken
        for kind, details in (KINDS if letter.recipient in gone else KINDS[:3])
    ] * 2
    random.Random(11).shuffle(callbacks)

    def post_by_itself(callback: Callback) -> int:
        client = site.app.test_client(use_cookies=False)
        return client.post(PATH, data=callback.body, headers=callback.headers).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(post_by_itself, callbacks))
    assert answers == {204: len(callbacks)}
    assert {to for to, state in states_of(world).items() if state == "bounced"} == gone
    assert Counter(states_of(world).values()) == {"bounced": 12, "delivered": 12}
    figures(Fault.CALLBACKS, "eight at once, each twice", world, Post(len(ORDERS), 0, 0), callbacks=len(callbacks))


@pytest.mark.parametrize("examples", [100, pytest.param(1_000, marks=[pytest.mark.slow])])
def test_whatever_comes_is_taken_or_refused_and_no_letter_goes_back(
    world: World, server: ResendServer, site: Site, figures: Figures, examples: int
) -> None:
    answers: Counter[int] = Counter()
    for letter, (kind, details) in zip(server.taken, KINDS[1:] * 4, strict=False):
        assert post(site, server.callback(letter, kind, **details)) == 204
    ranks = {to: RANKS[state] for to, state in states_of(world).items()}
    assert set(ranks.values()) == {0, 1, 2}
    letters = st.sampled_from(server.taken)
    known = st.builds(
        lambda letter, kind, changes: json.loads(server.callback(letter, kind[0], **(kind[1] | changes)).body),
        letters,
        st.sampled_from(KINDS),
        st.dictionaries(st.sampled_from(["bounce", "tags", "email_id", "message_id", "to"]), ANY_JSON, max_size=1),
    )

    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(known | CALLBACKS | ANY_JSON, st.booleans(), st.integers(0, 40))
    def fuzz(content: Any, is_forged: bool, name: int) -> None:
        callback = server.sign(json.dumps(content).encode(), event_id=f"msg_{name}" if name else None)
        if is_forged:
            callback = Callback(callback.headers, callback.body + b" ")
        answer = post(site, callback)
        assert answer == 401 if is_forged else answer in (204, 400)
        answers[answer] += 1
        for to, state in states_of(world).items():
            assert RANKS[state] >= ranks[to]
            ranks[to] = RANKS[state]

    fuzz()
    assert set(answers) == {204, 400, 401}
    total = answers.total()
    figures(Fault.CALLBACKS, f"fuzzed and forged, {examples:,}", world, Post(len(ORDERS), 0, 0), callbacks=total)
