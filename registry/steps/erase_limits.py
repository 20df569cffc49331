"""How long what is kept at one instant: each publisher's cut-offs, and the legal holds that stand (R36)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.retention import Retention, RetentionKind, find_cutoff
from registry.steps.legal_holds import Holds, load_holds
from registry.steps.lookup import read_facts
from registry.tables import LegalHold, Publisher

Cutoffs = Mapping[RetentionKind, datetime | None]


@dataclass(frozen=True)
class Limits:
    """What a publisher lets go at one instant: what ended before each cut-off (UTC), less what a hold keeps.

    Without a publisher it is about reports and mail that were never matched to any, and about sign-ins, which are to
    the installation: for those `employers` has each cut-off with the publishers that have it, None for `forever`.
    """

    publisher_id: int | None
    cutoffs: Cutoffs
    holds: Holds
    employers: Mapping[datetime | None, tuple[int, ...]] = field(default_factory=dict)


def load_limits(session: Session, now: datetime, publisher: Publisher | None) -> Limits:
    """Return the limits of a publisher, or those of what belongs to none: the usual days, counted in UTC.

    Nobody can say whom an unmatched report is about, so any hold of the installation keeps them all.
    """
    if publisher is None:
        retention, zone, holds = Retention(), "UTC", _load_every_hold(session)
    else:
        facts = read_facts(session, publisher)
        retention, zone, holds = facts.retention, facts.time_zone, load_holds(session, publisher.id)
    cutoffs = {kind: find_cutoff(now, retention.days_of(kind), zone) for kind in RetentionKind}
    if publisher is None:
        return Limits(None, cutoffs, holds, _load_employers(session, now))
    return Limits(publisher.id, cutoffs, holds)


def _load_employers(session: Session, now: datetime) -> dict[datetime | None, tuple[int, ...]]:
    found: dict[datetime | None, tuple[int, ...]] = {}
    for publisher_id, facts in session.execute(select(Publisher.id, Publisher.facts).order_by(Publisher.id)):
        # A publisher of an earlier release says nothing about it.
        kept = Retention.model_validate(facts.get("retention", {})).days_of(RetentionKind.SIGN_INS)
        cutoff = find_cutoff(now, kept, facts["time_zone"])
        found[cutoff] = (*found.get(cutoff, ()), publisher_id)
    return found


def _load_every_hold(session: Session) -> Holds:
    return Holds(tuple(session.scalars(select(LegalHold).where(LegalHold.lifted_at.is_(None)).order_by(LegalHold.id))))
