"""How far a notice's letters are: live, in words, filtered, and with few questions of the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from registry.domain.deliveries import DeliveryNote, DeliveryState, SkipReason
from registry.tables import Address, Attempt, Delivery, Installation, Letter, Statement, Subscription
from registry.web.team import delivery_words
from tests.channels.smtp_server import MailServer
from tests.web.colleagues import ARNO, EDDA, VERA, ZOE, Team
from tests.web.site import quick_tick, words_of
from tests.web.team.counting import queries
from tests.web.team.delivery_cast import HERE, announce, delivery_to, events, mailing
from tests.world import antopsis

LIST = f"{HERE}/deliveries"


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A real mail server: Bremen's mailbox does not exist, Oslo's server wants another try."""
    with MailServer() as server:
        server.script("dpo@bremen.example", 550, "5.1.1 No such user dpo@bremen.example here")
        server.script("law@oslo.example", 451, "4.3.0 Try again later", times=1)
        yield server


@pytest.fixture
def mailed(database_url: str, tmp_path: Path, mail: MailServer) -> Iterator[Team]:
    """A team whose letters really go out, on either database."""
    with mailing(database_url, tmp_path / "instance", mail) as team:
        yield team


def test_the_progress_follows_letters_as_a_real_server_answers(mailed: Team, mail: MailServer) -> None:
    announce(mailed)
    vera, world = mailed.sign_in(VERA), mailed.site.world
    before = vera.get(LIST).text
    assert "0 of 3 letters accepted" in words_of(before)
    assert f'hx-get="{LIST}/progress" hx-trigger="every 3s"' in before
    world.at += timedelta(seconds=12)
    quick_tick(world)
    piece = vera.get(f"{LIST}/progress", headers={"HX-Request": "true"}).text
    assert "<html" not in piece
    said = words_of(piece)
    assert "1 of 3 letters accepted" in said
    assert "1 being tried again" in said
    assert "1 refused or came back" in said
    assert "That was 12 seconds ago" in said
    # Only a further try is left to wait for, which is minutes off.
    assert 'hx-trigger="every 30s"' in piece
    world.at += timedelta(minutes=2)
    quick_tick(world)
    last = vera.get(f"{LIST}/progress").text
    assert "2 of 3 letters accepted" in words_of(last)
    assert "hx-get" not in last
    assert "Nothing is under way" in last


def test_every_delivery_stands_with_its_state_tries_and_last_answer(mailed: Team) -> None:
    announce(mailed)
    quick_tick(mailed.site.world)
    page = words_of(mailed.sign_in(EDDA).get(LIST).text)
    assert "privacy@hanoi.example contact of Hanoi Streams Co. 1: announcement accepted 1" in page
    assert "refused 1 30 September 2026, 10:00 Europe/Berlin 550 at RCPT TO: 5.1.1 No such user" in page
    assert "will be tried again 1" in page
    assert "451 at RCPT TO: 4.3.0 Try again later" in page


def test_a_viewer_sees_addresses_masked_also_in_what_servers_answered(mailed: Team) -> None:
    announce(mailed)
    quick_tick(mailed.site.world)
    number = delivery_to(mailed, "dpo@bremen.example").id
    vera, edda = mailed.sign_in(VERA), mailed.sign_in(EDDA)
    for path in (LIST, f"/team/antopsis/deliveries/{number}", f"{HERE}/customers/bremen"):
        seen = vera.get(path)
        assert seen.status_code == 200
        assert "dpo@bremen.example" not in seen.text
        assert "d…@bremen.example" in seen.text
        assert "dpo@bremen.example" in edda.get(path).text
    letter = vera.get(f"/team/antopsis/deliveries/{number}/letter")
    assert letter.status_code == 200
    assert "dpo@bremen.example" not in letter.text


def test_customers_not_reached_stand_with_the_time_left_and_what_can_be_done(mailed: Team) -> None:
    announce(mailed)
    world = mailed.site.world
    quick_tick(world)
    world.at += timedelta(hours=2)
    page = mailed.sign_in(VERA).get(LIST).text
    said = words_of(page)
    assert "Customers not reached 1" in said
    assert "Bremen Media GmbH : No mailbox of its contacts took the letter." in said
    assert "Send to another contact, or serve it by post or courier." in said
    assert "days left" in said
    assert f'href="{HERE}/customers/bremen"' in page


