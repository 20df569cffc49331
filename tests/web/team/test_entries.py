"""The list in the workbench: searching, narrowing, what waits, and how many questions it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.domain.entries import EntryInternals
from registry.readers.registry_file import read_registry_file
from registry.steps.lookup import get_publisher
from registry.steps.record_edit import record_internals
from registry.tables import Entry, EntryKey, EntryVersion, ListPeriod, PendingEdit
from tests.web.colleagues import EDDA, OLA, VERA, ZOE, Colleague, Team
from tests.web.conftest import serving
from tests.web.site import links_of, words_of
from tests.web.team.counting import queries
from tests.web.team.entry_cast import STRIPE, edit, names_on
from tests.web.team.entry_forms import LIST
from tests.world import ANNA, World, antopsis


def test_the_list_shows_what_stands_and_what_waits(team: Team) -> None:
    edit(team.site.world, "hetzner-helsinki", {"name": "Hetzner", "locations": [{"country": "FI"}]})
    edit(team.site.world, "stripe", STRIPE | {"purposes": ["Payments", "Invoices"]})
    words = words_of(team.sign_in(VERA).get(LIST).text)
    assert "Stripe Subprocessor Payments not stated not stated On the list since 30 September 2026" in words
    assert "edit waits" in words
    assert "not on the list yet" in words


def test_an_entry_of_an_announced_notice_says_so_with_its_date(team: Team) -> None:
    number = team.site.world.announce(antopsis(helsinki=True))
    words = words_of(team.sign_in(VERA).get(LIST).text)
    assert f"In notice {number} (announced), 16 November 2026" in words


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ["stripe", "hetzner-falkenstein", "muenchen"]),
        ("q=münchen", ["muenchen"]),
        ("q=MUNCHEN hosting", ["muenchen"]),
        ("q=payments", ["stripe"]),
        ("q=Stiftung", ["muenchen"]),
        ("q=nobody", []),
        ("product=storage", ["hetzner-falkenstein"]),
        ("product=streaming", ["stripe", "hetzner-falkenstein", "muenchen"]),
        ("country=DE", ["hetzner-falkenstein", "muenchen"]),
        ("country=global", ["muenchen"]),
        ("mechanism=eu.art45", ["muenchen"]),
        ("mechanism=unknown", ["stripe"]),
        ("role=processor", ["muenchen"]),
        ("state=waiting", ["muenchen"]),
        ("state=listed", ["stripe", "hetzner-falkenstein"]),
        ("state=removed", []),
        ("sort=name", ["hetzner-falkenstein", "muenchen", "stripe"]),
        ("sort=review", ["hetzner-falkenstein", "stripe", "muenchen"]),
        ("sort=changed", ["muenchen", "stripe", "hetzner-falkenstein"]),
        ("role=%07&product=%07&country=x&mechanism=..&state=in_notice:%07&sort=drop", None),
        ("q=%07%27%25_&page=99999999999999999999", []),
        ("page=" + "9" * 5_000, []),
    ],
)
def test_the_list_is_narrowed_and_sorted_as_the_address_says(team: Team, asked: str, found: list[str] | None) -> None:
    world = team.site.world
    world.at = world.at.replace(hour=9)
    munich = {
        "name": "München Cloud",
        "legal_name": "Münchner Stiftung",
        "role": "processor",
        "purposes": ["Hosting"],
        "products": ["streaming"],
        "locations": [{"country": "DE"}, {"country": "global"}],
        "transfers": [{"mechanism": "eu.art45", "destination": "JP"}],
    }
    edit(world, "muenchen", munich)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        internals = EntryInternals.model_validate({"review_due_on": "2026-09-01"})
        record_internals(session, publisher, "hetzner-falkenstein", internals, now=world.at, actor=ANNA)
    answer = team.sign_in(VERA).get(f"{LIST}?{asked}")
    assert names_on(answer) == (["stripe", "hetzner-falkenstein", "muenchen"] if found is None else found)
    if asked == "sort=review":
        assert "1 September 2026 overdue" in words_of(answer.text)


def test_entries_of_one_notice_are_found_by_its_number(light_team: Team) -> None:
    number = light_team.site.world.announce(antopsis(helsinki=True))
    vera = light_team.sign_in(VERA)
    assert names_on(vera.get(f"{LIST}?state=in_notice:{number}")) == ["hetzner-falkenstein"]
    assert names_on(vera.get(f"{LIST}?state=in_notice")) == ["hetzner-falkenstein"]
    assert names_on(vera.get(f"{LIST}?state=waiting")) == []


def test_what_left_the_list_is_found_and_can_be_brought_back(light_team: Team) -> None:
    world = light_team.site.world
    edit(world, "stripe", None)
    number = world.draft()
    world.publish(number)
    world.tick()
    edda = light_team.sign_in(EDDA)
    assert names_on(edda.get(LIST)) == ["hetzner-falkenstein"]
    assert names_on(edda.get(f"{LIST}?state=removed")) == ["stripe"]
    page = edda.get(f"{LIST}stripe").text
    assert "left the list" in words_of(page)
    assert "Bring it back" in page
    form = edda.get(f"{LIST}stripe/edit")
    assert 'value="Stripe"' in form.text


EMPTY = """
registry: 1
publisher: {slug: antopsis, name: Antopsis, contact: support@antopsis.example, time_zone: UTC, notice: {days: 30}}
entries: []
"""


def test_an_empty_list_teaches_how_it_comes_to_be(sqlite_url: str, tmp_path: Path) -> None:
    with serving(sqlite_url, tmp_path / "instance", read_registry_file(EMPTY.encode(), "empty.yaml")) as site:
        team = Team(site)
        words = words_of(team.sign_in(EDDA).get(LIST).text)
        assert "No entries yet" in words
        assert "registry apply FILE" in words
        assert "Add the first entry" in words
        assert "Add the first entry" not in team.sign_in(VERA).get(LIST).text


def test_keys_of_another_publisher_and_keys_that_cannot_be_are_not_there(two_teams: Team) -> None:
    ola, zoe = two_teams.sign_in(OLA), two_teams.sign_in(ZOE)
    for key in ("mail-delivery", "nobody", "%00", "x" * 500, "ä", "..%2f", "STRIPE"):
        assert ola.get(LIST + key).status_code == 404, key
        for act in ("edit", "remove", "drop"):
            assert ola.get(f"{LIST}{key}/{act}").status_code == 404, (key, act)
            assert ola.post(f"{LIST}{key}/{act}").status_code == 404, (key, act)
        for act in ("assess", "draft", "approve"):
            assert ola.post(f"{LIST}{key}/{act}").status_code == 404, (key, act)
    assert zoe.get("/team/streams/entries/mail-delivery").status_code == 200
    assert names_on_streams(zoe) == ["mail-delivery"]


def names_on_streams(zoe: Colleague) -> list[str]:
    start = "/team/streams/entries/"
    found = [link.removeprefix(start) for link in links_of(zoe.get(start).text) if link.startswith(start)]
    return [key for key in found if key and key != "new"]


def many(world: World, count: int) -> None:
    """Put many entries on the list, some with an edit that waits."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        entries = [
            Entry(publisher_id=publisher.id, key=f"company-{n}", position=n + 9, created_at=world.at)
            for n in range(count)
        ]
        session.add_all(entries)
        session.flush()
        versions = []
        for n, entry in enumerate(entries):
            document = {
                "name": f"Company {n}",
                "legal_name": f"Company Number {n} GmbH",
                "role": "subprocessor",
                "purposes": [f"Purpose {n % 40}", "Hosting of recordings and their backups"],
                "data_categories": ["Account data", "Usage data", f"Data {n % 30}"],
                "locations": [{"country": "DE" if n % 2 else "FI", "place": "Somewhere", "function": "processing"}],
                "transfers": [{"regime": "eu", "mechanism": "none.same-area", "destination": "DE"}],
                "links": {"website": f"https://company-{n}.example"},
            }
            versions.append(
                EntryVersion(
                    publisher_id=publisher.id,
                    entry_id=entry.id,
                    seq=1,
                    document=document,
                    digest=f"{n:064}",
                    author="anna@antopsis.example",
                    created_at=world.at,
                )
            )
        session.add_all(versions)
        session.add_all(EntryKey(publisher_id=publisher.id, entry_id=entry.id, key=entry.key) for entry in entries)
        session.flush()
        for n, (entry, version) in enumerate(zip(entries, versions, strict=True)):
            ids = {"publisher_id": publisher.id, "entry_id": entry.id, "version_id": version.id}
            session.add(PendingEdit(**ids) if n % 10 == 9 else ListPeriod(**ids, from_at=world.at, cause="founding"))


@pytest.mark.parametrize("asked", ["", "?q=company", "?country=FI&sort=name&page=3", "?state=waiting", "?sort=changed"])
def test_a_page_of_two_thousand_entries_is_ten_queries(light_team: Team, asked: str) -> None:
    many(light_team.site.world, 2_000)
    vera = light_team.sign_in(VERA)
    vera.get(LIST)
    with queries(light_team.site.app.extensions["registry"].engine) as sent:
        answer = vera.get(LIST + asked)
    assert len(names_on(answer)) == 50
    assert len(sent) <= 10, "\n".join(sent)


@pytest.mark.parametrize("path", ["company-1", "company-9", "hetzner-falkenstein"])
def test_an_entry_and_its_form_are_ten_queries_whatever_the_size(light_team: Team, path: str) -> None:
    light_team.site.world.announce(antopsis(helsinki=True))
    many(light_team.site.world, 300)
    edda = light_team.sign_in(EDDA)
    for screen in (path, f"{path}/edit", "new"):
        edda.get(LIST + screen)
        with queries(light_team.site.app.extensions["registry"].engine) as sent:
            assert edda.get(LIST + screen).status_code == 200
        assert len(sent) <= 10, "\n".join(sent)
