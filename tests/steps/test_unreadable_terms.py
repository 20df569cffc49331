"""A customer whose terms nobody can read holds its notice, and keeps no other customer or notice waiting (R21)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from registry.domain.effect import HoldReason
from registry.steps.customers import end_contract
from registry.steps.errors import FrozenTermsUnreadable, TermsUnreadable
from registry.steps.lookup import get_publisher
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import ITS_FIRST_INSTANT, LUEBECK, no_mailbox, pending_notice, reasons, state_and_date
from tests.steps.path_cast import add_forgotten, announce, at, decide, events, object_to, standing, statements
from tests.unreadable_terms import DAMAGED, NEWER, spoil_frozen_terms, spoil_terms
from tests.world import ANNA, BREMEN, World, antopsis, utc

UNREADABLE = ("bremen", HoldReason.TERMS_UNREADABLE)


def end_contract_of(world: World, key: str, on: date) -> None:
    with world.writing() as session:
        end_contract(session, world.at, get_publisher(session, "antopsis"), key, on, ANNA)


@pytest.mark.parametrize("document", [DAMAGED, NEWER, []])
def test_its_notice_is_held_and_is_free_once_the_terms_are_set_anew(
    world: World, mail_server: MailServer, document: Any
) -> None:
    number = pending_notice(world, BREMEN + LUEBECK)
    spoil_frozen_terms(world.wiring.engine, "bremen", document)
    assert reasons(world, number) == [UNREADABLE]
    assert object_to(world, number, "bremen")
    at(world, ITS_FIRST_INSTANT)
    assert state_and_date(world, number) == ("held", None)
    assert statements(world, number)[-1] == ("postponement", None)
    # What its terms would make of an objection nobody knows, so it holds.
    assert reasons(world, number) == [UNREADABLE, ("bremen", HoldReason.OBJECTION_OPEN)]
    add_forgotten(world, number, "bremen")
    known = standing(world, number, "bremen")
    assert known is not None
    assert (known.state, known.terms["days"], known.earliest_at) == ("received", 30, utc("2026-10-30 23:00"))
    assert reasons(world, number) == [("bremen", HoldReason.OBJECTION_OPEN)]


def test_whose_contract_ended_holds_until_a_person_says_that_it_does_not(world: World) -> None:
    number = pending_notice(world, BREMEN + LUEBECK)
    spoil_frozen_terms(world.wiring.engine, "luebeck")
    end_contract_of(world, "luebeck", date(2026, 10, 20))
    at(world, ITS_FIRST_INSTANT)
    assert reasons(world, number) == [("luebeck", HoldReason.TERMS_UNREADABLE)]
    decide(world, number, "luebeck", "exempt", "Contract ended.")
    at(world, utc("2026-11-01 23:00"))
    assert world.notice(number).state == "in_effect"


def test_service_is_refused_by_name_until_the_terms_are_set_anew(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world)
    spoil_frozen_terms(world.wiring.engine, "bremen")
    with pytest.raises(FrozenTermsUnreadable) as refused:
        decide(world, number, "bremen", "served", "By courier")
    assert refused.value.params == {"customer": "bremen", "publisher": "antopsis", "number": number}
    add_forgotten(world, number, "bremen")
    decide(world, number, "bremen", "served", "By courier")
    assert len(events(world, "customer.served")) == 1


def test_nothing_is_announced_while_nobody_can_say_how_long_a_customer_is_told_ahead(world: World) -> None:
    world.apply(antopsis(customers=BREMEN + LUEBECK))
    spoil_terms(world.wiring.engine, "luebeck")
    with pytest.raises(TermsUnreadable) as refused:
        announce(world)
    assert refused.value.params == {"customer": "luebeck", "publisher": "antopsis"}
    world.apply(antopsis(customers=BREMEN + LUEBECK))
    assert world.notice(announce(world)).effective_on == date(2026, 11, 1)
