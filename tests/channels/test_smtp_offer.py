"""A letter's leave asked ahead: the server thinks while the letter's start is committed, and gets no byte before."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from registry.channels.base import Accepted, Ambiguous, Answer, Envelope, PermanentFailure
from registry.channels.smtp import SmtpChannel, SmtpTimeouts, parse_mail_url
from tests.channels.conftest import ChannelMaker, EnvelopeMaker
from tests.channels.scripted_server import CUT, HANG, IN_TURN, RESET, TOGETHER, Behaviour, ScriptedServer
from tests.channels.test_smtp_pipelining import NOT_GIVEN, PATIENT, REPLIES, STAGES
from tests.processes import wait_for

ASKED = ["MAIL", "RCPT", "DATA"]


def verbs_of(server: ScriptedServer) -> list[str]:
    return [command.partition(" ")[0].upper() for command in server.commands]


def letters_at(server: ScriptedServer, *envelopes: Envelope) -> bool:
    return server.letters == [each.message + b".\r\n" for each in envelopes]


def test_the_server_is_asked_ahead_and_has_nothing_of_the_letter_until_it_is_sent(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    first, second = make_envelope(), make_envelope(recipient="dpo@other.example")
    with ScriptedServer(features=TOGETHER) as server:
        channel = open_channel(server.url)
        channel.send(first)
        channel.offer(second)
        wait_for(lambda: verbs_of(server) == ["EHLO", *ASKED, *ASKED], "commands of the second letter")
        assert letters_at(server, first)
        assert isinstance(channel.send(second), Accepted)
        assert letters_at(server, first, second)
        assert verbs_of(server) == ["EHLO", *ASKED, *ASKED]
    assert server.connections == 1


@pytest.mark.parametrize(
    "instead",
    [
        lambda channel, envelope: channel.send(envelope),
        lambda channel, envelope: channel.close(),
        lambda channel, envelope: channel.check(),
        lambda channel, envelope: channel.offer(envelope),
    ],
    ids=["another letter", "close", "check", "another offer"],
)
def test_a_letter_that_may_not_go_after_all_leaves_nothing_with_the_server(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, instead: Callable[[SmtpChannel, Envelope], object]
) -> None:
    first, not_sent, third = (make_envelope() for _ in range(3))
    with ScriptedServer(features=TOGETHER) as server:
        channel = open_channel(server.url)
        channel.send(first)
        channel.offer(not_sent)
        instead(channel, third)
        is_sent = len(server.letters) == 2
        assert letters_at(server, first, *([third] if is_sent else []))
        # Whatever was asked, the next letter is one letter, whole.
        assert isinstance(channel.send(third), Accepted)
        assert letters_at(server, first, third, *([third] if is_sent else []))
    # A word of farewell would have become a part of the letter that the server waited for.
    assert b"QUIT" not in b"".join(server.letters)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [({"rcpt": "550 5.1.1 No such user"}, PermanentFailure), ({"data": "554 No"}, PermanentFailure)],
)
def test_what_the_server_refused_meanwhile_is_the_answer_and_the_next_letter_goes(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, refusal: dict[str, str], kind: type[Answer]
) -> None:
    script: dict[str, list[Behaviour]] = {
        stage: ["354 go" if stage == "data" else "250 ok", reply] for stage, reply in refusal.items()
    }
    with ScriptedServer(script, features=TOGETHER) as server:
        channel = open_channel(server.url)
        envelopes = [make_envelope() for _ in range(3)]
        answers = [channel.send(envelopes[0])]
        for envelope in envelopes[1:]:
            channel.offer(envelope)
            answers.append(channel.send(envelope))
    assert [type(answer) for answer in answers] == [Accepted, kind, Accepted]
    assert server.connections == 1


@pytest.mark.parametrize("farewell", ["421 4.4.2 Idle too long", CUT, RESET])
def test_a_server_that_left_meanwhile_gets_the_letter_on_a_new_connection(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, farewell: Behaviour
) -> None:
    first, second = make_envelope(), make_envelope()
    with ScriptedServer({"idle": [farewell]}, features=TOGETHER) as server:
        channel = open_channel(server.url)
        channel.send(first)
        channel.offer(second)
        assert isinstance(channel.send(second), Accepted)
    assert letters_at(server, first, second)
    assert server.connections == 2


@pytest.mark.parametrize("behaviour", ["421 4.7.0 Too many letters on one connection", "450 4.7.1 Enough", CUT])
def test_a_server_that_has_had_enough_of_the_connection_gets_an_offered_letter_on_a_new_one(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, behaviour: Behaviour
) -> None:
    first, second = make_envelope(), make_envelope()
    with ScriptedServer({"mail": ["250 ok", behaviour]}, features=TOGETHER) as server:
        channel = open_channel(server.url)
        channel.send(first)
        channel.offer(second)
        assert isinstance(channel.send(second), Accepted)
    assert letters_at(server, first, second)
    assert server.connections == 2


def test_an_offer_of_long_ago_is_begun_anew(make_envelope: EnvelopeMaker, open_channel: ChannelMaker) -> None:
    first, second = make_envelope(), make_envelope()
    with ScriptedServer(features=TOGETHER) as server:
        channel = open_channel(server.url, unproven_seconds=0.2)
        channel.send(first)
        channel.offer(second)
        time.sleep(0.25)
        assert isinstance(channel.send(second), Accepted)
    assert letters_at(server, first, second)
    assert server.connections == 2


def test_a_server_that_takes_one_command_at_a_time_or_was_not_met_yet_is_asked_nothing_ahead(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer(features=IN_TURN) as server:
        channel = open_channel(server.url)
        for envelope in (make_envelope(), make_envelope()):
            channel.offer(envelope)
            assert isinstance(channel.send(envelope), Accepted)
    assert verbs_of(server) == ["EHLO", *ASKED, *ASKED]
    assert server.connections == 1


def test_no_letter_is_offered_on_a_connection_that_may_carry_no_more(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with ScriptedServer(features=TOGETHER) as server:
        channel = open_channel(server.url, letters_per_connection=1)
        for envelope in (make_envelope(), make_envelope()):
            channel.offer(envelope)
            assert isinstance(channel.send(envelope), Accepted)
    assert server.connections == 2
    assert verbs_of(server).count("QUIT") == 2 - 1


def test_a_server_that_hangs_over_an_offer_costs_one_letters_time(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, short: SmtpTimeouts
) -> None:
    first, second = make_envelope(), make_envelope()
    with ScriptedServer({"mail": ["250 ok", HANG]}, features=TOGETHER) as server:
        channel = open_channel(server.url, timeouts=short)
        channel.send(first)
        channel.offer(second)
        answer = channel.send(second)
    # It was given nothing, so the letter was tried on a new connection.
    assert isinstance(answer, Accepted)
    assert letters_at(server, first, second)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=st.fixed_dictionaries({}, optional={stage: st.sampled_from(REPLIES) for stage in STAGES}))
@example(script={"rcpt": "550 no", "data": "354 go"})
@example(script={"mail": "421 closing", "data": "354 go", "dot": "250 ok"})
def test_whatever_a_server_answers_to_an_offer_the_record_says_what_became_of_the_letter(
    make_envelope: EnvelopeMaker, script: dict[str, Behaviour]
) -> None:
    first, envelope = make_envelope(), make_envelope(message=b"Subject: second\r\n\r\nsecond\r\n")
    well = {"data": "354 go"}
    behaviours: dict[str, list[Behaviour]] = {
        stage: [well.get(stage, "250 ok"), reply] for stage, reply in script.items()
    }
    with (
        ScriptedServer(behaviours, features=TOGETHER) as server,
        closing(SmtpChannel(parse_mail_url(f"{server.url}?starttls=off"), timeouts=PATIENT)) as channel,
    ):
        channel.send(first)
        channel.offer(envelope)
        answer = channel.send(envelope)
    whole = envelope.message + b".\r\n"
    rest = [letter for letter in server.letters[1:] if letter != NOT_GIVEN]
    assert rest in ([], [whole])
    if isinstance(answer, Accepted):
        assert rest == [whole]
    elif isinstance(answer, Ambiguous):
        assert rest == [whole]
        assert script["dot"] in (CUT, b"nonsense\r\n", "354 go")
    else:
        assert not rest or str(script["dot"])[0] in "45"
