"""What the tests of sending share: a notice that is due to some people, one run of sending, and the record of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update

from registry.channels.base import Answer, Channel, Envelope
from registry.channels.smtp import SmtpChannel, SmtpTimeouts, parse_mail_url
from registry.letters.compose import sha256_of
from registry.steps.addresses import find_address, record_address
from registry.steps.dispatch import Dispatch
from registry.steps.end_subscription import EndedBecause, end_subscription
from registry.steps.insert_once import insert_once
from registry.steps.keyring import load_keyring
from registry.steps.lookup import get_publisher
from registry.steps.merge_letter import load_recipient, make_envelope
from registry.steps.record import WORKER
from registry.steps.record_outcome import OutcomeKind, record_outcome
from registry.steps.send_deliveries import send_deliveries
from registry.tables import (
    Address,
    Attempt,
    Customer,
    Delivery,
    Event,
    Letter,
    NoticeCustomer,
    Subscription,
    Suppression,
)
from tests.world import ANNA, BREMEN, World, antopsis

SHORT = SmtpTimeouts(connect=2, command=0.3, data_block=0.3, after_dot=0.3, before_dot=2)
"""Time-outs for a server on this machine that hangs on purpose."""

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

DPO = "dpo@bremen.example"
HANOI_PRIVACY = "privacy@hanoi.example"


def announce_to(world: World, *followers: str, customers: str = BREMEN, **options: Any) -> str:
    """Announce a second hosting place to these followers and customers; return the notice's number."""

    def announce() -> str:
        world.apply(antopsis(customers=customers))
        add_followers(world, followers)
        return world.announce(antopsis(customers=customers, helsinki=True), **options)

    return world.begin(announce, "announce to", followers, customers, options)


def add_followers(world: World, emails: Iterable[str], slug: str = "antopsis") -> None:
    """Have people follow a publisher's list, confirmed."""
    keyring = world.wiring.keyring
    with world.writing() as session:
        publisher = get_publisher(session, slug)
        for email in emails:
            address = record_address(session, world.at, publisher, keyring, email)
            session.add(
                Subscription(
                    publisher_id=publisher.id,
                    address_id=address.id,
                    audience="follower",
                    language="en",
                    created_at=world.at,
                    confirmed_at=world.at,
                )
            )


def use_server(world: World, url: str, timeouts: SmtpTimeouts = SHORT) -> None:
    """Have the world send through another mail server."""
    use_channel(world, SmtpChannel(parse_mail_url(url), timeouts=timeouts))


def use_channel(world: World, channel: Channel) -> None:
    """Have the world send over another channel."""
    world.channels["email"].close()
    world.channels["email"] = channel


def intercept(channel: Channel, happenings: Iterable[Callable[[Envelope], None]]) -> None:
    """Let something happen while a letter is on the wire: it was taken, the answer is not in yet.

    Each of `happenings` is for one letter, in turn, and may raise; after the last there is only the channel, which is
    the real one all the time, with its pace and its connections.
    """
    left, carry = deque(happenings), channel.send

    def send_and_let_it_happen(envelope: Envelope) -> Answer:
        answer = carry(envelope)
        if left:
            left.popleft()(envelope)
        return answer

    vars(channel)["send"] = send_and_let_it_happen


def meanwhile(world: World, *happenings: Callable[[Envelope], None]) -> None:
    """Let something happen while the next letters are on the wire, one happening for each."""
    intercept(world.channels["email"], happenings)


def dispatch_of(world: World, *mail_only_to: str) -> Dispatch:
    """Return what a step needs that sends by itself."""
    return Dispatch(world.channels, world.wiring.letterhead, world.wiring.keyring, mail_only_to)


def send(world: World, mail_only_to: tuple[str, ...] = (), **options: Any) -> dict[str, int]:
    """Send what is due at the world's time, once, with retries that are not spread."""
    wiring = world.wiring
    dispatch = Dispatch(world.channels, wiring.letterhead, wiring.keyring, mail_only_to, jitter=lambda: 0.0)
    return send_deliveries(wiring.engine, world.clock, dispatch, **options)


def delivery_to(world: World, email: str, kind: str = "announcement") -> Delivery:
    """Return the row of the letter of this kind to an address, as it is now."""
    with world.reading() as session:
        return session.scalars(
            select(Delivery)
            .join(Letter, Letter.id == Delivery.letter_id)
            .join(Subscription, Subscription.id == Delivery.subscription_id)
            .join(Address, Address.id == Subscription.address_id)
            .where(Address.value == email, Letter.kind == kind)
        ).one()


