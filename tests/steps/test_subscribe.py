"""Asking to be told: what is written to whom, and that nobody can learn who is subscribed (R34)."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from registry.domain.errors import InvalidInput
from registry.domain.vocabulary import ChangeKind
from registry.steps.choices import list_choices
from registry.steps.confirm import confirm
from registry.steps.keyring import hash_token
from registry.steps.lookup import get_publisher
from registry.steps.preferences import unsubscribe
from registry.steps.subscribe import request_subscription, sweep_expired_requests
from registry.tables import Address, Attempt, ConfirmToken, Delivery, Letter, Subscription
from registry.tables.engine import make_engine, reading, writing
from tests.steps.audience_cast import LETTERHEAD, MONDAY, VISITOR, House, later, open_house

MARTA = "Marta.Reader@Followers.Example"


def ask(house: House, email: str = MARTA, at: Any = MONDAY, **wish: Any) -> None:
    """Fill in the public form."""
    request_subscription(
        house.session, at, house.publisher, LETTERHEAD, house.keyring, email=email, actor=VISITOR, **wish
    )


def test_a_newcomer_is_asked_to_confirm_from_the_address_it_gave(database_url: str) -> None:
    with open_house(database_url) as house:
        ask(house, products=["clips"], kinds=["location"], wants_effect=True, name=" Marta ")
        [subscription] = house.subscriptions_at(MARTA)
        assert subscription.confirmed_at is None
        assert (subscription.audience, subscription.name, subscription.wants_effect) == ("follower", "Marta", True)
        assert list_choices(house.session, subscription).products == ("clips",)
        assert list_choices(house.session, subscription).kinds == (ChangeKind.LOCATION,)
        [(delivery, letter)] = house.letters_to(MARTA)
        assert (letter.kind, letter.audience, delivery.state, delivery.priority) == (
            "confirm",
            "follower",
            "pending",
            0,
        )
        assert delivery.statement_id is None
        assert letter.sender["from_address"] == "notices+updates@registry.example"
        assert house.address_of(MARTA).value == "Marta.Reader@followers.example"


def test_the_table_holds_no_token_that_could_be_used(database_url: str) -> None:
    with open_house(database_url) as house:
        ask(house)
        token = house.session.scalars(select(ConfirmToken)).one()
        raw = house.token_for(MARTA)
        assert token.token_hash == hash_token(raw)
        assert raw not in (token.token_hash, token.nonce)
        assert token.expires_at == later(days=7)


def test_letters_that_say_the_same_are_kept_once(database_url: str) -> None:
    with open_house(database_url) as house:
        ask(house, "one@followers.example")
        ask(house, "two@followers.example")
        ask(house, "three@followers.example", products=["clips"])
        letters = house.session.scalars(select(Letter).order_by(Letter.id)).all()
        assert len(letters) == 2
        assert "Clips" in letters[1].text
        assert "Clips" not in letters[0].text


def test_whoever_is_subscribed_already_is_told_so_by_letter_only(database_url: str) -> None:
    with open_house(database_url) as house:
        ask(house, products=["clips"])
        confirm(house.session, later(hours=1), house.token_for(MARTA), house.keyring)
        ask(house, at=later(days=2), products=["streaming"], kinds=["data"], name="Somebody Else")
        [subscription] = house.subscriptions_at(MARTA)
        assert house.kinds_to(MARTA) == ["confirm", "already_subscribed"]
        assert list_choices(house.session, subscription).products == ("clips",)
        assert list_choices(house.session, subscription).kinds == ()
        assert subscription.name is None


def test_a_second_wish_within_a_day_sends_nothing_and_is_recorded(database_url: str) -> None:
    with open_house(database_url) as house:
        ask(house)
        ask(house, MARTA.upper(), at=later(hours=23, minutes=59))
        assert house.kinds_to(MARTA) == ["confirm"]
        assert len(house.events("subscription.asked_again")) == 1
        ask(house, at=later(hours=24))
        assert house.kinds_to(MARTA) == ["confirm", "confirm"]
        assert len(house.subscriptions_at(MARTA)) == 1


def test_asking_once_a_day_never_gets_a_subscriber_more_than_one_letter_a_day(database_url: str) -> None:
    with open_house(database_url) as house:
        ask(house)
        confirm(house.session, later(hours=1), house.token_for(MARTA), house.keyring)
        for hour in range(2, 72):
            ask(house, at=later(hours=hour))
        assert house.kinds_to(MARTA) == ["confirm", "already_subscribed", "already_subscribed"]


def test_an_unconfirmed_wish_takes_the_newest_choices(database_url: str) -> None:
    with open_house(database_url) as house:
        ask(house, products=["clips"], kinds=["data"], wants_effect=True)
        ask(house, at=later(minutes=5), products=["streaming", "clips", "clips"])
        [subscription] = house.subscriptions_at(MARTA)
        assert list_choices(house.session, subscription).products == ("clips", "streaming")
        assert list_choices(house.session, subscription).kinds == ()
        assert subscription.wants_effect is False


def test_whoever_left_may_come_back_the_same_day(database_url: str) -> None:
    with open_house(database_url) as house:
        ask(house)
        confirm(house.session, later(hours=1), house.token_for(MARTA), house.keyring)
        [first] = house.subscriptions_at(MARTA)
        unsubscribe(house.session, later(hours=2), first.id)
        ask(house, at=later(hours=3))
        assert house.kinds_to(MARTA) == ["confirm", "confirm"]
        first, second = house.subscriptions_at(MARTA)
        assert first.ended_because == "unsubscribed"
        assert (second.confirmed_at, second.ended_at) == (None, None)


def test_a_suppressed_address_gets_nothing_and_leaves_only_a_record(database_url: str) -> None:
    with open_house(database_url) as house:
        house.suppress(MARTA)
        ask(house)
        assert house.session.scalars(select(Delivery)).all() == []
        assert house.session.scalars(select(Address)).all() == []
        [event] = house.events("subscription.refused")
        assert (event.subject, event.payload) == ("antopsis", {"because": "suppressed"})


def test_two_publishers_have_two_subscriptions_of_one_reader(database_url: str) -> None:
    with open_house(database_url) as house:
        ask(house)
        other = house.add_publisher("apexstream")
        request_subscription(
            house.session, MONDAY, other, LETTERHEAD, house.keyring, email=MARTA, actor=VISITOR, products=["clips"]
        )
        found = house.session.scalars(select(Subscription).order_by(Subscription.id)).all()
        assert [each.publisher_id for each in found] == [house.publisher.id, other.id]
        assert len(house.session.scalars(select(Delivery)).all()) == 2


def test_every_mistake_is_named_at_once_and_nothing_is_kept(database_url: str) -> None:
    with open_house(database_url) as house:
        with pytest.raises(InvalidInput) as refused:
            ask(house, "not an address", products=["clip", "streaming"], kinds=["locaton"], name="a\0b", language="?")
        found = {problem.field: problem for problem in refused.value.problems}
        assert {field: problem.code for field, problem in found.items()} == {
            "email": "not-an-email-address",
            "products.0": "unknown-product",
            "kinds.0": "unknown-choice",
            "name": "control-character",
            "language": "unknown-choice",
        }
        assert found["products.0"].value == "clip"
        assert found["products.0"].params["near"] == ["clips"]
        assert found["kinds.0"].params["near"] == ["location"]
        assert house.session.scalars(select(Subscription)).all() == []


def test_the_record_names_nobody(database_url: str) -> None:
    with open_house(database_url) as house:
        ask(house, name="Marta")
        ask(house, name="Marta")
        confirm(house.session, later(hours=1), house.token_for(MARTA), house.keyring)
        unsubscribe(house.session, later(hours=2), house.subscriptions_at(MARTA)[0].id)
        told = house.whole_record().lower()
        assert "subscription.ended" in told
        assert "marta" not in told
        assert "followers.example" not in told


def test_two_who_ask_for_one_address_at_once_get_one_subscription_and_one_letter(database_url: str) -> None:
    with open_house(database_url) as house:
        slug, keyring = house.publisher.slug, house.keyring
    engine = make_engine(database_url)
    both = threading.Barrier(2)
    finished: list[bool] = []

    def press() -> None:
        both.wait()
        with writing(engine) as session:
            publisher = get_publisher(session, slug)
            request_subscription(session, MONDAY, publisher, LETTERHEAD, keyring, email=MARTA, actor=VISITOR)
        finished.append(True)

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as session:
        assert finished == [True, True]
        assert len(session.scalars(select(Subscription)).all()) == 1
        assert len(session.scalars(select(Delivery)).all()) == 1
    engine.dispose()


class TestExpiry:
    def test_a_wish_nobody_confirmed_in_seven_days_is_forgotten_but_its_hash(self, database_url: str) -> None:
        with open_house(database_url) as house:
            ask(house, name="Marta")
            [(delivery, _)] = house.letters_to(MARTA)
            house.session.add(
                Attempt(
                    publisher_id=house.publisher.id,
                    delivery_id=delivery.id,
                    n=1,
                    token="t",
                    channel="smtp",
                    claimed_at=MONDAY,
                    sha256="5" * 64,
                    answer=f"550 {MARTA} unknown",
                )
            )
            house.session.flush()
            assert sweep_expired_requests(house.session, later(days=7) - timedelta(seconds=1)) == 0
            assert sweep_expired_requests(house.session, later(days=7)) == 1
            assert sweep_expired_requests(house.session, later(days=8)) == 0
            house.session.expire_all()
            [subscription] = house.subscriptions_at(MARTA)
            assert (subscription.name, subscription.ended_because) == (None, "expired")
            assert house.session.scalars(select(Address)).one().value is None
            assert house.letters_to(MARTA)[0][0].state == "cancelled"
            attempt = house.session.scalars(select(Attempt)).one()
            assert (attempt.answer, attempt.sha256) == (None, "5" * 64)
            assert len(house.events("address.erased")) == 1

    def test_asking_again_gives_seven_more_days(self, database_url: str) -> None:
        with open_house(database_url) as house:
            ask(house)
            ask(house, at=later(days=6))
            assert sweep_expired_requests(house.session, later(days=8)) == 0
            assert house.address_of(MARTA).value is not None

    def test_a_follower_who_confirmed_stays(self, database_url: str) -> None:
        with open_house(database_url) as house:
            ask(house)
            confirm(house.session, later(hours=1), house.token_for(MARTA), house.keyring)
            assert sweep_expired_requests(house.session, later(days=400)) == 0
            assert house.subscriptions_at(MARTA)[0].ended_at is None

    def test_an_address_somebody_needs_keeps_its_value(self, database_url: str) -> None:
        with open_house(database_url) as house:
            ask(house)
            confirm(house.session, later(hours=1), house.token_for(MARTA), house.keyring)
            unsubscribe(house.session, later(hours=2), house.subscriptions_at(MARTA)[0].id)
            ask(house, at=later(days=30))
            assert sweep_expired_requests(house.session, later(days=40)) == 1
            house.session.expire_all()
            assert house.session.scalars(select(Address)).one().value is not None

    def test_a_letter_on_the_wire_is_waited_for(self, database_url: str) -> None:
        with open_house(database_url) as house:
            ask(house)
            [(delivery, _)] = house.letters_to(MARTA)
            delivery.state, delivery.token = "leased", "t"
            house.session.flush()
            assert sweep_expired_requests(house.session, later(days=7)) == 0
            delivery.state, delivery.token = "accepted", None
            house.session.flush()
            assert sweep_expired_requests(house.session, later(days=7, hours=1)) == 1

    def test_the_erased_may_ask_again(self, database_url: str) -> None:
        with open_house(database_url) as house:
            ask(house)
            sweep_expired_requests(house.session, later(days=7))
            house.session.expire_all()
            ask(house, at=later(days=8))
            assert house.kinds_to(MARTA) == ["confirm", "confirm"]
            assert house.address_of(MARTA).value == "Marta.Reader@followers.example"
