"""Letters and messages as files in a folder: the default of an installation that has no mail server yet.

Nothing is sent, to nobody: where letters stay in the house, webhooks and messages to chat rooms do too.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from registry.channels.base import Accepted, Answer, Envelope, TemporaryFailure

NOT_SENT = "written to the outbox, not sent"
"""The answer of every letter that was written. It says what the file is worth as a receipt (R12)."""

_LONGEST_NAME = 120


class OutboxChannel:
    """Writes each letter, byte for byte, to `<UTC stamp>-<Message-ID>.eml` in one folder; what is meant for another
    `kind` of address than e-mail is JSON, and its file ends in `.json`.

    A file is there whole or not at all, also after a power cut, and is readable by its owner only, for letters
    carry addresses and links that act. No file is ever overwritten: a letter that is written again stands
    beside the first with the same Message-ID in its name, and with `.copy2` where the stamp is the same too.

    `clock` gives the stamp; it returns an aware instant.
    """

    name = "outbox"
    is_real = False

    def __init__(self, folder: Path, clock: Callable[[], datetime], kind: str = "email") -> None:
        self._folder = folder
        self._clock = clock
        self.kind = kind
        self._suffix = ".eml" if kind == "email" else ".json"

    def send(self, envelope: Envelope) -> Answer:
        """Write the letter. A full disk or a folder that cannot be written to is a temporary failure naming the folder.

        The file's name is the answer's `provider_ref`. Raises ValueError where the clock gives a naive time.
        """
        now = self._clock()
        if now.tzinfo is None:
            raise ValueError("the outbox's clock must give an aware instant")
        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        try:
            written = self._write(f"{stamp}-{file_name_of(envelope.message_id)}", envelope.message)
        except OSError as trouble:
            reason = trouble.strerror or type(trouble).__name__
            return TemporaryFailure(None, f"could not write to the outbox folder {self._folder}: {reason}")
        return Accepted(None, NOT_SENT, provider_ref=written)

    def close(self) -> None:
        """Nothing is held open between letters."""

    def _write(self, stem: str, message: bytes) -> str:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy = 0
        while True:
            copy += 1
            final = self._folder / f"{stem}{'' if copy == 1 else f'.copy{copy}'}{self._suffix}"
            part = final.with_name(f".{final.name}.part")
            try:
                # Whoever creates the part file owns the final name; all others see one of the two and go on.
                descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            try:
                with os.fdopen(descriptor, "wb") as file:
                    if final.exists():
                        continue
                    file.write(message)
                    file.flush()
                    os.fsync(file.fileno())
                part.rename(final)
                self._flush_folder()
                return final.name
            finally:
                # Gone already where the rename succeeded; on a failing disk the failure itself is what is reported.
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)

    def _flush_folder(self) -> None:
        # A rename is on the disk only once the folder that holds the name is.
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def file_name_of(message_id: str) -> str:
    """Turn a Message-ID into a part of a file name that is safe everywhere.

    The same id gives the same name, and another id another. The angle brackets go; where something had to be replaced
    or cut off, a short digest of the whole id is added.
    """
    bare = message_id.strip().removeprefix("<").removesuffix(">")
    safe = re.sub(r"[^A-Za-z0-9._@+=-]", "_", bare)[:_LONGEST_NAME]
    if safe == bare and safe:
        return safe
    return f"{safe or 'letter'}-{hashlib.sha256(message_id.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
