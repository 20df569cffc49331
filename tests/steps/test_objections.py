"""Objections: in time by the later of two deadlines, late ones kept as late, each closed by a cure (R25)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from registry.domain.errors import InvalidInput
from registry.steps.errors import UnknownCustomer, UnknownObjection
from registry.steps.record_objection import CURES
from registry.tables import Objection
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import (
    BREMEN_FACTS,
    add_customer,
    announce,
    at,
    decide,
    events,
    object_to,
    resolve,
    standing,
    sweep,
)
from tests.world import BREMEN, HANOI, World, antopsis, letters_to, text_of, utc


def pending_notice(world: World, *, deliver: bool = True) -> str:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    if deliver:
        sweep(world)
    return number


def objections(world: World) -> list[Objection]:
    with world.reading() as session:
        return list(session.scalars(select(Objection).order_by(Objection.id)))


def test_the_last_day_counts_to_its_last_moment(world: World) -> None:
    number = pending_notice(world)
    world.at = utc("2026-11-05 08:00")
    assert object_to(world, number, "bremen", utc("2026-10-30 22:59:59"))
    assert not object_to(world, number, "bremen", utc("2026-10-30 23:00"))
    in_time, late = objections(world)
    assert in_time.deadline_at == late.deadline_at == utc("2026-10-30 23:00")
    assert (in_time.is_in_time, late.is_in_time, late.state) == (True, False, "received")
    assert [event.payload["in_time"] for event in events(world, "objection.received")] == [True, False]


def test_a_contact_who_is_told_later_reads_the_deadline_that_runs_already(
    world: World, mail_server: MailServer
) -> None:
    number = pending_notice(world)
    decide(world, number, "bremen", "served", "By hand", utc("2026-09-30 08:00"))
    world.at = utc("2026-10-05 08:00")
    add_customer(world, **(BREMEN_FACTS | {"contacts": ["dpo@bremen.example", "second@bremen.example"]}))
    sweep(world)
    assert "Friday, 30 October 2026" in " ".join(text_of(letters_to(mail_server, "second@bremen.example")[0]).split())
    world.at = utc("2026-11-05 08:00")
    assert object_to(world, number, "bremen", utc("2026-10-30 22:00"))


def test_a_letter_that_was_refused_still_printed_its_deadline(world: World, mail_server: MailServer) -> None:
    """The printed day is later than the one that follows from service by courier on the day before (R25)."""
    mail_server.script("dpo@bremen.example", 550, "5.1.1 No such user here")
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    at(world, utc("2026-10-02 08:00"))
    decide(world, number, "bremen", "served", "Courier 77", utc("2026-10-01 08:00"))
    world.at = utc("2026-11-05 08:00")
    assert object_to(world, number, "bremen", utc("2026-11-01 22:59"))
    assert not object_to(world, number, "bremen", utc("2026-11-01 23:00"))


def test_nobody_objects_before_the_announcement_or_in_time_to_come(world: World) -> None:
    number = pending_notice(world, deliver=False)
    announced_at = world.notice(number).announced_at
    assert announced_at is not None
    world.at = announced_at + timedelta(days=1)
    for received_at, code in (
        (announced_at - timedelta(microseconds=1), "received-before-told"),
        (world.at + timedelta(microseconds=1), "received-in-the-future"),
    ):
        with pytest.raises(InvalidInput) as refused:
            object_to(world, number, "bremen", received_at)
        (problem,) = refused.value.problems
        assert (problem.field, problem.value, problem.code) == ("received_at", received_at.isoformat(), code)
    assert objections(world) == []
    assert object_to(world, number, "bremen", announced_at)
    # A clock that was set back since refuses nobody who objects now.
    world.at = announced_at - timedelta(minutes=1)
    assert object_to(world, number, "bremen")


def test_who_has_not_received_it_cannot_be_late(world: World) -> None:
    number = pending_notice(world, deliver=False)
    world.at = utc("2027-03-01 08:00")
    assert object_to(world, number, "bremen")
    (objection,) = objections(world)
    assert objection.deadline_at is None


@pytest.mark.parametrize("cure", CURES)
def test_each_cure_closes_all_open_objections_of_the_customer(sqlite_world: World, cure: str) -> None:
    world = sqlite_world
    number = pending_notice(world)
    object_to(world, number, "bremen")
    object_to(world, number, "bremen")
    resolve(world, number, "bremen", cure)
    states = {objection.state for objection in objections(world)}
    assert states == {"resolved_otherwise" if cure == "other" else cure}
    assert all(objection.resolved_at == world.at for objection in objections(world))
    with pytest.raises(UnknownObjection):
        resolve(world, number, "bremen", cure)
    at(world, utc("2026-10-31 23:00"))
    assert world.notice(number).state == "in_effect"


def test_each_customer_has_its_own_deadline_and_its_own_objections(world: World) -> None:
    world.apply(antopsis(customers=BREMEN + HANOI.replace("days: 45", "days: 45, objection_days: 60")))
    number = announce(world)
    sweep(world)
    world.at = utc("2026-11-10 08:00")
    assert object_to(world, number, "hanoi")
    assert not object_to(world, number, "bremen")
    resolve(world, number, "bremen")
    assert [objection.state for objection in objections(world)] == ["received", "accommodated"]
    assert [hold.customer_key for hold in world.status(number).holds] == ["hanoi"]


def test_a_customer_may_object_anew_after_a_cure(world: World) -> None:
    number = pending_notice(world)
    object_to(world, number, "bremen")
    resolve(world, number, "bremen")
    assert object_to(world, number, "bremen")
    assert [objection.state for objection in objections(world)] == ["accommodated", "received"]
    assert len(world.status(number).holds) == 1


def test_only_a_customer_of_the_notice_objects(world: World) -> None:
    number = pending_notice(world)
    add_customer(world, key="acme", name="Acme GmbH", contacts=["privacy@acme.example"])
    for key in ("acme", "nobody"):
        with pytest.raises(UnknownCustomer):
            object_to(world, number, key)
    assert objections(world) == []


def test_an_objection_after_effect_is_on_record_and_undoes_nothing(world: World) -> None:
    number = pending_notice(world)
    at(world, utc("2026-10-31 23:00"))
    assert not object_to(world, number, "bremen")
    sweep(world)
    assert world.notice(number).state == "in_effect"
    assert len(objections(world)) == 1


def test_the_ground_of_an_objection_is_in_its_row_and_not_in_the_record(world: World) -> None:
    number = pending_notice(world)
    object_to(world, number, "bremen")
    known = standing(world, number, "bremen")
    assert known is not None
    (received,) = events(world, "objection.received")
    assert received.payload == {
        "customer_id": known.customer_id,
        "in_time": True,
        "objection": objections(world)[0].id,
        "road": None,
    }
    assert objections(world)[0].ground == "No."


def test_nothing_is_served_at_an_instant_that_is_still_to_come(world: World) -> None:
    number = pending_notice(world, deliver=False)
    with pytest.raises(InvalidInput) as refused:
        decide(world, number, "bremen", "served", "courier", served_at=utc("2026-09-30 08:01"))
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == ("served_at", "served-in-the-future")
    standing_now = standing(world, number, "bremen")
    assert standing_now is not None
    assert standing_now.state == "waiting"


def test_grounds_and_notes_have_lines_and_no_control_characters(sqlite_world: World) -> None:
    number = pending_notice(sqlite_world)
    object_to(sqlite_world, number, "bremen", ground="No transfers.\n\nSee clause 7.")
    resolve(sqlite_world, number, "bremen", note="Stays in Falkenstein.\nUntil May.")
    with pytest.raises(InvalidInput) as refused:
        object_to(sqlite_world, number, "bremen", ground="No\x1b transfers.")
    assert (refused.value.problems[0].field, refused.value.problems[0].code) == ("ground", "control-character")
    with pytest.raises(InvalidInput) as refused:
        resolve(sqlite_world, number, "bremen", note="Stays\u202e in Falkenstein.")
    assert (refused.value.problems[0].field, refused.value.problems[0].code) == ("note", "control-character")
    (objection,) = objections(sqlite_world)
    assert (objection.ground, objection.cure) == (
        "No transfers.\n\nSee clause 7.",
        "Stays in Falkenstein.\nUntil May.",
    )
