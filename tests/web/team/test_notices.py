"""The list of notices and the page of one: what they say, to whom, and in how many queries."""

from __future__ import annotations

import re

import pytest

from registry.queries.notice_holds import count_holding
from registry.queries.notice_page import list_authors, load_customers
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.record import Actor
from registry.steps.revise_draft import find_authors
from registry.steps.take_effect import find_holds
from registry.tables import Customer, NoticeCustomer
from tests.steps.path_cast import (
    HETZNER,
    STRIPE,
    TWO_PLACES,
    add_customer,
    add_forgotten,
    decide,
    edit,
    object_to,
    resolve,
)
from tests.unreadable_terms import NEWER, spoil_frozen_terms
from tests.web.colleagues import ARNO, EDDA, VERA, ZOE, Team
from tests.web.site import links_of, quick_tick, words_of
from tests.web.team.counting import queries
from tests.web.team.notice_cast import (
    BY_EDDA,
    NOTICES,
    do,
    draft,
    edit_places,
    edit_purposes,
    published,
    require_approvals,
    said,
)
from tests.world import BREMEN, HANOI, World, antopsis, utc

OSLO_AND_PORTO = """  - key: oslo
    name: Oslo Hospital
    time_zone: Europe/Oslo
    notice: {authorisation: specific}
    contacts: [dpo@oslo.example]
  - key: porto
    name: Porto Media
    time_zone: Europe/Lisbon
    notice: {objection: record}
    contacts: [dpo@porto.example]
"""


def test_before_the_first_notice_the_list_says_how_one_comes_to_be(light_team: Team) -> None:
    page = light_team.sign_in(EDDA).get(f"{NOTICES}/")
    assert "It begins with an edit" in words_of(page.text)
    assert "/team/antopsis/entries/" in links_of(page.text)


def test_the_list_says_where_each_notice_stands_and_how_far_its_letters_are(team: Team) -> None:
    first = published(team)
    quick_tick(team.site.world)
    edit_purposes(team)
    second = draft(team.sign_in(EDDA), changes=["stripe"])
    page = words_of(team.sign_in(VERA).get(f"{NOTICES}/").text)
    assert page.index(second) < page.index(first)
    assert "2 written to the outbox, not sent" in page
    assert "still waits for 2 customers" in page, "what goes to the outbox proves no receipt"
    assert "not yet" in page


def test_the_list_is_filtered_by_state_and_paged(light_team: Team) -> None:
    number = published(light_team)
    vera = light_team.sign_in(VERA)
    assert number in vera.get(f"{NOTICES}/?state=pending").text
    for state in ("open", "held", "in_effect", "withdrawn"):
        assert "No notice is in this state" in vera.get(f"{NOTICES}/?state={state}").text
    assert number in vera.get(f"{NOTICES}/?state=nonsense").text
    assert number not in words_of(vera.get(f"{NOTICES}/?page=2").text)


def test_the_page_says_what_changes_who_waits_and_what_comes_next(team: Team) -> None:
    number = published(team)
    page = team.sign_in(VERA).get(f"{NOTICES}/{number}").text
    said = words_of(page)
    for words in (
        "It takes effect by itself on its day, unless a customer holds it.",
        "Helsinki, Finland (processing)",
        "2 customers would hold it on its day as things stand",
        "nothing proves that it received the notice",
        "1. Announcement",
        "edda@antopsis.example",
    ):
        assert words in said
    assert page.count('aria-current="step"') == 1
    assert "/antopsis/notices/2026-001" in links_of(page)


def test_a_held_notice_names_who_holds_it_and_why(team: Team) -> None:
    world = team.site.world
    number = published(team)
    quick_tick(world)
    decide(world, number, "hanoi", "exempt", "Contract ended.")
    object_to(world, number, "bremen")
    world.at = utc("2026-11-16 08:00")
    quick_tick(world)
    assert world.notice(number).state == "held"
    vera = team.sign_in(VERA)
    page = words_of(vera.get(f"{NOTICES}/{number}").text)
    assert "On hold" in page
    assert "1 customer holds it now" in page
    assert "Holds it: its objection is open" in page
    assert "Exempt (Contract ended.)" in page
    assert page.index("Bremen Media") < page.index("Hanoi Streams")
    assert "held by 1 customer" in words_of(vera.get(f"{NOTICES}/?state=held").text)


