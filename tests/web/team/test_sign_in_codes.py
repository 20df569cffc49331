"""The second proof by codes: setting up, signing in, recovery codes, and what a publisher may ask of everybody."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from registry.tables import Membership, Passkey, Person, Publisher
from tests.web.colleagues import EDDA, Team
from tests.web.team.sign_in_browser import (
    PASSWORD,
    Browser,
    acts,
    code_of,
    give_password,
    letters_to,
    said,
    text_of,
    token_on,
)

CODE = "/team/account/tf-validate"
RECOVERY = "/team/account/mf-recovery"


def signed_in(team: Team) -> Browser:
    give_password(team, EDDA.email)
    edda = Browser(team)
    assert edda.sign_in(EDDA.email).status_code == 302
    return edda


def with_codes(team: Team) -> tuple[Browser, str, list[str]]:
    """Return a browser that has set up codes, the key of its app, and the recovery codes it was shown."""
    edda = signed_in(team)
    key = edda.connect_app()
    page = edda.get("/team/account/tf-validate")
    done = edda.post_bare(CODE, {"csrf_token": token_on(page.text), "code": code_of(key, -1)})
    shown = edda.follow(done)
    return edda, key, re.findall(r"<li><code>([0-9a-f-]+)</code>", shown.text)


def a_passkey(team: Team, usage: str) -> None:
    with team.site.world.writing() as session:
        person = session.scalars(select(Person).where(Person.email == EDDA.email)).one()
        session.add(
            Passkey(
                person_id=person.id,
                name="Laptop",
                credential_id=b"1",
                public_key=b"2",
                backup_state=False,
                device_type="single_device",
                usage=usage,
                lastuse_datetime=team.site.world.at,
            )
        )


def require_two_proofs(team: Team) -> None:
    with team.site.world.writing() as session:
        session.scalars(select(Publisher)).one().requires_second_factor = True


def test_codes_are_set_up_by_picture_or_key_and_recovery_codes_are_shown_once(team: Team) -> None:
    edda, key, codes = with_codes(team)
    assert re.fullmatch(r"([A-Z2-7]{4}[- ]?)+", key)
    assert len(codes) == 8
    assert acts(team) == [
        "person.signed_in",
        "person.second_factor_on",
        "person.recovery_codes_made",
    ]
    again = edda.get("/team/account/mf-recovery-codes?show_codes=1")
    assert all(code not in again.text for code in codes)
    assert "You have 8 codes left" in said(again)
    (letter,) = letters_to(team.site, EDDA.email)
    assert letter["Subject"] == "Codes from an app are asked for"
    assert "Firefox on Windows" in text_of(letter)
    assert f"{team.base_url}/team/account/" in text_of(letter)
    with team.site.world.reading() as session:
        person = session.scalars(select(Person).where(Person.email == EDDA.email)).one()
        assert key.replace("-", "") not in (person.tf_totp_secret or "")
        assert all(code not in str(person.mf_recovery_codes) for code in codes)


def test_a_code_mistyped_while_setting_up_may_be_typed_again_without_a_new_picture(light_team: Team) -> None:
    edda = signed_in(light_team)
    key = edda.connect_app()
    wrong = edda.fill(CODE, {"code": "000000"})
    assert (wrong.status_code, "does not fit" in said(wrong)) == (200, True)
    assert edda.fill(CODE, {"code": code_of(key)}).status_code == 302
    assert "person.second_factor_on" in acts(light_team)


def test_after_the_password_a_code_is_asked_for_and_opens(team: Team) -> None:
    _, key, _ = with_codes(team)
    edda = Browser(team)
    asked = edda.follow(edda.sign_in(EDDA.email, query="?next=/team/antopsis/people/"))
    assert "The code from your app" in said(asked)
    assert not edda.is_in()
    code = code_of(key)
    opened = edda.fill(f"{CODE}?next=/team/antopsis/people/", {"code": f"{code[:3]} {code[3:]}"})
    assert opened.headers["Location"] == "/team/antopsis/people/"
    assert edda.is_in()


def test_a_code_is_taken_once(team: Team) -> None:
    _, key, _ = with_codes(team)
    first, second = Browser(team), Browser(team)
    for browser in (first, second):
        browser.sign_in(EDDA.email)
    code = code_of(key)
    assert first.fill(CODE, {"code": code}).status_code == 302
    refused = second.fill(CODE, {"code": code})
    assert "is not taken again" in said(refused)
    assert not second.is_in()
    assert second.fill(CODE, {"code": code_of(key, 1)}).status_code == 302


def test_a_recovery_code_opens_once_however_it_is_typed_and_its_owner_is_told(team: Team) -> None:
    _, _, codes = with_codes(team)
    edda, other = Browser(team), Browser(team)
    for browser in (edda, other):
        browser.sign_in(EDDA.email)
    assert edda.fill(RECOVERY, {"code": codes[0].upper().replace("-", " ")}).status_code == 302
    assert edda.is_in()
    assert "used already" in said(other.fill(RECOVERY, {"code": codes[0]}))
    assert not other.is_in()
    assert acts(team)[-3:] == ["person.recovery_code_used", "person.signed_in", "person.sign_in_failed"]
    assert letters_to(team.site, EDDA.email)[-1]["Subject"] == "A recovery code was used"
    assert "7 left" in said(edda.get("/team/account/"))


def test_new_recovery_codes_void_the_old_ones(light_team: Team) -> None:
    edda, _, codes = with_codes(light_team)
    made = edda.fill("/team/account/mf-recovery-codes")
    fresh = re.findall(r"<li><code>([0-9a-f-]+)</code>", made.text)
    assert len(fresh) == 8
    assert not set(fresh) & set(codes)
    assert letters_to(light_team.site, EDDA.email)[-1]["Subject"] == "New recovery codes were made"
    other = Browser(light_team)
    other.sign_in(EDDA.email)
    assert other.fill(RECOVERY, {"code": codes[1]}).status_code == 200
    assert other.fill(RECOVERY, {"code": fresh[1]}).status_code == 302


def test_codes_can_be_switched_off_and_go_with_their_recovery_codes(light_team: Team) -> None:
    edda, _, _ = with_codes(light_team)
    edda.fill("/team/account/tf-setup", {"setup": "disable"})
    assert letters_to(light_team.site, EDDA.email)[-1]["Subject"] == "Codes from an app are switched off"
    assert acts(light_team)[-1] == "person.second_factor_off"
    with light_team.site.world.reading() as session:
        person = session.scalars(select(Person).where(Person.email == EDDA.email)).one()
        assert (person.tf_primary_method, person.tf_totp_secret, person.mf_recovery_codes) == (None, None, None)
    assert Browser(light_team).sign_in(EDDA.email).headers["Location"] == "/team/"


def test_where_two_proofs_are_asked_for_nobody_gets_past_setting_one_up(light_team: Team) -> None:
    require_two_proofs(light_team)
    edda = signed_in(light_team)
    led = edda.follow(edda.get("/team/"))
    assert "asks everybody who works here for a second proof" in said(led)
    assert "Two proofs of who you are" in said(led)
    assert edda.get("/team/antopsis/people/").headers["Location"] == "/team/account/tf-setup"
    key = edda.connect_app()
    edda.follow(edda.fill(CODE, {"code": code_of(key)}))
    assert edda.get("/team/antopsis/").status_code == 200
    # And then not to switch it off again.
    refused = edda.fill("/team/account/tf-setup", {"setup": "disable"})
    assert "Switch codes off" not in refused.text
    assert edda.get("/team/antopsis/").status_code == 200


def test_where_two_proofs_are_asked_for_a_password_does_not_replace_a_passkey(light_team: Team) -> None:
    require_two_proofs(light_team)
    give_password(light_team, EDDA.email)
    a_passkey(light_team, "first")
    thief = Browser(light_team)
    led = thief.follow(thief.sign_in(EDDA.email))
    assert "Sign in with your passkey instead" in said(led)
    assert not thief.is_in()
    # Nor does it let them set up codes of their own.
    thief.sign_in(EDDA.email)
    token = token_on(thief.get("/team/account/wan-signin").text)
    thief.post_bare("/team/account/tf-setup", {"csrf_token": token, "setup": "authenticator"})
    assert not thief.is_in()
    assert "person.second_factor_on" not in acts(light_team)


def test_setting_up_codes_ends_the_sessions_that_began_without(team: Team) -> None:
    give_password(team, EDDA.email)
    thief = Browser(team, "203.0.113.9")
    thief.sign_in(EDDA.email)
    edda, _, _ = with_codes(team)
    assert not thief.is_in()
    assert edda.is_in()


@pytest.mark.parametrize("path", ["/team/antopsis/", "/team/account/", "/team/account/tf-setup"])
def test_where_two_proofs_are_asked_for_a_session_that_began_with_one_ends(team: Team, path: str) -> None:
    give_password(team, EDDA.email)
    a_passkey(team, "first")
    thief = Browser(team, "203.0.113.9")
    thief.sign_in(EDDA.email)
    assert thief.is_in()
    stolen = {each.key: each.value for each in (thief.client._cookies or {}).values()}
    require_two_proofs(team)
    assert thief.get(path).headers["Location"].startswith("/team/account/login")
    assert not thief.is_in()
    # Nor does it come back to life once nobody asks for two any more.
    with team.site.world.writing() as session:
        session.scalars(select(Publisher)).one().requires_second_factor = False
    thief.client.set_cookie("registry_team", stolen["registry_team"], domain="127.0.0.1", path="/team")
    assert not thief.is_in()


def test_a_key_for_after_the_password_is_asked_for_after_it(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    a_passkey(light_team, "secondary")
    edda = Browser(light_team)
    led = edda.follow(edda.sign_in(EDDA.email))
    assert "Your password was right. Now touch your key" in said(led)
    assert not edda.is_in()


def test_with_a_key_and_codes_one_is_chosen(light_team: Team) -> None:
    _, key, _ = with_codes(light_team)
    a_passkey(light_team, "secondary")
    edda = Browser(light_team)
    chosen = edda.follow(edda.sign_in(EDDA.email))
    assert "Which one do you have at hand?" in said(chosen)
    assert "A code from your app" in said(chosen)
    edda.follow(edda.fill("/team/account/tf-select", {"which": "authenticator"}))
    assert edda.fill(CODE, {"code": code_of(key)}).status_code == 302
    assert edda.is_in()


def test_setting_up_needs_a_fresh_proof(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    stale = light_team.sign_in(EDDA, is_fresh=False)
    for path in ("tf-setup", "wan-register", "mf-recovery-codes"):
        asked = stale.get(f"/team/account/{path}")
        assert asked.headers["Location"].startswith("/team/account/verify?next=/team/account/"), path
    page = stale.get("/team/account/verify?next=/team/account/tf-setup")
    given = {"csrf_token": token_on(page.text), "password": "not this"}
    assert "This is not your password" in said(stale.post_bare("/team/account/verify", given))
    given["password"] = PASSWORD
    answer = stale.post_bare("/team/account/verify?next=/team/account/tf-setup", given)
    assert answer.headers["Location"] == "/team/account/tf-setup"
    assert stale.get("/team/account/tf-setup").status_code == 200


def test_opening_the_page_of_a_code_unasked_signs_nobody_out(light_team: Team) -> None:
    edda = signed_in(light_team)
    assert edda.get(CODE).headers["Location"] == "/team/account/"
    assert edda.is_in()
    stranger = Browser(light_team)
    for path in (CODE, RECOVERY, "/team/account/tf-select", "/team/account/tf-setup"):
        assert "Sign in" in said(stranger.follow(stranger.get(path))), path


def test_what_a_person_holds_elsewhere_asks_for_two_proofs_here_too_once_one_is_set_up(light_team: Team) -> None:
    with_codes(light_team)
    with light_team.site.world.writing() as session:
        for held in session.scalars(select(Membership)):
            session.delete(held)
    edda = Browser(light_team)
    assert "The code from your app" in said(edda.follow(edda.sign_in(EDDA.email)))
