"""A map of where data goes: every country with a place of processing, by what is done there, and a table of the same.

The shapes lie ready in `world.json`, projected and simplified (docs/decisions/0021). A seat is no place of processing
(DESIGN §4.1), so that the country of establishment does not count; what reaches beyond one country, and what has no
place on the map, is said beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from registry.domain.entries import PLACES_WITHOUT_A_COUNTRY
from registry.domain.vocabulary import LocationFunction
from registry.language import gettext as _
from registry.language import ngettext
from registry.pages.selection import fold
from registry.pages.values import Addresses, PublicEntry, PublicList
from registry.pages.wording import FUNCTIONS, place_name

NAMES_SHOWN: Final = 6
"""How many entries a cell of the table names; the others are counted, and a link away."""

OPEN_UP_TO: Final = 8
"""The table stands open beside the map up to so many places; a longer one waits to be opened."""

UNSTATED: Final = "unstated"
"""What stands for a function where a place has none stated (R7)."""

WORLD: Final = "world"
EUROPE: Final = "europe"
_PITCHES: Final = {WORLD: 14.0, EUROPE: 3.2}  # of the patterns and dots, in units of the map: about 5.5 px on a desktop


@dataclass(frozen=True)
class EntryNamed:
    """An entry as the table names it: with the address of its page."""

    name: str
    url: str


@dataclass(frozen=True)
class Use:
    """One thing that is done at a place, and for whom: the first few by name, `more` of them not named.

    `function` is a `LocationFunction` or "unstated"; nobody does it where there are no names.
    """

    function: str
    label: str
    named: tuple[EntryNamed, ...]
    more: int


@dataclass(frozen=True)
class Place:
    """A country, or a reach beyond one, with what is done there: one row of the table.

    `url` is the list narrowed to it. `uses` has one member for every column of the table, `functions` only those that
    there are. `said` sums them up for the picture. Exactly one of `shape` (SVG path data) and `dot` (its middle) is set
    for a country on the map, none for what is only said beside it.
    """

    code: str
    name: str
    url: str
    said: str
    functions: tuple[str, ...]
    uses: tuple[Use, ...]
    shape: str | None
    dot: tuple[int, int] | None


@dataclass(frozen=True)
class MapView:
    """One cut of the map. `places` are links in this view, `others` are drawn only, being links in the other one.

    `box` is the SVG viewBox; `pitch` the distance of the lines of its patterns, in the same units.
    """

    key: str
    title: str
    box: str
    pitch: float
    places: tuple[Place, ...]
    others: tuple[Place, ...]


@dataclass(frozen=True)
class MapPicture:
    """What the template draws: the views (the world, Europe enlarged), the legend and the table.

    `places` are all rows of the table, countries by name and then the reaches; `beside` those that are not drawn.
    `columns` are the functions that occur, as (function, label). `silent` counts the entries that state no place.
    Without any stated place there are neither views nor places.
    """

    views: tuple[MapView, ...]
    places: tuple[Place, ...]
    beside: tuple[Place, ...]
    columns: tuple[tuple[str, str], ...]
    silent: int
    summary: str
    land: str
    borders: str
    frame: tuple[int, ...]

    @property
    def is_short(self) -> bool:
        """Whether the table is short enough to stand open."""
        return len(self.places) <= OPEN_UP_TO


def draw_world_map(
    public: PublicList,
    addresses: Addresses,
    entries: Iterable[PublicEntry] | None = None,
    link_to: Callable[[str], str] | None = None,
) -> MapPicture:
    """Draw where the entries of a list (or only those given) have their places, in the language spoken.

    `link_to` returns the address that a country code, or a reach, leads to; without it that is the publisher's list
    narrowed by `?region=`.
    """
    chosen = tuple(public.entries if entries is None else entries)
    link = link_to or (lambda code: addresses.to("", (("region", code),)))
    found = _gather(chosen, addresses)
    columns = tuple(
        (function, function_label(function))
        for function in (*LocationFunction, UNSTATED)
        if any(function in uses for uses in found.values())
    )
    places = sorted(
        (_place(code, uses, columns, link) for code, uses in found.items()),
        key=lambda place: (place.code in PLACES_WITHOUT_A_COUNTRY, fold(place.name), place.code),
    )
    world = load_world()
    return MapPicture(
        views=_views(places, world),
        places=tuple(places),
        beside=tuple(place for place in places if place.shape is None and place.dot is None),
        columns=columns,
        silent=sum(not entry.content.locations for entry in chosen),
        summary=_summary(places),
        land=world["land"],
        borders=world["borders"],
        frame=tuple(world["europe"]),
    )


@cache
def load_world() -> dict[str, Any]:
    """Return the shapes of the world; their origin, units and limits are told in docs/decisions/0021."""
    text = resources.files("registry.pages").joinpath("world.json").read_text("utf-8")
    world: dict[str, Any] = json.loads(text)
    return world | {key: frozenset(world[key].split()) for key in ("european", "neighbours")}


def function_label(function: str) -> str:
    """Return the heading of a function, such as "Support access"."""
    if function == UNSTATED:
        return _("Function not stated")
    label = FUNCTIONS[LocationFunction(function)]
    return label[:1].upper() + label[1:]


def _gather(entries: Iterable[PublicEntry], addresses: Addresses) -> dict[str, dict[str, dict[str, EntryNamed]]]:
    """Return place -> function -> entries by their key, each once however many places of one country it has."""
    found: dict[str, dict[str, dict[str, EntryNamed]]] = {}
    for entry in sorted(entries, key=lambda entry: (fold(entry.content.name), entry.key)):
        named = EntryNamed(entry.content.name, addresses.to(f"entries/{entry.key}"))
        for location in entry.content.locations:
            function = location.function.value if location.function else UNSTATED
            found.setdefault(location.country, {}).setdefault(function, {})[entry.key] = named
    return found


def _place(
    code: str,
    uses: dict[str, dict[str, EntryNamed]],
    columns: tuple[tuple[str, str], ...],
    link: Callable[[str], str],
) -> Place:
    world = load_world()
    name = place_name(code)
    labels = [label for function, label in columns if function in uses]
    number = len({key for entries in uses.values() for key in entries})
    entries = ngettext("%(num)s entry", "%(num)s entries", number)
    dot = world["dots"].get(code)
    return Place(
        code=code,
        name=name,
        url=link(code),
        said=_("%(place)s: %(functions)s (%(entries)s)", place=name, functions=_(", ").join(labels), entries=entries),
        functions=tuple(function for function, _label in columns if function in uses),
        uses=tuple(
            Use(
                function,
                label,
                tuple(uses.get(function, {}).values())[:NAMES_SHOWN],
                max(len(uses.get(function, {})) - NAMES_SHOWN, 0),
            )
            for function, label in columns
        ),
        shape=world["shapes"].get(code),
        dot=(dot[0], dot[1]) if dot else None,
    )


def _views(places: list[Place], world: dict[str, Any]) -> tuple[MapView, ...]:
    drawn = [place for place in places if place.shape or place.dot]
    at_home = [place for place in drawn if place.code in world["european"]]
    far = [place for place in drawn if place.code not in world["european"]]
    views = []
    if far:
        title = _("World map of the places of processing")
        views.append(MapView(WORLD, title, _box(world[WORLD]), _PITCHES[WORLD], tuple(far), tuple(at_home)))
    if at_home:
        title = _("Map of the places of processing in Europe")
        cut_off = tuple(place for place in far if place.code in world["neighbours"])
        views.append(MapView(EUROPE, title, _box(world[EUROPE]), _PITCHES[EUROPE], tuple(at_home), cut_off))
    return tuple(views)


def _box(bounds: list[int]) -> str:
    return " ".join(str(bound) for bound in bounds)


def _summary(places: list[Place]) -> str:
    countries = [place for place in places if place.code not in PLACES_WITHOUT_A_COUNTRY]
    if not countries:
        return _("No country is named as a place of processing.")
    return ngettext("Data is handled in %(num)s country.", "Data is handled in %(num)s countries.", len(countries))
