"""What an edit would mean is foretold as it then comes, and foretelling changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from registry.domain.entries import read_entry
from registry.domain.notice_life import NoticeState
from registry.domain.vocabulary import ChangeKind, Weight
from registry.steps.assess_edit import Assessment, assess_edit
from registry.steps.lookup import get_publisher
from registry.steps.record_edit import EditFate, record_edit
from registry.steps.save_entry import load_present
from tests.steps.path_cast import HETZNER, TWO_PLACES, TWO_PLACES_AND_A_LINK, WITH_A_LINK, announce, dump, edit
from tests.world import ANNA, World, antopsis

KEY = "hetzner-falkenstein"
LONGER = HETZNER | {"retention": "30 days"}
ENDS_TOO_EARLY = HETZNER | {"until": "2027-01-31"}
EDITS: dict[str, dict[str, Any] | None] = {
    "as it is": HETZNER,
    "a link": WITH_A_LINK,
    "another place": TWO_PLACES,
    "another place and a link": TWO_PLACES_AND_A_LINK,
    "retention": LONGER,
    "fewer data": HETZNER | {"data_categories": ["Account data"]},
    "an end": ENDS_TOO_EARLY,
    "its removal": None,
}


def _nothing(world: World) -> None:
    world.apply(antopsis())


def _with_approvals(world: World) -> None:
    world.apply(antopsis(approvals=1))


def _an_edit_waits(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)


def _an_editorial_edit_waits(world: World) -> None:
    world.apply(antopsis(approvals=1))
    edit(world, WITH_A_LINK)


def _a_removal_waits(world: World) -> None:
    world.apply(antopsis())
    edit(world, None)


def _a_draft_holds_it(world: World) -> None:
    _an_edit_waits(world)
    world.draft()


def _a_draft_holds_an_editorial_edit(world: World) -> None:
    _an_editorial_edit_waits(world)
    world.draft(entry_keys=(KEY,))


def _it_is_announced(world: World) -> None:
    world.apply(antopsis())
    announce(world)


def _it_is_announced_and_an_edit_waits_beyond(world: World) -> None:
    _it_is_announced(world)
    edit(world, LONGER)


def _its_removal_is_announced(world: World) -> None:
    _a_removal_waits(world)
    world.publish(world.draft())


SITUATIONS = [
    _nothing,
    _with_approvals,
    _an_edit_waits,
    _an_editorial_edit_waits,
    _a_removal_waits,
    _a_draft_holds_it,
    _a_draft_holds_an_editorial_edit,
    _it_is_announced,
    _it_is_announced_and_an_edit_waits_beyond,
    _its_removal_is_announced,
]


def foretell(world: World, document: dict[str, Any] | None, key: str = KEY) -> Assessment:
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        present = load_present(session, publisher, key)
        return assess_edit(session, world.at, publisher, key, present, read_entry(document) if document else None)


@pytest.mark.parametrize("arrange", SITUATIONS, ids=lambda arrange: arrange.__name__.strip("_"))
def test_an_edit_has_the_fate_that_was_foretold(sqlite_world: World, arrange: Callable[[World], None]) -> None:
    arrange(sqlite_world)
    for name, document in EDITS.items():
        foretold = foretell(sqlite_world, document)
        with sqlite_world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            content = read_entry(document) if document else None
            made = record_edit(session, sqlite_world.at, publisher, KEY, content, ANNA)
            session.rollback()  # every edit is made in the same situation
        assert foretold.fate is made.fate, name
        if made.fate in {EditFate.DRAFTED, EditFate.IN_EFFECT, EditFate.NEEDS_APPROVAL, EditFate.WAITS}:
            assert foretold.change == made.change, name


def test_a_new_entry_has_the_fate_that_was_foretold(world: World) -> None:
    world.apply(antopsis())
    clerk = {"name": "Clerk", "purposes": ["Sign-in"]}
    foretold = foretell(world, clerk, "clerk")
    made = edit(world, clerk, "clerk")
    assert (foretold.fate, foretold.change) == (made.fate, made.change)
    assert foretold.change is not None
    assert foretold.change.kinds == (ChangeKind.ADDITION,)
    assert foretold.notice is None


def test_a_binding_change_comes_with_its_earliest_effect_and_whose_clock_it_is(world: World) -> None:
    world.apply(antopsis())
    foretold = foretell(world, TWO_PLACES)
    assert foretold.change is not None
    assert (foretold.change.kinds, foretold.change.weight) == ((ChangeKind.LOCATION,), Weight.BINDING)
    assert foretold.earliest is not None
    assert foretold.earliest.effective_on == date(2026, 11, 16)
    assert (foretold.earliest.governed_by_name, foretold.earliest.days) == ("Hanoi Streams Co.", 45)
    edit(world, TWO_PLACES)
    assert world.notice(world.draft()).planned_on == foretold.earliest.effective_on


@pytest.mark.parametrize("document", [WITH_A_LINK, None, HETZNER])
def test_what_waits_for_no_clock_has_no_earliest_date(sqlite_world: World, document: dict[str, Any] | None) -> None:
    sqlite_world.apply(antopsis())
    assert foretell(sqlite_world, document).earliest is None


def test_the_open_notice_is_named_with_its_state_and_date(sqlite_world: World) -> None:
    _a_draft_holds_it(sqlite_world)
    drafted = foretell(sqlite_world, TWO_PLACES_AND_A_LINK).notice
    assert drafted is not None
    assert (drafted.number, drafted.state, drafted.is_draft) == ("2026-001", NoticeState.DRAFT, True)
    sqlite_world.publish("2026-001")
    told = foretell(sqlite_world, TWO_PLACES_AND_A_LINK).notice
    assert told is not None
    assert (told.state, told.is_draft, told.effective_on) == (NoticeState.ANNOUNCED, False, date(2026, 11, 16))


def test_foretelling_changes_nothing(sqlite_world: World) -> None:
    _it_is_announced_and_an_edit_waits_beyond(sqlite_world)
    before = dump(sqlite_world)
    for document in EDITS.values():
        foretell(sqlite_world, document)
    assert dump(sqlite_world) == before
