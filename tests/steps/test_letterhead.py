"""Whom letters come from: the publisher's own address where that domain is verified, else the installation's (R34)."""

from __future__ import annotations

import pytest

from registry.domain.publishers import PublisherFacts
from registry.domain.vocabulary import Audience
from registry.letters.render import LetterRenderer
from registry.steps.letterhead import Letterhead
from registry.wiring import TEMPLATES

LETTERHEAD = Letterhead(
    LetterRenderer(TEMPLATES),
    "https://registry.example",
    "registry@registry.example",
    sender_domains=frozenset({"antopsis.example"}),
)


def facts(sender: str | None) -> PublisherFacts:
    return PublisherFacts.model_validate(
        {
            "slug": "antopsis",
            "name": "Antopsis",
            "contact": "support@antopsis.example",
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
        (None, "registry@registry.example", "registry+updates@registry.example"),
    ],
)
def test_a_publisher_writes_from_its_own_address_only_where_the_operator_let_it(
    sender: str | None, to_customers: str, to_followers: str
) -> None:
    told = LETTERHEAD.sender_for(facts(sender), Audience.CUSTOMER)
    assert (told.from_address, told.contact) == (to_customers, "support@antopsis.example")
    assert LETTERHEAD.sender_for(facts(sender), Audience.FOLLOWER).from_address == to_followers
