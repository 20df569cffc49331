"""Whether a sender's domain is set up for mail, as the domain name system answers: SPF, DKIM, DMARC and MX.

Signing is the relay's work, and so is whom the records name; this looks whether they stand, and whether receivers can
read them. That a record is not
there and that nobody answers are two findings: only the first is something to mend in the domain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import idna
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT
from dns.resolver import Resolver

from registry.channels.base import clean_answer
from registry.channels.spf import SOUND, SpfJudgement, is_spf, judge_spf

LIFETIME_SECONDS: Final = 5.0
"""How long one question may take, with all its retries."""

_FEWEST_LABELS: Final = 2
_MOST_STEPS_UP: Final = 8
"""How many domains are asked for a DMARC record at most."""
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_KEY = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_POLICIES = frozenset({"none", "quarantine", "reject"})


class RecordState(StrEnum):
    """What is to be found under a name.

    `several` is more than the one record that may stand there, which receivers take for an error or for none.
    `unreachable`: no name server gave an answer, so nothing is known.
    """

    PRESENT = "present"
    MISSING = "missing"
    SEVERAL = "several"
    MALFORMED = "malformed"
    REVOKED = "revoked"
    UNREACHABLE = "unreachable"


class MailState(StrEnum):
    """Whether mail to a domain finds a server. Bounces and replies need one.

    `addresses` is no MX record and a host of that name, which counts as one (RFC 5321 section 5.1); `null` is a domain
    that says it takes no mail (RFC 7505).
    """

    PRESENT = "present"
    ADDRESSES = "addresses"
    NULL = "null"
    MISSING = "missing"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Record:
    """What was found under `name`. `text` is the record, or the several, cleaned; None where there is none."""

    name: str
    state: RecordState
    text: str | None = None


@dataclass(frozen=True)
class SpfRecord(Record):
    """An SPF record. `judgement` is what receivers make of it where it is the only one."""

    judgement: SpfJudgement = SOUND


@dataclass(frozen=True)
class DmarcRecord(Record):
    """The DMARC record that holds for a domain. `name` says where it stands: at the domain, or at one above it.

    `policy` is what it asks for letters of this domain that fail: `none`, `quarantine` or `reject`.
    """

    policy: str | None = None


@dataclass(frozen=True)
class DkimRecord(Record):
    """A DKIM key. `revoked` is a record with an empty key (RFC 6376 section 3.6.1), `malformed` one with no key that
    receivers could read."""

    selector: str = ""


@dataclass(frozen=True)
class MailServers:
    """Who takes mail for a domain. `hosts` are in the order in which they are tried."""

    state: MailState
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class MailDns:
    """What the domain name system says about mail from and to `domain`. `dkim` has one finding for each selector."""

    domain: str
    spf: SpfRecord
    dmarc: DmarcRecord
    dkim: tuple[DkimRecord, ...]
    mx: MailServers


class _Unreachable(Exception):
    """Nobody answered the question."""


def look_up_mail_dns(
    domain: str,
    *,
    selectors: Sequence[str] = (),
    resolver: Resolver | None = None,
    lifetime_seconds: float = LIFETIME_SECONDS,
) -> MailDns:
    """Look up the records of a domain that letters are sent from.

    `domain` is what stands behind the @ of the address that is looked at: for DKIM and DMARC the one in From, for SPF
    and MX the one of the return path. `selectors` are the relay's; a key cannot be found without its selector. Without
    a `resolver` the system's own name servers are asked. Each question takes `lifetime_seconds` at most, and where
    nobody answers there are three of them and one for each selector. What an SPF record includes is asked for too, ten
    times at most, and no more once nobody answers.

    Raises ValueError for a domain or selector that is no name, and for nothing that the network does.
    """
    origin = _name(domain)
    names = [_name(f"{selector}._domainkey", origin) for selector in selectors]
    questions = _Questions(resolver, lifetime_seconds)
    return MailDns(
        domain=_shown(origin),
        spf=_look_up_spf(questions, origin),
        dmarc=_look_up_dmarc(questions, origin),
        dkim=tuple(_look_up_dkim(questions, name, selector) for name, selector in zip(names, selectors, strict=True)),
        mx=_look_up_mx(questions, origin),
    )


class _Questions:
    def __init__(self, resolver: Resolver | None, lifetime: float) -> None:
        self._resolver = resolver
        self._lifetime = lifetime

    def ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> list[object]:
        """Return the records, none where the name or the kind is not there. Raises `_Unreachable`."""
        try:
            if self._resolver is None:
                self._resolver = Resolver()
            answer = self._resolver.resolve(name, kind, lifetime=self._lifetime, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError) as trouble:
            # SERVFAIL and REFUSED from all, silence, nonsense, an endless chain of aliases, or no resolver configured.
            raise _Unreachable from trouble
        return [] if answer.rrset is None else list(answer.rrset)

    def texts(self, name: dns.name.Name) -> list[str]:
        """Return the text records. One record's strings belong together without a space (RFC 7208 section 3.3)."""
        records = self.ask(name, dns.rdatatype.TXT)
        return [b"".join(each.strings).decode("utf-8", "replace") for each in records if isinstance(each, TXT)]


