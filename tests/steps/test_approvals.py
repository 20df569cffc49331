"""Four eyes: an approval binds to exactly one content, and nobody approves what they wrote or changed (R16)."""

from __future__ import annotations

import pytest

from registry.steps.approvals import COMMAND_LINE
from registry.steps.errors import ApprovalNeeded, CommandLineMayNotApprove, NotApproved, OwnApproval
from registry.steps.lookup import get_publisher
from registry.steps.record import Actor
from tests.steps.path_cast import (
    CARLA,
    HETZNER,
    STRIPE,
    TWO_PLACES,
    approve,
    edit,
    events,
    file_of,
    revise,
)
from tests.world import ANNA, BORIS, World, antopsis

STRIPE_LINE = "{key: stripe, name: Stripe, purposes: [Payments]}"


def draft(world: World, approvals: int = 1) -> str:
    """Have Anna draft a notice of her own edit."""
    world.apply(antopsis(approvals=approvals))
    edit(world, TWO_PLACES)
    return world.draft()


def test_a_notice_is_published_once_a_second_person_has_approved_it(world: World) -> None:
    number = draft(world)
    with pytest.raises(NotApproved) as refusal:
        world.publish(number)
    assert refusal.value.params == {"number": number, "required": 1, "given": 0}
    approve(world, number, BORIS)
    assert world.notice(number).state == "approved"
    assert world.status(number).approved_by == ("boris@antopsis.example",)
    world.publish(number)
    assert world.notice(number).state == "announced"


def test_the_author_of_the_notice_may_not_approve_it(world: World) -> None:
    number = draft(world)
    with pytest.raises(OwnApproval) as refusal:
        approve(world, number, ANNA)
    assert refusal.value.params == {"actor": ANNA.name, "subject": number}
    with pytest.raises(OwnApproval):
        approve(world, number, Actor(" Anna@Antopsis.example", "web"))
    assert world.notice(number).state == "draft"


def test_the_author_of_any_edit_inside_may_not_approve_the_notice(world: World) -> None:
    world.apply(antopsis(approvals=1))
    edit(world, TWO_PLACES, actor=BORIS)
    edit(world, TWO_PLACES | {"retention": "30 days"}, actor=CARLA)
    number = world.draft(actor=ANNA)
    for actor in (ANNA, BORIS, CARLA):
        with pytest.raises(OwnApproval):
            approve(world, number, actor)
    approve(world, number, Actor("dora@antopsis.example", "web"))
    assert world.notice(number).state == "approved"


def test_who_wrote_what_is_on_the_list_already_may_approve_what_is_new(world: World) -> None:
    world.apply(antopsis(approvals=1), actor=BORIS)
    edit(world, TWO_PLACES)
    number = world.draft()
    approve(world, number, BORIS)
    assert world.notice(number).state == "approved"


def test_an_edit_voids_the_approvals_and_the_first_author_stays_one(world: World) -> None:
    number = draft(world)
    approve(world, number, BORIS)
    edit(world, TWO_PLACES | {"retention": "30 days"}, actor=CARLA)
    assert world.notice(number).state == "draft"
    assert world.status(number).approved_by == ()
    with pytest.raises(NotApproved):
        world.publish(number)
    for actor in (ANNA, CARLA):
        with pytest.raises(OwnApproval):
            approve(world, number, actor)
    approve(world, number, BORIS)
    world.publish(number)
    assert world.notice(number).state == "announced"


def test_an_approval_of_who_changed_the_notice_and_changed_it_back_is_void(world: World) -> None:
    number = draft(world)
    approve(world, number, BORIS)
    digest = world.notice(number).digest
    edit(world, TWO_PLACES | {"retention": "30 days"}, actor=BORIS)
    edit(world, TWO_PLACES, actor=BORIS)
    assert world.notice(number).digest == digest
    with pytest.raises(NotApproved) as refusal:
        world.publish(number)
    assert refusal.value.params["given"] == 0
    with pytest.raises(OwnApproval):
        approve(world, number, BORIS)


def test_a_revised_date_voids_the_approvals_and_makes_its_author_one(world: World) -> None:
    number = draft(world)
    approve(world, number, BORIS)
    revise(world, number, CARLA, summary="Helsinki joins Falkenstein")
    with pytest.raises(NotApproved):
        world.publish(number)
    with pytest.raises(OwnApproval):
        approve(world, number, CARLA)
    approve(world, number, BORIS)
    world.publish(number)


