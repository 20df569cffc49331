"""What goes wrong in this house: broken rows, faulty channels, a locked database, and what a person then does (R26)."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError

import registry.tables.engine as engines
from registry.channels.base import Answer, Envelope
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.persist import PAUSES_FOR_THE_DATABASE
from registry.steps.record import WORKER
from registry.steps.record_outcome import OutcomeKind, record_outcome
from registry.steps.recover_leases import recover_leases
from registry.steps.requeue_deliveries import requeue_deliveries
from registry.tables import Address, Attempt, Delivery, NoticeCustomer
from tests.channels.scripted_server import CUT, ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import (
    DPO,
    HANOI_PRIVACY,
    announce_to,
    attempts_at,
    change,
    check_that_every_accepted_letter_can_be_made_again,
    delivery_to,
    events,
    let_leases_run_out,
    meanwhile,
    send,
    states_of,
    use_server,
)
from tests.world import ANNA, BREMEN, HANOI, World, letters_to, settings_for, utc

ADA, BOB, EVE = "ada@reader.example", "bob@reader.example", "eve@reader.example"


def recover(world: World) -> int:
    with world.writing() as session:
        return recover_leases(session, world.at)


# Broken rows and faulty channels


def test_a_letter_that_cannot_be_made_goes_to_a_person_and_the_others_go_out(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA, BOB, EVE)
    with world.writing() as session:
        session.execute(update(Address).where(Address.value == BOB).values(value="bob at home\r\nBcc: x@y.example"))
    assert send(world) == {"accepted": 3, "needs_attention": 1}
    assert sorted(letter.rcpt_tos[0] for letter in mail_server.messages) == [ADA, DPO, EVE]
    (event,) = events(world, "delivery.needs_attention")
    assert event.payload["note"] == "cannot_be_made: impossible-header"
    with world.reading() as session:
        row = session.get_one(Delivery, int(event.subject))
        assert row.note == "cannot_be_made: impossible-header"
        attempt = session.scalars(select(Attempt).where(Attempt.delivery_id == row.id)).one()
    assert (attempt.answer_class, attempt.send_started_at) == ("not_tried", None)
    assert send(world) == {}


def test_a_broken_letter_does_not_undo_the_settling_of_the_one_before_it(world: World, mail_server: MailServer) -> None:
    announce_to(world, customers=BREMEN + HANOI)
    with world.writing() as session:
        # Terms that nobody can read: the deadline of this customer cannot be counted.
        last = session.scalars(select(NoticeCustomer).order_by(NoticeCustomer.customer_id.desc())).first()
        assert last is not None
        last.terms = {"days": "soon"}
    assert send(world) == {"accepted": 1, "needs_attention": 1}
    (event,) = events(world, "delivery.needs_attention")
    (letter,) = mail_server.messages
    assert delivery_to(world, letter.rcpt_tos[0]).id < int(event.subject)
    assert check_that_every_accepted_letter_can_be_made_again(world) == 1


def test_an_accepted_letter_stays_accepted_where_its_receipt_cannot_be_counted(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world)

    def terms_break(envelope: Envelope) -> None:
        with world.writing() as session:
            session.scalars(select(NoticeCustomer)).one().terms = {"days": "soon"}

    meanwhile(world, terms_break)
    assert send(world) == {"accepted": 1}
    delivery = delivery_to(world, DPO)
    assert (delivery.state, delivery.note) == ("accepted", "receipt_not_counted: ValidationError")
    assert len(events(world, "delivery.receipt_not_counted")) == 1
    assert send(world) == {}
    assert len(mail_server.messages) == 1


class Faulty(Exception):
    """A defect of a channel."""


def test_a_channel_that_raises_loses_nothing_and_its_letter_may_have_arrived(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")

    def fail(envelope: Envelope) -> None:
        raise Faulty

    meanwhile(world, lambda envelope: None, fail)
    with pytest.raises(Faulty):
        send(world)
    assert states_of(world) == {ADA: "accepted", BOB: "ambiguous", EVE: "pending"}
    assert [each.answer for each in attempts_at(world, delivery_to(world, BOB))] == ["the channel failed with Faulty"]
    assert send(world) == {"accepted": 1}
    world.at += timedelta(minutes=1)
    assert send(world) == {"accepted": 1}
    assert [len(letters_to(mail_server, email)) for email in (ADA, BOB, EVE)] == [1, 2, 1]
    assert delivery_to(world, BOB).possible_duplicate


def test_a_channel_that_always_raises_at_one_letter_stops_nobody_else(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    smtp = world.channels["email"]

    class FailsForAda:
        name, kind, is_real = smtp.name, smtp.kind, True

        def send(self, envelope: Envelope) -> Answer:
            if envelope.recipient == ADA:
                raise Faulty
            return smtp.send(envelope)

        def close(self) -> None:
            smtp.close()

    world.channels["email"] = FailsForAda()
    for _ in range(2):
        with pytest.raises(Faulty):
            send(world)
        world.at += timedelta(minutes=1)
    assert send(world) == {}
    assert states_of(world) == {ADA: "failed", BOB: "accepted", EVE: "accepted"}


# The database


@pytest.fixture
def impatient(
    sqlite_url: str, tmp_path: Path, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """An installation on the embedded database, which does not wait long for a lock."""
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    settings = settings_for(sqlite_url, tmp_path / "instance", mail_server.url)
    with closing(World(settings, utc("2026-09-30 08:00"))) as world:
        yield world


@pytest.fixture
def blocker(sqlite_url: str) -> Iterator[sqlite3.Connection]:
    """Another process's connection to the embedded database."""
    with closing(sqlite3.connect(str(make_url(sqlite_url).database), isolation_level=None)) as connection:
        yield connection


