"""Looking at a notice in the workbench before it goes out, and sending its letter to oneself."""

from __future__ import annotations

import email
import re
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from sqlalchemy import func, select

from registry.channels.base import TemporaryFailure
from registry.channels.outbox import OutboxChannel
from registry.tables import Delivery, Event
from tests.steps.path_cast import add_customer, withdraw
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, ZOE, Somebody, Team
from tests.web.site import attributes_of, links_of, words_of
from tests.web.team.counting import queries
from tests.world import BREMEN, HANOI, World, antopsis, text_of

WORDS = "We open a **second site**. See https://antopsis.example/why."
PREVIEW = "/team/antopsis/notices/2026-001/preview"
TEST = f"{PREVIEW}/test"
MOST_QUERIES = 10


def _draft(world: World, **options: Any) -> str:
    world.apply(antopsis(helsinki=True))
    return world.draft(**options)


def _letters(team: Team) -> list[EmailMessage]:
    folder = team.site.world.wiring.outbox
    found = []
    for path in sorted(folder.glob("*.eml")):
        letter = email.message_from_bytes(path.read_bytes(), policy=default)
        assert isinstance(letter, EmailMessage)
        found.append(letter)
    return found


@pytest.mark.parametrize("somebody", [VERA, EDDA, ARNO, OLA], ids=lambda each: each.role.value)
def test_whoever_works_here_reads_the_letter_as_a_follower_gets_it(light_team: Team, somebody: Somebody) -> None:
    _draft(light_team.site.world, explanation=WORDS)
    answer = light_team.sign_in(somebody).get(PREVIEW)
    assert answer.status_code == 200
    page = words_of(answer.text)
    assert "As a follower reads it" in page
    assert "We open a *second site*. See https://antopsis.example/why." in page
    assert "You asked to be told of changes" in page


@pytest.mark.parametrize("typed", ["hanoi", "Hanoi Streams Co.", "HANOI", "streams"])
def test_a_customer_is_chosen_by_its_name_its_key_or_a_piece_that_only_it_has(light_team: Team, typed: str) -> None:
    _draft(light_team.site.world)
    answer = light_team.sign_in(VERA).get(PREVIEW, query_string={"customer": typed})
    assert answer.status_code == 200
    page = words_of(answer.text)
    assert "As Hanoi Streams Co. reads it" in page
    assert "end of Friday, 30 October 2026 (2026-10-30, Asia/Ho_Chi_Minh)" in page
    assert "45 days of notice and 30 days to object" in page
    assert "privacy@hanoi.example" in page


def test_several_customers_that_fit_are_offered(light_team: Team) -> None:
    _draft(light_team.site.world)
    answer = light_team.sign_in(VERA).get(PREVIEW, query_string={"customer": "e"})
    assert answer.status_code == 400
    assert "Several customers fit “e”" in answer.text
    assert f"{PREVIEW}?show=text&customer=bremen" in links_of(answer.text)
    assert 'value="e"' in answer.text


def test_a_name_nobody_has_is_said_beside_the_field_and_kept(light_team: Team) -> None:
    _draft(light_team.site.world)
    answer = light_team.sign_in(VERA).get(PREVIEW, query_string={"customer": "Nobody & Sons"})
    assert answer.status_code == 400
    assert "No customer is called “Nobody &amp; Sons”" in answer.text
    assert 'value="Nobody &amp; Sons"' in answer.text


def test_customers_are_offered_while_a_name_is_typed(light_team: Team) -> None:
    _draft(light_team.site.world)
    answer = light_team.sign_in(VERA).get(f"{PREVIEW}/customers", query_string={"customer": "brem"})
    assert [value for tag, name, value in attributes_of(answer.text) if (tag, name) == ("option", "value")] == [
        "Bremen Media GmbH"
    ]


def test_percent_signs_are_no_wildcards(light_team: Team) -> None:
    _draft(light_team.site.world)
    assert "option" not in light_team.sign_in(VERA).get(f"{PREVIEW}/customers?customer=%25").text


