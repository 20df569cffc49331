"""What `registry doctor` finds about the addresses that letters come from, and about the records of their domains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.channels.base import clean_answer
from registry.channels.mail_dns import (
    DkimRecord,
    MailServers,
    MailState,
    Record,
    RecordState,
    SpfRecord,
    look_up_mail_dns,
)
from registry.channels.spf import MOST_LOOK_UPS, PERMANENT_ERRORS, SpfFault
from registry.cli.doctor_roads import is_nobodys
from registry.cli.findings import Finding, Grade
from registry.settings import OUTBOX, RESEND
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import read_facts
from registry.tables import Publisher
from registry.wiring import Wiring

RESEND_SELECTOR = "resend"
"""The selector under which Resend signs for every domain."""

# What is said of each fault, where `at_fault` is the term and its place, and what to do about it.
_SPF_FAULTS: Final[Mapping[SpfFault, tuple[Grade, str, str]]] = {
    SpfFault.MALFORMED: (
        Grade.WRONG,
        "{at_fault} is nothing that SPF knows",
        "Correct it; a record is such as v=spf1 ip4:192.0.2.1 include:relay.example -all.",
    ),
    SpfFault.NOTHING_INCLUDED: (
        Grade.WRONG,
        "{at_fault} leads to no SPF record, or to several",
        "Correct that name, or take it out.",
    ),
    SpfFault.CIRCLE: (Grade.WRONG, "{at_fault} leads back to where it comes from", "Take that out."),
    SpfFault.TOO_MANY_LOOK_UPS: (
        Grade.WRONG,
        f"From {{at_fault}} on it needs more than {MOST_LOOK_UPS} look-ups",
        "Take out what no longer sends for you, or name addresses by ip4: and ip6:.",
    ),
    SpfFault.NAMES_NOBODY: (
        Grade.WRONG,
        "It names no server that may send",
        "Name your mail server in it, before any all, as its operator tells you: most by include:.",
    ),
    SpfFault.LETS_EVERYBODY: (
        Grade.WARN,
        "{at_fault} lets everybody send in your name, and mail servers may distrust that",
        "Name your mail server alone, and end the record in -all or ~all.",
    ),
    SpfFault.UNREACHABLE: (
        Grade.NOTE,
        "No name server answers for {at_fault}, so whether mail servers can read it is not known",
        "",
    ),
}


@dataclass(frozen=True)
class OwnSender:
    """The sender that a publisher names for itself. `address` is None where letters come from REGISTRY_MAIL_FROM yet.

    `is_let` says whether the operator lets mail leave for its domain.
    """

    publisher_id: int
    slug: str
    given: str
    address: str | None
    is_let: bool


def list_own_senders(session: Session, letterhead: Letterhead) -> list[OwnSender]:
    """Return the sender of each publisher that has a list and names one of its own."""
    found = []
    for publisher in session.scalars(select(Publisher).where(Publisher.revision > 0).order_by(Publisher.slug)):
        facts = read_facts(session, publisher)
        if facts.sender is not None:
            is_let = letterhead.may_send_from(facts.sender)
            address = letterhead.own_sender(facts)
            found.append(OwnSender(publisher.id, publisher.slug, facts.sender, address, is_let))
    return found


def examine_senders(
    wiring: Wiring, own: Sequence[OwnSender], selectors: Sequence[str], *, uses_network: bool
) -> Iterator[Finding]:
    """Yield whom each publisher's letters come from, and how every domain that is sent from is set up."""
    mail_from = wiring.letterhead.mail_from
    for each in own:
        yield _own_sender(each, mail_from)
    if wiring.mail_url == OUTBOX:
        return
    senders = [each for each in (mail_from, *(each.address for each in own)) if each and not is_nobodys(each)]
    domains = list(dict.fromkeys(each.rpartition("@")[2].lower() for each in senders))
    if domains and uses_network:
        yield from _records(wiring, domains, selectors)
    elif domains:
        says = f"the records of {', '.join(domains)} were not looked at."
        yield Finding("Domain", Grade.NOTE, says, "Leave out --no-network.")


def _own_sender(own: OwnSender, mail_from: str) -> Finding:
    if own.address is not None:
        return Finding("Sender", Grade.OK, f"letters of {own.slug} come from {own.address}.")
    says = f"letters of {own.slug} come from {mail_from} and not from {own.given}"
    if own.is_let:
        why, remedy = (
            "an address that letters to followers could not come from",
            "Correct `sender` in the registry file.",
        )
    else:
        domain = own.given.rpartition("@")[2]
        why = f"{domain} is not among REGISTRY_SENDER_DOMAINS"
        remedy = "Set your mail server up for that domain and name it there, or take `sender` out of the registry file."
    return Finding("Sender", Grade.NOTE, f"{says}: {why}.", remedy)


def _records(wiring: Wiring, domains: Sequence[str], selectors: Sequence[str]) -> Iterator[Finding]:
    by_resend = wiring.mail_url.startswith(RESEND)
    asked = tuple(selectors) or ((RESEND_SELECTOR,) if by_resend else ())
    # Resend's return path is its own, and has its own record.
    bounces = None if by_resend else wiring.bounce_address
    back = bounces.rpartition("@")[2].lower() if bounces is not None else None
    for domain in domains:
        try:
            found = look_up_mail_dns(domain, selectors=asked)
        except ValueError as error:
            yield Finding("Domain", Grade.WRONG, f"{error}.", "Correct the sender or --dkim-selector.")
            continue
        if not by_resend and back in (None, domain):
            yield _spf(found.spf)
        yield from _dkim(domain, found.dkim, is_only=len(domains) == 1)
        yield _record("DMARC", found.dmarc, f"Publish at _dmarc.{domain} a TXT record such as v=DMARC1; p=none.")
        yield _replies(domain, found.mx)
    if back is not None and back not in domains:
        try:
            behind = look_up_mail_dns(back)
        except ValueError as error:
            yield Finding("Way back", Grade.WRONG, f"{error}.", "Correct REGISTRY_BOUNCE_ADDRESS.")
            return
        yield _spf(behind.spf)
        yield _way_back(back, behind.mx)


def _spf(record: SpfRecord) -> Finding:
    fault = record.judgement.fault
    if record.state is not RecordState.PRESENT or fault is None:
        return _record("SPF", record, f"Publish at {record.name} a TXT record v=spf1 … that names your mail server.")
    grade, words, remedy = _SPF_FAULTS[fault]
    term, where = clean_answer(record.judgement.term or ""), clean_answer(record.judgement.domain or "")
    says = words.format(at_fault=f"{term} in the record of {where}")
    if fault in PERMANENT_ERRORS:
        says = f"{says}: receivers take the whole record for an error, and nobody may send by it"
    return Finding("SPF", grade, f"{record.name} says {record.text}. {says}.", remedy)


def _dkim(domain: str, keys: Sequence[DkimRecord], *, is_only: bool) -> Iterator[Finding]:
    """Yield what stands under the selectors. Where there are several domains, each may be signed under its own."""
    if not keys:
        yield Finding(
            "DKIM",
            Grade.NOTE,
            f"whether letters of {domain} are signed was not looked at: a key is only found by its selector.",
            "registry doctor --dkim-selector NAME, with the selector that your mail server signs under.",
        )
    has_key = any(key.state is RecordState.PRESENT for key in keys)
    for key in keys:
        if is_only or not has_key or key.state is not RecordState.MISSING:
            yield _record("DKIM", key, "Publish the key that your mail server signs with, under this selector.")


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
