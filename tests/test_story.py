"""The main job, end to end, on both databases: a real mail server, a real web server, a clock moved by hand.

Two followers subscribe and confirm from the letters they were sent. One customer is on 45 days in another zone, another
one's mailbox is gone. A change is drafted, approved by a second person and published; everybody gets the right letter
once; nothing is in effect the day before; the customer who was not reached holds it by name; once its clock has run, it
is in effect everywhere, and the day before still shows the old list.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import feedparser
import icalendar
import pytest
import requests
from click.testing import CliRunner
from werkzeug.serving import make_server

from registry.app import create_app
from registry.cli import main
from registry.domain.publishers import CustomerFacts
from registry.steps.customers import record_customer
from registry.steps.errors import NotApproved, OwnApproval
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.publish_notice import approve_notice
from registry.steps.record import Actor
from registry.tables.engine import writing
from tests.channels.smtp_server import MailServer
from tests.world import ANNA, BORIS, World, antopsis, letters_to, link_in, settings_for, text_of, utc

FOLLOWERS = ("fred@reader.example", "olga@watcher.example")


@contextmanager
def serving(world: World) -> Iterator[str]:
    """Serve the world's pages on a socket, with the world's own time, and yield the publisher's address."""
    app = create_app(world.settings)
    app.config["REGISTRY_CLOCK"] = world.clock
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/antopsis"
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
        app.extensions["registry"].engine.dispose()


def at(base: str, link: str) -> str:
    """Return a link of a letter as this test's server serves it: links are made from settings, not from a port."""
    return base + link.partition("/antopsis")[2]


def test_the_main_job_end_to_end(database_url: str, tmp_path: Path) -> None:
    with MailServer() as mail:
        mail.script("dpo@bremen.example", 550, "5.1.1 The mailbox is gone")
        world = World(settings_for(database_url, tmp_path / "instance", mail.url), utc("2026-09-30 08:00"))
        try:
            with serving(world) as base:
                _tell_the_story(world, mail, base)
        finally:
            world.close()


def _tell_the_story(world: World, mail: MailServer, base: str) -> None:
    world.apply(antopsis(approvals=1))
    _two_followers_subscribe_and_confirm(world, mail, base)
    number = _a_change_is_drafted_approved_and_published(world, base)
    _everybody_gets_the_right_letter_once(world, mail, base, number)
    _the_day_before_it_is_in_effect_nowhere(world, mail, base)
    _on_its_day_the_customer_not_reached_holds_it(world, mail, base, number)
    _once_its_clock_has_run_it_is_in_effect_everywhere(world, mail, base, number)
    _the_record_tells_it_all(world, number)


def _two_followers_subscribe_and_confirm(world: World, mail: MailServer, base: str) -> None:
    for address in FOLLOWERS:
        asked = requests.post(f"{base}/subscribe", data={"email": address, "effect": "1"}, timeout=10)
        assert asked.status_code == 200
        assert asked.cookies.get_dict() == {}
    world.tick()
    for address in FOLLOWERS:
        (letter,) = letters_to(mail, address)
        link = at(base, link_in(letter, "confirm"))
        # A mail scanner follows the link first; that confirms nothing.
        assert requests.get(link, timeout=10).status_code == 200
        assert requests.post(link, timeout=10).status_code == 200
        assert requests.post(link, timeout=10).status_code != 500


def _a_change_is_drafted_approved_and_published(world: World, base: str) -> str:
    world.apply(antopsis(helsinki=True, approvals=1))
    number = world.draft(effective_on=date(2026, 11, 16))
    with pytest.raises(NotApproved):
        world.publish(number)
    with pytest.raises(OwnApproval):
        _approve(world, number, ANNA)
    _approve(world, number, BORIS)
    assert "Helsinki" not in requests.get(f"{base}/", timeout=10).text
    assert requests.get(f"{base}/notices/{number}", timeout=10).status_code == 404
    world.publish(number)
    return number


def _approve(world: World, number: str, actor: Actor) -> None:
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        approve_notice(session, world.at, publisher, get_notice(session, publisher, number), actor)


def _everybody_gets_the_right_letter_once(world: World, mail: MailServer, base: str, number: str) -> None:
    world.tick()
    world.tick()
    for address in FOLLOWERS:
        letters = letters_to(mail, address)
        assert len(letters) == 2
        assert number in str(letters[1]["Subject"]) or number in text_of(letters[1])
        assert "Helsinki" in text_of(letters[1])
        assert letters[1]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (hanoi,) = letters_to(mail, "privacy@hanoi.example")
    # Received on 30 September; 30 days to object, in the customer's own zone.
    assert "Friday, 30 October 2026 (2026-10-30, Asia/Ho_Chi_Minh)" in text_of(hanoi)
    assert "Monday, 16 November 2026" in text_of(hanoi)
    assert hanoi["List-Unsubscribe-Post"] is None
    assert letters_to(mail, "dpo@bremen.example") == []
    page = requests.get(f"{base}/notices/{number}", timeout=10)
    assert page.status_code == 200
    assert "Helsinki" in page.text


