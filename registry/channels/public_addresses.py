"""Which addresses a stranger may have this installation write to. Nothing here asks the network.

A customer names the address of its own endpoint, and the product goes there: whoever may name an address could have it
knock on doors that only this machine can reach (server-side request forgery). What a name resolves to is judged where
the connection is made (`guarded_http`); here are the judgement itself and what can be said of the text alone.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import idna

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
MayReach = Callable[[IpAddress], bool]

LONGEST_URL = 2_048

_PORTS = {"https": 443, "http": 80}
_LOWEST_FREE_PORT = 1_024
_LONGEST_HOST = 253
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_AUTHORITY = re.compile(r"(?:\[(?P<v6>[^\[\]@]*)\]|(?P<name>[^\[\]@:]*))(?::(?P<port>[0-9]*))?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# `ipaddress` calls all of these global, in this Python version or an earlier one.
_NOT_PUBLIC_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "100.64.0.0/10",  # between a provider and its customers; cloud networks use it within
        "168.63.129.16/32",  # Azure's door from a virtual machine to its host, at an address that looks public
        "192.0.0.0/24",  # protocol assignments; Oracle Cloud answers there for its own machines
        "192.88.99.0/24",  # relays of 6to4
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",
    )
)
_NOT_PUBLIC_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments; among them Teredo, which carries an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4, which carries an IPv4 address
        "3fff::/20",
    )
)
# All that was ever given out for hosts. Outside lie loopback, private, link-local, multicast, the IPv4-compatible
# addresses, and 64:ff9b:1::/48, whose translation to IPv4 is each network's own affair (RFC 8215).
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
# The translation every network agrees on: a machine without IPv4 reaches an IPv4 server so (RFC 6052).
_TRANSLATED_V4 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: IpAddress) -> bool:
    """Whether `address` belongs to a host that anybody on the internet can reach.

    An IPv4 address inside an IPv6 one (mapped, or translated by the well-known prefix) is judged by itself. 6to4 and
    Teredo, which carry one too, are refused whole: no server is reached by them any more.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in network for network in _NOT_PUBLIC_V4)
    if address.scope_id is not None:
        return False
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _TRANSLATED_V4:
        return is_public(ipaddress.IPv4Address(address.packed[-4:]))
    return address in _UNICAST_V6 and address.is_global and not any(address in network for network in _NOT_PUBLIC_V6)


class AddressProblem(StrEnum):
    """Why an address of the web cannot be used, whatever the network says."""

    TOO_LONG = "address-too-long"
    NOT_A_URL = "address-not-a-url"
    NOT_HTTPS = "address-not-https"
    HAS_SIGN_IN = "address-with-sign-in"
    BAD_HOST = "address-bad-host"
    BAD_PORT = "address-bad-port"
    NOT_PUBLIC = "address-not-public"
    FOREIGN_HOST = "address-foreign-host"


_IN_WORDS = {
    AddressProblem.TOO_LONG: f"the address is longer than {LONGEST_URL} characters",
    AddressProblem.NOT_A_URL: "the address is no URL",
    AddressProblem.NOT_HTTPS: "the address does not begin with https://",
    AddressProblem.HAS_SIGN_IN: "the address holds a user name or password",
    AddressProblem.BAD_HOST: "the address names no host of the internet",
    AddressProblem.BAD_PORT: "the port is not the web's own and lies below 1024",
    AddressProblem.NOT_PUBLIC: "the address is not public",
    AddressProblem.FOREIGN_HOST: "the host does not belong to the service",
}


def describe_problem(problem: AddressProblem) -> str:
    """The problem in a few English words, for the record."""
    return _IN_WORDS[problem]


