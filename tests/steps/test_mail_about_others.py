"""Mail about other recipients than the one we wrote to: members of a list, targets of a forward (R12, R26)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from registry.domain.outcomes import OutcomeKind
from registry.steps.check_addresses import check_addresses
from registry.steps.receive_mail import Happened
from registry.steps.task_words import say_remedy, say_task
from registry.steps.tasks import TaskKind
from registry.tables import Notice, Task
from tests.channels.smtp_server import MailServer, ReceivedMessage
from tests.steps.bounce_cast import (
    ADA,
    BOUNCES,
    LATEST_RECEIPT,
    SUPPORT,
    came_back,
    letter_to,
    outcomes,
    receive,
    suppressed,
    tasks,
    world_that_told,
)
from tests.steps.post_office import DPO, dispatch_of, standing_of, states_of
from tests.world import World


@pytest.fixture
def world(database_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation with a bounce address, which has told Bremen and Ada of a second hosting place."""
    with world_that_told(database_url, tmp_path / "instance", mail_server) as world:
        yield world


def open_mail(world: World) -> list[Task]:
    return tasks(world, TaskKind.MAIL_TO_READ)


OURS = f"Final-Recipient: rfc822; {DPO}\nOriginal-Recipient: rfc822;{DPO}\n"
LEFT = "left@bremen.example"
ALONE = f"Final-Recipient: rfc822; {LEFT}\n"
SENT_ON = f"{ALONE}Original-Recipient: rfc822;{DPO}\n"
FAILED = "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n"
FULL = "Action: failed\nStatus: 4.2.2\n"
DELAYED = "Action: delayed\nStatus: 4.4.1\n"
EXPANDED = "Action: expanded\nStatus: 2.0.0\n"
RELAYED = "Action: relayed\nStatus: 2.0.0\n"
DELIVERED = "Action: delivered\nStatus: 2.0.0\n"


def status_of(letter: ReceivedMessage, *blocks: str) -> bytes:
    """Return a report to a letter's return path with one block for each recipient."""
    said = "\n".join(blocks)
    return (
        f"From: MAILER-DAEMON@mx.bremen.example\nTo: {letter.mail_from}\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.bremen.example\n\n"
        f"{said}\n--b--\n"
    ).encode()


@pytest.mark.parametrize(
    ("blocks", "kind", "state", "reason", "reasons"),
    [
        ([OURS + FAILED], "bounced", "bounced", None, ["bounced"]),
        (["Original-Recipient: rfc822;DPO@Bremen.example\n" + FAILED], "bounced", "bounced", None, ["bounced"]),
        ([FAILED], "bounced", "bounced", None, ["bounced"]),
        # One on a list is no more: the list took the letter.
        ([OURS + EXPANDED, ALONE + FAILED], "expanded", "accepted", "another-recipient", []),
        ([ALONE + FAILED, OURS + EXPANDED], "expanded", "accepted", "another-recipient", []),
        ([OURS + EXPANDED, SENT_ON + FAILED], "expanded", "accepted", "another-recipient", []),
        ([OURS + RELAYED, ALONE + FAILED], "relayed", "accepted", "another-recipient", []),
        ([OURS + DELIVERED, ALONE + FAILED], "delivered", "delivered", None, []),
        ([OURS + FAILED, ALONE + DELIVERED], "bounced", "bounced", None, ["bounced"]),
        # It was sent on from our address, says the report: what befell it there befell the letter.
        ([SENT_ON + FAILED], "gave_up", "bounced", None, []),
        ([SENT_ON + FAILED.replace("5.1.1", "5.7.1")], "refused", "bounced", None, []),
        ([SENT_ON + FULL], "gave_up", "bounced", None, []),
        ([SENT_ON + FAILED, ALONE.replace("left", "here") + DELIVERED], "gave_up", "bounced", None, []),
        ([SENT_ON + FAILED, SENT_ON.replace("left", "here") + DELIVERED], "delivered", "delivered", None, []),
        ([SENT_ON + DELAYED], "delayed", "accepted", None, []),
        ([SENT_ON + DELIVERED], "delivered", "delivered", None, []),
        # Of others nobody knows what they have to do with our address.
        ([ALONE + FAILED], None, "accepted", "another-recipient", []),
        ([ALONE + FULL], None, "accepted", "another-recipient", []),
        ([ALONE + DELAYED], "delayed", "accepted", None, []),
        ([ALONE + DELIVERED], "expanded", "accepted", None, []),
    ],
)
def test_what_is_said_of_the_address_we_wrote_to_counts_before_what_is_said_of_others(
    world: World,
    mail_server: MailServer,
    blocks: list[str],
    kind: str | None,
    state: str,
    reason: str | None,
    reasons: list[str],
) -> None:
    letter = letter_to(mail_server, DPO)
    received = receive(world, status_of(letter, *blocks), letter.mail_from)
    assert (received.kind, received.reason) == (kind, reason)
    assert received.happened is (Happened.RECORDED if reason is None else Happened.KEPT)
    assert states_of(world) == {DPO: state, ADA: "accepted"}
    assert standing_of(world, "bremen").state == ("waiting" if state == "bounced" else "received")
    assert suppressed(world) == reasons
    assert [each.kind for each in outcomes(world)] == ([kind] if kind else [])
    found = [(task.due_at, task.facts["reason"], task.facts["customer"]) for task in open_mail(world)]
    assert found == ([(LATEST_RECEIPT, reason, "bremen")] if reason else [])


