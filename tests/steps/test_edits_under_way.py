"""Edits of entries that an open notice carries: what joins it, what waits, what revises a draft (R3, R4, R16)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registry.domain.changes import EntryChange
from registry.domain.entries import read_entry
from registry.domain.vocabulary import ChangeKind, Weight
from registry.steps.editorial import add_version, set_pending
from registry.steps.errors import (
    EditLocked,
    NotApproved,
    NothingToAnnounce,
    StaleBase,
)
from registry.steps.list_periods import put_on_list
from registry.steps.lookup import get_entry, get_publisher
from registry.steps.published import load_entry_history
from registry.steps.record_edit import EditFate
from registry.tables import EntryVersion, NoticeChange
from tests.steps.edits_cast import pending, places, translations, website
from tests.steps.path_cast import (
    HETZNER,
    STRIPE,
    TWO_PLACES,
    TWO_PLACES_AND_A_LINK,
    WITH_A_LINK,
    announce,
    approve,
    approve_entry,
    at,
    edit,
    events,
    statements,
    sweep,
    withdraw,
)
from tests.world import World, antopsis, utc

CLERK = {"name": "Clerk", "purposes": ["Sign-in"]}


def test_an_entry_stands_in_one_open_notice_at_a_time(world: World) -> None:
    world.apply(antopsis())
    number = announce(world)
    edit(world, TWO_PLACES | {"retention": "30 days"})
    with pytest.raises(EditLocked) as refusal:
        world.draft(entry_keys=("hetzner-falkenstein",))
    assert refusal.value.params == {"key": "hetzner-falkenstein", "number": number}
    with pytest.raises(NothingToAnnounce):
        world.draft()
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    assert [change.key for change in world.status(world.draft()).changes] == ["stripe"]


def test_an_editorial_edit_reaches_the_list_and_the_announced_target(world: World) -> None:
    world.apply(antopsis())
    number = announce(world)
    sweep(world)
    assert edit(world, TWO_PLACES_AND_A_LINK).fate is EditFate.IN_EFFECT
    assert website(world) == "https://hetzner.example"
    assert places(world) == ["Falkenstein"]
    announced = world.status(number).changes[0]
    assert [field.field for field in announced.fields] == ["locations"]
    at(world, utc("2026-11-15 23:00"))
    assert places(world) == ["Falkenstein", "Helsinki"]
    assert website(world) == "https://hetzner.example"
    assert pending(world) == []
    assert [event.payload["entry"] for event in events(world, "notice.target_corrected")] == ["hetzner-falkenstein"]
    with world.reading() as session:
        _, history = load_entry_history(session, get_publisher(session, "antopsis"), "hetzner-falkenstein")
        row = session.scalars(select(NoticeChange)).one()
        base = session.get_one(EntryVersion, row.base_version_id)
    assert [version.cause for version in history] == [number, "editorial", "founding"]
    assert base.document == read_entry(WITH_A_LINK).as_document()


SERVERS = "Servers that run the service"


def test_translations_reach_the_list_and_the_announced_target_each_by_its_own_texts(world: World) -> None:
    world.apply(antopsis())
    announce(world)
    sweep(world)
    both = {"de": {SERVERS: "Server, die den Dienst tragen", "Helsinki": "Helsinki (Finnland)"}}
    assert edit(world, TWO_PLACES | {"translations": both}).fate is EditFate.IN_EFFECT
    assert translations(world) == {"de": {SERVERS: "Server, die den Dienst tragen"}}
    at(world, utc("2026-11-15 23:00"))
    assert translations(world) == both


def test_a_translation_of_what_was_announced_leaves_the_list_as_it_is(world: World) -> None:
    world.apply(antopsis())
    announce(world)
    sweep(world)
    before = world.public().revision
    new = {"de": {"Helsinki": "Helsinki (Finnland)"}}
    assert edit(world, TWO_PLACES | {"translations": new}).fate is EditFate.IN_EFFECT
    assert (translations(world), world.public().revision) == ({}, before)
    assert pending(world) == ["hetzner-falkenstein"]
    at(world, utc("2026-11-15 23:00"))
    assert (translations(world), pending(world)) == (new, [])


def test_an_editorial_edit_of_an_announced_entry_needs_the_approvals_too(world: World) -> None:
    world.apply(antopsis(approvals=1))
    edit(world, TWO_PLACES)
    number = world.draft()
    approve(world, number)
    world.publish(number)
    digest = world.notice(number).digest
    assert edit(world, TWO_PLACES_AND_A_LINK).fate is EditFate.NEEDS_APPROVAL
    assert website(world) is None
    assert approve_entry(world, "hetzner-falkenstein").fate is EditFate.IN_EFFECT
    assert website(world) == "https://hetzner.example"
    assert world.notice(number).digest == digest
    assert world.status(number).approved_by == ("boris@antopsis.example",)


def test_a_binding_edit_of_an_announced_entry_waits_and_can_be_drafted_afterwards(world: World) -> None:
    world.apply(antopsis(customers=""))
    announce(world)
    waits = edit(world, TWO_PLACES | {"retention": "30 days"})
    assert waits.fate is EditFate.WAITS
    assert waits.change is not None
    assert waits.change.kinds == (ChangeKind.RETENTION,)
    at(world, utc("2026-10-30 23:00"))
    assert places(world) == ["Falkenstein", "Helsinki"]
    assert pending(world) == ["hetzner-falkenstein"]
    second = world.draft()
    assert [field.field for field in world.status(second).changes[0].fields] == ["retention"]


def test_an_editorial_edit_of_an_announced_field_waits_and_takes_effect_by_itself_afterwards(world: World) -> None:
    world.apply(antopsis(customers=""))
    announce(world)
    turned = TWO_PLACES | {"locations": [*reversed(TWO_PLACES["locations"])]}
    assert edit(world, turned).fate is EditFate.WAITS
    assert edit(world, turned).fate is EditFate.UNCHANGED
    at(world, utc("2026-10-30 23:00"))
    assert places(world) == ["Helsinki", "Falkenstein"]
    assert pending(world) == []


def test_an_edit_back_to_what_was_announced_drops_the_one_that_waited(world: World) -> None:
    world.apply(antopsis(customers=""))
    announce(world)
    edit(world, TWO_PLACES | {"retention": "30 days"})
    assert edit(world, TWO_PLACES).fate is EditFate.DROPPED
    assert edit(world, TWO_PLACES).fate is EditFate.UNCHANGED
    at(world, utc("2026-10-30 23:00"))
    assert places(world) == ["Falkenstein", "Helsinki"]
    assert pending(world) == []


def test_wanting_the_old_list_back_after_the_announcement_is_a_change_of_its_own(world: World) -> None:
    world.apply(antopsis(customers=""))
    number = announce(world)
    assert edit(world, HETZNER).fate is EditFate.WAITS
    withdraw(world, number)
    # With the notice withdrawn the list says already what was wanted.
    assert pending(world) == []
    second = announce(world)
    edit(world, HETZNER)
    at(world, utc("2026-10-31 23:00"))
    assert world.notice(second).state == "in_effect"
    assert pending(world) == ["hetzner-falkenstein"]
    assert world.status(world.draft()).changes[0].weight is Weight.INFORMING


def test_an_edit_of_a_drafted_entry_revises_the_draft_under_its_number(world: World) -> None:
    world.apply(antopsis(customers=""))
    edit(world, TWO_PLACES)
    number = world.draft()
    before = world.notice(number)
    sweden = HETZNER | {"locations": [*HETZNER["locations"], {"country": "SE", "function": "storage"}]}
    assert edit(world, sweden | {"retention": "30 days"}).fate is EditFate.DRAFTED
    after = world.notice(number)
    assert after.digest != before.digest
    assert after.summary != before.summary
    fields = world.status(number).changes[0].fields
    assert [field.field for field in fields] == ["locations", "retention"]
    world.publish(number)
    at(world, utc("2026-10-30 23:00"))
    assert places(world) == ["Falkenstein", None]


def test_a_summary_that_a_person_wrote_outlives_a_revision(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft(summary="A second place for our servers")
    edit(world, TWO_PLACES | {"retention": "30 days"})
    assert world.notice(number).summary == "A second place for our servers"


def test_reverting_the_only_edit_withdraws_the_draft_and_its_number_is_not_given_again(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    assert edit(world, HETZNER).fate is EditFate.DROPPED
    assert world.notice(number).state == "withdrawn"
    assert pending(world) == []
    edit(world, TWO_PLACES)
    assert (number, world.draft()) == ("2026-001", "2026-002")
    assert world.public().notices == ()


def test_a_draft_left_with_editorial_differences_alone_lets_them_go(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    assert edit(world, WITH_A_LINK).fate is EditFate.IN_EFFECT
    assert website(world) == "https://hetzner.example"
    assert world.notice(number).state == "withdrawn"


def test_one_entry_leaves_a_draft_and_the_others_stay(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    number = world.draft()
    edit(world, HETZNER)
    assert [change.key for change in world.status(number).changes] == ["stripe"]
    assert "Hetzner" not in world.notice(number).summary
    assert world.notice(number).state == "draft"


def test_publishing_on_a_list_that_changed_under_the_draft_is_refused_with_the_difference(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        entry = get_entry(session, publisher, "hetzner-falkenstein")
        document = read_entry(WITH_A_LINK).as_document()
        version = add_version(session, world.at, publisher, entry, document, "somebody")
        put_on_list(session, world.at, publisher, entry, version, cause="editorial")
        newest = session.scalars(select(EntryVersion.id).where(EntryVersion.seq == 2)).one()
        set_pending(session, publisher, entry, newest)
    with pytest.raises(StaleBase) as refusal:
        world.publish(number)
    assert refusal.value.params["key"] == "hetzner-falkenstein"
    change = refusal.value.params["change"]
    assert isinstance(change, EntryChange)
    assert [field.field for field in change.fields] == ["links.website"]
    assert world.notice(number).state == "draft"


def test_an_announcement_that_only_corrects_is_a_persons_choice(world: World) -> None:
    """An editorial edit that waits for approval goes into a notice only where somebody names its entry (R3)."""
    world.apply(antopsis(approvals=1))
    edit(world, WITH_A_LINK)
    number = world.draft(entry_keys=("hetzner-falkenstein",))
    assert world.status(number).changes[0].weight is Weight.EDITORIAL
    edit(world, WITH_A_LINK | {"address": "Industriestraße 25"})
    assert [field.field for field in world.status(number).changes[0].fields] == ["address", "links.website"]
    assert statements(world, number) == []
    with pytest.raises(NotApproved):
        world.publish(number)
