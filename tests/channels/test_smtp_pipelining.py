"""MAIL FROM, RCPT TO and DATA in one write (RFC 2920), and what is made of the answers to them."""

from __future__ import annotations

import socket
import threading
from contextlib import closing

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from registry.channels.base import Accepted, Ambiguous, Answer, PermanentFailure, TemporaryFailure
from registry.channels.smtp import SmtpChannel, SmtpTimeouts, parse_mail_url
from tests.channels.conftest import ChannelMaker, EnvelopeMaker
from tests.channels.scripted_server import CUT, HANG, IN_TURN, RESET, TOGETHER, Behaviour, Drip, ScriptedServer

PATIENT = SmtpTimeouts(connect=5, command=5, data_block=5, after_dot=5, before_dot=10)
NOT_GIVEN = b".\r\n"


def test_the_commands_go_in_one_write_and_the_letter_with_its_end_in_another(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    envelope = make_envelope()
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            for reply in (
                b"220 ready\r\n",
                b"250-here\r\n250 PIPELINING\r\n",
                b"250 a\r\n250 b\r\n354 c\r\n",
                b"250 d\r\n",
                b"221 bye\r\n",
            ):
                connection.sendall(reply)
                heard.append(connection.recv(100_000))

    with listener:
        server = threading.Thread(target=serve)
        server.start()
        channel = open_channel(f"smtp://127.0.0.1:{listener.getsockname()[1]}", timeouts=PATIENT)
        answer = channel.send(envelope)
        channel.close()
        server.join(timeout=10)
    assert answer == Accepted(250, "d")
    assert heard[1:3] == [
        b"MAIL FROM:<notices@antopsis.example>\r\nRCPT TO:<privacy@customer.example>\r\nDATA\r\n",
        envelope.message + b".\r\n",
    ]


def test_a_server_that_does_not_offer_it_is_asked_one_command_at_a_time(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer({"mail": ["550 5.7.1 Not you"]}) as server:
        channel = open_channel(server.url)
        channel.send(make_envelope())
        channel.close()
    assert [command.partition(" ")[0] for command in server.commands] == ["ehlo", "MAIL", "QUIT"]


def test_an_offer_that_is_not_to_be_trusted_is_not_taken(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer({"mail": ["550 5.7.1 Not you"]}, features=TOGETHER) as server:
        channel = open_channel(f"{server.url}?pipelining=off")
        channel.send(make_envelope())
        assert isinstance(channel.send(make_envelope()), Accepted)
    assert [command.partition(" ")[0] for command in server.commands[:3]] == ["ehlo", "MAIL", "rset"]


@pytest.mark.parametrize("reply", ["550 5.1.1 No such user", "450 4.2.0 Mailbox busy"])
@pytest.mark.parametrize(
    ("to_the_dot", "connections"),
    [
        ("554 5.5.1 No valid recipients", 1),
        ("250 2.0.0 An empty letter for nobody", 1),
        ("421 4.3.2 Closing", 1),
        (Drip(b"554 No valid recipients\r\n", 0.005), 1),
        (CUT, 2),
        (RESET, 2),
        (HANG, 2),
        (b"what was that?\r\n", 2),
    ],
)
def test_a_letter_that_may_begin_though_its_recipient_was_refused_is_ended_by_a_lone_dot(
    make_envelope: EnvelopeMaker,
    open_channel: ChannelMaker,
    short: SmtpTimeouts,
    reply: str,
    to_the_dot: Behaviour,
    connections: int,
) -> None:
    script: dict[str, list[Behaviour]] = {"rcpt": [reply], "data": ["354 go ahead"], "dot": [to_the_dot]}
    with ScriptedServer(script, features=TOGETHER) as server:
        channel = open_channel(server.url, timeouts=short)
        answer = channel.send(make_envelope())
        following = channel.send(make_envelope())
    kind = PermanentFailure if reply.startswith("5") else TemporaryFailure
    assert answer == kind(int(reply[:3]), f"at RCPT TO: {reply[4:]}")
    assert isinstance(following, Accepted)
    assert server.letters == [NOT_GIVEN, make_envelope().message + b".\r\n"]
    assert server.connections == connections


@pytest.mark.parametrize("refused_at", ["mail", "rcpt"])
@pytest.mark.parametrize(
    "then", [CUT, HANG, b"nonsense\r\n", "421 4.3.2 Closing", "250 ok", Drip(b"503 Not now\r\n", 0.2)]
)
def test_what_a_server_does_after_it_refused_changes_nothing_of_the_refusal(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, short: SmtpTimeouts, refused_at: str, then: Behaviour
) -> None:
    with ScriptedServer({refused_at: ["552 5.2.3 Too long"], "data": [then]}, features=TOGETHER) as server:
        channel = open_channel(server.url, timeouts=short)
        answer = channel.send(make_envelope())
        following = channel.send(make_envelope())
    assert isinstance(answer, PermanentFailure)
    assert (answer.code, answer.answer.partition(": ")[2]) == (552, "5.2.3 Too long")
    assert isinstance(following, Accepted)
    assert server.connections == 2
    assert len(server.letters) == 1


def test_a_refused_sender_is_the_answer_though_recipient_and_letter_are_welcome(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    script: dict[str, list[Behaviour]] = {"mail": ["550 5.7.1 Not you"], "rcpt": ["250 ok"], "data": ["354 go ahead"]}
    with ScriptedServer(script, features=TOGETHER) as server:
        channel = open_channel(server.url)
        assert channel.send(make_envelope()) == TemporaryFailure(550, "at MAIL FROM: 5.7.1 Not you")
        assert isinstance(channel.send(make_envelope()), Accepted)
    assert server.letters[0] == NOT_GIVEN
    assert server.connections == 1


@pytest.mark.parametrize("features", [IN_TURN, TOGETHER], ids=["in-turn", "together"])
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "dot"])
def test_a_slow_server_that_answers_in_time_gets_its_letter(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...], stage: str
) -> None:
    slowly = Drip(b"354 go\r\n" if stage == "data" else b"250-2.0.0\r\n250 ok\r\n", 0.01)
    with ScriptedServer({stage: [slowly]}, features=features) as server:
        answer = open_channel(server.url, timeouts=PATIENT).send(make_envelope())
    assert isinstance(answer, Accepted)
    assert server.letters == [make_envelope().message + b".\r\n"]


@pytest.mark.parametrize("features", [IN_TURN, TOGETHER], ids=["in-turn", "together"])
def test_words_behind_the_354_are_never_the_answer_to_the_letter(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...]
) -> None:
    with ScriptedServer({"data": [b"354 go\r\n250 2.0.0 taken\r\n"]}, features=features) as server:
        answer = open_channel(server.url).send(make_envelope())
    assert answer == TemporaryFailure(250, "at the letter, out of turn: 2.0.0 taken")
    assert server.letters == []


