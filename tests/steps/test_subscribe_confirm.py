"""Confirming by the link in the letter, and what a joiner is told at once (R18, R33)."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from registry.steps.audience_errors import ExpiredToken, UnknownToken, UsedToken
from registry.steps.confirm import confirm, find_confirmation
from registry.steps.contacts import add_contact
from registry.steps.customers import record_customer
from registry.steps.preferences import unsubscribe
from registry.steps.subscribe import request_subscription, sweep_expired_requests
from registry.tables import Delivery, Event, Letter, Statement
from registry.tables.engine import make_engine, writing
from tests.steps.audience_cast import EDITOR, LETTERHEAD, MONDAY, VISITOR, House, customer_facts, later, open_house

MARTA = "marta@followers.example"


def ask(house: House, email: str = MARTA, at: Any = MONDAY, **wish: Any) -> str:
    """Fill in the public form, and return the token in the letter."""
    request_subscription(
        house.session, at, house.publisher, LETTERHEAD, house.keyring, email=email, actor=VISITOR, **wish
    )
    return house.token_for(email)


def told(house: House, email: str) -> list[tuple[str, str]]:
    """The kinds and states of the statements an address is told, without service letters."""
    return [
        (letter.kind, delivery.state)
        for delivery, letter in house.letters_to(email)
        if delivery.statement_id is not None
    ]


def test_looking_at_a_confirm_link_changes_nothing(database_url: str) -> None:
    with open_house(database_url) as house:
        token = ask(house, products=["clips"])
        before = house.session.scalar(select(func.count()).select_from(Event))
        shown = find_confirmation(house.session, later(days=1), token)
        assert (shown.publisher.slug, shown.choices.products, shown.customer) == ("antopsis", ("clips",), None)
        assert shown.expires_at == later(days=7)
        assert house.subscriptions_at(MARTA)[0].confirmed_at is None
        assert not house.session.dirty
        assert house.session.scalar(select(func.count()).select_from(Event)) == before


def test_confirming_makes_the_wish_count_from_that_instant(database_url: str) -> None:
    with open_house(database_url) as house:
        token = ask(house)
        confirmed = confirm(house.session, later(hours=3), token, house.keyring)
        assert (confirmed.publisher.slug, confirmed.audience.value, confirmed.pending_notices_sent) == (
            "antopsis",
            "follower",
            0,
        )
        assert confirmed.subscription.confirmed_at == later(hours=3)
        [event] = house.events("subscription.confirmed")
        assert (event.subject, event.actor) == (str(confirmed.subscription.id), "follower (public page)")


def test_who_confirms_while_notices_are_pending_is_told_of_them_at_once(database_url: str) -> None:
    with open_house(database_url) as house:
        token = ask(house)
        house.announce_addition("hetzner", later(hours=1))
        house.announce_addition("bunny", later(hours=2))
        assert told(house, MARTA) == []
        confirmed = confirm(house.session, later(hours=3), token, house.keyring)
        assert confirmed.pending_notices_sent == 2
        assert told(house, MARTA) == [("announcement", "pending")] * 2
        due = [delivery.due_at for delivery, _ in house.letters_to(MARTA) if delivery.statement_id]
        assert due == [later(hours=3)] * 2


def test_a_joiner_is_not_told_what_it_did_not_ask_for(database_url: str) -> None:
    with open_house(database_url) as house:
        token = ask(house, products=["clips"])
        house.announce_addition("hetzner", later(hours=1), products=["streaming"])
        house.announce_addition("bunny", later(hours=2), products=["clips"])
        assert confirm(house.session, later(hours=3), token, house.keyring).pending_notices_sent == 1
        [delivery] = [delivery for delivery, _ in house.letters_to(MARTA) if delivery.statement_id]
        statement = house.session.get_one(Statement, delivery.statement_id)
        assert statement.made_at == later(hours=2)


def test_a_joiner_who_is_a_contact_too_is_told_as_the_contact_alone(database_url: str) -> None:
    with open_house(database_url) as house:
        customer = record_customer(house.session, MONDAY, house.publisher, customer_facts("acme", MARTA), EDITOR)
        token = ask(house)
        house.announce_addition("hetzner", later(hours=1))
        assert confirm(house.session, later(hours=3), token, house.keyring).pending_notices_sent == 0
        letters = [letter for delivery, letter in house.letters_to(MARTA) if delivery.statement_id]
        assert [letter.audience for letter in letters] == ["customer"]
        assert customer.key == "acme"


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "k1.1.abc", "\ud800", "é\0"])
def test_a_token_nobody_made_is_unknown(database_url: str, token: str) -> None:
    with open_house(database_url) as house:
        ask(house)
        with pytest.raises(UnknownToken):
            find_confirmation(house.session, MONDAY, token)
        with pytest.raises(UnknownToken):
            confirm(house.session, MONDAY, token, house.keyring)


def test_a_used_token_says_that_the_subscription_stands_or_that_it_has_ended(database_url: str) -> None:
    with open_house(database_url) as house:
        token = ask(house)
        confirm(house.session, later(hours=1), token, house.keyring)
        with pytest.raises(UsedToken) as again:
            confirm(house.session, later(hours=1), token, house.keyring)
        assert again.value.params == {"publisher": "antopsis", "confirmed": True}
        unsubscribe(house.session, later(hours=2), house.subscriptions_at(MARTA)[0].id)
        with pytest.raises(UsedToken) as ended:
            find_confirmation(house.session, later(days=30), token)
        assert ended.value.params["confirmed"] is False
        assert len(house.events("subscription.confirmed")) == 1


def test_a_token_lives_seven_days_and_not_an_instant_longer(database_url: str) -> None:
    with open_house(database_url) as house:
        token = ask(house)
        assert find_confirmation(house.session, later(days=7, microseconds=-1), token).publisher.slug == "antopsis"
        with pytest.raises(ExpiredToken) as expired:
            confirm(house.session, later(days=7), token, house.keyring)
        assert expired.value.params == {"publisher": "antopsis", "audience": "follower"}
        assert house.subscriptions_at(MARTA)[0].confirmed_at is None


def test_a_token_of_a_wish_that_was_forgotten_has_expired(database_url: str) -> None:
    with open_house(database_url) as house:
        token = ask(house)
        sweep_expired_requests(house.session, later(days=7))
        house.session.expire_all()
        with pytest.raises(ExpiredToken):
            find_confirmation(house.session, later(days=8), token)


def test_one_of_two_letters_is_enough_and_uses_up_the_other(database_url: str) -> None:
    with open_house(database_url) as house:
        first = ask(house)
        second = ask(house, at=later(days=2))
        assert first != second
        confirm(house.session, later(days=3), first, house.keyring)
        with pytest.raises(UsedToken):
            confirm(house.session, later(days=3), second, house.keyring)


def test_two_clicks_at_once_confirm_once(database_url: str) -> None:
    with open_house(database_url) as house:
        token = ask(house)
        house.announce_addition("hetzner", later(hours=1))
    engine = make_engine(database_url)
    both = threading.Barrier(2)
    outcomes: list[str] = []

    def click() -> None:
        both.wait()
        try:
            with writing(engine) as session:
                confirm(session, later(hours=2), token, house.keyring)
            outcomes.append("confirmed")
        except UsedToken:
            outcomes.append("used")

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with writing(engine) as session:
        told_rows = session.scalars(select(Delivery).where(Delivery.statement_id.is_not(None))).all()
        assert len(told_rows) == 1
        assert len(session.scalars(select(Letter)).all()) == 3
    assert sorted(outcomes) == ["confirmed", "used"]
    engine.dispose()


def test_a_contact_added_while_a_notice_is_pending_is_told_although_its_customer_came_later(database_url: str) -> None:
    with open_house(database_url) as house:
        house.announce_addition("hetzner")
        customer = record_customer(
            house.session, later(days=1), house.publisher, customer_facts("late", "dpo@late.example"), EDITOR
        )
        assert told(house, "dpo@late.example") == [("announcement", "pending")]
        added = add_contact(house.session, later(days=2), customer, "second@late.example", EDITOR)
        assert (added.is_new, added.letters_due) == (True, 1)
        again = add_contact(house.session, later(days=2), customer, "Second@late.example", EDITOR)
        assert (again.is_new, again.letters_due) == (False, 0)
        assert again.subscription.id == added.subscription.id
