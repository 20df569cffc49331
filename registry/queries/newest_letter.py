"""The newest letter to a subscription, which says whether it is reached: for lists that show one beside each."""

from __future__ import annotations

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.orm import aliased

from registry.tables import Delivery, Subscription


def newest_letter() -> ScalarSelect[int]:
    """Return the number of the newest delivery to a subscription (`Subscription`, of the query it stands in)."""
    other = aliased(Delivery)
    newest = select(func.max(other.id)).where(other.subscription_id == Subscription.id)
    return newest.correlate(Subscription).scalar_subquery()
