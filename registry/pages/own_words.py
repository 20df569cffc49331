"""Which texts of a page are as the publisher wrote them, and which it had translated: for eyes, and for ears."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from registry.domain.changes import EntryChange
from registry.domain.entries import EntryContent
from registry.language import find_language, language_name, spoken
from registry.pages.values import PublicPublisher


def tell_own_words(publisher: PublicPublisher, shown: Iterable[EntryContent | EntryChange | None]) -> dict[str, Any]:
    """Return what templates take to mark texts in another language than the page's, and to say what is translated.

    `own_language` is the publisher's, None where the page is in it, and `own_language_name` what it is called here.
    `translated` are the words on the page that are translations; of None nothing is shown.
    """
    own = find_language(publisher.language) or publisher.language
    if own == spoken():
        return {"own_language": None}
    said = (each.translations.get(spoken(), {}) for each in shown if each is not None)
    return {
        "own_language": own,
        "own_language_name": language_name(own),
        "translated": frozenset(words for each in said for words in each.values()),
    }
