"""Addresses that letters will be sent to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.errors import InvalidInput
from registry.readers.email_addresses import read_email_address


@pytest.mark.parametrize(
    ("typed", "written_to"),
    [
        ("privacy@customer.example", "privacy@customer.example"),
        (" Privacy@Customer.Example ", "Privacy@customer.example"),
        ("first.last+notices@mail.customer.test", "first.last+notices@mail.customer.test"),
        ("o'neill@customer.example", "o'neill@customer.example"),
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ("Dev@Registry.LOCALHOST", "Dev@registry.localhost"),
    ],
)
def test_an_address_has_one_form_that_any_mail_server_takes(typed: str, written_to: str) -> None:
    assert read_email_address(typed) == written_to
    assert read_email_address(written_to) == written_to


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        *((typed, "not-an-email-address") for typed in ("", "plain", "a@b", "@customer.example", "a@", "a@.localhost")),
        *((typed, "not-an-email-address") for typed in ("a b@customer.example", "a@customer..example", "a@-x.example")),
        *((typed, "not-an-email-address") for typed in ("a@localhost", "a@host.invalid", "a@printer.local")),
        *((typed, "not-an-email-address") for typed in ("a@[192.0.2.1]", "Ann <a@customer.example>", "a,b@c.example")),
        ("jörg@customer.example", "mailbox-not-ascii"),
        ("a@customer.example\nBcc: b@x.example", "control-character"),
        ("a\u202e@customer.example", "control-character"),
        (f"{'a' * 65}@customer.example", "too-long"),
        (f"a@{'b.' * 130}example", "too-long"),
    ],
)
def test_an_address_that_cannot_be_is_refused_by_name(typed: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_email_address(typed, "contacts.0")
    (problem,) = refused.value.problems
    assert (problem.field, problem.value, problem.code) == ("contacts.0", typed, code)


@given(typed=st.emails() | st.text(max_size=20).map(lambda name: f"{name}@customer.example"))
def test_what_is_taken_is_ascii_in_one_line_and_taken_again_unchanged(typed: str) -> None:
    try:
        address = read_email_address(typed)
    except InvalidInput:
        return
    assert address.isascii()
    assert address.isprintable()
    assert read_email_address(address) == address