def test_whom_a_draft_would_reach_is_told_before_it_goes(light_team: Team) -> None:
    edit_places(light_team)
    edda = light_team.sign_in(EDDA)
    number = draft(edda)
    path = f"{NOTICES}/{number}/audience"
    assert f'hx-get="{path}"' in edda.get(f"{NOTICES}/{number}").text
    piece = edda.get(path, headers={"HX-Request": "true"})
    assert "2 letters go out" in words_of(piece.text)
    assert "<html" not in piece.text
    assert "Hanoi Streams Co. has 45 days of notice" in words_of(edda.get(path).text)


def test_another_publishers_notice_is_not_there(two_teams: Team) -> None:
    number = published(two_teams)
    zoe = two_teams.sign_in(ZOE)
    for act in ("", "/edit", "/submit", "/approve", "/publish", "/withdraw", "/postpone", "/correct", "/discard"):
        assert zoe.get(f"/team/streams/notices/{number}{act}").status_code == 404, act
        assert zoe.get(f"/team/antopsis/notices/{number}{act}").status_code == 404, act
    for act in ("/edit", "/submit", "/publish", "/withdraw", "/postpone", "/correct", "/pin", "/discard"):
        answer = zoe.post(f"/team/streams/notices/{number}{act}", {"understood": "1", "reason": "x"})
        assert answer.status_code == 404, act
    assert number not in zoe.get("/team/streams/notices/").text
    assert two_teams.site.world.notice(number).state == "announced"


def add_customers(team: Team, number: str, count: int) -> None:
    """Put customers into a notice as the announcement would, without letters."""
    with team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        terms = session.query(NoticeCustomer).filter_by(notice_id=notice.id).first()
        assert terms is not None
        rows = [
            Customer(publisher_id=publisher.id, key=f"c{n}", name=f"Company {n:04}", created_at=team.site.world.at)
            for n in range(count)
        ]
        session.add_all(rows)
        session.flush()
        session.add_all(
            NoticeCustomer(
                notice_id=notice.id,
                customer_id=row.id,
                publisher_id=publisher.id,
                terms=terms.terms,
                state="waiting",
            )
            for row in rows
        )


def test_no_screen_asks_more_than_ten_questions_however_many_customers_and_notices(team: Team) -> None:
    number = published(team)
    quick_tick(team.site.world)
    add_customers(team, number, 500)
    edit_purposes(team)
    require_approvals(team)
    edda, arno = team.sign_in(EDDA), team.sign_in(ARNO)
    waiting = draft(edda, changes=["stripe"])
    do(edda, waiting, "submit")
    engine = team.site.app.extensions["registry"].engine
    for path in ("/", f"/{number}", f"/{number}?page=3", f"/{waiting}", f"/{waiting}/audience"):
        with queries(engine) as sent:
            page = arno.get(f"{NOTICES}{path}")
        assert page.status_code == 200
        assert len(sent) <= 10, (path, len(sent), *sent)
    last = words_of(arno.get(f"{NOTICES}/{number}?page=26").text)
    assert "Hanoi Streams" in last, "of 502 customers the 2 whose names come last stand on the last page"


def test_the_database_finds_the_same_holds_as_the_rule(team: Team) -> None:
    world = team.site.world
    world.apply(antopsis(customers=HANOI + BREMEN + OSLO_AND_PORTO))
    number = published(team)
    quick_tick(world)
    agree(world, number, {"bremen", "hanoi", "oslo", "porto"})
    for key in ("bremen", "oslo", "porto"):
        decide(world, number, key, "served", "By courier.")
    agree(world, number, {"hanoi", "oslo"})
    spoil_frozen_terms(world.wiring.engine, "porto", NEWER)
    agree(world, number, {"hanoi", "oslo", "porto"})
    add_forgotten(world, number, "porto")
    agree(world, number, {"hanoi", "oslo"})
    for key in ("bremen", "porto"):
        object_to(world, number, key)
    agree(world, number, {"bremen", "hanoi", "oslo"})
    decide(world, number, "hanoi", "exempt", "Contract ended.")
    world.at = utc("2026-11-20 08:00")
    quick_tick(world)
    assert world.notice(number).state == "held"
    agree(world, number, {"bremen", "oslo"})
    decide(world, number, "oslo", "approved", "Their letter.")
    resolve(world, number, "bremen")
    agree(world, number, set())


