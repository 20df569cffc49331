"""Which entries a reader asked for: a search in words and a product."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from registry.domain.entries import EntryContent
from registry.domain.vocabulary import Role
from registry.pages.entry_facts import Names, grounds_of, show_field
from registry.pages.values import PublicEntry, PublicList

QUERY_LENGTH = 200


@dataclass(frozen=True)
class ListQuery:
    """What a reader asked to see: words that must all occur in an entry (`q`), and the key of a product."""

    q: str | None = None
    product: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The words searched for, without case and accents, of at most 200 characters of the query."""
        return tuple(_fold((self.q or "")[:QUERY_LENGTH]).split())

    @property
    def asks_anything(self) -> bool:
        """Whether anything is asked for at all."""
        return bool(self.words or self.product)


def select_entries(public: PublicList, query: ListQuery | None) -> tuple[PublicEntry, ...]:
    """Return the entries that hold every word asked for and concern the product, by role, then name.

    An entry without products concerns every product of the publisher, so any known product finds it.
    """
    roles = list(Role)
    names = Names.of(public)
    chosen = [entry for entry in public.entries if query is None or _fits(entry, query, names)]
    return tuple(sorted(chosen, key=lambda e: (roles.index(e.content.role), _fold(e.content.name), e.key)))


def _fits(entry: PublicEntry, query: ListQuery, names: Names) -> bool:
    if query.product:
        concerned = entry.content.products or tuple(names.products)
        if query.product not in concerned:
            return False
    text = _text_of(entry.key, entry.content, names)
    return all(word in text for word in query.words)


def _text_of(key: str, content: EntryContent, names: Names) -> str:
    document = content.as_document()
    lines = [key, content.name, content.country or "", *(place.country for place in content.locations)]
    for field in ("role", *document):
        value = document.get(field)
        if not isinstance(value, dict):
            lines += show_field(field, value, names)
    lines += [ground.in_one_line for ground in grounds_of(content)]
    if content.condition and content.condition.text:
        lines.append(content.condition.text)
    return _fold("\n".join(lines))


def _fold(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    return "".join(character for character in apart if not unicodedata.combining(character)).casefold()
