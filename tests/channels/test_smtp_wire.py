"""Reading replies: whatever a server writes is either an SMTP reply or a named trouble."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.channels.smtp_wire import ConnectionCut, GarbledReply, SpokeOutOfTurn, TooSlow, Wire, WireError

REPLIES = st.lists(st.sampled_from([b"250", b"-", b" ", b"ok", b"\r\n", b"\n", b"\r", b"\xff", b"550", b"999"])).map(
    b"".join
)


def wire_that_hears(heard: bytes) -> Wire:
    near, far = socket.socketpair()
    with far:
        far.sendall(heard)
    wire = Wire(time.monotonic() + 5)
    wire.speak_over(near)
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


def test_no_command_among_several_may_hold_a_line_break() -> None:
    with closing(wire_that_hears(b"")) as wire, pytest.raises(ValueError, match="line break"):
        wire.send_together(("MAIL FROM:<>", "RCPT TO:<a@b.example>\r\nRCPT TO:<c@d.example>", "DATA"))


def test_a_wait_longer_than_one_step_of_the_socket_goes_on_and_has_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.channels.smtp_wire._STEP", 0.02)
    near, far = socket.socketpair()
    wire = Wire(time.monotonic() + 5)
    wire.speak_over(near)
    with far, closing(wire):
        late = threading.Timer(0.2, far.sendall, [b"250 ok\r\n"])
        late.start()
        assert wire.getreply() == (250, b"ok")
        late.join()
        wire.within(0.1)
        began = time.monotonic()
        with pytest.raises(TooSlow):
            wire.getreply()
        assert 0.1 <= time.monotonic() - began < 2


LONG = b"0123456789abcdef\r\n" * 50_000 + b".\r\n"


def wire_with_little_room() -> tuple[Wire, socket.socket]:
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    wire = Wire(time.monotonic() + 10)
    wire.speak_over(near)
    return wire, far


def read_all(far: socket.socket, heard: list[bytes]) -> None:
    while piece := far.recv(10_000):
        heard.append(piece)


def test_a_long_letter_goes_out_in_whatever_portions_the_other_side_takes() -> None:
    wire, far = wire_with_little_room()
    heard: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(far, heard))
    with far:
        reader.start()
        with closing(wire):
            wire.write_in_pieces(LONG, 5)
        reader.join(timeout=10)
    assert b"".join(heard) == LONG


def test_where_writing_fails_the_end_of_the_letter_has_not_left() -> None:
    wire, far = wire_with_little_room()
    with far:
        with closing(wire), pytest.raises(TooSlow, match="stopped taking bytes"):
            wire.write_in_pieces(LONG, 0.1)
        heard: list[bytes] = []
        read_all(far, heard)
    arrived = b"".join(heard)
    assert LONG.startswith(arrived)
    assert len(arrived) < len(LONG)
