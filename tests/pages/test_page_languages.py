"""Pages, feeds and errors in every language: nothing is English but what somebody wrote, and what law is called."""

from __future__ import annotations

import html
import re
from datetime import date
from typing import Any, get_args

import pytest
from werkzeug.exceptions import NotFound, TooManyRequests

from registry import language
from registry.domain.transfers import load_mechanisms
from registry.language import ENGLISH, LANGUAGES, Words, speaking
from registry.pages import wording
from registry.pages.feed_items import FeedKind, build_feed
from registry.pages.grounds import PLAIN_WORDS, REGIMES
from registry.web.wording import OBJECTION_DONE, OBJECTION_STATES, explain_status
from tests.pages import factories
from tests.pages.factories import ADDRESSES, empty_list, public_list, stripe_history
from tests.pages.reading import renderer

TRANSLATED = [code for code in LANGUAGES if code != ENGLISH]
LEFT_OPEN = re.compile(r"(%\(\w+\)s|\{\w+\}|<[^>]+>)")
PHRASE = re.compile(r"(?<!\w)[A-Za-z][A-Za-z'’]+(?: [A-Za-z'’]+)+(?!\w)")
NOT_WORDS = frozenset({"light dark", "Subprocessor registry"})
"""A keyword of the page's head, and the product's name where feeds name what made them."""


class Marked:
    """A catalogue that gives every letter of a marked sentence away, so that what was not marked is seen."""

    def gettext(self, message: str) -> str:
        pieces = LEFT_OPEN.split(message)
        return "".join(each if LEFT_OPEN.fullmatch(each) else re.sub("[A-Za-z]", "ж", each) for each in pieces)

    def ngettext(self, one: str, many: str, number: int) -> str:
        return self.gettext(one if number == 1 else many)

    def pgettext(self, context: str, message: str) -> str:
        del context
        return self.gettext(message)


def artefacts() -> dict[str, str]:
    """Every page and feed of a list, in the language spoken here."""
    pages, public = renderer(), public_list()
    key = public.entries[0].key
    made = {
        "list": pages.list_page(public, ADDRESSES),
        "empty": pages.list_page(empty_list(), ADDRESSES),
        "past": pages.list_page(public_list(as_of=date(2026, 6, 1)), ADDRESSES),
        "entry": pages.entry_page(public, key, stripe_history(), ADDRESSES),
        "notices": pages.notices_page(public, ADDRESSES),
        "publishers": pages.publishers_page([("Antopsis", "https://lists.example/antopsis/", 3)]),
    }
    made |= {f"notice {each.number}": pages.notice_page(public, each, ADDRESSES) for each in public.notices}
    made |= {kind: build_feed(public, ADDRESSES, kind) for kind in get_args(FeedKind)}
    return {name: body.decode("utf-8") for name, body in made.items()}


def phrases(text: str) -> set[str]:
    """Whatever reads as words on a page or in a feed: text, and the attributes that are read aloud or shown."""
    text = html.unescape(text.replace("\r\n ", "").replace("\\n", "\n"))
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.DOTALL)
    shown = re.findall(r'(?:title|aria-label|alt|placeholder|content)="([^"]*)"', text)
    return {found for each in [*re.split(r"<[^>]+>", text), *shown] for found in PHRASE.findall(each)}


def written() -> str:
    """What the publisher wrote, and what law is called: it stays as it is."""
    facts: list[Any] = [vars(factories), stripe_history(), load_mechanisms()]
    return html.unescape(repr(facts)).replace("->", " to ").replace("\\n", "\n")


def test_every_sentence_of_pages_and_feeds_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_catalogue_of", lambda _: Marked())
    with speaking("zh"):
        made = artefacts()
    facts = written()
    left = {(name, found) for name, text in made.items() for found in phrases(text) - NOT_WORDS if found not in facts}
    assert left == set()


@pytest.mark.parametrize("spoken", TRANSLATED)
def test_words_differ_from_english_in_every_language(spoken: str) -> None:
    tables: list[Words[Any]] = [
        wording.ROLES,
        wording.FUNCTIONS,
        wording.CONDITIONS,
        wording.CHANGE_KINDS,
        wording.STATES,
        PLAIN_WORDS,
    ]
    tables += [wording.ROLE_MEANINGS, wording.STATEMENTS, wording.FIELDS_IN_A_SENTENCE, REGIMES]
    tables += [OBJECTION_STATES, OBJECTION_DONE]
    for table in tables:
        english = dict(table)
        with speaking(spoken):
            assert all(said and said != english[key] for key, said in table.items())


@pytest.mark.parametrize(
    ("spoken", "days", "left", "told"),
    [
        ("de", ["in 12 Tagen", "vor 3 Tagen", "morgen"], "noch 1 Tag", "Samstag, 31. Oktober 2026 (2026-10-31), UTC"),
        ("vi", ["sau 12 ngày nữa", "3 ngày trước", "ngày mai"], "còn 1 ngày", "Thứ Bảy, ngày 31 tháng 10 năm 2026"),
        ("zh", ["12 天后", "3 天前", "明天"], "还剩 1 天", "2026年10月31日星期六 (2026-10-31), UTC"),
    ],
)
def test_days_are_counted_as_each_language_counts(spoken: str, days: list[str], left: str, told: str) -> None:
    today = date(2026, 10, 20)
    with speaking(spoken):
        assert [wording.days_left(date.fromordinal(today.toordinal() + each), today) for each in (12, -3, 1)] == days
        assert wording.period_left(date(2026, 10, 21), today) == left
        assert wording.date_told(date(2026, 10, 31), "UTC").startswith(told)


def test_a_country_without_a_name_stays_its_code_and_a_reach_is_translated() -> None:
    with speaking("de"):
        assert [wording.place_name(code) for code in ("NO", "edge", "QZ")] == [
            "Norwegen",
            "Netzrand, in der Nähe des Nutzers",
            "QZ",
        ]


@pytest.mark.parametrize("spoken", TRANSLATED)
def test_an_error_is_explained_in_the_readers_language(spoken: str) -> None:
    english = [explain_status(each) for each in (NotFound(), TooManyRequests())]
    with speaking(spoken):
        said = [explain_status(each) for each in (NotFound(), TooManyRequests())]
    for there, here in zip(english, said, strict=True):
        assert (there.code, there.status) == (here.code, here.status)
        assert not {there.title, there.message, there.advice} & {here.title, here.message, here.advice}
