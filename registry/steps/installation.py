"""The one row that binds a database to its installation, and the switch that stops dispatch (R32, R39).

A copy of a production database started elsewhere must not write to customers. So a start with another secret key or
another base address pauses dispatch, and only a person lets it go on.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import idna
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from registry.domain.text import refuse_unclean_line
from registry.steps.audience_errors import InstallationNotBound
from registry.steps.insert_once import insert_once
from registry.steps.record import WORKER, Actor, record_event
from registry.tables import Installation

ROW: Final = 1
BETWEEN_REASONS: Final = "; "

_PORTS: Final = {"http": 80, "https": 443}


class PauseReason(StrEnum):
    """Why dispatch stands still without anybody having said so. What a person gives as a reason is their own words."""

    OTHER_SECRET_KEY = "other-secret-key"  # noqa: S105 - the name of a condition
    OTHER_BASE_URL = "other-base-url"


def fingerprint_of(secret_key: str) -> str:
    """Return what stands for a secret key in the database, and from which the key cannot be had."""
    return hmac.new(secret_key.encode(), b"registry installation fingerprint", hashlib.sha256).hexdigest()


def bind_installation(
    session: Session, now: datetime, fingerprint: str, base_url: str, is_demo: bool = False
) -> Installation:
    """Bind the database at its first start; at any later one pause dispatch where it finds itself elsewhere.

    A pause is set and recorded once, and never lifted here, not even where everything matches again. `is_demo` counts
    at the first start only: evidence is not turned into a demonstration, nor the other way round (R12).
    """
    values = {
        "id": ROW,
        "installation_id": secrets.token_hex(8),
        "fingerprint": fingerprint,
        "base_url": base_url,
        "is_demo": is_demo,
        "created_at": now,
    }
    is_first = insert_once(session, Installation, values)
    installation = _get(session, lock=True)
    if is_first:
        _record(session, now, WORKER, "installation.bound", installation, is_demo=is_demo)
        return installation
    reason = _find_mismatch(installation, fingerprint, base_url)
    # Whoever paused it for another reason would lift the pause without knowing of this one, so each is kept.
    earlier = installation.paused_because
    if reason is not None and reason.value not in reasons_of(earlier):
        because = f"{earlier}{BETWEEN_REASONS}{reason}" if earlier else reason.value
        _pause(session, now, WORKER, installation, because, code=reason.value)
    return installation


def reasons_of(paused_because: str | None) -> list[str]:
    """Return each of the reasons for which dispatch stands still: codes of `PauseReason`, or a person's words."""
    return paused_because.split(BETWEEN_REASONS) if paused_because else []


def is_same_base_url(bound: str, base_url: str) -> bool:
    """Return whether two base addresses lead to one place, however each is written.

    Capital letters, a slash at the end, the port that the scheme has anyway, and an international host by its name or
    in its xn-- form make no other place of it.
    """
    return bound == base_url or _place_of(bound) == _place_of(base_url)


def _place_of(base_url: str) -> tuple[str, str, int | None, str]:
    """Return scheme, host in small ASCII letters, port and path; for what is no address, nothing but itself."""
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
        if not host.isascii():
            host = idna.encode(host, uts46=True).decode("ascii")
    except ValueError:
        # Which an IDNAError is too.
        return "", "", None, base_url
    return parts.scheme, host, port or _PORTS.get(parts.scheme), parts.path.rstrip("/")


def _find_mismatch(installation: Installation, fingerprint: str, base_url: str) -> PauseReason | None:
    if not hmac.compare_digest(installation.fingerprint, fingerprint):
        return PauseReason.OTHER_SECRET_KEY
    return None if is_same_base_url(installation.base_url, base_url) else PauseReason.OTHER_BASE_URL


def pause(session: Session, now: datetime, actor: Actor, reason: str) -> Installation:
    """Stop dispatch, in a person's words or with a code of `PauseReason`. What is paused already keeps its reason.

    Raises `InstallationNotBound`, and `InvalidInput` for a reason that is no line people can read.
    """
    refuse_unclean_line(reason=reason)
    installation = _get(session, lock=True)
    if installation.paused_at is None:
        # A person's own words may name people, so the record only says that a person did it.
        code = reason if reason in list(PauseReason) else "by-a-person"
        _pause(session, now, actor, installation, reason, code=code)
    return installation


def _pause(session: Session, now: datetime, actor: Actor, installation: Installation, because: str, code: str) -> None:
    installation.paused_at = installation.paused_at or now
    installation.paused_because = because
    _record(session, now, actor, "installation.paused", installation, because=code)
    session.flush()


def resume(session: Session, now: datetime, actor: Actor, fingerprint: str, base_url: str) -> Installation:
    """Let dispatch go on, and bind the database to where it is now: a person confirms that this is the original.

    Changes nothing where nothing is paused. Raises `InstallationNotBound`.
    """
    installation = _get(session, lock=True)
    if installation.paused_at is None:
        return installation
    mismatch = _find_mismatch(installation, fingerprint, base_url)
    installation.paused_at = installation.paused_because = None
    installation.fingerprint, installation.base_url = fingerprint, base_url
    _record(session, now, actor, "installation.resumed", installation, bound_anew=mismatch is not None)
    session.flush()
    return installation


def dispatch_pause(session: Session) -> Installation | None:
    """Return the installation where its dispatch is paused, else None."""
    return session.scalar(select(Installation).where(Installation.paused_at.is_not(None)))


def mark_not_evidence(session: Session, now: datetime) -> None:
    """Note for good that time was travelled in this database, so that nothing in it proves anything (R39).

    Raises `InstallationNotBound`.
    """
    installation = _get(session, lock=True)
    if installation.not_evidence_since is None:
        installation.not_evidence_since = now
        _record(session, now, WORKER, "installation.not_evidence", installation)
        session.flush()


def beat(session: Session, now: datetime) -> None:
    """Note that the worker is alive. Its age is what health is judged by, so it is no act and leaves no event."""
    session.execute(update(Installation).where(Installation.id == ROW).values(heartbeat_at=now))


def _get(session: Session, *, lock: bool = False) -> Installation:
    query = select(Installation).where(Installation.id == ROW)
    installation = session.scalar(query.with_for_update() if lock else query)
    if installation is None:
        raise InstallationNotBound
    return installation


def _record(
    session: Session, now: datetime, actor: Actor, kind: str, installation: Installation, **payload: str | bool
) -> None:
    subject = ("installation", installation.installation_id)
    record_event(session, now, actor, kind, subject=subject, publisher_id=None, **payload)
