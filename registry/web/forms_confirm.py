"""Behind the link that confirms: a wish to follow, a contact's or an address's place, or an address on the web."""

from __future__ import annotations

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from registry.language import gettext as _
from registry.steps.audience_errors import ExpiredToken, UnknownToken, UsedToken
from registry.steps.confirm import Confirmation, confirm, find_confirmation
from registry.steps.endpoint_errors import EndpointStands
from registry.steps.keyring import load_keyring
from registry.steps.list_endpoints import show_address
from registry.steps.preferences import read_preferences
from registry.steps.request_endpoint import RequestedEndpoint, confirm_endpoint, find_requested_endpoint
from registry.tables import Address
from registry.tables.engine import reading, writing
from registry.web.answers import show_private
from registry.web.current import now, wiring
from registry.web.forms_common import manage_url, of_reader
from registry.web.languages import speak
from registry.web.publishers import Chosen, choose_publisher, keep_slug

confirming = Blueprint("confirming", __name__)
keep_slug(confirming)


@confirming.get("/confirm/<token>")
def show_confirm(token: str) -> Response:
    """Show what a confirm link is about."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        requested = _find_request(session, chosen, token)
        if requested is not None:
            return _show_request(session, chosen, requested)
        about = _find_confirmation(session, chosen, token)
        who = read_preferences(session, about.subscription)
    speak(who.language, by_address_only=True)
    return show_private("public/confirm.html", **chosen.shown(), **of_reader(who))


@confirming.post("/confirm/<token>")
def act_on_confirm(token: str) -> Response:
    """Let the wish count."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        is_about_an_endpoint = _find_request(session, chosen, token) is not None
    if is_about_an_endpoint:
        return _confirm_endpoint(chosen, token)
    with writing(wiring().engine) as session:
        _find_confirmation(session, chosen, token)
        keyring = load_keyring(session, now())
        confirmed = confirm(session, now(), token, keyring)
        who = read_preferences(session, confirmed.subscription)
        url = manage_url(chosen, keyring, confirmed.subscription.id)
    speak(who.language, by_address_only=True)
    return show_private(
        "public/confirmed.html",
        **chosen.shown(),
        **of_reader(who),
        manage_url=url,
        pending_count=confirmed.pending_notices_sent,
    )


def _find_request(session: Session, chosen: Chosen, token: str) -> RequestedEndpoint | None:
    try:
        requested = find_requested_endpoint(session, now(), token)
    except (UsedToken, ExpiredToken) as error:
        _refuse_anothers(chosen, error)
        raise
    if requested is not None and requested.publisher.id != chosen.row.id:
        raise UnknownToken
    return requested


def _find_confirmation(session: Session, chosen: Chosen, token: str) -> Confirmation:
    """Find what a token confirms for this publisher; another's token is none here, whatever became of it."""
    try:
        about = find_confirmation(session, now(), token)
    except (UsedToken, ExpiredToken) as error:
        _refuse_anothers(chosen, error)
        raise
    if about.publisher.id != chosen.row.id:
        raise UnknownToken
    return about


def _refuse_anothers(chosen: Chosen, error: UsedToken | ExpiredToken) -> None:
    if error.params["publisher"] != chosen.public.slug:
        raise UnknownToken from None


def _show_request(session: Session, chosen: Chosen, requested: RequestedEndpoint) -> Response:
    request = requested.request
    owner = session.get_one(Address, requested.mailbox.address_id).value
    speak(request.language, by_address_only=True)
    return show_private(
        "public/confirm_endpoint.html",
        **chosen.shown(),
        recipient=owner,
        channel=request.channel,
        # Of a chat room the host alone: the rest is what lets anybody post there.
        place=show_address(request.channel, request.url or ""),
    )


def _confirm_endpoint(chosen: Chosen, token: str) -> Response:
    try:
        with writing(wiring().engine) as session:
            added, requested = confirm_endpoint(session, now(), token, wiring().reach)
            keyring = load_keyring(session, now())
            who = read_preferences(session, added.subscription)
            endpoint_url = manage_url(chosen, keyring, added.subscription.id)
            mailbox_url = manage_url(chosen, keyring, requested.mailbox.id)
    except EndpointStands:
        return show_private(
            "errors/error.html",
            409,
            **chosen.shown(),
            title=_("This address is told already"),
            happened=_("Changes are posted to this address already, and somebody answers for it. Nothing was changed."),
            advice=_("Ask whoever answers for it, or give another address."),
            action=None,
        )
    speak(who.language, by_address_only=True)
    return show_private(
        "public/confirmed_endpoint.html",
        **chosen.shown(),
        place=who.email,
        channel=who.channel.value,
        secret=added.secret,
        endpoint_url=endpoint_url,
        mailbox_url=mailbox_url,
    )
