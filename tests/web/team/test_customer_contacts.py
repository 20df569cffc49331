"""A customer's contacts in the workbench: added, moved and ended, and never none."""

from __future__ import annotations

from registry.steps.keyring import load_keyring
from registry.steps.lookup import get_publisher
from registry.steps.suppressions import add_suppression
from tests.web.colleagues import EDDA, Team
from tests.web.site import words_of
from tests.web.team.customer_cast import BREMEN, contacts_of, events
from tests.world import ANNA


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
