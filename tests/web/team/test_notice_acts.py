"""A notice's whole life by its screens: who may do what, what each act sends, and what a stale page does."""

from __future__ import annotations

import pytest

from registry.steps.editorial import add_version
from registry.steps.list_periods import put_on_list
from registry.steps.lookup import get_entry, get_publisher
from registry.steps.record import Actor
from registry.tables import Event, Statement
from tests.steps.path_cast import HETZNER, TWO_PLACES, edit, object_to, revise, statements
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Team
from tests.web.site import quick_tick, words_of
from tests.web.team.notice_cast import (
    BY_EDDA,
    EARLIEST,
    NOTICES,
    correction_read,
    do,
    draft,
    edit_places,
    published,
    reading,
    require_approvals,
    said,
)
from tests.world import utc

ESPOO = HETZNER | {"locations": [*HETZNER["locations"], {"country": "FI", "place": "Espoo", "function": "storage"}]}


def test_a_notice_is_drafted_submitted_approved_by_another_and_published(team: Team) -> None:
    world = team.site.world
    require_approvals(team)
    edit_places(team)
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    number = draft(edda, explanation="We add **Helsinki**.")
    assert "waits for approval" in said(edda, do(edda, number, "submit"))
    page = words_of(arno.get(f"{NOTICES}/{number}").text)
    assert "It needs 1 approval, which Arno Approver or Ola Owner can give." in page
    assert "You approved notice" in said(arno, do(arno, number, "approve"))
    confirm = arno.get(f"{NOTICES}/{number}/publish")
    assert "2 letters go out" in words_of(confirm.text)
    assert "Hanoi Streams Co. has 45 days of notice" in words_of(confirm.text)
    unticked = arno.post(f"{NOTICES}/{number}/publish", {"read": reading(confirm)})
    assert (unticked.status_code, world.notice(number).state) == (400, "approved")
    done = said(arno, arno.post(f"{NOTICES}/{number}/publish", {"read": reading(confirm), "understood": "1"}))
    assert "the public page shows it" in done
    assert world.notice(number).state == "announced"
    letter = team.site.letters_to("privacy@hanoi.example")[-1]
    assert number in str(letter["Subject"])
    shown = arno.get(f"{NOTICES}/{number}").text
    assert "<strong>Helsinki</strong>" in shown
    assert "2 written to the outbox, not sent" in words_of(shown)
    assert "arno@antopsis.example" in words_of(shown)


def test_whoever_wrote_it_may_not_approve_it_and_is_told_why(team: Team) -> None:
    require_approvals(team)
    edit_places(team)
    ola = team.sign_in(OLA)
    number = draft(ola)
    do(ola, number, "submit")
    page = ola.get(f"{NOTICES}/{number}").text
    assert "Ola Owner cannot approve: they wrote it" in words_of(page)
    assert f"{NOTICES}/{number}/approve" not in page
    assert f"{NOTICES}/{number}/publish" not in page
    refused = do(ola, number, "approve")
    assert refused.status_code == 409
    assert "nobody approves their own work" in refused.text
    assert "has 0 of the 1 approvals" in do(ola, number, "publish", understood="1").text
    assert team.site.world.notice(number).state == "submitted"


def test_an_edit_after_approval_voids_it(team: Team) -> None:
    require_approvals(team)
    edit_places(team)
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    number = draft(edda)
    do(edda, number, "submit")
    do(arno, number, "approve")
    form = edda.get(f"{NOTICES}/{number}/edit")
    assert "An edit voids 1 approval" in words_of(form.text)
    fields = {"changes": "hetzner-falkenstein", "effective_on": EARLIEST, "summary": "A place in Helsinki"}
    edda.post(f"{NOTICES}/{number}/edit", {"read": reading(form), **fields})
    assert team.site.world.notice(number).state == "draft"
    assert "0 of 1 approval" in words_of(arno.get(f"{NOTICES}/{number}").text)
    assert do(arno, number, "publish", understood="1").status_code == 409


