"""The message on the wire: headers, structure, and bytes that come out the same for ever (R30)."""

from __future__ import annotations

import base64
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.headerregistry import DateHeader
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.errors import RegistryError
from registry.domain.vocabulary import Audience
from registry.letters.compose import ImpossibleLink, OtherMergeVersion, compose, list_headers, sha256_of
from registry.letters.mime import BoundaryInContent, ImpossibleHeader, text_header
from registry.letters.slots import BrokenSlot, MissingSlotValue, UnknownSlot
from registry.letters.values import FrozenLetter, Merge
from tests.letters.cast import ANNOUNCEMENT, ANTOPSIS, RENDERER, merge_for
from tests.letters.reading import html_of, mailbox_of, parsed, squeezed, text_of

LETTER = RENDERER.render_statement(ANNOUNCEMENT, Audience.CUSTOMER, "en")
MERGE = merge_for(LETTER, Audience.CUSTOMER)
SHORT = FrozenLetter("Hello", "For \x02recipient_name\x03.\n", "<p>\x02recipient_name\x03</p>\n")
SHORT_MERGE = Merge(
    recipient="dana@customer.example",
    recipient_name="Dana",
    message_id="<1@registry.example>",
    boundary="b1",
    date_at=datetime(2026, 9, 30, 8, 0, tzinfo=UTC),
    slots=(("recipient_name", "Dana"),),
    headers=(),
)
LONG_LINK = "https://registry.example/antopsis/unsubscribe/" + "k1.0123456789." * 10


def with_slot(name: str, value: str) -> Merge:
    return replace(MERGE, slots=tuple((slot, value if slot == name else old) for slot, old in MERGE.slots))


def test_the_message_has_plain_text_first_and_html_second() -> None:
    message = parsed(compose(LETTER, MERGE, ANTOPSIS))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content_charset() for part in message.iter_parts()] == ["utf-8", "utf-8"]
    assert message.get_boundary() == MERGE.boundary


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


def test_lines_end_in_crlf_and_none_is_too_long() -> None:
    raw = compose(LETTER, MERGE, ANTOPSIS)
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert raw.isascii()


def test_a_very_long_line_of_content_is_carried_within_the_limit() -> None:
    letter = replace(SHORT, text="é" * 5_000 + "\n", html="<p>" + "x" * 20_000 + "</p>\n")
    raw = compose(letter, SHORT_MERGE, ANTOPSIS)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert text_of(raw) == letter.text
    assert html_of(raw) == letter.html


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
    "hostile",
    [
        "Foo\r\nBcc: everybody@example.org",
        "Foo\nBcc: everybody@example.org",
        "Foo\u2028Bcc: x",
        "Foo\x00\x02why\x03\u202egnp",
    ],
)
def test_a_hostile_name_begins_no_header_and_fills_no_slot(hostile: str) -> None:
    merge = replace(with_slot("recipient_name", hostile), recipient_name=hostile)
    raw = compose(LETTER, merge, ANTOPSIS)
    message = parsed(raw)
    assert message["Bcc"] is None
    assert [name for name in message if name.lower() == "to"] == ["To"]
    assert mailbox_of(raw, "To")[0].startswith("Foo ")
    text = text_of(raw)
    for forbidden in "\x00\x02\x03\u202e\u2028\r":
        assert forbidden not in text
    assert text.count("You are a named contact") == 1


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


def test_a_value_that_looks_like_a_slot_is_not_filled_again() -> None:
    merge = replace(
        SHORT_MERGE, slots=(("recipient_name", "{why} %(why)s ${why} {{ why }} \x02why\x03"), ("why", "SECRET"))
    )
    raw = compose(SHORT, merge, ANTOPSIS)
    assert "SECRET" not in text_of(raw) + html_of(raw)
    assert text_of(raw) == "For {why} %(why)s ${why} {{ why }} why.\n"


def test_a_slot_without_a_value_is_an_error_and_no_half_letter() -> None:
    with pytest.raises(MissingSlotValue) as caught:
        compose(LETTER, replace(MERGE, slots=tuple(slot for slot in MERGE.slots if slot[0] != "why")), ANTOPSIS)
    assert caught.value.params == {"slot": "why"}


def test_a_slot_nobody_knows_is_an_error_in_the_letter_and_in_the_merge() -> None:
    with pytest.raises(UnknownSlot):
        compose(LETTER, replace(MERGE, slots=(*MERGE.slots, ("nickname", "x"))), ANTOPSIS)
    with pytest.raises(UnknownSlot):
        compose(replace(SHORT, text="\x02nickname\x03"), SHORT_MERGE, ANTOPSIS)


@pytest.mark.parametrize("broken", ["\x02", "a \x03", "\x02recipient_name", "\x02\x02recipient_name\x03\x03"])
def test_half_a_slot_is_an_error(broken: str) -> None:
    with pytest.raises(BrokenSlot):
        compose(replace(SHORT, html=broken), SHORT_MERGE, ANTOPSIS)


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://r.example/ x", "https://r.example/\r\nx", "", "/manage/1"]
)
def test_a_link_that_is_no_web_address_is_refused(link: str) -> None:
    with pytest.raises(ImpossibleLink):
        compose(LETTER, with_slot("manage_url", link), ANTOPSIS)


def test_a_link_keeps_its_signs_in_both_parts() -> None:
    link = "https://registry.example/m?a=1&b=2"
    raw = compose(LETTER, with_slot("manage_url", link), ANTOPSIS)
    assert f"Change contact:  {link}\n" in text_of(raw)
    assert 'href="https://registry.example/m?a=1&amp;b=2"' in html_of(raw)


