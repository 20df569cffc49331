"""Resend in trouble: time-outs, both kinds of 409, 429, errors that say nothing. Each letter is taken once (R29)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.channels.resend_missteps import (
    HTML_502,
    RESET_TAKEN,
    RESET_UNTAKEN,
    TIMES_OUT_THEN_TAKEN,
    Manner,
    Misstep,
    refusal,
)
from tests.channels.resend_server import ResendServer
from tests.faults.conftest import Figures
from tests.faults.post import Post, count_unfinished, readers
from tests.faults.table import Fault
from tests.steps.post_office import announce_to, send, states_of
from tests.steps.resend_cast import IMPATIENT, copies_of, mail_by, pass_time
from tests.world import BREMEN, HANOI, World

FOLLOWERS = 20
ALL_TAKEN = {"accepted": FOLLOWERS + 2}
UNDER_WAY = refusal(409, "concurrent_idempotent_requests", "Another request is in progress with the key.")
OTHER_BYTES = refusal(409, "invalid_idempotent_request", "Same idempotency key used with another payload.")
TOO_FAST = refusal(429, "rate_limit_exceeded", "Too many requests.", retry_after="60")
NO_PAUSE_NAMED = refusal(429, "rate_limit_exceeded", "Too many requests.")
QUOTA = refusal(429, "daily_quota_exceeded", "You have reached your daily quota.")
ERROR = refusal(500, "application_error", "Something went wrong.")

# What happens to the requests: two contacts' letters come first, then all followers' in a batch.
TROUBLE: dict[str, tuple[list[Misstep], dict[str, int]]] = {
    "time-out, then taken": ([TIMES_OUT_THEN_TAKEN] * 3, ALL_TAKEN),
    "time-out, 409 under way, then taken": ([TIMES_OUT_THEN_TAKEN] * 3 + [UNDER_WAY] * 3, ALL_TAKEN),
    "409 with other bytes": ([Misstep(takes=True)] * 2 + [OTHER_BYTES], {"accepted": 2, "needs_attention": FOLLOWERS}),
    "429 with and without Retry-After, quota": ([TOO_FAST, NO_PAUSE_NAMED, QUOTA], ALL_TAKEN),
    "500 and HTML 502": ([ERROR, Misstep(takes=False, response=HTML_502), ERROR], ALL_TAKEN),
    "reset, taken and not": ([RESET_TAKEN, RESET_UNTAKEN, RESET_TAKEN, RESET_UNTAKEN], ALL_TAKEN),
    "answer dripped": ([Misstep(takes=True, manner=Manner.DRIPPED)] * 3, ALL_TAKEN),
}


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with ResendServer() as running:
        yield running


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_provider_in_trouble_has_each_letter_once(
    world: World, server: ResendServer, figures: Figures, trouble: str
) -> None:
    missteps, ended = TROUBLE[trouble]
    announce_to(world, *readers(FOLLOWERS), customers=BREMEN + HANOI)
    mail_by(world, server, IMPATIENT)
    server.script(*missteps)
    for _ in range(12):
        send(world)
        if not count_unfinished(world):
            break
        pass_time(world, server, timedelta(minutes=61))
    assert Counter(states_of(world).values()) == ended
    copies = copies_of(server)
    assert set(copies.values()) == {1}
    assert sum(copies.values()) == ended["accepted"]
    post = Post(sum(copies.values()), 0, ended.get("needs_attention", 0))
    figures(Fault.RESEND_TROUBLE, f"Resend {trouble}", world, post)
