"""The list as other websites show it: small, in a frame, without a script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from registry.domain.translations import in_language
from registry.domain.vocabulary import Role
from registry.language import gettext as _
from registry.language import spoken
from registry.pages.entry_facts import Names, show_field
from registry.pages.own_words import tell_own_words
from registry.pages.selection import ListQuery, select_entries
from registry.pages.values import Addresses, PublicEntry, PublicList, PublicPublisher
from registry.pages.wording import ROLE_HEADINGS, place_name

PATH: Final = "embed"
HEIGHT: Final = 600
"""Pixels of the frame; what is longer is scrolled within it."""


@dataclass(frozen=True)
class FramedEntry:
    """One entry as the frame shows it; an empty field is not stated."""

    name: str
    url: str
    company: str
    purposes: tuple[str, ...]
    places: tuple[str, ...]


def show_frame(public: PublicList, addresses: Addresses, query: ListQuery) -> dict[str, Any]:
    """Return what `public/embed.html` shows: the entries asked for, by role, and what is upcoming.

    Upcoming changes are told whatever is asked for: nobody should miss one because of a filter.
    """
    names = Names.of(public)
    chosen = select_entries(public, query)
    sections = (
        (role, ROLE_HEADINGS[role], [_show(entry, addresses, names) for entry in chosen if entry.content.role is role])
        for role in Role
    )
    return {
        "public": public,
        "sections": [section for section in sections if section[2]],
        "found": len(chosen),
        "upcoming": public.upcoming,
        "query": query,
        **tell_own_words(public.publisher, (entry.content for entry in chosen)),
    }


def _show(entry: PublicEntry, addresses: Addresses, names: Names) -> FramedEntry:
    content = in_language(entry.content, spoken())
    seat = place_name(content.country) if content.country else None
    return FramedEntry(
        name=content.name,
        url=addresses.to(f"entries/{entry.key}"),
        company=", ".join(part for part in (content.legal_name, seat) if part),
        purposes=content.purposes,
        places=show_field("locations", content.model_dump(mode="json")["locations"], names),
    )


def address_of(addresses: Addresses, query: ListQuery) -> str:
    """Return the address of the frame that shows what is asked for, in the language that the page asks for."""
    return addresses.to(PATH, query.as_query())


def write_snippet(publisher: PublicPublisher, address: str) -> str:
    """Return the HTML that shows the frame on another website: no script, and no style that a policy could refuse."""
    title = _("Subprocessors of %(publisher)s", publisher=publisher.name)
    tag = Markup('<iframe src="{}" title="{}" width="100%" height="{}" loading="lazy"></iframe>')
    return str(tag.format(address, title, HEIGHT))
