"""Return paths that name their letter: what is made is read back, and what is forged is not."""

from __future__ import annotations

import hmac
import re
from functools import partial

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from registry.letters.return_path import LONGEST_BOUNCE_MAILBOX, LONGEST_MAILBOX, make_return_path, read_return_path

BOUNCES = "bounces@registry.example"
KEYS = {"k1": b"an older key", "k2": b"the newest key", "k999": b"the last of many"}

deliveries = st.integers(1, 2**63 - 1)
mailboxes = st.from_regex(r"[A-Za-z0-9_=+-]+(\.[A-Za-z0-9_=+-]+)*", fullmatch=True).map(
    lambda text: text[:LONGEST_BOUNCE_MAILBOX].rstrip(".")
)
domains = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,10}){1,3}", fullmatch=True)


def sign(number: int, key_id: str | None = None, *, purpose: str = "bounce", newest: str = "k2") -> str:
    """Sign as the keyring does."""
    key_id = key_id or newest
    if key_id not in KEYS:
        raise ValueError(f"no key {key_id!r}")
    return f"{key_id}.{number}.{hmac.digest(KEYS[key_id], f'{purpose}-{number}'.encode(), 'sha256')[:20].hex()}"


def test_a_return_path_shows_the_delivery_and_the_key_between_the_bounce_address_and_its_host() -> None:
    path = make_return_path(BOUNCES, 4711, sign)
    assert re.fullmatch(r"bounces\+k2\.4711\.[0-9a-f]{20}@registry\.example", path)
    assert read_return_path(path, BOUNCES, sign) == 4711


@given(deliveries, mailboxes, domains, st.sampled_from("+-="))
@example(2**63 - 1, "b" * LONGEST_BOUNCE_MAILBOX, "registry.example", "+")
def test_every_return_path_is_read_back_and_fits_into_any_server(
    number: int, mailbox: str, domain: str, delimiter: str
) -> None:
    bounce_address = f"{mailbox}@{domain}"
    made = make_return_path(bounce_address, number, partial(sign, newest="k999"), delimiter=delimiter)
    assert len(made.rpartition("@")[0]) <= LONGEST_MAILBOX
    for arrived in (made, made.lower(), made.upper(), f" {made}\n", f"{made}."):
        assert read_return_path(arrived, bounce_address, sign, delimiter=delimiter) == number


@given(deliveries, deliveries)
def test_the_signature_of_one_delivery_opens_no_other(number: int, other: int) -> None:
    assume(number != other)
    forged = make_return_path(BOUNCES, number, sign).replace(f".{number}.", f".{other}.")
    assert read_return_path(forged, BOUNCES, sign) is None


@given(st.from_regex(r"[0-9a-f]{20}", fullmatch=True), deliveries)
def test_a_guessed_signature_is_refused(signature: str, number: int) -> None:
    assume(f".{signature}@" not in make_return_path(BOUNCES, number, sign))
    assert read_return_path(f"bounces+k2.{number}.{signature}@registry.example", BOUNCES, sign) is None


def test_a_path_that_an_older_key_signed_is_still_read_and_can_be_made_again() -> None:
    made_then = make_return_path(BOUNCES, 7, partial(sign, newest="k1"))
    assert read_return_path(made_then, BOUNCES, sign) == 7
    assert make_return_path(BOUNCES, 7, sign, key_id="k1") == made_then
    assert make_return_path(BOUNCES, 7, sign) != made_then


def test_the_path_of_another_installation_is_not_ours() -> None:
    path = make_return_path(BOUNCES, 7, sign)
    assert read_return_path(path.replace("k2", "k3"), BOUNCES, sign) is None
    assert read_return_path(path, "bounces@other.example", sign) is None
    assert read_return_path(path, "returns@registry.example", sign) is None
    assert read_return_path(path, BOUNCES, partial(sign, purpose="unsubscribe")) is None


@pytest.mark.parametrize(
    "recipient",
    [
        None,
        "",
        "<>",
        "@",
        "bounces@registry.example",
        "bounces+@registry.example",
        "bounces+k2.0.00000000000000000000@registry.example",
        "bounces+k2.-7.00000000000000000000@registry.example",
        "bounces+k2.٧.00000000000000000000@registry.example",
        f"bounces+k2.{'9' * 5000}.00000000000000000000@registry.example",
        "bounces+k2.7.0000000000000000000\ud800@registry.example",
    ],
)
def test_what_names_no_delivery_gives_none(recipient: str | None) -> None:
    assert read_return_path(recipient, BOUNCES, sign) is None


@given(st.text())
def test_any_text_at_all_gives_none(text: str) -> None:
    assert read_return_path(text, BOUNCES, sign) is None
    assert read_return_path(f"bounces+{text}@registry.example", BOUNCES, sign) is None


@given(deliveries, st.data())
def test_a_path_with_one_sign_changed_names_no_other_delivery(number: int, data: st.DataObject) -> None:
    path = make_return_path(BOUNCES, number, sign)
    at = data.draw(st.integers(0, len(path) - 1))
    put = data.draw(st.characters(max_codepoint=0x2FF))
    assert read_return_path(path[:at] + put + path[at + 1 :], BOUNCES, sign) in (None, number)


@pytest.mark.parametrize("address", ["", "bounces", "@registry.example", "bounces@"])
def test_a_bounce_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="no bounce address"):
        make_return_path(address, 1, sign)


def test_a_bounce_address_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 18 octets"):
        make_return_path(f"{'b' * 45}@registry.example", 4711, sign)


@pytest.mark.parametrize("token", ["k2.7.ABCDEF0123456789ABCD", "k2.7.abc", "K2.7." + "0" * 40])
def test_a_signature_that_would_not_survive_small_letters_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match=r"kid\.id\.HMAC"):
        make_return_path(BOUNCES, 7, lambda number, key_id: token)
