"""Letters made ready together, right after their claim: the plain case, which most letters of a long list are.

Plain is a first try at a statement's letter to a follower who has the notice's earlier ones. Whatever else is due (a
contact's letter with its deadline, a confirmation, a repeat) is made ready by itself when its turn comes
(`start_delivery`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import JSON, BigInteger, Executable, String, Table, bindparam, case, column, func, select, update
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

from registry.channels.base import Envelope
from registry.domain.vocabulary import Audience, ChannelKind, StatementKind
from registry.letters.compose import sha256_of
from registry.letters.slots import Slot
from registry.steps.claim_deliveries import Lease
from registry.steps.dispatch import Dispatch
from registry.steps.merge_letter import Addressee, StoredLetter, fill_letter, make_merge, new_message_id, read_letter
from registry.steps.statement_order import waits_for_earlier
from registry.tables import Address, Delivery, Letter, Notice, Statement, Subscription
from registry.tables.among import POSTGRESQL, is_among
from registry.tables.compiled import CompiledStatement

NEEDS_MORE_THAN_ROWS = frozenset({Slot.CONFIRM_URL, Slot.OBJECTION_DEADLINE})

_DELIVERIES = cast(Table, Delivery.__table__)
_STORE = (
    update(_DELIVERIES)
    .where(_DELIVERIES.c.id == bindparam("delivery"), _DELIVERIES.c.token == bindparam("held_by"))
    .values(merge=bindparam("words"), message_id=bindparam("name"), note=None)
)
# All rows in one statement: PostgreSQL would take as many journeys as there are rows, or nearly as long.
_GIVEN = (
    func.json_to_recordset(bindparam("rows", type_=JSON))
    .table_valued(
        column("delivery", BigInteger), column("held_by", String), column("words", JSON), column("name", String)
    )
    .render_derived(with_types=True)
)
_STORE_TOGETHER = (
    update(_DELIVERIES)
    .where(_DELIVERIES.c.id == _GIVEN.c.delivery, _DELIVERIES.c.token == _GIVEN.c.held_by)
    # It does not know how many rows are given, and would rather go through ten thousand deliveries than look them up.
    .where(is_among(Delivery.id, "ids", POSTGRESQL))
    .values(merge=_GIVEN.c.words, message_id=_GIVEN.c.name, note=None)
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A letter whose words are stored, with the bytes that follow from them and their SHA-256."""

    envelope: Envelope
    sha256: str


Waiting = tuple[Lease, Prepared | None]
"""A letter that waits for its turn. Without what was prepared it is made then: not plain, or it could not be made."""


