"""Callbacks of Resend: whose they are, and what they say."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from registry.channels.resend import ResendChannel
from registry.channels.resend_events import (
    LONGEST_CALLBACK,
    CallbackEvent,
    CallbackKind,
    ForgedCallback,
    MalformedCallback,
    check_signing_secret,
    read_callback,
)
from tests.channels.conftest import EnvelopeMaker
from tests.channels.resend_server import SIGNING_SECRET, Callback, ResendServer, TakenLetter

NOW = datetime(2026, 9, 30, 8, 0, 30, tzinfo=UTC)
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of the same length..").decode()
BOUNCE = {
    "type": "Permanent",
    "subType": "General",
    "message": "The recipient's server sent a hard bounce.",
    "diagnosticCode": ["smtp; 550 5.1.1 user unknown"],
}


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with ResendServer(now=NOW) as running:
        yield running


@pytest.fixture
def letter(server: ResendServer, make_envelope: EnvelopeMaker) -> TakenLetter:
    with closing(ResendChannel(server.api_key, base_url=server.url)) as channel:
        channel.send(make_envelope())
    return server.taken[0]


def read(callback: Callback, *, secrets: tuple[str, ...] = (SIGNING_SECRET,), now: datetime = NOW) -> CallbackEvent:
    return read_callback(callback.headers, callback.body, secrets, now)


def payload(**changes: Any) -> dict[str, Any]:
    """A callback's content as the documentation shows it, with parts of its `data` changed or, with None, left out."""
    data = {
        "broadcast_id": "8b146471-e88e-4322-86af-016cd36fd216",
        "created_at": "2026-09-30T07:59:11.894Z",
        "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
        "message_id": "<111-222-333@email.example.com>",
        "from": "Antopsis <notices@antopsis.example>",
        "to": ["privacy@customer.example"],
        "subject": "Notice 2026-003",
        **changes,
    }
    return {
        "type": "email.bounced",
        "created_at": "2026-09-30T08:00:12.126Z",
        "data": {name: value for name, value in data.items() if value is not None},
    }


def read_signed(server: ResendServer, content: object) -> CallbackEvent:
    return read(server.sign(json.dumps(content).encode()))


def test_a_callback_says_which_letter_what_happened_and_when(server: ResendServer, letter: TakenLetter) -> None:
    event = read(server.callback(letter, "email.bounced", event_id="msg_1", bounce=BOUNCE))

    assert event == CallbackEvent(
        event_id="msg_1",
        event_type="email.bounced",
        kind=CallbackKind.BOUNCED_PERMANENT,
        email_id=letter.id,
        message_id="<2026-003.1@antopsis.example>",
        happened_at=NOW,
        detail="Permanent; General; The recipient's server sent a hard bounce.; smtp; 550 5.1.1 user unknown",
        recipients=("privacy@customer.example",),
    )


@pytest.mark.parametrize(
    ("event_type", "details", "kind"),
    [
        ("email.sent", {}, CallbackKind.SENT),
        ("email.delivered", {}, CallbackKind.DELIVERED),
        ("email.delivery_delayed", {}, CallbackKind.DELAYED),
        ("email.complained", {}, CallbackKind.COMPLAINED),
        ("email.failed", {"failed": {"reason": "reached_daily_quota"}}, CallbackKind.FAILED),
        ("email.suppressed", {"suppressed": {"type": "OnAccountSuppressionList"}}, CallbackKind.SUPPRESSED),
        ("email.bounced", {"bounce": {"type": "Permanent", "subType": "NoEmail"}}, CallbackKind.BOUNCED_PERMANENT),
        ("email.bounced", {"bounce": {"type": "Permanent", "subType": "Suppressed"}}, CallbackKind.SUPPRESSED),
        ("email.bounced", {"bounce": {"type": "Permanent", "subType": "OnAccountSuppressionList"}}, "suppressed"),
        ("email.bounced", {"bounce": {"type": "Transient", "subType": "MailboxFull"}}, CallbackKind.BOUNCED_TRANSIENT),
        ("email.bounced", {"bounce": {"type": "Temporary"}}, CallbackKind.BOUNCED_TRANSIENT),
        ("email.bounced", {"bounce": {"type": "Undetermined"}}, CallbackKind.BOUNCED_UNDETERMINED),
        ("email.bounced", {"bounce": {}}, CallbackKind.BOUNCED_UNDETERMINED),
        ("email.bounced", {}, CallbackKind.BOUNCED_UNDETERMINED),
    ],
)
def test_every_event_about_a_letter_has_its_kind(
    event_type: str, details: dict[str, Any], kind: CallbackKind, server: ResendServer, letter: TakenLetter
) -> None:
    event = read(server.callback(letter, event_type, **details))
    assert (event.kind, event.email_id) == (kind, letter.id)


