"""Letters made ready together after their claim: the same bytes as made singly, and one that cannot be made (R30)."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

import registry.steps.merge_letter as merge_letter
from registry.channels.base import Envelope
from registry.letters.compose import sha256_of
from registry.steps.claim_deliveries import release_leases
from registry.tables import Address, Attempt, Delivery, Letter, Subscription
from tests.channels.smtp_server import MailServer
from tests.steps.claims_cast import ADA, BOB, EVE, claim_and_prepare
from tests.steps.post_office import (
    DPO,
    announce_to,
    attempts_at,
    check_that_every_accepted_letter_can_be_made_again,
    delivery_to,
    events,
    let_leases_run_out,
    meanwhile,
    remake,
    send,
    states_of,
)
from tests.steps.test_send_leases import recover
from tests.world import World, letters_to


def test_what_is_made_ready_together_is_byte_for_byte_what_the_stored_rows_make(world: World) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    with world.writing() as session:
        session.execute(update(Subscription).values(name="Ada Müller"))
    leases, prepared = claim_and_prepare(world)
    assert set(prepared) == {lease.delivery_id for lease in leases}
    for email in (ADA, BOB, EVE):
        delivery = delivery_to(world, email)
        ready = prepared[delivery.id]
        assert ready.envelope.recipient == email
        assert ready.envelope.message_id == delivery.message_id
        assert ready.envelope.message == remake(world, delivery)
        assert ready.sha256 == sha256_of(ready.envelope.message)


def test_what_goes_out_is_what_was_made_ready(world: World, mail_server: MailServer) -> None:
    announce_to(world, *(f"reader{n}@reader.example" for n in range(25)))
    assert send(world) == {"accepted": 26}
    assert check_that_every_accepted_letter_can_be_made_again(world) == 26
    with world.reading() as session:
        hashes = set(session.scalars(select(Attempt.sha256)))
    assert {sha256_of(message.content) for message in mail_server.messages} == hashes
    assert len(hashes) == 26


def test_only_first_tries_at_followers_letters_are_made_ready_together(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA, BOB)
    contacts, prepared = claim_and_prepare(world)
    assert [lease.delivery_id for lease in contacts] == [delivery_to(world, DPO).id]
    assert prepared == {}
    followers, prepared = claim_and_prepare(world)
    assert len(followers) == len(prepared) == 2
    with world.writing() as session:
        release_leases(session, world.at, followers)
    again, prepared = claim_and_prepare(world)
    assert (len(again), prepared) == (2, {})


def test_one_letter_that_cannot_be_made_keeps_no_other_of_its_claim(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    with world.writing() as session:
        session.execute(update(Address).where(Address.value == BOB).values(value="bob at home\r\nBcc: x@y.example"))
    assert send(world) == {"accepted": 2, "needs_attention": 1}
    assert sorted(message.rcpt_tos[0] for message in mail_server.messages) == [ADA, EVE]
    (event,) = events(world, "delivery.needs_attention")
    assert event.payload["note"] == "cannot_be_made: impossible-header"


def test_a_defect_in_making_one_letter_keeps_no_other_of_its_claim(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every error that a broken row causes is one of those that were thought of."""
    announce_to(world, ADA, BOB, EVE, customers="")
    fill_letter = merge_letter.fill_letter

    def fail_for_bob(letter: object, addressee: object, *rest: object, **more: object) -> Envelope:
        if getattr(addressee, "address", None) == BOB:
            raise KeyError("a word that is not there")
        made: Envelope = fill_letter(letter, addressee, *rest, **more)  # type: ignore[arg-type] # handed on as it came
        return made

    monkeypatch.setattr("registry.steps.prepare_letters.fill_letter", fail_for_bob)
    monkeypatch.setattr("registry.steps.merge_letter.fill_letter", fail_for_bob)
    assert send(world) == {"accepted": 2, "needs_attention": 1}
    assert delivery_to(world, BOB).note == "cannot_be_made: KeyError"
    assert letters_to(mail_server, BOB) == []


def test_a_frozen_letter_that_nobody_can_read_keeps_no_other_notice_waiting(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    with world.writing() as session:
        letter = session.get_one(Letter, delivery_to(world, BOB).letter_id)
        broken = Letter(
            **{
                column.name: getattr(letter, column.name)
                for column in Letter.__table__.columns
                if column.name not in ("id", "language", "sender", "digest")
            },
            language="xx",
            digest="0" * 64,
            sender={"name": "half a sender"},
        )
        session.add(broken)
        session.flush()
        session.execute(update(Delivery).where(Delivery.id == delivery_to(world, BOB).id).values(letter_id=broken.id))
    assert send(world) == {"accepted": 2, "needs_attention": 1}
    assert (delivery_to(world, BOB).note or "").startswith("cannot_be_made: ")
    assert sorted(message.rcpt_tos[0] for message in mail_server.messages) == [ADA, EVE]


def test_a_worker_that_dies_making_letters_ready_leaves_its_claim_on_record(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or no crash would ever be counted, and the letter that ends every worker would never be set aside."""
    announce_to(world, ADA, BOB, EVE, customers="")

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("registry.steps.supply.Making", die)
        # Nor does it live to give anything back.
        patch.setattr("registry.steps.send_deliveries.release_leases", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            send(world)
    assert set(states_of(world).values()) == {"leased"}
    let_leases_run_out(world)
    assert recover(world) == 3
    assert [delivery_to(world, email).crash_count for email in (ADA, BOB, EVE)] == [1, 0, 0]
    # From now on each is made ready when it is its turn, so that the next crash is put down to the right one.
    assert claim_and_prepare(world)[1] == {}


def test_a_letter_whose_address_was_erased_while_it_waited_keeps_no_words(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA, BOB, customers="")

    def bob_is_erased(envelope: Envelope) -> None:
        with world.writing() as session:
            session.execute(update(Address).where(Address.value == BOB).values(value=None))

    bob = delivery_to(world, BOB)
    meanwhile(world, bob_is_erased)
    assert send(world) == {"accepted": 1, "skipped": 1}
    with world.reading() as session:
        row = session.get_one(Delivery, bob.id)
        assert (row.skip_reason, row.merge) == ("no_address", None)
    assert len(mail_server.messages) == 1
    assert [each.send_started_at for each in attempts_at(world, bob)] == [None]


def test_letters_are_stored_for_what_is_made_ready_and_for_nothing_else(world: World) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    leases, prepared = claim_and_prepare(world, 2)
    assert len(leases) == len(prepared) == 2
    with world.reading() as session:
        stored = session.scalars(select(func.count()).where(Delivery.merge.is_not(None))).one()
    assert stored == 2
