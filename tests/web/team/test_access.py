"""Who reaches what in the workbench: every view has a rule, and every view is walked as everybody there is.

A colleague of each role, one whose proof is hours old, one of another publisher, and a stranger ask for every screen
and send every form: with the names and numbers of real things, without the token of their session, with another's.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from registry.domain.people import TeamRole
from registry.readers.registry_file import RegistryFile
from registry.tables import Person, SignIn
from registry.web.team.access import RULES
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, ZOE, Colleague, Team
from tests.web.conftest import serving
from tests.web.team.addresses import Samples, Screen, screens
from tests.web.team.samples import make_samples
from tests.world import antopsis

COLLEAGUES = (VERA, EDDA, ARNO, OLA)


@pytest.fixture(scope="module")
def walked(
    sqlite_template: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Team, Samples, RegistryFile]]:
    """Antopsis with one of everything, and another publisher beside it."""
    from pathlib import Path

    from tests import databases
    from tests.web.site import streams_file

    folder = tmp_path_factory.mktemp("walked")
    assert isinstance(sqlite_template, Path)
    url = databases.copied_sqlite_url(folder, sqlite_template)
    streams = streams_file()
    with serving(url, folder / "instance", antopsis(), streams) as site:
        team = Team(site)
        yield team, make_samples(team), streams


def ask(colleague: Colleague, screen: Screen, method: str, *, bare: bool = False) -> int:
    if method == "GET":
        return colleague.get(screen.path).status_code
    return (colleague.post_bare if bare else colleague.post)(screen.path).status_code


def walk(team: Team, samples: Samples, slug: str = "antopsis") -> list[tuple[Screen, str]]:
    return [
        (screen, method)
        for screen in screens(team.site.app, samples, slug)
        for method in sorted(screen.methods, reverse=True)
    ]


def test_every_view_of_the_workbench_states_its_rule(light_team: Team) -> None:
    views = {endpoint for endpoint in light_team.site.app.view_functions if endpoint.startswith("team.")}
    assert views == set(RULES)


def test_a_stranger_is_led_to_the_sign_in_whatever_they_ask_for(walked: tuple[Team, Samples, RegistryFile]) -> None:
    team, samples, _ = walked
    before, stranger = team.site.snapshot(), team.stranger()
    for screen, method in walk(team, samples):
        answer = stranger.get(screen.path) if method == "GET" else stranger.post(screen.path)
        assert answer.status_code == 302, screen
        assert answer.headers["Location"].startswith("/team/account/login"), screen
    assert team.site.snapshot() == before


@pytest.mark.parametrize("somebody", COLLEAGUES, ids=lambda somebody: somebody.role.value)
def test_each_role_reaches_what_its_rule_says_and_nothing_else(
    walked: tuple[Team, Samples, RegistryFile], somebody: object
) -> None:
    team, samples, _ = walked
    held = next(each for each in COLLEAGUES if each is somebody).role
    assert held is not None
    colleague = team.sign_in(next(each for each in COLLEAGUES if each is somebody))
    before = team.site.snapshot()
    for screen, method in walk(team, samples):
        needed = RULES[f"team.{screen.endpoint}"].role or TeamRole.VIEWER
        if not held.includes(needed):
            assert ask(colleague, screen, method) == 403, (screen, method)
        elif method == "GET" and screen.endpoint not in {"remove_account_passkey", "places"}:
            # One that does not fit the state of things leads to where that is said.
            assert ask(colleague, screen, method) in {200, 303}, (screen, method)
    assert team.site.snapshot() == before


def test_a_form_without_its_sessions_token_does_nothing(walked: tuple[Team, Samples, RegistryFile]) -> None:
    team, samples, _ = walked
    ola = team.sign_in(OLA)
    before = team.site.snapshot()
    for screen, method in walk(team, samples):
        if method == "POST":
            assert ask(ola, screen, method, bare=True) == 400, screen
    assert team.site.snapshot() == before


def test_the_token_of_another_session_does_nothing(walked: tuple[Team, Samples, RegistryFile]) -> None:
    team, samples, _ = walked
    ola, vera = team.sign_in(OLA), team.sign_in(VERA)
    before = team.site.snapshot()
    for screen, method in walk(team, samples):
        if method == "POST":
            assert ola.post_bare(screen.path, {"csrf_token": vera.csrf_token}).status_code == 400, screen
    assert team.site.snapshot() == before


def test_a_colleague_of_another_publisher_finds_nothing_here(walked: tuple[Team, Samples, RegistryFile]) -> None:
    team, samples, _ = walked
    zoe = team.sign_in(ZOE)
    before = team.site.snapshot()
    for screen, method in walk(team, samples):
        if screen.path.startswith("/team/antopsis/"):
            assert ask(zoe, screen, method) == 404, (screen, method)
    assert team.site.snapshot() == before


def test_names_and_numbers_of_another_publishers_things_lead_nowhere(
    walked: tuple[Team, Samples, RegistryFile],
) -> None:
    team, samples, _ = walked
    zoe = team.sign_in(ZOE)
    before = team.site.snapshot()
    for screen, method in walk(team, samples, "streams"):
        here = screen.path.replace("/team/streams/", "/team/antopsis/")
        names_something = any(
            str(each) in here for each in (*samples.by_argument.values(), *samples.by_endpoint.values())
        )
        if not screen.path.startswith("/team/streams/") or not names_something or screen.endpoint in NAMES_A_PART:
            continue
        status = ask(zoe, screen, method)
        # An act on what is not there may also lead back to its screen, which says so.
        assert status == 404 or (method == "POST" and status in {303, 409}), (screen, method, status)
    assert team.site.snapshot() == before


NAMES_A_PART = {"edit_settings"}
"""Screens whose argument is a part of the publisher itself."""


def test_what_asks_for_a_fresh_proof_does_nothing_without_one(walked: tuple[Team, Samples, RegistryFile]) -> None:
    team, samples, _ = walked
    ola = team.sign_in(OLA, is_fresh=False)
    before = team.site.snapshot()
    fresh = 0
    for screen, method in walk(team, samples):
        if RULES[f"team.{screen.endpoint}"].is_fresh:
            answer = ola.get(screen.path) if method == "GET" else ola.post(screen.path)
            assert answer.status_code == 302, screen
            assert "/team/account/verify" in answer.headers["Location"], screen
            fresh += 1
    assert fresh > 10
    assert team.site.snapshot() == before


@pytest.mark.parametrize("somebody", [EDDA, OLA], ids=["editor", "owner"])
def test_an_empty_form_is_answered_and_never_fails(
    walked: tuple[Team, Samples, RegistryFile], somebody: object
) -> None:
    team, samples, _ = walked
    who = EDDA if somebody is EDDA else OLA
    assert who.role is not None
    for screen, method in walk(team, samples):
        needed = RULES[f"team.{screen.endpoint}"].role or TeamRole.VIEWER
        # Whoever removes their own last way in, or ends their own session, is not asked further.
        if method == "POST" and who.role.includes(needed) and not screen.path.startswith("/team/account/"):
            status = ask(team.sign_in(who), screen, method)
            assert status in {200, 302, 303, 400, 404, 409, 503}, (screen, status)


HOSTILE = ("\0", "' OR 1=1 --", "9" * 40, "../../etc/passwd", "\u202egnp.exe", "<script>alert(1)</script>", "é" * 300)


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_and_filters_are_never_a_failure(
    walked: tuple[Team, Samples, RegistryFile], hostile: str
) -> None:
    team, samples, _ = walked
    ola = team.sign_in(OLA)
    for screen, method in walk(team, samples):
        if method != "GET" or screen.path.startswith("/team/account/"):
            continue
        asked = dict.fromkeys(("q", "page", "state", "from", "to", "after", "kind", "customer", "sort", "who"), hostile)
        answer = ola.get(screen.path, query_string=asked)
        assert answer.status_code < 500, screen
        assert "<script>alert(1)</script>" not in answer.text
    for path in ("entries/{}", "customers/{}", "notices/{}", "deliveries/{}", "objections/{}", "entries/{}/history"):
        assert ola.get(f"/team/antopsis/{path.format(hostile)}").status_code in {400, 404}, path


def test_a_stranger_comes_back_to_where_they_were(light_team: Team) -> None:
    answer = light_team.stranger().get("/team/antopsis/?page=2")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/team/account/login?next=/team/antopsis/%3Fpage%3D2"


def test_a_session_that_was_ended_elsewhere_is_no_session(light_team: Team) -> None:
    vera = light_team.sign_in(VERA)
    assert vera.get("/team/antopsis/").status_code == 200
    with light_team.site.world.writing() as session:
        session.execute(update(SignIn).values(ended_at=light_team.site.world.at))
    assert vera.get("/team/antopsis/").status_code == 302


def test_whoever_was_shut_out_is_out_at_once(light_team: Team) -> None:
    vera = light_team.sign_in(VERA)
    with light_team.site.world.writing() as session:
        session.execute(update(Person).where(Person.email == VERA.email).values(active=False))
    assert vera.get("/team/antopsis/").status_code == 302


def test_the_workbench_is_at_the_installations_own_address_alone(two_teams: Team) -> None:
    zoe = two_teams.sign_in(ZOE)
    answer = zoe.client.get("/team/streams/?page=2", base_url="http://legal.streams.example", buffered=True)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "http://127.0.0.1:8000/team/streams/?page=2"
    assert zoe.client.post("/team/streams/", base_url="http://legal.streams.example", buffered=True).status_code == 404


def test_scripts_run_by_a_nonce_and_nothing_is_loaded_from_elsewhere(light_team: Team) -> None:
    vera = light_team.sign_in(VERA)
    first, second = (vera.get("/team/antopsis/") for _ in range(2))
    policies = [answer.headers["Content-Security-Policy"] for answer in (first, second)]
    assert policies[0] != policies[1]
    assert all("script-src 'nonce-" in policy and "unsafe" not in policy for policy in policies)
    assert first.headers["Cache-Control"] == "no-store"
    assert first.headers["Cross-Origin-Resource-Policy"] == "same-origin"