def test_a_customer_without_a_contact_is_said_to_be_out_of_reach(light_team: Team) -> None:
    _draft(light_team.site.world)
    add_customer(light_team.site.world, key="bergen", name="Bergen AS")
    page = words_of(light_team.sign_in(VERA).get(f"{PREVIEW}?customer=bergen").text)
    assert "No letter reaches Bergen AS until it has a contact." in page


def test_a_customer_whose_contract_is_over_is_said_not_to_be_told(light_team: Team) -> None:
    light_team.site.world.apply(antopsis(customers=HANOI + "    contract_until: 2026-09-29\n" + BREMEN))
    _draft(light_team.site.world)
    vera = light_team.sign_in(VERA)
    assert "Its contract does not run" in words_of(vera.get(f"{PREVIEW}?customer=hanoi").text)
    assert "Its contract does not run" not in words_of(vera.get(f"{PREVIEW}?customer=bremen").text)


def test_the_letter_as_html_stands_in_a_frame_that_can_do_nothing(light_team: Team) -> None:
    _draft(light_team.site.world, explanation=WORDS)
    vera = light_team.sign_in(VERA)
    page = vera.get(f"{PREVIEW}?show=html&customer=hanoi").text
    frame = {name: value for tag, name, value in attributes_of(page) if tag == "iframe"}
    assert frame["sandbox"] == ""
    assert frame["src"] == f"{PREVIEW}/letter.html?customer=hanoi"
    letter = vera.get(frame["src"])
    assert letter.status_code == 200
    policy = letter.headers["Content-Security-Policy"]
    (nonce,) = re.findall(r"style-src 'nonce-([^']+)'", policy)
    assert {"sandbox", "default-src 'none'", "frame-ancestors 'self'"} <= set(policy.split("; "))
    assert "unsafe" not in policy
    assert set(re.findall(r"<style[^>]*>", letter.text)) == {f'<style nonce="{nonce}">'}
    assert 'style="' not in letter.text.replace("data-style=", "")
    assert "Hanoi Streams Co." in letter.text
    assert "<strong>second site</strong>" in letter.text
    assert links_of(letter.text) == []
    assert letter.headers["Cache-Control"] == "no-store"


def test_the_public_page_is_shown_as_it_will_look_with_its_links_dead(light_team: Team) -> None:
    world = light_team.site.world
    number = _draft(world, explanation=WORDS)
    vera = light_team.sign_in(VERA)
    assert f'src="{PREVIEW}/page.html"' in vera.get(f"{PREVIEW}?show=page").text
    page = vera.get(f"{PREVIEW}/page.html")
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("sandbox allow-same-origin; default-src 'none'; ")
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert links_of(page.text) == []
    world.publish(number)
    served = light_team.site.get(f"/antopsis/notices/{number}").text
    assert page.text == re.sub(r'(<a\b[^<>]*?)\shref="', r'\1 data-href="', served)


def test_the_feed_item_reads_as_a_feed_reader_shows_it(light_team: Team) -> None:
    _draft(light_team.site.world, explanation=WORDS)
    page = words_of(light_team.sign_in(VERA).get(f"{PREVIEW}?show=feed").text)
    assert "Announced: Hetzner: change of places" in page
    assert "We open a second site" in page
    assert "Helsinki, Finland (processing)" in page


def test_once_announced_what_was_told_can_be_read_statement_by_statement(light_team: Team) -> None:
    world = light_team.site.world
    number = _draft(world)
    world.publish(number)
    vera = light_team.sign_in(VERA)
    first = words_of(vera.get(f"{PREVIEW}?customer=hanoi").text)
    assert "What was told, word for word." in first
    assert "As Hanoi Streams Co. reads it" in first
    withdraw(world, number, reason="Not needed")
    page = vera.get(f"{PREVIEW}?customer=hanoi")
    assert "Not needed" in words_of(page.text)
    assert "1. Announcement" in page.text
    assert "end of Friday" in words_of(vera.get(f"{PREVIEW}?customer=hanoi&statement=1").text)