def agree(world: World, number: str, holding: set[str]) -> None:
    """Compare who holds a notice by the query with who holds it by the rule, as things stand."""
    with world.reading() as session:
        notice = get_notice(session, get_publisher(session, "antopsis"), number)
        by_rule = [(hold.customer_key, hold.reason) for hold in find_holds(session, world.at, notice)]
        shown = load_customers(session, world.at, notice, offset=0, limit=100)
        assert {key for key, _ in by_rule} == holding
        assert sorted((hold.customer_key, hold.reason) for row in shown.rows for hold in row.holds) == sorted(by_rule)
        assert shown.holding == len(holding) == count_holding(session, world.at, [notice.id]).get(notice.id, 0)
        assert shown.total == sum(shown.by_state.values()) == 4


def test_the_authors_are_found_in_one_query_as_the_step_finds_them(team: Team) -> None:
    world = team.site.world
    for name, content in (("carla", HETZNER | {"retention": "30 days"}), ("dora", TWO_PLACES), ("edda", HETZNER)):
        edit(world, content, actor=Actor(f"{name}@antopsis.example", "web"))
    edit(world, TWO_PLACES, actor=BY_EDDA)
    edit(world, STRIPE | {"retention": "A year"}, "stripe", actor=Actor("felix@antopsis.example", "web"))
    number = draft(team.sign_in(ARNO), changes=["hetzner-falkenstein", "stripe"])
    with world.reading() as session:
        notice = get_notice(session, get_publisher(session, "antopsis"), number)
        found = list_authors(session, notice)
        assert found == find_authors(session, notice)
        assert {"arno@antopsis.example", "felix@antopsis.example", "carla@antopsis.example"} <= found


def test_the_public_page_knows_nothing_of_a_draft(light_team: Team) -> None:
    edit_places(light_team)
    number = draft(light_team.sign_in(EDDA))
    assert light_team.site.get(f"/antopsis/notices/{number}").status_code == 404
    assert not re.search(number, light_team.site.get("/antopsis/").text)


def test_a_notice_that_took_effect_late_says_when_and_not_the_day_told(team: Team) -> None:
    world = team.site.world
    number = published(team)
    for key in ("hanoi", "bremen"):
        decide(world, number, key, "exempt", "Waiver.")
    world.at = utc("2026-12-20 10:00")
    quick_tick(world)
    vera = team.sign_in(VERA)
    page = words_of(vera.get(f"{NOTICES}/{number}").text)
    assert "In effect since 20 December 2026, 11:00 Europe/Berlin (told last: 16 November 2026)" in page
    assert "Effective Monday, 16 November" not in page
    row = words_of(vera.get(f"{NOTICES}/").text)
    assert "20 December 2026" in row
    assert "16 November 2026" not in row


def test_a_withdrawn_notice_is_never_said_to_take_effect(light_team: Team) -> None:
    number = published(light_team)
    arno = light_team.sign_in(ARNO)
    assert do(arno, number, "withdraw", reason="We stay where we are.").status_code == 303
    page = words_of(arno.get(f"{NOTICES}/{number}").text)
    assert "Effective never: it was withdrawn (first told: 16 November 2026)" in page


def test_no_customer_is_said_to_hold_an_emergency(light_team: Team) -> None:
    edit_places(light_team)
    reason = {"emergency": "1", "emergency_reason": "The host failed."}
    number = draft(light_team.sign_in(EDDA), effective_on="2026-10-02", **reason)
    arno = light_team.sign_in(ARNO)
    do(arno, number, "publish", understood="1")
    page = words_of(arno.get(f"{NOTICES}/{number}").text)
    assert "It is an emergency, so no customer can hold it." in page
    assert "unless a customer holds it" not in page


