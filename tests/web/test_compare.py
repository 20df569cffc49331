"""The comparison of two days over HTTP: the address that is kept, what is refused, and the file (R6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from tests.databases import ReusedDatabase
from tests.pages.reading import Page
from tests.steps.path_cast import WITH_A_LINK, edit
from tests.web.conftest import serving_again
from tests.web.site import Site, json_of, links_of, words_of
from tests.world import World, antopsis, utc

NORDIC = """
  - {key: nordic-backup, name: Nordic Backup, purposes: [Backups], locations: [{country: FI, function: backup}]}
"""


@contextmanager
def counting(site: Site) -> Iterator[list[str]]:
    """Collect the SQL statements that the site makes."""
    made: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        made.append(statement)

    engine = site.app.extensions["registry"].engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield made
    finally:
        event.remove(engine, "before_cursor_execute", note)


def change(world: World) -> None:
    world.announce(antopsis(helsinki=True, customers="  []"), effective_on=date(2026, 11, 16))
    world.at = utc("2026-11-15 23:00")
    world.tick()
    world.announce(antopsis(helsinki=True, more_entries=NORDIC, customers="  []"), effective_on=date(2027, 1, 4))
    world.at = utc("2027-01-03 23:00")
    world.tick()
    world.at = utc("2027-01-20 09:00")
    assert {each.state for each in world.public().notices} == {"in_effect"}


@pytest.fixture
def changed(database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    """Antopsis in January: it hosts in Helsinki too since 16 November, and Nordic Backup joined on the 4th."""
    with serving_again(database, instance, antopsis(customers="  []"), live=change) as site:
        yield site


def test_two_days_are_compared_field_by_field_with_the_notice_that_brought_each_difference(changed: Site) -> None:
    answer = changed.get("/antopsis/compare?from=2026-09-30&to=2027-01-10")
    assert answer.status_code == 200
    page = Page(answer.data)
    assert page.text("//*[@role='status']") == "2 entries differ."
    assert page.texts("//article[@class='change']/h3/a") == ["Nordic Backup", "Hetzner"]
    assert page.facts("//article[@id='entry-nordic-backup']")["Purposes"] == "Backups"
    (places,) = page.rows("//article[@id='entry-hetzner-falkenstein']/table")
    assert places[0] == "Places"
    assert "Helsinki" not in places[1]
    assert "Helsinki" in places[2]
    first, second = page.texts("//article[@class='change']/p")
    assert first.startswith("Notice 2026-002, in effect since 4 January 2027")
    assert second.startswith("Notice 2026-001, in effect since 16 November 2026")
    links = links_of(answer.text)
    for address in ("?as_of=2026-09-30", "?as_of=2027-01-10", "notices/2026-001", "entries/nordic-backup"):
        assert f"http://127.0.0.1:8000/antopsis/{address}" in links
    assert "http://127.0.0.1:8000/antopsis/compare?from=2026-09-30&to=2027-01-10" in links


def test_a_day_stands_for_its_end_in_the_publishers_zone(changed: Site) -> None:
    def found(begin: str, end: str) -> list[str]:
        document = json_of(changed.get(f"/antopsis/compare.json?from={begin}&to={end}"))
        return [each["key"] for each in document["differences"]]

    # It took effect with the first instant of the 16th in Berlin, which is 23:00 of the 15th in UTC.
    assert found("2026-11-15", "2026-11-16") == ["hetzner-falkenstein"]
    assert found("2026-11-14", "2026-11-15") == []
    assert found("2026-11-16", "2026-11-17") == []
    assert found("2026-09-30", "2026-09-30") == []
    assert found("2026-09-30", "2027-01-20") == ["hetzner-falkenstein", "nordic-backup"]


def test_the_file_says_the_same_typed(changed: Site) -> None:
    answer = changed.get("/antopsis/compare.json?from=2026-09-30&to=2027-01-20")
    assert (answer.content_type, answer.headers["Access-Control-Allow-Origin"]) == ("application/json", "*")
    document = json_of(answer)
    assert (document["from"], document["to"]) == ("2026-09-30", "2027-01-20")
    assert document["counts"] == {"added": 1, "removed": 0, "changed": 1}
    assert document["kinds"] == {"location": 1}
    assert document["publisher"]["time_zone"] == "Europe/Berlin"
    hetzner = document["differences"][0]
    assert (hetzner["outcome"], hetzner["kinds"], hetzner["weight"]) == ("changed", ["location"], "binding")
    assert hetzner["notices"][0]["number"] == "2026-001"
    assert hetzner["notices"][0]["took_effect_at"] == "2026-11-15T23:00:00Z"
    assert [place["place"] for place in hetzner["fields"][0]["after"]] == ["Falkenstein", "Helsinki"]
    assert changed.get(document["page"].removeprefix("http://127.0.0.1:8000")).status_code == 200
    again = changed.get(
        "/antopsis/compare.json?from=2026-09-30&to=2027-01-20", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


def test_without_days_it_is_the_last_90_of_them_and_no_more_than_the_list_has(changed: Site) -> None:
    at = "http://127.0.0.1:8000/antopsis/compare"
    assert f"{at}?from=2026-10-22&to=2027-01-20" in links_of(changed.get("/antopsis/compare").text)
    assert f"{at}?from=2026-09-30&to=2026-10-05" in links_of(changed.get("/antopsis/compare?to=2026-10-05").text)
    empty = changed.get("/antopsis/compare?from=&to=")
    assert empty.status_code == 200
    assert empty.data == changed.get("/antopsis/compare").data
    document = json_of(changed.get("/antopsis/compare.json?from=2027-01-04"))
    assert (document["from"], document["to"], document["differences"]) == ("2027-01-04", "2027-01-20", [])


def test_the_number_of_queries_does_not_depend_on_what_differs(changed: Site) -> None:
    with counting(changed) as few:
        changed.get("/antopsis/compare.json?from=2026-11-15&to=2026-11-16")
    with counting(changed) as many:
        changed.get("/antopsis/compare.json?from=2026-09-30&to=2027-01-20")
    assert len(many) == len(few)
    assert len(many) < 20


def test_an_editorial_correction_is_named_as_one(light_site: Site) -> None:
    world = light_site.world
    world.at = utc("2026-10-03 09:00")
    edit(world, WITH_A_LINK)
    page = words_of(light_site.get("/antopsis/compare?from=2026-09-30&to=2026-10-03").text)
    assert "1 entry differs" in page
    assert "With an editorial correction, which needs no notice." in page
    document = json_of(light_site.get("/antopsis/compare.json"))
    assert [(each["editorial_correction"], each["notices"]) for each in document["differences"]] == [(True, [])]


@pytest.mark.parametrize(
    ("query", "field", "code", "told"),
    [
        ("from=2026-10-01", "from", "future-as-of", ("2026-10-01", "2026-09-30", "upcoming")),
        ("to=9999-12-31", "to", "future-as-of", ("9999-12-31", "upcoming")),
        ("from=2026-09-29", "from", "before-founding", ("2026-09-29", "2026-09-30")),
        ("to=0001-01-01", "to", "before-founding", ("2026-09-30",)),
        ("from=2026-02-30", "from", "impossible-date", ("2026-02-30",)),
        ("to=yesterday", "to", "not-a-date", ("yesterday", "2026-11-21")),
        ("from=2026-09-30T10:00", "from", "time-in-a-date", ("2026-09-30T10:00",)),
        ("from=%00", "from", "not-a-date", ()),
        ("from=%3Cscript%3E", "from", "not-a-date", ("&lt;script&gt;",)),
    ],
)
def test_days_that_cannot_be_compared_are_refused_with_what_would_do(
    light_site: Site, query: str, field: str, code: str, told: tuple[str, ...]
) -> None:
    page = light_site.get(f"/antopsis/compare?{query}")
    assert page.status_code == 400
    assert page.headers["Cache-Control"] == "no-store"
    assert f'id="{field}-error"' in page.text
    for word in told:
        assert word in words_of(page.text)
    if code == "future-as-of":
        assert "http://127.0.0.1:8000/antopsis/#upcoming" in links_of(page.text)
    file = light_site.get(f"/antopsis/compare.json?{query}")
    assert file.status_code == 400
    assert (json_of(file)["error"]["code"], json_of(file)["error"]["field"]) == (code, field)


def test_a_first_day_after_the_second_is_refused(changed: Site) -> None:
    page = changed.get("/antopsis/compare?from=2026-11-16&to=2026-11-15")
    assert page.status_code == 400
    assert "Give the earlier day first" in page.text
    # What was typed stays.
    assert Page(page.data).attributes("//input[@type='date']", "value") == ["2026-11-16", "2026-11-15"]


def test_a_notice_that_is_only_announced_makes_no_difference(light_site: Site) -> None:
    light_site.world.announce(antopsis(helsinki=True))
    light_site.world.at = utc("2026-10-10 09:00")
    page = light_site.get("/antopsis/compare?from=2026-09-30&to=2026-10-10")
    assert "Nothing differs" in page.text
    assert "Helsinki" not in page.text


def test_of_a_list_that_is_not_published_nothing_can_be_compared(light_site: Site) -> None:
    assert light_site.get("/nobody/compare").status_code == 404
    assert light_site.get("/nobody/compare.json").status_code == 404


def test_links_keep_the_language_that_was_asked_for(light_site: Site) -> None:
    light_site.world.at = utc("2026-10-10 09:00")
    page = light_site.get("/antopsis/compare?from=2026-09-30&to=2026-10-10&lang=de")
    assert page.headers["Content-Language"] == "de"
    links = links_of(page.text)
    for address in ("?as_of=2026-09-30&lang=de", "compare?from=2026-09-30&to=2026-10-10&lang=de"):
        assert f"http://127.0.0.1:8000/antopsis/{address}" in links
    # Another language leads to the same two days.
    assert "http://127.0.0.1:8000/antopsis/compare?from=2026-09-30&to=2026-10-10&lang=vi" in links
    assert Page(page.data).attributes("//form[@method='get']//input[@name='lang']", "value") == ["de"]
    assert light_site.get("/antopsis/compare?lang=xx").status_code == 400


@given(
    query=st.dictionaries(
        st.sampled_from(["from", "to", "lang", "q", "product", "as_of"]),
        st.one_of(st.text(max_size=20), st.dates().map(str), st.sampled_from(["2026-09-30", "", "-1", "9999-12-31"])),
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_is_answered_or_refused(light_site: Site, query: dict[str, str]) -> None:
    for path in ("compare", "compare.json", "embed", "embed/how"):
        answer = light_site.get(f"/antopsis/{path}", query_string=query)
        assert answer.status_code in {200, 400}, (path, query)
