"""Today: each thing that needs a person stands there, is gone once it is done, and leads to where it is done."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select

from registry.domain.entries import EntryInternals
from registry.steps.lookup import get_entry, get_notice, get_publisher, read_facts
from registry.steps.propose import propose_correction, propose_override
from registry.steps.publish_notice import submit_notice
from registry.steps.record import Actor
from registry.steps.record_edit import record_internals
from registry.steps.record_objection import record_objection
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Proposal, Task
from registry.web.team.settings_forms import FORMS, form_values
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Colleague, Team
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
    assert "Receipt by 2 of 2 customers is not proved yet." in seen_by(team.sign_in(VERA))
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


def test_what_one_person_proposed_waits_for_another_and_is_gone_once_decided(team: Team) -> None:
    team.site.world.apply(antopsis(approvals=1))
    ola, arno = team.sign_in(OLA), team.sign_in(ARNO)
    with team.site.world.reading() as session:
        values = form_values(read_facts(session, get_publisher(session, "antopsis")))
    given = {field.name: values[field.name] for field in FORMS["terms"].fields if values.get(field.name)}
    ola.post("/team/antopsis/settings/terms", given | {"notice.days": "14"})
    assert "New settings wait for a colleague’s yes Proposed by you" in seen_by(ola)
    seen = seen_by(arno)
    assert "Proposed by ola@antopsis.example" in seen
    assert "Read and decide" in seen
    with team.site.world.reading() as session:
        number = session.scalars(select(Proposal.id)).one()
    arno.post(f"/team/antopsis/settings/proposals/{number}/approve")
    assert "New settings" not in seen_by(arno)


def test_a_correction_and_an_override_that_are_proposed_stand_until_they_are_done(team: Team) -> None:
    world = team.site.world
    number = world.announce(antopsis(helsinki=True))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        propose_correction(session, world.at, publisher, notice, BY_EDDA, reason="The place is Espoo.")
        propose_override(session, world.at, publisher, notice, "bremen", BY_EDDA, reason="It moved away.")
    seen = seen_by(team.sign_in(ARNO))
    assert "The correction of notice 2026-001 is proposed and not sent" in seen
    assert "To set the hold of Bremen Media GmbH on notice 2026-001 aside waits" in seen
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        withdraw_notice(
            session,
            world.at,
            publisher,
            get_notice(session, publisher, number),
            BY_EDDA,
            world.wiring.letterhead,
            "Off.",
        )
    assert "is proposed" not in seen_by(team.sign_in(ARNO))
