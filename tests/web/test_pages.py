"""The pages of a list: what is at which address, as of which day, and what is said where there is nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from registry.readers.registry_file import RegistryFile
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.withdraw_notice import withdraw_notice
from tests.web.conftest import serving
from tests.web.site import Site, example, json_of, links_of, streams_file, words_of
from tests.world import ANNA, antopsis, utc

EXAMPLES = ("antopsis", "apexstream", "nextapi", "streamonapi")
NORDIC = """
  - {key: nordic-backup, name: Nordic Backup, purposes: [Backups], locations: [{country: FI, function: backup}]}
"""


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_its_page_with_each_entry_and_an_invented_pending_notice(empty_site: Site, name: str) -> None:
    site, world = empty_site, empty_site.world
    file = example(name)
    world.apply(file)
    # One purpose more for the first entry that has one.
    entry = next(entry for entry in file.entries if entry.content.purposes)
    purpose = entry.content.purposes[0]
    number = world.announce(example(name, (f"purposes: [{purpose}", f"purposes: [An invented purpose, {purpose}")))
    page = site.get(f"/{name}/")
    assert page.status_code == 200
    for entry in file.entries:
        assert f'id="entry-{entry.key}"' in page.text
        detail = site.get(f"/{name}/entries/{entry.key}")
        assert detail.status_code == 200
    assert "An invented purpose" in page.text
    assert f"Notice {number}" in page.text
    assert "An invented purpose" in site.get(f"/{name}/notices/{number}").text
    assert site.get(f"/{name}/notices/").status_code == 200


def test_the_start_leads_to_the_only_publisher_and_lists_several(site: Site, streams: RegistryFile) -> None:
    alone = site.get("/")
    assert alone.status_code == 302
    assert alone.location == "http://127.0.0.1:8000/antopsis/"
    site.world.apply(streams)
    both = site.get("/")
    assert both.status_code == 200
    assert {"http://127.0.0.1:8000/antopsis/", "https://legal.streams.example/"} <= set(links_of(both.text))
    assert "2 entries" in both.text


def test_an_installation_without_a_list_says_so(light_site: Site) -> None:
    with light_site.world.writing() as session:
        session.connection().exec_driver_sql("UPDATE publishers SET revision = 0")
    page = light_site.get("/")
    assert page.status_code == 200
    assert "No list is published here yet" in page.text
    assert light_site.get("/antopsis/").status_code == 404


def test_a_slug_without_its_slash_leads_to_the_page(light_site: Site) -> None:
    assert light_site.get("/antopsis").location == "http://127.0.0.1:8000/antopsis/"
    # Kept for a minute and not for ever: the publisher may get a host of its own.
    assert light_site.get("/antopsis").headers["Cache-Control"] == "public, max-age=60"
    notices = light_site.get("/antopsis/notices")
    assert (notices.status_code, notices.location) == (301, "http://127.0.0.1:8000/antopsis/notices/")


def test_on_its_own_host_a_publishers_page_is_at_the_start_and_everything_below_it(
    site: Site, streams: RegistryFile
) -> None:
    site.world.apply(streams)
    own = {"base_url": "https://legal.streams.example"}
    page = site.get("/", **own)
    assert page.status_code == 200
    assert "Streams &amp; Söhne" in page.text
    for path in ("/notices/", "/entries/mail-delivery", "/subprocessors.json", "/feed.atom", "/subscribe"):
        assert site.get(path, **own).status_code == 200, path
    assert site.get("/", **own).data == site.get("/streams/").data
    # With a port or in capitals it is the same host.
    assert site.get("/", base_url="http://LEGAL.streams.example:8443").status_code == 200


def test_links_come_from_settings_and_never_from_the_host_header(site: Site, streams: RegistryFile) -> None:
    site.world.apply(streams)
    evil = {"base_url": "https://evil.example"}
    for path in ("/", "/antopsis", "/antopsis/", "/antopsis/notices", "/antopsis/entries/stripe", "/antopsis/nowhere"):
        answer = site.get(path, **evil)
        assert "evil.example" not in answer.text + (answer.location or ""), path
    assert site.get("/", **evil).status_code == 200
    assert site.get("/streams").location == "https://legal.streams.example/"


def test_a_publishers_own_host_shows_nothing_of_other_publishers(site: Site, streams: RegistryFile) -> None:
    site.world.apply(streams)
    for path in ("/antopsis/", "/antopsis", "/antopsis/feed.rss", "/antopsi/", "/antopsis/subscribe"):
        answer = site.get(path, base_url="https://legal.streams.example")
        assert answer.status_code == 404, path
        assert "antopsis" not in answer.text.lower().replace("/antopsis", ""), path


def test_where_the_installations_host_is_also_a_publishers_the_others_stay_below_their_slugs(
    sqlite_url: str, tmp_path: Path, streams: RegistryFile
) -> None:
    base_url = "https://legal.streams.example"
    with serving(sqlite_url, tmp_path / "i", antopsis(), streams, REGISTRY_BASE_URL=base_url) as site:
        assert "Streams &amp; Söhne" in site.get("/", base_url=base_url).text
        assert site.get("/antopsis/", base_url=base_url).status_code == 200
        assert "https://legal.streams.example/antopsis/feed.rss" in site.get("/antopsis/", base_url=base_url).text


@pytest.mark.parametrize("host", ["", "a b", "[::1", "[::1]:80", "x" * 300, "legal.streams.example\x00", "%00"])
def test_a_host_header_that_is_none_chooses_nobody(light_site: Site, host: str) -> None:
    assert light_site.get("/antopsis/", headers={"Host": host}).status_code in {200, 400}


def test_as_of_shows_what_the_page_showed_at_the_end_of_that_day(site: Site, streams: RegistryFile) -> None:
    world = site.world
    world.apply(streams)
    number = world.announce(streams_file(NORDIC), effective_on=date(2026, 11, 16))
    # The last instant of 15 November in Viet Nam, then the first of the 16th.
    world.at = utc("2026-11-15 16:59:59")
    world.tick()
    assert 'id="entry-nordic-backup"' not in site.get("/streams/").text
    world.at = utc("2026-11-15 17:00")
    world.tick()
    assert world.notice(number, "streams").state == "in_effect"
    assert 'id="entry-nordic-backup"' in site.get("/streams/").text
    past = site.get("/streams/?as_of=2026-11-15")
    assert "Sunday, 15 November 2026 (2026-11-15), Asia/Ho_Chi_Minh" in words_of(past.text)
    assert "Takes effect" in words_of(past.text)
    assert 'id="entry-nordic-backup"' not in past.text
    assert 'id="entry-nordic-backup"' in site.get("/streams/?as_of=2026-11-16").text

    def keys(day: str) -> list[str]:
        return [entry["key"] for entry in json_of(site.get(f"/streams/subprocessors.json?as_of={day}"))["entries"]]

    assert keys("2026-11-15") == ["mail-delivery"]
    assert keys("2026-11-16") == ["mail-delivery", "nordic-backup"]
    assert b"Nordic" not in site.get("/streams/subprocessors.csv?as_of=2026-11-15").data
    assert b"Nordic" in site.get("/streams/subprocessors.csv?as_of=2026-11-16").data


def test_as_of_today_and_an_empty_as_of_are_the_present_page(light_site: Site) -> None:
    present = light_site.get("/antopsis/").data
    assert light_site.get("/antopsis/?as_of=2026-09-30").data == present
    assert light_site.get("/antopsis/?as_of=&q=&product=").data == present
    assert light_site.get("/antopsis/?utm_source=letter").data == present


@pytest.mark.parametrize(
    ("asked", "status", "code", "told"),
    [
        ("2026-10-01", 400, "future-as-of", ("2026-10-01", "2026-09-30", "upcoming")),
        ("9999-12-31", 400, "future-as-of", ("9999-12-31", "upcoming")),
        ("2026-09-29", 404, "before-founding", ("2026-09-29", "2026-09-30")),
        ("0001-01-01", 404, "before-founding", ("2026-09-30",)),
        ("2026-02-30", 400, "impossible-date", ("as_of", "2026-02-30", "2026-11-21")),
        ("yesterday", 400, "not-a-date", ("as_of", "yesterday", "2026-11-21")),
        ("20260930", 400, "not-a-date", ("as_of", "20260930")),
        ("2026-09-30T10:00", 400, "time-in-a-date", ("as_of", "2026-09-30T10:00")),
        ("٢٠٢٦-٠٩-٣٠", 400, "not-a-date", ("as_of",)),
        ("\x00", 400, "not-a-date", ("as_of",)),
    ],
)
def test_a_day_that_cannot_be_shown_is_refused_with_field_value_and_remedy(
    light_site: Site, asked: str, status: int, code: str, told: tuple[str, ...]
) -> None:
    page = light_site.get("/antopsis/", query_string={"as_of": asked})
    assert page.status_code == status
    assert "as_of" in page.text
    for word in told:
        assert word in words_of(page.text)
    file = light_site.get("/antopsis/subprocessors.json", query_string={"as_of": asked})
    assert file.status_code == status
    assert json_of(file)["error"]["code"] == code
    assert json_of(file)["error"]["field"] == "as_of"


def test_a_day_to_come_leads_to_what_is_upcoming(light_site: Site) -> None:
    page = light_site.get("/antopsis/?as_of=2027-01-01")
    assert "http://127.0.0.1:8000/antopsis/#upcoming" in links_of(page.text)


def test_the_list_is_searched_and_narrowed_to_a_product(light_site: Site) -> None:
    found = light_site.get("/antopsis/?q=FALKENSTEIN").text
    assert 'id="entry-hetzner-falkenstein"' in found
    assert 'id="entry-stripe"' not in found
    storage = light_site.get("/antopsis/?product=storage").text
    assert 'id="entry-hetzner-falkenstein"' in storage
    assert 'id="entry-stripe"' not in storage
    assert "fits" in light_site.get("/antopsis/?q=nobody").text


def test_an_unknown_product_is_refused_with_the_known_ones(light_site: Site) -> None:
    answer = light_site.get("/antopsis/?product=steaming", headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert json_of(answer)["error"]["field"] == "product"
    assert "streaming" in json_of(answer)["error"]["message"]


def test_a_very_long_search_is_cut_and_answered(light_site: Site) -> None:
    page = light_site.get("/antopsis/", query_string={"q": "hetzner " * 1_250})
    assert page.status_code == 200
    assert 'id="entry-hetzner-falkenstein"' in page.text
    assert page.text.count("hetzner ") < 100
    assert light_site.get("/antopsis/", query_string={"q": "<script>\x00\x07"}).status_code == 200
    assert "<script" not in light_site.get("/antopsis/", query_string={"q": "<script>alert(1)</script>"}).text


def test_a_former_key_leads_to_the_present_one(site: Site) -> None:
    file = example("antopsis", ("key: hetzner-falkenstein", "key: hetzner\n    former_keys: [hetzner-falkenstein]"))
    site.world.apply(example("antopsis"))
    site.world.apply(file)
    answer = site.get("/antopsis/entries/hetzner-falkenstein")
    assert (answer.status_code, answer.location) == (301, "http://127.0.0.1:8000/antopsis/entries/hetzner")
    assert site.get("/antopsis/entries/hetzner").status_code == 200


def test_an_entry_that_is_only_announced_has_a_page_and_one_only_drafted_has_none(site: Site) -> None:
    world = site.world
    world.apply(antopsis(more_entries=NORDIC))
    number = world.draft(effective_on=date(2026, 12, 1))
    for path in ("/antopsis/entries/nordic-backup", f"/antopsis/notices/{number}"):
        assert site.get(path).status_code == 404
    # Nor is it given away as a near name.
    assert "nordic-backup" not in site.get("/antopsis/entries/nordic-backu").text
    assert "Nordic" not in site.get("/antopsis/").text
    world.publish(number)
    assert "Not on the list yet" in site.get("/antopsis/entries/nordic-backup").text
    assert site.get(f"/antopsis/notices/{number}").status_code == 200


def test_an_entry_that_was_announced_and_withdrawn_has_no_page(site: Site) -> None:
    world = site.world
    number = world.announce(antopsis(more_entries=NORDIC), effective_on=date(2026, 12, 1))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        withdraw_notice(session, world.at, publisher, notice, ANNA, world.wiring.letterhead, reason="Not needed")
    assert site.get("/antopsis/entries/nordic-backup").status_code == 404
    assert "withdrawn" in site.get(f"/antopsis/notices/{number}").text.lower()


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/antopsys/", "antopsis"),
        ("/Antopsis/", "antopsis"),
        ("/antopsis/entries/strip", "stripe"),
        ("/antopsis/entries/Hetzner-Falkenstein", "hetzner-falkenstein"),
        ("/antopsis/notices/2026-999", "2026-001"),
    ],
)
def test_what_is_unknown_is_answered_with_what_resembles_it(light_site: Site, path: str, near: str) -> None:
    light_site.world.announce(antopsis(helsinki=True))
    answer = light_site.get(path)
    assert answer.status_code == 404
    assert near in words_of(answer.text)
