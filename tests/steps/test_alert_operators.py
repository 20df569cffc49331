"""Operators hear of each task once, by another road, and of silence by a ping that stays away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from registry.channels.alerts import AlertRoad
from registry.steps.alert_operators import MOST_OF_A_KIND, send_alerts, send_ping
from registry.steps.tasks import open_task
from registry.steps.watch import watch
from registry.tables import Installation, Task
from tests.alert_receiver import AlertReceiver, deaf_address
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import no_mailbox, pending_notice
from tests.steps.path_cast import dump, sweep
from tests.world import World, settings_for, utc


@pytest.fixture
def receiver() -> Iterator[AlertReceiver]:
    """Where alerts arrive."""
    with AlertReceiver() as receiver:
        yield receiver


def tell(world: World, receiver: AlertReceiver | str) -> dict[str, int]:
    url = receiver if isinstance(receiver, str) else f"{receiver.url}/hush"
    return send_alerts(world.wiring.engine, world.clock, AlertRoad(alert_url=url), "https://lists.example")


def open_tasks(world: World, count: int, kind: str = "unreadable_mail") -> None:
    with world.writing() as session:
        for number in range(count):
            open_task(session, world.at, kind, subject=("mail", f"{kind}-{number}"), number=number)


def test_a_customer_who_was_not_reached_is_an_alert_with_the_time_left_and_what_to_do(
    world: World, mail_server: MailServer, receiver: AlertReceiver
) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world)
    watch(world.wiring.engine, world.clock)
    assert tell(world, receiver) == {"told": 1, "not_heard": 0}
    (arrived,) = receiver.arrived
    document = arrived.document
    assert document["text"] == (
        f"bremen was not reached by notice {number} of antopsis: no mailbox of its contacts took the letter. 37 hours "
        "left (until 2026-10-01T21:59:59Z). Name another contact (registry customer contact-add bremen EMAIL "
        f"--publisher antopsis), or record service by other means (registry notice served {number} --publisher "
        "antopsis --customer bremen)."
    )
    assert (document["kind"], document["publisher"]) == ("customer_not_reached", "antopsis")
    assert document["subject"] == f"customer antopsis/{number}/bremen"
    assert document["installation"] == "https://lists.example"
    assert (document["at"], document["opened_at"]) == ("2026-09-30T08:00:00Z", "2026-09-30T08:00:00Z")


def test_each_task_is_told_once(world: World, receiver: AlertReceiver) -> None:
    open_tasks(world, 2)
    assert tell(world, receiver)["told"] == 2
    assert tell(world, receiver) == {"told": 0, "not_heard": 0}
    open_tasks(world, 3)
    assert tell(world, receiver)["told"] == 1
    assert len(receiver.arrived) == 3


def test_what_was_not_heard_is_told_at_the_next_slot(world: World) -> None:
    open_tasks(world, 3)
    with AlertReceiver([200, 500]) as receiver:
        assert tell(world, receiver) == {"told": 1, "not_heard": 2}
        assert len(receiver.arrived) == 2, "what fails is not tried for every task"
        assert tell(world, receiver) == {"told": 2, "not_heard": 0}
        told = [arrived.document["tasks"] for arrived in receiver.arrived]
    assert told == [[1], [2], [2], [3]]


def test_a_road_that_is_down_raises_nothing_and_marks_nothing(world: World) -> None:
    open_tasks(world, 1)
    before = dump(world)
    assert tell(world, f"{deaf_address()}/hush") == {"told": 0, "not_heard": 1}
    assert dump(world) == before


def test_where_no_address_is_set_tasks_wait_untold(world: World) -> None:
    open_tasks(world, 1)
    assert send_alerts(world.wiring.engine, world.clock, AlertRoad(), "x") == {"told": 0, "not_heard": 0}
    with world.reading() as session:
        assert session.query(Task).one().alerted_at is None


def test_a_flood_of_one_kind_is_one_alert(world: World, receiver: AlertReceiver) -> None:
    open_tasks(world, MOST_OF_A_KIND + 1)
    open_tasks(world, MOST_OF_A_KIND, kind="address_bounced")
    assert tell(world, receiver)["told"] == 2 * MOST_OF_A_KIND + 1
    assert len(receiver.arrived) == MOST_OF_A_KIND + 1
    (together,) = [each.document for each in receiver.arrived if each.document["kind"] == "unreadable_mail"]
    assert "And 5 more of the kind: registry task list shows all." in together["text"]
    assert len(together["tasks"]) == MOST_OF_A_KIND + 1


def test_a_closed_task_is_not_told(world: World, receiver: AlertReceiver) -> None:
    open_tasks(world, 1)
    with world.writing() as session:
        session.execute(update(Task).values(closed_at=world.at))
    assert tell(world, receiver)["told"] == 0


def test_no_address_leaves_the_house_even_where_a_fact_holds_one(world: World, receiver: AlertReceiver) -> None:
    with world.writing() as session:
        open_task(session, world.at, "x", subject=("mail", "dpo@bremen.example"), who="Dora <dpo@bremen.example>")
    tell(world, receiver)
    body = json.dumps(receiver.arrived[0].document)
    assert "@" not in body
    assert "(address)" in body


def ping(world: World, receiver: AlertReceiver, **options: Any) -> bool:
    road = AlertRoad(ping_url=f"{receiver.url}/ping")
    return send_ping(world.wiring.engine, world.clock, road, options.get("is_well", lambda: True))


def test_a_ping_goes_out_where_the_worker_lives_once_a_minute(world: World, receiver: AlertReceiver) -> None:
    assert not ping(world, receiver), "no worker has ever lived"
    sweep(world, "heartbeat")
    assert ping(world, receiver)
    # The database server's own clock says which minute it is.
    if world.wiring.uses_sqlite:
        assert not ping(world, receiver)
        world.at += timedelta(minutes=1)
        assert ping(world, receiver)
    assert {each.path for each in receiver.arrived} == {"/ping"}


def test_a_ping_stays_away_where_the_heartbeat_is_late_or_sending_fails(world: World, receiver: AlertReceiver) -> None:
    sweep(world, "heartbeat")
    assert not ping(world, receiver, is_well=lambda: False)
    with world.writing() as session:
        session.execute(update(Installation).values(heartbeat_at=world.at - timedelta(minutes=3)))
    assert not ping(world, receiver)
    assert receiver.arrived == []


def test_a_ping_that_is_not_heard_raises_nothing(world: World) -> None:
    sweep(world, "heartbeat")
    with AlertReceiver([500]) as receiver:
        assert not ping(world, receiver)
        assert len(receiver.arrived) == 1


def test_the_sweeps_take_the_road_from_the_settings(sqlite_url: str, tmp_path: Path, receiver: AlertReceiver) -> None:
    roads = {"REGISTRY_ALERT_URL": f"{receiver.url}/alerts", "REGISTRY_PING_URL": f"{receiver.url}/ping"}
    world = World(settings_for(sqlite_url, tmp_path / "instance", **roads), utc("2026-09-30 08:00"))
    open_tasks(world, 1)
    did = world.tick()
    world.close()
    assert (did["alert"], did["ping"]) == ({"told": 1, "not_heard": 0}, True)
    assert [each.path for each in receiver.arrived] == ["/alerts", "/ping"]
