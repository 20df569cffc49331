"""Whether an installation is fit to work, and its figures, as its database says."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from registry.migrations import known_revisions, newest_revision
from registry.steps.claim_deliveries import claim_deliveries
from registry.steps.health import Health, look_at_health
from registry.steps.installation import pause
from registry.steps.measurements import Measurements, measure
from registry.steps.sweep_slots import note_failure, note_success, shared_clock
from registry.steps.tasks import open_task
from registry.tables import Attempt, Delivery, Installation, ProviderPacing
from registry.tables.engine import make_engine
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import change
from tests.steps.path_cast import sweep
from tests.steps.post_office import DPO, announce_to
from tests.steps.standby_cast import SECOND, announce, called
from tests.world import ANNA, World, utc


def look(world: World) -> Health:
    return look_at_health(world.wiring.engine, world.at, newest_revision(), frozenset(known_revisions()))


def test_an_installation_whose_worker_lives_is_ready(world: World) -> None:
    sweep(world, "heartbeat")
    world.at += timedelta(seconds=30)
    found = look(world)
    assert found.is_ready
    assert (found.schema, found.scheduler, found.heartbeat_age) == ("newest", "alive", timedelta(seconds=30))
    assert found.is_paused is False


@pytest.mark.parametrize(("seconds", "is_ready"), [(119, True), (121, False), (-30, True), (-86_400, False)])
def test_a_scheduler_that_is_silent_for_two_minutes_makes_it_unready(
    world: World, seconds: int, is_ready: bool
) -> None:
    sweep(world, "heartbeat")
    world.at += timedelta(seconds=seconds)
    found = look(world)
    assert found.is_ready is is_ready
    assert found.scheduler == ("alive" if is_ready else "late")


def test_a_sweep_that_fails_for_ten_minutes_makes_it_unready_and_a_single_failure_does_not(world: World) -> None:
    def fail(minutes: int) -> Health:
        world.at += timedelta(minutes=minutes)
        sweep(world, "heartbeat")
        with world.writing() as session:
            note_failure(session, world.at, "watch")
        return look(world)

    assert fail(0).is_ready
    world.at += timedelta(minutes=50)
    sweep(world, "heartbeat")
    assert look(world).is_ready, "it failed once, and runs again within the hour"
    found = fail(10)
    assert (found.is_ready, found.failing, found.scheduler) == (False, ("watch",), "alive")
    note_success(world.wiring.engine, "watch")
    assert look(world).is_ready
    assert fail(0).is_ready


@pytest.mark.parametrize(("minutes", "scheduler"), [(9, "expected"), (11, "never")])
def test_a_new_installation_has_ten_minutes_for_its_first_worker(world: World, minutes: int, scheduler: str) -> None:
    change(world, Installation, created_at=world.at - timedelta(minutes=minutes))
    found = look(world)
    assert found.scheduler == scheduler
    assert found.is_ready is (scheduler == "expected")


@pytest.mark.parametrize(("revision", "schema"), [("0001", "outdated"), ("9999", "newer")])
def test_a_schema_of_another_release_makes_it_unready(world: World, revision: str, schema: str) -> None:
    sweep(world, "heartbeat")
    known = sorted(known_revisions())
    with world.writing() as session:
        session.execute(
            text("UPDATE alembic_version SET version_num = :to"), {"to": known[0] if revision == "0001" else revision}
        )
    try:
        found = look(world)
    finally:
        with world.writing() as session:
            session.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": newest_revision()})
    assert (found.is_ready, found.database_answers, found.schema) == (False, True, schema)


def test_a_database_without_a_schema_and_one_that_is_gone_are_two_findings(empty_database_url: str) -> None:
    engine = make_engine(empty_database_url)
    found = look_at_health(engine, utc("2026-09-30 08:00"), newest_revision(), frozenset(known_revisions()))
    engine.dispose()
    assert (found.database_answers, found.schema, found.is_ready) == (True, "missing", False)
    nowhere = make_engine("postgresql+psycopg://registry@127.0.0.1:1/registry")
    found = look_at_health(nowhere, utc("2026-09-30 08:00"), newest_revision(), frozenset(known_revisions()))
    nowhere.dispose()
    assert (found.database_answers, found.schema, found.is_ready) == (False, "unknown", False)


def test_a_pause_is_shown_and_does_not_make_it_unready_and_nobodys_words_are_told(world: World) -> None:
    sweep(world, "heartbeat")
    with world.writing() as session:
        pause(session, world.at, ANNA, "Bernd asked for it")
    found = look(world)
    assert (found.is_ready, found.is_paused, found.paused_because) == (True, True, "by-a-person")
    change(world, Installation, paused_because="other-base-url")
    assert look(world).paused_because == "other-base-url"


def figures(world: World) -> Measurements:
    with world.reading() as session:
        return measure(session, world.at)


def test_a_new_installation_measures_nothing(world: World) -> None:
    measured = figures(world)
    assert (measured.deliveries, measured.queue, measured.first_try_seconds) == ({}, {}, {})
    assert (measured.oldest_due_seconds, measured.needs_attention, measured.heartbeat_age_seconds) == (0.0, 0, None)


def test_the_queue_its_oldest_letter_and_what_became_of_letters_are_measured(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script("a@reader.example", 550, "5.1.1 No such user here")
    mail_server.script("b@reader.example", 451, "4.2.0 later")
    announce_to(world, "a@reader.example", "b@reader.example", "c@reader.example")
    world.at += timedelta(seconds=90)
    measured = figures(world)
    assert measured.queue == {("email", "pending"): 4}
    assert measured.oldest_due_seconds == 90
    sweep(world, "send")
    measured = figures(world)
    assert measured.deliveries == {("email", "accepted"): 2, ("email", "failed"): 1, ("email", "retry_wait"): 1}
    assert measured.queue == {("email", "retry_wait"): 1}
    assert measured.oldest_due_seconds == 0
    assert (measured.first_tries, set(measured.first_try_seconds.values())) == (4, {90.0})


def test_only_the_first_try_of_a_letter_counts_for_how_soon_it_was_tried(world: World, mail_server: MailServer) -> None:
    mail_server.script("a@reader.example", 451, "4.2.0 later")
    announce_to(world, "a@reader.example", customers="")
    sweep(world, "send")
    world.at += timedelta(hours=1)
    sweep(world, "send")
    measured = figures(world)
    assert (measured.first_tries, measured.first_try_seconds[1.0]) == (1, 0.0)
    with world.reading() as session:
        assert session.query(Attempt).count() == 2
    world.at += timedelta(days=1)
    assert figures(world).first_tries == 0


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_contact_that_stood_by_was_due_when_it_was_called_in(
    world: World, mail_server: MailServer, is_refused: bool
) -> None:
    mail_server.script(DPO, 450, "4.2.0 busy")
    if is_refused:
        mail_server.script(SECOND, 450, "4.2.0 busy")
    announce(world, SECOND)
    while not called(world):
        sweep(world, "send")
        world.at += timedelta(minutes=30)
    world.at += timedelta(seconds=40)
    sweep(world, "send")
    measured = figures(world)
    # The first try of the other one lies more than a day back.
    assert (measured.first_tries, measured.first_try_seconds[1.0]) == (1, 40.0)


def test_a_letter_that_a_killed_worker_had_claimed_was_due_all_along(world: World) -> None:
    announce_to(world, "a@reader.example", customers="")
    began = world.at
    with world.writing() as session:
        (lease,) = claim_deliveries(session, world.at, world.channels["email"], (), 1)
    assert lease.delivery_id
    change(world, Delivery, lease_until=began - timedelta(days=1))
    world.at += timedelta(minutes=31)
    sweep(world, "recover_leases")
    sweep(world, "send")
    assert figures(world).first_try_seconds[1.0] == 31 * 60


def test_quantiles_are_figures_that_were_measured(world: World) -> None:
    announce_to(world, *(f"r{number}@reader.example" for number in range(9)))
    sweep(world, "send")
    with world.writing() as session:
        for number, attempt in enumerate(session.query(Attempt).order_by(Attempt.id)):
            attempt.send_started_at = world.at + timedelta(seconds=number)
    world.at += timedelta(minutes=1)
    assert figures(world).first_try_seconds == {0.5: 4.0, 0.9: 8.0, 0.99: 9.0, 1.0: 9.0}


def test_tasks_pauses_heartbeats_and_shut_providers_are_measured(world: World) -> None:
    sweep(world, "heartbeat")
    with world.writing() as session:
        now = shared_clock(session, world.at)
        for account, minutes in (("resend", 5), ("relay", -5)):
            until = now + timedelta(minutes=minutes)
            session.add(ProviderPacing(account=account, next_at=now, blocked_until=until, updated_at=now))
        open_task(session, world.at, "needs_attention", subject=("delivery", "1"))
        pause(session, world.at, ANNA, "x")
    announce_to(world)
    change(world, Delivery, state="needs_attention")
    world.at += timedelta(seconds=7)
    measured = figures(world)
    assert measured.open_tasks == {"needs_attention": 1}
    assert (measured.is_paused, measured.heartbeat_age_seconds, measured.blocked_providers) == (True, 7.0, 1)
    assert measured.needs_attention == 1
