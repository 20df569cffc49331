"""The HTML part: whole, safe, and asking nothing of anybody."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import html as lxml_html

from registry.domain.vocabulary import Audience, ServiceLetterKind, StatementKind
from registry.letters.compose import compose
from registry.letters.values import FrozenLetter, StatementFacts
from tests.letters.cast import (
    ANNOUNCEMENT,
    ANTOPSIS,
    CLOUDFLARE,
    HETZNER,
    RENDERER,
    change,
    facts_of,
    merge_for,
    service_letter,
)
from tests.letters.reading import html_of, text_of

LOADING = (
    "img",
    "link",
    "script",
    "iframe",
    "object",
    "embed",
    "video",
    "audio",
    "source",
    "picture",
    "svg",
    "base",
    "form",
)
HOSTILE = '<script>alert("1")</script><img src=x onerror=alert(1)>'


def every_letter() -> list[tuple[str, FrozenLetter, Audience]]:
    letters = [
        (f"{kind}-{audience}-{reason}", facts_of(kind), audience, reason)
        for kind in StatementKind
        for audience in Audience
        for reason in (None, "A fire.")
    ]
    rendered = [
        (name, RENDERER.render_statement(replace(facts, emergency_reason=reason), audience, "en"), audience)
        for name, facts, audience, reason in letters
    ]
    services = [
        (kind.value, service_letter(kind, ANTOPSIS, ("Live streaming",)), Audience.FOLLOWER)
        for kind in ServiceLetterKind
    ]
    return rendered + services


LETTERS = every_letter()


def composed(letter: FrozenLetter, audience: Audience) -> str:
    return html_of(compose(letter, merge_for(letter, audience), ANTOPSIS))


@pytest.mark.parametrize(("letter", "audience"), [pytest.param(*rest, id=name) for name, *rest in LETTERS])
def test_no_letter_loads_anything_from_anywhere(letter: FrozenLetter, audience: Audience) -> None:
    body = composed(letter, audience)
    tree = lxml_html.document_fromstring(body)
    assert [element.tag for element in tree.iter(*LOADING)] == []
    assert [element for element in tree.iter() if element.get("src") or element.get("background")] == []
    assert "url(" not in body
    assert "@import" not in body
    assert "@font-face" not in body


@pytest.mark.parametrize(("letter", "audience"), [pytest.param(*rest, id=name) for name, *rest in LETTERS])
def test_every_letter_is_a_page_of_its_language_with_inlined_styles_and_a_dark_side(
    letter: FrozenLetter, audience: Audience
) -> None:
    body = composed(letter, audience)
    tree = lxml_html.document_fromstring(body)
    assert body.startswith("<!DOCTYPE html>")
    assert tree.get("lang") == "en"
    assert tree.findtext(".//title") == letter.subject
    assert [element.get("content") for element in tree.iter("meta") if element.get("name") == "color-scheme"] == [
        "light dark"
    ]
    assert "prefers-color-scheme: dark" in tree.findtext(".//style")
    assert tree.find(".//h1").get("style")
    assert len(tree.findall(".//h1")) == 1
    assert all(cell.get("scope") for cell in tree.iter("th"))


@pytest.mark.parametrize(("letter", "audience"), [pytest.param(*rest, id=name) for name, *rest in LETTERS])
def test_links_lead_to_the_registry_and_to_the_publisher_only(letter: FrozenLetter, audience: Audience) -> None:
    tree = lxml_html.document_fromstring(composed(letter, audience))
    targets = [element.get("href") for element in tree.iter("a")]
    assert targets
    allowed = ("https://registry.example/antopsis/", "https://antopsis.example/", "mailto:privacy@antopsis.example")
    assert [target for target in targets if not target.startswith(allowed)] == []


def hostile_facts() -> StatementFacts:
    evil = HETZNER | {
        "name": HOSTILE,
        "legal_name": HOSTILE,
        "purposes": [HOSTILE],
        "activity": f"first\n{HOSTILE}",
        "locations": [{"country": "DE", "place": HOSTILE, "function": "processing"}],
        "transfers": [{"mechanism": "other", "details": HOSTILE}],
    }
    return replace(
        ANNOUNCEMENT,
        summary=HOSTILE,
        reason=HOSTILE,
        emergency_reason=HOSTILE,
        changes=(change("evil", None, evil), change("edge", CLOUDFLARE, CLOUDFLARE | {"retention": HOSTILE})),
        sender=replace(ANTOPSIS, name=HOSTILE, legal_name=HOSTILE),
    )


@pytest.mark.parametrize("kind", list(StatementKind))
@pytest.mark.parametrize("audience", list(Audience))
def test_markup_in_content_is_shown_and_never_run(kind: StatementKind, audience: Audience) -> None:
    letter = RENDERER.render_statement(replace(hostile_facts(), kind=kind.value), audience, "en")
    message = compose(letter, merge_for(letter, audience), ANTOPSIS)
    tree = lxml_html.document_fromstring(html_of(message))
    assert [element.tag for element in tree.iter("script", "img")] == []
    assert [element for element in tree.iter() if element.get("onerror")] == []
    assert HOSTILE in tree.text_content()
    assert "<script>" in text_of(message), "plain text shows what was written, without entities"


def test_markup_in_a_merged_value_is_escaped_in_html_and_plain_in_text() -> None:
    letter = RENDERER.render_statement(ANNOUNCEMENT, Audience.CUSTOMER, "en")
    merge = merge_for(letter, Audience.CUSTOMER)
    slots = tuple((name, '"><script>x</script>' if name == "recipient_name" else value) for name, value in merge.slots)
    message = compose(letter, replace(merge, slots=slots), ANTOPSIS)
    assert "&quot;&gt;&lt;script&gt;x&lt;/script&gt;" in html_of(message)
    assert 'For:             "><script>x</script>\n' in text_of(message)


def test_the_same_rows_stand_in_html_and_in_text() -> None:
    message = compose(LETTERS[0][1], merge_for(LETTERS[0][1], Audience.CUSTOMER), ANTOPSIS)
    tree = lxml_html.document_fromstring(html_of(message))
    labels = {cell.text_content().strip() for cell in tree.iter("th")} - {"Before", "After"}
    text = text_of(message)
    assert len(labels) > 20
    assert [label for label in labels if label not in text] == []
