"""The team's inbox of objections: what holds a notice, the thread, and how each is closed (R25)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from registry.tables import Event, Objection, ObjectionNote
from tests.databases import ReusedDatabase
from tests.web.colleagues import EDDA, VERA, ZOE, Colleague, Team
from tests.web.conftest import serving_again
from tests.web.site import Site, words_of
from tests.web.team.counting import queries
from tests.web.test_objecting import (
    DPO,
    GROUND,
    NUMBER,
    PDF,
    PRIVACY,
    SECOND,
    announce,
    link_to,
    notes,
    objections,
    post_objection,
    squeezed,
)
from tests.world import antopsis, text_of, utc

INBOX = "/team/antopsis/objections/"


@pytest.fixture
def site(database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    """Antopsis with a notice whose letters are out."""
    with serving_again(database, instance, antopsis(), live=announce) as site:
        yield site


@pytest.fixture
def light_site(sqlite_database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    """The same on the embedded database."""
    with serving_again(sqlite_database, instance, antopsis(), live=announce) as site:
        yield site


def an_objection(site: Site, **given: object) -> tuple[str, int]:
    """Object to the notice as Bremen, and return its number and the objection's."""
    site.world.at = utc("2026-10-12 14:05")
    assert post_objection(site, link_to(site, DPO), **given).status_code == 303
    return NUMBER, objections(site)[-1].id


def sheet(colleague: Colleague, number: int) -> str:
    answer = colleague.get(f"{INBOX}{number}")
    assert answer.status_code == 200
    return words_of(answer.text)


def test_an_empty_inbox_teaches_how_objections_come(light_team: Team) -> None:
    said = words_of(light_team.sign_in(VERA).get(INBOX).text)
    assert "No objection yet" in said
    assert "carries a link by which the customer objects" in said


def test_the_inbox_says_who_objects_and_what_it_holds(team: Team) -> None:
    number, objection = an_objection(team.site)
    page = team.sign_in(VERA).get(INBOX)
    said = words_of(page.text)
    assert "Bremen Media GmbH new in time" in said
    assert GROUND in said
    assert f"Holds notice {number} , effective 16 November 2026 ." in said
    assert "12 October 2026, 16:05 Europe/Berlin" in said
    assert f'href="{INBOX}{objection}"' in page.text


def test_what_holds_a_notice_stands_first_and_closed_ones_last(light_team: Team) -> None:
    site = light_team.site
    an_objection(site)
    site.world.at = utc("2026-10-31 08:00")
    post_objection(site, link_to(site, PRIVACY), ground="Hanoi is late")
    edda = light_team.sign_in(EDDA)
    said = words_of(edda.get(f"{INBOX}?show=all").text)
    assert said.index("Bremen Media") < said.index("Hanoi is late")
    late = words_of(edda.get(f"{INBOX}?show=late").text)
    assert "Hanoi is late" in late
    assert GROUND not in late
    edda.post(f"{INBOX}1/close", {"cure": "withdrawn", "text": "By phone"})
    said = words_of(edda.get(f"{INBOX}?show=all").text)
    assert said.index("Hanoi is late") < said.index("Bremen Media")
    assert "Bremen Media" not in words_of(edda.get(INBOX).text)
    assert "Bremen Media" in words_of(edda.get(f"{INBOX}?show=all&customer=bremen").text)
    assert "None match" in words_of(edda.get(f"{INBOX}?show=all&notice=2026-999").text)


def test_the_inbox_and_an_objection_ask_ten_questions_at_most_whatever_the_size(light_team: Team) -> None:
    site = light_team.site
    _, number = an_objection(site, document=(io.BytesIO(PDF), "assessment.pdf"))
    link = link_to(site, DPO)
    edda = light_team.sign_in(EDDA)

    def counted(path: str) -> int:
        with queries(site.app.extensions["registry"].engine) as sent:
            assert edda.get(path).status_code == 200
        return len(sent)

    few = {path: counted(path) for path in (INBOX, f"{INBOX}{number}", f"{INBOX}{number}/close", f"{INBOX}new")}
    for n in range(8):
        site.post(link, {"action": "add", "text": f"Word {n}"})
    with site.world.writing() as session:
        first = session.scalars(select(Objection)).first()
        assert first is not None
        kept = {
            column.name: getattr(first, column.name) for column in Objection.__table__.columns if column.name != "id"
        }
        session.add_all([Objection(**kept) for _ in range(120)])
    assert {path: counted(path) for path in few} == few
    assert max(few.values()) <= 10, few
    first_page = words_of(edda.get(INBOX).text)
    assert first_page.count("Bremen Media GmbH") == 50
    assert words_of(edda.get(f"{INBOX}?page=3").text).count("Bremen Media GmbH") == 21


