"""Documents that somebody attaches: which are taken, by what they hold and not by what they are called.

A name and a type that a browser sends along are the sender's word. What counts is the content; the ending of the name
must agree with it, since it decides what a colleague's computer opens the file with.

What this module does not do: it opens no document and vouches for none. A document taken here may still hold anything
that its format can, which is why it is only ever handed out as a download.
"""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from registry.domain.errors import InvalidInput, Problem

LARGEST_DOCUMENT: Final = 5 * 1024 * 1024
"""Bytes. A scanned letter of some pages is smaller."""
LONGEST_NAME: Final = 120
"""Characters of a name, with its ending."""
NAMELESS: Final = "document"


class DocumentPurpose(StrEnum):
    """What a document is attached for."""

    SERVICE = "service"
    EXEMPTION = "exemption"
    APPROVAL = "approval"
    OBJECTION = "objection"
    RESOLUTION = "resolution"


@dataclass(frozen=True)
class Upload:
    """A file as somebody gave it: the name it had with them, and its bytes."""

    name: str
    body: bytes


@dataclass(frozen=True)
class CheckedDocument:
    """A file that is taken: its name made safe, its type by content, and the SHA-256 (hexadecimal) of its bytes."""

    name: str
    media_type: str
    body: bytes
    sha256: str


@dataclass(frozen=True)
class _Format:
    """A format that is taken: its type, what people call it, the endings of its files, and how it is known."""

    media_type: str
    called: str
    endings: tuple[str, ...]
    holds: Callable[[bytes], bool]


def _is_jpeg(body: bytes) -> bool:
    return body.startswith(b"\xff\xd8\xff")


def _is_docx(body: bytes) -> bool:
    """A container of Word without macros. Only the list of what is in it is read; nothing is unpacked."""
    if not body.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as container:
            names = {name.lower() for name in container.namelist()}
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return False
    has_macros = any(name.endswith("vbaproject.bin") for name in names)
    return {"[content_types].xml", "word/document.xml"} <= names and not has_macros


_CONTROLS: Final = frozenset(range(32)) - set(b"\t\n\r\f") | {127}
_FIRST_HEADER: Final = re.compile(rb"[!-9;-~]+:[ \t]*[^\r\n]")
_TELLING_HEADER: Final = re.compile(rb"(?im)^(from|date|message-id|received|return-path|subject):")


def _is_text(body: bytes) -> bool:
    return not _CONTROLS.intersection(body)


def _is_email(body: bytes) -> bool:
    head = re.split(rb"\r?\n\r?\n", body, maxsplit=1)[0]
    if b"\0" in body or not _FIRST_HEADER.match(head):
        return False
    return len({found.lower() for found in _TELLING_HEADER.findall(head)}) >= 2


FORMATS: Final = (
    _Format("application/pdf", "PDF", (".pdf",), lambda body: body.startswith(b"%PDF-")),
    _Format("image/png", "PNG", (".png",), lambda body: body.startswith(b"\x89PNG\r\n\x1a\n")),
    _Format("image/jpeg", "JPEG", (".jpg", ".jpeg"), _is_jpeg),
    _Format(
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Word (DOCX)", (".docx",), _is_docx
    ),
    _Format("message/rfc822", "e-mail (EML)", (".eml",), _is_email),
    _Format("text/plain", "plain text", (".txt",), _is_text),
)
ENDINGS: Final = tuple(ending for each in FORMATS for ending in each.endings)
"""The endings of the files that are taken, as a form's field of files names them."""
TAKEN: Final = "PDF, PNG, JPEG, plain text, e-mail (EML) and Word (DOCX, without macros)"
CALLED: Final = {each.media_type: each.called for each in FORMATS}
"""What people call each type that is taken."""


def check_document(upload: Upload, field: str = "document") -> CheckedDocument:
    """Return what is kept of a file, with its name made safe.

    Raises `InvalidInput` naming `field`, with one of the codes `document-empty`, `document-too-large`,
    `document-type-refused` (a format, by its ending, that is not taken) and `document-not-what-it-says` (its content is
    not of the format that its ending names).
    """
    name = clean_name(upload.name)
    if not upload.body:
        raise InvalidInput([Problem(field, name, "document-empty")])
    if len(upload.body) > LARGEST_DOCUMENT:
        raise InvalidInput([Problem(field, name, "document-too-large", {"megabytes": LARGEST_DOCUMENT // 1024**2})])
    ending = _ending_of(name)
    wanted = next((each for each in FORMATS if ending in each.endings), None)
    if wanted is None:
        raise InvalidInput([Problem(field, name, "document-type-refused", {"taken": TAKEN})])
    if not wanted.holds(upload.body):
        raise InvalidInput([Problem(field, name, "document-not-what-it-says", {"called": wanted.called})])
    return CheckedDocument(name, wanted.media_type, upload.body, hashlib.sha256(upload.body).hexdigest())


def clean_name(given: str) -> str:
    """Return a file's name without folders, control characters and whatever a file system or a header could trip over.

    It has at most `LONGEST_NAME` characters and keeps its ending, in small letters. One that held nothing else is
    called "document".
    """
    last = re.split(r"[/\\]", given)[-1]
    kept = "".join(character for character in unicodedata.normalize("NFC", last) if _may_stand(character))
    # Dots and blanks at the end are dropped by some systems, and another ending would show; a dot in front hides.
    name = " ".join(kept.split()).strip(". ")
    ending = _ending_of(name)
    stem = name[: len(name) - len(ending)].rstrip(". ") if ending else name
    return (stem[: LONGEST_NAME - len(ending)].rstrip(". ") or NAMELESS) + ending


def _may_stand(character: str) -> bool:
    # Of format characters (Cf) some turn the reading direction, so that a name shows another ending than it has.
    return character in "\t\n " or (unicodedata.category(character)[0] not in "CZ" and character not in '<>:"|?*')


def _ending_of(name: str) -> str:
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", name)
    return found.group().lower() if found else ""