def test_a_date_that_became_too_early_is_said_before_it_is_refused(light_team: Team) -> None:
    edit_places(light_team)
    number = draft(light_team.sign_in(EDDA))
    arno = light_team.sign_in(ARNO)
    assert "Publish it</button>" in arno.get(f"{NOTICES}/{number}/publish").text
    assert "cannot be published" not in arno.get(f"{NOTICES}/{number}").text
    light_team.site.world.at = utc("2026-10-03 10:00")
    page = arno.get(f"{NOTICES}/{number}/publish").text
    assert "It cannot be published with this date. 16 November 2026 is too early by now." in words_of(page)
    assert "Publish it</button>" not in page
    assert "approvals anew" not in page, "none is required"
    light_team.site.world.at = utc("2026-11-20 10:00")
    assert "16 November 2026 is over when it is announced." in words_of(arno.get(f"{NOTICES}/{number}/publish").text)


@pytest.mark.parametrize("approvals", [0, 1])
def test_a_date_that_became_too_early_is_said_from_the_draft_on(light_team: Team, approvals: int) -> None:
    require_approvals(light_team, approvals)
    edit_places(light_team)
    edda = light_team.sign_in(EDDA)
    number = draft(edda)
    light_team.site.world.at = utc("2026-10-03 10:00")
    too_early = (
        "It cannot be published with this date. Monday, 16 November 2026 (2026-11-16), Europe/Berlin is too early for "
        "Hanoi Streams Co. (hanoi): its 45 days of notice, counted in Asia/Ho_Chi_Minh, will not be over. The first "
        "date that would do is Thursday, 19 November 2026 (2026-11-19), Europe/Berlin. Give it another date"
    )
    anew = ", which asks for its approvals anew." if approvals else " ."
    for path in (f"{NOTICES}/{number}", f"{NOTICES}/{number}/submit"):
        assert f"{too_early} {anew.strip()}" in words_of(edda.get(path).text), path
    shown = words_of(said(edda, do(edda, number, "submit")))
    assert "It cannot be published with its date: give it another one first." in shown
    assert "An editor gives it another date" in shown
    assert too_early in shown
    assert "approver publishes it" not in shown
    assert f'{NOTICES}/{number}/publish"' not in light_team.sign_in(ARNO).get(f"{NOTICES}/{number}").text
    assert "can give" not in shown
    vera = words_of(light_team.sign_in(VERA).get(f"{NOTICES}/{number}").text)
    assert "An editor gives it another date." in vera
    assert "Give it another date" not in vera


def test_a_clock_is_told_by_its_last_day_and_in_the_days_it_counts(light_team: Team) -> None:
    world = light_team.site.world
    terms = {"counting": "business", "days": 20, "objection_days": 10, "holidays": "DE"}
    add_customer(world, key="bremen", name="Bremen Media GmbH", time_zone="Europe/Berlin", notice=terms)
    number = published(light_team)
    decide(world, number, "bremen", "served", "courier")
    vera = light_team.sign_in(VERA)
    page = words_of(vera.get(f"{NOTICES}/{number}").text)
    assert "Bremen Media GmbH 20 working days" in page
    # Neither weekends nor the holidays of 3 October, a Saturday, and 31 October: the 20th working day is the 28th.
    assert "end of 28 October 2026 Europe/Berlin end of 14 October 2026 Europe/Berlin" in page
    standing = words_of(vera.get(f"{NOTICES}/{number}/customers/bremen").text)
    assert "20 working days of notice; runs, with the time to object, until the end of 28 October 2026" in standing
    assert "end of 28 October 2026" in words_of(vera.get("/team/antopsis/customers/bremen").text)


def test_what_was_set_aside_is_offered_no_second_time(light_team: Team) -> None:
    number = published(light_team)
    decide(light_team.site.world, number, "bremen", "exempt", "Waiver.")
    page = light_team.sign_in(ARNO).get(f"{NOTICES}/{number}/override/bremen")
    assert "Nothing is left to set aside" in words_of(page.text)
    assert "Ask for it" not in page.text
