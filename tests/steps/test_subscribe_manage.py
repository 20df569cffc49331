"""Choosing and leaving by the link in each letter: a follower leaves at a click, a contact names another (R34)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from registry.domain.errors import InvalidInput
from registry.domain.vocabulary import Audience, ChangeKind
from registry.steps.audience_errors import (
    ContactMayNotLeave,
    ExpiredToken,
    NotAContact,
    SubscriptionEnded,
    UnknownToken,
    UsedToken,
)
from registry.steps.confirm import confirm, find_confirmation
from registry.steps.contacts import add_contact, request_contact_change
from registry.steps.customers import record_customer
from registry.steps.preferences import change_preferences, read_preferences, unsubscribe
from registry.steps.subscribe import request_subscription, sweep_expired_requests
from registry.tables import Address, Customer, Delivery, Subscription
from tests.steps.audience_cast import EDITOR, LETTERHEAD, MONDAY, VISITOR, House, customer_facts, later, open_house

MARTA = "marta@followers.example"
OLD, NEW = "old.officer@acme.example", "new.officer@acme.example"


def follow(house: House, email: str = MARTA, **wish: Any) -> Subscription:
    """A follower who confirmed an hour after asking."""
    request_subscription(
        house.session, MONDAY, house.publisher, LETTERHEAD, house.keyring, email=email, actor=VISITOR, **wish
    )
    return confirm(house.session, later(hours=1), house.token_for(email), house.keyring).subscription


def employ(house: House, *emails: str) -> tuple[Customer, list[Subscription]]:
    """A customer with contacts."""
    customer = record_customer(house.session, MONDAY, house.publisher, customer_facts("acme", *emails), EDITOR)
    return customer, [house.subscriptions_at(email)[0] for email in emails]


def name_another(house: House, contact: Subscription, email: str = NEW, at: Any = MONDAY) -> None:
    """Fill in the page on which a contact names another."""
    request_contact_change(house.session, at, contact, LETTERHEAD, house.keyring, email=email, name="New Officer")


def set_state(house: House, subscription: Subscription, state: str) -> Delivery:
    """Put the one statement's delivery of a subscription into a state."""
    query = select(Delivery).where(Delivery.subscription_id == subscription.id, Delivery.statement_id.is_not(None))
    delivery = house.session.scalars(query).one()
    delivery.state, delivery.token = state, "t" if state == "leased" else None
    house.session.flush()
    return delivery


