"""Mail to the bounce address: an outcome where it is certain, a person where it is not, and nothing goes away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from registry.domain.outcomes import OutcomeKind
from registry.steps.addresses import find_address
from registry.steps.check_addresses import check_addresses
from registry.steps.dispatch import Dispatch
from registry.steps.erase_address import ErasedBecause, erase_addresses
from registry.steps.keyring import load_keyring, rotate_link_key
from registry.steps.lookup import get_publisher
from registry.steps.receive_mail import BY_MAIL, Happened, receive_mail
from registry.steps.task_words import say_remedy, say_task
from registry.steps.tasks import TaskKind
from registry.tables import Delivery, Notice, Task
from tests.channels.smtp_server import MailServer, ReceivedMessage
from tests.steps.bounce_cast import (
    BOUNCES,
    bouncing_world,
    came_back,
    kept,
    letter_to,
    outcomes,
    receive,
    suppressed,
    tasks,
)
from tests.steps.post_office import (
    DPO,
    announce_to,
    change,
    delivery_to,
    events,
    send,
    standing_of,
    states_of,
)
from tests.world import World, utc

ADA = "ada@reader.example"
SUPPORT = "support@antopsis.example"
LATEST_RECEIPT = utc("2026-10-01 21:59:59.999999")
"""The last instant at which Bremen's receipt allows the date that it was told."""


