"""Markdown as a publisher writes it: safe HTML, and plain text that needs no explaining."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.markdown import to_blocks, to_html, to_text
from tests.web.site import attributes_of

LETTER = """# Why we do this
We open a **second site** in *Helsinki*.
Nothing else moves.

- Falkenstein stays
- Helsinki comes
  - for storage
  - for backups

> As promised,
> in 2025.

3. first this
4. then that
"""


def test_a_text_becomes_paragraphs_lists_quotations_and_headings_of_one_size() -> None:
    page = to_html(LETTER)
    assert "<h3>Why we do this</h3>" in page
    assert "<strong>second site</strong> in <em>Helsinki</em>.<br>" in page
    assert '<ol start="3">' in page
    assert "<blockquote>" in page
    assert page.count("<ul>") == 2


def test_the_same_text_reads_well_without_markup() -> None:
    assert (
        to_text(LETTER)
        == """Why we do this

We open a *second site* in _Helsinki_.
Nothing else moves.

- Falkenstein stays
- Helsinki comes
  - for storage
  - for backups

> As promised,
> in 2025.

3. first this
4. then that"""
    )


@pytest.mark.parametrize("level", range(1, 7))
def test_no_heading_is_larger_than_those_around_it(level: int) -> None:
    assert to_html(f"{'#' * level} Big") == "<h3>Big</h3>"


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="https://x.example" onclick="alert(1)">x</a>',
        "<style>body{display:none}</style>",
        "<!-- hidden -->",
    ],
)
def test_html_stays_the_characters_it_was_typed_as(source: str) -> None:
    page = to_html(source)
    assert {tag for tag, _, _ in attributes_of(page)} <= {"a"}
    assert not re.search(r"<(?!/?(p|br|a)\b)", page)
    assert to_text(source) == source


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/hosts",
        "/here",
        "#x",
    ],
)
def test_a_link_leads_to_the_web_or_to_a_mailbox_and_nowhere_else(target: str) -> None:
    source = f"[here]({target})"
    assert "href" not in to_html(source)
    assert to_text(source) == source


def test_links_say_that_they_are_not_ours_and_name_their_address_in_plain_text() -> None:
    source = "[our page](https://antopsis.example/why?a=1&b=2), <https://a.example/>, [us](mailto:dpo@antopsis.example)"
    assert to_html(source).count('rel="noopener nofollow"') == 3
    assert 'href="https://antopsis.example/why?a=1&amp;b=2"' in to_html(source)
    assert to_text(source) == (
        "our page (https://antopsis.example/why?a=1&b=2), https://a.example/, us (dpo@antopsis.example)"
    )


def test_an_address_typed_as_it_is_becomes_a_link_without_the_full_stop_after_it() -> None:
    page = to_html("See https://antopsis.example/why. Or (https://antopsis.example/x)!")
    assert [value for _, name, value in attributes_of(page) if name == "href"] == [
        "https://antopsis.example/why",
        "https://antopsis.example/x",
    ]


def test_a_mailbox_reads_as_its_address() -> None:
    assert ">dpo@antopsis.example</a>" in to_html("<mailto:dpo@antopsis.example>")
    assert to_text("<dpo@antopsis.example>") == "dpo@antopsis.example"


def test_a_picture_loads_nothing() -> None:
    page = to_html("![logo](https://tracker.example/pixel.gif)")
    assert "<img" not in page
    assert "src=" not in page


@pytest.mark.parametrize("source", ["", "   \n\n  "])
def test_nothing_is_nothing(source: str) -> None:
    assert to_html(source) == ""
    assert to_blocks(source) == ()


@given(st.text(alphabet=st.sampled_from("ab*_#>-1.[]()!`~<&\"' \n\\hps:/mailto@"), max_size=200))
def test_no_text_makes_anything_but_what_is_allowed(source: str) -> None:
    page = to_html(source)
    allowed = {"p", "br", "strong", "em", "ul", "ol", "li", "a", "blockquote", "h3"}
    assert {found.lower() for found in re.findall(r"</?([a-zA-Z0-9]+)", page)} <= allowed
    for _, name, value in attributes_of(page):
        assert name in {"href", "rel", "start"}
        assert name != "href" or re.match(r"(?i)(https?://|mailto:)", value)
    assert all("\n" not in line for block in to_blocks(source) for line in block.lines)
