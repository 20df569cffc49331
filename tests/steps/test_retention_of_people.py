"""Addresses and names go when their last use has had its days, and what quotes them goes along (R36)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select, text, update

from registry.channels.base import Envelope
from registry.steps.addresses import is_suppressed, record_address
from registry.steps.contacts import add_contact, end_contact
from registry.steps.lookup import get_customer, get_publisher
from registry.steps.subscribe import request_subscription, sweep_expired_requests
from registry.tables import Delivery, Endpoint, NoticeCustomer, Subscription
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import add_customer, announce, at, dump, events, follow, object_to, resolve, sweep
from tests.steps.post_office import meanwhile
from tests.steps.retention_cast import (
    A_MOMENT,
    DPO,
    FRED,
    IN_EFFECT,
    addresses,
    attempts,
    employ,
    erase,
    follower_of,
    hold,
    keeping,
    leave,
    letters,
    lift,
    midnight,
    names,
    put_in_effect,
    tell,
)
from tests.world import ANNA, BREMEN, World, utc

TEN = "{followers: 10, contacts: 10}"
LEFT = utc("2026-10-05 08:00")
SECOND = "second@bremen.example"


def follower(world: World, retention: str = TEN, customers: str = "") -> int:
    """Have Fred follow the list."""
    world.apply(keeping(retention, customers))
    return follow(world, FRED, name="Fred Reader")


def bremen_until(day: str) -> str:
    """Return Bremen as a file has it, with the last day of its contract."""
    return BREMEN.replace("contacts:", f"contract_until: {day}\n    contacts:")


def end(world: World, email: str, customer: str = "bremen") -> None:
    """End a contact now."""
    with world.writing() as session:
        row = get_customer(session, get_publisher(session, "antopsis"), customer)
        end_contact(session, world.at, row, email, ANNA)


def add(world: World, email: str, customer: str = "bremen") -> None:
    """Add a contact now."""
    with world.writing() as session:
        row = get_customer(session, get_publisher(session, "antopsis"), customer)
        add_contact(session, world.at, row, email, ANNA, name="A. Roe")


class TestFollowers:
    def test_an_address_goes_ten_whole_days_after_its_follower_left(self, world: World) -> None:
        row = follower(world)
        world.at = LEFT
        leave(world, row)
        assert erase(world, midnight("2026-10-16") - A_MOMENT) == {}
        assert (addresses(world), names(world)) == ({FRED}, {"Fred Reader"})
        assert erase(world, midnight("2026-10-16")) == {"addresses": 1}
        assert (addresses(world), names(world)) == (set(), set())
        [event] = events(world, "address.erased")
        assert (event.payload, event.at) == ({"because": "retention", "letters": 0}, midnight("2026-10-16"))
        assert erase(world, midnight("2027-10-16")) == {}

    def test_everything_that_quotes_the_address_goes_along(self, world: World) -> None:
        tell(world, TEN)
        row = follower_of(world)
        world.at = LEFT
        leave(world, row)
        assert erase(world, midnight("2026-10-16")) == {"addresses": 1}
        mine = [each for each in letters(world) if each.subscription_id == row]
        assert [(each.merge, each.state) for each in mine] == [(None, "accepted")]
        tried = [each for each in attempts(world) if each.delivery_id == mine[0].id]
        assert [(each.answer, bool(each.sha256)) for each in tried] == [(None, True)]
        others = [each for each in letters(world) if each.subscription_id != row]
        assert all(each.merge for each in others)
        assert addresses(world) == {DPO}
        assert FRED not in str(dump(world))

    def test_a_follower_who_stands_stays_for_ever(self, world: World) -> None:
        follower(world, "{followers: 1}")
        assert erase(world, utc("2090-01-01 00:00")) == {}
        assert addresses(world) == {FRED}

    def test_who_came_back_keeps_the_address_and_loses_the_name_that_was_left(self, world: World) -> None:
        row = follower(world)
        world.at = LEFT
        leave(world, row)
        follow(world, FRED)
        assert erase(world, midnight("2026-10-16")) == {"names": 1}
        assert addresses(world) == {FRED}
        assert [event.payload for event in events(world, "retention.erased")] == [{"names": 1}]
        assert erase(world) == {}

    def test_the_suppression_of_an_erased_address_goes_on(self, world: World) -> None:
        row = follower(world)
        world.at = LEFT
        leave(world, row)
        with world.writing() as session:
            session.execute(
                text(
                    "INSERT INTO suppressions (publisher_id, channel, lookup_hmac, reason, since_at) "
                    "SELECT publisher_id, channel, lookup_hmac, 'bounced', created_at FROM addresses"
                )
            )
        assert erase(world, midnight("2026-10-16")) == {"addresses": 1}
        with world.reading() as session:
            assert is_suppressed(session, get_publisher(session, "antopsis"), world.wiring.keyring, FRED)

    @pytest.mark.parametrize("state", ["pending", "leased", "retry_wait", "ambiguous"])
    def test_a_letter_under_way_keeps_the_address(self, world: World, state: str) -> None:
        tell(world, TEN)
        row = follower_of(world)
        world.at = LEFT
        leave(world, row)
        with world.writing() as session:
            mine = update(Delivery).where(Delivery.subscription_id == row)
            session.execute(mine.values(state=state, token="t" if state == "leased" else None))
        assert erase(world, midnight("2027-10-16")) == {}
        assert FRED in addresses(world)
        with world.writing() as session:
            session.execute(mine.values(state="accepted", token=None))
        assert erase(world) == {"addresses": 1}

    def test_a_letter_that_waits_for_a_person_is_cancelled_with_its_address(self, world: World) -> None:
        tell(world, TEN)
        row = follower_of(world)
        world.at = LEFT
        leave(world, row)
        with world.writing() as session:
            session.execute(update(Delivery).where(Delivery.subscription_id == row).values(state="needs_attention"))
        assert erase(world, midnight("2026-10-16")) == {"addresses": 1}
        assert {each.state for each in letters(world) if each.subscription_id == row} == {"cancelled"}

    def test_while_a_letter_is_on_the_wire_nothing_of_it_goes(self, world: World, mail_server: MailServer) -> None:
        world.apply(keeping("{followers: 1}"))
        row = follow(world, FRED)
        announce(world)
        erased: list[dict[str, int]] = []

        def leave_and_sweep(envelope: Envelope) -> None:
            leave(world, row)
            erased.append(erase(world, utc("2026-10-20 08:00")))

        meanwhile(world, lambda envelope: None, leave_and_sweep)
        sweep(world, "send")
        assert erased == [{}]
        assert {each.state for each in letters(world)} == {"accepted"}
        assert erase(world) == {"addresses": 1}


class TestContacts:
    def test_an_ended_contact_goes_after_its_own_days(self, world: World) -> None:
        world.apply(keeping(TEN))
        add(world, SECOND)
        world.at = LEFT
        end(world, SECOND)
        assert erase(world, midnight("2026-10-16") - A_MOMENT) == {}
        assert erase(world, midnight("2026-10-16")) == {"addresses": 1}
        assert addresses(world) == {DPO}

    def test_who_was_told_of_a_notice_is_known_until_the_notice_has_had_its_days(self, world: World) -> None:
        world.apply(keeping("{contacts: 10, letters: forever, answers: forever}"))
        add(world, SECOND)
        announce(world)
        sweep(world)
        world.at = LEFT
        end(world, SECOND)
        assert erase(world, utc("2026-10-30 08:00")) == {}
        at(world, IN_EFFECT)
        assert erase(world, midnight("2026-11-12") - A_MOMENT) == {}
        assert erase(world, midnight("2026-11-12")) == {"addresses": 1}

    def test_with_the_contract_its_contacts_end_and_go_recorded(self, world: World) -> None:
        put_in_effect(world, TEN, customers=bremen_until("2026-12-31"))
        assert erase(world, midnight("2027-01-11") - A_MOMENT) == {}
        assert DPO in addresses(world)
        assert erase(world, midnight("2027-01-11")) == {"addresses": 1}
        assert addresses(world) == {FRED}
        [event] = events(world, "subscription.ended")
        assert (event.payload["because"], event.payload["audience"]) == ("expired", "customer")
        assert erase(world) == {}

    def test_the_last_day_of_a_contract_is_one_of_the_customers_zone(self, world: World) -> None:
        world.apply(keeping(TEN, ""))
        employ(world, "pago", "dpo@pago.example", contract_until=date(2026, 12, 31), time_zone="Pacific/Pago_Pago")
        # That day ends at 11:00 UTC of 1 January, which is 1 January in Berlin.
        assert erase(world, midnight("2027-01-12") - A_MOMENT) == {}
        assert erase(world, midnight("2027-01-12")) == {"addresses": 1}

    def test_while_a_clock_can_run_or_an_objection_is_open_the_contact_stays(self, world: World) -> None:
        number = put_in_effect(
            world, TEN, customers=BREMEN.replace("contacts:", "contract_until: 2026-11-03\n    contacts:")
        )
        object_to(world, number, "bremen")
        with world.writing() as session:
            session.execute(text("UPDATE notices SET state = 'held'"))
        assert erase(world, midnight("2028-01-01")) == {}
        with world.writing() as session:
            session.execute(text("UPDATE notices SET state = 'in_effect'"))
        assert erase(world) == {}
        resolve(world, number, "bremen")
        assert erase(world)["addresses"] == 1

    def test_a_customer_that_stands_in_a_pending_notice_keeps_its_contacts(self, world: World) -> None:
        tell(world, TEN, customers=bremen_until("2026-10-05"))
        # Added since, and not written about yet.
        add(world, SECOND)
        with world.writing() as session:
            session.execute(update(Delivery).values(state="accepted", token=None))
        assert erase(world, utc("2028-01-01 00:00")) == {}
        assert {DPO, SECOND} <= addresses(world)
        with world.reading() as session:
            assert session.scalars(select(NoticeCustomer.state)).one() != "dropped"

    def test_a_customer_that_comes_back_may_name_the_same_contact_in_its_file(self, world: World) -> None:
        world.apply(keeping(TEN, ""))
        employ(world, "bremen", DPO, contract_until=date(2026, 10, 5))
        assert erase(world, midnight("2026-10-16")) == {"addresses": 1}
        add_customer(world, key="bremen", name="Bremen", contract_until=date(2028, 1, 1), contacts=[DPO])
        assert addresses(world) == {DPO}
        assert erase(world, utc("2027-06-01 00:00")) == {}

    def test_a_contract_to_the_end_of_the_calendar_ends_no_sweep(self, world: World) -> None:
        world.apply(keeping("{contacts: 10}", bremen_until("9999-12-31")))
        add(world, SECOND)
        world.at = LEFT
        end(world, SECOND)
        assert erase(world, utc("2034-01-01 00:00"))["addresses"] == 1
        assert addresses(world) == {DPO}

    def test_a_running_contract_keeps_its_contacts_for_ever(self, world: World) -> None:
        world.apply(keeping("{contacts: 1}"))
        assert erase(world, utc("2090-01-01 00:00")) == {}
        assert addresses(world) == {DPO}


class TestOneAddressOfMany:
    def test_a_follower_here_and_a_contact_there_keep_it_until_both_are_over(self, world: World) -> None:
        world.apply(keeping("{followers: 10, contacts: 100}"))
        add(world, SECOND)
        row = follow(world, SECOND, name="B. Second")
        world.at = LEFT
        leave(world, row)
        assert erase(world, midnight("2026-10-16")) == {"names": 1}
        assert names(world) == {"A. Roe"}
        end(world, SECOND)
        assert erase(world, midnight("2027-01-25") - A_MOMENT) == {}
        assert SECOND in addresses(world)
        assert erase(world, midnight("2027-01-25")) == {"addresses": 1}
        assert names(world) == set()

    def test_a_contact_of_two_customers_keeps_it_until_both_contracts_are_over(self, world: World) -> None:
        world.apply(keeping(TEN, ""))
        employ(world, "bremen", "both@counsel.example", contract_until=date(2026, 10, 5))
        employ(world, "hamburg", "both@counsel.example", contract_until=date(2026, 11, 5))
        assert erase(world, midnight("2026-11-16") - A_MOMENT) == {}
        assert erase(world, midnight("2026-11-16")) == {"addresses": 1}

    def test_one_publisher_erases_nothing_of_another(self, world: World) -> None:
        row = follower(world)
        world.at = LEFT
        leave(world, row)
        other = keeping("{followers: forever}", "")
        renamed = other.publisher.model_copy(update={"slug": "streamonapi"})
        world.apply(replace(other, publisher=renamed))
        theirs = follow(world, FRED, slug="streamonapi")
        leave(world, theirs)
        assert erase(world, midnight("2040-01-01")) == {"addresses": 1}
        assert addresses(world) == {FRED}

    def test_the_owner_of_an_endpoint_is_known_as_long_as_the_endpoint(self, world: World) -> None:
        row = follower(world)
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            owner = record_address(session, world.at, publisher, world.wiring.keyring, "owner@reader.example")
            follower_row = session.get_one(Subscription, row)
            session.add(
                Endpoint(
                    address_id=follower_row.address_id,
                    publisher_id=publisher.id,
                    owner_address_id=owner.id,
                    created_at=world.at,
                )
            )
        assert erase(world, LEFT) == {}
        leave(world, row)
        assert erase(world, midnight("2026-10-16")) == {"addresses": 2}
        assert addresses(world) == set()


class TestWishes:
    def test_a_wish_that_a_hold_kept_goes_as_soon_as_the_hold_is_lifted(self, world: World) -> None:
        world.apply(keeping("{followers: forever}", ""))
        wish(world)
        number = hold(world)
        world.at += timedelta(days=8)
        with world.writing() as session:
            assert sweep_expired_requests(session, world.at) == 1
        assert (addresses(world), names(world)) == ({FRED}, {"Fred"})
        assert erase(world) == {}
        with world.reading() as session:
            assert session.scalars(select(Subscription.ended_because)).one() == "expired"
        lift(world, number)
        assert erase(world) == {"addresses": 1}
        assert (addresses(world), names(world)) == (set(), set())

    def test_a_wish_that_waits_is_not_this_sweeps_affair(self, world: World) -> None:
        world.apply(keeping(TEN, ""))
        wish(world)
        assert erase(world, utc("2090-01-01 00:00")) == {}
        assert addresses(world) == {FRED}


def wish(world: World) -> None:
    """Have Fred ask to be told, unconfirmed."""
    with world.writing() as session:
        request_subscription(
            session,
            world.at,
            get_publisher(session, "antopsis"),
            world.wiring.letterhead,
            world.wiring.keyring,
            email=FRED,
            name="Fred",
            actor=ANNA,
        )
