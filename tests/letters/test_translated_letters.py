"""Letters and messages tell of changes in their own language, where the publisher had the texts translated."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from registry.domain.vocabulary import Audience, ChannelKind, StatementKind
from registry.letters.web_forms import freeze_form
from tests.letters.cast import CLOUDFLARE, CLOUDFLARE_AFTER, HETZNER, RENDERER, change, facts_of

GERMAN = {
    "30 days": "30 Tage",
    "Player events": "Ereignisse <im> Player",
    "Servers that run the service": "Server, auf denen der Dienst läuft",
}
CLOUDFLARE_GERMAN = {"30 days": GERMAN["30 days"]}, {"Player events": GERMAN["Player events"]}
CHANGES = (
    change(
        "cloudflare",
        CLOUDFLARE | {"translations": {"de": CLOUDFLARE_GERMAN[0]}},
        CLOUDFLARE_AFTER | {"translations": {"de": CLOUDFLARE_GERMAN[1]}},
    ),
    change("hetzner", None, HETZNER | {"translations": {"de": {k: GERMAN[k] for k in (HETZNER["purposes"][0],)}}}),
)
ORIGINAL = (change("cloudflare", CLOUDFLARE, CLOUDFLARE_AFTER), change("hetzner", None, HETZNER))


@pytest.mark.parametrize("kind", [StatementKind.ANNOUNCEMENT, StatementKind.CORRECTION, StatementKind.REMINDER])
def test_a_letter_says_both_sides_of_a_change_in_its_language(kind: StatementKind) -> None:
    facts = replace(facts_of(kind), changes=CHANGES)
    german = RENDERER.render_statement(facts, Audience.CUSTOMER, "de")
    text = " ".join(german.text.split())
    html = " ".join(re.sub(r"<[^>]+>", " ", german.html).split())
    for said, tag in ((text, "<im>"), (html, "&lt;im&gt;")):
        assert "30 Tage" in said
        assert f"Ereignisse {tag} Player" in said
        assert "Server, auf denen der Dienst läuft" in said
        assert "IP addresses" in said
        assert "Player events" not in said
        assert re.search(r"Einige Texte in diesem Schreiben hat Antopsis[^;]* übersetzt; die Originale stehen", said)


@pytest.mark.parametrize("kind", StatementKind)
@pytest.mark.parametrize("language", ["en", "vi"])
def test_in_every_other_language_not_a_byte_of_a_letter_differs(kind: StatementKind, language: str) -> None:
    facts = facts_of(kind)
    for audience in Audience:
        translated = RENDERER.render_statement(replace(facts, changes=CHANGES), audience, language)
        assert translated == RENDERER.render_statement(replace(facts, changes=ORIGINAL), audience, language)


@pytest.mark.parametrize("form", [ChannelKind.SLACK, ChannelKind.TEAMS, ChannelKind.WEBHOOK])
def test_a_chat_room_reads_its_language_and_a_webhook_the_originals_with_their_translations(form: ChannelKind) -> None:
    facts = replace(facts_of(StatementKind.ANNOUNCEMENT), changes=CHANGES)
    german, english = (
        freeze_form(form, facts, Audience.CUSTOMER, "Title", language, facts.announced_at).text
        for language in ("de", "en")
    )
    assert "Server, auf denen der Dienst läuft" in german
    if form is ChannelKind.WEBHOOK:
        assert german == english
        assert "Servers that run the service" in german
    else:
        assert "Servers that run the service" not in german
        assert "Servers that run the service" in english
