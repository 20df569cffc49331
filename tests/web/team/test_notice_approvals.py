"""A notice on its way to publication by its screens: drafted, approved by another, sent back, and by which roles."""

from __future__ import annotations

from registry.steps.record import Actor
from tests.steps.path_cast import TWO_PLACES, edit, revise
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Team
from tests.web.site import words_of
from tests.web.team.notice_cast import (
    BY_EDDA,
    EARLIEST,
    NOTICES,
    do,
    draft,
    edit_places,
    published,
    reading,
    require_approvals,
    said,
)


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
