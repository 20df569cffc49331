"""The form to be told: by e-mail, webhook, Slack or Teams, or by an address for a feed reader or a calendar (R34)."""

from __future__ import annotations

import time
from typing import Any, Final

from flask import Blueprint, Response, current_app, request

from registry.domain.errors import InvalidInput, Problem
from registry.domain.vocabulary import Audience, ChannelKind
from registry.language import marked, spoken
from registry.steps.confirm import subscriber
from registry.steps.endpoints import EndpointWish
from registry.steps.keyring import load_keyring
from registry.steps.request_endpoint import request_endpoint
from registry.steps.subscribe import request_subscription
from registry.tables.engine import reading, writing
from registry.web.answers import show_private, show_public
from registry.web.current import now, wiring
from registry.web.forms_common import letter_languages, read_filter, read_wishes, sentences, was_asked
from registry.web.limits import count_asking, refuse_cross_site
from registry.web.publishers import Chosen, choose_publisher, keep_slug

subscribing = Blueprint("subscribing", __name__)
keep_slug(subscribing)

CHANNELS: Final = (
    (ChannelKind.EMAIL.value, marked("E-mail")),
    (ChannelKind.WEBHOOK.value, marked("Webhook, for a program of your own")),
    (ChannelKind.SLACK.value, marked("Slack")),
    (ChannelKind.TEAMS.value, marked("Microsoft Teams")),
)
FILTERS: Final = {
    "q": marked("Words"),
    "product": marked("Product"),
    "region": marked("Region"),
    "purpose": marked("Purpose"),
    "data": marked("Data"),
    "role": marked("Role"),
    "mechanism": marked("Transfer ground"),
}
"""What the parts of a filter are called."""
ANSWER_STEP: Final = 0.1
"""Seconds. A wish is answered after a whole number of them: an address that nobody had here takes some rows more."""
STEP: Final = "REGISTRY_ANSWER_STEP"
"""The application's setting that replaces it, for tests."""
BY_WEB: Final = frozenset({ChannelKind.WEBHOOK.value, ChannelKind.SLACK.value, ChannelKind.TEAMS.value})


@subscribing.get("/subscribe")
def show_subscribe() -> Response:
    """Show the form, with the filter of the page it was opened from: in its choices, and in the addresses of feeds."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
    asking = read_filter()
    known = {product.key for product in chosen.public.products}
    channel = request.args.get("channel", "")
    values: dict[str, Any] = {
        "channel": channel if channel in BY_WEB else ChannelKind.EMAIL.value,
        "products": [value for field, value in asking if field == "product" and value in known],
        "reminders": True,
        "language": spoken(),
    }
    return show_public(wiring().pages.page("public/subscribe.html", **_shown(chosen, values)))


@subscribing.post("/subscribe")
def ask_to_subscribe() -> Response:
    """Take a wish to be told. What is answered, and when, depends on what was typed, never on what is known of it."""
    began = time.monotonic()
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
    refuse_cross_site(chosen)
    count_asking()
    values = read_wishes() | {name: request.form.get(name, "") for name in ("email", "name", "url")}
    values["channel"] = request.form.get("channel") or ChannelKind.EMAIL.value
    # A form that does not ask for reminders means the usual: they come.
    values["reminders"] = values["reminders"] or not was_asked("reminders")
    try:
        _ask(values)
    except InvalidInput as error:
        shown = _shown(chosen, values)
        return show_private("public/subscribe.html", 400, **shown, errors=sentences(error, owner="email"))
    recipient, by_web = values["email"].strip(), values["channel"] in BY_WEB
    answer = show_private("public/subscribe_sent.html", **chosen.shown(), recipient=recipient, by_web=by_web)
    _wait_for_the_step(began)
    return answer


def _wait_for_the_step(began: float) -> None:
    step = current_app.config.get(STEP, ANSWER_STEP)
    if step:
        time.sleep(step - (time.monotonic() - began) % step)


def _ask(values: dict[str, Any]) -> None:
    channel = values["channel"]
    if channel not in {each for each, _ in CHANNELS}:
        expected = ", ".join(each for each, _ in CHANNELS)
        raise InvalidInput([Problem("channel", channel[:40], "unknown-choice", {"expected": expected})])
    parts, actor = wiring(), subscriber(Audience.FOLLOWER)
    letters = {"wants_reminders": values["reminders"], "wants_effect": values["effect"]}
    with writing(parts.engine) as session:
        publisher, keyring = choose_publisher(session).row, load_keyring(session, now())
        if channel not in BY_WEB:
            request_subscription(
                session,
                now(),
                publisher,
                parts.letterhead,
                keyring,
                email=values["email"],
                name=values["name"],
                products=values["products"],
                kinds=values["kinds"],
                language=values["language"],
                actor=actor,
                **letters,
            )
            return
        wish = EndpointWish(
            ChannelKind(channel),
            values["url"],
            values["email"],
            products=tuple(values["products"]),
            kinds=tuple(values["kinds"]),
            language=values["language"],
        )
        request_endpoint(session, now(), publisher, parts.letterhead, keyring, wish, parts.reach, actor, **letters)


def _shown(chosen: Chosen, values: dict[str, Any]) -> dict[str, Any]:
    return {
        **chosen.shown(),
        "values": values,
        "asking": read_filter(),
        "channels": CHANNELS,
        "letter_languages": letter_languages(),
        "filter_names": FILTERS,
    }
