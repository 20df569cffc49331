"""Keys that addresses of the workbench need: refused in a file where they are new, and left as they are on record."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from registry.domain.errors import InvalidInput
from registry.i18n import explain
from registry.tables import Customer, Entry, EntryKey
from tests.steps.path_cast import dump
from tests.steps.test_apply_file import plan
from tests.world import BREMEN, World, antopsis

RESERVED = antopsis(
    more_entries="  - {key: new, name: New, purposes: [q]}\n", customers=BREMEN.replace("key: bremen", "key: import")
)


@pytest.mark.parametrize("is_founded", [False, True])
def test_a_key_that_the_workbench_needs_is_refused_where_it_stands(world: World, is_founded: bool) -> None:
    if is_founded:
        world.apply(antopsis())
    before = dump(world)
    for act in (plan, World.apply):
        with pytest.raises(InvalidInput) as refused:
            act(world, RESERVED)
        assert [(each.line, each.field, each.code) for each in refused.value.problems] == [
            (27, "entries.2.key", "reserved-key"),
            (30, "customers.0.key", "reserved-key"),
        ]
        assert "“import” is a word that addresses of the workbench need" in explain(refused.value)
        assert dump(world) == before


def test_a_reserved_key_that_is_on_record_stays(world: World) -> None:
    world.apply(antopsis(more_entries="  - {key: x, name: New, purposes: [p]}\n", customers=BREMEN))
    with world.writing() as session:
        session.execute(update(Customer).values(key="import"))
        for table in (Entry, EntryKey):
            session.execute(update(table).where(table.key == "x").values(key="new"))
    assert [item.change.key for item in plan(world, RESERVED).changes] == ["new"]
    assert [edit.key for edit in world.apply(RESERVED).edits] == ["new"]
