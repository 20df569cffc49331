"""A backup's file: a zip that holds every table as JSON lines, is the same for both databases, and vouches for itself.

```
manifest.json         what it is: when, whose, of which schema; of each table its columns, its rows and their SHA-256
tables/<name>.jsonl   one row a line, its values in the order of the manifest's columns
(the zip's comment)   the SHA-256 of every byte before it, so that one flipped bit or a cut is noticed
```

What a value looks like depends on its column's kind, and NULL is `null` in all. Documents stand in their own text, so
that they come back to the letter, and a document that is `null` is told apart from none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Integer,
    LargeBinary,
    String,
    TableClause,
    Text,
    column,
    table,
)
from sqlalchemy.types import JSON, NullType, TypeEngine

from registry.domain.errors import RegistryError
from registry.tables.base import UtcDateTime

FORMAT: Final = "registry-backup"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
LABEL: Final = b"SHA-256 of all bytes before this digest: "
DIGEST_LENGTH: Final = 64
CHUNK: Final = 1 << 20
ZIP_BEGINS: Final = b"PK\x03\x04"
BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError, ValueError)
"""What the standard library raises over a file that is no zip, or one that somebody has put together by hand."""

Progress = Callable[[str, int], None]
"""Told the table at work, and how many of its rows are done."""


class BackupUnreadable(RegistryError):
    """The file cannot be opened. Params: file, why."""

    code = "backup-unreadable"


class NotABackup(RegistryError):
    """The file is something else. Params: file."""

    code = "not-a-backup"


class BackupDamaged(RegistryError):
    """The file is not what was written: cut off, changed, or put together by hand. Params: file, why."""

    code = "backup-damaged"


class BackupFormatUnknown(RegistryError):
    """A release with another format made the file. Params: file, version, known."""

    code = "backup-format-unknown"


class Kind(StrEnum):
    """What a column holds, whichever database it is in."""

    INTEGER = "integer"
    TEXT = "text"
    BOOLEAN = "boolean"
    INSTANT = "instant"
    DATE = "date"
    DOCUMENT = "document"
    BYTES = "bytes"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class TableFacts(_Part):
    """One table: the member of the zip that holds it, its columns in order with what they hold, and its amount."""

    name: str
    member: str
    columns: dict[str, Kind]
    rows: int
    sha256: str


class Manifest(_Part):
    """What a backup says of itself. `made_at` (UTC) is the instant whose state it holds.

    `tables` stand in the order in which they can be filled: none refers to a later one. `left_out` says of each table
    that is not in it why that loses nothing.
    """

    format: Literal["registry-backup"] = FORMAT
    version: int = VERSION
    made_at: AwareDatetime
    product: str
    schema_revision: str
    database: str
    installation_id: str
    base_url: str
    tables: tuple[TableFacts, ...]
    left_out: dict[str, str]

    @property
    def rows(self) -> int:
        """How many rows there are in all tables."""
        return sum(each.rows for each in self.tables)


@dataclass(frozen=True)
class _Form:
    """How a kind of value is bound in SQL, and how it stands in the file."""

    sql_type: TypeEngine[Any]
    read: Callable[[Any], object]
    write: Callable[[Any], object] | None = None


def _expect(expected: type) -> Callable[[Any], object]:
    def read(value: Any) -> object:
        if type(value) is not expected:
            raise ValueError(f"{type(value).__name__} instead of {expected.__name__}")
        return value

    return read


def _read_integer(value: Any) -> object:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("no integer of 64 bits")
    return value


def _read_instant(value: Any) -> object:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("an instant without its offset")
    return at.astimezone(UTC)


def _read_document(value: Any) -> object:
    json.loads(value)
    return value


_FORMS: Final = {
    Kind.INTEGER: _Form(BigInteger(), _read_integer),
    Kind.TEXT: _Form(Text(), _expect(str)),
    Kind.BOOLEAN: _Form(Boolean(), _expect(bool)),
    Kind.INSTANT: _Form(UtcDateTime(), _read_instant, lambda at: at.isoformat()),
    Kind.DATE: _Form(Date(), date.fromisoformat, lambda on: on.isoformat()),
    # Without a type the text is bound as it is, and the database takes it for what its column is.
    Kind.DOCUMENT: _Form(NullType(), _read_document),
    Kind.BYTES: _Form(
        LargeBinary(),
        lambda text: base64.b64decode(text, validate=True),
        lambda data: base64.b64encode(data).decode("ascii"),
    ),
}

_KINDS: Final[dict[type, Kind]] = {
    Boolean: Kind.BOOLEAN,
    Integer: Kind.INTEGER,
    String: Kind.TEXT,
    UtcDateTime: Kind.INSTANT,
    Date: Kind.DATE,
    JSON: Kind.DOCUMENT,
    LargeBinary: Kind.BYTES,
}


def kind_of(described: Column[Any]) -> Kind:
    """Return what a column holds. Raises TypeError for a type that the file has no form for."""
    sql_type = described.type
    for known, kind in _KINDS.items():
        if isinstance(sql_type, known):
            return kind
    raise TypeError(f"{described.table.name}.{described.name}: a backup has no form for {sql_type!r}")


def sql_table(name: str, columns: Mapping[str, Kind]) -> TableClause:
    """Return a table as SQL speaks of it, with exactly these columns: those of the backup, not of this release."""
    return table(name, *(column(each, _FORMS[kind].sql_type) for each, kind in columns.items()))


class BackupWriter:
    """Writes a backup into an empty file that can be read and written. Of any table only a batch is in memory."""

    def __init__(self, file: BinaryIO, made_at: datetime) -> None:
        self._file = file
        self._stamp = made_at.astimezone(UTC).timetuple()[:6]
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        # Where something has failed already, the file goes anyway; a zip that was not closed would try it much later.
        with suppress(OSError, ValueError):
            self._archive.close()

    def add_table(
        self, name: str, columns: Mapping[str, Kind], batches: Iterable[Sequence[Sequence[Any]]], progress: Progress
    ) -> TableFacts:
        """Write the rows of a table, which come in batches with their values in the order of `columns`."""
        member = f"tables/{name}.jsonl"
        writes = [_FORMS[kind].write for kind in columns.values()]
        digest, rows = hashlib.sha256(), 0
        with self._archive.open(self._info(member), "w", force_zip64=True) as lines:
            for batch in batches:
                data = "".join(_line(row, writes) for row in batch).encode()
                lines.write(data)
                digest.update(data)
                rows += len(batch)
                progress(name, rows)
        return TableFacts(name=name, member=member, columns=dict(columns), rows=rows, sha256=digest.hexdigest())

    def finish(self, manifest: Manifest) -> str:
        """Write the manifest and the digest of it all, and return the SHA-256 of the whole file."""
        self._archive.writestr(self._info(MANIFEST), manifest.model_dump_json(indent=2).encode() + b"\n")
        self._archive.comment = LABEL + b"0" * DIGEST_LENGTH
        self._archive.close()
        end = self._file.seek(0, io.SEEK_END) - DIGEST_LENGTH
        digest = _digest_until(self._file, end)
        self._file.seek(end)
        stated = digest.hexdigest().encode("ascii")
        self._file.write(stated)
        digest.update(stated)
        return digest.hexdigest()

    def _info(self, member: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(member, self._stamp)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        return info


def _line(row: Sequence[Any], writes: Sequence[Callable[[Any], object] | None]) -> str:
    values = [
        value if value is None or write is None else write(value) for value, write in zip(row, writes, strict=True)
    ]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n"


def _digest_until(file: BinaryIO, end: int) -> hashlib._Hash:
    digest, left = hashlib.sha256(), end
    file.seek(0)
    while left and (chunk := file.read(min(CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    return digest


class BackupFile:
    """A backup that is open for reading, and whole to its last byte. `sha256` is that of the whole file."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, manifest: Manifest, sha256: str) -> None:
        self.path = path
        self.manifest = manifest
        self.sha256 = sha256
        self._archive = archive

    def damaged(self, why: str) -> BackupDamaged:
        """Return the error that says what is wrong with this file."""
        return BackupDamaged(file=str(self.path), why=why)

    def read_table(self, facts: TableFacts) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table. Raises `BackupDamaged`, at its end too if rows or digest are not those stated."""
        reads = [(name, _FORMS[kind].read) for name, kind in facts.columns.items()]
        digest, rows = hashlib.sha256(), 0
        try:
            with io.BufferedReader(self._archive.open(facts.member), CHUNK) as lines:  # type: ignore[type-var]  # a member of a zip reads like any file
                for line in lines:
                    digest.update(line)
                    rows += 1
                    yield {
                        name: None if value is None else read(value)
                        for (name, read), value in zip(reads, json.loads(line), strict=True)
                    }
        except (*BROKEN, TypeError, binascii.Error) as error:
            raise self.damaged(f"table {facts.name}, row {max(rows, 1):,}: {error}") from error
        if rows != facts.rows or digest.hexdigest() != facts.sha256:
            raise self.damaged(f"table {facts.name}: {rows:,} rows, and not the {facts.rows:,} that were written")

    def verify(self, progress: Progress) -> None:
        """Read everything once, and raise `BackupDamaged` where any of it is not as stated."""
        for facts in self.manifest.tables:
            rows = 0
            for rows, _ in enumerate(self.read_table(facts), 1):
                if rows % 1_000 == 0:
                    progress(facts.name, rows)
            progress(facts.name, rows)


@contextmanager
def open_backup(path: Path) -> Iterator[BackupFile]:
    """Open a backup and see that every byte of it is what was written; its rows are still to be verified.

    Raises `BackupUnreadable`, `NotABackup`, `BackupDamaged` or `BackupFormatUnknown`.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise BackupUnreadable(file=str(path), why=error.strerror) from error
    with file:
        sha256 = _check_bytes(path, file)
        try:
            archive = zipfile.ZipFile(file)
            stated = json.loads(archive.read(MANIFEST))
        except BROKEN as error:
            raise NotABackup(file=str(path)) from error
        with archive:
            yield BackupFile(path, archive, _read_manifest(path, stated), sha256)


