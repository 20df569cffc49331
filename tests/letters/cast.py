"""The people and changes of the letter tests: Antopsis tells a customer and a follower of four changes at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from registry.domain.changes import EntryChange, diff_entry
from registry.domain.entries import read_entry
from registry.domain.vocabulary import Audience, ServiceLetterKind, StatementKind
from registry.letters import wording
from registry.letters.compose import list_headers
from registry.letters.render import LetterRenderer
from registry.letters.slots import slots_of
from registry.letters.values import (
    AcknowledgedFacts,
    FailingEndpoint,
    FrozenLetter,
    Merge,
    ObjectionFacts,
    Sender,
    StatementFacts,
)

TEMPLATES = Path(__file__).parents[2] / "templates"
RENDERER = LetterRenderer(TEMPLATES)

ANTOPSIS = Sender(
    slug="antopsis",
    name="Antopsis",
    legal_name="Antopsis Streaming GmbH",
    contact="privacy@antopsis.example",
    from_address="notices@antopsis.example",
    time_zone="Europe/Berlin",
    page_url="https://registry.example/antopsis/",
    privacy_url="https://antopsis.example/privacy",
    imprint_url="https://antopsis.example/imprint",
)

HETZNER: dict[str, Any] = {
    "name": "Hetzner",
    "legal_name": "Hetzner Online GmbH",
    "country": "DE",
    "address": "Industriestr. 25\n91710 Gunzenhausen",
    "purposes": ["Servers that run the service"],
    "activity": "Runs the servers and their network; has no access to the data on them.",
    "products": ["streaming"],
    "data_categories": ["Account data", "Usage data"],
    "locations": [
        {"country": "DE", "place": "Falkenstein", "function": "processing"},
        {"country": "FI", "place": "Helsinki", "function": "backup"},
    ],
    "transfers": [{"regime": "eu", "mechanism": "none.same-area", "destination": "DE"}],
    "links": {"website": "https://www.hetzner.com"},
}
CLOUDFLARE: dict[str, Any] = {
    "name": "Cloudflare",
    "legal_name": "Cloudflare, Inc.",
    "country": "US",
    "purposes": ["Delivery of the website"],
    "data_categories": ["IP addresses", "Page requests"],
    "locations": [{"country": "edge", "function": "transit"}, {"country": "DE", "function": "storage"}],
    "transfers": [
        {
            "regime": "eu",
            "mechanism": "eu.art46.scc2021.m3",
            "destination": "US",
            "assessment": {"reference": "TIA-7", "made_on": "2025-03-01"},
        }
    ],
    "condition": {"text": "Everybody who opens a stream"},
    "retention": "30 days",
    "since": "2021-05-01",
}
CLOUDFLARE_AFTER: dict[str, Any] = CLOUDFLARE | {
    "data_categories": ["IP addresses", "Player events"],
    "locations": [
        {"country": "edge", "function": "transit"},
        {"country": "US", "place": "Ashburn", "function": "storage"},
    ],
    "transfers": [
        {"regime": "eu", "mechanism": "eu.art45.us-dpf", "destination": "US", "checked_on": "2026-09-01"},
        *CLOUDFLARE["transfers"],
    ],
    "condition": {"when": "opt_out", "text": "Everybody who opens a stream"},
    "retention": None,
    "contact": {"email": "dpo@cloudflare.example"},
}
BUNNY: dict[str, Any] = {
    "name": "BunnyCDN",
    "legal_name": "BunnyWay d.o.o.",
    "purposes": ["Delivery of recordings"],
    "data_categories": ["IP addresses"],
    "locations": [{"country": "global", "function": "transit"}],
}
GOOGLE: dict[str, Any] = {"name": "Google", "role": "independent_controller", "purposes": ["Sign-in"]}


def change(key: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> EntryChange:
    """The typed difference of two entry documents, computed as the product computes it."""
    found = diff_entry(
        key, None if before is None else read_entry(before), None if after is None else read_entry(after)
    )
    assert found is not None
    return found


FOUR_CHANGES = (
    change("hetzner", None, HETZNER),
    change("cloudflare", CLOUDFLARE, CLOUDFLARE_AFTER),
    change("bunny", BUNNY, None),
    change("google", GOOGLE, GOOGLE | {"role": "subprocessor"}),
)

ANNOUNCEMENT = StatementFacts(
    kind="announcement",
    sender=ANTOPSIS,
    number="2026-001",
    seq=1,
    summary="We move our servers to Hetzner in Falkenstein, and recordings are delivered by Cloudflare from then on.",
    changes=FOUR_CHANGES,
    announced_at=datetime(2026, 9, 30, 8, 0, tzinfo=UTC),
    effective_on=date(2026, 10, 31),
    effective_at=datetime(2026, 10, 30, 23, 0, tzinfo=UTC),
    previous_effective_on=None,
    took_effect_at=None,
    emergency_reason=None,
    reason=None,
    notice_url="https://registry.example/antopsis/notices/2026-001",
    product_names=(("streaming", "Live streaming"),),
)


FAILING = FailingEndpoint(
    number=17,
    kind="webhook",
    place="hooks.customer.example",
    failing_since=datetime(2026, 10, 1, 6, 30, tzinfo=UTC),
    answer="HTTP 502: Bad Gateway <nginx>",
    customers=("Example Customer GmbH",),
)


OBJECTION = ObjectionFacts(
    act="received",
    number="2026-001",
    summary=ANNOUNCEMENT.summary,
    notice_url=ANNOUNCEMENT.notice_url,
    received_at=datetime(2026, 10, 12, 14, 5, tzinfo=UTC),
    zone="Europe/Berlin",
    last_on=date(2026, 10, 30),
    is_in_time=True,
    about=("Hetzner", "Cloudflare"),
)
ACKNOWLEDGED = AcknowledgedFacts(
    number="2026-001",
    seq=1,
    summary=ANNOUNCEMENT.summary,
    notice_url=ANNOUNCEMENT.notice_url,
    acknowledged_at=datetime(2026, 10, 1, 14, 5, tzinfo=UTC),
    zone="Europe/Berlin",
)
ANSWERED = replace(OBJECTION, act="reply", words="Dear Dana,\n\nwe keep <your> data in Falkenstein until May.\nYours")


def service_letter(kind: ServiceLetterKind, sender: Sender, product_names: tuple[str, ...] = ()) -> FrozenLetter:
    """A letter about a subscription or an objection, or to the owner of an endpoint, rendered."""
    if kind in {ServiceLetterKind.OBJECTION_RECEIVED, ServiceLetterKind.OBJECTION_REPLY}:
        facts = OBJECTION if kind is ServiceLetterKind.OBJECTION_RECEIVED else ANSWERED
        return RENDERER.render_objection_letter(kind, sender, "en", facts)
    if kind is ServiceLetterKind.ACKNOWLEDGED:
        return RENDERER.render_acknowledgement(sender, "en", ACKNOWLEDGED)
    endpoint = FAILING if kind is ServiceLetterKind.ENDPOINT_FAILING else None
    return RENDERER.render_service_letter(kind, sender, "en", product_names, endpoint)


def facts_of(kind: StatementKind) -> StatementFacts:
    """The notice's facts as they stand for a statement of this kind."""
    match kind:
        case StatementKind.POSTPONEMENT:
            return replace(
                ANNOUNCEMENT,
                kind=kind.value,
                seq=2,
                reason="A customer has not yet been reached.",
                effective_on=date(2026, 11, 14),
                effective_at=datetime(2026, 11, 13, 23, 0, tzinfo=UTC),
                previous_effective_on=date(2026, 10, 31),
            )
        case StatementKind.EFFECT:
            return replace(ANNOUNCEMENT, kind=kind.value, seq=3, took_effect_at=ANNOUNCEMENT.effective_at)
        case StatementKind.WITHDRAWAL | StatementKind.CORRECTION:
            return replace(ANNOUNCEMENT, kind=kind.value, seq=2, reason="The place of backups was wrong.")
        case _:
            return replace(ANNOUNCEMENT, kind=kind.value)


