"""The screen of an entry's translations: one language at a time, saved as any other edit of the entry."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from registry.steps.lookup import get_publisher
from registry.steps.save_entry import load_present
from registry.tables import Event
from registry.web.team.entry_words import tell_obsolete
from tests.steps.edits_cast import pending, translations
from tests.steps.path_cast import HETZNER as HETZNER_CONTENT
from tests.steps.path_cast import TWO_PLACES, edit
from tests.web.colleagues import ARNO, EDDA, VERA, Colleague, Team
from tests.web.site import words_of
from tests.web.team.counting import queries
from tests.web.team.entry_forms import HELSINKI, HETZNER, LIST, fields_on, open_form, said_after, wanted
from tests.web.team.notice_cast import require_approvals
from tests.world import BORIS, antopsis

HERE = f"{HETZNER}/translations"
PURPOSE, ACCOUNT, USAGE = "Servers that run the service", "Account data", "Usage data"
KEEPING = "30 days after the contract ends."
GERMAN = {ACCOUNT: "Kontodaten", USAGE: "Nutzungsdaten"}


def translated(team: Team, said: dict[str, dict[str, str]], **fields: Any) -> None:
    """Have Boris say Hetzner in other languages."""
    edit(team.site.world, HETZNER_CONTENT | fields | {"translations": said}, actor=BORIS)


def open_screen(colleague: Colleague, language: str = "de") -> dict[str, Any]:
    answer = colleague.get(f"{HERE}?language={language}")
    assert answer.status_code == 200, answer.text
    return fields_on(answer.text)


def name_of(answer: TestResponse, text: str) -> str:
    """Return the name of the field that a text is translated in."""
    found = re.search(rf'id="(text\.[0-9a-f]+)-original"[^>]*>{re.escape(text)}<', unescape(answer.text))
    assert found is not None, text
    return found[1]


def names(colleague: Colleague) -> dict[str, str]:
    answer = colleague.get(HERE)
    return {text: name_of(answer, text) for text in (PURPOSE, ACCOUNT, USAGE)}


def read(answer: TestResponse) -> str:
    return unescape(words_of(answer.text))


def test_what_is_filled_is_saved_and_what_is_emptied_is_taken_away(team: Team) -> None:
    translated(team, {"de": GERMAN, "zh": {ACCOUNT: "账户数据"}})
    edda = team.sign_in(EDDA)
    field, form = names(edda), open_screen(edda)
    assert (form[field[ACCOUNT]], form[field[PURPOSE]]) == ("Kontodaten", "")
    typed = {field[PURPOSE]: "  Server, auf denen der Dienst läuft ", field[USAGE]: " "}
    said = said_after(edda, edda.post(HERE, form | typed))
    assert "on the list at once: the change is editorial, stands in the history, and sends nothing" in said
    assert "German: 2 of 4 Vietnamese: 0 of 4 Chinese: 1 of 4" in said
    assert translations(team.site.world) == {
        "de": {PURPOSE: "Server, auf denen der Dienst läuft", ACCOUNT: "Kontodaten"},
        "zh": {ACCOUNT: "账户数据"},
    }
    with team.site.world.reading() as session:
        last = session.scalars(select(Event).where(Event.kind == "entry.edited").order_by(Event.id.desc())).first()
        assert last is not None
        assert (last.actor.partition(" ")[0], last.payload["weight"]) == (EDDA.email, "editorial")


def test_texts_stand_by_their_field_in_one_language_at_a_time(light_team: Team) -> None:
    retention = "Kept for a while.\n" * 4
    translated(light_team, {"zh": {ACCOUNT: "账户数据"}}, retention=retention, activity="Hosting")
    edda = light_team.sign_in(EDDA)
    answer = edda.get(f"{HERE}?language=zh")
    words = read(answer)
    assert words.index("Purposes Servers that") < words.index("Data Account data") < words.index("Retention Kept")
    assert "German: 0 of 6 Vietnamese: 0 of 6 Chinese: 1 of 6" in words
    assert "English: " not in words
    assert f"Chinese for “{USAGE}” not translated" in words
    assert f"Chinese for “{ACCOUNT}” This" not in words
    assert answer.text.count('lang="zh"') == 6
    assert re.search(rf'<input type="text" id="{name_of(answer, ACCOUNT)}"', answer.text)
    assert re.search(rf'<textarea id="{name_of(answer, "Hosting")}"', answer.text)
    assert 'aria-current="page">Chinese' in answer.text
    assert 'aria-current="page">German' in edda.get(f"{HERE}?language=tlh").text


def test_a_publisher_in_german_is_translated_to_english_and_one_in_a_tongue_not_spoken_here_to_all(
    light_team: Team,
) -> None:
    edda = light_team.sign_in(EDDA)
    for language, told in (("de-AT", "English: 0 of 4 Vietnamese"), ("pt-BR", "English: 0 of 4 German: 0 of 4 V")):
        with light_team.site.world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            publisher.facts = publisher.facts | {"language": language}
        answer = edda.get(HERE)
        assert told in read(answer)
        assert f'lang="{language}">{ACCOUNT}' in answer.text


def test_with_four_eyes_a_colleague_approves_it_before_anybody_reads_it(team: Team) -> None:
    require_approvals(team)
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    field, answer = names(edda), edda.get(HERE)
    assert "This is editorial: it takes effect once a colleague has approved it, and sends nothing." in read(answer)
    form = fields_on(answer.text) | {field[ACCOUNT]: "Kontodaten"}
    said = said_after(edda, edda.post(HERE, form))
    assert "is on the list once a colleague has approved it" in said
    assert translations(team.site.world) == {}
    page = arno.get(HETZNER).text
    assert "Account data → Kontodaten" in unescape(words_of(page))
    base = page.partition("/approve")[2].partition('name="base" value="')[2].partition('"')[0]
    arno.post(f"{HETZNER}/approve", {"base": base})
    assert translations(team.site.world) == {"de": {ACCOUNT: "Kontodaten"}}


def test_it_says_beforehand_what_saving_means_beside_edits_and_notices(light_team: Team) -> None:
    world, edda = light_team.site.world, light_team.sign_in(EDDA)
    field = names(edda)
    assert "This is editorial: it takes effect as soon as you save it" in read(edda.get(HERE))
    edit(world, TWO_PLACES)
    assert "waits for a notice, and what you save here waits with it" in read(edda.get(HERE))
    said = said_after(edda, edda.post(HERE, open_screen(edda) | {field[ACCOUNT]: "Kontodaten"}))
    assert "Saved. It waits with the edit of this entry that waits for a notice." in said
    number = world.draft()
    assert f"Notice {number} is not published yet and holds this entry. Saving revises it" in read(edda.get(HERE))
    world.publish(number)
    assert "This is editorial: it takes effect as soon as you save it" in read(edda.get(HERE))
    said_after(edda, edda.post(HERE, open_screen(edda) | {field[USAGE]: "Nutzungsdaten"}))
    assert translations(world) == {"de": GERMAN}
    edit(world, TWO_PLACES | {"retention": "A year."})
    assert f"Notice {number} changes this entry, and its content is fixed" in read(edda.get(HERE))
    said = said_after(edda, edda.post(HERE, open_screen(edda) | {field[PURPOSE]: "Server"}))
    assert f"The edit waits until notice {number} has ended" in said


def test_a_viewer_reads_and_saves_nothing(light_team: Team) -> None:
    translated(light_team, {"de": GERMAN})
    vera = light_team.sign_in(VERA)
    answer = vera.get(HERE)
    assert "Usage data Nutzungsdaten" in read(answer)
    assert "<form" not in answer.text.partition("<main")[2]
    assert vera.post(HERE, {"language": "de"}).status_code == 403
    assert translations(light_team.site.world) == {"de": GERMAN}


def test_the_second_of_two_is_told_and_loses_nothing(team: Team) -> None:
    translated(team, {"de": GERMAN})
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    field, of_edda, of_arno = names(edda), open_screen(edda), open_screen(arno)
    arno.post(HERE, of_arno | {field[ACCOUNT]: "Daten des Kontos", field[USAGE]: ""})
    answer = edda.post(HERE, of_edda | {field[ACCOUNT]: "Kundendaten", field[PURPOSE]: "Server"})
    assert answer.status_code == 409
    words = read(answer)
    assert "arno@antopsis.example saved Hetzner, 30 September 2026, 10:00 Europe/Berlin" in words
    assert "arno@antopsis.example saved: Daten des Kontos" in words
    form = fields_on(answer.text)
    # What only Arno touched is as he left it, and what Edda typed still stands.
    assert [form[field[text]] for text in (PURPOSE, ACCOUNT, USAGE)] == ["Server", "Kundendaten", ""]
    assert translations(team.site.world) == {"de": {ACCOUNT: "Daten des Kontos"}}
    said_after(edda, edda.post(HERE, form))
    assert translations(team.site.world) == {"de": {PURPOSE: "Server", ACCOUNT: "Kundendaten"}}


def test_a_translation_that_a_colleague_took_away_while_it_was_mended_is_told(light_team: Team) -> None:
    translated(light_team, {"de": GERMAN})
    edda = light_team.sign_in(EDDA)
    field, form = names(edda), open_screen(edda)
    translated(light_team, {"de": {USAGE: "Nutzungsdaten"}})
    answer = edda.post(HERE, form | {field[ACCOUNT]: "Kundendaten"})
    assert "boris@antopsis.example took the translation away." in read(answer)
    assert fields_on(answer.text)[field[ACCOUNT]] == "Kundendaten"


def test_what_was_typed_for_a_text_that_a_colleague_changed_is_shown_until_it_is_saved(light_team: Team) -> None:
    world, edda = light_team.site.world, light_team.sign_in(EDDA)
    field, form = names(edda), open_screen(edda)
    edit(world, HETZNER_CONTENT | {"data_categories": ["Account data", "Data of use"]})
    answer = edda.post(HERE, form | {field[USAGE]: "Nutzungsdaten", field[ACCOUNT]: "Konto"})
    assert answer.status_code == 409
    shown = "Texts that are not in the entry any more"
    assert shown in read(answer)
    again = fields_on(answer.text)
    assert again[field[USAGE]].strip() == "Nutzungsdaten"
    refused = edda.post(HERE, again | {field[ACCOUNT]: "two\nlines"})
    assert refused.status_code == 400
    assert shown in read(refused)
    assert USAGE in read(refused)
    said_after(edda, edda.post(HERE, again))
    document = wanted(world)
    assert document is not None
    assert document["translations"] == {"de": {ACCOUNT: "Konto"}}


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("x" * 5_001, "is too long: 5000 is the most."),
        ("Konto\x07daten", "The character U+0007 cannot stand in text that people read. Take it out."),
        ("Konto\u202edaten", "The character U+202E cannot stand in text that people read. Take it out."),
        ("Konto\r\ndaten", "runs over several lines or holds a tab, and this field has one line. Write it in one."),
    ],
)
def test_what_cannot_be_is_named_with_its_remedy_and_nothing_typed_is_lost(
    light_team: Team, typed: str, told: str
) -> None:
    edda = light_team.sign_in(EDDA)
    field = names(edda)
    answer = edda.post(HERE, open_screen(edda) | {field[ACCOUNT]: typed, field[USAGE]: "Nutzungsdaten"})
    assert answer.status_code == 400
    assert told in read(answer)
    assert f"Data, “{ACCOUNT}”: " in read(answer)
    assert f'<a href="#{field[ACCOUNT]}">' in answer.text
    shown = re.search(rf'(?s)id="{field[ACCOUNT]}" name.*?(?:value="|>\n)(.*?)(?:"|</textarea>)', answer.text)
    assert shown is not None
    assert unescape(shown[1]).replace("\r\n", "\n") == typed.replace("\r\n", "\n")
    assert fields_on(answer.text)[field[USAGE]] == "Nutzungsdaten"
    assert translations(light_team.site.world) == {}


def test_every_text_that_cannot_be_is_named_at_once(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    field = names(edda)
    answer = edda.post(HERE, open_screen(edda) | {field[ACCOUNT]: "a\tb", field[USAGE]: "\x00"})
    assert answer.text.count('class="error"') == 2


def test_a_language_that_there_is_not_is_refused_and_what_was_typed_stands(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    field = names(edda)
    answer = edda.post(HERE, open_screen(edda) | {"language": "tlh", field[ACCOUNT]: "De'"})
    assert answer.status_code == 400
    assert "“tlh” is not one of en, de, vi, zh." in read(answer)
    assert fields_on(answer.text)[field[ACCOUNT]] == "De'"
    assert pending(light_team.site.world) == []


def test_nothing_is_translated_to_the_publishers_own_language_and_what_was_can_be_taken_away(light_team: Team) -> None:
    translated(light_team, {"de": GERMAN})
    edda = light_team.sign_in(EDDA)
    field, form = names(edda), open_screen(edda)
    with light_team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        publisher.facts = publisher.facts | {"language": "de-AT"}
    answer = edda.post(HERE, form | {field[ACCOUNT]: "Kontodaten, die wir verkaufen"})
    assert answer.status_code == 400
    assert "“de” is the language of the texts themselves. Change the text, or delete this translation." in read(answer)
    assert fields_on(answer.text)[field[ACCOUNT]] == "Kontodaten, die wir verkaufen"
    assert translations(light_team.site.world) == {"de": GERMAN}
    said_after(edda, edda.post(HERE, form | {field[ACCOUNT]: "", field[USAGE]: ""}))
    assert translations(light_team.site.world) == {}
    assert "German" not in read(edda.get(f"{HERE}?language=de"))


def test_an_entry_that_leaves_is_only_shown_and_what_was_typed_is_not_lost(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    field, form = names(edda), open_screen(edda)
    edit(light_team.site.world, None)
    answer = edda.get(HERE)
    assert "is off the list or leaves it" in read(answer)
    assert "Save in German" not in answer.text
    for base in (form["base"], wanted_version(light_team)):
        answer = edda.post(HERE, form | {"base": base, field[ACCOUNT]: "Kontodaten"})
        assert answer.status_code == 409
        assert "Account data Kontodaten" in read(answer)
    assert wanted(light_team.site.world) is None


def wanted_version(team: Team) -> str:
    with team.site.world.reading() as session:
        present = load_present(session, get_publisher(session, "antopsis"), "hetzner-falkenstein")
        assert present is not None
        return str(present.base.version_id)


def test_two_texts_that_would_read_the_same_are_told(light_team: Team) -> None:
    translated(light_team, {"de": {ACCOUNT: "Daten", USAGE: "Daten"}})
    assert read(light_team.sign_in(EDDA).get(HERE)).count("Another text of this field reads the same in German") == 2


def test_an_entry_without_texts_says_what_is_translated_here(light_team: Team) -> None:
    edit(light_team.site.world, {"name": "Nimbus"}, "nimbus")
    assert "Nothing to translate" in read(light_team.sign_in(EDDA).get(f"{LIST}nimbus/translations"))


def test_the_entrys_page_and_its_editor_lead_here_and_tell_how_far_it_is(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    assert f'href="{HERE}">Translations' in edda.get(f"{HETZNER}/edit").text
    assert "Translated German" not in read(edda.get(HETZNER))
    translated(light_team, {"de": GERMAN})
    answer = edda.get(HETZNER)
    assert f'href="{HERE}">Translations' in answer.text
    assert "Translated German: 2 of 4" in read(answer)


def test_an_edit_says_which_translations_go_with_their_texts(light_team: Team) -> None:
    translated(light_team, {"de": GERMAN, "zh": {USAGE: "使用数据"}})
    edda = light_team.sign_in(EDDA)
    form = open_form(edda) | {"data_categories": "Account data\nData of use"}
    told = f"The German and Chinese translations of “{USAGE}” go with their text."
    piece = edda.post(f"{HETZNER}/assess", form)
    assert told in read(piece)
    assert f'<a href="{HERE}">Translate what takes its place</a>' in piece.text
    assert told in said_after(edda, edda.post(f"{HETZNER}/edit", form))
    assert "go with" not in read(edda.post(f"{HETZNER}/assess", open_form(edda) | HELSINKI))


def test_of_many_translations_that_go_the_first_are_named() -> None:
    lost = {"vi": {f"Text {n}": "Văn bản" for n in range(9)} | {"a\n" + "b" * 90: "B"}}
    told = tell_obsolete(lost, {})
    assert len(told) == 6
    assert told[0] == "The Vietnamese translation of “Text 0” goes with its text."
    assert told[-1] == "So do those of 5 more texts."
    assert tell_obsolete({"vi": {"a\n" + "b" * 90: "B"}}, {}) == (
        f"The Vietnamese translation of “a {'b' * 58}…” goes with its text.",
    )


def test_translating_meanwhile_is_in_no_editors_way_and_its_work_is_kept(team: Team) -> None:
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    of_edda, field = open_form(edda), names(arno)
    arno.post(HERE, open_screen(arno) | {field[ACCOUNT]: "Kontodaten"})
    said_after(edda, edda.post(f"{HETZNER}/edit", of_edda | {"links.website": "https://hetzner.example"}))
    assert translations(team.site.world) == {"de": {ACCOUNT: "Kontodaten"}}


@pytest.mark.parametrize("act", ["mine", "resolve"])
def test_the_older_text_of_two_keeps_its_translations(team: Team, act: str) -> None:
    translated(team, {"de": GERMAN})
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    of_edda = open_form(edda) | {"retention": KEEPING}
    arno.post(f"{HETZNER}/edit", open_form(arno) | {"data_categories": "Account data\nData of use"})
    form = fields_on(edda.post(f"{HETZNER}/edit", of_edda).text)
    chosen = {"choice.data_categories": "mine", "choice.retention": "mine", "act": act}
    said_after(edda, edda.post(f"{HETZNER}/edit", form | chosen))
    document = wanted(team.site.world)
    assert document is not None
    assert document["translations"] == {"de": GERMAN}


def test_what_a_colleague_took_away_meanwhile_does_not_come_back(light_team: Team) -> None:
    translated(light_team, {"de": GERMAN})
    edda = light_team.sign_in(EDDA)
    of_edda = open_form(edda) | {"links.website": "https://hetzner.example"}
    translated(light_team, {"de": {USAGE: "Nutzungsdaten"}})
    said_after(edda, edda.post(f"{HETZNER}/edit", of_edda))
    assert translations(light_team.site.world) == {"de": {USAGE: "Nutzungsdaten"}}


def test_going_back_to_what_the_list_says_brings_no_loss_of_translations(light_team: Team) -> None:
    translated(light_team, {"de": GERMAN})
    edda = light_team.sign_in(EDDA)
    edda.post(f"{HETZNER}/edit", open_form(edda) | {"data_categories": "Account data\nData of use"})
    back = open_form(edda) | {"data_categories": "Account data\nUsage data"}
    assert "no edit waits any more" in said_after(edda, edda.post(f"{HETZNER}/edit", back))
    assert translations(light_team.site.world) == {"de": GERMAN}


def test_a_key_it_had_before_leads_here_and_none_of_another_publisher_does(light_team: Team) -> None:
    edit(light_team.site.world, HETZNER_CONTENT, "hetzner", former_keys=("hetzner-falkenstein",))
    edda = light_team.sign_in(EDDA)
    assert edda.get(HERE).headers["Location"] == f"{LIST}hetzner/translations"
    assert edda.get(f"{LIST}nobody/translations").status_code == 404
    assert edda.post(f"{LIST}nobody/translations").status_code == 404


def test_the_screen_is_ten_queries_at_most(light_team: Team) -> None:
    light_team.site.world.announce(antopsis(helsinki=True))
    edit(light_team.site.world, TWO_PLACES | {"retention": "A year."})
    edda = light_team.sign_in(EDDA)
    edda.get(HERE)
    with queries(light_team.site.app.extensions["registry"].engine) as sent:
        edda.get(HERE)
    assert len(sent) <= 10
