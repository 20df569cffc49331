"""The map of places: every country has its place on it or is named beside it, and the table tells the same."""

from __future__ import annotations

import gzip
from dataclasses import replace

import iso3166
import pytest
from babel import Locale
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from registry.domain.entries import PLACES_WITHOUT_A_COUNTRY
from registry.domain.vocabulary import LocationFunction
from registry.language import LANGUAGES, speaking
from registry.pages.values import PublicEntry, PublicList
from registry.pages.world_map import NAMES_SHOWN, UNSTATED, MapPicture, Place, draw_world_map, load_world
from tests.pages.factories import ADDRESSES, FOUNDED_AT, content, empty_list, public_list
from tests.pages.long_life import long_list
from tests.pages.reading import Page, renderer

CODES = tuple(code for code in iso3166.countries_by_alpha2 if code in Locale("en").territories)
MAP = "//section[@aria-labelledby='data_map']"


def listing(*places: tuple[tuple[str, str | None], ...]) -> PublicList:
    """Return a list with one entry for each argument: its places, as (country, function)."""
    entries = []
    for number, locations in enumerate(places):
        stated = [
            {"country": country, **({"function": function} if function else {})} for country, function in locations
        ]
        made = content(f"Vendor {number}", locations=stated)
        entries.append(PublicEntry(f"vendor-{number}", made, FOUNDED_AT, FOUNDED_AT))
    return public_list(entries=tuple(entries))


def draw(public: PublicList) -> MapPicture:
    """Draw the map of a list at its usual address."""
    return draw_world_map(public, ADDRESSES)


def place_of(picture: MapPicture, code: str) -> Place:
    """Return the one row of a country."""
    (place,) = (place for place in picture.places if place.code == code)
    return place


def markup_of(public: PublicList) -> str:
    """Return the pictures of the map as they stand in the page."""
    page = Page(renderer().list_page(public, ADDRESSES))
    found = page.root.xpath(f"{MAP}//*[local-name() = 'svg']")
    return "".join(etree.tostring(each, encoding="unicode", with_tail=False) for each in found)


def test_every_country_that_there_is_has_a_shape_or_a_dot_or_is_named_beside() -> None:
    picture = draw(listing(tuple((code, "processing") for code in CODES)))
    assert len(CODES) > 240
    assert {place.code for place in picture.places} == set(CODES)
    beside = {place.code for place in picture.beside}
    for place in picture.places:
        ways = [place.shape is not None, place.dot is not None, place.code in beside]
        assert ways.count(True) == 1, place.code
    # Islands of the South Sea beyond the edge, and the continent that no one lives on.
    assert len(beside) <= 16
    assert {"SG", "MT", "HK", "LI", "MC", "BH", "MU"} <= {place.code for place in picture.places if place.dot}
    assert {"DE", "US", "LU", "NL", "IE", "GF", "TW"} <= {place.code for place in picture.places if place.shape}


def test_every_country_is_a_link_in_exactly_one_view_and_stands_within_it() -> None:
    picture = draw(listing(tuple((code, "processing") for code in CODES)))
    linked = [place.code for view in picture.views for place in view.places]
    assert sorted([*linked, *(place.code for place in picture.beside)]) == sorted(CODES)
    for view in picture.views:
        left, top, width, height = map(int, view.box.split())
        for place in view.places:
            if place.dot:
                assert left < place.dot[0] < left + width, place.code
                assert top < place.dot[1] < top + height, place.code


def test_europe_alone_is_shown_large_and_the_world_only_where_it_matters() -> None:
    assert [view.key for view in draw(listing((("DE", None),))).views] == ["europe"]
    assert [view.key for view in draw(listing((("SG", None),))).views] == ["world"]
    both = draw(listing((("DE", None), ("US", None), ("TR", None))))
    assert [view.key for view in both.views] == ["world", "europe"]
    world, europe = both.views
    # Each is drawn wherever it can be seen, and a link but once.
    assert [place.code for place in world.others] == ["DE"]
    assert [place.code for place in europe.others] == ["TR"]
    assert [view.key for view in draw(listing((("edge", "transit"),))).views] == []


def test_a_seat_is_no_place_of_processing() -> None:
    seated = PublicEntry("seated", content("Seated", country="FR"), FOUNDED_AT, FOUNDED_AT)
    picture = draw(public_list(entries=(seated,)))
    assert picture.places == ()
    assert picture.silent == 1
    page = Page(renderer().list_page(public_list(entries=(seated,)), ADDRESSES))
    assert page.texts(f"{MAP}//p") == ["No place of processing is stated."]


