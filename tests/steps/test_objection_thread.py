"""What happens to an objection between its coming and its cure: who is told, and what is kept how long (R25, R36)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import IllegalTransition, InvalidInput
from registry.domain.objections import choose_objected, read_objection_words, read_thread_words
from registry.steps.erase_expired import erase_expired
from registry.steps.keyring import load_keyring
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.object_by_link import object_by_link, open_link
from registry.steps.objection_thread import (
    NobodyToWriteTo,
    add_note,
    find_objection,
    record_refund,
    send_reply,
    take_up,
)
from registry.tables import Address, Delivery, Letter, Objection, ObjectionNote, Publisher, Subscription
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import announce, at, follow, object_to, resolve, sweep
from tests.steps.retention_cast import keeping
from tests.world import ANNA, BREMEN, HANOI, World, antopsis, letters_to, link_in, text_of, utc

DPO = "dpo@bremen.example"
TWO = BREMEN.replace("[dpo@bremen.example]", "[dpo@bremen.example, legal@bremen.example]")

Result = TypeVar("Result")


def objected(world: World, customers: str = TWO) -> str:
    world.apply(antopsis(customers=customers))
    number = announce(world)
    sweep(world)
    object_to(world, number, "bremen")
    return number


def on_objection(world: World, act: Callable[[Session, Publisher, Objection], Result]) -> Result:
    """Do something to the newest objection."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        row = session.scalars(select(Objection).order_by(Objection.id.desc())).first()
        assert row is not None
        return act(session, publisher, row)


def reply(world: World, words: str, **options: Any) -> list[Subscription]:
    return on_objection(
        world,
        lambda session, publisher, row: send_reply(
            session, world.at, publisher, row, ANNA, world.wiring.letterhead, words, **options
        ),
    )


def test_it_is_taken_up_once(world: World) -> None:
    number = objected(world)
    on_objection(world, lambda session, publisher, row: take_up(session, world.at, publisher, row, ANNA))
    assert world.status(number).objections[0][1] == "under_review"
    # It holds the notice as it did.
    assert [hold.reason.value for hold in world.status(number).holds] == ["objection_open"]
    with pytest.raises(IllegalTransition):
        on_objection(world, lambda session, publisher, row: take_up(session, world.at, publisher, row, ANNA))


def test_a_reply_goes_to_every_contact_by_the_same_road_as_all_letters(world: World, mail_server: MailServer) -> None:
    number = objected(world)
    told = reply(world, "Dear Dana,\r\n\r\nthank you.  \n")
    assert len(told) == 2
    sweep(world)
    for address in (DPO, "legal@bremen.example"):
        letter = letters_to(mail_server, address)[-1]
        assert letter["Subject"] == f"Antopsis: our answer to your objection to notice {number}"
        assert "\nDear Dana,\n\nthank you.\n" in text_of(letter).replace("\r\n", "\n")
        assert "late" not in text_of(letter)
    with world.reading() as session:
        (note,) = session.scalars(select(ObjectionNote)).all()
        assert (note.kind, note.text, note.author) == ("reply", "Dear Dana,\n\nthank you.", ANNA.name)
        sent = session.scalars(select(Delivery).where(Delivery.letter_id == note.letter_id)).all()
    assert [each.state for each in sent] == ["accepted", "accepted"]


def test_a_reply_without_anybody_to_go_to_is_not_put_in_the_thread(world: World) -> None:
    objected(world)
    with world.writing() as session:
        for contact in session.scalars(select(Subscription)):
            contact.ended_at = world.at
    with pytest.raises(NobodyToWriteTo):
        reply(world, "Thank you")
    with pytest.raises(NobodyToWriteTo):
        reply(world, "Thank you", to="objector")
    with world.reading() as session:
        assert session.scalars(select(ObjectionNote)).all() == []


def test_another_publishers_objection_is_none(world: World) -> None:
    objected(world)
    with world.writing() as session:
        row = session.scalars(select(Objection)).one()
        publisher = get_publisher(session, "antopsis")
        assert find_objection(session, publisher, row.id) is row
        stranger = Publisher(slug="other", facts={}, revision=0, changed_at=world.at, created_at=world.at)
        stranger.id = publisher.id + 1
        assert find_objection(session, stranger, row.id) is None


def test_a_refund_follows_the_end_of_the_contract_alone(world: World) -> None:
    number = objected(world)
    refund = "EUR 120 on 3 November"

    def record(session: Session, publisher: Publisher, row: Objection) -> None:
        record_refund(session, world.at, publisher, row, ANNA, refund)

    with pytest.raises(IllegalTransition):
        on_objection(world, record)
    resolve(world, number, "bremen", "terminated")
    on_objection(world, record)
    assert on_objection(world, lambda _, __, row: (row.state, row.cure)) == ("refunded", refund)


