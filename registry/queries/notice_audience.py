"""Whom a statement of a notice would reach if it were made now, and whose clock is the longest (R11, R17, R27).

The counts come from the very conditions of the fan-out, before there is a statement or a letter. Of subscriptions none
is loaded, only numbers of them; of customers those whose contract runs, since the clock of each must be asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from registry.domain import vocabulary
from registry.domain.deliveries import SkipReason
from registry.domain.notices import (
    CustomerClock,
    CustomerTerms,
    EarliestEffect,
    first_effective_on,
    latest_day_begun,
    local_date,
    plan_clock_from,
    plan_effective,
)
from registry.domain.publishers import PublisherFacts
from registry.domain.terms import Terms
from registry.domain.vocabulary import ChannelKind, StatementKind, Weight
from registry.queries.notice_page import ChangeOfNotice, load_changes
from registry.steps.fan_out import find_skip_reason, select_addressed
from registry.steps.lookup import list_running_customers, read_facts
from registry.steps.revise_draft import weigh_notice
from registry.steps.working_days import working_days_for
from registry.tables import Address, Customer, Notice, Publisher, Subscription

CLOCKS_SHOWN: Final = 10
"""Customers on one page of those with the longest clocks."""
UNREACHED_SHOWN: Final = 50
"""Customers nobody can be told at that are named; the others are counted."""


@dataclass(frozen=True)
class Letters:
    """How many would be told by one channel: customers' contacts, and followers."""

    channel: ChannelKind
    contacts: int
    followers: int

    @property
    def total(self) -> int:
        """Contacts and followers together."""
        return self.contacts + self.followers


@dataclass(frozen=True)
class Skipped:
    """How many would not be told for one reason, of contacts or of followers."""

    audience: vocabulary.Audience
    reason: SkipReason
    count: int


@dataclass(frozen=True)
class Unreached:
    """A customer whose contract runs and of whom nobody would be told.

    `reason` is why a contact of it is skipped; None where it has no contact at all.
    """

    key: str
    name: str
    reason: SkipReason | None


@dataclass(frozen=True)
class CustomersClock:
    """When one customer's own clock allows a binding change: the first date of the publisher's zone.

    `rule` says which period ends last, and `days`, `counting` and `zone` are that period's. `objection_ends_on` is a
    date of the customer's zone. `is_told`: at least one of its contacts would be.
    """

    key: str
    name: str
    effective_on: date
    earliest_at: datetime
    rule: Literal["notice", "objection"]
    days: int
    counting: Literal["calendar", "business"]
    zone: str
    objection_ends_on: date
    is_told: bool


@dataclass(frozen=True)
class Audience:
    """Whom a notice would reach, announced at `announced_at` (UTC), which is now or the hour set for it.

    `letters` has a member for each channel somebody would be told by. `customers` counts those whose contract runs, and
    `reached` those of them of whom somebody would be told; the others are `unreached`, of whom the first are named.
    `earliest` is the earliest lawful effect and whose clock decides it; `waits` says whether the notice has to wait for
    it, which it has not in an emergency or where nothing in it binds (R3, R19). `clocks` is one page of the customers'
    own clocks, the longest first, and `has_more_clocks` whether another page follows.
    """

    announced_at: datetime
    letters: tuple[Letters, ...]
    skipped: tuple[Skipped, ...]
    customers: int
    reached: int
    unreached: tuple[Unreached, ...]
    earliest: EarliestEffect
    waits: bool
    clocks: tuple[CustomersClock, ...]
    has_more_clocks: bool

    @property
    def contacts(self) -> int:
        """Customers' contacts that would be told."""
        return sum(each.contacts for each in self.letters)

    @property
    def followers(self) -> int:
        """Followers that would be told."""
        return sum(each.followers for each in self.letters)

    @property
    def total(self) -> int:
        """Everybody who would be told: so many letters and messages would go out."""
        return self.contacts + self.followers

    @property
    def unreached_count(self) -> int:
        """Customers of whom nobody would be told."""
        return self.customers - self.reached


ByCustomer = Mapping[int, tuple[int, SkipReason | None]]
"""How many of each customer's contacts would be told, and a reason why one of the others is not."""


