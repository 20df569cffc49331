"""Letters that go to a provider in one request (R29): who is in it and in which order is stored before it is sent.

A batch whose answer was lost is the same request again, under the same key, with all its letters or not at all: a part
of it under the old key would be refused, and under a new one sent twice. Past the key's life a person must look.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

from sqlalchemy import Table, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from registry.channels.base import Accepted, Ambiguous, Answer, Channel, Envelope, TemporaryFailure
from registry.domain.deliveries import DeliveryNote, DeliveryState, SkipReason, may_repeat_ambiguous
from registry.letters.compose import sha256_of
from registry.steps.claim_deliveries import LEASED, OUTSIDE_WAIT, Lease, lease_rows, may_write_to
from registry.steps.dispatch import Dispatch
from registry.steps.installation import dispatch_pause
from registry.steps.lanes import Parcel, ReadyLetter
from registry.steps.letter_turns import TAKEN, may_go_out
from registry.steps.merge_letter import LetterErased, load_recipient, make_envelope
from registry.steps.prepare_letters import Prepared
from registry.steps.settle_delivery import ACCEPTED, exhaust, put_before_a_person
from registry.steps.start_delivery import is_withdrawn
from registry.tables import Address, Attempt, Delivery, SendBatch, Subscription

SETTLED: Final = ""
"""The token in place of a lease of a letter that is settled already, and goes along because its batch must be whole."""

_MAY_BE_REPEATED: Final = [
    state.value
    for state in (DeliveryState.AMBIGUOUS, DeliveryState.ACCEPTED, DeliveryState.DELIVERED, DeliveryState.BOUNCED)
]
_ATTEMPTS = cast(Table, Attempt.__table__)
_DELIVERIES = cast(Table, Delivery.__table__)
# By the token too: after a restore the same numbers may be another reader's letter.
_ONE_ATTEMPT = (
    _ATTEMPTS.c.delivery_id == bindparam("of_delivery"),
    _ATTEMPTS.c.n == bindparam("of_n"),
    _ATTEMPTS.c.token == bindparam("of_token"),
)
_BEGIN = (
    update(_ATTEMPTS)
    .where(*_ONE_ATTEMPT)
    .values(
        send_started_at=bindparam("at"),
        sha256=bindparam("bytes_sha256"),
        batch_id=bindparam("batch"),
        batch_position=bindparam("position"),
    )
)
_KEEP_ANSWER = (
    update(_ATTEMPTS)
    .where(*_ONE_ATTEMPT)
    .values(
        finished_at=bindparam("at"),
        code=bindparam("said_code"),
        answer=bindparam("said"),
        answer_class=ACCEPTED,
        provider_ref=bindparam("name"),
    )
)


def begin_batch(
    session: Session, now: datetime, account: str, letters: Sequence[tuple[Lease, Prepared]]
) -> Parcel | None:
    """Commit that these letters begin, together and in this order; None where none of them may go out as it is.

    One that may not is left out: what becomes of it is found out by itself (`start_delivery`).
    """
    ids = [lease.delivery_id for lease, _ in letters]
    tokens = {lease.token for lease, _ in letters}
    ours = may_go_out().where(Delivery.id.in_(ids), Delivery.token.in_(tokens))
    free = set(session.scalars(ours.with_for_update(of=Delivery, key_share=True)))
    going = [(lease, prepared) for lease, prepared in letters if lease.delivery_id in free]
    if not going:
        return None
    key = f"batch-{secrets.token_hex(16)}"
    batch_id = session.scalars(
        insert(SendBatch).returning(SendBatch.id),
        {"key": key, "account": account, "size": len(going), "started_at": now},
    ).one()
    _put_on_record(session, now, batch_id, [(lease, prepared.sha256) for lease, prepared in going])
    ready = tuple(ReadyLetter(lease, prepared.envelope, is_plain=True) for lease, prepared in going)
    return Parcel(ready, key)


def _put_on_record(session: Session, now: datetime, batch_id: int, letters: Sequence[tuple[Lease, str]]) -> None:
    """Store that these letters begin, in this order. What was settled before keeps the record of its own try."""
    rows = [
        {
            "of_delivery": lease.delivery_id,
            "of_n": lease.attempt_n,
            "of_token": lease.token,
            "at": now,
            "bytes_sha256": sha256,
            "batch": batch_id,
            "position": position,
        }
        for position, (lease, sha256) in enumerate(letters)
        if lease.token != SETTLED
    ]
    session.execute(_BEGIN, rows)
    ids = [lease.delivery_id for lease, _ in letters if lease.token != SETTLED]
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(batch_id=batch_id)
        .execution_options(synchronize_session=False)
    )


def settle_accepted(session: Session, at: datetime, taken: Sequence[tuple[Lease, Accepted]]) -> Sequence[int]:
    """Settle plain letters of a batch that the provider took at `at` (UTC); return the deliveries still held.

    The answer stays on record also where a lease was lost meanwhile.
    """
    if not taken:
        return []
    session.execute(
        _KEEP_ANSWER,
        [
            {
                "of_delivery": lease.delivery_id,
                "of_n": lease.attempt_n,
                "of_token": lease.attempt_token or lease.token,
                "at": at,
                "said_code": answer.code,
                "said": answer.answer,
                "name": answer.provider_ref,
            }
            for lease, answer in taken
        ],
    )
    tokens = {lease.token for lease, _ in taken}
    settled = session.scalars(
        update(Delivery)
        .where(
            Delivery.id.in_([lease.delivery_id for lease, _ in taken]),
            Delivery.token.in_(tokens),
            Delivery.state == LEASED,
        )
        .values(state=TAKEN, token=None, lease_until=None, accepted_at=at, batch_id=None)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return settled.all()


def is_decided(parcel: Parcel, answers: Sequence[Answer]) -> bool:
    """Return whether it is clear what became of every letter of a batch, so that each may go by itself from now on.

    That a repeat was refused for now says nothing about the try before it, unless its key was unknown.
    """
    is_repeat = any(letter.lease.attempt_n > 1 for letter in parcel.letters)
    for answer in answers:
        if isinstance(answer, Ambiguous) and not answer.is_final:
            return False
        if is_repeat and isinstance(answer, TemporaryFailure) and not answer.is_about_batch:
            return False
    return True


def finish_batch(session: Session, at: datetime, key: str) -> None:
    """Note that a batch has a clear answer. Its letters are free again to go by themselves."""
    batch_id = session.scalars(
        update(SendBatch).where(SendBatch.key == key).values(finished_at=at).returning(SendBatch.id)
    ).one()
    session.execute(
        update(Delivery)
        .where(Delivery.batch_id == batch_id)
        .values(batch_id=None)
        .execution_options(synchronize_session=False)
    )


def claim_batch_again(session: Session, now: datetime, channel: Channel, dispatch: Dispatch) -> Parcel | None:
    """Take up the oldest batch without a clear answer whose letters are all due, to repeat it under its key.

    All of its letters go along, also one whose reader left meanwhile, for to repeat is to ask for the answer to what
    has begun (R29); and one that was reported meanwhile, which tells that the batch was taken. Where it cannot be the
    same request any more (an address was erased, its notice was withdrawn, a person settled a letter), or its key is
    forgotten by now, it is not repeated, and a person must look. One to somebody whom `REGISTRY_MAIL_ONLY_TO` keeps
    letters from waits whole, with a note, and is looked at again every hour (R32).
    """
    if dispatch_pause(session) is not None:
        return None
    undecided = (
        select(Delivery.batch_id)
        .where(
            Delivery.batch_id.is_not(None),
            Delivery.channel == channel.kind,
            Delivery.state.in_([DeliveryState.AMBIGUOUS.value, LEASED]),
        )
        .group_by(Delivery.batch_id)
        .having(func.max(Delivery.due_at) <= now, func.max(Delivery.state) == DeliveryState.AMBIGUOUS.value)
    )
    batch = session.scalar(
        select(SendBatch)
        .where(SendBatch.finished_at.is_(None), SendBatch.id.in_(undecided))
        .order_by(SendBatch.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if batch is None:
        return None
    members = _members(session, batch)
    waiting = [delivery for delivery, _ in members if delivery.state == DeliveryState.AMBIGUOUS.value]
    if not waiting or _is_under_way(members):
        # Another worker took it up after this one's query had begun to look: the lock tells, the query's view does not.
        return None
    if not may_repeat_ambiguous(channel.name, 1, now - batch.started_at):
        _end(session, now, batch, waiting)
        return None
    if _is_kept_back(session, members, dispatch.mail_only_to):
        for delivery in waiting:
            delivery.due_at = now + OUTSIDE_WAIT
            delivery.note = SkipReason.OUTSIDE_MAIL_ONLY_TO.value
        session.flush()
        return None
    envelopes = _make_again(session, members, dispatch)
    if len(envelopes) < batch.size:
        _put_before_a_person(session, now, batch, waiting)
        return None
    leases = {lease.delivery_id: lease for lease in lease_rows(session, now, channel, [each.id for each in waiting])}
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(leases))
        .values(possible_duplicate=True, note=None)
        .execution_options(synchronize_session=False)
    )
    leases |= _stand_in_leases(session, channel, [each.id for each, _ in members if each.id not in leases])
    going = [(leases[each.id], sha256) for each, sha256 in members]
    _put_on_record(session, now, batch.id, going)
    return Parcel(
        tuple(ReadyLetter(lease, envelopes[lease.delivery_id], is_plain=True) for lease, _ in going), batch.key
    )


def _stand_in_leases(session: Session, channel: Channel, ids: Sequence[int]) -> dict[int, Lease]:
    """Return, by delivery, what stands for the lease of each letter that is settled already."""
    if not ids:
        return {}
    rows = session.execute(
        select(Delivery.id, Delivery.publisher_id, Attempt.n, Attempt.token)
        .join(Attempt, (Attempt.delivery_id == Delivery.id) & (Attempt.n == Delivery.attempt_count))
        .where(Delivery.id.in_(ids))
    )
    return {
        delivery_id: Lease(delivery_id, publisher_id, n, SETTLED, channel.kind, attempt_token=token)
        for delivery_id, publisher_id, n, token in rows
    }


def _is_kept_back(session: Session, members: Sequence[tuple[Delivery, str]], mail_only_to: tuple[str, ...]) -> bool:
    if not mail_only_to:
        return False
    addresses = session.scalars(
        select(Address.value)
        .join(Subscription, Subscription.address_id == Address.id)
        .where(Subscription.id.in_([delivery.subscription_id for delivery, _ in members]))
    )
    return any(value is not None and not may_write_to(value, mail_only_to) for value in addresses)


def _make_again(session: Session, members: Sequence[tuple[Delivery, str]], dispatch: Dispatch) -> dict[int, Envelope]:
    """Make the letters of a batch again, by delivery; fewer than it had where it cannot be the same request again."""
    envelopes: dict[int, Envelope] = {}
    for delivery, sha256 in members:
        recipient = load_recipient(session, delivery)
        if delivery.state not in _MAY_BE_REPEATED or is_withdrawn(recipient):
            break
        try:
            envelope = make_envelope(session, recipient, dispatch.keyring, dispatch.letterhead.bounce_address)
        except LetterErased:
            break
        if sha256_of(envelope.message) != sha256:
            break
        envelopes[delivery.id] = envelope
    return envelopes


def _put_before_a_person(session: Session, now: datetime, batch: SendBatch, waiting: Sequence[Delivery]) -> None:
    """Those that must not be sent any more are let go of by themselves, as their turn comes (`start_delivery`)."""
    ids = [delivery.id for delivery in waiting]
    free = set(session.scalars(may_go_out(DeliveryState.AMBIGUOUS.value).where(Delivery.id.in_(ids))))
    for delivery in waiting:
        if delivery.id in free:
            put_before_a_person(session, now, delivery, DeliveryNote.MAY_HAVE_ARRIVED)
    session.flush()
    finish_batch(session, now, batch.key)


def _end(session: Session, now: datetime, batch: SendBatch, waiting: Sequence[Delivery]) -> None:
    for delivery in waiting:
        exhaust(session, now, delivery, DeliveryNote.MAY_HAVE_ARRIVED)
    session.flush()
    finish_batch(session, now, batch.key)


def end_old_batches(session: Session, now: datetime) -> int:
    """End the tries of batches without a clear answer whose key is forgotten by now; return how many letters.

    On whichever road letters go today: what was sent by another one would wait for its repeat for ever.
    """
    ended = 0
    unclear = select(Delivery.batch_id).where(
        Delivery.batch_id.is_not(None), Delivery.state == DeliveryState.AMBIGUOUS.value
    )
    for batch in session.scalars(
        select(SendBatch).where(SendBatch.id.in_(unclear)).order_by(SendBatch.id).with_for_update(skip_locked=True)
    ):
        road = session.scalars(select(Attempt.channel).where(Attempt.batch_id == batch.id).limit(1)).one()
        if may_repeat_ambiguous(road, 1, now - batch.started_at):
            continue
        members = _members(session, batch)
        if _is_under_way(members):
            continue
        waiting = [each for each, _ in members if each.state == DeliveryState.AMBIGUOUS.value]
        _end(session, now, batch, waiting)
        ended += len(waiting)
    return ended


def _is_under_way(members: Sequence[tuple[Delivery, str]]) -> bool:
    """Whether somebody holds letters of the batch, who alone makes an end of it."""
    return any(delivery.state == LEASED for delivery, _ in members)


def _members(session: Session, batch: SendBatch) -> Sequence[tuple[Delivery, str]]:
    """Every delivery of the batch in its order, locked, with the hash of the bytes that went out first."""
    # A report that is being recorded must not be written over by the claim.
    rows = session.execute(
        select(Delivery, Attempt.sha256)
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .where(Attempt.batch_id == batch.id)
        .order_by(Attempt.batch_position, Attempt.n)
        .with_for_update(of=Delivery, key_share=True)
        .execution_options(populate_existing=True)
    )
    first: dict[int, tuple[Delivery, str]] = {}
    for delivery, sha256 in rows:
        first.setdefault(delivery.id, (delivery, sha256 or ""))
    return list(first.values())
