"""Customers in the workbench: found, edited, shortened by two people, and never left without a contact."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from registry.steps.contacts import add_contact
from registry.steps.keyring import load_keyring
from registry.steps.lookup import find_customer_terms, get_customer, get_publisher, read_facts
from registry.steps.suppressions import add_suppression
from registry.tables import Address, Customer, CustomerTerms, Event, Subscription
from tests.unreadable_terms import spoil_terms
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, ZOE, Team
from tests.web.site import quick_tick, words_of
from tests.web.team.counting import queries
from tests.world import ANNA, antopsis

CUSTOMERS = "/team/antopsis/customers"
BREMEN = f"{CUSTOMERS}/bremen"


def require_approvals(team: Team, count: int = 1) -> None:
    with team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        publisher.facts = {**publisher.facts, "approvals_required": count}


def seen_of(team: Team, path: str) -> str:
    found: str = team.sign_in(EDDA).get(path).text
    _, _, rest = found.partition('name="seen" value="')
    return rest.partition('"')[0]


def save(team: Team, path: str = BREMEN, somebody: Any = EDDA, **fields: Any) -> Any:
    facts = {"name": "Bremen Media GmbH", "time_zone": "Europe/Berlin", "seen": seen_of(team, f"{path}/edit")}
    return team.sign_in(somebody).post(f"{path}/edit", facts | fields)


def terms_of(team: Team, key: str = "bremen") -> Any:
    with team.site.world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        customer = get_customer(session, publisher, key)
        return find_customer_terms(session, customer, read_facts(session, publisher).notice)


def contacts_of(team: Team, key: str = "bremen") -> list[tuple[str | None, int, bool]]:
    with team.site.world.reading() as session:
        rows = session.execute(
            select(Address.value, Subscription.id, Subscription.is_standby)
            .join(Subscription, Subscription.address_id == Address.id)
            .join(Customer, Customer.id == Subscription.customer_id)
            .where(Customer.key == key, Subscription.ended_at.is_(None))
            .order_by(Subscription.rank)
        )
        return [(value, number, is_standby) for value, number, is_standby in rows]


def events(team: Team, kind: str) -> list[Event]:
    with team.site.world.reading() as session:
        return list(session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id)))


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


def test_terms_of_its_own_count_from_now_on_and_stand_in_its_history(team: Team) -> None:
    answer = save(
        team,
        days="60",
        undeliverable="deemed",
        **{"undeliverable.deemed_after_days": "5", "undeliverable.clause": "§ 9"},
    )
    assert answer.status_code == 303
    assert terms_of(team).days == 60
    seen = words_of(team.sign_in(VERA).get(BREMEN).text)
    assert "60 days its own the publisher’s: 30 days" in seen
    assert "Is deemed to have received it after 5 days (§ 9)" in seen
    assert "Days of notice: as the publisher’s → 60 days" in seen
    assert save(team).status_code == 303
    assert terms_of(team).days == 30


def test_terms_that_cannot_be_read_are_set_anew_by_its_form_or_by_two_people(team: Team) -> None:
    save(team, days="60")
    require_approvals(team)
    save(team, days="20")
    spoil_terms(team.site.world.wiring.engine, "bremen")
    assert "can only be dropped" in team.sign_in(ARNO).get(BREMEN).text
    # Nobody can say whether the terms get shorter, so that it takes a second person, as where they do.
    refused = save(team, days="90")
    assert "requires a second person for this" in refused.text
    assert terms_of(team) is None
    require_approvals(team, 0)
    assert save(team, days="90").status_code == 303
    assert terms_of(team).days == 90


def test_a_form_that_was_opened_before_anothers_save_overwrites_nothing(light_team: Team) -> None:
    old = seen_of(light_team, f"{BREMEN}/edit")
    assert save(light_team, days="60").status_code == 303
    answer = save(light_team, days="70", seen=old)
    assert answer.status_code == 409
    assert "Somebody saved Bremen Media GmbH" in answer.text
    assert 'value="70"' in answer.text
    assert terms_of(light_team).days == 60


def test_shorter_terms_are_proposed_by_one_and_approved_by_another(team: Team) -> None:
    save(team, days="60")
    require_approvals(team)
    answer = save(team, BREMEN, OLA, days="20", name="Bremen Medien", reason="Amendment 2")
    assert answer.headers["Location"] == BREMEN
    assert terms_of(team).days == 60
    page = team.sign_in(OLA).get(BREMEN).text
    assert "Bremen Medien" in page
    assert "Amendment 2" in page
    digest = page.partition('name="digest" value="')[2].partition('"')[0]
    own = team.sign_in(OLA).post(f"{BREMEN}/terms/approve", {"digest": digest})
    assert own.status_code == 409
    assert "nobody approves their own work" in own.text
    assert team.sign_in(EDDA).post(f"{BREMEN}/terms/approve", {"digest": digest}).status_code == 403
    assert team.sign_in(ARNO).post(f"{BREMEN}/terms/approve", {"digest": "0" * 64}).status_code == 409
    assert terms_of(team).days == 60
    assert team.sign_in(ARNO).post(f"{BREMEN}/terms/approve", {"digest": digest}).status_code == 303
    assert terms_of(team).days == 20
    assert team.sign_in(ARNO).post(f"{BREMEN}/terms/approve", {"digest": digest}).status_code == 409
    assert [event.actor for event in events(team, "customer_terms.approved")] == [f"{ARNO.email} (web)"]
    assert "wait for a second person" not in team.sign_in(ARNO).get(BREMEN).text


def test_a_proposal_does_not_fit_terms_that_changed_since_and_can_be_dropped(light_team: Team) -> None:
    save(light_team, days="60")
    require_approvals(light_team)
    save(light_team, days="20")
    page = light_team.sign_in(ARNO).get(BREMEN).text
    digest = page.partition('name="digest" value="')[2].partition('"')[0]
    with light_team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        customer = get_customer(session, publisher, "bremen")
        session.add(
            CustomerTerms(
                publisher_id=publisher.id,
                customer_id=customer.id,
                version=9,
                document={"days": 90},
                from_at=light_team.site.world.at,
            )
        )
    assert "can only be dropped" in light_team.sign_in(ARNO).get(BREMEN).text
    assert light_team.sign_in(ARNO).post(f"{BREMEN}/terms/approve", {"digest": digest}).status_code == 409
    assert light_team.sign_in(EDDA).post(f"{BREMEN}/terms/drop", {"digest": digest}).status_code == 303
    assert "wait for a second person" not in light_team.sign_in(ARNO).get(BREMEN).text
    assert terms_of(light_team).days == 90


def test_two_approvals_take_two_people(light_team: Team) -> None:
    save(light_team, days="60")
    require_approvals(light_team, 2)
    save(light_team, days="20")
    digest = light_team.sign_in(ARNO).get(BREMEN).text.partition('name="digest" value="')[2].partition('"')[0]
    for _ in range(2):
        assert light_team.sign_in(ARNO).post(f"{BREMEN}/terms/approve", {"digest": digest}).status_code == 303
        assert terms_of(light_team).days == 60
    light_team.sign_in(OLA).post(f"{BREMEN}/terms/approve", {"digest": digest})
    assert terms_of(light_team).days == 20


def test_the_end_of_a_contract_is_a_day_of_the_customers_zone(team: Team) -> None:
    answer = team.sign_in(EDDA).post(f"{CUSTOMERS}/hanoi/contract", {"contract_until": "2026-12-31"})
    assert answer.status_code == 303
    shown = words_of(team.sign_in(EDDA).get(f"{CUSTOMERS}/hanoi").text)
    assert "Runs, ends with 31 December 2026 Asia/Ho_Chi_Minh" in shown
    for wrong in ("", "2026-13-01", "soon"):
        assert team.sign_in(EDDA).post(f"{CUSTOMERS}/hanoi/contract", {"contract_until": wrong}).status_code == 400
    with team.site.world.reading() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "hanoi")
        assert customer.contract_until == date(2026, 12, 31)


def test_contacts_are_added_ordered_changed_and_ended_but_for_the_last(team: Team) -> None:
    edda = team.sign_in(EDDA)
    ((_, first, _),) = contacts_of(team)
    last = edda.post(f"{BREMEN}/contacts/{first}/end")
    assert last.status_code == 409
    assert "keeps at least one contact" in last.text
    added = edda.post(f"{BREMEN}/contacts", {"email": "two@bremen.example", "name": "Zwei", "is_standby": "1"})
    assert added.status_code == 303
    second = contacts_of(team)[1][1]
    assert edda.post(f"{BREMEN}/contacts/{second}/raise").status_code == 303
    assert [value for value, _, _ in contacts_of(team)] == ["two@bremen.example", "dpo@bremen.example"]
    all_stand_by = edda.post(f"{BREMEN}/contacts/{first}", {"language": "de", "is_standby": "1"})
    assert all_stand_by.status_code == 409
    assert "nobody be told first" in all_stand_by.text
    changed = edda.post(f"{BREMEN}/contacts/{second}", {"language": "de", "name": "Zweite"})
    assert changed.status_code == 303
    assert [is_standby for _, _, is_standby in contacts_of(team)] == [False, False]
    assert edda.post(f"{BREMEN}/contacts/{first}/end").status_code == 303
    assert [value for value, _, _ in contacts_of(team)] == ["two@bremen.example"]
    record = " ".join(str(event.payload) for event in events(team, "contact.changed"))
    assert "Zweite" not in record
    assert "@" not in record


def test_a_suppressed_contact_does_not_count_as_another(light_team: Team) -> None:
    world = light_team.site.world
    edda = light_team.sign_in(EDDA)
    edda.post(f"{BREMEN}/contacts", {"email": "two@bremen.example"})
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        add_suppression(session, world.at, publisher, load_keyring(session, world.at), "two@bremen.example", ANNA)
    first = contacts_of(light_team)[0][1]
    assert edda.post(f"{BREMEN}/contacts/{first}/end").status_code == 409
    assert "It cannot be ended" in words_of(edda.get(f"{BREMEN}/contacts/{first}").text)
    told = edda.post(f"{BREMEN}/contacts", {"email": "three@bremen.example"})
    assert told.status_code == 303


def test_a_contact_moves_to_another_customer_and_leaves_nobody_without_one(team: Team) -> None:
    edda = team.sign_in(EDDA)
    ((_, first, _),) = contacts_of(team)
    assert edda.post(f"{BREMEN}/contacts/{first}/move", {"other": "hanoi"}).status_code == 409
    edda.post(f"{BREMEN}/contacts", {"email": "two@bremen.example"})
    for wrong in ("bremen", "nobody", "", "x\0"):
        assert edda.post(f"{BREMEN}/contacts/{first}/move", {"other": wrong}).status_code == 400
    assert edda.post(f"{BREMEN}/contacts/{first}/move", {"other": "hanoi"}).status_code == 303
    assert [value for value, _, _ in contacts_of(team)] == ["two@bremen.example"]
    assert [value for value, _, _ in contacts_of(team, "hanoi")] == ["privacy@hanoi.example", "dpo@bremen.example"]


def test_the_page_shows_the_notices_it_stands_in_and_the_last_letter(light_team: Team) -> None:
    number = light_team.site.world.announce(antopsis(helsinki=True))
    quick_tick(light_team.site.world)
    seen = words_of(light_team.sign_in(EDDA).get(BREMEN).text)
    assert f"Announcement of {number} : accepted" in seen
    assert f"{number} announced" in seen
    assert "waiting it begins with the receipt" in seen


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
