"""Posting to an address that a stranger gave: what is sent, where it goes, and how the server is known.

Everything here is sent over real sockets by the real session. Only the name service is played.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

import pytest

from registry.channels.base import PermanentFailure, TemporaryFailure
from registry.channels.guarded_http import (
    LONGEST_BODY,
    USER_AGENT,
    GuardedHttp,
    HttpAnswer,
    NotSent,
)
from registry.channels.public_addresses import AddressProblem, IpAddress, is_public
from tests.channels.conftest import Authority
from tests.channels.http_receiver import (
    HttpReceiver,
    Reply,
    redirect,
)

LONG_BODY = b"x" * 20_000_000
HttpMaker = Callable[..., GuardedHttp]


def here_and_public(address: IpAddress) -> bool:
    return str(address) == "127.0.0.1" or is_public(address)


@pytest.fixture
def open_http() -> Iterator[HttpMaker]:
    """Makes clients that may reach 127.0.0.1 without encryption, and closes them when the test is over."""
    with ExitStack() as stack:

        def make(**options: Any) -> GuardedHttp:
            return stack.enter_context(
                closing(GuardedHttp(**{"may_reach": here_and_public, "allow_http": True, **options}))
            )

        yield make


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as running:
        yield running


class NameService:
    """Answers of a name service, in turn; the last one holds. `asked` keeps the names that were looked up."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self._look_up = socket.getaddrinfo

    def __call__(self, host: str, *args: Any, **kwargs: Any) -> list[Any]:
        if host not in self.answers:
            return self._look_up(host, *args, **kwargs)
        self.asked.append(host)
        answers = self.answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [found for address in addresses for found in self._look_up(address, *args, **kwargs)]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> NameService:
    """The name service: put into `answers` what it says to each name."""
    service = NameService()
    monkeypatch.setattr(socket, "getaddrinfo", service)
    return service


# What goes over the wire


def test_a_request_carries_the_given_bytes_and_headers_and_nothing_of_the_environment(
    open_http: HttpMaker, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    body = '{"name": "Bücher"}'.encode()
    answer = open_http().post(receiver.url, body, {"Content-Type": "application/json"})
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.text, answer.is_whole) == (200, "ok", True)
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/hooks/notices", body)
    assert dict(request.headers) == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-length": str(len(body)),
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
        "content-type": "application/json",
    }


def test_a_connection_is_used_again_and_nothing_is_remembered_on_it(
    open_http: HttpMaker, receiver: HttpReceiver
) -> None:
    receiver.always(Reply(200, "ok", {"Set-Cookie": "who=you; Path=/"}))
    http = open_http()
    for _ in range(3):
        assert isinstance(http.post(receiver.url, b"{}", {}), HttpAnswer)
    assert receiver.connections == 1
    assert len(receiver.requests) == 3
    assert all("cookie" not in request.headers for request in receiver.requests)


def test_a_connection_that_was_idle_or_was_closed_meanwhile_is_replaced(
    open_http: HttpMaker, receiver: HttpReceiver
) -> None:
    http = open_http(idle_seconds=0)
    assert isinstance(http.post(receiver.url, b"{}", {}), HttpAnswer)
    assert isinstance(http.post(receiver.url, b"{}", {}), HttpAnswer)
    http.close()
    assert isinstance(http.post(receiver.url, b"{}", {}), HttpAnswer)
    assert receiver.connections == 3


def test_a_connection_is_replaced_after_its_own_idleness_however_busy_others_are(
    open_http: HttpMaker, receiver: HttpReceiver
) -> None:
    http = open_http(idle_seconds=0.4)
    with HttpReceiver() as busy:
        assert isinstance(http.post(receiver.url, b"{}", {}), HttpAnswer)
        for _ in range(4):
            time.sleep(0.15)
            assert isinstance(http.post(busy.url, b"{}", {}), HttpAnswer)
        assert isinstance(http.post(receiver.url, b"{}", {}), HttpAnswer)
    assert receiver.connections == 2


# Where it goes


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "localhost.",
        "127.0.0.1.",
        "１２７.0.0.1",
    ],
)
def test_no_spelling_of_this_machine_is_reached_from_the_internet(receiver: HttpReceiver, host: str) -> None:
    with closing(GuardedHttp(allow_http=True)) as http:
        outcome = http.post(receiver.url_at(host), b"{}", {})
    assert isinstance(outcome, NotSent)
    assert outcome.is_final
    assert isinstance(outcome.as_answer(), PermanentFailure)
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "169.254.169.254",
        "10.1.2.3",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "168.63.129.16",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
    ],
)
def test_a_name_that_leads_to_a_private_address_is_refused_for_now(
    names: NameService, receiver: HttpReceiver, address: str
) -> None:
    names.answers["customer.example"] = [[address]]
    with closing(GuardedHttp(allow_http=True)) as http:
        outcome = http.post(receiver.url_at("customer.example"), b"{}", {})
    assert outcome == NotSent(
        f"customer.example:{receiver.port}: the name leads to an address that is not public",
        problem=AddressProblem.NOT_PUBLIC,
    )
    assert isinstance(outcome.as_answer(), TemporaryFailure)
    assert receiver.connections == 0


@pytest.mark.parametrize("addresses", [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "::1"]])
def test_a_name_with_one_address_that_is_not_public_is_refused_whole(
    open_http: HttpMaker, names: NameService, receiver: HttpReceiver, addresses: list[str]
) -> None:
    names.answers["customer.example"] = [addresses]
    outcome = open_http().post(receiver.url_at("customer.example"), b"{}", {})
    assert isinstance(outcome, NotSent)
    assert outcome.problem is AddressProblem.NOT_PUBLIC
    assert receiver.connections == 0


