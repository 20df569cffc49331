"""Addresses that are not written to: found, added, lifted, each by who may and on record."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registry.steps.keyring import load_keyring
from registry.steps.lookup import get_publisher
from registry.steps.suppressions import add_suppression
from registry.tables import Event, Suppression
from tests.web.colleagues import ARNO, EDDA, VERA, ZOE, Team
from tests.web.site import words_of
from tests.world import ANNA

LIST = "/team/antopsis/suppressions/"


def suppress(team: Team, *addresses: str) -> list[int]:
    with team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        keyring = load_keyring(session, team.site.world.at)
        for address in addresses:
            add_suppression(session, team.site.world.at, publisher, keyring, address, ANNA)
    return numbers(team)


def numbers(team: Team) -> list[int]:
    with team.site.world.reading() as session:
        return list(session.scalars(select(Suppression.id).order_by(Suppression.id)))


def test_what_is_not_written_to_is_shown_with_whose_contact_it_is(light_team: Team) -> None:
    assert "Every address is written to" in light_team.sign_in(VERA).get(LIST).text
    suppress(light_team, "dpo@bremen.example", "gone@nowhere.example")
    seen = words_of(light_team.sign_in(EDDA).get(LIST).text)
    assert "dpo@bremen.example put here by a person 30 September 2026, 10:00 Europe/Berlin Bremen Media GmbH" in seen
    assert "not on record any more put here by a person" in seen
    assert "gone@nowhere.example" not in seen
    assert "dpo@bremen.example" not in light_team.sign_in(VERA).get(LIST).text


def test_an_address_is_found_by_its_hash_alone(light_team: Team) -> None:
    suppress(light_team, "dpo@bremen.example", "gone@nowhere.example")
    edda = light_team.sign_in(EDDA)
    found = words_of(edda.get(f"{LIST}?address=GONE@nowhere.example").text)
    assert "gone@nowhere.example not on record any more" in found.lower()
    assert "Bremen" not in found
    assert "It is written to" in edda.get(f"{LIST}?address=else@nowhere.example").text
    wrong = edda.get(f"{LIST}?address=nobody")
    assert 'id="address-error"' in wrong.text


def test_an_address_is_put_on_the_list_with_a_reason(team: Team) -> None:
    edda = team.sign_in(EDDA)
    answer = edda.post(f"{LIST}add", {"email": "Old@nowhere.example", "because": "asked-for"})
    assert answer.status_code == 303
    assert len(numbers(team)) == 1
    with team.site.world.reading() as session:
        event = session.scalars(select(Event).where(Event.kind == "suppression.added")).one()
        assert event.payload == {"reason": "by_hand", "because": "asked-for", "address": None}
        assert event.actor == f"{EDDA.email} (web)"
    again = edda.post(f"{LIST}add", {"email": "old@nowhere.example", "because": "asked-for"})
    assert again.status_code == 303
    assert len(numbers(team)) == 1


@pytest.mark.parametrize(
    ("email", "because", "field"),
    [("nobody", "asked-for", "email"), ("a@b.example", "", "because"), ("a\0@b.example", "asked-for", "email")],
)
def test_what_is_no_address_or_no_reason_is_refused(light_team: Team, email: str, because: str, field: str) -> None:
    answer = light_team.sign_in(EDDA).post(f"{LIST}add", {"email": email, "because": because})
    assert answer.status_code == 400
    assert f'id="{field}-error"' in answer.text
    assert numbers(light_team) == []


def test_a_customers_contact_is_put_on_it_only_knowingly(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    fields = {"email": "dpo@bremen.example", "because": "does-not-work"}
    asked = edda.post(f"{LIST}add", fields)
    assert asked.status_code == 400
    assert "Told by this address: Bremen Media GmbH" in words_of(asked.text)
    assert numbers(light_team) == []
    assert edda.post(f"{LIST}add", fields | {"understood": "1"}).status_code == 303
    assert len(numbers(light_team)) == 1
    assert "no contact works" in edda.get("/team/antopsis/customers/").text


def test_an_approver_lifts_one_with_a_reason(team: Team) -> None:
    (number,) = suppress(team, "dpo@bremen.example")
    path = f"{LIST}{number}"
    assert team.sign_in(EDDA).post(path, {"because": "asked-for"}).status_code == 403
    arno = team.sign_in(ARNO)
    assert "dpo@bremen.example" in arno.get(path).text
    assert arno.post(path, {"because": ""}).status_code == 400
    assert arno.post(path, {"because": "works-again"}).status_code == 303
    assert numbers(team) == []
    with team.site.world.reading() as session:
        event = session.scalars(select(Event).where(Event.kind == "suppression.lifted")).one()
        assert (event.payload["because"], event.actor) == ("works-again", f"{ARNO.email} (web)")
        assert "@" not in str(event.payload)
    assert arno.post(path, {"because": "works-again"}).status_code == 404


def test_of_an_address_that_is_not_on_record_the_hash_is_compared(light_team: Team) -> None:
    first, second = suppress(light_team, "gone@nowhere.example", "other@nowhere.example")
    arno = light_team.sign_in(ARNO)
    for wrong in ("", "other@nowhere.example", "third@nowhere.example"):
        answer = arno.post(f"{LIST}{first}", {"because": "asked-for", "email": wrong})
        assert answer.status_code == 400
    assert numbers(light_team) == [first, second]
    right = arno.post(f"{LIST}{first}", {"because": "asked-for", "email": "gone@nowhere.example"})
    assert right.status_code == 303
    assert numbers(light_team) == [second]


def test_another_publishers_are_not_there(two_teams: Team) -> None:
    (number,) = suppress(two_teams, "dpo@bremen.example")
    zoe = two_teams.sign_in(ZOE)
    assert zoe.get(f"/team/streams/suppressions/{number}").status_code == 404
    assert zoe.post(f"/team/streams/suppressions/{number}", {"because": "asked-for"}).status_code == 404
    assert zoe.get("/team/streams/suppressions/?address=dpo@bremen.example").text.count("It is written to") == 1
    assert numbers(two_teams) == [number]


def test_the_list_is_paged(light_team: Team) -> None:
    suppress(light_team, *(f"gone-{n}@nowhere.example" for n in range(60)))
    vera = light_team.sign_in(VERA)
    assert vera.get(LIST).text.count("put here by a person") == 50
    assert vera.get(f"{LIST}?page=2").text.count("put here by a person") == 10