def test_a_settling_that_finds_the_database_locked_is_tried_again(
    impatient: World, blocker: sqlite3.Connection, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce_to(impatient, ADA)
    pauses: list[float] = []

    def unlock_in_the_second_pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            blocker.execute("COMMIT")

    def lock(envelope: Envelope) -> None:
        blocker.execute("BEGIN IMMEDIATE")

    meanwhile(impatient, lock)
    monkeypatch.setattr("registry.steps.send_deliveries.time.sleep", unlock_in_the_second_pause)
    assert send(impatient) == {"accepted": 2}
    assert pauses == list(PAUSES_FOR_THE_DATABASE[:2])
    assert len(mail_server.messages) == 2


def test_a_database_that_stays_locked_leaves_the_letter_to_its_lease(
    impatient: World, blocker: sqlite3.Connection, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce_to(impatient)
    pauses: list[float] = []

    def lock(envelope: Envelope) -> None:
        blocker.execute("BEGIN IMMEDIATE")

    meanwhile(impatient, lock)
    monkeypatch.setattr("registry.steps.send_deliveries.time.sleep", pauses.append)
    with pytest.raises(OperationalError, match="locked"):
        send(impatient)
    blocker.execute("ROLLBACK")
    assert len(pauses) < 10
    assert delivery_to(impatient, DPO).state == "leased"
    let_leases_run_out(impatient)
    assert recover(impatient) == 1
    assert send(impatient) == {"accepted": 1}
    assert delivery_to(impatient, DPO).possible_duplicate
    first, second = (letter.content for letter in mail_server.messages)
    assert first == second


def test_a_database_server_that_hangs_up_while_a_letter_is_on_the_wire_loses_nothing(
    postgresql_url: str, tmp_path: Path, mail_server: MailServer
) -> None:
    settings = settings_for(postgresql_url, tmp_path / "instance", mail_server.url)
    with closing(World(settings, utc("2026-09-30 08:00"))) as world:
        announce_to(world, ADA)

        def hang_up(envelope: Envelope) -> None:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            with psycopg.connect(postgresql_url.replace("+psycopg", "")) as connection:
                connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")  # noqa: S608 - two fixed texts

        meanwhile(world, hang_up)
        assert send(world) == {"accepted": 2}
        assert len(mail_server.messages) == 2


@pytest.mark.parametrize("at_letter", [1, 2, 3])
@pytest.mark.parametrize("pace", ["", "&rate=1"])
def test_a_database_server_that_is_away_for_a_moment_costs_no_answer(
    own_postgresql_url: str, tmp_path: Path, mail_server: MailServer, pace: str, at_letter: int
) -> None:
    """Also not where what is asked of it next is the place of the letter that follows (R31)."""
    settings = settings_for(own_postgresql_url, tmp_path / "instance", mail_server.url + pace)
    url = make_url(own_postgresql_url).set(drivername="postgresql")
    elsewhere = url.set(database="postgres").render_as_string(hide_password=False)

    def allow(connections: bool) -> None:
        with psycopg.connect(elsewhere, autocommit=True) as server:
            server.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS {connections}")
            if not connections:
                others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
                server.execute(others, (url.database,))

    def go_away(envelope: Envelope) -> None:
        allow(False)
        threading.Timer(0.3, allow, (True,)).start()

    with closing(World(settings, utc("2026-09-30 08:00"))) as world:
        announce_to(world, ADA, BOB, EVE, customers="")
        meanwhile(world, *[lambda envelope: None] * (at_letter - 1), go_away)
        accepted = 0
        while accepted < 3:
            sent = send(world)
            assert set(sent) == {"accepted"}
            accepted += sent["accepted"]
            world.at += timedelta(seconds=5)
    assert len(mail_server.messages) == 3


def test_an_answer_is_kept_though_the_place_of_the_next_letter_cannot_be_found(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    use_server(world, f"{mail_server.url}&rate=1")

    def rename(before: str, after: str) -> None:
        with world.writing() as session:
            session.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))

    meanwhile(world, lambda envelope: rename("provider_pacing", "elsewhere"))
    with pytest.raises((OperationalError, ProgrammingError), match="provider_pacing"):
        send(world)
    rename("elsewhere", "provider_pacing")
    assert sorted(states_of(world).values()) == ["accepted", "pending", "pending"]
    world.at += timedelta(minutes=1)
    assert send(world) == {"accepted": 2}
    assert len(mail_server.messages) == 3


def test_a_report_about_a_letter_that_was_skipped_later_is_taken(world: World, mail_server: MailServer) -> None:
    mail_server.script(HANOI_PRIVACY, 450, "4.2.1 Busy", times=1)
    announce_to(world, customers=HANOI)
    send(world)
    delivery = delivery_to(world, HANOI_PRIVACY)
    change(world, delivery, state="skipped", skip_reason="suppressed")
    with world.writing() as session:
        record_outcome(
            session,
            world.at,
            provider="smtp",
            event_id="1",
            message_id=str(delivery.message_id),
            kind=OutcomeKind.DELIVERED,
            happened_at=world.at,
            actor=WORKER,
        )
    after = delivery_to(world, HANOI_PRIVACY)
    assert (after.state, after.skip_reason) == ("delivered", None)


# A person


def requeue(world: World, number: str) -> int:
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        return requeue_deliveries(session, world.at, publisher, get_notice(session, publisher, number), ANNA)


def test_what_a_person_lets_go_on_is_tried_again_once_its_cause_is_mended(
    world: World, mail_server: MailServer
) -> None:
    number = announce_to(world, ADA, BOB)
    with world.writing() as session:
        session.execute(update(Address).where(Address.value == BOB).values(value="bob at home"))
    send(world)
    with world.writing() as session:
        session.execute(update(Address).where(Address.value == "bob at home").values(value=BOB))
    assert requeue(world, number) == 1
    assert send(world) == {"accepted": 1}
    assert [len(letters_to(mail_server, email)) for email in (DPO, ADA, BOB)] == [1, 1, 1]
    assert delivery_to(world, BOB).note is None
    assert requeue(world, number) == 0
    (event,) = events(world, "delivery.requeued")
    assert event.payload["deliveries"] == [delivery_to(world, BOB).id]


def test_a_letter_that_may_have_arrived_twice_goes_out_once_more_when_a_person_says_so(world: World) -> None:
    with ScriptedServer({"dot": [CUT, CUT]}) as server:
        use_server(world, server.url)
        number = announce_to(world)
        send(world)
        world.at += timedelta(minutes=1)
        assert send(world) == {"needs_attention": 1}
        assert requeue(world, number) == 1
        world.at += timedelta(days=1)
        assert send(world) == {"accepted": 1}
        world.channels["email"].close()
    assert len(server.letters) == 3
    assert len(set(server.letters)) == 1
    assert delivery_to(world, DPO).possible_duplicate


def test_a_letter_whose_tries_were_spent_has_one_more(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 452, "4.2.2 Over quota")
    number = announce_to(world)
    send(world)
    world.at += timedelta(days=5)
    assert send(world) == {"needs_attention": 1}
    assert requeue(world, number) == 1
    assert send(world) == {"needs_attention": 1}
    assert delivery_to(world, DPO).note == "tries_spent"