class TestPreferences:
    def test_a_follower_sees_what_it_chose(self, database_url: str) -> None:
        with open_house(database_url) as house:
            subscription = follow(house, products=["clips"], kinds=["data", "addition"], wants_effect=True)
            seen = read_preferences(house.session, subscription)
            assert (seen.publisher.slug, seen.audience, seen.email) == ("antopsis", Audience.FOLLOWER, MARTA)
            assert seen.choices.kinds == (ChangeKind.ADDITION, ChangeKind.DATA)
            assert (seen.choices.products, seen.wants_effect, seen.customer) == (("clips",), True, None)
            assert (seen.confirmed_at, seen.ended_at) == (later(hours=1), None)

    def test_new_choices_replace_the_old_and_the_same_again_are_no_act(self, database_url: str) -> None:
        with open_house(database_url) as house:
            subscription = follow(house, products=["clips"])
            choices: tuple[Any, ...] = (["streaming"], ["transfer"], False, False)
            assert change_preferences(house.session, later(hours=2), subscription, *choices) is True
            assert change_preferences(house.session, later(hours=3), subscription, *choices) is False
            seen = read_preferences(house.session, subscription)
            assert (seen.choices.products, seen.choices.kinds) == (("streaming",), (ChangeKind.TRANSFER,))
            assert (seen.wants_effect, seen.wants_reminders) == (False, False)
            assert len(house.events("subscription.changed")) == 1

    def test_choices_that_do_not_exist_are_refused_and_the_old_stay(self, database_url: str) -> None:
        with open_house(database_url) as house:
            subscription = follow(house, products=["clips"])
            with pytest.raises(InvalidInput) as refused:
                change_preferences(house.session, later(hours=2), subscription, ["klips"], [], True, True)
            assert [problem.code for problem in refused.value.problems] == ["unknown-product"]
            seen = read_preferences(house.session, subscription)
            assert (seen.choices.products, seen.wants_effect) == (("clips",), False)

    def test_a_contact_is_reminded_whatever_it_chooses(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [contact] = employ(house, OLD)
            change_preferences(house.session, later(hours=2), contact, ["clips"], [], True, False)
            seen = read_preferences(house.session, contact)
            assert (seen.wants_reminders, seen.wants_effect, seen.customer) == (True, True, "Acme GmbH")

    def test_who_left_has_nothing_to_choose(self, database_url: str) -> None:
        with open_house(database_url) as house:
            subscription = follow(house)
            unsubscribe(house.session, later(hours=2), subscription.id)
            with pytest.raises(SubscriptionEnded) as refused:
                change_preferences(house.session, later(hours=3), subscription, [], [], True, True)
            assert refused.value.params == {"publisher": "antopsis", "because": "unsubscribed"}
            assert read_preferences(house.session, subscription).ended_at == later(hours=2)


class TestLeaving:
    def test_a_follower_leaves_once_however_often_it_clicks(self, database_url: str) -> None:
        with open_house(database_url) as house:
            subscription = follow(house)
            unsubscribe(house.session, later(hours=2), subscription.id)
            unsubscribe(house.session, later(hours=9), subscription.id)
            assert (subscription.ended_at, subscription.ended_because) == (later(hours=2), "unsubscribed")
            assert len(house.events("subscription.ended")) == 1

    @pytest.mark.parametrize(
        ("state", "becomes"),
        [
            ("pending", "cancelled"),
            ("retry_wait", "cancelled"),
            ("leased", "leased"),
            ("ambiguous", "ambiguous"),
            ("accepted", "accepted"),
            ("bounced", "bounced"),
        ],
    )
    def test_what_waits_for_who_left_is_cancelled_and_what_went_out_stands(
        self, database_url: str, state: str, becomes: str
    ) -> None:
        with open_house(database_url) as house:
            subscription = follow(house)
            house.announce_addition()
            delivery = set_state(house, subscription, state)
            unsubscribe(house.session, later(hours=2), subscription.id)
            house.session.refresh(delivery)
            assert delivery.state == becomes

    def test_a_wish_not_yet_confirmed_can_be_taken_back(self, database_url: str) -> None:
        with open_house(database_url) as house:
            request_subscription(
                house.session, MONDAY, house.publisher, LETTERHEAD, house.keyring, email=MARTA, actor=VISITOR
            )
            token = house.token_for(MARTA)
            unsubscribe(house.session, later(hours=2), house.subscriptions_at(MARTA)[0].id)
            assert house.letters_to(MARTA)[0][0].state == "cancelled"
            with pytest.raises(ExpiredToken):
                confirm(house.session, later(hours=3), token, house.keyring)

    def test_leaving_what_never_was_is_an_unknown_link(self, database_url: str) -> None:
        with open_house(database_url) as house, pytest.raises(UnknownToken):
            unsubscribe(house.session, MONDAY, 4711)

    def test_a_contact_cannot_end_the_duty_to_tell_its_company(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [contact, _] = employ(house, OLD, "deputy@acme.example")
            with pytest.raises(ContactMayNotLeave) as refused:
                unsubscribe(house.session, later(hours=2), contact.id)
            assert refused.value.params == {"publisher": "antopsis", "customer": "Acme GmbH"}
            assert contact.ended_at is None


class TestChangeOfContact:
    def test_the_old_contact_stands_until_the_new_one_confirms(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [old] = employ(house, OLD)
            name_another(house, old)
            [(_, letter)] = house.letters_to(NEW)
            assert (letter.kind, letter.audience) == ("confirm", "customer")
            assert letter.sender["from_address"] == "notices@registry.example"
            assert old.ended_at is None
            token = house.token_for(NEW)
            assert find_confirmation(house.session, later(hours=1), token).customer == "Acme GmbH"
            confirmed = confirm(house.session, later(hours=1), token, house.keyring)
            assert confirmed.audience is Audience.CUSTOMER
            [ended] = house.subscriptions_at(OLD)
            assert (ended.ended_at, ended.ended_because) == (later(hours=1), "replaced")
            [new] = house.subscriptions_at(NEW)
            assert (new.confirmed_at, new.rank, new.name) == (later(hours=1), old.rank, "New Officer")

    def test_the_new_contact_gets_the_open_notices_and_what_waits_for_the_old_is_cancelled(
        self, database_url: str
    ) -> None:
        with open_house(database_url) as house:
            _, [old] = employ(house, OLD)
            house.announce_addition()
            name_another(house, old)
            confirmed = confirm(house.session, later(hours=1), house.token_for(NEW), house.keyring)
            assert confirmed.pending_notices_sent == 1
            [(statement, _)] = [row for row in house.letters_to(OLD) if row[0].statement_id]
            house.session.refresh(statement)
            assert statement.state == "cancelled"
            assert house.kinds_to(NEW) == ["confirm", "announcement"]

    def test_a_request_that_nobody_confirms_is_forgotten_and_the_old_contact_goes_on(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [old] = employ(house, OLD)
            name_another(house, old)
            assert sweep_expired_requests(house.session, later(days=7)) == 1
            house.session.expire_all()
            assert old.ended_at is None
            assert house.subscriptions_at(NEW)[0].ended_because == "expired"
            values = {address.value for address in house.session.scalars(select(Address))}
            assert values == {OLD, None}

    def test_naming_the_same_person_twice_a_day_sends_one_letter(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [old] = employ(house, OLD)
            name_another(house, old)
            name_another(house, old, NEW.upper(), at=later(hours=2))
            assert house.kinds_to(NEW) == ["confirm"]
            assert len(house.events("contact.change_asked_again")) == 1

    def test_two_contacts_who_name_the_same_person_are_both_replaced_by_one_click(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [first, second] = employ(house, OLD, "deputy@acme.example")
            name_another(house, first)
            token = house.token_for(NEW)
            name_another(house, second, at=later(hours=2))
            confirm(house.session, later(hours=3), token, house.keyring)
            assert [first.ended_because, second.ended_because] == ["replaced", "replaced"]
            assert house.subscriptions_at(NEW)[0].ended_at is None

    def test_a_colleague_who_is_a_contact_already_confirms_and_the_other_leaves(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [first, colleague] = employ(house, OLD, NEW)
            name_another(house, first)
            assert colleague.confirmed_at == MONDAY
            confirm(house.session, later(hours=3), house.token_for(NEW), house.keyring)
            assert (first.ended_because, colleague.ended_at, colleague.confirmed_at) == ("replaced", None, MONDAY)

    def test_a_wish_to_follow_from_the_same_address_does_not_stop_the_change(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [old] = employ(house, OLD)
            request_subscription(
                house.session, MONDAY, house.publisher, LETTERHEAD, house.keyring, email=NEW, actor=VISITOR
            )
            name_another(house, old, at=later(hours=1))
            assert [letter.audience for _, letter in house.letters_to(NEW)] == ["follower", "customer"]

    def test_a_suppressed_address_is_not_written_to_and_replaces_nobody(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [old] = employ(house, OLD)
            house.suppress(NEW)
            name_another(house, old)
            assert house.subscriptions_at(NEW) == []
            assert old.ended_at is None
            assert len(house.events("contact.change_refused")) == 1

    def test_a_customer_is_not_left_with_an_address_that_has_died_meanwhile(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [old] = employ(house, OLD)
            name_another(house, old)
            house.suppress(NEW)
            confirm(house.session, later(hours=1), house.token_for(NEW), house.keyring)
            assert old.ended_at is None

    def test_naming_oneself_is_no_change(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [old] = employ(house, OLD)
            with pytest.raises(InvalidInput) as refused:
                name_another(house, old, OLD.upper())
            assert [problem.code for problem in refused.value.problems] == ["same-address"]

    def test_an_impossible_address_is_refused(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [old] = employ(house, OLD)
            with pytest.raises(InvalidInput) as refused:
                name_another(house, old, "new officer")
            assert [problem.code for problem in refused.value.problems] == ["not-an-email-address"]

    def test_only_a_contact_that_stands_can_name_another(self, database_url: str) -> None:
        with open_house(database_url) as house:
            follower = follow(house)
            with pytest.raises(NotAContact):
                name_another(house, follower)
            customer, [old] = employ(house, OLD)
            name_another(house, old)
            confirm(house.session, later(hours=1), house.token_for(NEW), house.keyring)
            with pytest.raises(SubscriptionEnded) as refused:
                name_another(house, old, "third@acme.example", at=later(hours=2))
            assert refused.value.params["because"] == "replaced"
            assert add_contact(house.session, later(hours=3), customer, OLD, EDITOR).is_new

    def test_a_link_that_has_made_the_change_says_so(self, database_url: str) -> None:
        with open_house(database_url) as house:
            _, [old] = employ(house, OLD)
            name_another(house, old)
            token = house.token_for(NEW)
            confirm(house.session, later(hours=1), token, house.keyring)
            with pytest.raises(UsedToken) as used:
                confirm(house.session, later(hours=2), token, house.keyring)
            assert used.value.params["confirmed"] is True
            assert "officer" not in house.whole_record().lower()
