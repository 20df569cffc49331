"""Correcting an announced notice (R20)."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from registry.domain.errors import IllegalTransition, InvalidInput
from registry.domain.vocabulary import Weight
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.steps.contacts import add_contact
from registry.steps.correct_notice import approve_correction, correct_notice
from registry.steps.draft_notice import revise_notice
from registry.steps.errors import CorrectionUndoesChange, NotApproved, NothingToAnnounce, OwnApproval
from registry.steps.lookup import get_customer, get_notice, get_publisher
from registry.steps.publish_notice import approve_notice
from registry.steps.record import Actor
from registry.steps.record_objection import exempt_customer
from registry.steps.record_outcome import OutcomeKind, record_outcome
from registry.steps.weigh_change import weigh_change
from registry.tables import Approval
from tests.channels.smtp_server import MailServer
from tests.world import ANNA, ANTOPSIS, BORIS, BREMEN, HANOI, World, antopsis, letters_to, text_of, utc

WRONG = "The place is Tampere, not Helsinki."


def _file(place: str, *, name: str = "Hetzner", approvals: int = 0) -> RegistryFile:
    location = f"\n      - {{country: FI, place: {place}, function: processing}}" if place else ""
    text = ANTOPSIS.format(approvals=approvals, more_locations=location, customers=HANOI + BREMEN, more_entries="")
    return read_registry_file(text.replace("name: Hetzner", f"name: {name}").encode(), "antopsis.yaml")


def _correct(world: World, number: str, actor: Actor = ANNA, reason: str = WRONG) -> dict[str, int]:
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        return correct_notice(session, world.at, publisher, notice, actor, world.wiring.letterhead, reason=reason)


def _announce_helsinki(world: World) -> str:
    world.apply(antopsis())
    number = world.announce(antopsis(helsinki=True))
    world.tick()
    return number


def test_correcting_a_binding_fact_restarts_every_clock_from_the_receipt_of_the_correction(
    world: World, mail_server: MailServer
) -> None:
    number = _announce_helsinki(world)
    world.at = utc("2026-10-20 08:00")
    world.apply(_file("Tampere"))
    assert _correct(world, number)["due"] == 2
    waiting = world.status(number)
    assert [each.state for each in waiting.customers] == ["waiting", "waiting"]
    # 20 October in Hanoi, a day for the dispatch, and 45 days: 5 December is the last, 6 December is free.
    assert waiting.effective_on == date(2026, 12, 6)
    world.tick()
    letter = text_of(letters_to(mail_server, "privacy@hanoi.example")[-1])
    assert "Tampere" in letter
    assert WRONG.rstrip(".") in letter
    assert [each.received_at for each in world.status(number).customers] == [world.at, world.at]
    world.at = utc("2026-11-15 23:00")
    world.tick()
    assert world.notice(number).state == "announced"
    world.at = utc("2026-12-05 23:00")
    world.tick()
    assert world.notice(number).state == "in_effect"
    assert [place.place for place in world.public().entries[1].content.locations] == ["Falkenstein", "Tampere"]


def test_a_late_report_on_the_announcement_starts_no_clock_that_waits_for_the_correction(world: World) -> None:
    number = _announce_helsinki(world)
    announcements = [each for each in world.status(number).deliveries if each.customer == "hanoi"]
    world.at = utc("2026-10-20 08:00")
    world.apply(_file("Tampere"))
    _correct(world, number)
    with world.writing() as session:
        assert record_outcome(
            session,
            world.at,
            provider="relay",
            event_id="1",
            message_id=announcements[0].message_id or "",
            kind=OutcomeKind.DELIVERED,
            happened_at=utc("2026-09-30 09:00"),
            actor=ANNA,
        )
    status = world.status(number)
    assert "delivered" in [each.state for each in status.deliveries]
    assert [each.received_at for each in status.customers] == [None, None]


def test_a_clarification_leaves_clocks_and_date_as_they_are(world: World, mail_server: MailServer) -> None:
    number = _announce_helsinki(world)
    before = world.status(number)
    world.at = utc("2026-10-20 08:00")
    # Another brand name of the same entity informs; nothing that binds was told wrongly.
    world.apply(_file("Helsinki", name="Hetzner Online"))
    assert _correct(world, number, reason="The name is Hetzner Online.")["due"] == 2
    world.tick()
    after = world.status(number)
    assert after.effective_on == before.effective_on
    assert [each.received_at for each in after.customers] == [each.received_at for each in before.customers]
    assert "Hetzner Online" in text_of(letters_to(mail_server, "privacy@hanoi.example")[-1])


def test_a_correction_that_leaves_nothing_is_refused(world: World) -> None:
    number = _announce_helsinki(world)
    world.apply(antopsis())
    with pytest.raises((CorrectionUndoesChange, NothingToAnnounce)):
        _correct(world, number)
    assert world.notice(number).state == "announced"


def test_a_draft_is_revised_and_not_corrected(world: World) -> None:
    world.apply(antopsis())
    world.apply(antopsis(helsinki=True))
    number = world.draft()
    with pytest.raises(IllegalTransition):
        _correct(world, number)


def test_a_correction_needs_the_approvals_a_notice_does(world: World) -> None:
    world.apply(antopsis(approvals=1))
    world.apply(antopsis(helsinki=True, approvals=1))
    number = world.draft()
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        approve_notice(session, world.at, publisher, get_notice(session, publisher, number), BORIS)
    world.publish(number)
    world.tick()
    world.apply(_file("Tampere", approvals=1))
    with pytest.raises(NotApproved):
        _correct(world, number)
    with pytest.raises(OwnApproval):
        _approve(world, number, ANNA)
    _approve(world, number, BORIS, reason="Another reason altogether")
    with pytest.raises(NotApproved):
        _correct(world, number)
    _approve(world, number, BORIS)
    assert _correct(world, number)["due"] == 2


def _approve(world: World, number: str, actor: Actor, reason: str = WRONG) -> None:
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        approve_correction(session, world.at, publisher, notice, actor, reason=reason)


def test_what_the_page_showed_before_a_correction_stays_what_it_showed(world: World) -> None:
    number = _announce_helsinki(world)
    world.at = utc("2026-10-20 08:00")
    world.apply(_file("Tampere"))
    _correct(world, number)
    (before,) = world.public(date(2026, 10, 19)).notices
    world.at = utc("2026-10-21 08:00")
    (after,) = world.public(date(2026, 10, 20)).notices
    assert "Helsinki" in str(before.changes)
    assert "Tampere" not in str(before.changes)
    assert "Tampere" in str(after.changes)


def test_a_contact_who_joins_gets_the_statement_that_clocks_run_from_also_after_a_clarification(world: World) -> None:
    number = _announce_helsinki(world)
    world.apply(_file("Tampere"))
    _correct(world, number)
    world.apply(_file("Tampere", name="Hetzner Online"))
    _correct(world, number, reason="The name is Hetzner Online.")
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        add_contact(session, world.at, get_customer(session, publisher, "hanoi"), "new@hanoi.example", ANNA)
    joined = [each.statement for each in world.status(number).deliveries if each.address == "new@hanoi.example"]
    assert joined == [1, 2, 3]


def test_a_weight_that_a_person_raised_survives_a_correction(world: World) -> None:
    world.apply(antopsis())
    world.apply(_file("", name="Hetzner Online"))
    number = world.draft()
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        weigh_change(session, world.at, publisher, notice, "hetzner-falkenstein", Weight.BINDING, ANNA)
        revise_notice(session, world.at, publisher, notice, ANNA)
    world.publish(number)
    world.apply(_file("", name="Hetzner Cloud"))
    _correct(world, number, reason="The name is Hetzner Cloud.")
    assert [hold.customer_key for hold in world.status(number).holds] == ["bremen", "hanoi"]


def test_an_exemption_from_what_was_told_wrongly_lapses(world: World) -> None:
    number = _announce_helsinki(world)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        exempt_customer(session, world.at, publisher, notice, "bremen", ANNA, basis="Amendment of 1 October")
    world.apply(_file("Tampere"))
    _correct(world, number)
    bremen = next(each for each in world.status(number).customers if each.key == "bremen")
    assert bremen.state == "waiting"
    assert "customer.decision_lapsed" in [kind for _, _, kind, _ in world.status(number).events]


def test_an_approval_covers_the_words_of_a_correction_and_unclean_ones_are_refused(world: World) -> None:
    number = _announce_helsinki(world)
    world.apply(_file("Tampere"))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        assert approve_correction(session, world.at, publisher, notice, BORIS, reason=WRONG, summary="One") == 1
        assert approve_correction(session, world.at, publisher, notice, BORIS, reason=WRONG, summary="Two") == 1
        given = session.scalars(select(Approval.digest).where(Approval.subject == "correction")).all()
    assert len(set(given)) == 2
    with pytest.raises(InvalidInput):
        _correct(world, number, reason="Wrong\x07")
