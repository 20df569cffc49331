"""An edit made in a form: on what it was opened, with keys, products and parents that there are."""

from __future__ import annotations

from typing import Any

import pytest

from registry.domain.entries import EntryInternals, read_entry
from registry.domain.errors import InvalidInput
from registry.steps.entry_drafts import find_draft, keep_draft
from registry.steps.errors import UnknownEntry
from registry.steps.lookup import get_publisher
from registry.steps.record_edit import EditFate
from registry.steps.save_entry import Base, EntryChangedMeanwhile, Saved, load_present, save_entry
from registry.tables import Person
from tests.steps.path_cast import HETZNER, STRIPE, TWO_PLACES, WITH_A_LINK, edit
from tests.world import ANNA, BORIS, World, antopsis

KEY = "hetzner-falkenstein"
NOTED = EntryInternals.model_validate({"note": "Renew in March"})


def base_of(world: World, key: str = KEY) -> Base:
    with world.reading() as session:
        present = load_present(session, get_publisher(session, "antopsis"), key)
        assert present is not None
        return present.base


def save(
    world: World,
    document: dict[str, Any],
    base: Base | None,
    key: str = KEY,
    internals: EntryInternals | None = None,
    **options: Any,
) -> Saved:
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        content = read_entry(document)
        return save_entry(
            session, world.at, publisher, key, content, internals or EntryInternals(), ANNA, base=base, **options
        )


def codes(refused: pytest.ExceptionInfo[InvalidInput]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in refused.value.problems]


def test_an_edit_on_what_stands_is_recorded_with_its_private_facts(world: World) -> None:
    world.apply(antopsis())
    saved = save(world, TWO_PLACES, base_of(world), internals=NOTED)
    assert (saved.edit.fate, saved.internals_changed) == (EditFate.DRAFTED, True)
    again = save(world, TWO_PLACES, base_of(world), internals=NOTED)
    assert (again.edit.fate, again.internals_changed) == (EditFate.UNCHANGED, False)


def test_an_edit_on_what_is_no_more_is_refused_with_who_and_when(world: World) -> None:
    world.apply(antopsis())
    base = base_of(world)
    edit(world, TWO_PLACES, actor=BORIS)
    with pytest.raises(EntryChangedMeanwhile) as refused:
        save(world, WITH_A_LINK, base)
    assert refused.value.params == {"key": KEY, "author": BORIS.name, "saved_at": world.at}
    assert save(world, WITH_A_LINK, base_of(world)).edit.fate is EditFate.IN_EFFECT


def test_a_dropped_edit_is_a_change_too_and_says_who_dropped_it(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    base = base_of(world)
    edit(world, HETZNER, actor=BORIS)
    with pytest.raises(EntryChangedMeanwhile) as refused:
        save(world, WITH_A_LINK, base)
    assert refused.value.params["author"] == BORIS.name


def test_two_who_want_the_same_are_not_in_each_others_way(world: World) -> None:
    world.apply(antopsis())
    base = base_of(world)
    edit(world, TWO_PLACES, actor=BORIS)
    assert save(world, TWO_PLACES, base).edit.fate is EditFate.UNCHANGED


def test_new_translations_alone_are_in_no_forms_way(world: World) -> None:
    world.apply(antopsis())
    base, said = base_of(world), {"translations": {"de": {"Account data": "Kontodaten"}}}
    edit(world, HETZNER | said, actor=BORIS)
    assert save(world, WITH_A_LINK | said, base).edit.fate is EditFate.IN_EFFECT
    edit(world, TWO_PLACES | said, actor=BORIS)
    with pytest.raises(EntryChangedMeanwhile):
        save(world, HETZNER | said, base)


def test_effect_of_what_the_form_was_opened_on_is_no_change(world: World) -> None:
    world.apply(antopsis())
    edit(world, None, "stripe")
    edit(world, HETZNER | {"data_categories": ["Account data"]})
    base = base_of(world)
    number = world.draft()
    world.publish(number)
    world.tick()
    assert world.notice(number).state == "in_effect"
    assert save(world, TWO_PLACES, base).edit.fate is EditFate.DRAFTED


def test_private_facts_of_a_colleague_are_not_overwritten_unseen(world: World) -> None:
    world.apply(antopsis())
    base = base_of(world)
    save(world, HETZNER, base, internals=NOTED)
    with pytest.raises(EntryChangedMeanwhile):
        save(world, HETZNER, base, internals=EntryInternals.model_validate({"owner": "Ada"}))
    assert save(world, HETZNER, base, internals=NOTED).internals_changed is False


def test_a_new_entry_is_added_by_its_key(world: World) -> None:
    world.apply(antopsis())
    saved = save(world, {"name": "Clerk"}, None, "clerk")
    assert (saved.edit.key, saved.edit.fate) == ("clerk", EditFate.DRAFTED)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("stripe", "key-taken"),
        ("new", "reserved-key"),
        ("", "not-a-key"),
        ("Clerk", "not-a-key"),
        ("-x", "not-a-key"),
        ("a" * 81, "not-a-key"),
        ("x\x00", "not-a-key"),
    ],
)
def test_a_key_that_cannot_be_is_refused(world: World, key: str, code: str) -> None:
    world.apply(antopsis())
    with pytest.raises(InvalidInput) as refused:
        save(world, {"name": "Clerk"}, None, key)
    assert codes(refused) == [("key", code)]


