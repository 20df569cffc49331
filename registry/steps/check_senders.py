"""The addresses that letters come from are tried when somebody asks: each writes to the other of its pair.

    notices@ ──▶ notices+updates@        may letters to customers come from the one, does the other take mail?
    notices+updates@ ──▶ notices@        and the other way round

Where no publisher writes from the installation's own address, the letters of the sign-in come from it all the same. It
writes to itself then, and nobody to its pair.

People answer to the sender of a letter whatever stands in Reply-To. One of these letters that comes back later is a
task, as with the address that customers object to (`check_addresses`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from registry.channels.base import Answer, Envelope
from registry.domain.vocabulary import ChannelKind
from registry.letters.return_path import make_return_path
from registry.letters.sender_check import compose_sender_check
from registry.steps.claim_deliveries import may_write_to
from registry.steps.dispatch import Dispatch
from registry.steps.installation import dispatch_pause
from registry.steps.keyring import load_keyring
from registry.steps.letterhead import Letterhead, address_to_followers
from registry.steps.settle_delivery import class_of
from registry.tables import AddressCheck
from registry.tables.engine import writing

SENDER: Final = "sender"
"""What a check of an address that letters come from stands under."""
SIGN_IN: Final = "sign_in"
"""What a check of the address that only letters of the sign-in come from stands under."""


@dataclass(frozen=True)
class TriedSender:
    """One letter from `sender` to `recipient`, and what the other side said to it."""

    sender: str
    recipient: str
    answer: Answer


def try_sender(
    engine: Engine, clock: Callable[[], datetime], dispatch: Dispatch, publisher_id: int, sender: str
) -> Iterator[TriedSender]:
    """Send a letter from `sender` to what followers are written to from, and one back; yield what came of each.

    `sender` is a bare ASCII address that the publisher's letters come from, `clock` gives aware UTC. Each letter is on
    record before it goes out, and nothing is open while it is on the wire. Where letters do not leave the house, while
    dispatch is paused, or to whom `REGISTRY_MAIL_ONLY_TO` does not allow, none goes out.
    """
    tagged = address_to_followers(sender)
    pairs = ((sender, tagged), (tagged, sender))
    yield from _try(engine, clock, dispatch, publisher_id, SENDER, pairs)


def try_sign_in_sender(
    engine: Engine, clock: Callable[[], datetime], dispatch: Dispatch, publisher_id: int, sender: str
) -> Iterator[TriedSender]:
    """Send a letter to `sender`, which letters of the sign-in come from and no notice, from itself.

    As `try_sender`. It is on record with `publisher_id`, whose team is asked to see to it where it comes back.
    """
    yield from _try(engine, clock, dispatch, publisher_id, SIGN_IN, ((sender, sender),))


def _try(
    engine: Engine,
    clock: Callable[[], datetime],
    dispatch: Dispatch,
    publisher_id: int,
    purpose: str,
    pairs: tuple[tuple[str, str], ...],
) -> Iterator[TriedSender]:
    channel = dispatch.channels.get(ChannelKind.EMAIL.value)
    if channel is None or not channel.is_real:
        return
    for from_address, recipient in pairs:
        with writing(engine) as session:
            begun = _begin(session, clock(), dispatch, publisher_id, purpose, from_address, recipient)
        if begun is None:
            continue
        check_id, envelope = begun
        answer = channel.send(envelope)
        with writing(engine) as session:
            check = session.get_one(AddressCheck, check_id)
            check.answer_class, check.code, check.answer = class_of(answer), answer.code, answer.answer
        yield TriedSender(from_address, recipient, answer)


def _begin(
    session: Session,
    now: datetime,
    dispatch: Dispatch,
    publisher_id: int,
    purpose: str,
    from_address: str,
    recipient: str,
) -> tuple[int, Envelope] | None:
    if dispatch_pause(session) is not None or not may_write_to(recipient, dispatch.mail_only_to):
        return None
    check = AddressCheck(
        publisher_id=publisher_id,
        purpose=purpose,
        address=recipient,
        message_id=f"<sender-check.{secrets.token_hex(16)}@{dispatch.letterhead.host}>",
        sent_at=now,
    )
    session.add(check)
    session.flush()
    message = compose_sender_check(from_address, recipient, check.message_id, now, f"=_{secrets.token_hex(16)}")
    return_path = _return_path(session, now, dispatch.letterhead, check.id) or from_address
    return check.id, Envelope(recipient, return_path, message, check.message_id)


def _return_path(session: Session, now: datetime, letterhead: Letterhead, check_id: int) -> str | None:
    """Return a return path that names the check, so that the letter leaves as a notice would."""
    if letterhead.bounce_address is None:
        return None
    keyring = load_keyring(session, now)
    return make_return_path(letterhead.bounce_address, check_id, partial(keyring.sign, "check"))
