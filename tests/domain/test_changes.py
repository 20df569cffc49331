"""From two versions of an entry to typed changes, and what each asks of the publisher (R2, R3, R4)."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from pydantic import BaseModel

from registry.domain.changes import FIELD_RULES, EntryChange, FieldChange, diff_entry, merge_editorial
from registry.domain.entries import EntryContent, digest_of
from registry.domain.errors import InvalidInput
from registry.domain.vocabulary import ChangeKind, Role, Weight, heavier
from tests.domain.entry_cases import FULL, UNTRANSLATED, bare_entry, entries, full_entry


def change_of(before: EntryContent | None, after: EntryContent | None) -> EntryChange:
    change = diff_entry("nimbus", before, after)
    assert change is not None
    return change


def the_field(before: EntryContent, after: EntryContent) -> FieldChange:
    """The one field that differs."""
    (field,) = change_of(before, after).fields
    return field


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


def _is_list(annotation: object) -> bool:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        return any(map(_is_list, typing.get_args(annotation)))
    return typing.get_origin(annotation) is tuple


def fields_below(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every field and sub-field; a group without members of its own has only those of its parts."""
    for name, info in model.model_fields.items():
        parts = list(_models_in(info.annotation))
        if not parts or _is_list(info.annotation):
            yield f"{prefix}{name}"
        for part in parts:
            yield from fields_below(part, f"{prefix}{name}.")


def test_every_field_and_sub_field_of_an_entry_has_its_row() -> None:
    assert set(FIELD_RULES) == set(fields_below(EntryContent))


def test_the_search_for_fields_finds_a_new_one() -> None:
    class Grown(EntryContent):
        risk: str | None = None
        regions: tuple[EntryContent, ...] = ()

    assert {"risk", "regions", "regions.links.dpa"} <= set(fields_below(Grown)) - set(FIELD_RULES)


def test_each_field_belongs_to_a_kind_that_is_about_fields() -> None:
    about_the_entry = {ChangeKind.ADDITION, ChangeKind.REMOVAL}
    assert {kind for kind, _ in FIELD_RULES.values()} == set(ChangeKind) - about_the_entry


FIRST, SECOND = FULL["transfers"]
PLACE, EDGE = FULL["locations"]


def _moved(**changed: str) -> list[dict[str, Any]]:
    return [PLACE | changed, EDGE]


def _reassessed(**changed: str) -> list[dict[str, Any]]:
    return [FIRST, SECOND | {"assessment": SECOND["assessment"] | changed}]


