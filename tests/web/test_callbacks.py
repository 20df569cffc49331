"""What Resend reports, posted over HTTP: early, twice, in any order. Never backwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from registry.channels.base import Envelope
from registry.domain.outcomes import OutcomeKind
from registry.steps.check_addresses import check_addresses
from registry.steps.tasks import TaskKind
from registry.tables import AddressCheck
from tests.channels.resend_server import SIGNING_SECRET, ResendServer, TakenLetter
from tests.databases import ReusedDatabase
from tests.steps.bounce_cast import outcomes, suppressed, tasks
from tests.steps.post_office import DPO, dispatch_of, meanwhile, send, standing_of, states_of
from tests.web.callbacks import ADA, AMAZONS_WORDS, HARD, letter_to, letters_with, post, refused_for_now, reporting
from tests.web.conftest import serving_again
from tests.web.site import Site
from tests.world import BREMEN, antopsis


@pytest.fixture
def site(database: ReusedDatabase, instance: Path, resend: ResendServer) -> Iterator[Site]:
    """Both letters are with Resend."""
    with letters_with(resend, database, instance, ADA) as site:
        yield site


@pytest.fixture
def light_site(sqlite_database: ReusedDatabase, instance: Path, resend: ResendServer) -> Iterator[Site]:
    """The same on the embedded database."""
    with letters_with(resend, sqlite_database, instance) as site:
        yield site


def test_a_delivery_is_on_record_and_nothing_is_said(site: Site, resend: ResendServer) -> None:
    answer = post(site, resend.callback(letter_to(resend, DPO), "email.delivered"))
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    assert states_of(site.world) == {DPO: "delivered", ADA: "accepted"}


def test_the_same_callback_again_is_taken_and_changes_nothing(site: Site, resend: ResendServer) -> None:
    callback = resend.callback(letter_to(resend, DPO), "email.bounced", **HARD)
    assert post(site, callback).status_code == 204
    before = site.snapshot()
    assert post(site, callback).status_code == 204
    assert site.snapshot() == before
    assert states_of(site.world)[DPO] == "bounced"


@pytest.mark.parametrize(
    ("event_type", "details", "kind", "state", "reasons"),
    [
        ("email.sent", {}, "sent", "accepted", []),
        ("email.delivered", {}, "delivered", "delivered", []),
        ("email.delivery_delayed", {}, "delayed", "accepted", []),
        ("email.complained", {}, "complained", "delivered", ["complained"]),
        ("email.failed", {"failed": {"reason": "reached_daily_quota"}}, "failed", "bounced", []),
        ("email.suppressed", {}, "suppressed", "bounced", ["suppressed_by_provider"]),
        ("email.bounced", HARD, "bounced", "bounced", ["bounced"]),
        (
            "email.bounced",
            {"bounce": {"type": "Permanent", "diagnosticCode": ["smtp; 550 5.7.1 rejected as spam"]}},
            "refused",
            "bounced",
            [],
        ),
        ("email.bounced", {"bounce": {"type": "Transient", "subType": "MailboxFull"}}, "gave_up", "bounced", []),
        ("email.bounced", {"bounce": {"type": "Transient", "subType": "General"}}, "bounced_transient", "accepted", []),
        ("email.bounced", refused_for_now("smtp; 550 5.3.0 denied"), "gave_up", "bounced", []),
        ("email.bounced", refused_for_now("smtp; 554 5.7.1 blocked"), "gave_up", "bounced", []),
        ("email.bounced", refused_for_now("smtp; 550 4.4.7 Message expired"), "gave_up", "bounced", []),
        ("email.bounced", refused_for_now("smtp;421 Try again later"), "gave_up", "bounced", []),
        ("email.bounced", refused_for_now("550 user unknown"), "gave_up", "bounced", []),
        # An automatic reply comes with no refusal, whatever numbers stand in what is said of it.
        ("email.bounced", refused_for_now(), "bounced_transient", "accepted", []),
        (
            "email.bounced",
            refused_for_now(message="Away until 5.10.26; call +49 421 550 12, room 450 5.1.1"),
            "bounced_transient",
            "accepted",
            [],
        ),
        ("email.bounced", refused_for_now("smtp; 250 2.0.0 OK"), "bounced_transient", "accepted", []),
        (
            "email.bounced",
            {"bounce": {"type": "Permanent", "diagnosticCode": ["smtp; 550 Blocked - see https://www.spamhaus.org/q"]}},
            "refused",
            "bounced",
            [],
        ),
        (
            "email.bounced",
            {"bounce": {"type": "Permanent", "message": AMAZONS_WORDS}},
            "bounced",
            "bounced",
            ["bounced"],
        ),
        ("email.bounced", {"bounce": {"type": "Undetermined", "subType": "Undetermined"}}, "gave_up", "bounced", []),
        ("email.bounced", {}, "gave_up", "bounced", []),
    ],
)
def test_each_event_moves_the_letter_the_clock_and_the_address_as_it_should(
    site: Site,
    resend: ResendServer,
    event_type: str,
    details: dict[str, Any],
    kind: str,
    state: str,
    reasons: list[str],
) -> None:
    assert post(site, resend.callback(letter_to(resend, DPO), event_type, **details)).status_code == 204
    (outcome,) = outcomes(site.world)
    assert (outcome.kind, outcome.provider, outcome.delivery_id is None) == (kind, "resend", False)
    assert states_of(site.world)[DPO] == state
    assert suppressed(site.world) == reasons
    assert standing_of(site.world, "bremen").state == ("waiting" if state == "bounced" else "received")


@pytest.mark.parametrize("event_type", ["email.opened", "email.clicked", "domain.updated", "email.some_day"])
def test_what_says_nothing_of_a_letters_fate_is_taken_and_not_kept(
    light_site: Site, resend: ResendServer, event_type: str
) -> None:
    before = light_site.snapshot()
    assert post(light_site, resend.callback(letter_to(resend, DPO), event_type)).status_code == 204
    assert light_site.snapshot() == before


def test_a_letter_without_its_tag_is_known_by_the_name_that_resend_gave_it(site: Site, resend: ResendServer) -> None:
    callback = resend.callback(letter_to(resend, ADA), "email.delivered", tags={})
    assert post(site, callback).status_code == 204
    assert states_of(site.world)[ADA] == "delivered"


def test_a_callback_before_resends_own_answer_is_matched_afterwards(
    database: ReusedDatabase, instance: Path, resend: ResendServer
) -> None:
    served = serving_again(
        database, instance, antopsis(customers=BREMEN), REGISTRY_RESEND_WEBHOOK_SECRET=SIGNING_SECRET
    )
    with reporting(served, resend) as site:

        def report_at_once(envelope: Envelope) -> None:
            assert post(site, resend.callback(resend.taken[0], "email.bounced", tags={}, **HARD)).status_code == 204
            assert outcomes(site.world)[0].delivery_id is None

        meanwhile(site.world, report_at_once)
        assert send(site.world) == {"accepted": 1}
        site.world.tick()
        assert states_of(site.world) == {DPO: "bounced"}
        assert standing_of(site.world, "bremen").state == "waiting"


def test_in_the_wrong_order_nothing_moves_backwards(site: Site, resend: ResendServer) -> None:
    letter = letter_to(resend, DPO)
    for event_type, details in (("email.bounced", HARD), ("email.delivered", {}), ("email.sent", {})):
        assert post(site, resend.callback(letter, event_type, **details)).status_code == 204
    assert states_of(site.world)[DPO] == "bounced"


def test_a_letter_of_another_installation_on_the_same_account_is_kept_and_moves_nothing(
    site: Site, resend: ResendServer
) -> None:
    other = TakenLetter("11111111-2222-4333-8444-555555555555", letter_to(resend, DPO).letter, None, None, resend.now)
    callback = resend.callback(other, "email.bounced", tags={}, **HARD)
    assert post(site, callback).status_code == 204
    assert [each.delivery_id for each in outcomes(site.world)] == [None]
    assert states_of(site.world) == {DPO: "accepted", ADA: "accepted"}


def test_a_test_of_the_publishers_address_that_bounces_is_a_task_and_no_outcome(
    site: Site, resend: ResendServer
) -> None:
    world = site.world
    assert check_addresses(world.wiring.engine, world.clock, dispatch_of(world)) == {"accepted": 1}
    letter = letter_to(resend, "support@antopsis.example")
    for event_type, details in (("email.delivered", {}), ("email.bounced", HARD), ("email.bounced", HARD)):
        assert post(site, resend.callback(letter, event_type, **details)).status_code == 204
    assert outcomes(world) == []
    (task,) = tasks(world, TaskKind.ADDRESS_FAILS)
    assert task.facts["said"] == OutcomeKind.BOUNCED
    with world.reading() as session:
        assert session.scalars(select(AddressCheck.bounced_at)).one() == world.at
