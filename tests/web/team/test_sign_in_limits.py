"""How often signing in may be tried: guesses are bounded where they come from, and lock nobody else out."""

from __future__ import annotations

from tests.web.colleagues import EDDA, VERA, Team
from tests.web.team.sign_in_browser import (
    LOGIN,
    Browser,
    acts,
    code_of,
    give_password,
    letters_to,
    link_to,
    said,
    text_of,
    token_on,
)

CODE = "/team/account/tf-validate"


def guess(browser: Browser, email: str, times: int) -> list[int]:
    """Guess passwords; return what each was answered with."""
    token = token_on(browser.get(LOGIN).text)
    given = {"csrf_token": token, "email": email, "password": "a wrong guess"}
    return [browser.post_bare(LOGIN, given).status_code for _ in range(times)]


def with_codes(team: Team) -> str:
    give_password(team, EDDA.email)
    edda = Browser(team)
    edda.sign_in(EDDA.email)
    key = edda.connect_app()
    assert edda.fill(CODE, {"code": code_of(key, -1)}).status_code == 302
    return key


def test_guessing_one_account_ends_after_twelve_and_says_when_to_try_again(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    guesser = Browser(light_team, "203.0.113.9")
    assert guess(guesser, EDDA.email, 13) == [200] * 12 + [429]
    refused = guesser.sign_in(EDDA.email)
    assert refused.status_code == 429
    assert "Nothing is locked: try again in" in said(refused)
    assert 0 < int(refused.headers["Retry-After"]) <= 15 * 60
    assert "Too many letters" not in refused.text
    # From the neighbourhood too, and for nobody else.
    assert guess(Browser(light_team, "203.0.113.200"), EDDA.email, 1) == [429]
    assert guess(guesser, VERA.email, 1) == [200]


def test_guesses_from_elsewhere_lock_nobody_out(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    for neighbourhood in range(3):
        guess(Browser(light_team, f"198.51.{neighbourhood}.1"), EDDA.email, 13)
    edda = Browser(light_team, "192.0.2.7")
    assert edda.sign_in(EDDA.email).status_code == 302
    assert edda.is_in()


def test_one_client_may_try_no_list_of_accounts(light_team: Team) -> None:
    guesser = Browser(light_team, "203.0.113.9")
    token = token_on(guesser.get(LOGIN).text)
    answers = [
        guesser.post_bare(LOGIN, {"csrf_token": token, "email": f"n{number}@antopsis.example", "password": "x"})
        for number in range(61)
    ]
    assert [answer.status_code for answer in answers[-2:]] == [200, 429]
    # What needs no guess stays open, and so does everything that is not the sign-in.
    assert guesser.get(LOGIN).status_code == 200
    assert guesser.get("/antopsis/").status_code == 200


def test_five_wrong_codes_end_a_half_done_sign_in_and_its_owner_is_told(team: Team) -> None:
    key = with_codes(team)
    thief = Browser(team, "203.0.113.9")
    thief.sign_in(EDDA.email)
    stolen = {each.key: each.value for each in (thief.client._cookies or {}).values()}
    token = token_on(thief.get(CODE).text)
    for _ in range(4):
        wrong = thief.post_bare(CODE, {"csrf_token": token, "code": "000000"})
        assert (wrong.status_code, "does not fit" in said(wrong)) == (200, True)
    fifth = thief.post_bare(CODE, {"csrf_token": token, "code": "000000"})
    assert "Five codes did not fit" in said(thief.follow(fifth))
    # Not even the right code opens that one now, nor the cookie as it was before the first guess.
    assert thief.post_bare(CODE, {"csrf_token": token, "code": code_of(key)}).status_code == 302
    assert not thief.is_in()
    again = Browser(team, "203.0.113.9")
    again.client.set_cookie("registry_team", stolen["registry_team"], domain="127.0.0.1", path="/team")
    given = {"csrf_token": token_on(again.get(CODE).text), "code": code_of(key)}
    assert "Five codes did not fit" in said(again.follow(again.post_bare(CODE, given)))
    assert not again.is_in()
    letters = [
        each for each in letters_to(team.site, EDDA.email) if each["Subject"] == "Somebody may know your password"
    ]
    assert letters
    assert "They did not get in" in text_of(letters[0])
    assert "203.0.113.9" in text_of(letters[0])
    assert "person.codes_refused" in acts(team)


def test_whoever_mistyped_five_codes_begins_again_and_gets_in(light_team: Team) -> None:
    key = with_codes(light_team)
    edda = Browser(light_team)
    edda.sign_in(EDDA.email)
    for _ in range(4):
        edda.fill(CODE, {"code": "000000"})
    edda.follow(edda.fill(CODE, {"code": "000000"}))
    edda.sign_in(EDDA.email)
    assert edda.fill(CODE, {"code": code_of(key)}).status_code == 302
    assert edda.is_in()


def test_recovery_codes_are_counted_together_with_codes(light_team: Team) -> None:
    with_codes(light_team)
    thief = Browser(light_team)
    thief.sign_in(EDDA.email)
    for number in range(4):
        assert thief.fill("/team/account/mf-recovery", {"code": f"0000-0000-000{number}"}).status_code == 200
    assert thief.fill(CODE, {"code": "000000"}).status_code == 302
    assert thief.get(CODE).status_code == 302


def test_codes_are_bounded_for_one_account_however_often_the_password_is_typed(light_team: Team) -> None:
    with_codes(light_team)
    answers = []
    for _ in range(4):
        thief = Browser(light_team, "203.0.113.9")
        thief.sign_in(EDDA.email)
        token = token_on(thief.get(CODE).text)
        answers += [thief.post_bare(CODE, {"csrf_token": token, "code": "000000"}).status_code for _ in range(4)]
    assert answers == [200] * 12 + [429] * 4


def test_codes_are_not_guessed_from_many_places_either_and_another_password_frees_the_account(
    light_team: Team,
) -> None:
    key = with_codes(light_team)
    for neighbourhood in range(15):
        thief = Browser(light_team, f"198.51.{neighbourhood}.1")
        thief.sign_in(EDDA.email)
        token = token_on(thief.get(CODE).text)
        for _ in range(4):
            assert thief.post_bare(CODE, {"csrf_token": token, "code": "000000"}).status_code == 200
    edda = Browser(light_team)
    edda.sign_in(EDDA.email)
    led = edda.fill(CODE, {"code": code_of(key)})
    assert led.headers["Location"] == "/team/account/reset"
    assert "so somebody may know it. Choose another one" in said(edda.follow(led))
    assert not edda.is_in()
    edda.fill("/team/account/reset", {"email": EDDA.email})
    link = link_to(light_team, EDDA.email)
    edda.fill(link, {"password": "an entirely different one", "password_confirm": "an entirely different one"})
    edda.sign_in(EDDA.email, "an entirely different one")
    assert edda.fill(CODE, {"code": code_of(key)}).status_code == 302
    assert edda.is_in()


def test_a_fresh_proof_is_bounded_like_signing_in(light_team: Team) -> None:
    give_password(light_team, EDDA.email)
    stale = light_team.sign_in(EDDA, is_fresh=False)
    token = token_on(stale.get("/team/account/verify").text)
    given = {"csrf_token": token, "password": "a wrong guess"}
    answers = [stale.post_bare("/team/account/verify", given).status_code for _ in range(13)]
    assert answers == [200] * 12 + [429]
