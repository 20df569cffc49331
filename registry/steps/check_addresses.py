"""The addresses that customers are told to reply and object to are tested: once a day a letter goes to each.

    row, committed ──▶ on the wire ──▶ the answer, committed ──▶ refused, or for now on three days running: a task
                                                             ──▶ comes back later: a task ("address_fails")

An objection that bounces is one that nobody reads, and the law runs from when it was sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import Final

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from registry.channels.base import Envelope, PermanentFailure, TemporaryFailure
from registry.domain.errors import RegistryError
from registry.domain.notices import local_date
from registry.domain.outcomes import LOST, OutcomeKind
from registry.domain.vocabulary import Audience, ChannelKind
from registry.letters.address_check import compose_address_check
from registry.letters.mime import ascii_address
from registry.letters.return_path import make_return_path
from registry.readers.email_addresses import read_email_address
from registry.steps.claim_deliveries import may_write_to
from registry.steps.dispatch import Dispatch
from registry.steps.installation import dispatch_pause
from registry.steps.keyring import Keyring, load_keyring
from registry.steps.lanes import ManyConnections, Paced
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import lock_publisher, read_facts
from registry.steps.pacing import give_back, take_connections
from registry.steps.record import WORKER, Actor, record_event
from registry.steps.settle_delivery import AMBIGUOUS, TEMPORARY, class_of
from registry.steps.tasks import TaskKind, open_task
from registry.tables import AddressCheck, Publisher
from registry.tables.engine import reading, writing

CONTACT: Final = "contact"
"""The address that letters name for replies and objections."""
UNUSABLE: Final = "unusable"
"""The class of a check that was never sent, since the address cannot be written to at all."""
REFUSED_DAYS: Final = 3
"""On so many days running an address may be refused for now, until somebody is told."""
A_DAY: Final = timedelta(days=1)
MOST_ANSWERS: Final = 100
"""Answers looked through for that. It is one a day, and one more each time that the doctor asks."""


@dataclass(frozen=True)
class CheckedAddress:
    """What came of a check: the class of the answer ("accepted", "permanent", …, "unusable"), its code and words."""

    publisher: str
    address: str
    answer_class: str
    code: int | None
    answer: str

    @property
    def is_without_answer(self) -> bool:
        """Whether the mail server did not say what it makes of the letter: it is away, or hangs."""
        return self.answer_class == AMBIGUOUS or (self.answer_class == TEMPORARY and self.code is None)


def check_addresses(
    engine: Engine,
    clock: Callable[[], datetime],
    dispatch: Dispatch,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, int]:
    """Test the address of every publisher that was not tested today, its own day; return how many by their answer.

    It owns its transactions, as sending does: the row is committed before the letter goes out, so that two workers, or
    one that dies, send no second one that day, and nothing is open while on the wire. Where letters do not leave the
    house, or dispatch is paused, there is nothing to test. `clock` gives aware UTC.

    Its letters go over a connection of its own, so that it may run while others are sent. A mail server that is not
    there ends the round: it would be asked for each publisher in turn, and may take a quarter of an hour each time.
    """
    counts: dict[str, int] = {}
    with reading(engine) as session:
        publishers = session.scalars(select(Publisher.id).where(Publisher.revision > 0).order_by(Publisher.id)).all()
    with _beside(engine, clock, dispatch) as (beside, has_connection):
        for publisher_id in publishers:
            if should_stop() or not has_connection():
                break
            done = check_publisher(engine, clock, beside, publisher_id)
            if done is not None:
                counts[done.answer_class] = counts.get(done.answer_class, 0) + 1
                if done.is_without_answer:
                    break
    return counts


@contextmanager
def _beside(
    engine: Engine, clock: Callable[[], datetime], dispatch: Dispatch
) -> Iterator[tuple[Dispatch, Callable[[], bool]]]:
    """Have mail go over a connection beside those of sending, opened with its first letter.

    Before each letter it is asked whether there may be one: not where all that all workers may hold are held. To ask
    again renews it, for a process without a heartbeat.
    """
    mail = dispatch.channels.get(ChannelKind.EMAIL.value)
    if not isinstance(mail, ManyConnections):
        yield dispatch, lambda: True
        return
    account, in_all = (mail.account, mail.connections_in_all) if isinstance(mail, Paced) else ("", None)
    token = secrets.token_hex(16)

    def has_connection() -> bool:
        if in_all is None:
            return True
        with writing(engine) as session:
            return take_connections(session, clock(), account, token, 1, in_all) > 0

    with ExitStack() as each:
        if in_all is not None:
            # Noted before it is taken: a commit whose answer is lost may stand.
            each.callback(give_back, engine, token)
        beside = each.enter_context(closing(mail.sibling()))
        yield replace(dispatch, channels={**dispatch.channels, ChannelKind.EMAIL.value: beside}), has_connection


def check_publisher(
    engine: Engine,
    clock: Callable[[], datetime],
    dispatch: Dispatch,
    publisher_id: int,
    *,
    even_today: bool = False,
) -> CheckedAddress | None:
    """Test one publisher's address now and return what came of it; with `even_today` also where it was tested today.

    None where nothing was sent: no real road, a pause, an address that `REGISTRY_MAIL_ONLY_TO` keeps back, or tested
    today already. An accepted letter may still come back, which `find_latest_check` then shows.
    """
    channel = dispatch.channels.get(ChannelKind.EMAIL.value)
    if channel is None or not channel.is_real:
        return None
    with writing(engine) as session:
        begun = _begin(session, clock(), dispatch, publisher_id, even_today=even_today)
    if begun is None or isinstance(begun, CheckedAddress):
        return begun
    check_id, slug, envelope = begun
    answer = channel.send(envelope)
    answer_class = class_of(answer)
    with writing(engine) as session:
        answered_at = clock()
        check = session.get_one(AddressCheck, check_id)
        check.answer_class, check.code, check.answer = answer_class, answer.code, answer.answer
        if isinstance(answer, PermanentFailure):
            _open(session, answered_at, check, slug, "refused", str(answer.code))
        elif isinstance(answer, TemporaryFailure) and answer.code is not None and _is_refused_for_days(session, check):
            _open(session, answered_at, check, slug, "refused_for_days", str(answer.code))
    return CheckedAddress(slug, envelope.recipient, answer_class, answer.code, answer.answer)


def _is_refused_for_days(session: Session, check: AddressCheck) -> bool:
    """Whether the server's latest answers, of three days at least, all were that it does not take the letter for now.

    Some never say more of an address that is gone: Postfix answers 450 to a domain that nobody knows. A day on which
    the server was not there says nothing of the address.
    """
    zone = read_facts(session, session.get_one(Publisher, check.publisher_id)).time_zone
    answers = session.execute(
        select(AddressCheck.sent_at, AddressCheck.answer_class)
        .where(
            AddressCheck.publisher_id == check.publisher_id,
            AddressCheck.purpose == check.purpose,
            AddressCheck.address == check.address,
            AddressCheck.code.is_not(None),
            AddressCheck.sent_at <= check.sent_at,
        )
        .order_by(AddressCheck.sent_at.desc(), AddressCheck.id.desc())
        .limit(MOST_ANSWERS)
    )
    refusals = takewhile(lambda answer: answer.answer_class == TEMPORARY, answers)
    return len({local_date(refusal.sent_at, zone) for refusal in refusals}) >= REFUSED_DAYS


def find_latest_check(session: Session, publisher: Publisher) -> AddressCheck | None:
    """Return the newest check of the publisher's address, with what came of it so far, or None."""
    return session.scalar(
        select(AddressCheck)
        .where(AddressCheck.publisher_id == publisher.id, AddressCheck.purpose == CONTACT)
        .order_by(AddressCheck.id.desc())
        .limit(1)
    )


