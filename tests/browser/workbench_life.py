"""A publisher in the middle of its life, for screens that must hold what real ones hold: much, and of every fate."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from registry.readers.registry_file import RegistryFile
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.record_objection import record_objection
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import follow
from tests.web.colleagues import Team
from tests.web.conftest import serving
from tests.web.team.addresses import Samples
from tests.web.team.samples import BY_EDDA, make_samples
from tests.world import BREMEN, HANOI, antopsis, utc

UNBROKEN = "Rindfleischetikettierungsueberwachungsaufgabenuebertragungsgesetzverwaltung"
"""A word that no line can break by itself."""
OSLO = f"""  - key: oslo
    name: {UNBROKEN} AS
    time_zone: Europe/Oslo
    notice: {{authorisation: specific}}
    contacts: [{UNBROKEN.lower()[:60]}@{UNBROKEN.lower()[:50]}.oslo.example]
"""
RADIO = "  - {{key: radio-{n:02}, name: Radio {n} GmbH, time_zone: Europe/Berlin, contacts: [law@radio{n}.example]}}\n"
MANY = "".join(RADIO.format(n=n) for n in range(56))
CUSTOMERS = HANOI + BREMEN + OSLO + MANY
OPENAI = f"""  - key: openai
    name: OpenAI
    purposes: [Summaries of what was said, {UNBROKEN}]
    data_categories: [Transcripts]
    links: {{website: "https://openai.example/{UNBROKEN.lower()}/{UNBROKEN.lower()}"}}
    transfers: [{{regime: eu, mechanism: eu.art45.us-dpf, destination: US}}]
"""
HELD = "2026-001"
ANNOUNCED = "2026-002"
MORE = (
    *(f"notices/{number}{rest}" for number in (HELD, ANNOUNCED) for rest in ("", "/deliveries", "/customers")),
    *(f"notices/{number}/preview?shown={shown}" for number in (ANNOUNCED, "2026-003") for shown in ("text", "page")),
    *("customers/?page=2", "record/?page=2", "followers/?page=2", f"notices/{ANNOUNCED}/deliveries?page=2"),
    *("customers/oslo", "entries/openai", f"notices/{ANNOUNCED}/customers/bremen", "entries/?q=nothing+of+the+kind"),
    *("entries/openai/translations?language=zh", "entries/clerk/translations?language=de"),
    *("notices/2026-003", "notices/2026-003/preview?shown=feed", "people/?q=x", "compare?from=2026-09-30"),
    "no-such-screen",
)
"""Addresses besides one of each screen: other states of it, later pages, filters that leave nothing, an error."""


def live_through(url: str, folder: Path, base: str) -> None:
    """Announce a first notice whose letters go to a real mail server, with one mailbox gone, and let it be held."""
    with MailServer() as mail:
        mail.script("dpo@bremen.example", 550, "5.1.1 No such user dpo@bremen.example here")
        mail.script("law@radio7.example", 451, "4.3.0 Try again later")
        with serving(
            url, folder / "instance", _file(), mail_url=f"{mail.url}?starttls=off", REGISTRY_BASE_URL=base
        ) as site:
            world = site.world
            number = world.announce(_file(OPENAI))
            assert number == HELD
            world.tick()
            world.at += timedelta(hours=1)
            world.tick()
            with world.writing() as session:
                publisher = get_publisher(session, "antopsis")
                notice = get_notice(session, publisher, number)
                ground = f"Transcripts are health data of our patients.\n\nSee {UNBROKEN}."
                record_objection(
                    session, world.at, publisher, notice, "hanoi", BY_EDDA, received_at=world.at, ground=ground
                )
            world.at = utc("2026-11-17 08:00")
            world.tick()
            for n in range(56):
                follow(world, f"reader{n}@readers.example")


def fill(team: Team) -> Samples:
    """Go on from there with one of everything, so that every screen has something to show."""
    team.site.world.at = utc("2026-11-17 09:00")
    return make_samples(team, CUSTOMERS, OPENAI)


def _file(entries: str = "") -> RegistryFile:
    return antopsis(customers=CUSTOMERS, more_entries=entries)
