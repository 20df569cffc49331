"""Who is told by a statement, and why somebody is not (R27)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.deliveries import SkipReason
from registry.domain.recipients import ConcernedBy, NoticeFacts, SubscriptionFacts, choose_recipient, is_addressed
from registry.domain.vocabulary import Audience, ChangeKind, StatementKind

FOLLOWER = SubscriptionFacts(Audience.FOLLOWER)
CONTACT = SubscriptionFacts(Audience.CUSTOMER)

STREAMING, CLIPS, ALL_PRODUCTS = frozenset({"streaming"}), frozenset({"clips"}), frozenset[str]()
LOCATION, DATA = frozenset({ChangeKind.LOCATION}), frozenset({ChangeKind.DATA})


def notice_of(
    *changes: tuple[frozenset[str], frozenset[ChangeKind]],
    binds: bool = True,
    statement: StatementKind = StatementKind.ANNOUNCEMENT,
) -> NoticeFacts:
    """A notice whose changes concern these products in these kinds."""
    return NoticeFacts(statement, tuple(ConcernedBy(*change) for change in changes), binds)


ANYTHING = notice_of((ALL_PRODUCTS, LOCATION))


@pytest.mark.parametrize("subscription", [FOLLOWER, CONTACT])
def test_who_limits_nothing_is_told_of_everything(subscription: SubscriptionFacts) -> None:
    assert choose_recipient(subscription, ANYTHING) is None
    assert choose_recipient(subscription, notice_of((STREAMING, DATA), binds=False)) is None


@pytest.mark.parametrize("subscription", [FOLLOWER, CONTACT])
@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        ({"is_confirmed": False}, SkipReason.NOT_CONFIRMED),
        ({"has_ended": True}, SkipReason.UNSUBSCRIBED),
        ({"is_address_known": False}, SkipReason.NO_ADDRESS),
        ({"is_suppressed": True}, SkipReason.SUPPRESSED),
    ],
)
def test_who_cannot_or_must_not_be_written_to_is_skipped_of_either_audience(
    subscription: SubscriptionFacts, fact: dict[str, Any], reason: SkipReason
) -> None:
    assert choose_recipient(replace(subscription, **fact), ANYTHING) is reason


@pytest.mark.parametrize(
    ("wants", "concerns", "reason"),
    [
        (STREAMING, STREAMING, None),
        (STREAMING, CLIPS, SkipReason.FILTERED_BY_PRODUCT),
        (STREAMING, STREAMING | CLIPS, None),
        (STREAMING | CLIPS, CLIPS, None),
        (STREAMING, ALL_PRODUCTS, None),
        (ALL_PRODUCTS, CLIPS, None),
    ],
)
def test_a_follower_hears_of_its_products_and_of_what_concerns_all(
    wants: frozenset[str], concerns: frozenset[str], reason: SkipReason | None
) -> None:
    assert choose_recipient(replace(FOLLOWER, products=wants), notice_of((concerns, DATA))) is reason


@pytest.mark.parametrize(
    ("wants", "reason"),
    [(LOCATION, None), (DATA, SkipReason.FILTERED_BY_KIND), (LOCATION | DATA, None), (frozenset(), None)],
)
def test_a_follower_hears_of_its_kinds_of_change(wants: frozenset[ChangeKind], reason: SkipReason | None) -> None:
    assert choose_recipient(replace(FOLLOWER, kinds=wants), notice_of((STREAMING, LOCATION))) is reason


def test_one_change_must_fit_both_limits_and_two_that_fit_one_each_do_not() -> None:
    limited = replace(FOLLOWER, products=STREAMING, kinds=DATA)
    apart = notice_of((STREAMING, LOCATION), (CLIPS, DATA))
    assert choose_recipient(limited, apart) is SkipReason.FILTERED_BY_KIND
    assert choose_recipient(limited, notice_of((CLIPS, LOCATION), (STREAMING, DATA))) is None
    assert choose_recipient(limited, notice_of((CLIPS, DATA))) is SkipReason.FILTERED_BY_PRODUCT


def test_a_contacts_limits_never_drop_a_notice_that_binds_its_company() -> None:
    limited = replace(CONTACT, products=STREAMING, kinds=DATA)
    assert choose_recipient(limited, notice_of((CLIPS, LOCATION), binds=True)) is None
    assert choose_recipient(limited, notice_of((CLIPS, LOCATION), binds=False)) is SkipReason.FILTERED_BY_PRODUCT
    assert choose_recipient(limited, notice_of((STREAMING, LOCATION), binds=False)) is SkipReason.FILTERED_BY_KIND


def test_where_contact_and_follower_share_an_address_the_contact_is_told() -> None:
    shared: dict[str, Any] = {"shares_address_with_contact": True}
    assert choose_recipient(replace(FOLLOWER, **shared), ANYTHING) is SkipReason.SAME_ADDRESS_AS_CONTACT
    assert choose_recipient(replace(CONTACT, **shared), ANYTHING) is None


def test_a_contact_whose_customers_contract_has_ended_is_not_told() -> None:
    assert choose_recipient(replace(CONTACT, has_contract_ended=True), ANYTHING) is SkipReason.CONTRACT_ENDED
    assert choose_recipient(replace(FOLLOWER, has_contract_ended=True), ANYTHING) is None


@pytest.mark.parametrize("statement", list(StatementKind))
def test_later_statements_are_for_those_the_announcement_went_to(statement: StatementKind) -> None:
    later = notice_of((ALL_PRODUCTS, DATA), statement=statement)
    everything: dict[str, Any] = {"wants_effect": True, "wants_reminders": True}
    assert is_addressed(replace(FOLLOWER, was_told=True, **everything), later) is True
    expected = statement is StatementKind.ANNOUNCEMENT
    assert is_addressed(replace(FOLLOWER, was_told=False, **everything), later) is expected


def test_reminders_go_to_every_contact_and_to_followers_who_want_them() -> None:
    reminder = notice_of((ALL_PRODUCTS, DATA), statement=StatementKind.REMINDER)
    for wants in (True, False):
        assert is_addressed(replace(CONTACT, was_told=True, wants_reminders=wants), reminder) is True
        assert is_addressed(replace(FOLLOWER, was_told=True, wants_reminders=wants), reminder) is wants


@pytest.mark.parametrize("subscription", [FOLLOWER, CONTACT])
def test_that_a_notice_took_effect_is_told_to_those_who_asked(subscription: SubscriptionFacts) -> None:
    effect = notice_of((ALL_PRODUCTS, DATA), statement=StatementKind.EFFECT)
    for wants in (True, False):
        assert is_addressed(replace(subscription, was_told=True, wants_effect=wants), effect) is wants


def test_a_contact_that_stands_by_waits_until_the_others_were_not_reached() -> None:
    standby = replace(CONTACT, is_standby=True)
    assert choose_recipient(standby, ANYTHING) is SkipReason.STANDBY
    assert choose_recipient(replace(FOLLOWER, is_standby=True), ANYTHING) is None


@pytest.mark.parametrize("statement", list(StatementKind))
def test_a_contact_that_was_called_in_counts_as_told(statement: StatementKind) -> None:
    called_in = replace(CONTACT, is_standby=True, was_told=True, wants_effect=True)
    later = notice_of((ALL_PRODUCTS, DATA), statement=statement)
    assert is_addressed(called_in, later) is True
    expected = SkipReason.STANDBY if statement is StatementKind.ANNOUNCEMENT else None
    assert choose_recipient(called_in, later) is expected


@pytest.mark.parametrize("statement", list(StatementKind))
def test_a_contact_that_stands_by_has_a_row_for_what_it_may_be_called_in_for(statement: StatementKind) -> None:
    standby = replace(CONTACT, is_standby=True, wants_effect=True)
    later = notice_of((ALL_PRODUCTS, DATA), statement=statement)
    assert is_addressed(standby, later) is (statement in {"announcement", "correction", "postponement"})


def test_what_keeps_a_contact_from_being_told_at_all_goes_before_its_standing_by() -> None:
    standby = replace(CONTACT, is_standby=True, products=STREAMING)
    assert choose_recipient(replace(standby, is_suppressed=True), ANYTHING) is SkipReason.SUPPRESSED
    assert choose_recipient(standby, notice_of((CLIPS, DATA), binds=False)) is SkipReason.FILTERED_BY_PRODUCT
    assert choose_recipient(standby, notice_of((CLIPS, DATA), binds=True)) is SkipReason.STANDBY


products = st.frozensets(st.sampled_from(["streaming", "clips", "calls"]))
kinds = st.frozensets(st.sampled_from([ChangeKind.LOCATION, ChangeKind.DATA, ChangeKind.TRANSFER]))
some_changes = st.lists(st.builds(ConcernedBy, products, kinds.filter(bool)), min_size=1, max_size=4).map(tuple)
any_notice = st.builds(NoticeFacts, st.sampled_from(StatementKind), some_changes, st.booleans())
any_subscription = st.builds(
    SubscriptionFacts,
    st.sampled_from(Audience),
    *[st.booleans()] * 4,
    products,
    kinds,
    *[st.booleans()] * 6,
)


@given(any_subscription, any_notice)
def test_choosing_more_never_loses_a_recipient(subscription: SubscriptionFacts, notice: NoticeFacts) -> None:
    if choose_recipient(subscription, notice) is None:
        assert choose_recipient(replace(subscription, products=frozenset()), notice) is None
        assert choose_recipient(replace(subscription, kinds=frozenset()), notice) is None


@given(any_subscription, any_notice)
def test_only_what_concerns_the_person_or_the_address_keeps_a_binding_notice_from_a_contact(
    subscription: SubscriptionFacts, notice: NoticeFacts
) -> None:
    reason = choose_recipient(replace(subscription, audience=Audience.CUSTOMER), replace(notice, has_binding=True))
    assert reason not in (
        SkipReason.FILTERED_BY_PRODUCT,
        SkipReason.FILTERED_BY_KIND,
        SkipReason.SAME_ADDRESS_AS_CONTACT,
    )


@given(any_subscription, any_notice)
def test_the_suppressed_and_the_departed_are_never_told(subscription: SubscriptionFacts, notice: NoticeFacts) -> None:
    facts: list[dict[str, Any]] = [
        {"is_suppressed": True},
        {"has_ended": True},
        {"is_confirmed": False},
        {"is_address_known": False},
    ]
    for fact in facts:
        assert choose_recipient(replace(subscription, **fact), notice) is not None
