"""Signatures, checked against the specification's own numbers, its library, and the arithmetic by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from registry.channels.webhook_signing import LONGEST_ID, SECRET_PREFIX, make_secret, sign, webhook_id

# The example that the specification's libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_example_of_the_specification_has_its_signature() -> None:
    assert sign(MESSAGE, AT, BODY, [SECRET]) == {
        "webhook-id": MESSAGE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


@pytest.mark.parametrize(
    "zone", [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Ho_Chi_Minh"), timezone(-timedelta(hours=9, minutes=30))]
)
def test_the_instant_is_signed_whatever_zone_it_is_told_in(zone: timezone | ZoneInfo) -> None:
    headers = sign(MESSAGE, AT.astimezone(zone), BODY, [SECRET])
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == SIGNATURE


def test_a_part_of_a_second_is_not_signed() -> None:
    assert sign(MESSAGE, AT + timedelta(microseconds=999_999), BODY, [SECRET])["webhook-signature"] == SIGNATURE


def test_while_a_secret_is_rotated_out_either_one_verifies_and_the_newest_stands_first() -> None:
    new, old, other = make_secret(), make_secret(), make_secret()
    now = datetime.now(UTC)
    headers = sign("<17.3@antopsis.example>", now, BODY, [new, old])
    assert [Webhook(secret).verify(BODY, headers)["test"] for secret in (new, old)] == [2432232314] * 2
    first, second = headers["webhook-signature"].split(" ")
    assert sign("<17.3@antopsis.example>", now, BODY, [new])["webhook-signature"] == first
    assert sign("<17.3@antopsis.example>", now, BODY, [old])["webhook-signature"] == second
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(other).verify(BODY, headers)


def test_the_body_is_signed_byte_for_byte() -> None:
    secret = make_secret()
    body = '{"name": "Bücher\u2028 🚀", "n": 1.0}\r\n'.encode()
    headers = sign("a", AT, body, [secret])
    signed = b"a.1614265330." + body
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_a_secret_is_as_long_as_the_specification_asks_and_never_the_same() -> None:
    made = {make_secret() for _ in range(100)}
    assert len(made) == 100
    for secret in made:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_c2hvcnQ=",
        base64.b64encode(b"k" * 32).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa w",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSü",
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_told(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as refusal:
        sign(MESSAGE, AT, BODY, [SECRET, secret])
    assert "MfKQ" not in str(refusal.value)


@pytest.mark.parametrize("size", [24, 64])
def test_secrets_of_the_shortest_and_the_longest_size_are_taken(size: int) -> None:
    secret = "whsec_" + base64.b64encode(b"k" * size).decode()
    headers = sign(MESSAGE, datetime.now(UTC), BODY, [secret])
    assert Webhook(secret).verify(BODY, headers)["test"] == 2432232314


def test_what_cannot_be_signed_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        sign(MESSAGE, AT.replace(tzinfo=None), BODY, [SECRET])
    with pytest.raises(ValueError, match="needs a secret"):
        sign(MESSAGE, AT, BODY, [])
    with pytest.raises(ValueError, match="needs an id"):
        sign("<>", AT, BODY, [SECRET])
    with pytest.raises(ValueError, match="utf-8"):
        sign(MESSAGE, AT, b"\xff", [SECRET])


@pytest.mark.parametrize(
    ("message_id", "name"),
    [
        ("<17.3@antopsis.example>", "17~2E3~40antopsis~2Eexample"),
        ("17.3@antopsis.example", "17~2E3~40antopsis~2Eexample"),
        (MESSAGE, MESSAGE),
        ("a~2Eb", "a~7E2Eb"),
        ("ü\r\n", "~C3~BC"),
    ],
)
def test_an_id_keeps_what_is_safe_and_writes_the_rest_by_its_bytes(message_id: str, name: str) -> None:
    assert webhook_id(message_id) == name


@given(st.lists(st.text(min_size=1, max_size=300), min_size=2, max_size=2, unique=True))
def test_ids_are_safe_in_a_header_hold_no_full_stop_and_differ_where_messages_do(messages: list[str]) -> None:
    messages = [f"<{message}>" for message in messages]
    ids = [webhook_id(message) for message in messages]
    assert ids == [webhook_id(message) for message in messages]
    assert ids[0] != ids[1]
    for each in ids:
        assert re.fullmatch(r"[A-Za-z0-9_~-]+", each)
        assert len(each) <= LONGEST_ID