@pytest.mark.parametrize(
    "content",
    [
        {"type": "email.opened", "created_at": "2026-09-30T08:00:12Z", "data": {"email_id": "1"}},
        {"type": "email.clicked", "data": {"email_id": "1", "click": {"link": "https://antopsis.example"}}},
        {"type": "email.scheduled", "data": {"email_id": "1"}},
        {"type": "email.received", "data": {"email_id": "1", "from": "a@customer.example"}},
        {"type": "domain.updated", "data": {"id": "1", "status": "verified"}},
        {"type": "suppression.added", "data": {"email": "privacy@customer.example", "source_id": None}},
        {"type": "email.something_new", "data": ["of", "another", "form"]},
        {"type": "email.opened"},
    ],
)
def test_what_says_nothing_about_arrival_is_ignored_whatever_its_form(content: object, server: ResendServer) -> None:
    event = read_signed(server, content)
    assert event.kind is CallbackKind.IGNORED
    assert (event.email_id, event.message_id, event.recipients) == (None, None, ())
    assert event.happened_at == NOW.replace(microsecond=0)


@pytest.mark.parametrize(
    ("changes", "message_id"),
    [
        ({}, "<111-222-333@email.example.com>"),
        ({"message_id": None}, None),
        ({"headers": [{"name": "Message-Id", "value": "<own@antopsis.example>"}]}, "<own@antopsis.example>"),
        ({"headers": {"MESSAGE-ID": "<own@antopsis.example>"}}, "<own@antopsis.example>"),
        ({"headers": [{"name": "X-A", "value": "b"}, "junk", {"name": 1}]}, "<111-222-333@email.example.com>"),
        ({"headers": 7, "tags": "x"}, "<111-222-333@email.example.com>"),
        ({"tags": {"message_id": "PG93bkBhbnRvcHNpcy5leGFtcGxlPg"}}, "<own@antopsis.example>"),
        ({"tags": [{"name": "message_id", "value": "PG93bkBhbnRvcHNpcy5leGFtcGxlPg"}]}, "<own@antopsis.example>"),
        ({"tags": {"message_id": "not base64!"}}, "<111-222-333@email.example.com>"),
    ],
)
def test_our_own_message_id_goes_before_the_one_resend_gave(
    changes: dict[str, Any], message_id: str | None, server: ResendServer
) -> None:
    assert read_signed(server, payload(**changes)).message_id == message_id


def test_an_event_may_name_any_zone_and_is_told_in_utc(server: ResendServer) -> None:
    content = payload() | {"created_at": "2026-09-30T10:00:12.5+02:00"}
    assert read_signed(server, content).happened_at == datetime(2026, 9, 30, 8, 0, 12, 500_000, tzinfo=UTC)


def test_what_a_stranger_s_server_said_is_cleaned_and_cut(server: ResendServer) -> None:
    bounce = {"message": "no\x1b[2J\r\nsuch\u202euser\ud800", "diagnosticCode": ["x" * 5_000, {"not": "text"}, 7]}
    event = read_signed(server, payload(bounce=bounce))
    assert event.detail.startswith("no [2J such user ; x")
    assert len(event.detail) == 2_000


