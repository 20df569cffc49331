"""Every documented answer of Resend, over a real socket, and what it means for a letter and for a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from registry.channels.base import Accepted, Ambiguous, Answer, Envelope, PermanentFailure, Rate, TemporaryFailure
from registry.channels.resend import RefusedTogether, ResendChannel, TakenWithOtherBytes
from registry.channels.resend_answers import PAUSE_FOR_QUOTA, PAUSE_WHILE_UNDER_WAY, read_pause, read_rate
from tests.channels.conftest import EnvelopeMaker
from tests.channels.resend_missteps import HTML_502, Misstep, Response, error, refusal
from tests.channels.resend_server import ResendServer

FORM = "The email address needs to follow the `email@example.com` or `Name <email@example.com>` format."
HTML = b"<html><body>Attention Required!</body></html>"

DOCUMENTED: list[tuple[int, str, str, type[Answer], type[Answer]]] = [
    (400, "validation_error", "We found an error with one or more fields.", PermanentFailure, RefusedTogether),
    (400, "validation_error", "API key is invalid", TemporaryFailure, TemporaryFailure),
    (400, "invalid_idempotency_key", "The key must be between 1-256 chars.", TemporaryFailure, TemporaryFailure),
    (401, "missing_api_key", "Missing API key in the authorization header.", TemporaryFailure, TemporaryFailure),
    (401, "restricted_api_key", "This API key is restricted to only send emails.", TemporaryFailure, TemporaryFailure),
    (403, "invalid_api_key", "API key is invalid.", TemporaryFailure, TemporaryFailure),
    (403, "restricted_api_key", "API key is not active", TemporaryFailure, TemporaryFailure),
    (403, "suspended_api_key", "This API key is suspended", TemporaryFailure, TemporaryFailure),
    (403, "invalid_permission", "Access token is missing required scopes.", TemporaryFailure, TemporaryFailure),
    (403, "validation_error", "The antopsis.example domain is not verified.", TemporaryFailure, TemporaryFailure),
    (403, "validation_error", "You can only send testing emails to yourself.", TemporaryFailure, TemporaryFailure),
    (404, "not_found", "The requested endpoint does not exist.", TemporaryFailure, TemporaryFailure),
    (405, "method_not_allowed", "Method is not allowed for the path.", TemporaryFailure, TemporaryFailure),
    (409, "concurrent_idempotent_requests", "Another request is in progress.", Ambiguous, Ambiguous),
    (409, "invalid_idempotent_request", "Same key, other payload.", TakenWithOtherBytes, TakenWithOtherBytes),
    (409, "resource_locked", "Another request is updating this.", TemporaryFailure, TemporaryFailure),
    (409, "something_new", "Who knows.", Ambiguous, Ambiguous),
    (413, "validation_error", "The request is too large.", PermanentFailure, RefusedTogether),
    (422, "missing_required_field", "Missing `subject` field.", PermanentFailure, RefusedTogether),
    (422, "missing_required_parameter", "Missing parameter.", PermanentFailure, RefusedTogether),
    (422, "invalid_parameter", "The parameter must be a valid UUID.", PermanentFailure, RefusedTogether),
    (422, "invalid_attachment", "Attachment must have a `content`.", PermanentFailure, RefusedTogether),
    (422, "validation_error", f"Invalid `to` field. {FORM}", PermanentFailure, RefusedTogether),
    (422, "validation_error", f"Invalid `from` field. {FORM}", TemporaryFailure, TemporaryFailure),
    (422, "validation_error", f"Invalid `reply_to` field. {FORM}", TemporaryFailure, TemporaryFailure),
    (422, "invalid_from_address", "The address is not valid.", TemporaryFailure, TemporaryFailure),
    (429, "rate_limit_exceeded", "Too many requests.", TemporaryFailure, TemporaryFailure),
    (429, "daily_quota_exceeded", "You have reached your daily quota.", TemporaryFailure, TemporaryFailure),
    (429, "monthly_quota_exceeded", "You have reached your monthly quota.", TemporaryFailure, TemporaryFailure),
    (451, "security_error", "We may have found a security issue.", TemporaryFailure, TemporaryFailure),
    (500, "application_error", "An unexpected error occurred.", Ambiguous, Ambiguous),
    (500, "internal_server_error", "An unexpected error occurred.", Ambiguous, Ambiguous),
    (503, "service_unavailable", "API is temporarily unavailable", TemporaryFailure, TemporaryFailure),
]


@pytest.fixture(scope="module")
def server() -> Iterator[ResendServer]:
    with ResendServer() as running:
        yield running


@pytest.fixture(scope="module")
def channel(server: ResendServer) -> Iterator[ResendChannel]:
    with closing(ResendChannel(server.api_key, base_url=server.url)) as made:
        yield made


@pytest.fixture
def envelopes(make_envelope: EnvelopeMaker) -> list[Envelope]:
    return [make_envelope(f"contact{n}@customer.example", message_id=f"<2026-003.{n}@antopsis.example>") for n in "01"]


@pytest.mark.parametrize(("status", "name", "message", "single", "batch"), DOCUMENTED)
def test_every_documented_error_has_its_class(
    status: int,
    name: str,
    message: str,
    single: type[Answer],
    batch: type[Answer],
    server: ResendServer,
    channel: ResendChannel,
    envelopes: list[Envelope],
) -> None:
    server.script(refusal(status, name, message), refusal(status, name, message))
    answer = channel.send(envelopes[0])
    answers = channel.send_batch(envelopes, "batch-1")

    assert [type(answer), *map(type, answers)] == [single, batch, batch]
    for said in (answer, *answers):
        assert said.code == status
        assert said.answer == f"{name}: {message}"
    assert server.taken == []


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(400, HTML), TemporaryFailure),
        (Response(403, b"error code: 1010"), TemporaryFailure),
        (Response(408, b""), TemporaryFailure),
        (Response(409, HTML), Ambiguous),
        (Response(418, b"short and stout"), TemporaryFailure),
        (Response(422, HTML), TemporaryFailure),
        (Response(422, {"message": "no name"}), TemporaryFailure),
        (Response(422, ["validation_error"]), TemporaryFailure),
        (Response(429, HTML), TemporaryFailure),
        (Response(500, HTML), Ambiguous),
        (HTML_502, Ambiguous),
        (Response(503, HTML), Ambiguous),
        (Response(504, b""), Ambiguous),
        (Response(599, b""), Ambiguous),
        (Response(301, b"", {"Location": "https://elsewhere.example/"}), TemporaryFailure),
        (Response(302, b"", {"Location": "https://elsewhere.example/"}), Ambiguous),
        (Response(303, b"", {"Location": "/emails/1"}), Ambiguous),
        (Response(307, b"", {"Location": "http://127.0.0.1:1/"}), TemporaryFailure),
        (Response(308, b"", {"Location": "http://[broken/"}), TemporaryFailure),
        (Response(200, HTML), Ambiguous),
        (Response(200, b""), Ambiguous),
        (Response(200, b'{"id": "49a3999c-0ce1-4ea6'), Ambiguous),
        (Response(200, b'{"id": "\xff"}'), Ambiguous),
        (Response(200, b"[" * 100_000), Ambiguous),
        (Response(200, b'{"id": ' + b"9" * 10_000 + b"}"), Ambiguous),
        (Response(200, {"id": ""}), Ambiguous),
        (Response(200, {"id": "two words"}), Ambiguous),
        (Response(200, {"id": "x" * 201}), Ambiguous),
        (Response(200, {"id": None}), Ambiguous),
        (Response(200, {"data": {"id": "x"}}), Ambiguous),
        (Response(200, [{"id": "x"}]), Ambiguous),
        (Response(204, b""), Ambiguous),
        (Response(201, {"id": "49a3999c-0ce1"}), Accepted),
    ],
)
def test_what_nobody_documented_is_never_a_reason_to_give_a_letter_up(
    response: Response, expected: type[Answer], server: ResendServer, channel: ResendChannel, envelopes: list[Envelope]
) -> None:
    server.script(Misstep(takes=False, response=response))
    answer = channel.send(envelopes[0])
    assert type(answer) is expected
    assert answer.code == response.status
    assert answer.answer


def test_a_redirect_is_not_followed(server: ResendServer, channel: ResendChannel, envelopes: list[Envelope]) -> None:
    asked = len(server.requests)
    server.script(Misstep(takes=False, response=Response(307, b"", {"Location": f"{server.url}/emails"})))
    assert isinstance(channel.send(envelopes[0]), TemporaryFailure)
    assert len(server.requests) == asked + 1


@pytest.mark.parametrize(
    ("misstep", "pause"),
    [
        (refusal(429, "rate_limit_exceeded", "m", Retry_After="7"), timedelta(seconds=7)),
        (refusal(429, "rate_limit_exceeded", "m", ratelimit_reset="3"), timedelta(seconds=3)),
        (refusal(429, "rate_limit_exceeded", "m", Retry_After="7", ratelimit_reset="3"), timedelta(seconds=7)),
        (refusal(429, "rate_limit_exceeded", "m"), None),
        (refusal(429, "rate_limit_exceeded", "m", Retry_After="soon"), None),
        (refusal(429, "daily_quota_exceeded", "m"), PAUSE_FOR_QUOTA),
        (refusal(429, "daily_quota_exceeded", "m", ratelimit_reset="1"), PAUSE_FOR_QUOTA),
        (refusal(429, "daily_quota_exceeded", "m", Retry_After="1"), PAUSE_FOR_QUOTA),
        (refusal(429, "monthly_quota_exceeded", "m", Retry_After="7200"), timedelta(hours=2)),
        (Misstep(takes=False, response=Response(429, HTML, {"Retry-After": "11"})), timedelta(seconds=11)),
        (refusal(409, "concurrent_idempotent_requests", "m", Retry_After="2"), timedelta(seconds=2)),
        (refusal(409, "concurrent_idempotent_requests", "m"), PAUSE_WHILE_UNDER_WAY),
        (refusal(500, "application_error", "m", Retry_After="5"), timedelta(seconds=5)),
        (refusal(503, "service_unavailable", "m", Retry_After="60"), timedelta(seconds=60)),
        (refusal(500, "application_error", "m", ratelimit_reset="1"), None),
    ],
)
def test_the_pause_that_was_asked_for_is_in_the_answer(
    misstep: Misstep, pause: timedelta | None, server: ResendServer, channel: ResendChannel, envelopes: list[Envelope]
) -> None:
    server.script(misstep)
    answer = channel.send(envelopes[0])
    assert isinstance(answer, TemporaryFailure | Ambiguous)
    assert answer.retry_after == pause


def test_a_date_to_wait_for_is_counted_from_the_server_s_own_time() -> None:
    date = "Wed, 30 Sep 2026 08:00:00 GMT"
    assert read_pause({"retry-after": "Wed, 30 Sep 2026 08:02:00 GMT", "date": date}) == timedelta(minutes=2)
    assert read_pause({"retry-after": "Wed, 30 Sep 2026 07:00:00 GMT", "date": date}) == timedelta(0)
    assert read_pause({"retry-after": "Wed, 30 Sep 2026 08:02:00 GMT"}) is None
    assert read_pause({}) is None


TEN = Rate(10, timedelta(seconds=1))
BY_MINUTE = Rate(600, timedelta(minutes=1))


@pytest.mark.parametrize(
    ("headers", "before", "expected"),
    [
        ({"ratelimit-limit": "10", "ratelimit-remaining": "9", "ratelimit-reset": "1"}, None, TEN),
        ({"ratelimit-limit": "10", "ratelimit-reset": "0"}, None, TEN),
        ({"ratelimit-limit": "600", "ratelimit-reset": "60"}, None, BY_MINUTE),
        ({"ratelimit-limit": "600", "ratelimit-reset": "4"}, BY_MINUTE, BY_MINUTE),
        ({"ratelimit-limit": "5", "ratelimit-reset": "1"}, BY_MINUTE, Rate(5, timedelta(seconds=1))),
        ({"ratelimit-limit": "10, 10;w=1", "ratelimit-reset": "1"}, None, TEN),
        ({"ratelimit-limit": "600", "ratelimit-policy": "600;w=60", "ratelimit-reset": "4"}, None, BY_MINUTE),
        ({"ratelimit-limit": "10", "ratelimit-policy": "3000;w=86400, 10;w=1", "ratelimit-reset": "1"}, None, TEN),
        ({"ratelimit-limit": "10", "ratelimit-policy": "10;w=1, 3000;w=86400"}, None, TEN),
        ({"ratelimit-limit": "600, 10;w=1, 600;w=60"}, None, BY_MINUTE),
        ({"ratelimit-limit": "600", "ratelimit-policy": "600;w=1, 600;w=60"}, None, BY_MINUTE),
        ({"ratelimit-limit": "10", "ratelimit-policy": '"day";q=3000;w=86400, "burst";q=10;w=1'}, None, TEN),
        ({"ratelimit-limit": "10", "ratelimit-policy": "20;w=1"}, None, TEN),
        ({"ratelimit-limit": "10", "ratelimit-policy": "20;w=2, 30;w=3", "ratelimit-reset": "1"}, None, TEN),
        ({"ratelimit-limit": "10", "ratelimit-policy": "20;w=2, 30;w=3"}, None, None),
        ({"ratelimit-limit": "10", "ratelimit-policy": "10;w=86400"}, None, Rate(10, timedelta(days=1))),
        ({"ratelimit-limit": "10", "ratelimit-policy": "10;w=999999999", "ratelimit-reset": "1"}, None, TEN),
        ({"ratelimit-limit": "10", "ratelimit-reset": "999999999"}, None, None),
        ({"ratelimit-limit": "10", "ratelimit-reset": "86401"}, None, None),
        ({"ratelimit-limit": "10"}, None, None),
        ({"ratelimit-reset": "1"}, None, None),
        ({"ratelimit-limit": "0", "ratelimit-reset": "1"}, None, None),
        ({"ratelimit-limit": "-1", "ratelimit-reset": "1"}, None, None),
        ({"ratelimit-limit": "many", "ratelimit-reset": "1"}, None, None),
        ({"ratelimit-limit": "10", "ratelimit-reset": "soon"}, None, None),
        ({"ratelimit-limit": "9" * 30, "ratelimit-reset": "1"}, None, None),
        ({}, TEN, None),
    ],
)
def test_the_pace_is_what_the_headers_say(headers: dict[str, str], before: Rate | None, expected: Rate | None) -> None:
    assert read_rate(headers, before) == expected


def test_refusals_carry_the_pace_too(server: ResendServer, channel: ResendChannel, envelopes: list[Envelope]) -> None:
    pace = {"ratelimit_limit": "4", "ratelimit_remaining": "0", "ratelimit_reset": "1"}
    for status, name in ((422, "validation_error"), (429, "rate_limit_exceeded"), (500, "application_error")):
        server.script(Misstep(takes=False, response=error(status, name, "m", **pace)))
        assert channel.send(envelopes[0]).rate == Rate(4, timedelta(seconds=1))
    server.script(Misstep(takes=False, response=HTML_502))
    assert channel.send(envelopes[0]).rate is None
