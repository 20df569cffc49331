"""The editor of an entry: adding, editing, what it means and what is kept."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from sqlalchemy import select

from registry.domain.entries import read_entry
from registry.steps.lookup import get_publisher
from registry.tables import EntryVersion, Event
from tests.steps.path_cast import HETZNER as HETZNER_CONTENT
from tests.steps.path_cast import edit
from tests.web.colleagues import ARNO, EDDA, ZOE, Team
from tests.web.site import words_of
from tests.web.team.entry_forms import HELSINKI, HETZNER, KEY, LIST, drafts, fields_on, open_form, said_after, wanted
from tests.world import antopsis


def test_an_edit_is_saved_and_its_fate_told(team: Team) -> None:
    edda = team.sign_in(EDDA)
    form = open_form(edda)
    said = said_after(edda, edda.post(f"{HETZNER}/edit", form | HELSINKI))
    assert "Saved. This is a location change and binds customers: it waits for a notice." in said
    assert "Monday, 16 November 2026 (2026-11-16), Europe/Berlin at the earliest" in said
    assert "Whose clock: Hanoi Streams Co., 45 days of notice." in said
    assert "edda@antopsis.example asked for this" in said
    document = wanted(team.site.world)
    assert document is not None
    assert document["locations"][1] == {"country": "FI", "place": "Helsinki", "function": "processing"}


def test_opening_and_saving_changes_nothing(team: Team) -> None:
    edda = team.sign_in(EDDA)
    said = said_after(edda, edda.post(f"{HETZNER}/edit", open_form(edda)))
    assert "Nothing differs from what was saved before." in said


def test_an_editorial_edit_is_on_the_list_at_once(team: Team) -> None:
    edda = team.sign_in(EDDA)
    form = open_form(edda) | {"links.website": "https://hetzner.example"}
    said = said_after(edda, edda.post(f"{HETZNER}/edit", form))
    assert "on the list at once: the change is editorial" in said
    assert "What waits" not in said


def test_an_edit_keeps_the_translations_of_the_texts_that_stay(team: Team) -> None:
    said = {"Account data": "Kontodaten", "Usage data": "Nutzungsdaten"}
    edit(team.site.world, HETZNER_CONTENT | {"translations": {"de": said}})
    edda = team.sign_in(EDDA)
    assert "Translations" in words_of(edda.get(f"{HETZNER}/history").text)
    form = open_form(edda) | {"data_categories": "Account data", "links.website": "https://hetzner.example"}
    said_after(edda, edda.post(f"{HETZNER}/edit", form))
    document = wanted(team.site.world)
    assert document is not None
    assert document["translations"] == {"de": {"Account data": "Kontodaten"}}


def test_private_facts_are_saved_without_a_notice(team: Team) -> None:
    edda = team.sign_in(EDDA)
    form = open_form(edda) | {"internals.owner": "Edda", "internals.review_due_on": "2027-01-31"}
    said = said_after(edda, edda.post(f"{HETZNER}/edit", form))
    assert "Only private facts differ" in said
    assert "Owner Edda" in said
    assert "31 January 2027" in said


def test_an_edit_of_a_drafted_entry_says_that_the_draft_is_revised(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    edda.post(f"{HETZNER}/edit", open_form(edda) | HELSINKI)
    number = light_team.site.world.draft()
    page = edda.get(f"{HETZNER}/edit").text
    assert f"Notice {number} is not published yet and holds this entry." in page
    said = said_after(edda, edda.post(f"{HETZNER}/edit", fields_on(page) | {"retention": "30 days"}))
    assert f"The draft of notice {number} holds this now; approvals it had are void." in said


def test_an_edit_beside_an_announced_notice_says_what_it_waits_for(light_team: Team) -> None:
    number = light_team.site.world.announce(antopsis(helsinki=True))
    edda = light_team.sign_in(EDDA)
    page = edda.get(f"{HETZNER}/edit").text
    assert f"Notice {number} changes this entry on 16 November 2026, and its content is fixed." in page
    said = said_after(edda, edda.post(f"{HETZNER}/edit", fields_on(page) | {"retention": "30 days"}))
    assert f"The edit waits until notice {number} has ended" in said


def test_a_new_entry_gets_a_key_from_its_name_and_place(team: Team) -> None:
    edda = team.sign_in(EDDA)
    form = open_form(edda, f"{LIST}new")
    assert re.fullmatch(r"[0-9a-f]{8}", form["draft"])
    typed = form | {"name": "Stripe", "locations.0.country": "ie", "locations.0.place": "Dublin"}
    answer = edda.post(f"{LIST}new", typed)
    assert answer.headers["Location"].endswith("/entries/stripe-dublin")
    said = said_after(edda, answer)
    assert "This is an addition and binds customers" in said
    assert "not on the list yet" in said


def test_a_key_that_is_taken_is_refused_with_whose_it_is(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    answer = edda.post(f"{LIST}new", open_form(edda, f"{LIST}new") | {"name": "Strip", "key": "stripe"})
    assert answer.status_code == 400
    words = unescape(words_of(answer.text))
    assert "“stripe” is the key of Stripe (stripe) already. Edit that one, or take another, such as stripe-2." in words
    assert 'aria-describedby="key-hint key-error"' in answer.text
    assert fields_on(answer.text)["name"] == "Strip"


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"locations.0.country": "Atlantis"}, "locations.0.country", "no country code"),
        ({"transfers.0.mechanism": "my own"}, "transfers.0.mechanism", "no transfer mechanism"),
        ({"links.privacy": "hetzner"}, "links.privacy", "no web address"),
        ({"name": ""}, "name", "This field is missing"),
        ({"products": ["streaming", "radio"]}, "products", "is no product of this publisher"),
        ({"parent": "nobody"}, "parent", "is no entry of this list"),
        ({"internals.owner": "x\x07"}, "internals.owner", "U+0007"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_the_text_kept(
    light_team: Team, typed: dict[str, Any], field: str, words: str
) -> None:
    edda = light_team.sign_in(EDDA)
    answer = edda.post(f"{HETZNER}/edit", open_form(edda) | {"purposes": "Kept as typed"} | typed)
    assert answer.status_code == 400
    assert f'<a href="#{field}">' in answer.text
    assert f'id="{field}"' in answer.text
    assert words in answer.text.partition(f'id="{field}"' if field == "products" else f'for="{field}"')[2][:600]
    kept = fields_on(answer.text)
    assert kept["purposes"] == "Kept as typed"
    for name, value in typed.items():
        assert kept.get(name, []) == value or name == "products"
    assert wanted(light_team.site.world) == read_entry(HETZNER_DOCUMENT).as_document()


HETZNER_DOCUMENT: dict[str, Any] = {
    "name": "Hetzner",
    "purposes": ["Servers that run the service"],
    "data_categories": ["Account data", "Usage data"],
    "locations": [{"country": "DE", "place": "Falkenstein", "function": "processing"}],
    "transfers": [{"regime": "eu", "mechanism": "none.same-area", "destination": "DE"}],
}


def test_rows_are_added_and_taken_out_without_scripts_and_nothing_is_saved(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    typed = open_form(edda) | {"name": "Half typed", "links.website": "not yet", "act": "add.locations"}
    answer = edda.post(f"{HETZNER}/edit", typed)
    assert answer.status_code == 200
    form = fields_on(answer.text)
    assert (form["locations.1.country"], form["name"], form["links.website"]) == ("", "Half typed", "not yet")
    form = fields_on(edda.post(f"{HETZNER}/edit", form | HELSINKI | {"act": "remove.locations.0"}).text)
    assert (form["locations.0.country"], form["locations.0.place"]) == ("Finland", "Helsinki")
    assert "locations.1.country" not in form
    form = fields_on(edda.post(f"{HETZNER}/edit", form | {"purposes.more": "Backups", "act": "add.purposes"}).text)
    assert form["purposes"].splitlines() == ["Servers that run the service", "Backups"]
    assert wanted(light_team.site.world) == read_entry(HETZNER_DOCUMENT).as_document()
    assert drafts(light_team.site.world) == []


def test_the_order_of_transfers_is_moved_without_scripts(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    typed = open_form(edda) | {"transfers.1.mechanism": "eu.art45", "transfers.1.destination": "JP"}
    form = fields_on(edda.post(f"{HETZNER}/edit", typed | {"act": "up.transfers.1"}).text)
    assert (form["transfers.0.mechanism"], form["transfers.1.destination"]) == ("eu.art45", "Germany (DE)")
    edda.post(f"{HETZNER}/edit", form | {"act": "save"})
    document = wanted(light_team.site.world)
    assert document is not None
    assert [transfer["mechanism"] for transfer in document["transfers"]] == ["eu.art45", "none.same-area"]


def test_what_an_edit_means_is_said_while_it_is_typed(team: Team) -> None:
    edda = team.sign_in(EDDA)
    form = open_form(edda)

    def meaning(**typed: str) -> str:
        answer = edda.post(f"{HETZNER}/assess", form | typed, headers={"HX-Request": "true"})
        assert answer.status_code == 200
        assert "<html" not in answer.text
        return " ".join(re.sub(r"<[^>]*>", " ", unescape(answer.text)).split())

    assert meaning() == "Nothing changes."
    assert meaning(**HELSINKI) == (
        "This is a location change: it binds customers. Announced today, it takes effect on Monday, 16 November 2026 "
        "(2026-11-16), Europe/Berlin at the earliest. Whose clock: Hanoi Streams Co., 45 days of notice. "
        "Places binds customers"
    )
    assert meaning(retention="x") == meaning(retention="y")
    assert meaning(**{"links.website": "https://hetzner.example"}) == (
        "This is editorial: it sends nothing. It is on the list as soon as you save it, and stands in the history. "
        "Website sends nothing"
    )
    assert "customers are told, and nobody's clock runs" in meaning(data_categories="Account data")
    assert "Clause 9 of the SCCs" in meaning(role="category")
    assert meaning(name="") == "Give it a name first."
    assert "Not complete yet. Place 1, country" in meaning(**{"locations.0.country": "Atlantis"})
    assert drafts(team.site.world) == []


def test_the_check_button_says_the_same_without_scripts(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    answer = edda.post(f"{HETZNER}/edit", open_form(edda) | HELSINKI | {"act": "check"})
    assert answer.status_code == 200
    assert "This is a location change: it binds customers." in answer.text
    assert fields_on(answer.text)["locations.1.country"] == "Finland"


def test_an_entry_that_is_there_already_is_pointed_out_and_can_still_be_saved(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    form = open_form(edda, f"{LIST}new") | {"name": "Hetzner GmbH", "locations.0.country": "FI"}
    answer = edda.post(f"{LIST}new/assess", form)
    assert "Is it one of these already?" in answer.text
    assert "hetzner-falkenstein</a>" in answer.text or f'href="{HETZNER}"' in answer.text
    assert "the same name" in answer.text
    assert "<strong data-proposed-key>hetzner-gmbh</strong>" in answer.text
    assert edda.post(f"{LIST}new", form).status_code == 303


def test_what_was_typed_is_kept_and_taken_up_again(team: Team) -> None:
    edda = team.sign_in(EDDA)
    form = open_form(edda) | {"activity": "Half a sent", "links.website": "http"}
    answer = edda.post(f"{HETZNER}/draft", form)
    assert (answer.status_code, "30 September 2026, 10:00" in answer.text) == (200, True)
    page = edda.get(f"{HETZNER}/edit").text
    assert "You left something unsaved" in page
    assert "data-keeps-itself" not in page
    assert fields_on(page)["activity"] == ""
    taken = edda.get(f"{HETZNER}/edit?take=1").text
    assert fields_on(taken)["activity"] == "Half a sent"
    assert fields_on(taken)["base"] == form["base"]
    assert "data-keeps-itself" in taken
    assert "You left something unsaved" not in team.sign_in(ARNO).get(f"{HETZNER}/edit").text
    edda.post(f"{HETZNER}/edit", fields_on(taken) | {"links.website": ""})
    assert drafts(team.site.world) == []
    document = wanted(team.site.world)
    assert document is not None
    assert document["activity"] == "Half a sent"


def test_what_was_kept_is_discarded(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    edda.post(f"{HETZNER}/draft", open_form(edda) | {"activity": "x"})
    said = said_after(edda, edda.post(f"{HETZNER}/draft", {"act": "discard"}))
    assert "What you had left unsaved is gone." in said
    assert "You left something unsaved" not in said


def test_new_entries_are_kept_each_by_itself(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    first, second = (open_form(edda, f"{LIST}new") for _ in range(2))
    assert said_after(edda, edda.post(f"{LIST}new", first | {"name": "Clerk", "act": "keep"}))
    edda.post(f"{LIST}new/draft", second | {"name": "Twilio", "products": ["storage"]})
    edda.post(f"{LIST}new/draft", {"draft": "ffffffff"})
    page = edda.get(f"{LIST}new")
    assert [name for name in ("Clerk", "Twilio") if f"{name}, <time" in page.text] == ["Clerk", "Twilio"]
    taken = open_form(edda, f"{LIST}new?draft={second['draft']}")
    assert (taken["name"], taken["products"], taken["draft"]) == ("Twilio", ["storage"], second["draft"])
    edda.post(f"{LIST}new", taken)
    assert drafts(light_team.site.world) == [f"new:{first['draft']}"]
    edda.post(f"{LIST}new/draft", {"act": "discard", "draft": first["draft"]})
    assert drafts(light_team.site.world) == []


def test_every_save_stands_on_record_with_the_session_it_was_made_in(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    edda.post(f"{HETZNER}/edit", open_form(edda) | {"retention": "60 days", "internals.owner": "Edda"})
    with light_team.site.world.reading() as session:
        rows = session.scalars(select(Event).where(Event.subject == KEY).order_by(Event.id)).all()
    assert [row.kind for row in rows] == ["entry.edited", "entry.internals"]
    assert all(row.sign_in_id is not None and row.actor == "edda@antopsis.example (web)" for row in rows)


HOSTILE: list[dict[str, Any]] = [
    {},
    {"act": "save"},
    {"act": "nothing of the kind"},
    {"act": "resolve"},
    {"act": "mine"},
    {"act": "theirs"},
    {"act": "remove.transfers.99999999999"},
    {"act": "up.locations.-1"},
    {"act": "add.\x00"},
    {"name": "x" * 100_000},
    {"name": "\x00\x01\u202e"},
    {"name": "Ok", "base": "\x00", "base_internals": "\x00" * 99},
    {"name": "Ok", "base": "9" * 30},
    {"name": "Ok", "base": "9" * 17, "act": "resolve"},
    {"name": "Ok", "key": "\x00", "draft": "\x00" * 8},
    {"name": "Ok", "key": "../../x", "draft": "../.."},
    {"name": "Ok", "products": ["\x00", "x" * 1000], "parent": "\x00"},
    {"name": "Ok", "locations.٣.country": "DE", "locations.99999.country": "DE", "locations..country": "x"},
    {"name": "Ok", "transfers.0.assessment": "x", "transfers.0": "y", "transfers": "z", "links": "l"},
    {f"locations.{number}.country": "DE" for number in range(900)},
    {"name": "Ok", "since": "0000-00-00", "until": "99999-01-01", "internals.review_due_on": "\x00"},
]


@pytest.mark.parametrize("typed", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_that_can_be_posted_breaks_the_editor(team: Team, typed: dict[str, Any]) -> None:
    edda = team.sign_in(EDDA)
    for path in (f"{HETZNER}/edit", f"{LIST}new"):
        for act in ({}, {"act": "check"}, {"act": "keep"}, {"act": "resolve"}, {"act": "add.locations"}):
            assert edda.post(path, typed | act).status_code in {200, 303, 400, 409}
    for path in (f"{HETZNER}/assess", f"{LIST}new/assess", f"{HETZNER}/draft", f"{LIST}new/draft"):
        assert edda.post(path, typed).status_code in {200, 303, 400}
    for path in (f"{HETZNER}/edit?take=1", f"{LIST}new?draft=%07", f"{LIST}new"):
        assert edda.get(path).status_code == 200
    document = wanted(team.site.world)
    assert document is not None
    assert "\x00" not in str(document)


def test_a_version_of_another_publisher_is_no_base(two_teams: Team) -> None:
    zoe, edda = two_teams.sign_in(ZOE), two_teams.sign_in(EDDA)
    with two_teams.site.world.reading() as session:
        mine = get_publisher(session, "antopsis").id
        of_mine = session.scalars(select(EntryVersion.id).where(EntryVersion.publisher_id == mine)).first()
        theirs = get_publisher(session, "streams").id
        foreign = session.scalars(select(EntryVersion.id).where(EntryVersion.publisher_id == theirs)).first()
    assert zoe.get(f"{HETZNER}/edit").status_code == 404
    assert zoe.post(f"{HETZNER}/edit", {"name": "x", "base": str(of_mine)}).status_code == 404
    answer = edda.post(f"{HETZNER}/edit", open_form(edda) | {"base": str(foreign), "retention": "x"})
    assert answer.status_code == 409
    assert "Mail delivery" not in answer.text
