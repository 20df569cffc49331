"""Which date a draft gets, which it is refused, and how it gets another one (R8, R10, R11, R19, R24)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from registry.domain.errors import IllegalTransition, InvalidInput
from registry.domain.notices import NoticePeriodTooShort
from registry.steps.errors import DateInThePast, ReasonMissing
from registry.tables import Notice
from tests.steps.holding_cast import change
from tests.steps.path_cast import (
    BREMEN_FACTS,
    TWO_PLACES,
    add_customer,
    announce,
    approve,
    at,
    edit,
    events,
    file_of,
    revise,
    standing,
)
from tests.world import BREMEN, HANOI, World, antopsis, utc

STRIPE_LINE = "{key: stripe, name: Stripe, purposes: [Payments]}"
HETZNER_LINE = "{key: hetzner-falkenstein, name: Hetzner, purposes: [Hosting]}"


def test_without_customers_the_publishers_own_terms_count_from_the_announcement(world: World) -> None:
    world.apply(antopsis(customers=""))
    edit(world, TWO_PLACES)
    assert world.notice(world.draft()).effective_at == utc("2026-10-30 23:00")


def test_one_short_contract_never_shortens_everyones_notice(world: World) -> None:
    short = BREMEN.replace("time_zone", "notice: {days: 5, objection_days: 5}\n    time_zone")
    world.apply(antopsis(customers=short))
    edit(world, TWO_PLACES)
    with pytest.raises(NoticePeriodTooShort) as refusal:
        world.draft(effective_on=date(2026, 10, 30))
    assert refusal.value.params["customer"] is None
    assert refusal.value.params["first_on"] == date(2026, 10, 31)
    assert world.notice(world.draft()).planned_on == date(2026, 10, 31)


def test_a_customer_is_planned_to_receive_it_a_day_later_so_that_one_retry_holds_nothing(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    edit(world, TWO_PLACES)
    number = world.draft()
    assert world.notice(number).planned_on == date(2026, 11, 1)
    world.publish(number)
    at(world, utc("2026-10-01 20:00"))
    at(world, utc("2026-10-31 23:00"))
    assert world.notice(number).state == "in_effect"


def test_a_date_too_early_names_the_customer_whose_period_is_longest(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    with pytest.raises(NoticePeriodTooShort) as refusal:
        world.draft(effective_on=date(2026, 11, 15))
    params = refusal.value.params
    assert (params["customer_key"], params["rule"], params["days"]) == ("hanoi", "notice", 45)
    assert (params["zone"], params["first_on"]) == ("Asia/Ho_Chi_Minh", date(2026, 11, 16))
    number = world.draft(effective_on=date(2026, 11, 16))
    assert (number, world.notice(number).effective_at) == ("2026-001", utc("2026-11-15 23:00"))


def test_customers_whose_contract_does_not_run_have_no_say_in_the_date(world: World) -> None:
    world.apply(antopsis(customers=HANOI + "    contract_until: 2026-09-29\n"))
    edit(world, TWO_PLACES)
    assert world.notice(world.draft()).planned_on == date(2026, 10, 31)


def test_the_last_day_of_a_contract_is_one_of_the_customers_own_zone(world: World) -> None:
    # 29 September is over in Viet Nam at 17:30 UTC of that day, and a contract that ends on the 30th runs.
    world.at = utc("2026-09-29 17:30")
    world.apply(antopsis(customers=HANOI + "    contract_until: 2026-09-30\n"))
    edit(world, TWO_PLACES)
    number = world.draft()
    assert world.notice(number).planned_on == date(2026, 11, 16)
    world.at = utc("2026-09-30 17:00")
    revise(world, number, effective_on=date(2026, 10, 31))
    assert world.notice(number).planned_on == date(2026, 10, 31)


def test_a_draft_published_a_day_late_is_refused_with_the_first_date_that_would_do(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    world.at = utc("2026-10-01 08:00")
    with pytest.raises(NoticePeriodTooShort) as refusal:
        world.publish(number)
    assert refusal.value.params["requested_on"] == date(2026, 11, 16)
    assert refusal.value.params["first_on"] == date(2026, 11, 17)
    assert world.notice(number).state == "draft"
    revise(world, number)
    assert world.notice(number).planned_on == date(2026, 11, 17)
    world.publish(number)
    assert world.notice(number).effective_at == utc("2026-11-16 23:00")


def test_a_revised_draft_keeps_its_date_while_it_is_lawful(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft(effective_on=date(2027, 1, 15))
    revise(world, number, summary="Helsinki joins Falkenstein")
    notice = world.notice(number)
    assert (notice.planned_on, notice.summary) == (date(2027, 1, 15), "Helsinki joins Falkenstein")
    revise(world, number, summary="")
    assert "Hetzner" in world.notice(number).summary
    with pytest.raises(NoticePeriodTooShort):
        revise(world, number, effective_on=date(2026, 11, 15))
    assert world.notice(number).planned_on == date(2027, 1, 15)


def test_a_later_announcement_moves_the_date_and_none_brings_it_back_to_publication(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    revise(world, number, announce_at=utc("2026-12-01 08:00"))
    assert world.notice(number).planned_on == date(2027, 1, 17)
    revise(world, number, announce_at=None, effective_on=date(2026, 11, 16))
    notice = world.notice(number)
    assert (notice.announce_at, notice.planned_on) == (None, date(2026, 11, 16))


def test_a_revision_that_changes_nothing_voids_nothing(world: World) -> None:
    world.apply(antopsis(approvals=1))
    edit(world, TWO_PLACES)
    number = world.draft()
    approve(world, number)
    revise(world, number, effective_on=date(2026, 11, 16))
    assert world.notice(number).state == "approved"
    assert events(world, "notice.revised") == []


def test_publishing_for_later_is_refused_as_well_where_the_date_would_be_too_early(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    edit(world, TWO_PLACES)
    number = world.draft(announce_at=utc("2026-10-05 08:00"))
    add_customer(world, **(BREMEN_FACTS | {"notice": {"days": 60}}))
    with pytest.raises(NoticePeriodTooShort) as refusal:
        world.publish(number)
    assert refusal.value.params["first_on"] == date(2026, 12, 6)
    assert world.notice(number).state == "draft"


def test_a_published_notice_is_not_revised(world: World) -> None:
    world.apply(antopsis())
    number = announce(world, announce_at=utc("2026-10-05 08:00"))
    with pytest.raises(IllegalTransition):
        revise(world, number, effective_on=date(2027, 1, 15))
    assert world.notice(number).planned_on == date(2026, 11, 21)


def test_nothing_is_dated_back(world: World) -> None:
    world.apply(antopsis(customers=""))
    edit(world, None, "stripe")
    with pytest.raises(DateInThePast) as refusal:
        world.draft(effective_on=date(2026, 9, 29))
    assert refusal.value.params == {"requested_on": date(2026, 9, 29), "today": date(2026, 9, 30)}
    number = world.draft()
    world.at = utc("2026-09-30 22:00")
    with pytest.raises(DateInThePast):
        world.publish(number)
    revise(world, number)
    world.publish(number)
    assert world.notice(number).effective_on == date(2026, 10, 1)


def test_an_announcement_time_of_another_zone_is_the_same_instant_after_it_was_stored(world: World) -> None:
    world.apply(antopsis(approvals=1))
    edit(world, TWO_PLACES)
    number = world.draft(announce_at=datetime(2026, 10, 5, 9, 0, tzinfo=timezone(timedelta(hours=7))))
    approve(world, number)
    world.publish(number)
    assert world.notice(number).announce_at == utc("2026-10-05 02:00")
    assert world.status(number).approved_by == ("boris@antopsis.example",)


def test_an_emergency_needs_a_reason(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    for reason in ("", "  "):
        with pytest.raises(ReasonMissing):
            world.draft(emergency_reason=reason)
    number = world.draft()
    with pytest.raises(ReasonMissing):
        revise(world, number, emergency_reason=" ")
    revise(world, number, effective_on=date(2026, 10, 1), emergency_reason="The host was breached.")
    assert world.notice(number).planned_on == date(2026, 10, 1)


def test_words_that_would_break_a_letter_are_refused(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    with pytest.raises(InvalidInput) as refusal:
        world.draft(summary="Helsinki\x07")
    assert [problem.field for problem in refusal.value.problems] == ["summary"]
    number = world.draft()
    with pytest.raises(InvalidInput):
        revise(world, number, summary="\u202eHelsinki")


def test_new_terms_bind_later_notices_only_and_a_draft_is_one_of_them(world: World) -> None:
    world.apply(file_of([STRIPE_LINE, HETZNER_LINE]))
    add_customer(world, **BREMEN_FACTS)
    wanted = [STRIPE_LINE.replace("}", ", retention: 1 year}"), HETZNER_LINE.replace("}", ", retention: 1 year}")]
    world.apply(file_of(wanted))
    first = world.draft(entry_keys=("stripe",))
    world.publish(first)
    second = world.draft()
    world.apply(file_of(wanted, notice="{days: 60, objection_days: 60}"))
    assert world.notice(first).terms["days"] == days_of(world, first) == 30
    with pytest.raises(NoticePeriodTooShort) as refusal:
        world.publish(second)
    assert refusal.value.params["first_on"] == date(2026, 12, 1)
    revise(world, second)
    world.publish(second)
    assert world.notice(second).terms["days"] == days_of(world, second) == 60


def days_of(world: World, number: str) -> int:
    known = standing(world, number, "bremen")
    assert known is not None
    days = known.terms["days"]
    assert isinstance(days, int)
    return days


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("effective_on", date.max),
        ("effective_on", date(2126, 10, 2)),
        ("announce_at", datetime.max.replace(tzinfo=UTC)),
        ("announce_at", utc("9999-12-01 00:00")),
    ],
)
def test_what_is_dated_too_far_ahead_is_refused_with_the_latest_day(
    world: World, field: str, given: date | datetime
) -> None:
    world.apply(antopsis(customers=BREMEN))
    edit(world, TWO_PLACES)
    options: dict[str, Any] = {field: given}
    with pytest.raises(InvalidInput) as refusal:
        world.draft(**options)
    (problem,) = refusal.value.problems
    assert (problem.field, problem.value, problem.code) == (field, given.isoformat(), "too-far-ahead")
    assert problem.params["latest_on"] == date(2126, 10, 1)
    number = world.draft()
    with pytest.raises(InvalidInput):
        revise(world, number, **options)
    assert world.notice(number).planned_on == date(2026, 11, 1)
    revise(world, number, effective_on=date(2126, 10, 1))
    change(world, Notice, planned_on=date.max)
    with pytest.raises(InvalidInput):
        world.publish(number)
    assert world.notice(number).state == "draft"


def test_the_latest_day_of_an_announcement_is_lawful_for_its_date(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    edit(world, TWO_PLACES)
    number = world.draft(announce_at=utc("2126-10-01 21:59"))
    assert world.notice(number).planned_on == date(2126, 11, 2)
