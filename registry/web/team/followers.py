"""Followers: who asked to be told of the public list. Found by address, ended on request, erased by an owner."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import abort, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput, RegistryError
from registry.domain.people import TeamRole
from registry.domain.vocabulary import ChannelKind
from registry.pages.wording import KIND_CHOICES
from registry.queries.customers import shown_address
from registry.queries.followers import FollowerFilter, FollowerRow, FollowerState, list_followers
from registry.readers.email_addresses import read_email_address
from registry.steps.end_subscription import EndedBecause, end_subscription, find_subscription
from registry.steps.endpoint_results import end_endpoint
from registry.steps.erase_person import erase_person
from registry.steps.keyring import load_keyring
from registry.tables import Address, Publisher, Subscription
from registry.web.team.access import Desk, screen
from registry.web.team.delivery_words import say_last
from registry.web.team.frame import PAGE_SIZE, errors_of, go, show, status_of

ANY_STATE = "any"


@screen("/followers/", TeamRole.VIEWER)
def followers(desk: Desk) -> Any:
    """Show followers, the newest first, or look for one by its address."""
    errors: dict[str, str] = {}
    wanted = _read_filter(errors)
    before = request.args.get("before", "")
    with desk.reading() as (session, publisher):
        rows: list[FollowerRow] = []
        if not errors:
            rows = list_followers(
                session,
                publisher,
                load_keyring(session, desk.now),
                wanted,
                before=int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None,
                limit=PAGE_SIZE,
            )
        return show(
            "team/followers/list.html",
            rows=rows[:PAGE_SIZE],
            further=rows[PAGE_SIZE - 1].number if len(rows) > PAGE_SIZE else None,
            is_first=not before,
            wanted=wanted,
            values=request.args.to_dict() | {"state": wanted.state.value if wanted.state else ANY_STATE},
            arguments={name: request.args[name] for name in ("state", "channel") if request.args.get(name)},
            errors=errors,
            **_words(desk, session, publisher),
        )


@screen("/followers/<int:follower>", TeamRole.EDITOR)
def follower(desk: Desk, follower: int) -> Any:
    """Show one follower, and what can be done at their request."""
    return _show(desk, follower)


@screen("/followers/<int:follower>/end", TeamRole.EDITOR, get=False)
def end_follower(desk: Desk, follower: int) -> Any:
    """End a subscription because whoever it is asked for that."""
    try:
        with desk.writing() as (session, publisher):
            row = _find(session, publisher, follower)
            if row.ended_at is None:
                address = session.get_one(Address, row.address_id)
                _end(desk, session, row, address)
    except RegistryError as error:
        return _show(desk, follower, error)
    return go("follower", said="The subscription has ended, and nothing more goes there.", follower=follower)


@screen("/followers/erase", TeamRole.OWNER, post=True, is_fresh=True)
def erase_somebody(desk: Desk) -> Any:
    """Erase what is known of an address because the person asked: the proof stays, the person goes (R36)."""
    error: RegistryError | None = None
    if request.method == "POST":
        try:
            with desk.writing() as (session, publisher):
                email = request.form.get("email", "")
                letters = erase_person(session, desk.now, publisher, email, desk.actor)
            said = f"Erased. Of {letters} letters the times, states and hashes stay, and nothing that names the person."
            return go("followers", said=said)
        except RegistryError as refused:
            error = refused
    return show(
        "team/followers/erase.html",
        status_of(error) if error else 200,
        values=request.form,
        errors=errors_of(error) if error else {},
    )


def _end(desk: Desk, session: Session, row: Subscription, address: Address) -> None:
    if address.channel == ChannelKind.EMAIL.value:
        end_subscription(session, desk.now, row, EndedBecause.UNSUBSCRIBED, desk.actor)
        return
    is_told_for_others = session.scalar(
        select(Subscription.id).where(
            Subscription.address_id == address.id, Subscription.ended_at.is_(None), Subscription.id != row.id
        )
    )
    if is_told_for_others is None:
        end_endpoint(session, desk.now, address.id, EndedBecause.UNSUBSCRIBED, desk.actor)
    if row.ended_at is None:
        end_subscription(session, desk.now, row, EndedBecause.UNSUBSCRIBED, desk.actor)


def _find(session: Session, publisher: Publisher, number: int) -> Subscription:
    row = find_subscription(session, number)
    if row is None or row.publisher_id != publisher.id or row.customer_id is not None:
        abort(404)
    return row


def _show(desk: Desk, number: int, error: RegistryError | None = None) -> Any:
    with desk.reading() as (session, publisher):
        keyring = load_keyring(session, desk.now)
        rows = list_followers(session, publisher, keyring, FollowerFilter(state=None), number=number, limit=1)
        if not rows:
            abort(404)
        return show(
            "team/followers/one.html",
            status_of(error) if error else 200,
            row=rows[0],
            errors=errors_of(error) if error else {},
            **_words(desk, session, publisher),
        )


def _read_filter(errors: dict[str, str]) -> FollowerFilter:
    channel = None
    with suppress(ValueError):
        channel = ChannelKind(request.args.get("channel", ""))
    text = request.args.get("address", "").strip()
    if text:
        try:
            # Whoever looks for somebody wants to know, however it stands with them.
            return FollowerFilter(None, None, read_email_address(text, "address"))
        except InvalidInput as error:
            errors.update(errors_of(error))
    if request.args.get("state") == ANY_STATE:
        return FollowerFilter(None, channel)
    state = FollowerState.CONFIRMED
    with suppress(ValueError):
        state = FollowerState(request.args.get("state", ""))
    return FollowerFilter(state, channel)


def _words(desk: Desk, session: Session, publisher: Publisher) -> dict[str, Any]:
    return {
        "zone": desk.facts(session, publisher).time_zone,
        "kinds": dict(KIND_CHOICES),
        "say_last": say_last,
        "shown_address": shown_address,
        "in_full": desk.may(TeamRole.EDITOR),
    }