@pytest.mark.parametrize("name", ["svix", "webhook", "Svix", "SVIX", "WebHook"])
def test_the_signature_may_stand_under_either_name_in_any_case(
    name: str, server: ResendServer, letter: TakenLetter
) -> None:
    callback = server.callback(letter, "email.delivered")
    headers = {key.replace("svix", name): value for key, value in callback.headers.items()}
    assert read(Callback(headers, callback.body)).kind is CallbackKind.DELIVERED


def test_two_secrets_hold_while_one_replaces_the_other(server: ResendServer, letter: TakenLetter) -> None:
    callback = server.callback(letter, "email.delivered")
    assert read(callback, secrets=(OTHER_SECRET, SIGNING_SECRET)).email_id == letter.id
    assert read(callback, secrets=(SIGNING_SECRET.rstrip("="),)).email_id == letter.id
    for secrets in ((OTHER_SECRET,), (), ("",), ("whsec_",), ("not base64!",), ("whsec_c2hvcnQ=",)):
        with pytest.raises(ForgedCallback, match="wrong"):
            read(callback, secrets=secrets)


def test_one_of_several_signatures_is_enough(server: ResendServer, letter: TakenLetter) -> None:
    callback = server.callback(letter, "email.delivered")
    signature = callback.headers["svix-signature"]
    for signatures in (f"v1,AAAA {signature}", f"{signature} v2,x", f"v1a,{signature} , ,, {signature}"):
        assert read(Callback(callback.headers | {"svix-signature": signatures}, callback.body)).email_id == letter.id


@pytest.mark.parametrize(
    "changes",
    [
        {"svix-signature": ""},
        {"svix-signature": "v1"},
        {"svix-signature": "v1,"},
        {"svix-signature": "v1,AAAA"},
        {"svix-signature": "v1,A"},
        {"svix-signature": "v1,\ud800 v1,ü"},
        {"svix-signature": "v1,x,y,z"},
        {"svix-signature": "v1,AAAA " * 10_000},
        {"svix-id": ""},
        {"svix-id": "msg_of_another"},
        {"svix-id": "x" * 1_000},
        {"svix-id": "a\x00b"},
        {"svix-timestamp": ""},
        {"svix-timestamp": "soon"},
        {"svix-timestamp": "-1"},
        {"svix-timestamp": "1" * 400},
        {"svix-timestamp": "99999999999"},
        {"svix-timestamp": "0"},
        {"svix-timestamp": "nan"},
        {"svix-timestamp": "١٧٩٠٧٥٨٨٣٠"},
    ],
)
def test_a_signature_that_does_not_hold_is_a_forgery(
    changes: dict[str, str], server: ResendServer, letter: TakenLetter
) -> None:
    callback = server.callback(letter, "email.delivered")
    with pytest.raises(ForgedCallback):
        read(Callback(callback.headers | changes, callback.body))


def test_a_changed_body_is_a_forgery(server: ResendServer, letter: TakenLetter) -> None:
    callback = server.callback(letter, "email.bounced", bounce=BOUNCE)
    with pytest.raises(ForgedCallback, match="wrong"):
        read(Callback(callback.headers, callback.body.replace(b"Permanent", b"Transient")))
    with pytest.raises(ForgedCallback, match="not signed"):
        read(Callback({}, callback.body))


