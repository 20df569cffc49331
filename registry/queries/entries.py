"""The list as the team works on it: searched, narrowed, sorted, a page at a time.

What a filter asks of an entry's content is asked here and not of the database: the two that are supported fold letters
differently, and neither reads JSON as the other does. Then the documents are read, and nothing else; a list that is
only paged, or narrowed by its state, reads those of its page alone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from registry.domain.notice_life import OPEN_STATES, NoticeState
from registry.domain.transfers import UNKNOWN
from registry.domain.vocabulary import Role
from registry.pages.entry_facts import Names, show_field
from registry.pages.grounds import ground_in_words
from registry.pages.wording import local_date
from registry.tables import (
    Entry,
    EntryInternal,
    EntryVersion,
    ListPeriod,
    Notice,
    NoticeChange,
    PendingEdit,
    Product,
    Publisher,
)

LONGEST_SEARCH: Final = 200
"""Characters of a search that are looked at."""
SORTS: Final = {
    "list": "As on the public page",
    "name": "Name",
    "changed": "Latest change",
    "review": "Review due",
}
STATES: Final = {
    "listed": "On the list",
    "waiting": "An edit waits",
    "in_notice": "In an open notice",
    "removed": "Left the list",
}


@dataclass(frozen=True)
class ListWish:
    """What somebody wants to see of the list. `q` are words that must all occur in name, key or purpose.

    `country` is the code of a place or reach, `mechanism` the id of a transfer ground, `state` one of `STATES` (empty:
    all but what left the list) or `in_notice:` and a number, `sort` one of `SORTS`.
    """

    q: str = ""
    role: str = ""
    product: str = ""
    country: str = ""
    mechanism: str = ""
    state: str = ""
    sort: str = "list"

    @property
    def asks_anything(self) -> bool:
        """Whether the list is narrowed at all."""
        return bool(self.q.strip() or self.state or self._reads_content)

    @property
    def needs_content(self) -> bool:
        """Whether the documents must be read to answer."""
        return bool(fold(self.q).split() or self._reads_content or self.sort == "name")

    @property
    def _reads_content(self) -> bool:
        return bool(self.role or self.product or self.country or self.mechanism)


@dataclass(frozen=True)
class EntryRow:
    """One entry as a row of the list. `document` is what stands there now, or what waits to, or what stood there last.

    All dates are of the publisher's zone: `listed_on` began its present stay, `removed_on` ended its last.
    `is_waiting`: an edit waits that no open notice carries. `is_leaving`: it is wanted off the list. `notice` is the
    open notice it stands in, with its state and the date last told.
    """

    key: str
    document: Mapping[str, Any]
    listed_on: date | None
    removed_on: date | None
    is_waiting: bool
    is_leaving: bool
    notice: str | None
    notice_state: NoticeState | None
    effective_on: date | None
    review_due_on: date | None

    @property
    def role(self) -> str:
        """The legal role in words."""
        return self._words("role")[0]

    @property
    def places(self) -> tuple[str, ...]:
        """The places in words."""
        return self._words("locations")

    @property
    def grounds(self) -> tuple[str, ...]:
        """The transfer grounds in plain words, each with where it leads."""
        grounds = [ground_in_words(transfer) for transfer in self.document.get("transfers", ())]
        return tuple(f"{each.destination}: {each.plain}" if each.destination else each.plain for each in grounds)

    def _words(self, field: str) -> tuple[str, ...]:
        return show_field(field, self.document.get(field), Names({}, {}))


def list_entries(
    session: Session, publisher: Publisher, wish: ListWish, *, offset: int, limit: int
) -> Sequence[EntryRow]:
    """Return the entries asked for, from `offset` on, `limit` at most."""
    if wish.needs_content:
        rows = session.execute(_choose(publisher, wish).add_columns(Entry.key, EntryVersion.document))
        found = [(row.id, row.key, row.document) for row in rows if _fits(row.key, row.document, wish)]
        if wish.sort == "name":
            found.sort(key=lambda each: (fold(each[2]["name"]), each[1]))
        ids = [each[0] for each in found[offset : offset + limit]]
    else:
        ids = list(session.scalars(_choose(publisher, wish).offset(offset).limit(limit)))
    return _load_rows(session, publisher, ids)


def list_open_notices(session: Session, publisher: Publisher) -> Sequence[str]:
    """Return the numbers of the notices that entries stand in, the newest first."""
    states = [state.value for state in OPEN_STATES]
    numbers = select(Notice.number).where(Notice.publisher_id == publisher.id, Notice.state.in_(states))
    return session.scalars(numbers.order_by(Notice.number.desc()).limit(100)).all()


def list_products(session: Session, publisher: Publisher) -> dict[str, str]:
    """Return the publisher's products by key, in their order."""
    products = select(Product.key, Product.name).where(Product.publisher_id == publisher.id)
    return {row.key: row.name for row in session.execute(products.order_by(Product.position, Product.key))}


