"""Bounces of Exim, which gives 5.0.0 to whatever failed: the words say whether the address is to blame (R12, R26)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.domain.outcomes import OutcomeKind
from registry.steps.bounce_kinds import choose_kind_by_words
from registry.steps.receive_mail import Happened
from tests.channels.smtp_server import MailServer
from tests.steps.bounce_cast import came_back, letter_to, outcomes, receive, suppressed, world_that_told
from tests.steps.post_office import DPO, standing_of, states_of
from tests.world import World

BLOCKED = "550 Blocked - see https://www.spamhaus.org/query/ip/192.0.2.1"
SPAM = "550 This message was classified as SPAM and may not be delivered"
LONG = "all hosts for 'customer.example' have been failing for a long time (and retry time not reached)"


@pytest.fixture
def world(database_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation with a bounce address, which has told Bremen and Ada of a second hosting place."""
    with world_that_told(database_url, tmp_path / "instance", mail_server) as world:
        yield world


def came_back_from_exim(server: MailServer, answer: str, diagnosis: bool) -> bytes:
    """Return what Exim writes of the letter to Bremen where the far server gave this answer.

    Without a `diagnosis` no server answered, and Exim's own words stand where people read.
    """
    message = came_back("exim", letter_to(server, DPO))
    told = b"Diagnostic-Code: smtp; 550 5.2.1 The account is disabled\n"
    assert told in message
    if not diagnosis:
        message = message.replace(told, b"").replace(b"Remote-MTA: dns; mx.school.example\n", b"")
    return message.replace(b"550 5.2.1 The account is disabled", answer.encode())


@pytest.mark.parametrize(
    ("answer", "diagnosis", "kind", "detail"),
    [
        ("452 4.2.2 Mailbox full: retry timeout exceeded", True, OutcomeKind.GAVE_UP, "4.2.2 452 4.2.2 Mailbox full"),
        ("421 Too many connections: retry timeout exceeded", True, OutcomeKind.GAVE_UP, "5.0.0 421 Too many"),
        ("retry timeout exceeded", False, OutcomeKind.GAVE_UP, "retry timeout exceeded"),
        (LONG, False, OutcomeKind.GAVE_UP, LONG),
        ("552 Mailbox full", True, OutcomeKind.GAVE_UP, "5.0.0 552 Mailbox full"),
        (BLOCKED, True, OutcomeKind.REFUSED, f"5.0.0 {BLOCKED}"),
        (SPAM, True, OutcomeKind.REFUSED, f"5.0.0 {SPAM}"),
        ("554 Sender address rejected: SPF fail", True, OutcomeKind.REFUSED, "SPF fail"),
        (
            "Domain registry.example has exceeded the max defers and failures per hour (5/5 (100%)) allowed.",
            False,
            OutcomeKind.REFUSED,
            "exceeded the max defers",
        ),
    ],
)
def test_a_contact_stays_where_the_words_do_not_blame_its_address(
    world: World, mail_server: MailServer, answer: str, diagnosis: bool, kind: OutcomeKind, detail: str
) -> None:
    received = receive(world, came_back_from_exim(mail_server, answer, diagnosis))
    assert (received.happened, received.kind) == (Happened.RECORDED, kind)
    assert suppressed(world) == []
    assert states_of(world)[DPO] == "bounced"
    assert standing_of(world, "bremen").state == "waiting"
    (outcome,) = outcomes(world)
    assert detail in (outcome.detail or "")


@pytest.mark.parametrize(
    ("answer", "diagnosis"), [("550 No such user here", True), ("550 5.1.1 Gone", True), ("Unrouteable address", False)]
)
def test_a_contact_whose_address_does_not_work_is_written_to_no_more(
    world: World, mail_server: MailServer, answer: str, diagnosis: bool
) -> None:
    assert receive(world, came_back_from_exim(mail_server, answer, diagnosis)).kind is OutcomeKind.BOUNCED
    assert suppressed(world) == ["bounced"]


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (None, SPAM, OutcomeKind.REFUSED),
        (None, "No such user", OutcomeKind.BOUNCED),
        ("5.0.350", BLOCKED, OutcomeKind.REFUSED),
        ("5.1.1", SPAM, OutcomeKind.BOUNCED),
        ("5.2.1", BLOCKED, OutcomeKind.BOUNCED),
        ("5.3.0", SPAM, OutcomeKind.GAVE_UP),
        (None, "mailbox full", OutcomeKind.GAVE_UP),
    ],
)
def test_words_count_where_the_code_says_nothing(status: str | None, words: str, kind: OutcomeKind) -> None:
    assert choose_kind_by_words(status, words, is_permanent=True, gave_up=True) is kind
    assert choose_kind_by_words(status, words, is_permanent=False, gave_up=True) is OutcomeKind.GAVE_UP
    assert choose_kind_by_words(status, words, is_permanent=True, gave_up=False) is OutcomeKind.DELAYED
