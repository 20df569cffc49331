"""From YAML to plain values with their lines, and no further than its limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.errors import InvalidInput, Problem
from registry.readers import yaml_values
from registry.readers.yaml_values import MAX_BYTES, MAX_DEPTH, MAX_VALUES, read_yaml


def value_of(text: str) -> Any:
    read = read_yaml(text.encode(), "list.yaml")
    assert read.problems == []
    return read.value


def refusal_of(data: bytes) -> Problem:
    with pytest.raises(InvalidInput) as refused:
        read_yaml(data, "list.yaml")
    assert refused.value.params["file"] == "list.yaml"
    (problem,) = refused.value.problems
    return problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("NO", "NO"), ("no", "no"), ("yes", "yes"), ("on", "on"), ("y", "y"), ("Off", "Off")),
        *(("true", True), ("False", False), ("~", None), ("null", None), ("", None)),
        *(
            ("30", 30),
            ("-3", -3),
            ("0o17", 15),
            ("0x1F", 31),
            ("017", 17),
            ("1_000", "1_000"),
            ("12:30:45", "12:30:45"),
        ),
        *(
            ("1.5", 1.5),
            ("1e3", 1000.0),
            (".inf", ".inf"),
            (".nan", ".nan"),
            ("1.2.3", "1.2.3"),
            ("9" * 40, float("9" * 40)),
        ),
        *(("2026-02-30", "2026-02-30"), ("2026-11-21T08:00:00Z", "2026-11-21T08:00:00Z")),
        *(('"30"', "30"), ("'true'", "true"), ("!!str 30", "30"), ("! 30", "30"), ('"\\u00e9"', "é")),
    ],
)
def test_words_are_words_and_dates_are_left_to_the_models(text: str, value: object) -> None:
    read = value_of(f"- {text}\n")[0]
    assert (type(read), read) == (type(value), value)


def test_norway_stays_norway_whatever_version_the_file_claims() -> None:
    assert value_of("%YAML 1.1\n---\n{country: NO}") == {"country": "NO"}


def test_lists_groups_and_texts_of_several_lines() -> None:
    text = "a:\n  - {b: [1, 2], c: {}}\n  - |\n    two\n    lines\nd: >-\n  one\n  line\n"
    assert value_of(text) == {"a": [{"b": [1, 2], "c": {}}, "two\nlines\n"], "d": "one line"}


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    read = read_yaml(b"\xef\xbb\xbfa: 1\r\nb: |\r\n  x\r\n  y\r\n", "list.yaml")
    assert read.value == {"a": 1, "b": "x\ny\n"}
    assert read.line_of("b") == 2


def test_every_value_knows_its_line() -> None:
    text = "a: 1\n\nb:\n  - c: x\n    d: |\n      text\n  - {e: 1,\n     f: 2}\n"
    read = read_yaml(text.encode(), "list.yaml")
    lines = {"a": 1, "b": 3, "b.0": 4, "b.0.c": 4, "b.0.d": 5, "b.1": 7, "b.1.e": 7, "b.1.f": 8}
    assert {path: read.line_of(path) for path in lines} == lines


def test_what_is_not_in_the_file_has_the_line_of_what_is_around_it() -> None:
    read = read_yaml(b"a: 1\nb:\n  - c: x\n", "list.yaml")
    assert read.line_of("b.0.missing.deeper") == 3
    assert read.line_of("missing") == 1


def test_a_field_given_twice_is_named_with_both_lines_and_the_rest_is_still_read() -> None:
    read = read_yaml(b"a:\n  b: 1\n  c: 2\n  b: {d: 3}\n  b: 4\ne: 5\n", "list.yaml")
    assert [(p.field, p.code, p.line, p.params) for p in read.problems] == [
        ("a.b", "repeated-field", 4, {"first_line": 2}),
        ("a.b", "repeated-field", 5, {"first_line": 2}),
    ]
    assert read.value == {"a": {"b": 1, "c": 2}, "e": 5}


def test_an_alias_is_what_it_stands_for() -> None:
    assert value_of("a: &x [1, {b: 2}]\nc: *x\nd: [*x]\n") == {
        "a": [1, {"b": 2}],
        "c": [1, {"b": 2}],
        "d": [[1, {"b": 2}]],
    }
    assert value_of("a: &x 1\nb: &x 2\nc: *x\n")["c"] == 2


def test_tags_and_merge_keys_are_named_where_they_stand() -> None:
    text = b"a: !!python/object/apply:os.system [x]\nb: !own {c: 1}\nd:\n  <<: {e: 1}\n  f: !!binary aGk=\n"
    read = read_yaml(text, "list.yaml")
    assert [(p.field, p.code, p.line) for p in read.problems] == [
        ("a", "tag-refused", 1),
        ("b", "tag-refused", 2),
        ("d.<<", "merge-key", 4),
        ("d.f", "tag-refused", 5),
    ]
    assert read.problems[0].params == {"tag": "!!python/object/apply:os.system"}


def test_a_quoted_merge_key_is_a_name_like_another() -> None:
    assert value_of('"<<": 1') == {"<<": 1}


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "empty-file", 1),
        (b"# a comment\n\n", "empty-file", 1),
        (b"a: 1\nb: [1\n", "bad-yaml", 3),
        (b"a: 1\n  b: 2\n", "bad-yaml", 2),
        (b"a: 1\nb: 'open\n", "bad-yaml", 3),
        (b"a:\n\t- x\n", "bad-yaml", 2),
        (b"a: 1\n%YAML 1.9\n", "bad-yaml", 2),
        (b"%YAML 1.9\n---\na: 1\n", "bad-yaml", 1),
        (b'a: 1\nb: "\\U99999999"\n', "bad-yaml", 2),
        (b"a: 1\nb: @x\n", "bad-yaml", 2),
        (b"a: 1\nb: bell\x07\n", "control-character", 2),
        (b"a: 1\nb: nul\x00\n", "control-character", 2),
        (b"a: 1\nb: \xff\n", "not-utf-8", 2),
        ("a: ü\n".encode("latin-1"), "not-utf-8", 1),
        ("a: 1\n".encode("utf-16"), "not-utf-8", 1),
        (b"a: 1\n---\nb: 2\n", "second-document", 2),
        (b"a: 1\n? [x, y]\n: 2\n", "key-not-text", 2),
        (b"&a a: 1\n*a : 2\n", "key-not-text", 2),
        (b"a: *nothing\n", "unknown-alias", 1),
        (b"a: &a [1, *a]\n", "alias-inside-itself", 1),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(data: bytes, code: str, line: int) -> None:
    problem = refusal_of(data)
    assert (problem.code, problem.line) == (code, line)


def test_the_place_of_an_error_in_the_writing_is_told_to_the_column() -> None:
    assert refusal_of(b"a: 1\nb: c: d\n").params == {"problem": "mapping values are not allowed here", "column": 5}


def test_a_character_no_text_can_hold_is_named() -> None:
    assert refusal_of(b"a: bell\x07\n").params == {"character": "U+0007"}


def test_a_file_beyond_the_limit_is_refused_before_it_is_looked_at() -> None:
    assert refusal_of(b"\xff" * (10 * 1024 * 1024)).params == {"bytes": 10 * 1024 * 1024, "limit": MAX_BYTES}
    assert refusal_of(b"#" * (MAX_BYTES + 1)).code == "file-too-large"
    assert refusal_of(b"#\n" * (MAX_BYTES // 2)).code == "empty-file"


@pytest.mark.parametrize("opening", [b"[", b"{a: ", b"- "])
def test_nesting_without_end_costs_a_message(opening: bytes) -> None:
    problem = refusal_of(opening * 100_000)
    assert (problem.code, problem.params) == ("too-deep", {"limit": MAX_DEPTH})


def test_a_line_that_nobody_wrote_by_hand_is_refused_before_it_is_scanned() -> None:
    problem = refusal_of(b"a: 1\nb: !" + b"x" * 1_000_000 + b" 1")
    assert (problem.code, problem.line) == ("line-too-long", 2)


def test_nesting_within_the_limit_is_read() -> None:
    assert value_of("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None


def test_aliases_that_stand_for_gigabytes_cost_a_message() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert refusal_of("\n".join(lines).encode()).code == "too-many-values"
    long_text = b"s: &s '" + b"x" * 400_000 + b"'\nl: [" + b"*s, " * 100 + b"]"
    assert refusal_of(long_text).code == "too-many-values"


def test_more_values_than_a_list_can_need_cost_a_message() -> None:
    problem = refusal_of(b"- a\n" * (MAX_VALUES + 1))
    assert (problem.code, problem.params) == ("too-many-values", {"limit": MAX_VALUES})


_plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=6), inner, max_size=3),
    max_leaves=12,
)


@given(value=st.dictionaries(st.sampled_from("abc"), _plain_values, min_size=1))
def test_what_another_library_writes_is_read_as_it_was_meant(value: dict[str, Any]) -> None:
    # JSON is YAML. Its escapes name every character, so none of them is refused by the way.
    assert read_yaml(json.dumps(value).encode(), "list.yaml").value == value


@given(
    data=st.lists(
        st.sampled_from([*"[]{}:,-?&*!|>%@`\"'# \n", "a", "1", "é", "---", "%YAML 1.", "\\U9", "\t"]), max_size=30
    )
)
def test_no_writing_brings_out_anything_but_a_refusal(data: list[str]) -> None:
    try:
        line = read_yaml("".join(data).encode(), "list.yaml").line_of("")
    except InvalidInput as refused:
        line = refused.problems[0].line
    assert line is not None
    assert line >= 1


def test_the_limits_leave_room_for_a_list_of_a_thousand_entries() -> None:
    entry = (
        "  - key: vendor-{n}\n    name: Vendor {n}\n    legal_name: Vendor Number {n} Incorporated\n"
        "    purposes: [Hosting, Backups, Support]\n    data_categories: [Account data, Usage data, Content]\n"
        "    locations: [{{country: DE, place: Falkenstein, function: processing}}, {{country: US}}]\n"
        "    transfers: [{{regime: eu, mechanism: eu.art45.us-dpf, destination: US}}]\n    country: US\n"
    )
    text = "registry: 1\nentries:\n" + "".join(entry.format(n=n) for n in range(1000))
    assert len(text) < yaml_values.MAX_BYTES / 2
    assert len(value_of(text)["entries"]) == 1000
