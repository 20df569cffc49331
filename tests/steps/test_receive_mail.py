"""Mail to the bounce address says what became of a letter: an outcome where its return path proves it, once (R26)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.domain.outcomes import OutcomeKind
from registry.steps.addresses import find_address
from registry.steps.erase_address import ErasedBecause, erase_addresses
from registry.steps.keyring import load_keyring, rotate_link_key
from registry.steps.lookup import get_publisher
from registry.steps.receive_mail import BY_MAIL, Happened, receive_mail
from registry.steps.tasks import TaskKind
from registry.tables import Delivery
from tests.channels.smtp_server import MailServer
from tests.steps.bounce_cast import (
    ADA,
    BOUNCES,
    LATEST_RECEIPT,
    came_back,
    kept,
    letter_to,
    outcomes,
    receive,
    suppressed,
    tasks,
    world_that_told,
)
from tests.steps.post_office import DPO, change, delivery_to, standing_of, states_of
from tests.world import World


@pytest.fixture
def world(database_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation with a bounce address, which has told Bremen and Ada of a second hosting place."""
    with world_that_told(database_url, tmp_path / "instance", mail_server) as world:
        yield world


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


def test_a_bounce_while_its_letter_is_on_the_wire_waits_for_it(world: World, mail_server: MailServer) -> None:
    letter, delivery = letter_to(mail_server, DPO), delivery_to(world, DPO)
    change(world, delivery, state="leased", token="x" * 32, lease_until=world.at)
    assert receive(world, came_back("postfix", letter)).happened is Happened.RECORDED
    assert states_of(world)[DPO] == "leased"
    change(world, delivery, state="accepted", token=None, lease_until=None)
    assert world.tick()["match_outcomes"] == 1
    assert states_of(world)[DPO] == "bounced"


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
    with world_that_told(postgresql_url, tmp_path / "instance", mail_server) as world:
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


def test_a_delivery_that_was_never_sent_by_our_record_is_not_bounced_by_a_return_path(
    world: World, mail_server: MailServer
) -> None:
    """A backup of before the sending was restored: a person must look, for the record does not know of the letter."""
    letter, delivery = letter_to(mail_server, DPO), delivery_to(world, DPO)
    change(world, delivery, state="pending", message_id=None, accepted_at=None)
    assert receive(world, came_back("postfix", letter), letter.mail_from).happened is Happened.KEPT
    with world.reading() as session:
        assert session.get_one(Delivery, delivery.id).state == "pending"