def test_what_was_approved_can_be_approved_by_more_when_more_are_asked_for(team: Team) -> None:
    require_approvals(team)
    edit_places(team)
    edda, arno, ola = team.sign_in(EDDA), team.sign_in(ARNO), team.sign_in(OLA)
    number = draft(edda)
    do(edda, number, "submit")
    do(arno, number, "approve")
    require_approvals(team, 2)
    page = ola.get(f"{NOTICES}/{number}").text
    assert "1 of 2 approvals" in words_of(page)
    assert f"{NOTICES}/{number}/publish" not in page
    do(ola, number, "approve")
    assert do(arno, number, "publish", understood="1").status_code == 303


def test_an_approval_is_of_what_was_read_and_the_difference_is_shown(team: Team) -> None:
    require_approvals(team)
    edit_places(team)
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    number = draft(edda)
    do(edda, number, "submit")
    page = arno.get(f"{NOTICES}/{number}/approve")
    revise(team.site.world, number, BY_EDDA, summary="Something else")
    edit(team.site.world, TWO_PLACES | {"retention": "30 days"}, actor=BY_EDDA)
    do(edda, number, "submit")
    answer = arno.post(f"{NOTICES}/{number}/approve", {"read": reading(page)})
    assert answer.status_code == 409
    shown = words_of(answer.text)
    assert "has changed since you read it" in shown
    assert "Hetzner: change of places Something else" in shown
    assert "Retention not stated 30 days" in shown
    assert team.site.world.notice(number).state == "submitted"
    assert arno.post(f"{NOTICES}/{number}/approve", {"read": reading(answer)}).status_code == 303


def test_a_form_without_what_was_read_or_with_nonsense_does_nothing(light_team: Team) -> None:
    edit_places(light_team)
    edda = light_team.sign_in(EDDA)
    number = draft(edda)
    for read in ("", "[]", "{", '{"digest": 7, "changes": [[1]]}', '{"changes": {"a": "b"}}'):
        assert edda.post(f"{NOTICES}/{number}/submit", {"read": read}).status_code == 409
    assert light_team.site.world.notice(number).state == "draft"


def test_it_is_sent_back_with_a_reason_which_voids_what_was_approved(team: Team) -> None:
    require_approvals(team, 2)
    edit_places(team)
    edda, arno, ola = team.sign_in(EDDA), team.sign_in(ARNO), team.sign_in(OLA)
    number = draft(edda)
    do(edda, number, "submit")
    do(arno, number, "approve")
    unreasoned = do(ola, number, "send-back", reason=" ")
    assert unreasoned.status_code == 409
    assert 'id="reason-error"' in unreasoned.text
    page = said(ola, do(ola, number, "send-back", reason="The place is Espoo,\r\nnot Helsinki."))
    assert "The place is Espoo" in page
    do(edda, number, "submit")
    assert "It needs 2 approvals" in words_of(arno.get(f"{NOTICES}/{number}").text)
    do(ola, number, "approve")
    do(arno, number, "approve")
    assert team.site.world.notice(number).state == "approved"


def test_an_act_that_came_too_late_says_what_the_notice_is_by_now(light_team: Team) -> None:
    edit_places(light_team)
    edda = light_team.sign_in(EDDA)
    number = draft(edda)
    page = edda.get(f"{NOTICES}/{number}/submit")
    do(edda, number, "submit")
    again = edda.post(f"{NOTICES}/{number}/submit", {"read": reading(page)})
    assert "is by now: submitted" in said(edda, again)
    assert "is by now: submitted" in said(edda, edda.get(f"{NOTICES}/{number}/submit"))
    arno = light_team.sign_in(ARNO)
    for act in ("postpone", "withdraw", "correct"):
        assert "is by now: submitted" in said(arno, arno.get(f"{NOTICES}/{number}/{act}"))
    given = {"reason": "No.", "effective_on": "2027-01-01"}
    assert "is by now" in said(arno, arno.post(f"{NOTICES}/{number}/postpone", given))


