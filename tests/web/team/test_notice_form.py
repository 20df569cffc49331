"""The form of a notice: which changes can be chosen, which days are open, and what comes back when it is wrong."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import update

from registry.tables import Notice
from registry.web.team import notice_publish
from tests.steps.path_cast import STRIPE, WITH_A_LINK, edit
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Team
from tests.web.site import words_of
from tests.web.team.notice_cast import (
    BY_EDDA,
    EARLIEST,
    NOTICES,
    do,
    draft,
    edit_places,
    edit_purposes,
    published,
    reading,
    require_approvals,
    said,
)
from tests.world import utc

NINES = "9" * 5_000
NEW = f"{NOTICES}/new"
GIVEN: dict[str, Any] = {"changes": ["hetzner-falkenstein"], "effective_on": EARLIEST, "announce": "now"}


def test_without_an_edit_the_form_says_where_to_begin(light_team: Team) -> None:
    assert "No edit waits for a notice" in light_team.sign_in(EDDA).get(NEW).text


def test_the_form_offers_each_edit_with_its_weight_its_author_and_what_it_does(light_team: Team) -> None:
    edit_places(light_team)
    page = light_team.sign_in(EDDA).get(NEW)
    words = words_of(page.text)
    assert "Hetzner : places Binding" in words
    assert "Edited by edda@antopsis.example" in words
    assert "Helsinki, Finland (processing)" in words
    assert 'value="2026-11-16"' in page.text
    assert "it is made from the changes: Hetzner: change of places." in words
    assert "Hanoi Streams Co. has 45 days of notice. Counted in Asia/Ho_Chi_Minh" in words


def test_what_stands_in_another_open_notice_is_shown_and_cannot_be_chosen(team: Team) -> None:
    number = published(team)
    edit_purposes(team)
    edda = team.sign_in(EDDA)
    page = edda.get(NEW).text
    assert f"Stands in notice {number}" in words_of(page)
    box = page[page.index('id="change-hetzner-falkenstein"') :]
    assert "disabled" in box[: box.index(">")]
    refused = edda.post(NEW, GIVEN)
    assert refused.status_code == 409
    assert "stands in the open notice" in refused.text


def test_a_date_too_early_is_refused_beside_its_field_with_the_text_kept(team: Team) -> None:
    edit_places(team)
    edda = team.sign_in(EDDA)
    given = GIVEN | {"effective_on": "2026-10-20", "summary": "Helsinki", "explanation": "Kept *words*."}
    refused = edda.post(NEW, given)
    assert refused.status_code == 409
    error = refused.text[refused.text.index('id="effective_on-error"') :]
    assert "Hanoi Streams Co." in error[:400]
    assert "16 November 2026" in error[:400]
    assert "Kept *words*." in refused.text
    assert 'value="Helsinki"' in refused.text
    assert "2026-001" not in edda.get(f"{NOTICES}/").text


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"changes": []}, "changes", "No change is chosen"),
        ({"changes": ["nobody"]}, "changes", "no entry"),
        ({"changes": ["stripe"]}, "changes", "No edit of"),
        ({"effective_on": "tomorrow"}, "effective_on", "is no date"),
        ({"effective_on": "9999-12-31"}, "effective_on", "“9999-12-31” is too far ahead"),
        (
            {"announce": "later", "announce_on": "9999-12-31", "announce_time": "23:59"},
            "announce_on",
            "is too far ahead",
        ),
        ({"announce": "later"}, "announce_on", "missing"),
        ({"announce": "later", "announce_on": "2026-09-30", "announce_time": "09:00"}, "announce_on", "is past"),
        ({"announce": "later", "announce_on": "0001-01-01", "announce_time": "00:00"}, "announce_on", "is past"),
        ({"announce": "later", "announce_on": "9999-11-10", "announce_time": "09:00"}, "announce_on", "too far ahead"),
        (
            {"announce": "later", "announce_on": "2026-10-05", "announce_time": "nine"},
            "announce_time",
            "no time of day",
        ),
        (
            {"announce": "later", "announce_on": "2027-03-28", "announce_time": "02:30"},
            "announce_time",
            "The first time after that is 03:30",
        ),
        ({"emergency": "1"}, "emergency_reason", "Nothing was written"),
        ({"summary": "x" * 501}, "summary", "too long"),
        ({"summary": "one\x0btwo"}, "summary", "cannot stand in text"),
        ({"explanation": "one\x0btwo"}, "explanation", "cannot stand in text"),
        ({"explanation": "x" * 20_000}, "explanation", "too long"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    light_team: Team, fields: dict[str, Any], field: str, sentence: str
) -> None:
    edit_places(light_team)
    edda = light_team.sign_in(EDDA)
    answer = edda.post(NEW, GIVEN | fields)
    assert answer.status_code in {400, 404, 409}
    error = answer.text.partition(f'id="{field}-error"')[2].partition("</p>")[0]
    assert sentence in error, answer.text
    assert "No notice yet" in edda.get(f"{NOTICES}/").text


@pytest.mark.parametrize("on", ["0001-01-01", "9990-12-31", "9999-11-10", "9999-12-01", "9999-12-31"])
def test_no_day_that_is_typed_keeps_the_calendar_from_being_shown(team: Team, on: str) -> None:
    edit_places(team)
    edda = team.sign_in(EDDA)
    for fields in ({"effective_on": on}, {"announce": "later", "announce_on": on, "announce_time": "00:00"}):
        assert edda.post(f"{NOTICES}/days", GIVEN | fields).status_code == 200
    assert edda.post(f"{NOTICES}/new", GIVEN | {"pick": on}).status_code == 200
    number = draft(edda)
    with team.site.world.writing() as session:
        session.execute(update(Notice).values(planned_on=date.fromisoformat(on)))
    shown = edda.get(f"{NOTICES}/{number}/edit")
    assert shown.status_code == 200
    assert f'value="{on}"' in shown.text


@pytest.mark.parametrize("on", ["0001-01-01", "9990-12-31", "9999-12-01", "9999-12-31"])
def test_no_day_keeps_the_page_of_a_postponement_from_being_shown(
    team: Team, on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = published(team)
    arno = team.sign_in(ARNO)
    for field in ("effective_on", "pick"):
        assert arno.post(f"{NOTICES}/{number}/postpone/days", {field: on}).status_code == 200
    with team.site.world.writing() as session:
        session.execute(update(Notice).values(planned_on=date.fromisoformat(on)))
    # Statements are never changed.
    monkeypatch.setattr(notice_publish, "find_last_told_on", lambda session, found: found.planned_on)
    assert arno.get(f"{NOTICES}/{number}/postpone").status_code == 200


@pytest.mark.parametrize("month", ["9999-12", "9991-01", "0000-01", "2026-13", f"{NINES}-12", f"2026-{NINES}"])
def test_a_month_that_there_is_none_of_shows_another(light_team: Team, month: str) -> None:
    number = published(light_team)
    edit_purposes(light_team)
    arno = light_team.sign_in(ARNO)
    for path in ("new", f"{number}/postpone", f"{number}/postpone/days"):
        answer = arno.post(f"{NOTICES}/{path}", {"changes": ["stripe"], "month": month})
        assert answer.status_code == 200
        assert "November 2026" in answer.text


def test_an_hour_of_autumn_that_comes_twice_is_the_first(team: Team) -> None:
    edit_places(team)
    later = {"announce": "later", "announce_on": "2026-10-25", "announce_time": "02:30", "effective_on": "2027-01-15"}
    edda = team.sign_in(EDDA)
    number = draft(edda, **later)
    assert team.site.world.notice(number).announce_at == utc("2026-10-25 00:30")
    form = edda.get(f"{NOTICES}/{number}/edit").text
    assert 'value="2026-10-25"' in form
    assert 'value="02:30"' in form


def test_the_calendar_takes_a_day_over_shows_months_and_says_why_a_day_is_closed(light_team: Team) -> None:
    edit_places(light_team)
    edda = light_team.sign_in(EDDA)
    page = edda.get(NEW).text
    assert "15 November 2026: too early. Hanoi Streams Co. has 45 days of notice." in page
    assert 'aria-label="Monday, 16 November 2026, chosen"' in page
    taken_over = edda.post(NEW, GIVEN | {"pick": "2026-12-24", "summary": "Kept"})
    assert taken_over.status_code == 200
    assert 'value="2026-12-24"' in taken_over.text
    assert 'value="Kept"' in taken_over.text
    closed = edda.post(NEW, GIVEN | {"pick": "2026-11-02"}).text
    assert 'id="effective_on-error"' in closed
    assert 'name="effective_on" type="date" autocomplete="off" value="2026-11-16"' in closed
    assert "March 2027" in edda.post(NEW, GIVEN | {"month": "2027-03"}).text
    assert "No notice yet" in edda.get(f"{NOTICES}/").text, "the calendar's buttons save nothing"


def test_the_live_pieces_follow_what_is_chosen(light_team: Team) -> None:
    edit_places(light_team)
    edit(light_team.site.world, STRIPE | {"purposes": []}, "stripe", actor=BY_EDDA)
    edda = light_team.sign_in(EDDA)
    informs = words_of(edda.post(f"{NOTICES}/days", {"changes": ["stripe"]}).text)
    assert "It informs: nothing waits" in informs
    binds = edda.post(f"{NOTICES}/days", {"changes": ["stripe", "hetzner-falkenstein"], "effective_on": "2026-10-02"})
    assert "It binds: the earliest day is Monday, 16 November 2026" in words_of(binds.text)
    assert "too early" in binds.text.partition('id="effective_on-error"')[2][:200]
    urgent = edda.post(f"{NOTICES}/days", {"changes": ["hetzner-falkenstein"], "emergency": "1"})
    assert "Emergency: it may take effect from Wednesday, 30 September 2026 on" in words_of(urgent.text)
    assert "No change is chosen yet" in edda.post(f"{NOTICES}/days", {}).text
    explained = edda.post(f"{NOTICES}/explanation", {"explanation": "**Bold** <script>alert(1)</script>"}).text
    assert "<strong>Bold</strong>" in explained
    assert "<script" not in explained
    assert light_team.sign_in(VERA).post(f"{NOTICES}/days", {}).status_code == 403


def test_an_editorial_edit_is_offered_unticked(light_team: Team) -> None:
    require_approvals(light_team)
    edit(light_team.site.world, WITH_A_LINK, actor=BY_EDDA)
    edit_purposes(light_team)
    page = light_team.sign_in(EDDA).get(NEW).text
    for key, ticked in (("hetzner-falkenstein", False), ("stripe", True)):
        box = page[page.index(f'id="change-{key}"') :]
        assert ("checked" in box[: box.index(">")]) is ticked


def test_changes_are_taken_in_and_out_of_a_draft(team: Team) -> None:
    edit_places(team)
    edit_purposes(team)
    edda = team.sign_in(EDDA)
    number = draft(edda)
    form = edda.get(f"{NOTICES}/{number}/edit")
    assert 'name="summary" type="text" autocomplete="off" value="Hetzner: change of places"' in form.text
    given = {"read": reading(form), "changes": ["stripe"], "effective_on": EARLIEST, "announce": "now", "summary": ""}
    said(edda, edda.post(f"{NOTICES}/{number}/edit", given))
    page = words_of(edda.get(f"{NOTICES}/{number}").text)
    assert "Fraud checks" in page
    assert "Helsinki" not in page
    assert team.site.world.notice(number).summary == "Stripe: change of purpose"
    free = edda.get(NEW).text
    assert "Stands in" not in free[free.index('id="change-hetzner-falkenstein"') :]
    both = {
        **given,
        "read": reading(edda.get(f"{NOTICES}/{number}/edit")),
        "changes": ["stripe", "hetzner-falkenstein"],
    }
    assert edda.post(f"{NOTICES}/{number}/edit", both).status_code == 303
    assert len(team.site.world.status(number).changes) == 2
    none = {**both, "read": reading(edda.get(f"{NOTICES}/{number}/edit")), "changes": []}
    assert edda.post(f"{NOTICES}/{number}/edit", none).status_code == 400


def test_saving_what_is_there_already_voids_nothing(team: Team) -> None:
    require_approvals(team)
    edit_places(team)
    edda, ola = team.sign_in(EDDA), team.sign_in(OLA)
    number = draft(edda)
    do(edda, number, "submit")
    do(ola, number, "approve")
    same = {"changes": ["hetzner-falkenstein"], "effective_on": EARLIEST, "announce": "now"}
    same |= {"summary": "Hetzner: change of places"}
    page = said(edda, do(edda, number, "edit", **same))
    assert "Nothing of notice 2026-001 is different." in page
    assert team.site.world.notice(number).state == "approved"


def test_an_emergency_can_be_taken_back_before_it_is_published(team: Team) -> None:
    edit_places(team)
    edda = team.sign_in(EDDA)
    number = draft(edda, emergency="1", emergency_reason="A breach.", effective_on="2026-10-01")
    same = {"changes": ["hetzner-falkenstein"], "announce": "now", "summary": "Hetzner"}
    refused = do(edda, number, "edit", effective_on="2026-10-01", **same)
    assert refused.status_code == 409
    assert team.site.world.notice(number).emergency_reason == "A breach."
    assert do(edda, number, "edit", effective_on=EARLIEST, **same).status_code == 303
    assert team.site.world.notice(number).emergency_reason is None


def test_two_who_edit_the_same_draft_do_not_overwrite_each_other(team: Team) -> None:
    edit_places(team)
    edda, ola = team.sign_in(EDDA), team.sign_in(OLA)
    number = draft(edda)
    first, second = edda.get(f"{NOTICES}/{number}/edit"), ola.get(f"{NOTICES}/{number}/edit")
    given = GIVEN | {"summary": "Edda’s words"}
    assert edda.post(f"{NOTICES}/{number}/edit", {"read": reading(first), **given}).status_code == 303
    late = ola.post(f"{NOTICES}/{number}/edit", {"read": reading(second), **GIVEN, "summary": "Ola’s words"})
    assert late.status_code == 409
    assert "Hetzner: change of places Edda’s words" in words_of(late.text)
    assert 'value="Ola’s words"' in late.text
    assert team.site.world.notice(number).summary == "Edda’s words"
    again = ola.post(f"{NOTICES}/{number}/edit", {"read": reading(late), **GIVEN, "summary": "Ola’s words"})
    assert again.status_code == 303


def test_a_notice_that_is_published_is_not_edited(team: Team) -> None:
    number = published(team)
    edda = team.sign_in(EDDA)
    assert "is by now: announced" in said(edda, edda.get(f"{NOTICES}/{number}/edit"))
    assert edda.post(f"{NOTICES}/{number}/edit", GIVEN).status_code == 303