def test_the_sheet_shows_the_ground_whole_who_said_it_and_the_documents(team: Team) -> None:
    number, objection = an_objection(
        team.site, ground="One.\n\nTwo <b>bold</b>.", company="Bremen Holding", document=(io.BytesIO(PDF), "letter.pdf")
    )
    vera = team.sign_in(VERA)
    page = vera.get(f"{INBOX}{objection}")
    said = words_of(page.text)
    assert "Two &lt;b&gt;bold&lt;/b&gt;." in page.text
    assert "Dana Poe, Bremen Holding" in said
    assert "By the link in our letter, sent to " in said
    # Addresses are for editors, as on every screen.
    assert DPO not in page.text
    assert f"sent to {DPO}" in sheet(team.sign_in(EDDA), objection)
    assert f"It holds notice {number}: while it is open, the change does not take effect." in said
    assert "letter.pdf" in said
    # Viewers look, and are offered nothing to do.
    assert "<textarea" not in page.text
    assert "Close it" not in said


def test_the_team_takes_it_up_notes_and_answers_and_the_customer_sees_the_answer_alone(team: Team) -> None:
    site = team.site
    _, objection = an_objection(site)
    edda = team.sign_in(EDDA)
    assert edda.post(f"{INBOX}{objection}/take-up").status_code == 303
    assert objections(site)[0].state == "under_review"
    again = edda.post(f"{INBOX}{objection}/take-up")
    assert again.status_code == 409
    assert edda.post(f"{INBOX}{objection}/note", {"text": "Ask the hosting team"}).status_code == 303
    answer = "Dear Dana,\n\nwe keep <your> data in Falkenstein."
    assert edda.post(f"{INBOX}{objection}/answer", {"answer": answer, "to": "contacts"}).status_code == 303
    for address in (DPO, SECOND):
        letter = site.letters_to(address)[-1]
        assert "our answer to your objection" in str(letter["Subject"])
        assert "we keep <your> data in Falkenstein." in text_of(letter)
        html = letter.get_body(("html",))
        assert html is not None
        assert "we keep &lt;your&gt; data" in html.get_content()
        assert "Ask the hosting team" not in text_of(letter)
    assert [kind for kind, _ in notes(site)] == ["told", "note", "reply"]
    said = sheet(edda, objection)
    assert "Reply to the customer by edda@antopsis.example" in said
    assert f"{DPO} : accepted {SECOND} : accepted" in said
    # The customer's page has what the customer sent, and nothing of the team's.
    assert "hosting team" not in site.get(link_to(site, DPO)).text
    with site.world.reading() as session:
        told = repr([(event.kind, event.payload) for event in session.scalars(select(Event))])
    for kind in ("objection.taken_up", "objection.noted", "objection.answered"):
        assert kind in told
    assert "Falkenstein." not in told
    assert "hosting team" not in told


def test_an_answer_to_the_one_who_objected_goes_to_nobody_else(light_team: Team) -> None:
    site = light_team.site
    _, objection = an_objection(site)
    edda = light_team.sign_in(EDDA)
    before = len(site.letters_to(SECOND))
    edda.post(f"{INBOX}{objection}/answer", {"answer": "To you alone", "to": "objector"})
    assert "To you alone" in text_of(site.letters_to(DPO)[-1])
    assert len(site.letters_to(SECOND)) == before


def test_what_was_typed_comes_back_where_it_is_not_taken(light_team: Team) -> None:
    _, objection = an_objection(light_team.site)
    edda = light_team.sign_in(EDDA)
    for path, field in (("note", "text"), ("answer", "answer")):
        answer = edda.post(f"{INBOX}{objection}/{path}", {field: " "})
        assert answer.status_code == 400
        assert f'id="{field}-error"' in answer.text
        long = edda.post(f"{INBOX}{objection}/{path}", {field: "kept " * 2_001})
        assert long.status_code == 400
        assert "kept kept" in long.text


