"""What receivers make of an SPF record, asked of a real name server on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from registry.channels.mail_dns import RecordState, look_up_mail_dns
from registry.channels.spf import MOST_LOOK_UPS, SOUND, SpfFault, SpfJudgement, judge_spf
from tests.channels.dns_server import SERVFAIL, SILENCE, DnsServer

DOMAIN = "registry.example"
RELAY = "relay.example"
NOBODY = SpfJudgement(SpfFault.NAMES_NOBODY)


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer() as server:
        server.put(RELAY, "TXT", '"v=spf1 ip4:192.0.2.0/24 -all"', '"some-site-verification=1234"')
        yield server


def judge(server: DnsServer, text: str) -> SpfJudgement:
    server.put(DOMAIN, "TXT", f'"{text}"')
    found = look_up_mail_dns(DOMAIN, resolver=server.resolver(), lifetime_seconds=2).spf
    assert found.state is RecordState.PRESENT
    return found.judgement


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1 include:relay.example -all",
        "V=SPF1 Include:Relay.Example. ~ALL",
        "v=spf1 redirect=relay.example",
        "v=spf1  ip4:192.0.2.1  -all ",
        "v=spf1 ip4:192.0.2.1/24 ip6:2001:db8::/32 ip6:::1 ?all",
        "v=spf1 mx a/24 a:mail.registry.example/24//64 mx//64 ptr ptr:registry.example -all",
        "v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all",
        "v=spf1 include:%{d}.relay.example -all",
        "v=spf1 exists:%{l-}.relay.example exp=explain._spf.%{d} -all",
        "v=spf1 mx ra=postmaster rp=100 unknown-modifier=%%x include=nowhere.example -all",
        "v=spf1 +mx -all redirect=nowhere.example",
        "v=spf1 mx -all include:nowhere.example",
    ],
)
def test_a_record_that_names_somebody_is_sound(server: DnsServer, text: str) -> None:
    assert judge(server, text) == SOUND


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1",
        "v=spf1 -all",
        "v=spf1 ~all",
        "v=spf1 ?all",
        "v=spf1 -mx ?ip4:192.0.2.1 ~all",
        "v=spf1 -all mx",
        "v=spf1 ?include:relay.example -all",
        "v=spf1 include:nobody.example -all",
        "v=spf1 redirect=nobody.example",
        "v=spf1 -all redirect=relay.example",
    ],
)
def test_a_record_may_name_nobody(server: DnsServer, text: str) -> None:
    server.put("nobody.example", "TXT", '"v=spf1 ~all"')
    assert judge(server, text) == NOBODY


@pytest.mark.parametrize(
    ("text", "term", "domain"),
    [
        ("v=spf1 +all", "+all", DOMAIN),
        ("v=spf1 mx all", "all", DOMAIN),
        ("v=spf1 ip4:0.0.0.0/0 -all", "ip4:0.0.0.0/0", DOMAIN),
        ("v=spf1 include:everybody.example -all", "+all", "everybody.example"),
        ("v=spf1 redirect=everybody.example", "+all", "everybody.example"),
    ],
)
def test_a_record_may_let_everybody(server: DnsServer, text: str, term: str, domain: str) -> None:
    server.put("everybody.example", "TXT", '"v=spf1 +all"')
    assert judge(server, text) == SpfJudgement(SpfFault.LETS_EVERYBODY, term, domain)


@pytest.mark.parametrize(
    "term",
    [
        "ipv4:192.0.2.1",
        "ip4",
        "ip4:192.0.2",
        "ip4:192.0.2.1/33",
        "ip4:192.0.2.1/255.255.255.0",
        "ip4:2001:db8::1",
        "ip6:192.0.2.1",
        "ip6:fe80::1%eth0",
        "include",
        "include:",
        "include:relay",
        "include:relay.example/24",
        "exists:%{x}.example",
        "a:",
        "a/33",
        "a//129",
        "mx/24/64",
        "all:relay.example",
        "-+all",
        "redirect=",
        "redirect=relay",
        "mx,a",
        "192.0.2.1",
        "\\255",
    ],
)
def test_a_term_that_spf_does_not_know_spoils_the_record_wherever_it_stands(server: DnsServer, term: str) -> None:
    judgement = judge(server, f"v=spf1 mx -all {term}")
    assert (judgement.fault, judgement.domain) == (SpfFault.MALFORMED, DOMAIN)
    assert judgement.term == term.replace("\\255", "\ufffd")


def test_a_modifier_stands_once(server: DnsServer) -> None:
    judgement = judge(server, "v=spf1 redirect=relay.example redirect=relay.example")
    assert judgement == SpfJudgement(SpfFault.MALFORMED, "redirect=relay.example", DOMAIN)


def test_a_fault_in_what_is_included_is_one_of_the_whole(server: DnsServer) -> None:
    server.put("outer.example", "TXT", '"v=spf1 include:inner.example -all"')
    server.put("inner.example", "TXT", '"v=spf1 ipv4:192.0.2.1 -all"')
    judgement = judge(server, "v=spf1 mx include:outer.example -all")
    assert judgement == SpfJudgement(SpfFault.MALFORMED, "ipv4:192.0.2.1", "inner.example")


@pytest.mark.parametrize("term", ["include:{}", "redirect={}", "-include:{}"])
@pytest.mark.parametrize("target", ["nowhere.example", "other.example", "two.example", "a..b.example"])
def test_what_is_included_must_have_one_spf_record(server: DnsServer, term: str, target: str) -> None:
    server.put("other.example", "TXT", '"hello"')
    server.put("two.example", "TXT", '"v=spf1 mx -all"', '"v=spf1 a -all"')
    at_fault = term.format(target)
    judgement = judge(server, f"v=spf1 mx {at_fault}")
    assert judgement == SpfJudgement(SpfFault.NOTHING_INCLUDED, at_fault, DOMAIN)


@pytest.mark.parametrize("term", [f"include:{DOMAIN}", "include:Registry.Example.", f"redirect={DOMAIN}"])
def test_a_record_that_includes_itself_is_an_error(server: DnsServer, term: str) -> None:
    assert judge(server, f"v=spf1 mx {term}") == SpfJudgement(SpfFault.CIRCLE, term, DOMAIN)


def test_a_circle_of_several_is_found_too(server: DnsServer) -> None:
    server.put("other.example", "TXT", f'"v=spf1 include:{DOMAIN} -all"')
    judgement = judge(server, "v=spf1 mx include:other.example -all")
    assert judgement == SpfJudgement(SpfFault.CIRCLE, f"include:{DOMAIN}", "other.example")


def test_what_two_include_alike_is_no_circle(server: DnsServer) -> None:
    for name in ("one.example", "two.example"):
        server.put(name, "TXT", '"v=spf1 include:relay.example -all"')
    assert judge(server, "v=spf1 include:one.example include:two.example -all") == SOUND


def test_as_many_look_ups_as_receivers_make_are_let_and_no_more(server: DnsServer) -> None:
    for n in range(12):
        server.put(f"i{n}.example", "TXT", '"v=spf1 ip4:192.0.2.1 -all"')
    ten = " ".join(f"include:i{n}.example" for n in range(MOST_LOOK_UPS))
    assert judge(server, f"v=spf1 {ten} ip4:192.0.2.1 -all") == SOUND


@pytest.mark.parametrize("last", ["a", "mx", "ptr", "exists:x.example", "include:i10.example", "redirect=i10.example"])
def test_an_eleventh_look_up_of_any_kind_is_an_error(server: DnsServer, last: str) -> None:
    for n in range(12):
        server.put(f"i{n}.example", "TXT", '"v=spf1 ip4:192.0.2.1 -all"')
    ten = " ".join(f"include:i{n}.example" for n in range(MOST_LOOK_UPS))
    judgement = judge(server, f"v=spf1 {ten} {last}")
    assert judgement == SpfJudgement(SpfFault.TOO_MANY_LOOK_UPS, last, DOMAIN)
    assert ("i10.example", "TXT") not in server.asked


def test_look_ups_of_what_is_included_count_too_and_are_made_no_oftener(server: DnsServer) -> None:
    for n in range(40):
        server.put(f"i{n}.example", "TXT", f'"v=spf1 include:i{n + 1}.example -all"')
    judgement = judge(server, "v=spf1 mx include:i0.example -all")
    assert judgement == SpfJudgement(SpfFault.TOO_MANY_LOOK_UPS, "include:i9.example", "i8.example")
    assert len([name for name, _ in server.asked if name.startswith("i")]) == MOST_LOOK_UPS - 1


def test_where_nobody_answers_for_what_is_included_nothing_is_known_and_nobody_else_is_asked(server: DnsServer) -> None:
    server.misbehave("mute.example", SILENCE)
    server.misbehave("broken.example", SERVFAIL)
    judgement = judge(server, "v=spf1 include:mute.example include:broken.example -all")
    assert judgement == SpfJudgement(SpfFault.UNREACHABLE, "include:mute.example", DOMAIN)
    assert ("broken.example", "TXT") not in server.asked


def test_a_fault_in_the_record_itself_is_known_although_nobody_answers_for_what_it_includes(server: DnsServer) -> None:
    server.misbehave("mute.example", SILENCE)
    judgement = judge(server, "v=spf1 include:mute.example ipv4:192.0.2.1 -all")
    assert judgement == SpfJudgement(SpfFault.MALFORMED, "ipv4:192.0.2.1", DOMAIN)


@pytest.mark.parametrize("piece", ["%{a}", "%", "%{", "1", ":", "a/", "a ", "%%", "."])
@pytest.mark.parametrize("end", ["", "/\n", "!/", "}"])
def test_a_record_made_for_it_keeps_nobody_searching(piece: str, end: str) -> None:
    began = time.process_time()
    for kind in ("a:", "ip4:", "include:", "exp="):
        judge_spf(DOMAIN, f"v=spf1 {kind}{piece * (60_000 // len(piece))}{end}", lambda _: [])
    assert time.process_time() - began < 2
