"""Today: each thing that needs a person stands there, is gone once it is done, and leads to where it is done."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select

from registry.domain.entries import EntryInternals
from registry.steps.lookup import get_entry, get_notice, get_publisher
from registry.steps.publish_notice import submit_notice
from registry.steps.record import Actor
from registry.steps.record_edit import record_internals
from registry.steps.record_objection import record_objection
from registry.tables import Task
from tests.web.colleagues import ARNO, EDDA, VERA, Colleague, Team
from tests.web.site import words_of
from tests.web.team.counting import queries
from tests.world import antopsis, utc

BY_EDDA = Actor(EDDA.email, "web")
OPENAI = """  - key: openai
    name: OpenAI
    purposes: [Summaries]
    transfers: [{regime: eu, mechanism: eu.art45.us-dpf, destination: US, checked_on: 2025-10-15}]
"""


def seen_by(colleague: Colleague) -> str:
    answer = colleague.get("/team/antopsis/")
    assert answer.status_code == 200
    return words_of(answer.text)


def test_a_quiet_day_says_so(team: Team) -> None:
    assert "Nothing needs you" in seen_by(team.sign_in(VERA))


def test_an_edit_that_no_notice_tells_of_waits_for_one(team: Team) -> None:
    team.site.world.apply(antopsis(helsinki=True), BY_EDDA)
    assert "1 edit waits and no notice tells of it" in seen_by(team.sign_in(EDDA))
    team.site.world.draft(actor=BY_EDDA)
    seen = seen_by(team.sign_in(EDDA))
    assert "no notice tells" not in seen
    assert "Notice 2026-001 is a draft" in seen


def test_a_submitted_notice_is_for_a_colleague_to_approve_and_not_for_its_author(team: Team) -> None:
    world = team.site.world
    world.apply(antopsis(helsinki=True, approvals=1), BY_EDDA)
    number = world.draft(actor=BY_EDDA)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        submit_notice(session, world.at, publisher, get_notice(session, publisher, number), BY_EDDA)
    assert "A colleague who did not write it approves it" in seen_by(team.sign_in(EDDA))
    seen = seen_by(team.sign_in(ARNO))
    assert "Notice 2026-001 waits for approval" in seen
    assert "A colleague who did not write it" not in seen


def test_a_pending_notice_says_who_was_not_reached_and_whose_objection_is_open(team: Team) -> None:
    world = team.site.world
    number = world.announce(antopsis(helsinki=True))
    assert "2 of 2 customers not reached" in seen_by(team.sign_in(VERA))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        record_objection(session, world.at, publisher, notice, "bremen", BY_EDDA, received_at=world.at, ground="No.")
    seen = seen_by(team.sign_in(VERA))
    assert "1 open objection" in seen
    assert "Bremen Media GmbH objects to notice 2026-001" in seen


def test_a_customer_that_is_not_reached_is_named_with_the_time_that_is_left(team: Team) -> None:
    world = team.site.world
    world.announce(antopsis(helsinki=True))
    world.at = utc("2026-10-02 08:00")
    world.tick()
    with world.reading() as session:
        tasks = session.scalars(select(Task).where(Task.kind == "customer_not_reached")).all()
    assert tasks
    seen = seen_by(team.sign_in(VERA))
    assert "Hanoi Streams Co. was not reached by notice 2026-001" in seen
    assert "Too late by" in seen or "left." in seen


def test_reviews_and_grounds_that_run_out_stand_with_their_day(team: Team) -> None:
    world = team.site.world
    world.announce(antopsis(more_entries=OPENAI), emergency_reason="It replaces a host that failed.")
    world.at = utc("2026-11-10 08:00")
    world.tick()
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        assert get_entry(session, publisher, "stripe")
        internals = EntryInternals(review_due_on=date(2026, 11, 20))
        record_internals(session, publisher, "stripe", internals, now=world.at, actor=BY_EDDA)
    seen = seen_by(team.sign_in(VERA))
    assert "Review Stripe" in seen
    assert "20 November 2026" in seen
    assert "The transfer ground of OpenAI has run out" in seen


def test_today_asks_the_database_ten_times_at_most(team: Team) -> None:
    world = team.site.world
    world.announce(antopsis(helsinki=True))
    world.at = utc("2026-10-02 08:00")
    world.tick()
    vera = team.sign_in(VERA)
    vera.get("/team/antopsis/")
    with queries(team.site.app.extensions["registry"].engine) as sent:
        assert vera.get("/team/antopsis/").status_code == 200
    assert len(sent) <= 10, "\n".join(sent)