def test_words_are_cleaned_and_must_be_there() -> None:
    said = read_objection_words(" Too far \r\n away ", " ", "Bremen")
    assert (said.ground, said.name, said.company) == ("Too far \n away", None, "Bremen")
    assert read_thread_words("  a\r\nb ") == "a\nb"
    for text in ("", " \n"):
        with pytest.raises(InvalidInput) as refused:
            read_thread_words(text, "answer")
        assert [(each.field, each.code) for each in refused.value.problems] == [("answer", "nothing-written")]
        with pytest.raises(InvalidInput) as refused:
            read_objection_words(text, "", "")
        assert refused.value.problems[0].code == "objection-without-ground"
    with pytest.raises(InvalidInput) as refused:
        read_thread_words("x" * 10_001, "answer")
    assert [(each.field, each.code) for each in refused.value.problems] == [("answer", "too-long")]


def test_all_changes_chosen_means_the_whole_notice() -> None:
    changes = {"stripe": "Stripe", "bunny": "Bunny"}
    assert choose_objected(changes, ["bunny", "stripe"]) is None
    assert choose_objected(changes, ["bunny", "bunny"]) == ("bunny",)
    for chosen, code in (([], "no-change-chosen"), (["nobody"], "not-a-change-of-notice")):
        with pytest.raises(InvalidInput) as refused:
            choose_objected(changes, chosen)
        assert refused.value.problems[0].code == code


def test_a_customer_that_came_after_the_announcement_objects_by_its_letter_and_holds_nothing(
    world: World, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    sweep(world)
    world.at = utc("2026-10-05 08:00")
    world.apply(antopsis(customers=BREMEN + HANOI))
    sweep(world)
    token = link_in(letters_to(mail_server, "privacy@hanoi.example")[0], "object").rpartition("/")[2]
    for day, is_in_time in (("2026-11-04 22:59", True), ("2026-11-04 23:00", False)):
        world.at = utc(day)
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            link = open_link(session, load_keyring(session, world.at), publisher, token)
            words = read_objection_words("Too far", "", "")
            objection = object_by_link(session, world.at, world.wiring.letterhead, link, words, ["hetzner-falkenstein"])
            assert objection.is_in_time is is_in_time
            assert get_notice(session, publisher, number).id == objection.notice_id
        assert [hold.customer_key for hold in world.status(number).holds] == []
        resolve(world, number, "hanoi", "withdrawn")


def test_contacts_are_told_at_their_mailbox_and_followers_are_not(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=TWO))
    follow(world, "fred@reader.example")
    announce(world)
    sweep(world)
    token = link_in(letters_to(mail_server, DPO)[0], "object").rpartition("/")[2]
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        link = open_link(session, load_keyring(session, world.at), publisher, token)
        words = read_objection_words("Too far", "", "")
        object_by_link(session, world.at, world.wiring.letterhead, link, words, ["hetzner-falkenstein"])
    sweep(world)
    with world.reading() as session:
        told = session.scalars(
            select(Address.value)
            .join(Subscription, Subscription.address_id == Address.id)
            .join(Delivery, Delivery.subscription_id == Subscription.id)
            .join(Letter, Letter.id == Delivery.letter_id)
            .where(Letter.kind == "objection_received")
            .order_by(Address.value)
        ).all()
    assert told == [DPO, "legal@bremen.example"]


def test_what_was_answered_goes_with_the_objection_from_the_letter_too(world: World) -> None:
    world.apply(keeping("{objections: 10}", TWO))
    number = announce(world)
    sweep(world)
    object_to(world, number, "bremen")
    on_objection(
        world, lambda session, publisher, row: add_note(session, world.at, publisher, row, ANNA, "Ask the hosting team")
    )
    reply(world, "Dear Dana, we keep your data where it is.")
    sweep(world)
    resolve(world, number, "bremen")
    at(world, utc("2026-10-31 23:00"))
    assert world.notice(number).state == "in_effect"
    world.at = utc("2026-11-20 08:00")
    erase_expired(world.wiring.engine, world.clock)
    with world.reading() as session:
        assert set(session.scalars(select(ObjectionNote.text))) == {None}
        letter = session.scalars(select(Letter).where(Letter.kind == "objection_reply")).one()
        assert (letter.text, letter.html) == ("erased", "erased")
        assert len(letter.digest) == 64
        replies = session.scalars(select(Delivery).where(Delivery.letter_id == letter.id)).all()
        assert [each.merge for each in replies] == [None, None]
        # What the notice itself said is for everybody, and stays.
        announced = session.scalars(select(Letter).where(Letter.kind == "announcement")).all()
        assert all("Helsinki" in each.text for each in announced)
