"""Customers of a notice: who counts as reached, came later, was forgotten or dropped out (R13, R17, R21, R23)."""

from __future__ import annotations

from datetime import date

import pytest

from registry.domain.effect import HoldReason
from registry.domain.errors import IllegalTransition, InvalidInput
from registry.steps.errors import ContractNotRunning, ReasonMissing, UnknownCustomer
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import (
    ITS_FIRST_INSTANT,
    no_mailbox,
    pending_notice,
    reasons,
    served_while_held,
    state_and_date,
)
from tests.steps.path_cast import (
    BREMEN_FACTS,
    add_customer,
    add_forgotten,
    announce,
    at,
    decide,
    events,
    object_to,
    standing,
    statements,
    sweep,
    withdraw,
)
from tests.world import BREMEN, World, antopsis, letters_to, utc


def test_service_by_other_means_starts_the_clock_and_the_first_free_midnight_is_the_day(
    world: World, mail_server: MailServer
) -> None:
    number = served_while_held(world, mail_server)
    # Held still, and nobody is told again: the page alone shows the day that is known now.
    assert state_and_date(world, number) == ("held", date(2026, 12, 5))
    assert reasons(world, number) == [("bremen", HoldReason.CLOCK_RUNNING)]
    assert len(statements(world, number)) == 2
    at(world, utc("2026-12-04 22:59:59"))
    assert world.notice(number).state == "held"
    # A sweep that comes a minute late does not cost another day.
    at(world, utc("2026-12-04 23:01"))
    notice = world.notice(number)
    assert (notice.state, notice.effective_on) == ("in_effect", date(2026, 12, 5))
    known = standing(world, number, "bremen")
    assert known is not None
    assert (known.state, known.basis) == ("served", "Post RR 123 DE")
    # How each one stood when it took effect stays as it was.
    with pytest.raises(IllegalTransition):
        decide(world, number, "bremen", "served", "Post RR 456 DE")


def test_service_needs_its_document_and_cannot_come_before_the_statement_that_was_served(world: World) -> None:
    number = pending_notice(world)
    with pytest.raises(ReasonMissing):
        decide(world, number, "bremen", "served", "  ")
    with pytest.raises(InvalidInput) as refused:
        decide(world, number, "bremen", "served", "By hand", utc("2026-09-30 07:59"))
    assert refused.value.problems[0].code == "served-before-told"


def test_service_after_a_letter_was_received_does_not_start_the_clock_again(world: World) -> None:
    number = pending_notice(world)
    world.at = utc("2026-10-20 08:00")
    decide(world, number, "bremen", "served", "Courier 77")
    known = standing(world, number, "bremen")
    assert known is not None
    assert (known.state, known.received_at) == ("received", utc("2026-09-30 08:00"))
    assert known.basis == "Courier 77"
    at(world, ITS_FIRST_INSTANT)
    assert world.notice(number).state == "in_effect"


def test_specific_authorisation_waits_for_the_customers_own_approval(world: World) -> None:
    customers = BREMEN.replace("time_zone", "notice: {authorisation: specific}\n    time_zone")
    number = pending_notice(world, customers)
    at(world, ITS_FIRST_INSTANT)
    assert reasons(world, number) == [("bremen", HoldReason.APPROVAL_MISSING)]
    assert state_and_date(world, number) == ("held", None)
    world.at = utc("2026-11-08 12:00")
    decide(world, number, "bremen", "approved", "E-mail of 8 November")
    sweep(world)
    at(world, utc("2026-11-08 23:00"))
    assert world.notice(number).state == "in_effect"


def test_exemption_is_neither_receipt_nor_consent_and_keeps_its_basis(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world)
    with pytest.raises(ReasonMissing):
        decide(world, number, "bremen", "exempt", " ")
    decide(world, number, "bremen", "exempt", "Contract ends, letter of 3 October")
    world.at = utc("2026-10-20 09:00")
    decide(world, number, "bremen", "served", "Post RR 123 DE", utc("2026-10-20 08:00"))
    known = standing(world, number, "bremen")
    assert known is not None
    assert (known.state, known.approved_at) == ("exempt", None)
    assert known.basis == "Contract ends, letter of 3 October; Post RR 123 DE"
    at(world, ITS_FIRST_INSTANT)
    assert world.notice(number).state == "in_effect"


