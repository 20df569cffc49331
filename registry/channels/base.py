"""What every channel takes and what it gives back.

A channel carries one finished letter to one recipient and says what happened. It decides nothing about retries,
clocks or state: the domain does that from the answer. It knows no database and reads no setting.

    envelope ──▶ channel.send ──▶ Accepted | TemporaryFailure | PermanentFailure | Ambiguous
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

LONGEST_ANSWER = 2_000
"""The most characters of a server's answer that are kept."""


def clean_answer(text: str) -> str:
    """Make what a server said fit to be stored and shown.

    Line breaks, control and formatting characters (also those that turn the direction of writing around), lone
    surrogates and unassigned characters become one space, and the text is cut at LONGEST_ANSWER characters. A
    server is a stranger: its answer ends up in the record, on pages and in terminals.
    """
    is_clean = text.isascii() and text.isprintable() and "  " not in text and text.strip(" ") == text
    if is_clean and len(text) <= LONGEST_ANSWER:
        return text
    # Cut first, with room to spare: a stranger must not have a megabyte cleaned to keep two thousand characters.
    spaced = "".join(
        " " if unicodedata.category(character).startswith(("C", "Z")) else character
        for character in text[: 4 * LONGEST_ANSWER]
    )
    cleaned = " ".join(spaced.split())
    return cleaned if len(cleaned) <= LONGEST_ANSWER else cleaned[: LONGEST_ANSWER - 1] + "…"


@dataclass(frozen=True)
class Envelope:
    """One letter on its way to one recipient.

    By mail `recipient` and `return_path` are bare addresses (`privacy@customer.example`), an empty return path is the
    null path, for letters to which no bounce must be sent, and `message` is the finished letter with CRLF line ends.
    By web `recipient` is the address that takes the POST, and `message` the body in JSON. No channel changes what the
    letter says. `message_id` is the same over every retry: the Message-ID header, or the webhook's id. `secrets` sign a
    webhook, the newest first; while an old one is rotated out there are two. `has_crlf` promises that each line of the
    message ends in CRLF, and that no other CR or LF is in it, so that nobody needs to look.
    """

    recipient: str
    return_path: str
    message: bytes
    message_id: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    has_crlf: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Rate:
    """How fast the other side said that it may be asked: `requests` in each `per`."""

    requests: int
    per: timedelta


@dataclass(frozen=True)
class _CleanAnswer:
    """Holds the promise that the text of every answer is bounded and clean, whichever channel made it.

    `code` is the number the other side answered with, or None where no complete answer was read. `rate` is the pace
    that it asked for along with the answer, None where it asked for none (R31).
    """

    code: int | None
    answer: str
    rate: Rate | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "answer", clean_answer(self.answer))


@dataclass(frozen=True)
class Accepted(_CleanAnswer):
    """The other side took responsibility for the letter. Accepted is not delivered.

    `provider_ref` is the name that the other side will call the letter by when it reports about it, None for mail
    servers, which report by what the letter itself says.
    """

    provider_ref: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.provider_ref is not None:
            object.__setattr__(self, "provider_ref", clean_answer(self.provider_ref))


@dataclass(frozen=True)
class TemporaryFailure(_CleanAnswer):
    """The letter was certainly not taken, and a later try may succeed.

    `retry_after` is how long the other side asked to be left alone, or None where it asked for nothing.
    `is_about_batch`: it was refused because of the company it was in, and its batch was never taken.
    """

    retry_after: timedelta | None = None
    is_about_batch: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class PermanentFailure(_CleanAnswer):
    """The letter was certainly not taken, and the same letter to the same address will not be.

    `ends_address`: the other side asked never to be sent anything again (HTTP 410).
    """

    ends_address: bool = False


@dataclass(frozen=True)
class Ambiguous(_CleanAnswer):
    """The letter may have been taken: it was on the wire whole, and no clear answer came back.

    `retry_after` is how long the other side asked to be left alone, or None where it asked for nothing. `is_final`: to
    ask again would have the same answer, so a person must look.
    """

    retry_after: timedelta | None = None
    is_final: bool = field(default=False, kw_only=True)


Answer = Accepted | TemporaryFailure | PermanentFailure | Ambiguous


class Channel(Protocol):
    """A road out of the house.

    One channel object belongs to one worker: it may hold a connection and is not safe to share between threads.
    """

    @property
    def name(self) -> str:
        """Which road it is, as it stands in the record: `smtp`, `outbox`, `resend`, `webhook`, `slack`, `teams`."""

    @property
    def kind(self) -> str:
        """What sort of address it takes: `email`, `webhook`, `slack`, `teams`."""

    @property
    def is_real(self) -> bool:
        """Whether letters leave the house. What is not real is labelled "not sent", and starts no clock (R12)."""

    def send(self, envelope: Envelope) -> Answer:
        """Carry one letter and say what happened.

        Never raises for anything the network, the disk or the other side does; raises for programming errors
        only. Takes as long as the channel's time-outs allow and no longer.
        """

    def close(self) -> None:
        """Let go of what is held open. The channel may be used again afterwards."""
