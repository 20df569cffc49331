"""A finished letter in Resend's JSON: everything it says goes along, and nothing that it does not say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.channels.base import Envelope
from registry.channels.resend_letter import Untranslatable, read_message_id_tag, translate
from registry.letters.mime import address_header, text_header, write_alternative
from tests.channels.conftest import EnvelopeMaker

SUBJECT = "Ankündigung 2026-003: Hetzner kommt auf die Liste – ab Samstag, 31. Oktober 2026, gültig für Ihr Konto"
LONG_URL = "https://list.antopsis.example/antopsis/unsubscribe/" + "k1.9f8e7d6c5b4a." * 6
HEADERS = [
    ("From", address_header("From", "Antopsis Größenwahn, Inc.", "notices@antopsis.example")),
    ("To", address_header("To", "Jana Kovač", "privacy@customer.example")),
    ("Reply-To", address_header("Reply-To", None, "support@antopsis.example")),
    ("Subject", text_header("Subject", SUBJECT)),
    ("Date", "Wed, 30 Sep 2026 08:00:00 +0000"),
    ("Message-ID", "<2026-003-announcement.7.0a1b2c3d@list.antopsis.example>"),
    ("Auto-Submitted", "auto-generated"),
    ("List-Id", "<antopsis.notices.list.antopsis.example>"),
    ("List-Unsubscribe", f"<{LONG_URL}>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ("X-Possible-Duplicate", "yes"),
]
TEXT = "Hetzner verarbeitet Kontodaten.\n.\n\nGrüße\n"
HTML = "<p>Hetzner verarbeitet <b>Kontodaten</b>.</p>\n<p>" + "Größer als eine Zeile. " * 20 + "</p>\n"


def a_letter(headers: list[tuple[str, str]] = HEADERS, text: str = TEXT, html: str = HTML) -> Envelope:
    message = write_alternative(headers, "=_boundary", text, html)
    return Envelope(
        "privacy@customer.example",
        "bounce+7@antopsis.example",
        message,
        "<2026-003-announcement.7.0a1b2c3d@list.antopsis.example>",
    )


def translated(envelope: Envelope) -> dict[str, Any]:
    letter: dict[str, Any] = json.loads(translate(envelope))
    return letter


def test_a_letter_of_this_house_goes_over_whole() -> None:
    letter = translated(a_letter())

    assert letter["from"] == '"Antopsis Größenwahn, Inc." <notices@antopsis.example>'
    assert letter["to"] == ["Jana Kovač <privacy@customer.example>"]
    assert letter["reply_to"] == ["support@antopsis.example"]
    assert letter["subject"] == SUBJECT
    assert letter["text"] == TEXT
    assert letter["html"] == HTML
    assert letter["headers"] == {
        "Message-ID": "<2026-003-announcement.7.0a1b2c3d@list.antopsis.example>",
        "Auto-Submitted": "auto-generated",
        "List-Id": "<antopsis.notices.list.antopsis.example>",
        "List-Unsubscribe": f"<{LONG_URL}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "X-Possible-Duplicate": "yes",
    }
    assert set(letter) == {"from", "to", "reply_to", "subject", "text", "html", "headers", "tags"}


def test_the_same_envelope_gives_the_same_bytes() -> None:
    assert translate(a_letter()) == translate(a_letter())
    assert translate(a_letter()).isascii()
    assert translate(a_letter()) != translate(a_letter(text=TEXT + "PS\n"))


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=200),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=300),
)
def test_whatever_a_letter_says_arrives_as_it_was_said(subject: str, body: str) -> None:
    words = " ".join(subject.split()) or "–"
    headers = [(name, text_header(name, words) if name == "Subject" else value) for name, value in HEADERS]
    letter = translated(a_letter(headers, text=f"{body}\n", html=f"<p>{body}</p>\n"))
    assert letter["subject"] == words
    assert letter["text"] == f"{body}\n"
    assert letter["html"] == f"<p>{body}</p>\n"


def test_the_recipient_is_the_envelope_s_whatever_the_letter_says() -> None:
    assert translated(replace(a_letter(), recipient="other@customer.example"))["to"] == ["other@customer.example"]


@pytest.mark.parametrize("name", ['Kovač, "Jana"', "a@b", "x <y@z.example>", "Dr. Kovač;"])
def test_a_name_that_might_be_misread_is_left_off_the_recipient(name: str) -> None:
    headers = [(header, address_header("To", name, "privacy@customer.example") if header == "To" else value)
               for header, value in HEADERS]  # fmt: skip
    assert translated(a_letter(headers))["to"] == ["privacy@customer.example"]


def test_a_letter_of_plain_text_alone_has_no_html(make_envelope: EnvelopeMaker) -> None:
    letter = translated(make_envelope())
    assert letter["text"] == "Hetzner will process account data from Saturday, 31 October 2026 on.\n"
    assert "html" not in letter
    assert letter["from"] == "Antopsis <notices@antopsis.example>"


def test_a_letter_of_html_alone_gets_no_text_made_up() -> None:
    message = b"From: a@antopsis.example\r\nSubject: S\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n"
    letter = translated(replace(a_letter(), message=message))
    assert letter["text"] == ""
    assert letter["html"] == "<p>x</p>\n"


BASE = b"From: a@antopsis.example\r\nTo: b@customer.example\r\nSubject: S\r\n"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"To: b@customer.example\r\nSubject: S\r\n\r\nx\r\n", "from header"),
        (b"From: Antopsis\r\nSubject: S\r\n\r\nx\r\n", "from header"),
        (b"From: a@x.example, b@y.example\r\nSubject: S\r\n\r\nx\r\n", "more than one"),
        (b"From: a@antopsis.example\r\n\r\nx\r\n", "no subject"),
        (BASE + b"Cc: c@customer.example\r\n\r\nx\r\n", "further recipients: cc"),
        (BASE + b"Bcc: c@customer.example\r\n\r\nx\r\n", "further recipients: bcc"),
        (BASE + b"Resent-To: c@customer.example\r\n\r\nx\r\n", "further recipients: resent-to"),
        (BASE + b"X-A: 1\r\nx-a: 2\r\n\r\nx\r\n", "twice"),
        (BASE + b"X-A: \xff\r\n\r\nx\r\n", "not UTF-8"),
        (BASE + b"X-A: a\x00b\r\n\r\nx\r\n", "control character"),
        (BASE.replace(b"Subject: S", b"Subject: =?utf-9?b?QQ==?=") + b"\r\nx\r\n", "encoded words"),
        (BASE + b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xff\xfe\r\n", "character set"),
        (BASE + b"Content-Type: text/plain; charset=klingon\r\n\r\nx\r\n", "character set"),
        (BASE + b"Content-Type: application/pdf\r\n\r\nx\r\n", "neither"),
        (BASE + b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nx\r\n", "neither"),
        (BASE + b"Content-Type: multipart/alternative; boundary=b\r\n\r\nnothing\r\n", "broken"),
        (
            BASE
            + b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
            + b"--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--b--\r\n",
            "neither",
        ),
        (b"", "from header"),
    ],
)
def test_what_has_no_place_in_the_json_is_refused_with_its_reason(message: bytes, reason: str) -> None:
    with pytest.raises(Untranslatable, match=reason):
        translate(replace(a_letter(), message=message))


@given(st.binary(max_size=400))
def test_any_bytes_are_translated_or_refused(message: bytes) -> None:
    multipart = BASE + b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
    for letter in (message, BASE + message, multipart + message):
        try:
            said = json.loads(translate(replace(a_letter(), message=letter)))["subject"]
        except Untranslatable as refused:
            said = str(refused)
        assert said


def test_a_message_id_comes_back_out_of_its_tag() -> None:
    [tag] = translated(a_letter())["tags"]
    assert len(tag["value"]) <= 256
    assert set(tag["value"]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
    assert read_message_id_tag(tag["value"]) == a_letter().message_id


def test_a_message_id_too_long_for_a_tag_goes_without() -> None:
    assert "tags" not in translated(replace(a_letter(), message_id=f"<{'x' * 200}@antopsis.example>"))


@given(st.text(max_size=300))
def test_somebody_else_s_tag_is_no_message_id(tag: str) -> None:
    found = read_message_id_tag(tag)
    assert found is None or found.isascii()
