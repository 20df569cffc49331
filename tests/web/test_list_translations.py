"""A publisher's own translations, from its file to what readers, their programs and its customers are shown."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from registry.readers.registry_file import RegistryFile, read_registry_file
from tests.databases import ReusedDatabase
from tests.web.conftest import serving_again
from tests.web.site import Site, json_of, path_of, words_of
from tests.world import ANTOPSIS, World, antopsis, link_in, text_of, utc

CUSTOMERS = """  - key: bremen
    name: Bremen Media GmbH
    time_zone: Europe/Berlin
    contacts: [{email: dpo@bremen.example, language: de-AT}]
  - key: leeds
    name: Leeds Ltd
    time_zone: Europe/London
    contacts: [dpo@leeds.example]
"""
BUNNY = """  - key: bunny
    name: Bunny
    purposes: [Delivery of recordings]
    retention: {days} days.
    translations:
      de: {{Delivery of recordings: Auslieferung von Aufnahmen, {days} days.: {days} Tage.}}
"""
ORIGINAL, GERMAN = "Delivery of recordings", "Auslieferung von Aufnahmen"


def translated(days: int) -> RegistryFile:
    return antopsis(customers=CUSTOMERS, more_entries=BUNNY.format(days=days))


def stripes(german: str, *more_data: str) -> RegistryFile:
    """Return the file of the tests' publisher with German words, as YAML, for what it says of Stripe."""
    text = ANTOPSIS.format(approvals=0, more_locations="", customers=CUSTOMERS, more_entries="")
    stated = "data_categories: [Customer id, Subscription status]\n"
    assert stated in text
    data = ", ".join(("Customer id", "Subscription status", *more_data))
    said = f"data_categories: [{data}]\n    translations: {{de: {{{german}}}}}\n"
    return read_registry_file(text.replace(stated, said).encode(), "antopsis.yaml")


def test_readers_see_their_language_on_every_page_and_the_originals_elsewhere(light_site: Site) -> None:
    number = light_site.world.announce(translated(30))
    for path in ("", "notices/", f"notices/{number}", "entries/bunny", f"?as_of={light_site.world.at:%Y-%m-%d}"):
        joined = f"/antopsis/{path}{'&' if '?' in path else '?'}lang="
        german, english = (words_of(light_site.get(joined + language).text) for language in ("de", "en"))
        assert (GERMAN in german, ORIGINAL in german) == (True, False), path
        assert (GERMAN in english, ORIGINAL in english) == (False, True), path
        assert "hat Antopsis übersetzt" in german
        assert "translated by" not in english


def test_a_comparison_of_two_days_says_that_it_is_translated(sqlite_database: ReusedDatabase, instance: Path) -> None:
    def live(world: World) -> None:
        file = antopsis(customers="  []", more_entries=BUNNY.format(days=30))
        world.announce(file, effective_on=date(2027, 1, 4))
        world.at = utc("2027-01-03 23:00")
        world.tick()

    with serving_again(sqlite_database, instance, antopsis(customers="  []"), live=live) as site:
        asked = "/antopsis/compare?from=2026-12-30&to=2027-01-04&lang="
        german, english = (words_of(site.get(asked + language).text) for language in ("de", "en"))
    assert GERMAN in german
    assert "hat Antopsis übersetzt" in german
    assert "translated by" not in english


def test_letters_say_it_in_the_language_of_whoever_reads_them(light_site: Site) -> None:
    light_site.world.announce(translated(30))
    letter = light_site.letters_to("dpo@bremen.example")[-1]
    html = letter.get_body(("html",))
    assert html is not None
    for said in (text_of(letter), html.get_content()):
        assert GERMAN in said
        assert ORIGINAL not in said
    english = text_of(light_site.letters_to("dpo@leeds.example")[-1])
    assert ORIGINAL in english
    assert GERMAN not in english
    assert "in diesem Schreiben hat Antopsis übersetzt" in " ".join(text_of(letter).split())
    assert "translated by" not in english
    form = words_of(light_site.get(path_of(link_in(letter, "object"))).text)
    assert "30 Tage." in form
    assert "hat Antopsis übersetzt; das Original ist auf Englisch" in form


def test_what_was_announced_stays_in_the_words_it_was_announced_in(light_site: Site) -> None:
    light_site.world.apply(stripes("Payments: Zahlungen"))
    number = light_site.world.announce(stripes("Payments: Zahlungen, IP addresses: IP-Adressen", "IP addresses"))
    letters = light_site.snapshot()["letters"]
    light_site.world.apply(stripes("Payments: Zahlungen, IP addresses: Netzadressen", "IP addresses"))
    assert light_site.snapshot()["letters"] == letters
    notice = light_site.get(f"/antopsis/notices/{number}?lang=de").text
    assert "IP-Adressen" in notice
    assert "Netzadressen" not in notice


def test_files_and_feeds_go_by_their_address_and_programs_get_the_originals(light_site: Site) -> None:
    light_site.world.apply(antopsis(customers=""))
    number = light_site.world.announce(translated(30))
    feed = light_site.get("/antopsis/feed.atom?lang=de").text
    assert GERMAN in feed
    assert GERMAN not in light_site.get("/antopsis/feed.atom").text
    (upcoming,) = json_of(light_site.get("/antopsis/subprocessors.json?lang=de"))["upcoming"]
    (change,) = upcoming["changes"]
    assert upcoming["number"] == number
    assert change["translations"]["de"][ORIGINAL] == GERMAN
    assert [field["after"] for field in change["fields"] if field["field"] == "purposes"] == [[ORIGINAL]]


def test_a_filter_is_one_address_in_every_language_and_a_search_finds_what_is_read(light_site: Site) -> None:
    light_site.world.apply(stripes("Payments: Zahlungsabwicklung"))
    for query in ("?q=zahlungs", "?purpose=Payments"):
        for language in ("de", "en"):
            page = light_site.get(f"/antopsis/{query}&lang={language}").text
            assert re.findall(r'id="entry-([\w-]+)"', page) == ["stripe"]
            assert '<option value="Payments"' in page
    assert ": Zahlungsabwicklung</span>" in light_site.get("/antopsis/?purpose=Payments&lang=de").text
    for path in ("subprocessors.csv?", "subprocessors.csv?q=stripe&", "embed?"):
        assert "Zahlungsabwicklung" in light_site.get(f"/antopsis/{path}lang=de").text
        assert "Zahlungsabwicklung" not in light_site.get(f"/antopsis/{path}lang=vi").text
