"""Deliveries and customers as CSV: with addresses only for whoever may and just proved who they are, and on record."""

from __future__ import annotations

import csv
import io

from sqlalchemy import select

from registry.tables import Customer
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Team
from tests.web.site import quick_tick
from tests.web.team.delivery_cast import HERE, announce, delivery_to, events

FILES = f"{HERE}/deliveries/files"


def rows_of(text: str) -> list[dict[str, str]]:
    """Read a CSV file as a spreadsheet does."""
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_deliveries_are_handed_out_without_addresses_to_a_viewer(team: Team) -> None:
    team.site.follow("fan@people.example")
    announce(team)
    quick_tick(team.site.world)
    vera = team.sign_in(VERA)
    answer = vera.post(f"{FILES}/deliveries")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == "attachment; filename=antopsis-2026-001-deliveries.csv"
    assert "Access-Control-Allow-Origin" not in answer.headers
    rows = rows_of(answer.data.decode())
    assert [row["customer_key"] for row in rows] == ["hanoi", "bremen", "", "oslo"]
    assert {row["address"] for row in rows} == {""}
    assert "@bremen.example" not in answer.data.decode()
    assert (rows[0]["made_at"], rows[0]["made_on"]) == ("2026-09-30T08:00:00Z", "2026-09-30")
    assert rows[0]["last_words"] == "written to the outbox, not sent"
    (event,) = events(team, "deliveries.downloaded")
    assert event.payload == {"file": "deliveries", "has_addresses": False}
    assert (event.actor.split()[0], event.subject) == (VERA.email, "2026-001")


def test_addresses_are_handed_out_to_an_approver_who_proved_who_they_are(team: Team) -> None:
    announce(team)
    path = f"{FILES}/deliveries-with-addresses"
    assert team.sign_in(EDDA).post(path).status_code == 403
    stale = team.sign_in(OLA, is_fresh=False)
    for asked in (stale.get(f"{FILES}/addresses"), stale.post(path)):
        assert asked.status_code == 302
        assert "verify" in asked.headers["Location"]
    assert events(team, "deliveries.downloaded") == []
    arno = team.sign_in(ARNO)
    assert arno.get(f"{FILES}/addresses").status_code == 200
    rows = rows_of(arno.post(path).data.decode())
    assert [row["address"] for row in rows] == ["privacy@hanoi.example", "dpo@bremen.example", "law@oslo.example"]
    (event,) = events(team, "deliveries.downloaded")
    assert event.payload["has_addresses"] is True


def test_customers_are_handed_out_with_dates_of_their_own_zone(team: Team) -> None:
    announce(team)
    world = team.site.world
    with world.writing() as session:
        session.scalars(select(Customer).where(Customer.key == "hanoi")).one().name = '=HYPERLINK("https://x.example")'
    rows = rows_of(team.sign_in(VERA).post(f"{FILES}/customers").data.decode())
    assert [row["customer_key"] for row in rows] == ["bremen", "hanoi", "oslo"]
    assert rows[1]["customer_name"] == '\'=HYPERLINK("https://x.example")'
    assert (rows[1]["time_zone"], rows[1]["notice_days"], rows[1]["standing"]) == ("Asia/Ho_Chi_Minh", "45", "waiting")
    assert rows[2]["own_approval_needed"] == "yes"


def test_a_download_is_no_get(light_team: Team) -> None:
    announce(light_team)
    vera = light_team.sign_in(VERA)
    for file in ("deliveries", "customers", "deliveries-with-addresses"):
        assert vera.get(f"{FILES}/{file}").status_code == 405
    assert vera.get(FILES).status_code == 200
    assert "Go on" not in vera.get(FILES).text
    assert delivery_to(light_team, "dpo@bremen.example").state == "pending"
