"""What a restore refuses, and what it leaves behind: an installation that is paused and counts on (R32)."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from registry.migrations import upgrade
from registry.steps.backup_file import BackupDamaged, TableFacts, open_backup
from registry.steps.installation import dispatch_pause, pause
from registry.steps.keyring import load_keyring
from registry.steps.plain_letters import PlainLetters
from registry.steps.restore import BackupDoesNotFit, DatabaseNotEmpty, restore
from registry.tables import Delivery, Event, Installation, Person, RingKey, SignIn
from registry.tables.engine import reading, writing
from tests.backups import Rows, bring_back, contents, count_rows, engine_of, forge, make_backup
from tests.steps.post_office import announce_to, change, delivery_to, send, states_of
from tests.world import ANNA, BORIS, BREMEN, World, antopsis

READERS = ["ada@reader.example", "bob@reader.example", "eve@reader.example"]


def test_a_table_that_the_database_refuses_undoes_everything(
    backup_path: Path, sqlite_world: World, target_url: str, tmp_path: Path
) -> None:
    without_letters = forge(
        backup_path, tmp_path / "odd.zip", lambda facts, rows: (facts.columns, [] if facts.name == "letters" else rows)
    )
    with pytest.raises(BackupDoesNotFit) as refused:
        bring_back(without_letters, target_url, sqlite_world)
    assert refused.value.params["table"] == "deliveries"
    assert "foreign key" in str(refused.value.params["why"]).lower()
    with engine_of(target_url) as engine:
        assert count_rows(engine) == 0
    bring_back(backup_path, target_url, sqlite_world)


@pytest.mark.parametrize("left_out", ["events", "installation", "deliveries"])
def test_a_backup_that_lacks_a_table_is_not_taken(
    backup_path: Path, sqlite_world: World, target_url: str, tmp_path: Path, left_out: str
) -> None:
    lacking = forge(
        backup_path,
        tmp_path / "odd.zip",
        lambda facts, rows: None if facts.name == left_out else (facts.columns, rows),
    )
    with pytest.raises(BackupDoesNotFit, match=left_out):
        bring_back(lacking, target_url, sqlite_world)


def test_a_backup_that_lacks_a_column_or_its_installation_is_not_taken(
    backup_path: Path, sqlite_world: World, empty_sqlite_url: str, tmp_path: Path
) -> None:
    def without_notes(facts: TableFacts, rows: Rows) -> Any:
        return {name: kind for name, kind in facts.columns.items() if name != "note"}, rows

    with pytest.raises(BackupDoesNotFit, match="the column note is not in both"):
        bring_back(forge(backup_path, tmp_path / "odd.zip", without_notes), empty_sqlite_url, sqlite_world)

    def without_installation(facts: TableFacts, rows: Rows) -> Any:
        return facts.columns, [] if facts.name == "installation" else rows

    with pytest.raises(BackupDamaged, match="it holds no installation"):
        bring_back(forge(backup_path, tmp_path / "odd.zip", without_installation), empty_sqlite_url, sqlite_world)


def test_a_database_that_holds_anything_is_left_as_it_is(
    backup_path: Path, sqlite_world: World, target_url: str, tmp_path: Path
) -> None:
    upgrade(target_url)
    with engine_of(target_url) as engine:
        with writing(engine) as session:
            session.add(RingKey(key_id="k1", purpose="link", secret="00", created_at=sqlite_world.at))
        before = contents(engine)
        with pytest.raises(DatabaseNotEmpty) as refused:
            bring_back(backup_path, target_url, sqlite_world)
        assert refused.value.params == {"table": "ring_keys"}
        assert contents(engine) == before


def test_nobody_can_start_a_service_in_the_middle_of_a_restore(
    backup_path: Path, sqlite_world: World, empty_postgresql_url: str
) -> None:
    plain = make_url(empty_postgresql_url).set(drivername="postgresql").render_as_string(hide_password=False)
    refused = 0

    def bind(table: str, rows: int) -> None:
        nonlocal refused
        with closing(psycopg.connect(plain, autocommit=True)) as connection:
            connection.execute("SET lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute("DELETE FROM installation")
            refused += 1

    bring_back(backup_path, empty_postgresql_url, sqlite_world, bind)
    assert refused > 0


def test_the_record_stays_append_only_and_goes_on(backup_path: Path, sqlite_world: World, target_url: str) -> None:
    bring_back(backup_path, target_url, sqlite_world)
    with engine_of(target_url) as engine:
        with writing(engine) as session:
            newest = session.scalar(select(func.max(Event.id))) or 0
            added = Event(at=sqlite_world.at, actor="anna", kind="tried", subject_kind="test", subject="1", payload={})
            session.add(added)
            session.flush()
            assert added.id == newest + 1
        for act in ("UPDATE events SET actor = 'somebody else'", "DELETE FROM events"):
            with pytest.raises(DBAPIError, match="append-only"), writing(engine) as session:
                session.execute(text(act))


def test_links_of_letters_already_sent_go_on_and_a_new_key_signs(
    backup_path: Path, sqlite_world: World, target_url: str
) -> None:
    """The original may have signed links for numbers that this one will give to other people."""
    old = sqlite_world.wiring.keyring
    assert bring_back(backup_path, target_url, sqlite_world).link_key == "k2"
    with engine_of(target_url) as engine, reading(engine) as session:
        ring = load_keyring(session, sqlite_world.at)
    assert ring.signing_key_id == "k2"
    assert ring.verify("manage", old.sign("manage", 1)) == 1
    assert ring.lookup_secret == old.lookup_secret
    assert old.verify("manage", ring.sign("manage", 1)) is None


def test_every_session_of_the_team_ends_since_the_original_may_have_ended_it(
    sqlite_world: World, target_url: str, tmp_path: Path
) -> None:
    """A lost laptop was signed out after the backup was made; the restored installation cannot know that."""
    at, yesterday = sqlite_world.at, sqlite_world.at - timedelta(days=1)
    with sqlite_world.writing() as session:
        person = Person(email="edda@antopsis.example", fs_uniquifier="uniquifier", created_at=at)
        session.add(person)
        session.flush()
        for key, ended_at in (("laptop", None), ("phone", yesterday)):
            session.add(SignIn(person_id=person.id, key=key, began_at=yesterday, seen_at=yesterday, ended_at=ended_at))
    made = make_backup(sqlite_world, tmp_path / "registry.zip")
    sqlite_world.at += timedelta(hours=2)
    bring_back(made.path, target_url, sqlite_world)
    with engine_of(target_url) as engine, reading(engine) as session:
        ended = {row.key: row.ended_at for row in session.scalars(select(SignIn))}
    assert ended == {"laptop": sqlite_world.at, "phone": yesterday}


def test_what_was_due_by_the_restore_is_marked_and_what_was_not_is_not(
    sqlite_world: World, target_url: str, tmp_path: Path
) -> None:
    announce_to(sqlite_world, *READERS[:3])
    send(sqlite_world, limit=1)
    with sqlite_world.writing() as session:
        later = session.scalars(select(Delivery).where(Delivery.state == "pending").order_by(Delivery.id)).all()
        later[0].due_at = sqlite_world.at + timedelta(hours=3)
        number = later[0].id
    made = make_backup(sqlite_world, tmp_path / "registry.zip")
    sqlite_world.at += timedelta(hours=2)
    restored = bring_back(made.path, target_url, sqlite_world)
    assert (restored.letters.open, restored.letters.due, restored.letters.leased) == (3, 2, 0)
    with engine_of(target_url) as engine, reading(engine) as session:
        marked = session.scalars(select(Delivery.id).where(Delivery.possible_duplicate)).all()
        assert len(marked) == 2
        assert number not in marked


def test_what_was_taken_before_the_backup_is_not_marked_though_its_state_had_not_followed(
    sqlite_world: World, target_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody sends it again: neither what its worker was about to settle, nor what it heard of too late."""
    world, (_, bob, eve) = sqlite_world, READERS
    announce_to(world, *READERS, "kim@reader.example", customers="")
    monkeypatch.setattr(PlainLetters, "settle", lambda letters: None)
    send(world, limit=3)
    change(world, delivery_to(world, bob), state="ambiguous", token=None, lease_until=None)
    change(world, delivery_to(world, eve), possible_duplicate=True)
    assert list(states_of(world).values()) == ["leased", "ambiguous", "leased", "pending"]
    made = make_backup(world, tmp_path / "registry.zip")
    world.at += timedelta(hours=2)
    restored = bring_back(made.path, target_url, world)
    assert (restored.letters.open, restored.letters.due, restored.letters.leased) == (4, 1, 2)
    with engine_of(target_url) as engine, reading(engine) as session:
        rows = session.execute(select(Delivery.possible_duplicate).order_by(Delivery.id)).all()
    # Eve's was marked before, for a reason of its own; Kim's may have gone out since the backup.
    assert [is_marked for (is_marked,) in rows] == [False, False, True, True]


