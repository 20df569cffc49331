"""What the workbench leaves: notes, documents, drafts and sessions go when their days are over, not before (R36)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from registry.domain.people import TeamRole
from registry.steps.change_settings import change_settings
from registry.steps.lookup import get_publisher, read_facts
from registry.steps.people import invite_person, remove_person
from registry.steps.proposals import ProposalOutcome, close_proposal
from registry.tables import Attachment, EntryDraft, ObjectionNote, Person, Proposal, SignIn
from tests.steps.path_cast import events, object_to, resolve
from tests.steps.retention_cast import (
    A_MOMENT,
    IN_EFFECT,
    erase,
    hold,
    keeping,
    lift,
    midnight,
    objections,
    put_in_effect,
    tell,
)
from tests.web.site import streams_file
from tests.world import ANNA, World, utc

FOREVER = "followers: forever, contacts: forever, letters: forever, answers: forever"
SIGNED_IN = utc("2026-09-30 08:00")


def attach(world: World, kind: str, subject: str, **more: Any) -> int:
    with world.writing() as session:
        row = Attachment(
            publisher_id=get_publisher(session, "antopsis").id,
            purpose="service",
            subject_kind=kind,
            subject=subject,
            name="Receipt of Ms Roe.pdf",
            media_type="application/pdf",
            size=5,
            sha256="0" * 64,
            body=b"%PDF-",
            added_at=world.at,
            added_by="anna@antopsis.example",
            **more,
        )
        session.add(row)
        session.flush()
        return row.id


def documents(world: World) -> list[tuple[str, bytes | None, str]]:
    with world.reading() as session:
        rows = session.scalars(select(Attachment).order_by(Attachment.id))
        return [(row.name, row.body, row.sha256) for row in rows]


def work_for(world: World, email: str, slug: str = "antopsis") -> int:
    with world.writing() as session:
        publisher = get_publisher(session, slug)
        return invite_person(session, world.at, publisher, email, TeamRole.EDITOR, ANNA).person_id


def sign_in(world: World, person_id: int, ended_at: datetime | None = None) -> None:
    with world.writing() as session:
        key = f"key {person_id} {ended_at}"
        row = SignIn(
            person_id=person_id, key=key, address="192.0.2.7", agent="a browser", began_at=SIGNED_IN, seen_at=SIGNED_IN
        )
        row.ended_at = ended_at
        session.add(row)


def origins(world: World) -> list[tuple[str | None, str | None]]:
    with world.reading() as session:
        return [(row.address, row.agent) for row in session.scalars(select(SignIn).order_by(SignIn.id))]


class TestObjections:
    def test_what_was_noted_goes_with_the_objection_and_who_wrote_it_stays(self, world: World) -> None:
        number = tell(world, f"{{{FOREVER}, documents: forever, objections: 10}}")
        object_to(world, number, "bremen")
        [objection] = objections(world)
        with world.writing() as session:
            note = {"publisher_id": objection.publisher_id, "objection_id": objection.id, "kind": "note"}
            session.add(ObjectionNote(text="Ms Roe called", author="anna", made_at=world.at, **note))
        resolve(world, number, "bremen")
        world.at = IN_EFFECT
        put_in_effect_now(world, number)
        assert erase(world, midnight("2026-11-12") - A_MOMENT) == {}
        assert erase(world, midnight("2026-11-12")) == {"objections": 2}
        with world.reading() as session:
            [left] = session.scalars(select(ObjectionNote)).all()
        assert (left.text, left.author) == (None, "anna")
        assert erase(world) == {}


def put_in_effect_now(world: World, number: str) -> None:
    world.tick()
    assert world.notice(number).took_effect_at == IN_EFFECT


class TestDocuments:
    TEN = f"{{{FOREVER}, objections: forever, documents: 10}}"

    def test_the_bytes_and_the_name_go_ten_days_after_the_notice_and_the_hash_stays(self, world: World) -> None:
        number = put_in_effect(world, self.TEN)
        attach(world, "notice", number)
        assert erase(world, midnight("2026-11-12") - A_MOMENT) == {}
        assert erase(world, midnight("2026-11-12")) == {"documents": 1}
        assert documents(world) == [("erased", None, "0" * 64)]
        assert erase(world) == {}

    def test_while_the_notice_is_pending_nothing_of_it_goes(self, world: World) -> None:
        number = tell(world, self.TEN)
        attach(world, "notice", number)
        assert erase(world, IN_EFFECT - A_MOMENT) == {}
        assert erase(world, utc("2029-01-01 00:00")) == {}

    def test_one_of_an_objection_goes_ten_days_after_the_closing(self, world: World) -> None:
        number = put_in_effect(world, self.TEN)
        object_to(world, number, "bremen")
        [objection] = objections(world)
        attach(world, "objection", str(objection.id), customer_id=objection.customer_id)
        assert erase(world, utc("2027-01-01 08:00")) == {}
        resolve(world, number, "bremen")
        assert erase(world, midnight("2027-01-12") - A_MOMENT) == {}
        assert erase(world, midnight("2027-01-12")) == {"documents": 1}

    def test_what_belongs_to_something_else_goes_by_no_time(self, world: World) -> None:
        put_in_effect(world, self.TEN)
        attach(world, "publisher", "antopsis")
        assert erase(world, utc("2090-01-01 00:00")) == {}

    @pytest.mark.parametrize("scope", [{}, {"customer_key": "bremen"}, {"number": "2026-001"}])
    def test_a_hold_keeps_it(self, world: World, scope: dict[str, str]) -> None:
        number = put_in_effect(world, self.TEN)
        assert number == "2026-001"
        object_to(world, number, "bremen")
        [objection] = objections(world)
        attach(world, "notice", number, customer_id=objection.customer_id)
        standing = hold(world, **scope)
        assert erase(world, midnight("2026-11-12")) == {}
        lift(world, standing)
        assert erase(world) == {"documents": 1}


class TestDrafts:
    def draft(self, world: World) -> None:
        world.apply(keeping("{drafts: 10}"))
        person_id = work_for(world, "edda@antopsis.example")
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            facts = {"subject": "stripe", "fields": {"contact": "Ms Roe"}, "saved_at": world.at}
            session.add(EntryDraft(publisher_id=publisher.id, person_id=person_id, **facts))

    def test_a_draft_goes_whole_ten_days_after_its_last_touch(self, world: World) -> None:
        self.draft(world)
        assert erase(world, midnight("2026-10-11") - A_MOMENT) == {}
        assert erase(world, midnight("2026-10-11")) == {"drafts": 1}
        with world.reading() as session:
            assert session.scalars(select(EntryDraft)).all() == []
        [event] = events(world, "retention.erased")
        assert (event.subject, event.payload) == ("antopsis", {"drafts": 1})

    def test_a_hold_on_the_publisher_keeps_it(self, world: World) -> None:
        self.draft(world)
        hold(world)
        assert erase(world, utc("2090-01-01 00:00")) == {}


class TestProposals:
    def propose(self, world: World) -> None:
        world.apply(keeping("{drafts: 10}", approvals=1))
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            facts = read_facts(session, publisher)
            wanted = facts.model_copy(update={"approvals_required": 0, "contact": "jane@antopsis.example"})
            assert change_settings(session, world.at, publisher, wanted, (), ANNA).proposal is not None

    def close(self, world: World) -> None:
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            proposal = session.scalars(select(Proposal)).one()
            close_proposal(session, world.at, publisher, proposal, ANNA, ProposalOutcome.WITHDRAWN)

    def test_proposed_settings_go_ten_days_after_the_decision_and_the_digest_stays(self, world: World) -> None:
        self.propose(world)
        world.at = utc("2027-01-01 08:00")
        assert erase(world) == {}, "one that waits is needed"
        self.close(world)
        assert erase(world, midnight("2027-01-12") - A_MOMENT) == {}
        assert erase(world, midnight("2027-01-12")) == {"drafts": 1}
        with world.reading() as session:
            left = session.scalars(select(Proposal)).one()
        assert (left.document, len(left.digest), left.author) == (None, 64, "anna@antopsis.example")
        assert erase(world) == {}

    def test_a_hold_on_the_publisher_keeps_it(self, world: World) -> None:
        self.propose(world)
        self.close(world)
        hold(world)
        assert erase(world, utc("2090-01-01 00:00")) == {}


class TestSignIns:
    def test_from_where_goes_after_the_days_and_that_it_was_stays(self, world: World) -> None:
        world.apply(keeping("{sign_ins: 10}"))
        sign_in(world, work_for(world, "edda@antopsis.example"), ended_at=utc("2026-10-01 08:00"))
        assert erase(world, midnight("2026-10-12") - A_MOMENT) == {}
        assert erase(world, midnight("2026-10-12")) == {"sign_ins": 1}
        assert origins(world) == [(None, None)]
        [event] = events(world, "retention.erased")
        assert (event.publisher_id, event.subject_kind, event.payload) == (None, "installation", {"sign_ins": 1})
        assert erase(world) == {}

    def test_one_that_was_never_ended_is_counted_from_its_last_request(self, world: World) -> None:
        world.apply(keeping("{sign_ins: 10}"))
        sign_in(world, work_for(world, "edda@antopsis.example"))
        assert erase(world, midnight("2026-10-11")) == {"sign_ins": 1}

    def test_of_who_works_for_two_publishers_the_longer_time_counts(self, world: World) -> None:
        world.apply(keeping("{sign_ins: 10}"))
        world.apply(streams_file())
        both = work_for(world, "both@counsel.example")
        work_for(world, "both@counsel.example", "streams")
        sign_in(world, both)
        sign_in(world, work_for(world, "edda@antopsis.example"))
        assert erase(world, midnight("2026-10-11")) == {"sign_ins": 1}
        assert origins(world) == [("192.0.2.7", "a browser"), (None, None)]
        assert erase(world, utc("2027-10-01 00:00")) == {"sign_ins": 1}

    def test_forever_of_one_publisher_keeps_its_own_people_only(self, world: World) -> None:
        world.apply(keeping("{sign_ins: forever}"))
        world.apply(streams_file())
        sign_in(world, work_for(world, "edda@antopsis.example"))
        sign_in(world, work_for(world, "zoe@streams.example", "streams"))
        assert erase(world, utc("2090-01-01 00:00")) == {"sign_ins": 1}
        assert origins(world) == [("192.0.2.7", "a browser"), (None, None)]

    def test_of_who_works_for_nobody_any_more_it_is_the_usual_year(self, world: World) -> None:
        world.apply(keeping("{sign_ins: forever}"))
        person_id = work_for(world, "edda@antopsis.example")
        sign_in(world, person_id)
        with world.writing() as session:
            remove_person(session, world.at, get_publisher(session, "antopsis"), person_id, ANNA)
        assert erase(world, utc("2027-09-30 23:59")) == {}
        assert erase(world, utc("2027-10-01 00:00")) == {"sign_ins": 1}
        with world.reading() as session:
            assert session.scalars(select(Person.email)).all() == ["edda@antopsis.example"]

    def test_any_legal_hold_keeps_them_all(self, world: World) -> None:
        world.apply(keeping("{sign_ins: 10}"))
        sign_in(world, work_for(world, "edda@antopsis.example"))
        standing = hold(world, customer_key="bremen")
        assert erase(world, utc("2030-01-01 00:00")) == {}
        lift(world, standing)
        assert erase(world) == {"sign_ins": 1}
