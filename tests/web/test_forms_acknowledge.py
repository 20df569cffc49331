"""A contact acknowledges its letter by the link in it: proof of receipt, once, and no consent (R12)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from registry.domain.terms import Terms
from registry.readers.registry_file import RegistryFile
from registry.steps.keyring import load_keyring, rotate_link_key
from registry.steps.receipts import note_receipt
from registry.tables import Acknowledgement, Attempt, Customer, Delivery, Event, NoticeCustomer
from tests.steps.path_cast import add_forgotten
from tests.unreadable_terms import spoil_frozen_terms
from tests.web.site import Site, path_of, words_of
from tests.web.test_letter_links import sign
from tests.world import ANNA, BREMEN, antopsis, link_in, text_of, utc

DPO, SECOND, FRED = "dpo@bremen.example", "legal@bremen.example", "fred@reader.example"
STRICT = BREMEN.replace(
    "    contacts: [dpo@bremen.example]", "    notice: {clock_starts_on: delivered}\n    contacts: [dpo@bremen.example]"
)
TWO = BREMEN.replace("[dpo@bremen.example]", "[dpo@bremen.example, legal@bremen.example]")


def announced(site: Site, customers: str = BREMEN) -> tuple[str, str]:
    """Announce a change; return the notice's number and the path of the contact's link to acknowledge it."""
    site.world.apply(antopsis(customers=customers))
    number = site.world.announce(antopsis(helsinki=True, customers=customers))
    return number, path_of(link_in(site.letters_to(DPO)[-1], "acknowledge"))


def said(site: Site) -> list[Acknowledgement]:
    with site.world.reading() as session:
        return list(session.scalars(select(Acknowledgement).order_by(Acknowledgement.id)))


def standing(site: Site) -> NoticeCustomer:
    with site.world.reading() as session:
        query = select(NoticeCustomer).join(Customer, Customer.id == NoticeCustomer.customer_id)
        return session.scalars(query.where(Customer.key == "bremen")).one()


def test_the_letter_leads_to_a_page_that_asks_and_says_what_it_is_not(site: Site) -> None:
    number, link = announced(site)
    page = site.get(link)
    assert page.status_code == 200
    assert f"Notice {number}, statement 1, for Bremen Media GmbH" in words_of(page.text)
    assert "It is no consent to the change" in words_of(page.text)
    assert page.headers["Cache-Control"] == "no-store"
    assert said(site) == []


def test_it_is_recorded_once_and_answered_by_a_letter_to_the_contact_alone(site: Site) -> None:
    number, link = announced(site, TWO)
    site.world.at += timedelta(days=1)
    answer = site.post(link)
    assert "That is on record, and a letter to you confirms it" in words_of(answer.text)
    assert "Thursday, 1 October 2026, 10:00" in words_of(answer.text)
    # A second press of the button is no second acknowledgement, and no second letter.
    assert "This letter is acknowledged" in site.post(link).text
    (row,) = said(site)
    assert (row.acknowledged_at, row.customer_id) == (site.world.at, standing(site).customer_id)
    letter = site.letters_to(DPO)[-1]
    assert str(letter["Subject"]) == f"Antopsis: you acknowledged notice {number}"
    assert "no consent to the change" in " ".join(text_of(letter).split())
    assert len(site.letters_to(SECOND)) == 1
    with site.world.reading() as session:
        (event,) = session.scalars(select(Event).where(Event.kind == "customer.acknowledged"))
        assert (event.subject, event.actor) == (number, "contact (public page)")


@pytest.mark.parametrize("customers", [BREMEN, STRICT], ids=["accepted", "delivered"])
def test_it_proves_receipt_whatever_evidence_the_terms_ask_for(site: Site, customers: str) -> None:
    _, link = announced(site, customers)
    with site.world.writing() as session:
        for attempt in session.scalars(select(Attempt)):
            attempt.channel = "outbox"
    # A letter that was only written into a folder proves nothing, and here the contact says that it has it.
    assert (standing(site).state, standing(site).received_at) == ("waiting", None)
    site.world.at += timedelta(hours=3)
    site.post(link)
    row = standing(site)
    assert (row.state, row.received_at) == ("received", site.world.at)
    assert Terms.model_validate(row.terms).clock_starts_on == ("delivered" if customers is STRICT else "accepted")
    assert row.objection_ends_at == utc("2026-10-30 23:00")


def test_it_counts_once_terms_that_could_not_be_read_are_set_anew(site: Site) -> None:
    number, link = announced(site, STRICT)
    spoil_frozen_terms(site.world.wiring.engine, "bremen")
    assert "This letter is acknowledged" in site.post(link).text
    assert standing(site).state == "waiting"
    add_forgotten(site.world, number, "bremen")
    assert (standing(site).state, standing(site).received_at) == ("received", site.world.at)


def test_a_later_bounce_takes_back_no_acknowledgement(site: Site) -> None:
    _, link = announced(site)
    site.post(link)
    received = standing(site).received_at
    with site.world.writing() as session:
        delivery = session.scalars(select(Delivery).where(Delivery.statement_id.is_not(None))).first()
        assert delivery is not None
        delivery.state = "bounced"
        session.flush()
        note_receipt(session, site.world.at + timedelta(days=2), delivery)
    assert standing(site).received_at == received


def test_an_acknowledgement_takes_nothing_from_objecting(site: Site) -> None:
    _, link = announced(site)
    page = site.post(link)
    to_object = next(part for part in page.text.split('"') if "/object/" in part)
    shown = words_of(site.get(path_of(to_object)).text)
    assert "An objection sent now is in time" in shown


def test_no_other_link_acknowledges_and_no_other_publisher_takes_it(site: Site, streams: RegistryFile) -> None:
    site.world.apply(streams)
    site.follow(FRED)
    _, link = announced(site)
    token = link.rpartition("/")[2]
    with site.world.reading() as session:
        keyring = load_keyring(session, site.world.at)
        follower = session.scalars(select(Delivery).order_by(Delivery.id.desc())).first()
        assert follower is not None
        others = [
            keyring.sign("object", 1),
            keyring.sign("acknowledge", 10**6),
            keyring.sign("acknowledge", follower.id),
        ]
    wrong = [*others, token[:-1], token + "0", "x", "k1.1.", "%00", sign(site, "manage", DPO)]
    for each in wrong:
        for act in (site.get, site.post):
            assert act(f"/antopsis/acknowledge/{each}").status_code == 404, each
    own_host = {"base_url": "https://legal.streams.example"}
    assert site.post(f"/acknowledge/{token}", **own_host).status_code == 404
    assert said(site) == []


def test_old_links_live_on_over_a_new_key(light_site: Site) -> None:
    _, link = announced(light_site)
    with light_site.world.writing() as session:
        rotate_link_key(session, light_site.world.at, ANNA)
    assert light_site.post(link).status_code == 200
    assert len(said(light_site)) == 1


def test_a_form_of_another_website_acknowledges_nothing(light_site: Site) -> None:
    _, link = announced(light_site)
    assert light_site.post(link, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert said(light_site) == []
    # A program says nothing of where it comes from, and has the link from its webhook.
    assert light_site.post(link, json={}).status_code == 200
    assert len(said(light_site)) == 1
