"""One commit per letter: the one that was taken is settled, the next one begins, each or neither (R28, R29)."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from registry.channels.base import Accepted
from registry.steps.claim_deliveries import Lease
from registry.steps.letter_turns import Beginning, LetterTurns, Taken, Turn
from registry.steps.prepare_letters import Prepared
from registry.steps.recover_leases import recover_leases
from registry.tables import Attempt
from tests.channels.smtp_server import MailServer
from tests.steps.claims_cast import ADA, BOB, REASONS, claim_and_prepare
from tests.steps.post_office import (
    announce_to,
    attempts_at,
    change,
    delivery_to,
    events,
    let_leases_run_out,
    send,
    states_of,
)
from tests.world import World, settings_for, utc

YES = Accepted(250, "2.0.0 Ok: queued as 4Xyz", provider_ref="4Xyz")


@pytest.fixture
def claimed(world: World) -> list[tuple[Lease, Prepared]]:
    """Letters to Ada and Bob, claimed and made ready."""
    announce_to(world, ADA, BOB, customers="")
    leases, prepared = claim_and_prepare(world)
    return [(lease, prepared[lease.delivery_id]) for lease in leases]


def take(world: World, taken: Taken | None, beginning: Beginning | None) -> Turn:
    turns = LetterTurns(world.wiring.engine)
    with closing(turns):
        return turns.take(taken, beginning)


def begin(world: World, ready: tuple[Lease, Prepared]) -> Beginning:
    lease, prepared = ready
    return Beginning(lease, prepared.sha256, world.at)


def test_a_letter_that_is_free_begins_with_its_bytes_and_its_time(
    world: World, claimed: list[tuple[Lease, Prepared]]
) -> None:
    ada, _ = claimed
    assert take(world, None, begin(world, ada)) == Turn(is_kept=False, has_begun=True)
    (attempt,) = attempts_at(world, delivery_to(world, ADA))
    assert (attempt.send_started_at, attempt.sha256) == (world.at, ada[1].sha256)
    assert (attempt.finished_at, attempt.answer_class) == (None, None)
    assert attempts_at(world, delivery_to(world, BOB))[0].send_started_at is None


def settle(world: World, *claimed: tuple[Lease, Prepared]) -> set[int]:
    with closing(LetterTurns(world.wiring.engine)) as turns:
        return turns.settle(lease.delivery_id for lease, _ in claimed)


def test_a_letter_that_was_taken_is_settled_with_its_answer(
    world: World, claimed: list[tuple[Lease, Prepared]]
) -> None:
    ada, _ = claimed
    take(world, None, begin(world, ada))
    at = world.at + timedelta(seconds=2)
    assert take(world, Taken(ada[0], YES, at), None) == Turn(is_kept=True, has_begun=False)
    assert delivery_to(world, ADA).state == "leased"
    assert settle(world, ada) == {ada[0].delivery_id}
    delivery = delivery_to(world, ADA)
    assert (delivery.state, delivery.accepted_at) == ("accepted", at)
    assert (delivery.token, delivery.lease_until) == (None, None)
    (attempt,) = attempts_at(world, delivery)
    assert (attempt.finished_at, attempt.answer_class, attempt.code) == (at, "accepted", 250)
    assert (attempt.answer, attempt.provider_ref) == ("2.0.0 Ok: queued as 4Xyz", "4Xyz")


def test_a_connection_is_given_back_with_the_settings_it_came_with(postgresql_url: str, tmp_path: Path) -> None:
    def settings_of(connection: Any) -> list[str]:
        cursor = connection.cursor()
        return [cursor.execute(f"SHOW {name}").fetchone()[0] for name in ("plan_cache_mode", "enable_seqscan", "jit")]

    with closing(World(settings_for(postgresql_url, tmp_path / "instance"), utc("2026-09-30 08:00"))) as world:
        engine = world.wiring.engine
        engine.dispose()
        with engine.connect() as connection:
            before = connection.connection.driver_connection
            as_it_came = settings_of(before)
        with closing(LetterTurns(engine)):
            assert settings_of(before) == ["force_generic_plan", "off", "off"]
        with engine.connect() as connection:
            assert connection.connection.driver_connection is before
            assert settings_of(before) == as_it_came != ["force_generic_plan", "off", "off"]


@pytest.mark.parametrize(
    ("reason", "before"),
    [
        *((reason, "held") for reason in REASONS),
        *((reason, before) for reason in ("the lease was lost", "he unsubscribed") for before in ("lost", "nothing")),
    ],
)
def test_the_letter_before_is_settled_also_where_the_next_one_must_not_begin(
    world: World, claimed: list[tuple[Lease, Prepared]], reason: str, before: str
) -> None:
    ada, bob = claimed
    take(world, None, begin(world, ada))
    REASONS[reason](world)
    if before == "lost":
        change(world, delivery_to(world, ADA), token="another worker's")
    taken = Taken(ada[0], YES, world.at) if before != "nothing" else None
    assert take(world, taken, begin(world, bob)) == Turn(is_kept=before != "nothing", has_begun=False)
    assert settle(world, ada) == ({ada[0].delivery_id} if before == "held" else set())
    assert (delivery_to(world, ADA).state == "accepted") is (before == "held")
    # What the server said of it stands on record, whoever has the letter by now.
    answered = attempts_at(world, delivery_to(world, ADA))[0].answer_class
    assert answered == (None if before == "nothing" else "accepted")
    with world.reading() as session:
        of_bob = session.scalars(select(Attempt).where(Attempt.delivery_id == bob[0].delivery_id)).one()
    assert (of_bob.send_started_at, of_bob.sha256) == (None, None)


def test_the_next_letter_begins_also_where_the_one_before_was_lost(
    world: World, claimed: list[tuple[Lease, Prepared]]
) -> None:
    ada, bob = claimed
    take(world, None, begin(world, ada))
    change(world, delivery_to(world, ADA), token="another worker's")
    assert take(world, Taken(ada[0], YES, world.at), begin(world, bob)) == Turn(is_kept=True, has_begun=True)
    assert settle(world, ada, bob) == set()
    delivery = delivery_to(world, ADA)
    assert (delivery.state, delivery.token, delivery.accepted_at) == ("leased", "another worker's", None)


def test_what_was_taken_and_not_settled_yet_is_settled_once_its_worker_is_dead_and_goes_to_nobody_again(
    world: World, claimed: list[tuple[Lease, Prepared]], mail_server: MailServer
) -> None:
    ada, bob = claimed
    take(world, None, begin(world, ada))
    at = world.at + timedelta(seconds=2)
    take(world, Taken(ada[0], YES, at), begin(world, bob))
    let_leases_run_out(world)
    with world.writing() as session:
        # Bob's alone: about his nobody knows.
        assert recover_leases(session, world.at) == 1
    delivery = delivery_to(world, ADA)
    assert (delivery.state, delivery.accepted_at, delivery.token) == ("accepted", at, None)
    assert (delivery.crash_count, delivery.possible_duplicate) == (0, False)
    assert delivery_to(world, BOB).state == "ambiguous"
    assert send(world) == {"accepted": 1}
    assert [message.rcpt_tos for message in mail_server.messages] == [(BOB,)]
    assert len(events(world, "delivery.lease_lapsed")) == 1


def test_letters_that_are_under_way_or_were_refused_are_not_settled_along(
    world: World, claimed: list[tuple[Lease, Prepared]]
) -> None:
    ada, bob = claimed
    take(world, None, begin(world, ada))
    assert settle(world, ada, bob) == set()
    with world.writing() as session:
        session.execute(update(Attempt).values(answer_class="temporary", code=451))
    assert settle(world, ada, bob) == set()
    assert states_of(world) == {ADA: "leased", BOB: "leased"}
