"""One connection for many letters: when it is used again, when it is asked first, and when it is replaced."""

from __future__ import annotations

import pytest

from registry.channels.base import Accepted, PermanentFailure, TemporaryFailure
from registry.channels.smtp import SmtpTimeouts
from tests.channels.conftest import ChannelMaker, EnvelopeMaker
from tests.channels.scripted_server import CUT, HANG, IN_TURN, RESET, TOGETHER, Behaviour, ScriptedServer


@pytest.fixture(params=[IN_TURN, TOGETHER], ids=["in-turn", "together"])
def features(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What the server offers: to take one command at a time, or several (RFC 2920)."""
    offered: tuple[str, ...] = request.param
    return offered


@pytest.mark.parametrize("farewell", ["421 4.4.2 Idle too long", CUT, RESET])
def test_a_connection_that_went_stale_between_letters_is_replaced_without_a_word(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...], farewell: Behaviour
) -> None:
    with ScriptedServer({"idle": [farewell]}, features=features) as server:
        channel = open_channel(server.url)
        answers = [channel.send(make_envelope()) for _ in range(3)]
    assert [answer.code for answer in answers] == [250, 250, 250]
    assert server.connections == 2


@pytest.mark.parametrize("behaviour", ["421 4.7.0 Enough", "500 What?", CUT, HANG, b"nonsense\r\n"])
def test_a_connection_that_fails_its_check_before_reuse_is_replaced(
    make_envelope: EnvelopeMaker,
    open_channel: ChannelMaker,
    features: tuple[str, ...],
    short: SmtpTimeouts,
    behaviour: Behaviour,
) -> None:
    with ScriptedServer({"rset": [behaviour]}, features=features) as server:
        channel = open_channel(server.url, timeouts=short, unproven_seconds=0)
        answers = [channel.send(make_envelope()) for _ in range(2)]
    assert [answer.code for answer in answers] == [250, 250]
    assert server.connections == 2


@pytest.mark.parametrize("behaviour", ["421 4.7.0 Too many letters on one connection", CUT])
def test_a_server_that_ends_the_connection_after_so_many_letters_gets_the_next_on_a_new_one(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...], behaviour: Behaviour
) -> None:
    with ScriptedServer({"mail": ["250 ok", behaviour]}, features=features) as server:
        channel = open_channel(server.url)
        answers = [channel.send(make_envelope()) for _ in range(2)]
    assert [answer.code for answer in answers] == [250, 250]
    assert server.connections == 2
    assert len(server.letters) == 2


def test_a_letter_is_tried_on_one_new_connection_and_not_for_ever(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...]
) -> None:
    with ScriptedServer({"mail": ["250 ok", *["421 4.7.0 Enough"] * 5]}, features=features) as server:
        channel = open_channel(server.url)
        answers = [channel.send(make_envelope()) for _ in range(2)]
    assert [answer.code for answer in answers] == [250, 421]
    assert server.connections == 2


def test_a_worker_stopped_in_mid_letter_leaves_no_half_conversation(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with ScriptedServer(features=features) as server:
        channel = open_channel(server.url)
        with monkeypatch.context() as patch:
            patch.setattr("registry.channels.smtp_wire.Wire.write_in_pieces", stopped)
            with pytest.raises(KeyboardInterrupt):
                channel.send(make_envelope())
        assert isinstance(channel.send(make_envelope()), Accepted)
    assert server.connections == 2
    assert len(server.letters) == 1


def test_a_letter_that_ended_well_needs_no_word_before_the_next_and_any_other_does(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...]
) -> None:
    script: dict[str, list[Behaviour]] = {
        "rcpt": ["250 ok", "250 ok", "550 5.1.1 No such user"],
        "dot": ["250 ok", "250 ok", "451 4.3.0 Full for now"],
    }
    with ScriptedServer(script, features=features) as server:
        channel = open_channel(server.url)
        answers = [channel.send(make_envelope()) for _ in range(5)]
        channel.close()
    assert [answer.code for answer in answers] == [250, 250, 550, 451, 250]
    verbs = [command.partition(" ")[0].upper() for command in server.commands]
    refused = ["MAIL", "RCPT", "DATA"] if features is TOGETHER else ["MAIL", "RCPT"]
    whole = ["MAIL", "RCPT", "DATA"]
    assert verbs == ["EHLO", *whole, *whole, *refused, "RSET", *whole, "RSET", *whole, "QUIT"]
    assert server.connections == 1


def test_a_connection_that_was_idle_for_some_seconds_is_asked_before_it_is_used(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...]
) -> None:
    with ScriptedServer(features=features) as server:
        channel = open_channel(server.url, unproven_seconds=0)
        answers = [channel.send(make_envelope()) for _ in range(2)]
    assert [answer.code for answer in answers] == [250, 250]
    assert [command for command in server.commands if command == "rset"] == ["rset"]
    assert server.connections == 1


@pytest.mark.parametrize("reply", ["450 4.7.1 Enough on this connection", "452 4.5.3 Too many letters"])
def test_a_server_that_is_tired_of_a_connection_without_saying_421_gets_the_letter_on_a_new_one(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...], reply: str
) -> None:
    with ScriptedServer({"mail": ["250 ok", reply]}, features=features) as server:
        channel = open_channel(server.url)
        answers = [channel.send(make_envelope()) for _ in range(2)]
    assert [answer.code for answer in answers] == [250, 250]
    assert server.connections == 2
    assert "QUIT" in server.commands


def test_a_server_that_refuses_every_sender_for_now_is_not_connected_to_for_each_letter(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...]
) -> None:
    with ScriptedServer({"mail": ["250 ok", *["450 4.7.1 Slow down"] * 9]}, features=features) as server:
        channel = open_channel(server.url)
        answers = [channel.send(make_envelope()) for _ in range(6)]
    assert [answer.code for answer in answers] == [250, 450, 450, 450, 450, 450]
    assert all(isinstance(answer, TemporaryFailure) for answer in answers[1:])
    assert server.connections == 2


def test_a_sender_the_server_does_not_know_is_told_once_and_costs_no_connection(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...]
) -> None:
    with ScriptedServer({"mail": ["250 ok", "553 5.7.1 Not your address"]}, features=features) as server:
        channel = open_channel(server.url)
        answers = [channel.send(make_envelope()) for _ in range(3)]
    assert [answer.code for answer in answers] == [250, 553, 250]
    assert isinstance(answers[1], TemporaryFailure)
    assert server.connections == 1


def test_a_greylisted_letter_goes_through_on_a_later_send(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, features: tuple[str, ...]
) -> None:
    script: dict[str, list[Behaviour]] = {"rcpt": ["451 4.7.1 Greylisted, come back in 5 minutes", "450 4.2.0 Not yet"]}
    with ScriptedServer(script, features=features) as server:
        first, second = open_channel(server.url), open_channel(server.url)
        answers = [first.send(make_envelope()), first.send(make_envelope()), second.send(make_envelope())]
        assert isinstance(first.send(make_envelope()), Accepted)
    assert [type(answer) for answer in answers] == [TemporaryFailure, TemporaryFailure, Accepted]
    assert answers[0].answer == "at RCPT TO: 4.7.1 Greylisted, come back in 5 minutes"
    assert len(server.letters) == 2


def test_a_letter_the_server_cannot_carry_leaves_the_connection_as_it_was(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer(features=["PIPELINING", "SIZE 1000"]) as server:
        channel = open_channel(server.url)
        answers = [channel.send(make_envelope(message=b"x" * length)) for length in (500, 5_000, 500)]
    assert [type(answer) for answer in answers] == [Accepted, PermanentFailure, Accepted]
    assert server.connections == 1
    assert "rset" not in server.commands
