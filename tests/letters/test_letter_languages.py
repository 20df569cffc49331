"""Letters, chat messages and what is merged into them, in every language there is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from registry.domain.vocabulary import Audience, ChannelKind, ServiceLetterKind, StatementKind
from registry.language import ENGLISH, LANGUAGES
from registry.letters.plain_text import WIDTH, columns, lay_out, wrap
from registry.letters.slots import slots_of
from registry.letters.values import FrozenLetter, Sender
from registry.letters.web_forms import freeze_form
from tests.letters.cast import ANNOUNCEMENT, ANTOPSIS, FAILING, OBJECTION, RENDERER, change, facts_of

CHINESE = Sender(
    slug="antopsis",
    name="安托普西斯",
    legal_name=None,
    contact="p@a.example",
    from_address="n@a.example",
    time_zone="Asia/Shanghai",
    page_url="https://r.example/a/",
    privacy_url="https://a.example/p",
    imprint_url="https://a.example/i",
)
BEFORE = {"name": "云", "role": "processor", "purposes": ["托管"], "locations": [{"country": "DE"}]}
AFTER = BEFORE | {
    "role": "subprocessor",
    "purposes": ["托管", "备份"],
    "condition": {"when": "opt_in"},
    "since": "2026-01-02",
}
CHANGES = (change("a", None, BEFORE), change("b", BEFORE, AFTER), change("c", BEFORE, None))
ENGLISH_LEFT = re.compile(r"\b[A-Za-z]{2,}(?: [A-Za-z'’]{2,}){2,}")

TRANSLATED = [code for code in LANGUAGES if code != ENGLISH]


def statements(language: str) -> list[FrozenLetter]:
    """Every statement to every audience, with and without an emergency and a date."""
    letters = []
    for kind in StatementKind:
        facts = replace(
            facts_of(kind), sender=CHINESE, summary="搬迁", changes=CHANGES, product_names=(), reason="原因"
        )
        undated = replace(facts, effective_on=None, effective_at=None, previous_effective_on=None)
        for said in (
            facts,
            undated,
            replace(facts, emergency_reason="火灾"),
            replace(undated, emergency_reason="火灾"),
        ):
            letters += [RENDERER.render_statement(said, audience, language) for audience in Audience]
    return letters


def service_letters(language: str) -> list[FrozenLetter]:
    """Letters about a subscription, an endpoint and an objection."""
    kinds = (ServiceLetterKind.CONFIRM, ServiceLetterKind.ALREADY_SUBSCRIBED)
    letters = [RENDERER.render_service_letter(kind, CHINESE, language, ["产品"]) for kind in kinds]
    for endpoint in (
        replace(FAILING, answer=None, customers=()),
        replace(FAILING, answer="坏", customers=("甲", "乙")),
    ):
        kind = ServiceLetterKind.ENDPOINT_FAILING
        letters.append(RENDERER.render_service_letter(kind, CHINESE, language, endpoint=endpoint))
    for act in ("received", "added", "withdrawn", "reply"):
        kind = ServiceLetterKind.OBJECTION_REPLY if act == "reply" else ServiceLetterKind.OBJECTION_RECEIVED
        for is_in_time in (True, False):
            facts = replace(OBJECTION, act=act, is_in_time=is_in_time, summary="搬迁", about=(), words="答复")
            letters.append(RENDERER.render_objection_letter(kind, CHINESE, language, facts))
    return letters


def test_nothing_is_left_in_english() -> None:
    for letter in [*statements("zh"), *service_letters("zh")]:
        page = re.sub(r"<style.*?</style>|<[^>]+>", " ", letter.html, flags=re.DOTALL)
        for text in (letter.subject, letter.text, page):
            assert ENGLISH_LEFT.findall(text) == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_language_leaves_the_same_places_open(language: str) -> None:
    for said, english in zip(statements(language), statements(ENGLISH), strict=True):
        assert slots_of(said) == slots_of(english)
        assert f'<html lang="{language}"' in said.html
    for said, english in zip(service_letters(language), service_letters(ENGLISH), strict=True):
        assert slots_of(said) == slots_of(english)


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("form", [ChannelKind.SLACK, ChannelKind.TEAMS])
def test_a_chat_room_reads_its_language(language: str, form: ChannelKind) -> None:
    made_at = ANNOUNCEMENT.announced_at
    said, english = (
        freeze_form(form, ANNOUNCEMENT, Audience.CUSTOMER, "Title", spoken, made_at).text
        for spoken in (language, ENGLISH)
    )
    for words in ("Object by", "Takes effect", "How to object", "The notice", "new on the list", "Reference"):
        assert words in english
        assert words not in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_webhook_reads_the_same_in_every_language(language: str) -> None:
    frozen = freeze_form(ChannelKind.WEBHOOK, ANNOUNCEMENT, Audience.CUSTOMER, "T", language, ANNOUNCEMENT.announced_at)
    assert '"type":"notice.announced"' in frozen.text
    assert "Germany" not in frozen.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_is_too_wide_to_read(language: str) -> None:
    letter = RENDERER.render_statement(replace(ANNOUNCEMENT, sender=ANTOPSIS), Audience.CUSTOMER, language)
    assert [line for line in letter.text.splitlines() if columns(line) > WIDTH and " " in line.strip()] == []


def test_chinese_is_broken_between_its_characters_and_never_before_a_mark() -> None:
    text = "名单保持不变，直至另行通知。一旦无需再等待任何客户，变更将于 Asia/Shanghai 时区次日零时生效。" * 3
    lines = wrap(text, "  ").splitlines()
    assert len(lines) > 3
    assert all(columns(line) <= WIDTH for line in lines)
    assert not any(line.strip()[0] in "，。" for line in lines)
    assert "".join(line.strip() for line in lines).replace(" ", "") == text.replace(" ", "")
    assert columns(wrap("通知" * 30).splitlines()[0]) >= WIDTH - 1


def test_wide_labels_leave_the_column_straight_and_long_ones_stand_above_it() -> None:
    assert lay_out("通知:", ["a", "b"], column=10) == "通知:     a\n          b"
    assert lay_out("Personenbezogene Daten:", ["a"], column=10) == "Personenbezogene Daten:\n          a"
