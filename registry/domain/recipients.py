"""Who is told by a statement of a notice, and why somebody is not (R27).

This is the specification of the fan-out, one subscription at a time. The fan-out itself is one statement in SQL, in
`registry.steps`, and a test compares the two. Nothing here knows a database, an address or a letter.
"""

from __future__ import annotations

from dataclasses import dataclass

from registry.domain.deliveries import SkipReason
from registry.domain.vocabulary import Audience, ChangeKind, StatementKind


@dataclass(frozen=True)
class SubscriptionFacts:
    """What matters about one subscription.

    `products` and `kinds` are what it is limited to, empty meaning all. `is_address_known`: not erased.
    `shares_address_with_contact`: a standing contact of a customer whose contract runs gets this statement at the same
    address; it plays no part for a contact. `was_told`: the notice's announcement went to it, or is going; before a
    withdrawal any of its letters counts.
    `has_contract_ended`: its customer's contract is over, or it dropped out of the notice (R17); it plays no part for
    a follower. `is_standby`: a contact that is told once the customer's others were not reached (R13); it plays no part
    for a follower either. A contact that stands by and was called in `was_told`. `is_paused`: a follower who wants no
    letters for now; a contact cannot pause (R34).
    """

    audience: Audience
    is_confirmed: bool = True
    has_ended: bool = False
    is_address_known: bool = True
    is_suppressed: bool = False
    products: frozenset[str] = frozenset()
    kinds: frozenset[ChangeKind] = frozenset()
    wants_reminders: bool = True
    wants_effect: bool = False
    shares_address_with_contact: bool = False
    was_told: bool = False
    has_contract_ended: bool = False
    is_standby: bool = False
    is_paused: bool = False


TOLD_WHEN_CALLED_IN = frozenset({StatementKind.ANNOUNCEMENT, StatementKind.CORRECTION, StatementKind.POSTPONEMENT})
"""What a contact that stands by has a row for before it is called in: what somebody is told who joins later (R18)."""


@dataclass(frozen=True)
class ConcernedBy:
    """One change of a notice: the products it concerns, before or after it, empty meaning all; and its kinds."""

    products: frozenset[str]
    kinds: frozenset[ChangeKind]


@dataclass(frozen=True)
class NoticeFacts:
    """What matters about a notice and the statement it makes. `has_binding`: at least one change binds (R3)."""

    statement: StatementKind
    changes: tuple[ConcernedBy, ...]
    has_binding: bool


def is_addressed(subscription: SubscriptionFacts, notice: NoticeFacts) -> bool:
    """Return whether a statement is for this subscription at all; where it is not, it is no recipient that was skipped.

    Statements after the announcement are for those it went to (R15). Reminders go to followers who want them and to
    every contact. That a notice has taken effect is told to those who asked for it, of either audience. A contact that
    stands by may be called in for whatever still counts by then.
    """
    if waits_to_be_called_in(subscription, notice):
        return notice.statement in TOLD_WHEN_CALLED_IN
    if notice.statement is not StatementKind.ANNOUNCEMENT and not subscription.was_told:
        return False
    if notice.statement is StatementKind.REMINDER:
        return subscription.audience is Audience.CUSTOMER or subscription.wants_reminders
    if notice.statement is StatementKind.EFFECT:
        return subscription.wants_effect
    return True


def waits_to_be_called_in(subscription: SubscriptionFacts, notice: NoticeFacts) -> bool:
    """Return whether the other contacts of its customer come first (R13)."""
    if subscription.audience is not Audience.CUSTOMER or not subscription.is_standby:
        return False
    return notice.statement is StatementKind.ANNOUNCEMENT or not subscription.was_told


def choose_recipient(subscription: SubscriptionFacts, notice: NoticeFacts) -> SkipReason | None:
    """Return why a subscription that `is_addressed` is not told, or None where it is told (R27).

    Of several reasons the first of this order is given: a wish that does not count or no longer does, an address that
    cannot or must not be used, a follower's pause, a customer whom the notice does not concern, the contact at the same
    address, what the subscription is limited to, and last the contacts who come first. A contact's limits never drop a
    notice that binds its company.
    """
    is_contact = subscription.audience is Audience.CUSTOMER
    if not subscription.is_confirmed:
        return SkipReason.NOT_CONFIRMED
    if subscription.has_ended:
        return SkipReason.UNSUBSCRIBED
    if not subscription.is_address_known:
        return SkipReason.NO_ADDRESS
    if subscription.is_suppressed:
        return SkipReason.SUPPRESSED
    if subscription.is_paused and not is_contact:
        return SkipReason.PAUSED
    # A customer who came later does not hold the notice, but is told all of it, like those who stand in it (R17).
    if is_contact and subscription.has_contract_ended:
        return SkipReason.CONTRACT_ENDED
    if not is_contact and subscription.shares_address_with_contact:
        return SkipReason.SAME_ADDRESS_AS_CONTACT
    # Whoever was told of a notice is told what becomes of it, whatever their choices by now (R15).
    if notice.statement is StatementKind.ANNOUNCEMENT and not (is_contact and notice.has_binding):
        reason = _choose_by_limits(subscription, notice)
        if reason is not None:
            return reason
    return SkipReason.STANDBY if waits_to_be_called_in(subscription, notice) else None


def _choose_by_limits(subscription: SubscriptionFacts, notice: NoticeFacts) -> SkipReason | None:
    """Compare limits with the changes: one change that fits both limits is enough, two that fit one each are not."""
    of_its_products = [change for change in notice.changes if _meet(subscription.products, change.products)]
    if not of_its_products:
        return SkipReason.FILTERED_BY_PRODUCT
    if not any(not subscription.kinds or subscription.kinds & change.kinds for change in of_its_products):
        return SkipReason.FILTERED_BY_KIND
    return None


def _meet(wanted: frozenset[str], concerned: frozenset[str]) -> bool:
    return not wanted or not concerned or bool(wanted & concerned)
