"""Which addresses are taken, and what is said of those that are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.errors import InvalidInput
from registry.letters.mime import address_header
from registry.readers.email_addresses import (
    LONGEST_ADDRESS,
    LONGEST_SENDER_MAILBOX,
    find_impossible_addresses,
    read_email_address,
    read_sender_address,
)
from registry.settings_outside import LONGEST_SENDER
from registry.settings_outside import LONGEST_SENDER_MAILBOX as LONGEST_OF_THE_SETTING
from registry.steps.letterhead import address_to_followers


@pytest.mark.parametrize(
    ("typed", "written_to"),
    [
        ("privacy@customer.example", "privacy@customer.example"),
        ("  Privacy@Customer.EXAMPLE ", "Privacy@customer.example"),
        ("a+b.c@sub.domain.test", "a+b.c@sub.domain.test"),
        ("dev@registry.localhost", "dev@registry.localhost"),
        ("Dev@Registry.LOCALHOST", "Dev@registry.localhost"),
        ("a@münchen.example", "a@xn--mnchen-3ya.example"),
        ("o'neill@customer.example", "o'neill@customer.example"),
    ],
)
def test_an_address_is_written_to_as_it_was_typed_with_its_domain_in_small_letters(typed: str, written_to: str) -> None:
    assert read_email_address(typed) == written_to


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "not-an-email-address"),
        ("privacy", "not-an-email-address"),
        ("@customer.example", "not-an-email-address"),
        ("a@b@customer.example", "not-an-email-address"),
        ("a b@customer.example", "not-an-email-address"),
        ('"a b"@customer.example', "not-an-email-address"),
        ("Ann <ann@customer.example>", "not-an-email-address"),
        ("a@customer.example, b@customer.example", "not-an-email-address"),
        ("a@localhost", "not-an-email-address"),
        ("a@.localhost", "not-an-email-address"),
        ("a@[127.0.0.1]", "not-an-email-address"),
        ("a@nowhere.invalid", "not-an-email-address"),
        ("a..b@customer.example", "not-an-email-address"),
        ("a@-customer.example", "not-an-email-address"),
        ("a\u200bb@customer.example", "not-an-email-address"),
        ("müller@customer.example", "mailbox-not-ascii"),
        ("a@customer.example\r\nBcc: b@customer.example", "control-character"),
        ("a\0@customer.example", "control-character"),
        ("a\u202e@customer.example", "control-character"),
        ("a" * 65 + "@customer.example", "too-long"),
        ("a@" + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + "." + "e" * 63 + ".example", "too-long"),
    ],
)
def test_an_address_that_cannot_be_is_refused_by_its_name(typed: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_email_address(typed, "contacts.0.email")
    [problem] = refused.value.problems
    assert (problem.field, problem.value, problem.code) == ("contacts.0.email", typed, code)


@given(st.one_of(st.emails(), st.text(), st.from_regex(r"[^@]{1,5}@[^@]{1,9}(\.localhost)?", fullmatch=True)))
def test_what_is_taken_can_stand_in_a_letter_and_is_taken_again_unchanged(typed: str) -> None:
    try:
        address = read_email_address(typed)
    except InvalidInput:
        return
    assert address_header("To", None, address) == address
    assert read_email_address(address) == address


@pytest.mark.parametrize(
    "typed", ["notices@bücher.example", "n" * LONGEST_SENDER_MAILBOX + "@own.example", f"n@{'d.' * 118}example"]
)
def test_a_sender_that_is_taken_can_write_to_followers_too(typed: str) -> None:
    sender = read_sender_address(typed)
    assert read_email_address(address_to_followers(sender)) == address_to_followers(sender)
    assert len(address_to_followers(sender)) <= LONGEST_ADDRESS


@pytest.mark.parametrize(
    ("typed", "over"), [("n" * 57 + "@own.example", 1), ("n" * 60 + "@own.example", 4), (f"nnn@{'d.' * 118}example", 1)]
)
def test_a_sender_that_could_not_write_to_followers_is_refused_with_what_is_too_much(typed: str, over: int) -> None:
    read_email_address(typed)
    with pytest.raises(InvalidInput) as refused:
        read_sender_address(typed, "publisher.sender")
    [problem] = refused.value.problems
    assert (problem.field, problem.code, problem.params["over"]) == ("publisher.sender", "sender-too-long", over)


def test_the_installation_s_sender_and_a_publisher_s_may_be_as_long_as_each_other() -> None:
    tag = len(address_to_followers("@")) - 1
    assert LONGEST_OF_THE_SETTING == LONGEST_SENDER_MAILBOX
    assert LONGEST_ADDRESS - tag == LONGEST_SENDER


def test_of_a_publisher_s_own_addresses_each_is_judged_and_what_is_no_text_is_left_alone() -> None:
    problems = find_impossible_addresses("müller@own.example", "n" * 57 + "@own.example")
    assert [(problem.field, problem.code) for problem in problems] == [
        ("publisher.contact", "mailbox-not-ascii"),
        ("publisher.sender", "sender-too-long"),
    ]
    assert list(find_impossible_addresses(7, None)) == []