SLOT_VALUES = {
    "recipient_name": "Example Customer GmbH",
    "objection_deadline": wording.say_deadline(date(2026, 10, 30), "Europe/Berlin"),
    "manage_url": "https://registry.example/antopsis/manage/k1.s7.a8Vn2",
    "object_url": "https://registry.example/antopsis/object/k1.412.c09aa",
    "acknowledge_url": "https://registry.example/antopsis/acknowledge/k1.412.7e1d0",
    "unsubscribe_url": "https://registry.example/antopsis/unsubscribe/k1.s7.Zb41x",
    "confirm_url": "https://registry.example/antopsis/confirm/3kP0v",
    "delivery_reference": "2026-001/1/D-000412",
}
WHY = {
    Audience.CUSTOMER: wording.say_why_contact("Antopsis", "Example Customer GmbH"),
    Audience.FOLLOWER: wording.say_why_follower("Antopsis", date(2026, 8, 12)),
}


def merge_for(letter: FrozenLetter, audience: Audience, **changed: Any) -> Merge:
    """What one recipient of this audience is merged with: exactly the slots the letter has."""
    values = SLOT_VALUES | {"why": WHY[audience]}
    leave = values["unsubscribe_url" if audience is Audience.FOLLOWER else "manage_url"]
    merge = Merge(
        recipient="dana@customer.example" if audience is Audience.CUSTOMER else "finn@follower.example",
        recipient_name="Example Customer GmbH" if audience is Audience.CUSTOMER else None,
        message_id="<d412.3f2a@notices.registry.example>",
        boundary="=_registry_5f0c1a7e",
        date_at=datetime(2026, 9, 30, 8, 0, 5, tzinfo=UTC),
        slots=tuple((name, values[name]) for name in sorted(slots_of(letter))),
        headers=list_headers(ANTOPSIS, audience, leave, "registry.example"),
    )
    return replace(merge, **changed)
