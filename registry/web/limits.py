"""How often one client may have letters written to an address it names, and from where a form may be sent.

A form that sends letters to whatever address is typed in can be turned against strangers. One address gets one letter a
day whoever asks (`registry.steps.service_letters`); here the asking itself is bounded.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Final

from flask import request
from flask_limiter import Limiter
from werkzeug.exceptions import Forbidden

from registry.web.current import wiring
from registry.web.publishers import Chosen

PER_CLIENT: Final = "20 per hour"
PER_NETWORK: Final = "100 per hour"
PER_ENDPOINT: Final = "10 per hour"
"""Tries at an address on the web, by its owner's link: each may take somebody else's server twenty seconds."""


class CrossSiteRefused(Forbidden):
    """A form of another website was sent here."""


def client_address() -> str:
    """Return who asks: an IPv4 address, or the /64 of an IPv6 one, of which a household has 2^64."""
    return _network(32, 64)


def client_network() -> str:
    """Return from where it is asked: the neighbourhood of addresses that one operator hands out."""
    return _network(24, 48)


def _network(prefix_4: int, prefix_6: int) -> str:
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((int(address), prefix_6), strict=False))
        address = address.ipv4_mapped
    return str(ipaddress.IPv4Network((int(address), prefix_4), strict=False))


# Where the shared store is down, each process counts for itself: weaker, but neither shut nor open.
limiter = Limiter(key_func=client_address, in_memory_fallback_enabled=True)


@limiter.shared_limit(PER_CLIENT, scope="letters-client", key_func=client_address)
@limiter.shared_limit(PER_NETWORK, scope="letters-network", key_func=client_network)
def count_asking() -> None:
    """Count one wish for a letter to a typed-in address; raises `RateLimitExceeded` where there were too many."""


def link_key() -> str:
    """Return what stands for the link whose token is in this address."""
    token = (request.view_args or {}).get("token", "")
    return hashlib.sha256(str(token).encode("utf-8", "surrogatepass")).hexdigest()


@limiter.shared_limit(PER_ENDPOINT, scope="endpoint-trials", key_func=link_key)
def count_trial() -> None:
    """Count one message posted to the address that this link is about; raises `RateLimitExceeded`."""


def refuse_cross_site(chosen: Chosen) -> None:
    """Refuse a form that a stranger's website made this browser send: raises `CrossSiteRefused`.

    No session could be abused by it, but visitors of that site would each ask from an address of their own, and no
    limit would hold. Browsers say where a form is from; what is no browser says nothing, and is limited.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is None and origin is not None and origin not in _own_origins(chosen):
        site = "cross-site"
    if site == "cross-site":
        raise CrossSiteRefused


def _own_origins(chosen: Chosen) -> set[str]:
    publishers = "/".join(chosen.addresses.base.split("/")[:3])
    return {wiring().letterhead.base_url, publishers, f"{request.scheme}://{request.host}"}
