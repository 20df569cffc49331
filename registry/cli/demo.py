"""A demonstration: the example publishers, each with one invented notice that is pending, through the real steps.

Everything that is not in the example files is invented, and says so by its name. The addresses end in `.example`,
which leads nowhere, and the letters become files in the outbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.cli.invocation import Refusal
from registry.cli.printing import print_progress
from registry.cli.workbench import workbench_at_hand
from registry.domain.entries import read_entry
from registry.domain.people import TeamRole
from registry.domain.publishers import CustomerFacts
from registry.domain.validation import read_model
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.settings import OUTBOX, Settings
from registry.steps.apply_file import apply_file
from registry.steps.confirm import PUBLIC_PAGE, confirm
from registry.steps.customers import record_customer
from registry.steps.draft_notice import draft_notice
from registry.steps.installation import PauseReason, resume
from registry.steps.keyring import make_keyring
from registry.steps.lookup import get_publisher
from registry.steps.people import invite_person
from registry.steps.publish_notice import publish_notice
from registry.steps.record import Actor
from registry.steps.record_edit import record_edit
from registry.steps.subscribe import request_subscription
from registry.tables import ConfirmToken, Installation, Membership, Person, Publisher
from registry.tables.engine import reading, writing
from registry.wiring import CHECKOUT, Wiring

EXAMPLES: Final = CHECKOUT / "examples"
DEMONSTRATION: Final = Actor("demonstration", "command line")
INVENTED: Final = "(invented)"


@dataclass(frozen=True)
class Scene:
    """What is invented for one publisher: an entry that its notice adds, and a customer who is told of it."""

    entry_key: str
    entry: dict[str, Any]
    customer: dict[str, Any]


def _scene(entry_key: str, entry: dict[str, Any], customer: str, place: dict[str, Any]) -> Scene:
    key = f"example-customer-{place.pop('key')}"
    contact = {"email": f"privacy@{key}.example", "name": f"Privacy team {INVENTED}"}
    return Scene(
        entry_key,
        {"role": "subprocessor", **entry, "name": f"{entry['name']} {INVENTED}"},
        {"key": key, "name": f"{customer} {INVENTED}", "contacts": [contact], **place},
    )


SCENES: Final[dict[str, Scene]] = {
    "antopsis": _scene(
        "example-backup",
        {
            "name": "Example Backup GmbH",
            "legal_name": "Example Backup GmbH (invented for this demonstration)",
            "country": "FI",
            "purposes": ["A second place for encrypted database backups"],
            "data_categories": ["Database backups (encrypted)"],
            "locations": [{"country": "FI", "place": "Helsinki", "function": "backup"}],
            "transfers": [{"regime": "eu", "mechanism": "none.same-area", "destination": "FI"}],
            "translations": {
                "de": {
                    "A second place for encrypted database backups": (
                        "Ein zweiter Ort für verschlüsselte Datenbanksicherungen"
                    ),
                    "Database backups (encrypted)": "Datenbanksicherungen (verschlüsselt)",
                }
            },
        },
        "Example Customer GmbH",
        {"key": "berlin", "time_zone": "Europe/Berlin", "notice": {"days": 45}},
    ),
    "streamonapi": _scene(
        "example-support-desk",
        {
            "name": "Example Support Desk Co.",
            "country": "VN",
            "purposes": ["Answering customers' questions"],
            "data_categories": ["Account information", "Support messages"],
            "locations": [{"country": "VN", "place": "Da Nang", "function": "support_access"}],
            "translations": {
                "vi": {
                    "Answering customers' questions": "Trả lời câu hỏi của khách hàng",
                    "Account information": "Thông tin tài khoản",
                    "Support messages": "Tin nhắn hỗ trợ",
                    "Da Nang": "Đà Nẵng",
                }
            },
        },
        "Example Broadcaster Co.",
        {"key": "hanoi", "time_zone": "Asia/Ho_Chi_Minh"},
    ),
    "nextapi": _scene(
        "example-transcoder",
        {
            "name": "Example Transcoding Inc.",
            "country": "CA",
            "purposes": ["Conversion of generated videos"],
            "data_categories": ["Generated videos"],
            "locations": [{"country": "CA", "place": "Toronto", "function": "processing"}],
        },
        "Example Film Studio LLC",
        {"key": "new-york", "time_zone": "America/New_York", "notice": {"counting": "business", "holidays": "US"}},
    ),
    "apexstream": _scene(
        "example-metrics",
        {
            "name": "Example Metrics Ltd",
            "country": "IE",
            "purposes": ["Measuring how fast the service answers"],
            "data_categories": ["Technical data"],
            "locations": [{"country": "IE", "function": "processing"}],
        },
        "Example Games SA",
        {"key": "lisbon", "time_zone": "Europe/Lisbon", "notice": {"objection_days": 14}},
    ),
}
"""By the slug of the publisher in examples/; one without a scene gets its list alone."""

TEAM: Final = (TeamRole.OWNER, TeamRole.EDITOR, TeamRole.APPROVER)
"""Who works for each publisher of the demonstration: enough for four eyes."""


@dataclass(frozen=True)
class WayIn:
    """Somebody invented who works for a publisher. `link` is where they choose a password, None once they have one."""

    email: str
    role: TeamRole
    slug: str
    link: str | None


def prepare_demo(wiring: Wiring, now: datetime, examples: Path = EXAMPLES) -> list[str]:
    """Make the installation a demo and play the scenes that are not there yet; return the slugs that were added.

    A second start adds nothing. Refused in production, on an installation that was not made as a demo, and where
    letters would really be sent.
    """
    _refuse_where_real(wiring)
    wiring.bind(is_demo=True)
    _follow_address(wiring, now)
    added = []
    for path in sorted(examples.glob("*.yaml")):
        file = read_registry_file(path.read_bytes(), path.name)
        slug = file.publisher.slug
        with writing(wiring.engine) as session:
            if session.scalar(select(Publisher.id).where(Publisher.slug == slug)) is not None:
                continue
            print_progress(f"Loading {slug} …")
            _play(session, now, wiring, file, SCENES.get(slug))
            added.append(slug)
    with writing(wiring.engine) as session:
        for publisher in session.scalars(select(Publisher).order_by(Publisher.id)).all():
            _employ(session, now, publisher)
    return added


def find_ways_in(settings: Settings, slug: str) -> list[WayIn]:
    """Return how to get into the workbench of one publisher of the demonstration: nobody else could tell."""
    with workbench_at_hand(settings) as engine, reading(engine) as session:
        # With it, and no sooner.
        from registry.web.sign_in_links import make_password_link

        rows = session.execute(
            select(Person, Membership.role)
            .join(Membership, Membership.person_id == Person.id)
            .join(Publisher, Publisher.id == Membership.publisher_id)
            .where(Publisher.slug == slug, Person.email.in_([_address(role, slug) for role in TEAM]))
            .order_by(Membership.id)
        )
        return [
            WayIn(person.email, TeamRole(role), slug, None if person.password else make_password_link(person))
            for person, role in rows
        ]


def _employ(session: Session, now: datetime, publisher: Publisher) -> None:
    """Have the three of the team work for a publisher that nobody works for yet."""
    if session.scalar(select(Membership.id).where(Membership.publisher_id == publisher.id).limit(1)) is not None:
        return
    for role in TEAM:
        name = f"{role.value.capitalize()} of {publisher.facts['name']} {INVENTED}"
        invite_person(session, now, publisher, _address(role, publisher.slug), role, DEMONSTRATION, name=name)


def _address(role: TeamRole, slug: str) -> str:
    return f"{role.value}@{slug}.example"


def _refuse_where_real(wiring: Wiring) -> None:
    if wiring.is_production:
        raise Refusal("A demonstration has no place in production. Leave --demo out, or use another REGISTRY_INSTANCE.")
    if wiring.mail_url != OUTBOX:
        raise Refusal("A demonstration sends no mail. Unset REGISTRY_MAIL_URL, and its letters go to the outbox.")
    with reading(wiring.engine) as session:
        is_demo = session.scalar(select(Installation.is_demo))
    if is_demo is False:
        raise Refusal(
            "This database was started without --demo, and a demonstration must not mix with it. Name another folder: "
            "REGISTRY_INSTANCE=/tmp/registry-demo registry serve --demo"
        )


def _follow_address(wiring: Wiring, now: datetime) -> None:
    """Take up another port or address without a pause: the letters of a demonstration reach nobody (R32)."""
    with writing(wiring.engine) as session:
        row = session.scalars(select(Installation)).one()
        if row.paused_because == PauseReason.OTHER_BASE_URL:
            resume(session, now, DEMONSTRATION, wiring.fingerprint, wiring.letterhead.base_url)


def _play(session: Session, now: datetime, wiring: Wiring, file: RegistryFile, scene: Scene | None) -> None:
    apply_file(session, now, file, DEMONSTRATION)
    if scene is None:
        return
    publisher = get_publisher(session, file.publisher.slug)
    record_customer(session, now, publisher, read_model(CustomerFacts, scene.customer), DEMONSTRATION)
    _follow(session, now, wiring, publisher, f"follower@example-reader-{publisher.slug}.example")
    record_edit(
        session,
        now,
        publisher,
        scene.entry_key,
        read_entry(scene.entry),
        DEMONSTRATION,
        position=len(file.entries),
    )
    notice = draft_notice(
        session,
        now,
        publisher,
        DEMONSTRATION,
        summary=f"Invented for this demonstration: {scene.entry['name']} is to be added",
    )
    publish_notice(session, now, publisher, notice, DEMONSTRATION, wiring.letterhead)


def _follow(session: Session, now: datetime, wiring: Wiring, publisher: Publisher, email: str) -> None:
    """Ask to follow and confirm it, as a reader does by the link in the letter."""
    keyring = make_keyring(session, now)
    request_subscription(
        session,
        now,
        publisher,
        wiring.letterhead,
        keyring,
        email=email,
        name=f"A reader {INVENTED}",
        wants_effect=True,
        actor=Actor("follower", PUBLIC_PAGE),
    )
    tokens: Sequence[ConfirmToken] = session.scalars(
        select(ConfirmToken).where(ConfirmToken.publisher_id == publisher.id, ConfirmToken.used_at.is_(None))
    ).all()
    for token in tokens:
        confirm(session, now, keyring.confirm_secret(token.key_id, token.nonce), keyring)
