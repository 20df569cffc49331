"""The turns of a whole run: what comes up between two letters, and a database that fails one (R28, R29)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

import registry.tables.engine as engines
from registry.channels.base import Envelope
from registry.steps.letter_turns import SETTLED_TOGETHER, Beginning, LetterTurns, Taken, Turn, TurnFailed
from registry.tables import Attempt, Delivery
from tests.channels.smtp_server import MailServer
from tests.steps.claims_cast import ADA, BOB, EVE, REASONS, expire_soon, withdrawn
from tests.steps.post_office import (
    announce_to,
    attempts_at,
    check_that_every_accepted_letter_can_be_made_again,
    delivery_to,
    meanwhile,
    send,
    states_of,
)
from tests.world import World, settings_for, utc


def test_letters_that_are_taken_in_quick_succession_are_settled_together_and_all_of_them(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = [f"reader{n}@reader.example" for n in range(250)]
    announce_to(world, *readers, customers="")
    together: list[int] = []
    really_settle = LetterTurns.settle

    def settle_and_count(self: LetterTurns, deliveries: Iterable[int]) -> set[int]:
        settled = really_settle(self, deliveries)
        together.append(len(settled))
        return settled

    monkeypatch.setattr(LetterTurns, "settle", settle_and_count)
    assert send(world) == {"accepted": 250}
    assert sum(together) == 250
    assert 1 < max(together) <= SETTLED_TOGETHER
    check_that_each_got_one(world, mail_server, readers)


def test_a_failure_to_settle_what_was_taken_is_made_good_by_the_way_that_waits_for_the_database(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = followers_of(world, 12)

    def fail(self: LetterTurns, deliveries: Iterable[int]) -> set[int]:
        raise TurnFailed("the connection is gone")

    monkeypatch.setattr(LetterTurns, "settle", fail)
    assert send(world) == {"accepted": 12}
    check_that_each_got_one(world, mail_server, readers)


def happening(act: Callable[[], object]) -> Callable[[Envelope], None]:
    def happens(envelope: Envelope) -> None:
        act()

    return happens


HINDRANCES = {
    "he unsubscribed": ("skipped", "unsubscribed"),
    "he is suppressed": ("skipped", "suppressed"),
    "his address was erased": ("skipped", "no_address"),
    "the lease was lost": ("leased", None),
}


@pytest.mark.parametrize("reason", HINDRANCES)
def test_what_comes_up_between_claim_and_start_keeps_one_letter_back_and_no_other(
    world: World, mail_server: MailServer, reason: str
) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    bob = delivery_to(world, BOB)
    meanwhile(world, happening(lambda: REASONS[reason](world)))
    state, skip_reason = HINDRANCES[reason]
    assert send(world)["accepted"] == 2
    with world.reading() as session:
        row = session.get_one(Delivery, bob.id)
    assert (row.state, row.skip_reason) == (state, skip_reason)
    assert sorted(message.rcpt_tos[0] for message in mail_server.messages) == [ADA, EVE]


def test_a_notice_withdrawn_between_claim_and_start_is_told_to_nobody_else(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    meanwhile(world, lambda envelope: withdrawn(world))
    assert send(world) == {"accepted": 1, "cancelled": 2}
    assert [message.rcpt_tos for message in mail_server.messages] == [(ADA,)]


def test_a_letter_with_little_lease_left_is_sent_once_its_lease_is_renewed(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    meanwhile(world, lambda envelope: expire_soon(world, BOB))
    assert send(world) == {"accepted": 3}
    assert len(mail_server.messages) == 3
    assert {len(attempts_at(world, delivery_to(world, email))) for email in (ADA, BOB, EVE)} == {1}
    assert check_that_every_accepted_letter_can_be_made_again(world) == 3


def test_followers_letters_take_the_short_way_also_behind_a_contacts_and_behind_a_renewal(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = [f"reader{n}@reader.example" for n in range(30)]
    announce_to(world, BOB, *readers)
    begun: list[int] = []
    really_take = LetterTurns.take

    def take_and_count(self: LetterTurns, taken: Taken | None, beginning: Beginning | None) -> Turn:
        turn = really_take(self, taken, beginning)
        begun.extend([beginning.lease.delivery_id] if beginning is not None and turn.has_begun else [])
        return turn

    monkeypatch.setattr(LetterTurns, "take", take_and_count)
    meanwhile(world, lambda envelope: None, lambda envelope: None, lambda envelope: expire_soon(world, readers[9]))
    assert send(world) == {"accepted": 32}
    # Not those of the contact, and of the one whose lease was renewed.
    assert set(begun) == {delivery_to(world, to).id for to in [BOB, *readers]} - {delivery_to(world, readers[9]).id}


# A database that fails
def followers_of(world: World, count: int) -> list[str]:
    readers = [f"reader{n}@reader.example" for n in range(count)]
    announce_to(world, *readers, customers="")
    return readers


def check_that_each_got_one(world: World, mail_server: MailServer, readers: list[str]) -> None:
    assert sorted(message.rcpt_tos[0] for message in mail_server.messages) == sorted(readers)
    assert set(states_of(world).values()) == {"accepted"}
    with world.reading() as session:
        attempts = session.scalars(select(Attempt)).all()
        marked = session.scalars(select(func.count()).where(Delivery.possible_duplicate)).one()
    assert [(each.n, each.answer_class) for each in attempts] == [(1, "accepted")] * len(readers)
    assert all(each.send_started_at and each.sha256 and each.answer for each in attempts)
    assert marked == 0
    assert check_that_every_accepted_letter_can_be_made_again(world) == len(readers)


@pytest.mark.parametrize("was_done", [True, False], ids=["after-its-commit", "before-it-began"])
def test_a_turn_whose_answer_is_lost_is_found_out_row_by_row(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch, was_done: bool
) -> None:
    readers = followers_of(world, 12)
    really_take = LetterTurns._take
    asked: list[Beginning | None] = []

    def lose_every_third(self: LetterTurns, taken: Taken | None, beginning: Beginning | None) -> Turn:
        asked.append(beginning)
        if len(asked) % 3:
            return really_take(self, taken, beginning)
        if was_done:
            really_take(self, taken, beginning)
        raise self._trouble("the connection is gone")

    monkeypatch.setattr(LetterTurns, "_take", lose_every_third)
    send(world)
    check_that_each_got_one(world, mail_server, readers)
    assert len(asked) > 6


def test_a_locked_database_fails_a_turn_and_costs_no_letter(
    sqlite_url: str, tmp_path: Path, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    settings = settings_for(sqlite_url, tmp_path / "instance", mail_server.url)
    database = str(make_url(sqlite_url).database)
    with (
        closing(World(settings, utc("2026-09-30 08:00"))) as world,
        closing(sqlite3.connect(database, isolation_level=None)) as other,
    ):
        readers = followers_of(world, 8)
        failures = count_failures(monkeypatch)
        monkeypatch.setattr("registry.steps.send_deliveries.time.sleep", lambda _: other.execute("COMMIT"))
        meanwhile(world, *[happening(lambda: other.execute("BEGIN IMMEDIATE"))] * 4)
        assert send(world) == {"accepted": 8}
        # The first lock was met by whoever asked for the next letters' places.
        assert len(failures) == 3
        check_that_each_got_one(world, mail_server, readers)


def test_connections_that_the_server_ends_fail_a_turn_and_cost_no_letter(
    postgresql_url: str, tmp_path: Path, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(postgresql_url, tmp_path / "instance", mail_server.url)
    with closing(World(settings, utc("2026-09-30 08:00"))) as world:
        readers = followers_of(world, 8)
        failures = count_failures(monkeypatch)

        def hang_up(envelope: Envelope) -> None:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            with psycopg.connect(postgresql_url.replace("+psycopg", "")) as connection:
                connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")  # noqa: S608 - two fixed texts

        # The letter after a failure finds a new connection, and that one is ended as well.
        meanwhile(world, hang_up, hang_up, hang_up)
        assert send(world) == {"accepted": 8}
        assert len(failures) == 2
        check_that_each_got_one(world, mail_server, readers)


def count_failures(monkeypatch: pytest.MonkeyPatch) -> list[TurnFailed]:
    """Keep every turn that failed from now on."""
    failures: list[TurnFailed] = []
    really_take = LetterTurns.take

    def take_and_count(self: LetterTurns, *about: Any) -> Turn:
        try:
            return really_take(self, *about)
        except TurnFailed as failed:
            failures.append(failed)
            raise

    monkeypatch.setattr(LetterTurns, "take", take_and_count)
    return failures
