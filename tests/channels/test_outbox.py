"""The outbox: letters as files, whole or not at all, never one in place of another."""

from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.channels.base import Accepted, Channel, TemporaryFailure
from registry.channels.outbox import NOT_SENT, OutboxChannel, file_name_of
from tests.channels.conftest import EnvelopeMaker

NOON = datetime(2026, 9, 30, 12, 0, 0, 250_000, tzinfo=UTC)


def test_a_letter_is_written_byte_for_byte_and_labelled_not_sent(tmp_path: Path, make_envelope: EnvelopeMaker) -> None:
    outbox: Channel = OutboxChannel(tmp_path / "outbox", lambda: NOON)
    message = b"Subject: bytes\r\n\r\n.leading dot\nbare line feed, no end\x00\xff"

    answer = outbox.send(make_envelope(message=message))

    name = "20260930T120000.250000Z-2026-003.1@antopsis.example.eml"
    assert answer == Accepted(None, NOT_SENT, provider_ref=name)
    assert answer.answer == "written to the outbox, not sent"
    assert (tmp_path / "outbox" / name).read_bytes() == message
    assert not outbox.is_real
    outbox.close()


def test_what_is_meant_for_the_web_is_json_beside_the_letters(tmp_path: Path, make_envelope: EnvelopeMaker) -> None:
    for kind in ("webhook", "slack", "teams"):
        outbox: Channel = OutboxChannel(tmp_path, lambda: NOON, kind)
        assert (outbox.name, outbox.kind, outbox.is_real) == ("outbox", kind, False)
        answer = outbox.send(make_envelope(message=b'{"type": "notice.announced"}', message_id=f"<{kind}@a.example>"))
        assert answer == Accepted(None, NOT_SENT, provider_ref=f"20260930T120000.250000Z-{kind}@a.example.json")
    twice = OutboxChannel(tmp_path, lambda: NOON, "webhook")
    assert isinstance(answer := twice.send(make_envelope(message_id="<webhook@a.example>")), Accepted)
    assert answer.provider_ref == "20260930T120000.250000Z-webhook@a.example.copy2.json"
    assert {path.suffix for path in tmp_path.iterdir()} == {".json"}


def test_only_the_owner_may_read_a_letter(tmp_path: Path, make_envelope: EnvelopeMaker) -> None:
    folder = tmp_path / "outbox"
    OutboxChannel(folder, lambda: NOON).send(make_envelope())
    [letter] = folder.iterdir()
    assert stat.S_IMODE(letter.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_stamp_is_utc_whatever_zone_the_clock_is_in(tmp_path: Path, make_envelope: EnvelopeMaker) -> None:
    hanoi = NOON.astimezone(timezone(timedelta(hours=7)))
    OutboxChannel(tmp_path, lambda: hanoi).send(make_envelope())
    assert [letter.name[:16] for letter in tmp_path.iterdir()] == ["20260930T120000."]


def test_a_clock_without_a_zone_is_a_programming_error(tmp_path: Path, make_envelope: EnvelopeMaker) -> None:
    outbox = OutboxChannel(tmp_path, lambda: NOON.replace(tzinfo=None))
    with pytest.raises(ValueError, match="aware"):
        outbox.send(make_envelope())
    assert list(tmp_path.iterdir()) == []


def test_a_repeated_message_id_overwrites_nothing_and_is_recognisable(
    tmp_path: Path, make_envelope: EnvelopeMaker
) -> None:
    outbox = OutboxChannel(tmp_path, lambda: NOON)
    outbox.send(make_envelope(message=b"first"))
    outbox.send(make_envelope(message=b"second"))
    later = OutboxChannel(tmp_path, lambda: NOON + timedelta(minutes=1))
    later.send(make_envelope(message=b"third"))

    copies = {letter.name: letter.read_bytes() for letter in tmp_path.glob("*-2026-003.1@antopsis.example*.eml")}
    assert copies == {
        "20260930T120000.250000Z-2026-003.1@antopsis.example.eml": b"first",
        "20260930T120000.250000Z-2026-003.1@antopsis.example.copy2.eml": b"second",
        "20260930T120100.250000Z-2026-003.1@antopsis.example.eml": b"third",
    }


def test_what_a_crash_left_half_written_is_neither_shown_nor_overwritten(
    tmp_path: Path, make_envelope: EnvelopeMaker
) -> None:
    left = tmp_path / ".20260930T120000.250000Z-2026-003.1@antopsis.example.eml.part"
    left.write_bytes(b"hal")
    answer = OutboxChannel(tmp_path, lambda: NOON).send(make_envelope(message=b"whole"))
    assert isinstance(answer, Accepted)
    assert [letter.read_bytes() for letter in tmp_path.glob("*.eml")] == [b"whole"]
    assert left.read_bytes() == b"hal"


def test_a_folder_that_cannot_be_written_to_is_a_temporary_failure_naming_it(
    tmp_path: Path, make_envelope: EnvelopeMaker
) -> None:
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "outbox"
    answer = OutboxChannel(folder, lambda: NOON).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert answer.answer == f"could not write to the outbox folder {folder}: Not a directory"


def test_a_full_disk_is_a_temporary_failure_and_leaves_no_half_letter(
    tmp_path: Path, make_envelope: EnvelopeMaker
) -> None:
    outbox = OutboxChannel(tmp_path, lambda: NOON)
    with _no_file_longer_than(1_000):
        answer = outbox.send(make_envelope(message=b"x" * 100_000))
    assert isinstance(answer, TemporaryFailure)
    assert str(tmp_path) in answer.answer
    assert list(tmp_path.iterdir()) == []
    assert isinstance(outbox.send(make_envelope()), Accepted)


@given(st.text(max_size=400))
def test_any_message_id_makes_a_safe_file_name(message_id: str) -> None:
    name = file_name_of(message_id)
    assert name.isascii()
    assert 0 < len(name) <= 140
    assert not set(name) & set('/\\\0:*?"<>| \r\n')


@pytest.mark.parametrize(
    ("one", "other"),
    [("<a/b@x>", "<a:b@x>"), ("<" + "a" * 130 + "@x>", "<" + "a" * 131 + "@x>"), ("", "<>")],
)
def test_two_message_ids_never_share_a_name(one: str, other: str) -> None:
    assert file_name_of(one) != file_name_of(other)


@contextmanager
def _no_file_longer_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
