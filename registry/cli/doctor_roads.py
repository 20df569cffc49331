"""What `registry doctor` finds on the roads out of the house: the mail server, the domain's records, the operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from registry.channels.base import Accepted, Answer
from registry.channels.mail_dns import MailServers, MailState, Record, RecordState, look_up_mail_dns
from registry.cli.findings import Finding, Grade
from registry.settings import OUTBOX, RESEND, masked
from registry.wiring import Wiring

RESEND_SELECTOR = "resend"
"""The selector under which Resend signs for every domain."""
NOBODYS_HOST = "localhost"


@runtime_checkable
class CanBeTried(Protocol):
    """A channel that can find out, without sending anything, whether the other side would take letters."""

    def check(self) -> Answer:
        """Go as far as a letter would, and say what the other side said. Raises nothing that the network does."""


def examine_mail(wiring: Wiring, selectors: Sequence[str], *, uses_network: bool) -> Iterator[Finding]:
    """Yield what is found about the way of letters and back: server, sender, bounces, and the domain's records."""
    yield from _server(wiring, uses_network=uses_network)
    domain = wiring.letterhead.mail_from.rpartition("@")[2]
    if domain == NOBODYS_HOST or "." not in domain:
        yield Finding(
            "Sender",
            Grade.WRONG,
            f"letters come from {wiring.letterhead.mail_from}, where nobody can answer.",
            "Set REGISTRY_MAIL_FROM to an address that your mail server may send from.",
        )
        return
    yield Finding("Sender", Grade.OK, f"letters come from {wiring.letterhead.mail_from}.")
    if wiring.mail_url == OUTBOX:
        return
    yield from _bounces(wiring)
    if uses_network:
        yield from _records(wiring, domain, selectors)
    else:
        yield Finding("Domain", Grade.NOTE, f"the records of {domain} were not looked at.", "Leave out --no-network.")


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
            Grade.NOTE,
            "letters that come back go to the sender's mailbox, and somebody must record them.",
            "Set REGISTRY_BOUNCE_ADDRESS and pipe its mail to `registry bounce`.",
        )


def _records(wiring: Wiring, domain: str, selectors: Sequence[str]) -> Iterator[Finding]:
    by_resend = wiring.mail_url.startswith(RESEND)
    asked = tuple(selectors) or ((RESEND_SELECTOR,) if by_resend else ())
    try:
        found = look_up_mail_dns(domain, selectors=asked)
        back = wiring.bounce_address.rpartition("@")[2] if wiring.bounce_address is not None else domain
        behind = found if back == domain else look_up_mail_dns(back)
    except ValueError as error:
        yield Finding("Domain", Grade.WRONG, f"{error}.", "Correct REGISTRY_MAIL_FROM or --dkim-selector.")
        return
    # Resend's return path is its own, and has its own record.
    if not by_resend:
        spf = behind.spf
        yield _record("SPF", spf, f"Publish at {spf.name} a TXT record v=spf1 … that names your mail server.")
    for dkim in found.dkim:
        yield _record("DKIM", dkim, "Publish the key that your mail server signs with, under this selector.")
    if not found.dkim:
        yield Finding(
            "DKIM",
            Grade.NOTE,
            f"whether letters of {domain} are signed was not looked at: a key is only found by its selector.",
            "registry doctor --dkim-selector NAME, with the selector that your mail server signs under.",
        )
    yield _record("DMARC", found.dmarc, f"Publish at _dmarc.{domain} a TXT record such as v=DMARC1; p=none.")
    yield _replies(domain, found.mx)
    if back != domain and not by_resend:
        yield _way_back(back, behind.mx)


def _record(about: str, record: Record, remedy: str) -> Finding:
    match record.state:
        case RecordState.PRESENT:
            return Finding(about, Grade.OK, f"{record.name} says {record.text}.")
        case RecordState.UNREACHABLE:
            return Finding(about, Grade.NOTE, f"no name server answers for {record.name}, so nothing is known.")
        case RecordState.MISSING:
            return Finding(about, Grade.WRONG, f"{record.name} has no such record: mail servers distrust it.", remedy)
        case _:
            says = f"the record of {record.name} is {record.state.value}: {record.text}."
            return Finding(about, Grade.WRONG, says, remedy)


def _replies(domain: str, servers: MailServers) -> Finding:
    match servers.state:
        case MailState.PRESENT | MailState.ADDRESSES:
            return Finding("Replies", Grade.OK, f"mail to {domain} goes to {', '.join(servers.hosts)}.")
        case MailState.UNREACHABLE:
            return Finding("Replies", Grade.NOTE, f"no name server answers for {domain}, so nothing is known.")
        case _:
            says = f"{domain} takes no mail, so no answer and no bounce arrives."
            return Finding("Replies", Grade.WRONG, says, "Publish an MX record, or send from a domain that has one.")


def _way_back(domain: str, servers: MailServers) -> Finding:
    about = "Way back"
    match servers.state:
        case MailState.PRESENT | MailState.ADDRESSES:
            return Finding(about, Grade.OK, f"letters that come back to {domain} go to {', '.join(servers.hosts)}.")
        case MailState.UNREACHABLE:
            return Finding(about, Grade.NOTE, f"no name server answers for {domain}, so nothing is known.")
        case _:
            says = f"{domain} takes no mail, so no bounce arrives and a letter that came back counts as accepted."
            remedy = "Publish an MX record there, or set REGISTRY_BOUNCE_ADDRESS at a domain that has one."
            return Finding(about, Grade.WRONG, says, remedy)
