"""What may be reached, judged by the number and by the text of an address."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.channels.public_addresses import (
    LONGEST_URL,
    AddressProblem,
    WebAddress,
    describe_problem,
    find_address_problem,
    is_public,
    read_web_address,
)

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:100.64.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:7f00:1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_not_everybody_can_reach_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", [*PUBLIC, "64:ff9b::8.8.8.8"])
def test_hosts_of_the_internet_are_public_also_by_the_translation_every_network_agrees_on(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_however_it_is_wrapped(address: ipaddress.IPv4Address) -> None:
    plain = is_public(address)
    assert is_public(ipaddress.IPv6Address(f"::ffff:{address}")) is plain
    assert is_public(ipaddress.IPv6Address(f"64:ff9b::{address}")) is plain
    assert not is_public(ipaddress.IPv6Address(f"::{address}"))
    assert not is_public(ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80)))


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0.0.0x1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "127.0.0.01",
        "127.0.0.1.1",
        "127.0.0.0x1",
        "0",
        "0x",
        "１２７.１",
        "127。1",
        "[::1%lo]",
        "[fe80::1%25eth0]",
        "[127.0.0.1]",
        "[::1",
        "::1",
        "[]",
        "",
        ".",
        "a..example",
        ".customer.example",
        "customer.example..",
        "-a.example",
        "a b.example",
        "127%2e0.0.1",
        "cust%6fmer.example",
        "metadata",
        f"{'a' * 64}.example",
        ".".join(["a" * 60] * 5),
    ],
)
def test_a_host_in_an_odd_spelling_is_refused(host: str) -> None:
    assert find_address_problem(f"https://{host}/hook") in (AddressProblem.BAD_HOST, AddressProblem.NOT_A_URL)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "１２７.０.０.１",
        "127。0。0。1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:FFFF:7F00:1]",
        "[64:ff9b::7f00:1]",
        "[fd00:ec2::254]",
        "localhost",
        "LOCALHOST.",
        "printer.localhost",
    ],
)
def test_a_private_address_is_refused_by_its_text_already(host: str) -> None:
    assert find_address_problem(f"https://{host}/hook") is AddressProblem.NOT_PUBLIC


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", AddressProblem.NOT_A_URL),
        ("customer.example", AddressProblem.NOT_A_URL),
        ("/hook", AddressProblem.NOT_A_URL),
        ("https:customer.example", AddressProblem.BAD_HOST),
        ("mailto:privacy@customer.example", AddressProblem.NOT_A_URL),
        (" https://customer.example/", AddressProblem.NOT_A_URL),
        ("https://customer.example/\r\nX: y", AddressProblem.NOT_A_URL),
        ("https://customer.example/a b", AddressProblem.NOT_A_URL),
        ("https://customer.example\\@127.0.0.1/", AddressProblem.NOT_A_URL),
        ("https://cus\ttomer.example/", AddressProblem.NOT_A_URL),
        ("https://customer\u200b.example/", AddressProblem.NOT_A_URL),
        ("http://customer.example/", AddressProblem.NOT_HTTPS),
        ("HTTP://customer.example/", AddressProblem.NOT_HTTPS),
        ("ftp://customer.example/", AddressProblem.NOT_HTTPS),
        ("file:///etc/passwd", AddressProblem.NOT_HTTPS),
        ("gopher://customer.example:6379/_SET", AddressProblem.NOT_HTTPS),
        ("https://user:password@customer.example/", AddressProblem.HAS_SIGN_IN),
        ("https://customer.example@127.0.0.1/", AddressProblem.HAS_SIGN_IN),
        ("https://@customer.example/", AddressProblem.HAS_SIGN_IN),
        ("https://customer.example:22/", AddressProblem.BAD_PORT),
        ("https://customer.example:80/", AddressProblem.BAD_PORT),
        ("https://customer.example:0/", AddressProblem.BAD_PORT),
        ("https://customer.example:65536/", AddressProblem.BAD_PORT),
        (f"https://customer.example:{'9' * 1_000}/", AddressProblem.BAD_PORT),
        ("https://customer.example:4४3/", AddressProblem.BAD_HOST),
        ("https://customer.example:-1/", AddressProblem.BAD_HOST),
        (f"https://customer.example/{'a' * LONGEST_URL}", AddressProblem.TOO_LONG),
    ],
)
def test_an_address_that_is_wrong_as_it_is_written_is_refused_with_the_reason(
    url: str, problem: AddressProblem
) -> None:
    assert find_address_problem(url) is problem
    assert describe_problem(problem)


@pytest.mark.parametrize(
    ("url", "read", "shown"),
    [
        ("https://customer.example", "https://customer.example/", "customer.example"),
        ("HTTPS://Customer.Example.:443/Hook?a=B#part", "https://customer.example/Hook?a=B", "customer.example"),
        ("https://customer.example:?a=b", "https://customer.example/?a=b", "customer.example"),
        ("https://customer.example:8443//x", "https://customer.example:8443//x", "customer.example:8443"),
        ("https://b\u00fccher.example/\u00fc", "https://xn--bcher-kva.example/\u00fc", "xn--bcher-kva.example"),
        ("https://8.8.8.8/", "https://8.8.8.8/", "8.8.8.8"),
        ("https://[2606:4700:0:0::1111]:8443/", "https://[2606:4700::1111]:8443/", "[2606:4700::1111]:8443"),
        ("https://a_b.customer.example/", "https://a_b.customer.example/", "a_b.customer.example"),
        ("https://0x7f.customer.example/", "https://0x7f.customer.example/", "0x7f.customer.example"),
    ],
)
def test_a_good_address_is_written_anew_in_one_way(url: str, read: str, shown: str) -> None:
    address = read_web_address(url)
    assert isinstance(address, WebAddress)
    assert address.url == read
    assert str(address) == shown


def test_development_may_allow_http_and_names_without_a_dot_and_what_it_wants_to_reach() -> None:
    for url in ("http://127.0.0.1:8000/", "http://localhost:8000/", "http://receiver:8000/", "http://127.0.0.1/"):
        assert find_address_problem(url, allow_http=True, may_reach=lambda address: address.is_loopback) is None
    assert find_address_problem("http://127.0.0.1:8000/", allow_http=True) is AddressProblem.NOT_PUBLIC
    assert find_address_problem("http://127.0.0.1:25/", allow_http=True) is AddressProblem.BAD_PORT
    assert find_address_problem("https://receiver/") is AddressProblem.BAD_HOST


@given(st.text(max_size=60) | st.text(alphabet="htps:/@.[]%#?\\0x17.al", max_size=60).map("https://".__add__))
@example("https://[::1]evil.example/")
@example("https://a.example]/")
@example("https://[v1.a]/")
@example("https://a.example:8443:9/")
@example("https://\ud800.example/")
def test_any_text_is_an_address_that_everybody_reads_alike_or_a_named_problem(text: str) -> None:
    address = read_web_address(text)
    if isinstance(address, AddressProblem):
        return
    again = urlsplit(address.url)
    assert (again.scheme, again.hostname) == ("https", address.host)
    assert (again.port or 443) == address.port
    assert "@" not in again.netloc
    assert address.literal is None or is_public(address.literal)
    assert read_web_address(address.url) == address
