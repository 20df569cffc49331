"""The bytes of a letter can be made again from what is stored, whatever changes meanwhile (R30)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from registry.channels.recording import RecordingChannel
from registry.letters.compose import sha256_of
from registry.steps.confirm import confirm
from registry.steps.customers import record_customer
from registry.steps.keyring import rotate_link_key
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.merge_letter import LetterErased
from registry.steps.record import Actor
from registry.steps.subscribe import request_subscription
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Address, Delivery
from tests.channels.smtp_server import MailServer
from tests.steps.audience_cast import customer_facts
from tests.steps.post_office import (
    DPO,
    announce_to,
    attempts_at,
    check_that_every_accepted_letter_can_be_made_again,
    delivery_to,
    remake,
    send,
    use_channel,
)
from tests.world import ANNA, World, letters_to, link_in, text_of, utc

ADA = "ada@reader.example"
VISITOR = Actor("visitor", "public page")


def ask_to_follow(world: World, email: str, name: str | None = None) -> None:
    keyring, letterhead = world.wiring.keyring, world.wiring.letterhead
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        request_subscription(session, world.at, publisher, letterhead, keyring, email=email, name=name, actor=VISITOR)


def confirm_by_letter(world: World, mail_server: MailServer, email: str) -> None:
    token = link_in(letters_to(mail_server, email)[-1], "confirm").rpartition("/")[2]
    keyring = world.wiring.keyring
    with world.writing() as session:
        confirm(session, world.at, token, keyring)


def test_what_arrives_is_what_was_hashed_and_what_is_made_again(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA)
    send(world)
    for address in (DPO, ADA):
        (arrived,) = [letter.content for letter in mail_server.messages if letter.rcpt_tos == (address,)]
        delivery = delivery_to(world, address)
        assert remake(world, delivery) == arrived
        assert [each.sha256 for each in attempts_at(world, delivery)] == [sha256_of(arrived)]


def test_a_letter_is_made_again_after_its_link_key_was_followed_by_another(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA)
    send(world)
    with world.writing() as session:
        rotate_link_key(session, world.at, ANNA)
    assert check_that_every_accepted_letter_can_be_made_again(world) == 2


def test_a_worker_uses_a_key_that_was_added_since_it_started(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA)
    before = world.wiring.keyring
    with world.writing() as session:
        added = rotate_link_key(session, world.at, ANNA)
    assert added.signing_key_id not in {key.key_id for key in before.link_keys}
    assert send(world) == {"accepted": 2}
    token = link_in(letters_to(mail_server, ADA)[0], "unsubscribe").rpartition("/")[2]
    assert token.startswith(f"{added.signing_key_id}.")
    assert check_that_every_accepted_letter_can_be_made_again(world) == 2


def test_a_letter_begun_before_a_rotation_goes_out_unchanged_after_it(world: World, mail_server: MailServer) -> None:
    mail_server.script(ADA, 450, "4.2.1 Busy", times=1)
    announce_to(world, ADA, customers="")
    send(world)
    with world.writing() as session:
        rotate_link_key(session, world.at, ANNA)
    world.at += timedelta(minutes=1)
    assert send(world) == {"accepted": 1}
    assert len({each.sha256 for each in attempts_at(world, delivery_to(world, ADA))}) == 1
    assert check_that_every_accepted_letter_can_be_made_again(world) == 1


def test_a_letter_is_made_again_after_its_customer_and_contact_were_renamed(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world)
    send(world)
    assert "Bremen Media GmbH" in text_of(letters_to(mail_server, DPO)[0])
    with world.writing() as session:
        contact = {"email": DPO, "name": "Data Protection"}
        facts = customer_facts("bremen", contact, name="Nordlicht Media AG")
        record_customer(session, world.at, get_publisher(session, "antopsis"), facts, ANNA)
    assert check_that_every_accepted_letter_can_be_made_again(world) == 1


def test_a_letter_that_asks_to_confirm_is_made_again_after_it_was_confirmed(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world)
    ask_to_follow(world, ADA)
    assert send(world) == {"accepted": 2}
    asking = letters_to(mail_server, ADA)[0]
    assert asking["List-Unsubscribe"] is None
    confirm_by_letter(world, mail_server, ADA)
    assert send(world) == {"accepted": 1}
    assert letters_to(mail_server, ADA)[1]["List-Unsubscribe"] is not None
    assert check_that_every_accepted_letter_can_be_made_again(world) == 3


def test_what_a_stranger_typed_as_a_name_is_not_mailed_to_somebody_else(world: World, mail_server: MailServer) -> None:
    announce_to(world)
    ask_to_follow(world, ADA, name="Win a prize at prize.example")
    send(world)
    assert b"prize" not in mail_server.messages[-1].content
    assert letters_to(mail_server, ADA)[0]["To"] == ADA
    confirm_by_letter(world, mail_server, ADA)
    send(world)
    assert "Win a prize" in str(letters_to(mail_server, ADA)[1]["To"])
    assert check_that_every_accepted_letter_can_be_made_again(world) == 3


def test_after_erasure_a_letter_cannot_be_made_again_and_its_hash_stays(world: World, mail_server: MailServer) -> None:
    announce_to(world)
    send(world)
    delivery = delivery_to(world, DPO)
    with world.writing() as session:
        session.execute(update(Address).where(Address.value == DPO).values(value=None))
    with pytest.raises(LetterErased):
        remake(world, delivery)
    (attempt,) = attempts_at(world, delivery)
    assert attempt.sha256 == sha256_of(mail_server.messages[0].content)


def test_neither_links_nor_addresses_stand_in_the_merge_values(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA)
    send(world)
    for address in (DPO, ADA):
        stored = str(delivery_to(world, address).merge)
        assert address not in stored
        assert "http" not in stored


def test_only_a_letter_that_tells_a_deadline_has_one_on_record(world: World, mail_server: MailServer) -> None:
    number = announce_to(world, ADA)
    send(world)
    assert delivery_to(world, ADA).deadline_at is None
    assert delivery_to(world, DPO).deadline_at == utc("2026-10-30 23:00")
    world.at = utc("2026-10-05 09:00")
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        withdraw_notice(session, world.at, publisher, notice, ANNA, world.wiring.letterhead)
    assert send(world) == {"accepted": 2}
    assert delivery_to(world, DPO, "withdrawal").deadline_at is None


def test_values_stored_by_another_release_are_stored_anew_unless_the_letter_may_have_arrived(world: World) -> None:
    announce_to(world, ADA, customers="")
    recording = RecordingChannel(name="smtp")
    use_channel(world, recording)
    delivery = delivery_to(world, ADA)
    with world.writing() as session:
        row = session.get_one(Delivery, delivery.id)
        row.merge, row.message_id = {"version": 0}, "<first.try@registry.example>"
    assert send(world) == {"accepted": 1}
    assert recording.envelopes[0].message_id == "<first.try@registry.example>"
    assert check_that_every_accepted_letter_can_be_made_again(world) == 1