INFORMING: dict[str, tuple[ChangeKind, Any]] = {"name": (ChangeKind.RENAME, "Cirrus")}
BINDING: dict[str, tuple[ChangeKind, Any]] = {
    "legal_name": (ChangeKind.ENTITY, "Nimbus SE"),
    "country": (ChangeKind.ENTITY, "IE"),
    "role": (ChangeKind.ROLE, "affiliate"),
    "purposes": (ChangeKind.PURPOSE, ["Hosting", "Backups", "Mail"]),
    "activity": (ChangeKind.PURPOSE, "Runs the servers!"),
    "products": (ChangeKind.PRODUCT, ["streaming", "api", "billing"]),
    "data_categories": (ChangeKind.DATA, ["Content"]),
    "data_subjects": (ChangeKind.DATA, ["Visitors"]),
    "special_categories": (ChangeKind.DATA, ["Health data", "Biometrics"]),
    "locations": (ChangeKind.LOCATION, [PLACE, EDGE, {"country": "US"}]),
    "locations.country": (ChangeKind.LOCATION, _moved(country="FI")),
    "locations.place": (ChangeKind.LOCATION, _moved(place="Nuremberg")),
    "locations.function": (ChangeKind.LOCATION, _moved(function="storage")),
    "transfers": (ChangeKind.TRANSFER, [FIRST]),
    "transfers.regime": (ChangeKind.TRANSFER, [FIRST, SECOND | {"regime": "eu"}]),
    "transfers.mechanism": (ChangeKind.TRANSFER, [FIRST, SECOND | {"mechanism": "eu.art45.us-dpf"}]),
    "transfers.destination": (ChangeKind.TRANSFER, [FIRST | {"destination": "KR"}, SECOND]),
    "transfers.details": (ChangeKind.TRANSFER, [FIRST | {"details": "Everything."}, SECOND]),
    "condition.when": (ChangeKind.CONDITION, FULL["condition"] | {"when": "always"}),
    "condition.text": (ChangeKind.CONDITION, FULL["condition"] | {"text": "Always."}),
    "parent": (ChangeKind.CHAIN, "stratus"),
    "retention": (ChangeKind.RETENTION, "31 days."),
}
EDITORIAL: dict[str, Any] = {
    "former_names": ["Stratus"],
    "address": "Elsewhere",
    "transfers.assessment.reference": _reassessed(reference="TIA-8"),
    "transfers.assessment.made_on": _reassessed(made_on="2026-02-01"),
    "transfers.assessment.none_because": _reassessed(none_because="Under way."),
    "transfers.checked_on": [FIRST, SECOND | {"checked_on": "2026-03-01"}],
    "since": "2024-03-02",
    "until": "2028-03-01",
    "translations": {"de": {"Hosting": "Beherbergung"}},
    **{f"contact.{name}": FULL["contact"] | {name: "b@nimbus.example"} for name in FULL["contact"]},
    **{f"links.{name}": FULL["links"] | {name: "https://b.example"} for name in FULL["links"]},
}
DIFFERENCES = [
    *((field, value, kind, Weight.INFORMING) for field, (kind, value) in INFORMING.items()),
    *((field, value, kind, Weight.BINDING) for field, (kind, value) in BINDING.items()),
    *((field, value, ChangeKind.EDITORIAL, Weight.EDITORIAL) for field, value in EDITORIAL.items()),
]


@pytest.mark.parametrize(("field", "value", "kind", "weight"), DIFFERENCES, ids=[row[0] for row in DIFFERENCES])
def test_a_difference_in_one_field_has_its_kind_and_weight(
    field: str, value: Any, kind: ChangeKind, weight: Weight
) -> None:
    whole = field.partition(".")[0]
    change = change_of(full_entry(), full_entry(**{whole: value}))
    # A list is compared and shown whole, a group part by part.
    shown = whole if isinstance(value, list) else field
    assert [(found.field, found.kind, found.weight) for found in change.fields] == [(shown, kind, weight)]
    assert (change.kinds, change.weight) == ((kind,), weight)


def test_the_differences_tried_are_all_there_are() -> None:
    assert {row[0] for row in DIFFERENCES} == set(FIELD_RULES)


SETS = ["purposes", "data_categories", "data_subjects", "special_categories"]


@pytest.mark.parametrize("field", SETS)
@pytest.mark.parametrize(
    ("before", "after", "weight"),
    [
        (["A"], ["A", "B"], Weight.BINDING),
        (["A", "B"], ["A"], Weight.INFORMING),
        (["A", "B"], ["A", "C"], Weight.BINDING),
        (["A"], [], Weight.INFORMING),
        ([], ["A"], Weight.BINDING),
        (["A", "B"], ["B", "A"], Weight.EDITORIAL),
        (["A", "B", "C"], ["C", "A"], Weight.INFORMING),
    ],
)
def test_an_added_member_binds_a_removed_one_informs_and_order_is_editorial(
    field: str, before: list[str], after: list[str], weight: Weight
) -> None:
    found = the_field(bare_entry(**{field: before}), bare_entry(**{field: after}))
    assert found.weight is weight
    kind = ChangeKind.EDITORIAL if weight is Weight.EDITORIAL else FIELD_RULES[field][0]
    assert (found.kind, found.before, found.after) == (kind, before or None, after or None)


@pytest.mark.parametrize(
    ("before", "after", "weight"),
    [
        ([], ["a"], Weight.INFORMING),
        (["a"], [], Weight.BINDING),
        (["a"], ["a", "b"], Weight.BINDING),
        (["a", "b"], ["a"], Weight.INFORMING),
        (["a"], ["b"], Weight.BINDING),
        (["a", "b"], ["b", "a"], Weight.EDITORIAL),
    ],
)
def test_an_entry_without_products_concerns_them_all(before: list[str], after: list[str], weight: Weight) -> None:
    assert the_field(bare_entry(products=before), bare_entry(products=after)).weight is weight