def _check_bytes(path: Path, file: BinaryIO) -> str:
    try:
        end = file.seek(0, io.SEEK_END) - DIGEST_LENGTH
        begins = b"" if end < len(LABEL) else _read_at(file, 0, len(ZIP_BEGINS))
        if begins != ZIP_BEGINS:
            raise NotABackup(file=str(path))
        label, stated = _read_at(file, end - len(LABEL), len(LABEL)), _read_at(file, end, DIGEST_LENGTH)
        digest = _digest_until(file, end)
    except OSError as error:
        raise BackupUnreadable(file=str(path), why=error.strerror) from error
    if label != LABEL or not re.fullmatch(rb"[0-9a-f]{64}", stated):
        raise BackupDamaged(file=str(path), why="its end is missing")
    if digest.hexdigest().encode("ascii") != stated:
        raise BackupDamaged(file=str(path), why="its bytes are not those that were written")
    digest.update(stated)
    return digest.hexdigest()


def _read_at(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _read_manifest(path: Path, stated: Any) -> Manifest:
    if not isinstance(stated, dict) or stated.get("format") != FORMAT:
        raise NotABackup(file=str(path))
    if stated.get("version") != VERSION:
        raise BackupFormatUnknown(file=str(path), version=str(stated.get("version")), known=str(VERSION))
    try:
        return Manifest.model_validate(stated)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise BackupDamaged(file=str(path), why=f"{MANIFEST}: {where}") from error
