"""A customer's terms in the workbench: set, shortened by two people, and the end of its contract."""

from __future__ import annotations

from datetime import date

from registry.steps.lookup import get_customer, get_publisher
from registry.tables import CustomerTerms
from tests.unreadable_terms import spoil_terms
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Team
from tests.web.site import words_of
from tests.web.team.customer_cast import BREMEN, CUSTOMERS, events, save, seen_of, terms_of
from tests.web.team.notice_cast import require_approvals


def test_terms_of_its_own_count_from_now_on_and_stand_in_its_history(team: Team) -> None:
    answer = save(
        team,
        days="60",
        undeliverable="deemed",
        **{"undeliverable.deemed_after_days": "5", "undeliverable.clause": "§ 9"},
    )
    assert answer.status_code == 303
    assert terms_of(team).days == 60
    seen = words_of(team.sign_in(VERA).get(BREMEN).text)
    assert "60 days its own the publisher’s: 30 days" in seen
    assert "Language English (en)" in seen
    assert "Is deemed to have received it after 5 days (§ 9)" in seen
    assert "Days of notice: as the publisher’s → 60 days" in seen
    assert save(team).status_code == 303
    assert terms_of(team).days == 30


def test_terms_that_cannot_be_read_are_set_anew_by_its_form_or_by_two_people(team: Team) -> None:
    save(team, days="60")
    require_approvals(team)
    save(team, days="20")
    spoil_terms(team.site.world.wiring.engine, "bremen")
    assert "can only be dropped" in team.sign_in(ARNO).get(BREMEN).text
    # Nobody can say whether the terms get shorter, so that it takes a second person, as where they do.
    refused = save(team, days="90")
    assert "requires a second person for this" in refused.text
    assert terms_of(team) is None
    require_approvals(team, 0)
    assert save(team, days="90").status_code == 303
    assert terms_of(team).days == 90


def test_a_form_that_was_opened_before_anothers_save_overwrites_nothing(light_team: Team) -> None:
    old = seen_of(light_team, f"{BREMEN}/edit")
    assert save(light_team, days="60").status_code == 303
    answer = save(light_team, days="70", seen=old)
    assert answer.status_code == 409
    assert "Somebody saved Bremen Media GmbH" in answer.text
    assert 'value="70"' in answer.text
    assert terms_of(light_team).days == 60


def test_shorter_terms_are_proposed_by_one_and_approved_by_another(team: Team) -> None:
    save(team, days="60")
    require_approvals(team)
    answer = save(team, BREMEN, OLA, days="20", name="Bremen Medien", reason="Amendment 2")
    assert answer.headers["Location"] == BREMEN
    assert terms_of(team).days == 60
    page = team.sign_in(OLA).get(BREMEN).text
    assert "Bremen Medien" in page
    assert "Amendment 2" in page
    digest = page.partition('name="digest" value="')[2].partition('"')[0]
    own = team.sign_in(OLA).post(f"{BREMEN}/terms/approve", {"digest": digest})
    assert own.status_code == 409
    assert "nobody approves their own work" in own.text
    assert team.sign_in(EDDA).post(f"{BREMEN}/terms/approve", {"digest": digest}).status_code == 403
    assert team.sign_in(ARNO).post(f"{BREMEN}/terms/approve", {"digest": "0" * 64}).status_code == 409
    assert terms_of(team).days == 60
    assert team.sign_in(ARNO).post(f"{BREMEN}/terms/approve", {"digest": digest}).status_code == 303
    assert terms_of(team).days == 20
    assert team.sign_in(ARNO).post(f"{BREMEN}/terms/approve", {"digest": digest}).status_code == 409
    assert [event.actor for event in events(team, "customer_terms.approved")] == [f"{ARNO.email} (web)"]
    assert "wait for a second person" not in team.sign_in(ARNO).get(BREMEN).text


def test_a_proposal_does_not_fit_terms_that_changed_since_and_can_be_dropped(light_team: Team) -> None:
    save(light_team, days="60")
    require_approvals(light_team)
    save(light_team, days="20")
    page = light_team.sign_in(ARNO).get(BREMEN).text
    digest = page.partition('name="digest" value="')[2].partition('"')[0]
    with light_team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        customer = get_customer(session, publisher, "bremen")
        session.add(
            CustomerTerms(
                publisher_id=publisher.id,
                customer_id=customer.id,
                version=9,
                document={"days": 90},
                from_at=light_team.site.world.at,
            )
        )
    assert "can only be dropped" in light_team.sign_in(ARNO).get(BREMEN).text
    assert light_team.sign_in(ARNO).post(f"{BREMEN}/terms/approve", {"digest": digest}).status_code == 409
    assert light_team.sign_in(EDDA).post(f"{BREMEN}/terms/drop", {"digest": digest}).status_code == 303
    assert "wait for a second person" not in light_team.sign_in(ARNO).get(BREMEN).text
    assert terms_of(light_team).days == 90


def test_two_approvals_take_two_people(light_team: Team) -> None:
    save(light_team, days="60")
    require_approvals(light_team, 2)
    save(light_team, days="20")
    digest = light_team.sign_in(ARNO).get(BREMEN).text.partition('name="digest" value="')[2].partition('"')[0]
    for _ in range(2):
        assert light_team.sign_in(ARNO).post(f"{BREMEN}/terms/approve", {"digest": digest}).status_code == 303
        assert terms_of(light_team).days == 60
    light_team.sign_in(OLA).post(f"{BREMEN}/terms/approve", {"digest": digest})
    assert terms_of(light_team).days == 20


def test_the_end_of_a_contract_is_a_day_of_the_customers_zone(team: Team) -> None:
    answer = team.sign_in(EDDA).post(f"{CUSTOMERS}/hanoi/contract", {"contract_until": "2026-12-31"})
    assert answer.status_code == 303
    shown = words_of(team.sign_in(EDDA).get(f"{CUSTOMERS}/hanoi").text)
    assert "Runs, ends with 31 December 2026 Asia/Ho_Chi_Minh" in shown
    for wrong in ("", "2026-13-01", "soon"):
        assert team.sign_in(EDDA).post(f"{CUSTOMERS}/hanoi/contract", {"contract_until": wrong}).status_code == 400
    with team.site.world.reading() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "hanoi")
        assert customer.contract_until == date(2026, 12, 31)