def _look_up_spf(questions: _Questions, domain: dns.name.Name) -> SpfRecord:
    name = _shown(domain)
    try:
        texts = questions.texts(domain)
    except _Unreachable:
        return SpfRecord(name, RecordState.UNREACHABLE)
    found = [text for text in texts if is_spf(text)]

    def read_texts(included: str) -> list[str] | None:
        try:
            return questions.texts(_name(included))
        except ValueError:
            return []
        except _Unreachable:
            return None

    judgement = judge_spf(name, found[0], read_texts) if len(found) == 1 else SOUND
    return SpfRecord(name, _count(found), _text(found), judgement)


def _look_up_dmarc(questions: _Questions, domain: dns.name.Name) -> DmarcRecord:
    # Without a list of registries nobody can tell which name above was registered: the nearest with a record counts.
    for step in range(_MOST_STEPS_UP):
        above = dns.name.Name(domain.labels[step:])
        if step and len(above) - 1 < _FEWEST_LABELS:
            break
        name = _name("_dmarc", above)
        try:
            texts = questions.texts(name)
        except _Unreachable:
            return DmarcRecord(_shown(name), RecordState.UNREACHABLE)
        found = [text for text in texts if re.match(r"v\s*=\s*DMARC1\s*(?:;|\Z)", text)]
        if found:
            return _judge_dmarc(_shown(name), found, is_inherited=step > 0)
    return DmarcRecord(_shown(_name("_dmarc", domain)), RecordState.MISSING)


def _judge_dmarc(name: str, found: list[str], *, is_inherited: bool) -> DmarcRecord:
    if len(found) > 1:
        return DmarcRecord(name, RecordState.SEVERAL, _text(found))
    tags = _tags(found[0])
    policy = tags.get("p", "").lower()
    if is_inherited:
        policy = tags.get("sp", policy).lower()
    is_known = policy in _POLICIES
    state = RecordState.PRESENT if is_known else RecordState.MALFORMED
    return DmarcRecord(name, state, _text(found), policy if is_known else None)


def _look_up_dkim(questions: _Questions, name: dns.name.Name, selector: str) -> DkimRecord:
    shown = _shown(name)
    try:
        found = questions.texts(name)
    except _Unreachable:
        return DkimRecord(shown, RecordState.UNREACHABLE, selector=selector)
    state = _count(found)
    if state is RecordState.PRESENT:
        tags = _tags(found[0])
        key = tags.get("p")
        # RFC 6376 section 3.6.1: another version is passed over, as is a key that is no base64.
        if key is None or (key and not _KEY.fullmatch(key)) or tags.get("v", "DKIM1") != "DKIM1":
            state = RecordState.MALFORMED
        elif not key:
            state = RecordState.REVOKED
    return DkimRecord(shown, state, _text(found), selector=selector)


def _look_up_mx(questions: _Questions, domain: dns.name.Name) -> MailServers:
    try:
        records = [each for each in questions.ask(domain, dns.rdatatype.MX) if isinstance(each, MX)]
        records.sort(key=lambda each: (each.preference, each.exchange))
        hosts = tuple(_shown(each.exchange) for each in records if each.exchange != dns.name.root)
        if hosts:
            return MailServers(MailState.PRESENT, hosts)
        if records:
            return MailServers(MailState.NULL)
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            if questions.ask(domain, kind):
                return MailServers(MailState.ADDRESSES, (_shown(domain),))
    except _Unreachable:
        return MailServers(MailState.UNREACHABLE)
    return MailServers(MailState.MISSING)


def _count(found: list[str]) -> RecordState:
    if not found:
        return RecordState.MISSING
    return RecordState.PRESENT if len(found) == 1 else RecordState.SEVERAL


def _text(found: list[str]) -> str | None:
    return clean_answer(" | ".join(sorted(found))) if found else None


def _tags(text: str) -> dict[str, str]:
    """Read `v=DMARC1; p=reject`: the form of DMARC records and DKIM keys (RFC 6376 section 3.2)."""
    pairs = (piece.partition("=") for piece in text.split(";"))
    return {name.strip().lower(): "".join(value.split()) for name, equals, value in pairs if equals}


def _name(text: str, origin: dns.name.Name = dns.name.root) -> dns.name.Name:
    try:
        plain = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
        plain = plain.removesuffix(".")
        if not _NAME.fullmatch(plain):
            raise ValueError(plain)
        return dns.name.from_text(plain, origin)
    except (ValueError, dns.exception.DNSException) as trouble:
        raise ValueError(f"{text!r} is no name in the domain name system, or too long for one") from trouble


def _shown(name: dns.name.Name) -> str:
    return clean_answer(name.to_text(omit_final_dot=True)).lower()