def test_a_viewer_and_an_editor_are_offered_and_allowed_no_more_than_their_role(team: Team) -> None:
    number = published(team)
    vera, edda = team.sign_in(VERA), team.sign_in(EDDA)
    page = vera.get(f"{NOTICES}/{number}").text
    assert "Postpone" not in page
    assert "Withdraw …" not in page
    for act in ("submit", "approve", "send-back", "discard", "publish", "withdraw", "postpone", "correct", "edit"):
        assert vera.get(f"{NOTICES}/{number}/{act}").status_code == 403, act
        assert vera.post(f"{NOTICES}/{number}/{act}").status_code == 403, act
    for act in ("approve", "send-back", "publish", "withdraw", "postpone", "correct/send"):
        assert edda.get(f"{NOTICES}/{number}/{act}").status_code == 403, act
        assert edda.post(f"{NOTICES}/{number}/{act}").status_code == 403, act
    assert team.site.world.notice(number).state == "announced"


def test_publishing_asks_for_a_fresh_sign_in(light_team: Team) -> None:
    edit_places(light_team)
    number = draft(light_team.sign_in(EDDA))
    stale = light_team.sign_in(ARNO, is_fresh=False)
    for act in ("publish",):
        assert stale.get(f"{NOTICES}/{number}/{act}").status_code in {302, 303, 401}
        assert stale.post(f"{NOTICES}/{number}/{act}", {"understood": "1"}).status_code in {302, 303, 401}
    assert light_team.site.world.notice(number).state == "draft"


def test_a_withdrawal_is_told_to_whoever_was_told_with_its_reason(team: Team) -> None:
    number = published(team)
    quick_tick(team.site.world)
    arno = team.sign_in(ARNO)
    assert do(arno, number, "withdraw").status_code == 409
    page = said(arno, do(arno, number, "withdraw", reason="The contract was not signed."))
    assert "is withdrawn. Told of it: 2" in page
    assert statements(team.site.world, number)[-1][0] == "withdrawal"
    letter = team.site.letters_to("dpo@bremen.example")[-1]
    assert "The contract was not signed." in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # there is one, or the test fails


def test_a_postponement_tells_the_new_day_and_never_an_earlier_one(team: Team) -> None:
    number = published(team)
    quick_tick(team.site.world)
    arno = team.sign_in(ARNO)
    page = arno.get(f"{NOTICES}/{number}/postpone").text
    assert "Customers were told 16 November 2026, and a date told is never brought forward." in words_of(page)
    refused = do(arno, number, "postpone", effective_on=EARLIEST, reason="More time.")
    assert refused.status_code == 409
    assert "the first possible date is" in refused.text
    assert "More time." in refused.text
    assert "postponed to 1 December 2026. Told of it: 2" in said(
        arno, do(arno, number, "postpone", effective_on="2026-12-01", reason="More time.")
    )
    assert team.site.world.notice(number).effective_on.isoformat() == "2026-12-01"  # type: ignore[union-attr]  # there is one, or the test fails
    letter = team.site.letters_to("dpo@bremen.example")[-1]
    assert "More time." in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # there is one, or the test fails


def test_the_calendar_of_a_postponement_works_without_and_with_htmx(light_team: Team) -> None:
    number = published(light_team)
    arno = light_team.sign_in(ARNO)
    path = f"{NOTICES}/{number}/postpone"
    taken_over = arno.post(path, {"pick": "2026-12-08", "reason": "Kept words"})
    assert 'value="2026-12-08"' in taken_over.text
    assert "Kept words" in taken_over.text
    closed = arno.post(path, {"pick": "2026-11-02"})
    assert "too early" in closed.text
    month = arno.post(f"{path}/days", {"month": "2027-02", "effective_on": "2026-12-08"})
    assert "February 2027" in month.text
    assert "<html" not in month.text
    assert arno.post(f"{path}/days", {"month": "99999-77", "effective_on": "soon"}).status_code == 200
    assert light_team.site.world.notice(number).effective_on.isoformat() == EARLIEST  # type: ignore[union-attr]  # there is one, or the test fails


