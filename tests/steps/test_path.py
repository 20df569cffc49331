"""The path from an edit to its effect, step by step, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.effect import HoldReason
from registry.domain.notices import NoticePeriodTooShort
from registry.steps.addresses import record_address
from registry.steps.announce_notice import announce_due_notices
from registry.steps.draft_notice import draft_notice
from registry.steps.keyring import make_keyring
from registry.steps.lookup import get_notice, get_publisher, lock_publisher
from registry.steps.make_statement import deliver_pending_to
from registry.steps.publish_notice import publish_notice
from registry.steps.record_edit import EditFate
from registry.steps.remind import send_reminders
from registry.steps.sweeps import list_sweeps
from registry.steps.take_effect import take_effect
from registry.tables import Event, Subscription
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import (
    STRIPE,
    TWO_PLACES,
    announce,
    approve,
    at,
    decide,
    dump,
    edit,
    events,
    follow,
    object_to,
    resolve,
    revise,
    statements,
    sweep,
    withdraw,
)
from tests.world import ANNA, BORIS, BREMEN, World, antopsis, letters_to, settings_for, text_of, utc


def test_the_first_load_states_the_list_without_a_notice(world: World) -> None:
    applied = world.apply(antopsis())
    public = world.public()
    assert applied.is_founding
    assert [entry.key for entry in public.entries] == ["stripe", "hetzner-falkenstein"]
    assert public.notices == ()


def test_applying_twice_changes_nothing(world: World) -> None:
    world.apply(antopsis())
    assert not world.apply(antopsis()).changed_anything
    world.apply(antopsis(helsinki=True))
    assert not world.apply(antopsis(helsinki=True)).changed_anything


def test_a_binding_edit_waits_and_the_list_stays_as_it_is(world: World) -> None:
    world.apply(antopsis())
    applied = world.apply(antopsis(helsinki=True))
    assert [edit.fate for edit in applied.edits] == [EditFate.DRAFTED]
    assert len(world.public().entries[1].content.locations) == 1


def test_the_earliest_date_is_that_of_the_customer_with_the_longest_clock(world: World) -> None:
    world.apply(antopsis())
    world.apply(antopsis(helsinki=True))
    with pytest.raises(NoticePeriodTooShort) as refusal:
        world.draft(effective_on=date(2026, 11, 14))
    assert refusal.value.params["customer"] == "Hanoi Streams Co."
    assert refusal.value.params["first_on"] == date(2026, 11, 16)
    number = world.draft()
    assert world.notice(number).effective_on == date(2026, 11, 16)


def test_each_recipient_gets_the_right_letter_once(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis())
    world.tick()
    number = world.announce(antopsis(helsinki=True))
    assert mail_server.messages == []
    world.tick()
    world.tick()
    hanoi, bremen = letters_to(mail_server, "privacy@hanoi.example"), letters_to(mail_server, "dpo@bremen.example")
    assert len(hanoi) == len(bremen) == 1
    assert "Helsinki" in text_of(hanoi[0])
    assert "Friday, 30 October 2026 (2026-10-30, Europe/Berlin)" in text_of(bremen[0])
    assert "(2026-10-30, Asia/Ho_Chi_Minh)" in text_of(hanoi[0])
    assert "Monday, 16 November 2026" in text_of(hanoi[0])
    told = sorted((each.customer, each.state) for each in world.status(number).deliveries)
    assert told == [("bremen", "accepted"), ("hanoi", "accepted")]


def test_a_notice_takes_effect_on_its_day_and_not_an_hour_sooner(world: World) -> None:
    world.apply(antopsis())
    number = world.announce(antopsis(helsinki=True))
    world.tick()
    world.at = utc("2026-11-15 22:59")
    world.tick()
    assert world.notice(number).state == "announced"
    assert len(world.public().entries[1].content.locations) == 1
    world.at = utc("2026-11-15 23:00")
    world.tick()
    assert world.notice(number).state == "in_effect"
    assert len(world.public().entries[1].content.locations) == 2
    assert len(world.public(date(2026, 11, 15)).entries[1].content.locations) == 1


def test_a_customer_whose_letters_are_refused_holds_the_notice_by_name(world: World, mail_server: MailServer) -> None:
    mail_server.script("dpo@bremen.example", 550, "5.1.1 No such user here")
    world.apply(antopsis())
    number = world.announce(antopsis(helsinki=True))
    world.tick()
    world.at = utc("2026-11-15 23:00")
    world.tick()
    status = world.status(number)
    assert status.state == "held"
    assert [(hold.customer_name, hold.reason) for hold in status.holds] == [
        ("Bremen Media GmbH", HoldReason.NOT_RECEIVED)
    ]
    assert status.effective_on is None
    postponed = letters_to(mail_server, "privacy@hanoi.example")[-1]
    assert "until further notice" in text_of(postponed)


def test_each_sweep_twice_does_no_more_than_once(world: World, mail_server: MailServer) -> None:
    mail_server.script("slow@reader.example", 451, "4.3.0 Try again later", times=1)
    world.apply(antopsis(customers=BREMEN))
    follow(world, "fred@reader.example", wants_effect=True)
    follow(world, "slow@reader.example")
    first = announce(world)
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    second = world.draft(announce_at=utc("2026-10-01 08:00"))
    world.publish(second)
    sweeping = world.wiring.make_sweeping(world.channels, world.clock)
    for instant in ("2026-09-30 08:00", "2026-10-01 09:00", "2026-10-26 08:00", "2026-10-31 23:00", "2026-11-01 23:00"):
        world.at = utc(instant)
        if instant == "2026-10-26 08:00":
            object_to(world, first, "bremen")
        for name, run in list_sweeps(sweeping).items():
            run()
            once = dump(world)
            run()
            assert dump(world) == once, (instant, name)
    assert (world.notice(first).state, world.notice(second).state) == ("held", "in_effect")


@pytest.mark.parametrize("step", ["announce", "remind", "hold", "take_effect"])
def test_a_sweep_that_waited_for_another_finds_its_work_done(world: World, step: str) -> None:
    """Two workers look at the same notice: the second sees it before the first commits, and acts after (R14, R22)."""
    world.apply(antopsis(customers="" if step == "take_effect" else BREMEN))
    number = announce(world, announce_at=utc("2026-10-01 08:00"))
    if step != "announce":
        at(world, utc("2026-10-01 08:00"))
    if step == "hold":
        object_to(world, number, "bremen")
    world.at = utc({"announce": "2026-10-01 08:00", "remind": "2026-10-28 08:00"}.get(step, "2026-11-01 23:00"))
    act = {"announce": announce_due_notices, "remind": send_reminders}.get(step, take_effect)
    with another(world) as other, ThreadPoolExecutor(1) as pool:
        with world.writing() as session:
            act(session, world.at, world.wiring.letterhead)
            second = pool.submit(_run, other, act)
            wait([second], timeout=0.15)
        second.result(timeout=20)
    spoken = {"remind": ["reminder"], "hold": ["postponement"], "take_effect": ["effect"]}
    assert [kind for kind, _ in statements(world, number)] == ["announcement", *spoken.get(step, [])]
    assert events(world, "notice.announce_refused") == []
    for kind in ("notice.announced", "notice.held", "notice.took_effect"):
        assert len(events(world, kind)) <= 1


def _run(world: World, act: Callable[..., object]) -> None:
    with world.writing() as session:
        act(session, world.at, world.wiring.letterhead)


@contextmanager
def another(world: World) -> Iterator[World]:
    """Open a second process on the same database, as far as the database can tell."""
    other = World(world.settings, world.at)
    try:
        yield other
    finally:
        other.close()


def test_three_ticks_at_once_do_what_one_does(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    follow(world, "fred@reader.example", wants_effect=True)
    effective = announce(world)
    at(world, utc("2026-10-01 08:00"))
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    reminded = world.draft(effective_on=date(2026, 11, 7))
    world.publish(reminded)
    edit(world, {"name": "Clerk"}, "clerk")
    announced = world.draft(announce_at=utc("2026-10-31 23:00"))
    world.publish(announced)
    at(world, utc("2026-10-02 08:00"), "send")
    world.at = utc("2026-10-31 23:00")
    others = [World(world.settings, world.at) for _ in range(3)]
    try:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(World.tick, others))
    finally:
        for other in others:
            other.close()
    assert [world.notice(number).state for number in (effective, reminded, announced)] == [
        "in_effect",
        "announced",
        "announced",
    ]
    told = {number: [kind for kind, _ in statements(world, number)] for number in (effective, reminded, announced)}
    assert told == {
        effective: ["announcement", "effect"],
        reminded: ["announcement", "reminder"],
        announced: ["announcement"],
    }
    assert len(letters_to(mail_server, "fred@reader.example")) == 5
    assert len(letters_to(mail_server, "dpo@bremen.example")) == 4


@pytest.mark.parametrize("first", ["announcing", "joining"])
def test_who_confirms_while_a_notice_is_announced_is_told_once(world: World, first: str) -> None:
    world.apply(antopsis(customers=""))
    edit(world, TWO_PLACES)
    number = world.draft()
    with another(world) as other, ThreadPoolExecutor(1) as pool:
        with world.writing() as session:
            if first == "announcing":
                publisher = get_publisher(session, "antopsis")
                notice = get_notice(session, publisher, number)
                publish_notice(session, world.at, publisher, notice, ANNA, world.wiring.letterhead)
                second = pool.submit(follow, other, "fred@reader.example", joins=True)
            else:
                row = _subscribe(session, world)
                deliver_pending_to(session, world.at, row)
                second = pool.submit(_publish, other, number)
            wait([second], timeout=0.15)
        second.result(timeout=20)
    assert [each.address for each in world.status(number).deliveries] == ["fred@reader.example"]


def _publish(world: World, number: str) -> int:
    world.publish(number)
    return 0


def _subscribe(session: Session, world: World) -> Subscription:
    publisher = get_publisher(session, "antopsis")
    address = record_address(session, world.at, publisher, make_keyring(session, world.at), "fred@reader.example")
    row = Subscription(
        publisher_id=publisher.id,
        address_id=address.id,
        audience="follower",
        language="en",
        created_at=world.at,
        confirmed_at=world.at,
    )
    session.add(row)
    session.flush()
    return row


def test_two_drafts_at_once_get_two_numbers(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    with another(world) as other, ThreadPoolExecutor(1) as pool:
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            first = draft_notice(session, world.at, publisher, ANNA, entry_keys=("stripe",)).number
            second = pool.submit(other.draft)
            wait([second], timeout=0.15)
        assert (first, second.result(timeout=20)) == ("2026-001", "2026-002")


def test_letters_on_their_way_do_not_wait_for_who_edits_the_list(
    postgresql_url: str, tmp_path: Path, mail_server: MailServer
) -> None:
    """PostgreSQL alone has more than one writer at a time; the lock of a publisher stops no row that refers to it."""
    world = World(settings_for(postgresql_url, tmp_path / "instance", mail_server.url), utc("2026-09-30 08:00"))
    world.apply(antopsis(customers=BREMEN))
    announce(world)
    with another(world) as other, ThreadPoolExecutor(1) as pool, world.writing() as session:
        lock_publisher(session, get_publisher(session, "antopsis"))
        pool.submit(at, other, world.at, "send").result(timeout=20)
    world.close()
    assert len(letters_to(mail_server, "dpo@bremen.example")) == 1


def test_the_record_holds_no_personal_data(world: World, mail_server: MailServer) -> None:
    """After a story with everything in it no payload names a person or an address (R39)."""
    mail_server.script("gone@bremen.example", 550, "5.1.1 gone@bremen.example is unknown here")
    contacts = "[{email: dpo@bremen.example, name: Dora Weber}, gone@bremen.example]"
    customers = BREMEN.replace("[dpo@bremen.example]", contacts)
    world.apply(antopsis(customers=customers, approvals=1))
    follow(world, "fred@reader.example", joins=True, name="Fred Meyer")
    edit(world, TWO_PLACES | {"contact": {"name": "Hanna Koch", "email": "hanna@hetzner.example"}})
    number = world.draft(summary="As Hanna Koch wrote")
    revise(world, number, effective_on=date(2026, 11, 5))
    approve(world, number, BORIS)
    world.publish(number)
    sweep(world)
    at(world, utc("2026-10-30 08:00"))
    object_to(world, number, "bremen")
    decide(world, number, "bremen", "served", "Handed to Dora Weber")
    at(world, utc("2026-11-04 23:00"))
    world.at = utc("2026-11-05 10:00")
    resolve(world, number, "bremen")
    decide(world, number, "bremen", "exempt", "Dora Weber agreed")
    sweep(world)
    edit(world, STRIPE | {"retention": "10 years"}, "stripe", actor=BORIS)
    withdraw(world, number, reason="Hanna Koch left")
    world.tick()
    with world.reading() as session:
        record = [(row.kind, json.dumps(row.payload)) for row in session.scalars(select(Event))]
    assert len({kind for kind, _ in record}) > 20
    for kind, payload in record:
        for word in ("@", "Anna", "Boris", "anna", "boris", "Dora", "Weber", "Fred", "Meyer", "Hanna", "Koch"):
            assert word not in payload, (kind, payload)
