"""Who keeps a notice from taking effect, what they are told of it, and how it ends (R13, R17, R21–R23)."""

from __future__ import annotations

from datetime import date

import pytest

from registry.domain.effect import HoldReason
from registry.steps.record_edit import EditFate
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import (
    FIRST_OF_NOVEMBER,
    ITS_FIRST_INSTANT,
    no_mailbox,
    pending_notice,
    reasons,
    served_while_held,
    state_and_date,
)
from tests.steps.path_cast import (
    TWO_PLACES,
    TWO_PLACES_AND_A_LINK,
    announce,
    at,
    decide,
    dump,
    edit,
    events,
    follow,
    object_to,
    resolve,
    statements,
    sweep,
)
from tests.world import BREMEN, World, antopsis, letters_to, text_of, utc


def test_a_clock_that_still_runs_holds_to_a_concrete_date_told_once(world: World, mail_server: MailServer) -> None:
    number = pending_notice(world, deliver=False)
    at(world, utc("2026-10-10 08:00"))
    at(world, ITS_FIRST_INSTANT)
    assert state_and_date(world, number) == ("held", date(2026, 11, 10))
    assert reasons(world, number) == [("bremen", HoldReason.CLOCK_RUNNING)]
    assert statements(world, number)[-1] == ("postponement", date(2026, 11, 10))
    (postponement,) = letters_to(mail_server, "dpo@bremen.example")[1:]
    assert "Tuesday, 10 November 2026 (2026-11-10, Europe/Berlin)" in " ".join(text_of(postponement).split())
    for instant in ("2026-10-31 23:01", "2026-11-05 08:00", "2026-11-09 22:59:59"):
        before = dump(world)
        at(world, utc(instant))
        assert dump(world) == before
    at(world, utc("2026-11-09 23:00"))
    assert world.notice(number).took_effect_at == utc("2026-11-09 23:00")
    assert [kind for kind, _ in statements(world, number)] == ["announcement", "postponement", "effect"]