@pytest.mark.parametrize("sample", ["exim_in_words", "qmail"])
def test_a_bounce_in_words_about_the_target_of_a_forward_is_for_a_person(
    world: World, mail_server: MailServer, sample: str
) -> None:
    letter = letter_to(mail_server, DPO)
    received = receive(world, came_back(sample, letter, to=LEFT), letter.mail_from)
    assert (received.happened, received.reason) == (Happened.KEPT, "another-recipient")
    assert (states_of(world)[DPO], suppressed(world)) == ("accepted", [])


def test_a_complaint_by_one_on_a_list_is_for_a_person_and_one_whose_author_is_hidden_counts(
    world: World, mail_server: MailServer
) -> None:
    letter = letter_to(mail_server, DPO)
    other, hidden = (came_back("complaint", letter, to=to) for to in (LEFT, "redacted@bremen.example"))
    assert receive(world, other).reason == "another-recipient"
    assert (states_of(world)[DPO], suppressed(world)) == ("accepted", [])
    assert receive(world, hidden).kind is OutcomeKind.COMPLAINED
    assert suppressed(world) == ["complained"]


def test_a_test_of_the_publishers_address_fails_by_that_address_and_not_by_one_on_its_list(
    world: World, mail_server: MailServer
) -> None:
    assert check_addresses(world.wiring.engine, world.clock, dispatch_of(world)) == {"accepted": 1}
    letter = letter_to(mail_server, SUPPORT)
    ours = f"Final-Recipient: rfc822; {SUPPORT}\n"
    assert receive(world, status_of(letter, ours + EXPANDED, ALONE + FAILED)).happened is Happened.ADDRESS_ANSWERS
    member = receive(world, status_of(letter, ALONE + FAILED))
    assert (member.happened, member.reason) == (Happened.KEPT, "another-recipient")
    assert tasks(world, TaskKind.ADDRESS_FAILS) == []
    assert receive(world, status_of(letter, ALONE + FAILED, ours + FAILED)).happened is Happened.ADDRESS_FAILS


def test_the_task_says_who_may_not_be_reached_how_long_there_is_and_what_to_do(
    world: World, mail_server: MailServer
) -> None:
    letter = letter_to(mail_server, DPO)
    receive(world, status_of(letter, ALONE + FAILED), letter.mail_from)
    receive(world, came_back("postfix", letter, return_path=BOUNCES))
    another, unsigned = tasks(world, TaskKind.MAIL_TO_READ)
    said = [say_task(each.kind, "antopsis", each.facts) for each in (another, unsigned)]
    assert all(each.startswith("Mail to antopsis came about a letter to bremen that a person must") for each in said)
    assert "perhaps nobody read it" in said[0]
    assert "anybody may have written it" in said[1]
    remedy = say_remedy(another.kind, "antopsis", another.facts)
    assert "registry bounce show 1" in remedy
    assert "registry notice served 2026-001 --publisher antopsis --customer bremen" in remedy
    assert not any(address in " ".join((*said, remedy)) for address in (DPO, LEFT))


def test_a_letter_about_no_pending_notice_has_no_day_by_which_it_is_too_late(
    world: World, mail_server: MailServer
) -> None:
    letter = letter_to(mail_server, DPO)
    with world.writing() as session:
        session.execute(update(Notice).values(state="withdrawn"))
    receive(world, status_of(letter, ALONE + FAILED), letter.mail_from)
    assert [task.due_at for task in open_mail(world)] == [None]
