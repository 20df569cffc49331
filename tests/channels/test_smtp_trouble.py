"""The SMTP channel with a mail server that misbehaves: the answer to each trouble loses nothing and claims nothing.

Up to the final dot every trouble means "certainly not taken"; after it, nobody knows.
"""

from __future__ import annotations

import socket
import time

import pytest

from registry.channels.base import Accepted, Ambiguous, PermanentFailure, TemporaryFailure
from registry.channels.smtp import SmtpTimeouts
from tests.channels.conftest import ChannelMaker, EnvelopeMaker
from tests.channels.scripted_server import CUT, HANG, RESET, Behaviour, Drip, ScriptedServer

BEFORE_THE_LETTER = ["connect", "ehlo", "mail", "rcpt", "data"]
LONG_LETTER = b"Subject: long\r\n\r\n" + b"0123456789abcdef\r\n" * 500_000


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
    stage: str,
    reply: str,
    kind: type[TemporaryFailure | PermanentFailure],
) -> None:
    with ScriptedServer({stage: [reply]}) as server:
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


@pytest.mark.parametrize("reply", ["421 4.7.0 Too many connections", "450 later", "554 5.3.2 No mail here"])
@pytest.mark.parametrize("stage", ["connect", "ehlo"])
def test_a_server_that_refuses_the_installation_says_nothing_about_the_letter(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, stage: str, reply: str
) -> None:
    with ScriptedServer({stage: [reply], "helo": [reply]}) as server:
        answer = open_channel(server.url).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert answer.code == int(reply[:3])
    assert reply[4:] in answer.answer


@pytest.mark.parametrize("behaviour", [CUT, RESET, HANG, b"\xff\x00 who are you?\r\n", b"2500 ok\r\n", b"999 ok\r\n"])
@pytest.mark.parametrize("stage", BEFORE_THE_LETTER)
def test_trouble_before_the_letter_is_temporary(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, short: SmtpTimeouts, stage: str, behaviour: Behaviour
) -> None:
    with ScriptedServer({stage: [behaviour]}) as server:
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
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, short: SmtpTimeouts, behaviour: Behaviour, reason: str
) -> None:
    began = time.monotonic()
    with ScriptedServer({"dot": [behaviour]}) as server:
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
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer({"dot": ["354 more, please"]}) as server:
        channel = open_channel(server.url)
        answer = channel.send(make_envelope())
        assert isinstance(channel.send(make_envelope()), Accepted)
    assert answer == Ambiguous(354, "at the final dot: more, please")
    assert server.connections == 2


@pytest.mark.parametrize("behaviour", [CUT, RESET])
def test_a_connection_cut_in_the_middle_of_the_letter_is_temporary(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, short: SmtpTimeouts, behaviour: Behaviour
) -> None:
    with ScriptedServer({"letter": [behaviour]}) as server:
        answer = open_channel(server.url, timeouts=short).send(make_envelope(message=LONG_LETTER))
    assert isinstance(answer, TemporaryFailure)
    assert "the letter: " in answer.answer
    assert server.letters == []


def test_a_server_that_stops_reading_in_the_middle_of_the_letter_is_temporary(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, short: SmtpTimeouts
) -> None:
    with ScriptedServer({"letter": [HANG]}) as server:
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
    reply: str,
    kind: type[TemporaryFailure | PermanentFailure],
) -> None:
    with ScriptedServer({"letter": [reply]}) as server:
        channel = open_channel(server.url)
        answer = channel.send(make_envelope(message=LONG_LETTER))
        following = channel.send(make_envelope())
    assert type(answer) is kind
    assert answer.code == int(reply[:3])
    assert "out of turn" in answer.answer
    assert isinstance(following, Accepted)
    assert len(server.letters) == 1