def test_an_emergency_takes_effect_without_clocks_and_is_marked(team: Team) -> None:
    edit_places(team)
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    number = draft(edda, emergency="1", emergency_reason="The host was breached.", effective_on="2026-10-01")
    assert "Emergency" in words_of(edda.get(f"{NOTICES}/{number}").text)
    confirm = words_of(arno.get(f"{NOTICES}/{number}/publish").text)
    assert "No clock is waited for: it is an emergency" in confirm
    do(arno, number, "publish", understood="1")
    team.site.world.at = utc("2026-09-30 22:30")
    quick_tick(team.site.world)
    assert team.site.world.notice(number).state == "in_effect"
    assert "The host was breached." in team.site.get(f"/antopsis/notices/{number}").text
    assert "Emergency" in words_of(edda.get(f"{NOTICES}/").text)


@pytest.mark.parametrize(("choice", "waits"), [("keep", True), ("drop", False)])
def test_a_draft_is_discarded_with_its_edits_or_without_them(team: Team, choice: str, waits: bool) -> None:
    edit_places(team)
    edda = team.sign_in(EDDA)
    number = draft(edda)
    said(edda, do(edda, number, "discard", edits=choice))
    assert team.site.world.notice(number).state == "withdrawn"
    assert statements(team.site.world, number) == []
    form = edda.get(f"{NOTICES}/new").text
    assert ("change-hetzner-falkenstein" in form) is waits


def test_what_waits_for_its_hour_can_be_taken_back_by_an_approver_and_not_by_an_editor(team: Team) -> None:
    edit_places(team)
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    later = {"announce": "later", "announce_on": "2026-10-05", "announce_time": "09:00", "effective_on": "2026-12-01"}
    number = draft(edda, **later)
    assert team.site.world.notice(number).announce_at == utc("2026-10-05 07:00")
    assert "It is announced on 5 October 2026, 09:00" in words_of(arno.get(f"{NOTICES}/{number}/publish").text)
    do(arno, number, "publish", understood="1")
    assert team.site.world.notice(number).state == "published"
    assert "is by now" in said(edda, edda.post(f"{NOTICES}/{number}/discard"))
    said(arno, do(arno, number, "discard", edits="keep"))
    assert team.site.world.notice(number).state == "withdrawn"
    assert statements(team.site.world, number) == []


def test_publishing_on_a_stale_base_shows_the_difference_and_a_way_on(team: Team) -> None:
    world = team.site.world
    edit_places(team)
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    number = draft(edda)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        entry = get_entry(session, publisher, "hetzner-falkenstein")
        other = add_version(session, world.at, publisher, entry, HETZNER | {"address": "Gunzenhausen"}, "somebody")
        put_on_list(session, world.at, publisher, entry, other, cause="editorial")
    answer = do(arno, number, "publish", understood="1")
    assert answer.status_code == 409
    assert "What the list says by now" in answer.text
    assert "Gunzenhausen" in answer.text
    assert "compared with the list as it is now" in said(edda, edda.post(f"{NOTICES}/{number}/pin"))
    assert do(arno, number, "publish", understood="1").status_code == 303


def test_a_changes_weight_is_raised_freely_and_lowered_with_a_reason_and_a_second_person(team: Team) -> None:
    edit_places(team)
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    number = draft(edda)
    path = "weight/hetzner-falkenstein"
    assert do(edda, number, path, weight="informing").status_code == 409
    assert do(edda, number, path, weight="heavy").status_code == 400
    assert edda.get(f"{NOTICES}/{number}/weight/stripe").status_code == 404
    page = words_of(said(edda, do(edda, number, path, weight="informing", reason="Backups alone.")))
    assert "Lowered by a person from “binding”: Backups alone." in page
    assert "0 of 1 approval" in page
    assert do(arno, number, "publish", understood="1").status_code == 409
    do(edda, number, "submit")
    do(arno, number, "approve")
    assert do(arno, number, "publish", understood="1").status_code == 303


