"""The mail server of the measurements: it takes what it is given, says truly how much that was, and ends by itself."""

from __future__ import annotations

import hashlib
import signal
import smtplib
import subprocess
import sys
import textwrap
import time

import pytest

from benchmarks.sink import FEATURES, Sink, Taken
from registry.channels.base import Accepted
from tests.channels.conftest import ChannelMaker, EnvelopeMaker


@pytest.mark.parametrize("features", [FEATURES, ("8BITMIME",)], ids=["together", "in-turn"])
def test_it_counts_and_records_every_letter_and_forgets_when_told(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...]
) -> None:
    message = b"Subject: x\r\nMessage-Id: <1@antopsis.example>\r\n\r\n.dotted\r\n..twice\r\nMessage-ID: <no@x>\r\n"
    with Sink(record=True, features=features) as sink:
        channel = open_channel(sink.url)
        answers = [channel.send(make_envelope(recipient=f"{name}@a.example", message=message)) for name in "ab"]
        large = b"Subject: x\r\n\r\n" + b".0123456789\r\n" * 200_000
        answers.append(channel.send(make_envelope(message=large)))
        assert all(isinstance(answer, Accepted) for answer in answers)
        assert (sink.count(), sink.connections()) == (3, 1)
        assert sink.taken() == [
            Taken("<1@antopsis.example>", "a@a.example", hashlib.sha256(message).hexdigest()),
            Taken("<1@antopsis.example>", "b@a.example", hashlib.sha256(message).hexdigest()),
            Taken("", "privacy@customer.example", hashlib.sha256(large).hexdigest()),
        ]
        sink.forget()
        assert (sink.count(), sink.taken()) == (0, [])


def test_it_speaks_to_the_standard_library_and_to_nobody_out_of_turn() -> None:
    with Sink() as sink, smtplib.SMTP(sink.host, sink.port, local_hostname="localhost", timeout=10) as client:
        client.ehlo()
        assert client.has_extn("pipelining")
        assert client.docmd("DATA")[0] == 503
        assert client.docmd("RCPT TO:<a@b.example>")[0] == 503
        assert client.sendmail("", ["a@b.example"], b"") == {}
        assert client.sendmail("", ["a@b.example"], b"Subject: x\r\n\r\nhello\r\n") == {}
        assert sink.count() == 2


def test_it_can_take_its_time_over_each_letter(make_envelope: EnvelopeMaker, open_channel: ChannelMaker) -> None:
    with Sink(delay=0.05) as sink:
        channel = open_channel(sink.url)
        began = time.monotonic()
        assert all(isinstance(channel.send(make_envelope()), Accepted) for _ in range(3))
        assert time.monotonic() - began >= 0.15


@pytest.mark.timeout(60)
def test_it_ends_when_its_parent_is_killed() -> None:
    program = textwrap.dedent(
        """
        import time
        from benchmarks.sink import Sink
        with Sink() as sink:
            print(sink._process.pid, flush=True)
            time.sleep(60)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        sink = int(parent.stdout.readline())
        assert is_running(sink)
        parent.send_signal(signal.SIGKILL)
    ends_at = time.monotonic() + 20
    while is_running(sink) and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert not is_running(sink)


@pytest.mark.timeout(60)
def test_it_ends_when_its_time_is_over() -> None:
    with Sink(longest_life=0.3) as sink:
        assert sink.count() == 0
        ends_at = time.monotonic() + 20
        while has_answer(sink) and time.monotonic() < ends_at:
            time.sleep(0.05)
        with pytest.raises(RuntimeError, match="has ended"):
            sink.count()


def has_answer(sink: Sink) -> bool:
    """Whether the sink still answers."""
    try:
        sink.count()
    except RuntimeError:
        return False
    return True


def is_running(process_id: int) -> bool:
    """Whether there is such a process, and it has not ended already without anybody having asked how."""
    try:
        with open(f"/proc/{process_id}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
