"""The page behind "Choose what you are told of": what is told, what was sent, pausing, moving, leaving, one's own data.

The token in its address is all that opens it (R33). Every act is a POST, and says on the same page what came of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request

from registry.domain.errors import InvalidInput
from registry.domain.vocabulary import Audience, ChangeKind, ChannelKind
from registry.language import gettext as _
from registry.pages.wording import local_date, short_date
from registry.queries.own_data import load_own_data
from registry.queries.own_endpoints import find_endpoint, list_own_endpoints
from registry.queries.sent_letters import load_sent
from registry.steps.audience_errors import ContactMayNotLeave, LetterOnTheWire, SubscriptionEnded
from registry.steps.change_address import request_address_change
from registry.steps.erase_myself import EndpointsOfCustomers, KeptForAClaim, erase_myself
from registry.steps.keyring import load_keyring
from registry.steps.pause import pause, resume
from registry.steps.preferences import change_preferences, read_preferences
from registry.tables.engine import reading, writing
from registry.web.answers import show_private
from registry.web.current import now, wiring
from registry.web.forms_common import (
    letter_languages,
    manage_url,
    of_reader,
    open_subscription,
    read_row,
    read_wishes,
    sentences,
    somebody,
    was_asked,
)
from registry.web.forms_leave import ask_for_contact, stop
from registry.web.languages import speak
from registry.web.limits import count_asking
from registry.web.manage_endpoint import give_secret, verify_own
from registry.web.manage_words import say_kind, say_state
from registry.web.publishers import choose_publisher, keep_slug

managing = Blueprint("managing", __name__)
keep_slug(managing)


@managing.get("/manage/<token>")
def show_manage(token: str) -> Response:
    """Show what a subscriber is told and was sent, to be changed."""
    return _page(token)


@managing.post("/manage/<token>")
def act_on_manage(token: str) -> Response:
    """Do what the button pressed says. What is no button's name saves the choices."""
    act = _ACTS.get(request.form.get("action", ""), _save)
    return act(token)


@managing.get("/manage/<token>/export")
def export(token: str) -> Response:
    """Give out all personal data that is held, as a file (GDPR arts. 15 and 20)."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        subscription = open_subscription(session, chosen, "manage", token)
        document = load_own_data(session, now(), chosen.public, subscription)
    response = Response(json.dumps(document, ensure_ascii=False, indent=2) + "\n", content_type="application/json")
    response.cache_control.no_store = True
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Content-Disposition"] = f'attachment; filename="{chosen.public.slug}-my-data.json"'
    return response


def _save(token: str) -> Response:
    wishes = read_wishes()
    with writing(wiring().engine) as session:
        chosen = choose_publisher(session)
        subscription = open_subscription(session, chosen, "manage", token, lock=True)
        before = read_preferences(session, subscription)
        # The form asks for products only where there is a choice, and tells what else it asked: the rest stays.
        products = wishes["products"] if len(chosen.public.products) > 1 else before.choices.products
        kinds = wishes["kinds"] if was_asked("kinds") else before.choices.kinds
        reminders = wishes["reminders"] if was_asked("reminders") else before.wants_reminders
        language = wishes["language"] if "language" in request.form else before.language
        try:
            change_preferences(session, now(), subscription, products, kinds, wishes["effect"], reminders, language)
        except InvalidInput as error:
            errors = sentences(error)
        else:
            errors = {}
    return _page(token, given=wishes, errors=errors) if errors else _page(token, done=_("Saved."))


def _pause(token: str) -> Response:
    with writing(wiring().engine) as session:
        subscription = open_subscription(session, choose_publisher(session), "manage", token, lock=True)
        pause(session, now(), subscription.id)
    return _page(token, done=_("Paused. No letters come until you resume; one that is on its way may still arrive."))


def _resume(token: str) -> Response:
    with writing(wiring().engine) as session:
        subscription = open_subscription(session, choose_publisher(session), "manage", token, lock=True)
        due = resume(session, now(), subscription.id)
    if due:
        return _page(token, done=_("Resumed. What was announced meanwhile is on its way to you."))
    return _page(token, done=_("Resumed. Nothing was announced meanwhile that you have not been told of."))


def _change_contact(token: str) -> Response:
    _who, errors, answer = ask_for_contact("manage", token)
    return answer or _page(token, given=_typed("email", "name"), errors=errors)


def _change_address(token: str) -> Response:
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        who = read_preferences(session, open_subscription(session, chosen, "manage", token))
    count_asking()
    speak(who.language, by_address_only=True)
    try:
        with writing(wiring().engine) as session:
            subscription = open_subscription(session, chosen, "manage", token, lock=True)
            email = request.form.get("email", "")
            keyring = load_keyring(session, now())
            request_address_change(session, now(), subscription, wiring().letterhead, keyring, email=email)
    except InvalidInput as error:
        return _page(token, given=_typed("email"), errors=sentences(error))
    return show_private(
        "public/manage_address_sent.html",
        **chosen.shown(),
        recipient=who.email or somebody(),
        new_recipient=email.strip(),
    )


def _erase(token: str) -> Response:
    """Ask whether everything is really to be erased; the page that asks has a button of its own."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        subscription = open_subscription(session, chosen, "manage", token)
        who = read_preferences(session, subscription)
        endpoints = list_own_endpoints(session, subscription.address_id)
    speak(who.language, by_address_only=True)
    return show_private("public/manage_erase.html", **chosen.shown(), **of_reader(who), endpoints=endpoints)