def test_notices_whose_time_has_come_are_counted(sqlite_world: World, target_url: str, tmp_path: Path) -> None:
    announce_to(sqlite_world, READERS[0])
    sqlite_world.apply(
        antopsis(customers=BREMEN, helsinki=True, more_entries="  - {key: acme, name: Acme, purposes: [Mail]}")
    )
    sqlite_world.publish(sqlite_world.draft(announce_at=sqlite_world.at + timedelta(hours=1)))
    made = make_backup(sqlite_world, tmp_path / "registry.zip")
    sqlite_world.at += timedelta(days=60)
    notices = bring_back(made.path, target_url, sqlite_world).notices
    assert (notices.to_announce, notices.to_take_effect) == (1, 1)


def test_a_pause_of_before_is_told_of_too(sqlite_world: World, target_url: str, tmp_path: Path) -> None:
    with sqlite_world.writing() as session:
        pause(session, sqlite_world.at, ANNA, "The mail server moves")
        session.get_one(Installation, 1).heartbeat_at = sqlite_world.at
    made = make_backup(sqlite_world, tmp_path / "registry.zip")
    sqlite_world.at += timedelta(hours=1)
    restored = bring_back(made.path, target_url, sqlite_world)
    assert restored.paused_because.endswith("; it was paused before: The mail server moves")
    with engine_of(target_url) as engine, reading(engine) as session:
        installation = dispatch_pause(session)
        assert installation is not None
        assert (installation.paused_at, installation.heartbeat_at) == (sqlite_world.at, None)


