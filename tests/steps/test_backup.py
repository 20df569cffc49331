"""A backup taken while the service works, and a drill that brings it back on either database, whole and paused."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import delete, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from registry.channels.base import Envelope
from registry.migrations import upgrade
from registry.steps.audience_errors import InstallationNotBound
from registry.steps.back_up import BATCH, LEFT_OUT, BackupExists, BackupUnwritable, back_up, record_backup
from registry.steps.backup_file import (
    open_backup,
)
from registry.steps.installation import resume
from registry.steps.lookup import get_publisher
from registry.steps.restore import Restored, restore
from registry.steps.subscribe import request_subscription
from registry.tables import (
    Base,
    Event,
    Publisher,
)
from registry.tables.engine import reading, writing
from tests.backups import Rows, bring_back, contents, engine_of, make_backup, no_progress
from tests.channels.smtp_server import MailServer
from tests.steps.audience_cast import VISITOR
from tests.steps.post_office import (
    add_followers,
    announce_to,
    delivery_to,
    let_leases_run_out,
    meanwhile,
    send,
    states_of,
)
from tests.tables.filling import AT, fill_every_table
from tests.world import BORIS, BREMEN, HANOI, World, antopsis, settings_for, utc

READERS = [f"reader{n}@followers.example" for n in range(6)]
PATIENCE = 60
MORNING = utc("2026-09-30 08:00")
EVERY_TABLE = [table.name for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT]


@pytest.fixture(params=["sqlite", "postgresql"])
def target_url(request: pytest.FixtureRequest) -> str:
    """Another database, without a schema, of each kind in turn."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url


