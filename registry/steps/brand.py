"""A publisher's logo: one picture, shown on its public pages. Its colour is one of its facts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from registry.domain.documents import Upload, check_document
from registry.domain.errors import InvalidInput, Problem
from registry.steps.attachments import attach
from registry.steps.list_periods import touch
from registry.steps.record import Actor, record_event
from registry.tables import Attachment, Publisher

LOGO: Final = "logo"
PICTURES: Final = ("image/png", "image/jpeg")
LARGEST_LOGO: Final = 200 * 1024
"""Bytes. Every reader of the page loads it."""


def find_logo(session: Session, publisher: Publisher) -> Attachment | None:
    """Return the publisher's logo with its bytes, or None."""
    return session.scalar(_logos(publisher).order_by(Attachment.id.desc()).limit(1))


def find_logo_version(session: Session, publisher: Publisher) -> str | None:
    """Return a word that changes with the publisher's logo, for its address, or None where it has none."""
    digest = session.scalar(
        _logos(publisher).with_only_columns(Attachment.sha256).order_by(Attachment.id.desc()).limit(1)
    )
    return digest[:12] if digest else None


def set_logo(
    session: Session, now: datetime, publisher: Publisher, actor: Actor, upload: Upload, field: str = "logo"
) -> None:
    """Show another logo on the public pages. Raises `InvalidInput` for what is no picture, or too large."""
    document = check_document(upload, field)
    if document.media_type not in PICTURES:
        raise InvalidInput([Problem(field, document.name, "not-a-picture")])
    if len(document.body) > LARGEST_LOGO:
        raise InvalidInput([Problem(field, document.name, "picture-too-large", {"kilobytes": LARGEST_LOGO // 1024})])
    _drop(session, publisher)
    subject = ("publisher", publisher.slug)
    attach(session, now, publisher, actor, purpose=LOGO, subject=subject, customer_id=None, upload=upload, field=field)
    touch(publisher, now)


def remove_logo(session: Session, now: datetime, publisher: Publisher, actor: Actor) -> bool:
    """Show no logo any more; return whether there was one."""
    if not _drop(session, publisher):
        return False
    record_event(
        session, now, actor, "publisher.logo_removed", subject=("publisher", publisher.slug), publisher_id=publisher.id
    )
    touch(publisher, now)
    return True


def _drop(session: Session, publisher: Publisher) -> int:
    logos = session.scalars(_logos(publisher)).all()
    for logo in logos:
        logo.body = None
    session.flush()
    return len(logos)


def _logos(publisher: Publisher) -> Select[Attachment]:
    return select(Attachment).where(
        Attachment.publisher_id == publisher.id,
        Attachment.subject_kind == "publisher",
        Attachment.subject == publisher.slug,
        Attachment.purpose == LOGO,
        Attachment.body.is_not(None),
    )
