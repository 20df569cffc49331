"""An endpoint whose address leads to where only this machine may go: nobody there is asked, and the record says why.

Everything is sent over real sockets by the real session. Only the name service is played, and 127.0.0.1 plays the
public address where one is needed: whoever connects beyond this machine fails the test.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registry.channels.base import Answer, Envelope
from registry.channels.guarded_http import GuardedHttp
from registry.channels.webhook import WebhookChannel
from registry.channels.webhook_signing import make_secret
from tests.channels.http_receiver import HttpReceiver, redirect
from tests.channels.test_guarded_http import NameService, here_and_public
from tests.faults.conftest import Figures
from tests.faults.post import Post, count_unfinished, readers
from tests.faults.table import Fault
from tests.steps.post_office import announce_to, attempts_at, delivery_to, send, states_of
from tests.steps.test_lanes import by_web
from tests.world import World

PRIVATE = [
    "https://127.0.0.1/hook",
    "https://169.254.169.254/latest/meta-data",
    "https://2130706433/hook",
    "https://0x7f000001/hook",
    "https://0177.0.0.1/hook",
    "https://127.1/hook",
    "https://[::1]/hook",
    "https://[::ffff:127.0.0.1]/hook",
    "https://[::ffff:169.254.169.254]/hook",
    "https://[64:ff9b::7f00:1]/hook",
    "https://[64:ff9b::a9fe:a9fe]/hook",
    "https://10.0.0.8/hook",
    "https://localhost/hook",
]
BY_NAME = ["127.0.0.1", "169.254.169.254", "10.0.0.8", "::1", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "fd00:ec2::254"]


class Misled(WebhookChannel):
    """Posts each letter to the address that its reader has named."""

    connections = 1

    def __init__(self, http: GuardedHttp, urls: dict[str, str]) -> None:
        super().__init__(http, lambda: datetime.now(UTC))
        self._urls, self._secret = urls, make_secret()

    def send(self, envelope: Envelope) -> Answer:
        return super().send(replace(envelope, recipient=self._urls[envelope.recipient], secrets=(self._secret,)))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> NameService:
    """The name service: put into `answers` what it says to each name."""
    service = NameService()
    monkeypatch.setattr(socket, "getaddrinfo", service)
    return service


@pytest.fixture
def inside() -> Iterator[HttpReceiver]:
    """What only this machine may reach. Nobody may connect to it."""
    with HttpReceiver() as running:
        yield running
        assert running.connections == 0


def tell_by_web(world: World, urls: list[str]) -> dict[str, str]:
    """Announce a notice to as many readers as there are addresses; return each reader's, in the order they are told."""
    announce_to(world, *readers(len(urls)), customers="")
    everybody = sorted(readers(len(urls)), key=lambda to: delivery_to(world, to).id)
    by_web(world, everybody)
    return dict(zip(everybody, urls, strict=True))


def test_a_private_address_however_it_is_written_is_refused_for_good_and_nobody_is_asked(
    world: World, inside: HttpReceiver, figures: Figures
) -> None:
    urls = [url.replace("/hook", f":{inside.port}/hook") for url in PRIVATE]
    urls_of = tell_by_web(world, urls)
    with closing(Misled(GuardedHttp(), urls_of)) as road:
        world.channels["webhook"] = road
        assert send(world) == {"failed": len(PRIVATE)}
    for to in urls_of:
        (attempt,) = attempts_at(world, delivery_to(world, to))
        assert (attempt.code, attempt.answer_class) == (None, "permanent")
        assert attempt.answer
    figures(Fault.PRIVATE_ADDRESS, "private addresses as they are written", world, Post(0, 0, 0), refused=len(PRIVATE))


