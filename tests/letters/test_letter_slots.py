"""The slots of a letter: filled once, each with a value, and never with markup or a link that is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from registry.letters.compose import ImpossibleLink, compose
from registry.letters.slots import BrokenSlot, MissingSlotValue, UnknownSlot
from tests.letters.cast import ANTOPSIS
from tests.letters.merges import LETTER, MERGE, SHORT, SHORT_MERGE, with_slot
from tests.letters.reading import html_of, mailbox_of, parsed, text_of


@pytest.mark.parametrize(
    "hostile",
    [
        "Foo\r\nBcc: everybody@example.org",
        "Foo\nBcc: everybody@example.org",
        "Foo\u2028Bcc: x",
        "Foo\x00\x02why\x03\u202egnp",
    ],
)
def test_a_hostile_name_begins_no_header_and_fills_no_slot(hostile: str) -> None:
    merge = replace(with_slot("recipient_name", hostile), recipient_name=hostile)
    raw = compose(LETTER, merge, ANTOPSIS)
    message = parsed(raw)
    assert message["Bcc"] is None
    assert [name for name in message if name.lower() == "to"] == ["To"]
    assert mailbox_of(raw, "To")[0].startswith("Foo ")
    text = text_of(raw)
    for forbidden in "\x00\x02\x03\u202e\u2028\r":
        assert forbidden not in text
    assert text.count("You are a named contact") == 1


def test_a_value_that_looks_like_a_slot_is_not_filled_again() -> None:
    merge = replace(
        SHORT_MERGE, slots=(("recipient_name", "{why} %(why)s ${why} {{ why }} \x02why\x03"), ("why", "SECRET"))
    )
    raw = compose(SHORT, merge, ANTOPSIS)
    assert "SECRET" not in text_of(raw) + html_of(raw)
    assert text_of(raw) == "For {why} %(why)s ${why} {{ why }} why.\n"


def test_a_slot_without_a_value_is_an_error_and_no_half_letter() -> None:
    with pytest.raises(MissingSlotValue) as caught:
        compose(LETTER, replace(MERGE, slots=tuple(slot for slot in MERGE.slots if slot[0] != "why")), ANTOPSIS)
    assert caught.value.params == {"slot": "why"}


def test_a_slot_nobody_knows_is_an_error_in_the_letter_and_in_the_merge() -> None:
    with pytest.raises(UnknownSlot):
        compose(LETTER, replace(MERGE, slots=(*MERGE.slots, ("nickname", "x"))), ANTOPSIS)
    with pytest.raises(UnknownSlot):
        compose(replace(SHORT, text="\x02nickname\x03"), SHORT_MERGE, ANTOPSIS)


@pytest.mark.parametrize("broken", ["\x02", "a \x03", "\x02recipient_name", "\x02\x02recipient_name\x03\x03"])
def test_half_a_slot_is_an_error(broken: str) -> None:
    with pytest.raises(BrokenSlot):
        compose(replace(SHORT, html=broken), SHORT_MERGE, ANTOPSIS)


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://r.example/ x", "https://r.example/\r\nx", "", "/manage/1"]
)
def test_a_link_that_is_no_web_address_is_refused(link: str) -> None:
    with pytest.raises(ImpossibleLink):
        compose(LETTER, with_slot("manage_url", link), ANTOPSIS)


def test_a_link_keeps_its_signs_in_both_parts() -> None:
    link = "https://registry.example/m?a=1&b=2"
    raw = compose(LETTER, with_slot("manage_url", link), ANTOPSIS)
    assert f"Change contact:  {link}\n" in text_of(raw)
    assert 'href="https://registry.example/m?a=1&amp;b=2"' in html_of(raw)