@pytest.mark.parametrize("boundary", ["", "a b\r\n", 'a"b', "x" * 71])
def test_a_boundary_that_cannot_be_is_refused(boundary: str) -> None:
    with pytest.raises(ImpossibleHeader):
        compose(LETTER, replace(MERGE, boundary=boundary), ANTOPSIS)


def test_a_boundary_that_stands_in_the_content_is_refused() -> None:
    with pytest.raises(BoundaryInContent):
        compose(replace(SHORT, text="x\n--b1\ny\n"), SHORT_MERGE, ANTOPSIS)


def test_a_merge_of_another_version_is_not_made_by_this_one() -> None:
    with pytest.raises(OtherMergeVersion) as caught:
        compose(LETTER, replace(MERGE, merge_version=2), ANTOPSIS)
    assert caught.value.params == {"version": 2, "own": 1}
    assert isinstance(caught.value, RegistryError)


GOLDEN_LETTER = FrozenLetter(
    subject="Übertragung: change to the subprocessor list on 31 October 2026, and a subject of several lines, for sure",
    text=(
        "For:             \x02recipient_name\x03\nObject by:       \x02objection_deadline\x03\n\n"
        "\x02why\x03\n\n. dot – dash\nFrom here\n"
    ),
    html=(
        '<p title="\x02recipient_name\x03">Für \x02recipient_name\x03 = 100 %</p>\n'
        '<a href="\x02manage_url\x03">\x02why\x03</a>\n'
    ),
)
GOLDEN_MERGE = replace(
    MERGE,
    recipient_name="Nguyễn Thị Minh Khai, Phòng Pháp chế và Bảo vệ dữ liệu cá nhân",
    slots=(
        ("recipient_name", 'Example & Söhne "Customer" GmbH'),
        ("objection_deadline", "end of Wednesday, 30 September 2026 (2026-09-30, America/Argentina/Buenos_Aires)"),
        ("why", "You are a named contact of Example & Söhne for these notices, under its contract with Antopsis."),
        ("manage_url", "https://registry.example/m?a=1&b=2"),
    ),
    headers=list_headers(ANTOPSIS, Audience.FOLLOWER, LONG_LINK, "registry.example"),
)
GOLDEN_SHA256_OF_MERGE_VERSION_1 = "e29ee117ad2711734e1eb0b12a24dd1ac36131b55cb59e0015c046f7f64edbda"


def test_merge_version_1_makes_the_bytes_it_always_made() -> None:
    """Stored hashes are compared with bytes made again years later: if this fails, MERGE_VERSION must rise instead."""
    raw = compose(GOLDEN_LETTER, GOLDEN_MERGE, ANTOPSIS)
    golden = Path(__file__).parent / "golden" / "merge_version_1.eml"
    assert raw.replace(b"\r\n", b"\n").decode("ascii") == golden.read_text("ascii")
    assert sha256_of(raw) == GOLDEN_SHA256_OF_MERGE_VERSION_1


@pytest.mark.parametrize("audience", list(Audience))
def test_two_processes_with_other_hash_seeds_make_the_same_bytes(audience: Audience) -> None:
    script = (
        "import hashlib, sys\n"
        "from registry.domain.vocabulary import Audience\n"
        "from registry.letters.compose import compose\n"
        "from tests.letters.cast import ANNOUNCEMENT, ANTOPSIS, RENDERER, merge_for\n"
        "audience = Audience(sys.argv[1])\n"
        "letter = RENDERER.render_statement(ANNOUNCEMENT, audience, 'en')\n"
        "print(hashlib.sha256(compose(letter, merge_for(letter, audience), ANTOPSIS)).hexdigest())\n"
    )
    letter = RENDERER.render_statement(ANNOUNCEMENT, audience, "en")
    digests = {sha256_of(compose(letter, merge_for(letter, audience), ANTOPSIS))}
    for seed, zone in (("1", "Asia/Tokyo"), ("4711", "America/New_York")):
        ran = subprocess.run(
            [sys.executable, "-c", script, audience.value],
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(ran.stdout.strip())
    assert len(digests) == 1


UNCLEAN = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff"
CLEAN = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters=UNCLEAN)
LINES = st.text(CLEAN | st.sampled_from(" ,.“é"), max_size=120)


@given(subject=LINES, name=LINES, text=st.lists(LINES, max_size=5), markup=st.lists(LINES, max_size=5))
def test_any_text_arrives_as_it_was_written(subject: str, name: str, text: list[str], markup: list[str]) -> None:
    subject = " ".join(subject.split())
    letter = FrozenLetter(subject, "\n".join([*text, ""]), "\n".join([*markup, ""]))
    merge = replace(SHORT_MERGE, recipient_name=name, boundary="=_7d1f0c5e9a3b4688_=")
    raw = compose(letter, merge, ANTOPSIS)
    message = parsed(raw)
    assert message["Subject"] == subject
    assert text_of(raw) == letter.text
    assert html_of(raw) == letter.html
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert mailbox_of(raw, "To") == (" ".join(name.split()), "dana@customer.example")


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


def test_what_a_reader_gets_is_what_was_rendered() -> None:
    raw = compose(LETTER, MERGE, ANTOPSIS)
    assert "Reference: 2026-001/1/D-000412" in squeezed(text_of(raw))
    assert "2026-001/1/D-000412" in html_of(raw)
