"""What one publisher's letters wait for keeps no other publisher's waiting (R31, R32)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.steps.claim_deliveries import claim_deliveries
from registry.tables import Delivery
from tests.channels.resend_missteps import TIMES_OUT_THEN_TAKEN
from tests.channels.resend_server import ResendServer
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import add_followers, announce_to, send, states_of, use_server
from tests.steps.resend_cast import IMPATIENT, mail_by
from tests.world import ANTOPSIS, HELSINKI, World

OF_ANTOPSIS = ["reader1@antopsis.example", "reader2@antopsis.example"]
OF_ZEBRA = ["reader1@zebra.example", "reader2@zebra.example"]


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with ResendServer() as running:
        yield running


def list_of(slug: str, more: str = "") -> RegistryFile:
    text = ANTOPSIS.format(approvals=0, more_locations=more, customers="  []", more_entries="")
    return read_registry_file(text.replace("slug: antopsis", f"slug: {slug}").encode(), f"{slug}.yaml")


def two_publishers(world: World) -> None:
    for slug, followers in (("antopsis", OF_ANTOPSIS), ("zebra", OF_ZEBRA)):
        world.apply(list_of(slug))
        add_followers(world, followers, slug)


def test_a_batch_that_waits_for_its_repeat_keeps_no_other_publishers_letters_waiting(
    world: World, server: ResendServer, mail_server: MailServer
) -> None:
    two_publishers(world)
    world.announce(list_of("antopsis", HELSINKI))
    mail_by(world, server, IMPATIENT)
    server.script(TIMES_OUT_THEN_TAKEN)
    assert send(world) == {"ambiguous": 2}
    # Letters go by another road now, on which nobody repeats that batch; it is due all the same.
    use_server(world, mail_server.url)
    world.at += timedelta(minutes=30)
    world.announce(list_of("zebra", HELSINKI))
    assert send(world) == {"accepted": 2}
    assert {states_of(world)[email] for email in OF_ZEBRA} == {"accepted"}
    assert {states_of(world)[email] for email in OF_ANTOPSIS} == {"ambiguous"}


def test_letters_in_another_workers_hands_keep_no_other_publishers_waiting(world: World) -> None:
    two_publishers(world)
    for slug in ("antopsis", "zebra"):
        world.announce(list_of(slug, HELSINKI))
    channel = world.channels["email"]
    with world.writing() as session:
        first = claim_deliveries(session, world.at, channel, (), 2)
        if world.wiring.uses_sqlite:
            session.commit()  # one writer at a time
        with world.writing() as other:
            second = claim_deliveries(other, world.at, channel, (), 2)
    assert len({lease.publisher_id for lease in first}) == len({lease.publisher_id for lease in second}) == 1
    assert first[0].publisher_id != second[0].publisher_id


def test_a_long_list_that_is_kept_back_is_looked_through_in_few_steps(world: World) -> None:
    allowed = "tester@staging.example"
    announce_to(world, *(f"reader{n}@reader.example" for n in range(40)), allowed, customers="")
    with world.writing() as session:
        leases = claim_deliveries(session, world.at, world.channels["email"], (allowed,), 1)
    assert len(leases) == 1
    with world.reading() as session:
        kept = session.scalar(select(func.count()).where(Delivery.note == "outside_mail_only_to"))
        assert kept == 40
        assert session.get_one(Delivery, leases[0].delivery_id).state == "leased"