def test_a_taken_key_is_refused_with_whose_it_is_and_one_that_is_free(world: World) -> None:
    world.apply(antopsis())
    with pytest.raises(InvalidInput) as refused:
        save(world, HETZNER | {"name": "Hetzner Cloud"}, None, KEY)
    (problem,) = refused.value.problems
    free = "hetzner-falkenstein-falkenstein"
    assert problem.params == {"name": "Hetzner", "taken_key": KEY, "free": free}


def test_the_key_of_an_addition_that_was_dropped_is_free_again(world: World) -> None:
    world.apply(antopsis())
    edit(world, {"name": "Clerk"}, "clerk")
    with pytest.raises(InvalidInput):
        save(world, {"name": "Clerk, Inc."}, None, "clerk")
    edit(world, None, "clerk")
    assert save(world, {"name": "Clerk, Inc."}, None, "clerk").edit.fate is EditFate.DRAFTED


def test_products_and_parents_that_there_are_not_are_refused(world: World) -> None:
    world.apply(antopsis())
    with pytest.raises(InvalidInput) as refused:
        save(world, HETZNER | {"products": ["streaming", "radio"], "parent": "strip"}, base_of(world))
    assert codes(refused) == [("products.1", "unknown-product"), ("parent", "unknown-parent-entry")]
    assert refused.value.problems[1].params == {"near": ["stripe"]}


def test_an_entry_is_never_below_itself(world: World) -> None:
    world.apply(antopsis())
    with pytest.raises(InvalidInput) as refused:
        save(world, HETZNER | {"parent": KEY}, base_of(world))
    assert codes(refused) == [("parent", "parent-cycle")]
    edit(world, STRIPE | {"parent": KEY}, "stripe")
    with pytest.raises(InvalidInput) as refused:
        save(world, HETZNER | {"parent": "stripe"}, base_of(world))
    assert refused.value.problems[0].params == {"cycle": [KEY, "stripe", KEY]}


def test_an_entry_that_there_is_not_cannot_be_edited(world: World) -> None:
    world.apply(antopsis())
    with pytest.raises(UnknownEntry):
        save(world, HETZNER, Base(None, ""), "nobody")


def test_saving_forgets_the_draft_it_was_typed_in(world: World) -> None:
    world.apply(antopsis())
    with world.writing() as session:
        person = Person(email="anna@antopsis.example", fs_uniquifier="anna", created_at=world.at)
        session.add(person)
        session.flush()
        number = person.id
        keep_draft(session, world.at, get_publisher(session, "antopsis"), number, KEY, {"name": "x"}, None)
    save(world, TWO_PLACES, base_of(world), draft_of=(number, KEY))
    with world.reading() as session:
        assert find_draft(session, get_publisher(session, "antopsis"), number, KEY) is None