def test_receipt_is_deemed_only_by_a_clause_and_is_called_deemed(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    clause = "notice: {undeliverable: {deemed_after_days: 10, clause: DPA § 4.2}}\n    time_zone"
    number = pending_notice(world, BREMEN.replace("time_zone", clause))
    at(world, utc("2026-10-10 21:59:59"))
    known = standing(world, number, "bremen")
    assert known is not None
    assert (known.state, known.earliest_at) == ("waiting", None)
    at(world, utc("2026-10-10 22:00"))
    known = standing(world, number, "bremen")
    assert known is not None
    assert (known.state, known.basis, known.received_at) == ("deemed", "DPA § 4.2", utc("2026-10-10 22:00"))
    at(world, ITS_FIRST_INSTANT)
    assert state_and_date(world, number) == ("held", date(2026, 11, 11))
    assert len(events(world, "customer.deemed")) == 1


def test_receipt_is_not_deemed_while_another_contact_may_still_be_reached(
    world: World, mail_server: MailServer
) -> None:
    no_mailbox(mail_server)
    mail_server.script("second@bremen.example", 451, "4.3.0 Try again later")
    clause = "notice: {undeliverable: {deemed_after_days: 1, clause: DPA § 4.2}}\n    time_zone"
    customers = BREMEN.replace("time_zone", clause).replace("[dpo", "[second@bremen.example, dpo")
    number = pending_notice(world, customers)
    at(world, utc("2026-10-03 22:00"), "take_effect")
    known = standing(world, number, "bremen")
    assert known is not None
    assert known.state == "waiting"


def test_a_customer_whose_contract_ended_drops_out_on_record(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world)
    add_customer(world, **(BREMEN_FACTS | {"contract_until": "2026-10-20"}))
    at(world, utc("2026-10-20 21:59:59"))
    assert reasons(world, number) == [("bremen", HoldReason.NOT_RECEIVED)]
    at(world, utc("2026-10-20 22:00"))
    assert reasons(world, number) == []
    known = standing(world, number, "bremen")
    assert known is not None
    assert (known.state, known.basis) == ("dropped", "contract ended on 2026-10-20")
    assert len(events(world, "customer.dropped")) == 1
    at(world, ITS_FIRST_INSTANT)
    assert world.notice(number).state == "in_effect"


def test_a_customer_who_comes_later_is_told_everything_and_does_not_hold(world: World, mail_server: MailServer) -> None:
    number = pending_notice(world)
    world.at = utc("2026-10-20 08:00")
    add_customer(world, key="acme", name="Acme GmbH", time_zone="Europe/Berlin", contacts=["privacy@acme.example"])
    sweep(world)
    assert len(letters_to(mail_server, "privacy@acme.example")) == 1
    assert standing(world, number, "acme") is None
    object_to(world, number, "bremen")
    at(world, utc("2026-10-31 23:00"))
    assert world.notice(number).state == "held"
    # Reminder and postponement reach it as they reach the others.
    assert len(letters_to(mail_server, "privacy@acme.example")) == 2
    withdraw(world, number)
    sweep(world)
    subjects = [str(letter["Subject"]) for letter in letters_to(mail_server, "privacy@acme.example")]
    assert len(subjects) == 3
    assert [each.skip_reason for each in world.status(number).deliveries] == [None] * 6


def test_a_customer_whose_contract_has_yet_to_begin_is_told_and_does_not_hold(
    world: World, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=BREMEN))
    add_customer(world, key="acme", name="Acme GmbH", contract_from="2026-10-20", contacts=["privacy@acme.example"])
    mail_server.script("privacy@acme.example", 451, "4.3.0 Try again later")
    number = announce(world)
    sweep(world)
    assert standing(world, number, "acme") is None
    at(world, ITS_FIRST_INSTANT)
    assert world.notice(number).state == "in_effect"


def test_a_forgotten_customer_added_by_a_person_holds_with_its_own_clock(world: World, mail_server: MailServer) -> None:
    number = pending_notice(world)
    world.at = utc("2026-10-10 08:00")
    add_customer(world, key="acme", name="Acme GmbH", time_zone="Europe/Berlin", contacts=["privacy@acme.example"])
    sweep(world)
    world.at = utc("2026-10-25 08:00")
    add_forgotten(world, number, "acme")
    add_forgotten(world, number, "acme")
    sweep(world)
    # The letter it got as a newcomer proves receipt, and it is not sent a second one.
    known = standing(world, number, "acme")
    assert known is not None
    assert (known.state, known.received_at) == ("received", utc("2026-10-10 08:00"))
    announcements = [
        each for each in world.status(number).deliveries if each.customer == "acme" and each.statement == 1
    ]
    assert len(announcements) == 1
    assert len(events(world, "customer.added_to_notice")) == 1
    at(world, ITS_FIRST_INSTANT)
    assert state_and_date(world, number) == ("held", date(2026, 11, 10))
    assert reasons(world, number) == [("acme", HoldReason.CLOCK_RUNNING)]


def test_a_forgotten_customer_is_told_where_nobody_had_told_it(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    add_customer(world, key="acme", name="Acme GmbH", contract_until="2026-09-01", contacts=["privacy@acme.example"])
    number = announce(world)
    sweep(world)
    with pytest.raises(ContractNotRunning):
        add_forgotten(world, number, "acme")
    add_customer(world, key="acme", name="Acme GmbH", contract_until=None)
    with pytest.raises(UnknownCustomer):
        add_forgotten(world, number, "nobody")
    add_forgotten(world, number, "acme")
    assert reasons(world, number) == [("acme", HoldReason.NOT_RECEIVED)]
    sweep(world)
    assert len(letters_to(mail_server, "privacy@acme.example")) == 1
    assert reasons(world, number) == []
    withdraw(world, number)
    with pytest.raises(IllegalTransition):
        add_forgotten(world, number, "acme")


@pytest.mark.parametrize(("how", "field"), [("exempt", "basis"), ("approved", "basis"), ("served", "document")])
def test_evidence_is_one_line_that_people_can_read(sqlite_world: World, how: str, field: str) -> None:
    number = pending_notice(sqlite_world)
    for text, code in (
        ("Letter\x1b[2J of 3 May", "control-character"),
        ("Letter of\u202e3 May", "control-character"),
        ("Letter\nHolds: none as things stand.", "line-break"),
        ("Letter\u2028of 3 May", "line-break"),
    ):
        with pytest.raises(InvalidInput) as refused:
            decide(sqlite_world, number, "bremen", how, text)
        assert [(problem.field, problem.code) for problem in refused.value.problems] == [(field, code)]
    known = standing(sqlite_world, number, "bremen")
    assert known is not None
    assert (known.state, known.basis) == ("received", None)
