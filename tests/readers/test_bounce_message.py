"""What comes back by mail: each mail system's way of saying it, and whatever a stranger sends instead.

The samples in `bounces/` are written by hand after the forms that the mail systems they are named for use.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from registry.readers.bounce_message import LONGEST_MESSAGE, read_bounce
from registry.readers.bounce_report import (
    AutoReply,
    Bounce,
    BounceMessage,
    Complaint,
    DeliveryConfirmation,
    Permanence,
    UnreadableBounce,
    UnreadableReason,
)
from registry.readers.delivery_status import Action
from registry.readers.mail_message import LONGEST_TEXT

SAMPLES = Path(__file__).parent / "bounces"
PERMANENT, TRANSIENT = Permanence.PERMANENT, Permanence.TRANSIENT


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.eml").read_bytes()


def read_status(*fields: str, first: str = "Reporting-MTA: dns; mx.customer.example\n") -> BounceMessage:
    """Read a report with one block of fields for each recipient."""
    blocks = "\n".join(f"{block}\n" for block in fields)
    return read_bounce(
        f"""From: MAILER-DAEMON@mx.customer.example
To: bounces@registry.example
Date: Wed, 30 Sep 2026 10:00:00 +0200
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

Something happened.
--b
Content-Type: message/delivery-status

