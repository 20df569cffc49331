"""Two people at one entry: the second is told who was quicker, shown both, and chooses."""

from __future__ import annotations

from html import unescape

import pytest

from registry.steps.lookup import get_publisher
from registry.steps.record import Actor
from registry.steps.record_edit import record_edit
from tests.web.colleagues import ARNO, EDDA, OLA, Team
from tests.web.site import words_of
from tests.web.team.entry_forms import HELSINKI, HETZNER, KEY, drafts, fields_on, open_form, said_after, wanted


def test_the_second_of_two_is_told_and_shown_both(team: Team) -> None:
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    of_edda, of_arno = open_form(edda), open_form(arno)
    arno.post(f"{HETZNER}/edit", of_arno | {"retention": "30 days", "activity": "Runs servers"})
    before = wanted(team.site.world)
    answer = edda.post(f"{HETZNER}/edit", of_edda | HELSINKI | {"retention": "60 days"})
    assert answer.status_code == 409
    words = unescape(words_of(answer.text))
    assert "arno@antopsis.example saved Hetzner, 30 September 2026, 10:00 Europe/Berlin" in words
    assert "Theirs 30 days Yours 60 days" in words
    assert "Theirs only they changed it Runs servers Yours not stated" in words
    assert "Yours only you changed it Falkenstein, Germany (processing) Helsinki, Finland (processing)" in words
    assert wanted(team.site.world) == before
    assert drafts(team.site.world) == [KEY]

    form = fields_on(answer.text)
    assert (form["choice.activity"], form["choice.locations"]) == (["theirs"], ["mine"])
    assert "choice.retention" not in form
    asked_again = edda.post(f"{HETZNER}/edit", form | {"act": "resolve"})
    assert asked_again.status_code == 400
    assert '<a href="#choice.retention">' in asked_again.text
    assert wanted(team.site.world) == before

    form = fields_on(asked_again.text) | {"choice.retention": "mine", "act": "resolve"}
    assert "Saved." in said_after(edda, edda.post(f"{HETZNER}/edit", form))
    document = wanted(team.site.world)
    assert document is not None
    assert (document["activity"], document["retention"], len(document["locations"])) == ("Runs servers", "60 days", 2)
    assert drafts(team.site.world) == []


@pytest.mark.parametrize(("act", "retention"), [("mine", "60 days"), ("theirs", "30 days")])
def test_the_second_of_two_takes_all_of_one_side(team: Team, act: str, retention: str) -> None:
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    of_edda = open_form(edda)
    arno.post(f"{HETZNER}/edit", open_form(arno) | {"retention": "30 days", "activity": "Runs servers"})
    form = fields_on(edda.post(f"{HETZNER}/edit", of_edda | {"retention": "60 days"}).text)
    assert edda.post(f"{HETZNER}/edit", form | {"act": act}).status_code == 303
    document = wanted(team.site.world)
    assert document is not None
    assert document["retention"] == retention
    assert ("activity" in document) is (act == "theirs")
    assert drafts(team.site.world) == []


def test_a_third_hand_meanwhile_is_shown_anew(light_team: Team) -> None:
    edda, arno, ola = (light_team.sign_in(each) for each in (EDDA, ARNO, OLA))
    of_edda = open_form(edda)
    arno.post(f"{HETZNER}/edit", open_form(arno) | {"retention": "30 days"})
    form = fields_on(edda.post(f"{HETZNER}/edit", of_edda | {"retention": "60 days"}).text)
    ola.post(f"{HETZNER}/edit", open_form(ola) | {"retention": "90 days"})
    for act in ("mine", "resolve"):
        answer = edda.post(f"{HETZNER}/edit", form | {"choice.retention": "mine", "act": act})
        assert answer.status_code == 409
        assert "ola@antopsis.example saved Hetzner" in unescape(words_of(answer.text))
        assert "Theirs 90 days Yours 60 days" in words_of(answer.text)


def test_a_removal_meanwhile_is_shown_as_one(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    form = open_form(edda) | {"retention": "60 days"}
    with light_team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        record_edit(session, light_team.site.world.at, publisher, KEY, None, Actor(ARNO.email, "web"))
    answer = edda.post(f"{HETZNER}/edit", form)
    assert answer.status_code == 409
    assert "What they want is that it leaves the list." in words_of(answer.text)
    edda.post(f"{HETZNER}/edit", fields_on(answer.text) | {"act": "mine"})
    document = wanted(light_team.site.world)
    assert document is not None
    assert document["retention"] == "60 days"


def test_private_facts_of_two_people_are_chosen_between_too(team: Team) -> None:
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    of_edda = open_form(edda)
    arno.post(f"{HETZNER}/edit", open_form(arno) | {"internals.note": "Arno's note"})
    answer = edda.post(f"{HETZNER}/edit", of_edda | {"internals.note": "Edda's note"})
    assert answer.status_code == 409
    assert "Note (private) Theirs Arno's note Yours Edda's note" in unescape(words_of(answer.text))
    form = fields_on(answer.text) | {"choice.internals.note": "theirs", "act": "resolve"}
    edda.post(f"{HETZNER}/edit", form)
    assert "Arno's note" in unescape(edda.get(HETZNER).text)
