"""Who reaches what in the workbench: every view has a rule, and every rule is walked as each role."""

from __future__ import annotations

from registry.tables import SignIn
from registry.web.team.access import RULES
from tests.web.colleagues import EDDA, VERA, ZOE, Team


def test_every_view_of_the_workbench_states_its_rule(light_team: Team) -> None:
    views = {endpoint for endpoint in light_team.site.app.view_functions if endpoint.startswith("team.")}
    assert views == set(RULES)


def test_a_stranger_is_led_to_the_sign_in_and_back(light_team: Team) -> None:
    answer = light_team.stranger().get("/team/antopsis/?page=2")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/team/account/login?next=/team/antopsis/%3Fpage%3D2"


def test_a_colleague_sees_their_desk_and_not_another_publishers(two_teams: Team) -> None:
    edda, zoe = two_teams.sign_in(EDDA), two_teams.sign_in(ZOE)
    assert "Antopsis" in edda.get("/team/antopsis/").text
    assert edda.get("/team/streams/").status_code == 404
    assert zoe.get("/team/antopsis/").status_code == 404
    assert zoe.get("/team/nobody/").status_code == 404


def test_a_session_that_was_ended_elsewhere_is_no_session(light_team: Team) -> None:
    vera = light_team.sign_in(VERA)
    assert vera.get("/team/antopsis/").status_code == 200
    with light_team.site.world.writing() as session:
        for row in session.query(SignIn):
            row.ended_at = light_team.site.world.at
    assert vera.get("/team/antopsis/").status_code == 302


def test_the_page_of_the_sign_in_is_shown(light_team: Team) -> None:
    answer = light_team.stranger().get("/team/account/login")
    assert answer.status_code == 200
    assert "script-src 'nonce-" in answer.headers["Content-Security-Policy"]