def test_an_early_250_is_never_taken_for_the_acceptance_of_a_later_letter(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    script: dict[str, list[Behaviour]] = {
        "rcpt": [b"250 ok\r\n250 ok\r\n250 ok\r\n"],
        "data": ["354 go"],
        "dot": [HANG],
    }
    with ScriptedServer(script) as server:
        answer = open_channel(server.url).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "out of turn" in answer.answer
    assert server.letters == []


@pytest.mark.parametrize("farewell", ["421 4.4.2 Idle too long", CUT, RESET])
def test_a_connection_that_went_stale_between_letters_is_replaced_without_a_word(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, farewell: Behaviour
) -> None:
    with ScriptedServer({"idle": [farewell]}) as server:
        channel = open_channel(server.url)
        answers = [channel.send(make_envelope()) for _ in range(3)]
    assert [answer.code for answer in answers] == [250, 250, 250]
    assert server.connections == 2


@pytest.mark.parametrize("behaviour", ["421 4.7.0 Enough", "500 What?", CUT, HANG, b"nonsense\r\n"])
def test_a_connection_that_fails_its_check_before_reuse_is_replaced(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, short: SmtpTimeouts, behaviour: Behaviour
) -> None:
    with ScriptedServer({"rset": [behaviour]}) as server:
        channel = open_channel(server.url, timeouts=short)
        answers = [channel.send(make_envelope()) for _ in range(2)]
    assert [answer.code for answer in answers] == [250, 250]
    assert server.connections == 2


@pytest.mark.parametrize("behaviour", ["421 4.7.0 Too many letters on one connection", CUT])
def test_a_server_that_ends_the_connection_after_so_many_letters_gets_the_next_on_a_new_one(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, behaviour: Behaviour
) -> None:
    with ScriptedServer({"mail": ["250 ok", behaviour]}) as server:
        channel = open_channel(server.url)
        answers = [channel.send(make_envelope()) for _ in range(2)]
    assert [answer.code for answer in answers] == [250, 250]
    assert server.connections == 2
    assert len(server.letters) == 2


def test_a_letter_is_tried_on_one_new_connection_and_not_for_ever(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer({"mail": ["250 ok", *["421 4.7.0 Enough"] * 5]}) as server:
        channel = open_channel(server.url)
        answers = [channel.send(make_envelope()) for _ in range(2)]
    assert [answer.code for answer in answers] == [250, 421]
    assert server.connections == 2


def test_nobody_listening_is_temporary(make_envelope: EnvelopeMaker, open_channel: ChannelMaker) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        answer = open_channel(f"smtp://127.0.0.1:{port}").send(make_envelope())
    assert answer == TemporaryFailure(None, f"127.0.0.1:{port}, connecting: Connection refused")


def test_a_host_nobody_knows_is_temporary(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    answer = open_channel("smtp://mail.example?starttls=off").send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert (
        answer.answer
        == "mail.example:587, connecting: the host name could not be looked up (Name or service not known)"
    )


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
    assert SmtpTimeouts().longest_send.total_seconds() == 300 + 180 + 600 + 10
    defaults = SmtpTimeouts()
    assert (defaults.connect, defaults.command, defaults.data_block, defaults.after_dot) == (20, 60, 180, 600)


@pytest.mark.parametrize("answer_to_starttls", ["454 4.7.0 Not now", b"220 go\r\n250 words slipped in\r\n", CUT, HANG])
def test_trouble_with_starttls_never_falls_back_to_clear(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, short: SmtpTimeouts, answer_to_starttls: Behaviour
) -> None:
    with ScriptedServer({"starttls": [answer_to_starttls]}, features=["STARTTLS"]) as server:
        answer = open_channel(server.url, timeouts=short).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "STARTTLS" in answer.answer
    assert not any(command.startswith(("AUTH", "MAIL")) for command in server.commands)


def test_a_server_without_ehlo_is_greeted_the_old_way(make_envelope: EnvelopeMaker, open_channel: ChannelMaker) -> None:
    with ScriptedServer({"ehlo": ["502 5.5.1 What is EHLO?"]}) as server:
        answer = open_channel(f"{server.url}?ehlo=registry.antopsis.example").send(make_envelope())
    assert isinstance(answer, Accepted)
    assert server.commands[:3] == [
        "ehlo registry.antopsis.example",
        "helo registry.antopsis.example",
        "MAIL FROM:<notices@antopsis.example>",
    ]


def test_a_machine_without_a_full_name_greets_with_its_address(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")
    with ScriptedServer() as server:
        assert isinstance(open_channel(server.url).send(make_envelope()), Accepted)
    monkeypatch.setattr(socket, "gethostname", lambda: "worker-1.antopsis.example")
    with ScriptedServer() as other:
        assert isinstance(open_channel(other.url).send(make_envelope()), Accepted)
    assert (server.commands[0], other.commands[0]) == ("ehlo [127.0.0.1]", "ehlo worker-1.antopsis.example")


def test_an_old_server_is_signed_in_to_with_login(make_envelope: EnvelopeMaker, open_channel: ChannelMaker) -> None:
    script: dict[str, list[Behaviour]] = {"auth": ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0 Welcome"]}
    with ScriptedServer(script, features=["AUTH LOGIN CRAM-MD5"]) as server:
        url = server.url.replace("//", "//user:w%C3%B6rd@")
        assert isinstance(open_channel(url).send(make_envelope()), Accepted)
    assert server.commands[1:4] == ["AUTH LOGIN", "dXNlcg==", "d8O2cmQ="]


def test_a_sign_in_this_channel_cannot_do_is_temporary_and_says_what_is_offered(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer(features=["AUTH CRAM-MD5 GSSAPI"]) as server:
        answer = open_channel(server.url.replace("//", "//user:word@")).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "it offers: CRAM-MD5 GSSAPI" in answer.answer


def test_an_unusable_address_is_refused_before_anything_is_on_the_wire(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer() as server:
        answer = open_channel(server.url).send(make_envelope(recipient="a@b.example\r\nRCPT TO:<c@d.example>"))
    assert isinstance(answer, PermanentFailure)
    assert (server.connections, server.commands) == (0, [])


def test_a_worker_stopped_in_mid_letter_leaves_no_half_conversation(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with ScriptedServer() as server:
        channel = open_channel(server.url)
        with monkeypatch.context() as patch:
            patch.setattr("registry.channels.smtp_wire.Wire.write_in_pieces", stopped)
            with pytest.raises(KeyboardInterrupt):
                channel.send(make_envelope())
        assert isinstance(channel.send(make_envelope()), Accepted)
    assert server.connections == 2
    assert len(server.letters) == 1


@pytest.mark.parametrize(
    ("said", "reference"),
    [
        ("250 2.0.0 Ok: queued as 4F2A9C0B1D", "4F2A9C0B1D"),
        ("250 OK id=1tAbCd-0003Ef-2G", "1tAbCd-0003Ef-2G"),
        ("250 2.6.0 <message-id=x@y> Queued mail for delivery", None),
        ("250", None),
    ],
)
def test_the_servers_name_for_the_letter_is_kept(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, said: str, reference: str | None
) -> None:
    with ScriptedServer({"dot": [said]}) as server:
        answer = open_channel(server.url).send(make_envelope())
    assert isinstance(answer, Accepted)
    assert (answer.code, answer.provider_ref) == (250, reference)
