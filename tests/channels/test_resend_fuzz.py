"""Whatever comes in at the callbacks' address, signed or not: an event, or one of two errors, and nothing else."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from registry.channels.resend_answers import answer_for_letter, answers_for_batch, read_pause, read_rate
from registry.channels.resend_events import (
    CallbackEvent,
    CallbackKind,
    ForgedCallback,
    MalformedCallback,
    read_callback,
)
from registry.channels.resend_wire import Reply

SECRET = "whsec_" + base64.b64encode(b"a signing secret for the fuzzing only").decode()
NOW = datetime(2026, 9, 30, 8, tzinfo=UTC)
EVENT_TYPES = st.sampled_from(
    [
        *("email.sent", "email.delivered", "email.delivery_delayed", "email.complained", "email.bounced"),
        *("email.failed", "email.suppressed", "email.opened", "contact.created", ""),
    ]
)
# With lone surrogates: JSON can spell them.
WORDS = st.text(alphabet=st.characters(), max_size=30)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
ANY_JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)
PAIRS = st.dictionaries(WORDS, ANY_JSON, max_size=3) | st.lists(
    st.fixed_dictionaries({}, optional={"name": ANY_JSON, "value": ANY_JSON}), max_size=3
)
BOUNCES = st.fixed_dictionaries({}, optional={"type": ANY_JSON, "subType": ANY_JSON, "diagnosticCode": ANY_JSON})
NEARLY_DATA = st.fixed_dictionaries(
    {},
    optional={
        "email_id": st.just("56761188-7520-42d8") | ANY_JSON,
        "message_id": st.just("<a@b.example>") | ANY_JSON,
        "to": st.just(["privacy@customer.example"]) | st.lists(WORDS, max_size=3) | ANY_JSON,
        "headers": PAIRS | ANY_JSON,
        "tags": st.fixed_dictionaries({"message_id": ANY_JSON}) | PAIRS | ANY_JSON,
        "bounce": st.fixed_dictionaries(
            {}, optional={"type": ANY_JSON, "subType": ANY_JSON, "diagnosticCode": ANY_JSON}
        )
        | ANY_JSON,
        "failed": st.fixed_dictionaries({"reason": ANY_JSON}) | ANY_JSON,
        "suppressed": ANY_JSON,
    },
)
TIMES = st.datetimes(timezones=st.timezones() | st.none()).map(datetime.isoformat)
NEARLY_CALLBACK = st.fixed_dictionaries(
    {"type": EVENT_TYPES | ANY_JSON},
    optional={"created_at": st.just("2026-09-30T08:00:00Z") | TIMES | ANY_JSON, "data": NEARLY_DATA | ANY_JSON},
)


def outcome_of(headers: dict[str, str], body: bytes) -> CallbackEvent | type[Exception]:
    try:
        return read_callback(headers, body, [SECRET], NOW)
    except ForgedCallback:
        return ForgedCallback
    except MalformedCallback:
        return MalformedCallback


def signed(body: bytes) -> dict[str, str]:
    signature = Webhook(SECRET).sign("msg_1", NOW, body.decode())
    return {"svix-id": "msg_1", "svix-timestamp": str(int(NOW.timestamp())), "svix-signature": signature}


@given(NEARLY_CALLBACK | ANY_JSON)
def test_signed_json_of_any_form_is_read_or_malformed(content: Any) -> None:
    body = json.dumps(content).encode()
    outcome = outcome_of(signed(body), body)
    if isinstance(outcome, CallbackEvent):
        assert outcome.happened_at.utcoffset() == timedelta(0)
        assert outcome.kind is CallbackKind.IGNORED or outcome.email_id
        assert outcome.detail.isprintable()
        assert all(recipient.isprintable() or " " in recipient for recipient in outcome.recipients)
        assert outcome.message_id is None or outcome.message_id.isascii()
    else:
        assert outcome is MalformedCallback


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_signed_text_is_read_or_malformed(text: str) -> None:
    assert outcome_of(signed(text.encode()), text.encode()) is MalformedCallback


HEADER_NAMES = st.sampled_from(
    ["svix-id", "svix-timestamp", "svix-signature", "webhook-id", "webhook-timestamp", "webhook-signature"]
)
NEARLY_HEADERS = st.dictionaries(
    HEADER_NAMES | st.text(max_size=20),
    st.sampled_from(["msg_1", str(int(NOW.timestamp())), "v1,AAAA", "v1", ",", "v1,=", "v1,\ud800", "1e9", "inf"])
    | st.text(alphabet=st.characters(), max_size=40),
    max_size=8,
)


@given(NEARLY_HEADERS, st.binary(max_size=300))
def test_nothing_unsigned_gets_in(headers: dict[str, str], body: bytes) -> None:
    assert outcome_of(headers, body) in (ForgedCallback, MalformedCallback)


@given(NEARLY_HEADERS)
def test_a_true_callback_under_tampered_headers_is_read_or_forged(headers: dict[str, str]) -> None:
    body = json.dumps({"type": "email.opened"}).encode()
    outcome = outcome_of(signed(body) | headers, body)
    assert outcome is ForgedCallback or isinstance(outcome, CallbackEvent)


REPLY_HEADERS = st.dictionaries(
    st.sampled_from(["ratelimit-limit", "ratelimit-reset", "ratelimit-policy", "retry-after", "date"]),
    st.text(max_size=30) | st.integers().map(str) | TIMES | st.just("Wed, 30 Sep 2026 08:00:00 GMT"),
)
NEARLY_ANSWER = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just("one") | ANY_JSON,
        "data": st.lists(st.fixed_dictionaries({"id": st.sampled_from("abcd") | ANY_JSON}), max_size=4) | ANY_JSON,
        "errors": st.lists(st.fixed_dictionaries({"index": st.integers(-1, 4) | ANY_JSON}), max_size=3) | ANY_JSON,
        "name": ANY_JSON,
        "message": ANY_JSON,
    },
)


@given(
    st.integers(100, 599),
    REPLY_HEADERS,
    st.binary(max_size=200) | (NEARLY_ANSWER | ANY_JSON).map(lambda content: json.dumps(content).encode()),
    st.booleans(),
    st.integers(1, 4),
)
def test_any_answer_of_the_api_has_a_meaning_for_every_letter(
    status: int, headers: dict[str, str], body: bytes, is_whole: bool, count: int
) -> None:
    reply = Reply(status, headers, body, is_whole)
    rate = read_rate(headers, None)
    read_pause(headers)
    answers = [answer_for_letter(reply, rate), *answers_for_batch(reply, count, rate)]
    assert len(answers) == count + 1
    assert all(answer.code == status and answer.rate == rate and answer.answer.isprintable() for answer in answers)