def test_leaving_a_place_informs_and_a_new_one_binds() -> None:
    germany, ireland = {"country": "DE", "place": "Falkenstein"}, {"country": "IE"}
    both = bare_entry(locations=[germany, ireland])
    assert the_field(both, bare_entry(locations=[germany])).weight is Weight.INFORMING
    assert the_field(bare_entry(locations=[germany]), both).weight is Weight.BINDING
    assert the_field(both, bare_entry(locations=[ireland, germany])).weight is Weight.EDITORIAL


def test_remote_access_from_where_data_is_stored_already_binds() -> None:
    stored = {"country": "US", "function": "storage"}
    after = bare_entry(locations=[stored, {"country": "US", "function": "support_access"}])
    assert the_field(bare_entry(locations=[stored]), after).weight is Weight.BINDING


def test_the_order_of_transfers_is_their_precedence_and_binds() -> None:
    found = the_field(full_entry(), full_entry(transfers=[SECOND, FIRST]))
    assert (found.kind, found.weight) == (ChangeKind.TRANSFER, Weight.BINDING)


def test_a_ground_added_behind_another_binds_and_so_does_one_taken_away() -> None:
    assert the_field(full_entry(transfers=[FIRST]), full_entry()).weight is Weight.BINDING
    assert the_field(full_entry(), full_entry(transfers=[])).weight is Weight.BINDING


def test_a_new_assessment_beside_another_ground_does_not_lower_its_weight() -> None:
    other = FIRST | {"mechanism": "eu.art46.bcr-p", "checked_on": "2026-11-01"}
    assert the_field(full_entry(), full_entry(transfers=[other, SECOND])).weight is Weight.BINDING


def test_to_state_what_was_not_stated_is_a_difference_like_another() -> None:
    found = the_field(bare_entry(), bare_entry(retention="30 days."))
    assert (found.before, found.after, found.weight) == (None, "30 days.", Weight.BINDING)
    stated = change_of(bare_entry(), bare_entry(condition={"when": "always"}))
    assert [field.field for field in stated.fields] == ["condition.when"]
    assert stated.fields[0].after == "always"


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SUBPROCESSOR])
def test_a_role_that_becomes_subprocessor_counts_as_an_addition(role: Role) -> None:
    change = change_of(bare_entry(role=role), bare_entry(role=Role.SUBPROCESSOR))
    assert change.kinds == (ChangeKind.ADDITION, ChangeKind.ROLE)
    assert change.weight is Weight.BINDING
    back = change_of(bare_entry(role=Role.SUBPROCESSOR), bare_entry(role=role))
    assert back.kinds == (ChangeKind.ROLE,)


def test_an_addition_binds_with_all_that_is_stated() -> None:
    change = change_of(None, full_entry())
    assert (change.key, change.name, change.kinds, change.weight) == (
        "nimbus",
        "Nimbus",
        (ChangeKind.ADDITION,),
        Weight.BINDING,
    )
    assert {field.before for field in change.fields} == {None}
    stated = {field.field.partition(".")[0] for field in change.fields}
    assert stated == set(UNTRANSLATED)
    assert {field.weight for field in change.fields} == {Weight.BINDING}


def test_a_removal_informs_with_all_that_was_stated() -> None:
    change = change_of(full_entry(), None)
    assert (change.name, change.kinds, change.weight) == ("Nimbus", (ChangeKind.REMOVAL,), Weight.INFORMING)
    assert {field.after for field in change.fields if not isinstance(field.after, list)} == {None}
    assert {field.field.partition(".")[0] for field in change.fields} == set(UNTRANSLATED)


def test_nothing_becomes_of_nothing() -> None:
    assert diff_entry("nimbus", None, None) is None
    assert diff_entry("nimbus", full_entry(), full_entry()) is None