@pytest.mark.parametrize("cure", ["accommodated", "withdrawn", "terminated", "refunded", "other"])
def test_each_cure_says_its_effect_on_the_notice_before_it_is_done(light_team: Team, cure: str) -> None:
    site = light_team.site
    number, objection = an_objection(site)
    edda = light_team.sign_in(EDDA)
    before = site.snapshot()
    page = edda.get(f"{INBOX}{objection}/close?cure={cure}")
    assert site.snapshot()["objections"] == before["objections"]
    said = words_of(page.text)
    assert "The notice is no longer held by an objection of Bremen Media GmbH" in said
    assert "it would take effect on Monday, 16 November 2026" in said
    assert f'value="{cure}" required checked' in page.text
    assert edda.post(f"{INBOX}{objection}/close", {"cure": cure, "text": "As agreed"}).status_code == 303
    (row,) = objections(site)
    assert row.state == ("resolved_otherwise" if cure == "other" else cure)
    assert row.cure == "As agreed"
    assert site.world.status(number).holds == ()
    # It is closed, and so there is no second closing.
    assert edda.get(f"{INBOX}{objection}/close").status_code == 303
    assert edda.post(f"{INBOX}{objection}/close", {"cure": cure, "text": "Again"}).status_code in {303, 409}


def test_closing_needs_a_cure_and_words_and_keeps_what_was_typed(light_team: Team) -> None:
    site = light_team.site
    _, objection = an_objection(site)
    edda = light_team.sign_in(EDDA)
    no_cure = edda.post(f"{INBOX}{objection}/close", {"cure": "magic", "text": "As agreed"})
    assert no_cure.status_code == 400
    assert "As agreed" in no_cure.text
    no_words = edda.post(f"{INBOX}{objection}/close", {"cure": "other", "text": ""})
    assert no_words.status_code == 400
    assert 'id="text-error"' in no_words.text
    assert objections(site)[0].state == "received"


def test_the_words_of_the_closing_are_sent_where_that_was_ticked(light_team: Team) -> None:
    site = light_team.site
    _, objection = an_objection(site)
    edda = light_team.sign_in(EDDA)
    edda.post(f"{INBOX}{objection}/close", {"cure": "accommodated", "text": "You stay in Falkenstein.", "send": "1"})
    assert "You stay in Falkenstein." in text_of(site.letters_to(SECOND)[-1])
    assert "Settled: your objection was accommodated." in words_of(site.get(link_to(site, DPO)).text)


def test_others_who_still_hold_the_notice_are_named_before_one_is_closed(light_team: Team) -> None:
    site = light_team.site
    number, objection = an_objection(site)
    post_objection(site, link_to(site, PRIVACY))
    said = words_of(light_team.sign_in(EDDA).get(f"{INBOX}{objection}/close").text)
    assert "it would have no date yet, since others still hold it (Hanoi Streams Co. has objected)" in said
    assert number in said


def test_a_terminated_contract_leads_to_its_last_day_and_can_be_refunded_later(light_team: Team) -> None:
    site = light_team.site
    _, objection = an_objection(site)
    edda = light_team.sign_in(EDDA)
    edda.post(f"{INBOX}{objection}/close", {"cure": "terminated", "text": "Notice of 12 October"})
    page = edda.get(f"{INBOX}{objection}")
    assert "/team/antopsis/customers/bremen/contract" in page.text
    assert edda.post(f"{INBOX}{objection}/refund", {"refund": ""}).status_code == 400
    assert edda.post(f"{INBOX}{objection}/refund", {"refund": "EUR 120"}).status_code == 303
    (row,) = objections(site)
    assert (row.state, row.cure) == ("refunded", "Notice of 12 October\n\nEUR 120")


def test_a_late_objection_does_not_hold_and_says_why(light_team: Team) -> None:
    site = light_team.site
    link = link_to(site, DPO)
    site.world.at = utc("2026-10-31 08:00")
    post_objection(site, link)
    edda = light_team.sign_in(EDDA)
    said = sheet(edda, objections(site)[0].id)
    assert f"It does not hold notice {NUMBER}: it came after the deadline." in said
    closing = words_of(edda.get(f"{INBOX}{objections(site)[0].id}/close").text)
    assert "The notice goes on as it would anyway" in closing


def test_an_objection_that_came_by_post_counts_from_when_it_came_and_is_confirmed(team: Team) -> None:
    site = team.site
    site.world.at = utc("2026-11-05 08:00")
    edda = team.sign_in(EDDA)
    form = {
        "notice": NUMBER,
        "customer": "bremen",
        "received_at": "2026-10-30T23:59",
        "road": "post",
        "ground": GROUND,
        "name": "Dana Poe",
        "tell": "1",
        "document": (io.BytesIO(PDF), "scan.pdf"),
    }
    answer = edda.post(f"{INBOX}new", form, content_type="multipart/form-data")
    assert answer.status_code == 303
    (row,) = objections(site)
    assert (row.received_at, row.is_in_time, row.road) == (utc("2026-10-30 22:59"), True, "post")
    assert "in time" in str(site.letters_to(SECOND)[-1]["Subject"])
    assert "Friday, 30 October 2026, 23:59" in squeezed(site.letters_to(SECOND)[-1])
    said = words_of(edda.get(answer.headers["Location"]).text)
    assert "recorded as in time. 2 letters confirm it." in said
    assert "By post or courier" in said
    assert "scan.pdf" in said