@pytest.mark.parametrize(
    ("filters", "seen", "unseen"),
    [
        ("state=failed", "d…@bremen.example", "p…@hanoi.example"),
        ("customer=hanoi", "p…@hanoi.example", "d…@bremen.example"),
        ("customer=Bremen+Media", "d…@bremen.example", "p…@hanoi.example"),
        ("audience=follower", "f…@people.example", "p…@hanoi.example"),
        ("audience=customer", "p…@hanoi.example", "f…@people.example"),
        ("statement=1", "p…@hanoi.example", "No delivery is like that"),
        ("statement=2", "No delivery is like that", "p…@hanoi.example"),
        ("channel=webhook", "No delivery is like that", "p…@hanoi.example"),
        ("customer=%25", "No delivery is like that", "p…@hanoi.example"),
        ("state=nonsense&audience=&channel=x&statement=-1", "p…@hanoi.example", "No delivery is like that"),
    ],
)
def test_the_list_is_filtered(light_team: Team, filters: str, seen: str, unseen: str) -> None:
    light_team.site.follow("fan@people.example")
    announce(light_team)
    with light_team.site.world.writing() as session:
        session.get_one(Delivery, delivery_to(light_team, "dpo@bremen.example").id).state = "failed"
    page = light_team.sign_in(VERA).get(f"{LIST}?{filters}").text
    listed = page[page.index("Every delivery") :]
    assert seen in listed
    assert unseen not in listed


def test_before_the_announcement_the_screen_says_what_will_be_here(light_team: Team) -> None:
    world = light_team.site.world
    world.apply(antopsis(helsinki=True))
    number = world.draft()
    answer = light_team.sign_in(VERA).get(f"/team/antopsis/notices/{number}/deliveries")
    assert answer.status_code == 200
    assert "Nothing was sent yet" in answer.text
    assert "hx-get" not in answer.text


def test_what_lies_in_the_outbox_is_called_not_sent(light_team: Team) -> None:
    announce(light_team)
    quick_tick(light_team.site.world)
    said = words_of(light_team.sign_in(VERA).get(LIST).text)
    assert "3 of 3 letters written to the outbox, not sent" in said
    assert "accepted by the recipients" not in said
    assert "written, not sent" in said


@pytest.mark.parametrize("is_demo", [False, True], ids=["installation", "demonstration"])
def test_every_screen_says_the_same_of_what_the_outbox_starts(light_team: Team, is_demo: bool) -> None:
    world = light_team.site.world
    with world.writing() as session:
        session.scalars(select(Installation)).one().is_demo = is_demo
    announce(light_team)
    quick_tick(world)
    edda = light_team.sign_in(EDDA)
    one = re.findall(r"/team/antopsis/deliveries/\d+", edda.get(LIST).text)[0]
    letter = re.findall(r"/team/antopsis/outbox/\d+", edda.get("/team/antopsis/outbox/").text)[0]
    for path in (LIST, one, "/team/antopsis/outbox/", letter):
        page = edda.get(path).text
        assert ("as received all the same, for this is a demonstration" in words_of(page)) is is_demo, path
        assert ("nobody’s period" in words_of(page)) is not is_demo, path
        assert ('<aside class="demo"' in page) is is_demo, path
    for path in ("/team/", "/team/account/", "/team/antopsis/", "/team/antopsis/notices/no-such"):
        assert ('<aside class="demo"' in edda.get(path, follow_redirects=True).text) is is_demo, path


def test_letters_that_need_attention_are_tried_once_more_by_an_editor(team: Team) -> None:
    announce(team)
    with team.site.world.writing() as session:
        row = session.get_one(Delivery, delivery_to(team, "dpo@bremen.example").id)
        row.state, row.note = DeliveryState.NEEDS_ATTENTION.value, DeliveryNote.CRASHED_REPEATEDLY.value
    edda = team.sign_in(EDDA)
    page = edda.get(LIST).text
    assert "1 letter needs attention" in words_of(page)
    assert "Sending it failed three times" in page
    assert team.sign_in(VERA).post(f"{LIST}/retry").status_code == 403
    answer = edda.post(f"{LIST}/retry")
    assert (answer.status_code, answer.headers["Location"]) == (303, LIST)
    assert "1 letter is tried once more." in edda.get(LIST).text
    assert delivery_to(team, "dpo@bremen.example").state == "pending"
    (event,) = events(team, "delivery.requeued")
    assert event.actor.startswith(EDDA.email)


