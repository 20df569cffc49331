"""Who works for a publisher: invited, raised, lowered, removed, shut out; and never without an owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput
from registry.domain.people import (
    HasJoined,
    IsShutOut,
    LastOwner,
    NobodyHere,
    Owner,
    StillWorksHere,
    TeamRole,
    UnknownPerson,
    WorksHereAlready,
    keeps_an_owner,
)
from registry.i18n import explain
from registry.steps import people, people_access
from registry.steps.audience_errors import LegalHoldStands, UnknownAddress
from registry.steps.erase_person import erase_person
from registry.steps.lookup import get_publisher
from registry.steps.people import Invitation
from registry.tables import EntryDraft, Event, Membership, Passkey, Person, Publisher, SignIn
from tests.steps.path_cast import events
from tests.steps.retention_cast import hold
from tests.web.site import streams_file
from tests.world import ANNA, World, antopsis

OLA = "ola@antopsis.example"
NORA = "nora@antopsis.example"
Result = TypeVar("Result")


@pytest.fixture
def staffed(world: World) -> World:
    """Antopsis with one owner, who has signed in."""
    world.apply(antopsis())
    invite(world, OLA, TeamRole.OWNER)
    join(world, OLA)
    return world


def act(world: World, step: Callable[[Session, Publisher], Result], slug: str = "antopsis") -> Result:
    with world.writing() as session:
        return step(session, get_publisher(session, slug))


def invite(world: World, email: str, role: TeamRole, slug: str = "antopsis", name: str | None = None) -> Invitation:
    return act(
        world,
        lambda session, publisher: people.invite_person(session, world.at, publisher, email, role, ANNA, name=name),
        slug,
    )


def join(world: World, email: str) -> None:
    with world.writing() as session:
        person = people_access.get_person(session, email)
        person.joined_at = world.at
        person.password = "$argon2id$invented"


def person(world: World, email: str) -> Person:
    with world.reading() as session:
        return people_access.get_person(session, email)


def held(world: World, email: str) -> dict[str, str]:
    """What somebody holds, by publisher."""
    with world.reading() as session:
        rows = session.execute(
            select(Publisher.slug, Membership.role)
            .join(Membership, Membership.publisher_id == Publisher.id)
            .join(Person, Person.id == Membership.person_id)
            .where(Person.email == email)
        )
        return {slug: role for slug, role in rows}  # noqa: C416 - mypy takes no rows for pairs


def open_session(world: World, email: str) -> None:
    with world.writing() as session:
        row = people_access.get_person(session, email)
        values: dict[str, Any] = {"address": "192.0.2.7", "agent": "a browser", "began_at": world.at}
        session.add(SignIn(person_id=row.id, key=f"key of {email}", seen_at=world.at, **values))


class TestInviting:
    def test_somebody_new_is_known_by_a_small_address_without_a_password(self, staffed: World) -> None:
        invitation = invite(staffed, "Nora@Antopsis.EXAMPLE", TeamRole.EDITOR, name=" Nora New ")
        nora = person(staffed, NORA)
        assert (nora.name, nora.password, nora.invited_at, nora.joined_at) == ("Nora New", None, staffed.at, None)
        assert invitation == Invitation(nora.id, NORA, TeamRole.EDITOR, needs_password=True, is_again=False)
        assert held(staffed, NORA) == {"antopsis": "editor"}
        event = events(staffed, "person.invited")[-1]
        assert (event.subject, event.payload, event.actor) == (str(nora.id), {"role": "editor"}, str(ANNA))

    def test_invited_again_while_it_is_open_renews_it_in_the_new_role(self, staffed: World) -> None:
        invite(staffed, NORA, TeamRole.EDITOR)
        again = invite(staffed, NORA, TeamRole.APPROVER)
        assert (again.is_again, again.role, again.needs_password) == (True, TeamRole.APPROVER, True)
        assert held(staffed, NORA) == {"antopsis": "approver"}
        [changed] = events(staffed, "person.role_changed")
        assert changed.payload == {"before": "editor", "after": "approver"}
        assert len(events(staffed, "person.invited_again")) == 1

    def test_who_signs_in_already_gets_another_publisher_and_no_password_link(self, staffed: World) -> None:
        staffed.apply(streams_file())
        invitation = invite(staffed, OLA, TeamRole.VIEWER, "streams", name="Another name")
        assert not invitation.needs_password
        assert held(staffed, OLA) == {"antopsis": "owner", "streams": "viewer"}
        assert person(staffed, OLA).name is None, "another publisher's owner says nobody's name"

    def test_who_has_joined_is_not_invited_once_more(self, staffed: World) -> None:
        with pytest.raises(WorksHereAlready) as refused:
            invite(staffed, OLA, TeamRole.VIEWER)
        assert "Change the role" in explain(refused.value)
        assert held(staffed, OLA) == {"antopsis": "owner"}

    @pytest.mark.parametrize("email", ["", "nora", "nora@", "nora@antopsis.example\nBcc: x@y.example"])
    def test_what_is_no_address_is_refused_by_its_field(self, staffed: World, email: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            invite(staffed, email, TeamRole.VIEWER)
        assert [problem.field for problem in refused.value.problems] == ["email"]

    def test_a_name_that_could_break_a_letter_is_refused_by_its_field(self, staffed: World) -> None:
        with pytest.raises(InvalidInput) as refused:
            invite(staffed, NORA, TeamRole.VIEWER, name="Nora\nBcc: everybody")
        assert [problem.field for problem in refused.value.problems] == ["name"]

    def test_no_name_or_address_of_anybody_stands_in_a_payload(self, staffed: World) -> None:
        nora = invite(staffed, NORA, TeamRole.EDITOR, name="Nora New").person_id
        act(staffed, lambda s, p: people.rename_invited(s, staffed.at, p, nora, "Nora Newer", ANNA))
        act(staffed, lambda s, p: people.remove_person(s, staffed.at, p, nora, ANNA))
        with staffed.reading() as session:
            payloads = str(list(session.scalars(select(Event.payload).where(Event.subject_kind == "person"))))
        assert "Nora" not in payloads
        assert "@" not in payloads


class TestOwners:
    def test_the_only_owner_is_neither_lowered_nor_removed_nor_shut_out(self, staffed: World) -> None:
        ola = person(staffed, OLA).id
        with pytest.raises(LastOwner):
            act(staffed, lambda s, p: people.change_role(s, staffed.at, p, ola, TeamRole.APPROVER, ANNA))
        with pytest.raises(LastOwner):
            act(staffed, lambda s, p: people.remove_person(s, staffed.at, p, ola, ANNA))
        with pytest.raises(LastOwner) as refused, staffed.writing() as session:
            people_access.shut_out(session, staffed.at, OLA, ANNA)
        assert explain(refused.value).startswith("ola@antopsis.example is the only owner of Antopsis who can sign in.")
        assert held(staffed, OLA) == {"antopsis": "owner"}

    def test_an_invitation_that_nobody_took_up_stands_in_for_no_owner(self, staffed: World) -> None:
        ola = person(staffed, OLA).id
        invite(staffed, NORA, TeamRole.OWNER)
        with pytest.raises(LastOwner):
            act(staffed, lambda s, p: people.remove_person(s, staffed.at, p, ola, ANNA))
        join(staffed, NORA)
        act(staffed, lambda s, p: people.remove_person(s, staffed.at, p, ola, ANNA))
        assert held(staffed, OLA) == {}

    def test_a_mistyped_first_owner_can_be_taken_back_once_another_is_invited(self, world: World) -> None:
        world.apply(antopsis())
        wrong = invite(world, "oal@antopsis.example", TeamRole.OWNER).person_id
        with pytest.raises(LastOwner):
            act(world, lambda s, p: people.remove_person(s, world.at, p, wrong, ANNA))
        invite(world, OLA, TeamRole.OWNER)
        act(world, lambda s, p: people.remove_person(s, world.at, p, wrong, ANNA))
        assert held(world, "oal@antopsis.example") == {}

    def test_an_owner_who_is_shut_out_stands_in_for_nobody(self) -> None:
        ola = Owner("ola", has_joined=True)
        assert not keeps_an_owner(ola, [ola, Owner("out", has_joined=True, is_active=False)])
        assert keeps_an_owner(ola, [ola, Owner("nora", has_joined=True)])


class TestRolesAndNames:
    def test_a_changed_role_is_on_record_with_what_it_was(self, staffed: World) -> None:
        nora = invite(staffed, NORA, TeamRole.VIEWER).person_id
        changed = act(staffed, lambda s, p: people.change_role(s, staffed.at, p, nora, TeamRole.EDITOR, ANNA))
        same = act(staffed, lambda s, p: people.change_role(s, staffed.at, p, nora, TeamRole.EDITOR, ANNA))
        assert (changed, same) == (True, False)
        assert [event.payload for event in events(staffed, "person.role_changed")] == [
            {"before": "viewer", "after": "editor"}
        ]

    def test_a_number_of_another_publishers_colleague_is_nobody_here(self, staffed: World) -> None:
        staffed.apply(streams_file())
        zoe = invite(staffed, "zoe@streams.example", TeamRole.VIEWER, "streams").person_id
        with pytest.raises(UnknownPerson):
            act(staffed, lambda s, p: people.change_role(s, staffed.at, p, zoe, TeamRole.OWNER, ANNA))
        with pytest.raises(UnknownPerson):
            act(staffed, lambda s, p: people.remove_person(s, staffed.at, p, zoe, ANNA))
        with pytest.raises(UnknownPerson):
            act(staffed, lambda s, p: people.invite_again(s, staffed.at, p, zoe, ANNA))

    def test_who_has_joined_names_themselves(self, staffed: World) -> None:
        ola = person(staffed, OLA).id
        with pytest.raises(HasJoined):
            act(staffed, lambda s, p: people.rename_invited(s, staffed.at, p, ola, "Somebody else", ANNA))
        with staffed.writing() as session:
            assert people.rename_oneself(session, staffed.at, ola, "Ola Owner", ANNA)
        assert person(staffed, OLA).name == "Ola Owner"

    def test_requiring_a_second_proof_is_on_record_once(self, staffed: World) -> None:
        for _ in range(2):
            act(staffed, lambda s, p: people.set_second_factor_required(s, staffed.at, p, True, ANNA))
        [event] = events(staffed, "publisher.second_factor")
        assert event.payload == {"before": False, "after": True}


class TestShuttingOut:
    def test_every_session_ends_and_no_old_cookie_or_link_lives_again(self, staffed: World) -> None:
        invite(staffed, NORA, TeamRole.EDITOR)
        join(staffed, NORA)
        open_session(staffed, NORA)
        before = person(staffed, NORA)
        with staffed.writing() as session:
            assert people_access.shut_out(session, staffed.at, NORA, ANNA)
            assert not people_access.shut_out(session, staffed.at, NORA, ANNA)
        with pytest.raises(IsShutOut):
            invite(staffed, NORA, TeamRole.EDITOR)
        with staffed.writing() as session:
            assert people_access.let_in(session, staffed.at, NORA, ANNA)
        after = person(staffed, NORA)
        assert after.active
        assert after.fs_uniquifier != before.fs_uniquifier
        assert held(staffed, NORA) == {"antopsis": "editor"}
        with staffed.reading() as session:
            assert session.scalars(select(SignIn.ended_at)).all() == [staffed.at]
        assert [each.kind for each in (*events(staffed, "person.shut_out"), *events(staffed, "person.let_in"))] == [
            "person.shut_out",
            "person.let_in",
        ]

    def test_nobody_of_that_address_is_said_with_who_is_near(self, staffed: World) -> None:
        with pytest.raises(NobodyHere) as refused, staffed.writing() as session:
            people_access.shut_out(session, staffed.at, "olla@antopsis.example", ANNA)
        assert "Did you mean ola@antopsis.example?" in explain(refused.value)


class TestErasing:
    @pytest.fixture
    def left(self, staffed: World) -> World:
        """Nora has worked here, left a draft and a session, and was removed."""
        nora = invite(staffed, NORA, TeamRole.EDITOR, name="Nora New").person_id
        join(staffed, NORA)
        open_session(staffed, NORA)
        with staffed.writing() as session:
            publisher = get_publisher(session, "antopsis")
            session.add(
                EntryDraft(
                    publisher_id=publisher.id,
                    person_id=nora,
                    subject="stripe",
                    fields={"name": "S"},
                    saved_at=staffed.at,
                )
            )
            passkey = {"credential_id": b"1", "public_key": b"2", "backup_state": False, "device_type": "single_device"}
            session.add(
                Passkey(person_id=nora, name="Nora's phone", usage="first", lastuse_datetime=staffed.at, **passkey)
            )
        act(staffed, lambda s, p: people.remove_person(s, staffed.at, p, nora, ANNA))
        return staffed

    def erase(self, world: World, email: str = NORA) -> int:
        return act(world, lambda session, publisher: erase_person(session, world.at, publisher, email, ANNA))

    def test_all_goes_but_the_address_that_the_record_names(self, left: World) -> None:
        assert self.erase(left, "Nora@Antopsis.example") == 0
        nora = person(left, NORA)
        assert (nora.name, nora.password, nora.tf_totp_secret) == (None, None, None)
        with left.reading() as session:
            assert session.scalars(select(EntryDraft)).all() == []
            assert session.scalars(select(Passkey)).all() == []
            assert session.execute(select(SignIn.address, SignIn.agent, SignIn.ended_at)).all() == [
                (None, None, left.at)
            ]
        [event] = events(left, "person.erased")
        assert event.payload == {"drafts": 1, "sign_in": True}
        with pytest.raises(UnknownAddress):
            self.erase(left)

    def test_who_works_for_another_publisher_keeps_what_they_sign_in_with(self, left: World) -> None:
        left.apply(streams_file())
        invite(left, NORA, TeamRole.VIEWER, "streams")
        self.erase(left)
        assert person(left, NORA).name == "Nora New"
        assert events(left, "person.erased")[0].payload == {"drafts": 1, "sign_in": False}

    def test_who_works_here_is_removed_first(self, left: World) -> None:
        with pytest.raises(StillWorksHere) as refused:
            self.erase(left, OLA)
        assert "registry user remove ola@antopsis.example --publisher antopsis" in explain(refused.value)

    def test_a_legal_hold_keeps_it_all(self, left: World) -> None:
        hold(left)
        with pytest.raises(LegalHoldStands):
            self.erase(left)
        assert person(left, NORA).name == "Nora New"
