"""What `registry doctor` finds on the roads out of the house: the mail server, the way back, the operators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from registry.channels.base import Accepted, Answer
from registry.cli.findings import Finding, Grade
from registry.settings import OUTBOX, RESEND, masked
from registry.wiring import Wiring

NOBODYS_HOST = "localhost"


@runtime_checkable
class CanBeTried(Protocol):
    """A channel that can find out, without sending anything, whether the other side would take letters."""

    def check(self) -> Answer:
        """Go as far as a letter would, and say what the other side said. Raises nothing that the network does."""


def examine_mail(wiring: Wiring, *, uses_network: bool) -> Iterator[Finding]:
    """Yield what is found about the way of letters and back: server, sender and bounces."""
    yield from _server(wiring, uses_network=uses_network)
    if is_nobodys(wiring.letterhead.mail_from):
        yield Finding(
            "Sender",
            Grade.WRONG,
            f"letters come from {wiring.letterhead.mail_from}, where nobody can answer.",
            "Set REGISTRY_MAIL_FROM to an address that your mail server may send from.",
        )
        return
    yield Finding("Sender", Grade.OK, f"letters come from {wiring.letterhead.mail_from}.")
    if wiring.mail_url != OUTBOX:
        yield from _bounces(wiring)


def is_nobodys(address: str) -> bool:
    """Return whether an address is at a domain where nobody can answer."""
    domain = address.rpartition("@")[2]
    return domain == NOBODYS_HOST or "." not in domain


def examine_operators(wiring: Wiring) -> Iterator[Finding]:
    """Yield whether anybody hears of trouble, and of silence."""
    if wiring.alert_url is not None:
        yield Finding("Alerts", Grade.OK, f"operators are told by {masked('ALERT_URL', wiring.alert_url)}.")
    else:
        yield Finding(
            "Alerts",
            Grade.NOTE,
            "nobody is told of what needs a person, but who looks at `registry task list`.",
            "Set REGISTRY_ALERT_URL to a webhook that does not depend on the mail that may be failing.",
        )
    if wiring.ping_url is not None:
        yield Finding("Silence", Grade.OK, f"a dead worker is noticed by {masked('PING_URL', wiring.ping_url)}.")
    else:
        yield Finding(
            "Silence",
            Grade.NOTE,
            "nobody notices a worker that has died.",
            "Set REGISTRY_PING_URL to a dead-man's switch, which alarms when no ping comes.",
        )


def _server(wiring: Wiring, *, uses_network: bool) -> Iterator[Finding]:
    if wiring.mail_url == OUTBOX:
        yield Finding(
            "Mail",
            Grade.WRONG,
            f"letters are kept in {wiring.outbox}, and nothing is sent.",
            "Set REGISTRY_MAIL_URL to your mail server, such as smtp://user:password@host:587.",
        )
        return
    where = masked("MAIL_URL", wiring.mail_url).strip("'")
    channel = None
    if uses_network:
        channels = wiring.make_channels()
        channel = channels.get("email")
    if not isinstance(channel, CanBeTried):
        yield Finding("Mail", Grade.OK, f"letters go by {where}; it was not tried from here.")
        return
    try:
        answer = channel.check()
    finally:
        for each in channels.values():
            each.close()
    said = " ".join(part for part in (str(answer.code or ""), answer.answer) if part)
    if isinstance(answer, Accepted):
        yield Finding("Mail", Grade.OK, f"letters go by {where}, which was tried and is ready ({said}).")
    else:
        yield Finding(
            "Mail",
            Grade.WRONG,
            f"{where} was tried, and would take no letter: {said}.",
            "Correct REGISTRY_MAIL_URL, or mend the server.",
        )


def _bounces(wiring: Wiring) -> Iterator[Finding]:
    if wiring.mail_url.startswith(RESEND):
        if wiring.resend_webhook_secrets:
            yield Finding("Callbacks", Grade.OK, f"Resend reports to {wiring.letterhead.base_url}/callbacks/resend.")
        else:
            yield Finding(
                "Callbacks",
                Grade.WRONG,
                "no report of Resend's is taken, so that no bounce is ever known.",
                f"Add a webhook at Resend for {wiring.letterhead.base_url}/callbacks/resend, and set its signing "
                "secret in REGISTRY_RESEND_WEBHOOK_SECRET.",
            )
    elif wiring.bounce_address is not None:
        yield Finding(
            "Bounces", Grade.OK, f"letters that come back go to {wiring.bounce_address}, each by its own name."
        )
    else:
        yield Finding(
            "Bounces",
            Grade.WARN,
            "letters that come back go to the sender's mailbox. Until somebody records each (`registry outcome`), it "
            "counts as received, and a notice takes effect for a customer that never had it.",
            "Set REGISTRY_BOUNCE_ADDRESS and pipe its mail to `registry bounce`, or have that mailbox read every day.",
        )