def _erase_now(token: str) -> Response:
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        who = read_preferences(session, open_subscription(session, chosen, "manage", token))
    speak(who.language, by_address_only=True)
    try:
        with writing(wiring().engine) as session:
            subscription = open_subscription(session, chosen, "manage", token, lock=True)
            erase_myself(session, now(), chosen.row, subscription, chosen.public.contact)
    except ContactMayNotLeave:
        errors = _("This address is a customer’s contact, so it cannot go yet. Hand over to somebody else first.")
        return _page(token, errors={"form": errors}, status=409)
    except LetterOnTheWire:
        return _page(
            token, errors={"form": _("A letter to you is being sent just now. Try again in a minute.")}, status=409
        )
    except (KeptForAClaim, EndpointsOfCustomers) as error:
        return _page(token, errors={"form": explain_refusal(error)}, status=409)
    return show_private("public/manage_erased.html", **chosen.shown())


def explain_refusal(error: KeptForAClaim | EndpointsOfCustomers) -> str:
    """Say why somebody's data stays, and whom to write to."""
    contact, customers = str(error.params["contact"]), error.params.get("customers")
    if isinstance(error, KeptForAClaim):
        return _(
            "What is on record here is needed for a legal claim, so it cannot be erased yet. Write to %(contact)s, who"
            " can say more.",
            contact=contact,
        )
    return _(
        "You answer for an address on the web at which %(customers)s is told of changes. Write to %(contact)s and name"
        " somebody else for it; then all that is known of you can be erased.",
        customers=", ".join(customers) if isinstance(customers, list) else "",
        contact=contact,
    )


def _verify(token: str) -> Response:
    problem = verify_own(token)
    if problem is not None:
        return _page(token, errors={"form": problem}, status=409)
    return _page(token, done=_("Verified. Changes are posted to this address from now on."))


def _rotate(token: str) -> Response:
    secret = give_secret(token)
    done = _("There is a new secret. The old one signs as well for 24 hours.")
    return _page(token, done=done, secret=secret)


_ACTS: Final[dict[str, Callable[[str], Response]]] = {
    "save": _save,
    "stop": lambda token: stop("manage", token),
    "pause": _pause,
    "resume": _resume,
    "change_contact": _change_contact,
    "change_address": _change_address,
    "erase": _erase,
    "erase_now": _erase_now,
    "verify": _verify,
    "rotate": _rotate,
}


def _typed(*fields: str) -> dict[str, str]:
    return {field: request.form.get(field, "") for field in fields}


def _say_at(at: datetime, zone: str) -> str:
    """Return an instant as the table has it; the foot of the page names the zone."""
    return f"{short_date(local_date(at, zone))}, {at.astimezone(ZoneInfo(zone)):%H:%M}"


def _page(
    token: str,
    *,
    given: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    done: str | None = None,
    secret: str | None = None,
    status: int = 400,
) -> Response:
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        subscription = open_subscription(session, chosen, "manage", token)
        who = read_preferences(session, subscription)
        if who.ended_at is not None:
            raise SubscriptionEnded(publisher=chosen.public.slug, because=who.ended_because)
        keyring = load_keyring(session, now())
        sent = load_sent(session, subscription, before=read_row("before"))
        endpoint = find_endpoint(session, subscription) if who.channel is not ChannelKind.EMAIL else None
        owned = list_own_endpoints(session, subscription.address_id) if who.channel is ChannelKind.EMAIL else ()
        links = {
            each.number: manage_url(chosen, keyring, each.subscription)
            for each in owned
            if each.subscription is not None
        }
    speak(who.language, by_address_only=True)
    zone = chosen.public.time_zone
    values = {
        "products": list(who.choices.products),
        "kinds": [ChangeKind(kind).value for kind in who.choices.kinds],
        "effect": who.wants_effect,
        "reminders": who.wants_reminders,
        "language": who.language,
        **(given or {}),
    }
    return show_private(
        "public/manage.html",
        status if errors else 200,
        **chosen.shown(),
        **of_reader(who),
        own_path=f"manage/{token}",
        channel=who.channel.value,
        is_follower=who.audience is Audience.FOLLOWER,
        is_confirmed=who.confirmed_at is not None,
        paused_at=who.paused_at,
        endpoint=endpoint,
        secret=secret,
        owned=owned,
        links=links,
        sent=sent,
        said_kind=say_kind,
        said_state=lambda letter: say_state(letter, who.channel),
        said_at=lambda at: _say_at(at, zone),
        letter_languages=letter_languages(),
        saved=done is not None,
        done=done,
        errors=errors or {},
        values=values,
    )