class Newcomers:
    """People who fill in the public form, one after the other on a thread of its own, for as long as the block runs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ends = False
        self._came = threading.Condition()
        self.count = 0
        self._thread = threading.Thread(target=self._come)
        self._error: BaseException | None = None

    def __enter__(self) -> Newcomers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends = True
        self._thread.join(PATIENCE)
        assert self._error is None

    def _come(self) -> None:
        try:
            while not self._ends:
                with self._world.writing() as session:
                    request_subscription(
                        session,
                        self._world.at,
                        get_publisher(session, "antopsis"),
                        self._world.wiring.letterhead,
                        self._world.wiring.keyring,
                        email=f"newcomer{self.count}@followers.example",
                        actor=VISITOR,
                    )
                with self._came:
                    self.count += 1
                    self._came.notify_all()
        except BaseException as error:  # noqa: BLE001 - the test asks for it at the end of the block
            self._error = error

    def wait_for_one_more(self) -> None:
        """Wait until somebody has come who was not there before: a writer has committed meanwhile."""
        with self._came:
            count = self.count
            assert self._came.wait_for(lambda: self.count > count, PATIENCE), self._error


def keyed(rows: Rows, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    key = [column.name for column in Base.metadata.tables[table].primary_key]
    return {tuple(row[name] for name in key): row for row in rows}


def test_the_drill(world: World, mail_server: MailServer, target_url: str, tmp_path: Path) -> None:
    """Announce, send a part, lose a worker; back up while people subscribe; restore elsewhere; resume; all is sent."""
    mail_server.script(READERS[0], 451, "4.7.1 Come back later")

    def the_worker_dies(envelope: Envelope) -> None:
        raise KeyboardInterrupt

    announce_to(world, *READERS, customers=BREMEN + HANOI)
    meanwhile(world, *[lambda envelope: None] * 4, the_worker_dies)
    with pytest.raises(KeyboardInterrupt):
        send(world)
    before = states_of(world)
    assert sorted(before.values()) == ["accepted"] * 3 + ["leased"] + ["pending"] * 3 + ["retry_wait"]
    let_leases_run_out(world)

    with Newcomers(world) as newcomers:
        newcomers.wait_for_one_more()
        made = make_backup(world, tmp_path / "registry.zip", lambda table, rows: newcomers.wait_for_one_more())
        newcomers.wait_for_one_more()
    world.at += timedelta(hours=1)
    original = contents(world.wiring.engine)

    restored = bring_back(made.path, target_url, world)
    with engine_of(target_url) as engine:
        here = contents(engine)
    compare(here, original, restored)
    see_newcomers_whole(here, newcomers.count)
    assert "restored from a backup made Wednesday, 30 September 2026, 08:00" in restored.paused_because
    assert (restored.is_same_key, restored.is_same_address) == (True, True)

    with MailServer() as other_server:
        elsewhere = World(settings_for(target_url, tmp_path / "elsewhere", other_server.url), world.at)
        elsewhere.tick()
        assert other_server.messages == []
        assert states_of(elsewhere)[READERS[0]] == "retry_wait"
        with elsewhere.writing() as session:
            resume(session, elsewhere.at, BORIS, elsewhere.wiring.fingerprint, elsewhere.wiring.letterhead.base_url)
        elsewhere.tick()
        everybody = {*READERS, "dpo@bremen.example", "privacy@hanoi.example"}
        assert states_of(elsewhere) == dict.fromkeys(everybody, "accepted")
        letters = {message.rcpt_tos[0]: message.content for message in other_server.messages}
        sent_before = {message.rcpt_tos[0]: message.content for message in mail_server.messages}
        asked = {f"newcomer{n}@followers.example" for n in range(len(here["confirm_tokens"]))}
        assert set(letters) == asked | {name for name, state in before.items() if state != "accepted"}
        assert set(letters) | set(sent_before) == asked | everybody
        # The one that was on the wire arrived twice, in the same bytes and marked.
        [twice] = set(letters) & set(sent_before)
        assert before[twice] == "leased"
        assert letters[twice] == sent_before[twice]
        assert delivery_to(elsewhere, twice).possible_duplicate
        # New rows get new numbers, and the list goes on.
        add_followers(elsewhere, ["late@followers.example"])
        assert elsewhere.apply(antopsis(customers=BREMEN + HANOI, helsinki=True)).changed_anything is False
        elsewhere.close()


def compare(here: dict[str, Rows], original: dict[str, Rows], restored: Restored) -> None:
    """See that everything restored is as it was, but for the pause and what a restore says of itself."""
    assert set(here) == set(original) == set(EVERY_TABLE)
    [said] = [row for row in here["events"] if row["kind"] == "installation.restored"]
    here["events"].remove(said)
    assert said["actor"] == str(BORIS)
    assert restored.sha256 in said["payload"]
    [key] = [row for row in here["ring_keys"] if row["key_id"] == restored.link_key]
    here["ring_keys"].remove(key)
    [installation] = here["installation"]
    assert installation["paused_because"] == restored.paused_because
    installation |= {"paused_at": None, "paused_because": None}
    marked = [row for row in here["deliveries"] if row["possible_duplicate"]]
    assert len(marked) == restored.letters.due == restored.letters.open
    assert {row["state"] for row in marked} == {"pending", "leased", "retry_wait"}
    for row in marked:
        row["possible_duplicate"] = False
    for table, rows in here.items():
        known = keyed(original[table], table)
        for key_of_row, row in keyed(rows, table).items():
            assert row == known[key_of_row], table
        # Only people who came after the snapshot are missing.
        if len(rows) < len(known):
            assert table in {"addresses", "subscriptions", "confirm_tokens", "letters", "deliveries", "events"}


def test_two_rows_of_every_table_come_back_to_the_letter_on_either_database(
    database_url: str, target_url: str, tmp_path: Path
) -> None:
    with engine_of(database_url) as engine:
        fill_every_table(engine)
        original = contents(engine)
        with reading(engine) as session:
            made = back_up(session, MORNING, tmp_path / "registry.zip", product="0.1.0")
    assert {table for table, rows in original.items() if not rows} == set()
    assert {"people", "passkeys", "sign_ins", "proposals", "attachments", "objection_notes"} < original.keys()
    upgrade(target_url)
    with open_backup(made.path) as opened, engine_of(target_url) as engine:
        with writing(engine) as session:
            restored = restore(session, MORNING, opened, BORIS, "another key", "https://elsewhere.example")
        here = contents(engine)
    assert not restored.is_same_key
    assert (len(here["events"]), len(here["ring_keys"])) == (3, 3)
    del here["events"][2]
    here["ring_keys"] = [row for row in here["ring_keys"] if row["key_id"] != restored.link_key]
    changed = {"installation": ("paused_at", "paused_because", "heartbeat_at"), "sign_ins": ("ended_at",)}
    for table, rows in original.items():
        same = [{name: value for name, value in row.items() if name not in changed.get(table, ())} for row in rows]
        assert [{name: row[name] for name in same[0]} for row in here[table]] == same, table
    assert [row["ended_at"] for row in here["sign_ins"]] == [AT, MORNING]


def see_newcomers_whole(here: dict[str, Rows], came: int) -> None:
    """See that of each act of a newcomer everything is there or nothing, and that some came while this was made."""
    waiting = [row["id"] for row in here["subscriptions"] if row["confirmed_at"] is None]
    assert 0 < len(waiting) < came
    assert [row["subscription_id"] for row in here["confirm_tokens"]] == waiting
    assert [row["subscription_id"] for row in here["deliveries"] if row["statement_id"] is None] == waiting
    requested = [row["subject"] for row in here["events"] if row["kind"] == "subscription.requested"]
    assert requested == [str(number) for number in waiting]
    assert len(here["addresses"]) == len(here["subscriptions"])


def test_a_backup_is_on_record_once_it_is_there_and_does_not_hold_that(world: World, tmp_path: Path) -> None:
    made = make_backup(world, tmp_path / "registry.zip")
    with world.writing() as session:
        record_backup(session, world.at, BORIS, made)
    with world.reading() as session:
        [said] = session.scalars(select(Event).where(Event.kind == "installation.backed_up"))
        assert (said.actor, said.subject) == (str(BORIS), made.manifest.installation_id)
        assert said.payload == {
            "made_at": world.at.isoformat(),
            "sha256": made.sha256,
            "rows": made.manifest.rows,
        }
    with open_backup(made.path) as opened:
        facts = next(each for each in opened.manifest.tables if each.name == "events")
        assert "installation.backed_up" not in {row["kind"] for row in opened.read_table(facts)}
        assert opened.sha256 == made.sha256
        assert opened.manifest == made.manifest


def test_a_backup_reads_in_small_batches(world: World, tmp_path: Path) -> None:
    with world.writing() as session:
        session.add_all(
            Event(at=world.at, actor="anna", kind="tried", subject_kind="test", subject=str(n), payload={})
            for n in range(3 * BATCH)
        )
    cursors = set()

    def look(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT events"):
            cursors.add(type(cursor))

    steps: list[tuple[str, int]] = []
    event.listen(world.wiring.engine, "before_cursor_execute", look)
    try:
        make_backup(world, tmp_path / "registry.zip", lambda *step: steps.append(step))
    finally:
        event.remove(world.wiring.engine, "before_cursor_execute", look)
    assert steps[:3] == [("events", BATCH), ("events", 2 * BATCH), ("events", 3 * BATCH)]
    if not world.wiring.uses_sqlite:
        # The rows wait at the server; an ordinary cursor would have fetched them all.
        assert cursors == {psycopg.ServerCursor}


def test_a_migration_waits_for_a_backup_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    world = World(settings_for(postgresql_url, tmp_path / "instance"), MORNING)
    plain = make_url(postgresql_url).set(drivername="postgresql").render_as_string(hide_password=False)
    refused = 0

    def migrate(table: str, rows: int) -> None:
        nonlocal refused
        with closing(psycopg.connect(plain, autocommit=True)) as connection:
            connection.execute("SET lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute("ALTER TABLE deliveries ADD COLUMN later integer")
            refused += 1

    make_backup(world, tmp_path / "registry.zip", migrate)
    assert refused > 0
    world.close()


def test_nothing_is_written_by_a_backup(postgresql_url: str, tmp_path: Path) -> None:
    world = World(settings_for(postgresql_url, tmp_path / "instance"), MORNING)
    with reading(world.wiring.engine) as session:
        back_up(session, world.at, tmp_path / "registry.zip", product="0.1.0")
        with pytest.raises(DBAPIError, match="read-only"):
            session.execute(delete(Publisher))
    world.close()


def test_a_database_without_an_installation_is_not_backed_up(database_url: str, tmp_path: Path) -> None:
    with engine_of(database_url) as engine, reading(engine) as session, pytest.raises(InstallationNotBound):
        back_up(session, MORNING, tmp_path / "registry.zip", product="0.1.0")
    assert list(tmp_path.glob("*registry.zip*")) == []


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(sqlite_world: World, tmp_path: Path) -> None:
    path = tmp_path / "registry.zip"
    path.write_text("something dear")
    with pytest.raises(BackupExists):
        make_backup(sqlite_world, path)
    assert path.read_text() == "something dear"
    make_backup(sqlite_world, path, overwrite=True)
    assert path.stat().st_mode & 0o777 == 0o600
    with open_backup(path) as opened:
        opened.verify(no_progress)
    assert list(tmp_path.glob(".*")) == []


def test_a_file_that_somebody_makes_meanwhile_stays(sqlite_world: World, tmp_path: Path) -> None:
    path = tmp_path / "registry.zip"

    def somebody_makes_it(table: str, rows: int) -> None:
        path.write_text("something dear")

    with pytest.raises(BackupExists):
        make_backup(sqlite_world, path, somebody_makes_it)
    assert path.read_text() == "something dear"
    assert list(tmp_path.glob(".*")) == []


def test_a_backup_that_is_interrupted_leaves_nothing(sqlite_world: World, tmp_path: Path) -> None:
    def somebody_interrupts(table: str, rows: int) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        make_backup(sqlite_world, folder / "registry.zip", somebody_interrupts)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("place", ["missing/registry.zip", "a-file/registry.zip", "a-folder", "a-device"])
def test_a_place_that_takes_no_file_is_said(sqlite_world: World, tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").write_text("")
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "a-device").symlink_to("/dev/null")
    with pytest.raises(BackupUnwritable) as refused:
        make_backup(sqlite_world, tmp_path / place, overwrite=True)
    assert refused.value.params["file"] == str(tmp_path / place)
    assert refused.value.params["why"]
