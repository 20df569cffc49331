"""From an edit to the list: what waits for a notice, what does not, and what an open notice lets through (R1–R4)."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select, update

from registry.domain.entries import EntryInternals
from registry.domain.vocabulary import Weight
from registry.steps.approvals import COMMAND_LINE
from registry.steps.errors import (
    CommandLineMayNotApprove,
    NothingToAnnounce,
    OwnApproval,
    UnknownEntry,
)
from registry.steps.lookup import find_entry, get_entry, get_publisher
from registry.steps.published import load_entry_history
from registry.steps.record import Actor
from registry.steps.record_edit import EditFate, record_internals
from registry.tables import EntryKey, EntryVersion, Notice
from tests.steps.edits_cast import announce_removal, pending, places, website
from tests.steps.path_cast import (
    CARLA,
    HETZNER,
    STRIPE,
    TWO_PLACES,
    WITH_A_LINK,
    announce,
    approve_entry,
    at,
    count_deliveries,
    edit,
    events,
    sweep,
)
from tests.world import ANNA, BORIS, HANOI, World, antopsis, utc

CLERK = {"name": "Clerk", "purposes": ["Sign-in"]}


def test_an_editorial_edit_takes_effect_at_once_and_sends_nothing(world: World) -> None:
    world.apply(antopsis())
    revision = world.public().revision
    done = edit(world, WITH_A_LINK)
    assert done.fate is EditFate.IN_EFFECT
    assert done.change is not None
    assert done.change.weight is Weight.EDITORIAL
    assert website(world) == "https://hetzner.example"
    assert world.public().revision == revision + 1
    assert pending(world) == []
    with pytest.raises(NothingToAnnounce):
        world.draft()
    sweep(world)
    assert count_deliveries(world) == 0
    with world.reading() as session:
        _, history = load_entry_history(session, get_publisher(session, "antopsis"), "hetzner-falkenstein")
    assert [version.cause for version in history] == ["editorial", "founding"]


def test_an_editorial_edit_waits_for_a_second_person_where_approvals_are_required(world: World) -> None:
    world.apply(antopsis(approvals=1))
    assert edit(world, WITH_A_LINK).fate is EditFate.NEEDS_APPROVAL
    assert website(world) is None
    with pytest.raises(NothingToAnnounce):
        world.draft()
    with pytest.raises(OwnApproval):
        approve_entry(world, "hetzner-falkenstein", ANNA)
    with pytest.raises(CommandLineMayNotApprove):
        approve_entry(world, "hetzner-falkenstein", Actor("boris@antopsis.example", COMMAND_LINE, "root"))
    assert website(world) is None
    assert approve_entry(world, "hetzner-falkenstein", BORIS).fate is EditFate.IN_EFFECT
    assert website(world) == "https://hetzner.example"
    assert approve_entry(world, "hetzner-falkenstein", BORIS).fate is EditFate.UNCHANGED


def test_a_later_edit_voids_the_approval_of_an_editorial_one(world: World) -> None:
    world.apply(antopsis(approvals=2))
    edit(world, WITH_A_LINK)
    assert approve_entry(world, "hetzner-falkenstein", BORIS).fate is EditFate.NEEDS_APPROVAL
    edit(world, HETZNER | {"links": {"website": "https://www.hetzner.example"}}, actor=BORIS)
    assert approve_entry(world, "hetzner-falkenstein", CARLA).fate is EditFate.NEEDS_APPROVAL
    for author in (ANNA, BORIS):
        with pytest.raises(OwnApproval):
            approve_entry(world, "hetzner-falkenstein", author)
    assert website(world) is None


def test_an_edit_that_waited_for_an_approval_takes_effect_once_none_is_required(world: World) -> None:
    world.apply(antopsis(approvals=1))
    edit(world, WITH_A_LINK)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        publisher.facts = publisher.facts | {"approvals_required": 0}
    assert edit(world, WITH_A_LINK).fate is EditFate.IN_EFFECT
    assert website(world) == "https://hetzner.example"


def test_a_removal_informs_and_has_no_clock(world: World) -> None:
    world.apply(antopsis(customers=HANOI))
    number = announce_removal(world)
    notice = world.notice(number)
    assert notice.effective_on == date(2026, 9, 30)
    sweep(world)
    assert world.notice(number).state == "in_effect"
    assert [entry.key for entry in world.public().entries] == ["hetzner-falkenstein"]
    assert [entry.key for entry in world.public().removed] == ["stripe"]
    assert [each.state for each in world.status(number).deliveries] == ["accepted"]


def test_what_only_informs_shares_the_date_of_what_binds_in_the_same_notice(world: World) -> None:
    world.apply(antopsis())
    edit(world, None, "stripe")
    number = announce(world)
    sweep(world)
    assert world.notice(number).effective_on == date(2026, 11, 16)
    assert len(world.public().entries) == 2
    at(world, utc("2026-11-15 23:00"))
    assert [entry.key for entry in world.public().entries] == ["hetzner-falkenstein"]
    assert places(world) == ["Falkenstein", "Helsinki"]


def test_a_named_entry_without_an_edit_is_no_notice(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    with pytest.raises(NothingToAnnounce):
        world.draft(entry_keys=("stripe", "hetzner-falkenstein"))
    with pytest.raises(UnknownEntry):
        world.draft(entry_keys=("strype",))
    assert world.draft(entry_keys=("hetzner-falkenstein",)) == "2026-001"


def test_an_entry_added_and_taken_back_before_its_notice_was_never_there(world: World) -> None:
    world.apply(antopsis())
    public = world.public()
    edit(world, CLERK, "clerk")
    number = world.draft()
    assert edit(world, None, "clerk").fate is EditFate.DROPPED
    assert world.notice(number).state == "withdrawn"
    assert world.public() == public
    with world.reading() as session, pytest.raises(UnknownEntry) as refusal:
        load_entry_history(session, get_publisher(session, "antopsis"), "clerk")
    assert refusal.value.params["near"] == []


def test_an_entry_that_was_removed_comes_back_as_an_addition_with_its_whole_history(world: World) -> None:
    world.apply(antopsis(customers=""))
    founded_at = world.at
    announce_removal(world)
    at(world, utc("2026-10-02 08:00"))
    edit(world, STRIPE, "stripe")
    number = world.draft()
    world.publish(number)
    at(world, utc("2026-11-01 23:00"))
    with world.reading() as session:
        _, history = load_entry_history(session, get_publisher(session, "antopsis"), "stripe")
    assert [(version.content is None, version.cause, version.from_at) for version in history] == [
        (False, number, utc("2026-11-01 23:00")),
        (True, "2026-001", utc("2026-10-02 08:00")),
        (False, "founding", founded_at),
    ]
    stripe = world.public().entries[0]
    assert (stripe.key, stripe.listed_at) == ("stripe", utc("2026-11-01 23:00"))
    assert [entry.key for entry in world.public(date(2026, 10, 15)).entries] == ["hetzner-falkenstein"]
    assert [entry.key for entry in world.public(date(2026, 10, 15)).removed] == ["stripe"]
    assert [entry.key for entry in world.public(date(2026, 10, 1)).entries] == ["stripe", "hetzner-falkenstein"]


def test_the_removal_of_an_entry_that_never_was_is_refused_and_leaves_nothing(world: World) -> None:
    world.apply(antopsis())
    with pytest.raises(UnknownEntry) as refusal:
        edit(world, None, "strype")
    assert refusal.value.params["near"] == ["stripe"]
    with world.reading() as session:
        assert find_entry(session, get_publisher(session, "antopsis"), "strype") is None


def test_an_entry_added_without_a_place_comes_last(world: World) -> None:
    world.apply(antopsis(customers=""))
    edit(world, CLERK, "a-clerk")
    number = world.draft()
    world.publish(number)
    at(world, utc("2026-10-30 23:00"))
    assert [entry.key for entry in world.public().entries] == ["stripe", "hetzner-falkenstein", "a-clerk"]


def test_a_publisher_may_give_more_than_999_notices_in_a_year_and_counts_by_its_own(world: World) -> None:
    world.apply(antopsis(customers=""))
    edit(world, TWO_PLACES)
    first = world.draft()
    with world.writing() as session:
        session.execute(update(Notice).values(number="2026-999"))
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    second = world.draft()
    edit(world, CLERK, "clerk")
    assert (first, second, world.draft()) == ("2026-001", "2026-1000", "2026-1001")
    world.at = utc("2026-12-31 23:30")
    edit(world, CLERK, "clerk-two")
    assert world.draft() == "2027-001"


def test_private_facts_are_in_no_version_and_change_nothing_public(world: World) -> None:
    world.apply(antopsis())
    before = world.public()
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        internals = EntryInternals(owner="Anna", note="Renew in May")
        assert record_internals(session, publisher, "stripe", internals, now=world.at, actor=ANNA)
        assert not record_internals(session, publisher, "stripe", internals, now=world.at, actor=ANNA)
        documents = session.scalars(select(EntryVersion.document)).all()
    assert world.public() == before
    assert "Renew" not in str(documents)
    assert [event.payload for event in events(world, "entry.internals")] == [{}]


def test_every_version_says_who_wrote_it_and_the_record_says_it_too(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES, actor=BORIS)
    with world.reading() as session:
        entry = get_entry(session, get_publisher(session, "antopsis"), "hetzner-falkenstein")
        of_entry = select(EntryVersion).where(EntryVersion.entry_id == entry.id).order_by(EntryVersion.seq)
        versions = session.scalars(of_entry).all()
        keys = session.scalars(select(EntryKey.key).where(EntryKey.entry_id == entry.id)).all()
    assert [(version.seq, version.author) for version in versions] == [(1, ANNA.name), (2, BORIS.name)]
    assert keys == ["hetzner-falkenstein"]
    (edited,) = events(world, "entry.edited")
    assert edited.actor == "boris@antopsis.example (web)"
    assert edited.payload["digest"] == versions[1].digest