def test_a_name_that_leads_to_a_private_address_waits_until_it_is_mended(
    world: World, receiver: HttpReceiver, names: NameService, figures: Figures
) -> None:
    hosts = [f"hook{number}.customer.example" for number in range(len(BY_NAME))]
    urls_of = tell_by_web(world, [receiver.url_at(host) for host in hosts])
    names.answers = {host: [[address]] for host, address in zip(hosts, BY_NAME, strict=True)}
    with closing(Misled(GuardedHttp(allow_http=True), urls_of)) as strict:
        world.channels["webhook"] = strict
        assert send(world) == {"retry_wait": len(BY_NAME)}
    assert receiver.connections == 0
    for to in urls_of:
        (attempt,) = attempts_at(world, delivery_to(world, to))
        assert attempt.answer_class == "temporary"
        assert "not public" in str(attempt.answer)
    names.answers = {host: [["127.0.0.1"]] for host in hosts}
    with closing(Misled(GuardedHttp(may_reach=here_and_public, allow_http=True), urls_of)) as road:
        world.channels["webhook"] = road
        world.at += timedelta(minutes=1)
        assert send(world) == {"accepted": len(BY_NAME)}
    post = Post(len(receiver.requests), 0, 0)
    figures(Fault.PRIVATE_ADDRESS, "names that lead to private addresses", world, post, refused=len(BY_NAME))
    assert post == Post(len(BY_NAME), 0, 0)


def test_a_name_that_changes_its_answer_is_believed_once_for_each_connection_and_judged_each_time(
    world: World, receiver: HttpReceiver, names: NameService, figures: Figures
) -> None:
    urls_of = tell_by_web(world, [receiver.url_at("hook.customer.example")])
    # Whoever looked up again after judging would be led to the second of each pair.
    turns = ["10.0.0.8", "127.0.0.1", "169.254.169.254", "127.0.0.1", "10.0.0.8"]
    names.answers["hook.customer.example"] = [[address] for address in turns]
    with closing(Misled(GuardedHttp(may_reach=here_and_public, allow_http=True), urls_of)) as road:
        world.channels["webhook"] = road
        receiver.script(redirect(receiver.url, 307))
        refused = 0
        while count_unfinished(world):
            send(world)
            # As a worker does after each run.
            road.close()
            world.at += timedelta(hours=1)
            refused += 1
    (to,) = urls_of
    answers = [(each.answer_class, each.code) for each in attempts_at(world, delivery_to(world, to))]
    assert answers == [("temporary", None), ("temporary", 307), ("temporary", None), ("accepted", 200)]
    assert names.asked == ["hook.customer.example"] * 4
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    figures(Fault.PRIVATE_ADDRESS, "a name that changes its answer", world, Post(1, 0, 0), refused=2)


def test_a_redirect_to_a_private_address_is_not_followed(
    world: World, receiver: HttpReceiver, inside: HttpReceiver, figures: Figures
) -> None:
    codes = [301, 302, 303, 307, 308]
    targets = [inside.url, "http://169.254.169.254/latest/meta-data", f"http://[::ffff:127.0.0.1]:{inside.port}/"]
    pairs = [(code, target) for code in codes for target in targets]
    urls_of = tell_by_web(world, [receiver.url] * len(pairs))
    with closing(Misled(GuardedHttp(may_reach=lambda ip: ip.is_loopback, allow_http=True), urls_of)) as road:
        world.channels["webhook"] = road
        receiver.script(*(redirect(target, code) for code, target in pairs))
        assert send(world) == {"retry_wait": len(pairs)}
        assert inside.connections == 0
        world.at += timedelta(minutes=1)
        assert send(world) == {"accepted": len(pairs)}
    assert Counter(states_of(world).values()) == {"accepted": len(pairs)}
    for (code, _), to in zip(pairs, urls_of, strict=True):
        first, second = attempts_at(world, delivery_to(world, to))
        assert (first.code, second.code) == (code, 200)
        assert "redirects are not followed" in str(first.answer)
    figures(Fault.PRIVATE_ADDRESS, "redirects to private addresses", world, Post(len(pairs), 0, 0), refused=len(pairs))
