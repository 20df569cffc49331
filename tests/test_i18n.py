"""Sentences for people: every code has one, and each names the field, the value and what would do."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import string
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import registry
from registry import i18n
from registry.domain.changes import diff_entry
from registry.domain.entries import read_entry
from registry.domain.errors import IllegalTransition, InvalidInput, Problem, RegistryError
from registry.domain.notice_life import NoticeEvent, NoticeState, next_notice_state
from registry.domain.notices import NoSuchDay, NoticePeriodTooShort
from registry.domain.validation import _CODES
from registry.i18n import explain, explain_problem, has_sentence, say_problem, show_day
from registry.language import speaking
from registry.readers.registry_file import read_registry_file
from registry.steps.audience_errors import SubscriptionEnded
from registry.steps.end_subscription import EndedBecause
from registry.steps.errors import BeforeFounding

SOURCES = sorted(Path(registry.__file__).parent.rglob("*.py"))

CODE_ARGUMENT = {"PydanticCustomError": 0, "Problem": 2, "_refusal": 1, "_note": 1, "_Unreadable": 0}
"""Which argument of a call is the code of a problem; the last three are those of the YAML reader."""


def every_error() -> list[type[RegistryError]]:
    # Alembic's environment runs when it is imported, and has no errors of its own.
    for module in pkgutil.walk_packages(registry.__path__, "registry."):
        if not module.name.startswith("registry.migrations"):
            importlib.import_module(module.name)

    def below(parent: type[RegistryError]) -> Iterator[type[RegistryError]]:
        for child in parent.__subclasses__():
            yield child
            yield from below(child)

    found = {error for error in below(RegistryError) if error.__module__.startswith("registry.")}
    return sorted(found - {InvalidInput}, key=lambda error: error.__qualname__)


def problem_codes() -> set[str]:
    """The codes of problems that stand in the source, in calls that make one."""
    codes = set(_CODES.values())
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
                if name in CODE_ARGUMENT:
                    codes |= set(_code_in(node, CODE_ARGUMENT[name]))
    return codes


def _code_in(call: ast.Call, position: int) -> Iterator[str]:
    given = [word.value for word in call.keywords if word.arg == "code"] or call.args[position : position + 1]
    for part in given:
        # `"one" if … else "other"` is two codes; a test in it holds no text.
        branches = [part.body, part.orelse] if isinstance(part, ast.IfExp) else [part]
        yield from (b.value for b in branches if isinstance(b, ast.Constant) and isinstance(b.value, str))


def test_the_walk_finds_the_codes_it_must() -> None:
    assert {
        "unknown-country",
        "missing",
        "alias-inside-itself",
        "unknown-alias",
        "bad-yaml",
        "merge-key",
    } <= problem_codes()
    assert {NoticePeriodTooShort, IllegalTransition, NoSuchDay} <= set(every_error())


def test_every_problem_has_a_sentence() -> None:
    assert {code for code in problem_codes() if not has_sentence(code)} == set()


def test_every_error_has_a_code_of_its_own_and_a_sentence() -> None:
    codes = [error.code for error in every_error()]
    assert sorted(codes) == sorted(set(codes))
    assert {error.__qualname__ for error in every_error() if not has_sentence(error.code)} == set()


def test_no_sentence_is_left_over() -> None:
    raised = problem_codes() | {error.code for error in every_error()}
    assert set(i18n._ENGLISH) - raised == set()


def test_a_sentence_asks_only_for_what_its_error_says_it_has() -> None:
    for error in every_error():
        sentence = i18n._ENGLISH.get(error.code)
        if isinstance(sentence, str):
            asked = {name for _, name, _, _ in string.Formatter().parse(sentence) if name} - {"hint"}
            described = set(re.findall(r"\w+", inspect.getdoc(error) or ""))
            assert asked <= described, error.__qualname__


def test_every_sentence_is_one() -> None:
    for code, sentence in i18n._ENGLISH.items():
        if isinstance(sentence, str):
            assert re.search(r"[.?]$|\{hint\}$", sentence), code


BAD_FILE = """\
registry: 1
publisher: {slug: antopsis, name: Antopsis, contact: support@antopsis.io, time_zone: Europe/Berln}
entries:
  - key: equinor
    name: Equinor
    country: Norwy
    legal_nam: Equinor ASA
    name: Twice
  - key: equinor
    name: Again
    since: 2026-02-30
    locations: DE