def states_of(world: World, kind: str = "announcement") -> dict[str, str]:
    """Return the state of the letter of this kind to each address."""
    with world.reading() as session:
        rows = session.execute(
            select(Address.value, Delivery.state)
            .join(Subscription, Subscription.address_id == Address.id)
            .join(Delivery, Delivery.subscription_id == Subscription.id)
            .join(Letter, Letter.id == Delivery.letter_id)
            .where(Letter.kind == kind)
        )
        return {str(value): state for value, state in rows}


def suppress(world: World, email: str) -> None:
    """Put an address on the suppression list, as a complaint does."""
    with world.writing() as session:
        values = {
            "publisher_id": get_publisher(session, "antopsis").id,
            "channel": "email",
            "lookup_hmac": world.wiring.keyring.lookup("email", email),
            "reason": "complained",
            "since_at": world.at,
        }
        insert_once(session, Suppression, values)


def subscription_of(world: World, email: str) -> Subscription:
    """Return the row of the one subscription at an address, as it is now."""
    with world.reading() as session:
        address = find_address(session, get_publisher(session, "antopsis"), world.wiring.keyring, email)
        assert address is not None
        return session.scalars(select(Subscription).where(Subscription.address_id == address.id)).one()


def leave(world: World, email: str, because: EndedBecause = EndedBecause.UNSUBSCRIBED) -> None:
    """End the one subscription at an address."""
    subscription_id = subscription_of(world, email).id
    with world.writing() as session:
        end_subscription(session, world.at, session.get_one(Subscription, subscription_id), because, ANNA)


def attempts_at(world: World, delivery: Delivery) -> list[Attempt]:
    """Return the attempts at a delivery, the first one first."""
    with world.reading() as session:
        return list(session.scalars(select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.n)))


def change(world: World, delivery: Delivery, **values: Any) -> None:
    """Change a delivery underneath whoever holds it."""
    with world.writing() as session:
        session.execute(update(Delivery).where(Delivery.id == delivery.id).values(**values))


def let_leases_run_out(world: World) -> int:
    """Move the end of every lease into the past, in the table: no test moves a database server's clock."""
    with world.writing() as session:
        leased = (
            update(Delivery).where(Delivery.state == "leased").values(lease_until=datetime(2020, 1, 1).astimezone())
        )
        return len(session.scalars(leased.returning(Delivery.id)).all())


def standing_of(world: World, customer: str) -> NoticeCustomer:
    """Return how a customer stands in its one notice."""
    with world.reading() as session:
        query = select(NoticeCustomer).join(Customer, Customer.id == NoticeCustomer.customer_id)
        return session.scalars(query.where(Customer.key == customer)).one()


def clock_of(world: World) -> tuple[str, datetime | None]:
    """Return how Bremen stands in the one notice, and since when."""
    standing = standing_of(world, "bremen")
    return standing.state, standing.received_at


def events(world: World, kind: str) -> list[Event]:
    """Return the record's events of one kind."""
    with world.reading() as session:
        return list(session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id)))


def remake(world: World, delivery: Delivery) -> bytes:
    """Make a letter's bytes again from the rows as they are now."""
    with world.reading() as session:
        row = session.get_one(Delivery, delivery.id)
        return make_envelope(session, load_recipient(session, row), load_keyring(session, world.at)).message


def check_that_every_accepted_letter_can_be_made_again(world: World) -> int:
    """Compare, for every accepted attempt, the bytes made again with the hash on record (R30); return how many."""
    with world.reading() as session:
        rows = session.execute(
            select(Delivery, Attempt.sha256)
            .join(Attempt, Attempt.delivery_id == Delivery.id)
            .where(Attempt.answer_class == "accepted")
        ).all()
    for delivery, sha256 in rows:
        assert sha256_of(remake(world, delivery)) == sha256
    return len(rows)


def report_to(
    world: World, email: str, kind: OutcomeKind, at: datetime | None = None, event_id: str | None = None
) -> bool:
    """A provider reports what became of the announcement to an address."""
    message_id = str(delivery_to(world, email).message_id)
    with world.writing() as session:
        return record_outcome(
            session,
            world.at,
            provider="smtp",
            event_id=event_id or f"{kind}-{email}",
            message_id=message_id,
            kind=kind,
            happened_at=at or world.at,
            actor=WORKER,
        )
