"""From an edit to the list: what waits for a notice, what does not, and what an open notice lets through (R1–R4)."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select, update

from registry.domain.changes import EntryChange
from registry.domain.entries import EntryInternals, read_entry
from registry.domain.vocabulary import ChangeKind, Weight
from registry.steps.approvals import COMMAND_LINE
from registry.steps.editorial import add_version, set_pending
from registry.steps.errors import (
    CommandLineMayNotApprove,
    EditLocked,
    NotApproved,
    NothingToAnnounce,
    OwnApproval,
    StaleBase,
    UnknownEntry,
)
from registry.steps.list_periods import put_on_list
from registry.steps.lookup import find_entry, get_entry, get_publisher
from registry.steps.published import load_entry_history
from registry.steps.record import Actor
from registry.steps.record_edit import EditFate, record_internals
from registry.tables import Entry, EntryKey, EntryVersion, Notice, NoticeChange, PendingEdit
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
    count_deliveries,
    edit,
    events,
    statements,
    sweep,
    withdraw,
)
from tests.world import ANNA, BORIS, HANOI, World, antopsis, utc

CLERK = {"name": "Clerk", "purposes": ["Sign-in"]}


def places(world: World, as_of: date | None = None) -> list[str | None]:
    hetzner = next(entry for entry in world.public(as_of).entries if entry.key == "hetzner-falkenstein")
    return [place.place for place in hetzner.content.locations]


def website(world: World) -> str | None:
    hetzner = next(entry for entry in world.public().entries if entry.key == "hetzner-falkenstein")
    return hetzner.content.links.website if hetzner.content.links else None


def pending(world: World) -> list[str]:
    with world.reading() as session:
        query = select(Entry.key).join(PendingEdit, PendingEdit.entry_id == Entry.id)
        return list(session.scalars(query.order_by(Entry.key)))


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
    assert approve_entry(world, "hetzner-falkenstein", ANNA).fate is EditFate.NEEDS_APPROVAL
    with pytest.raises(OwnApproval):
        approve_entry(world, "hetzner-falkenstein", BORIS)
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


def announce_removal(world: World) -> str:
    edit(world, None, "stripe")
    number = world.draft()
    world.publish(number)
    return number


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


def test_a_named_entry_without_an_edit_is_no_notice(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    with pytest.raises(NothingToAnnounce):
        world.draft(entry_keys=("stripe", "hetzner-falkenstein"))
    with pytest.raises(UnknownEntry):
        world.draft(entry_keys=("strype",))
    assert world.draft(entry_keys=("hetzner-falkenstein",)) == "2026-001"


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
        versions = session.scalars(select(EntryVersion).where(EntryVersion.entry_id == entry.id)).all()
        keys = session.scalars(select(EntryKey.key).where(EntryKey.entry_id == entry.id)).all()
    assert [(version.seq, version.author) for version in versions] == [(1, ANNA.name), (2, BORIS.name)]
    assert keys == ["hetzner-falkenstein"]
    (edited,) = events(world, "entry.edited")
    assert edited.actor == "boris@antopsis.example (web)"
    assert edited.payload["digest"] == versions[1].digest


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
