"""A notice's further life by its screens: what each act sends, what a stale page does, and what is on record."""

from __future__ import annotations

import pytest

from registry.steps.editorial import add_version
from registry.steps.list_periods import put_on_list
from registry.steps.lookup import get_entry, get_publisher
from registry.tables import Event
from tests.steps.path_cast import HETZNER, object_to, statements
from tests.web.colleagues import ARNO, EDDA, OLA, Team
from tests.web.site import quick_tick, words_of
from tests.web.team.notice_cast import EARLIEST, NOTICES, do, draft, edit_places, published, require_approvals, said
from tests.world import utc


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
    refused = do(arno, number, "postpone", effective_on="9999-12-31", reason="More time.")
    assert "is too far ahead" in refused.text.partition('id="effective_on-error"')[2]
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
    again = do(arno, number, "override/bremen", reason="Settled.")
    assert again.status_code == 409
    assert f"bremen holds notice {number} no more: it is on record as overridden" in words_of(again.text)


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
