"""A letter made ready for the wire, without a wire."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.channels.base import Envelope, PermanentFailure
from registry.channels.smtp_letter import SmtpLetter, prepare, with_crlf

MODERN = {"size": "10000000", "8bitmime": "", "smtputf8": ""}


def letter_to(recipient: str, message: bytes = b"Subject: x\r\n\r\nhello\r\n", return_path: str = "") -> SmtpLetter:
    prepared = prepare(Envelope(recipient, return_path, message, "<1@antopsis.example>"))
    assert isinstance(prepared, SmtpLetter)
    return prepared


@given(st.binary(max_size=300).map(lambda raw: raw.replace(b"a", b"\r\n.").replace(b"b", b"\n").replace(b"c", b"\r")))
def test_no_letter_can_end_itself_early_and_every_letter_can_be_read_back(message: bytes) -> None:
    text = letter_to("privacy@customer.example", message).text
    wire = text + b".\r\n"
    # What a server does (RFC 5321 section 4.5.2): read lines to the lone dot, take one leading dot off each.
    lines = wire.split(b"\r\n")
    assert lines.index(b".") == len(lines) - 2
    read = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])
    assert read == with_crlf(message)
    assert b"\n" not in read.replace(b"\r\n", b"")
    assert b"\r" not in read.replace(b"\r\n", b"")


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xff"])).map(
        b"".join
    )
)
def test_cr_lf_and_crlf_end_a_line_and_nothing_else_does(message: bytes) -> None:
    lines = re.sub(rb"\r\n?|\n", b"\r\n", message)
    expected = lines if lines.endswith(b"\r\n") else lines + b"\r\n"
    assert with_crlf(message) == expected
    letter = letter_to("privacy@customer.example", message)
    assert letter.text == re.sub(rb"(?m)^\.", b"..", expected)
    assert (letter.size, letter.is_8bit) == (len(expected), not message.isascii())


def test_a_letter_with_proper_line_ends_is_not_changed() -> None:
    message = b"Subject: x\r\n\r\n" + b"line\r\n" * 50
    assert letter_to("privacy@customer.example", message).text == message


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "@customer.example",
        "privacy@",
        "two words@customer.example",
        "privacy@customer.example\r\nRCPT TO:<victim@other.example>",
        "privacy@customer.example\n",
        "privacy\x00@customer.example",
        "privacy@customer.example> SIZE=1",
        "<privacy@customer.example>",
        "privacy\u00a0legal@customer.example",
        "privacy\u2028@customer.example",
        "privacy\ud800@customer.example",
        "privacy@bad\u0301..example",
        "privacy@legal@",
        "privacy\x7f@customer.example",
        "p" * 250 + "@customer.example",
    ],
)
def test_an_address_that_would_break_the_conversation_is_refused_before_the_wire(address: str) -> None:
    refused = prepare(Envelope(address, "notices@antopsis.example", b"", "<1@x>"))
    assert isinstance(refused, PermanentFailure)
    assert refused.code is None
    assert "recipient" in refused.answer
    if address:
        refused = prepare(Envelope("privacy@customer.example", address, b"", "<1@x>"))
        assert isinstance(refused, PermanentFailure)
        assert "return path" in refused.answer


def test_an_empty_return_path_is_the_null_path() -> None:
    assert letter_to("privacy@customer.example", return_path="").return_path == ""


@pytest.mark.parametrize(
    ("given_address", "written"),
    [
        ("privacy@bücher.example", "privacy@xn--bcher-kva.example"),
        ("privacy@straße.example", "privacy@xn--strae-oqa.example"),
        ("privacy@[192.0.2.1]", "privacy@[192.0.2.1]"),
        ("o'brien+legal@customer.example", "o'brien+legal@customer.example"),
        ("bounces+0f3a=customer.example@antopsis.example", "bounces+0f3a=customer.example@antopsis.example"),
        ('"at@home"@customer.example', '"at@home"@customer.example'),
    ],
)
def test_an_international_domain_needs_no_special_server(given_address: str, written: str) -> None:
    letter = letter_to(given_address)
    assert letter.recipient == written
    assert not letter.is_international
    assert letter.parameters_for({}) == ""


def test_an_international_local_part_needs_smtputf8() -> None:
    letter = letter_to("datenschützer@bücher.example")
    assert letter.recipient == "datenschützer@xn--bcher-kva.example"
    assert letter.parameters_for(MODERN) == " SIZE=21 SMTPUTF8"
    refused = letter.parameters_for({"8bitmime": ""})
    assert isinstance(refused, PermanentFailure)
    assert "SMTPUTF8" in refused.answer
    assert "datenschützer@" in refused.answer


def test_raw_8_bit_text_needs_8bitmime_and_raw_8_bit_headers_need_smtputf8() -> None:
    body = letter_to("privacy@customer.example", "Subject: x\r\n\r\nGrüße\r\n".encode())
    assert body.parameters_for(MODERN) == " SIZE=23 BODY=8BITMIME"
    refused = body.parameters_for({"smtputf8": ""})
    assert isinstance(refused, PermanentFailure)
    assert "8BITMIME" in refused.answer
    header = letter_to("privacy@customer.example", "Subject: Grüße\r\n\r\nhello\r\n".encode())
    assert header.parameters_for(MODERN) == " SIZE=27 BODY=8BITMIME SMTPUTF8"


@pytest.mark.parametrize(("limit", "fits"), [("21", True), ("20", False), ("0", True), ("", True), ("much", True)])
def test_a_letter_longer_than_the_server_takes_is_refused_with_both_figures(limit: str, fits: bool) -> None:
    parameters = letter_to("privacy@customer.example").parameters_for({"size": limit})
    if fits:
        assert parameters == " SIZE=21"
    else:
        assert parameters == PermanentFailure(None, "the letter has 21 bytes and the mail server takes at most 20")