def test_a_name_that_changes_its_answer_after_it_was_judged_gains_nothing(
    open_http: HttpMaker, names: NameService, receiver: HttpReceiver
) -> None:
    # 127.0.0.1 plays the public address. Whoever looked the name up again to connect would be led astray.
    names.answers["customer.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    answer = open_http().post(receiver.url_at("customer.example"), b"{}", {})
    assert isinstance(answer, HttpAnswer)
    assert names.asked == ["customer.example"]
    assert receiver.requests[0].headers["host"] == f"customer.example:{receiver.port}"


def test_a_name_that_turns_private_is_refused_at_the_next_connection(
    open_http: HttpMaker, names: NameService, receiver: HttpReceiver
) -> None:
    names.answers["customer.example"] = [["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1"]]
    http = open_http()
    assert isinstance(http.post(receiver.url_at("customer.example"), b"{}", {}), HttpAnswer)
    # The open connection was judged when it was made, and no name is asked for it.
    assert isinstance(http.post(receiver.url_at("customer.example"), b"{}", {}), HttpAnswer)
    http.close()
    assert isinstance(http.post(receiver.url_at("customer.example"), b"{}", {}), NotSent)
    assert isinstance(http.post(receiver.url_at("customer.example"), b"{}", {}), HttpAnswer)
    assert (receiver.connections, len(receiver.requests), len(names.asked)) == (2, 3, 3)


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data/", "http://[::1/", "//\ud7ff", "\\\\x", ""]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(
    open_http: HttpMaker, receiver: HttpReceiver, status: int, target: str
) -> None:
    receiver.script(redirect(target.encode().decode("latin-1"), status))
    answer = open_http().post(receiver.url, b"{}", {})
    assert isinstance(answer, HttpAnswer)
    assert answer.status == status
    assert "redirects are not followed" in answer.describe()
    assert len(receiver.requests) == 1


def test_a_redirect_says_where_it_points_without_its_secrets(open_http: HttpMaker, receiver: HttpReceiver) -> None:
    receiver.script(redirect("https://user:word@new.customer.example/hook\u00a0x?token=secret#part"))
    answer = open_http().post(receiver.url, b"{}", {})
    assert isinstance(answer, HttpAnswer)
    assert answer.describe() == (
        "HTTP 302 Found: redirects are not followed; it points to https://new.customer.example/hook x"
    )


def test_a_long_body_behind_a_redirect_is_not_read(open_http: HttpMaker, receiver: HttpReceiver) -> None:
    receiver.script(Reply(302, LONG_BODY, {"Location": "https://new.customer.example/"}))
    answer = open_http().post(receiver.url, b"{}", {})
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, len(answer.body), answer.is_whole) == (302, LONGEST_BODY, False)


def test_a_second_address_is_tried_where_nobody_listens_at_the_first(
    open_http: HttpMaker, names: NameService, receiver: HttpReceiver
) -> None:
    names.answers["customer.example"] = [["127.0.0.2", "127.0.0.1"]]
    http = open_http(may_reach=lambda address: address.is_loopback)
    assert isinstance(http.post(receiver.url_at("customer.example"), b"{}", {}), HttpAnswer)
    assert receiver.connections == 1


# Encryption


def test_a_server_is_believed_by_its_certificate_for_the_name_that_was_asked_for(
    open_http: HttpMaker, names: NameService, authority: Authority
) -> None:
    names.answers = {"mail.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}
    with HttpReceiver(tls=authority.server_context("DNS:mail.example")) as receiver:
        trusting = open_http(allow_http=False, certificate_authority=authority.certificate)
        answer = trusting.post(receiver.url_at("mail.example"), b"{}", {})
        another_name = trusting.post(receiver.url_at("other.example"), b"{}", {})
        untrusting = open_http(allow_http=False).post(receiver.url_at("mail.example"), b"{}", {})
    assert isinstance(answer, HttpAnswer)
    assert answer.text == "ok"
    assert isinstance(another_name, NotSent)
    assert "certificate is not trusted" in another_name.reason
    assert "mismatch" in another_name.reason
    assert isinstance(untrusting, NotSent)
    assert "certificate is not trusted" in untrusting.reason
    assert len(receiver.requests) == 1


def test_a_certificate_for_an_ip_address_will_do_where_the_address_is_one(
    open_http: HttpMaker, authority: Authority
) -> None:
    with HttpReceiver(tls=authority.server_context("IP:127.0.0.1")) as receiver:
        http = open_http(allow_http=False, certificate_authority=authority.certificate)
        first = http.post(receiver.url, b"{}", {})
        second = http.post(receiver.url, b"{}", {})
    assert isinstance(first, HttpAnswer)
    assert isinstance(second, HttpAnswer)
    assert receiver.connections == 1


def test_https_is_asked_for_unless_development_allows_less(receiver: HttpReceiver) -> None:
    with closing(GuardedHttp(may_reach=here_and_public)) as http:
        outcome = http.post(receiver.url, b"{}", {})
    assert outcome == NotSent(
        "the address does not begin with https://", problem=AddressProblem.NOT_HTTPS, is_final=True
    )
    assert receiver.connections == 0


def test_where_the_name_is_not_known_nothing_was_sent(open_http: HttpMaker, names: NameService) -> None:
    names.answers["customer.example"] = [[]]
    outcome = open_http().post("https://customer.example/", b"{}", {})
    assert isinstance(outcome, NotSent)
    assert outcome.reason.startswith("customer.example: the host name could not be looked up")
    assert isinstance(outcome.as_answer(), TemporaryFailure)


def test_the_time_a_lease_must_outlast_is_known(open_http: HttpMaker) -> None:
    assert open_http().longest_post == timedelta(seconds=20)
