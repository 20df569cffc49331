"""A customer's contact objects by the link in its letter: once, in time or late, and every contact is told (R25)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from registry.readers.registry_file import RegistryFile
from registry.steps.keyring import load_keyring, rotate_link_key
from registry.tables import Address, Attachment, Delivery, Event, Installation, Objection, ObjectionNote, Subscription
from tests.databases import ReusedDatabase
from tests.web.conftest import serving_again
from tests.web.site import Site, links_of, path_of, quick_tick, words_of
from tests.world import ANNA, BREMEN, HANOI, World, antopsis, link_in, text_of, utc

DPO, PRIVACY, SECOND = "dpo@bremen.example", "privacy@hanoi.example", "legal@bremen.example"
FRED = "fred@reader.example"
TWO_CONTACTS = BREMEN.replace("[dpo@bremen.example]", "[dpo@bremen.example, legal@bremen.example]")
GROUND = "Helsinki is outside what our works council agreed to."
MORE = """  - key: bunny
    name: Bunny
    purposes: [Delivery]
    data_categories: [IP addresses]
"""
PDF = b"%PDF-1.7\n1 0 obj\n"


NUMBER = "2026-001"


def announce(world: World, *, more_entries: str = "") -> None:
    """Announce notice `NUMBER` to three contacts of two customers."""
    customers = TWO_CONTACTS + HANOI
    world.apply(antopsis(customers=customers))
    with world.writing() as session:
        # On a demonstration what lies in the outbox counts as received, so that clocks run.
        session.scalars(select(Installation)).one().is_demo = True
    world.announce(antopsis(helsinki=True, customers=customers, more_entries=more_entries))
    quick_tick(world)


@pytest.fixture
def site(database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    """Antopsis with a notice whose letters are out."""
    with serving_again(database, instance, antopsis(), live=announce) as site:
        yield site


@pytest.fixture
def light_site(sqlite_database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    """The same on the embedded database."""
    with serving_again(sqlite_database, instance, antopsis(), live=announce) as site:
        yield site


def link_to(site: Site, address: str) -> str:
    """Return the path of the link to object in the last letter that has one."""
    return path_of(link_in(site.letters_to(address)[-1], "object"))


def post_objection(site: Site, link: str, **given: Any) -> TestResponse:
    form = {"action": "object", "changes": ["hetzner-falkenstein"], "ground": GROUND, "name": "Dana Poe"} | given
    return site.post(link, form, content_type="multipart/form-data")


def objections(site: Site) -> list[Objection]:
    with site.world.reading() as session:
        return list(session.scalars(select(Objection).order_by(Objection.id)))


def notes(site: Site) -> list[tuple[str, str | None]]:
    with site.world.reading() as session:
        return [(each.kind, each.text) for each in session.scalars(select(ObjectionNote).order_by(ObjectionNote.id))]


def squeezed(letter: EmailMessage) -> str:
    return " ".join(text_of(letter).split())


def test_the_letter_leads_to_a_form_that_names_the_notice_its_changes_and_the_customers_own_deadline(
    site: Site,
) -> None:
    page = site.get(link_to(site, PRIVACY))
    assert page.status_code == 200
    said = words_of(page.text)
    assert f"Notice {NUMBER}, for Hanoi Streams Co." in said
    assert "Helsinki, Finland (processing)" in said
    assert "end of Friday, 30 October 2026 (2026-10-30, Asia/Ho_Chi_Minh)" in said
    assert "An objection sent now is in time" in said
    assert 'value="hetzner-falkenstein" checked' in page.text
    assert 'value="Hanoi Streams Co."' in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in page.headers


def test_an_objection_is_recorded_once_and_every_contact_of_the_customer_is_told(site: Site) -> None:
    link = link_to(site, DPO)
    site.world.at = utc("2026-10-12 14:05")
    answer = post_objection(site, link, company="Bremen Media Holding")
    assert answer.status_code == 303
    shown = words_of(site.get(path_of(answer.headers["Location"]) + "?done=object").text)
    assert "Your objection was received" in shown
    assert "Monday, 12 October 2026, 16:05 (2026-10-12T16:05+02:00, Europe/Berlin) , in time" in shown
    assert GROUND in shown
    # Who sent it is not shown: the letter may have been forwarded.
    assert "Dana Poe" not in shown
    # A second press of the button is no second objection.
    assert post_objection(site, link).status_code == 303
    (objection,) = objections(site)
    assert (objection.ground, objection.name, objection.company) == (GROUND, "Dana Poe", "Bremen Media Holding")
    assert (objection.road, objection.is_in_time, objection.state) == ("link", True, "received")
    assert objection.entry_keys is None
    for address in (DPO, SECOND):
        letter = site.letters_to(address)[-1]
        assert letter["Subject"] == f"Antopsis: objection to notice {NUMBER} received, in time"
        assert "12 October 2026, 16:05" in squeezed(letter)
        assert GROUND not in squeezed(letter)
        # The link in the confirmation opens the same objection.
        assert "What we have received" in words_of(site.get(path_of(link_in(letter, "object"))).text)
    assert NUMBER in str(site.letters_to(PRIVACY)[-1]["Subject"])
    assert len(site.letters_to(PRIVACY)) == 1


def test_the_record_of_an_objection_holds_no_word_of_it(site: Site) -> None:
    link = link_to(site, DPO)
    post_objection(site, link, document=(io.BytesIO(PDF), "dana-poe.pdf"))
    site.post(link, {"action": "add", "text": "One more word"})
    site.post(link, {"action": "withdraw", "reason": "Settled by phone"})
    with site.world.reading() as session:
        events = session.scalars(select(Event).where(Event.id > 0)).all()
        kinds = [event.kind for event in events]
        told = repr([(event.actor, event.payload) for event in events])
    for kind in ("objection.received", "objection.added_to", "objection.resolved", "document.attached"):
        assert kind in kinds
    for word in (GROUND, "Dana", "dana-poe", "One more word", "Settled by phone", "dpo@"):
        assert word not in told


def test_one_of_several_changes_can_be_objected_to(sqlite_database: ReusedDatabase, instance: Path) -> None:
    with serving_again(sqlite_database, instance, antopsis()) as site:
        announce(site.world, more_entries=MORE)
        link = link_to(site, DPO)
        page = site.get(link)
        assert 'value="bunny" checked' in page.text
        post_objection(site, link, changes=["bunny"])
        assert objections(site)[0].entry_keys == ["bunny"]
        assert "Objects to Bunny" in words_of(site.get(link).text)
        assert "Objects to: Bunny" in squeezed(site.letters_to(DPO)[-1])


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"ground": "  "}, "ground", "Say on what ground"),
        ({"ground": "x" * 10_001}, "ground", "too long"),
        ({"ground": "a\x00b"}, "ground", "U+0000"),
        ({"changes": []}, "changes", "Choose at least one change"),
        ({"changes": ["stripe"]}, "changes", "not among the changes"),
        ({"name": "x" * 501}, "name", "too long"),
    ],
)
def test_a_form_that_is_not_taken_comes_back_with_what_was_typed(
    light_site: Site, given: dict[str, Any], field: str, sentence: str
) -> None:
    site = light_site
    link = link_to(site, DPO)
    before = site.snapshot()
    answer = post_objection(site, link, **({"company": "Bremen & Co"} | given))
    assert answer.status_code == 400
    assert f'id="{field}-error"' in answer.text
    assert sentence in words_of(answer.text)
    assert "Bremen &amp; Co" in answer.text
    assert site.snapshot() == before


def test_a_document_that_is_not_what_it_says_is_refused_and_nothing_is_recorded(light_site: Site) -> None:
    site = light_site
    link = link_to(site, DPO)
    answer = post_objection(site, link, document=(io.BytesIO(b"MZ\x90\0"), "ground.pdf"))
    assert answer.status_code == 400
    assert 'id="document-error"' in answer.text
    assert GROUND in answer.text
    assert objections(site) == []


def test_a_document_is_kept_with_the_objection_and_named_on_the_page(site: Site) -> None:
    link = link_to(site, DPO)
    assert post_objection(site, link, document=(io.BytesIO(PDF), "assessment.pdf")).status_code == 303
    (objection,) = objections(site)
    with site.world.reading() as session:
        (attachment,) = session.scalars(select(Attachment)).all()
    assert (attachment.subject_kind, attachment.subject) == ("objection", str(objection.id))
    assert (attachment.purpose, attachment.customer_id) == ("objection", objection.customer_id)
    assert attachment.body == PDF
    assert "Documents assessment.pdf" in words_of(site.get(link).text)


def test_a_second_visit_adds_to_the_objection_and_each_contact_is_told(site: Site) -> None:
    link = link_to(site, DPO)
    post_objection(site, link)
    quick_tick(site.world)
    assert site.post(link, {"action": "add", "text": "Our council meets on 3 November."}).status_code == 303
    said = words_of(site.get(link).text)
    assert "Added Our council meets on 3 November." in said
    assert "Your objection" not in said.replace("Your company’s objection", "")
    assert len(objections(site)) == 1
    assert notes(site) == [("told", ""), ("addition", "Our council meets on 3 November."), ("told", "")]
    assert "more was sent" in str(site.letters_to(SECOND)[-1]["Subject"])
    nothing = site.post(link, {"action": "add", "text": " "})
    assert nothing.status_code == 400
    assert "Nothing was written" in words_of(nothing.text)


def test_words_of_a_second_contact_who_had_the_form_open_are_not_lost(site: Site) -> None:
    post_objection(site, link_to(site, DPO))
    assert post_objection(site, link_to(site, SECOND), ground="We object too.").status_code == 303
    (objection,) = objections(site)
    assert objection.ground == GROUND
    assert ("addition", "We object too.") in notes(site)


def test_an_objection_is_withdrawn_with_a_reason_and_can_be_made_anew(site: Site) -> None:
    link = link_to(site, DPO)
    post_objection(site, link)
    refused = site.post(link, {"action": "withdraw", "reason": ""})
    assert refused.status_code == 400
    assert 'id="reason-error"' in refused.text
    assert [hold.customer_key for hold in site.world.status(NUMBER).holds] == ["bremen"]
    assert site.post(link, {"action": "withdraw", "reason": "They convinced us."}).status_code == 303
    (objection,) = objections(site)
    assert (objection.state, objection.cure) == ("withdrawn", "They convinced us.")
    assert site.world.status(NUMBER).holds == ()
    said = words_of(site.get(link).text)
    assert "Withdrawn by your company." in said
    assert "Withdrawn because They convinced us." in said
    assert "withdrawn" in str(site.letters_to(SECOND)[-1]["Subject"])
    # Nothing is open any more, so there is nothing to withdraw, and the form is there again.
    assert site.post(link, {"action": "withdraw", "reason": "Again"}).status_code == 409
    assert post_objection(site, link, ground="We think again.").status_code == 303
    assert [each.state for each in objections(site)] == ["withdrawn", "received"]


def test_a_contact_that_was_replaced_may_still_object_and_gives_nothing_up_for_the_company(site: Site) -> None:
    link = link_to(site, DPO)
    with site.world.writing() as session:
        contact = session.scalars(
            select(Subscription).join(Address, Address.id == Subscription.address_id).where(Address.value == DPO)
        ).one()
        contact.ended_at, contact.ended_because = site.world.at, "replaced"
    assert post_objection(site, link).status_code == 303
    page = site.get(link)
    assert "Withdraw the objection" not in page.text
    assert site.post(link, {"action": "withdraw", "reason": "Never mind"}).status_code == 404
    assert objections(site)[0].state == "received"
    assert "received, in time" in str(site.letters_to(SECOND)[-1]["Subject"])


def test_after_the_deadline_it_is_recorded_and_told_as_late(site: Site) -> None:
    link = link_to(site, DPO)
    site.world.at = utc("2026-10-30 22:59")
    assert "is in time" in words_of(site.get(link).text)
    site.world.at = utc("2026-10-30 23:00")
    assert "The deadline has passed." in words_of(site.get(link).text)
    assert post_objection(site, link).status_code == 303
    assert not objections(site)[0].is_in_time
    assert ", late" in words_of(site.get(link).text)
    letter = site.letters_to(DPO)[-1]
    assert "received, after its deadline" in str(letter["Subject"])
    assert "recorded as late" in squeezed(letter)


def test_after_the_effect_an_objection_is_recorded_as_late_and_undoes_nothing(site: Site) -> None:
    link = link_to(site, DPO)
    site.world.at = utc("2026-11-20 00:00")
    quick_tick(site.world)
    assert site.world.notice(NUMBER).state == "in_effect"
    said = words_of(site.get(link).text)
    assert "The change is in effect already" in said
    post_objection(site, link)
    quick_tick(site.world)
    assert not objections(site)[0].is_in_time
    assert site.world.notice(NUMBER).state == "in_effect"


def test_a_link_is_good_for_its_own_publisher_purpose_and_key_alone(site: Site, streams: RegistryFile) -> None:
    site.world.apply(streams)
    link = link_to(site, DPO)
    token = link.rpartition("/")[2]
    kid, number, signature = token.split(".")
    others = [
        f"/streams/object/{token}",
        f"/antopsis/object/{kid}.{int(number) + 1}.{signature}",
        f"/antopsis/object/{kid}.{number}.{'0' * 40}",
        f"/antopsis/object/{number}",
        f"/antopsis/manage/{token}",
        f"/antopsis/object/{path_of(link_in(site.letters_to(DPO)[-1], 'manage')).rpartition('/')[2]}",
    ]
    for other in others:
        assert site.get(other).status_code == 404, other
        assert post_objection(site, other).status_code == 404, other
    assert objections(site) == []
    # A new key signs from now on, and what is in mailboxes lives on (R33).
    with site.world.writing() as session:
        rotate_link_key(session, site.world.at, ANNA)
    assert site.get(link).status_code == 200


def test_followers_have_no_link_and_their_deliveries_open_nothing(database: ReusedDatabase, instance: Path) -> None:
    with serving_again(database, instance, antopsis()) as site:
        site.follow(FRED)
        announce(site.world)
        letter = site.letters_to(FRED)[-1]
        assert "/object/" not in text_of(letter)
        with site.world.reading() as session:
            query = select(Delivery.id).join(Subscription, Subscription.id == Delivery.subscription_id)
            ids = session.scalars(query.where(Subscription.customer_id.is_(None))).all()
            keyring = load_keyring(session, site.world.at)
        assert ids
        for number in ids:
            assert site.get(f"/antopsis/object/{keyring.sign('object', number)}").status_code == 404


def test_nobody_objects_to_a_notice_that_was_withdrawn(light_site: Site) -> None:
    from registry.steps.lookup import get_notice, get_publisher
    from registry.steps.withdraw_notice import withdraw_notice

    site = light_site
    link = link_to(site, DPO)
    with site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, NUMBER)
        withdraw_notice(session, site.world.at, publisher, notice, ANNA, site.world.wiring.letterhead, reason="Not now")
    page = site.get(link)
    assert "This notice was withdrawn" in words_of(page.text)
    assert 'name="ground"' not in page.text
    # A form that was open meanwhile is taken all the same, and closed at once.
    post_objection(site, link)
    assert objections(site)[0].state == "moot"


def test_a_form_of_another_website_is_refused(light_site: Site) -> None:
    link = link_to(light_site, DPO)
    answer = light_site.post(link, {"ground": GROUND}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert objections(light_site) == []


def test_one_link_writes_to_a_customers_contacts_twenty_times_an_hour_at_most(light_site: Site) -> None:
    site = light_site
    link = link_to(site, DPO)
    post_objection(site, link)
    answers = [site.post(link, {"action": "add", "text": f"Word {n}"}).status_code for n in range(20)]
    assert answers == [303] * 19 + [429]
    # Whoever has another link is not kept waiting by it.
    assert site.post(link_to(site, PRIVACY), {"ground": GROUND, "changes": "hetzner-falkenstein"}).status_code == 303


def test_a_document_larger_than_what_is_kept_is_said_beside_its_field_and_the_words_come_back(
    light_site: Site,
) -> None:
    site = light_site
    link = link_to(site, DPO)
    taken = post_objection(site, link, document=(io.BytesIO(PDF + b"x" * 1_000_000), "large.pdf"))
    assert taken.status_code == 303
    too_large = (io.BytesIO(PDF + b"x" * (5 * 1024 * 1024)), "larger.pdf")
    again = site.post(link, {"action": "add", "text": "Kept words", "document": too_large})
    assert again.status_code == 400
    assert 'id="document-error"' in again.text
    assert "Kept words" in again.text
    assert site.post(link, {"document": (io.BytesIO(b"x" * 8_000_000), "a.pdf")}).status_code == 413


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
def test_only_post_changes_anything(light_site: Site, method: str) -> None:
    site = light_site
    link = link_to(site, DPO)
    post_objection(site, link)
    quick_tick(site.world)
    before = site.snapshot()
    for query in ("", "?action=withdraw&reason=Spam", "?done=withdraw"):
        answer = site.client.open(f"{link}{query}", method=method, headers={"Sec-Purpose": "prefetch"}, buffered=True)
        assert answer.status_code == (200 if method in ("GET", "HEAD", "OPTIONS") else 405)
    assert site.snapshot() == before


def test_the_page_asks_nobody_else_for_anything(light_site: Site) -> None:
    page = light_site.get(link_to(light_site, DPO))
    assert all(
        address.startswith(("http://127.0.0.1:8000/", "#", "?lang=", "mailto:")) for address in links_of(page.text)
    )
    assert "<script" not in page.text
