"""Where this installation may post to: the public internet, or for tests this machine as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from registry.channels.chat import HOSTS, ChatKind, refuse_foreign_host
from registry.channels.guarded_http import GuardedHttp
from registry.channels.public_addresses import (
    AddressProblem,
    IpAddress,
    MayReach,
    WebAddress,
    is_public,
    read_web_address,
)

THIS_MACHINE = "127.0.0.1"


def _is_public_or_here(address: IpAddress) -> bool:
    return address.is_loopback or is_public(address)


@dataclass(frozen=True)
class Reach:
    """The rules by which addresses are taken and connected to.

    `may_reach` decides about each IP address, `allow_http` takes addresses without encryption, and `chat_hosts` are
    where each chat service's incoming webhooks live.
    """

    may_reach: MayReach = is_public
    allow_http: bool = False
    chat_hosts: Mapping[ChatKind, tuple[str, ...]] = field(default_factory=lambda: HOSTS)

    def open_http(self) -> GuardedHttp:
        """Open connections by these rules."""
        return GuardedHttp(may_reach=self.may_reach, allow_http=self.allow_http)

    def read_address(self, kind: str, url: str) -> WebAddress | AddressProblem:
        """Read the address of an endpoint of this kind, or say what is wrong with it."""
        address = read_web_address(url, allow_http=self.allow_http, may_reach=self.may_reach)
        if kind in ("slack", "teams") and isinstance(address, WebAddress):
            chat: ChatKind = "slack" if kind == "slack" else "teams"
            problem = refuse_foreign_host(chat, url, self.chat_hosts[chat], allow_http=self.allow_http)
            return problem or address
        return address


PUBLIC = Reach()
"""What counts everywhere but in tests."""

WITH_THIS_MACHINE = Reach(
    _is_public_or_here, allow_http=True, chat_hosts={kind: (*hosts, THIS_MACHINE) for kind, hosts in HOSTS.items()}
)
"""For tests, whose receivers run on this machine, without encryption."""
