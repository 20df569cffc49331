"""Asking by the form that changes are posted to an address on the web: nobody is posted to who did not say yes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from registry.steps.legal_holds import set_legal_hold
from registry.steps.lookup import get_publisher
from registry.tables import Address, ConfirmToken, Endpoint, EndpointRequest, EndpointSecret, Event, Subscription
from tests.channels.http_receiver import Echo, HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.web.conftest import serving
from tests.web.site import Site, path_of, quick_tick, words_of
from tests.web.test_letter_links import subscription_of
from tests.world import ANNA, antopsis, letters_to, link_in, text_of

OPS, EVE = "ops@reader.example", "eve@evil.example"
HOOK = "https://hooks.reader.example/notices"


def ask(site: Site, url: str = HOOK, email: str = OPS, channel: str = "webhook", **more: Any) -> TestResponse:
    return site.post("/antopsis/subscribe", {"channel": channel, "url": url, "email": email, **more})


def rows(site: Site, table: Any) -> list[Any]:
    with site.world.reading() as session:
        return list(session.scalars(select(table).order_by(*table.__table__.primary_key)))


def values(site: Site, channel: str = "webhook") -> list[str | None]:
    with site.world.reading() as session:
        return list(session.scalars(select(Address.value).where(Address.channel == channel).order_by(Address.id)))


def test_only_the_owner_is_written_to_and_no_endpoint_is_on_record_before_it_confirms(site: Site) -> None:
    answer = ask(site)
    assert answer.status_code == 200
    assert f"A letter is on its way to {OPS}" in words_of(answer.text)
    (letter,) = site.letters_to(OPS)
    # Nothing of what a stranger typed is in it.
    assert "hooks.reader.example" not in letter.as_string()
    assert (rows(site, Endpoint), values(site)) == ([], [])
    shown = words_of(site.get(path_of(link_in(letter, "confirm"))).text)
    assert HOOK in shown
    assert f"Who answers for it {OPS}" in shown
    assert rows(site, Endpoint) == []


def test_who_confirms_gets_the_secret_this_once_and_nothing_is_posted_before_the_address_proved_itself(
    site: Site,
) -> None:
    ask(site, products=["storage"], effect="1", asked="kinds reminders", language="de")
    link = site.confirm_link(OPS)
    done = site.post(link)
    assert done.status_code == 200
    (secret,) = rows(site, EndpointSecret)
    assert secret.secret in done.text
    (endpoint,) = rows(site, Endpoint)
    assert endpoint.verified_at is None
    told = [row for row in rows(site, Subscription) if row.address_id == endpoint.address_id]
    assert [(row.language, row.wants_effect, row.wants_reminders, row.confirmed_at) for row in told] == [
        ("de", True, False, None)
    ]
    (request,) = rows(site, EndpointRequest)
    assert (request.url, request.closed_at) == (None, site.world.at)
    # The mailbox answers for the address, and is told nothing itself.
    assert subscription_of(site, OPS).confirmed_at is None
    manage = path_of(next(part for part in done.text.split('"') if "/manage/" in part))
    assert secret.secret not in site.get(manage).text
    tried = site.post(manage, {"action": "verify"})
    assert (tried.status_code, "for trying out: it posts nothing" in words_of(tried.text)) == (409, True)
    for answer in (site.get(link), site.post(link)):
        assert answer.status_code == 410


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as running:
        yield running


@pytest.mark.parametrize("behaves", ["echoes", "does-not"])
def test_an_address_that_answers_the_challenge_is_told_and_any_other_is_not(
    sqlite_url: str, tmp_path: Path, receiver: HttpReceiver, behaves: str
) -> None:
    with (
        MailServer() as mail,
        serving(sqlite_url, tmp_path / "i", antopsis(), REGISTRY_MAIL_URL=f"{mail.url}?starttls=off") as site,
    ):
        site.world.announce(antopsis(helsinki=True))
        ask(site, f"{receiver.url}/notices")
        quick_tick(site.world)
        confirm = path_of(link_in(letters_to(mail, OPS)[-1], "confirm"))
        done = site.post(confirm)
        manage, mailbox = [path_of(part) for part in done.text.split('"') if "/manage/" in part][-2:]
        assert receiver.requests == []
        if behaves == "echoes":
            receiver.script(Echo())
        tried = site.post(manage, {"action": "verify"})
        if behaves == "echoes":
            assert "Verified. Changes are posted to this address from now on." in tried.text
            quick_tick(site.world)
            assert json.loads(receiver.requests[-1].body)["type"] == "notice.announced"
            assert "Taken by the address" in words_of(site.get(manage).text)
            assert "127.0.0.1" in words_of(site.get(mailbox).text)
            ended = site.post(manage, {"action": "stop"})
            assert "Unsubscribed" in ended.text
            assert rows(site, Endpoint)[0].ended_at == site.world.at
        else:
            assert tried.status_code == 409
            assert "The address did not answer as asked" in words_of(tried.text)
            quick_tick(site.world)
            assert len(receiver.requests) == 1
        site.world.channels["email"].close()


def test_a_new_secret_is_shown_once_and_the_old_one_signs_for_a_day(light_site: Site) -> None:
    ask(light_site)
    done = light_site.post(light_site.confirm_link(OPS))
    manage = path_of(next(part for part in done.text.split('"') if "/manage/" in part))
    page = light_site.post(manage, {"action": "rotate"})
    old, new = rows(light_site, EndpointSecret)
    assert new.secret in page.text
    assert old.secret not in page.text
    assert old.retires_at == light_site.world.at + timedelta(hours=24)


def test_a_follower_s_page_verifies_and_rotates_nothing(light_site: Site) -> None:
    manage = light_site.follow(OPS)
    for action in ("verify", "rotate"):
        answer = light_site.post(manage, {"action": action})
        assert answer.status_code == 404
        assert "endpoint" not in words_of(answer.text).lower()


def test_tries_at_one_address_are_limited(light_site: Site) -> None:
    ask(light_site)
    done = light_site.post(light_site.confirm_link(OPS))
    manage = path_of(next(part for part in done.text.split('"') if "/manage/" in part))
    assert [light_site.post(manage, {"action": "verify"}).status_code for _ in range(11)] == [409] * 10 + [429]


@pytest.mark.parametrize(
    ("channel", "url", "told"),
    [
        ("webhook", "", "web address"),
        ("webhook", "nowhere", "web address"),
        ("webhook", "https://user:pw@hooks.reader.example/", "user name or password"),
        ("webhook", "https://10.0.0.7/", "public"),
        ("webhook", "https://[::ffff:10.0.0.7]/", "public"),
        ("webhook", "https://hooks.reader.example:22/", "port"),
        ("webhook", "https://hooks.reader.example/\r\nHost: x", ""),
        ("webhook", "https://" + "a" * 3000, ""),
        ("slack", "https://hooks.reader.example/services/T0/B0/x", ""),
        ("teams", "https://hooks.slack.com/services/T0/B0/x", ""),
        ("pigeon", HOOK, "not one of"),
    ],
)
def test_an_address_that_cannot_be_is_refused_at_its_field_and_nothing_typed_is_lost(
    light_site: Site, channel: str, url: str, told: str
) -> None:
    before = light_site.snapshot()
    answer = ask(light_site, url, channel=channel)
    assert answer.status_code == 400
    field = "channel" if channel == "pigeon" else "url"
    assert f'id="{field}-error"' in answer.text
    assert told in words_of(answer.text)
    assert f'value="{OPS}"' in answer.text
    assert light_site.snapshot() == before


def test_every_mistake_is_told_at_once(light_site: Site) -> None:
    answer = ask(light_site, "nowhere", "nobody", products=["x"], language="tlh")
    for field in ("url", "email", "products", "language"):
        assert f'href="#{field}"' in answer.text, field


def test_nobody_takes_an_address_over_that_is_told_already(site: Site) -> None:
    ask(site)
    site.post(site.confirm_link(OPS))
    site.world.at += timedelta(days=2)
    answer = ask(site, email=EVE)
    assert (answer.status_code, site.letters_to(EVE)) == (200, [])
    (endpoint,) = rows(site, Endpoint)
    assert endpoint.owner_address_id == subscription_of(site, OPS).address_id
    refused = [event.payload["because"] for event in rows(site, Event) if event.kind == "endpoint.request_refused"]
    assert refused == ["stands"]


def test_who_asks_first_and_confirms_last_takes_nothing_either(site: Site) -> None:
    ask(site, email=EVE)
    link = site.confirm_link(EVE)
    ask(site, email=OPS)
    site.post(site.confirm_link(OPS))
    answer = site.post(link)
    assert (answer.status_code, "This address is told already" in answer.text) == (409, True)
    (endpoint,) = rows(site, Endpoint)
    assert endpoint.owner_address_id == subscription_of(site, OPS).address_id


def test_what_is_answered_says_nothing_of_either_address(site: Site) -> None:
    def answered(url: str, email: str) -> tuple[int, str]:
        answer = ask(site, url, email)
        return answer.status_code, answer.text.replace(email, "EMAIL").replace(url, "URL")

    unknown = answered(HOOK, OPS)
    site.post(site.confirm_link(OPS))
    site.follow("known@reader.example")
    for url, email in ((HOOK, EVE), ("https://other.example/", "known@reader.example"), (HOOK, OPS)):
        assert answered(url, email) == unknown, (url, email)


def test_a_request_that_nobody_confirms_is_gone_after_seven_days_and_its_link_is_too_old(site: Site) -> None:
    ask(site)
    link = site.confirm_link(OPS)
    site.world.at += timedelta(days=7)
    assert site.get(link).status_code == 410
    site.world.tick()
    (request,) = rows(site, EndpointRequest)
    assert (request.url, request.closed_at) == (None, site.world.at)
    assert values(site, "email").count(OPS) == 0
    assert site.post(link).status_code == 410
    assert rows(site, Endpoint) == []


def test_the_owner_of_an_endpoint_can_manage_it_for_as_long_as_it_stands(site: Site) -> None:
    ask(site, name="Somebody")
    done = site.post(site.confirm_link(OPS))
    links = [path_of(part) for part in done.text.split('"') if "/manage/" in part]
    endpoint, mailbox = links[-2:]
    site.world.at += timedelta(days=6, hours=23)
    site.world.tick()
    page = words_of(site.get(mailbox).text)
    assert f"{OPS} gets no letters about changes" in page
    assert "has not proved itself yet" in page
    assert path_of(next(part for part in site.get(mailbox).text.split('"') if "/manage/" in part)) == endpoint
    with site.world.writing() as session:
        told = session.scalars(select(Subscription).where(Subscription.address_id == Endpoint.address_id)).one()
        told.confirmed_at = site.world.at
    site.world.at += timedelta(days=90)
    site.world.tick()
    assert path_of(next(part for part in site.get(mailbox).text.split('"') if "/manage/" in part)) == endpoint
    # Once nothing is left to answer for, the mailbox is forgotten with it.
    site.post(endpoint, {"action": "stop"})
    site.world.at += timedelta(days=1)
    site.world.tick()
    assert values(site, "email").count(OPS) == 0


def test_an_address_that_does_not_prove_itself_in_seven_days_is_forgotten_with_its_owner(site: Site) -> None:
    ask(site)
    site.post(site.confirm_link(OPS))
    site.world.at += timedelta(days=7)
    site.world.tick()
    assert rows(site, Endpoint)[0].ended_at == site.world.at
    site.world.tick()
    assert (values(site), values(site, "email").count(OPS)) == ([None], 0)


def test_erasing_the_owner_ends_and_erases_what_it_answers_for(site: Site) -> None:
    ask(site)
    done = site.post(site.confirm_link(OPS))
    mailbox = [path_of(part) for part in done.text.split('"') if "/manage/" in part][-1]
    asked = site.post(mailbox, {"action": "erase"})
    assert HOOK in asked.text
    assert site.post(mailbox, {"action": "erase_now"}).status_code == 200
    assert (values(site), values(site, "email").count(OPS)) == ([None], 0)
    assert rows(site, Endpoint)[0].ended_at == site.world.at


def test_a_link_about_an_endpoint_confirms_no_subscription_and_the_other_way_round(site: Site) -> None:
    ask(site)
    hook = site.confirm_link(OPS)
    site.world.at += timedelta(days=1, seconds=1)
    site.subscribe(OPS)
    follow = site.confirm_link(OPS)
    assert hook != follow
    site.post(follow)
    assert subscription_of(site, OPS).confirmed_at == site.world.at
    assert rows(site, Endpoint) == []
    assert "The secret" in site.post(hook).text
    used = [token.used_at for token in rows(site, ConfirmToken)]
    assert used == [site.world.at, site.world.at]


def test_what_was_announced_reaches_a_mailbox_that_follows_too_as_before(light_site: Site) -> None:
    light_site.follow(OPS)
    light_site.world.at += timedelta(days=2)
    ask(light_site)
    light_site.post(light_site.confirm_link(OPS))
    light_site.world.announce(antopsis(helsinki=True))
    assert "Helsinki" in text_of(light_site.letters_to(OPS)[-1])


def test_erasing_a_mailbox_takes_what_was_asked_for_in_its_name_along(light_site: Site) -> None:
    manage = light_site.follow(OPS)
    light_site.world.at += timedelta(days=2)
    ask(light_site)
    link = light_site.confirm_link(OPS)
    light_site.post(manage, {"action": "erase_now"})
    (request,) = rows(light_site, EndpointRequest)
    assert (request.url, request.closed_at) == (None, light_site.world.at)
    assert light_site.post(link).status_code == 410


def test_a_request_under_a_legal_hold_stays_and_cannot_be_confirmed_any_more(light_site: Site) -> None:
    ask(light_site)
    link = light_site.confirm_link(OPS)
    with light_site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        set_legal_hold(session, light_site.world.at, publisher, ANNA, reason="Claim")
    light_site.world.at += timedelta(days=8)
    light_site.world.tick()
    assert rows(light_site, EndpointRequest)[0].url == HOOK
    assert light_site.post(link).status_code == 410