class Making:
    """Letters that are being made ready: read at once, made one by one whenever there is time, stored by and by."""

    def __init__(self, session: Session, now: datetime, leases: Sequence[Lease], dispatch: Dispatch) -> None:
        """Read what the plain ones of these letters are made of. What they say is counted from `now` (UTC)."""
        self._now = now
        self._dispatch = dispatch
        self._left = deque(leases)
        self._made: deque[Waiting] = deque()
        self._words: dict[int, dict[str, Any]] = {}
        self._rows = {row.id: row for row in _read_rows(session, leases)}
        letter_ids = {row.letter_id for row in self._rows.values()}
        read = session.scalars(_LETTERS, {"ids": list(letter_ids)}) if letter_ids else ()
        self._letters = {row.id: _read(row) for row in read}

    @property
    def made(self) -> int:
        """How many are made and not stored."""
        return len(self._made)

    def make_one(self) -> bool:
        """Make the next letter; return whether there was one left. Raises nothing.

        A letter that cannot be made is left out: its own turn finds out why, and puts it before a person.
        """
        if not self._left:
            return False
        lease = self._left.popleft()
        self._made.append((lease, self._make(self._rows.pop(lease.delivery_id, None))))
        return True

    def _make(self, row: Any) -> Prepared | None:
        if row is None:
            return None
        delivery_id, token, created_at, letter_id, subscription_id, name, confirmed_at, value, number, *_ = row
        letter, dispatch = self._letters[letter_id], self._dispatch
        if letter is None or letter.wanted & NEEDS_MORE_THAN_ROWS:
            return None
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
            message_id = new_message_id(letter, addressee, dispatch.letterhead, dispatch.keyring)
            merge = make_merge(self._now, letter, addressee, None, dispatch.letterhead, dispatch.keyring)
            bounce_address = dispatch.letterhead.bounce_address
            envelope = fill_letter(
                letter, addressee, merge, message_id, dispatch.keyring, bounce_address=bounce_address
            )
        except Exception:  # noqa: BLE001 - its own turn meets it again and puts it on record; raised, no claim would get past this row
            return None
        self._words[delivery_id] = {"delivery": delivery_id, "held_by": token, "words": merge, "name": message_id}
        return Prepared(envelope, sha256_of(envelope.message))

    def store(self, session: Session, most: int) -> list[Waiting]:
        """Store what those say that are made, up to `most` and where the lease still holds; return them in turn.

        None stands with a letter that is not plain, or could not be made.
        """
        some = [self._made.popleft() for _ in range(min(most, len(self._made)))]
        words = [self._words.pop(lease.delivery_id) for lease, prepared in some if prepared is not None]
        if words:
            connection = session.connection()
            if connection.dialect.name == POSTGRESQL:
                ids = [each["delivery"] for each in words]
                connection.execute(_STORE_TOGETHER, {"rows": words, "ids": ids})
            else:
                store = _store_one_by_one(connection.dialect)
                connection.exec_driver_sql(store.sql, [store.values(each) for each in words])
        return some


@lru_cache(maxsize=4)
def _store_one_by_one(dialect: Dialect) -> CompiledStatement:
    return CompiledStatement(_STORE, dialect)


def _read_rows(session: Session, leases: Sequence[Lease]) -> Sequence[Any]:
    tokens = {lease.delivery_id: lease.token for lease in leases}
    rows = session.connection().execute(_plain_ones(session.get_bind().dialect.name), {"ids": list(tokens)})
    return [
        row
        for row in rows
        if row.token == tokens[row.id]
        and row.attempt_count == 1
        and row.message_id is None
        and not row.waits_for_earlier
    ]


@lru_cache
def _plain_ones(dialect_name: str) -> Executable:
    """Followers' deliveries among these `ids`. Made once: to put it together takes as long as to run it.

    What can be seen of the row itself is not asked here: PostgreSQL would go through all that have no Message-ID yet.
    """
    return (
        select(
            Delivery.id,
            Delivery.token,
            Delivery.created_at,
            Delivery.letter_id,
            Subscription.id.label("subscription_id"),
            Subscription.name,
            Subscription.confirmed_at,
            Address.value,
            Notice.number,
            Delivery.attempt_count,
            Delivery.message_id,
            # Asked row by row, and of no announcement: nothing was said before it.
            case(
                (Statement.kind == StatementKind.ANNOUNCEMENT.value, False),
                else_=waits_for_earlier(),
            ).label("waits_for_earlier"),
        )
        .select_from(Delivery)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .join(Statement, Statement.id == Delivery.statement_id)
        .join(Notice, Notice.id == Statement.notice_id)
        .where(
            is_among(Delivery.id, "ids", dialect_name),
            Delivery.channel == ChannelKind.EMAIL.value,
            Subscription.audience == Audience.FOLLOWER.value,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
            Address.value.is_not(None),
        )
    )


_LETTERS = select(Letter).where(Letter.id.in_(bindparam("ids", expanding=True)))


def _read(row: Letter) -> StoredLetter | None:
    try:
        return read_letter(row)
    except Exception:  # noqa: BLE001 - each of its deliveries meets it again in its own turn, which puts it on record
        return None
