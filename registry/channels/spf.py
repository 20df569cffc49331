"""What receivers will make of an SPF record, as far as can be told without a letter (RFC 7208).

They read the record and all that it includes, and take a fault anywhere for a fault of the whole (`permerror`): then
nobody is let send, whoever the record names. Which addresses stand behind a name is not looked up, only counted.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_LOOK_UPS: Final = 10
"""So many terms of a record and of all that it includes may make receivers ask a name server (section 4.6.4)."""

_VERSION: Final = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_MODIFIER: Final = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE)
_MECHANISM: Final = re.compile(
    r"(?P<qualifier>[-+?~]?)(?P<kind>[a-z0-9]+)(?::(?P<value>(?:%\{[^}]*\}|%(?!\{)|[^/%])+))?(?P<length>/.*)?",
    re.IGNORECASE | re.DOTALL,
)
_DOMAIN: Final = re.compile(r"(?:[!-$&-.0-~]|%\{[slodiphcrtv][0-9]{0,3}r?[.\-+,/_=]*\}|%[%_-])+", re.IGNORECASE)
_LENGTHS: Final = re.compile(r"(?:/([0-9]{1,2}))?(?://([0-9]{1,3}))?")
_LONGEST_4: Final = 32
_LONGEST_6: Final = 128
_ASKS: Final = frozenset({"include", "redirect", "a", "mx", "ptr", "exists"})


class SpfFault(StrEnum):
    """What is wrong with a record. Those of PERMANENT_ERRORS are a `permerror` to receivers.

    `nothing included` is also where several records stand. `names nobody`: no server is let send by it. `unreachable`:
    what it includes could not be read, so nothing is known.
    """

    MALFORMED = "malformed"
    NOTHING_INCLUDED = "nothing included"
    CIRCLE = "circle"
    TOO_MANY_LOOK_UPS = "too many look-ups"
    NAMES_NOBODY = "names nobody"
    LETS_EVERYBODY = "lets everybody"
    UNREACHABLE = "unreachable"


PERMANENT_ERRORS: Final = frozenset(
    {SpfFault.MALFORMED, SpfFault.NOTHING_INCLUDED, SpfFault.CIRCLE, SpfFault.TOO_MANY_LOOK_UPS}
)


@dataclass(frozen=True)
class SpfJudgement:
    """What receivers make of a record: `fault` is None where nothing speaks against it.

    `term` is the one at fault, as it is written, and `domain` the name whose record it stands in; None where no single
    one is.
    """

    fault: SpfFault | None = None
    term: str | None = None
    domain: str | None = None


SOUND: Final = SpfJudgement()

ReadTexts = Callable[[str], list[str] | None]
"""Returns the text records under a name, none where there are none, and None where no name server answers."""


def is_spf(text: str) -> bool:
    """Whether a text record is one of SPF: the version stands alone or before a space, in any case (section 4.5)."""
    return _VERSION.match(text) is not None


def judge_spf(domain: str, text: str, read_texts: ReadTexts) -> SpfJudgement:
    """Return what receivers make of `text`, the SPF record of `domain`.

    `read_texts` is called for what it includes, MOST_LOOK_UPS times at most, and never again once it returned None.
    """
    walk = _Walk(read_texts)
    try:
        walk.read(domain.lower(), text, ())
    except _Faulty as faulty:
        return faulty.judgement
    if walk.asked_in_vain is not None:
        return walk.asked_in_vain
    if not walk.names_somebody:
        return SpfJudgement(SpfFault.NAMES_NOBODY)
    return walk.lets_everybody or SOUND


class _Faulty(Exception):
    def __init__(self, fault: SpfFault, term: str, domain: str) -> None:
        super().__init__(fault)
        self.judgement = SpfJudgement(fault, term, domain)


@dataclass(frozen=True)
class _Term:
    """One term of a record. `value` is what stands behind its first `:` or `=`."""

    text: str
    kind: str
    qualifier: str
    value: str
    holds_all_addresses: bool = False


class _Walk:
    """Reads a record and what it includes, in the order in which receivers do."""

    def __init__(self, read_texts: ReadTexts) -> None:
        self._read_texts = read_texts
        self._look_ups = 0
        self.names_somebody = False
        self.lets_everybody: SpfJudgement | None = None
        self.asked_in_vain: SpfJudgement | None = None

    def read(self, domain: str, text: str, within: tuple[str, ...], *, lets: bool = True) -> None:
        """Read the record of a domain; `lets` is whether whom it names may send by all that lead to it."""
        terms = _terms_of(domain, text)
        mechanisms = [term for term in terms if term.kind != "redirect"]
        # What stands behind `all` is not read, and no redirection is followed where there is one (section 5.1).
        kinds = [term.kind for term in mechanisms]
        if "all" in kinds:
            read = mechanisms[: kinds.index("all") + 1]
        else:
            read = [*mechanisms, *(term for term in terms if term.kind == "redirect")]
        for term in read:
            lets_these = lets and term.qualifier in ("", "+")
            if term.kind in _ASKS:
                self._look_ups += 1
                if self._look_ups > MOST_LOOK_UPS:
                    raise _Faulty(SpfFault.TOO_MANY_LOOK_UPS, term.text, domain)
            if term.kind in ("include", "redirect"):
                self._follow(domain, term, (*within, domain), lets=lets_these)
            elif lets_these:
                self.names_somebody = True
                if term.holds_all_addresses and self.lets_everybody is None:
                    self.lets_everybody = SpfJudgement(SpfFault.LETS_EVERYBODY, term.text, domain)

    def _follow(self, domain: str, term: _Term, within: tuple[str, ...], *, lets: bool) -> None:
        target = term.value.removesuffix(".").lower()
        if "%" in target:
            # Where it leads depends on each letter.
            self.names_somebody = self.names_somebody or lets
            return
        if target in within:
            raise _Faulty(SpfFault.CIRCLE, term.text, domain)
        if self.asked_in_vain is not None:
            return
        texts = self._read_texts(target)
        if texts is None:
            self.asked_in_vain = SpfJudgement(SpfFault.UNREACHABLE, term.text, domain)
            return
        found = [text for text in texts if is_spf(text)]
        if len(found) != 1:
            raise _Faulty(SpfFault.NOTHING_INCLUDED, term.text, domain)
        self.read(target, found[0], within, lets=lets)


def _terms_of(domain: str, text: str) -> list[_Term]:
    """The mechanisms of a record, and where it redirects to. Receivers read all of them first (section 4.6)."""
    terms = []
    modifiers: set[str] = set()
    for word in filter(None, text.split(" ")[1:]):
        modifier = _MODIFIER.fullmatch(word)
        if modifier is None:
            term = _mechanism_of(word)
        else:
            name, value = modifier[1].lower(), modifier[2]
            term = None
            if name not in ("redirect", "exp"):
                # Others are passed over, whatever they are (section 6).
                continue
            if name not in modifiers and _is_domain(value):
                modifiers.add(name)
                term = _Term(word, name, "", value)
        if term is None:
            raise _Faulty(SpfFault.MALFORMED, word, domain)
        if term.kind != "exp":
            terms.append(term)
    return terms


def _mechanism_of(word: str) -> _Term | None:
    """A mechanism as it is written, or None where it is none (section 12)."""
    matched = _MECHANISM.fullmatch(word)
    if matched is None:
        return None
    kind, value, length = matched["kind"].lower(), matched["value"] or "", matched["length"] or ""
    holds_all = kind == "all"
    match kind:
        case "all":
            is_sound = matched["value"] is None and not length
        case "include" | "exists":
            is_sound = _is_domain(value) and not length
        case "ptr":
            is_sound = (matched["value"] is None or _is_domain(value)) and not length
        case "a" | "mx":
            is_sound = (matched["value"] is None or _is_domain(value)) and _are_lengths(length)
        case "ip4" | "ip6":
            network = _network_of(kind, value + length)
            is_sound = network is not None
            holds_all = network is not None and network.prefixlen == 0
        case _:
            is_sound = False
    return _Term(word, kind, matched["qualifier"], value, holds_all) if is_sound else None


def _is_domain(value: str) -> bool:
    """Whether this may stand for a domain: a name of two labels at least, or one that a letter makes whole."""
    return _DOMAIN.fullmatch(value) is not None and ("." in value.strip(".") or value.endswith("}"))


def _are_lengths(text: str) -> bool:
    matched = _LENGTHS.fullmatch(text)
    return matched is not None and int(matched[1] or 0) <= _LONGEST_4 and int(matched[2] or 0) <= _LONGEST_6


def _network_of(kind: str, text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    address, _, length = text.partition("/")
    if ("/" in text and not re.fullmatch(r"[0-9]{1,3}", length)) or "%" in address:
        return None
    try:
        return (ipaddress.IPv4Network if kind == "ip4" else ipaddress.IPv6Network)(text, strict=False)
    except ValueError:
        return None