def test_a_change_carries_the_new_name_and_the_weight_of_its_heaviest_field() -> None:
    informing = change_of(full_entry(), full_entry(name="Cirrus", address="Elsewhere"))
    assert (informing.name, informing.weight) == ("Cirrus", Weight.INFORMING)
    assert informing.kinds == (ChangeKind.RENAME, ChangeKind.EDITORIAL)
    binding = change_of(full_entry(), full_entry(name="Cirrus", address="Elsewhere", retention="For ever."))
    assert binding.weight is Weight.BINDING
    assert [field.field for field in binding.fields] == ["name", "address", "retention"]


@pytest.mark.parametrize(
    ("first", "second", "heaviest"),
    [
        (Weight.EDITORIAL, Weight.EDITORIAL, Weight.EDITORIAL),
        (Weight.EDITORIAL, Weight.INFORMING, Weight.INFORMING),
        (Weight.BINDING, Weight.INFORMING, Weight.BINDING),
        (Weight.BINDING, Weight.EDITORIAL, Weight.BINDING),
    ],
)
def test_binding_outweighs_informing_and_informing_outweighs_editorial(
    first: Weight, second: Weight, heaviest: Weight
) -> None:
    assert heavier(first, second) is heavier(second, first) is heaviest


def test_a_change_survives_being_stored() -> None:
    for before, after in [(None, full_entry()), (full_entry(), None), (full_entry(), full_entry(role="subprocessor"))]:
        change = change_of(before, after)
        assert EntryChange.from_document(json.loads(json.dumps(change.as_document()))) == change


@given(entry=entries)
def test_no_entry_differs_from_itself(entry: EntryContent) -> None:
    assert diff_entry("nimbus", entry, entry.model_copy(deep=True)) is None


@given(before=entries, after=entries)
def test_two_entries_differ_exactly_where_their_digests_do(before: EntryContent, after: EntryContent) -> None:
    change = diff_entry("nimbus", before, after)
    assert (change is None) == (digest_of(before.as_document()) == digest_of(after.as_document()))
    if change is not None:
        assert all(field.before != field.after for field in change.fields)
        assert {field.kind for field in change.fields} == set(change.kinds) - {ChangeKind.ADDITION}
        assert change.weight in {field.weight for field in change.fields}
        assert EntryChange.from_document(json.loads(json.dumps(change.as_document()))) == change


@given(before=entries, after=entries)
def test_the_way_back_touches_the_same_fields(before: EntryContent, after: EntryContent) -> None:
    there, back = diff_entry("nimbus", before, after), diff_entry("nimbus", after, before)
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert [(f.field, f.before, f.after) for f in there.fields] == [
            (f.field, f.after, f.before) for f in back.fields
        ]


@given(before=entries, after=entries)
def test_a_change_applied_to_where_it_began_leads_to_where_it_ends(before: EntryContent, after: EntryContent) -> None:
    change = diff_entry("nimbus", before, after)
    if change is not None:
        assert merge_editorial(change, before) == after


def test_an_editorial_edit_reaches_the_announced_target_too() -> None:
    listed = full_entry()
    target = full_entry(retention="90 days.", contact=None)
    edit = change_of(listed, full_entry(contact=FULL["contact"] | {"email": "new@nimbus.example"}, address="Moved"))
    assert edit.weight is Weight.EDITORIAL
    merged = merge_editorial(edit, target)
    assert merged.contact is not None
    assert (merged.contact.email, merged.contact.name) == ("new@nimbus.example", None)
    assert (merged.address, merged.retention) == ("Moved", "90 days.")


def test_an_editorial_edit_can_take_a_statement_away() -> None:
    edit = change_of(full_entry(), full_entry(links=None, until=None))
    merged = merge_editorial(edit, full_entry(retention="90 days."))
    assert (merged.links, merged.until, merged.retention) == (None, None, "90 days.")


def test_an_editorial_edit_that_does_not_fit_the_target_is_refused() -> None:
    edit = change_of(full_entry(), full_entry(since="2027-01-01"))
    with pytest.raises(InvalidInput) as refused:
        merge_editorial(edit, full_entry(until="2026-12-31"))
    assert [problem.code for problem in refused.value.problems] == ["until-before-since"]