{first}
{blocks}
--b--
""".encode()
    )


def read_words(words: str, *headers: str) -> BounceMessage:
    """Read a message in words, by default one that a mail system sends."""
    shown = "\n".join(headers or ("From: MAILER-DAEMON@mx.customer.example",))
    return read_bounce(f"To: bounces@registry.example\n{shown}\n\n{words}\n".encode())


# What each sample is read as: who failed, the status, for how long, whether the server gave up, and which letter.
BOUNCES: list[tuple[str, str, str | None, Permanence, bool, str, datetime]] = [
    (
        "postfix",
        "privacy@customer.example",
        "5.1.1",
        PERMANENT,
        True,
        "4711.0f1e2d3c4b5a6978",
        datetime(2026, 9, 30, 8, 0, 7, tzinfo=UTC),
    ),
    (
        "postfix_delayed",
        "legal@slow.example",
        "4.4.1",
        TRANSIENT,
        False,
        "4712.1a2b3c4d5e6f7081",
        datetime(2026, 9, 30, 11, 59, 58, tzinfo=UTC),
    ),
    (
        "postfix_expired",
        "dpo@full.example",
        "4.2.2",
        TRANSIENT,
        True,
        "4713.2b3c4d5e6f708192",
        datetime(2026, 10, 5, 8, 12, 44, tzinfo=UTC),
    ),
    (
        "exim",
        "dataprotection@school.example",
        "5.2.1",
        PERMANENT,
        True,
        "4714.3c4d5e6f708192a3",
        datetime(2026, 9, 30, 8, 1, 11, tzinfo=UTC),
    ),
    (
        "exim_in_words",
        "office@clinic.example",
        None,
        PERMANENT,
        True,
        "4715.4d5e6f708192a3b4",
        datetime(2026, 9, 30, 8, 3, 40, tzinfo=UTC),
    ),
    (
        "exchange_online",
        "datenschutz@corporation.example",
        "5.1.10",
        PERMANENT,
        True,
        "4716.5e6f708192a3b4c5",
        datetime(2026, 9, 30, 8, 0, 29, tzinfo=UTC),
    ),
    (
        "gmail",
        "owner@startup.example",
        "5.1.1",
        PERMANENT,
        True,
        "4717.6f708192a3b4c5d6",
        datetime(2026, 9, 30, 8, 0, 17, tzinfo=UTC),
    ),
    (
        "qmail",
        "security@old.example",
        "5.1.1",
        PERMANENT,
        True,
        "4718.708192a3b4c5d6e7",
        datetime(2026, 9, 30, 8, 5, 2, tzinfo=UTC),
    ),
    (
        "qmail_gave_up",
        "privacy@away.example",
        "4.7.1",
        TRANSIENT,
        True,
        "4719.8192a3b4c5d6e7f8",
        datetime(2026, 10, 7, 8, 5, 2, tzinfo=UTC),
    ),
]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\r\r\n"], ids=["lf", "crlf", "cr", "crcrlf"])
@pytest.mark.parametrize(
    ("name", "recipient", "status", "permanence", "gave_up", "letter", "happened_at"),
    BOUNCES,
    ids=lambda each: str(each),
)
def test_the_bounce_of_each_mail_system_is_read(
    name: str,
    recipient: str,
    status: str | None,
    permanence: Permanence,
    gave_up: bool,
    letter: str,
    happened_at: datetime,
    line_end: str,
) -> None:
    found = read_bounce(sample(name).replace(b"\n", line_end.encode()))
    assert isinstance(found, Bounce)
    assert found.recipients == (recipient,)
    assert (found.status, found.permanence, found.gave_up) == (status, permanence, gave_up)
    assert found.original_message_id == f"<2026-003-announcement.{letter}@registry.example>"
    assert found.happened_at == happened_at
    number = letter.partition(".")[0]
    assert any(address.startswith(f"bounces+k1.{number}.") for address in found.delivered_to)


def test_what_the_far_server_said_is_kept_in_one_line() -> None:
    found = read_bounce(sample("postfix"))
    assert found.diagnostic == (
        "550 5.1.1 <privacy@customer.example>: Recipient address rejected: User unknown in virtual mailbox table"
    )


def test_a_bounce_in_words_keeps_its_words_without_the_letter_that_it_returns() -> None:
    found = read_bounce(sample("qmail"))
    assert "no mailbox here by that name" in found.diagnostic
    assert "We add a subprocessor" not in found.diagnostic


def test_a_number_in_the_returned_letter_is_not_taken_for_a_status() -> None:
    found = read_bounce(sample("exim_in_words"))
    assert isinstance(found, Bounce)
    assert (found.status, found.permanence) == (None, PERMANENT)


def test_the_addresses_a_bounce_was_delivered_to_come_in_order_and_once() -> None:
    assert read_bounce(sample("postfix")).delivered_to == (
        "bounces+k1.4711.9f86d081884c7d659a2f@registry.example",
        "registry-bounces@mail.registry.example",
    )


def test_a_report_of_success_is_no_bounce_and_keeps_apart_what_was_only_passed_on() -> None:
    delivered, relayed = read_bounce(sample("success")), read_bounce(sample("relayed"))
    assert isinstance(delivered, DeliveryConfirmation)
    assert isinstance(relayed, DeliveryConfirmation)
    assert (delivered.action, delivered.status, delivered.recipients) == (
        Action.DELIVERED,
        "2.0.0",
        ("legal@customer.example",),
    )
    assert relayed.action is Action.RELAYED


def test_a_complaint_names_the_letter_though_it_comes_to_another_address() -> None:
    found = read_bounce(sample("complaint"))
    assert isinstance(found, Complaint)
    assert found.feedback_type == "abuse"
    assert found.recipients == ("someone@bigmail.example",)
    assert found.original_message_id == "<2026-003-announcement.4722.b4c5d6e7f8091a2b@registry.example>"
    assert found.delivered_to == (
        "abuse@registry.example",
        "bounces+k1.4722.4a44dc15364204a80fe8@registry.example",
    )
    assert found.happened_at == datetime(2026, 10, 1, 9, 12, tzinfo=UTC)


def test_a_feedback_report_that_says_not_spam_is_no_complaint() -> None:
    found = read_bounce(sample("not_spam"))
    assert isinstance(found, UnreadableBounce)
    assert found.reason is UnreadableReason.OTHER_FEEDBACK
    assert found.diagnostic == "not-spam"


def test_an_automatic_reply_is_no_bounce_and_says_what_it_says() -> None:
    found = read_bounce(sample("out_of_office"))
    assert isinstance(found, AutoReply)
    assert found.diagnostic.startswith(
        "Automatische Antwort: Notice 2026-003: Guten Tag, ich habe das Unternehmen verl"
    )
    assert "Für Datenschutz: datenschutz@corporation.example" in found.diagnostic
    assert found.original_message_id == "<2026-003-announcement.4723.c5d6e7f8091a2b3c@registry.example>"


@pytest.mark.parametrize(
    "marker",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: Auto-Generated; owner-email=ann@customer.example",
        "X-Autoreply: yes",
        "X-Autorespond: Away",
        "X-Autogenerated: Reply",
        "Precedence: auto_reply",
        "Subject: Out of office: Notice 2026-003",
        "Subject: =?utf-8?q?R=C3=A9ponse_automatique?=",
        "Return-Path: <>\nAuto-Submitted: auto-replied (vacation)",
    ],
)
def test_every_usual_sign_of_an_automatic_reply_is_known(marker: str) -> None:
    found = read_words("I am away until Monday.", "From: ann@customer.example", marker)
    assert isinstance(found, AutoReply)


def test_a_letter_that_is_not_automatic_by_its_own_word_is_not_taken_for_an_automatic_reply() -> None:
    found = read_words("I object.", "From: ann@customer.example", "Auto-Submitted: no", "X-Autoreply: no")
    assert isinstance(found, UnreadableBounce)
    assert found.reason is UnreadableReason.NO_REPORT


def test_an_automatic_reply_that_reads_like_a_bounce_is_for_a_person() -> None:
    words = "Hi. This is the mail program.\nI could not deliver.\n\n<ann@customer.example>:\nNo mailbox.\n"
    found = read_words(words, "From: robot@customer.example", "Auto-Submitted: auto-replied")
    assert isinstance(found, UnreadableBounce)
    assert found.reason is UnreadableReason.CONTRADICTORY


def test_the_reply_of_a_person_who_quotes_a_bounce_is_for_a_person() -> None:
    found = read_bounce(sample("human_reply"))
    assert isinstance(found, UnreadableBounce)
    assert found.reason is UnreadableReason.NO_REPORT
    assert "We object to this change" in found.diagnostic
    assert found.original_message_id == "<2026-003-announcement.4724.d6e7f8091a2b3c4d@registry.example>"
    assert found.delivered_to == ("bounces+k1.4724.6b51d431df5d7f141cbe@registry.example",)


def test_a_mail_system_that_says_nothing_known_is_for_a_person() -> None:
    found = read_words("Your message is being looked at.")
    assert isinstance(found, UnreadableBounce)
    assert found.reason is UnreadableReason.NO_OUTCOME
    assert "Your message is being looked at." in found.diagnostic


def read_receipt(words: str) -> BounceMessage:
    return read_bounce(
        "From: ann@customer.example\nTo: bounces@registry.example\nSubject: Read: Notice 2026-003\n"
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n"
        f"--b\nContent-Type: text/plain\n\n{words}\n--b\nContent-Type: message/disposition-notification\n\n"
        "Final-Recipient: rfc822; ann@customer.example\nDisposition: manual-action/MDN-sent-manually; displayed\n"
        "--b--\n".encode()
    )


def test_a_receipt_for_reading_is_neither_bounce_nor_delivery_and_a_refusal_in_its_form_is_a_bounce() -> None:
    read = read_receipt("Your message was displayed. This is no guarantee that it was read.")
    assert isinstance(read, UnreadableBounce)
    assert read.reason is UnreadableReason.NO_OUTCOME
    refused = read_receipt("Your message to <ann@customer.example> was automatically rejected:\nQuota exceeded")
    assert isinstance(refused, Bounce)
    assert (refused.recipients, refused.permanence) == (("ann@customer.example",), PERMANENT)


@pytest.mark.parametrize(
    ("written", "addresses"),
    [
        (
            "Bounces <bounces+k1.1.aa@registry.example>, b@registry.example",
            ("bounces+k1.1.aa@registry.example", "b@registry.example"),
        ),
        ("BOUNCES@registry.example, bounces@registry.example", ("BOUNCES@registry.example",)),
        (f"SRS0={'x' * 90}@forward.example", (f"SRS0={'x' * 90}@forward.example",)),
        (f"{'x' * 201}@forward.example", ()),
        ("undisclosed-recipients:;", ()),
        (", ".join(f"a{n}@registry.example" for n in range(100)), tuple(f"a{n}@registry.example" for n in range(20))),
    ],
)
def test_addresses_are_read_whole_or_not_at_all(written: str, addresses: tuple[str, ...]) -> None:
    assert read_bounce(f"From: a@b.example\nTo: {written}\n\nhello\n".encode()).delivered_to == addresses


@pytest.mark.parametrize(
    "subject", ["=?utf-8?b?!?=", "=?nothing?q?a?=", "=?idna?q?a?=", "=?\u00fc\ufffd?q?a?=", "=?utf-8?q?=E9?=", "=?a"]
)
def test_a_subject_that_cannot_be_decoded_spoils_nothing(subject: str) -> None:
    found = read_words("The following address failed: <a@b.example>", "From: MAILER-DAEMON", f"Subject: {subject}")
    assert isinstance(found, Bounce)
    assert found.recipients == ("a@b.example",)


def test_a_warning_in_words_is_a_delay() -> None:
    found = read_words(
        "A message has not yet been delivered:\n\n  <ann@customer.example>\n\nNo action is required on your part."
    )
    assert isinstance(found, Bounce)
    assert (found.permanence, found.gave_up, found.recipients) == (TRANSIENT, False, ("ann@customer.example",))


@pytest.mark.parametrize(
    ("fields", "status", "permanence", "gave_up"),
    [
        ("Action: failed\nStatus: 5.2.2", "5.2.2", PERMANENT, True),
        ("Action: failed\nStatus: 4.2.2", "4.2.2", TRANSIENT, True),
        ("Action: delayed\nStatus: 4.2.2", "4.2.2", TRANSIENT, False),
        ("Action: delayed\nStatus: 5.0.0", "5.0.0", TRANSIENT, False),
        ("Action: Failed (no such user)\nStatus: 5.1.1 (bad destination mailbox)", "5.1.1", PERMANENT, True),
        ("Action: error\nStatus: 5.1.1", "5.1.1", PERMANENT, True),
        ("Action: failed", None, PERMANENT, True),
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.7.1 Refused", "5.7.1", PERMANENT, True),
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 452 4.2.2 Full", "5.0.0", PERMANENT, True),
        ("Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.7.1 Refused", "5.1.1", PERMANENT, True),
        (
            "Action: failed\nStatus: 5.0.350\nDiagnostic-Code: smtp;550 5.0.350 Remote server returned message "
            "detected as spam\n -> 550 5.7.1 Message rejected as spam by Content Filtering.",
            "5.7.1",
            PERMANENT,
            True,
        ),
        ("Action: failed\nStatus: 5.0.350\nDiagnostic-Code: smtp; 550 5.0.350 No reason", "5.0.350", PERMANENT, True),
        ("Action: failed\nDiagnostic-Code: smtp; 450 4.0.0 Later -> 550 5.1.1 Unknown", "4.0.0", TRANSIENT, True),
        ("Action: failed\nStatus: none\nDiagnostic-Code: smtp; 452 4.2.2 Full", "4.2.2", TRANSIENT, True),
        ("Action: failed\nDiagnostic-Code: smtp; 450 Mailbox busy", None, TRANSIENT, True),
        ("Action: failed\nDiagnostic-Code: smtp; 550-No such user", None, PERMANENT, True),
        ("Action: failed\nDiagnostic-Code: x; 192.0.4.2.1 timed out", None, PERMANENT, True),
        ("Status: 5.1.1", "5.1.1", PERMANENT, True),
        ("Status: 4.4.7", "4.4.7", TRANSIENT, True),
        ("Action: bounced\nStatus: 5.1.1", "5.1.1", PERMANENT, True),
    ],
)
def test_the_class_of_the_status_says_for_how_long_and_the_action_whether_the_server_gave_up(
    fields: str, status: str | None, permanence: Permanence, gave_up: bool
) -> None:
    found = read_status(f"Final-Recipient: rfc822; ann@customer.example\n{fields}")
    assert isinstance(found, Bounce)
    assert (found.status, found.permanence, found.gave_up) == (status, permanence, gave_up)
    assert found.recipients == ("ann@customer.example",)


@pytest.mark.parametrize("fields", ["Status: 2.0.0", "Action: pondered", "X-Nothing: at all"])
def test_a_report_that_says_nothing_of_any_recipient_is_for_a_person(fields: str) -> None:
    found = read_status(f"Final-Recipient: rfc822; ann@customer.example\n{fields}")
    assert isinstance(found, UnreadableBounce)
    assert found.reason is UnreadableReason.NO_OUTCOME


@pytest.mark.parametrize(
    ("fields", "recipient"),
    [
        (
            "Original-Recipient: rfc822;Ann@customer.example\nFinal-Recipient: rfc822; u17@inner.example",
            "Ann@customer.example",
        ),
        ("Final-Recipient: RFC822;<ann@customer.example>", "ann@customer.example"),
        ("Final-Recipient: <ann@customer.example>", "ann@customer.example"),
        ("Final-Recipient: utf-8; jürgen@customer.example", "jürgen@customer.example"),
        ("Original-Recipient: rfc822; unknown\nFinal-Recipient: rfc822; ann@customer.example", "ann@customer.example"),
    ],
)
def test_the_address_that_we_wrote_to_is_named_rather_than_the_one_it_forwards_to(fields: str, recipient: str) -> None:
    assert read_status(f"{fields}\nAction: failed\nStatus: 5.1.1").recipients == (recipient,)


def test_of_several_recipients_the_worst_counts() -> None:
    delivered = "Final-Recipient: rfc822; a@customer.example\nAction: delivered\nStatus: 2.0.0"
    relayed = "Final-Recipient: rfc822; b@customer.example\nAction: relayed\nStatus: 2.0.0"
    delayed = "Final-Recipient: rfc822; c@customer.example\nAction: delayed\nStatus: 4.4.1"
    spent = "Final-Recipient: rfc822; d@customer.example\nAction: failed\nStatus: 4.4.7"
    failed = "Final-Recipient: rfc822; e@customer.example\nAction: failed\nStatus: 5.1.1"
    again = "Final-Recipient: rfc822; f@customer.example\nAction: failed\nStatus: 5.2.1"
    assert read_status(delivered, relayed, delayed, spent, failed, again).recipients == (
        "e@customer.example",
        "f@customer.example",
    )
    assert read_status(delivered, relayed, delayed, spent).recipients == ("d@customer.example",)
    assert read_status(delivered, relayed, delayed).recipients == ("c@customer.example",)
    found = read_status(delivered, relayed)
    assert isinstance(found, DeliveryConfirmation)
    assert found.action is Action.RELAYED


def test_the_instant_of_the_last_try_counts_before_the_date_of_the_report() -> None:
    fields = "Final-Recipient: rfc822; a@customer.example\nAction: failed\nStatus: 5.1.1"
    assert read_status(fields).happened_at == datetime(2026, 9, 30, 8, tzinfo=UTC)
    tried = f"{fields}\nLast-Attempt-Date: Wed, 30 Sep 2026 09:59:00 +0200"
    assert read_status(tried).happened_at == datetime(2026, 9, 30, 7, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Wed, 30 Sep 2026 10:00:00",
        "Wed, 31 Feb 2026 10:00:00 +0200",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Wed, 30 Sep 2026 10:00:00 +9999999999",
        "1" * 900,
    ],
)
def test_a_date_that_is_none_or_names_no_zone_is_not_guessed(date: str) -> None:
    assert read_words("x", "From: MAILER-DAEMON@x.example", f"Date: {date}").happened_at is None


def test_a_status_sent_in_base64_is_read_though_the_standard_forbids_it() -> None:
    status = "Reporting-MTA: dns; x.example\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n"
    encoded = base64.encodebytes(status.encode()).decode()
    found = read_bounce(
        "From: postmaster@x.example\nContent-Type: multipart/report; boundary=b\n\n--b\n"
        "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
        f"{encoded}\n--b--\n".encode()
    )
    assert isinstance(found, Bounce)
    assert (found.recipients, found.status) == (("a@b.example",), "5.1.1")


def test_a_status_for_international_addresses_is_read() -> None:
    found = read_bounce(
        "From: postmaster@x.example\nContent-Type: multipart/report; boundary=b\n\n--b\n"
        "Content-Type: message/global-delivery-status\n\nReporting-MTA: dns; x.example\n\n"
        "Final-Recipient: utf-8; jürgen@müller.example\nAction: failed\nStatus: 5.1.1\n--b--\n".encode()
    )
    assert isinstance(found, Bounce)
    assert found.recipients == ("jürgen@müller.example",)


def test_a_report_within_the_returned_letter_is_not_about_that_letter() -> None:
    inner = sample("postfix").decode()
    found = read_bounce(
        "From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; boundary=outer\n\n"
        "--outer\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\n"
        "Final-Recipient: rfc822; a@b.example\nAction: delayed\nStatus: 4.4.1\n\n"
        f"--outer\nContent-Type: message/rfc822\n\n{inner}\n--outer--\n".encode()
    )
    assert isinstance(found, Bounce)
    assert (found.recipients, found.gave_up) == (("a@b.example",), False)
    assert found.original_message_id == "<20260930080007.3B1C2A4F5D@mail.registry.example>"


def test_a_mailbox_line_before_the_headers_is_no_hindrance() -> None:
    found = read_bounce(b"From MAILER-DAEMON Wed Sep 30 10:00:07 2026\n" + sample("postfix"))
    assert isinstance(found, Bounce)
    assert found.status == "5.1.1"


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
