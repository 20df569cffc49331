"""Reading replies: whatever a server writes is either an SMTP reply or a named trouble."""

from __future__ import annotations

import socket
import time
from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.channels.smtp_wire import ConnectionCut, GarbledReply, SpokeOutOfTurn, Wire, WireError

REPLIES = st.lists(st.sampled_from([b"250", b"-", b" ", b"ok", b"\r\n", b"\n", b"\r", b"\xff", b"550", b"999"])).map(
    b"".join
)


def wire_that_hears(heard: bytes) -> Wire:
    near, far = socket.socketpair()
    with far:
        far.sendall(heard)
    wire = Wire(time.monotonic() + 5)
    wire.sock = near
    return wire


@given(st.binary(max_size=60) | REPLIES)
@example(b"250\r\n")
@example(b"250-one\r\n250-\r\n250 three\r\n")
@example(b"2\xb250 ok\r\n")
def test_any_bytes_are_a_reply_or_a_named_trouble(heard: bytes) -> None:
    with closing(wire_that_hears(heard)) as wire:
        try:
            code, text = wire.getreply()
        except (ConnectionCut, GarbledReply):
            return
    assert 200 <= code <= 599
    assert heard.startswith(str(code).encode())
    assert all(line.strip() in heard for line in text.split(b"\n"))


@pytest.mark.parametrize(
    ("heard", "reply"),
    [
        (b"250 ok\r\n", (250, b"ok")),
        (b"250\r\n", (250, b"")),
        (b"550 \n", (550, b"")),
        (b"250-one\r\n250-\r\n250 three\r\nrest", (250, b"one\n\nthree")),
    ],
)
def test_a_reply_is_its_code_and_its_lines(heard: bytes, reply: tuple[int, bytes]) -> None:
    with closing(wire_that_hears(heard)) as wire:
        assert wire.getreply() == reply


def test_words_left_over_from_one_reply_are_not_the_answer_to_the_next_command() -> None:
    with closing(wire_that_hears(b"250 ok\r\n250 and again\r\n")) as wire:
        wire.getreply()
        with pytest.raises(SpokeOutOfTurn):
            wire.docmd("NOOP")


def test_a_command_on_a_closed_connection_is_a_named_trouble() -> None:
    with pytest.raises(WireError, match="closed"):
        Wire(time.monotonic() + 5).docmd("NOOP")


def test_a_command_with_a_line_break_is_a_programming_error() -> None:
    with closing(wire_that_hears(b"")) as wire, pytest.raises(ValueError, match="prohibited newline"):
        wire.docmd("RCPT TO:<a@b.example>\r\nRCPT TO:<c@d.example>")
