"""What a person does about a letter or a customer that was not reached: each act by its role, on record, with proof."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from sqlalchemy import select

from registry.steps.lookup import get_notice, get_publisher
from registry.steps.receipts import start_clock
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Address, Attachment, Attempt, Delivery, NoticeCustomer
from tests.web.colleagues import ARNO, EDDA, VERA, ZOE, Colleague, Team
from tests.web.site import quick_tick, words_of
from tests.web.team.delivery_cast import HERE, PDF, announce, delivery_to, events, standing_of
from tests.world import BORIS, utc

BREMEN = f"{HERE}/customers/bremen"
OSLO = f"{HERE}/customers/oslo"


def serve(colleague: Colleague, **changes: Any) -> Any:
    """Record service by courier on 30 September at noon, with what differs."""
    given = {
        "way": "courier",
        "served_on": "2026-09-30",
        "served_time": "12:00",
        "reference": "RR 123; 456",
        "document": (io.BytesIO(PDF), "receipt.pdf"),
    }
    return colleague.post(f"{BREMEN}/served", given | changes)


def announced(team: Team) -> Team:
    """Announce, have the letters written, and let two hours and a bit pass."""
    announce(team)
    quick_tick(team.site.world)
    team.site.world.at = utc("2026-09-30 10:30")
    return team


def test_service_by_other_means_starts_the_clock_with_its_document(team: Team) -> None:
    edda = announced(team).sign_in(EDDA)
    answer = serve(edda)
    assert (answer.status_code, answer.headers["Location"]) == (303, BREMEN)
    row = standing_of(team, "bremen")
    assert (row.state, row.received_at) == ("served", utc("2026-09-30 10:00"))
    page = edda.get(BREMEN).text
    assert "served by other means" in words_of(page)
    (link,) = re.findall(r'href="(/team/antopsis/documents/\d+)"', page)
    number = link.rpartition("/")[2]
    assert row.basis == f"courier, RR 123, 456, document {number}"
    document = team.sign_in(VERA).get(link)
    assert document.data == PDF
    (event,) = events(team, "customer.served")
    assert event.actor.startswith(EDDA.email)


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"document": (io.BytesIO(b""), "")}, "document", "A document proves this"),
        ({"document": (io.BytesIO(b"MZ"), "receipt.pdf")}, "document", "its content is not one"),
        ({"document": (io.BytesIO(PDF), "run.exe")}, "document", "of a kind that is not kept here"),
        ({"served_on": "2026-10-01"}, "served_on", "is still to come"),
        ({"served_on": "30.9."}, "served_on", "is no date"),
        ({"served_on": ""}, "served_on", "This field is missing"),
        ({"served_on": "0001-01-01", "served_time": "00:01"}, "served_on", "is no day of the calendar"),
        ({"served_on": "9999-12-31", "served_time": "23:59"}, "served_on", "is still to come"),
        ({"served_time": "noon"}, "served_time", "is no time of day"),
        ({"way": "pigeon"}, "way", "This field is missing"),
        ({"served_on": "2026-09-29"}, "served_on", "before the statement"),
    ],
)
def test_service_that_cannot_be_is_refused_beside_its_field(
    light_team: Team, changes: dict[str, Any], field: str, sentence: str
) -> None:
    edda = announced(light_team).sign_in(EDDA)
    answer = serve(edda, **changes)
    assert answer.status_code == 400
    assert f'id="{field}-error"' in answer.text
    assert sentence in answer.text
    assert 'value="RR 123; 456"' in answer.text
    assert standing_of(light_team, "bremen").received_at is None
    with light_team.site.world.reading() as session:
        assert session.scalars(select(Attachment)).all() == []


def test_all_that_is_wrong_is_said_at_once(light_team: Team) -> None:
    edda = announced(light_team).sign_in(EDDA)
    answer = edda.post(f"{BREMEN}/served", {})
    for field in ("way", "served_on", "served_time", "document"):
        assert f'id="{field}-error"' in answer.text


def test_an_exemption_is_for_an_approver_and_neither_receipt_nor_consent(team: Team) -> None:
    announced(team)
    given = {"basis": "Waiver of 29 September", "exempt_document": (io.BytesIO(PDF), "waiver.pdf")}
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    assert edda.post(f"{BREMEN}/exempt", given).status_code == 403
    assert "Exempting a customer from a notice is for an approver." in edda.get(BREMEN).text
    assert standing_of(team, "bremen").state == "waiting"
    given["exempt_document"] = (io.BytesIO(PDF), "waiver.pdf")
    assert arno.post(f"{BREMEN}/exempt", given).status_code == 303
    row = standing_of(team, "bremen")
    assert (row.state, row.received_at) == ("exempt", None)
    assert re.fullmatch(r"Waiver of 29 September \(document \d+\)", row.basis or "")
    assert "neither receipt nor consent" in arno.get(BREMEN).text
    assert arno.post(f"{BREMEN}/exempt", {"basis": " "}).status_code == 400


def test_a_customers_own_approval_is_recorded_where_its_terms_ask_for_it(team: Team) -> None:
    edda = announced(team).sign_in(EDDA)
    assert "Record its approval" not in edda.get(BREMEN).text
    assert "its own approval is missing" in words_of(edda.get(f"{HERE}/customers").text)
    assert edda.post(f"{OSLO}/approved", {"approval": ""}).status_code == 400
    assert edda.post(f"{OSLO}/approved", {"approval": "By e-mail of 30 September"}).status_code == 303
    row = standing_of(team, "oslo")
    assert (row.approved_at, row.basis) == (team.site.world.at, "By e-mail of 30 September")
    assert "its own approval is missing" not in words_of(edda.get(f"{HERE}/customers").text)


def test_a_deemed_receipt_is_shown_by_its_clause_and_never_as_received(light_team: Team) -> None:
    announced(light_team)
    world = light_team.site.world
    row = standing_of(light_team, "bremen")
    with world.writing() as session:
        stored = session.get_one(NoticeCustomer, (row.notice_id, row.customer_id))
        start_clock(stored, world.at, state="deemed")
        stored.basis = "§ 12(3)"
    vera = light_team.sign_in(VERA)
    for path in (BREMEN, f"{HERE}/customers?state=deemed"):
        said = words_of(vera.get(path).text)
        assert "deemed, not received" in said
        assert "clause § 12(3)" in said
        assert "Receipt 30 September" not in said


def test_another_contact_is_told_instead(team: Team) -> None:
    announced(team)
    number = delivery_to(team, "dpo@bremen.example").id
    edda = team.sign_in(EDDA)
    path = f"/team/antopsis/deliveries/{number}"
    assert team.sign_in(VERA).post(f"{path}/resend", {"contact": "another"}).status_code == 403
    refused = edda.post(f"{path}/resend", {"contact": "another", "email": "no address", "name": "Lena"})
    assert refused.status_code == 400
    assert 'id="email-error"' in refused.text
    assert 'value="Lena"' in refused.text
    answer = edda.post(f"{path}/resend", {"contact": "another", "email": "legal@bremen.example", "name": "Lena"})
    made = delivery_to(team, "legal@bremen.example")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/team/antopsis/deliveries/{made.id}")
    assert made.state == "pending"
    again = edda.post(f"{path}/resend", {"contact": "another", "email": "legal@bremen.example"})
    assert again.status_code == 409
    assert "goes to nobody twice" in again.text
    assert "legal@bremen.example has it already" in words_of(edda.get(path).text)
    for contact in ("", "9" * 20, "9" * 5_000):
        assert edda.post(f"{path}/resend", {"contact": contact}).status_code == 400


def test_one_delivery_shows_its_try_its_bytes_and_the_letter_they_were(team: Team) -> None:
    announced(team)
    row = delivery_to(team, "dpo@bremen.example")
    edda = team.sign_in(EDDA)
    page = edda.get(f"/team/antopsis/deliveries/{row.id}").text
    with team.site.world.reading() as session:
        (attempt,) = session.scalars(select(Attempt).where(Attempt.delivery_id == row.id))
    said = words_of(page)
    assert said.count(attempt.sha256 or "none") == 2
    assert "these are the very bytes that went out" in said
    assert (row.message_id or "").replace("<", "&lt;").replace(">", "&gt;") in page
    assert "Hetzner: change of places" in said
    letter = edda.get(f"/team/antopsis/deliveries/{row.id}/letter")
    policy = letter.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "unsafe" not in policy
    assert " style=" not in letter.text
    nonce = re.search(r"nonce-([^']+)", policy)
    assert nonce is not None
    assert letter.text.count(f'<style nonce="{nonce.group(1)}">') == letter.text.count("<style")


def test_links_that_act_for_the_recipient_are_cut_short(light_team: Team) -> None:
    announced(light_team)
    number = delivery_to(light_team, "dpo@bremen.example").id
    edda = light_team.sign_in(EDDA)
    for path in ("", "/letter"):
        shown = edda.get(f"/team/antopsis/deliveries/{number}{path}").text
        assert "/manage/…" in shown
        assert not re.search(r"/(manage|unsubscribe|object|acknowledge|confirm)/[A-Za-z0-9]", shown)


def test_a_letter_whose_address_was_erased_is_said_to_be_gone(light_team: Team) -> None:
    announced(light_team)
    row = delivery_to(light_team, "dpo@bremen.example")
    with light_team.site.world.writing() as session:
        session.get_one(Delivery, row.id).merge = None
        for address in session.scalars(select(Address).where(Address.value == "dpo@bremen.example")):
            address.value = None
    edda = light_team.sign_in(EDDA)
    page = edda.get(f"/team/antopsis/deliveries/{row.id}")
    assert "cannot be made again since the address and the words merged into it were erased" in page.text
    assert edda.get(f"/team/antopsis/deliveries/{row.id}/letter").status_code == 404


def test_another_publisher_records_nothing_here(two_teams: Team) -> None:
    announced(two_teams)
    zoe = two_teams.sign_in(ZOE)
    for act in ("served", "exempt", "approved"):
        for slug in ("streams", "antopsis"):
            path = f"/team/{slug}/notices/2026-001/customers/bremen/{act}"
            assert zoe.post(path, {"basis": "x", "approval": "x"}).status_code == 404
    assert standing_of(two_teams, "bremen").state == "waiting"
    assert zoe.get("/team/streams/notices/2026-001/customers/bremen").status_code == 404


def test_a_viewer_is_offered_nothing_and_may_record_nothing(light_team: Team) -> None:
    announced(light_team)
    vera = light_team.sign_in(VERA)
    page = vera.get(BREMEN).text
    assert "What a person can record" not in page
    for act in ("served", "exempt", "approved"):
        assert vera.post(f"{BREMEN}/{act}", {}).status_code == 403


def test_an_unknown_customer_is_not_found(light_team: Team) -> None:
    announced(light_team)
    assert light_team.sign_in(EDDA).get(f"{HERE}/customers/nobody").status_code == 404


def test_a_refused_instant_is_said_in_the_customers_own_zone(light_team: Team) -> None:
    edda = announced(light_team).sign_in(EDDA)
    said = words_of(serve(edda, served_time="03:00").text)
    assert "“30 September 2026, 03:00 (Europe/Berlin)” is before the statement" in said
    assert "was made (30 September 2026, 10:00 (Europe/Berlin))" in said
    assert "+00:00" not in said


def test_what_is_recorded_of_a_notice_that_ended_meanwhile_is_refused_in_words(
    light_team: Team,
) -> None:
    arno = announced(light_team).sign_in(ARNO)
    world = light_team.site.world
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, "2026-001")
        withdraw_notice(session, world.at, publisher, notice, BORIS, world.wiring.letterhead, "Off.")
    answer = arno.post(f"{BREMEN}/exempt", {"basis": "Waiver"})
    assert answer.status_code == 303
    assert "Nothing was done. Notice 2026-001 is by now: withdrawn." in words_of(arno.get(BREMEN).text)
