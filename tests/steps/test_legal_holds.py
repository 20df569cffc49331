"""A legal hold keeps what a claim needs, whatever retention or a person's wish says, until it is lifted (R36)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from registry.domain.errors import InvalidInput
from registry.i18n import explain
from registry.steps.approvals import COMMAND_LINE
from registry.steps.audience_errors import (
    LegalHoldLifted,
    LegalHoldNeedsAnother,
    LegalHoldStands,
    UnknownLegalHold,
)
from registry.steps.contacts import add_contact, end_contact, request_contact_change
from registry.steps.erase_person import erase_person
from registry.steps.errors import CommandLineMayNotApprove, ReasonMissing, UnknownCustomer, UnknownNotice
from registry.steps.legal_holds import lift_legal_hold, list_legal_holds, set_legal_hold
from registry.steps.lookup import get_customer, get_publisher
from registry.steps.record import Actor
from registry.steps.subscribe import sweep_expired_requests
from registry.tables import Address, Objection, Outcome, Subscription
from tests.steps.path_cast import HETZNER, announce, at, dump, events, follow, object_to, resolve, sweep
from tests.steps.retention_cast import (
    DPO,
    FRED,
    IN_EFFECT,
    addresses,
    attempts,
    erase,
    follower_of,
    hold,
    keeping,
    leave,
    letters,
    lift,
    names,
    objections,
    put_in_effect,
)
from tests.world import ANNA, BORIS, BREMEN, HANOI, World, utc

EVERYTHING = "{followers: 1, contacts: 1, letters: 1, answers: 1, objections: 1}"
HANOI_PRIVACY = "privacy@hanoi.example"
BOTH = BREMEN + HANOI.replace("{days: 45}", "{days: 30}")
LONG_AFTER = utc("2028-01-01 00:00")
THREE_PLACES = HETZNER | {
    "locations": [
        *HETZNER["locations"],
        {"country": "FI", "place": "Helsinki", "function": "processing"},
        {"country": "US", "place": "Ashburn", "function": "processing"},
    ]
}


def everything_over(world: World) -> str:
    """Have a notice in effect, objected to by both customers, whose contracts are over, and a follower who has left."""
    customers = BOTH.replace("    contacts:", "    contract_until: 2026-12-01\n    contacts:")
    number = put_in_effect(world, EVERYTHING, customers=customers)
    for customer in ("bremen", "hanoi"):
        object_to(world, number, customer)
        resolve(world, number, customer)
    leave(world, follower_of(world))
    return number


def texts_left(world: World) -> tuple[int, int, int]:
    """Count the letters with words, the attempts with an answer, and the objections with a ground."""
    return (
        sum(1 for each in letters(world) if each.merge),
        sum(1 for each in attempts(world) if each.answer),
        sum(1 for each in objections(world) if each.ground),
    )


class TestScopes:
    def test_a_hold_on_the_publisher_keeps_everything(self, world: World) -> None:
        everything_over(world)
        hold(world)
        before = dump(world)
        assert erase(world, LONG_AFTER) == {}
        assert dump(world) == before

    def test_without_one_all_of_it_goes(self, world: World) -> None:
        everything_over(world)
        erase(world, LONG_AFTER)
        assert (addresses(world), names(world), texts_left(world)) == (set(), set(), (0, 0, 0))

    def test_a_hold_on_a_customer_keeps_what_is_about_it_and_nothing_else(self, world: World) -> None:
        everything_over(world)
        hold(world, customer_key="bremen")
        erase(world, LONG_AFTER)
        assert addresses(world) == {DPO}
        assert texts_left(world) == (1, 1, 1)
        # It stands as it stood, and was not ended with its contract.
        with world.reading() as session:
            standing = select(Address.value).join(Subscription, Subscription.address_id == Address.id)
            assert session.scalars(standing.where(Subscription.ended_at.is_(None))).all() == [DPO]

    def test_a_hold_on_a_notice_keeps_what_is_about_it_with_all_addresses(self, world: World) -> None:
        number = everything_over(world)
        hold(world, number=number)
        assert erase(world, LONG_AFTER) == {}
        assert addresses(world) == {DPO, HANOI_PRIVACY, FRED}
        assert texts_left(world) == (3, 3, 2)

    def test_a_hold_on_another_notice_keeps_only_who_was_told_of_that_one(self, world: World) -> None:
        everything_over(world)
        world.at = utc("2026-11-05 08:00")
        follow(world, "late@reader.example", name="Late Reader")
        second = announce(world, THREE_PLACES)
        sweep(world)
        at(world, utc("2027-01-20 08:00"))
        assert world.notice(second).took_effect_at is not None
        leave(world, follower_of(world, "late@reader.example"))
        hold(world, number=second)
        erase(world, LONG_AFTER)
        # Both customers were told of the second one too: their contracts ended in December.
        assert addresses(world) == {"late@reader.example", DPO, HANOI_PRIVACY}
        assert FRED not in addresses(world)
        assert sum(1 for each in objections(world) if each.ground) == 0

    def test_a_hold_of_one_publisher_keeps_nothing_of_another(self, world: World) -> None:
        everything_over(world)
        theirs = keeping("{}", "")
        world.apply(replace(theirs, publisher=theirs.publisher.model_copy(update={"slug": "streamonapi"})))
        with world.writing() as session:
            set_legal_hold(session, world.at, get_publisher(session, "streamonapi"), ANNA, reason="Theirs")
        erase(world, LONG_AFTER)
        assert addresses(world) == set()


class TestLifting:
    def test_lifting_lets_the_next_sweep_erase_what_is_due(self, world: World) -> None:
        everything_over(world)
        number = hold(world)
        assert erase(world, LONG_AFTER) == {}
        lifted = lift(world, number)
        assert (lifted.lifted_at, lifted.lifted_by, lifted.lifted_because) == (LONG_AFTER, ANNA.name, "Settled")
        assert erase(world) != {}
        assert (addresses(world), texts_left(world)) == (set(), (0, 0, 0))

    def test_another_hold_on_the_same_goes_on(self, world: World) -> None:
        everything_over(world)
        first, second = hold(world, customer_key="bremen"), hold(world, customer_key="bremen")
        lift(world, first)
        erase(world, LONG_AFTER)
        assert addresses(world) == {DPO}
        lift(world, second)
        erase(world)
        assert addresses(world) == set()

    def test_setting_and_lifting_stand_in_the_record_without_the_words(self, world: World) -> None:
        world.apply(keeping("{}"))
        lift(world, hold(world, customer_key="bremen"))
        [was_set], [lifted] = events(world, "legal_hold.set"), events(world, "legal_hold.lifted")
        assert was_set.payload == lifted.payload == {"scope": "customer", "of": "bremen"}
        assert (was_set.subject_kind, was_set.subject, was_set.actor) == ("legal_hold", "1", str(ANNA))
        assert "File 26-114" not in str([was_set.payload, lifted.payload])

    def test_holds_are_listed_with_what_they_cover(self, world: World) -> None:
        world.apply(keeping("{}"))
        number = announce(world)
        for scope in ({}, {"customer_key": "bremen"}, {"number": number}):
            hold(world, **scope)
        lift(world, 2)
        with world.reading() as session:
            publisher = get_publisher(session, "antopsis")
            standing = list_legal_holds(session, publisher)
            assert [(each.scope, each.subject) for each in standing] == [("publisher", "antopsis"), ("notice", number)]
            assert len(list_legal_holds(session, publisher, with_lifted=True)) == 3


def _lift_as(world: World, number: int, actor: Actor, reason: str = "Settled") -> None:
    with world.writing() as session:
        lift_legal_hold(session, world.at, get_publisher(session, "antopsis"), number, actor, reason=reason)


class TestRefusals:
    def test_where_approvals_are_required_somebody_else_lifts(self, world: World) -> None:
        world.apply(keeping("{}", approvals=1))
        number = hold(world)
        for same in (ANNA, Actor(f" {ANNA.name.upper()} ", "web")):
            with pytest.raises(LegalHoldNeedsAnother) as refused:
                _lift_as(world, number, same)
        assert "requires a second person: let somebody else lift it" in explain(refused.value)
        _lift_as(world, number, BORIS)
        assert [event.actor for event in events(world, "legal_hold.lifted")] == [str(BORIS)]

    def test_a_name_that_is_only_claimed_is_no_second_person(self, world: World) -> None:
        world.apply(keeping("{}", approvals=1))
        number = hold(world)
        with pytest.raises(CommandLineMayNotApprove):
            _lift_as(world, number, Actor(BORIS.name, COMMAND_LINE, "root"))

    def test_where_none_are_required_one_person_does_both(self, world: World) -> None:
        world.apply(keeping("{}"))
        assert lift(world, hold(world)).lifted_by == ANNA.name

    def test_a_hold_is_lifted_once_and_must_exist(self, world: World) -> None:
        world.apply(keeping("{}"))
        number = hold(world)
        _lift_as(world, number, BORIS)
        with pytest.raises(LegalHoldLifted):
            _lift_as(world, number, BORIS)
        hold(world)
        with pytest.raises(UnknownLegalHold) as unknown:
            _lift_as(world, 77, BORIS)
        assert explain(unknown.value) == "antopsis has no legal hold of the number 77. Known: 2."

    @pytest.mark.parametrize("reason", ["", "   ", "\n"])
    def test_both_need_a_reason(self, world: World, reason: str) -> None:
        world.apply(keeping("{}"))
        number = hold(world)
        with pytest.raises(ReasonMissing):
            _lift_as(world, number, BORIS, reason)
        with world.writing() as session, pytest.raises(ReasonMissing):
            set_legal_hold(session, world.at, get_publisher(session, "antopsis"), ANNA, reason=reason)

    def test_a_reason_is_one_clean_line(self, world: World) -> None:
        world.apply(keeping("{}"))
        with world.writing() as session, pytest.raises(InvalidInput):
            set_legal_hold(session, world.at, get_publisher(session, "antopsis"), ANNA, reason="one\ntwo")

    def test_a_hold_names_one_thing_that_exists(self, world: World) -> None:
        world.apply(keeping("{}"))
        with pytest.raises(UnknownCustomer):
            hold(world, customer_key="nobody")
        with pytest.raises(UnknownNotice):
            hold(world, number="2026-009")
        with pytest.raises(ValueError, match="not both"):
            hold(world, customer_key="bremen", number="2026-001")


def _erase_person(world: World, email: str) -> int:
    with world.writing() as session:
        return erase_person(session, world.at, get_publisher(session, "antopsis"), email, ANNA)


class TestErasingAPerson:
    @pytest.mark.parametrize("scope", ["publisher", "customer", "notice"])
    def test_a_person_under_a_hold_is_not_erased_and_the_error_says_by_which(self, world: World, scope: str) -> None:
        number = put_in_effect(world, "{}")
        with world.writing() as session:
            customer = get_customer(session, get_publisher(session, "antopsis"), "bremen")
            add_contact(session, world.at, customer, "second@bremen.example", ANNA)
            end_contact(session, world.at, customer, DPO, ANNA)
        scopes = {"publisher": {}, "customer": {"customer_key": "bremen"}, "notice": {"number": number}}
        held = hold(world, **scopes[scope])
        with pytest.raises(LegalHoldStands) as refused:
            _erase_person(world, DPO)
        subject = {"publisher": "antopsis", "customer": "bremen", "notice": number}[scope]
        assert explain(refused.value) == (
            f"Nothing was erased: legal hold {held} stands on the {scope} {subject} (File 26-114). Once the claim is "
            f"over, lift it: registry legal-hold lift {held} --publisher antopsis --reason TEXT."
        )
        assert DPO in addresses(world)
        lift(world, held)
        assert _erase_person(world, DPO) == 1
        assert DPO not in addresses(world)

    def test_a_hold_on_somebody_else_is_no_reason_to_refuse(self, world: World) -> None:
        put_in_effect(world, "{}", customers=BOTH)
        hold(world, customer_key="hanoi")
        assert _erase_person(world, FRED) == 1
        [event] = events(world, "address.erased")
        assert event.payload == {"because": "asked_for", "letters": 1}

    def test_who_was_told_of_a_held_notice_is_held_as_a_follower_too(self, world: World) -> None:
        number = put_in_effect(world, "{}")
        hold(world, number=number)
        with pytest.raises(LegalHoldStands):
            _erase_person(world, FRED)


def test_a_wish_to_take_a_held_customers_contacts_place_ends_and_its_address_stays(world: World) -> None:
    world.apply(keeping("{}"))
    with world.writing() as session:
        contact = session.scalars(select(Subscription)).one()
        request_contact_change(
            session,
            world.at,
            contact,
            world.wiring.letterhead,
            world.wiring.keyring,
            email="new@bremen.example",
            name="N. Ewe",
        )
    number = hold(world, customer_key="bremen")
    world.at += timedelta(days=8)
    with world.writing() as session:
        assert sweep_expired_requests(session, world.at) == 1
    assert (addresses(world), names(world)) == ({DPO, "new@bremen.example"}, {"N. Ewe"})
    lift(world, number)
    assert erase(world) == {"addresses": 1}
    assert (addresses(world), names(world)) == ({DPO}, set())


def test_a_held_letters_reports_and_objection_by_a_customer_that_is_not_known_stay_with_the_notice(
    world: World,
) -> None:
    number = put_in_effect(world, EVERYTHING)
    object_to(world, number, "bremen")
    resolve(world, number, "bremen")
    with world.writing() as session:
        session.execute(update(Objection).values(customer_id=None))
        delivery = letters(world)[0]
        session.add(
            Outcome(
                publisher_id=delivery.publisher_id,
                delivery_id=delivery.id,
                provider="tests",
                event_id="1",
                message_id=delivery.message_id,
                kind="delivered",
                detail="250 taken",
                happened_at=IN_EFFECT,
                recorded_at=IN_EFFECT,
            )
        )
    held = hold(world, number=number)
    assert erase(world, LONG_AFTER) == {}
    lift(world, held)
    assert erase(world, LONG_AFTER) == {"letters": 2, "answers": 3, "objections": 1}
