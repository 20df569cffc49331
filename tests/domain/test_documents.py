"""Which files are taken as documents, by what they hold, and what their names become."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.documents import LARGEST_DOCUMENT, LONGEST_NAME, Upload, check_document, clean_name
from registry.domain.errors import InvalidInput

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0"
EML = b"From: courier@post.example\r\nDate: Wed, 30 Sep 2026 08:00:00 +0000\r\nSubject: Done\r\n\r\nSigned for.\r\n"
HTML = b"<!doctype html><script>alert(1)</script>"
EXE = b"MZ\x90\0\3\0\0\0"


def container(*names: str) -> bytes:
    """Return a ZIP file with these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, "<x/>")
    return file.getvalue()


DOCX = container("[Content_Types].xml", "_rels/.rels", "word/document.xml")


def refusal(name: str, body: bytes) -> str:
    """Return the code with which a file is refused."""
    with pytest.raises(InvalidInput) as refused:
        check_document(Upload(name, body), "proof")
    (problem,) = refused.value.problems
    assert problem.field == "proof"
    return problem.code


@pytest.mark.parametrize(
    ("name", "body", "media_type"),
    [
        ("receipt.pdf", PDF, "application/pdf"),
        ("receipt.PNG", PNG, "image/png"),
        ("receipt.jpg", JPEG, "image/jpeg"),
        ("receipt.jpeg", JPEG, "image/jpeg"),
        ("answer.eml", EML, "message/rfc822"),
        ("note.txt", "Zugestellt am 30. September, Größe 1\n".encode(), "text/plain"),
        ("note.txt", "Größe 1".encode("cp1252"), "text/plain"),
        ("letter.docx", DOCX, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ],
    # A container holds the time it was made at, and no two processes may name a test differently.
    ids=range(8),
)
def test_a_file_whose_content_and_ending_agree_is_taken(name: str, body: bytes, media_type: str) -> None:
    checked = check_document(Upload(name, body))
    assert (checked.media_type, checked.body) == (media_type, body)
    assert len(checked.sha256) == 64


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("receipt.pdf", HTML),
        ("receipt.pdf", b"\n" + PDF),
        ("receipt.png", JPEG),
        ("receipt.jpg", b"GIF89a"),
        ("note.txt", EXE),
        ("note.txt", "UTF-16".encode("utf-16")),
        ("answer.eml", HTML),
        ("answer.eml", b"From: a\r\n\r\nDate: b\r\n"),
        ("answer.eml", EML + b"\0"),
        ("letter.docx", container("xl/workbook.xml", "[Content_Types].xml")),
        ("letter.docx", container("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin")),
        ("letter.docx", DOCX[:40]),
        ("letter.docx", b"PK\x03\x04" + b"\xff" * 200),
    ],
    ids=range(13),
)
def test_a_file_that_is_not_what_its_ending_says_is_refused(name: str, body: bytes) -> None:
    assert refusal(name, body) == "document-not-what-it-says"


@pytest.mark.parametrize("name", ["page.html", "a.svg", "run.exe", "receipt.pdf.exe", "receipt", "macro.docm", ""])
def test_a_format_that_is_not_kept_is_refused_by_its_ending(name: str) -> None:
    assert refusal(name, PDF) == "document-type-refused"


def test_the_size_has_a_limit_and_nothing_is_no_document() -> None:
    exactly = PDF + b" " * (LARGEST_DOCUMENT - len(PDF))
    assert len(check_document(Upload("receipt.pdf", exactly)).body) == LARGEST_DOCUMENT
    assert refusal("receipt.pdf", exactly + b" ") == "document-too-large"
    assert refusal("receipt.pdf", b"") == "document-empty"


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\Users\\vera\\receipt.PDF", "receipt.pdf"),
        ("re\r\nceipt\0\x1b.pdf", "re ceipt.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ('a"b<c>|d?.pdf', "abcd.pdf"),
        ("receipt.pdf. . ", "receipt.pdf"),
        (".htaccess", "htaccess"),
        ("receipt .pdf", "receipt.pdf"),
        (" ... ", "document"),
        (".pdf", "pdf"),
        ("Beleg Müller & Söhne.pdf", "Beleg Müller & Söhne.pdf"),
        ("x" * 300 + ".jpeg", "x" * (LONGEST_NAME - 5) + ".jpeg"),
    ],
)
def test_a_name_is_made_safe_and_keeps_its_ending(given_name: str, kept: str) -> None:
    assert clean_name(given_name) == kept


@given(st.text(max_size=400))
def test_whatever_a_name_was_it_is_short_and_names_no_folder(name: str) -> None:
    cleaned = clean_name(name)
    assert 0 < len(cleaned) <= LONGEST_NAME
    assert not set(cleaned) & set('/\\<>:"|?*\r\n\0')
    assert cleaned == clean_name(cleaned)


@given(st.binary(max_size=400), st.sampled_from(["a.pdf", "a.docx", "a.eml", "a.txt", "a.png", "a.jpg"]))
def test_whatever_a_file_holds_it_is_taken_or_refused(body: bytes, name: str) -> None:
    try:
        kept = check_document(Upload(name, body)).body
    except InvalidInput as refused:
        kept, codes = body, {problem.code for problem in refused.problems}
        assert codes <= {"document-empty", "document-not-what-it-says"}
    assert kept == body
