"""Asking to be told, confirming, choosing, leaving, and naming another contact (R18, R33, R34).

GET shows and changes nothing, for mail scanners follow links. POST acts, and the token in the address is what allows
it, so no session and no cookie is needed.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput
from registry.domain.vocabulary import Audience, ChangeKind
from registry.i18n import say_problem
from registry.steps.audience_errors import (
    ContactMayNotLeave,
    ExpiredToken,
    SubscriptionEnded,
    UnknownToken,
    UsedToken,
)
from registry.steps.confirm import Confirmation, confirm, find_confirmation, subscriber
from registry.steps.contacts import request_contact_change
from registry.steps.end_subscription import find_subscription
from registry.steps.keyring import Keyring, Purpose, load_keyring
from registry.steps.preferences import Preferences, change_preferences, read_preferences, unsubscribe
from registry.steps.subscribe import request_subscription
from registry.tables import Subscription
from registry.tables.engine import reading, writing
from registry.web.answers import show_private, show_public
from registry.web.current import now, wiring
from registry.web.limits import count_asking, refuse_cross_site
from registry.web.publishers import Chosen, choose_publisher, keep_slug

forms = Blueprint("forms", __name__)
keep_slug(forms)

SOMEBODY = "This address"
"""What stands for an address that was erased."""


@forms.get("/subscribe")
def show_subscribe() -> Response:
    """Show the form to follow the list by e-mail."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
    return show_public(wiring().pages.page("public/subscribe.html", **chosen.shown()))


@forms.post("/subscribe")
def ask_to_subscribe() -> Response:
    """Take a wish to follow. What is answered depends on what was typed alone, never on what is known of it."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
    refuse_cross_site(chosen)
    count_asking()
    values = _read_wishes() | {"email": request.form.get("email", ""), "name": request.form.get("name", "")}
    try:
        with writing(wiring().engine) as session:
            request_subscription(
                session,
                now(),
                choose_publisher(session).row,
                wiring().letterhead,
                load_keyring(session, now()),
                email=values["email"],
                name=values["name"],
                products=values["products"],
                kinds=values["kinds"],
                wants_effect=values["effect"],
                actor=subscriber(Audience.FOLLOWER),
            )
    except InvalidInput as error:
        return show_private("public/subscribe.html", 400, **chosen.shown(), errors=_sentences(error), values=values)
    return show_private("public/subscribe_sent.html", **chosen.shown(), recipient=values["email"].strip())


@forms.get("/confirm/<token>")
def show_confirm(token: str) -> Response:
    """Show what a confirm link is about."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        about = _find_confirmation(session, chosen, token)
        who = read_preferences(session, about.subscription)
    return show_private("public/confirm.html", **chosen.shown(), **_of_reader(who))


@forms.post("/confirm/<token>")
def act_on_confirm(token: str) -> Response:
    """Let the wish count."""
    with writing(wiring().engine) as session:
        chosen = choose_publisher(session)
        _find_confirmation(session, chosen, token)
        keyring = load_keyring(session, now())
        confirmed = confirm(session, now(), token, keyring)
        who = read_preferences(session, confirmed.subscription)
        manage_url = _manage_url(chosen, keyring, confirmed.subscription.id)
    return show_private(
        "public/confirmed.html",
        **chosen.shown(),
        **_of_reader(who),
        manage_url=manage_url,
        pending_count=confirmed.pending_notices_sent,
    )


def _find_confirmation(session: Session, chosen: Chosen, token: str) -> Confirmation:
    """Find what a token confirms for this publisher; another's token is none here, whatever became of it."""
    try:
        about = find_confirmation(session, now(), token)
    except (UsedToken, ExpiredToken) as error:
        if error.params["publisher"] != chosen.public.slug:
            raise UnknownToken from None
        raise
    if about.publisher.id != chosen.row.id:
        raise UnknownToken
    return about


@forms.get("/manage/<token>")
def show_manage(token: str) -> Response:
    """Show what a subscriber is told, to be changed."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        who = read_preferences(session, _open(session, chosen, "manage", token))
    if who.ended_at is not None:
        raise SubscriptionEnded(publisher=chosen.public.slug, because=who.ended_because)
    return _manage_page(chosen, who)


@forms.post("/manage/<token>")
def act_on_manage(token: str) -> Response:
    """Save what was chosen, stop all letters, or name another contact, by the button pressed."""
    match request.form.get("action"):
        case "stop":
            return _stop("manage", token)
        case "change_contact":
            return _change_contact("manage", token)
        case _:
            return _save(token)


def _save(token: str) -> Response:
    wishes = _read_wishes()
    errors: dict[str, str] = {}
    with writing(wiring().engine) as session:
        chosen = choose_publisher(session)
        subscription = _open(session, chosen, "manage", token, lock=True)
        before = read_preferences(session, subscription)
        # The form asks for products only where there is a choice, and tells what else it asked: the rest stays.
        asked = request.form.get("asked", "").split()
        products = wishes["products"] if len(chosen.public.products) > 1 else before.choices.products
        kinds = wishes["kinds"] if "kinds" in asked else before.choices.kinds
        reminders = wishes["reminders"] if "reminders" in asked else before.wants_reminders
        try:
            change_preferences(session, now(), subscription, products, kinds, wishes["effect"], reminders)
        except InvalidInput as error:
            errors = _sentences(error)
        who = read_preferences(session, subscription)
    return _manage_page(chosen, who, wishes, errors=errors) if errors else _manage_page(chosen, who, saved=True)


@forms.get("/unsubscribe/<token>")
def show_unsubscribe(token: str) -> Response:
    """Show the button that ends a follower's letters; a contact may name another instead (R34)."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        subscription = _open(session, chosen, "unsubscribe", token)
        who = read_preferences(session, subscription)
        manage_url = _manage_url(chosen, load_keyring(session, now()), subscription.id)
    if who.ended_at is not None:
        return _ended_page(chosen, who)
    if who.audience is Audience.CUSTOMER:
        return _change_contact_page(chosen, who)
    return show_private("public/unsubscribe.html", **chosen.shown(), **_of_reader(who), manage_url=manage_url)


