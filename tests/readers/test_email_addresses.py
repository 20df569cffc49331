"""Addresses that letters will be sent to."""

from __future__ import annotations

import pytest

from registry.domain.errors import InvalidInput
from registry.readers.email_addresses import read_email_address


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("privacy@customer.example", "privacy@customer.example"),
        (" Privacy@Customer.Example ", "Privacy@customer.example"),
        ("first.last+notices@mail.customer.test", "first.last+notices@mail.customer.test"),
        ("info@bücher.example", "info@xn--bcher-kva.example"),
    ],
)
def test_an_address_has_one_form_that_any_mail_server_takes(given: str, stored: str) -> None:
    assert read_email_address(given) == stored


@pytest.mark.parametrize(
    "given",
    [
        *("", "plain", "a@b", "@customer.example", "a@", "a b@customer.example", "a@customer..example", "a@-x.example"),
        *("a@localhost", "a@host.invalid", "a@printer.local", "a@[192.0.2.1]", "jörg@customer.example"),
        *("a@customer.example\nBcc: b@x.example", "Ann <a@customer.example>", "a,b@customer.example"),
        f"{'a' * 65}@customer.example",
    ],
)
def test_an_address_that_cannot_be_is_refused_by_name(given: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_email_address(given, "contacts.0")
    (problem,) = refused.value.problems
    assert (problem.field, problem.value, problem.code) == ("contacts.0", given, "impossible-email-address")
    assert problem.params["reason"]