def test_who_cannot_be_reached_holds_until_further_notice(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    follow(world_with_list(world), "fred@reader.example")
    number = announce(world)
    sweep(world)
    assert reasons(world, number) == [("bremen", HoldReason.NOT_RECEIVED)]
    at(world, ITS_FIRST_INSTANT)
    assert state_and_date(world, number) == ("held", None)
    assert statements(world, number)[-1] == ("postponement", None)
    assert "until further notice" in text_of(letters_to(mail_server, "fred@reader.example")[-1])
    at(world, utc("2027-03-01 08:00"))
    assert len(statements(world, number)) == 2


def world_with_list(world: World) -> World:
    world.apply(antopsis(customers=BREMEN))
    return world


def test_what_the_page_showed_on_each_day_of_a_hold_can_be_seen_later(world: World, mail_server: MailServer) -> None:
    number = served_while_held(world, mail_server)
    world.at = utc("2026-11-20 10:00")
    decide(world, number, "bremen", "exempt", "Agreed by letter of 20 November")
    sweep(world)
    at(world, utc("2026-11-20 23:00"))
    at(world, utc("2026-12-24 08:00"))
    shown = {day: state_and_date(world, number, date(2026, *day)) for day in [(10, 31), (11, 1), (11, 5), (11, 19)]}
    assert shown == {
        (10, 31): ("announced", FIRST_OF_NOVEMBER),
        (11, 1): ("held", None),
        (11, 5): ("held", date(2026, 12, 5)),
        (11, 19): ("held", date(2026, 12, 5)),
    }
    assert state_and_date(world, number, date(2026, 11, 20)) == ("announced", date(2026, 11, 21))
    assert state_and_date(world, number, date(2026, 11, 21)) == ("in_effect", date(2026, 11, 21))
    (past,) = world.public(date(2026, 11, 1)).notices
    assert [statement.kind for statement in past.statements] == ["announcement", "postponement"]
    assert past.took_effect_at is None
    assert len(world.public(date(2026, 9, 30)).notices) == 1


def test_an_objection_in_time_holds_until_it_is_closed_and_then_the_next_midnight_counts(world: World) -> None:
    number = pending_notice(world)
    world.at = utc("2026-10-15 10:00")
    assert object_to(world, number, "bremen")
    assert reasons(world, number) == [("bremen", HoldReason.OBJECTION_OPEN)]
    at(world, ITS_FIRST_INSTANT)
    assert state_and_date(world, number) == ("held", None)
    world.at = utc("2026-11-03 22:59")
    resolve(world, number, "bremen")
    sweep(world)
    assert state_and_date(world, number) == ("announced", date(2026, 11, 4))
    at(world, utc("2026-11-03 23:00"))
    assert world.notice(number).state == "in_effect"
    assert [kind for kind, _ in statements(world, number)] == ["announcement", "postponement", "effect"]
    (released,) = events(world, "notice.released")
    assert released.payload["effective_on"] == "2026-11-04"


def test_an_objection_closed_before_the_day_holds_nothing(world: World) -> None:
    number = pending_notice(world)
    object_to(world, number, "bremen")
    world.at = utc("2026-10-20 10:00")
    resolve(world, number, "bremen", "withdrawn")
    at(world, ITS_FIRST_INSTANT)
    assert world.notice(number).state == "in_effect"


@pytest.mark.parametrize("why", ["late", "record"])
def test_a_late_objection_and_one_that_terms_only_record_hold_nothing(world: World, why: str) -> None:
    customers = BREMEN.replace("time_zone", "notice: {objection: record}\n    time_zone") if why == "record" else BREMEN
    number = pending_notice(world, customers)
    world.at = utc("2026-10-30 23:00" if why == "late" else "2026-10-15 08:00")
    assert object_to(world, number, "bremen") == (why == "record")
    assert reasons(world, number) == []
    at(world, ITS_FIRST_INSTANT)
    assert world.notice(number).state == "in_effect"


def test_a_further_postponement_is_sent_only_when_the_date_told_moves_later(
    world: World, mail_server: MailServer
) -> None:
    number = pending_notice(world, deliver=False)
    at(world, utc("2026-10-10 08:00"))
    at(world, ITS_FIRST_INSTANT)
    object_to(world, number, "bremen")
    at(world, utc("2026-11-05 08:00"))
    # The date told stands until it comes.
    assert state_and_date(world, number) == ("held", date(2026, 11, 10))
    assert reasons(world, number) == [("bremen", HoldReason.CLOCK_RUNNING), ("bremen", HoldReason.OBJECTION_OPEN)]
    at(world, utc("2026-11-09 23:00"))
    assert state_and_date(world, number) == ("held", None)
    at(world, utc("2026-11-12 23:00"))
    dates = [on for kind, on in statements(world, number) if kind == "postponement"]
    assert dates == [date(2026, 11, 10), None]
    last = " ".join(text_of(letters_to(mail_server, "dpo@bremen.example")[-1]).split())
    assert "10 November 2026" in last
    assert "1 November 2026" not in last.replace("10 November 2026", "")


def test_a_date_that_was_never_told_comes_and_goes_with_its_reasons(world: World, mail_server: MailServer) -> None:
    number = served_while_held(world, mail_server)
    assert state_and_date(world, number) == ("held", date(2026, 12, 5))
    object_to(world, number, "bremen")
    at(world, utc("2026-11-06 10:00"))
    assert state_and_date(world, number) == ("held", None)
    resolve(world, number, "bremen")
    at(world, utc("2026-11-07 10:00"))
    assert state_and_date(world, number) == ("held", date(2026, 12, 5))
    assert [kind for kind, _ in statements(world, number)] == ["announcement", "postponement"]
    assert len(events(world, "notice.redated")) == 3


def test_effect_never_comes_before_the_date_told_last(world: World) -> None:
    number = pending_notice(world, deliver=False)
    at(world, utc("2026-10-10 08:00"))
    at(world, ITS_FIRST_INSTANT)
    decide(world, number, "bremen", "exempt", "Agreed by letter")
    at(world, utc("2026-11-01 08:00"))
    assert state_and_date(world, number) == ("announced", date(2026, 11, 10))
    at(world, utc("2026-11-09 22:59"))
    assert world.notice(number).state == "announced"
    at(world, utc("2026-11-09 23:00"))
    assert world.notice(number).took_effect_at == utc("2026-11-09 23:00")


def test_an_objection_after_the_release_holds_again_and_is_told_again(world: World) -> None:
    number = pending_notice(world, deliver=False)
    at(world, utc("2026-10-10 08:00"))
    at(world, ITS_FIRST_INSTANT)
    decide(world, number, "bremen", "served", "By hand", utc("2026-10-01 08:00"))
    sweep(world)
    assert world.notice(number).state == "announced"
    assert object_to(world, number, "bremen", utc("2026-10-20 08:00"))
    at(world, utc("2026-11-09 23:00"))
    assert state_and_date(world, number) == ("held", None)
    assert [kind for kind, _ in statements(world, number)] == ["announcement", "postponement", "postponement"]


def test_an_outage_over_the_day_of_a_held_notice_makes_it_late(world: World) -> None:
    number = pending_notice(world, deliver=False)
    at(world, utc("2026-10-10 08:00"))
    at(world, ITS_FIRST_INSTANT)
    at(world, utc("2026-11-12 15:00"))
    notice = world.notice(number)
    assert (notice.state, notice.took_effect_at) == ("in_effect", utc("2026-11-12 15:00"))
    assert state_and_date(world, number, date(2026, 11, 11)) == ("held", date(2026, 11, 10))


def test_followers_never_hold(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=""))
    follow(world, "gone@reader.example")
    mail_server.script("gone@reader.example", 550, "5.1.1 No such user here")
    number = announce(world)
    sweep(world)
    assert [each.state for each in world.status(number).deliveries] == ["failed"]
    at(world, utc("2026-10-30 23:00"))
    assert world.notice(number).state == "in_effect"


def test_what_only_informs_is_held_by_nobody(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    world.apply(antopsis(customers=BREMEN))
    edit(world, None, "stripe")
    number = world.draft(effective_on=date(2026, 10, 20))
    world.publish(number)
    sweep(world)
    assert reasons(world, number) == []
    at(world, utc("2026-10-19 22:00"))
    assert world.notice(number).state == "in_effect"


def test_an_editorial_correction_goes_on_while_a_notice_is_held(world: World) -> None:
    number = pending_notice(world)
    object_to(world, number, "bremen")
    at(world, ITS_FIRST_INSTANT)
    assert edit(world, TWO_PLACES_AND_A_LINK).fate is EditFate.IN_EFFECT
    assert edit(world, TWO_PLACES).fate is EditFate.IN_EFFECT
    assert world.notice(number).state == "held"


def test_each_hold_and_its_end_stand_in_the_record_by_customer(world: World) -> None:
    number = pending_notice(world)
    object_to(world, number, "bremen")
    at(world, ITS_FIRST_INSTANT)
    (held,) = events(world, "notice.held")
    assert (held.subject, held.payload) == (
        number,
        {"holds": [["bremen", "objection_open"]], "effective_on": None},
    )