def load_audience(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    *,
    kind: StatementKind = StatementKind.ANNOUNCEMENT,
    page: int = 1,
    facts: PublisherFacts | None = None,
    changes: Sequence[ChangeOfNotice] | None = None,
) -> Audience:
    """Return whom a statement of this kind would reach at `now` (UTC), or at the hour the notice is to be announced.

    `page` counts from 1 and chooses among the customers' clocks. The publisher's `facts` and
    the notice's `changes` are read unless given. The number of queries does not depend on how many are told, nor does
    what is loaded; it grows with the customers alone.
    """
    announced_at = max(now, notice.announce_at or now) if notice.announced_at is None else now
    facts = facts or read_facts(session, publisher)
    changes = changes if changes is not None else load_changes(session, notice)
    rows = [each.row for each in changes]
    versions = {each.id: each for change in changes for each in (change.base, change.target) if each is not None}
    # The fan-out passes over whoever has not confirmed; here they are counted.
    reason = case(
        (Subscription.confirmed_at.is_(None), SkipReason.NOT_CONFIRMED.value),
        else_=find_skip_reason(session, announced_at, notice, kind, rows, versions),
    )
    letters, skipped, by_customer = _count(session, notice, kind, reason)
    running = list_running_customers(session, publisher, facts.notice, announced_at)
    unreached = [
        Unreached(row.key, row.name, _contacts_of(row, by_customer)[1])
        for row, _ in running
        if not _contacts_of(row, by_customer)[0]
    ]
    first = (page - 1) * CLOCKS_SHOWN
    clocks = _clocks(announced_at, facts, running)[first : first + CLOCKS_SHOWN + 1]
    return Audience(
        announced_at=announced_at,
        letters=letters,
        skipped=skipped,
        customers=len(running),
        reached=len(running) - len(unreached),
        unreached=tuple(unreached[:UNREACHED_SHOWN]),
        earliest=_earliest(announced_at, facts, (terms for _, terms in running)),
        waits=weigh_notice(rows) is Weight.BINDING and not notice.emergency_reason,
        clocks=tuple(
            _show_clock(clock, row, terms, facts.time_zone, is_told=bool(_contacts_of(row, by_customer)[0]))
            for clock, row, terms in clocks[:CLOCKS_SHOWN]
        ),
        has_more_clocks=len(clocks) > CLOCKS_SHOWN,
    )


def _count(
    session: Session, notice: Notice, kind: StatementKind, reason: ColumnElement[str | None]
) -> tuple[tuple[Letters, ...], tuple[Skipped, ...], ByCustomer]:
    """Count those who would be told by channel, the others by reason, and both by customer, in one query."""
    each = (
        select_addressed(notice, kind)
        .with_only_columns(
            Subscription.audience.label("audience"),
            Address.channel.label("channel"),
            Subscription.customer_id.label("customer_id"),
            reason.label("reason"),
        )
        .subquery()
    )
    columns = (each.c.audience, each.c.channel, each.c.customer_id, each.c.reason)
    told: Counter[tuple[str, str]] = Counter()
    skipped: Counter[tuple[str, str]] = Counter()
    by_customer: dict[int, tuple[int, SkipReason | None]] = {}
    for audience, channel, customer, why, count in session.execute(select(*columns, func.count()).group_by(*columns)):
        if why is None:
            told[channel, audience] += count
        else:
            skipped[audience, why] += count
        if customer is not None:
            reached, because = by_customer.get(customer, (0, None))
            worst = max([each for each in (because, why) if each is not None], default=None)
            by_customer[customer] = (reached + (count if why is None else 0), SkipReason(worst) if worst else None)
    contact, follower = vocabulary.Audience.CUSTOMER.value, vocabulary.Audience.FOLLOWER.value
    letters = tuple(
        Letters(channel, told[channel.value, contact], told[channel.value, follower])
        for channel in ChannelKind
        if (channel.value, contact) in told or (channel.value, follower) in told
    )
    ordered = sorted(skipped.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    named = tuple(Skipped(vocabulary.Audience(audience), SkipReason(why), count) for (audience, why), count in ordered)
    return letters, named, by_customer


def _contacts_of(row: Customer, by_customer: ByCustomer) -> tuple[int, SkipReason | None]:
    return by_customer.get(row.id, (0, None))


def _earliest(at: datetime, facts: PublisherFacts, customers: Iterable[CustomerTerms]) -> EarliestEffect:
    # Of customers with equal terms the first by key is named, so the others need not be asked.
    first_with: dict[Terms, CustomerTerms] = {}
    for customer in customers:
        first_with.setdefault(customer.terms, customer)
    return plan_effective(
        at,
        facts.notice,
        working_days_for(facts.notice, local_date(at, facts.notice.time_zone)),
        facts.time_zone,
        first_with.values(),
        facts.dispatch_margin_days,
    )


def _clocks(
    at: datetime, facts: PublisherFacts, running: Iterable[tuple[Customer, CustomerTerms]]
) -> list[tuple[CustomerClock, Customer, Terms]]:
    """Return every customer's own clock, the longest first; customers with equal terms are reckoned once."""
    known: dict[Terms, CustomerClock] = {}
    margin = timedelta(days=facts.dispatch_margin_days)
    found = []
    for row, customer in running:
        terms = customer.terms
        clock = known.get(terms)
        if clock is None:
            received_on = latest_day_begun(at, terms.time_zone) + margin
            clock = known[terms] = plan_clock_from(received_on, terms, customer.working_days)
        found.append((clock, row, terms))
    # The customers come by key, and a stable sort keeps them so where their clocks are equal.
    found.sort(key=lambda each: each[0].earliest_at, reverse=True)
    return found


def _show_clock(clock: CustomerClock, row: Customer, terms: Terms, zone: str, *, is_told: bool) -> CustomersClock:
    by_notice = clock.notice_ok_at >= clock.objection_ends_at
    return CustomersClock(
        key=row.key,
        name=row.name,
        effective_on=first_effective_on(clock.earliest_at, zone),
        earliest_at=clock.earliest_at,
        rule="notice" if by_notice else "objection",
        days=terms.days if by_notice else terms.objection_days,
        counting=terms.counting,
        zone=terms.time_zone,
        objection_ends_on=clock.objection_ends_on,
        is_told=is_told,
    )
