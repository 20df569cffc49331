"""The form of an entry: what was typed becomes the document, and the document what is typed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from registry.domain.entries import EntryContent, EntryInternals
from registry.domain.errors import InvalidInput
from registry.domain.transfers import load_mechanisms
from registry.pages.wording import place_name
from registry.web.team.entry_fields import (
    country_choices,
    reach_choices,
    read_mechanism,
    read_place,
    show_mechanism,
    show_place,
)
from registry.web.team.entry_form import INTERNALS, EntryForm, form_of, place_problems, read_form, restore_form
from tests.domain.entry_cases import entries, full_entry

INTERNAL = EntryInternals.model_validate({"owner": "Ada", "note": "One\nTwo", "review_due_on": "2027-01-31"})


def posted(form: EntryForm) -> MultiDict[str, str]:
    """Return the form as a browser sends it: with its line breaks."""
    sent: MultiDict[str, str] = MultiDict()
    for name, value in form.values.items():
        values = value if isinstance(value, list) else [value]
        sent.setlist(name, [text.replace("\n", "\r\n") for text in values])
    return sent


def typed(**fields: str) -> MultiDict[str, str]:
    return MultiDict({"name": "Nimbus", **{name.replace("__", "."): text for name, text in fields.items()}})


def problems_of(fields: dict[str, str]) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        read_form(MultiDict({"name": "Nimbus", **fields})).read()
    return place_problems(refused.value)


def test_every_field_comes_back_as_it_was() -> None:
    content = full_entry()
    form = form_of(content.as_document(), INTERNAL)
    assert read_form(posted(form)).read(content.translations) == (content, INTERNAL)


@given(entries)
def test_whatever_an_entry_says_opening_and_saving_it_changes_nothing(content: EntryContent) -> None:
    form = form_of(content.as_document(), EntryInternals())
    for again in (read_form(posted(form)), restore_form(form.values)):
        assert again.read(content.translations)[0].as_document() == content.as_document()


def test_an_edit_keeps_the_translations_of_the_texts_that_stay() -> None:
    content = full_entry()
    form = read_form(posted(form_of(content.as_document() | {"retention": "A year."}, INTERNAL)))
    kept, _ = form.read(content.translations)
    assert content.translations["de"].keys() - kept.translations["de"].keys() == {"30 days."}
    assert kept.translations["zh"] == content.translations["zh"]


def test_every_field_of_the_domain_has_one_in_the_form() -> None:
    shown = form_of(full_entry().as_document(), INTERNAL).values
    heads = {name.partition(".")[0] for name in shown}
    assert set(EntryContent.model_fields) - {"translations"} | {"internals", "key"} == heads
    assert {f"internals.{name}" for name in EntryInternals.model_fields} <= set(shown)
    assert set(INTERNALS) == set(EntryInternals.model_fields)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"),
        ("de", "DE"),
        (" Germany ", "DE"),
        ("germany (DE)", "DE"),
        ("United States (US)", "US"),
        ("USA", "US"),
        ("United Kingdom of Great Britain and Northern Ireland", "GB"),
        ("Côte d’Ivoire", "CI"),
        ("cote d'ivoire", "CI"),
        ("worldwide", "global"),
        ("Network edge, near the user (edge)", "edge"),
        ("customer-selected", "customer-selected"),
        ("Atlantis", "Atlantis"),
        ("Atlantis (XX)", "Atlantis (XX)"),
        ("", ""),
    ],
)
def test_a_place_is_taken_by_name_and_by_code(text: str, code: str) -> None:
    assert read_place(text) == code


def test_every_place_offered_is_taken_as_it_is_shown_and_by_its_name_alone() -> None:
    for code, name in country_choices() + reach_choices():
        assert read_place(show_place(code)) == code
        assert read_place(name) == code
        assert place_name(code) == name


def test_every_mechanism_offered_is_taken_as_it_is_shown_by_its_id_and_by_its_label() -> None:
    for id_, row in load_mechanisms().items():
        assert read_mechanism(show_mechanism(id_)) == id_
        assert read_mechanism(id_.upper()) == id_
        assert read_mechanism(row.label.replace("->", " to ")) in {
            other.id for other in load_mechanisms().values() if other.label == row.label
        }


def test_a_word_picked_beside_a_list_joins_it_once() -> None:
    content, _ = read_form(typed(purposes="Hosting\n\n  Backups ", purposes__more="Support")).read()
    assert content.purposes == ("Hosting", "Backups", "Support")
    again, _ = read_form(typed(purposes="Hosting", purposes__more=" Hosting ")).read()
    assert again.purposes == ("Hosting",)


def test_empty_rows_are_none_and_the_others_are_numbered_anew() -> None:
    fields = {"locations.3.country": "", "locations.3.place": " ", "locations.7.country": "nowhere at all"}
    assert list(problems_of(fields)) == ["locations.0.country"]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"name": " "}, "name", "This field is missing"),
        ({"country": "Germoney"}, "country", "Did you mean DE (Germany)"),
        ({"purposes": "A\nA"}, "purposes", "“A” stands twice"),
        ({"purposes": "x" * 501}, "purposes", "too long"),
        ({"locations.0.place": "Berlin"}, "locations.0.country", "missing"),
        ({"locations.0.country": "DE", "locations.1.country": "Germany"}, "locations", "stands twice"),
        ({"locations.0.country": "DE", "locations.0.function": "x"}, "locations.0.function", "is not one of"),
        ({"transfers.0.mechanism": "Art. 46"}, "transfers.0.mechanism", "no transfer mechanism"),
        ({"transfers.0.mechanism": "other"}, "transfers.0.details", "needs details"),
        ({"transfers.0.mechanism": "eu.art45", "transfers.0.regime": "uk"}, "transfers.0.mechanism", "regime"),
        ({"transfers.0.assessment.made_on": "31.1.2026"}, "transfers.0.assessment.made_on", "is no date"),
        ({"contact.email": "ada"}, "contact.email", "cannot be an e-mail address"),
        ({"links.website": "nimbus.example"}, "links.website", "no web address"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "until", "before it begins"),
        ({"internals.review_due_on": "soon"}, "internals.review_due_on", "is no date"),
        ({"internals.owner": "a\x00b"}, "internals.owner", "U+0000"),
        ({"role": "friend"}, "role", "is not one of"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(fields: dict[str, str], field: str, words: str) -> None:
    said = problems_of(fields)
    assert list(said) == [field]
    assert words in said[field]


def test_rows_are_added_taken_out_and_moved() -> None:
    form = read_form(typed(transfers__0__details="first", transfers__1__details="second"))

    def details(act: str) -> list[str]:
        return [row["details"] for row in form.act_on_rows(act).rows["transfers"]]

    assert details("add.transfers") == ["first", "second", ""]
    assert details("remove.transfers.0") == ["second"]
    assert details("up.transfers.1") == ["second", "first"]
    assert details("down.transfers.0") == ["second", "first"]
    for act in (
        "up.transfers.0",
        "down.transfers.1",
        "remove.transfers.9",
        "remove.transfers.x",
        "add.purposes",
        "add.",
    ):
        assert details(act) == ["first", "second"]


@given(st.dictionaries(st.text(max_size=40), st.text(max_size=40), max_size=8))
def test_whatever_is_posted_is_read_or_refused(fields: dict[str, Any]) -> None:
    form = read_form(MultiDict(fields), keeps_empty_rows=True)
    said: dict[str, str] = {}
    try:
        form.read()
    except InvalidInput as error:
        said = place_problems(error)
    assert bool(said) is (not form.words["name"].strip())
