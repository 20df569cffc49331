"""Tasks: once per subject while open, on record when they open and close, and which of them a person may close."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from registry.domain.errors import InvalidInput
from registry.domain.told import WhyUnreached
from registry.domain.vocabulary import StatementKind
from registry.steps.lookup import get_publisher
from registry.steps.record import WORKER
from registry.steps.task_words import say_remedy, say_task, say_time_left
from registry.steps.tasks import (
    NO_LONGER_TRUE,
    TaskClosed,
    TaskClosesItself,
    TaskKind,
    UnknownTask,
    close_task,
    close_task_by_hand,
    count_open_tasks,
    list_tasks,
    open_task,
)
from registry.tables import Task
from tests.steps.path_cast import events
from tests.world import ANNA, World, antopsis, utc

UNMATCHED = TaskKind.CALLBACK_UNMATCHED.value
RESEND = ("provider", "resend")


def open_one(world: World, kind: str = UNMATCHED, subject: tuple[str, str] = RESEND, **facts: Any) -> int:
    with world.writing() as session:
        return open_task(session, world.at, kind, subject=subject, **facts).id


def listed(world: World, **options: Any) -> list[Task]:
    with world.reading() as session:
        return [each.task for each in list_tasks(session, **options)]


def test_a_task_is_opened_once_per_subject_and_brought_up_to_date(world: World) -> None:
    first = open_one(world, provider="resend", count=1)
    world.at += timedelta(minutes=5)
    assert open_one(world, provider="resend", count=4, due_at=utc("2026-10-02 22:00")) == first
    (task,) = listed(world)
    assert (task.opened_at, task.facts["count"], task.due_at) == (
        utc("2026-09-30 08:00"),
        4,
        utc("2026-10-02 22:00"),
    )
    assert open_one(world, subject=("provider", "other")) != first
    (opened, _) = events(world, "task.opened")
    assert opened.payload["task"] == UNMATCHED
    assert opened.payload["about"] == list(RESEND)
    assert opened.payload["facts"] == {"provider": "resend", "count": 1}


def test_a_subject_may_have_a_new_task_once_its_last_one_is_closed(world: World) -> None:
    first = open_one(world)
    with world.writing() as session:
        task = session.get_one(Task, first)
        assert close_task(session, world.at, task, WORKER, NO_LONGER_TRUE)
        assert not close_task(session, world.at, task, WORKER, NO_LONGER_TRUE), "closed once"
    second = open_one(world)
    assert second != first
    assert [task.id for task in listed(world)] == [second]
    assert [task.id for task in listed(world, include_closed=True)] == [second, first]
    (closed,) = events(world, "task.closed")
    assert (closed.subject, closed.payload["because"], closed.actor) == (str(first), NO_LONGER_TRUE, str(WORKER))


def test_a_person_closes_a_task_with_a_reason_that_stays_out_of_the_record(world: World) -> None:
    number = open_one(world)
    with world.writing() as session:
        close_task_by_hand(session, world.at, number, ANNA, "Asked Bernd at Resend")
    (task,) = listed(world, include_closed=True)
    assert (task.closed_by, task.closed_because, task.closed_at) == (str(ANNA), "Asked Bernd at Resend", world.at)
    (closed,) = events(world, "task.closed")
    assert closed.payload["because"] == "by-a-person"
    assert "Bernd" not in str(closed.payload)


def test_what_cannot_be_closed_by_hand_is_refused_by_name(world: World) -> None:
    itself = open_one(world, TaskKind.CUSTOMER_NOT_REACHED.value, ("customer", "antopsis/2026-001/hanoi"))
    other = open_one(world)
    with world.writing() as session:
        with pytest.raises(TaskClosesItself):
            close_task_by_hand(session, world.at, itself, ANNA, "seen")
        with pytest.raises(UnknownTask):
            close_task_by_hand(session, world.at, 4711, ANNA, "seen")
        with pytest.raises(InvalidInput):
            close_task_by_hand(session, world.at, other, ANNA, "se\x00en")
        close_task_by_hand(session, world.at, other, ANNA, "seen")
        with pytest.raises(TaskClosed):
            close_task_by_hand(session, world.at, other, ANNA, "seen again")
    assert [task.id for task in listed(world)] == [itself]


def test_the_list_begins_with_what_is_too_late_soonest_and_may_be_one_publishers(world: World) -> None:
    world.apply(antopsis())
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
    later = open_one(world, "a", ("x", "1"), publisher_id=publisher.id, due_at=utc("2026-10-09 00:00"))
    never = open_one(world, "a", ("x", "2"))
    sooner = open_one(world, "b", ("x", "1"), publisher_id=publisher.id, due_at=utc("2026-10-02 00:00"))
    assert [task.id for task in listed(world)] == [sooner, later, never]
    assert [task.id for task in listed(world, publisher=publisher)] == [sooner, later]
    with world.reading() as session:
        assert count_open_tasks(session) == {"a": 2, "b": 1}
        assert {each.publisher for each in list_tasks(session)} == {"antopsis", None}


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=12, hours=3), "12 days left"),
        (timedelta(days=1, hours=23), "47 hours left"),
        (timedelta(hours=1), "1 hour left"),
        (timedelta(minutes=59, seconds=59), "59 minutes left"),
        (timedelta(seconds=20), "less than a minute left"),
        (timedelta(0), "too late by less than a minute"),
        (-timedelta(hours=3), "too late by 3 hours"),
        (-timedelta(days=2), "too late by 2 days"),
    ],
)
def test_the_time_left_is_rounded_down_so_that_nobody_counts_on_more(left: timedelta, said: str) -> None:
    now = utc("2026-09-30 08:00")
    assert say_time_left(now + left, now) == said


def test_no_time_limit_is_said_so() -> None:
    assert say_time_left(None, utc("2026-09-30 08:00")) == "no time limit"


FACTS: dict[str, Any] = {
    "notice": "2026-001",
    "customer": "hanoi",
    "note": "crashed_repeatedly",
    "what": "effect",
    "account": "resend",
    "road": "smtp",
    "until": "2026-09-30T10:00:00+00:00",
    "since": "2026-09-30T10:00:00+00:00",
    "provider": "resend",
    "count": 1,
    "statement": 2,
    "added": 3,
    "said": "550 No such user here",
    "reason": "no_report",
    "mail": 7,
    "endpoint": 17,
}


@pytest.mark.parametrize("kind", list(TaskKind))
def test_every_kind_has_a_sentence_and_a_remedy(kind: TaskKind) -> None:
    said = say_task(kind.value, "antopsis", FACTS | {"why": WhyUnreached.NOT_TAKEN.value})
    assert len(said) > 20
    assert said.endswith(".")
    assert "None" not in said
    assert say_remedy(kind.value, "antopsis", FACTS).endswith((".", ")."))


@pytest.mark.parametrize("why", list(WhyUnreached))
def test_every_reason_of_not_being_reached_is_said(why: WhyUnreached) -> None:
    said = say_task(TaskKind.CUSTOMER_NOT_REACHED.value, "antopsis", FACTS | {"why": why.value})
    assert said.startswith("hanoi was not reached by notice 2026-001 of antopsis: ")
    assert why.value not in said


@pytest.mark.parametrize("kind", list(StatementKind))
def test_every_statement_that_a_customer_did_not_get_is_said(kind: StatementKind) -> None:
    facts = FACTS | {"letter": kind.value, "in_effect": kind is StatementKind.ANNOUNCEMENT}
    said = say_task(TaskKind.CUSTOMER_NOT_TOLD.value, "antopsis", facts)
    assert said.startswith("hanoi did not get the ")
    assert "of notice 2026-001 of antopsis: each letter to its contacts was refused, came back" in said
    assert ("The notice is in effect" in said) is (kind is StatementKind.ANNOUNCEMENT)


@pytest.mark.parametrize("why", list(WhyUnreached))
def test_where_no_letter_was_lost_it_is_said_why_the_customer_counts_as_not_told(why: WhyUnreached) -> None:
    facts = FACTS | {"letter": "announcement", "in_effect": True, "why": why.value}
    said = say_task(TaskKind.CUSTOMER_NOT_TOLD.value, "antopsis", facts)
    got = "may not have got" if why is WhyUnreached.UNCONFIRMED else "did not get"
    assert said.startswith(f"hanoi {got} the announcement of notice 2026-001 of antopsis: ")
    assert "each letter to its contacts was refused" not in said
    assert said.endswith("The notice is in effect, and stays so.")


def test_a_kind_without_a_sentence_loses_nothing() -> None:
    assert say_task("unreadable_mail", None, {"mails": 3, "x": None}) == "Unreadable mail (mails: 3)."
    assert say_task("address_bounced", "antopsis", {}) == "Address bounced of antopsis."
    assert say_remedy("unreadable_mail", None, {}) == ""


def test_every_kind_is_documented_and_no_other() -> None:
    document = (Path(__file__).resolve().parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    table = document.partition("| Kind | Opens when |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {kind.value for kind in TaskKind}