def _places(base: str, query: str = "") -> list[str]:
    document = requests.get(f"{base}/subprocessors.json{query}", timeout=10).json()
    hetzner = next(entry for entry in document["entries"] if entry["key"] == "hetzner-falkenstein")
    return [place["place"] for place in hetzner["locations"]]


def _the_day_before_it_is_in_effect_nowhere(world: World, mail: MailServer, base: str) -> None:
    world.at = utc("2026-11-09 08:00")
    world.tick()
    assert all("Helsinki" in text_of(letters_to(mail, address)[-1]) for address in FOLLOWERS)
    assert [len(letters_to(mail, address)) for address in FOLLOWERS] == [3, 3]
    world.at = utc("2026-11-15 22:59:59")
    world.tick()
    assert _places(base) == ["Falkenstein"]
    feed = feedparser.parse(requests.get(f"{base}/feed.atom", timeout=10).content)
    assert not feed.bozo
    assert not any("in effect" in entry.title.lower() for entry in feed.entries)


def _on_its_day_the_customer_not_reached_holds_it(world: World, mail: MailServer, base: str, number: str) -> None:
    world.at = utc("2026-11-15 23:00")
    world.tick()
    status = world.status(number)
    assert status.state == "held"
    assert [hold.customer_name for hold in status.holds] == ["Bremen Media GmbH"]
    assert _places(base) == ["Falkenstein"]
    assert "until further notice" in text_of(letters_to(mail, "privacy@hanoi.example")[-1])
    # The customer names another contact, who is told at once; from that receipt its 30 days run.
    world.at = utc("2026-11-16 09:00")
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        contacts = ["dpo@bremen.example", "legal@bremen.example"]
        facts = CustomerFacts.model_validate(
            {"key": "bremen", "name": "Bremen Media GmbH", "time_zone": "Europe/Berlin", "contacts": contacts}
        )
        record_customer(session, world.at, publisher, facts, ANNA)
    world.tick()
    letters = letters_to(mail, "legal@bremen.example")
    assert "Wednesday, 16 December 2026 (2026-12-16, Europe/Berlin)" in text_of(letters[0])
    (hold,) = world.status(number).holds
    assert hold.reason == "clock_running"
    assert hold.until_at == utc("2026-12-16 23:00")


def _once_its_clock_has_run_it_is_in_effect_everywhere(world: World, mail: MailServer, base: str, number: str) -> None:
    world.at = utc("2026-12-16 22:59")
    world.tick()
    assert _places(base) == ["Falkenstein"]
    world.at = utc("2026-12-16 23:00")
    world.tick()
    # The last hold ended at that very midnight in Berlin, so that midnight is the first without holds (R22).
    assert world.notice(number).state == "in_effect", world.status(number)
    assert _places(base) == ["Falkenstein", "Helsinki"]
    assert _places(base, "?as_of=2026-12-16") == ["Falkenstein"]
    assert "Helsinki" in requests.get(f"{base}/", timeout=10).text
    for path in ("feed.rss", "feed.atom"):
        feed = feedparser.parse(requests.get(f"{base}/{path}", timeout=10).content)
        assert not feed.bozo
        assert any("effect" in entry.title.lower() for entry in feed.entries), path
    items = requests.get(f"{base}/feed.json", timeout=10).json()["items"]
    assert any("effect" in item["title"].lower() for item in items)
    calendar = icalendar.Calendar.from_ical(requests.get(f"{base}/calendar.ics", timeout=10).content)
    assert date(2026, 12, 17) in [event.start for event in calendar.events]
    for address in FOLLOWERS:
        assert "effect" in str(letters_to(mail, address)[-1]["Subject"]).lower()


def _the_record_tells_it_all(world: World, number: str) -> None:
    environment = {
        "REGISTRY_ENV": "test",
        "REGISTRY_INSTANCE": str(world.settings.instance),
        "REGISTRY_DATABASE_URL": world.settings.database_url,
        "REGISTRY_SECRET_KEY": world.settings.secret_key,
        "REGISTRY_MAIL_URL": world.settings.mail_url,
        "REGISTRY_MAIL_FROM": world.settings.mail_from,
    }
    command = ["notice", "status", number, "--publisher", "antopsis"]
    told = CliRunner().invoke(main, command, env=environment)
    assert told.exit_code == 0, told.output
    for fact in ("Bremen Media GmbH", "dpo@bremen.example", "550", "fred@reader.example", "Asia/Ho_Chi_Minh"):
        assert fact in told.output, fact
    as_json = CliRunner().invoke(main, [*command, "--json"], env=environment)
    record = json.loads(as_json.output)
    accepted = [each for each in record["deliveries"] if each["state"] == "accepted"]
    assert all(each["attempts"][-1]["sha256"] for each in accepted)
    with writing(world.wiring.engine) as session:
        assert get_publisher(session, "antopsis").revision > 1