def _choose(publisher: Publisher, wish: ListWish) -> Select[Any]:
    """Ask for the rows of the entries in the state asked for, in order, beside the version that each is shown by."""
    query = _joined(select(Entry.id)).where(Entry.publisher_id == publisher.id, _in_state(publisher, wish.state))
    orders: dict[str, list[Any]] = {
        "changed": [func.coalesce(_Pending.created_at, ListPeriod.from_at).desc()],
        "review": [EntryInternal.review_due_on.is_(None), EntryInternal.review_due_on],
    }
    return query.order_by(*orders.get(wish.sort, []), Entry.position, Entry.key)


_Pending = aliased(EntryVersion)


def _joined(query: Select[Any]) -> Select[Any]:
    last_shown = (
        select(ListPeriod.version_id)
        .where(ListPeriod.publisher_id == Entry.publisher_id, ListPeriod.entry_id == Entry.id)
        .order_by(ListPeriod.from_at.desc(), ListPeriod.id.desc())
        .limit(1)
        .correlate(Entry)
        .scalar_subquery()
    )
    shown = func.coalesce(ListPeriod.version_id, PendingEdit.version_id, last_shown)
    return (
        query.select_from(Entry)
        .outerjoin(ListPeriod, and_(ListPeriod.entry_id == Entry.id, ListPeriod.to_at.is_(None)))
        .outerjoin(PendingEdit, PendingEdit.entry_id == Entry.id)
        .outerjoin(_Pending, _Pending.id == PendingEdit.version_id)
        .outerjoin(NoticeChange, and_(NoticeChange.entry_id == Entry.id, NoticeChange.is_open))
        .outerjoin(Notice, Notice.id == NoticeChange.notice_id)
        .outerjoin(EntryInternal, EntryInternal.entry_id == Entry.id)
        .join(EntryVersion, EntryVersion.id == shown)
    )


def _in_state(publisher: Publisher, state: str) -> ColumnElement[bool]:
    is_listed, has_edit = ListPeriod.id.is_not(None), PendingEdit.entry_id.is_not(None)
    if state == "listed":
        return is_listed
    if state == "waiting":
        is_another = or_(NoticeChange.entry_id.is_(None), NoticeChange.target_version_id != PendingEdit.version_id)
        return and_(has_edit, is_another)
    if state.startswith("in_notice"):
        number = state.partition(":")[2]
        return Notice.number == number if number else NoticeChange.entry_id.is_not(None)
    if state == "removed":
        period = aliased(ListPeriod)
        ever_listed = select(period.entry_id).where(period.publisher_id == publisher.id)
        return and_(~is_listed, ~has_edit, Entry.id.in_(ever_listed))
    return or_(is_listed, has_edit)