@pytest.mark.parametrize(
    "query", ["", "?customer=hanoi", "?show=html&customer=hanoi", "?show=page", "?show=feed", "?customer=e"]
)
@pytest.mark.parametrize("is_told", [False, True], ids=["draft", "announced"])
def test_few_questions_are_asked_whatever_the_number_of_customers(light_team: Team, query: str, is_told: bool) -> None:
    world = light_team.site.world
    number = _draft(world, explanation=WORDS)
    if is_told:
        world.publish(number)
    vera = light_team.sign_in(VERA)
    vera.get(PREVIEW)
    counts = []
    for size in (0, 30):
        for place in range(size):
            add_customer(world, key=f"c-{place}", name=f"Customer {place}")
        with queries(light_team.site.app.extensions["registry"].engine) as sent:
            vera.get(f"{PREVIEW}{query}")
        counts.append(len(sent))
    assert counts[0] == counts[1] <= MOST_QUERIES


@pytest.mark.parametrize("piece", ["letter.html", "letter.html?customer=hanoi", "page.html"])
def test_the_frames_ask_few_questions_too(light_team: Team, piece: str) -> None:
    _draft(light_team.site.world)
    vera = light_team.sign_in(VERA)
    vera.get(PREVIEW)
    with queries(light_team.site.app.extensions["registry"].engine) as sent:
        assert vera.get(f"{PREVIEW}/{piece}").status_code == 200
    assert len(sent) <= MOST_QUERIES


