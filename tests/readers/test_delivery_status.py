"""A report with fields for each recipient: who failed, for how long, whether the server gave up, and when."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from registry.readers.bounce_message import read_bounce
from registry.readers.bounce_report import Bounce, DeliveryConfirmation, Permanence, UnreadableBounce, UnreadableReason
from registry.readers.delivery_status import Action
from tests.readers.returned_mail import PERMANENT, TRANSIENT, read_status


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
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 452 4.2.2 Full", "4.2.2", TRANSIENT, True),
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 452 Mailbox full", "5.0.0", TRANSIENT, True),
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; retry timeout exceeded", "5.0.0", TRANSIENT, True),
        ("Action: failed\nStatus: 4.0.0\nDiagnostic-Code: smtp; 550 5.1.1 Unknown", "4.0.0", TRANSIENT, True),
        ("Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 452 4.2.2 Full", "5.1.1", PERMANENT, True),
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 No such user", "5.0.0", PERMANENT, True),
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


@pytest.mark.parametrize(
    ("words", "status", "permanence"),
    [
        ("retry timeout exceeded", "5.0.0", TRANSIENT),
        ("host mx.customer.example [192.0.2.1]\n    Connection timed out: retry timeout exceeded", "5.0.0", TRANSIENT),
        (
            "all hosts for 'customer.example' have been failing for a long time (and retry time not reached)",
            "5.0.0",
            TRANSIENT,
        ),
        ("retry time not reached for any host after a long failure period", "5.0.0", TRANSIENT),
        ("SMTP error from remote mail server: 452 4.2.2 Mailbox full: retry timeout exceeded", "4.2.2", TRANSIENT),
        ("SMTP error from remote mail server: 550 5.7.1 Refused", "5.7.1", PERMANENT),
        ("Unrouteable address", "5.0.0", PERMANENT),
    ],
)
def test_where_nothing_is_said_to_machines_the_words_for_people_say_for_how_long(
    words: str, status: str, permanence: Permanence
) -> None:
    """Exim names no diagnosis where no server of the recipient answered."""
    fields = "Action: failed\nFinal-Recipient: rfc822;ann@customer.example\nStatus: 5.0.0"
    found = read_status(fields, words=f"The following address(es) failed:\n\n  ann@customer.example\n    {words}")
    assert isinstance(found, Bounce)
    assert (found.status, found.permanence, found.gave_up) == (status, permanence, True)
    assert " ".join(words.split()) in found.diagnostic
    told = read_status(f"{fields}\nDiagnostic-Code: smtp; 550 No such user", words=words)
    assert isinstance(told, Bounce)
    assert (told.status, told.permanence, told.diagnostic) == ("5.0.0", PERMANENT, "550 No such user")
    others = read_status(fields, fields.replace("ann@", "ben@"), words=words)
    assert isinstance(others, Bounce)
    assert (others.status, others.permanence) == ("5.0.0", PERMANENT), "nobody knows whom of the two it is about"


def test_the_words_of_a_report_make_no_failure_of_one_that_names_none() -> None:
    assert isinstance(read_status("X-Nothing: at all", words="retry timeout exceeded"), UnreadableBounce)
    waits = read_status("Action: delayed\nStatus: 4.0.0", words="550 5.1.1 No such user")
    assert isinstance(waits, Bounce)
    assert (waits.status, waits.gave_up, waits.diagnostic) == ("4.0.0", False, "")


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
