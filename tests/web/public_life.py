"""A publisher in the middle of its public life: forty entries in every role, notices of every fate, and odd names."""

from __future__ import annotations

import json
import struct
import zlib
from datetime import date, timedelta
from typing import Any

from registry.domain.documents import Upload
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.steps.brand import set_logo
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.withdraw_notice import withdraw_notice
from tests.world import ANNA, World, utc

SLUG, SMALL = "northlight", "corner-shop"
PRESENT = utc("2026-12-21 09:00")
PAST_DAY = "2026-10-15"
ANNOUNCED, HELD, WITHDRAWN, IN_EFFECT = "2026-006", "2026-004", "2026-003", "2026-001"
"""Numbers of the notices."""
HOLDER = "law@insists.example"

UNBROKEN = "Rindfleischetikettierungsueberwachungsaufgabenuebertragungsgesetzverwaltung"
"""A word that no line can break by itself."""
HOSTILE = (
    '<script>alert("x")</script> & Söhne’s “Data” {{ 7*7 }} %(name)s',
    "שירותי ענן בע״מ",
    "شركة البيانات",
    "杭州云服务有限公司",
    "🜁 Æther ☁️ 👩‍💻",
    f"{UNBROKEN}{UNBROKEN}",
    "A\u00a0B\u200bC\u00adD",
)
"""Names that break what does not escape, turn around or wrap them."""


