"""A run of the sweep takes what there is batch by batch, and whatever else is at work at the same moment (R36)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text

from registry.steps.addresses import record_address
from registry.steps.erase_expired import BATCHES_IN_A_RUN, erase_expired
from registry.steps.lookup import get_publisher
from registry.tables import Address, Attempt, Delivery
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import counting, events, follow
from tests.steps.retention_cast import (
    FRED,
    addresses,
    attempts,
    erase,
    hold,
    keeping,
    leave,
    letters,
    midnight,
    put_in_effect,
)
from tests.world import World, settings_for, utc

LEFT = utc("2026-10-05 08:00")


class TestManyRows:
    def test_ten_thousand_rows_go_batch_by_batch_each_transaction_with_its_event(self, world: World) -> None:
        put_in_effect(world, "{letters: 10, answers: 10}")
        multiply(world, 10_000)
        with counting(world) as sent:
            erased = erase(world, midnight("2026-11-12"), batch=500)
        assert erased == {"letters": 10_002, "answers": 10_002}
        per_run = [event.payload for event in events(world, "retention.erased")]
        assert sum(each["letters"] for each in per_run) == 10_002
        assert all(each["letters"] <= 500 and each["answers"] <= 500 for each in per_run)
        assert len(per_run) == 21
        assert len(sent) < 60 * 21
        with world.reading() as session:
            left = select(func.count()).select_from(Delivery).where(Delivery.message_id.is_not(None))
            assert session.scalar(left) == 10_002
            assert session.scalar(select(func.count()).where(Attempt.sha256.is_(None))) == 0
        assert erase(world) == {}

    def test_many_followers_go_batch_by_batch(self, world: World) -> None:
        world.apply(keeping("{followers: 10}", ""))
        follow(world, FRED)
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            session.execute(
                insert(Address),
                [
                    {
                        "publisher_id": publisher.id,
                        "channel": "email",
                        "lookup_hmac": f"reader-{n}",
                        "value": f"reader{n}@reader.example",
                        "created_at": world.at,
                    }
                    for n in range(1_200)
                ],
            )
            session.execute(
                text(
                    "INSERT INTO subscriptions (publisher_id, address_id, audience, language, name, rank, "
                    "wants_reminders, wants_effect, created_at, confirmed_at, ended_at) "
                    "SELECT publisher_id, id, 'follower', 'en', 'A Reader', 0, :yes, :no, created_at, created_at, "
                    "created_at FROM addresses WHERE lookup_hmac LIKE 'reader-%'"
                ),
                {"yes": True, "no": False},
            )
        assert erase(world, utc("2026-10-20 08:00"), batch=250) == {"addresses": 1_200}
        assert addresses(world) == {FRED}

    def test_a_run_has_an_end_and_the_next_goes_on(self, world: World) -> None:
        put_in_effect(world, "{letters: 10}")
        multiply(world, 300)
        assert erase(world, midnight("2026-11-12"), batch=1) == {"letters": BATCHES_IN_A_RUN}
        assert erase(world, batch=1) == {"letters": 302 - BATCHES_IN_A_RUN}
        assert erase(world, batch=1) == {}

    def test_a_worker_that_is_to_stop_ends_between_two_batches(self, world: World) -> None:
        put_in_effect(world, "{letters: 10}")
        multiply(world, 300)
        asked = iter([False, False])
        erased = erase(world, midnight("2026-11-12"), batch=100, should_stop=lambda: next(asked, True))
        assert erased == {"letters": 100}
        assert erase(world, batch=7) == {"letters": 202}


def multiply(world: World, many: int) -> None:
    """Have `many` more letters to Fred than were sent, each with its attempt."""
    mine = letters(world)[-1]
    [attempt] = [each for each in attempts(world) if each.delivery_id == mine.id]
    with world.writing() as session:
        first = (session.scalar(select(func.max(Delivery.id))) or 0) + 1
        # Service letters, since a statement goes to a subscription once.
        delivery = {
            column.name: getattr(mine, column.name) for column in Delivery.__table__.columns if column.name != "id"
        } | {"statement_id": None}
        rows = [delivery | {"id": first + n, "message_id": f"<{n}@more.example>"} for n in range(many)]
        session.execute(insert(Delivery), rows)
        tried = {
            column.name: getattr(attempt, column.name) for column in Attempt.__table__.columns if column.name != "id"
        }
        session.execute(insert(Attempt), [tried | {"delivery_id": first + n} for n in range(many)])


class TestAtOnce:
    @pytest.fixture
    def postgresql_world(self, postgresql_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
        world = World(settings_for(postgresql_url, tmp_path / "instance", mail_server.url), utc("2026-09-30 08:00"))
        yield world
        world.close()

    def test_a_row_that_somebody_else_has_in_hand_waits_for_the_next_run(self, postgresql_world: World) -> None:
        world = postgresql_world
        put_in_effect(world, "{letters: 10}")
        with world.writing() as session:
            session.execute(select(Delivery).where(Delivery.id == letters(world)[0].id).with_for_update())
            assert erase(world, midnight("2026-11-12")) == {"letters": 1}
        assert erase(world) == {"letters": 1}

    def test_an_address_that_is_being_subscribed_anew_is_let_alone(self, postgresql_world: World) -> None:
        world = postgresql_world
        world.apply(keeping("{followers: 10}", ""))
        row = follow(world, FRED)
        world.at = LEFT
        leave(world, row)
        with world.writing() as session:
            record_address(session, world.at, get_publisher(session, "antopsis"), world.wiring.keyring, FRED)
            assert erase(world, midnight("2026-10-16")) == {}
        assert erase(world) == {"addresses": 1}

    def test_a_hold_set_between_finding_and_erasing_holds(self, world: World) -> None:
        put_in_effect(world, "{letters: 10}")
        world.at = midnight("2026-11-12")
        readings = iter(range(100))

        def clock() -> datetime:
            if next(readings) == 1:
                hold(world)
            return world.at

        assert not any(erase_expired(world.wiring.engine, clock).values())
        assert all(each.merge for each in letters(world))
