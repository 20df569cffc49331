"""Reaching a mail server, greeting it and signing in, where that does not go as it should."""

from __future__ import annotations

import socket

import pytest

from registry.channels.base import Accepted, TemporaryFailure
from registry.channels.smtp import SmtpTimeouts
from tests.channels.conftest import ChannelMaker, EnvelopeMaker
from tests.channels.scripted_server import CUT, HANG, Behaviour, ScriptedServer


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


@pytest.mark.parametrize("answer_to_starttls", ["454 4.7.0 Not now", b"220 go\r\n250 words slipped in\r\n", CUT, HANG])
def test_trouble_with_starttls_never_falls_back_to_clear(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, short: SmtpTimeouts, answer_to_starttls: Behaviour
) -> None:
    with ScriptedServer({"starttls": [answer_to_starttls]}, features=["STARTTLS"]) as server:
        answer = open_channel(server.url, timeouts=short).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "STARTTLS" in answer.answer
    assert not any(command.startswith(("AUTH", "MAIL")) for command in server.commands)


@pytest.mark.parametrize(
    ("feature", "repeated"),
    [("AUTH PLAIN", "AHJlZ2lzdHJ5AGh1c2g="), ("AUTH LOGIN", "aHVzaA=="), ("AUTH PLAIN", "hush")],
)
def test_a_server_that_repeats_the_sign_in_brings_no_password_into_the_record(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, feature: str, repeated: str
) -> None:
    with ScriptedServer({"auth": [f"535 5.7.8 No: {repeated}"]}, features=[feature]) as server:
        answer = open_channel(server.url.replace("smtp://", "smtp://registry:hush@")).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "5.7.8 No: [password] (check" in answer.answer
    assert repeated not in answer.answer


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


def signing_in(server: ScriptedServer) -> str:
    return server.url.replace("//", "//user:hush@")


PLAIN, LOGIN = "AHVzZXIAaHVzaA==", ["AUTH LOGIN", "dXNlcg==", "aHVzaA=="]


def test_a_server_that_does_not_read_the_answer_beside_the_command_is_given_it_again(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer({"auth": ["334 ", "235 2.7.0 Welcome"]}, features=["AUTH PLAIN"]) as server:
        assert isinstance(open_channel(signing_in(server)).send(make_envelope()), Accepted)
    assert server.commands[1:3] == [f"AUTH PLAIN {PLAIN}", PLAIN]


@pytest.mark.parametrize("refusal", ["504 5.5.4 Unrecognized authentication type", "535 5.7.8 Not like this"])
def test_where_plain_is_refused_login_is_tried(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, refusal: str
) -> None:
    script = {"auth": [refusal, "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0 Welcome"]}
    with ScriptedServer(script, features=["AUTH PLAIN LOGIN"]) as server:
        assert isinstance(open_channel(signing_in(server)).send(make_envelope()), Accepted)
    assert server.commands[1:5] == [f"AUTH PLAIN {PLAIN}", *LOGIN]


def test_a_password_that_is_wrong_both_ways_is_told_of_with_both_answers(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    script = {"auth": ["535 5.7.8 No", "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", f"535 5.7.8 Not {LOGIN[2]} either"]}
    with ScriptedServer(script, features=["AUTH PLAIN LOGIN"]) as server:
        answer = open_channel(signing_in(server)).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert (answer.code, "sign-in: 5.7.8 No; 5.7.8 Not [password] either (check" in answer.answer) == (535, True)
    assert not any(command.startswith("MAIL") for command in server.commands)


@pytest.mark.parametrize("then", [CUT, HANG])
def test_a_server_that_has_had_enough_after_the_first_refusal_is_quoted_with_that(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, short: SmtpTimeouts, then: Behaviour
) -> None:
    with ScriptedServer({"auth": ["535 5.7.8 No", then]}, features=["AUTH PLAIN LOGIN"]) as server:
        answer = open_channel(signing_in(server), timeouts=short).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert (answer.code, "5.7.8 No (check" in answer.answer) == (535, True)


def test_a_sign_in_that_the_server_cannot_do_now_is_not_tried_another_way(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer({"auth": ["454 4.7.0 Later"]}, features=["AUTH PLAIN LOGIN"]) as server:
        answer = open_channel(signing_in(server)).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert (answer.code, [each for each in server.commands if each.startswith("AUTH LOGIN")]) == (454, [])


def test_a_sign_in_without_an_end_is_broken_off(make_envelope: EnvelopeMaker, open_channel: ChannelMaker) -> None:
    with ScriptedServer({"auth": ["334 ", "334 ", "501 5.7.0 Cancelled"]}, features=["AUTH PLAIN"]) as server:
        answer = open_channel(signing_in(server)).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert (answer.code, server.commands[1:4]) == (501, [f"AUTH PLAIN {PLAIN}", PLAIN, "*"])


def test_a_sign_in_this_channel_cannot_do_is_temporary_and_says_what_is_offered(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer(features=["AUTH CRAM-MD5 GSSAPI"]) as server:
        answer = open_channel(server.url.replace("//", "//user:word@")).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "it offers: CRAM-MD5 GSSAPI" in answer.answer


def test_a_server_is_tried_as_far_as_the_sign_in_and_given_no_letter(open_channel: ChannelMaker) -> None:
    with ScriptedServer({"auth": ["235 2.7.0 Welcome", "535 5.7.8 Wrong"]}, features=["AUTH PLAIN"]) as server:
        channel = open_channel(server.url.replace("smtp://", "smtp://registry:secret@"))
        assert channel.check() == Accepted(250, "greeted, signed in")
        refused = channel.check()
    assert isinstance(refused, TemporaryFailure)
    assert (refused.code, "the sign-in: 5.7.8 Wrong" in refused.answer) == (535, True)
    assert server.connections == 2
    assert not any(command.startswith("MAIL") for command in server.commands)


@pytest.mark.parametrize("behaviour", [CUT, HANG, "554 5.3.2 No mail here"])
def test_a_server_that_would_take_no_letter_is_told_of_without_one(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, short: SmtpTimeouts, behaviour: Behaviour
) -> None:
    with ScriptedServer({"connect": [behaviour]}) as server:
        channel = open_channel(server.url, timeouts=short)
        answer, following = channel.check(), channel.send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "the greeting" in answer.answer
    assert isinstance(following, Accepted), "the letter after it begins anew"
