"""Customers in the workbench: found, added by hand, and seen by whom."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registry.steps.contacts import add_contact
from registry.steps.keyring import load_keyring
from registry.steps.lookup import get_publisher
from registry.steps.suppressions import add_suppression
from registry.tables import Customer, CustomerTerms
from tests.steps.path_cast import add_customer
from tests.web.colleagues import EDDA, OLA, VERA, ZOE, Team
from tests.web.site import quick_tick, words_of
from tests.web.team.counting import queries
from tests.web.team.customer_cast import BREMEN, CUSTOMERS, contacts_of, events, save, terms_of
from tests.web.team.notice_cast import require_approvals
from tests.world import ANNA, antopsis


def test_the_list_says_whose_terms_count_and_who_cannot_be_told(light_team: Team) -> None:
    world = light_team.site.world
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        add_suppression(session, world.at, publisher, load_keyring(session, world.at), "privacy@hanoi.example", ANNA)
        session.add(Customer(publisher_id=publisher.id, key="mute", name="Mute AG", products=[], created_at=world.at))
    seen = words_of(light_team.sign_in(VERA).get(f"{CUSTOMERS}/").text)
    assert "Bremen Media GmbH bremen 30 days the publisher’s Europe/Berlin general 1 runs" in seen
    assert "Hanoi Streams Co. hanoi 45 days its own: days of notice Asia/Ho_Chi_Minh general no contact works" in seen
    assert "Mute AG mute 30 days the publisher’s Europe/Berlin general nobody can be told" in seen


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=MEDIA", {"bremen"}),
        ("q=hano", {"hanoi"}),
        ("q=dpo@bremen", {"bremen"}),
        ("q=%25", set()),
        ("q=%00", {"bremen", "hanoi", "oslo"}),
        ("contract=running", {"bremen", "hanoi"}),
        ("contract=to_come", {"oslo"}),
        ("contract=ended", set()),
        ("contract=nonsense", {"bremen", "hanoi", "oslo"}),
        ("authorisation=specific", {"oslo"}),
        ("authorisation=general", {"bremen", "hanoi"}),
        ("terms=own", {"hanoi", "oslo"}),
        ("contacts=none", {"oslo"}),
        ("product=storage", {"bremen", "hanoi", "oslo"}),
        ("product=streaming", {"bremen", "hanoi"}),
        ("page=7", set()),
        ("page=-1", {"bremen", "hanoi", "oslo"}),
    ],
)
def test_the_list_is_searched_and_filtered(team: Team, query: str, found: set[str]) -> None:
    team.sign_in(EDDA).post(
        f"{CUSTOMERS}/new",
        {
            "name": "Oslo AS",
            "key": "oslo",
            "authorisation": "specific",
            "contract_from": "2026-12-01",
            "products": "storage",
        },
    )
    answer = team.sign_in(EDDA).get(f"{CUSTOMERS}/?{query}")
    assert answer.status_code == 200
    assert {key for key in ("bremen", "hanoi", "oslo") if f'{CUSTOMERS}/{key}"' in answer.text} == found


def test_a_contract_ends_where_the_customer_is_and_not_here(team: Team) -> None:
    world = team.site.world
    world.at = world.at.replace(hour=20)  # the 30th in Berlin, the 1st of October in Hanoi
    for key in ("hanoi", "bremen"):
        team.sign_in(EDDA).post(f"{CUSTOMERS}/{key}/contract", {"contract_until": "2026-09-30"})
    ended = team.sign_in(EDDA).get(f"{CUSTOMERS}/?contract=ended").text
    running = team.sign_in(EDDA).get(f"{CUSTOMERS}/?contract=running").text
    assert ("Hanoi" in ended, "Bremen" in ended) == (True, False)
    assert ("Hanoi" in running, "Bremen" in running) == (False, True)


def test_a_viewer_sees_no_address_in_full_and_does_not_find_by_one(light_team: Team) -> None:
    vera = light_team.sign_in(VERA)
    assert "dpo@bremen.example" not in vera.get(BREMEN).text
    assert "d…@bremen.example" in vera.get(BREMEN).text
    assert "Bremen" not in words_of(vera.get(f"{CUSTOMERS}/?q=dpo@bremen").text)
    assert "dpo@bremen.example" in light_team.sign_in(EDDA).get(BREMEN).text


def test_without_customers_the_list_teaches(two_teams: Team) -> None:
    seen = words_of(two_teams.sign_in(ZOE).get("/team/streams/customers/").text)
    assert "No customers yet" in seen
    assert "Import a table" in seen


def test_a_customer_is_added_by_hand_with_its_first_contact(team: Team) -> None:
    fields = {"name": "Münchner Ströme AG", "days": "60", "contacts.0.email": "dsb@muenchen.example"}
    answer = team.sign_in(EDDA).post(f"{CUSTOMERS}/new", fields)
    assert answer.headers["Location"] == f"{CUSTOMERS}/munchner-strome-ag"
    assert terms_of(team, "munchner-strome-ag").days == 60
    assert [value for value, _, _ in contacts_of(team, "munchner-strome-ag")] == ["dsb@muenchen.example"]
    assert [event.actor for event in events(team, "customer.added")][-1] == f"{EDDA.email} (web)"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": "B", "key": "bremen"}, "key"),
        ({"name": "B", "key": "import"}, "key"),
        ({"name": "B", "key": "No Key"}, "key"),
        ({"name": "", "key": "b"}, "name"),
        ({"name": "B", "days": "soon"}, "days"),
        ({"name": "B", "days": "0"}, "days"),
        ({"name": "B", "time_zone": "Mars/North"}, "time_zone"),
        ({"name": "B", "holidays": "XX"}, "holidays"),
        ({"name": "B", "contract_from": "2026-02-30"}, "contract_from"),
        ({"name": "B", "products": "video"}, "products"),
        ({"name": "B", "undeliverable": "deemed"}, "undeliverable.clause"),
        ({"name": "B", "contacts.0.email": "nobody"}, "contacts.0.email"),
        ({"name": "B", "authorisation": "maybe"}, "authorisation"),
        ({"name": "B\0", "key": "b"}, "name"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_the_text_is_kept(
    light_team: Team, fields: dict[str, str], wrong: str
) -> None:
    answer = light_team.sign_in(EDDA).post(f"{CUSTOMERS}/new", fields)
    assert answer.status_code == 400
    assert f'id="{wrong}-error"' in answer.text
    with light_team.site.world.reading() as session:
        assert set(session.scalars(select(Customer.key))) == {"bremen", "hanoi"}


def test_the_page_shows_the_notices_it_stands_in_and_the_last_letter(light_team: Team) -> None:
    number = light_team.site.world.announce(antopsis(helsinki=True))
    quick_tick(light_team.site.world)
    seen = words_of(light_team.sign_in(EDDA).get(BREMEN).text)
    # Its letter lies in the outbox: no server accepted it.
    assert f"Announcement of {number} : written, not sent" in seen
    assert "accepted" not in seen
    assert f"{number} announced" in seen
    assert "waiting it begins with the receipt" in seen


def test_one_without_any_terms_of_its_own_has_a_page(light_team: Team) -> None:
    add_customer(light_team.site.world, key="acme", name="Acme GmbH", contacts=["dpo@acme.example"])
    answer = light_team.sign_in(VERA).get(f"{CUSTOMERS}/acme")
    assert answer.status_code == 200
    seen = words_of(answer.text)
    assert "30 days" in seen
    assert "Versions of its terms" not in seen


def test_a_colleague_of_another_publisher_finds_nothing_by_guessing(two_teams: Team) -> None:
    zoe = two_teams.sign_in(ZOE)
    number = contacts_of(two_teams)[0][1]
    for path in ("", "/edit", "/contract", f"/contacts/{number}"):
        assert zoe.get(f"/team/streams/customers/bremen{path}").status_code == 404
        assert zoe.get(f"{BREMEN}{path}").status_code == 404
    posts = ("/edit", "/contract", "/contacts", "/terms/approve", "/terms/drop", f"/contacts/{number}")
    for path in (*posts, *(f"/contacts/{number}/{act}" for act in ("end", "raise", "move"))):
        fields = {"email": "x@streams.example", "language": "en", "contract_until": "2026-12-31", "other": "hanoi"}
        assert zoe.post(f"/team/streams/customers/bremen{path}", fields).status_code == 404
    assert len(contacts_of(two_teams)) == 1


def test_a_viewer_changes_nothing(light_team: Team) -> None:
    vera = light_team.sign_in(VERA)
    number = contacts_of(light_team)[0][1]
    for path in ("new", "bremen/edit", "bremen/contract", f"bremen/contacts/{number}", "import", "export"):
        assert vera.get(f"{CUSTOMERS}/{path}").status_code == 403
    for path in ("new", "bremen/edit", "bremen/contacts", f"bremen/contacts/{number}/end", "import/apply"):
        assert vera.post(f"{CUSTOMERS}/{path}").status_code == 403


def test_every_screen_asks_few_questions_with_five_hundred_customers(light_team: Team) -> None:
    world = light_team.site.world
    world.announce(antopsis(helsinki=True))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        rows = [
            Customer(publisher_id=publisher.id, key=f"c-{n}", name=f"C {n}", products=[], created_at=world.at)
            for n in range(500)
        ]
        session.add_all(rows)
        session.flush()
        for row in rows[:60]:
            add_contact(session, world.at, row, f"dpo@{row.key}.example", ANNA)
            zone = {"time_zone": "Asia/Tokyo", "days": 45}
            session.add(
                CustomerTerms(publisher_id=publisher.id, customer_id=row.id, version=1, document=zone, from_at=world.at)
            )
    ola, engine = light_team.sign_in(OLA), light_team.site.app.extensions["registry"].engine
    paths = ("customers/", "customers/?contract=running&page=2&q=c", "customers/c-1", "customers/bremen")
    more = ("customers/bremen/edit", "customers/new", "customers/bremen/contract", "customers/import")
    for path in (*paths, *more, "followers/", "suppressions/", "suppressions/?address=a@b.example"):
        with queries(engine) as sent:
            assert ola.get(f"/team/antopsis/{path}").status_code == 200
        assert len(sent) <= 10, (path, len(sent), sent)


def test_addresses_and_fields_with_odd_characters_are_refused_and_fail_nowhere(team: Team) -> None:
    edda = team.sign_in(EDDA)
    for key in ("%00", "a%00b", "%F0%9F%98%80", "x" * 3_000, "new%2F"):
        for path in ("", "/edit", "/contract", "/contacts/1"):
            assert edda.get(f"{CUSTOMERS}/{key}{path}").status_code in {302, 404, 308}
    ((_, number, _),) = contacts_of(team)
    assert edda.get(f"{BREMEN}/contacts/99999999999999999999999").status_code == 404
    require_approvals(team)
    save(team, days="60")
    assert save(team, days="20", reason="a\0b").status_code == 400
    assert save(team, days="60", name="a\0b").status_code == 400
    assert edda.post(f"{BREMEN}/contacts", {"email": "a@b.example", "name": "a\0b"}).status_code == 400
    assert edda.post(f"{BREMEN}/contacts/{number}", {"language": "d\0", "name": "B"}).status_code == 400
    assert edda.get("/team/antopsis/followers/99999999999999999999999").status_code == 404
    assert edda.post("/team/antopsis/followers/99999999999999999999999/end").status_code == 404
    assert edda.get("/team/antopsis/suppressions/?address=a%00@b.example").status_code == 200
