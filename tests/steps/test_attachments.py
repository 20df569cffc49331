"""Attached documents: kept once, checked, on record without their names, and nobody else's."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import select

from registry.domain.documents import DocumentPurpose, Upload
from registry.domain.errors import InvalidInput
from registry.steps.attachments import attach, find_document, list_documents
from registry.steps.lookup import get_customer, get_publisher
from registry.tables import Attachment, Event
from tests.web.site import streams_file
from tests.world import ANNA, World, antopsis

PDF = b"%PDF-1.7\nsigned for"


def attach_to(
    world: World, number: str = "2026-001", *, name: str = "receipt of Vera Muster.pdf", **more: bytes
) -> int:
    """Attach a document about Bremen to a notice, and return its number."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        customer = get_customer(session, publisher, "bremen")
        kept = attach(
            session,
            world.at,
            publisher,
            ANNA,
            purpose=DocumentPurpose.SERVICE,
            subject=("notice", number),
            customer_id=customer.id,
            upload=Upload(name, more.get("body", PDF)),
        )
        return kept.id


def test_a_document_is_kept_with_its_hash_and_on_record_without_its_name(world: World) -> None:
    world.apply(antopsis())
    number = attach_to(world)
    with world.reading() as session:
        kept = session.get_one(Attachment, number)
        assert (kept.name, kept.media_type, kept.size) == ("receipt of Vera Muster.pdf", "application/pdf", len(PDF))
        assert (kept.body, kept.sha256) == (PDF, hashlib.sha256(PDF).hexdigest())
        assert (kept.added_by, kept.added_at) == (ANNA.name, world.at)
        event = session.scalars(select(Event).where(Event.kind == "document.attached")).one()
    assert (event.subject_kind, event.subject) == ("notice", "2026-001")
    assert event.payload["sha256"] == kept.sha256
    assert event.payload["document"] == number
    assert "Vera" not in str(event.payload)


def test_the_same_bytes_sent_twice_are_one_document(world: World) -> None:
    world.apply(antopsis())
    first = attach_to(world)
    assert attach_to(world, name="again.pdf") == first
    assert attach_to(world, number="2026-002") != first
    assert attach_to(world, body=PDF + b" twice") != first
    with world.reading() as session:
        assert len(session.scalars(select(Event).where(Event.kind == "document.attached")).all()) == 3


def test_what_is_no_document_leaves_nothing_behind(world: World) -> None:
    world.apply(antopsis())
    with pytest.raises(InvalidInput) as refused:
        attach_to(world, body=b"<script>alert(1)</script>")
    assert [problem.code for problem in refused.value.problems] == ["document-not-what-it-says"]
    with world.reading() as session:
        assert session.scalars(select(Attachment)).all() == []


def test_documents_are_listed_by_subject_and_customer_without_their_bytes(world: World) -> None:
    world.apply(antopsis())
    first, second = attach_to(world), attach_to(world, number="2026-002")
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        hanoi = get_customer(session, publisher, "hanoi")
        found = list_documents(session, publisher, "notice", ["2026-001", "2026-002"])
        assert {subject: [each.id for each in documents] for subject, documents in found.items()} == {
            "2026-001": [first],
            "2026-002": [second],
        }
        assert (found["2026-001"][0].called, found["2026-001"][0].is_erased) == ("PDF", False)
        assert list_documents(session, publisher, "notice", ["2026-001"], customer_id=hanoi.id) == {}


def test_a_document_is_found_by_its_own_publisher_alone(world: World) -> None:
    world.apply(antopsis())
    world.apply(streams_file())
    number = attach_to(world)
    with world.reading() as session:
        own, other = get_publisher(session, "antopsis"), get_publisher(session, "streams")
        found = find_document(session, own, number)
        assert found is not None
        assert found.body == PDF
        assert find_document(session, other, number) is None
        assert list_documents(session, other, "notice", ["2026-001"]) == {}
