"""What an entry says in other languages: what may be translated, what is shown, what stays, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.changes import EntryChange, change_in_language, diff_entry, is_beside, merge_editorial
from registry.domain.entries import EntryContent, canonical_json, digest_of, read_entry
from registry.domain.errors import InvalidInput, Problem
from registry.domain.free_texts import FIELDS, FREE_TEXTS
from registry.domain.translations import (
    LANGUAGES,
    in_language,
    prune,
    texts_of,
    translate,
    translate_value,
    with_translations,
)
from registry.domain.vocabulary import Weight
from registry.i18n import explain
from registry.language import LANGUAGES as SPOKEN
from registry.language import say_translations, speaking
from tests.domain.entry_cases import UNTRANSLATED, bare_entry, entries, full_entry, translations

WORDS = {
    "Hosting": "Bereitstellung",
    "Falkenstein": "Falkenstein im Vogtland",
    "Backups only.": "Nur Sicherungen.",
    "With backups switched on.": "Bei eingeschalteter Sicherung.",
}
ADDRESS = "Hauptstraße 1\n99084 Erfurt"


def german(content: EntryContent) -> dict[str, Any]:
    return in_language(content, "de").as_document()


def change_of(before: EntryContent | None, after: EntryContent | None) -> EntryChange:
    change = diff_entry("nimbus", before, after)
    assert change is not None
    return change


def problem_of(**stated: Any) -> Problem:
    with pytest.raises(InvalidInput) as refused:
        bare_entry(**stated)
    (problem,) = refused.value.problems
    return problem


def test_an_entry_is_translated_to_the_languages_that_are_spoken() -> None:
    assert tuple(SPOKEN) == LANGUAGES


def test_the_free_texts_come_in_the_order_of_the_page_and_once() -> None:
    assert texts_of(full_entry(data_subjects=["Hosting"])) == (
        "Hosting",
        "Backups",
        "Runs the servers.",
        "Account data",
        "Usage data",
        "Health data",
        "With backups switched on.",
        "30 days.",
        "Backups only.",
        "Falkenstein",
    )
    unassessed = bare_entry(transfers=[{"assessment": {"none_because": "Under way."}}])
    assert texts_of(unassessed) == ("Under way.",)
    assert {path.partition(".")[0] for path in FREE_TEXTS} == FIELDS <= set(EntryContent.model_fields)


def test_texts_are_shown_in_a_language_and_nothing_else_is() -> None:
    content = full_entry(legal_name="Hosting", translations={"de": WORDS})
    shown = german(content)
    assert shown["purposes"] == ["Bereitstellung", "Backups"]
    assert shown["locations"][0] == {"country": "DE", "place": "Falkenstein im Vogtland", "function": "processing"}
    assert shown["transfers"][0]["details"] == "Nur Sicherungen."
    assert shown["condition"] == {"when": "feature", "text": "Bei eingeschalteter Sicherung."}
    assert shown["legal_name"] == "Hosting"
    assert [field for field in shown if shown[field] != content.as_document()[field]] == [
        "purposes",
        "locations",
        "transfers",
        "condition",
    ]


def test_what_is_not_translated_comes_back_as_it_is() -> None:
    content = full_entry()
    assert in_language(content, "vi") is content
    assert in_language(content, "no such language") is content
    same = bare_entry(purposes=["Backup"], translations={"de": {"Backup": "Backup"}})
    assert in_language(same, "de") is same


def test_two_texts_of_one_field_never_become_one() -> None:
    twice = bare_entry(
        purposes=["Payments", "Payment processing", "Mail"],
        activity="Payments",
        translations={"de": {"Payments": "Zahlung", "Payment processing": "Zahlung", "Mail": "Post"}},
    )
    assert german(twice)["purposes"] == ["Payments", "Payment processing", "Post"]
    assert german(twice)["activity"] == "Zahlung"
    # C would take the place that A has again.
    chained = bare_entry(purposes=["A", "B", "C"], translations={"de": {"A": "X", "B": "X", "C": "A"}})
    assert german(chained)["purposes"] == ["A", "B", "C"]


def test_a_translation_may_be_longer_than_its_field() -> None:
    content = bare_entry(purposes=["Hosting"], translations={"de": {"Hosting": "x" * 600}})
    assert in_language(content, "de").purposes == ("x" * 600,)


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("purposes", ["Hosting", "Mail"], ["Bereitstellung", "Mail"]),
        ("retention", "Hosting", "Bereitstellung"),
        ("condition.text", "Hosting", "Bereitstellung"),
        ("locations", [{"country": "DE", "place": "Hosting"}], [{"country": "DE", "place": "Bereitstellung"}]),
        (
            "transfers",
            [{"mechanism": "Hosting", "assessment": {"reference": "Hosting", "none_because": "Hosting"}}],
            [{"mechanism": "Hosting", "assessment": {"reference": "Hosting", "none_because": "Bereitstellung"}}],
        ),
        ("name", "Hosting", "Hosting"),
        ("address", "Hosting", "Hosting"),
        ("former_names", ["Hosting"], ["Hosting"]),
        ("translations", {"de": {"Hosting": "Hosting"}}, {"de": {"Hosting": "Hosting"}}),
        ("purposes", None, None),
    ],
)
def test_only_free_texts_of_a_field_are_translated(field: str, value: Any, shown: Any) -> None:
    assert translate_value(field, value, WORDS) == shown


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"fr": {"Hosting": "Hébergement"}}, "translations.fr", "“fr” is not one of en, de, vi, zh."),
        (
            {"de": {"Hostin": "Bereitstellung"}},
            "translations.de",
            "“Hostin” is no text of this entry. Did you mean Hosting? Translate one as it stands, or delete this "
            "translation.",
        ),
        (
            {"de": {"Nimbus": "Wolke"}},
            "translations.de",
            "“Nimbus” is no text of this entry. Translate one as it stands, or delete this translation.",
        ),
        (
            {"de": {"Hosting": " "}},
            "translations.de.Hosting",
            "Nothing stands here. Write something, or leave the field out.",
        ),
        (
            {"de": {"Hosting": "Eins\nzwei"}},
            "translations.de",
            "“Eins\\u000azwei” runs over several lines or holds a tab, and this field has one line. Write it in one.",
        ),
        (["de"], "translations", "A list is no group of fields. Write its fields below it, each as name: value."),
    ],
)
def test_a_translation_of_nothing_here_is_refused_with_what_would_do(given: Any, field: str, sentence: str) -> None:
    problem = problem_of(purposes=["Hosting"], translations=given)
    assert problem.field == field
    assert explain(InvalidInput([problem])) == f"{field}: {sentence}"


def test_a_long_text_is_named_by_its_beginning_and_found_by_it() -> None:
    long = "Runs the servers of the whole house. " * 100
    problem = problem_of(activity=long, translations={"de": {f"{long}.": "Betreibt die Server."}})
    assert problem.params["near"] == [f"{long[:80]}…"]


def test_where_a_text_is_refused_itself_its_translation_is_not_besides() -> None:
    assert problem_of(purposes=["x" * 501], translations={"de": {"x" * 501: "y"}}).field == "purposes.0"


def test_texts_are_matched_as_they_are_kept() -> None:
    content = bare_entry(purposes=[" Ba\u0308r "], translations={"de": {"Ba\u0308r  ": " Bear "}})
    assert content.translations == {"de": {"Bär": "Bear"}}


def test_an_entry_without_translations_has_the_digest_it_always_had() -> None:
    bare = digest_of({"name": "Nimbus", "role": "subprocessor"})
    assert digest_of(bare_entry(translations={"de": {}}).as_document()) == bare
    assert digest_of(read_entry(UNTRANSLATED).as_document()) == digest_of(UNTRANSLATED)
    assert "translations" not in in_language(read_entry(UNTRANSLATED), "de").as_document()


def test_translations_stand_in_one_order_whatever_order_they_were_given_in() -> None:
    given = {"zh": {"Mail": "邮件"}, "de": {"Mail": "Post", "Hosting": "Bereitstellung"}}
    content = bare_entry(purposes=["Hosting", "Mail"], translations=given)
    assert json.dumps(content.translations["de"], ensure_ascii=False) == '{"Hosting": "Bereitstellung", "Mail": "Post"}'
    assert list(content.translations) == ["de", "zh"]


def test_a_text_that_comes_and_goes_takes_its_translation_along() -> None:
    before = bare_entry(purposes=["Hosting"], translations={"de": {"Hosting": "Bereitstellung"}})
    after = bare_entry(purposes=["Mail"], translations={"de": {"Mail": "Post"}})
    change = change_of(before, after)
    assert [field.field for field in change.fields] == ["purposes"]
    assert change.translations == {"de": {"Hosting": "Bereitstellung", "Mail": "Post"}}
    shown = change_in_language(change, "de")
    assert (shown.fields[0].before, shown.fields[0].after) == (["Bereitstellung"], ["Post"])
    assert change_in_language(change, "vi") is change


def test_of_two_translations_of_one_text_a_change_has_the_newer() -> None:
    before = bare_entry(purposes=["Hosting"], translations={"de": {"Hosting": "Alt"}})
    after = bare_entry(purposes=["Hosting", "Mail"], translations={"de": {"Hosting": "Neu"}})
    change = change_of(before, after)
    assert [(field.field, field.weight) for field in change.fields] == [
        ("purposes", Weight.BINDING),
        ("translations", Weight.EDITORIAL),
    ]
    assert change.translations == {"de": {"Hosting": "Neu"}}


def test_what_differs_differs_in_every_language() -> None:
    before = bare_entry(retention="30 days.", translations={"de": {"30 days.": "Ein Monat."}})
    after = bare_entry(retention="31 days.", translations={"de": {"31 days.": "Ein Monat."}})
    change = change_of(before, after)
    assert change_in_language(change, "de") is change


def test_an_addition_carries_the_translations_and_names_them_in_no_field() -> None:
    change = change_of(None, full_entry())
    assert "translations" not in {field.field for field in change.fields}
    assert change.translations == full_entry().translations
    said = {field.field: field.after for field in change_in_language(change, "de").fields}
    assert (said["purposes"], said["retention"]) == (["Bereitstellung", "Backups"], "30 Tage.")


def test_a_change_without_translations_is_stored_as_it_always_was() -> None:
    change = change_of(bare_entry(), bare_entry(retention="30 days."))
    assert canonical_json(change.as_document()) == (
        b'{"fields":[{"after":"30 days.","before":null,"field":"retention","kind":"retention","weight":"binding"}],'
        b'"key":"nimbus","kinds":["retention"],"name":"Nimbus","weight":"binding"}'
    )


def test_an_edit_of_translations_reaches_each_version_by_its_own_texts() -> None:
    listed = bare_entry(purposes=["Hosting", "Mail"], translations={"de": {"Hosting": "Alt", "Mail": "Post"}})
    target = bare_entry(purposes=["Hosting", "Backups"], translations={"de": {"Hosting": "Alt"}})
    edited = bare_entry(
        purposes=["Hosting", "Backups"], translations={"de": {"Hosting": "Neu", "Backups": "Sicherung"}}
    )
    edit = change_of(target, edited)
    assert edit.weight is Weight.EDITORIAL
    assert is_beside(edit, change_of(listed, target))
    assert merge_editorial(edit, listed).translations == {"de": {"Hosting": "Neu", "Mail": "Post"}}
    removed = change_of(target, bare_entry(purposes=["Hosting", "Backups"]))
    assert merge_editorial(removed, listed).translations == {"de": {"Mail": "Post"}}


def test_a_language_is_translated_text_by_text_and_the_others_stay() -> None:
    content = full_entry()
    told = translate(content, "de", {"Hosting": " ", "Backups": " Datensicherung\r\n", "Nowhere": "Nirgends"})
    german = {"Backups": "Datensicherung", "Runs the servers.": "Betreibt die Server.", "30 days.": "30 Tage."}
    assert told.translations == {"de": german, "zh": {"Hosting": "托管"}}
    assert read_entry(told.as_document()) == told


def test_every_text_that_cannot_be_translated_so_is_named() -> None:
    wrong = {"Hosting": "a\nb", "Backups": "x" * 5_001, "30 days.": "30\nTage.", "Runs the servers.": "\x07"}
    with pytest.raises(InvalidInput) as refused:
        translate(full_entry(), "de", wrong)
    assert [(problem.field, problem.code) for problem in refused.value.problems] == [
        ("translations.de.Hosting", "line-break"),
        ("translations.de.Backups", "too-long"),
        ("translations.de.Runs the servers.", "control-character"),
    ]


def test_translations_are_said_by_the_language_they_are_in() -> None:
    said = {"de": {"Mail": "Post"}, "zh": {"Mail": "邮件"}}
    assert say_translations(said) == ("German: Mail → Post", "Chinese: Mail → 邮件")
    with speaking("zh"):
        assert say_translations(said)[0] == "德语：Mail → Post"


@given(content=entries, language=st.sampled_from([*LANGUAGES, "fr"]))
def test_any_entry_can_be_shown_in_any_language(content: EntryContent, language: str) -> None:
    shown = in_language(content, language)
    assert len(texts_of(shown)) <= len(texts_of(content))
    for field in ("purposes", "data_categories", "data_subjects", "special_categories", "locations"):
        assert len(set(getattr(shown, field))) == len(getattr(content, field))
    read_entry(shown.as_document() | {"translations": {}})
    assert (shown.name, shown.address, shown.links) == (content.name, content.address, content.links)


@given(before=entries, after=entries, given=translations)
def test_merging_never_leaves_a_translation_of_nothing(
    before: EntryContent, after: EntryContent, given: dict[str, dict[str, str]]
) -> None:
    change = diff_entry("nimbus", before, with_translations(after, given))
    if change is not None:
        merged = merge_editorial(change, before)
        assert merged == with_translations(after, given)
        assert read_entry(merged.as_document()) == merged
        assert prune(merged.translations, merged) == merged.translations
    onto = change_of(bare_entry(name="Elsewhere"), bare_entry(name="Elsewhere", address=ADDRESS))
    assert merge_editorial(onto, before).translations == before.translations


@given(before=entries, after=entries, language=st.sampled_from(["de", "vi", "zh"]))
def test_no_change_is_lost_in_translation(before: EntryContent, after: EntryContent, language: str) -> None:
    change = diff_entry("nimbus", before, after)
    if change is not None:
        assert all(field.before != field.after for field in change_in_language(change, language).fields)