@pytest.fixture
def world(database_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation with a bounce address, which has told Bremen and Ada of a second hosting place."""
    with bouncing_world(database_url, tmp_path / "instance", mail_server) as world:
        announce_to(world, ADA)
        assert send(world) == {"accepted": 2}
        yield world


def open_mail(world: World) -> list[Task]:
    return tasks(world, TaskKind.MAIL_TO_READ)


def test_every_letter_has_a_return_path_of_its_own(world: World, mail_server: MailServer) -> None:
    paths = {letter_to(mail_server, email).mail_from for email in (DPO, ADA)}
    assert len(paths) == 2
    assert all(path.startswith("bounces+k1.") and path.endswith("@registry.example") for path in paths)


def test_a_bounce_to_the_return_path_bounces_its_letter_and_takes_the_receipt_back(
    world: World, mail_server: MailServer
) -> None:
    letter = letter_to(mail_server, DPO)
    received = receive(world, came_back("postfix", letter), letter.mail_from)
    assert (received.happened, received.kind) == (Happened.RECORDED, OutcomeKind.BOUNCED)
    assert states_of(world) == {DPO: "bounced", ADA: "accepted"}
    assert standing_of(world, "bremen").state == "waiting"
    assert suppressed(world) == ["bounced"]
    (outcome,) = outcomes(world)
    assert (outcome.provider, outcome.delivery_id) == ("dsn", delivery_to(world, DPO).id)
    assert outcome.detail is not None
    assert "User unknown" in outcome.detail
    assert kept(world) == []


def test_the_same_message_piped_twice_counts_once(world: World, mail_server: MailServer) -> None:
    letter = letter_to(mail_server, DPO)
    bounce, reply = came_back("postfix", letter), came_back("human_reply", letter)
    assert [receive(world, bounce).happened for _ in range(2)] == [Happened.RECORDED, Happened.KNOWN]
    assert [receive(world, reply).happened for _ in range(2)] == [Happened.KEPT, Happened.KNOWN]
    assert (len(outcomes(world)), len(kept(world)), len(tasks(world, TaskKind.MAIL_TO_READ))) == (1, 1, 1)


@pytest.mark.parametrize("sample", ["postfix", "exim", "exchange_online", "gmail"])
def test_without_a_signed_path_the_letters_own_id_tells_which_it_was_and_a_person_what_became_of_it(
    world: World, mail_server: MailServer, sample: str
) -> None:
    """Whoever was copied on an answer to a letter has its Message-ID and its reader's address."""
    message = came_back(sample, letter_to(mail_server, DPO), return_path=BOUNCES)
    received = receive(world, message, BOUNCES)
    assert (received.happened, received.reason) == (Happened.KEPT, "unsigned")
    assert (states_of(world)[DPO], standing_of(world, "bremen").state) == ("accepted", "received")
    assert (suppressed(world), outcomes(world)) == ([], [])
    (mail,) = kept(world)
    assert (mail.body, mail.delivery_id) == (message, delivery_to(world, DPO).id)
    (task,) = tasks(world, TaskKind.MAIL_TO_READ)
    assert task.facts == {"mail": mail.id, "reason": "unsigned", "customer": "bremen", "notice": "2026-001"}
    assert task.due_at == LATEST_RECEIPT


@pytest.mark.parametrize("sample", ["success", "complaint"])
def test_without_a_signed_path_nothing_proves_receipt(world: World, mail_server: MailServer, sample: str) -> None:
    message = came_back(sample, letter_to(mail_server, ADA), return_path=BOUNCES)
    assert receive(world, message, BOUNCES).reason == "unsigned"
    assert states_of(world)[ADA] == "accepted"
    assert suppressed(world) == []


def test_without_a_bounce_address_every_report_that_would_move_a_letter_is_for_a_person(
    world: World, mail_server: MailServer
) -> None:
    messages = [came_back(sample, letter_to(mail_server, DPO)) for sample in ("postfix", "postfix_delayed")]
    with world.writing() as session:
        keyring = load_keyring(session, world.at)
        received = [receive_mail(session, world.at, keyring, None, each, None) for each in messages]
    assert [(each.happened, each.reason) for each in received] == [
        (Happened.KEPT, "unsigned"),
        (Happened.RECORDED, None),
    ]
    assert (states_of(world)[DPO], suppressed(world)) == ("accepted", [])


def test_a_bounce_by_id_about_another_address_is_for_a_person(world: World, mail_server: MailServer) -> None:
    message = came_back("postfix", letter_to(mail_server, DPO), return_path=BOUNCES, to="elsewhere@customer.example")
    received = receive(world, message)
    assert (received.happened, received.reason) == (Happened.KEPT, "unsigned")
    assert states_of(world)[DPO] == "accepted"


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
    dispatch = Dispatch(world.channels, world.wiring.letterhead, world.wiring.keyring)
    assert check_addresses(world.wiring.engine, world.clock, dispatch) == {"accepted": 1}
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


def test_a_forged_return_path_bounces_nothing_and_is_kept(world: World, mail_server: MailServer) -> None:
    letter = letter_to(mail_server, DPO)
    forged = letter.mail_from.replace("@", "0@").replace("00@", "11@")
    assert forged != letter.mail_from
    number = delivery_to(world, ADA).id
    path = f"bounces+k1.{number}.{'0' * 20}@registry.example"
    for each in (forged, path):
        message = came_back("postfix", letter, return_path=each, to="x@reader.example")
        assert receive(world, message, each).happened is Happened.KEPT
    assert states_of(world) == {DPO: "accepted", ADA: "accepted"}
    assert len(kept(world)) == 2


def test_a_path_signed_by_a_key_that_was_replaced_before_its_row_was_made_names_another_letter(
    world: World, mail_server: MailServer
) -> None:
    """After a restore numbers are given again: what was signed for the first holder says nothing of the second."""
    letter = letter_to(mail_server, DPO)
    with world.writing() as session:
        rotate_link_key(session, world.at, BY_MAIL)
    world.at = world.at.replace(day=30, hour=20)
    change(world, delivery_to(world, DPO), created_at=world.at, message_id="<another@registry.example>")
    assert receive(world, came_back("postfix", letter), letter.mail_from).happened is Happened.KEPT
    assert states_of(world)[DPO] == "accepted"


def test_a_letter_that_waits_on_its_way_is_on_record_and_moves_nothing(world: World, mail_server: MailServer) -> None:
    received = receive(world, came_back("postfix_delayed", letter_to(mail_server, DPO)))
    assert (received.happened, received.kind) == (Happened.RECORDED, OutcomeKind.DELAYED)
    assert states_of(world)[DPO] == "accepted"
    assert outcomes(world)[0].delivery_id == delivery_to(world, DPO).id
    assert standing_of(world, "bremen").state == "received"


def test_a_letter_given_up_after_days_is_lost_and_its_address_is_written_to_again(
    world: World, mail_server: MailServer
) -> None:
    received = receive(world, came_back("postfix_expired", letter_to(mail_server, DPO)))
    assert received.kind is OutcomeKind.GAVE_UP
    assert states_of(world)[DPO] == "bounced"
    assert standing_of(world, "bremen").state == "waiting"
    assert suppressed(world) == []


def test_a_refusal_by_policy_loses_the_letter_and_not_the_contact(world: World, mail_server: MailServer) -> None:
    message = came_back("postfix", letter_to(mail_server, DPO)).replace(b"5.1.1", b"5.7.1")
    assert receive(world, message).kind is OutcomeKind.REFUSED
    assert states_of(world)[DPO] == "bounced"
    assert standing_of(world, "bremen").state == "waiting"
    assert suppressed(world) == []


def test_a_report_of_delivery_proves_it_and_one_that_the_letter_went_on_does_not(
    world: World, mail_server: MailServer
) -> None:
    assert receive(world, came_back("success", letter_to(mail_server, DPO))).kind is OutcomeKind.DELIVERED
    assert receive(world, came_back("relayed", letter_to(mail_server, ADA))).kind is OutcomeKind.RELAYED
    assert states_of(world) == {DPO: "delivered", ADA: "accepted"}


def test_a_complaint_by_mail_proves_receipt_and_suppresses(world: World, mail_server: MailServer) -> None:
    assert receive(world, came_back("complaint", letter_to(mail_server, ADA))).kind is OutcomeKind.COMPLAINED
    assert states_of(world)[ADA] == "delivered"
    assert suppressed(world) == ["complained"]


@pytest.mark.parametrize(("sample", "reason"), [("out_of_office", "auto-reply"), ("human_reply", "no-report")])
def test_what_a_contact_or_its_machine_answers_is_a_task_of_its_own_and_kept_to_the_last_byte(
    world: World, mail_server: MailServer, sample: str, reason: str
) -> None:
    message = came_back(sample, letter_to(mail_server, DPO))
    received = receive(world, message, letter_to(mail_server, DPO).mail_from)
    assert (received.happened, received.reason) == (Happened.KEPT, reason)
    (mail,) = kept(world)
    assert (mail.body, mail.delivery_id) == (message, delivery_to(world, DPO).id)
    (task,) = tasks(world, TaskKind.MAIL_TO_READ)
    assert (task.subject_kind, task.subject) == ("mail", str(mail.id))
    assert task.facts == {"mail": mail.id, "reason": reason, "customer": "bremen", "notice": "2026-001"}
    assert states_of(world)[DPO] == "accepted"


def test_what_followers_machines_answer_is_one_task_together(world: World, mail_server: MailServer) -> None:
    message = came_back("out_of_office", letter_to(mail_server, ADA))
    for number in range(3):
        assert receive(world, message + f"{number}\n".encode()).happened is Happened.KEPT
    (task,) = tasks(world, TaskKind.MAIL_TO_READ)
    assert (task.subject, task.facts["mail"]) == ("antopsis", kept(world)[-1].id)
    assert len(kept(world)) == 3


@pytest.mark.parametrize("message", [b"", b"\0\xff\xfe no headers", b"Subject: \xff\r\n\r\n" + b"x" * 1_000])
def test_what_nobody_can_read_is_kept_whole(world: World, message: bytes) -> None:
    assert receive(world, message, "not an address").happened is Happened.KEPT
    (mail,) = kept(world)
    assert (mail.body, mail.publisher_id, mail.delivery_id) == (message, None, None)
    assert len(tasks(world, TaskKind.MAIL_TO_READ)) == 1


def test_a_message_that_is_too_long_to_be_read_is_kept_all_the_same(world: World, mail_server: MailServer) -> None:
    message = came_back("postfix", letter_to(mail_server, DPO)) + b"x" * 10_000_000
    received = receive(world, message, letter_to(mail_server, DPO).mail_from)
    assert (received.happened, received.reason) == (Happened.KEPT, "too-large")
    assert (kept(world)[0].body, kept(world)[0].delivery_id) == (message, delivery_to(world, DPO).id)


def test_a_message_at_which_this_house_fails_is_kept_for_a_person(world: World, mail_server: MailServer) -> None:
    """Raised, the error would have the mail server bring the message again for days, and then drop it."""
    broken = replace(world.wiring.keyring, lookup_secret=None)  # type: ignore[arg-type]  # what makes it break
    message = came_back("postfix", letter_to(mail_server, DPO), return_path=BOUNCES)
    with world.writing() as session:
        received = receive_mail(session, world.at, broken, BOUNCES, message, None)
    assert (received.happened, received.reason) == (Happened.KEPT, "broken")
    assert kept(world)[0].body == message
    assert states_of(world)[DPO] == "accepted"


def test_a_bounce_while_its_letter_is_on_the_wire_waits_for_it(world: World, mail_server: MailServer) -> None:
    letter, delivery = letter_to(mail_server, DPO), delivery_to(world, DPO)
    change(world, delivery, state="leased", token="x" * 32, lease_until=world.at)
    assert receive(world, came_back("postfix", letter)).happened is Happened.RECORDED
    assert states_of(world)[DPO] == "leased"
    change(world, delivery, state="accepted", token=None, lease_until=None)
    assert world.tick()["match_outcomes"] == 1
    assert states_of(world)[DPO] == "bounced"


def test_no_task_and_no_event_names_a_person(world: World, mail_server: MailServer) -> None:
    for sample in ("postfix", "out_of_office", "human_reply"):
        receive(world, came_back(sample, letter_to(mail_server, DPO)))
    told = [str(task.facts) + task.subject for task in tasks(world, TaskKind.MAIL_TO_READ)]
    told += [str(event.payload) for kind in ("task.opened", "suppression.added") for event in events(world, kind)]
    assert len(told) >= 4
    assert not any("@" in each for each in told)


def test_what_was_kept_about_a_letter_goes_with_its_address(world: World, mail_server: MailServer) -> None:
    receive(world, came_back("out_of_office", letter_to(mail_server, ADA)))
    with world.writing() as session:
        address = find_address(session, get_publisher(session, "antopsis"), world.wiring.keyring, ADA)
        assert address is not None
        erase_addresses(session, world.at, [address], BY_MAIL, ErasedBecause.ASKED_FOR)
    assert kept(world)[0].body is None


def test_a_bounce_still_counts_once_its_address_is_erased(world: World, mail_server: MailServer) -> None:
    letter = letter_to(mail_server, ADA)
    with world.writing() as session:
        address = find_address(session, get_publisher(session, "antopsis"), world.wiring.keyring, ADA)
        assert address is not None
        erase_addresses(session, world.at, [address], BY_MAIL, ErasedBecause.ASKED_FOR)
    assert receive(world, came_back("postfix", letter)).happened is Happened.RECORDED
    assert suppressed(world) == ["bounced"]


def test_the_same_message_in_two_pipes_at_once_counts_once(
    postgresql_url: str, tmp_path: Path, mail_server: MailServer
) -> None:
    with bouncing_world(postgresql_url, tmp_path / "instance", mail_server) as world:
        announce_to(world, ADA)
        send(world)
        letter = letter_to(mail_server, DPO)
        start, happened = threading.Barrier(4), list[Happened]()
        messages = [came_back("postfix", letter), came_back("human_reply", letter)] * 2

        def pipe(message: bytes) -> None:
            start.wait(timeout=10)
            happened.append(receive(world, message).happened)

        threads = [threading.Thread(target=pipe, args=(message,)) for message in messages]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert sorted(happened) == [Happened.KEPT, Happened.KNOWN, Happened.KNOWN, Happened.RECORDED]
        assert (len(outcomes(world)), len(kept(world)), len(tasks(world, TaskKind.MAIL_TO_READ))) == (1, 1, 1)


SAMPLES: dict[str, bytes] = {}


@pytest.fixture
def sqlite_world_with_letters(sqlite_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation whose letters came back in every way that the samples show."""
    with bouncing_world(sqlite_url, tmp_path / "instance", mail_server) as world:
        announce_to(world, ADA)
        send(world)
        letter = letter_to(mail_server, DPO)
        for path in (Path(__file__).resolve().parents[1] / "readers" / "bounces").glob("*.eml"):
            SAMPLES[path.stem] = came_back(path.stem, letter)
        yield world


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_comes_is_an_outcome_or_is_kept_and_none_of_it_raises(
    sqlite_world_with_letters: World, data: st.DataObject
) -> None:
    world = sqlite_world_with_letters
    sample = data.draw(st.sampled_from(sorted(SAMPLES)))
    message = bytearray(SAMPLES[sample])
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(message)))
        message[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    before = len(outcomes(world)) + len(kept(world))
    received = receive(world, bytes(message), data.draw(st.none() | st.text(max_size=60)))
    after = len(outcomes(world)) + len(kept(world))
    assert (after > before) == (received.happened is not Happened.KNOWN)


def test_a_delivery_that_was_never_sent_by_our_record_is_not_bounced_by_a_return_path(
    world: World, mail_server: MailServer
) -> None:
    """A backup of before the sending was restored: a person must look, for the record does not know of the letter."""
    letter, delivery = letter_to(mail_server, DPO), delivery_to(world, DPO)
    change(world, delivery, state="pending", message_id=None, accepted_at=None)
    assert receive(world, came_back("postfix", letter), letter.mail_from).happened is Happened.KEPT
    with world.reading() as session:
        assert session.get_one(Delivery, delivery.id).state == "pending"
