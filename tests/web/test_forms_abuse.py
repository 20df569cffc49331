"""What the public forms cannot be made to do: fill a mailbox, tell who is known, or fall over."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import cycle
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from registry.readers.registry_file import RegistryFile
from registry.tables import ConfirmToken
from registry.web.forms_subscribe import ANSWER_STEP, STEP
from tests.web.site import Site, path_of
from tests.web.test_letter_links import sign
from tests.world import antopsis, link_in

FRED, HOOK = "fred@reader.example", "https://hooks.reader.example/"


_ASKERS = cycle(range(250))


def ask_everywhere(site: Site, slugs: tuple[str, ...] = ("antopsis", "streams")) -> None:
    """Ask for one address by every form, at every publisher."""
    for slug in slugs:
        base_url = "https://legal.streams.example" if slug == "streams" else "http://127.0.0.1:8000"
        path = "/subscribe" if slug == "streams" else f"/{slug}/subscribe"
        for form in ({}, {"channel": "webhook", "url": HOOK}, {"channel": "webhook", "url": f"{HOOK}two"}):
            asker = {"REMOTE_ADDR": f"198.51.{next(_ASKERS)}.1"}
            answer = site.post(path, {"email": FRED, **form}, base_url=base_url, environ_overrides=asker)
            assert answer.status_code == 200


def test_a_mailbox_gets_one_letter_a_day_whoever_asks_by_whatever_form_at_whatever_publisher(
    site: Site, streams: RegistryFile
) -> None:
    site.world.apply(streams)
    begun = site.world.at
    for hours in range(0, 72, 4):
        site.world.at = begun + timedelta(hours=hours)
        ask_everywhere(site)
        assert len(site.letters_to(FRED)) <= 1 + hours // 24, hours
    assert len(site.letters_to(FRED)) == 3


def test_a_wish_is_answered_after_whole_steps_of_time_whatever_is_known_of_the_address(
    light_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    light_site.follow("known@reader.example")
    clock, slept = iter([100.0, 100.03, 200.0, 200.31]), list[float]()
    time = SimpleNamespace(monotonic=lambda: next(clock), sleep=slept.append)
    monkeypatch.setattr("registry.web.forms_subscribe.time", time)
    monkeypatch.delitem(light_site.app.config, STEP)
    for address in ("known@reader.example", "new@reader.example"):
        assert light_site.subscribe(address).status_code == 200
    assert slept == [pytest.approx(ANSWER_STEP - 0.03), pytest.approx(ANSWER_STEP - 0.01)]


def test_a_second_wish_of_the_day_waits_for_the_next_and_its_link_is_good(site: Site, streams: RegistryFile) -> None:
    site.world.apply(streams)
    site.subscribe(FRED)
    site.post("/subscribe", {"email": FRED}, base_url="https://legal.streams.example")
    assert [str(letter["Subject"]).partition(":")[0] for letter in site.letters_to(FRED)] == ["Antopsis"]
    site.world.at += timedelta(hours=24)
    first, second = site.letters_to(FRED)
    assert "Streams" in str(second["Subject"])
    for letter, base_url in ((first, "http://127.0.0.1:8000"), (second, "https://legal.streams.example")):
        answer = site.post(path_of(link_in(letter, "confirm")), base_url=base_url)
        assert answer.status_code == 200


def test_leaving_and_coming_back_is_not_held_against_anybody(site: Site) -> None:
    manage = site.follow(FRED)
    site.post(manage, {"action": "stop"})
    site.subscribe(FRED)
    assert len(site.letters_to(FRED)) == 2


def test_moving_letters_about_fills_no_strangers_mailbox(light_site: Site) -> None:
    victim = "victim@reader.example"
    for number in range(4):
        manage = light_site.follow(f"eve{number}@evil.example")
        light_site.post(manage, {"action": "change_address", "email": victim})
        light_site.subscribe(victim)
    assert len(light_site.letters_to(victim)) == 1


ODD = [
    "",
    " ",
    "\x00",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "\u202e\u2066",
    "\uffff\U0010ffff",
    "‮evil",
    "a" * 9_000,
    "<script>alert(1)</script>",
    "{{ 7*7 }}%(x)s%s{0}",
    "'; DROP TABLE addresses; --",
    "../../etc/passwd",
    "\r\nBcc: all@reader.example",
    "9" * 400,
    "-1",
    "𝟙",
    "null",
    "[]",
]
NAMES = [
    *("email", "name", "url", "channel", "products", "kinds", "asked", "effect", "reminders", "language", "action"),
    *("ground", "company", "changes", "text", "reason", "document", "csrf_token", "errors", "values", "__proto__", ""),
]
ACTIONS = [
    *("save", "stop", "pause", "resume", "change_contact", "change_address", "erase", "verify", "rotate"),
    *("object", "add", "withdraw", "nothing"),
]


def addresses(site: Site) -> list[str]:
    """Every form there is, with links that open something."""
    site.follow(FRED)
    site.world.announce(antopsis(helsinki=True))
    site.subscribe("olga@reader.example")
    contact = site.letters_to("dpo@bremen.example")[-1]
    return [
        "/antopsis/subscribe",
        path_of(link_in(site.letters_to("olga@reader.example")[-1], "confirm")),
        f"/antopsis/manage/{sign(site, 'manage', FRED)}",
        f"/antopsis/manage/{sign(site, 'manage', 'dpo@bremen.example')}",
        f"/antopsis/unsubscribe/{sign(site, 'unsubscribe', 'dpo@bremen.example')}",
        path_of(link_in(contact, "object")),
        path_of(link_in(contact, "acknowledge")),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_no_form_falls_over_whatever_is_sent_to_it(site: Site, seed: int) -> None:
    chance = random.Random(seed)
    forms = addresses(site)
    for number in range(60):
        given: dict[str, Any] = {chance.choice(NAMES): chance.choice(ODD) for _ in range(chance.randrange(6))}
        if chance.random() < 0.8:
            given["action"] = chance.choice(ACTIONS)
        query = "?" + "&".join(f"{chance.choice(NAMES)}={chance.choice(['', '%00', '%ff', 'x', '-1'])}" for _ in "ab")
        path = chance.choice(forms) + chance.choice(
            ["", query, "?before=%F0%9F%98%80", "?lang=tlh", "?product=%3Cb%3E"]
        )
        client = {"environ_overrides": {"REMOTE_ADDR": f"198.51.{seed}.{number}"}}
        kind = chance.choice(["application/x-www-form-urlencoded", "multipart/form-data"])
        for answer in (site.post(path, given, content_type=kind, **client), site.get(path, **client)):
            assert answer.status_code < 500, (path, given)
            assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "token", ["", "x", "k1.1.0", "k1." + "9" * 60 + "." + "0" * 40, "%00", "%ff", "a" * 3_000, "…"]
)
def test_what_is_no_link_opens_nothing(light_site: Site, token: str) -> None:
    for word in ("confirm", "manage", "unsubscribe", "object", "acknowledge"):
        for act in (light_site.get, light_site.post):
            assert act(f"/antopsis/{word}/{token}").status_code in {404, 405}, word
    assert light_site.get(f"/antopsis/manage/{token}/export").status_code == 404


def test_a_filter_of_the_list_is_taken_over_into_choices_and_addresses(light_site: Site) -> None:
    page = light_site.get("/antopsis/subscribe?product=storage&q=hosting&as_of=2026-01-01&region=DE").text
    assert 'value="storage" checked' in page
    assert "http://127.0.0.1:8000/antopsis/feed.rss?q=hosting&amp;product=storage&amp;region=DE" in page
    assert "http://127.0.0.1:8000/antopsis/calendar.ics?q=hosting&amp;product=storage&amp;region=DE" in page
    assert "as_of" not in page
    odd = light_site.get("/antopsis/subscribe?product=%3Cscript%3E&q=%00&region=" + "x" * 5_000)
    assert odd.status_code == 200
    assert "<script>" not in odd.text


def test_no_token_is_kept_where_a_copy_of_the_table_could_be_read_for_it(light_site: Site) -> None:
    light_site.post("/antopsis/subscribe", {"email": FRED, "channel": "webhook", "url": HOOK})
    token = light_site.confirm_link(FRED).rpartition("/")[2]
    with light_site.world.reading() as session:
        kept = repr([(row.nonce, row.token_hash, row.key_id) for row in session.scalars(select(ConfirmToken))])
    assert token not in kept
