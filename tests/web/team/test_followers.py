"""Followers in the workbench: paged however many, found by address, ended on request, erased by an owner."""

from __future__ import annotations

import re

from sqlalchemy import insert, select

from registry.steps.lookup import get_publisher
from registry.tables import Address, Event, Subscription
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, ZOE, Team
from tests.web.site import quick_tick, words_of
from tests.web.team.counting import queries
from tests.world import antopsis

LIST = "/team/antopsis/followers/"
PIA = "pia@reader.example"


def number_of(team: Team, address: str) -> int:
    with team.site.world.reading() as session:
        query = select(Subscription.id).join(Address, Address.id == Subscription.address_id)
        return session.scalars(query.where(Address.value == address, Subscription.customer_id.is_(None))).one()


def add_many(team: Team, count: int) -> None:
    world = team.site.world
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        rows = [
            {
                "publisher_id": publisher.id,
                "channel": "email",
                "lookup_hmac": f"hash-{n}",
                "value": f"reader-{n}@many.example",
                "created_at": world.at,
            }
            for n in range(count)
        ]
        ids = list(session.scalars(insert(Address).returning(Address.id), rows))
        same = {
            "publisher_id": publisher.id,
            "audience": "follower",
            "language": "en",
            "created_at": world.at,
            "confirmed_at": world.at,
        }
        session.execute(insert(Subscription), [same | {"address_id": each} for each in ids])


def test_followers_are_shown_with_what_they_are_told_and_the_last_letter(light_team: Team) -> None:
    assert "No followers here" in light_team.sign_in(VERA).get(LIST).text
    light_team.site.follow(PIA, products=["streaming"], kinds=["location"])
    light_team.site.subscribe("unsure@reader.example")
    light_team.site.world.announce(antopsis(helsinki=True))
    quick_tick(light_team.site.world)
    edda = light_team.sign_in(EDDA)
    seen = words_of(edda.get(LIST).text)
    assert f"{PIA} English confirmed since 30 September 2026" in seen
    assert "streaming places" in seen
    # Its letter lies in the outbox: no server accepted it.
    assert ": written, not sent" in seen
    assert "accepted" not in seen
    (number,) = re.findall(rf'href="{LIST}(\d+)"', edda.get(LIST).text)
    one = words_of(edda.get(f"{LIST}{number}").text)
    assert ": written, not sent" in one
    assert "Language English" in one
    assert "unsure" not in seen
    assert "unsure@reader.example English not confirmed" in words_of(edda.get(f"{LIST}?state=waiting").text)
    assert "dpo@bremen.example" not in edda.get(f"{LIST}?state=any").text
    masked = light_team.sign_in(VERA).get(LIST).text
    assert PIA not in masked
    assert "p…@reader.example" in masked


def test_pages_go_by_rows_and_miss_nobody(light_team: Team) -> None:
    add_many(light_team, 120)
    vera = light_team.sign_in(EDDA)
    path, seen = LIST, []
    for _ in range(3):
        page = vera.get(path).text
        seen += [n for n in range(120) if f">reader-{n}@many.example<" in page]
        path = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert path == ""
    assert sorted(seen) == list(range(120))
    for odd in ("?before=x", "?before=-1", "?before=99999999999999999999", "?state=nonsense&channel=pigeon"):
        assert vera.get(f"{LIST}{odd}").status_code == 200
    with queries(light_team.site.app.extensions["registry"].engine) as sent:
        vera.get(LIST)
    assert len(sent) <= 10


def test_somebody_is_found_by_their_exact_address(light_team: Team) -> None:
    light_team.site.follow(PIA)
    vera = light_team.sign_in(VERA)
    assert "p…@reader.example" in vera.get(f"{LIST}?address=Pia@Reader.example").text
    assert "Nobody follows by this address" in vera.get(f"{LIST}?address=pi@reader.example").text
    assert 'id="address-error"' in vera.get(f"{LIST}?address=pia").text


def test_a_subscription_is_ended_on_request_and_on_record(team: Team) -> None:
    team.site.follow(PIA)
    number = number_of(team, PIA)
    assert team.sign_in(VERA).post(f"{LIST}{number}/end").status_code == 403
    edda = team.sign_in(EDDA)
    assert edda.post(f"{LIST}{number}/end").status_code == 303
    assert edda.post(f"{LIST}{number}/end").status_code == 303
    assert "ended unsubscribed" in words_of(edda.get(f"{LIST}?state=ended").text)
    with team.site.world.reading() as session:
        event = session.scalars(select(Event).where(Event.kind == "subscription.ended")).one()
        assert (event.actor, event.payload["because"]) == (f"{EDDA.email} (web)", "unsubscribed")


def test_a_person_is_erased_by_an_owner_who_proved_it_lately(team: Team) -> None:
    team.site.follow(PIA)
    number = number_of(team, PIA)
    assert team.sign_in(ARNO).post(f"{LIST}erase", {"email": PIA}).status_code == 403
    assert team.sign_in(OLA, is_fresh=False).post(f"{LIST}erase", {"email": PIA}).status_code != 303
    ola = team.sign_in(OLA)
    assert "What stays" in ola.get(f"{LIST}erase").text
    assert ola.post(f"{LIST}erase", {"email": PIA}).status_code == 303
    assert "erased" in words_of(ola.get(f"{LIST}{number}").text)
    assert PIA not in str(team.site.snapshot()["addresses"])
    unknown = ola.post(f"{LIST}erase", {"email": PIA})
    assert unknown.status_code == 409
    assert "erased already" in unknown.text


def test_a_customers_standing_contact_is_not_erased(light_team: Team) -> None:
    answer = light_team.sign_in(OLA).post(f"{LIST}erase", {"email": "dpo@bremen.example"})
    assert answer.status_code == 409
    assert "dpo@bremen.example" in str(light_team.site.snapshot()["addresses"])
    assert light_team.sign_in(OLA).post(f"{LIST}erase", {"email": "nobody\0"}).status_code == 400


def test_contacts_and_another_publishers_followers_are_not_among_them(two_teams: Team) -> None:
    two_teams.site.follow(PIA)
    number = number_of(two_teams, PIA)
    zoe = two_teams.sign_in(ZOE)
    assert zoe.get(f"/team/streams/followers/{number}").status_code == 404
    assert zoe.post(f"/team/streams/followers/{number}/end").status_code == 404
    assert PIA not in zoe.get(f"/team/streams/followers/?address={PIA}&state=any").text.replace(f'value="{PIA}"', "")
    with two_teams.site.world.reading() as session:
        contact = session.scalars(select(Subscription.id).where(Subscription.customer_id.is_not(None))).first()
    assert two_teams.sign_in(EDDA).get(f"{LIST}{contact}").status_code == 404
    assert two_teams.sign_in(EDDA).post(f"{LIST}{contact}/end").status_code == 404
