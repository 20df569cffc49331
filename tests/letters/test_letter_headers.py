"""The headers of a message: their order, names and subjects of any script, and nothing that would change the letter."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.headerregistry import DateHeader

import pytest

from registry.domain.vocabulary import Audience
from registry.letters.compose import compose, list_headers
from registry.letters.mime import ImpossibleHeader, text_header
from tests.letters.cast import ANNOUNCEMENT, ANTOPSIS, RENDERER
from tests.letters.merges import LETTER, LONG_LINK, MERGE, SHORT, SHORT_MERGE, UNCLEAN
from tests.letters.reading import mailbox_of, parsed, text_of


def test_the_headers_stand_in_their_order() -> None:
    message = parsed(compose(LETTER, MERGE, ANTOPSIS))
    assert [(name, str(value)) for name, value in message.items()] == [
        ("From", "Antopsis <notices@antopsis.example>"),
        ("To", "Example Customer GmbH <dana@customer.example>"),
        ("Reply-To", "privacy@antopsis.example"),
        ("Subject", "Antopsis: change to the subprocessor list on 31 October 2026 (notice 2026-001)"),
        ("Date", "Wed, 30 Sep 2026 08:00:05 +0000"),
        ("Message-ID", "<d412.3f2a@notices.registry.example>"),
        ("Auto-Submitted", "auto-generated"),
        ("List-Id", "<antopsis.customer-notices.registry.example>"),
        ("List-Unsubscribe", "<https://registry.example/antopsis/manage/k1.s7.a8Vn2>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="{MERGE.boundary}"'),
    ]


def test_a_follower_leaves_with_one_click_and_a_contract_contact_does_not() -> None:
    follower = list_headers(ANTOPSIS, Audience.FOLLOWER, "https://r.example/u/1", "r.example:8000")
    assert follower == (
        ("List-Id", "<antopsis.notices.r.example>"),
        ("List-Unsubscribe", "<https://r.example/u/1>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    contact = list_headers(ANTOPSIS, Audience.CUSTOMER, "https://r.example/m/1", "r.example")
    assert contact == (
        ("List-Id", "<antopsis.customer-notices.r.example>"),
        ("List-Unsubscribe", "<https://r.example/m/1>"),
    )
    assert list_headers(ANTOPSIS, Audience.FOLLOWER, None, "r.example") == follower[:1]


def test_an_address_to_leave_that_would_break_its_header_is_refused() -> None:
    with pytest.raises(ImpossibleHeader):
        list_headers(ANTOPSIS, Audience.FOLLOWER, "https://r.example/u>, <mailto:x@y.example", "r.example")


def test_a_long_address_to_leave_stays_whole_and_unencoded() -> None:
    headers = list_headers(ANTOPSIS, Audience.FOLLOWER, LONG_LINK, "registry.example")
    raw = compose(LETTER, replace(MERGE, headers=headers), ANTOPSIS)
    assert f"\r\nList-Unsubscribe: <{LONG_LINK}>\r\n".encode() in raw


def test_names_and_subjects_of_any_script_arrive_as_they_are() -> None:
    name = "Công ty Phát trực tuyến StreamOnApi, Bộ phận “Pháp chế” 流媒体"
    sender = replace(ANTOPSIS, name=name)
    letter = RENDERER.render_statement(replace(ANNOUNCEMENT, sender=sender), Audience.CUSTOMER, "en")
    raw = compose(letter, replace(MERGE, recipient_name='Müller, "Dana" GmbH & Co. KG'), sender)
    message = parsed(raw)
    assert message["Subject"] == f"{name}: change to the subprocessor list on 31 October 2026 (notice 2026-001)"
    assert mailbox_of(raw, "From") == (name, "notices@antopsis.example")
    assert mailbox_of(raw, "To") == ('Müller, "Dana" GmbH & Co. KG', "dana@customer.example")
    head = raw.split(b"\r\n\r\n")[0].split(b"\r\n")
    assert max(len(line) for line in head if b"=?utf-8?b?" in line) <= 76


def test_an_ascii_name_with_signs_in_it_is_quoted() -> None:
    raw = compose(LETTER, replace(MERGE, recipient_name='Acme, "The" Company (EU) \\ Legal'), ANTOPSIS)
    assert b'To: "Acme, \\"The\\" Company (EU) \\\\ Legal" <dana@customer.example>\r\n' in raw
    assert mailbox_of(raw, "To") == ('Acme, "The" Company (EU) \\ Legal', "dana@customer.example")


def test_a_name_that_looks_encoded_is_not_decoded_by_the_reader() -> None:
    name = "=?utf-8?q?a=0D=0ABcc:_x=40y.example?="
    raw = compose(LETTER, replace(MERGE, recipient_name=name), ANTOPSIS)
    assert mailbox_of(raw, "To") == (name, "dana@customer.example")
    assert parsed(raw)["Bcc"] is None


def test_the_date_header_is_in_utc_whatever_zone_it_was_given_in() -> None:
    berlin = timezone(timedelta(hours=2))
    raw = compose(LETTER, replace(MERGE, date_at=MERGE.date_at.astimezone(berlin)), ANTOPSIS)
    assert raw == compose(LETTER, MERGE, ANTOPSIS)
    date = parsed(raw)["Date"]
    assert isinstance(date, DateHeader)
    assert date.datetime == MERGE.date_at


def test_a_naive_date_is_refused() -> None:
    with pytest.raises(ImpossibleHeader):
        compose(LETTER, replace(MERGE, date_at=datetime(2026, 9, 30, 8, 0)), ANTOPSIS)  # noqa: DTZ001 - the case tested


@pytest.mark.parametrize(
    "address",
    [
        "dana@customer.example\r\nBcc: x@y.example",
        "a@b.example, c@d.example",
        "<a@b.example>",
        "dana",
        "dána@b.example",
        "",
    ],
)
def test_an_address_that_is_not_exactly_one_is_refused(address: str) -> None:
    with pytest.raises(ImpossibleHeader) as caught:
        compose(LETTER, replace(MERGE, recipient=address), ANTOPSIS)
    assert caught.value.params["header"] == "To"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Bcc", "everybody@example.org"),
        ("subject", "Another one"),
        ("X-Note", "a\r\nBcc: everybody@example.org"),
        ("X-Note", "a\nb"),
        ("X-Note\r\nBcc", "x@y.example"),
        ("X-Note:", "a"),
        ("X-Nöte", "a"),
        ("X-Note", "ä"),
        ("X-Note", "x" * 1_000),
    ],
)
def test_an_extra_header_that_would_change_the_letter_is_refused(name: str, value: str) -> None:
    with pytest.raises(ImpossibleHeader):
        compose(LETTER, replace(MERGE, headers=((name, value),)), ANTOPSIS)


def test_a_header_may_stand_only_once() -> None:
    with pytest.raises(ImpossibleHeader):
        compose(LETTER, replace(MERGE, headers=(("List-Id", "<a>"), ("list-id", "<b>"))), ANTOPSIS)


@pytest.mark.parametrize("message_id", ["<a\r\nBcc: x>", "<ä@b>"])
def test_a_message_id_that_cannot_be_is_refused(message_id: str) -> None:
    with pytest.raises(ImpossibleHeader):
        compose(LETTER, replace(MERGE, message_id=message_id), ANTOPSIS)


@pytest.mark.parametrize("length", range(60))
def test_an_encoded_word_is_as_long_as_may_be_and_cuts_no_character(length: int) -> None:
    """RFC 2047 section 2 allows 75 columns, section 5 (3) no character in two words."""
    name = "x" * length + "é流😀" * 20
    _, *words = text_header("Subject", name).split(" ")
    octets = [base64.b64decode(word.removeprefix("=?utf-8?b?").removesuffix("?=")) for word in words]
    assert name.endswith("".join(part.decode("utf-8") for part in octets))
    assert all(len(word) <= 75 for word in words)
    assert all(45 - 4 < len(part) <= 45 for part in octets[:-1])


@pytest.mark.parametrize("unclean", sorted(UNCLEAN))
def test_what_turns_the_reading_direction_enters_no_subject_and_no_name(unclean: str) -> None:
    with pytest.raises(ImpossibleHeader):
        compose(replace(SHORT, subject=f"Hello {unclean}"), SHORT_MERGE, ANTOPSIS)
    raw = compose(SHORT, replace(SHORT_MERGE, recipient_name=f"Da{unclean}na"), ANTOPSIS)
    assert mailbox_of(raw, "To") == ("Da na", "dana@customer.example")


@pytest.mark.parametrize(
    ("contact", "reply_to"),
    [
        ("Privacy@Bücher.example", "Privacy@xn--bcher-kva.example"),
        ("privacy@straße.example", "privacy@xn--strae-oqa.example"),
        ("Privacy@Antopsis.example", "Privacy@Antopsis.example"),
    ],
)
def test_answers_go_to_a_contact_at_an_international_domain(contact: str, reply_to: str) -> None:
    sender = replace(ANTOPSIS, contact=contact)
    raw = compose(
        RENDERER.render_statement(replace(ANNOUNCEMENT, sender=sender), Audience.CUSTOMER, "en"), MERGE, sender
    )
    assert f"\r\nReply-To: {reply_to}\r\n".encode() in raw
    assert contact in text_of(raw), "people read it as it was written"


@pytest.mark.parametrize(
    "contact", ["müller@antopsis.example", "a@b\u2024\u2024c.example", "a@" + "ü" * 64 + ".example"]
)
def test_a_contact_that_has_no_form_in_ascii_is_refused(contact: str) -> None:
    with pytest.raises(ImpossibleHeader):
        compose(SHORT, SHORT_MERGE, replace(ANTOPSIS, contact=contact))