def find_check(session: Session, message_id: str) -> AddressCheck | None:
    """Return the check whose letter has this Message-ID, or None."""
    return session.scalar(select(AddressCheck).where(AddressCheck.message_id == message_id))


def record_check_outcome(session: Session, now: datetime, check: AddressCheck, kind: OutcomeKind, actor: Actor) -> bool:
    """Take what is reported of a check's letter; return whether it says for the first time that the letter was lost.

    One that came back opens a task. All else says that the address takes mail, or nothing, and is not kept.
    """
    if kind not in LOST:
        return False
    noted = session.scalar(
        update(AddressCheck)
        .where(AddressCheck.id == check.id, AddressCheck.bounced_at.is_(None))
        .values(bounced_at=now)
        .returning(AddressCheck.id)
        .execution_options(synchronize_session="fetch")
    )
    if noted is None:
        return False
    publisher = session.get_one(Publisher, check.publisher_id)
    record_event(
        session,
        now,
        actor,
        "address_check.came_back",
        subject=("address_check", str(check.id)),
        publisher_id=check.publisher_id,
        purpose=check.purpose,
        kind_reported=kind.value,
    )
    _open(session, now, check, publisher.slug, "came_back", kind.value)
    return True


def _begin(
    session: Session, now: datetime, dispatch: Dispatch, publisher_id: int, *, even_today: bool
) -> tuple[int, str, Envelope] | CheckedAddress | None:
    if dispatch_pause(session) is not None:
        return None
    publisher = session.get_one(Publisher, publisher_id)
    # The second of two workers waits here, and then sees the row of the first.
    lock_publisher(session, publisher)
    facts = read_facts(session, publisher)
    last_at = session.scalar(
        select(func.max(AddressCheck.sent_at)).where(
            AddressCheck.publisher_id == publisher.id,
            AddressCheck.purpose == CONTACT,
            # What a clock dated that was wrong keeps no test waiting until then.
            AddressCheck.sent_at <= now + A_DAY,
        )
    )
    zone = facts.time_zone
    if not even_today and last_at is not None and local_date(last_at, zone) >= local_date(now, zone):
        return None
    if not may_write_to(ascii_address(facts.contact), dispatch.mail_only_to):
        return None
    letterhead = dispatch.letterhead
    check = AddressCheck(
        publisher_id=publisher.id,
        purpose=CONTACT,
        address=facts.contact,
        message_id=f"<address-check.{secrets.token_hex(16)}@{letterhead.host}>",
        sent_at=now,
    )
    session.add(check)
    session.flush()
    sender = letterhead.sender_for(facts, Audience.CUSTOMER)
    try:
        recipient = read_email_address(facts.contact)
        message = compose_address_check(sender, recipient, check.message_id, now, f"=_{secrets.token_hex(16)}")
    except RegistryError as error:
        check.answer_class = UNUSABLE
        _open(session, now, check, publisher.slug, UNUSABLE, error.code)
        return CheckedAddress(publisher.slug, facts.contact, UNUSABLE, None, error.code)
    return_path = _return_path(letterhead, load_keyring(session, now), check.id) or sender.from_address
    return check.id, publisher.slug, Envelope(recipient, return_path, message, check.message_id)


def _return_path(letterhead: Letterhead, keyring: Keyring, check_id: int) -> str | None:
    """Return a return path that names the check. Signed for a purpose of its own, it names no delivery."""
    if letterhead.bounce_address is None:
        return None
    return make_return_path(letterhead.bounce_address, check_id, partial(keyring.sign, "check"))


def _open(session: Session, now: datetime, check: AddressCheck, slug: str, why: str, said: str) -> None:
    open_task(
        session,
        now,
        TaskKind.ADDRESS_FAILS,
        subject=("address", f"{slug}/{check.purpose}"),
        publisher_id=check.publisher_id,
        actor=WORKER,
        purpose=check.purpose,
        why=why,
        said=said,
    )
