"""Resend's callbacks: an installation whose letters are with Resend, what is posted to it, and whatever else may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from werkzeug.test import TestResponse

from registry.channels.resend import ResendChannel
from tests.channels.resend_server import SIGNING_SECRET, Callback, ResendServer, TakenLetter
from tests.databases import ReusedDatabase
from tests.steps.post_office import add_followers, send, use_channel
from tests.web.conftest import serving_again
from tests.web.site import Site
from tests.world import BREMEN, antopsis

ADA = "ada@reader.example"
PATH = "/callbacks/resend"
HARD: dict[str, Any] = {
    "bounce": {"type": "Permanent", "subType": "General", "diagnosticCode": ["smtp; 550 5.1.1 user unknown"]}
}
AMAZONS_WORDS = (
    "The recipient's email provider sent a general bounce message, but didn't specify the reason for it. You might be "
    "able to send a message to the same recipient in the future if the issue that caused the message to bounce is "
    "resolved. Sending messages to addresses that produce hard bounces can have a negative impact on your reputation "
    "as a sender, and we might pause your ability to send additional email."
)


def refused_for_now(*diagnostics: str, message: str = AMAZONS_WORDS) -> dict[str, Any]:
    """Return the details of a bounce that Amazon calls transient and general, with what the other side said."""
    bounce: dict[str, Any] = {"type": "Transient", "subType": "General", "message": message}
    return {"bounce": bounce | ({"diagnosticCode": list(diagnostics)} if diagnostics else {})}


@contextmanager
def reporting(served: AbstractContextManager[Site], resend: ResendServer, *followers: str) -> Iterator[Site]:
    """Have an installation with Bremen as its customer tell it and some followers of a change, by Resend."""
    with served as site:
        resend.now = site.world.at
        use_channel(site.world, ResendChannel(resend.api_key, base_url=resend.url))
        add_followers(site.world, followers)
        site.world.announce(antopsis(customers=BREMEN, helsinki=True))
        yield site


@contextmanager
def letters_with(resend: ResendServer, database: ReusedDatabase, instance: Path, *followers: str) -> Iterator[Site]:
    """Serve an installation whose letters to Bremen and some followers are with Resend."""
    served = serving_again(
        database, instance, antopsis(customers=BREMEN), REGISTRY_RESEND_WEBHOOK_SECRET=SIGNING_SECRET
    )
    with reporting(served, resend, *followers) as site:
        assert send(site.world) == {"accepted": 1 + len(followers)}
        yield site


def letter_to(resend: ResendServer, address: str) -> TakenLetter:
    """Return the first letter to an address that Resend took."""
    return next(letter for letter in resend.taken if letter.recipient == address)


def post(site: Site, callback: Callback) -> TestResponse:
    """Post a callback as Resend does."""
    return site.post(PATH, callback.body, headers=callback.headers)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
TIMES = st.sampled_from(
    ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-09-30T08:00:00.126Z", "2026-02-30T00:00:00Z", "soon"]
)
CALLBACKS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["email.bounced", "email.delivered", "email.complained", "email.sent", "email.failed", "email.suppressed"]
        )
        | st.text(max_size=20),
        "created_at": TIMES | ANY_JSON,
        "data": st.fixed_dictionaries(
            {"email_id": st.just("56761188-7520-42d8-8898-ff6fc54ce618") | ANY_JSON},
            optional={
                "message_id": st.just("<1@x.example>") | ANY_JSON,
                "to": ANY_JSON,
                "tags": st.dictionaries(st.just("message_id"), st.text(max_size=20)) | ANY_JSON,
                "bounce": st.fixed_dictionaries({"type": st.text(max_size=9), "message": st.text(max_size=40)})
                | ANY_JSON,
            },
        )
        | ANY_JSON,
    }
)
