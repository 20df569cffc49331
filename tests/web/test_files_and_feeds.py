"""Files, feeds and the calendar over HTTP: their types, their tags, and who may load them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import feedparser
import icalendar
import jsonschema

from registry.language import LANGUAGES
from registry.steps.artefacts import build_artefacts
from registry.tables import Artefact
from registry.web.current import EXTENSION
from tests.web.site import Site, json_of
from tests.world import antopsis, utc

TYPES = {
    "": "text/html; charset=utf-8",
    "subprocessors.json": "application/json",
    "subprocessors.csv": "text/csv; charset=utf-8",
    "feed.rss": "application/rss+xml; charset=utf-8",
    "feed.atom": "application/atom+xml; charset=utf-8",
    "feed.json": "application/feed+json",
    "calendar.ics": "text/calendar; charset=utf-8",
    "schemas/subprocessors-1.json": "application/schema+json",
    "schemas/notice-webhook-1.json": "application/schema+json",
    "schemas/feed-1.json": "application/schema+json",
}
BUILT_FOR_THE_READER = ["?q=stripe", "?as_of=2026-09-30&q=x", "entries/stripe", "notices/", "subscribe"]
LOADED_BY_OTHERS = [path for path in TYPES if path]


def test_each_file_and_feed_has_its_type(light_site: Site) -> None:
    answers = {path: light_site.get(f"/antopsis/{path}") for path in TYPES}
    assert {answer.status_code for answer in answers.values()} == {200}
    assert {path: answer.content_type for path, answer in answers.items()} == TYPES


def test_what_is_served_can_be_read_by_those_it_is_for(site: Site) -> None:
    number = site.world.announce(antopsis(helsinki=True))
    for path in ("feed.rss", "feed.atom"):
        feed = feedparser.parse(site.get(f"/antopsis/{path}").data)
        assert not feed.bozo
        assert any(number in entry.link for entry in feed.entries)
    assert any(number in item["url"] for item in json_of(site.get("/antopsis/feed.json"))["items"])
    calendar = icalendar.Calendar.from_ical(site.get("/antopsis/calendar.ics").data)
    assert len(calendar.events) == 2
    document = json_of(site.get("/antopsis/subprocessors.json"))
    schema = site.get("/antopsis/schemas/subprocessors-1.json")
    assert document["$schema"] == "http://127.0.0.1:8000/antopsis/schemas/subprocessors-1.json"
    jsonschema.Draft202012Validator(json_of(schema)).validate(document)
    assert site.get("/antopsis/subprocessors.csv").text.count("\n") >= 3


def test_who_has_it_already_is_not_sent_it_again(light_site: Site) -> None:
    for path in (*TYPES, *BUILT_FOR_THE_READER):
        assert_revalidates(light_site, path)


def assert_revalidates(light_site: Site, path: str) -> None:
    first = light_site.get(f"/antopsis/{path}")
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    assert first.headers["Cache-Control"].startswith("public, max-age=")
    assert "must-revalidate" in first.headers["Cache-Control"]
    # A proxy that compresses makes the tag weak, and a cache may hold several.
    for given in (tag, f"W/{tag}", f'"other", W/{tag}', "*"):
        again = light_site.get(f"/antopsis/{path}", headers={"If-None-Match": given})
        assert (again.status_code, again.data) == (304, b""), given
        assert again.headers["ETag"] == tag
    other = light_site.get(f"/antopsis/{path}", headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.data) == (200, first.data)


def test_the_date_of_the_last_change_revalidates_too_unless_there_is_a_tag(light_site: Site) -> None:
    path = "/antopsis/feed.atom"
    changed = light_site.get(path).headers["Last-Modified"]
    assert changed == "Wed, 30 Sep 2026 08:00:00 GMT"
    assert light_site.get(path, headers={"If-Modified-Since": changed}).status_code == 304
    earlier = {"If-Modified-Since": "Wed, 30 Sep 2026 07:59:59 GMT"}
    assert light_site.get(path, headers=earlier).status_code == 200
    assert light_site.get(path, headers={"If-Modified-Since": changed, "If-None-Match": '"x"'}).status_code == 200
    assert light_site.get(path, headers={"If-Modified-Since": "some day"}).status_code == 200


def test_a_new_local_day_and_a_new_notice_change_the_tags(site: Site) -> None:
    world = site.world
    first = {path: site.get(f"/antopsis/{path}").headers["ETag"] for path in TYPES}
    world.at = utc("2026-10-01 09:00")
    world.announce(antopsis(helsinki=True))
    second = {path: site.get(f"/antopsis/{path}") for path in TYPES}
    unchanged = [path for path in TYPES if second[path].headers["ETag"] == first[path]]
    # An announcement changes nothing of the list itself, which is all that the CSV has.
    assert unchanged == ["subprocessors.csv", *(path for path in TYPES if path.startswith("schemas/"))]
    assert second[""].headers["Last-Modified"] == "Thu, 01 Oct 2026 09:00:00 GMT"
    page = second[""].headers["ETag"]
    # Nothing happened but midnight in Berlin, and one day less is left.
    world.at = utc("2026-10-01 22:00")
    at_midnight = site.get("/antopsis/")
    assert at_midnight.headers["ETag"] != page
    assert at_midnight.headers["Last-Modified"] == "Thu, 01 Oct 2026 22:00:00 GMT"


def forget(site: Site) -> None:
    """Begin with an empty memory, as a process that is started does."""
    site.app.extensions[EXTENSION] = replace(site.app.extensions[EXTENSION])


def test_what_the_worker_stored_is_what_is_served_and_equals_what_is_built_on_the_spot(site: Site) -> None:
    world = site.world
    world.announce(antopsis(helsinki=True))
    paths = [path for path in TYPES if not path.startswith("schemas")]
    built = {
        path: (site.get(f"/antopsis/{path}").data, site.get(f"/antopsis/{path}").headers["ETag"]) for path in paths
    }
    parts = world.wiring
    count = build_artefacts(parts.engine, world.clock, parts.pages, parts.letterhead, parts.build)
    assert count == len(paths) * len(LANGUAGES)
    forget(site)
    stored = {
        path: (site.get(f"/antopsis/{path}").data, site.get(f"/antopsis/{path}").headers["ETag"]) for path in paths
    }
    assert stored == built
    with world.writing() as session:
        session.query(Artefact).update({Artefact.body: b"stored"})
    forget(site)
    assert {site.get(f"/antopsis/{path}").data for path in paths} == {b"stored"}


def test_head_answers_like_get_without_the_body(light_site: Site) -> None:
    for path in (*TYPES, *BUILT_FOR_THE_READER, "nowhere"):
        got, asked = light_site.get(f"/antopsis/{path}"), light_site.client.head(f"/antopsis/{path}")
        assert asked.status_code == got.status_code, path
        assert asked.data == b""
        different = {name for name, value in got.headers if asked.headers.get(name) != value} - {"Date"}
        assert different == set(), path


def test_any_website_may_load_files_and_feeds_and_revalidate_them(light_site: Site) -> None:
    elsewhere = {"Origin": "https://reader.example"}
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-none-match"}
    for path in LOADED_BY_OTHERS:
        answer = light_site.get(f"/antopsis/{path}", headers=elsewhere)
        assert answer.headers["Access-Control-Allow-Origin"] == "*", path
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        preflight = light_site.client.options(f"/antopsis/{path}", headers=elsewhere | asked)
        assert preflight.status_code == 200
        assert preflight.headers["Access-Control-Allow-Origin"] == "*"
        assert "If-None-Match" in preflight.headers["Access-Control-Allow-Headers"]


def test_pages_and_forms_are_for_nobody_elsewhere_to_read(light_site: Site) -> None:
    for path in ("/antopsis/", "/antopsis/subscribe", "/", "/healthz"):
        answer = light_site.get(path, headers={"Origin": "https://reader.example"})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_feeds_and_files_are_discoverable_from_the_page(light_site: Site) -> None:
    page = light_site.get("/antopsis/").text
    for path in LOADED_BY_OTHERS:
        if not path.startswith("schemas"):
            assert f'href="http://127.0.0.1:8000/antopsis/{path}"' in page


def test_a_stored_artefact_of_yesterday_is_not_served_today(site: Site) -> None:
    world = site.world
    world.announce(antopsis(helsinki=True))
    site.letters_to("nobody@reader.example")
    yesterday = site.get("/antopsis/").data
    world.at = datetime(2026, 10, 1, 8, tzinfo=UTC)
    assert site.get("/antopsis/").data != yesterday
