"""What the network does to a letter on its way to Resend: every wait ends, and nothing is claimed that is not known."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from registry.channels.base import Accepted, Ambiguous, Answer, Envelope, PermanentFailure, TemporaryFailure
from registry.channels.resend import ResendChannel, ResendTimeouts
from registry.channels.resend_wire import LONGEST_REPLY
from tests.channels.conftest import Authority, EnvelopeMaker
from tests.channels.resend_missteps import (
    RESET_TAKEN,
    RESET_UNTAKEN,
    TIMES_OUT_THEN_TAKEN,
    Manner,
    Misstep,
    Response,
    error,
)
from tests.channels.resend_server import API_KEY, ResendServer

SHORT = ResendTimeouts(connect=0.5, whole=0.6)
MUCH_LONGER = 8
DRIPPED = Misstep(takes=True, manner=Manner.DRIPPED)
BODY_DRIPPED = Misstep(takes=True, manner=Manner.BODY_DRIPPED)
CUT = Misstep(takes=True, manner=Manner.CUT)


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with ResendServer() as running:
        yield running


@pytest.fixture
def channel(server: ResendServer) -> Iterator[ResendChannel]:
    with closing(ResendChannel(server.api_key, base_url=server.url, timeouts=SHORT)) as made:
        yield made


@pytest.fixture
def envelope(make_envelope: EnvelopeMaker) -> Envelope:
    return make_envelope()


def send_to(base_url: str, envelope: Envelope, timeouts: ResendTimeouts = SHORT) -> Answer:
    with closing(ResendChannel(API_KEY, base_url=base_url, timeouts=timeouts)) as channel:
        return channel.send(envelope)


@pytest.mark.parametrize("misstep", [TIMES_OUT_THEN_TAKEN, DRIPPED, BODY_DRIPPED, RESET_TAKEN, RESET_UNTAKEN, CUT])
def test_a_lost_answer_is_ambiguous_in_good_time_and_the_repeat_is_taken_once(
    misstep: Misstep, server: ResendServer, channel: ResendChannel, envelope: Envelope
) -> None:
    server.script(misstep)
    began = time.monotonic()
    lost = channel.send(envelope)
    assert time.monotonic() - began < MUCH_LONGER
    assert isinstance(lost, Ambiguous)
    assert lost.answer

    server.script(misstep)
    [of_batch] = channel.send_batch([envelope], "batch-1")
    assert isinstance(of_batch, Ambiguous)

    taken = channel.send(envelope)
    assert isinstance(taken, Accepted)
    assert [letter.batch_position for letter in server.taken].count(None) == 1


def test_a_refusal_whose_words_were_cut_gives_no_letter_up(
    server: ResendServer, channel: ResendChannel, envelope: Envelope
) -> None:
    refused = error(422, "validation_error", "Invalid `to` field.")
    server.script(Misstep(takes=False, manner=Manner.CUT, response=refused))
    cut = channel.send(envelope)
    server.script(Misstep(takes=False, manner=Manner.BODY_DRIPPED, response=refused))
    dripped = channel.send(envelope)
    server.script(Misstep(takes=False, response=refused))
    whole = channel.send(envelope)

    assert [(type(answer), answer.code) for answer in (cut, dripped, whole)] == [
        (TemporaryFailure, 422),
        (TemporaryFailure, 422),
        (PermanentFailure, 422),
    ]


def test_an_answer_without_end_is_read_to_a_limit(
    server: ResendServer, channel: ResendChannel, envelope: Envelope
) -> None:
    server.script(Misstep(takes=True, response=Response(200, b'{"id": "x", "more": "' + b"x" * 2 * LONGEST_REPLY)))
    answer = channel.send(envelope)
    assert isinstance(answer, Ambiguous)
    assert answer.code == 200
    assert len(answer.answer) <= 2_000
    assert isinstance(channel.send(envelope), Accepted)


def test_nobody_listening_means_nothing_was_sent(envelope: Envelope) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = send_to(f"http://127.0.0.1:{port}", envelope)
    assert answer == TemporaryFailure(None, f"no connection to http://127.0.0.1:{port}: Connection refused")


def test_a_host_without_an_address_means_nothing_was_sent(envelope: Envelope, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up_nothing(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up_nothing)
    answer = send_to("https://api.resend.invalid", envelope)
    assert isinstance(answer, TemporaryFailure)
    assert "could not be looked up" in answer.answer


def test_the_next_address_is_tried_where_the_first_does_not_answer(
    envelope: Envelope, hosts: dict[str, list[str]], server: ResendServer
) -> None:
    hosts["localhost"] = ["127.0.0.2", "127.0.0.1"]
    answer = send_to(server.url.replace("127.0.0.1", "localhost"), envelope)
    assert isinstance(answer, Accepted)


def test_a_host_that_swallows_connections_holds_nobody(envelope: Envelope, hosts: dict[str, list[str]]) -> None:
    # A full queue of connections on Linux drops further ones without a word.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(listener.getsockname())
        hosts["localhost"] = ["127.0.0.1"] * 4
        began = time.monotonic()
        answer = send_to(f"http://localhost:{listener.getsockname()[1]}", envelope)
        took = time.monotonic() - began
        for connection in waiting:
            connection.close()
    assert isinstance(answer, TemporaryFailure)
    assert "time allowed" in answer.answer
    assert took < MUCH_LONGER


def test_a_certificate_nobody_vouches_for_means_nothing_was_sent(authority: Authority, envelope: Envelope) -> None:
    with ResendServer(tls=authority.server_context("IP:127.0.0.1")) as server:
        answer = send_to(server.url, envelope, ResendTimeouts(connect=5, whole=5))
    assert isinstance(answer, TemporaryFailure)
    assert "certificate is not trusted" in answer.answer
    assert server.requests == []


def test_encryption_that_never_begins_means_nothing_was_sent(envelope: Envelope) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        answer = send_to(f"https://127.0.0.1:{listener.getsockname()[1]}", envelope)
    assert isinstance(answer, TemporaryFailure)
    assert "time allowed" in answer.answer
    assert time.monotonic() - began < MUCH_LONGER


def test_a_trusted_certificate_carries_the_letter(
    authority: Authority, envelope: Envelope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.channels.timed_http.DEFAULT_CA_BUNDLE_PATH", str(authority.certificate))
    with ResendServer(tls=authority.server_context("IP:127.0.0.1")) as server:
        server.script(DRIPPED)
        dripped = send_to(server.url, envelope, ResendTimeouts(connect=5, whole=2))
        taken = send_to(server.url, envelope, ResendTimeouts(connect=5, whole=5))
    assert isinstance(dripped, Ambiguous)
    assert isinstance(taken, Accepted)
    assert len(server.taken) == 1


def test_a_server_that_stops_taking_the_letter_holds_nobody(make_envelope: EnvelopeMaker) -> None:
    text = b"x" * 70 + b"\r\n"
    huge = make_envelope(message=b"From: a@antopsis.example\r\nSubject: S\r\n\r\n" + text * 200_000)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        began = time.monotonic()
        answer = send_to(f"http://127.0.0.1:{listener.getsockname()[1]}", huge, ResendTimeouts(connect=2, whole=1.5))
    assert isinstance(answer, Ambiguous)
    assert time.monotonic() - began < MUCH_LONGER


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: banana\r\n\r\n",
        b"\xff\xfe\x00\x00",
    ],
)
def test_garbage_for_an_answer_is_ambiguous(reply: bytes, envelope: Envelope) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with closing(ResendChannel(API_KEY, base_url=base_url, timeouts=SHORT)) as channel:
            answer = _answered(channel, listener, reply, envelope)
    assert isinstance(answer, Ambiguous)
    assert answer.answer


def _answered(channel: ResendChannel, listener: socket.socket, reply: bytes, envelope: Envelope) -> Answer:
    """Send a letter to a listener that reads it, says `reply` and hangs up."""

    def serve() -> None:
        connection, _ = listener.accept()
        # Whoever hangs up on garbage may do so before all of it is out.
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            connection.recv(65536)
            connection.sendall(reply)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)

    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        answer = channel.send(envelope)
        channel.close()
        served.result(timeout=10)
    return answer