def test_another_publishers_notice_and_delivery_are_not_found(two_teams: Team) -> None:
    announce(two_teams)
    number = delivery_to(two_teams, "dpo@bremen.example").id
    zoe = two_teams.sign_in(ZOE)
    assert zoe.get("/team/streams/notices/2026-001/deliveries").status_code == 404
    for path in (f"{number}", f"{number}/letter"):
        assert zoe.get(f"/team/streams/deliveries/{path}").status_code == 404
    assert zoe.post(f"/team/streams/deliveries/{number}/resend", {"contact": "another"}).status_code == 404
    assert zoe.post("/team/streams/notices/2026-001/deliveries/retry").status_code == 404
    for file in ("deliveries", "customers"):
        assert zoe.post(f"/team/streams/notices/2026-001/deliveries/files/{file}").status_code == 404
    assert zoe.get(LIST).status_code == 404


def test_thousands_of_deliveries_ask_no_more_of_the_database_than_a_few(light_team: Team) -> None:
    announce(light_team)
    world, vera = light_team.site.world, light_team.sign_in(VERA)
    quick_tick(world)
    asked = {}
    for size in ("few", "many"):
        if size == "many":
            _add_followers(light_team, 3_000)
        for path in (
            LIST,
            f"{LIST}/progress",
            f"{LIST}?customer=bremen",
            f"{HERE}/customers",
            f"{HERE}/customers/bremen",
        ):
            vera.get(path)
            with queries(light_team.site.app.extensions["registry"].engine) as sent:
                assert vera.get(path).status_code == 200
            asked[size, path] = len(sent)
    for (size, path), count in asked.items():
        assert count <= 10, path
        assert count == asked["few", path], (size, path)
    number = delivery_to(light_team, "dpo@bremen.example").id
    with queries(light_team.site.app.extensions["registry"].engine) as sent:
        assert light_team.sign_in(ARNO).get(f"/team/antopsis/deliveries/{number}").status_code == 200
    assert len([each for each in sent if each.startswith("SELECT")]) <= 12


def _add_followers(team: Team, count: int) -> None:
    """Add followers with an accepted letter each."""
    world = team.site.world
    with world.writing() as session:
        statement = session.scalars(select(Statement)).one()
        letter = session.scalars(select(Letter).where(Letter.audience == "follower", Letter.form == "email")).one()
        own = {"publisher_id": statement.publisher_id}
        dated = {**own, "created_at": world.at}
        ids = range(1_000, 1_000 + count)
        hashed = [{"channel": "email", "lookup_hmac": f"{each:064}"} for each in ids]
        session.execute(
            insert(Address),
            [
                {**dated, **keyed, "id": each, "value": f"f{each}@people.example"}
                for each, keyed in zip(ids, hashed, strict=True)
            ],
        )
        follower = {**dated, "audience": "follower", "language": "en", "confirmed_at": world.at}
        session.execute(insert(Subscription), [{**follower, "id": each, "address_id": each} for each in ids])
        made = {
            **dated,
            "statement_id": statement.id,
            "letter_id": letter.id,
            "state": "accepted",
            "priority": 1_000_000_001,
        }
        sent = {"due_at": world.at, "attempt_count": 1, "accepted_at": world.at}
        session.execute(insert(Delivery), [{**made, **sent, "id": each, "subscription_id": each} for each in ids])
        tried = {**own, "n": 1, "token": "x", "channel": "smtp", "claimed_at": world.at, "answer_class": "accepted"}
        session.execute(insert(Attempt), [{**tried, "delivery_id": each} for each in ids])


def test_pages_of_the_list_lead_on(light_team: Team) -> None:
    announce(light_team)
    _add_followers(light_team, 60)
    vera = light_team.sign_in(VERA)
    first, second = vera.get(f"{LIST}?audience=follower").text, vera.get(f"{LIST}?audience=follower&page=2").text
    assert first.count('<tr>\n<th scope="row"><a') == 50
    assert second.count('<tr>\n<th scope="row"><a') == 10
    assert "audience=follower&amp;page=2" in first


def test_every_state_reason_and_note_has_words() -> None:
    assert set(delivery_words.STATES) == set(delivery_words.MEANINGS) == {state.value for state in DeliveryState}
    assert set(delivery_words.SKIPPED) == {reason.value for reason in SkipReason}
    assert set(delivery_words.NOTES) == {note.value for note in DeliveryNote}


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("dpo@bremen.example", "d…@bremen.example"),
        ("a@b.example", "a…@b.example"),
        ("https://hooks.example/services/T0/B0/secret", "hooks.example/…"),
        ("nonsense", "…"),
    ],
)
def test_an_address_is_masked(address: str, masked: str) -> None:
    assert delivery_words.mask_address(address) == masked
    assert delivery_words.mask_in(f"550 <{address.upper()}> unknown, {address}", address) == (
        f"550 <{masked}> unknown, {masked}"
    )