@dataclass(frozen=True)
class WebAddress:
    """An address read and written anew, so that everybody who reads it after this finds the same host in it.

    `url` is ASCII up to the path, without a fragment. `host` is in lower case and in its ASCII form, without a dot at
    its end; `literal` is the IP address where the host is one. `str` gives host and port only: the rest may be a
    credential.
    """

    url: str
    scheme: str
    host: str
    port: int
    literal: IpAddress | None = None

    @property
    def is_this_machine(self) -> bool:
        """Whether the name means this very machine (RFC 6761 section 6.3), whatever a name service says."""
        return self.host == "localhost" or self.host.endswith(".localhost")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read_web_address(
    url: str, *, allow_http: bool = False, may_reach: MayReach = is_public
) -> WebAddress | AddressProblem:
    """Read the address of an endpoint, or say what is wrong with it.

    Refused are: anything but https (with `allow_http`, for development, http too); a user name or password; spaces,
    backslashes and control characters, which other readers take differently; ports below 1024 other than the web's
    own 443 (and 80 with `allow_http`), behind which other protocols listen that can be made to misread a request;
    hosts that are numbers in any but the usual four parts (`2130706433`, `0x7f.1`, `0177.0.0.1`), IPv6 zones, names
    without a dot (unless `allow_http`), and IP addresses that `may_reach` refuses. International names are
    taken (UTS 46). A name may still resolve to a private address: that is judged when connecting.
    """
    if len(url) > LONGEST_URL:
        return AddressProblem.TOO_LONG
    if not url or "\\" in url or any(unicodedata.category(character)[0] in "CZ" for character in url):
        return AddressProblem.NOT_A_URL
    try:
        parts = urlsplit(url)
    except ValueError:
        return AddressProblem.NOT_A_URL
    if parts.scheme not in (_PORTS if allow_http else ("https",)):
        return AddressProblem.NOT_HTTPS if "://" in url else AddressProblem.NOT_A_URL
    if "@" in parts.netloc:
        return AddressProblem.HAS_SIGN_IN
    authority = _AUTHORITY.fullmatch(parts.netloc)
    if authority is None:
        return AddressProblem.BAD_HOST
    host = _ipv6_host(authority["v6"]) if authority["v6"] is not None else _name_or_ipv4(authority["name"])
    if host is None:
        return AddressProblem.BAD_HOST
    port = int(authority["port"][:6]) if authority["port"] else _PORTS[parts.scheme]
    if not (_LOWEST_FREE_PORT <= port <= 65_535 or port == 443 or (port == 80 and allow_http)):
        return AddressProblem.BAD_PORT
    shown_host = f"[{host}]" if ":" in host else host
    place = shown_host if port == _PORTS[parts.scheme] else f"{shown_host}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    address = WebAddress(
        f"{parts.scheme}://{place}{parts.path or '/'}{query}", parts.scheme, host, port, read_ip_address(host)
    )
    if "." not in host and address.literal is None and not address.is_this_machine and not allow_http:
        return AddressProblem.BAD_HOST
    meant = ipaddress.IPv4Address("127.0.0.1") if address.is_this_machine else address.literal
    return address if meant is None or may_reach(meant) else AddressProblem.NOT_PUBLIC


def find_address_problem(
    url: str, *, allow_http: bool = False, may_reach: MayReach = is_public
) -> AddressProblem | None:
    """What is wrong with the address of an endpoint, for the form in which somebody enters it; None if nothing is."""
    address = read_web_address(url, allow_http=allow_http, may_reach=may_reach)
    return address if isinstance(address, AddressProblem) else None


def read_ip_address(host: str) -> IpAddress | None:
    """The IP address that `host` is, None where it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _ipv6_host(text: str) -> str | None:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    # A zone names a cable of this machine: nothing public is reached by one.
    return None if address.scope_id is not None else str(address)


def _name_or_ipv4(text: str) -> str | None:
    name = text.lower()
    if not name.isascii():
        try:
            # Full-width digits and dots become plain ones here, so numbers are looked for only afterwards.
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError:
            return None
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    if _NUMBER.fullmatch(labels[-1]):
        # No top-level domain is a number. The C library reads such hosts as IPv4 addresses in a dozen spellings.
        return name if read_ip_address(name) is not None else None
    return name
