"""The page behind "Choose what you are told of": what was sent, pausing, another address, one's own data, erasing."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from registry.steps.legal_holds import set_legal_hold
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Address, Attempt, Delivery, Event, Subscription
from tests.web.site import Site, path_of, quick_tick, words_of
from tests.web.test_letter_links import sign, subscription_of
from tests.world import ANNA, antopsis, link_in, text_of, utc

FRED, OLGA = "fred@reader.example", "olga@reader.example"
DPO = "dpo@bremen.example"
MORE = """  - key: bunny
    name: Bunny
    purposes: [Delivery]
    data_categories: [IP addresses]
"""


def events(site: Site, kind: str) -> list[Event]:
    with site.world.reading() as session:
        return list(session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id)))


def withdraw(site: Site, number: str) -> None:
    with site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        withdraw_notice(session, site.world.at, publisher, notice, ANNA, site.world.wiring.letterhead, reason="Not now")


def test_the_page_lists_every_letter_and_says_no_more_than_is_known(site: Site) -> None:
    manage = site.follow(FRED)
    number = site.world.announce(antopsis(helsinki=True))
    quick_tick(site.world)
    said = words_of(site.get(manage).text)
    assert f"Announcement, notice {number}" in said
    assert "Please confirm" in said
    # The outbox of an installation for trying out is no mail server.
    assert "Not sent: this installation is for trying out, and only wrote a file" in said
    with site.world.writing() as session:
        for attempt in session.scalars(select(Attempt)):
            attempt.channel = "smtp"
    assert "Taken by a mail server. Whether it reached the mailbox is not known" in words_of(site.get(manage).text)
    for state, words in (
        ("delivered", "Delivered, as the mailbox’s server reported"),
        ("bounced", "Came back: it did not reach the mailbox"),
        ("retry_wait", "Not taken yet; it is tried again"),
        ("ambiguous", "Sent, and no answer came: it may have arrived"),
    ):
        with site.world.writing() as session:
            for delivery in session.scalars(select(Delivery)):
                delivery.state = state
        assert words in words_of(site.get(manage).text)


def test_many_letters_are_shown_a_page_at_a_time_and_a_page_that_nobody_has_is_the_first(light_site: Site) -> None:
    manage = light_site.follow(FRED)
    with light_site.world.writing() as session:
        (one,) = session.scalars(select(Delivery))
        columns = {
            c.name: getattr(one, c.name) for c in Delivery.__table__.columns if c.name not in {"id", "message_id"}
        }
        session.add_all(Delivery(**columns) for _ in range(44))
    first = light_site.get(manage).text
    assert first.count("Please confirm") == 20
    older = manage + "?before=" + first.partition("?before=")[2].partition("#")[0]
    assert light_site.get(older).text.count("Please confirm") == 20
    for odd in ("x", "-1", "9" * 40, "٣", "1e3", ""):
        answer = light_site.get(f"{manage}?before={odd}")
        assert (answer.status_code, answer.text.count("Please confirm")) == (200, 20), odd


def test_who_pauses_gets_nothing_until_resuming_and_then_what_is_pending(site: Site) -> None:
    manage = site.follow(FRED)
    assert "Paused. No letters come until you resume" in site.post(manage, {"action": "pause"}).text
    assert "Paused since" in site.get(manage).text
    site.world.announce(antopsis(helsinki=True))
    assert len(site.letters_to(FRED)) == 1
    site.world.at += timedelta(hours=1)
    assert "What was announced meanwhile is on its way" in site.post(manage, {"action": "resume"}).text
    assert "Helsinki" in text_of(site.letters_to(FRED)[-1])
    assert len(site.letters_to(FRED)) == 2
    # Once more is nothing more, and the sweep that looks for lost letters finds none.
    assert "Nothing was announced meanwhile" in site.post(manage, {"action": "resume"}).text
    assert len(site.letters_to(FRED)) == 2
    assert events(site, "reconcile.mended") == []
    assert [len(events(site, f"subscription.{kind}")) for kind in ("paused", "resumed")] == [1, 1]


def test_who_resumes_is_told_how_a_notice_ended_that_it_knew_and_of_no_other(site: Site) -> None:
    manage = site.follow(FRED)
    known = site.world.announce(antopsis(helsinki=True))
    assert len(site.letters_to(FRED)) == 2
    site.post(manage, {"action": "pause"})
    site.world.at += timedelta(hours=1)
    unknown = site.world.announce(antopsis(helsinki=True, more_entries=MORE))
    for number in (known, unknown):
        site.world.at += timedelta(hours=1)
        withdraw(site, number)
    assert len(site.letters_to(FRED)) == 2
    site.post(manage, {"action": "resume"})
    letters = site.letters_to(FRED)
    assert len(letters) == 3
    assert known in str(letters[-1]["Subject"])
    assert "withdrawn" in text_of(letters[-1])


def test_a_reminder_of_the_pause_is_not_sent_later_and_counts_as_no_loss(site: Site) -> None:
    manage = site.follow(FRED)
    site.world.announce(antopsis(helsinki=True))
    quick_tick(site.world)
    site.post(manage, {"action": "pause"})
    site.world.at = utc("2026-10-26 09:00")
    quick_tick(site.world)
    site.world.at += timedelta(hours=1)
    site.post(manage, {"action": "resume"})
    site.world.at += timedelta(hours=1)
    quick_tick(site.world)
    assert len(site.letters_to(FRED)) == 2
    assert events(site, "reconcile.mended") == []


def test_a_contract_contact_cannot_pause_or_erase_and_is_offered_neither(site: Site) -> None:
    link = f"/antopsis/manage/{sign(site, 'manage', DPO)}"
    page = site.get(link).text
    for action in ("pause", "resume", "erase", "change_address", "stop"):
        assert f'value="{action}"' not in page
    before = site.snapshot()
    assert site.post(link, {"action": "pause"}).status_code == 409
    assert site.post(link, {"action": "change_address", "email": OLGA}).status_code == 409
    answer = site.post(link, {"action": "erase_now"})
    assert (answer.status_code, "Hand over to somebody else first" in answer.text) == (409, True)
    assert site.snapshot() == before


def test_the_language_is_chosen_for_letters_and_their_pages(site: Site) -> None:
    manage = site.follow(FRED)
    form = {"action": "save", "language": "de", "asked": "kinds reminders", "reminders": "1"}
    assert site.post(manage, form).status_code == 200
    assert subscription_of(site, FRED).language == "de"
    page = site.get(manage).text
    assert '<html lang="de">' in page
    assert 'value="de" lang="de" selected' in page
    answer = site.post(manage, {**form, "language": "tlh"})
    assert (answer.status_code, 'id="language-error"' in answer.text) == (400, True)
    # What does not ask for the language leaves it.
    site.post(manage, {"action": "save"})
    assert subscription_of(site, FRED).language == "de"


def test_announcements_alone_can_be_chosen(site: Site) -> None:
    site.subscribe(FRED, asked="kinds reminders")
    site.post(site.confirm_link(FRED))
    assert not subscription_of(site, FRED).wants_reminders
    site.subscribe(OLGA, asked="kinds reminders", reminders="1", effect="1")
    site.post(site.confirm_link(OLGA))
    assert (subscription_of(site, OLGA).wants_reminders, subscription_of(site, OLGA).wants_effect) == (True, True)


def test_letters_move_to_another_address_once_that_confirms_and_the_old_one_is_told(site: Site) -> None:
    manage = site.follow(FRED, products=["storage"], name="Fred")
    answer = site.post(manage, {"action": "change_address", "email": OLGA})
    assert f"A letter is on its way to {OLGA}" in words_of(answer.text)
    told = site.letters_to(FRED)[-1]
    assert "another address" in str(told["Subject"])
    assert OLGA not in told.as_string()
    assert subscription_of(site, FRED).ended_at is None
    # The other address is no more known by asking twice.
    site.world.at += timedelta(minutes=1)
    assert words_of(site.post(manage, {"action": "change_address", "email": OLGA}).text) == words_of(answer.text)
    assert len(site.letters_to(OLGA)) == 1
    site.post(site.confirm_link(OLGA))
    old, new = subscription_of(site, FRED), subscription_of(site, OLGA)
    assert (old.ended_because, new.confirmed_at, new.name) == ("replaced", site.world.at, "Fred")
    manage = f"/antopsis/manage/{sign(site, 'manage', OLGA)}"
    assert 'value="storage" checked' in site.get(manage).text


def test_a_pause_moves_along_to_the_other_address(light_site: Site) -> None:
    manage = light_site.follow(FRED)
    light_site.post(manage, {"action": "pause"})
    light_site.post(manage, {"action": "change_address", "email": OLGA})
    light_site.post(light_site.confirm_link(OLGA))
    light_site.world.announce(antopsis(helsinki=True))
    assert len(light_site.letters_to(OLGA)) == 1
    assert subscription_of(light_site, OLGA).paused_at is not None


@pytest.mark.parametrize("given", ["", "nobody", FRED, "a\x00@b.example", "f" * 5000])
def test_an_address_that_cannot_be_is_refused_at_its_field(light_site: Site, given: str) -> None:
    manage = light_site.follow(FRED)
    answer = light_site.post(manage, {"action": "change_address", "email": given})
    assert answer.status_code == 400
    assert 'id="email-error"' in answer.text


def test_a_subscriber_takes_everything_away_as_a_file_that_no_other_page_may_load(site: Site) -> None:
    manage = site.follow(FRED, name="Fred", products=["storage"])
    site.world.announce(antopsis(helsinki=True))
    quick_tick(site.world)
    answer = site.get(f"{manage}/export")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="antopsis-my-data.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers
    held = json.loads(answer.data)
    assert held["subscription"]["address"] == FRED
    assert (held["subscription"]["name"], held["subscription"]["products"]) == ("Fred", ["storage"])
    assert [letter["kind"] for letter in held["letters"]] == ["confirm", "announcement"]
    assert held["letters"][0]["tries"][0]["result"] == "accepted"
    assert site.get("/antopsis/manage/k1.1.0/export").status_code == 404


def test_erasing_takes_a_second_page_and_then_nothing_tells_who_it_was(site: Site) -> None:
    manage = site.follow(FRED, name="Fred")
    site.world.announce(antopsis(helsinki=True))
    quick_tick(site.world)
    asked = site.post(manage, {"action": "erase"})
    assert "Erase everything?" in asked.text
    assert subscription_of(site, FRED).ended_at is None
    done = site.post(manage, {"action": "erase_now"})
    assert (done.status_code, "Nothing here tells any more who you are" in words_of(done.text)) == (200, True)
    with site.world.reading() as session:
        assert session.scalar(select(Address).where(Address.value == FRED)) is None
        assert "Fred" not in [each.name for each in session.scalars(select(Subscription))]
        assert (
            session.scalars(select(Event).where(Event.kind == "address.erased")).one().payload["because"] == "asked_for"
        )
    assert site.get(manage).status_code == 410


def test_what_is_needed_for_a_claim_stays_and_the_reason_is_told_to_nobody(light_site: Site) -> None:
    manage = light_site.follow(FRED)
    with light_site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        set_legal_hold(session, light_site.world.at, publisher, ANNA, reason="Claim of Fred, file 26-114")
    answer = light_site.post(manage, {"action": "erase_now"})
    assert answer.status_code == 409
    assert "needed for a legal claim" in answer.text
    assert "support@antopsis.example" in answer.text
    assert "26-114" not in answer.text
    assert subscription_of(light_site, FRED).ended_at is None


def test_a_contact_is_told_that_somebody_named_another_by_its_link(site: Site) -> None:
    link = f"/antopsis/manage/{sign(site, 'manage', DPO)}"
    site.post(link, {"action": "change_contact", "email": "new@bremen.example"})
    (letter,) = site.letters_to(DPO)
    assert "another address" in str(letter["Subject"])
    assert path_of(link_in(letter, "manage")) == link
    assert "new@bremen.example" not in text_of(letter)
