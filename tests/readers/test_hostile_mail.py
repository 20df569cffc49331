"""Whatever a stranger sends to the bounce address: no message at all, too much of one, damaged, or made to do harm."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from registry.readers.bounce_message import LONGEST_MESSAGE, read_bounce
from registry.readers.bounce_report import Bounce, BounceMessage, UnreadableBounce, UnreadableReason
from registry.readers.mail_message import LONGEST_TEXT
from tests.readers.returned_mail import SAMPLES, read_status, sample


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", UnreadableReason.EMPTY),
        (b"\0" * 1000, UnreadableReason.EMPTY),
        (b"\r\n \r\n", UnreadableReason.EMPTY),
        (b"no headers at all", UnreadableReason.NO_HEADERS),
        (b"\n\nTo: bounces@registry.example", UnreadableReason.NO_HEADERS),
        (b"Subject: hello\n\nhello\n", UnreadableReason.NO_REPORT),
    ],
)
def test_what_is_no_report_at_all_says_what_it_is_instead(message: bytes, reason: UnreadableReason) -> None:
    found = read_bounce(message)
    assert isinstance(found, UnreadableBounce)
    assert found.reason is reason


def test_bytes_at_random_are_no_message() -> None:
    found = read_bounce(sample("garbage"))
    assert isinstance(found, UnreadableBounce)
    assert found.reason is UnreadableReason.NO_HEADERS


def test_a_message_over_which_a_library_fails_is_given_to_a_person_with_what_went_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(message: object) -> None:
        raise IndexError("list index out of range")

    # No bytes are known that make a library fail, so the failure is put in.
    monkeypatch.setattr("registry.readers.bounce_message.all_failures", fail)
    found = read_bounce(sample("qmail"))
    assert isinstance(found, UnreadableBounce)
    assert (found.reason, found.diagnostic) == (UnreadableReason.BROKEN, "IndexError: list index out of range")
    assert found.delivered_to == ("bounces+k1.4718.e7f6c011776e8db7cd33@registry.example",)
    assert found.original_message_id == "<2026-003-announcement.4718.708192a3b4c5d6e7@registry.example>"


def test_a_message_that_is_too_large_or_too_nested_still_names_whom_it_was_delivered_to() -> None:
    large = sample("postfix") + b"x" * LONGEST_MESSAGE
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000))
    for message, reason in (
        (large, UnreadableReason.TOO_LARGE),
        (
            b"X-Original-To: bounces+k1.4711.9f86d081884c7d659a2f@registry.example\n" + nested,
            UnreadableReason.TOO_NESTED,
        ),
    ):
        found = read_bounce(message)
        assert isinstance(found, UnreadableBounce)
        assert found.reason is reason
        assert found.delivered_to[0] == "bounces+k1.4711.9f86d081884c7d659a2f@registry.example"


def test_a_report_that_returns_a_large_letter_is_read() -> None:
    found = read_bounce(sample("exim") + b"A fine long line of a letter.\n" * 300_000)
    assert isinstance(found, Bounce)
    assert found.status == "5.2.1"


FROM_SYSTEM = b"From: MAILER-DAEMON@x.example\n"
HOSTILE = {
    "a header of nine megabytes": FROM_SYSTEM + b"X: " + b"a" * 9_000_000 + b"\n\n",
    "comments within comments": b"Date: " + b"(" * 990 + b"\nTo: " + b"((((((\n " * 100_000 + b"\n\nhello",
    "a content type of parameters": FROM_SYSTEM + b"Content-Type: multipart/mixed; " + b";;;;;;;;;;\n " * 100_000,
    "messages within messages": FROM_SYSTEM + b"Content-Type: message/rfc822\n\n" * 3_000,
    "a message for each line": FROM_SYSTEM + b"Content-Type: multipart/digest; boundary=x\n\n" + b"--x\n\n\n" * 100_000,
    "a status of blank lines": FROM_SYSTEM + b"Content-Type: message/delivery-status\n\n" + b"\n" * 5_000_000,
    "blanks": FROM_SYSTEM + b"\nyour message to:\n" + (b" " * 290 + b"\n") * 20_000,
    "an address without end": FROM_SYSTEM + b"\nRCPT TO:\nthis is the deliver program at\n" + b"a" * 5_000_000,
    "open brackets": FROM_SYSTEM + b"Content-Type: text/html\n\n" + (b"<" * 900 + b"\n") * 5_000,
    "a number without end": FROM_SYSTEM + b"Content-Type: text/plain; x*" + b"9" * 900 + b"=1\n\nhello",
    "a charset that is none": FROM_SYSTEM
    + b"Content-Type: text/plain; charset=punycode\nContent-Transfer-Encoding: base64\n\n"
    + b"QUFB" * 100_000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_message_made_to_keep_the_reader_busy_is_soon_given_to_a_person(message: bytes) -> None:
    assert isinstance(read_bounce(message), UnreadableBounce)


@pytest.mark.parametrize(
    "diagnostic",
    [
        "550 5.1.1 no\x00 such\x1b[31m user",
        "550 \u202eresu on\u202c",
        "550 " + "x" * 900 + "\n " + "y" * 900 + "\n " + "z" * 900,
    ],
)
def test_what_the_other_side_says_is_bounded_and_fit_to_be_shown(diagnostic: str) -> None:
    found = read_status(f"Final-Recipient: rfc822; a@b.example\nAction: failed\nDiagnostic-Code: smtp; {diagnostic}")
    assert isinstance(found, Bounce)
    assert found.diagnostic.startswith("550 ")
    assert len(found.diagnostic) <= LONGEST_TEXT
    assert found.diagnostic.isprintable()


def check(found: BounceMessage) -> None:
    """Whatever was read, what stands in it can be stored and shown."""
    assert len(found.diagnostic) <= LONGEST_TEXT
    assert found.diagnostic.isprintable()
    for address in (*found.delivered_to, *found.recipients):
        assert address.isprintable()
        assert address.count("@") == 1
    if found.original_message_id is not None:
        assert found.original_message_id.startswith("<")
        assert found.original_message_id.isprintable()
    if found.happened_at is not None:
        assert found.happened_at.tzinfo is UTC


@given(st.binary(max_size=2_000))
@example(b":\n:\n")
@example(b"From:\xff\xfe\n\n")
def test_any_bytes_are_read_without_an_error(message: bytes) -> None:
    check(read_bounce(message))
    check(read_bounce(FROM_SYSTEM + message))


@st.composite
def broken_samples(draw: st.DrawFn) -> bytes:
    """A real bounce with pieces taken out, doubled, or put in from elsewhere."""
    names = sorted(path.stem for path in SAMPLES.glob("*.eml"))
    message = sample(draw(st.sampled_from(names)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(message)))
        end = min(len(message), start + draw(st.integers(0, 400)))
        put = draw(
            st.one_of(
                st.binary(max_size=20),
                st.sampled_from(
                    [b"\n\n", b"\0", b"\r", b"\xff", b"--", b":", b"=?utf-8?b?!?=", b"Content-Type: ", b"*0*=''"]
                ),
                st.just(message[end : end + 200]),
            )
        )
        message = message[:start] + put + message[end:]
    return message


@given(broken_samples())
@settings(max_examples=300)
def test_a_damaged_bounce_is_read_without_an_error(message: bytes) -> None:
    check(read_bounce(message))


FIELDS = [
    "From",
    "To",
    "Date",
    "Subject",
    "Auto-Submitted",
    "In-Reply-To",
    "Return-Path",
    "Delivered-To",
    "X-Failed-Recipients",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Action",
    "Status",
    "Final-Recipient",
    "Diagnostic-Code",
    "Last-Attempt-Date",
    "Feedback-Type",
    "Message-ID",
]
VALUES = [
    "multipart/report; boundary=b",
    "multipart/mixed; boundary=b",
    "message/delivery-status",
    "message/feedback-report",
    "message/rfc822",
    "text/rfc822-headers",
    "text/plain; charset=idna",
    "base64",
    "quoted-printable",
    "uuencode",
    "failed",
    "5.1.1",
    "rfc822; a@b.example",
    "<>",
    "<a@b.example>",
    "abuse",
    "auto-replied",
    "=?idna?q?a?=",
    "=?utf-8?b?////?=",
    "Wed, 30 Sep 2026 10:00:00 +0200",
]
lines = st.one_of(
    st.builds("{}: {}".format, st.sampled_from(FIELDS), st.sampled_from(VALUES) | st.text(max_size=30)),
    st.sampled_from(["", "", "--b", "--b--", " folded", "QUFB", "=41=", "begin 644 x"]),
    st.text(max_size=30),
)


@given(st.lists(lines, max_size=30))
@settings(max_examples=300)
def test_headers_and_parts_in_any_disorder_are_read_without_an_error(made: list[str]) -> None:
    check(read_bounce("\n".join(made).encode("utf-8", "surrogatepass")))