def _fits(key: str, document: Mapping[str, Any], wish: ListWish) -> bool:
    """Return whether an entry's content is asked for. One without products concerns every product."""
    if wish.role and document.get("role", Role.SUBPROCESSOR.value) != wish.role:
        return False
    if wish.product and wish.product not in (document.get("products") or (wish.product,)):
        return False
    if wish.country and wish.country not in (place["country"] for place in document.get("locations", ())):
        return False
    if wish.mechanism and wish.mechanism not in _mechanisms(document):
        return False
    words = fold(wish.q[:LONGEST_SEARCH]).split()
    return not words or all(word in _text(key, document) for word in words)


def _mechanisms(document: Mapping[str, Any]) -> Iterable[str]:
    return [transfer.get("mechanism", UNKNOWN) for transfer in document.get("transfers", ())] or [UNKNOWN]


def _text(key: str, document: Mapping[str, Any]) -> str:
    names = (key, document["name"], document.get("legal_name", ""))
    return fold("\n".join((*names, *document.get("former_names", ()), *document.get("purposes", ()))))


def fold(text: str) -> str:
    """Return a text for comparing: without case and accents."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text)
    return "".join(character for character in apart if not unicodedata.combining(character)).casefold()


def _load_rows(session: Session, publisher: Publisher, ids: Sequence[int]) -> list[EntryRow]:
    columns = select(
        Entry.id,
        Entry.key,
        EntryVersion.document,
        PendingEdit.version_id.label("pending_id"),
        _Pending.document.label("pending_document"),
        NoticeChange.target_version_id.label("target_id"),
        Notice.number,
        Notice.state,
        Notice.effective_on,
        EntryInternal.review_due_on,
    )
    query = _joined(columns).where(Entry.publisher_id == publisher.id, Entry.id.in_(ids))
    rows = {row.id: row for row in session.execute(query)}
    stays = load_stays(session, publisher, ids)
    zone = publisher.facts["time_zone"]
    return [_row(rows[entry_id], zone, *stays.get(entry_id, (None, None))) for entry_id in ids]


def _row(row: Any, zone: str, listed_at: datetime | None, removed_at: datetime | None) -> EntryRow:
    return EntryRow(
        key=row.key,
        document=row.document,
        listed_on=local_date(listed_at, zone) if listed_at else None,
        removed_on=local_date(removed_at, zone) if removed_at else None,
        is_waiting=row.pending_id is not None and row.pending_id != row.target_id,
        is_leaving=row.pending_id is not None and row.pending_document is None,
        notice=row.number,
        notice_state=NoticeState(row.state) if row.state else None,
        effective_on=row.effective_on,
        review_due_on=row.review_due_on,
    )


def load_stays(
    session: Session, publisher: Publisher, ids: Sequence[int]
) -> dict[int, tuple[datetime | None, datetime | None]]:
    """Return, by entry, when its present, unbroken stay on the list began, and when it left the list (UTC).

    The one is None for what is not on the list, the other for what is.
    """
    periods = session.execute(
        select(ListPeriod.entry_id, ListPeriod.from_at, ListPeriod.to_at)
        .where(ListPeriod.publisher_id == publisher.id, ListPeriod.entry_id.in_(ids))
        .order_by(ListPeriod.from_at, ListPeriod.id)
    )
    stays: dict[int, tuple[datetime, datetime | None]] = {}
    for entry_id, from_at, to_at in periods:
        began, ended = stays.get(entry_id, (from_at, from_at))
        stays[entry_id] = (began if ended == from_at else from_at, to_at)
    return {entry_id: (began, None) if ended is None else (None, ended) for entry_id, (began, ended) in stays.items()}


def count_uses(documents: Iterable[Mapping[str, Any]], field: str) -> list[str]:
    """Return the words that documents use in a field, the most used first, those used as often by name."""
    uses: dict[str, int] = {}
    for document in documents:
        for word in document.get(field) or ():
            uses[word] = uses.get(word, 0) + 1
    return sorted(uses, key=lambda word: (-uses[word], fold(word)))