def test_what_is_done_at_a_place_is_told_function_by_function() -> None:
    public = listing(
        (("DE", "processing"), ("DE", "backup"), ("edge", "transit")),
        (("DE", "processing"), ("US", None)),
        (),
    )
    picture = draw(public)
    assert [place.code for place in picture.places] == ["DE", "US", "edge"]
    assert [label for _function, label in picture.columns] == ["Processing", "Backup", "Transit", "Function not stated"]
    germany = place_of(picture, "DE")
    assert germany.functions == ("processing", "backup")
    assert germany.said == "Germany: Processing, Backup (2 entries)"
    assert germany.url == "https://lists.example/antopsis/?region=DE"
    assert place_of(picture, "US").functions == (UNSTATED,)
    assert [place.code for place in picture.beside] == ["edge"]
    page = Page(renderer().list_page(public, ADDRESSES))
    assert page.rows(f"{MAP}//table") == [
        ["Germany", "Vendor 0, Vendor 1", "Vendor 0", "–", "–"],
        ["United States", "–", "–", "–", "Vendor 1"],
        ["Network edge, near the user", "–", "–", "Vendor 0", "–"],
    ]
    assert page.text(f"{MAP}//p[@id='data_map_summary']") == "Data is handled in 2 countries. 1 entry states no place."


def test_each_function_has_a_pattern_of_its_own_and_a_country_with_several_shows_them_all() -> None:
    every = tuple(("FR", function.value) for function in LocationFunction)
    markup = markup_of(listing(every))
    patterns = [function.value for function in LocationFunction if function is not LocationFunction.PROCESSING]
    for function in patterns:
        assert f'id="{function}_europe"' in markup
        assert f'href="#map_FR" fill="url(#{function}_europe)"' in markup
    assert 'href="#map_FR" class="lit processing"' in markup


def test_a_long_cell_names_a_few_and_counts_the_others() -> None:
    public = listing(*[(("US", "storage"),) for _number in range(NAMES_SHOWN + 5)])
    (use,) = place_of(draw(public), "US").uses
    assert len(use.named) == NAMES_SHOWN
    assert use.more == 5
    page = Page(renderer().list_page(public, ADDRESSES))
    assert page.rows(f"{MAP}//table")[0][1].endswith("and 5 others")


def test_the_map_weighs_little() -> None:
    one = markup_of(listing((("DE", "processing"),)))
    many = markup_of(long_list(200))
    assert len(gzip.compress(one.encode(), 9)) < 7_000
    assert many.count("<a ") >= 17
    assert len(gzip.compress(many.encode(), 9)) <= 9 * 1024


def test_the_map_speaks_the_language_of_its_reader() -> None:
    public = listing((("DE", "processing"), ("US", "storage")))
    names = set()
    for language in LANGUAGES:
        with speaking(language):
            picture = draw(public)
        names.add(place_of(picture, "US").name)
    assert len(names) == len(LANGUAGES)


def test_the_same_list_makes_the_same_bytes_in_whatever_order_it_comes() -> None:
    public = long_list(40)
    assert markup_of(public) == markup_of(replace(public, entries=tuple(reversed(public.entries))))


def test_a_hostile_name_stays_a_name() -> None:
    made = content('"><script>alert(1)</script>', locations=[{"country": "DE", "function": "processing"}])
    page = renderer().list_page(public_list(entries=(PublicEntry("hostile", made, FOUNDED_AT, FOUNDED_AT),)), ADDRESSES)
    assert b"<script" not in page
    assert b"<style" not in page
    assert b" style=" not in page


def test_an_empty_list_has_no_map() -> None:
    assert draw(empty_list()).views == ()
    assert MAP not in renderer().list_page(empty_list(), ADDRESSES).decode()


@pytest.mark.parametrize("key", ["land", "borders"])
def test_the_shapes_are_nothing_but_lines(key: str) -> None:
    world = load_world()
    assert set(world[key]) <= set("Mlz0123456789- ")
    assert all(set(shape) <= set("Mlz0123456789- ") for shape in world["shapes"].values())


PLACES = st.tuples(
    st.sampled_from([*CODES, *PLACES_WITHOUT_A_COUNTRY]),
    st.sampled_from([*(function.value for function in LocationFunction), None]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(PLACES, max_size=6, unique=True).map(tuple), max_size=8))
def test_the_picture_and_the_table_hold_exactly_what_is_stated(
    stated: list[tuple[tuple[str, str | None], ...]],
) -> None:
    picture = draw(listing(*stated))
    expected = {(code, function or UNSTATED) for places in stated for code, function in places}
    assert {(place.code, function) for place in picture.places for function in place.functions} == expected
    for place in picture.places:
        assert len(place.uses) == len(picture.columns)
        assert tuple(use.function for use in place.uses if use.named) == place.functions
    drawn = [place.code for view in picture.views for place in view.places]
    beside = [place.code for place in picture.beside]
    assert sorted([*drawn, *beside]) == sorted({code for code, _function in expected})
    assert picture.silent == sum(not places for places in stated)
