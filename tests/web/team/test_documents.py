"""Attached documents as a browser gets them: downloads, to their own publisher's team, and nothing that runs."""

from __future__ import annotations

import pytest

from registry.domain.documents import LARGEST_DOCUMENT, Upload
from registry.steps.attachments import attach
from registry.steps.lookup import get_publisher
from registry.tables import Attachment
from tests.web.colleagues import EDDA, VERA, ZOE, Team
from tests.web.team.delivery_cast import HERE, PDF, announce
from tests.world import ANNA

EML = b"From: a@b.example\r\nSubject: x\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>\r\n"


def kept(team: Team, name: str = "receipt.pdf", body: bytes = PDF) -> str:
    """Attach a document, and return its path."""
    with team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        subject = ("notice", "2026-001")
        document = attach(
            session,
            team.site.world.at,
            publisher,
            ANNA,
            purpose="service",
            subject=subject,
            customer_id=None,
            upload=Upload(name, body),
        )
        return f"/team/antopsis/documents/{document.id}"


@pytest.mark.parametrize(
    ("name", "body", "content_type"),
    [
        ("receipt.pdf", PDF, "application/pdf"),
        ("note.txt", b"<script>alert(1)</script>", "text/plain"),
        ("answer.eml", EML, "message/rfc822"),
    ],
)
def test_a_document_is_only_ever_a_download(light_team: Team, name: str, body: bytes, content_type: str) -> None:
    answer = light_team.sign_in(VERA).get(kept(light_team, name, body))
    assert (answer.status_code, answer.data) == (200, body)
    assert answer.mimetype == content_type
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers.getlist("Content-Security-Policy") == [
        "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('"; filename="x.exe.pdf', 'attachment; filename="; filename=x.exe.pdf"'),
        ("Zürich\r\nSet-Cookie: a=b.pdf", None),
        ("Zustellung in Köln.pdf", None),
    ],
)
def test_no_name_breaks_out_of_its_header(light_team: Team, name: str, shown: str | None) -> None:
    answer = light_team.sign_in(VERA).get(kept(light_team, name))
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename")
    assert "\n" not in disposition
    assert "Set-Cookie" not in answer.headers or "a=b" not in answer.headers["Set-Cookie"]
    if shown is not None:
        assert disposition == shown


def test_another_publishers_document_is_not_found(two_teams: Team) -> None:
    path = kept(two_teams)
    zoe = two_teams.sign_in(ZOE)
    assert zoe.get(path).status_code == 404
    assert zoe.get(path.replace("antopsis", "streams")).status_code == 404
    assert zoe.get("/team/streams/documents/99999").status_code == 404
    assert two_teams.stranger().get(path).status_code == 302


def test_an_erased_document_is_gone_and_its_hash_stays(light_team: Team) -> None:
    path = kept(light_team)
    with light_team.site.world.writing() as session:
        row = session.get_one(Attachment, int(path.rpartition("/")[2]))
        row.body, digest = None, row.sha256
    assert light_team.sign_in(VERA).get(path).status_code == 410
    assert len(digest) == 64


def test_a_document_that_is_too_large_is_refused_beside_its_field_and_one_far_larger_at_the_door(
    light_team: Team,
) -> None:
    announce(light_team)
    edda = light_team.sign_in(EDDA)
    for size, status in ((LARGEST_DOCUMENT + 1, 400), (3 * LARGEST_DOCUMENT, 413)):
        # Written out, for the client would keep a body of this size in a file that it leaves open.
        field = f'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{edda.csrf_token}\r\n--x\r\n'
        file = 'Content-Disposition: form-data; name="document"; filename="receipt.pdf"\r\n\r\n'
        body = (field + file).encode() + PDF + b" " * (size - len(PDF)) + b"\r\n--x--\r\n"
        answer = edda.client.post(
            f"{HERE}/customers/bremen/served",
            base_url=edda.base_url,
            data=body,
            content_type="multipart/form-data; boundary=x",
            buffered=True,
        )
        assert answer.status_code == status
        assert ("is larger than 5 MB" in answer.text) == (status == 400)
    with light_team.site.world.reading() as session:
        assert session.query(Attachment).count() == 0
