"""Published bytes: built once per key, the same whoever builds them, and never older than the list (R14)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import brotli
import feedparser
import icalendar
import pytest
from sqlalchemy import select

from registry.language import LANGUAGES
from registry.steps import artefacts
from registry.steps.artefacts import (
    CODINGS,
    KINDS,
    addresses_of,
    build_artefact,
    build_artefacts,
    compress,
    edition_of,
    get_artefact,
    moment_of,
    read_editions,
)
from registry.steps.list_periods import touch
from registry.steps.lookup import get_publisher
from registry.steps.published import load_public_list, load_public_publisher
from registry.tables import Artefact
from tests.steps.path_cast import (
    WITH_A_LINK,
    announce,
    at,
    counting,
    decide,
    dump,
    edit,
    file_of,
    object_to,
    resolve,
    sweep,
    withdraw,
)
from tests.world import BREMEN, World, antopsis, utc

UNPACK: dict[str | None, Callable[[bytes], bytes]] = {
    None: lambda body: body,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
}


def build(world: World) -> None:
    sweep(world, "artefacts")


def stored(world: World, language: str = "en") -> dict[str, Artefact]:
    with world.reading() as session:
        rows = session.scalars(select(Artefact).order_by(Artefact.kind)).all()
    assert len({(row.kind, row.language) for row in rows}) == len(rows)
    return {row.kind: row for row in rows if row.language == language}


def served(world: World, kind: str, language: str = "en") -> bytes:
    """Return what a reader gets, and make sure that it is what would be built for them now, in every coding."""
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        wiring = world.wiring
        parts = (wiring.pages, wiring.letterhead, wiring.build)
        built = get_artefact(session, world.at, publisher, kind, *parts, language)
        public = load_public_list(session, world.at, publisher)
        addresses = addresses_of(session, publisher, wiring.letterhead)
        fresh = build_artefact(kind, public, addresses, wiring.pages, language)
    assert (built.body, built.etag, built.modified_at) == (fresh.body, fresh.etag, fresh.modified_at), kind
    for coding in (None, *CODINGS):
        assert built.encoded(coding) == fresh.encoded(coding)
        assert UNPACK[built.encoded(coding).coding](built.encoded(coding).body) == built.body
    return built.body


def document(world: World) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(served(world, "json"))
    return loaded


def titles(world: World) -> list[str]:
    feeds = [feedparser.parse(served(world, kind)) for kind in ("rss", "atom")]
    of_json = [item["title"] for item in json.loads(served(world, "json_feed"))["items"]]
    read = [[entry.title for entry in feed.entries] for feed in feeds]
    assert read[0] == read[1] == of_json
    return [title.partition(":")[0] for title in of_json]


def calendar(world: World) -> list[Any]:
    return list(icalendar.Calendar.from_ical(served(world, "calendar")).walk("VEVENT"))


def test_every_kind_is_built_once_and_served_as_it_was_built(world: World) -> None:
    world.apply(antopsis())
    build(world)
    first = stored(world)
    assert set(first) == set(KINDS)
    for kind in KINDS:
        assert served(world, kind) == first[kind].body
    for language in LANGUAGES:
        assert served(world, "page", language) == stored(world, language)["page"].body
    before = dump(world)
    build(world)
    assert dump(world) == before
    with world.reading() as session, counting(world) as sent:
        publisher = get_publisher(session, "antopsis")
        wiring = world.wiring
        get_artefact(session, world.at, publisher, "page", wiring.pages, wiring.letterhead, wiring.build)
    assert not any("list_periods" in statement for statement in sent)


def test_what_changes_for_the_public_makes_new_bytes_and_drops_the_old(world: World) -> None:
    world.apply(antopsis())
    build(world)
    old = stored(world)["page"]
    edit(world, WITH_A_LINK)
    # Between the change and the next sweep a reader gets what is built for them.
    assert b"hetzner.example" in served(world, "page")
    build(world)
    rows = stored(world)
    assert set(rows) == set(KINDS)
    assert (rows["page"].revision, rows["page"].etag) != (old.revision, old.etag)


def test_what_only_the_team_sees_makes_no_new_bytes(world: World) -> None:
    world.apply(antopsis())
    build(world)
    before = stored(world)["page"].id
    edit(world, {"name": "Clerk"}, "clerk")
    world.draft()
    build(world)
    assert stored(world)["page"].id == before


def test_at_the_publishers_midnight_the_days_left_are_counted_anew(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    announce(world)
    build(world)
    at(world, utc("2026-09-30 21:59:59"), "artefacts")
    first = stored(world)["page"]
    assert b"in 32 days" in first.body
    at(world, utc("2026-09-30 22:00"), "artefacts")
    second = stored(world)["page"]
    assert b"in 31 days" in second.body
    assert (first.local_on.isoformat(), second.local_on.isoformat()) == ("2026-09-30", "2026-10-01")
    assert second.modified_at == utc("2026-09-30 22:00")


def test_page_files_and_feeds_follow_a_notice_to_its_effect(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    build(world)
    assert titles(world) == ["The list is published"]
    world.at = utc("2026-09-30 08:05")
    number = announce(world)
    sweep(world)
    build(world)
    assert titles(world) == ["Announced", "The list is published"]
    assert [(each["number"], each["state"]) for each in document(world)["upcoming"]] == [(number, "announced")]
    assert b"Helsinki" in served(world, "page")
    assert sorted(each["DTSTART"].to_ical() for each in calendar(world)) == [b"20261030", b"20261101"]
    at(world, utc("2026-10-31 23:00"))
    build(world)
    assert titles(world) == ["In effect", "Announced", "The list is published"]
    assert document(world)["upcoming"] == []
    (hetzner,) = (entry for entry in document(world)["entries"] if entry["key"] == "hetzner-falkenstein")
    assert len(hetzner["locations"]) == 2
    assert number.encode() in served(world, "page")


def test_page_files_and_feeds_follow_a_notice_that_is_held_and_withdrawn(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    world.at = utc("2026-09-30 08:05")
    number = announce(world)
    sweep(world)
    object_to(world, number, "bremen")
    build(world)
    at(world, utc("2026-10-31 23:00"))
    build(world)
    assert titles(world) == ["Postponed", "Announced", "The list is published"]
    (upcoming,) = document(world)["upcoming"]
    assert (upcoming["state"], upcoming["effective_on"]) == ("held", None)
    assert b"until further notice" in served(world, "page")
    world.at = utc("2026-11-01 08:00")
    withdraw(world, number)
    build(world)
    assert titles(world)[0] == "Withdrawn"
    assert document(world)["upcoming"] == []
    assert {each["STATUS"] for each in calendar(world)} == {"CANCELLED"}


def test_a_release_to_the_date_that_was_told_makes_new_bytes(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    at(world, utc("2026-10-10 08:00"))
    at(world, utc("2026-10-31 23:00"))
    decide(world, number, "bremen", "exempt", "Agreed by letter")
    build(world)
    assert document(world)["upcoming"][0]["state"] == "held"
    sweep(world, "take_effect")
    (upcoming,) = document(world)["upcoming"]
    assert (upcoming["state"], upcoming["effective_on"]) == ("announced", "2026-11-10")


@pytest.mark.parametrize("step", ["release", "redate"])
def test_a_move_that_sends_nothing_still_makes_new_bytes(world: World, step: str) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    if step == "release":
        sweep(world)
        object_to(world, number, "bremen")
    at(world, utc("2026-10-31 23:00"), "take_effect")
    build(world)
    world.at = utc("2026-11-01 08:00")
    if step == "release":
        resolve(world, number, "bremen")
    else:
        decide(world, number, "bremen", "served", "Courier 77")
    sweep(world, "take_effect")
    (upcoming,) = document(world)["upcoming"]
    assert upcoming["effective_on"] == ("2026-11-02" if step == "release" else "2026-12-02")


def test_another_order_of_the_same_entries_makes_new_bytes(world: World) -> None:
    lines = ["{key: stripe, name: Stripe, purposes: [Payments]}", "{key: clerk, name: Clerk, purposes: [Sign-in]}"]
    world.apply(file_of(lines))
    build(world)
    world.apply(file_of(reversed(lines)))
    assert served(world, "json") != stored(world)["json"].body
    build(world)
    assert [entry.key for entry in world.public().entries] == ["clerk", "stripe"]


def test_another_release_of_the_software_builds_anew_and_drops_what_the_old_one_built(world: World) -> None:
    world.apply(antopsis())
    build(world)
    world.wiring = replace(world.wiring, build="another")
    build(world)
    assert {row.build for row in stored(world).values()} == {"another"}


def test_a_publisher_without_a_list_has_no_artefacts(world: World) -> None:
    world.apply(antopsis())
    with world.writing() as session:
        get_publisher(session, "antopsis").revision = 0
    build(world)
    assert stored(world) == {}


def test_what_is_compressed_is_the_same_bytes_whenever_and_shorter(world: World) -> None:
    world.apply(antopsis())
    build(world)
    page = stored(world)["page"]
    assert page.gzip is not None
    assert page.brotli is not None
    assert len(page.brotli) < len(page.gzip) < len(page.body) / 2
    assert (page.gzip, page.brotli) == (compress(page.body, "gzip"), compress(page.body, "br"))
    # No time of making and no name of a file: those would differ with each making.
    assert page.gzip[3:8] == bytes(5)


def test_what_is_too_short_to_be_compressed_is_sent_plain_with_one_tag(world: World) -> None:
    world.apply(antopsis())
    with world.reading() as session:
        publisher, wiring = get_publisher(session, "antopsis"), world.wiring
        page = get_artefact(session, world.at, publisher, "page", wiring.pages, wiring.letterhead, wiring.build)
    short = replace(page, body=b"x", etag="1")
    short.with_encoded("br", None)
    assert short.encoded("br") == short.encoded("gzip") == short.encoded(None)
    assert len({page.encoded(coding).etag for coding in (None, *CODINGS)}) == 3


def test_a_page_is_in_each_language_with_links_that_keep_it(world: World) -> None:
    world.apply(antopsis())
    build(world)
    pages = {language: stored(world, language)["page"].body for language in LANGUAGES}
    assert b"lang=" not in pages["en"].partition(b"<main")[2].partition(b"lang=en")[0]
    assert len(set(pages.values())) == len(LANGUAGES)
    for language, page in pages.items():
        assert f'<html lang="{language}'.encode() in page


def test_publishing_waits_for_no_building(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.apply(antopsis())
    build(world)
    edit(world, WITH_A_LINK)
    make = artefacts.build_artefact
    edited: list[object] = []

    def build_while_somebody_publishes(*arguments: Any) -> Any:
        if not edited:
            edited.append(world.at)
            edit(world, {"name": "Clerk"}, "clerk")
            with world.writing() as session:
                touch(get_publisher(session, "antopsis"), world.at)
        return make(*arguments)

    monkeypatch.setattr(artefacts, "build_artefact", build_while_somebody_publishes)
    parts = (world.wiring.pages, world.wiring.letterhead, world.wiring.build)
    # What was built is of a list that has moved on, and is not kept; the next round builds the present one.
    assert build_artefacts(world.wiring.engine, world.clock, *parts) == 0
    assert build_artefacts(world.wiring.engine, world.clock, *parts) == len(KINDS) * len(LANGUAGES)
    assert build_artefacts(world.wiring.engine, world.clock, *parts) == 0


def test_an_edition_says_all_that_the_bytes_follow_from(world: World) -> None:
    world.apply(antopsis())

    def editions() -> list[Any]:
        with world.reading() as session:
            (found,) = read_editions(session)
            publisher = get_publisher(session, "antopsis")
            assert edition_of(publisher, load_public_publisher(session, publisher)) == found
        return list(found)

    before = editions()
    assert before[1:5] == ["antopsis", None, "en", "Europe/Berlin"]
    edit(world, WITH_A_LINK)
    assert editions()[5] == before[5] + 1


def test_a_reader_whose_clock_is_behind_sees_what_was_just_announced(world: World) -> None:
    world.apply(antopsis())
    number = announce(world)
    for behind, is_seen in ((timedelta(minutes=5), True), (timedelta(minutes=6), False)):
        world.at -= behind
        with world.reading() as session:
            publisher, wiring = get_publisher(session, "antopsis"), world.wiring
            assert (moment_of(world.at, publisher) == publisher.changed_at) is is_seen
            page = get_artefact(session, world.at, publisher, "page", wiring.pages, wiring.letterhead, wiring.build)
        assert (number.encode() in page.body) is is_seen
        world.at += behind


def test_after_a_way_back_in_time_what_was_built_since_is_dropped(world: World) -> None:
    world.apply(antopsis())
    edit(world, WITH_A_LINK)
    build(world)
    with world.writing() as session:
        get_publisher(session, "antopsis").revision -= 1
    build(world)
    assert stored(world)["page"].revision == 1


def test_a_notice_of_the_last_day_there_is_stops_no_sweep(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Earlier releases took such a date.
    monkeypatch.setattr("registry.steps.draft_notice.refuse_too_far", lambda *_: None)
    nobody_there = BREMEN.replace("contacts: [dpo@bremen.example]", "contacts: []")
    world.apply(antopsis(customers=nobody_there))
    number = announce(world, effective_on=date.max)
    world.tick()
    world.at = utc("2026-10-02 08:00")
    world.tick()
    assert b"99991231" in [event["DTSTART"].to_ical() for event in calendar(world)]
    assert b"9999-12-31" in served(world, "page")
    assert world.status(number).effective_on == date.max
    withdraw(world, number)
    world.tick()
