"""Today: each thing that needs a person stands there, is gone once it is done, and leads to where it is done."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select, update

from registry.domain.entries import EntryInternals
from registry.steps.lookup import get_entry, get_notice, get_publisher, read_facts
from registry.steps.override_hold import override_hold
from registry.steps.propose import propose_correction, propose_override
from registry.steps.publish_notice import submit_notice
from registry.steps.record import Actor
from registry.steps.record_edit import record_internals
from registry.steps.record_objection import record_objection
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Delivery, Letter, Proposal, Task
from registry.web.team.settings_forms import FORMS, form_values
from tests.steps.path_cast import STRIPE, WITH_A_LINK, add_customer, decide, edit
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Colleague, Team
from tests.web.site import quick_tick, words_of
from tests.web.team.counting import queries
from tests.web.team.delivery_cast import OSLO
from tests.web.team.notice_cast import BY_EDDA, MORE_PURPOSES, do, draft, edit_places, require_approvals
from tests.world import BORIS, BREMEN, HANOI, antopsis, utc

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
    quick_tick(world)
    with world.reading() as session:
        tasks = session.scalars(select(Task).where(Task.kind == "customer_not_reached")).all()
    assert tasks
    seen = seen_by(team.sign_in(VERA))
    assert "Hanoi Streams Co. was not reached by notice 2026-001" in seen
    assert "Too late by" in seen or "left." in seen
    # Its letter lies in the outbox, which is nobody's server.
    assert "nothing is under way to it that would count as receipt" in seen
    assert "its server took the letter" not in seen


def test_a_customer_that_did_not_get_a_withdrawal_is_named_with_what_to_do(team: Team) -> None:
    world = team.site.world
    number = world.announce(antopsis(helsinki=True))
    quick_tick(world)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        withdraw_notice(session, world.at, publisher, notice, BY_EDDA, world.wiring.letterhead)
    quick_tick(world)
    with world.writing() as session:
        withdrawals = select(Letter.id).where(Letter.kind == "withdrawal")
        session.execute(update(Delivery).where(Delivery.letter_id.in_(withdrawals)).values(state="failed"))
    quick_tick(world)
    seen = seen_by(team.sign_in(VERA))
    assert f"Hanoi Streams Co. did not get the withdrawal of notice {number}" in seen
    assert "Reach them another way" in seen


def test_reviews_and_grounds_that_run_out_stand_with_their_day(team: Team) -> None:
    world = team.site.world
    world.announce(antopsis(more_entries=OPENAI), emergency_reason="It replaces a host that failed.")
    world.at = utc("2026-11-10 08:00")
    quick_tick(world)
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
    quick_tick(world)
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


def test_a_missing_approval_of_a_customer_stands_in_the_way_though_every_clock_has_run(team: Team) -> None:
    world = team.site.world
    number = world.announce(antopsis(helsinki=True, customers=HANOI + BREMEN + OSLO))
    for key in ("hanoi", "bremen", "oslo"):
        decide(world, number, key, "served", "courier")
    vera = team.sign_in(VERA)
    missing = "1 customer has not approved it, as the contract asks"
    assert f"{missing}; 3 clocks run, the last until 14 November 2026." in seen_by(vera)
    world.at = utc("2026-11-15 12:00")
    assert f"{missing}. 16 November 2026" in seen_by(vera)
    world.at = utc("2026-11-15 23:30")
    quick_tick(world)
    assert "is held until further notice" in seen_by(vera)
    assert "Nothing stands in its way" not in seen_by(vera)


def test_the_last_clock_runs_until_its_last_day_and_not_until_the_day_after(light_team: Team) -> None:
    number = light_team.site.world.announce(antopsis(helsinki=True))
    decide(light_team.site.world, number, "bremen", "served", "courier")
    seen = seen_by(light_team.sign_in(VERA))
    assert "Receipt by 1 of 2 customers is not proved yet; 1 clock runs, the last until 30 October 2026." in seen


def test_a_customer_whose_hold_was_set_aside_is_not_waited_for(light_team: Team) -> None:
    world = light_team.site.world
    number = world.announce(antopsis(helsinki=True))
    decide(world, number, "hanoi", "exempt", "Waiver.")
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        for actor in (BY_EDDA, BORIS):
            override_hold(session, world.at, publisher, notice, "bremen", actor, reason="It moved away.")
    assert "Nothing stands in its way." in seen_by(light_team.sign_in(VERA))


def test_a_notice_that_only_informs_has_no_clock(light_team: Team) -> None:
    world = light_team.site.world
    edit(world, STRIPE | {"name": "Stripe Payments"}, "stripe", actor=BY_EDDA)
    number = world.draft(effective_on=date(2026, 10, 20))
    world.publish(number)
    decide(world, number, "bremen", "served", "courier")
    seen = seen_by(light_team.sign_in(VERA))
    assert "Nothing stands in its way." in seen
    assert "clock" not in seen


def test_a_notice_that_could_not_be_announced_says_so_and_leads_to_why(team: Team) -> None:
    world = team.site.world
    edit_places(team)
    later = {"announce": "later", "announce_on": "2026-10-03", "announce_time": "09:00"}
    number = draft(team.sign_in(EDDA), effective_on="2026-11-20", **later)
    assert do(team.sign_in(ARNO), number, "publish", understood="1").status_code == 303
    assert "is published and will be announced Hetzner: change of places. Nobody was told of it yet." in seen_by(
        team.sign_in(VERA)
    )
    add_customer(world, key="hanoi", name="Hanoi Streams Co.", time_zone="Asia/Ho_Chi_Minh", notice={"days": 90})
    world.at = utc("2026-10-03 07:05")
    quick_tick(world)
    seen = seen_by(team.sign_in(VERA))
    assert "Notice 2026-001 could not be announced" in seen
    assert "will be announced" not in seen
    page = words_of(team.sign_in(ARNO).get(f"/team/antopsis/notices/{number}").text)
    assert "An approver takes it back, and its edits wait for another notice with a later date." in page
    assert "too early for Hanoi Streams Co. (hanoi): its 90 days of notice" in page
    assert "Take back" in page


def test_who_wrote_an_edit_or_approved_already_is_not_asked_to_approve(team: Team) -> None:
    require_approvals(team, 2)
    edit_places(team)
    edit(team.site.world, MORE_PURPOSES, "stripe", actor=Actor(ARNO.email, "web"))
    edda, arno, ola = team.sign_in(EDDA), team.sign_in(ARNO), team.sign_in(OLA)
    number = draft(edda, changes=["hetzner-falkenstein", "stripe"])
    do(edda, number, "submit")
    assert "Read and approve" not in seen_by(arno)
    assert "Read and approve" in seen_by(ola)
    page = words_of(ola.get(f"/team/antopsis/notices/{number}").text)
    assert "It needs 2 approvals, and only Ola Owner can give one" in page
    assert "so a colleague does this" in arno.get(f"/team/antopsis/notices/{number}/approve").text
    assert do(ola, number, "approve").status_code == 303
    seen = seen_by(ola)
    assert "You approved it; a colleague does next." in seen
    assert "Read and approve" not in seen


def test_where_no_approval_is_required_nothing_is_said_to_wait_for_one(light_team: Team) -> None:
    edit_places(light_team)
    edda = light_team.sign_in(EDDA)
    number = draft(edda)
    assert do(edda, number, "submit").status_code == 303
    seen = seen_by(edda)
    assert "Notice 2026-001 is submitted. No approval is required: an approver can publish it." in seen
    assert "Notice 2026-001 is submitted and not published" in seen


def test_an_editorial_edit_waits_for_approval_and_for_no_notice(team: Team) -> None:
    require_approvals(team)
    edit(team.site.world, WITH_A_LINK, actor=BY_EDDA)
    seen = seen_by(team.sign_in(ARNO))
    assert "1 editorial edit waits for approval" in seen
    assert "no notice tells of it" not in seen
    assert "Draft a notice" not in seen


def test_an_override_asked_for_before_the_hold_ended_is_gone_with_it(light_team: Team) -> None:
    world = light_team.site.world
    number = world.announce(antopsis(helsinki=True))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        propose_override(session, world.at, publisher, notice, "bremen", BY_EDDA, reason="It moved away.")
        propose_override(session, world.at, publisher, notice, "hanoi", BY_EDDA, reason="It moved away.")
        for actor in (BY_EDDA, BORIS):
            override_hold(session, world.at, publisher, notice, "bremen", actor, reason="It moved away.")
    seen = seen_by(light_team.sign_in(ARNO))
    assert "the hold of Bremen Media GmbH" not in seen
    assert "the hold of Hanoi Streams Co." in seen
