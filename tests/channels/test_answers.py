"""What a server says is made fit for the record, whoever it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.channels.base import (
    LONGEST_ANSWER,
    Accepted,
    Ambiguous,
    Channel,
    PermanentFailure,
    TemporaryFailure,
)
from registry.channels.recording import RecordingChannel
from tests.channels.conftest import EnvelopeMaker


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("5.1.1 No such user", "5.1.1 No such user"),
        ("two\nlines\r\nand\ttabs", "two lines and tabs"),
        ("a\x00b\x1b[31mc\x7f", "a b [31mc"),
        ("turned \u202egnirts\u2066 around", "turned gnirts around"),
        ("half a pair \ud800 here", "half a pair here"),
        ("Empfänger unbekannt – 受信者不明", "Empfänger unbekannt – 受信者不明"),
        ("", ""),
    ],
)
def test_control_characters_and_line_breaks_never_reach_the_record(said: str, kept: str) -> None:
    assert PermanentFailure(550, said).answer == kept


@pytest.mark.parametrize("kind", [Accepted, TemporaryFailure, PermanentFailure, Ambiguous])
def test_an_endless_answer_is_cut_and_shows_that_it_was(
    kind: type[Accepted | TemporaryFailure | PermanentFailure | Ambiguous],
) -> None:
    answer = kind(450, "word " * 100_000).answer
    assert len(answer) <= LONGEST_ANSWER
    assert answer.startswith("word word")
    assert answer.endswith("…")


def test_the_reference_of_a_provider_is_cleaned_like_its_answer() -> None:
    assert Accepted(250, "ok", provider_ref="4F\x002A\n").provider_ref == "4F 2A"


def test_an_answer_keeps_its_code_and_how_long_to_wait() -> None:
    answer = TemporaryFailure(429, "too many", retry_after=timedelta(seconds=30))
    assert (answer.code, answer.answer, answer.retry_after) == (429, "too many", timedelta(seconds=30))


def test_the_recording_channel_keeps_letters_and_answers_by_recipient(make_envelope: EnvelopeMaker) -> None:
    recording = RecordingChannel()
    channel: Channel = recording
    recording.script("gone@customer.example", TemporaryFailure(450, "later"), PermanentFailure(550, "gone"))
    first = make_envelope(recipient="gone@customer.example")
    other = make_envelope(recipient="legal@customer.example")

    answers = [channel.send(envelope) for envelope in (first, other, first, first)]

    assert answers == [
        TemporaryFailure(450, "later"),
        Accepted(250, "recorded"),
        PermanentFailure(550, "gone"),
        PermanentFailure(550, "gone"),
    ]
    assert recording.envelopes == [first, other, first, first]
    assert recording.sent_to("legal@customer.example") == [other]


def test_the_recording_channel_takes_a_new_script_and_refuses_an_empty_one(make_envelope: EnvelopeMaker) -> None:
    channel = RecordingChannel(name="resend", kind="email", is_real=False)
    channel.script("privacy@customer.example", TemporaryFailure(450, "later"))
    channel.script("privacy@customer.example", Ambiguous(None, "cut"))
    assert channel.send(make_envelope()) == Ambiguous(None, "cut")
    assert (channel.name, channel.is_real) == ("resend", False)
    with pytest.raises(ValueError, match="at least one answer"):
        channel.script("privacy@customer.example")
    channel.close()
    assert channel.closed_times == 1
