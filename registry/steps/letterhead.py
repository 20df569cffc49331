"""Where letters come from and where they lead: the renderer, the base address, and each publisher's sender."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from registry.domain.publishers import FOLLOWERS_TAG, PublisherFacts
from registry.domain.vocabulary import Audience
from registry.letters.mime import ascii_address, is_address
from registry.letters.render import LetterRenderer
from registry.letters.values import Sender


@dataclass(frozen=True)
class Letterhead:
    """What the steps that write letters need. `base_url` has no trailing slash; `mail_from` is a bare address.

    `sender_domains` are those that mail may be sent from besides, in small ASCII letters: a publisher with a sender of
    its own there writes from it. With a `bounce_address` each letter has a return path of its own, which says which one
    came back (VERP).
    """

    renderer: LetterRenderer
    base_url: str
    mail_from: str
    bounce_address: str | None = None
    sender_domains: frozenset[str] = frozenset()

    @cached_property
    def host(self) -> str:
        """The host name that identifiers of letters end in."""
        return urlsplit(self.base_url).hostname or "localhost"

    def address_of(self, facts: PublisherFacts) -> str:
        """Return the publisher's public base address without a trailing slash: its own host, or below ours (R35)."""
        return f"https://{facts.host}" if facts.host else f"{self.base_url}/{facts.slug}"

    def may_send_from(self, address: str) -> bool:
        """Return whether the operator let mail be sent from the domain of this address."""
        return ascii_address(address).rpartition("@")[2].lower() in self.sender_domains

    def own_sender(self, facts: PublisherFacts) -> str | None:
        """Return the address of its own that a publisher writes from, in ASCII.

        None where it has none, may not send from it, or has one on record with which no follower could be written to;
        such a one is refused when it is given.
        """
        if facts.sender is None or not self.may_send_from(facts.sender):
            return None
        address = ascii_address(facts.sender)
        return address if is_address(address_to_followers(address)) else None

    def sender_for(self, facts: PublisherFacts, audience: Audience) -> Sender:
        """Return the sender of letters to one audience; contacts and followers see different addresses (R34)."""
        own = self.own_sender(facts) or self.mail_from
        from_address = own if audience is Audience.CUSTOMER else address_to_followers(own)
        return Sender(
            slug=facts.slug,
            name=facts.name,
            legal_name=facts.legal_name,
            contact=facts.contact,
            from_address=from_address,
            time_zone=facts.time_zone,
            page_url=f"{self.address_of(facts)}/",
            privacy_url=facts.privacy_url,
            imprint_url=facts.imprint_url,
        )


def address_to_followers(sender: str) -> str:
    """Return the address that letters to followers come from, given the one that letters to customers do."""
    mailbox, _, domain = sender.rpartition("@")
    return f"{mailbox}{FOLLOWERS_TAG}@{domain}"


def sender_document(sender: Sender) -> dict[str, Any]:
    """Return the sender as it is frozen with a letter."""
    return asdict(sender)
