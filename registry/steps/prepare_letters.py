"""Letters made ready together, right after their claim: the plain case, which most letters of a long list are.

Plain is a first try at a statement's letter to a follower. Whatever else is due (a contact's letter with its deadline,
a confirmation, a repeat) is made ready by itself when its turn comes (`start_delivery`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import JSON, BigInteger, String, Table, bindparam, column, func, select, update
from sqlalchemy.orm import Session

from registry.channels.base import Envelope
from registry.domain.deliveries import DeliveryState
from registry.domain.vocabulary import Audience, ChannelKind
from registry.letters.compose import sha256_of
from registry.letters.slots import Slot
from registry.steps.claim_deliveries import Lease
from registry.steps.dispatch import Dispatch
from registry.steps.merge_letter import Addressee, StoredLetter, fill_letter, make_merge, new_message_id, read_letter
from registry.tables import Address, Delivery, Letter, Notice, Statement, Subscription

NEEDS_MORE_THAN_ROWS = frozenset({Slot.CONFIRM_URL, Slot.OBJECTION_DEADLINE})

_DELIVERIES = cast(Table, Delivery.__table__)
_STORE = (
    update(_DELIVERIES)
    .where(_DELIVERIES.c.id == bindparam("delivery"))
    .values(merge=bindparam("words"), message_id=bindparam("name"), note=None)
)
# All rows in one statement: PostgreSQL would take as many journeys as there are rows, or nearly as long.
_GIVEN = (
    func.json_to_recordset(bindparam("rows", type_=JSON))
    .table_valued(column("delivery", BigInteger), column("words", JSON), column("name", String))
    .render_derived(with_types=True)
)
_STORE_TOGETHER = (
    update(_DELIVERIES)
    .where(_DELIVERIES.c.id == _GIVEN.c.delivery)
    .values(merge=_GIVEN.c.words, message_id=_GIVEN.c.name, note=None)
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A letter whose words are stored, with the bytes that follow from them and their SHA-256."""

    envelope: Envelope
    sha256: str


def prepare_letters(
    session: Session, now: datetime, leases: Sequence[Lease], dispatch: Dispatch
) -> dict[int, Prepared]:
    """Store what the plain ones of these letters will say, counted from `now` (UTC), and return them by delivery.

    A letter that cannot be made is left out: its own turn finds out why, and puts it before a person.
    """
    rows = session.execute(
        select(
            Delivery.id,
            Delivery.created_at,
            Delivery.letter_id,
            Subscription.id,
            Subscription.name,
            Subscription.confirmed_at,
            Address.value,
            Notice.number,
        )
        .select_from(Delivery)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .join(Statement, Statement.id == Delivery.statement_id)
        .join(Notice, Notice.id == Statement.notice_id)
        .where(
            Delivery.id.in_(bindparam("ids", [lease.delivery_id for lease in leases], expanding=True)),
            Delivery.token.in_({lease.token for lease in leases}),
            Delivery.state == DeliveryState.LEASED.value,
            Delivery.attempt_count == 1,
            Delivery.message_id.is_(None),
            Delivery.channel == ChannelKind.EMAIL.value,
            Subscription.audience == Audience.FOLLOWER.value,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
            Address.value.is_not(None),
        )
    ).all()
    if not rows:
        return {}
    letter_ids = {row.letter_id for row in rows}
    letters = {row.id: _read(row) for row in session.scalars(select(Letter).where(Letter.id.in_(letter_ids)))}
    prepared: dict[int, Prepared] = {}
    stored = []
    bounce_address = dispatch.letterhead.bounce_address
    for delivery_id, created_at, letter_id, subscription_id, name, confirmed_at, value, number in rows:
        addressee = Addressee(
            delivery_id=delivery_id,
            created_at=created_at,
            subscription_id=subscription_id,
            audience=Audience.FOLLOWER,
            address=value or "",
            name=name,
            confirmed_at=confirmed_at,
            customer_name=None,
            notice_number=number,
        )
        try:
            letter = letters[letter_id]
            if letter is None or letter.wanted & NEEDS_MORE_THAN_ROWS:
                continue
            message_id = new_message_id(letter, addressee, dispatch.letterhead, dispatch.keyring)
            merge = make_merge(now, letter, addressee, None, dispatch.letterhead, dispatch.keyring)
            envelope = fill_letter(
                letter, addressee, merge, message_id, dispatch.keyring, bounce_address=bounce_address
            )
        except Exception:  # noqa: BLE001, S112 - its own turn meets it again and puts it on record; raised, no claim would get past this row
            continue
        prepared[delivery_id] = Prepared(envelope, sha256_of(envelope.message))
        stored.append({"delivery": delivery_id, "words": merge, "name": message_id})
    if stored:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(_STORE_TOGETHER, {"rows": stored})
        else:
            session.execute(_STORE, stored)
    return prepared


def _read(row: Letter) -> StoredLetter | None:
    try:
        return read_letter(row)
    except Exception:  # noqa: BLE001 - each of its deliveries meets it again in its own turn, which puts it on record
        return None
