"""Whom letters come from: the publisher's own address where that domain is verified, else the installation's (R34)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from registry.domain.publishers import PublisherFacts
from registry.domain.vocabulary import Audience
from registry.letters.render import LetterRenderer
from registry.steps.letterhead import Letterhead
from registry.wiring import TEMPLATES
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import add_followers, send
from tests.world import BREMEN, World, antopsis, letters_to, settings_for, text_of, utc

LETTERHEAD = Letterhead(
    LetterRenderer(TEMPLATES),
    "https://registry.example",
    "registry@registry.example",
    sender_domains=frozenset({"antopsis.example", "xn--bcher-kva.example"}),
)


def facts(sender: str | None, contact: str = "support@antopsis.example") -> PublisherFacts:
    return PublisherFacts.model_validate(
        {
            "slug": "antopsis",
            "name": "Antopsis",
            "contact": contact,
            "sender": sender,
            "time_zone": "Europe/Berlin",
        }
    )


@pytest.mark.parametrize(
    ("sender", "to_customers", "to_followers"),
    [
        ("legal@Antopsis.example", "legal@Antopsis.example", "legal+updates@Antopsis.example"),
        ("legal@elsewhere.example", "registry@registry.example", "registry+updates@registry.example"),
        ("legal@mail.antopsis.example", "registry@registry.example", "registry+updates@registry.example"),
        ("legal@bücher.example", "legal@xn--bcher-kva.example", "legal+updates@xn--bcher-kva.example"),
        ("legal@xn--bcher-kva.example", "legal@xn--bcher-kva.example", "legal+updates@xn--bcher-kva.example"),
        # Taken by an earlier release: a mailbox that has no room for the tag, or that is not ASCII.
        ("n" * 57 + "@antopsis.example", "registry@registry.example", "registry+updates@registry.example"),
        ("müller@antopsis.example", "registry@registry.example", "registry+updates@registry.example"),
        (None, "registry@registry.example", "registry+updates@registry.example"),
    ],
)
def test_a_publisher_writes_from_its_own_address_only_where_the_operator_let_it(
    sender: str | None, to_customers: str, to_followers: str
) -> None:
    told = LETTERHEAD.sender_for(facts(sender), Audience.CUSTOMER)
    assert (told.from_address, told.contact) == (to_customers, "support@antopsis.example")
    assert LETTERHEAD.sender_for(facts(sender), Audience.FOLLOWER).from_address == to_followers


def test_a_publisher_all_of_whose_names_are_international_is_answered_and_its_links_open(
    database_url: str, tmp_path: Path, mail_server: MailServer
) -> None:
    settings = settings_for(
        database_url,
        tmp_path / "instance",
        mail_server.url,
        REGISTRY_BASE_URL="https://list.b\u00fccher.example",
        REGISTRY_SENDER_DOMAINS="b\u00fccher.example",
    )
    world = World(settings, utc("2026-09-30 08:00"))
    names = {"contact": "privacy@b\u00fccher.example", "sender": "notices@b\u00fccher.example"}
    try:
        for moves in (False, True):
            file = antopsis(helsinki=moves, customers=BREMEN)
            file = replace(file, publisher=file.publisher.model_copy(update=names))
            if moves:
                world.announce(file)
            else:
                world.apply(file)
                add_followers(world, ["ada@reader.example"])
        assert send(world) == {"accepted": 2}
        (letter,) = letters_to(mail_server, "dpo@bremen.example")
        assert (letter["From"], letter["Reply-To"]) == (
            "Antopsis <notices@xn--bcher-kva.example>",
            "privacy@xn--bcher-kva.example",
        )
        assert "privacy@b\u00fccher.example" in text_of(letter)
        assert "https://list.xn--bcher-kva.example/" in text_of(letter)
        (letter,) = letters_to(mail_server, "ada@reader.example")
        assert letter["From"] == "Antopsis <notices+updates@xn--bcher-kva.example>"
    finally:
        world.close()
