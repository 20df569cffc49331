"""Attached documents: taken from a form, and handed out again as downloads and as nothing else."""

from __future__ import annotations

from typing import Any, Final

from flask import abort, request
from werkzeug.datastructures import FileStorage

from registry.domain.documents import LARGEST_DOCUMENT, Upload
from registry.domain.people import TeamRole
from registry.steps.attachments import find_document
from registry.web.team.access import Desk, screen
from registry.web.team.delivery_sandbox import DOWNLOAD_POLICY, sandboxed

LONGEST_UPLOAD: Final = LARGEST_DOCUMENT + 1024 * 1024
"""Bytes of a form with one document. A little more than the document may have, so that one slightly too large gets its
sentence beside the field instead of a page of error."""


def read_upload(field: str = "document") -> Upload | None:
    """Return the file that was sent in a field of the form, or None where none was chosen."""
    given: FileStorage | None = request.files.get(field)
    if given is None or not given.filename:
        return None
    return Upload(given.filename, given.read(LARGEST_DOCUMENT + 1))


@screen("/documents/<int:number>", TeamRole.VIEWER)
def document(desk: Desk, number: int) -> Any:
    """Hand out a document as a download: no browser shows it as a page of this house."""
    with desk.reading() as (session, publisher):
        found = find_document(session, publisher, number)
    if found is None:
        abort(404)
    if found.body is None:
        abort(410)
    answer = sandboxed(found.body, found.media_type, DOWNLOAD_POLICY)
    answer.headers.set("Content-Disposition", "attachment", filename=found.name)
    return answer
