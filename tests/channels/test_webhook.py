"""Webhooks to endpoints that work, that fail, and that are not the customer's to name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import WebhookVerificationError

from registry.channels.base import Accepted, Ambiguous, Channel, Envelope, PermanentFailure, TemporaryFailure
from registry.channels.guarded_http import GuardedHttp, HttpTimeouts
from registry.channels.webhook import WebhookChannel
from registry.channels.webhook_signing import make_secret
from tests.channels.http_receiver import (
    BAD_GATEWAY,
    CUT,
    HANG,
    RESET,
    Behaviour,
    Drip,
    Echo,
    HttpReceiver,
    Reply,
    StopAfter,
    redirect,
)

SECRET = make_secret()
OLD_SECRET = make_secret()
MESSAGE_ID = "<2026-003.17@antopsis.example>"
BODY = '{"type": "notice.announced", "data": {"publisher": "Antopsis — Bücher"}}'.encode()
CHALLENGE = "kZk2mXkC0m1yXb5nqvT0jQ"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as running:
        yield running


@pytest.fixture
def channel() -> Iterator[WebhookChannel]:
    http = GuardedHttp(
        may_reach=lambda address: address.is_loopback, allow_http=True, timeouts=HttpTimeouts(connect=1, whole=1)
    )
    with closing(WebhookChannel(http, now)) as made:
        yield made


def envelope(url: str, *secrets: str) -> Envelope:
    return Envelope(url, "", BODY, MESSAGE_ID, secrets or (SECRET,))


def test_an_endpoint_can_tell_who_sent_it_what_and_when(channel: WebhookChannel, receiver: HttpReceiver) -> None:
    answer = channel.send(envelope(receiver.url))
    assert answer == Accepted(200, "HTTP 200 OK: ok")
    (request,) = receiver.requests
    assert request.verify(SECRET)["type"] == "notice.announced"
    assert request.body == BODY
    assert request.headers["user-agent"] == "subprocessor-registry/1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "2026-003~2E17~40antopsis~2Eexample"
    with pytest.raises(WebhookVerificationError):
        request.verify(OLD_SECRET)


def test_a_channel_is_what_the_engine_expects_of_one(channel: WebhookChannel) -> None:
    as_channel: Channel = channel
    assert (as_channel.name, as_channel.kind, as_channel.is_real) == ("webhook", "webhook", True)
    with closing(GuardedHttp()) as http:
        assert WebhookChannel(http, now).longest_send == timedelta(seconds=20)


def test_several_receivers_may_be_slow_at_once(channel: WebhookChannel, receiver: HttpReceiver) -> None:
    assert channel.connections == 8
    beside = channel.sibling()
    assert isinstance(beside.send(envelope(receiver.url)), Accepted)
    assert isinstance(channel.send(envelope(receiver.url)), Accepted)
    # Each has connections of its own, under the same rules.
    assert receiver.connections == 2
    assert beside.longest_send == channel.longest_send == timedelta(seconds=1)
    beside.close()


def test_a_repeat_has_the_same_id_and_bytes_and_is_signed_anew(receiver: HttpReceiver) -> None:
    moments = iter([now() - timedelta(minutes=2), now()])
    receiver.script(BAD_GATEWAY)
    http = GuardedHttp(may_reach=lambda address: address.is_loopback, allow_http=True)
    with closing(WebhookChannel(http, lambda: next(moments, now()))) as channel:
        assert isinstance(channel.send(envelope(receiver.url)), TemporaryFailure)
        assert isinstance(channel.send(envelope(receiver.url)), Accepted)
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert first.verify(SECRET) == second.verify(SECRET)


def test_while_a_secret_is_rotated_out_both_verify(channel: WebhookChannel, receiver: HttpReceiver) -> None:
    channel.send(envelope(receiver.url, SECRET, OLD_SECRET))
    (request,) = receiver.requests
    assert request.verify(SECRET) == request.verify(OLD_SECRET)


def test_a_webhook_is_never_sent_unsigned(channel: WebhookChannel, receiver: HttpReceiver) -> None:
    with pytest.raises(ValueError, match="needs a secret"):
        channel.send(Envelope(receiver.url, "", BODY, MESSAGE_ID))
    assert receiver.connections == 0


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_every_2xx_is_accepted(channel: WebhookChannel, receiver: HttpReceiver, status: int) -> None:
    receiver.script(Reply(status))
    answer = channel.send(envelope(receiver.url))
    assert isinstance(answer, Accepted)
    assert (answer.code, answer.provider_ref) == (status, None)


def test_a_2xx_whose_body_drips_is_accepted_and_holds_nobody(channel: WebhookChannel, receiver: HttpReceiver) -> None:
    head, _, _ = Reply(200, "x" * 500).as_bytes().partition(b"x")
    receiver.script(StopAfter(head), Drip(Reply(200, "x" * 2_000).as_bytes(), 0.002))
    assert isinstance(channel.send(envelope(receiver.url)), Accepted)
    assert isinstance(channel.send(envelope(receiver.url)), Accepted)


def test_410_ends_the_address(channel: WebhookChannel, receiver: HttpReceiver) -> None:
    receiver.script(Reply(410, "no more, please"))
    assert channel.send(envelope(receiver.url)) == PermanentFailure(
        410, "HTTP 410 Gone: no more, please", ends_address=True
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_says_where_it_points(
    channel: WebhookChannel, receiver: HttpReceiver, status: int
) -> None:
    with HttpReceiver() as elsewhere:
        receiver.script(redirect(elsewhere.url, status))
        answer = channel.send(envelope(receiver.url))
    assert isinstance(answer, TemporaryFailure)
    assert answer.code == status
    assert answer.answer.endswith(f"redirects are not followed; it points to {elsewhere.url}")
    assert elsewhere.connections == 0


def test_a_redirect_to_a_private_address_reaches_nobody(channel: WebhookChannel, receiver: HttpReceiver) -> None:
    # Whoever followed it would be stopped by the guard of the tests, which fails the test.
    receiver.script(redirect("http://169.254.169.254/latest/meta-data/"))
    answer = channel.send(envelope(receiver.url))
    assert isinstance(answer, TemporaryFailure)
    assert "http://169.254.169.254/latest/meta-data/" in answer.answer


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "wait"), [(None, None), ("120", timedelta(minutes=2)), ("999999999", timedelta(days=1)), ("soon", None)]
)
def test_a_wait_that_the_endpoint_asks_for_is_handed_on(
    channel: WebhookChannel, receiver: HttpReceiver, status: int, asked: str | None, wait: timedelta | None
) -> None:
    receiver.script(Reply(status, headers={} if asked is None else {"Retry-After": asked}))
    answer = channel.send(envelope(receiver.url))
    assert isinstance(answer, TemporaryFailure)
    assert (answer.code, answer.retry_after) == (status, wait)


def test_a_wait_until_a_date_is_counted_from_the_clock(receiver: HttpReceiver) -> None:
    receiver.script(Reply(503, headers={"Retry-After": "Mon, 02 Mar 2026 12:10:00 GMT"}))
    http = GuardedHttp(may_reach=lambda address: address.is_loopback, allow_http=True)
    with closing(WebhookChannel(http, lambda: datetime(2026, 3, 2, 12, 0, tzinfo=UTC))) as channel:
        answer = channel.send(envelope(receiver.url))
    assert isinstance(answer, TemporaryFailure)
    assert answer.retry_after == timedelta(minutes=10)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 413, 418, 500, 501, 504, 599, 999])
def test_any_other_refusal_is_tried_again_for_people_mend_their_servers(
    channel: WebhookChannel, receiver: HttpReceiver, status: int
) -> None:
    receiver.script(Reply(status, "not\ttoday\x00"))
    answer = channel.send(envelope(receiver.url))
    assert isinstance(answer, TemporaryFailure)
    assert (answer.code, answer.retry_after) == (status, None)
    assert answer.answer.endswith(": not today")


def test_of_an_error_page_the_title_is_kept(channel: WebhookChannel, receiver: HttpReceiver) -> None:
    receiver.script(BAD_GATEWAY)
    assert channel.send(envelope(receiver.url)) == TemporaryFailure(502, "HTTP 502 Bad Gateway: 502 Bad Gateway")


@pytest.mark.parametrize("behaviour", [HANG, CUT, RESET, b"garbage\r\n\r\n", Drip(Reply(200).as_bytes(), 0.2)])
def test_what_breaks_after_the_message_was_written_is_ambiguous_and_may_be_repeated(
    channel: WebhookChannel, receiver: HttpReceiver, behaviour: Behaviour
) -> None:
    receiver.script(behaviour)
    answer = channel.send(envelope(receiver.url))
    assert isinstance(answer, Ambiguous)
    assert answer.code is None
    assert isinstance(channel.send(envelope(receiver.url)), Accepted)
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


def test_where_nobody_listens_the_message_was_not_taken(channel: WebhookChannel, receiver: HttpReceiver) -> None:
    with HttpReceiver() as gone:
        url = gone.url
    answer = channel.send(envelope(url))
    assert answer == TemporaryFailure(None, f"127.0.0.1:{gone.port}: Connection refused")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://localhost/",
        "http://customer.example/",
        "https://user:word@customer.example/",
        "https://customer.example:25/",
        "not a url",
    ],
)
def test_an_address_that_is_wrong_as_it_is_written_fails_for_good(url: str) -> None:
    with closing(WebhookChannel(GuardedHttp(), now)) as channel:
        answer = channel.send(envelope(url))
    assert isinstance(answer, PermanentFailure)
    assert not answer.ends_address
    assert "word" not in answer.answer.replace("password", "")


def test_a_name_that_leads_to_a_private_address_fails_for_now(hosts: dict[str, list[str]]) -> None:
    hosts["customer.example"] = ["10.0.0.1"]
    with closing(WebhookChannel(GuardedHttp(), now)) as channel:
        answer = channel.send(envelope("https://customer.example/"))
    assert answer == TemporaryFailure(None, "customer.example: the name leads to an address that is not public")


# Endpoint verification


@pytest.mark.parametrize("as_text", [False, True])
def test_an_endpoint_proves_itself_by_answering_with_the_challenge(
    channel: WebhookChannel, receiver: HttpReceiver, as_text: bool
) -> None:
    receiver.script(Echo(as_text=as_text))
    answer = channel.challenge(receiver.url, [SECRET], CHALLENGE, "<verify.9@antopsis.example>")
    assert answer == Accepted(200, "the endpoint answered with the challenge")
    (request,) = receiver.requests
    payload = request.verify(SECRET)
    assert (payload["type"], payload["data"]) == ("endpoint.verification", {"challenge": CHALLENGE})
    assert abs(now() - datetime.fromisoformat(payload["timestamp"])) < timedelta(minutes=1)
    assert request.headers["webhook-id"] == "verify~2E9~40antopsis~2Eexample"


def test_a_challenge_of_digits_may_be_answered_bare(channel: WebhookChannel, receiver: HttpReceiver) -> None:
    receiver.script(Echo(as_text=True))
    assert isinstance(channel.challenge(receiver.url, [SECRET], "8251736401", "<9@antopsis.example>"), Accepted)


@pytest.mark.parametrize(
    "behaviour",
    [
        Reply(200, "ok"),
        Reply(204),
        Echo(instead="another"),
        Echo(as_text=True, instead="another"),
        Echo(as_text=True, instead=f"{CHALLENGE}x"),
        Reply(200, CHALLENGE, {"Content-Type": "text/html"}),
        Reply(200, f"<p>{CHALLENGE}</p>", {"Content-Type": "text/plain"}),
        Reply(200, f'["{CHALLENGE}"]', {"Content-Type": "application/json"}),
        Reply(200, f'{{"challenge": ["{CHALLENGE}"]}}', {"Content-Type": "application/json"}),
        Reply(200, f'{{"data": {{"challenge": "{CHALLENGE}"}}}}', {"Content-Type": "application/json"}),
        Reply(200, '{"challenge": "\\ud800"}', {"Content-Type": "application/json"}),
        Reply(200, "[" * 60_000, {"Content-Type": "application/json"}),
        Reply(200, b"\xff\xfe", {"Content-Type": "application/json"}),
        Reply(200, "1" * 60_000),
        Reply(200, f"{CHALLENGE}{' ' * 100_000}"),
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n" + CHALLENGE.encode(),
    ],
)
def test_an_endpoint_that_is_there_and_does_not_answer_the_challenge_proves_nothing(
    channel: WebhookChannel, receiver: HttpReceiver, behaviour: Behaviour
) -> None:
    receiver.script(behaviour)
    answer = channel.challenge(receiver.url, [SECRET], CHALLENGE, "<9@antopsis.example>")
    assert isinstance(answer, PermanentFailure)
    assert not answer.ends_address
    assert answer.answer.startswith("the answer does not hold the challenge: HTTP 20")


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (Reply(500, f'{{"challenge": "{CHALLENGE}"}}', {"Content-Type": "application/json"}), TemporaryFailure),
        (redirect("https://customer.example/"), TemporaryFailure),
        (Reply(410), PermanentFailure),
        (CUT, Ambiguous),
        (HANG, Ambiguous),
    ],
)
def test_a_challenge_that_fails_says_why(
    channel: WebhookChannel, receiver: HttpReceiver, behaviour: Behaviour, kind: type
) -> None:
    receiver.script(behaviour)
    assert type(channel.challenge(receiver.url, [SECRET], CHALLENGE, "<9@antopsis.example>")) is kind


def test_an_empty_challenge_proves_nothing(channel: WebhookChannel, receiver: HttpReceiver) -> None:
    with pytest.raises(ValueError, match="proves nothing"):
        channel.challenge(receiver.url, [SECRET], "", "<9@antopsis.example>")
    assert receiver.connections == 0


def test_a_challenge_goes_to_no_private_address() -> None:
    with closing(WebhookChannel(GuardedHttp(), now)) as channel:
        answer = channel.challenge("https://169.254.169.254/", [SECRET], CHALLENGE, "<9@antopsis.example>")
    assert answer == PermanentFailure(None, "the address is not public")
