"""The publisher's own words in a letter and in what goes out by web: readable everywhere, and harmless."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from lxml import html as lxml_html

from registry.domain.vocabulary import Audience, ChannelKind, StatementKind
from registry.letters.compose import compose
from registry.letters.press import Press
from registry.letters.slots import BrokenSlot
from registry.letters.values import FrozenLetter
from tests.letters.cast import ANNOUNCEMENT, ANTOPSIS, RENDERER, facts_of, merge_for
from tests.letters.reading import html_of, text_of
from tests.letters.test_web_forms import CHATS, CHECKS, NOTICE_URL, finished, payload_of, texts_of

WORDS = """# What it means for you
Nothing, *unless* you stream to viewers in the far North, who will see their first picture much sooner than before.

1. Your data stay in the **European Union**, in the two places named below and in no place that is not named there.
2. Your contract stays as it is.

> Whoever objects keeps Falkenstein alone.

See [our page](https://antopsis.example/helsinki)."""
IN_TEXT = """In our own words
----------------

What it means for you

Nothing, _unless_ you stream to viewers in the far North, who will see their
first picture much sooner than before.

1. Your data stay in the *European Union*, in the two places named below and
   in no place that is not named there.
2. Your contract stays as it is.

> Whoever objects keeps Falkenstein alone.

See our page (https://antopsis.example/helsinki).

What changes
------------
"""
EXPLAINED = replace(ANNOUNCEMENT, explanation=WORDS)
LONGEST = "Äpfel & <Birnen> *sind* [Obst](https://antopsis.example/obst).\n" * 80


def _letter(words: str, audience: Audience = Audience.CUSTOMER) -> FrozenLetter:
    return RENDERER.render_statement(replace(ANNOUNCEMENT, explanation=words), audience, "en")


@pytest.mark.parametrize("audience", Audience)
def test_plain_text_has_the_words_before_the_changes_wrapped_like_all_else(audience: Audience) -> None:
    letter = _letter(WORDS, audience)
    text = text_of(compose(letter, merge_for(letter, audience), ANTOPSIS))
    assert IN_TEXT in text
    assert max(len(line) for line in text.splitlines() if "://" not in line) <= 78


@pytest.mark.parametrize("audience", Audience)
def test_html_has_them_as_html_with_headings_in_their_order(audience: Audience) -> None:
    letter = _letter(WORDS, audience)
    tree = lxml_html.document_fromstring(html_of(compose(letter, merge_for(letter, audience), ANTOPSIS)))
    own = tree.find(".//div[@class='own']")
    assert [each.tag for each in own] == ["h3", "p", "ol", "blockquote", "p"]
    (link,) = own.iter("a")
    assert (link.get("href"), link.get("rel")) == ("https://antopsis.example/helsinki", "noopener nofollow")
    levels = [int(each.tag[1]) for each in tree.iter("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_nothing_in_them_is_taken_for_markup_of_the_letter() -> None:
    typed = '<script>alert("1")</script> {{ facts }} {% raw %} & <img src=x>'
    letter = _letter(typed)
    tree = lxml_html.document_fromstring(html_of(compose(letter, merge_for(letter, Audience.CUSTOMER), ANTOPSIS)))
    assert list(tree.iter("script", "img")) == []
    assert (
        '<script>alert("1")</script> {{ facts }} {% raw %} & <img src=x>'
        in tree.find(".//div[@class='own']").text_content()
    )


def test_words_that_would_make_a_slot_are_refused() -> None:
    with pytest.raises(BrokenSlot):
        _letter("\x02why\x03")


def test_a_letter_without_any_has_no_place_for_them() -> None:
    assert "In our own words" not in _letter("").text
    assert "own" not in _letter("").html.replace("down", "").replace("known", "").replace("shown", "")


def test_an_explained_letter_is_pressed_to_the_bytes_it_is_composed_to() -> None:
    for audience in Audience:
        letter = _letter(LONGEST, audience)
        merge = merge_for(letter, audience)
        assert Press(letter, ANTOPSIS).merge(merge) == compose(letter, merge, ANTOPSIS)


def test_a_webhook_carries_their_source_and_null_for_none() -> None:
    assert payload_of(EXPLAINED, Audience.CUSTOMER)["data"]["notice"]["explanation"] == WORDS
    assert payload_of(ANNOUNCEMENT, Audience.CUSTOMER)["data"]["notice"]["explanation"] is None


@pytest.mark.parametrize("form", CHATS)
def test_a_chat_room_reads_them_as_plain_text_after_the_summary(form: ChannelKind) -> None:
    said = texts_of(form, finished(form, EXPLAINED))
    joined = "\n".join(said)
    assert "Nothing, _unless_ you stream" in joined
    assert "2. Your contract stays as it is." in joined
    assert "See our page (https://antopsis.example/helsinki)." in joined
    assert joined.index("What it means for you") < joined.index("Finland")


@pytest.mark.parametrize("form", CHATS)
@pytest.mark.parametrize("kind", [StatementKind.ANNOUNCEMENT, StatementKind.CORRECTION])
def test_the_longest_words_are_cut_where_a_chat_takes_no_more(form: ChannelKind, kind: StatementKind) -> None:
    facts = replace(facts_of(kind), explanation=LONGEST)
    message = finished(form, facts)
    CHECKS[form](message)
    assert any(text.endswith("…") for text in texts_of(form, message))
    assert NOTICE_URL in message.decode()
