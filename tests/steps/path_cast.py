"""What the tests of the path share: one act each, a chosen sweep at a time, and the whole database as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, event, select

from registry.domain.entries import read_entry
from registry.domain.publishers import CustomerFacts
from registry.domain.validation import read_model
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.steps.add_forgotten import add_forgotten_customer
from registry.steps.addresses import record_address
from registry.steps.customers import record_customer
from registry.steps.draft_notice import revise_notice
from registry.steps.lookup import get_customer, get_notice, get_publisher
from registry.steps.make_statement import deliver_pending_to
from registry.steps.publish_notice import approve_notice
from registry.steps.record import Actor
from registry.steps.record_edit import Edit, approve_edit, record_edit
from registry.steps.record_objection import (
    approve_for_customer,
    exempt_customer,
    record_objection,
    record_service,
    resolve_objection,
)
from registry.steps.sweeps import list_sweeps
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Base, Delivery, Event, NoticeCustomer, Statement, Subscription
from tests.world import ANNA, ANTOPSIS, BORIS, World

CARLA = Actor("carla@antopsis.example", "web")

STRIPE: dict[str, Any] = {
    "name": "Stripe",
    "purposes": ["Payments"],
    "data_categories": ["Customer id", "Subscription status"],
    "products": ["streaming"],
}
HETZNER: dict[str, Any] = {
    "name": "Hetzner",
    "purposes": ["Servers that run the service"],
    "data_categories": ["Account data", "Usage data"],
    "locations": [{"country": "DE", "place": "Falkenstein", "function": "processing"}],
    "transfers": [{"regime": "eu", "mechanism": "none.same-area", "destination": "DE"}],
}
HELSINKI = {"country": "FI", "place": "Helsinki", "function": "processing"}
TWO_PLACES = HETZNER | {"locations": [*HETZNER["locations"], HELSINKI]}
WITH_A_LINK = HETZNER | {"links": {"website": "https://hetzner.example"}}
TWO_PLACES_AND_A_LINK = TWO_PLACES | {"links": {"website": "https://hetzner.example"}}

EVERY_ROW = {
    table.name: f"SELECT * FROM {table.name} ORDER BY {', '.join(table.primary_key.columns.keys())}"  # noqa: S608 - our names
    for table in Base.metadata.sorted_tables
}

BREMEN_FACTS: dict[str, Any] = {
    "key": "bremen",
    "name": "Bremen Media GmbH",
    "time_zone": "Europe/Berlin",
    "contacts": ["dpo@bremen.example"],
}
"""Bremen as the registry file of `tests.world` has it."""


def edit(
    world: World,
    content: dict[str, Any] | None,
    key: str = "hetzner-falkenstein",
    actor: Actor = ANNA,
    slug: str = "antopsis",
    **options: Any,
) -> Edit:
    """Record one edit now."""

    def record() -> Edit:
        with world.writing() as session:
            publisher = get_publisher(session, slug)
            wanted = read_entry(content) if content else None
            return record_edit(session, world.at, publisher, key, wanted, actor, **options)

    return world.begin(record, "edit", content, key, actor, slug, options)


def approve(world: World, number: str, actor: Actor = BORIS) -> None:
    """Approve a notice now."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        approve_notice(session, world.at, publisher, get_notice(session, publisher, number), actor)


def approve_entry(world: World, key: str, actor: Actor = BORIS) -> Edit:
    """Approve an editorial edit now."""
    with world.writing() as session:
        return approve_edit(session, world.at, get_publisher(session, "antopsis"), key, actor)


def revise(world: World, number: str, actor: Actor = ANNA, **options: Any) -> None:
    """Revise a drafted notice now."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        revise_notice(session, world.at, publisher, get_notice(session, publisher, number), actor, **options)


def withdraw(world: World, number: str, actor: Actor = ANNA, reason: str | None = None) -> dict[str, int]:
    """Withdraw a notice now."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        return withdraw_notice(session, world.at, publisher, notice, actor, world.wiring.letterhead, reason)


def announce(world: World, content: dict[str, Any] | None = None, slug: str = "antopsis", **options: Any) -> str:
    """Edit Hetzner (to two places where nothing else is said), draft and publish it; return the notice's number."""

    def announce() -> str:
        edit(world, content or TWO_PLACES, slug=slug)
        number = world.draft(slug, **options)
        world.publish(number, slug)
        return number

    return world.begin(announce, "edit and announce", content, slug, options)


def sweep(world: World, *names: str) -> None:
    """Run the sweeps of these names, or all that move letters and notices, once each; artefacts are left out."""
    sweeps = list_sweeps(world.wiring.make_sweeping(world.channels, world.clock))
    for name in names or ("announce", "remind", "send", "take_effect", "send_effect"):
        sweeps[name]()


