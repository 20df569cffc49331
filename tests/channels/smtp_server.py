"""A real mail server on a socket of this machine, for tests that need letters to arrive somewhere."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Awaitable
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


@dataclass(frozen=True)
class ReceivedMessage:
    """One letter as the server took it: the envelope's addresses and the bytes, with CRLF line ends as on the wire.

    The null return path is an empty `mail_from`.
    """

    mail_from: str
    rcpt_tos: tuple[str, ...]
    content: bytes


class MailServer:
    """A mail server that runs while the `with` block does.

        with MailServer() as server:
            server.script("gone@customer.example", 550, "5.1.1 No such user here")
            channel = SmtpChannel(parse_mail_url(server.url))
            ...
            assert server.messages[0].rcpt_tos == ("privacy@customer.example",)

    Close the channel before the test ends, or Python warns of its open socket. `tls` is a server-side context: offered
    by STARTTLS, or spoken from the start where `implicit_tls` is set. `credentials` are the (user name, password) it
    asks for; without STARTTLS aiosmtpd warns that this is unsafe, so mark such a test with
    `pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")`. With `pipelining` it
    offers to take several commands at once (RFC 2920).
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        credentials: tuple[str, str] | None = None,
        smtputf8: bool = True,
        size_limit: int = 33_554_432,
        pipelining: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self._listener = socket.socket()
        self._listener.bind((host, 0))
        self.host: str = host
        self.port: int = self._listener.getsockname()[1]
        self.messages: list[ReceivedMessage] = []
        """Every letter taken, in order. Complete once the sender has its answer."""
        self.peers: set[tuple[str, int]] = set()
        """The address and port of everybody who greeted: one for each connection."""
        self.offers = ("250-PIPELINING",) if pipelining else ()
        """Lines that it answers to EHLO beside its own."""
        self._credentials = credentials
        self._scheme = "smtps" if implicit_tls else "smtp"
        self._lock = threading.Lock()
        self._scripts: defaultdict[tuple[str, str], deque[tuple[str, int | None]]] = defaultdict(deque)
        parameters: dict[str, Any] = {"enable_SMTPUTF8": smtputf8, "data_size_limit": size_limit}
        if tls is not None and not implicit_tls:
            parameters |= {"tls_context": tls, "require_starttls": True}
        if credentials is not None:
            parameters |= {
                "authenticator": self._authenticate,
                "auth_required": True,
                "auth_require_tls": tls is not None and not implicit_tls,
            }
        self._controller = _ControllerOnSocket(
            self._listener,
            _Hooks(self),
            hostname=host,
            port=self.port,
            server_hostname="mail.test",
            ssl_context=tls if implicit_tls else None,
            **parameters,
        )

    @property
    def url(self) -> str:
        """The mail URL of this server, with its credentials where it asks for any."""
        sign_in = "".join(f"{quote(part, safe='')}:" for part in self._credentials or ())
        return f"{self._scheme}://{sign_in[:-1]}{'@' if sign_in else ''}{self.host}:{self.port}"

    def script(self, recipient: str, code: int, text: str, *, times: int | None = None, stage: str = "RCPT") -> None:
        """Answer `code text` to letters for `recipient`: for ever, or so many times and then as before.

        `stage` is "RCPT", or "DATA" for the answer after the final dot. Scripts are used up in the order given.
        """
        if stage not in ("RCPT", "DATA"):
            raise ValueError(f"no such stage: {stage}")
        with self._lock:
            self._scripts[stage, recipient].append((f"{code} {text}", times))

    def __enter__(self) -> MailServer:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.hang_up()
        self._controller.stop()
        self._listener.close()

    def scripted_answer(self, stage: str, recipient: str) -> str | None:
        """The answer the script has for this letter now, used up by asking; None where it has none."""
        with self._lock:
            script = self._scripts[stage, recipient]
            if not script:
                return None
            answer, times = script[0]
            if times is not None:
                script.popleft()
                if times > 1:
                    script.appendleft((answer, times - 1))
            return answer

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        given = (data.login, data.password) if isinstance(data, LoginPassword) else None
        wanted = tuple(part.encode("utf-8") for part in self._credentials or ())
        return AuthResult(success=given == wanted, handled=False)


class _Hooks:
    """What the server does at each step; aiosmtpd finds the methods by their names."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_EHLO(  # noqa: N802 - aiosmtpd looks for this name
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self._server.peers.add(session.peer)
        session.host_name = hostname
        return [*responses[:-1], *self._server.offers, responses[-1]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks for this name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        refusal = self._server.scripted_answer("RCPT", address)
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks for this name
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        for address in envelope.rcpt_tos:
            refusal = self._server.scripted_answer("DATA", address)
            if refusal is not None:
                return refusal
        messages = self._server.messages
        mail_from = "" if envelope.mail_from == "<>" else envelope.mail_from
        messages.append(ReceivedMessage(mail_from, tuple(envelope.rcpt_tos), envelope.original_content))
        return f"250 2.0.0 OK: queued as TEST{len(messages):04}"


class _ControllerOnSocket(Controller):
    """Listens on a socket that is bound already, for aiosmtpd cannot be told to take any free port."""

    def __init__(self, listener: socket.socket, handler: _Hooks, **parameters: Any) -> None:
        super().__init__(handler, **parameters)
        self._listener = listener
        self._conversations: list[Any] = []

    def factory(self) -> Any:
        conversation = super().factory()  # type: ignore[no-untyped-call]  # aiosmtpd publishes few types
        self._conversations.append(conversation)
        return conversation

    def hang_up(self) -> None:
        """Close what clients left open: aiosmtpd would leave the sockets to the garbage collector and its warnings."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(timeout=5)

    async def _hang_up(self) -> None:
        for conversation in self._conversations:
            if conversation.transport is not None:
                conversation.transport.abort()
        for _ in range(3):  # a TLS transport closes the one beneath it, which then closes its socket
            await asyncio.sleep(0)

    def _create_server(self) -> Awaitable[Any]:
        server: Awaitable[Any] = self.loop.create_server(
            self._factory_invoker, sock=self._listener, ssl=self.ssl_context
        )
        return server