def test_a_correction_is_proposed_approved_by_another_and_restarts_clocks(team: Team) -> None:
    world = team.site.world
    number = published(team)
    quick_tick(world)
    require_approvals(team)
    edda, arno, ola = team.sign_in(EDDA), team.sign_in(ARNO), team.sign_in(OLA)
    assert "No edit waits" in edda.get(f"{NOTICES}/{number}/correct").text
    world.at = utc("2026-10-02 08:00")
    edit(world, ESPOO, actor=BY_EDDA)
    page = words_of(edda.get(f"{NOTICES}/{number}/correct").text)
    assert "every clock starts again" in page
    assert "18 November 2026" in page
    words = {"reason": "It is Espoo.", "summary": ""}
    edda.post(f"{NOTICES}/{number}/correct", words)
    proposed = correction_read(arno, number)
    assert ola.post(f"{NOTICES}/{number}/correct/send", proposed).status_code == 409
    assert edda.post(f"{NOTICES}/{number}/correct/approve", proposed).status_code == 403
    other = proposed | {"proposed_reason": "It is Turku."}
    assert arno.post(f"{NOTICES}/{number}/correct/approve", other).status_code == 400
    assert arno.post(f"{NOTICES}/{number}/correct/approve", proposed).status_code == 303
    assert "is corrected. Told of it: 2" in said(ola, ola.post(f"{NOTICES}/{number}/correct/send", proposed))
    assert [kind for kind, _ in statements(world, number)] == ["announcement", "correction"]
    assert world.notice(number).effective_on.isoformat() == "2026-11-18"  # type: ignore[union-attr]  # there is one, or the test fails
    with world.reading() as session:
        last = session.query(Statement).order_by(Statement.id.desc()).first()
        assert last is not None
        assert (last.restarts_clocks, last.reason) == (True, "It is Espoo.")


def correct_to_espoo(team: Team) -> str:
    """Announce a notice, and have Edda propose what corrects it; return its number."""
    world = team.site.world
    number = published(team)
    quick_tick(world)
    world.at = utc("2026-10-02 08:00")
    edit(world, ESPOO, actor=BY_EDDA)
    team.sign_in(EDDA).post(f"{NOTICES}/{number}/correct", {"reason": "It is Espoo.", "summary": ""})
    return number


def test_whoever_proposed_words_for_a_correction_does_not_approve_it(team: Team) -> None:
    number = correct_to_espoo(team)
    require_approvals(team)
    arno, ola = team.sign_in(ARNO), team.sign_in(OLA)
    arno.post(f"{NOTICES}/{number}/correct", {"reason": "It was Espoo all along.", "summary": ""})
    read = correction_read(ola, number)
    assert "Approve these words" not in arno.get(f"{NOTICES}/{number}/correct").text
    assert "own work" in words_of(arno.post(f"{NOTICES}/{number}/correct/approve", read).text)
    # Nor once somebody else has taken their words over with a word of their own.
    team.sign_in(EDDA).post(f"{NOTICES}/{number}/correct", {"reason": "It was Espoo all along!", "summary": ""})
    read = correction_read(ola, number)
    assert arno.post(f"{NOTICES}/{number}/correct/approve", read).status_code == 409
    assert ola.post(f"{NOTICES}/{number}/correct/send", read).status_code == 409
    assert ola.post(f"{NOTICES}/{number}/correct/approve", read).status_code == 303
    assert ola.post(f"{NOTICES}/{number}/correct/send", read).status_code == 303


def test_a_correction_is_approved_and_sent_with_the_edits_that_were_read(team: Team) -> None:
    number = correct_to_espoo(team)
    require_approvals(team)
    arno = team.sign_in(ARNO)
    read = correction_read(arno, number)
    edit(team.site.world, ESPOO | {"retention": "for ever"}, actor=BY_EDDA)
    refused = arno.post(f"{NOTICES}/{number}/correct/approve", read)
    assert refused.status_code == 400
    assert "edited an entry, since you read this" in words_of(refused.text)
    assert arno.post(f"{NOTICES}/{number}/correct/send", read).status_code == 400
    assert arno.post(f"{NOTICES}/{number}/correct/approve", correction_read(arno, number)).status_code == 303


