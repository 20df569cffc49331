"""The form to follow a list: what it takes, what it says, and what nobody can learn from it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registry.domain.vocabulary import ChannelKind
from registry.readers.registry_file import RegistryFile
from registry.steps.keyring import load_keyring
from registry.steps.lookup import get_publisher
from registry.tables import Subscription, SubscriptionProduct, Suppression
from tests.web.site import Site, attributes_of, words_of
from tests.world import antopsis, text_of, utc


def suppress(site: Site, address: str) -> None:
    world = site.world
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        channel = ChannelKind.EMAIL.value
        hashed = load_keyring(session, world.at).lookup(channel, address)
        values = {"publisher_id": publisher.id, "channel": channel, "lookup_hmac": hashed}
        session.add(Suppression(**values, reason="complained", since_at=world.at))


def test_who_subscribes_and_confirms_follows_with_what_they_chose(site: Site) -> None:
    answer = site.subscribe("fred@reader.example", name="Fred", products=["storage"], effect="1")
    assert answer.status_code == 200
    assert "A letter is on its way to fred@reader.example" in answer.text
    link = site.confirm_link("fred@reader.example")
    shown = site.get(link)
    assert shown.status_code == 200
    assert "fred@reader.example is to be told" in shown.text
    done = site.post(link)
    assert done.status_code == 200
    assert "fred@reader.example will be told before anything changes" in done.text
    assert "the first letter may be a while" in words_of(done.text)
    with site.world.reading() as session:
        (subscription,) = session.scalars(select(Subscription).where(Subscription.audience == "follower"))
        assert subscription.confirmed_at == site.world.at
        assert (subscription.name, subscription.wants_effect) == ("Fred", True)
        assert list(session.scalars(select(SubscriptionProduct.product_key))) == ["storage"]


def test_who_confirms_while_a_notice_is_pending_is_told_of_it_at_once(site: Site) -> None:
    number = site.world.announce(antopsis(helsinki=True))
    site.subscribe("fred@reader.example")
    done = site.post(site.confirm_link("fred@reader.example"))
    assert "1 change is announced already" in words_of(done.text)
    assert "Helsinki" in text_of(site.letters_to("fred@reader.example")[-1])
    assert number in text_of(site.letters_to("fred@reader.example")[-1])


def test_nobody_can_learn_whether_an_address_is_subscribed(site: Site) -> None:
    site.follow("known@reader.example")
    site.subscribe("waits@reader.example")
    suppress(site, "never@reader.example")

    def answered(address: str) -> tuple[int, list[tuple[str, str]], str]:
        answer = site.subscribe(address, name="Somebody", effect="1")
        headers = [(name, value) for name, value in answer.headers if name != "Content-Length"]
        return answer.status_code, headers, answer.text.replace(address, "ADDRESS")

    unknown = answered("fresh@reader.example")
    for address in ("known@reader.example", "waits@reader.example", "never@reader.example", "fresh@reader.example"):
        assert answered(address) == unknown, address
    # A contract contact is nobody that the public form knows.
    assert answered("privacy@hanoi.example") == unknown
    assert site.letters_to("never@reader.example") == []


def test_subscribing_twice_sends_one_letter_and_once_confirmed_says_that_it_stands(site: Site) -> None:
    assert site.subscribe("fred@reader.example").data == site.subscribe("fred@reader.example").data
    assert len(site.letters_to("fred@reader.example")) == 1
    site.post(site.confirm_link("fred@reader.example"))
    site.world.at = utc("2026-10-02 08:00")
    site.subscribe("fred@reader.example", products=["storage"])
    first, second = site.letters_to("fred@reader.example")
    assert "confirm" in text_of(first)
    assert "/confirm/" not in text_of(second)
    with site.world.reading() as session:
        assert list(session.scalars(select(SubscriptionProduct.product_key))) == []


@pytest.mark.parametrize(
    ("given", "field", "told"),
    [
        ({}, "email", "cannot be an e-mail address"),
        ({"email": ""}, "email", "cannot be an e-mail address"),
        ({"email": "fred"}, "email", "cannot be an e-mail address"),
        ({"email": "fred@reader.example, olga@reader.example"}, "email", "cannot be an e-mail address"),
        ({"email": "fred@reader.example\r\nBcc: all@reader.example"}, "email", "cannot stand in text"),
        ({"email": "fred\x00@reader.example"}, "email", "cannot stand in text"),
        ({"email": "f" * 300 + "@reader.example"}, "email", "too long"),
        ({"email": "f" * 40_000}, "email", "an e-mail address"),
        ({"email": "fred@reader.example", "name": "Fred\nSmith"}, "name", "several lines"),
        ({"email": "fred@reader.example", "name": "Fred\u202e"}, "name", "cannot stand in text"),
        ({"email": "fred@reader.example", "name": "F" * 501}, "name", "too long"),
        ({"email": "fred@reader.example", "products": ["steaming"]}, "products", "streaming"),
        ({"email": "fred@reader.example", "products": ["\x00"]}, "products", "cannot stand in text"),
    ],
)
def test_what_cannot_be_taken_is_said_at_its_field_and_nothing_typed_is_lost(
    light_site: Site, given: dict[str, object], field: str, told: str
) -> None:
    before = light_site.snapshot()
    answer = light_site.post("/antopsis/subscribe", {"name": "Fred", **given})
    assert answer.status_code == 400
    assert f'id="{field}-error"' in answer.text
    assert told in words_of(answer.text)
    kept = {name: value for tag, name, value in attributes_of(answer.text) if tag == "input" and name == "value"}
    assert kept
    if "name" not in given:
        assert 'value="Fred"' in answer.text
    assert light_site.snapshot() == before


def test_several_mistakes_are_all_told_at_once(light_site: Site) -> None:
    answer = light_site.post("/antopsis/subscribe", {"email": "x", "name": "a\tb", "products": ["nowhere"]})
    assert answer.status_code == 400
    for field in ("email", "name", "products"):
        assert f'href="#{field}"' in answer.text


def test_a_thousand_unknown_products_are_one_clear_message(light_site: Site) -> None:
    products = [f"product-{number}" for number in range(1_000)]
    answer = light_site.post("/antopsis/subscribe", {"email": "fred@reader.example", "products": products})
    assert answer.status_code == 400
    assert answer.text.count("is no product") == 2  # in the summary and at the field


def test_bytes_that_are_no_text_and_bodies_that_are_no_form_are_refused_as_a_form_would_be(light_site: Site) -> None:
    for body, kind in (
        (b"email=%ff%fe%00@reader.example", "application/x-www-form-urlencoded"),
        (b"\xff\xfe=\xff", "application/x-www-form-urlencoded"),
        (b"email=fred@reader.example", "text/plain"),
        (b'{"email": "fred@reader.example"}', "application/json"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"--x\r\nbroken", "multipart/form-data"),
    ):
        answer = light_site.post("/antopsis/subscribe", body, content_type=kind)
        assert answer.status_code == 400, (kind, body)
        assert 'name="email"' in answer.text


def test_a_form_of_another_website_is_not_taken(light_site: Site) -> None:
    before = light_site.snapshot()
    for headers in (
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8000"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        answer = light_site.post("/antopsis/subscribe", {"email": "fred@reader.example"}, headers=headers)
        assert answer.status_code == 403, headers
        assert "another website" in words_of(answer.text)
    assert light_site.snapshot() == before


def test_a_form_of_this_website_is_taken_also_on_the_publishers_own_host(site: Site, streams: RegistryFile) -> None:
    site.world.apply(streams)
    own = "https://legal.streams.example"
    for number, (path, base_url, headers) in enumerate(
        (
            ("/antopsis/subscribe", "http://127.0.0.1:8000", {"Origin": "http://127.0.0.1:8000"}),
            ("/antopsis/subscribe", "http://127.0.0.1:8000", {"Sec-Fetch-Site": "same-origin"}),
            ("/antopsis/subscribe", "http://127.0.0.1:8000", {}),
            ("/subscribe", own, {"Origin": own}),
            # The proxy speaks plain HTTP to the service.
            ("/subscribe", "http://legal.streams.example", {"Origin": own}),
        )
    ):
        form = {"email": f"fred{number}@reader.example"}
        assert site.post(path, form, headers=headers, base_url=base_url).status_code == 200, (path, headers)


def test_one_client_may_ask_for_twenty_letters_an_hour(light_site: Site) -> None:
    for number in range(20):
        assert light_site.subscribe(f"fred{number}@reader.example").status_code == 200
    before = light_site.snapshot()
    answer = light_site.subscribe("fred20@reader.example")
    assert answer.status_code == 429
    assert "Too many letters asked for" in answer.text
    assert "Antopsis" in answer.text
    assert 0 < int(answer.headers["Retry-After"]) <= 3_600
    assert light_site.snapshot() == before
    # The form can still be read, and somebody else may still ask.
    assert light_site.get("/antopsis/subscribe").status_code == 200
    other = {"environ_overrides": {"REMOTE_ADDR": "198.51.100.9"}}
    assert light_site.post("/antopsis/subscribe", {"email": "olga@reader.example"}, **other).status_code == 200


def test_a_network_is_counted_as_one_and_so_is_an_ipv6_household(light_site: Site) -> None:
    def ask(address: str, number: int) -> int:
        form = {"email": f"fred{number}@reader.example"}
        return light_site.post("/antopsis/subscribe", form, environ_overrides={"REMOTE_ADDR": address}).status_code

    assert [ask(f"2001:db8::{number:x}", number) for number in range(21)] == [200] * 20 + [429]
    assert [ask(f"198.51.100.{number}", number) for number in range(101)] == [200] * 100 + [429]
    assert ask("198.51.101.1", 0) == 200


def ask_as(site: Site, forwarded_for: str) -> int:
    headers = {"X-Forwarded-For": forwarded_for}
    return site.post("/antopsis/subscribe", {"email": "fred@reader.example"}, headers=headers).status_code


def test_who_a_client_is_comes_from_a_proxy_only_where_one_is_trusted(light_site: Site, proxied_site: Site) -> None:
    claimed = [f"203.0.{number}.7" for number in range(21)]
    assert [ask_as(proxied_site, address) for address in claimed] == [200] * 21
    # What a client itself puts before the proxy's own word counts for nothing.
    assert [ask_as(proxied_site, f"{address}, 192.0.2.1") for address in claimed] == [200] * 20 + [429]


def test_without_a_trusted_proxy_a_claimed_address_counts_for_nothing(light_site: Site) -> None:
    assert [ask_as(light_site, f"203.0.{number}.7") for number in range(21)] == [200] * 20 + [429]


def test_a_forwarded_host_chooses_no_publisher(proxied_site: Site, streams: RegistryFile) -> None:
    proxied_site.world.apply(streams)
    answer = proxied_site.get("/", headers={"X-Forwarded-Host": "legal.streams.example"})
    assert "Subprocessor lists" in answer.text
