"""What the owner of an address on the web does by its own page: proves that it takes messages, takes another secret."""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from registry.domain.vocabulary import Audience
from registry.language import gettext as _
from registry.steps.audience_errors import UnknownToken
from registry.steps.confirm import subscriber
from registry.steps.endpoint_errors import EndpointNotSigned, EndpointNotTried
from registry.steps.endpoints import rotate_secret
from registry.steps.verify_endpoint import prepare_verification, probe_endpoint, record_verification
from registry.tables import Endpoint, Subscription
from registry.tables.engine import reading, writing
from registry.web.current import now, wiring
from registry.web.forms_common import open_subscription
from registry.web.limits import count_trial
from registry.web.publishers import choose_publisher

OWNER: Final = subscriber(Audience.FOLLOWER)


def verify_own(token: str) -> str | None:
    """Post the challenge or the test message, and record the answer; return what is wrong, None where it is verified.

    The database is not held while the other side is waited for. Raises `UnknownToken`, `EndpointEnded`, and
    `RateLimitExceeded` where it was tried too often.
    """
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        number = _own(session, open_subscription(session, chosen, "manage", token))
        tried = prepare_verification(session, now(), chosen.row, number)
    count_trial()
    channels = wiring().make_channels(now)
    try:
        answer = probe_endpoint(channels[tried.kind.value], tried)
    except EndpointNotTried:
        return _("This installation is for trying out: it posts nothing, so no address can prove itself.")
    finally:
        for channel in channels.values():
            channel.close()
    with writing(wiring().engine) as session:
        publisher = choose_publisher(session).row
        verified = record_verification(session, now(), publisher, tried, answer, OWNER)
    if verified.is_verified:
        return None
    return _("The address did not answer as asked: %(answer)s", answer=answer.answer)


def give_secret(token: str) -> str | None:
    """Give a webhook another secret and return it, this once; None for a chat room, which is not signed for."""
    with writing(wiring().engine) as session:
        chosen = choose_publisher(session)
        number = _own(session, open_subscription(session, chosen, "manage", token, lock=True))
        try:
            return rotate_secret(session, now(), chosen.row, number, OWNER)
        except EndpointNotSigned:
            return None


def _own(session: Session, subscription: Subscription) -> int:
    """Return the endpoint's number of a follower's subscription; a customer's endpoint is the team's to manage."""
    endpoint = session.get(Endpoint, subscription.address_id)
    if subscription.customer_id is not None or subscription.ended_at is not None or endpoint is None:
        raise UnknownToken
    return subscription.address_id
