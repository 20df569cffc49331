"""The SMTP channel with a mail server that misbehaves: the answer to each trouble loses nothing and claims nothing.

Up to the final dot every trouble means "certainly not taken"; after it, nobody knows.
"""

from __future__ import annotations

import time

import pytest

from registry.channels.base import Accepted, Ambiguous, PermanentFailure, TemporaryFailure
from registry.channels.smtp import SmtpTimeouts
from tests.channels.conftest import ChannelMaker, EnvelopeMaker
from tests.channels.scripted_server import CUT, HANG, IN_TURN, RESET, TOGETHER, Behaviour, Drip, ScriptedServer

BEFORE_THE_LETTER = ["connect", "ehlo", "mail", "rcpt", "data"]
LONG_LETTER = b"Subject: long\r\n\r\n" + b"0123456789abcdef\r\n" * 500_000


@pytest.fixture(params=[IN_TURN, TOGETHER], ids=["in-turn", "together"])
def features(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What the server offers: to take one command at a time, or several (RFC 2920)."""
    offered: tuple[str, ...] = request.param
    return offered


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("421 4.3.2 Shutting down", TemporaryFailure),
        ("450 4.2.0 Mailbox busy", TemporaryFailure),
        ("451 4.7.1 Greylisted", TemporaryFailure),
        ("452 4.3.1 Out of storage", TemporaryFailure),
        ("530 5.7.0 Sign in first", TemporaryFailure),
        ("535 5.7.8 Sign in again", TemporaryFailure),
        ("550 5.1.1 No such user", PermanentFailure),
        ("552 5.3.4 Too big", PermanentFailure),
        ("554 5.7.1 Refused", PermanentFailure),
    ],
)
def test_a_refusal_is_temporary_or_permanent_by_its_code(
    make_envelope: EnvelopeMaker,
    open_channel: ChannelMaker,
    features: tuple[str, ...],
    stage: str,
    reply: str,
    kind: type[TemporaryFailure | PermanentFailure],
) -> None:
    with ScriptedServer({stage: [reply]}, features=features) as server:
        channel = open_channel(server.url)
        answer = channel.send(make_envelope())
        following = channel.send(make_envelope())
    # What a relay says of the sender is the deployment's fault, unless it is about the letter's size.
    is_about_the_sender = stage == "mail" and not reply.startswith("552")
    assert type(answer) is (TemporaryFailure if is_about_the_sender else kind)
    assert answer.code == int(reply[:3])
    assert answer.answer.endswith(reply[4:])
    assert isinstance(following, Accepted)
    # A 421 announces that the server closes the connection; after any other refusal it is used again.
    assert server.connections == (2 if answer.code == 421 else 1)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("552 5.3.4 Message size exceeds fixed limit", PermanentFailure),
        ("552 5.2.3 Too long", PermanentFailure),
        ("552-5.2.3 Your message exceeded\r\n552 5.2.3 our message size limits", PermanentFailure),
        ("552 sorry, that message size exceeds my databytes limit (#5.3.4)", PermanentFailure),
        ("552 Message too large", PermanentFailure),
        ("552 5.0.0 Message too big", PermanentFailure),
        ("552 5.2.2 Over quota: the mailbox of the sender is full", TemporaryFailure),
        ("552 5.2.2 Mailbox size limit exceeded", TemporaryFailure),
        ("552 5.3.1 Mail system full", TemporaryFailure),
        ("552 Requested mail action aborted: exceeded storage allocation", TemporaryFailure),
        ("552 Mailbox size limit reached", TemporaryFailure),
        ("552 5.5.3 Too many recipients", TemporaryFailure),
        ("523 Message too large", TemporaryFailure),
    ],
)
def test_at_the_sender_only_the_size_of_a_letter_is_for_good(
    make_envelope: EnvelopeMaker,
    open_channel: ChannelMaker,
    features: tuple[str, ...],
    reply: str,
    kind: type[TemporaryFailure | PermanentFailure],
) -> None:
    with ScriptedServer({"mail": [reply]}, features=features) as server:
        channel = open_channel(server.url)
        answer, following = channel.send(make_envelope()), channel.send(make_envelope())
    assert (type(answer), answer.code) == (kind, int(reply[:3]))
    assert isinstance(following, Accepted)


@pytest.mark.parametrize("stage", ["rcpt", "data", "dot"])
@pytest.mark.parametrize(
    "reply",
    [
        "503 5.5.1 Bad sequence of commands",
        "554 5.7.1 <dpo@customer.example>: Relay access denied",
        "550 5.7.1 <dpo@customer.example>... Relaying denied",
        "550 relay not permitted",
        "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
        "553 5.7.1 <notices@antopsis.example>: Sender address rejected: not owned by user relay",
        "550 5.1.8 <notices@antopsis.example>: Domain of the sender is not known",
        "550 Sender verify failed",
        "554 5.7.1 <unknown[192.0.2.7]>: Client host rejected: Access denied",
        "550 5.4.5 Daily user sending limit exceeded",
        "554 Message rejected: Email address is not verified",
        "552 5.5.3 Too many recipients",
        "550 5.7.1 Unconfigured Sending Domain <antopsis.example>",
    ],
)
def test_no_letter_fails_for_good_by_what_a_server_has_against_this_installation(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...], stage: str, reply: str
) -> None:
    with ScriptedServer({stage: [reply]}, features=features) as server:
        channel = open_channel(server.url)
        answer, following = channel.send(make_envelope()), channel.send(make_envelope())
    assert type(answer) is TemporaryFailure
    assert (answer.code, answer.answer.endswith(reply[4:])) == (int(reply[:3]), True)
    assert isinstance(following, Accepted)


@pytest.mark.parametrize("behaviour", [CUT, RESET, HANG, b"\xff\x00 who are you?\r\n", b"2500 ok\r\n", b"999 ok\r\n"])
@pytest.mark.parametrize("stage", BEFORE_THE_LETTER)
def test_trouble_before_the_letter_is_temporary(
    make_envelope: EnvelopeMaker,
    open_channel: ChannelMaker,
    features: tuple[str, ...],
    short: SmtpTimeouts,
    stage: str,
    behaviour: Behaviour,
) -> None:
    with ScriptedServer({stage: [behaviour]}, features=features) as server:
        channel = open_channel(server.url, timeouts=short)
        answer = channel.send(make_envelope())
        following = channel.send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert answer.code is None
    assert answer.answer.startswith(f"127.0.0.1:{server.port}, ")
    assert isinstance(following, Accepted)
    assert server.connections == 2
    assert len(server.letters) == 1


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (CUT, "the server hung up"),
        (RESET, "Connection reset by peer"),
        (HANG, "no answer in the time allowed"),
        (b"\xfe\xfenonsense\r\n", "not SMTP"),
        (b"250-and so\r\n550 on\r\n", "not SMTP"),
        (b"x" * 100_000, "has no end"),
        (b"250-endless\r\n" * 10_000, "not SMTP"),
        (b"250-half an answer\r\n", "no answer in the time allowed"),
        (Drip(b"250 ok, when you have the time for it\r\n", pause=0.1), "no answer in the time allowed"),
    ],
)
def test_trouble_after_the_final_dot_is_ambiguous(
    make_envelope: EnvelopeMaker,
    open_channel: ChannelMaker,
    features: tuple[str, ...],
    short: SmtpTimeouts,
    behaviour: Behaviour,
    reason: str,
) -> None:
    began = time.monotonic()
    with ScriptedServer({"dot": [behaviour]}, features=features) as server:
        channel = open_channel(server.url, timeouts=short)
        answer = channel.send(make_envelope())
        took = time.monotonic() - began
        following = channel.send(make_envelope())
    assert isinstance(answer, Ambiguous)
    assert answer.code is None
    assert answer.answer.startswith(f"127.0.0.1:{server.port}, the final dot: ")
    assert reason in answer.answer
    assert took < 1.5
    assert isinstance(following, Accepted)
    assert len(server.letters) == 2


def test_an_answer_after_the_final_dot_that_is_neither_yes_nor_no_is_ambiguous(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...]
) -> None:
    with ScriptedServer({"dot": ["354 more, please"]}, features=features) as server:
        channel = open_channel(server.url)
        answer = channel.send(make_envelope())
        assert isinstance(channel.send(make_envelope()), Accepted)
    assert answer == Ambiguous(354, "at the final dot: more, please")
    assert server.connections == 2


@pytest.mark.parametrize("behaviour", [CUT, RESET])
def test_a_connection_cut_in_the_middle_of_the_letter_is_temporary(
    make_envelope: EnvelopeMaker,
    open_channel: ChannelMaker,
    features: tuple[str, ...],
    short: SmtpTimeouts,
    behaviour: Behaviour,
) -> None:
    with ScriptedServer({"letter": [behaviour]}, features=features) as server:
        answer = open_channel(server.url, timeouts=short).send(make_envelope(message=LONG_LETTER))
    assert isinstance(answer, TemporaryFailure)
    assert "the letter: " in answer.answer
    assert server.letters == []


@pytest.mark.parametrize("behaviour", [CUT, RESET, HANG])
def test_a_short_letter_was_handed_over_whole_so_trouble_while_it_is_read_is_ambiguous(
    make_envelope: EnvelopeMaker,
    open_channel: ChannelMaker,
    features: tuple[str, ...],
    short: SmtpTimeouts,
    behaviour: Behaviour,
) -> None:
    with ScriptedServer({"letter": [behaviour]}, features=features) as server:
        answer = open_channel(server.url, timeouts=short).send(make_envelope())
    assert isinstance(answer, Ambiguous)
    assert "the final dot: " in answer.answer


def test_a_server_that_stops_reading_in_the_middle_of_the_letter_is_temporary(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...], short: SmtpTimeouts
) -> None:
    with ScriptedServer({"letter": [HANG]}, features=features) as server:
        answer = open_channel(server.url, timeouts=short).send(make_envelope(message=LONG_LETTER))
    assert isinstance(answer, TemporaryFailure)
    assert answer.answer.endswith("the letter: the server stopped taking bytes")
    # QUIT, or anything else, would have become part of the letter.
    assert server.commands[-1] == "DATA"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("552 5.3.4 Too big", PermanentFailure),
        ("421 4.3.2 Shutting down", TemporaryFailure),
        ("250 ok", TemporaryFailure),
    ],
)
def test_a_server_that_answers_before_the_final_dot_has_not_taken_the_letter(
    make_envelope: EnvelopeMaker,
    open_channel: ChannelMaker,
    features: tuple[str, ...],
    reply: str,
    kind: type[TemporaryFailure | PermanentFailure],
) -> None:
    with ScriptedServer({"letter": [reply]}, features=features) as server:
        channel = open_channel(server.url)
        answer = channel.send(make_envelope(message=LONG_LETTER))
        following = channel.send(make_envelope())
    assert type(answer) is kind
    assert answer.code == int(reply[:3])
    assert "out of turn" in answer.answer
    assert isinstance(following, Accepted)
    assert len(server.letters) == 1


def test_an_early_250_is_never_taken_for_the_acceptance_of_a_later_letter(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...]
) -> None:
    script: dict[str, list[Behaviour]] = {
        "rcpt": [b"250 ok\r\n250 ok\r\n250 ok\r\n"],
        "data": ["354 go"],
        "dot": [HANG],
    }
    with ScriptedServer(script, features=features) as server:
        answer = open_channel(server.url).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    # One at a time, the words are heard before the next command; together, one of them stands where the 354 should.
    assert answer.answer == ("at DATA: ok" if features is TOGETHER else "at DATA, out of turn: ok")
    assert server.letters == []


def test_a_server_that_drips_cannot_hold_a_worker_beyond_the_whole_allowance(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    allowance = SmtpTimeouts(connect=1, command=0.4, data_block=0.4, after_dot=0.4, before_dot=0.5)
    began = time.monotonic()
    with ScriptedServer({"connect": [Drip(b"220 slow\r\n", 0.03)], "ehlo": [Drip(b"250 slow\r\n", 0.03)]}) as server:
        answer = open_channel(server.url, timeouts=allowance).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "no answer in the time allowed" in answer.answer
    assert time.monotonic() - began < 1.2


def test_the_longest_send_is_known_beforehand() -> None:
    assert SmtpTimeouts().longest_send.total_seconds() == 300 + 600 + 10
    defaults = SmtpTimeouts()
    assert (defaults.connect, defaults.command, defaults.data_block, defaults.after_dot) == (20, 60, 180, 600)


def test_an_unusable_address_is_refused_before_anything_is_on_the_wire(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer() as server:
        answer = open_channel(server.url).send(make_envelope(recipient="a@b.example\r\nRCPT TO:<c@d.example>"))
    assert isinstance(answer, PermanentFailure)
    assert (server.connections, server.commands) == (0, [])
