"""Contacts of Bremen that stand by: how they are added and called in, and how a mailbox is lost."""

from __future__ import annotations

from registry.domain.outcomes import SuppressionReason
from registry.steps.addresses import find_address
from registry.steps.call_in import call_in
from registry.steps.contacts import add_contact, end_contact, find_contact
from registry.steps.lookup import get_customer, get_publisher
from registry.steps.suppressions import suppress
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import DPO
from tests.steps.web_cast import bremen
from tests.world import ANNA, World, antopsis, letters_to, text_of

SECOND, THIRD = "legal@bremen.example", "board@bremen.example"
NO_SUCH_USER = "5.1.1 No such user here"
ONE = bremen(terms="{}", contacts=DPO)
"""A customer that has a mailbox, and whose terms ask for nothing."""
BY_BOTH = bremen(contacts=DPO)
"""A customer that has a mailbox, and whose terms count a webhook."""
JENA = "  - {key: jena, name: Jena AG, contacts: [dpo@jena.example]}\n"
"""Another customer, beside either."""


def stand_by(world: World, *emails: str, customer: str = "bremen") -> None:
    """Add contacts that stand by, in this order. No letter is due to them for that."""
    with world.writing() as session:
        row = get_customer(session, get_publisher(session, "antopsis"), customer)
        for email in emails:
            assert add_contact(session, world.at, row, email, ANNA, is_standby=True).letters_due == 0


def announce(world: World, *standbys: str, customers: str = ONE) -> str:
    """Announce a second place to customers, where these contacts of Bremen stand by; return the notice's number."""
    world.apply(antopsis(customers=customers))
    stand_by(world, *standbys)
    return world.announce(antopsis(helsinki=True, customers=customers))


def called(world: World) -> int:
    """Call in whoever is to be told now; return how many."""
    with world.writing() as session:
        return call_in(session, world.at)


def block(world: World, email: str) -> None:
    """Put an address on the suppression list, as a bounce does."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        address = find_address(session, publisher, world.wiring.keyring, email)
        assert address is not None
        reason = SuppressionReason.BOUNCED
        suppress(session, world.at, publisher.id, address.channel, address.lookup_hmac, reason, ANNA)


def end(world: World, email: str) -> None:
    """End a contact by hand."""
    with world.writing() as session:
        end_contact(session, world.at, get_customer(session, get_publisher(session, "antopsis"), "bremen"), email, ANNA)


def contact_number(world: World, email: str) -> int:
    """Return the number of a contact, which ends with it."""
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        address = find_address(session, publisher, world.wiring.keyring, email)
        assert address is not None
        contact = find_contact(session, get_customer(session, publisher, "bremen"), address)
        assert contact is not None
        return contact.id


def first_lines(mail_server: MailServer, email: str) -> list[str]:
    """Return what each letter to a mailbox begins with, up to the first colon."""
    return [text_of(letter).splitlines()[0].split(":")[0] for letter in letters_to(mail_server, email)]