def test_whoever_wrote_what_a_colleague_touched_up_does_not_approve_the_correction(team: Team) -> None:
    number = correct_to_espoo(team)
    require_approvals(team)
    by_arno = Actor(ARNO.email, "web")
    edit(team.site.world, ESPOO | {"retention": "30 days"}, actor=by_arno)
    edit(team.site.world, ESPOO | {"retention": "30 days."}, actor=BY_EDDA)
    arno = team.sign_in(ARNO)
    read = correction_read(team.sign_in(OLA), number)
    assert arno.post(f"{NOTICES}/{number}/correct/approve", read).status_code == 409


def test_a_hold_that_was_set_aside_takes_two_people_again_once_a_correction_lets_clocks_begin_anew(team: Team) -> None:
    number = correct_to_espoo(team)
    arno, ola = team.sign_in(ARNO), team.sign_in(OLA)
    path = f"{NOTICES}/{number}/override/bremen"
    object_to(team.site.world, number, "bremen")
    do(arno, number, "override/bremen", reason="Settled.")
    agree = {"act": "agree", "proposed_reason": "Settled."}
    assert "is set aside" in said(ola, ola.post(path, agree))
    team.site.world.at = utc("2026-10-02 09:00")
    sent = ola.post(f"{NOTICES}/{number}/correct/send", correction_read(ola, number))
    assert "is corrected" in said(ola, sent)
    # What both had agreed to was about what was told until then.
    assert ola.post(path, agree).status_code == 400
    assert "until a second person agrees" in said(arno, do(arno, number, "override/bremen", reason="Settled."))
    assert "is set aside" in said(ola, ola.post(path, agree))


def test_whoever_wrote_what_was_discarded_as_a_draft_does_not_approve_it_in_another_one(team: Team) -> None:
    require_approvals(team)
    edit(team.site.world, TWO_PLACES, actor=Actor(ARNO.email, "web"))
    arno, edda = team.sign_in(ARNO), team.sign_in(EDDA)
    do(arno, draft(arno), "discard", edits="keep")
    edit(team.site.world, TWO_PLACES | {"retention": "30 days"}, actor=BY_EDDA)
    number = draft(edda)
    do(edda, number, "submit")
    assert "Arno Approver cannot approve" in words_of(arno.get(f"{NOTICES}/{number}").text)
    assert do(arno, number, "approve").status_code == 409
    assert do(team.sign_in(OLA), number, "approve").status_code == 303


def test_a_hold_is_set_aside_by_two_people_with_the_same_words(team: Team) -> None:
    world = team.site.world
    number = published(team)
    quick_tick(world)
    object_to(world, number, "bremen")
    arno, ola = team.sign_in(ARNO), team.sign_in(OLA)
    page = words_of(arno.get(f"{NOTICES}/{number}").text)
    assert "Would hold it: its objection is open" in page
    assert "stands until a second person agrees" in said(arno, do(arno, number, "override/bremen", reason="Settled."))
    agree = {"act": "agree", "proposed_reason": "Settled."}
    assert "You asked for it yourself" in arno.get(f"{NOTICES}/{number}/override/bremen").text
    assert "until a second person agrees" in said(arno, arno.post(f"{NOTICES}/{number}/override/bremen", agree))
    other = agree | {"proposed_reason": "Else."}
    assert ola.post(f"{NOTICES}/{number}/override/bremen", other).status_code == 400
    assert "is set aside" in said(ola, ola.post(f"{NOTICES}/{number}/override/bremen", agree))
    page = words_of(arno.get(f"{NOTICES}/{number}").text)
    assert "Hold set aside by two people (Settled.)" in page
    assert ola.get(f"{NOTICES}/{number}/override/nobody").status_code == 404


def test_each_act_is_on_record_with_who_did_it(team: Team) -> None:
    require_approvals(team)
    edit_places(team)
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    number = draft(edda)
    do(edda, number, "submit")
    do(arno, number, "send-back", reason="Too early.")
    with team.site.world.reading() as session:
        kinds = {event.kind: event for event in session.query(Event).filter(Event.subject == number)}
    assert kinds["notice.sent_back"].actor == "arno@antopsis.example (web)"
    assert kinds["notice.sent_back"].payload == {"reason": "Too early.", "approvals_voided": 0}
    assert kinds["notice.submitted"].sign_in_id is not None