def test_a_test_goes_to_whoever_asks_and_says_what_it_is(team: Team) -> None:
    _draft(team.site.world, explanation=WORDS)
    edda = team.sign_in(EDDA)
    answer = edda.post(TEST, {"customer": "hanoi", "show": "html"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{PREVIEW}?show=html&customer=hanoi"
    assert "on its way to edda@antopsis.example, and to nobody else" in edda.get(answer.headers["Location"]).text
    (letter,) = _letters(team)
    assert letter["To"] == "edda@antopsis.example"
    assert letter["Subject"] == "[Test] Antopsis: change to the subprocessor list on 16 November 2026 (notice 2026-001)"
    assert "List-Unsubscribe" not in letter
    text, part = text_of(letter), letter.get_body(("html",))
    assert part is not None
    for body in (text, part.get_content()):
        said = " ".join(body.split())
        assert "This is a test of notice 2026-001, as Hanoi Streams Co. would get it." in said
        assert "nobody else got it" in said
        assert "second site" in said
        assert not re.search(r"/(manage|unsubscribe|object|acknowledge|confirm)/", body)
        assert f"http://127.0.0.1:8000{PREVIEW}" in body
    assert text.startswith("=" * 78)


def test_a_test_stands_on_record_and_makes_no_delivery(team: Team) -> None:
    _draft(team.site.world)
    team.sign_in(EDDA).post(TEST, {})
    with team.site.world.reading() as session:
        assert session.scalar(select(func.count(Delivery.id))) == 0
        (event,) = session.scalars(select(Event).where(Event.kind == "notice.test_sent"))
        assert event.actor == "edda@antopsis.example (web)"
        assert (event.subject, event.sign_in_id is not None) == ("2026-001", True)
        assert event.payload == {
            "statement": "announcement",
            "seq": 1,
            "audience": "follower",
            "customer_id": None,
        }


def test_a_follower_of_the_test_is_named_as_one(light_team: Team) -> None:
    _draft(light_team.site.world)
    light_team.sign_in(EDDA).post(TEST, {})
    (letter,) = _letters(light_team)
    assert "as somebody who follows the list would get it" in " ".join(text_of(letter).split())


def test_twenty_tests_an_hour_are_enough(light_team: Team) -> None:
    _draft(light_team.site.world)
    edda, ola = light_team.sign_in(EDDA), light_team.sign_in(OLA)
    assert [edda.post(TEST, {}).status_code for _ in range(20)] == [303] * 20
    refused = edda.post(TEST, {"customer": "hanoi"})
    assert refused.status_code == 429
    assert "which is the most" in refused.text
    assert "As Hanoi Streams Co. reads it" in refused.text
    assert ola.post(TEST, {}).status_code == 303
    assert len(_letters(light_team)) == 21


def test_who_may_only_look_is_offered_no_test_and_gets_none(light_team: Team) -> None:
    _draft(light_team.site.world)
    vera = light_team.sign_in(VERA)
    assert "Send a test to me" not in vera.get(PREVIEW).text
    assert vera.post(TEST, {}).status_code == 403
    assert _letters(light_team) == []


def test_a_test_without_the_sessions_token_is_refused(light_team: Team) -> None:
    _draft(light_team.site.world)
    assert light_team.sign_in(EDDA).post_bare(TEST, {}).status_code == 400
    assert _letters(light_team) == []


def test_a_mail_server_that_takes_nothing_is_said_and_nothing_stands_on_record(
    light_team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    _draft(light_team.site.world)
    monkeypatch.setattr(OutboxChannel, "send", lambda self, envelope: TemporaryFailure(None, "no room"))
    answer = light_team.sign_in(EDDA).post(TEST, {})
    assert answer.status_code == 503
    assert "the mail server did not take it" in answer.text
    with light_team.site.world.reading() as session:
        assert session.scalar(select(func.count(Event.id)).where(Event.kind == "notice.test_sent")) == 0


@pytest.mark.parametrize("path", ["", "/letter.html", "/page.html", "/customers", "?customer=hanoi"])
def test_a_colleague_of_another_publisher_finds_nothing(two_teams: Team, path: str) -> None:
    _draft(two_teams.site.world)
    zoe = two_teams.sign_in(ZOE)
    assert zoe.get(f"{PREVIEW}{path}").status_code == 404
    assert zoe.get(f"{PREVIEW}{path}".replace("antopsis", "streams")).status_code == 404
    assert zoe.post(TEST.replace("antopsis", "streams"), {"customer": "hanoi"}).status_code == 404


def test_another_publishers_customer_is_nobody_here(two_teams: Team) -> None:
    _draft(two_teams.site.world)
    add_customer(two_teams.site.world, "streams", key="secret", name="Secret Customer Ltd")
    answer = two_teams.sign_in(VERA).get(f"{PREVIEW}?customer=secret")
    assert answer.status_code == 400
    assert "Secret Customer" not in answer.text
    letter = two_teams.sign_in(VERA).get(f"{PREVIEW}/letter.html?customer=secret")
    assert letter.status_code == 400
    assert "Secret Customer" not in letter.text


@pytest.mark.parametrize(
    "query", ["?statement=x&contact=-1&language=de", "?contact=99999999999999999999", "?show=x&customer=%07"]
)
def test_whatever_else_stands_in_the_address_is_as_if_it_did_not(light_team: Team, query: str) -> None:
    _draft(light_team.site.world)
    assert light_team.sign_in(VERA).get(f"{PREVIEW}{query}").status_code == 200


def test_a_notice_that_is_not_there_is_not_found(light_team: Team) -> None:
    vera = light_team.sign_in(VERA)
    assert vera.get("/team/antopsis/notices/2026-099/preview").status_code == 404


def test_the_letter_is_shown_in_the_readers_language_or_in_another_that_is_chosen(light_team: Team) -> None:
    german = BREMEN.replace("[dpo@bremen.example]", "[{email: dpo@bremen.example, language: de}]")
    light_team.site.world.apply(antopsis(customers=HANOI + german))
    _draft(light_team.site.world)
    vera = light_team.sign_in(VERA)
    theirs = words_of(vera.get(f"{PREVIEW}?customer=bremen").text)
    assert "Änderung der Liste der Unterauftragsverarbeiter" in theirs
    assert "Language Deutsch" in theirs
    assert "danh sách bên xử lý phụ" in words_of(vera.get(f"{PREVIEW}?customer=bremen&language=vi").text)
    assert "change to the subprocessor list" in words_of(vera.get(f"{PREVIEW}?customer=hanoi").text)
