"""A name server on this machine, over UDP and TCP, that answers as told."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from enum import Enum
from types import TracebackType

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.resolver import Resolver


class Misbehaviour(Enum):
    """What the server may do in place of an answer."""

    SILENCE = "say nothing"
    SERVFAIL = "say that it failed"
    REFUSED = "say that it will not answer"
    NONSENSE = "send bytes that are no message"
    TRUNCATED = "say over UDP that the answer is too long for it, and give the whole one over TCP"


SILENCE, SERVFAIL, REFUSED = Misbehaviour.SILENCE, Misbehaviour.SERVFAIL, Misbehaviour.REFUSED
NONSENSE, TRUNCATED = Misbehaviour.NONSENSE, Misbehaviour.TRUNCATED

_LONGEST_DATAGRAM = 65_535
_TTL_SECONDS = 60


class DnsServer:
    """A name server that runs while the `with` block does.

        with DnsServer() as server:
            server.put("registry.example", "TXT", '"v=spf1 -all"')
            server.misbehave("mute.example", SILENCE)
            look_up_mail_dns("registry.example", resolver=server.resolver())

    A name with no records is NXDOMAIN, a kind that a known name does not have an empty answer. Aliases (CNAME) are
    followed within one answer. `misbehave` tells what comes in place of every answer, or that of one kind, for a name.
    """

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind((self.host, self.port))
        self.asked: list[tuple[str, str]] = []
        """Every question, over either, in order: the name without its final dot, and the kind."""
        self._records: dict[str, dict[str, list[str]]] = {}
        self._misbehaviours: dict[tuple[str, str | None], Misbehaviour] = {}
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._serve_datagrams, name="dns-udp"),
            threading.Thread(target=self._serve_connections, name="dns-tcp"),
        ]

    def put(self, name: str, kind: str, *texts: str) -> None:
        """Add records, each written as in a zone file. Names within them end with a dot."""
        self._records.setdefault(name, {}).setdefault(kind, []).extend(texts)

    def misbehave(self, name: str, how: Misbehaviour, kind: str | None = None) -> None:
        """From now on, do this in place of answering for a name, or for one kind of its records."""
        self._misbehaviours[name, kind] = how

    def resolver(self) -> Resolver:
        """A resolver that asks this server and nobody else."""
        resolver = Resolver(configure=False)
        resolver.nameservers = [self.host]
        resolver.port = self.port
        resolver.timeout = 0.3
        return resolver

    def __enter__(self) -> DnsServer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        # Each thread waits for something to come; so something comes.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", (self.host, self.port))
        with contextlib.suppress(OSError):
            socket.create_connection((self.host, self.port), timeout=5).close()
        for thread in self._threads:
            thread.join(timeout=10)
        self._datagrams.close()
        self._listener.close()

    def _serve_datagrams(self) -> None:
        while not self._closing.is_set():
            question, peer = self._datagrams.recvfrom(_LONGEST_DATAGRAM)
            answer = self._answer(question, is_udp=True) if question else None
            if answer is not None:
                self._datagrams.sendto(answer, peer)

    def _serve_connections(self) -> None:
        while not self._closing.is_set():
            connection, _ = self._listener.accept()
            # A client that gives up is its own affair.
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                length = connection.recv(2, socket.MSG_WAITALL)
                if len(length) == 2:
                    question = connection.recv(struct.unpack("!H", length)[0], socket.MSG_WAITALL)
                    answer = self._answer(question, is_udp=False)
                    if answer is not None:
                        connection.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, question: bytes, *, is_udp: bool) -> bytes | None:
        query = dns.message.from_wire(question)
        [asked] = query.question
        name, kind = asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)
        self.asked.append((name, kind))
        how = self._misbehaviours.get((name, kind)) or self._misbehaviours.get((name, None))
        if how is SILENCE:
            return None
        if how is NONSENSE:
            return question[:2] + b"\xff" * 9
        answer = dns.message.make_response(query)
        if how is SERVFAIL:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif how is REFUSED:
            answer.set_rcode(dns.rcode.REFUSED)
        elif how is TRUNCATED and is_udp:
            answer.flags |= dns.flags.TC
        else:
            self._fill(answer, name, kind)
        return answer.to_wire()

    def _fill(self, answer: dns.message.Message, name: str, kind: str) -> None:
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            known = self._records.get(name)
            if known is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
                return
            found = kind if kind in known else "CNAME"
            if found not in known:
                return
            answer.answer.append(dns.rrset.from_text(f"{name}.", _TTL_SECONDS, "IN", found, *known[found]))
            if found == kind:
                return
            name = known[found][0].removesuffix(".")
