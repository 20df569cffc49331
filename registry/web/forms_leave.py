"""Leaving at one click (RFC 8058); a customer's contact names another one instead (R34)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from registry.domain.errors import InvalidInput
from registry.domain.vocabulary import Audience
from registry.steps.audience_errors import ContactMayNotLeave
from registry.steps.contacts import request_contact_change
from registry.steps.keyring import Purpose, load_keyring
from registry.steps.preferences import Preferences, read_preferences, unsubscribe
from registry.tables.engine import reading, writing
from registry.web.answers import show_private
from registry.web.current import now, wiring
from registry.web.forms_common import manage_url, of_reader, open_subscription, sentences, somebody
from registry.web.languages import speak
from registry.web.limits import count_asking
from registry.web.publishers import Chosen, choose_publisher, keep_slug

leaving = Blueprint("leaving", __name__)
keep_slug(leaving)


@leaving.get("/unsubscribe/<token>")
def show_unsubscribe(token: str) -> Response:
    """Show the button that ends a follower's letters; a contact may name another instead (R34)."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        subscription = open_subscription(session, chosen, "unsubscribe", token)
        who = read_preferences(session, subscription)
        url = manage_url(chosen, load_keyring(session, now()), subscription.id)
    speak(who.language, by_address_only=True)
    if who.ended_at is not None:
        return ended_page(chosen, who)
    if who.audience is Audience.CUSTOMER:
        return change_contact_page(chosen, who)
    return show_private("public/unsubscribe.html", **chosen.shown(), **of_reader(who), manage_url=url)


@leaving.post("/unsubscribe/<token>")
def act_on_unsubscribe(token: str) -> Response:
    """End a follower's letters: by the button of the page, or by a mail program's one click (RFC 8058).

    Both are answered at once and without a redirect, as section 3.1 of the RFC wants. Nothing in the body is needed.
    """
    if request.form.get("action") == "change_contact":
        who, errors, answer = ask_for_contact("unsubscribe", token)
        return answer or change_contact_page(who[0], who[1], 400, errors=errors, values=_typed())
    return stop("unsubscribe", token)


def stop(purpose: Purpose, token: str) -> Response:
    """End a follower's letters; a contact gets the page by which it names another."""
    try:
        with writing(wiring().engine) as session:
            chosen = choose_publisher(session)
            subscription = open_subscription(session, chosen, purpose, token, lock=True)
            who = read_preferences(session, subscription)
            unsubscribe(session, now(), subscription.id)
    except ContactMayNotLeave:
        # Not 200: the mail program whose one click this was would tell its user that the letters have ended.
        return change_contact_page(chosen, who, 409)
    speak(who.language, by_address_only=True)
    return ended_page(chosen, who)


def ask_for_contact(purpose: Purpose, token: str) -> tuple[tuple[Chosen, Preferences], dict[str, str], Response | None]:
    """Ask another contact to confirm that it takes this one's place.

    Return whose link it is, what is wrong with what was typed, and the answer where nothing is.
    """
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        who = read_preferences(session, open_subscription(session, chosen, purpose, token))
    count_asking()
    speak(who.language, by_address_only=True)
    try:
        with writing(wiring().engine) as session:
            subscription = open_subscription(session, chosen, purpose, token, lock=True)
            keyring = load_keyring(session, now())
            request_contact_change(session, now(), subscription, wiring().letterhead, keyring, **_typed())
    except InvalidInput as error:
        return (chosen, who), sentences(error), None
    answer = show_private(
        "public/change_contact_sent.html",
        **chosen.shown(),
        recipient=who.email or somebody(),
        new_recipient=_typed()["email"].strip(),
    )
    return (chosen, who), {}, answer


def _typed() -> dict[str, str]:
    return {"email": request.form.get("email", ""), "name": request.form.get("name", "")}


def change_contact_page(chosen: Chosen, who: Preferences, status: int = 200, **given: dict[str, str]) -> Response:
    """Show the form by which a contact names another."""
    return show_private("public/change_contact.html", status, **chosen.shown(), **of_reader(who), **given)


def ended_page(chosen: Chosen, who: Preferences) -> Response:
    """Say that no more letters come."""
    return show_private("public/unsubscribed.html", **chosen.shown(), **of_reader(who))
