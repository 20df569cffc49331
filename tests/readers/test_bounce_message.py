"""What comes back by mail: how each mail system says that a letter failed, and what else is read in its message.

The samples in `bounces/` are written by hand after the forms that the mail systems they are named for use.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from registry.readers.bounce_message import read_bounce
from registry.readers.bounce_report import Bounce, Permanence
from tests.readers.returned_mail import PERMANENT, TRANSIENT, read_words, sample

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


def test_a_bounce_in_words_after_many_tries_is_for_a_reason_that_passes() -> None:
    found = read_bounce(
        sample("exim_in_words").replace(
            b"    550 No such user here\n", b"    Connection timed out: retry timeout exceeded\n"
        )
    )
    assert isinstance(found, Bounce)
    assert (found.status, found.permanence, found.gave_up) == (None, TRANSIENT, True)


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