@pytest.mark.parametrize(
    ("field", "given", "sentence"),
    [
        ("received_at", "2026-11-30T10:00", "“30 November 2026, 10:00 (Europe/Berlin)” is still to come"),
        (
            "received_at",
            "2026-09-29T10:00",
            "was announced, at 30 September 2026, 10:00 (Europe/Berlin)",
        ),
        ("received_at", "tomorrow", "no date with a time"),
        ("road", "pigeon", "no way an objection comes"),
        ("road", "link", "no way an objection comes"),
        ("customer", "nobody", "no customer “nobody”"),
        ("notice", "2026-999", "no notice “2026-999”"),
        ("ground", "", "Say on what ground"),
        ("document", (io.BytesIO(b"MZ"), "virus.exe"), "virus.exe"),
    ],
)
def test_what_cannot_be_recorded_is_said_beside_its_field(
    light_team: Team, field: str, given: object, sentence: str
) -> None:
    site = light_team.site
    site.world.at = utc("2026-11-05 08:00")
    form: dict[str, object] = {
        "notice": NUMBER,
        "customer": "bremen",
        "received_at": "2026-10-12T10:00",
        "road": "post",
        "ground": "Kept & shown",
    }
    answer = light_team.sign_in(EDDA).post(f"{INBOX}new", form | {field: given}, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert f'id="{field}-error"' in answer.text
    assert sentence in words_of(answer.text)
    assert 'value="bremen"' in answer.text or field == "customer"
    assert objections(site) == []


def test_viewers_do_nothing_and_other_publishers_see_nothing(two_teams: Team) -> None:
    site = two_teams.site
    announce(site.world)
    _, objection = an_objection(site)
    vera, zoe = two_teams.sign_in(VERA), two_teams.sign_in(ZOE)
    acts = {"take-up": {}, "note": {"text": "x"}, "answer": {"answer": "x"}, "close": {"cure": "other", "text": "x"}}
    before = objections(site)[0].state
    for act, form in acts.items():
        assert vera.post(f"{INBOX}{objection}/{act}", form).status_code == 403
        assert zoe.post(f"{INBOX}{objection}/{act}", form).status_code == 404
        # Zoe's own publisher has no objection of this number.
        assert zoe.post(f"/team/streams/objections/{objection}/{act}", form).status_code == 404
    assert vera.get(f"{INBOX}new").status_code == 403
    assert zoe.get(f"/team/streams/objections/{objection}").status_code == 404
    assert zoe.get(f"/team/streams/objections/{objection}/close").status_code == 404
    assert "No objection yet" in words_of(zoe.get("/team/streams/objections/").text)
    assert objections(site)[0].state == before
    with site.world.reading() as session:
        assert session.scalars(select(ObjectionNote.kind)).all() == ["told"]


def test_from_the_letters_link_to_the_effect(team: Team) -> None:
    """Announced, objected to, held on its day, settled, and in effect at the next lawful midnight (R21, R22)."""
    site = team.site
    number, objection = an_objection(site)
    site.world.at = utc("2026-11-15 23:00")
    site.world.tick()
    assert site.world.notice(number).state == "held"
    assert "ostponed" in str(site.letters_to(DPO)[-1]["Subject"])
    # The postponement carries the link too, and leads to the same objection.
    assert "What we have received" in words_of(site.get(link_to(site, DPO)).text)
    site.world.at = utc("2026-11-20 10:00")
    edda = team.sign_in(EDDA)
    said = words_of(edda.get(INBOX).text)
    assert f"Holds notice {number} , which has no date until then." in said
    closing = words_of(edda.get(f"{INBOX}{objection}/close?cure=accommodated").text)
    assert "it would take effect on Saturday, 21 November 2026" in closing
    edda.post(f"{INBOX}{objection}/close", {"cure": "accommodated", "text": "You stay in Falkenstein", "send": "1"})
    site.world.tick()
    assert site.world.notice(number).state == "announced"
    site.world.at = utc("2026-11-20 22:59")
    site.world.tick()
    assert site.world.notice(number).state == "announced"
    site.world.at = utc("2026-11-20 23:00")
    site.world.tick()
    assert site.world.notice(number).state == "in_effect"
    assert "has taken effect" in sheet(edda, objection)
    helsinki = [place.place for entry in site.world.public().entries for place in entry.content.locations]
    assert "Helsinki" in helsinki
