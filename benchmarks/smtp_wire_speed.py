"""What one letter costs on one connection: the SMTP channel beside bare smtplib, to the same sink, in the same run.

    python -m benchmarks.smtp_wire_speed [letters] [rounds]

Nothing is recorded and no database is open: this is the floor under every other figure of sending. The bytes are ready
beforehand for everybody, and the rounds are interleaved, for a machine has its moods. A bare socket that checks nothing
and says the same on the wire shows what is left to gain.
"""

from __future__ import annotations

import argparse
import platform
import smtplib
import socket
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from benchmarks.sink import FEATURES, Sink
from registry.channels.base import Accepted, Envelope
from registry.channels.smtp import SmtpChannel, parse_mail_url

LETTERS = 3_000
ROUNDS = 9
SIZES = (4 * 1024, 25 * 1024)
LEAST_RATIO = 1.4

_LINE = b"Hetzner will process account data of customers in Helsinki from Saturday on.\r\n"


def envelopes(count: int, size: int) -> list[Envelope]:
    """So many letters of about this size, each to another recipient and with a return path of its own."""
    made = []
    for number in range(count):
        message_id = f"<2026-003.{number}@antopsis.example>"
        header = (
            f"From: Antopsis <notices@antopsis.example>\r\nTo: reader{number}@reader.example\r\n"
            f"Message-ID: {message_id}\r\nSubject: Notice 2026-003\r\nMIME-Version: 1.0\r\n\r\n"
        ).encode()
        message = header + _LINE * ((size - len(header)) // len(_LINE))
        path = f"bounces+{number:032x}@antopsis.example"
        made.append(Envelope(f"reader{number}@reader.example", path, message, message_id))
    return made


def by_smtplib(sink: Sink, letters: Sequence[Envelope]) -> float:
    """Seconds that the standard library takes, with `sendmail` on one connection."""
    with closing(smtplib.SMTP(sink.host, sink.port, local_hostname="localhost")) as client:
        client.ehlo()
        began = time.perf_counter()
        for letter in letters:
            client.sendmail(letter.return_path, [letter.recipient], letter.message)
        seconds = time.perf_counter() - began
        client.quit()
    return seconds


def by_channel(sink: Sink, letters: Sequence[Envelope]) -> float:
    """Seconds that the channel takes, on one connection that stands."""
    with closing(SmtpChannel(parse_mail_url(f"{sink.url}&letters=100000"))) as channel:
        channel.send(letters[0])
        began = time.perf_counter()
        answers = [channel.send(letter) for letter in letters]
        seconds = time.perf_counter() - began
    assert all(isinstance(answer, Accepted) for answer in answers)
    return seconds


def by_bare_socket(sink: Sink, letters: Sequence[Envelope]) -> float:
    """Seconds that a socket takes which writes the commands together and looks at no reply."""
    with socket.create_connection((sink.host, sink.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.recv(4096)
        connection.sendall(b"EHLO localhost\r\n")
        connection.recv(4096)
        began = time.perf_counter()
        for letter in letters:
            commands = f"MAIL FROM:<{letter.return_path}>\r\nRCPT TO:<{letter.recipient}>\r\nDATA\r\n"
            connection.sendall(commands.encode())
            connection.recv(4096)
            connection.sendall(letter.message + b".\r\n")
            connection.recv(4096)
        seconds = time.perf_counter() - began
        connection.sendall(b"QUIT\r\n")
        connection.recv(4096)
    return seconds


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, and return 1 where the channel is slower than it must be."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.smtp_wire_speed",
        description="Compare what one letter costs on one connection: the SMTP channel, bare smtplib, a bare socket.",
        epilog="Example: python -m benchmarks.smtp_wire_speed 1000 5",
    )
    parser.add_argument("letters", type=int, nargs="?", default=LETTERS, help="letters a round, %(default)s by default")
    parser.add_argument("rounds", type=int, nargs="?", default=ROUNDS, help="%(default)s by default")
    given = parser.parse_args(arguments)
    count, rounds = given.letters, given.rounds
    if count < 1 or rounds < 1:
        parser.error("there is at least one letter, and one round")
    in_turn = tuple(feature for feature in FEATURES if feature != "PIPELINING")
    is_quick = True
    print(f"Python {platform.python_version()}, {count} letters a round, {rounds} rounds; µs a letter, median (range)")
    with Sink() as together_sink, Sink(features=in_turn) as in_turn_sink:
        ways: dict[str, tuple[Callable[[Sink, Sequence[Envelope]], float], Sink]] = {
            "smtplib": (by_smtplib, together_sink),
            "channel": (by_channel, together_sink),
            "channel, one command at a time": (by_channel, in_turn_sink),
            "bare socket, nothing checked": (by_bare_socket, together_sink),
        }
        for size in SIZES:
            letters = envelopes(count, size)
            micros: dict[str, list[float]] = {way: [] for way in ways}
            for measure, sink in ways.values():
                measure(sink, letters[:200])
            for _ in range(rounds):
                for way, (measure, sink) in ways.items():
                    micros[way].append(measure(sink, letters) / count * 1e6)
            peer = statistics.median(micros["smtplib"])
            for way, each in micros.items():
                median = statistics.median(each)
                print(
                    f"{size // 1024:>3} KB  {way:<31} {median:6.1f} ({min(each):.1f}-{max(each):.1f})"
                    f"  {1e6 / median:8,.0f}/s  {peer / median:.2f} x smtplib"
                )
            is_quick = is_quick and peer / statistics.median(micros["channel"]) >= LEAST_RATIO
    print(f"the channel is {'at least' if is_quick else 'NOT'} {LEAST_RATIO} times as quick as smtplib")
    return 0 if is_quick else 1


if __name__ == "__main__":
    sys.exit(main())