def _png(width: int, height: int) -> bytes:
    def piece(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + bytes([11 + row, 110, 138] * width) for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + piece(b"IHDR", head) + piece(b"IDAT", zlib.compress(rows, 9)) + piece(b"IEND", b"")


LOGO = _png(96, 64)
_ROLES = {
    "subprocessor": [
        *("Hetzner", "Cloudflare", "Stripe", "Postmark", "Twilio", "Datadog", "Sentry", "Zendesk", "Intercom"),
        *("MongoDB", "Snowflake", "Fastly", "Algolia", "OpenAI", "Mistral", "Auth0", "PagerDuty", "Segment"),
        *("Mailgun", "Vercel", "Supabase", "Backblaze", "Wasabi"),
    ],
    "affiliate": ["Northlight GmbH", "Northlight Vietnam Co.", "Northlight Inc.", "Northlight UK Ltd"],
    "independent_controller": ["Deloitte", "DHL", "PayPal", "Visa"],
    "customer_directed": ["YouTube", "Twitch", "Salesforce", "HubSpot"],
}
_PLACES = (
    *("DE", "US", "IE", "NL", "VN", "SG", "FR", "GB", "edge", "JP", "FI", "CA", "IN", "AU", "BR", "SE", "global", "ZA"),
    *("CH", "KR", "PL", "customer-selected"),
)
_FUNCTIONS = ("processing", "storage", "backup", "support_access", "transit", None)
_PURPOSES = (
    *("Servers that run the service", "Content delivery", "Payments", "E-mail to users", "Text messages", "Monitoring"),
    *("Error reports", "Customer support", "Search", "Sign-in of users", "Backups", "Analysis of use"),
)
_DATA = ("Account data", "Usage data", "Payment data", "Content of messages", "IP addresses", "Support requests")
_GROUNDS = (
    ("none.same-area", "eu"),
    ("eu.art45.us-dpf", "eu"),
    ("eu.art46.scc2021.m3", "eu"),
    ("eu.art45", "eu"),
    ("uk.addendum", "uk"),
    ("vn.ctia", "vn"),
    ("unknown", None),
)
_CONDITIONS = (
    {"when": "opt_in", "text": "Only if you turn on restreaming."},
    {"when": "feature", "text": "Only where summaries by artificial intelligence are used."},
    {"when": "region"},
    {"when": "customer_choice"},
)


def forty_entries() -> list[dict[str, Any]]:
    """Return forty entries in four roles as a registry file has them, of which none says the same as another."""
    made: list[dict[str, Any]] = []
    for role, names in _ROLES.items():
        made += [_entry(len(made) + number, name, role) for number, name in enumerate(names)]
    rest = 40 - len(made)
    made += [_entry(len(made) + number, f"Regional Carrier {number + 1}", "subprocessor") for number in range(rest)]
    # A chain of three below the first.
    made[1]["parent"], made[5]["parent"], made[11]["parent"] = made[0]["key"], made[1]["key"], made[5]["key"]
    return made


def _entry(number: int, name: str, role: str) -> dict[str, Any]:
    key = f"{name.lower().replace(' ', '-').replace('.', '')}"
    places = [
        {"country": _PLACES[(number * 3 + step * 5) % len(_PLACES)], "function": _FUNCTIONS[(number + step) % 5]}
        for step in range(number % 4)
    ]
    mechanism, regime = _GROUNDS[number % len(_GROUNDS)]
    destination = places[0]["country"] if places else "US"
    made: dict[str, Any] = {
        "key": key,
        "name": name,
        "role": role,
        "legal_name": f"{name} Holding {'GmbH' if number % 2 else 'Inc.'}",
        "country": ("DE", "US", "IE", "VN")[number % 4],
        "purposes": [_PURPOSES[(number + step * 7) % len(_PURPOSES)] for step in range(1 + number % 2)],
        "data_categories": [_DATA[(number + step) % len(_DATA)] for step in range(number % 4)],
        "products": ["streaming"] if number % 5 == 0 else ["storage", "api"] if number % 5 == 1 else [],
        "locations": places,
        "transfers": [{"mechanism": mechanism, "destination": destination, **({"regime": regime} if regime else {})}],
        "activity": f"{name} does its part of the service, number {number}, and its responsibility ends there.",
        "links": {
            "website": f"https://{key}.example/",
            "privacy": f"https://{key}.example/privacy",
            "dpa": f"https://{key}.example/dpa",
        },
    }
    if number % 6 == 0:
        made["condition"] = _CONDITIONS[number // 6 % len(_CONDITIONS)]
    if number % 3 == 0:
        made |= {"since": f"20{18 + number % 8}-0{1 + number % 9}-01", "retention": f"{30 + number} days."}
    return made


def odd_entries() -> list[dict[str, Any]]:
    """Return entries as nobody expects them, a processor and a category among them."""
    odd: list[dict[str, Any]] = [
        {
            "key": f"odd-{number}",
            "name": name,
            "role": ("processor", "category", "subprocessor")[number % 3],
            "legal_name": f"{name} AG",
            "former_names": [f"Old {name}"],
            "purposes": [name],
            "data_categories": [f"Data of {name}", UNBROKEN],
            "data_subjects": ["Customers’ users"],
            "special_categories": ["Health data"],
            "activity": f"{name}\n\nSecond line: {UNBROKEN}.",
            "locations": [{"country": "DE", "place": UNBROKEN[:60], "function": "processing"}],
            "contact": {"name": name[:200], "email": f"{UNBROKEN.lower()[:60]}@odd.example"},
            "links": {"website": f"https://odd.example/{UNBROKEN.lower() * 2}?q='\"><b>&x=%00"},
        }
        for number, name in enumerate(HOSTILE)
    ]
    return [*odd, {"key": "a" * 80, "name": "Nothing is stated of this one"}]


def public_file(entries: list[dict[str, Any]], slug: str = SLUG, *, customers: bool = False) -> RegistryFile:
    """Return the file of a publisher with these entries."""
    of_customers = [
        {
            "key": "insists",
            "name": "Insists on it KG",
            "time_zone": "Europe/Berlin",
            "contacts": [HOLDER],
            "notice": {"authorisation": "specific"},
        }
    ]
    file = {
        "registry": 1,
        "publisher": {
            "slug": slug,
            "name": slug.replace("-", " ").title(),
            "legal_name": f"{slug.title()} Software GmbH",
            "contact": f"privacy@{slug}.example",
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "website": f"https://{slug}.example/",
            "privacy_url": f"https://{slug}.example/privacy",
            "imprint_url": f"https://{slug}.example/imprint",
            "colour": "#0b6e8a",
            "notice": {"days": 30, "objection_days": 30},
        },
        "products": [
            {"key": "streaming", "name": "Live streaming"},
            {"key": "storage", "name": "Recordings"},
            {"key": "api", "name": "Interface for programs"},
        ],
        "entries": entries,
        "customers": of_customers if customers else [],
    }
    return read_registry_file(json.dumps(file).encode(), f"{slug}.yaml")


def small_file() -> RegistryFile:
    """Return the file of a publisher that names one category, and nothing besides."""
    file = {
        "registry": 1,
        "publisher": {
            "slug": SMALL,
            "name": "Corner Shop",
            "contact": "shop@corner.example",
            "time_zone": "America/St_Johns",
            "notice": {"days": 30, "objection_days": 30},
        },
        "entries": [{"key": "post", "name": "Post", "role": "category"}],
    }
    return read_registry_file(json.dumps(file).encode(), "corner-shop.yaml")


def files() -> tuple[RegistryFile, RegistryFile]:
    """Return what an installation is founded with, whose publisher lives through it all, and another one."""
    return public_file(list(_founding().values())), small_file()


def live_through(world: World) -> None:
    """Go on from the founding with `files()` until `PRESENT`: a notice of every fate, and entries that left."""
    entries = _founding()
    with world.writing() as session:
        set_logo(session, world.at, get_publisher(session, SLUG), ANNA, Upload("logo.png", LOGO))

    def announce(effective_on: date, *, customers: bool = False) -> str:
        return world.announce(public_file(list(entries.values()), customers=customers), effective_on=effective_on)

    entries["kyoto"] = {
        "key": "kyoto",
        "name": "Kyoto Storage",
        "purposes": ["Backups"],
        "locations": [{"country": "JP"}],
    }
    entries["hetzner"] = _moved(entries["hetzner"], "FI", "Helsinki")
    announce(date(2026, 11, 16))
    for key in ("wasabi", "regional-carrier-5"):
        del entries[key]
    announce(date(2026, 11, 16))
    # It takes two days until the letters are out, and the second sweep sees what the first left.
    world.at = utc("2026-11-15 23:00")
    world.tick()
    world.at = utc("2026-11-16 09:00")
    before = dict(entries)
    entries["gone"] = {"key": "gone", "name": "Never Came Ltd", "purposes": ["Sales calls"]}
    withdrawn = announce(date(2026, 12, 20))
    with world.writing() as session:
        publisher = get_publisher(session, SLUG)
        notice = get_notice(session, publisher, withdrawn)
        withdraw_notice(session, world.at, publisher, notice, ANNA, world.wiring.letterhead, "We stay as we are.")
    entries.clear()
    entries.update(before)
    entries["stripe"] = _moved(entries["stripe"], "VN", "Hà Nội")
    announce(date(2026, 12, 20), customers=True)
    world.at = utc("2026-12-19 23:00")
    world.tick()
    world.at = PRESENT - timedelta(minutes=1)
    world.tick()
    entries["cloudflare"] = entries["cloudflare"] | {
        "name": f"Cloudflare {UNBROKEN}",
        "legal_name": "Another Legal Entity Ltd",
        "purposes": ["Content delivery", UNBROKEN],
        "retention": "Seven days.",
        "condition": {"when": "opt_in", "text": "Only if you turn on restreaming."},
    }
    entries["odd-new"] = odd_entries()[0] | {"key": "odd-new", "role": "subprocessor"}
    announce(date(2027, 2, 15), customers=True)
    del entries["odd-4"]
    announce(date(2027, 1, 25), customers=True)
    world.at = PRESENT
    world.tick()


def _founding() -> dict[str, dict[str, Any]]:
    """Return the entries that the list was founded with, by key."""
    return {entry["key"]: entry for entry in [*forty_entries(), *odd_entries()]}


def _moved(entry: dict[str, Any], country: str, place: str) -> dict[str, Any]:
    further = {"country": country, "place": place, "function": "processing"}
    return entry | {"locations": [*entry["locations"], further]}
