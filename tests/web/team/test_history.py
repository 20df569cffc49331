"""History: versions of an entry and days of the list, side by side."""

from __future__ import annotations

import pytest

from tests.web.colleagues import VERA, Team
from tests.web.site import quick_tick, words_of
from tests.web.team.counting import queries
from tests.world import antopsis, utc

ENTRY = "/team/antopsis/entries/hetzner-falkenstein/history"


def in_effect(team: Team) -> None:
    world = team.site.world
    world.announce(antopsis(helsinki=True), emergency_reason="The host was breached.")
    world.at = utc("2026-11-10 08:00")
    quick_tick(world)


def test_an_entrys_versions_stand_with_who_made_them_and_what_became_of_them(team: Team) -> None:
    in_effect(team)
    seen = words_of(team.sign_in(VERA).get(ENTRY).text)
    assert "Version 1 and version 2" in seen
    assert "Helsinki" in seen
    assert "anna@antopsis.example" in seen
    assert "2026-001" in seen
    assert "and still" in seen


def test_any_two_versions_are_compared_and_a_version_that_is_none_is_named(team: Team) -> None:
    in_effect(team)
    vera = team.sign_in(VERA)
    assert "These two say the same" in words_of(vera.get(f"{ENTRY}?from=2&to=2").text)
    for wrong in ("from=9&to=2", "from=x&to=2", "from=1&to=99999999999999999999"):
        answer = vera.get(f"{ENTRY}?{wrong}")
        assert answer.status_code == 400
        assert "Choose one of those below" in words_of(answer.text)


def test_two_days_of_the_list_differ_by_what_took_effect_between_them(team: Team) -> None:
    in_effect(team)
    vera = team.sign_in(VERA)
    seen = words_of(vera.get("/team/antopsis/compare?from=2026-10-01&to=2026-11-10").text)
    assert "1 entry differs between 1 October 2026 and 10 November 2026" in seen
    assert "Helsinki" in seen
    assert "The list was the same" in words_of(vera.get("/team/antopsis/compare?from=2026-10-01&to=2026-10-05").text)
    before_any = words_of(vera.get("/team/antopsis/compare?from=2026-01-01&to=2026-10-05").text)
    assert "2 entries differ" in before_any


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("from=yesterday", "is no date"),
        ("to=2099-01-01", "is still to come"),
        ("from=2026-10-05&to=2026-10-01", "Give the earlier day first"),
        ("from=2026-02-30", "is no date"),
    ],
)
def test_a_day_that_cannot_be_is_named_with_what_would_do(light_team: Team, asked: str, said: str) -> None:
    light_team.site.world.at = utc("2026-10-20 08:00")
    answer = light_team.sign_in(VERA).get(f"/team/antopsis/compare?{asked}")
    assert answer.status_code == 400
    assert said in words_of(answer.text)


def test_history_asks_the_database_ten_times_at_most(team: Team) -> None:
    in_effect(team)
    vera = team.sign_in(VERA)
    for path in (ENTRY, "/team/antopsis/compare"):
        with queries(team.site.app.extensions["registry"].engine) as sent:
            assert vera.get(path).status_code == 200
        assert len(sent) <= 10, "\n".join(sent)


def test_an_entry_of_nobody_is_not_found(light_team: Team) -> None:
    assert light_team.sign_in(VERA).get("/team/antopsis/entries/nobody/history").status_code == 404