REPLIES = ["250 ok", "354 go", "421 closing", "450 later", "530 sign in", "550 no", "552 too big", CUT, b"nonsense\r\n"]
STAGES = ("mail", "rcpt", "data", "dot")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    features=st.sampled_from([IN_TURN, TOGETHER]),
    script=st.fixed_dictionaries({}, optional={stage: st.sampled_from(REPLIES) for stage in STAGES}),
)
@example(features=TOGETHER, script={"rcpt": "550 no", "data": "354 go"})
@example(features=TOGETHER, script={"mail": "421 closing", "data": "354 go", "dot": "250 ok"})
def test_whatever_a_server_answers_the_record_says_what_became_of_the_letter(
    make_envelope: EnvelopeMaker, features: tuple[str, ...], script: dict[str, Behaviour]
) -> None:
    envelope = make_envelope()
    with (
        ScriptedServer({stage: [reply] for stage, reply in script.items()}, features=features) as server,
        closing(SmtpChannel(parse_mail_url(f"{server.url}?starttls=off"), timeouts=PATIENT)) as channel,
    ):
        answer: Answer = channel.send(envelope)
    has_all = server.letters == [envelope.message + b".\r\n"]
    assert has_all or server.letters in ([], [NOT_GIVEN])
    if isinstance(answer, Accepted):
        assert has_all
    elif isinstance(answer, Ambiguous):
        assert has_all
        assert script["dot"] in (CUT, b"nonsense\r\n", "354 go")
    else:
        # Certainly not taken: it was not given, or refused as a whole.
        assert not has_all or str(script["dot"])[0] in "45"
