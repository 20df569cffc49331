"""Saying by the link in a letter that it has arrived, without an account (R12, R33).

GET shows and changes nothing, for mail scanners follow links. POST acts, and the token in the address allows it.
"""

from __future__ import annotations

from flask import Blueprint, Response

from registry.letters.wording import say_instant
from registry.steps.acknowledge import AcknowledgementLink, acknowledge, open_acknowledgement
from registry.steps.keyring import load_keyring
from registry.tables.engine import reading, writing
from registry.web.answers import show_private
from registry.web.current import now, wiring
from registry.web.languages import speak
from registry.web.limits import refuse_cross_site
from registry.web.publishers import Chosen, choose_publisher, keep_slug

acknowledging = Blueprint("acknowledging", __name__)
keep_slug(acknowledging)


@acknowledging.get("/acknowledge/<token>")
def show_acknowledge(token: str) -> Response:
    """Show which letter is acknowledged, with the button, or since when it is."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        keyring = load_keyring(session, now())
        link = open_acknowledgement(session, keyring, chosen.row, token)
        return _page(chosen, link, keyring.sign("object", link.delivery.id))


@acknowledging.post("/acknowledge/<token>")
def act_on_acknowledge(token: str) -> Response:
    """Record that the letter arrived. A second press of the button changes nothing."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
    refuse_cross_site(chosen)
    with writing(wiring().engine) as session:
        keyring = load_keyring(session, now())
        link = acknowledge(session, now(), wiring().letterhead, keyring, chosen.row, token)
        return _page(chosen, link, keyring.sign("object", link.delivery.id), is_new=link.acknowledged_at == now())


def _page(chosen: Chosen, link: AcknowledgementLink, object_token: str, *, is_new: bool = False) -> Response:
    speak(link.contact.language, by_address_only=True)
    at = link.acknowledged_at
    return show_private(
        "public/acknowledge.html",
        **chosen.shown(),
        number=link.notice.number,
        seq=link.statement.seq,
        summary=link.statement.summary or link.notice.summary,
        customer_name=link.customer.name,
        notice_url=chosen.addresses.at(f"notices/{link.notice.number}"),
        object_url=chosen.addresses.at(f"object/{object_token}"),
        acknowledged_at=at,
        acknowledged=say_instant(at, link.zone) if at is not None else None,
        is_new=is_new,
    )
