"""Letters by Resend: what goes over the wire, what is kept of the answer, and what a repeat does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from registry.channels.base import Accepted, Ambiguous, Envelope, PermanentFailure, Rate, TemporaryFailure
from registry.channels.resend import (
    RefusedTogether,
    ResendChannel,
    ResendTimeouts,
    TakenWithOtherBytes,
    key_for,
    translate,
)
from tests.channels.conftest import EnvelopeMaker
from tests.channels.resend_missteps import RESET_TAKEN, TIMES_OUT_THEN_TAKEN, Manner, Misstep, Response
from tests.channels.resend_server import API_KEY, ResendServer

SHORT = ResendTimeouts(connect=2, whole=0.4)


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with ResendServer(now=datetime(2026, 9, 30, 8, tzinfo=UTC)) as running:
        yield running


@pytest.fixture
def channel(server: ResendServer) -> Iterator[ResendChannel]:
    with closing(ResendChannel(server.api_key, base_url=server.url, timeouts=SHORT)) as made:
        yield made


@pytest.fixture
def envelopes(make_envelope: EnvelopeMaker) -> list[Envelope]:
    return [make_envelope(f"contact{n}@customer.example", message_id=f"<2026-003.{n}@antopsis.example>") for n in "012"]


def test_a_letter_is_taken_and_named(
    server: ResendServer, channel: ResendChannel, make_envelope: EnvelopeMaker
) -> None:
    answer = channel.send(make_envelope())

    [letter] = server.taken
    assert answer == Accepted(200, "taken by Resend", provider_ref=letter.id)
    assert letter.recipient == "privacy@customer.example"
    assert letter.letter["subject"] == "Notice 2026-003: Hetzner joins the list"
    assert (channel.name, channel.kind, channel.is_real) == ("resend", "email", True)


def test_a_request_carries_what_resend_asks_for(
    server: ResendServer, channel: ResendChannel, make_envelope: EnvelopeMaker
) -> None:
    envelope = make_envelope()
    channel.send(envelope)

    [request] = server.requests
    assert request.path == "/emails"
    assert request.body == translate(envelope)
    assert request.headers["authorization"] == f"Bearer {API_KEY}"
    assert request.headers["idempotency-key"] == key_for(envelope.message_id, request.body)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "subprocessor-registry"


def test_one_connection_carries_many_letters(
    server: ResendServer, channel: ResendChannel, envelopes: list[Envelope]
) -> None:
    for envelope in envelopes:
        channel.send(envelope)
    channel.send_batch(envelopes, "batch-1")
    assert server.connections == 1

    channel.close()
    assert isinstance(channel.send(envelopes[0]), Accepted)
    assert server.connections == 2


def test_a_connection_that_was_idle_for_long_is_replaced(server: ResendServer, envelopes: list[Envelope]) -> None:
    with closing(ResendChannel(server.api_key, base_url=server.url, idle_seconds=0)) as channel:
        answers = [channel.send(envelope) for envelope in envelopes]

    assert all(isinstance(answer, Accepted) for answer in answers)
    assert server.connections == len(envelopes)


def test_a_repeat_after_a_lost_answer_gives_the_same_name_and_one_letter(
    server: ResendServer, channel: ResendChannel, make_envelope: EnvelopeMaker
) -> None:
    server.script(TIMES_OUT_THEN_TAKEN, RESET_TAKEN)
    first, second = channel.send(make_envelope()), channel.send(make_envelope())
    third = channel.send(make_envelope())

    assert isinstance(first, Ambiguous)
    assert isinstance(second, Ambiguous)
    [letter] = server.taken
    assert third == Accepted(200, "taken by Resend", provider_ref=letter.id)
    assert len(server.requests) == 3


def test_after_a_day_resend_has_forgotten_the_key(
    server: ResendServer, channel: ResendChannel, make_envelope: EnvelopeMaker
) -> None:
    first = channel.send(make_envelope())
    server.advance(timedelta(hours=24))
    second = channel.send(make_envelope())

    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert first.provider_ref != second.provider_ref
    assert len(server.taken) == 2


def test_other_words_under_the_same_message_id_are_another_letter(
    server: ResendServer, channel: ResendChannel, make_envelope: EnvelopeMaker
) -> None:
    corrected = make_envelope().message.replace(b"31 October", b"7 November")
    channel.send(make_envelope())
    channel.send(make_envelope(message=corrected))

    assert len({letter.key for letter in server.taken}) == 2
    assert "7 November" in server.taken[1].letter["text"]


def test_a_key_is_the_same_for_the_same_bytes_and_never_too_long() -> None:
    key = key_for("<2026-003.1@antopsis.example>", b"one")
    assert key == key_for("<2026-003.1@antopsis.example>", b"one")
    assert key.startswith("2026-003.1@antopsis.example/")
    assert key != key_for("<2026-003.1@antopsis.example>", b"other")
    assert key != key_for("<2026-003.2@antopsis.example>", b"one")
    for strange in ("", "<" + "x" * 900 + "@antopsis.example>", "<två ord\r\n@antopsis.example>", "\ud800"):
        assert len(key_for(strange, b"one")) <= 256
        assert key_for(strange, b"one").isascii()
        assert key_for(strange, b"one").isprintable()


def test_a_batch_gives_each_letter_its_own_name_in_order(
    server: ResendServer, channel: ResendChannel, envelopes: list[Envelope]
) -> None:
    answers = channel.send_batch(envelopes, "batch-7")

    assert [letter.recipient for letter in server.taken] == [envelope.recipient for envelope in envelopes]
    assert answers == [Accepted(200, "taken by Resend", provider_ref=letter.id) for letter in server.taken]
    [request] = server.requests
    assert request.path == "/emails/batch"
    assert request.headers["idempotency-key"] == "batch-7"
    assert request.headers["x-batch-validation"] == "strict"
    assert request.body == b"[" + b",".join(translate(envelope) for envelope in envelopes) + b"]"


def test_a_batch_repeated_after_a_lost_answer_gives_the_same_names_and_each_letter_once(
    server: ResendServer, channel: ResendChannel, envelopes: list[Envelope]
) -> None:
    server.script(TIMES_OUT_THEN_TAKEN)
    lost = channel.send_batch(envelopes, "batch-7")
    answers = channel.send_batch(envelopes, "batch-7")

    assert [type(answer) for answer in lost] == [Ambiguous] * 3
    assert len(server.taken) == 3
    assert [answer.provider_ref for answer in answers if isinstance(answer, Accepted)] == [
        letter.id for letter in server.taken
    ]


def test_a_batch_with_other_letters_under_the_same_key_needs_a_person(
    server: ResendServer, channel: ResendChannel, envelopes: list[Envelope]
) -> None:
    channel.send_batch(envelopes, "batch-7")
    answers = channel.send_batch(envelopes[:2], "batch-7")

    assert [type(answer) for answer in answers] == [TakenWithOtherBytes] * 2
    assert isinstance(answers[0], Ambiguous)
    assert answers[0].code == 409
    assert len(server.taken) == 3


def test_a_batch_with_one_bad_recipient_is_refused_whole_and_fails_nobody(
    server: ResendServer, channel: ResendChannel, envelopes: list[Envelope], make_envelope: EnvelopeMaker
) -> None:
    bad = make_envelope("nobody", message_id="<bad@antopsis.example>")
    answers = channel.send_batch([*envelopes, bad], "batch-7")

    assert [type(answer) for answer in answers] == [RefusedTogether] * 4
    assert isinstance(answers[0], TemporaryFailure)
    assert server.taken == []
    singly = [channel.send(envelope) for envelope in (*envelopes, bad)]
    assert [type(answer) for answer in singly] == [Accepted] * 3 + [PermanentFailure]
    assert len(server.taken) == 3


def test_a_batch_of_one_that_is_refused_fails_that_one(channel: ResendChannel, make_envelope: EnvelopeMaker) -> None:
    [answer] = channel.send_batch([make_envelope("nobody")], "batch-7")
    assert isinstance(answer, PermanentFailure)
    assert answer.code == 422
    assert "Invalid `to` field" in answer.answer


def test_a_letter_that_cannot_be_put_into_json_holds_up_its_batch_unsent(
    server: ResendServer, channel: ResendChannel, envelopes: list[Envelope], make_envelope: EnvelopeMaker
) -> None:
    impossible = make_envelope(message=b"From: a@antopsis.example\r\nTo: b@customer.example\r\n\r\nno subject\r\n")
    answers = channel.send_batch([envelopes[0], impossible, envelopes[1]], "batch-7")

    assert [type(answer) for answer in answers] == [RefusedTogether, PermanentFailure, RefusedTogether]
    assert "no subject" in answers[1].answer
    assert isinstance(channel.send(impossible), PermanentFailure)
    assert server.requests == []


def test_a_batch_takes_a_hundred_letters_and_no_more(
    server: ResendServer, channel: ResendChannel, make_envelope: EnvelopeMaker
) -> None:
    hundred = [make_envelope(f"c{n}@customer.example", message_id=f"<{n}@antopsis.example>") for n in range(100)]
    answers = channel.send_batch(hundred, "batch-7")

    assert all(isinstance(answer, Accepted) for answer in answers)
    assert [letter.recipient for letter in server.taken] == [envelope.recipient for envelope in hundred]
    with pytest.raises(ValueError, match="at most 100"):
        channel.send_batch([*hundred, hundred[0]], "batch-8")
    assert channel.send_batch([], "batch-9") == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("key", ["", "x" * 257, "two words", "line\nbreak", "schlüssel"])
def test_a_batch_key_that_resend_would_refuse_is_a_programming_error(
    key: str, channel: ResendChannel, envelopes: list[Envelope]
) -> None:
    with pytest.raises(ValueError, match="key"):
        channel.send_batch(envelopes, key)


@pytest.mark.parametrize(
    "content",
    [
        {"data": [{"id": "one"}, {"id": "two"}]},
        {"data": [{"id": "one"}, {"id": "two"}, {"id": "three"}, {"id": "four"}]},
        {"data": [{"id": "one"}, {"id": "one"}, {"id": "two"}]},
        {"data": [{"id": "one"}, {"id": ""}, {"id": "two"}]},
        {"data": [{"id": "one"}, None, {"id": 2}]},
        {"data": {"id": "one"}},
        {"data": [{"id": "one"}, {"id": "two"}], "errors": [{"index": 3, "message": "out of range"}]},
        {"data": [{"id": "one"}, {"id": "two"}], "errors": "some"},
        {"data": [{"id": "one"}], "errors": [{"index": 1, "message": "a"}, {"index": 1, "message": "b"}]},
        [],
        b"taken, thank you",
    ],
)
def test_a_batch_answer_that_does_not_add_up_leaves_every_letter_open(
    content: object, server: ResendServer, channel: ResendChannel, envelopes: list[Envelope]
) -> None:
    server.script(Misstep(takes=True, response=Response(200, content)))
    answers = channel.send_batch(envelopes, "batch-7")
    assert [type(answer) for answer in answers] == [Ambiguous] * 3
    assert answers[0].code == 200


def test_letters_that_a_batch_answer_says_were_left_out_fail_and_the_names_go_to_the_others(
    server: ResendServer, channel: ResendChannel, envelopes: list[Envelope]
) -> None:
    content = {"data": [{"id": "one"}, {"id": "three"}], "errors": [{"index": 1, "message": "Invalid `to` field."}]}
    server.script(Misstep(takes=False, response=Response(200, content)))
    first, second, third = channel.send_batch(envelopes, "batch-7")

    assert isinstance(first, Accepted)
    assert isinstance(third, Accepted)
    assert (first.provider_ref, third.provider_ref) == ("one", "three")
    assert second == PermanentFailure(200, "Invalid `to` field.")


def test_the_pace_is_read_from_the_answers_of_both_kinds(envelopes: list[Envelope]) -> None:
    with (
        ResendServer(limit=10) as server,
        closing(ResendChannel(server.api_key, base_url=server.url)) as channel,
    ):
        single = channel.send(envelopes[0])
        batch = channel.send_batch(envelopes, "batch-7")

    assert single.rate == Rate(10, timedelta(seconds=1))
    assert [answer.rate for answer in batch] == [Rate(10, timedelta(seconds=1))] * 3


def test_too_many_requests_are_refused_with_a_pause_and_taken_after_it(make_envelope: EnvelopeMaker) -> None:
    with (
        ResendServer(limit=2, window=timedelta(seconds=30)) as server,
        closing(ResendChannel(server.api_key, base_url=server.url)) as channel,
    ):
        answers = [channel.send(make_envelope(message_id=f"<{n}@antopsis.example>")) for n in range(3)]
        refused = answers[2]
        assert isinstance(refused, TemporaryFailure)
        assert refused.code == 429
        assert refused.retry_after == timedelta(seconds=30)
        assert refused.rate == Rate(2, timedelta(seconds=30))
        assert len(server.taken) == 2


def test_a_repeat_while_the_first_request_is_still_under_way_is_told_to_wait(
    server: ResendServer, channel: ResendChannel, make_envelope: EnvelopeMaker
) -> None:
    server.answer_delay = 2
    first = channel.send(make_envelope())
    second = channel.send(make_envelope())

    assert isinstance(first, Ambiguous)
    assert isinstance(second, Ambiguous)
    assert second.code == 409
    assert second.answer.startswith("concurrent_idempotent_requests")
    assert second.retry_after is not None
    assert second.retry_after > timedelta(0)


def test_the_api_key_stands_nowhere_it_could_be_read(
    server: ResendServer, channel: ResendChannel, make_envelope: EnvelopeMaker
) -> None:
    quoted = Response(422, {"name": "validation_error", "message": f"Invalid `to` field, said {API_KEY}"})
    server.script(
        Misstep(takes=False, response=quoted),
        Misstep(takes=False, response=Response(502, f"<html>Bearer {API_KEY}</html>".encode())),
        Misstep(takes=True, response=Response(200, {"id": API_KEY})),
        Misstep(takes=False, manner=Manner.RESET),
    )
    answers = [channel.send(make_envelope()) for _ in range(4)]

    assert API_KEY not in repr(answers)
    assert API_KEY not in f"{channel!r} {channel}"
    assert repr(channel) == f"ResendChannel('{server.url}')"


@pytest.mark.parametrize("key", ["", "re_two words", "re_line\r\nX-Evil: 1", "re_schlüssel"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as refused:
        ResendChannel(key)
    assert not key or key not in str(refused.value)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.resend.com",
        "ftp://api.resend.com",
        "api.resend.com",
        "https://",
        "https://user:secret@api.resend.com",
        "https://api.resend.com?key=1",
    ],
)
def test_the_key_is_given_to_nobody_without_encryption(base_url: str) -> None:
    with pytest.raises(ValueError, match="address of Resend's API"):
        ResendChannel(API_KEY, base_url=base_url)


def test_a_callback_names_the_letter_by_its_message_id_in_a_tag(
    server: ResendServer, channel: ResendChannel, make_envelope: EnvelopeMaker
) -> None:
    channel.send(make_envelope())
    [tag] = server.taken[0].letter["tags"]
    assert tag["name"] == "message_id"
    padded = tag["value"] + "=" * (-len(tag["value"]) % 4)
    assert base64.urlsafe_b64decode(padded) == b"<2026-003.1@antopsis.example>"
    assert json.loads(server.callback(server.taken[0], "email.sent").body)["data"]["tags"] == {
        "message_id": tag["value"]
    }