def test_an_installation_with_another_key_or_address_is_noticed(
    backup_path: Path, sqlite_world: World, empty_sqlite_url: str
) -> None:
    with open_backup(backup_path) as opened:
        upgrade(empty_sqlite_url, opened.manifest.schema_revision)
        with engine_of(empty_sqlite_url) as engine, writing(engine) as session:
            restored = restore(session, sqlite_world.at, opened, BORIS, "another", "https://elsewhere.example")
    assert (restored.is_same_key, restored.is_same_address) == (False, False)
    with engine_of(empty_sqlite_url) as engine, reading(engine) as session:
        installation = dispatch_pause(session)
        assert installation is not None
        assert installation.base_url == sqlite_world.wiring.letterhead.base_url


def test_a_link_that_the_original_signed_after_the_backup_opens_nobody_else_here(
    backup_path: Path, sqlite_world: World, target_url: str
) -> None:
    old = sqlite_world.wiring.keyring
    restored_at = sqlite_world.at
    bring_back(backup_path, target_url, sqlite_world)
    with engine_of(target_url) as engine, reading(engine) as session:
        ring = load_keyring(session, restored_at)
    # The number of the next subscription, which the original gave to somebody else.
    theirs = old.sign("manage", 4711)
    assert not ring.could_sign_for(theirs, restored_at + timedelta(seconds=1))
    assert ring.could_sign_for(theirs, restored_at - timedelta(seconds=1))
    assert ring.could_sign_for(ring.sign("manage", 4711), restored_at + timedelta(seconds=1))
