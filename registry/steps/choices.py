"""What a subscription is limited to: products and kinds of change, none chosen meaning all (R27)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput, Problem
from registry.domain.text import Line
from registry.domain.validation import Document, find_near, read_model
from registry.domain.vocabulary import ChangeKind
from registry.tables import Product, Publisher, Subscription, SubscriptionKind, SubscriptionProduct


@dataclass(frozen=True)
class Choices:
    """Product keys and kinds of change, each sorted; an empty one means all."""

    products: tuple[str, ...] = ()
    kinds: tuple[ChangeKind, ...] = ()


class _Given(Document):
    products: tuple[Line, ...] = ()
    kinds: tuple[ChangeKind, ...] = ()


def read_choices(
    session: Session, publisher: Publisher, products: Sequence[str], kinds: Sequence[str | ChangeKind]
) -> Choices:
    """Validate what somebody chose.

    Raises `InvalidInput` with every problem: `unknown-product` with the near and the known keys, `unknown-choice` with
    near kinds.
    """
    problems: list[Problem] = []
    try:
        given = read_model(_Given, {"products": tuple(products), "kinds": tuple(kinds)})
    except InvalidInput as error:
        problems = error.problems
        given = None
    known = list(
        session.scalars(
            select(Product.key).where(Product.publisher_id == publisher.id).order_by(Product.position, Product.key)
        )
    )
    for at, key in enumerate(given.products if given else products):
        if key not in known and not any(problem.field == f"products.{at}" for problem in problems):
            params: dict[str, object] = {"near": find_near(key, known), "known": known}
            problems.append(Problem(f"products.{at}", key, "unknown-product", params))
    if problems or given is None:
        raise InvalidInput(problems)
    return Choices(tuple(sorted(set(given.products))), tuple(sorted(set(given.kinds), key=list(ChangeKind).index)))


def list_choices(session: Session, subscription: Subscription) -> Choices:
    """Return what a subscription is limited to."""
    products = session.scalars(
        select(SubscriptionProduct.product_key).where(SubscriptionProduct.subscription_id == subscription.id)
    )
    kinds = session.scalars(select(SubscriptionKind.kind).where(SubscriptionKind.subscription_id == subscription.id))
    chosen = [ChangeKind(kind) for kind in kinds]
    return Choices(tuple(sorted(products)), tuple(sorted(chosen, key=list(ChangeKind).index)))


def record_choices(session: Session, subscription: Subscription, choices: Choices) -> bool:
    """Limit a subscription to `choices` and nothing else; return whether that changed anything."""
    if list_choices(session, subscription) == choices:
        return False
    session.execute(delete(SubscriptionProduct).where(SubscriptionProduct.subscription_id == subscription.id))
    session.execute(delete(SubscriptionKind).where(SubscriptionKind.subscription_id == subscription.id))
    ids = {"subscription_id": subscription.id, "publisher_id": subscription.publisher_id}
    session.add_all(SubscriptionProduct(**ids, product_key=key) for key in choices.products)
    session.add_all(SubscriptionKind(**ids, kind=kind.value) for kind in choices.kinds)
    session.flush()
    return True
