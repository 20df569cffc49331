"""Proposals: what one person proposes another approves, and nobody takes back what changed meanwhile."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registry.steps.errors import OwnApproval
from registry.steps.lookup import get_publisher
from registry.steps.proposals import (
    ProposalKind,
    ProposalOutcome,
    StaleProposal,
    UnknownProposal,
    approve_proposal,
    close_proposal,
    find_proposal,
    get_proposal,
    propose,
)
from registry.tables import Event
from tests.world import ANNA, BORIS, World, antopsis

BASE = {"days": 30}
WANTED = {"days": 14}
SETTINGS = ProposalKind.SETTINGS


def test_a_proposal_is_approved_by_another_and_not_by_its_author(world: World) -> None:
    world.apply(antopsis())
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        proposal = propose(session, world.at, publisher, SETTINGS, "antopsis", WANTED, BASE, ANNA)
        with pytest.raises(OwnApproval):
            approve_proposal(session, world.at, publisher, proposal, BASE, ANNA)
        assert approve_proposal(session, world.at, publisher, proposal, BASE, BORIS)
        close_proposal(session, world.at, publisher, proposal, BORIS, ProposalOutcome.APPLIED)
        assert find_proposal(session, publisher, SETTINGS, "antopsis") is None
        with pytest.raises(UnknownProposal):
            get_proposal(session, publisher, proposal.id)
        kinds = session.scalars(select(Event.kind).where(Event.subject_kind == "proposal").order_by(Event.id)).all()
    assert kinds == ["proposal.made", "proposal.approved", "proposal.applied"]


def test_a_publisher_with_two_approvals_wants_two(world: World) -> None:
    world.apply(antopsis(approvals=2))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        proposal = propose(session, world.at, publisher, SETTINGS, "antopsis", WANTED, BASE, ANNA)
        assert not approve_proposal(session, world.at, publisher, proposal, BASE, BORIS)
        assert not approve_proposal(session, world.at, publisher, proposal, BASE, BORIS)


def test_a_proposal_on_what_has_changed_since_is_not_approved(world: World) -> None:
    world.apply(antopsis())
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        proposal = propose(session, world.at, publisher, SETTINGS, "antopsis", WANTED, BASE, ANNA)
        with pytest.raises(StaleProposal):
            approve_proposal(session, world.at, publisher, proposal, {"days": 60}, BORIS)


def test_another_proposal_takes_the_place_of_the_first(world: World) -> None:
    world.apply(antopsis())
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        first = propose(session, world.at, publisher, SETTINGS, "antopsis", WANTED, BASE, ANNA)
        second = propose(session, world.at, publisher, SETTINGS, "antopsis", {"days": 21}, BASE, ANNA)
        found = find_proposal(session, publisher, SETTINGS, "antopsis")
        assert found is second
        assert (first.outcome, second.outcome) == ("withdrawn", None)
