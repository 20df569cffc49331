"""The list and an entry's page: searching, narrowing, what waits, removing, dropping, approving."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from registry.domain.entries import EntryInternals, read_entry
from registry.readers.registry_file import read_registry_file
from registry.steps.lookup import find_entry, get_publisher
from registry.steps.record import Actor
from registry.steps.record_edit import record_edit, record_internals
from registry.tables import Entry, EntryKey, EntryVersion, ListPeriod, PendingEdit
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, ZOE, Colleague, Team
from tests.web.conftest import serving
from tests.web.site import links_of, words_of
from tests.web.team.counting import queries
from tests.world import ANNA, World, antopsis

LIST = "/team/antopsis/entries/"
HETZNER = "/team/antopsis/entries/hetzner-falkenstein"
STRIPE = {"name": "Stripe", "purposes": ["Payments"], "data_categories": ["Customer id", "Subscription status"]}


def edit(world: World, key: str, document: dict[str, Any] | None) -> None:
    with world.writing() as session:
        content = read_entry(document) if document else None
        record_edit(session, world.at, get_publisher(session, "antopsis"), key, content, ANNA)


def names_on(answer: TestResponse) -> list[str]:
    """Return the keys of the entries that a list shows, in order."""
    assert answer.status_code == 200, answer.text
    main = answer.text.partition("<main")[2]
    found = [link.removeprefix(LIST) for link in links_of(main) if link.startswith(LIST)]
    return [key for key in found if key and "/" not in key and not key.startswith(("new", "?"))]


def base_on(page: str) -> str:
    return page.partition('name="base" value="')[2].partition('"')[0]


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


def test_an_entry_shows_what_stands_and_its_private_facts_apart(light_team: Team) -> None:
    world = light_team.site.world
    with world.writing() as session:
        internals = EntryInternals.model_validate({"owner": "Edda", "note": "Renew <soon>"})
        publisher = get_publisher(session, "antopsis")
        record_internals(session, publisher, "hetzner-falkenstein", internals, now=world.at, actor=ANNA)
    page = light_team.sign_in(VERA).get(HETZNER).text
    words = words_of(page)
    assert "Falkenstein, Germany (processing)" in words
    assert "never published, exported or compared Owner Edda Note Renew &lt;soon&gt;" in words
    assert "The data stays in the legal area it comes from" in words


def test_an_entry_of_an_announced_notice_shows_now_and_then(light_team: Team) -> None:
    number = light_team.site.world.announce(antopsis(helsinki=True))
    words = words_of(light_team.sign_in(VERA).get(HETZNER).text)
    assert f"In notice {number} announced" in words
    assert "Takes effect on 16 November 2026" in words
    assert "Helsinki, Finland (processing)" in words


def test_a_former_key_leads_to_the_present_one(light_team: Team) -> None:
    world = light_team.site.world
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        record_edit(session, world.at, publisher, "stripe-payments", read_entry(STRIPE), ANNA, former_keys=("stripe",))
    edda = light_team.sign_in(EDDA)
    for path in ("", "/edit"):
        answer = edda.get(f"{LIST}stripe{path}")
        assert answer.headers["Location"].endswith(f"/entries/stripe-payments{path}")


def test_a_removal_says_what_it_means_and_waits_for_a_notice(team: Team) -> None:
    edda = team.sign_in(EDDA)
    page = edda.get(f"{HETZNER}/remove")
    assert "This is a removal: customers are told, and nobody's clock runs." in page.text.replace("&#39;", "'")
    answer = edda.post(f"{HETZNER}/remove", {"base": base_on(page.text)})
    assert answer.headers["Location"].endswith("/entries/hetzner-falkenstein")
    words = words_of(edda.get(HETZNER).text)
    assert "The removal waits for a notice" in words
    assert "edda@antopsis.example asked for this" in words
    assert "Remove from the list" not in words
    assert names_on(edda.get(LIST)) == ["stripe", "hetzner-falkenstein"]
    assert "leaves" in words_of(edda.get(LIST).text)


def test_dropping_an_edit_leaves_the_list_as_it_is(team: Team) -> None:
    edit(team.site.world, "hetzner-falkenstein", None)
    edda = team.sign_in(EDDA)
    page = edda.get(f"{HETZNER}/drop")
    assert "The list stays as it is." in page.text
    assert edda.post(f"{HETZNER}/drop", {"base": base_on(page.text)}).status_code == 303
    assert "No edit waits any more." in words_of(edda.get(HETZNER).text)
    again = edda.get(f"{HETZNER}/drop")
    assert again.headers["Location"].endswith("/entries/hetzner-falkenstein")


def test_dropping_the_last_edit_of_a_draft_withdraws_it(light_team: Team) -> None:
    edit(light_team.site.world, "hetzner-falkenstein", None)
    number = light_team.site.world.draft()
    edda = light_team.sign_in(EDDA)
    page = edda.get(f"{HETZNER}/drop")
    assert f'The draft of notice <a href="/team/antopsis/notices/{number}">' in page.text or number in page.text
    edda.post(f"{HETZNER}/drop", {"base": base_on(page.text)})
    assert light_team.site.world.notice(number).state == "withdrawn"


def test_dropping_beyond_an_announced_notice_goes_back_to_what_was_announced(light_team: Team) -> None:
    world = light_team.site.world
    number = world.announce(antopsis(helsinki=True))
    edit(world, "hetzner-falkenstein", {"name": "Hetzner", "purposes": ["Another"]})
    edda = light_team.sign_in(EDDA)
    page = edda.get(HETZNER)
    assert "Waits beyond that notice" in words_of(page.text)
    asked = edda.get(f"{HETZNER}/drop")
    assert "only what was asked for beyond it is dropped" in asked.text
    edda.post(f"{HETZNER}/drop", {"base": base_on(asked.text)})
    words = words_of(edda.get(HETZNER).text)
    assert "Waits beyond" not in words
    assert f"In notice {number}" in words


def test_what_changed_since_somebody_looked_is_not_removed_or_dropped(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    base = base_on(edda.get(f"{HETZNER}/remove").text)
    edit(light_team.site.world, "hetzner-falkenstein", {"name": "Hetzner", "purposes": ["Another"]})
    for act in ("remove", "drop"):
        answer = edda.post(f"{HETZNER}/{act}", {"base": base})
        assert answer.status_code == 409
        assert "anna@antopsis.example changed hetzner-falkenstein while you were at it." in words_of(answer.text)
    assert "Another" in words_of(edda.get(HETZNER).text)


def approving(team: Team) -> Colleague:
    """Let the publisher require an approval, and have Edda make an editorial edit."""
    team.site.world.apply(antopsis(approvals=1))
    edda = team.sign_in(EDDA)
    page = edda.get(f"{LIST}stripe/edit").text
    digest = page.partition('name="base_internals" value="')[2].partition('"')[0]
    typed = {
        "name": "Stripe",
        "purposes": "Payments",
        "data_categories": "Customer id\nSubscription status",
        "products": ["streaming"],
        "links.website": "https://stripe.example",
    }
    answer = edda.post(f"{LIST}stripe/edit", typed | {"base": base_on(page), "base_internals": digest})
    assert answer.status_code == 303, words_of(answer.text)
    return edda


def test_an_editorial_edit_is_approved_by_a_colleague_and_never_by_its_author(team: Team) -> None:
    edda = approving(team)
    words = words_of(edda.get(f"{LIST}stripe").text)
    assert "Saved. The change is editorial, and is on the list once a colleague has approved it." in words
    assert "(0 of 1 so far)" in words
    assert edda.post(f"{LIST}stripe/approve").status_code == 403
    arno = team.sign_in(ARNO)
    page = arno.get(f"{LIST}stripe").text
    assert "Approve this edit" in page
    base = page.partition("/approve")[2].partition('name="base" value="')[2].partition('"')[0]
    assert arno.post(f"{LIST}stripe/approve", {"base": base}).status_code == 303
    words = words_of(arno.get(f"{LIST}stripe").text)
    assert "Approved, and on the list." in words
    assert "What waits" not in words


def test_who_made_an_editorial_edit_is_told_to_ask_a_colleague(light_team: Team) -> None:
    light_team.site.world.apply(antopsis(approvals=1))
    with light_team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        website = {**STRIPE, "products": ["streaming"], "links": {"website": "https://stripe.example"}}
        actor = Actor(ARNO.email, "web")
        record_edit(session, light_team.site.world.at, publisher, "stripe", read_entry(website), actor)
    arno = light_team.sign_in(ARNO)
    page = arno.get(f"{LIST}stripe").text
    assert "Approve this edit" not in page
    assert "nobody approves their own work" in page
    answer = arno.post(f"{LIST}stripe/approve", {"base": base_of(light_team, "stripe")})
    assert answer.status_code == 409
    assert "nobody approves their own work" in words_of(answer.text)


def test_who_wrote_what_a_colleague_touched_up_does_not_approve_it_either(team: Team) -> None:
    team.site.world.apply(antopsis(approvals=1))
    with team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        for somebody, links in (
            (ARNO, {"website": "https://stripe.example"}),
            (EDDA, {"website": "https://x.example"}),
        ):
            content = read_entry({**STRIPE, "products": ["streaming"], "links": links})
            record_edit(session, team.site.world.at, publisher, "stripe", content, Actor(somebody.email, "web"))
    arno, ola = team.sign_in(ARNO), team.sign_in(OLA)
    assert "Approve this edit" not in arno.get(f"{LIST}stripe").text
    assert arno.post(f"{LIST}stripe/approve", {"base": base_of(team, "stripe")}).status_code == 409
    assert ola.post(f"{LIST}stripe/approve", {"base": base_of(team, "stripe")}).status_code == 303


def base_of(team: Team, key: str) -> str:
    with team.site.world.reading() as session:
        entry = find_entry(session, get_publisher(session, "antopsis"), key)
        assert entry is not None
        return str(session.query(PendingEdit).filter_by(entry_id=entry.id).one().version_id)


def test_a_viewer_is_offered_no_act_and_reaches_none(light_team: Team) -> None:
    edit(light_team.site.world, "hetzner-falkenstein", None)
    vera = light_team.sign_in(VERA)
    for path in (LIST, HETZNER):
        page = vera.get(path).text.partition("<main")[2]
        assert not [link for link in links_of(f"<main{page}") if link.endswith(("/edit", "/new", "/remove", "/drop"))]
    for path in ("new", "stripe/edit", "stripe/remove", "stripe/drop"):
        assert vera.get(LIST + path).status_code == 403
        assert vera.post(LIST + path).status_code == 403
    for path in ("stripe/assess", "new/assess", "stripe/draft", "new/draft", "stripe/approve"):
        assert vera.post(LIST + path).status_code == 403


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
def test_a_page_of_two_thousand_entries_is_ten_queries_and_quick(light_team: Team, asked: str) -> None:
    many(light_team.site.world, 2_000)
    vera = light_team.sign_in(VERA)
    vera.get(LIST)
    with queries(light_team.site.app.extensions["registry"].engine) as sent:
        began = time.perf_counter()
        answer = vera.get(LIST + asked)
        took = time.perf_counter() - began
    assert len(names_on(answer)) == 50
    assert len(sent) <= 10, "\n".join(sent)
    # A tenth of this on a quiet machine; here others are at work.
    assert took < 1.0


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