@forms.post("/unsubscribe/<token>")
def act_on_unsubscribe(token: str) -> Response:
    """End a follower's letters: by the button of the page, or by a mail program's one click (RFC 8058).

    Both are answered at once and without a redirect, as section 3.1 of the RFC wants. Nothing in the body is needed.
    """
    if request.form.get("action") == "change_contact":
        return _change_contact("unsubscribe", token)
    return _stop("unsubscribe", token)


def _stop(purpose: Purpose, token: str) -> Response:
    try:
        with writing(wiring().engine) as session:
            chosen = choose_publisher(session)
            subscription = _open(session, chosen, purpose, token, lock=True)
            who = read_preferences(session, subscription)
            unsubscribe(session, now(), subscription.id)
    except ContactMayNotLeave:
        # Not 200: the mail program whose one click this was would tell its user that the letters have ended.
        return _change_contact_page(chosen, who, 409)
    return _ended_page(chosen, who)


def _change_contact(purpose: Purpose, token: str) -> Response:
    values = {"email": request.form.get("email", ""), "name": request.form.get("name", "")}
    errors: dict[str, str] = {}
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        who = read_preferences(session, _open(session, chosen, purpose, token))
    count_asking()
    try:
        with writing(wiring().engine) as session:
            subscription = _open(session, chosen, purpose, token, lock=True)
            keyring = load_keyring(session, now())
            letterhead = wiring().letterhead
            request_contact_change(session, now(), subscription, letterhead, keyring, **values)
    except InvalidInput as error:
        errors = _sentences(error)
    if errors and purpose == "manage":
        return _manage_page(chosen, who, values, errors=errors)
    if errors:
        return _change_contact_page(chosen, who, 400, errors=errors, values=values)
    return show_private(
        "public/change_contact_sent.html",
        **chosen.shown(),
        recipient=who.email or SOMEBODY,
        new_recipient=values["email"].strip(),
    )


def _open(session: Session, chosen: Chosen, purpose: Purpose, token: str, *, lock: bool = False) -> Subscription:
    """Return the subscription that a link token opens for `purpose` at this publisher, or raise `UnknownToken`."""
    keyring = load_keyring(session, now())
    number = keyring.verify(purpose, token)
    subscription = None
    if number is not None:
        subscription = find_subscription(session, number) if lock else session.get(Subscription, number)
    if subscription is None or subscription.publisher_id != chosen.row.id:
        raise UnknownToken
    if not keyring.could_sign_for(token, subscription.created_at):
        raise UnknownToken
    return subscription


def _manage_url(chosen: Chosen, keyring: Keyring, subscription_id: int) -> str:
    return chosen.addresses.at(f"manage/{keyring.sign('manage', subscription_id)}")


def _read_wishes() -> dict[str, Any]:
    return {
        "products": list(dict.fromkeys(request.form.getlist("products"))),
        "kinds": list(dict.fromkeys(request.form.getlist("kinds"))),
        "effect": "effect" in request.form,
        "reminders": "reminders" in request.form,
    }


def _sentences(error: InvalidInput) -> dict[str, str]:
    """Return one sentence per field of a form, the first where there are several."""
    sentences: dict[str, str] = {}
    for problem in error.problems:
        sentences.setdefault(problem.field.partition(".")[0] or "form", say_problem(problem))
    return sentences


def _of_reader(who: Preferences) -> dict[str, Any]:
    return {"recipient": who.email or SOMEBODY, "audience": who.audience.value, "customer_name": who.customer}


def _manage_page(
    chosen: Chosen,
    who: Preferences,
    given: dict[str, Any] | None = None,
    *,
    errors: dict[str, str] | None = None,
    saved: bool = False,
) -> Response:
    values = {
        "products": list(who.choices.products),
        "kinds": [ChangeKind(kind).value for kind in who.choices.kinds],
        "effect": who.wants_effect,
        "reminders": who.wants_reminders,
        **(given or {}),
    }
    return show_private(
        "public/manage.html",
        400 if errors else 200,
        **chosen.shown(),
        **_of_reader(who),
        saved=saved,
        errors=errors or {},
        values=values,
    )


def _change_contact_page(chosen: Chosen, who: Preferences, status: int = 200, **given: dict[str, str]) -> Response:
    return show_private("public/change_contact.html", status, **chosen.shown(), **_of_reader(who), **given)


def _ended_page(chosen: Chosen, who: Preferences) -> Response:
    return show_private("public/unsubscribed.html", **chosen.shown(), **_of_reader(who))