def at(world: World, instant: datetime, *names: str) -> None:
    """Move the world's clock and sweep."""
    world.at = instant
    sweep(world, *names)


def add_customer(world: World, slug: str = "antopsis", **facts: Any) -> None:
    """Add a customer or change it, as a file does."""
    with world.writing() as session:
        publisher = get_publisher(session, slug)
        record_customer(session, world.at, publisher, read_model(CustomerFacts, facts), ANNA)


def follow(world: World, email: str, slug: str = "antopsis", *, joins: bool = False, **wishes: Any) -> int:
    """Have somebody follow the list, confirmed; who `joins` is told of what is pending. Returns the row."""
    keyring = world.wiring.keyring

    def subscribe() -> int:
        with world.writing() as session:
            publisher = get_publisher(session, slug)
            row = Subscription(
                publisher_id=publisher.id,
                address_id=record_address(session, world.at, publisher, keyring, email).id,
                audience="follower",
                language="en",
                created_at=world.at,
                confirmed_at=world.at,
                **wishes,
            )
            session.add(row)
            session.flush()
            if joins:
                deliver_pending_to(session, world.at, row)
            return row.id

    return world.begin(subscribe, "follow", email, slug, joins, wishes)


def object_to(
    world: World, number: str, customer: str, received_at: datetime | None = None, ground: str = "No."
) -> bool:
    """Record an objection now; return whether it is in time."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        arguments = (session, world.at, publisher, notice, customer, ANNA)
        return record_objection(*arguments, received_at=received_at or world.at, ground=ground).is_in_time


def resolve(world: World, number: str, customer: str, cure: str = "accommodated", note: str | None = None) -> None:
    """Close a customer's open objections now."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        resolve_objection(session, world.at, publisher, notice, customer, ANNA, cure=cure, note=note)


def decide(world: World, number: str, customer: str, how: str, basis: str, served_at: datetime | None = None) -> None:
    """Record a person's decision about a customer now: exempt, served or approved."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        arguments = (session, world.at, publisher, notice, customer, ANNA)
        if how == "exempt":
            exempt_customer(*arguments, basis=basis)
        elif how == "approved":
            approve_for_customer(*arguments, basis=basis)
        else:
            record_service(*arguments, served_at=served_at or world.at, document=basis)


def add_forgotten(world: World, number: str, customer: str) -> None:
    """Add a forgotten customer to a notice now."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        add_forgotten_customer(session, world.at, publisher, get_notice(session, publisher, number), customer, ANNA)


def standing(world: World, number: str, customer: str, slug: str = "antopsis") -> NoticeCustomer | None:
    """Return how a customer stands in a notice, None where it does not."""
    with world.reading() as session:
        publisher = get_publisher(session, slug)
        notice = get_notice(session, publisher, number)
        return session.get(NoticeCustomer, (notice.id, get_customer(session, publisher, customer).id))


def statements(world: World, number: str, slug: str = "antopsis") -> list[tuple[str, date | None]]:
    """Return the statements of a notice in their order, with the date each told."""
    with world.reading() as session:
        notice = get_notice(session, get_publisher(session, slug), number)
        rows = session.scalars(select(Statement).where(Statement.notice_id == notice.id).order_by(Statement.seq)).all()
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        return [(row.kind, row.effective_on) for row in rows]


def events(world: World, kind: str) -> list[Event]:
    """Return the acts of one kind on record, in their order."""
    with world.reading() as session:
        return list(session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id)))


def count_deliveries(world: World) -> int:
    """Return how many letters were ever due or skipped."""
    with world.reading() as session:
        return len(session.scalars(select(Delivery.id)).all())


def dump(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Return the whole database, table by table and as the driver has it, to compare with itself."""
    with world.reading() as session:
        connection = session.connection()
        return {
            table: [tuple(row) for row in connection.exec_driver_sql(rows).cursor.fetchall()]
            for table, rows in EVERY_ROW.items()
        }


@contextmanager
def counting(world: World) -> Iterator[list[str]]:
    """Collect the SQL that is sent to the database in the block."""
    sent: list[str] = []

    def note(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(world.wiring.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(world.wiring.engine, "before_cursor_execute", note)


def file_of(entries: Iterable[str], **publisher: str) -> RegistryFile:
    """Return a file of Antopsis with these entries, each as YAML, and these lines of the publisher instead."""
    head = ANTOPSIS.partition("entries:")[0].format(approvals=publisher.pop("approvals_required", 0))
    for name, value in publisher.items():
        lines = [line for line in head.splitlines() if not line.startswith(f"  {name}:")]
        lines.insert(lines.index("publisher:") + 1, f"  {name}: {value}")
        head = "\n".join(lines) + "\n"
    body = "".join(f"  - {entry}\n" for entry in entries) or "  []\n"
    return read_registry_file(f"{head}entries:\n{body}".encode(), "antopsis.yaml")
