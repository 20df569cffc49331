"""A customer that a pending notice leaves out though its contract runs: said and mended on its page."""

from __future__ import annotations

from datetime import date

import pytest

from registry.steps.customers import end_contract
from registry.steps.lookup import get_publisher
from tests.steps.holding_cast import look
from tests.steps.path_cast import add_customer, events, standing, sweep, withdraw
from tests.web.colleagues import EDDA, VERA, Team
from tests.web.site import words_of
from tests.web.team.customer_cast import BREMEN, CUSTOMERS
from tests.world import ANNA, antopsis

ADD = f"{BREMEN}/notices/2026-001"
DROPPED_OUT = "Notice 2026-001 leaves it out, and its contract runs"


@pytest.fixture
def dropped(light_team: Team) -> Team:
    """Bremen dropped out of a pending notice by an end of its contract that was a mistake, and was put right."""
    world = light_team.site.world
    world.announce(antopsis(helsinki=True))
    sweep(world)
    with world.writing() as session:
        end_contract(session, world.at, get_publisher(session, "antopsis"), "bremen", date(2026, 9, 1), ANNA)
    sweep(world)
    add_customer(world, key="bremen", name="Bremen Media GmbH", contract_until="2027-12-31")
    look(world)
    return light_team


def state_of(team: Team, key: str = "bremen") -> str | None:
    row = standing(team.site.world, "2026-001", key)
    return row.state if row is not None else None


def test_today_names_it_and_leads_to_its_page(dropped: Team) -> None:
    answer = dropped.sign_in(EDDA).get("/team/antopsis/")
    assert "Bremen Media GmbH dropped out of notice 2026-001 of Antopsis as its contract ended" in words_of(answer.text)
    assert f'href="{BREMEN}"' in answer.text


def test_its_page_says_so_and_adds_it(dropped: Team) -> None:
    assert state_of(dropped) == "dropped"
    edda = dropped.sign_in(EDDA)
    seen = edda.get(BREMEN).text
    assert DROPPED_OUT in words_of(seen)
    assert f'action="{ADD}"' in seen
    assert edda.post(ADD).headers["Location"] == BREMEN
    seen = words_of(edda.get(BREMEN).text)
    assert "Bremen Media GmbH stands in notice 2026-001 now; no letter is due to it" in seen
    assert DROPPED_OUT not in seen
    assert state_of(dropped) == "waiting"
    (event,) = events(dropped.site.world, "customer.added_to_notice")
    assert "edda" in event.actor.lower()
    look(dropped.site.world)
    assert "dropped out" not in words_of(dropped.sign_in(EDDA).get("/team/antopsis/").text)


def test_one_that_was_left_out_from_the_start_is_told_then(light_team: Team) -> None:
    world = light_team.site.world
    add_customer(world, key="acme", name="Acme GmbH", contract_until="2026-09-01", contacts=["dpo@acme.example"])
    world.announce(antopsis(helsinki=True))
    add_customer(world, key="acme", name="Acme GmbH", contract_until=None)
    page = BREMEN.replace("bremen", "acme")
    assert "so nobody there was told" in words_of(light_team.sign_in(EDDA).get(page).text)
    light_team.sign_in(EDDA).post(f"{page}/notices/2026-001")
    assert state_of(light_team, "acme") == "waiting"
    deliveries = [each for each in world.status("2026-001").deliveries if each.customer == "acme"]
    assert [(each.state, each.skip_reason) for each in deliveries] == [("pending", None)]


def test_a_viewer_reads_it_and_adds_nobody(dropped: Team) -> None:
    seen = dropped.sign_in(VERA).get(BREMEN).text
    assert DROPPED_OUT in words_of(seen)
    assert ADD not in seen
    assert dropped.sign_in(VERA).post(ADD).status_code == 403
    assert state_of(dropped) == "dropped"


def test_one_whose_contract_is_over_after_all_is_refused_with_what_to_do(dropped: Team) -> None:
    world = dropped.site.world
    with world.writing() as session:
        end_contract(session, world.at, get_publisher(session, "antopsis"), "bremen", date(2026, 9, 2), ANNA)
    answer = dropped.sign_in(EDDA).post(ADD)
    assert answer.status_code == 409
    assert "The contract of bremen does not run today, so it cannot be added to a notice." in words_of(answer.text)
    assert state_of(dropped) == "dropped"


def test_a_notice_that_is_not_pending_any_more_takes_nobody(dropped: Team) -> None:
    withdraw(dropped.site.world, "2026-001", reason="Not signed.")
    answer = dropped.sign_in(EDDA).post(ADD)
    assert answer.status_code == 409
    assert state_of(dropped) == "dropped"


@pytest.mark.parametrize(
    "path", [f"{BREMEN}/notices/2026-007", f"{BREMEN}/notices/a%00b", ADD.replace("bremen", "b%00")]
)
def test_no_such_notice_or_customer_is_not_found(dropped: Team, path: str) -> None:
    assert dropped.sign_in(EDDA).post(f"{CUSTOMERS}/{path}").status_code == 404
