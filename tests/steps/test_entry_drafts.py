"""What somebody typed and did not save is kept for them alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from registry.steps.entry_drafts import MOST_NEW_DRAFTS, discard_draft, find_draft, keep_draft, list_new_drafts
from registry.steps.lookup import get_publisher
from registry.tables import EntryDraft, Event, Person
from tests.web.site import streams_file
from tests.world import World, antopsis


@pytest.fixture
def people(world: World) -> tuple[int, int]:
    """Two people, and two publishers."""
    world.apply(antopsis())
    world.apply(streams_file())
    with world.writing() as session:
        rows = [
            Person(email=f"{name}@antopsis.example", fs_uniquifier=name, created_at=world.at)
            for name in ("edda", "arno")
        ]
        session.add_all(rows)
        session.flush()
        return rows[0].id, rows[1].id


def keep(world: World, person: int, subject: str, name: str, slug: str = "antopsis", base: int | None = None) -> None:
    with world.writing() as session:
        fields = {"name": name, "products": ["streaming"]}
        keep_draft(session, world.at, get_publisher(session, slug), person, subject, fields, base)


def kept(world: World, person: int, subject: str, slug: str = "antopsis") -> str | None:
    with world.reading() as session:
        draft = find_draft(session, get_publisher(session, slug), person, subject)
        return draft.fields["name"] if draft else None


def test_what_was_kept_last_stands_in_place_of_what_was_kept_before(world: World, people: tuple[int, int]) -> None:
    edda, _ = people
    keep(world, edda, "stripe", "Strip")
    world.at += timedelta(minutes=1)
    keep(world, edda, "stripe", "Stripe \u0000 \U0001f600")
    assert kept(world, edda, "stripe") == "Stripe \u0000 \U0001f600"
    with world.reading() as session:
        (draft,) = session.scalars(select(EntryDraft))
        assert draft.saved_at == world.at


def test_it_is_nobody_elses_and_of_no_other_publisher(world: World, people: tuple[int, int]) -> None:
    edda, arno = people
    keep(world, edda, "stripe", "Edda's")
    keep(world, arno, "stripe", "Arno's")
    keep(world, edda, "stripe", "At Streams", slug="streams")
    assert (kept(world, edda, "stripe"), kept(world, arno, "stripe")) == ("Edda's", "Arno's")
    with world.writing() as session:
        discard_draft(session, get_publisher(session, "antopsis"), edda, "stripe")
    assert kept(world, edda, "stripe") is None
    assert (kept(world, arno, "stripe"), kept(world, edda, "stripe", "streams")) == ("Arno's", "At Streams")


def test_new_entries_are_kept_apart_the_newest_first_and_not_without_end(world: World, people: tuple[int, int]) -> None:
    edda, arno = people
    keep(world, edda, "stripe", "No new one")
    keep(world, arno, "new:ffffffff", "Arno's")
    for number in range(MOST_NEW_DRAFTS + 3):
        world.at += timedelta(seconds=1)
        keep(world, edda, f"new:{number:08x}", f"Company {number}")
    with world.reading() as session:
        names = [draft.fields["name"] for draft in list_new_drafts(session, get_publisher(session, "antopsis"), edda)]
    assert names == [f"Company {number}" for number in range(MOST_NEW_DRAFTS + 2, 2, -1)]
    assert kept(world, edda, "stripe") == "No new one"
    assert kept(world, arno, "new:ffffffff") == "Arno's"


def test_it_stands_on_no_record(world: World, people: tuple[int, int]) -> None:
    def count() -> int | None:
        with world.reading() as session:
            return session.scalar(select(func.count(Event.id)))

    before = count()
    keep(world, people[0], "stripe", "Stripe")
    assert count() == before
