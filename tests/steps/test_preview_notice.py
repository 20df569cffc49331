"""What is previewed is, word for word, what is then sent; and looking at it tells nobody and writes nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from registry.domain.vocabulary import StatementKind
from registry.pages.feed_items import make_feed
from registry.pages.values import Addresses
from registry.steps.errors import UnknownCustomer
from registry.steps.lookup import get_notice, get_publisher, read_facts
from registry.steps.preview_notice import NO_REFERENCE, PreviewedLetter, Reader, load_reader, preview_letter
from registry.steps.preview_public import preview_public
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import TWO_PLACES, add_customer, dump, edit, follow, withdraw
from tests.world import BREMEN, HANOI, World, antopsis, letters_to, text_of, utc

LINK = "http://127.0.0.1:8000/team/antopsis/notices/2026-001/preview"
WORDS = "We open a **second site**, see https://antopsis.example/why.\n\n- Nothing leaves the Union."
_TOKEN = re.compile(r"http://127\.0\.0\.1:8000/antopsis/(manage|unsubscribe|object|acknowledge)/[^\s\"<]+")
_REFERENCE = re.compile(r"127\.0\.0\.1/\d+")


def _preview(world: World, number: str, customer: str = "", seq: int | None = None) -> PreviewedLetter:
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        notice, facts = get_notice(session, publisher, number), read_facts(session, publisher)
        reader = load_reader(session, world.at, publisher, notice, facts, customer) if customer else Reader()
        return preview_letter(
            session,
            world.at,
            notice,
            facts,
            reader,
            world.wiring.letterhead,
            world.wiring.keyring,
            link=LINK,
            seq=seq,
        )


def _reader(world: World, number: str, customer: str, contact: int | None = None) -> Reader:
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        notice, facts = get_notice(session, publisher, number), read_facts(session, publisher)
        return load_reader(session, world.at, publisher, notice, facts, customer, contact)


def _sent(letter: EmailMessage) -> tuple[str, str, str]:
    """Return subject, text and HTML of a letter that was sent, with what opens something or names it taken out."""
    page = letter.get_body(("html",))
    assert page is not None
    text, html = (
        _REFERENCE.sub(NO_REFERENCE, _TOKEN.sub(LINK, body.replace("\r\n", "\n")))
        for body in (text_of(letter), page.get_content())
    )
    return str(letter["Subject"]), text, html


@pytest.mark.parametrize(
    "options",
    [{}, {"explanation": WORDS}, {"emergency_reason": "The host was breached.\nIt is replaced."}],
    ids=["bare", "explained", "emergency"],
)
def test_what_is_previewed_is_what_is_sent(world: World, mail_server: MailServer, options: dict[str, Any]) -> None:
    world.apply(antopsis())
    follow(world, "reader@follower.example")
    edit(world, TWO_PLACES)
    number = world.draft(**options)
    previews = {key: _preview(world, number, key) for key in ("bremen", "hanoi", "")}
    world.publish(number)
    world.tick()
    addresses = {"bremen": "dpo@bremen.example", "hanoi": "privacy@hanoi.example", "": "reader@follower.example"}
    for key, address in addresses.items():
        (letter,) = letters_to(mail_server, address)
        shown = previews[key]
        assert not shown.is_frozen
        assert (shown.subject, shown.text, shown.html) == _sent(letter)


def test_each_customer_reads_its_own_deadline_in_its_own_zone(world: World) -> None:
    world.at = utc("2026-09-30 18:30")
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    assert "end of Friday, 30 October 2026 (2026-10-30, Europe/Berlin)" in _preview(world, number, "bremen").text
    # It is October already in Viet Nam.
    hanoi = _preview(world, number, "hanoi")
    assert "end of Saturday, 31 October 2026 (2026-10-31,\n                 Asia/Ho_Chi_Minh)" in hanoi.text
    assert hanoi.deadline is not None
    assert hanoi.deadline.ends_at == utc("2026-10-31 17:00")
    assert _preview(world, number).deadline is None


def test_a_notice_set_for_later_reads_as_of_its_hour(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft(announce_at=utc("2026-10-08 08:00"))
    shown = _preview(world, number, "bremen")
    assert shown.told_at == utc("2026-10-08 08:00")
    world.publish(number)
    assert _preview(world, number, "bremen").text == shown.text
    world.at = utc("2026-10-08 08:00")
    world.tick()
    (letter,) = letters_to(mail_server, "dpo@bremen.example")
    assert (shown.subject, shown.text, shown.html) == _sent(letter)


def test_looking_writes_nothing(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft(explanation=WORDS)
    before = dump(world)
    _preview(world, number, "hanoi")
    _preview(world, number)
    _public(world, number)
    assert dump(world) == before


def test_its_links_lead_to_the_preview_and_hold_no_token(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    for shown in (_preview(world, number, "hanoi"), _preview(world, number)):
        for body in (shown.text, shown.html):
            assert LINK in body
            assert not re.search(r"/(manage|unsubscribe|object|acknowledge|confirm)/", body)
            assert NO_REFERENCE in body


def test_once_announced_it_is_the_letter_that_was_frozen(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft(explanation=WORDS)
    world.publish(number)
    world.tick()
    (letter,) = letters_to(mail_server, "privacy@hanoi.example")
    sent = _sent(letter)
    # The customer has received it, and its deadline stays whatever the day.
    world.at += timedelta(days=3)
    shown = _preview(world, number, "hanoi")
    assert shown.is_frozen
    assert (shown.subject, shown.text, shown.html) == sent
    withdraw(world, number, reason="Not needed")
    world.tick()
    assert _preview(world, number, "hanoi").kind is StatementKind.WITHDRAWAL
    assert _preview(world, number, "hanoi", seq=1).text == sent[1]
    assert _preview(world, number, "hanoi", seq=99).kind is StatementKind.WITHDRAWAL


def test_a_customer_has_its_contacts_in_their_order_and_any_of_them_can_be_chosen(world: World) -> None:
    two = BREMEN.replace("[dpo@bremen.example]", "[dpo@bremen.example, it@bremen.example]")
    world.apply(antopsis(customers=HANOI + two))
    edit(world, TWO_PLACES)
    number = world.draft()
    reader = _reader(world, number, "bremen")
    assert [each.address for each in reader.contacts] == ["dpo@bremen.example", "it@bremen.example"]
    assert reader.contact == reader.contacts[0]
    second = reader.contacts[1]
    assert _reader(world, number, "bremen", second.subscription_id).contact == second
    other = _reader(world, number, "hanoi").contacts[0]
    assert _reader(world, number, "bremen", other.subscription_id).contact == reader.contacts[0]


def test_a_customer_without_a_contact_has_a_letter_to_look_at_all_the_same(world: World) -> None:
    world.apply(antopsis())
    add_customer(world, key="bergen", name="Bergen AS", time_zone="Europe/Oslo")
    edit(world, TWO_PLACES)
    number = world.draft()
    assert _reader(world, number, "bergen").contacts == ()
    assert "Bergen AS" in _preview(world, number, "bergen").text


def test_a_customer_whose_contract_is_over_is_marked_as_one_nobody_tells(world: World) -> None:
    world.apply(antopsis(customers=HANOI + "    contract_until: 2026-09-29\n" + BREMEN))
    edit(world, TWO_PLACES)
    number = world.draft()
    assert not _reader(world, number, "hanoi").is_running
    assert _reader(world, number, "bremen").is_running


def test_who_became_a_customer_later_reads_the_deadline_of_the_notices_own_terms(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    world.publish(number)
    add_customer(world, key="bergen", name="Bergen AS", time_zone="Europe/Oslo", notice={"objection_days": 60})
    reader = _reader(world, number, "bergen")
    assert reader.terms is not None
    assert (reader.terms.objection_days, reader.terms.time_zone) == (30, "Europe/Berlin")


def test_an_unknown_customer_is_named(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    with pytest.raises(UnknownCustomer):
        _reader(world, number, "nobody")


def test_the_page_is_the_one_that_is_then_served(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft(explanation=WORDS)
    page, items = _public(world, number)
    world.publish(number)
    public = world.public()
    address = Addresses("http://127.0.0.1:8000/antopsis")
    assert world.wiring.pages.notice_page(public, public.notices[0], address).decode() == page
    assert items == [item for item in make_feed(public, address).items if "notices" in item.id]
    assert _public(world, number) == (page, items)


def test_the_page_names_the_entry_that_engages_another(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES | {"parent": "stripe"})
    page, _ = _public(world, world.draft())
    assert "Stripe" in page


def _public(world: World, number: str) -> tuple[str, list[object]]:
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        notice, facts = get_notice(session, publisher, number), read_facts(session, publisher)
        public, shown = preview_public(session, world.at, publisher, notice, facts)
    address = Addresses("http://127.0.0.1:8000/antopsis")
    page = world.wiring.pages.notice_page(public, shown, address).decode()
    return page, list(make_feed(public, address).items)
