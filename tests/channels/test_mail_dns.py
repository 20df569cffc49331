"""Whether a domain is set up for mail, asked of a real name server on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dns.resolver import Resolver

from registry.channels.mail_dns import (
    DkimRecord,
    DmarcRecord,
    MailDns,
    MailServers,
    MailState,
    RecordState,
    SpfRecord,
    look_up_mail_dns,
)
from tests.channels.dns_server import NONSENSE, REFUSED, SERVFAIL, SILENCE, TRUNCATED, DnsServer, Misbehaviour

DOMAIN = "registry.example"
SPF = "v=spf1 include:relay.example -all"
KEY = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3"


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer() as server:
        yield server


def look_up(server: DnsServer, domain: str = DOMAIN, *selectors: str, seconds: float = 5) -> MailDns:
    return look_up_mail_dns(domain, selectors=selectors, resolver=server.resolver(), lifetime_seconds=seconds)


def test_a_domain_with_everything_in_place_is_found_so(server: DnsServer) -> None:
    server.put(DOMAIN, "TXT", '"some-site-verification=1234"', f'"{SPF}"')
    server.put("relay.example", "TXT", '"v=spf1 ip4:192.0.2.0/24 -all"')
    server.put(DOMAIN, "MX", "20 backup.registry.example.", "10 Mail.registry.example.")
    server.put(f"_dmarc.{DOMAIN}", "TXT", '"v=DMARC1; p=reject; rua=mailto:dmarc@registry.example"')
    server.put(f"relay1._domainkey.{DOMAIN}", "TXT", f'"{KEY}"')
    server.put(f"relay2._domainkey.{DOMAIN}", "CNAME", "relay2.keys.relay.example.")
    server.put("relay2.keys.relay.example", "TXT", f'"{KEY}"')
    assert look_up(server, DOMAIN, "relay1", "relay2") == MailDns(
        domain=DOMAIN,
        spf=SpfRecord(DOMAIN, RecordState.PRESENT, SPF),
        dmarc=DmarcRecord(
            f"_dmarc.{DOMAIN}",
            RecordState.PRESENT,
            "v=DMARC1; p=reject; rua=mailto:dmarc@registry.example",
            "reject",
        ),
        dkim=(
            DkimRecord(f"relay1._domainkey.{DOMAIN}", RecordState.PRESENT, KEY, "relay1"),
            DkimRecord(f"relay2._domainkey.{DOMAIN}", RecordState.PRESENT, KEY, "relay2"),
        ),
        mx=MailServers(MailState.PRESENT, ("mail.registry.example", "backup.registry.example")),
    )


def test_a_domain_that_is_not_there_lacks_everything_and_is_not_unreachable(server: DnsServer) -> None:
    found = look_up(server, DOMAIN, "relay")
    assert found.spf == SpfRecord(DOMAIN, RecordState.MISSING)
    assert found.dmarc == DmarcRecord(f"_dmarc.{DOMAIN}", RecordState.MISSING)
    assert found.dkim == (DkimRecord(f"relay._domainkey.{DOMAIN}", RecordState.MISSING, None, "relay"),)
    assert found.mx == MailServers(MailState.MISSING)


def test_a_domain_that_has_other_records_lacks_the_ones_for_mail(server: DnsServer) -> None:
    server.put(DOMAIN, "NS", "ns.registry.example.")
    server.put(f"_dmarc.{DOMAIN}", "TXT", '"hello"', '"v=DMARC12; p=none"')
    found = look_up(server)
    assert (found.spf.state, found.dmarc.state, found.mx.state) == (
        RecordState.MISSING,
        RecordState.MISSING,
        MailState.MISSING,
    )


@pytest.mark.parametrize("how", [SILENCE, SERVFAIL, REFUSED, NONSENSE])
def test_a_server_that_gives_no_answer_is_told_apart_from_records_that_are_missing(
    server: DnsServer, how: Misbehaviour
) -> None:
    for name in (DOMAIN, f"_dmarc.{DOMAIN}", f"relay._domainkey.{DOMAIN}"):
        server.misbehave(name, how)
    found = look_up(server, DOMAIN, "relay", seconds=0.5)
    assert found.spf == SpfRecord(DOMAIN, RecordState.UNREACHABLE)
    assert found.dmarc == DmarcRecord(f"_dmarc.{DOMAIN}", RecordState.UNREACHABLE)
    assert found.dkim == (DkimRecord(f"relay._domainkey.{DOMAIN}", RecordState.UNREACHABLE, None, "relay"),)
    assert found.mx == MailServers(MailState.UNREACHABLE)


def test_one_name_that_gives_no_answer_leaves_the_others_known(server: DnsServer) -> None:
    server.put(DOMAIN, "TXT", f'"{SPF}"')
    server.misbehave(DOMAIN, SERVFAIL, "MX")
    found = look_up(server)
    assert found.spf.state is RecordState.PRESENT
    assert found.mx.state is MailState.UNREACHABLE
    assert found.dmarc.state is RecordState.MISSING


def test_nobody_at_the_address_of_the_name_server_is_unreachable() -> None:
    with DnsServer() as server:
        resolver = server.resolver()
    found = look_up_mail_dns(DOMAIN, resolver=resolver, lifetime_seconds=0.5)
    assert found.spf.state is RecordState.UNREACHABLE
    assert found.mx.state is MailState.UNREACHABLE


def test_a_machine_without_name_servers_is_unreachable() -> None:
    found = look_up_mail_dns(DOMAIN, resolver=Resolver(configure=False), lifetime_seconds=1)
    assert (found.spf.state, found.mx.state) == (RecordState.UNREACHABLE, MailState.UNREACHABLE)


def test_an_answer_too_long_for_udp_is_read_over_tcp(server: DnsServer) -> None:
    long = "v=spf1 " + " ".join(f"ip4:192.0.2.{n}" for n in range(200)) + " -all"
    pieces = " ".join(f'"{long[start : start + 250]}"' for start in range(0, len(long), 250))
    server.put(DOMAIN, "TXT", pieces)
    server.misbehave(DOMAIN, TRUNCATED, "TXT")
    found = look_up(server)
    assert found.spf.state is RecordState.PRESENT
    assert found.spf.text is not None
    assert found.spf.text.startswith("v=spf1 ip4:192.0.2.0 ip4:192.0.2.1")
    assert server.asked.count((DOMAIN, "TXT")) == 2


@pytest.mark.parametrize(
    ("texts", "state"),
    [
        (['"v=spf1 -all"'], RecordState.PRESENT),
        (['"V=SPF1"'], RecordState.PRESENT),
        (['"v=spf1 incl" "ude:relay.example -all"'], RecordState.PRESENT),
        (['"v=spf10 -all"'], RecordState.MISSING),
        (['"spf2.0/pra -all"'], RecordState.MISSING),
        (['"v=spf1 -all"', '"v=spf1 include:relay.example ~all"'], RecordState.SEVERAL),
    ],
)
def test_an_spf_record_is_one_that_begins_with_its_version(
    server: DnsServer, texts: list[str], state: RecordState
) -> None:
    server.put(DOMAIN, "TXT", *texts)
    assert look_up(server).spf.state is state


def test_the_strings_of_one_record_belong_together_and_several_records_are_all_shown(server: DnsServer) -> None:
    server.put(DOMAIN, "TXT", '"v=spf1 incl" "ude:relay.example -all"', '"v=spf1 a -all"')
    assert look_up(server).spf.text == "v=spf1 a -all | v=spf1 include:relay.example -all"


@pytest.mark.parametrize(
    ("texts", "state", "policy"),
    [
        (['"v=DMARC1; p=none"'], RecordState.PRESENT, "none"),
        (['"v=DMARC1;p=Quarantine;pct=50"'], RecordState.PRESENT, "quarantine"),
        (['"v = DMARC1 ; p = reject"'], RecordState.PRESENT, "reject"),
        (['"v=DMARC1; p=always"'], RecordState.MALFORMED, None),
        (['"v=DMARC1"'], RecordState.MALFORMED, None),
        (['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'], RecordState.SEVERAL, None),
    ],
)
def test_a_dmarc_record_is_shown_with_its_policy(
    server: DnsServer, texts: list[str], state: RecordState, policy: str | None
) -> None:
    server.put(f"_dmarc.{DOMAIN}", "TXT", *texts)
    found = look_up(server).dmarc
    assert (found.state, found.policy) == (state, policy)


@pytest.mark.parametrize(
    ("record", "policy"), [("v=DMARC1; p=reject", "reject"), ("v=DMARC1; p=none; sp=quarantine", "quarantine")]
)
def test_a_domain_below_another_has_the_policy_of_the_nearest_one_above(
    server: DnsServer, record: str, policy: str
) -> None:
    server.put("_dmarc.company.example", "TXT", f'"{record}"')
    found = look_up(server, "notices.registry.company.example")
    assert found.dmarc == DmarcRecord("_dmarc.company.example", RecordState.PRESENT, record, policy)
    assert ("_dmarc.example", "TXT") not in server.asked


def test_the_way_up_ends_where_nobody_answers(server: DnsServer) -> None:
    server.put("_dmarc.company.example", "TXT", '"v=DMARC1; p=reject"')
    server.misbehave("_dmarc.registry.company.example", SERVFAIL)
    found = look_up(server, "notices.registry.company.example")
    assert found.dmarc == DmarcRecord("_dmarc.registry.company.example", RecordState.UNREACHABLE)


def test_a_domain_of_many_labels_is_not_asked_for_without_end(server: DnsServer) -> None:
    look_up(server, ".".join("abcdefghijklmnop") + ".example")
    assert len([name for name, _ in server.asked if name.startswith("_dmarc.")]) == 8


@pytest.mark.parametrize(
    ("texts", "state"),
    [
        (['"k=rsa; p=MIGf MA0G"'], RecordState.PRESENT),
        (['"v=DKIM1; p="'], RecordState.REVOKED),
        (['"v=DKIM1; p=MIGfMA=="'], RecordState.PRESENT),
        (['"v=DKIM1; p=!!!"'], RecordState.MALFORMED),
        (['"v=DKIM1; p=\\"MIGf\\""'], RecordState.MALFORMED),
        (['"v=DKIM1; p=MIGf=MA0"'], RecordState.MALFORMED),
        (['"v=DKIM2; p=MIGf"'], RecordState.MALFORMED),
        (['"v=DKIM1; k=rsa"'], RecordState.MALFORMED),
        (['"hello"'], RecordState.MALFORMED),
        (['"v=DKIM1; p=MIGf"', '"v=DKIM1; p=MIGg"'], RecordState.SEVERAL),
    ],
)
def test_a_key_is_present_only_where_there_is_one(server: DnsServer, texts: list[str], state: RecordState) -> None:
    server.put(f"relay._domainkey.{DOMAIN}", "TXT", *texts)
    [found] = look_up(server, DOMAIN, "relay").dkim
    assert found.state is state


@pytest.mark.parametrize(
    ("kind", "record", "mx"),
    [
        ("MX", "0 .", MailServers(MailState.NULL)),
        ("A", "192.0.2.1", MailServers(MailState.ADDRESSES, (DOMAIN,))),
        ("AAAA", "2001:db8::1", MailServers(MailState.ADDRESSES, (DOMAIN,))),
        ("TXT", '"nothing"', MailServers(MailState.MISSING)),
    ],
)
def test_where_there_is_no_mail_server_it_is_said_whether_mail_finds_one_all_the_same(
    server: DnsServer, kind: str, record: str, mx: MailServers
) -> None:
    server.put(DOMAIN, kind, record)
    assert look_up(server).mx == mx


def test_an_alias_that_leads_in_a_circle_is_unreachable(server: DnsServer) -> None:
    server.put(f"relay._domainkey.{DOMAIN}", "CNAME", "x.keys.example.")
    server.put("x.keys.example", "CNAME", "nowhere.keys.example.")
    server.put(f"loop._domainkey.{DOMAIN}", "CNAME", f"loop._domainkey.{DOMAIN}.")
    missing, loop = look_up(server, DOMAIN, "relay", "loop", seconds=2).dkim
    assert (missing.state, loop.state) == (RecordState.MISSING, RecordState.UNREACHABLE)


def test_what_stands_in_a_record_is_made_fit_to_be_shown(server: DnsServer) -> None:
    server.put(DOMAIN, "TXT", r'"v=spf1 \027[31m \255 -all"')
    text = look_up(server).spf.text
    assert text == "v=spf1 [31m \ufffd -all"


@pytest.mark.parametrize("written", ["REGISTRY.Example", "registry.example.", "réġistry.example"])
def test_a_domain_is_asked_for_in_its_one_form(server: DnsServer, written: str) -> None:
    domain = look_up(server, written).domain
    assert domain == ("xn--ristry-bva26b.example" if written.startswith("ré") else DOMAIN)
    assert (domain, "MX") in server.asked


@pytest.mark.parametrize(
    "domain", ["", ".", "two words.example", "registry..example", "a" * 64 + ".example", "a@b.example", "a.b." * 80]
)
def test_what_is_no_domain_is_refused(server: DnsServer, domain: str) -> None:
    with pytest.raises(ValueError, match="no name in the domain name system"):
        look_up(server, domain)
    assert server.asked == []


def test_a_selector_that_is_no_name_is_refused(server: DnsServer) -> None:
    with pytest.raises(ValueError, match="no name in the domain name system"):
        look_up(server, DOMAIN, "a b")
    assert server.asked == []