def test_who_drafted_others_edits_may_not_approve_once_somebody_else_has_revised_them(world: World) -> None:
    world.apply(antopsis(approvals=1))
    edit(world, TWO_PLACES, actor=BORIS)
    number = world.draft(actor=ANNA)
    revise(world, number, CARLA, summary="Helsinki joins Falkenstein")
    revise(world, number, BORIS, summary="Helsinki")
    for actor in (ANNA, BORIS, CARLA):
        with pytest.raises(OwnApproval):
            approve(world, number, actor)
    assert world.notice(number).author == BORIS.name


def test_two_approvals_are_two_people_however_often_one_of_them_says_yes(world: World) -> None:
    number = draft(world, approvals=2)
    approve(world, number, BORIS)
    approve(world, number, BORIS)
    approve(world, number, Actor("BORIS@antopsis.example ", "web"))
    assert world.notice(number).state == "submitted"
    with pytest.raises(NotApproved) as refusal:
        world.publish(number)
    assert refusal.value.params["given"] == 1
    approve(world, number, CARLA)
    approve(world, number, CARLA)
    world.publish(number)
    assert [event.actor for event in events(world, "notice.approved")] == [str(BORIS), str(CARLA)]


def test_the_command_line_approves_only_where_the_publisher_allows_it_and_is_marked(world: World) -> None:
    number = draft(world)
    claimed = Actor("boris@antopsis.example", COMMAND_LINE, "root")
    with pytest.raises(CommandLineMayNotApprove):
        approve(world, number, claimed)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        publisher.facts = publisher.facts | {"command_line_may_approve": True}
    approve(world, number, claimed)
    assert world.status(number).approved_by == ("boris@antopsis.example (command line)",)
    (approval,) = events(world, "notice.approved")
    assert approval.actor == "boris@antopsis.example (command line, as root)"


def test_without_approvals_required_one_person_goes_all_the_way(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    world.publish(number)
    kinds = [kind for _, _, kind, _ in world.status(number).events]
    assert kinds[:3] == ["notice.drafted", "notice.submitted", "notice.published"]


def test_more_approvals_required_meanwhile_are_asked_for(world: World) -> None:
    number = draft(world)
    approve(world, number, BORIS)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        publisher.facts = publisher.facts | {"approvals_required": 2}
    with pytest.raises(NotApproved) as refusal:
        world.publish(number)
    assert refusal.value.params == {"number": number, "required": 2, "given": 1}
    approve(world, number, CARLA)
    world.publish(number)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"notice": "{days: 10, objection_days: 30}"}, "notice.days"),
        ({"notice": "{days: 30, objection_days: 30, objection: record}"}, "notice.objection"),
        ({"approvals_required": "0"}, "approvals_required"),
        ({"command_line_may_approve": "true"}, "command_line_may_approve"),
    ],
)
def test_one_person_alone_cannot_shorten_terms_or_loosen_who_approves(
    sqlite_world: World, change: dict[str, str], named: str
) -> None:
    world = sqlite_world
    world.apply(file_of([STRIPE_LINE], approvals_required="1"))
    with pytest.raises(ApprovalNeeded) as refusal:
        world.apply(file_of([STRIPE_LINE], **({"approvals_required": "1"} | change)))
    assert refusal.value.params["what"] == named
    assert events(world, "publisher.updated") == []


def test_longer_terms_and_more_approvals_need_nobody_else(world: World) -> None:
    world.apply(file_of([STRIPE_LINE], approvals_required="1"))
    applied = world.apply(file_of([STRIPE_LINE], approvals_required="2", notice="{days: 60, objection_days: 30}"))
    assert applied.publisher_changes == ("approvals_required", "notice")


def test_terms_are_shortened_freely_where_no_approvals_are_required(world: World) -> None:
    world.apply(file_of([STRIPE_LINE]))
    assert world.apply(file_of([STRIPE_LINE], notice="{days: 10, objection_days: 10}")).publisher_changes == ("notice",)


def test_an_edit_of_another_entry_leaves_the_approvals_alone(world: World) -> None:
    number = draft(world)
    approve(world, number, BORIS)
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    assert world.notice(number).state == "approved"
    edit(world, HETZNER)
    assert world.notice(number).state == "withdrawn"
