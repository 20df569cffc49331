from __future__ import annotations
import pytest
from sqlalchemy import select
from registry.tables import Event, Person, Publisher, SignIn
from registry.steps.lookup import get_publisher
from tests.steps.path_cast import HETZNER, TWO_PLACES, STRIPE, edit, object_to, approve_entry
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Team
from tests.web.site import words_of
from tests.web.team.notice_cast import BY_EDDA, NOTICES, do, draft, edit_places, published, reading, require_approvals, said
from registry.steps.record import Actor
from tests.world import utc
from tests.web.team.sign_in_browser import Browser, give_password, LOGIN, token_on, code_of, letters_to
BY_ARNO = Actor(ARNO.email, "web")

def test_discard(light_team: Team) -> None:
    team = light_team
    require_approvals(team)
    edit(team.site.world, TWO_PLACES, actor=BY_ARNO)
    arno, edda = team.sign_in(ARNO), team.sign_in(EDDA)
    number = draft(arno)
    do(arno, number, "discard", edits="keep")
    edit(team.site.world, TWO_PLACES | {"retention": "30 days"}, actor=BY_EDDA)
    number = draft(edda)
    do(edda, number, "submit")
    a = do(arno, number, "approve")
    assert a.status_code == 409, "BYPASS"

def test_editorial(light_team: Team) -> None:
    team = light_team
    require_approvals(team)
    edit(team.site.world, STRIPE | {"links": {"website": "https://evil.example"}}, "stripe", actor=BY_ARNO)
    e = edit(team.site.world, STRIPE | {"links": {"website": "https://evil.example", "privacy": "https://s.example"}}, "stripe", actor=BY_EDDA)
    print(e)
    arno = team.sign_in(ARNO)
    from registry.steps.errors import OwnApproval
    with pytest.raises(OwnApproval):
        print(approve_entry(team.site.world, "stripe", BY_ARNO))

def correction(team):
    world = team.site.world
    number = published(team)
    world.tick()
    require_approvals(team)
    world.at = utc("2026-10-02 08:00")
    espoo = HETZNER | {"locations": [*HETZNER["locations"], {"country": "FI", "place": "Espoo", "function": "storage"}]}
    edit(world, espoo, actor=BY_EDDA)
    return number

def test_correction_own_words(light_team: Team) -> None:
    number = correction(light_team)
    arno = light_team.sign_in(ARNO)
    arno.post(f"{NOTICES}/{number}/correct", {"reason": "R", "summary": ""})
    a = arno.post(f"{NOTICES}/{number}/correct/approve", {"proposed_reason": "R", "proposed_summary": ""})
    assert a.status_code == 409, "BYPASS"

def test_correction_unread(light_team: Team) -> None:
    number = correction(light_team)
    edda, arno = light_team.sign_in(EDDA), light_team.sign_in(ARNO)
    edda.post(f"{NOTICES}/{number}/correct", {"reason": "R", "summary": ""})
    page = arno.get(f"{NOTICES}/{number}/correct")
    edit(light_team.site.world, HETZNER | {"retention": "never"}, actor=BY_EDDA)
    a = arno.post(f"{NOTICES}/{number}/correct/approve", {"read": "", "proposed_reason": "R", "proposed_summary": ""})
    assert a.status_code == 409, "UNREAD"

def test_override_lapse(light_team: Team) -> None:
    team = light_team
    world = team.site.world
    number = published(team)
    world.tick()
    object_to(world, number, "bremen")
    arno, ola, edda = team.sign_in(ARNO), team.sign_in(OLA), team.sign_in(EDDA)
    do(arno, number, "override/bremen", reason="Settled.")
    ola.post(f"{NOTICES}/{number}/override/bremen", {"act": "agree", "proposed_reason": "Settled."})
    world.at = utc("2026-10-02 08:00")
    edit(world, HETZNER | {"locations": [*HETZNER["locations"], {"country": "FI", "place": "Espoo", "function": "storage"}]}, actor=BY_EDDA)
    edda.post(f"{NOTICES}/{number}/correct", {"reason": "R", "summary": ""})
    a = ola.post(f"{NOTICES}/{number}/correct/send", {"proposed_reason": "R", "proposed_summary": ""})
    print(a.status_code)
    a = do(arno, number, "override/bremen", reason="Settled.")
    assert "stands until a second person agrees" in said(arno, a), "BYPASS"

def test_one_proof_session(light_team: Team) -> None:
    team = light_team
    give_password(team, EDDA.email)
    thief = Browser(team, "203.0.113.9"); thief.sign_in(EDDA.email)
    assert thief.is_in()
    edda = Browser(team); edda.sign_in(EDDA.email)
    key = edda.connect_app()
    edda.fill("/team/account/tf-validate", {"code": code_of(key, -1)})
    with team.site.world.writing() as session:
        get_publisher(session, "antopsis").requires_second_factor = True
    assert edda.get("/team/antopsis/").status_code == 200
    assert thief.get("/team/antopsis/").status_code == 302, "BYPASS"

def test_invite_bomb(light_team: Team) -> None:
    ola = light_team.sign_in(OLA)
    ola.post("/team/antopsis/people/invite", {"email": "victim@x.example", "role": "viewer", "name": ""})
    with light_team.site.world.reading() as s:
        pid = s.scalar(select(Person.id).where(Person.email == "victim@x.example"))
    for _ in range(30):
        ola.post(f"/team/antopsis/people/{pid}/invitation")
    assert len(letters_to(light_team.site, "victim@x.example")) < 20

@pytest.mark.parametrize("bad", ["//evil.example", "/\\evil.example", "https://evil.example/team/", "\t//evil.example", "/team/\\..\\..//evil.example", "/%09/evil.example", "///evil.example","http:evil.example", "/team/..//evil.example"])
def test_next(light_team: Team, bad: str) -> None:
    give_password(light_team, EDDA.email)
    b = Browser(light_team)
    token = token_on(b.get(LOGIN).text)
    from urllib.parse import quote
    a = b.post_bare(f"{LOGIN}?next={quote(bad)}", {"csrf_token": token, "email": EDDA.email, "password": "correct horse battery staple"})
    print(a.status_code, a.headers.get("Location"))
    b = Browser(light_team)
    token = token_on(b.get(LOGIN).text)
    a = b.post_bare(f"{LOGIN}", {"csrf_token": token, "email": EDDA.email, "password": "correct horse battery staple", "next": bad})
    print(a.status_code, a.headers.get("Location"))
    a = Browser(light_team).post_bare(f"{LOGIN}?next={quote(bad)}", {})
    print(a.status_code, "evil" in a.text)