"""


def test_a_bad_file_is_explained_line_by_line() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_registry_file(BAD_FILE.encode(), "antopsis.yaml")
    assert explain(refused.value).splitlines() == [
        "antopsis.yaml:2: publisher.time_zone: “Europe/Berln” is no time zone of the IANA database, such as "
        "Europe/Berlin or UTC. Did you mean Europe/Berlin, Europe/Dublin or Europe/Belfast?",
        "antopsis.yaml:6: entries.0.country: “Norwy” is no country code of ISO 3166, such as DE or NO. "
        "Did you mean NO (Norway)?",
        "antopsis.yaml:7: entries.0.legal_nam: There is no such field. Did you mean legal_name?",
        "antopsis.yaml:8: entries.0.name: This field stands here twice; it was first given in line 5. Take one out.",
        "antopsis.yaml:9: entries.1.key: “equinor” is taken already (entries.0.key, line 4). "
        "Each key, former keys too, leads to one.",
        "antopsis.yaml:11: entries.1.since: “2026-02-30” is no day of the calendar. "
        "Write a date that exists, such as 2026-11-21.",
        "antopsis.yaml:12: entries.1.locations: “DE” is no list. Write [one, two], or leave the field out.",
    ]


def test_a_file_that_cannot_be_read_at_all_is_explained_without_a_field() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_registry_file(b"#" * 3_000_000, "big.yaml")
    assert explain(refused.value) == (
        "big.yaml: The file has 3000000 bytes, and 2097152 are the most that are read. Nothing of it was read."
    )


def test_a_problem_outside_a_file_is_led_by_its_field_alone() -> None:
    problem = Problem("contact", "x", "not-an-email-address")
    assert explain_problem(problem) == "contact: “x” cannot be an e-mail address. Write it as name@company.example."
    assert say_problem(problem) == "“x” cannot be an e-mail address. Write it as name@company.example."
    assert explain_problem(Problem("a", None, "missing", line=3)).startswith("line 3: a: This field is missing")


def test_a_problem_beyond_count_is_counted() -> None:
    error = InvalidInput([Problem(f"entries.{n}", None, "missing") for n in range(1_060)])
    lines = explain(error).splitlines()
    assert len(lines) == 51
    assert lines[-1] == "… and 1,010 more problems."


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "“true” is no list"),
        (None, "Nothing is no list"),
        ({"a": 1}, "A group of fields is no list"),
        (5, "“5” is no list"),
        ("x" * 1000, f"“{'x' * 80}…” is no list"),
        ("a\nb\x07\ud800", "“a\\u000ab\\u0007\\ud800” is no list"),
    ],
)
def test_a_refused_value_is_shown_as_it_was_given_and_not_whole(value: object, shown: str) -> None:
    assert say_problem(Problem("x", value, "not-a-list")).startswith(shown)


def test_too_short_a_notice_says_whose_clock_it_is_and_which_date_would_do() -> None:
    error = NoticePeriodTooShort(
        requested_on=date(2026, 10, 3),
        customer="Harbour Ltd",
        customer_key="harbour",
        rule="notice",
        days=45,
        counting="calendar",
        zone="Asia/Tokyo",
        first_on=date(2026, 11, 15),
        publisher_zone="Europe/Berlin",
    )
    assert explain(error) == (
        "Saturday, 3 October 2026 (2026-10-03), Europe/Berlin is too early for Harbour Ltd (harbour): its 45 days of "
        "notice, counted in Asia/Tokyo, will not be over. The first date that would do is Sunday, 15 November 2026 "
        "(2026-11-15), Europe/Berlin."
    )


def test_too_short_a_notice_under_the_publishers_own_terms_names_no_customer() -> None:
    error = NoticePeriodTooShort(
        requested_on=date(2026, 10, 3),
        customer=None,
        customer_key=None,
        rule="objection",
        days=1,
        counting="business",
        zone="Europe/Berlin",
        first_on=date(2026, 10, 6),
        publisher_zone="Europe/Berlin",
    )
    sentence = explain(error)
    assert "under the publisher's own terms: the 1 working day of time to object, counted in Europe/Berlin" in sentence


def test_a_step_that_is_not_in_its_machine_is_named() -> None:
    with pytest.raises(IllegalTransition) as refused:
        next_notice_state(NoticeState.IN_EFFECT, NoticeEvent.TAKE_EFFECT)
    assert explain(refused.value) == (
        "This notice is in the state “in effect”, from which “take effect” is not possible."
    )


def test_a_change_in_a_sentence_is_the_fields_that_differ() -> None:
    class Stale(RegistryError):
        code = "stale-base"

    change = diff_entry("a", read_entry({"name": "A"}), read_entry({"name": "B", "retention": "1 day"}))
    assert "the entry a now differs in name, retention." in explain(Stale(key="a", number="2026-001", change=change))


def test_a_code_without_a_sentence_loses_nothing() -> None:
    class Novel(RegistryError):
        code = "something-novel"

    error = Novel(number="2026-003", on=date(2026, 11, 21), who=None)
    assert explain(error) == "Refused: something-novel (number: 2026-003; on: Saturday, 21 November 2026 (2026-11-21))."
    assert explain(Novel()) == "Refused: something-novel."
    assert explain_problem(Problem("a", 5, "something-else")) == "a: Refused: something-else (value: “5”)."


def test_a_parameter_that_is_missing_does_not_hide_the_sentence() -> None:
    class Bare(RegistryError):
        code = "unknown-publisher"

    assert explain(Bare()) == "There is no publisher “(slug not given)”."


@given(
    code=st.sampled_from(sorted(i18n._ENGLISH)),
    params=st.dictionaries(
        st.sampled_from(["near", "known", "value", "days", "first_on", "cycle", "first", "state", "customer"]),
        st.none() | st.text() | st.integers() | st.dates() | st.lists(st.text()),
    ),
    value=st.none() | st.text() | st.integers() | st.lists(st.text()),
)
def test_explaining_never_fails_and_stays_on_one_line(code: str, params: dict[str, object], value: object) -> None:
    sentence = explain_problem(Problem("field\nname", value, code, params), file="a\nb.yaml")
    assert len(sentence.splitlines()) == 1
    assert sentence.encode("utf-8")


def test_a_day_is_shown_in_words_and_iso_with_its_zone() -> None:
    assert show_day(date(2026, 10, 31), "Europe/Berlin") == "Saturday, 31 October 2026 (2026-10-31), Europe/Berlin"
    assert show_day(date(2026, 10, 31)) == "Saturday, 31 October 2026 (2026-10-31)"


@pytest.mark.parametrize(
    ("language", "day", "sentence"),
    [
        (
            "de",
            "Samstag, 31. Oktober 2026 (2026-10-31)",
            "Am Samstag, 31. Oktober 2026",
        ),
        ("vi", "Thứ Bảy, ngày 31 tháng 10 năm 2026 (2026-10-31)", "Không có danh sách vào Thứ Bảy"),
        ("zh", "2026年10月31日星期六 (2026-10-31)", "2026年10月31日星期六 (2026-10-31) 没有名单。"),
        ("xx", "Saturday, 31 October 2026 (2026-10-31)", "There was no list on Saturday"),
    ],
)
def test_what_readers_meet_is_said_in_the_language_spoken(language: str, day: str, sentence: str) -> None:
    with speaking(language):
        assert show_day(date(2026, 10, 31)) == day
        assert explain(BeforeFounding(on=date(2026, 10, 31), founded_on=date(2026, 11, 2))).startswith(sentence)
        # What only the team and operators meet is in English, whatever is spoken.
        assert explain(NoSuchDay(on=date(2011, 12, 30), zone="UTC")).startswith("In UTC there was")


def test_a_subscription_that_has_ended_says_why() -> None:
    said = {explain(SubscriptionEnded(because=why.value)) for why in EndedBecause}
    assert all(each.startswith("This subscription") for each in said)
    assert len(said) == 4
