"""A publisher's list as the public sees it: Antopsis on 21 November 2026, with every kind of notice on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from registry.domain.changes import EntryChange, diff_entry
from registry.domain.entries import EntryContent, read_entry
from registry.pages.values import (
    Addresses,
    PastVersion,
    PublicEntry,
    PublicList,
    PublicNotice,
    PublicProduct,
    PublicPublisher,
    RemovedEntry,
    ToldStatement,
)

ADDRESSES = Addresses("https://lists.example/antopsis")
TODAY = date(2026, 11, 21)
FOUNDED_AT = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)

PUBLISHER = PublicPublisher(
    slug="antopsis",
    name="Antopsis",
    legal_name="Antopsis GmbH",
    contact="privacy@antopsis.example",
    country="DE",
    time_zone="Europe/Berlin",
    notice_days=30,
    objection_days=30,
    products=(PublicProduct("streaming", "Live streaming"), PublicProduct("recording", "Recording")),
    website="https://antopsis.example",
    privacy_url="https://antopsis.example/privacy",
)


def content(name: str, **fields: Any) -> EntryContent:
    """Return validated content of an entry; what is left out is not stated."""
    return read_entry({"name": name, **fields})


STRIPE = content(
    "Stripe",
    legal_name="Stripe Payments Europe, Limited",
    country="IE",
    address="1 Grand Canal Street Lower\nDublin",
    contact={"name": "Data Protection Officer", "email": "dpo@stripe.example"},
    purposes=["Payments"],
    activity="Takes card payments and keeps the card data itself; Antopsis never sees a card number.",
    data_categories=["Customer id", "Subscription status", "Payment events"],
    data_subjects=["Account holders"],
    locations=[
        {"country": "IE", "place": "Dublin", "function": "processing"},
        {"country": "US", "function": "support_access"},
    ],
    transfers=[
        {
            "regime": "eu",
            "mechanism": "eu.art45.us-dpf",
            "destination": "US",
            "checked_on": "2026-10-01",
            "assessment": {"none_because": "an adequacy decision covers the destination"},
        },
        {"regime": "eu", "mechanism": "eu.art46.scc2021.m3", "destination": "US"},
    ],
    retention="As long as the account is active, and 7 years for invoices",
    since="2024-05-01",
    links={"website": "https://stripe.example", "privacy": "https://stripe.example/privacy"},
)
HETZNER = content(
    "Hetzner",
    legal_name="Hetzner Online GmbH",
    country="DE",
    purposes=["Servers that run the service"],
    data_categories=["Account data", "Usage data", "Stream content"],
    locations=[{"country": "DE", "place": "Falkenstein", "function": "processing"}],
    transfers=[{"regime": "eu", "mechanism": "none.same-area", "destination": "DE"}],
    since="2023-01-15",
)
CLOUDFLARE = content(
    "Cloudflare",
    purposes=["Content delivery", "Protection against attacks"],
    data_categories=["Stream content", "IP addresses"],
    locations=[{"country": "edge", "function": "transit"}],
    transfers=[{"regime": "eu", "mechanism": "eu.art45.us-dpf", "destination": "US"}],
)
R2 = content(
    "Cloudflare R2",
    purposes=["Encrypted backups"],
    data_categories=["Account data"],
    parent="cloudflare",
    locations=[{"country": "DE", "function": "backup"}],
)
RESEND = content("Resend", purposes=["Transactional e-mail"], former_names=["Post Office Labs"])
GOOGLE = content(
    "Google",
    role="independent_controller",
    purposes=["Sign-in with a Google account"],
    data_categories=["E-mail address"],
    condition={"when": "customer_choice", "text": "Only for users who sign in with Google."},
)
RESTREAM = content(
    "Restream targets",
    role="customer_directed",
    purposes=["Forwarding a stream to platforms the customer names"],
    data_categories=["Stream content"],
    products=["streaming"],
    locations=[{"country": "customer-selected", "function": "processing"}],
)
ANALYTICS = content("Analytics provider", role="category", purposes=["Usage statistics"])
OLD_CDN = content("KeyCDN", purposes=["Content delivery"], locations=[{"country": "CH", "function": "transit"}])
BUNNY = content(
    "BunnyCDN",
    legal_name="BunnyWay d.o.o.",
    country="SI",
    purposes=["Content delivery"],
    data_categories=["Stream content", "IP addresses"],
    locations=[{"country": "edge", "function": "transit"}, {"country": "SI", "function": "support_access"}],
    transfers=[{"regime": "eu", "mechanism": "none.same-area", "destination": "SI"}],
)
STRIPE_LATER = read_entry(
    STRIPE.as_document()
    | {
        "data_categories": ["Customer id", "Subscription status", "Payment events", "IP addresses"],
        "locations": [
            {"country": "IE", "place": "Dublin", "function": "processing"},
            {"country": "SG", "function": "support_access"},
        ],
        "retention": "10 years",
    }
)


def change(key: str, before: EntryContent | None, after: EntryContent | None) -> EntryChange:
    """Return the typed change of two versions that differ."""
    found = diff_entry(key, before, after)
    assert found is not None
    return found


def at(month: int, day: int, hour: int = 8, year: int = 2026) -> datetime:
    """Return an instant in UTC."""
    return datetime(year, month, day, hour, tzinfo=UTC)


STRIPE_NOTICE = PublicNotice(
    number="2026-004",
    state="announced",
    summary="Stripe sees IP addresses, and gives support from Singapore",
    announced_at=at(11, 2),
    updated_at=at(11, 2),
    effective_on=date(2026, 12, 4),
    effective_at=datetime(2026, 12, 3, 23, tzinfo=UTC),
    objection_until_on=date(2026, 12, 2),
    took_effect_at=None,
    withdrawn_at=None,
    emergency_reason=None,
    changes=(change("stripe", STRIPE, STRIPE_LATER),),
    statements=(ToldStatement(1, "announcement", at(11, 2), date(2026, 12, 4)),),
)
BUNNY_NOTICE = PublicNotice(
    number="2026-003",
    state="held",
    summary="BunnyCDN delivers streams beside Cloudflare",
    announced_at=at(10, 5),
    updated_at=at(11, 6),
    effective_on=None,
    effective_at=None,
    objection_until_on=date(2026, 11, 4),
    took_effect_at=None,
    withdrawn_at=None,
    emergency_reason=None,
    changes=(change("bunny", None, BUNNY),),
    statements=(
        ToldStatement(1, "announcement", at(10, 5), date(2026, 11, 6)),
        ToldStatement(2, "postponement", at(11, 6), None),
    ),
)
KEYCDN_NOTICE = PublicNotice(
    number="2026-001",
    state="in_effect",
    summary="KeyCDN leaves the list",
    announced_at=at(4, 1),
    updated_at=datetime(2026, 4, 30, 22, tzinfo=UTC),
    effective_on=date(2026, 5, 1),
    effective_at=datetime(2026, 4, 30, 22, tzinfo=UTC),
    objection_until_on=None,
    took_effect_at=datetime(2026, 4, 30, 22, tzinfo=UTC),
    withdrawn_at=None,
    emergency_reason=None,
    changes=(change("keycdn", OLD_CDN, None),),
    statements=(
        ToldStatement(1, "announcement", at(4, 1), date(2026, 5, 1)),
        ToldStatement(2, "effect", datetime(2026, 4, 30, 22, 5, tzinfo=UTC), date(2026, 5, 1)),
    ),
)
WITHDRAWN_NOTICE = PublicNotice(
    number="2026-002",
    state="withdrawn",
    summary="Hetzner would also have served from Helsinki",
    announced_at=at(6, 1),
    updated_at=at(6, 20),
    effective_on=date(2026, 7, 2),
    effective_at=datetime(2026, 7, 1, 22, tzinfo=UTC),
    objection_until_on=date(2026, 7, 1),
    took_effect_at=None,
    withdrawn_at=at(6, 20),
    emergency_reason=None,
    changes=(
        change(
            "hetzner",
            HETZNER,
            read_entry(
                HETZNER.as_document()
                | {
                    "locations": [
                        {"country": "DE", "place": "Falkenstein", "function": "processing"},
                        {"country": "FI", "place": "Helsinki", "function": "processing"},
                    ]
                }
            ),
        ),
    ),
    statements=(
        ToldStatement(1, "announcement", at(6, 1), date(2026, 7, 2)),
        ToldStatement(2, "withdrawal", at(6, 20), None),
    ),
)

CURRENT = {
    "stripe": STRIPE,
    "hetzner": HETZNER,
    "cloudflare": CLOUDFLARE,
    "cloudflare-r2": R2,
    "resend": RESEND,
    "google": GOOGLE,
    "restream": RESTREAM,
    "analytics": ANALYTICS,
}


def public_list(**fields: Any) -> PublicList:
    """Return the list as it is on 21 November 2026, with `fields` put in place of its own."""
    full = PublicList(
        publisher=PUBLISHER,
        revision=7,
        today=TODAY,
        as_of=None,
        changed_at=at(11, 6),
        entries=tuple(PublicEntry(key, entry, FOUNDED_AT, FOUNDED_AT) for key, entry in CURRENT.items()),
        removed=(RemovedEntry("keycdn", OLD_CDN, datetime(2026, 4, 30, 22, tzinfo=UTC)),),
        notices=(KEYCDN_NOTICE, WITHDRAWN_NOTICE, BUNNY_NOTICE, STRIPE_NOTICE),
        founded_at=FOUNDED_AT,
    )
    return replace(full, **fields)


def empty_list(**fields: Any) -> PublicList:
    """Return the list of a publisher that has not published anything."""
    return public_list(
        **{"revision": 0, "entries": (), "removed": (), "notices": (), "founded_at": None, **fields},
    )


def stripe_history() -> tuple[PastVersion, ...]:
    """Return Stripe's versions: as first published, with a corrected address, and the purposes changed by a notice."""
    first = read_entry({key: value for key, value in STRIPE.as_document().items() if key != "address"})
    narrow = read_entry(first.as_document() | {"data_categories": ["Customer id"]})
    april, june = at(4, 10), datetime(2026, 5, 31, 22, tzinfo=UTC)
    return (
        PastVersion(narrow, FOUNDED_AT, april, "founding", None),
        PastVersion(first, april, june, "2026-001", change("stripe", narrow, first)),
        PastVersion(STRIPE, june, None, "editorial", change("stripe", first, STRIPE)),
    )