@pytest.mark.parametrize("seconds", [-301, 301, -86_400, 86_400])
def test_a_callback_from_another_time_is_a_forgery(seconds: int, server: ResendServer, letter: TakenLetter) -> None:
    callback = server.callback(letter, "email.delivered", at=NOW + timedelta(seconds=seconds))
    with pytest.raises(ForgedCallback, match="too long ago, or ahead"):
        read(callback)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_either_way_are_allowed_by_the_clock_passed_in(
    seconds: int, server: ResendServer, letter: TakenLetter
) -> None:
    callback = server.callback(letter, "email.delivered", at=NOW + timedelta(seconds=seconds))
    elsewhere = NOW.astimezone(timezone(timedelta(hours=7)))
    assert read(callback, now=elsewhere).email_id == letter.id
    with pytest.raises(ValueError, match="aware"):
        read(callback, now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "email.bounced",
        {},
        {"type": None},
        {"type": ["email.bounced"]},
        {"type": "email\nbounced"},
        {"type": "x" * 101},
        {"type": "email.bounced"},
        payload() | {"data": []},
        payload() | {"data": "x"},
        payload() | {"created_at": None},
        payload() | {"created_at": 1_790_758_830},
        payload() | {"created_at": "yesterday"},
        payload() | {"created_at": "2026-09-30T08:00:12"},
        payload() | {"created_at": "2026-09-30"},
        payload() | {"created_at": "0001-01-01T00:00:00+14:00"},
        payload() | {"created_at": "2026-09-30T08:00:12Z" + "0" * 100},
        payload(email_id=None),
        payload(email_id=7),
        payload(email_id=""),
        payload(email_id="a b"),
        payload(email_id="a\x00b"),
        payload(email_id="a\n"),
        payload(email_id="x" * 101),
        payload(message_id=7),
        payload(message_id="<a\r\nBcc: b@c.example>"),
        payload(message_id=""),
        payload(message_id="<" + "x" * 1_000 + ">"),
        payload(to=7),
        payload(to={"a": "b"}),
        payload(to=[7]),
        payload(to=[""]),
        payload(to=["a\x00@customer.example"]),
        payload(to=["a\ud800@customer.example"]),
        payload(to=["x" * 321]),
        payload(to=["a@customer.example"] * 101),
        payload(bounce="Permanent"),
        payload(bounce=[]),
    ],
)
def test_a_signed_callback_of_another_form_is_malformed(content: object, server: ResendServer) -> None:
    with pytest.raises(MalformedCallback):
        read_signed(server, content)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"email.bounced",
        b'{"type": "email.bounced"',
        b'{"type": NaN}',
        b"[" * 50_000,
        b'{"type": ' * 20_000,
        b'{"type": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_signed_callback_that_is_no_json_is_malformed(body: bytes, server: ResendServer) -> None:
    with pytest.raises(MalformedCallback):
        read(server.sign(body))


@pytest.mark.parametrize("body", [b"\xff\xfe", b"x" * (LONGEST_CALLBACK + 1)])
def test_a_body_that_nobody_could_have_signed_is_malformed(body: bytes, server: ResendServer) -> None:
    headers = server.sign(b"{}").headers
    with pytest.raises(MalformedCallback):
        read(Callback(headers, body))


@pytest.mark.parametrize("depth", [10, 300, 900, 960, 990, 20_000])
def test_garbage_nested_as_deep_as_json_goes_is_read_or_malformed(depth: int, server: ResendServer) -> None:
    content = json.dumps(payload(bounce={"type": "DEEP", "subType": "DEEP", "diagnosticCode": "DEEP"}, tags="DEEP"))
    body = content.replace('"DEEP"', "[" * depth + "]" * depth).encode()
    try:
        kind = read(server.sign(body)).kind
    except MalformedCallback:
        kind = None
    assert kind is CallbackKind.BOUNCED_UNDETERMINED or (kind is None and depth > 300)


def test_a_callback_that_is_sent_again_has_the_same_id(server: ResendServer, letter: TakenLetter) -> None:
    first = server.callback(letter, "email.delivered", event_id="msg_7")
    again = server.callback(letter, "email.delivered", event_id="msg_7", at=NOW + timedelta(hours=2))
    assert read(first).event_id == read(again, now=NOW + timedelta(hours=2)).event_id == "msg_7"


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_short", "c2hvcnQ=", "not base64!", "whsec_schlüssel", "whsec_-_-_" * 8]
)
def test_a_signing_secret_that_would_verify_nothing_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(ValueError, match="signing secret"):
        check_signing_secret(secret)


def test_a_signing_secret_as_resend_shows_it_is_taken() -> None:
    for secret in (SIGNING_SECRET, SIGNING_SECRET.rstrip("="), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"):
        check_signing_secret(secret)
        assert read_callback_with(secret).kind is CallbackKind.DELIVERED


def read_callback_with(secret: str) -> CallbackEvent:
    with ResendServer(signing_secret=secret, now=NOW) as server:
        content = payload() | {"type": "email.delivered"}
        return read(server.sign(json.dumps(content).encode()), secrets=(secret,))
