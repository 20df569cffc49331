"""Links that only this installation can make, and addresses that are found without being readable (R33, R36)."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.steps.keyring import (
    Keyring,
    LinkKey,
    comparison_form,
    hash_token,
    load_keyring,
    make_keyring,
    new_nonce,
    rotate_link_key,
)
from registry.tables import Event, RingKey
from registry.tables.engine import make_engine, reading, writing
from tests.steps.audience_cast import EDITOR, MONDAY

OLD = LinkKey("k1", b"1" * 32)
NEW = LinkKey("k2", b"2" * 32)
BEFORE = Keyring((OLD,), b"lookup")
AFTER = Keyring((NEW, OLD), b"lookup")


def test_a_token_opens_the_row_it_was_signed_for() -> None:
    assert BEFORE.verify("manage", BEFORE.sign("manage", 42)) == 42
    assert BEFORE.sign("manage", 42).startswith("k1.42.")


def test_a_token_for_one_purpose_opens_no_other() -> None:
    assert BEFORE.verify("unsubscribe", BEFORE.sign("manage", 42)) is None


def test_another_row_needs_another_token() -> None:
    key_id, _, signature = BEFORE.sign("manage", 42).split(".")
    assert BEFORE.verify("manage", f"{key_id}.43.{signature}") is None


def test_links_signed_before_a_rotation_live_on_and_new_ones_are_signed_by_the_new_key() -> None:
    old_link = BEFORE.sign("unsubscribe", 7)
    assert AFTER.verify("unsubscribe", old_link) == 7
    assert AFTER.sign("unsubscribe", 7) != old_link
    assert AFTER.sign("unsubscribe", 7, key_id="k1") == old_link


def test_a_key_that_was_never_on_the_ring_opens_nothing() -> None:
    stranger = Keyring((LinkKey("k1", b"3" * 32),), b"lookup")
    assert BEFORE.verify("manage", stranger.sign("manage", 42)) is None
    assert BEFORE.verify("manage", AFTER.sign("manage", 42)) is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "k1.42.",
        "k1.42." + "0" * 40,
        "k1.042." + BEFORE.sign("manage", 42).split(".")[2],
        "k1.42." + BEFORE.sign("manage", 42).split(".")[2].upper(),
        BEFORE.sign("manage", 42) + "\n",
        " " + BEFORE.sign("manage", 42),
        "k1.٤٢." + BEFORE.sign("manage", 42).split(".")[2],
        "k1." + "9" * 5000 + ".0",
        "\ud800.1.x",
        "k1\0.42.0",
        "é" * 60,
    ],
)
def test_garbage_opens_nothing_and_raises_nothing(token: str) -> None:
    assert BEFORE.verify("manage", token) is None


@given(st.text())
def test_no_text_makes_verifying_raise(token: str) -> None:
    assert BEFORE.verify("unsubscribe", token) is None


@given(st.integers(min_value=1, max_value=2**63 - 1))
def test_every_row_has_a_token_that_survives_an_address_line(number: int) -> None:
    token = AFTER.sign("manage", number)
    assert AFTER.verify("manage", token) == number
    assert set(token) <= set("0123456789abcdefk.")


def test_a_token_is_signed_only_for_what_exists() -> None:
    with pytest.raises(ValueError, match="numbered"):
        BEFORE.sign("manage", 0)
    with pytest.raises(ValueError, match="no key"):
        BEFORE.sign("manage", 1, key_id="k9")
    with pytest.raises(ValueError, match="purpose"):
        BEFORE.sign("confirm", 1)  # type: ignore[arg-type]  # the type checker refuses it too


def test_a_confirm_token_can_be_made_again_from_its_nonce_and_by_nothing_less() -> None:
    nonce = new_nonce()
    token = BEFORE.confirm_secret("k1", nonce)
    assert AFTER.confirm_secret("k1", nonce) == token
    assert AFTER.confirm_secret("k2", nonce) != token
    assert BEFORE.confirm_secret("k1", new_nonce()) != token
    assert hash_token(token) not in (token, nonce)


def test_secrets_do_not_show_in_what_is_printed() -> None:
    assert "1111" not in repr(BEFORE)
    assert "lookup_secret" not in repr(BEFORE)


@pytest.mark.parametrize(
    "other",
    ["Privacy@Customer.Example", " privacy@customer.example ", "PRIVACY@CUSTOMER.EXAMPLE"],
)
def test_the_case_of_an_address_makes_no_other_address(other: str) -> None:
    assert BEFORE.lookup("email", other) == BEFORE.lookup("email", "privacy@customer.example")


def test_an_international_domain_is_one_address_in_both_ways_of_writing() -> None:
    assert BEFORE.lookup("email", "a@MÜNCHEN.example") == BEFORE.lookup("email", "a@xn--mnchen-3ya.example")
    assert comparison_form("A@münchen.example") == "a@xn--mnchen-3ya.example"


def test_another_address_channel_or_installation_gives_another_hash() -> None:
    here = BEFORE.lookup("email", "a@b.example")
    assert here != BEFORE.lookup("email", "a@c.example")
    assert here != BEFORE.lookup("webhook", "a@b.example")
    assert here != Keyring((OLD,), b"other").lookup("email", "a@b.example")


@given(st.text())
def test_whatever_a_bounce_names_can_be_looked_up(address: str) -> None:
    assert len(BEFORE.lookup("email", address)) == 64


def test_the_keys_are_made_once_and_recorded_without_their_secrets(database_url: str) -> None:
    engine = make_engine(database_url)
    with writing(engine) as session:
        first = make_keyring(session, MONDAY)
        assert make_keyring(session, MONDAY) == first
    with writing(engine) as session:
        assert load_keyring(session, MONDAY) == first
        added = session.scalars(select(Event).where(Event.kind == "keyring.key_added").order_by(Event.id)).all()
        assert [event.subject for event in added] == ["k1", "lookup"]
        secret = session.get_one(RingKey, "k1").secret
        assert all(secret not in str(event.payload) for event in added)
    engine.dispose()


def test_an_empty_ring_is_an_error_and_not_an_empty_keyring(database_url: str) -> None:
    engine = make_engine(database_url)
    with reading(engine) as session, pytest.raises(RuntimeError, match="keyring is empty"):
        load_keyring(session, MONDAY)
    engine.dispose()


def test_rotation_adds_a_key_that_signs_and_keeps_the_rest(database_url: str) -> None:
    engine = make_engine(database_url)
    with writing(engine) as session:
        before = make_keyring(session, MONDAY)
        for _ in range(10):
            after = rotate_link_key(session, MONDAY, EDITOR)
        assert after.signing_key_id == "k11"
        assert after.lookup_secret == before.lookup_secret
        assert after.verify("manage", before.sign("manage", 5)) == 5
        assert session.scalars(select(Event).where(Event.subject == "k11")).one().actor == str(EDITOR)
    engine.dispose()


def test_two_processes_that_start_at_once_hold_the_same_keys(database_url: str) -> None:
    engine = make_engine(database_url)
    found: list[Keyring] = []
    both = threading.Barrier(2)

    def start() -> None:
        both.wait()
        with writing(engine) as session:
            found.append(make_keyring(session, MONDAY))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Session(engine) as session:
        assert len(session.scalars(select(RingKey)).all()) == 2
        assert len(session.scalars(select(Event)).all()) == 2
    assert found[0] == found[1]
    engine.dispose()
