"""Telling an address that somebody asked to have its letters sent to another one, before that counts (R34)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from registry.domain.vocabulary import Audience, ChannelKind, ServiceLetterKind
from registry.steps.letterhead import Letterhead
from registry.steps.service_letters import add_service_delivery, freeze_service_letter
from registry.tables import Address, Publisher, Subscription


def tell_former_address(
    session: Session, now: datetime, publisher: Publisher, letterhead: Letterhead, subscription: Subscription
) -> None:
    """Write to the address that is to be replaced: until the other one confirms, nothing is otherwise.

    The other address does not stand in the letter, for it is another person's. An endpoint is not written to.
    """
    if session.get_one(Address, subscription.address_id).channel != ChannelKind.EMAIL.value:
        return
    audience = Audience(subscription.audience)
    kind = ServiceLetterKind.ADDRESS_CHANGE
    letter = freeze_service_letter(session, now, publisher, letterhead, kind, audience, language=subscription.language)
    add_service_delivery(session, now, subscription, letter)
