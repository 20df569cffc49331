"""Mending drafts: edits taken in and out, a draft sent back to its authors, and one that is discarded."""

from __future__ import annotations

import pytest

from registry.domain.errors import IllegalTransition
from registry.steps.discard_draft import discard_draft
from registry.steps.errors import EditLocked, NothingToAnnounce, ReasonMissing
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.pick_changes import pick_changes
from registry.steps.send_back import send_back_notice
from tests.steps.holding_cast import pending_notice
from tests.steps.path_cast import STRIPE, TWO_PLACES, announce, edit, events
from tests.world import BORIS, World, antopsis


def pick(world: World, number: str, *keys: str) -> bool:
    """Let a draft carry these entries' edits."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        return pick_changes(session, world.at, publisher, get_notice(session, publisher, number), BORIS, keys)


def test_picking_changes_refuses_what_another_notice_has_and_what_has_no_edit(world: World) -> None:
    world.apply(antopsis())
    taken = announce(world)
    edit(world, STRIPE | {"purposes": ["Payments", "Fraud checks"]}, "stripe")
    number = world.draft()
    with pytest.raises(EditLocked) as refusal:
        pick(world, number, "stripe", "hetzner-falkenstein")
    assert refusal.value.params["number"] == taken
    with pytest.raises(NothingToAnnounce):
        pick(world, number)
    assert pick(world, number, "stripe") is False
    assert not events(world, "notice.changes_picked")
    with pytest.raises(IllegalTransition):
        pick(world, taken, "hetzner-falkenstein")


def test_picking_changes_makes_its_summary_anew_unless_a_person_wrote_it(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    edit(world, STRIPE | {"purposes": ["Payments", "Fraud checks"]}, "stripe")
    made = world.draft(entry_keys=("stripe",))
    assert pick(world, made, "stripe", "hetzner-falkenstein") is True
    assert "Hetzner" in world.notice(made).summary
    assert pick(world, made, "stripe") is True
    written = world.draft(entry_keys=("hetzner-falkenstein",), summary="In our words")
    assert world.notice(written).summary == "In our words"
    assert "Hetzner" not in world.notice(made).summary
    (first, second) = events(world, "notice.changes_picked")
    assert (first.payload["added"], second.payload["removed"]) == (["hetzner-falkenstein"], ["hetzner-falkenstein"])


def test_a_draft_is_not_sent_back_and_what_is_needs_a_reason(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        with pytest.raises(IllegalTransition):
            send_back_notice(session, world.at, publisher, notice, BORIS, reason="No.")
        notice.state = "submitted"
        session.flush()
        with pytest.raises(ReasonMissing):
            send_back_notice(session, world.at, publisher, notice, BORIS, reason=" ")
        send_back_notice(session, world.at, publisher, notice, BORIS, reason="No.")
        assert notice.state == "draft"
        assert BORIS.name not in notice.authors, "who sends it back wrote nothing, and may approve it later"


def test_an_announced_notice_is_withdrawn_and_not_discarded(world: World) -> None:
    number = pending_notice(world)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        letterhead = world.wiring.letterhead
        with pytest.raises(IllegalTransition):
            discard_draft(session, world.at, publisher, notice, BORIS, letterhead, keeps_edits=True)
    assert world.notice(number).state == "announced"
