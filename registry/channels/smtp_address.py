"""Where the mail server is and how to speak to it, read from one mail URL."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import idna

_OPTIONS = ("starttls", "ca", "ehlo", "connections", "in-all", "rate", "letters", "pipelining")
_MOST_CONNECTIONS = 50
_MOST_LETTERS = 100_000
_HOST_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_RATE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_EHLO_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[A-Za-z0-9.:]+\]")


class Security(StrEnum):
    """When the conversation with the mail server is encrypted."""

    FROM_THE_START = "from-the-start"
    REQUIRED = "required"
    WHEN_OFFERED = "when-offered"
    OFF = "off"


@dataclass(frozen=True)
class SmtpAddress:
    """A mail server. The password never shows in `repr` or `str`.

    `certificate_authority` is a PEM file trusted beside the system's own, for a private relay. `ehlo_name` is the name
    this installation gives for itself; None lets the channel choose. `connections` is how many of them one worker may
    hold at once, `connections_in_all` all workers together, `rate_per_second` how many letters the whole installation
    may send in a second (None: as many as the server takes): all for whoever hands out the letters.
    `letters_per_connection` is how many one connection carries before it is replaced, and `may_pipeline` whether the
    server's offer of PIPELINING is taken.
    """

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    certificate_authority: Path | None = None
    ehlo_name: str | None = None
    connections: int = 1
    connections_in_all: int | None = None
    rate_per_second: float | None = None
    # Exim takes no more by default. Whoever takes fewer says so at MAIL FROM, and the channel then connects anew.
    letters_per_connection: int = 1_000
    may_pipeline: bool = True

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this very machine, so that nothing on the way can listen."""
        return _is_loopback(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_mail_url(url: str) -> SmtpAddress:
    """Read `smtp://user:password@host:587` or `smtps://user:password@host:465`.

    User and password are percent-decoded as UTF-8. The port defaults to 587 and 465. Options:

    - `?starttls=required|when-offered|off`, for `smtp` only: `required` by default, `when-offered` where the
      host is this machine (`localhost`, 127.0.0.0/8, ::1).
    - `?ca=/path/to/authority.pem`: one more authority to trust.
    - `?ehlo=mail.example`: the name to greet with.
    - `?connections=4`: how many connections one worker may hold at once, 1 to 50; 1 by default, since each one that a
      dying worker held may leave one letter that may have arrived.
    - `?in-all=8`: how many connections all workers together may hold, 1 to 50.
    - `?rate=10`: letters in a second for the whole installation; a fraction may be given (`0.5`: one in two seconds).
    - `?letters=1000`: letters on one connection before it is replaced, 1 to 100000.
    - `?pipelining=when-offered|off`: `off` for a server, or a firewall before it, that offers PIPELINING and then
      loses commands.

    Raises ValueError with a sentence that says what to write instead. The sentence never holds the password.
    """
    # Each `from None` keeps the parser's own message, which may quote a piece of the password, out of the log.
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValueError(
            "the mail URL cannot be read: write it as smtp://user:password@host:587 and percent-encode characters"
            " like # / ? @ : [ ] in the user name and password (# is %23, / is %2F, ? is %3F, @ is %40)"
        ) from None
    if parts.scheme not in ("smtp", "smtps"):
        raise ValueError("the mail URL must begin with smtp:// (port 587) or smtps:// (port 465)")
    if parts.fragment or url.rstrip().endswith("#") or parts.path not in ("", "/"):
        raise ValueError(
            "the mail URL must end after the port and the options: if the user name or password holds # or /,"
            " write # as %23 and / as %2F"
        )
    if port == 0:
        raise ValueError("port 0 in the mail URL is no port: write 587 for smtp:// or 465 for smtps://")
    host = _host(parts)
    username, password = _credentials(parts)
    options = _options(parts.query)
    security = _security(parts.scheme, host, options.get("starttls"))
    if username and security is Security.OFF and not _is_loopback(host):
        raise ValueError(
            f"a password must not go to {host} in clear: leave out starttls=off or use smtps://;"
            " without encryption only a server on this machine may be given one"
        )
    return SmtpAddress(
        host=host,
        port=port or (465 if parts.scheme == "smtps" else 587),
        security=security,
        username=username,
        password=password,
        certificate_authority=_certificate_authority(options.get("ca")),
        ehlo_name=_ehlo_name(options.get("ehlo")),
        connections=_number(options, "connections", SmtpAddress.connections, _MOST_CONNECTIONS),
        connections_in_all=_number(options, "in-all", 0, _MOST_CONNECTIONS) if "in-all" in options else None,
        rate_per_second=_rate(options.get("rate")),
        letters_per_connection=_number(options, "letters", SmtpAddress.letters_per_connection, _MOST_LETTERS),
        may_pipeline=_may_pipeline(options.get("pipelining", "when-offered")),
    )


def _host(parts: SplitResult) -> str:
    host = parts.hostname
    if not host:
        raise ValueError("the mail URL names no host: write it as smtp://user:password@host:587")
    try:
        if ":" in host:
            return str(ipaddress.ip_address(host))
        name = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except ValueError:
        name = ""
    if len(name) > 253 or not all(_HOST_LABEL.fullmatch(label) for label in name.removesuffix(".").split(".")):
        raise ValueError("the host in the mail URL is no host name: write it as smtp://user:password@host:587")
    return name


def _credentials(parts: SplitResult) -> tuple[str | None, str | None]:
    if parts.username is None:
        return None, None
    if not parts.username or not parts.password:
        raise ValueError("the mail URL has half a sign-in: give user:password@ both, or leave both out")
    try:
        username, password = unquote(parts.username, errors="strict"), unquote(parts.password, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(
            "the user name or password in the mail URL is not percent-encoded UTF-8: a % itself is written %25"
        ) from None
    if "\0" in username or "\0" in password:
        raise ValueError("the user name and password in the mail URL must not hold a zero byte (%00)")
    return username, password


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            # The name is not quoted: a password with an unescaped ? ends up here.
            raise ValueError(
                f"the mail URL has an option that is not known: there are {', '.join(_OPTIONS)};"
                " if the password holds a ?, write it as %3F"
            )
        if name in options:
            raise ValueError(f"the mail URL gives {name} twice: give it once")
        options[name] = value
    return options


def _security(scheme: str, host: str, starttls: str | None) -> Security:
    if scheme == "smtps":
        if starttls is not None:
            raise ValueError(
                "smtps:// is encrypted from the start: leave out starttls, or use smtp:// (port 587) for STARTTLS"
            )
        return Security.FROM_THE_START
    if starttls is None:
        return Security.WHEN_OFFERED if _is_loopback(host) else Security.REQUIRED
    if starttls not in ("required", "when-offered", "off"):
        raise ValueError("starttls in the mail URL is required, when-offered or off")
    return Security(starttls)


def _certificate_authority(value: str | None) -> Path | None:
    if value is None:
        return None
    path = Path(value)
    if not path.is_absolute():
        raise ValueError("ca in the mail URL must be the whole path of a PEM file: ?ca=/etc/ssl/relay.pem")
    if not path.is_file():
        raise ValueError(f"ca in the mail URL names {path}, and there is no such file: put the PEM file there")
    return path


def _ehlo_name(value: str | None) -> str | None:
    if value is not None and not _EHLO_NAME.fullmatch(value):
        raise ValueError(
            "ehlo in the mail URL must be a host name or an address in brackets: ?ehlo=mail.example or [192.0.2.1]"
        )
    return value


def _number(options: Mapping[str, str], name: str, default: int, most: int) -> int:
    value = options.get(name)
    if value is None:
        return default
    number = int(value) if _WHOLE_NUMBER.fullmatch(value) else 0
    if not 1 <= number <= most:
        raise ValueError(f"{name} in the mail URL must be a whole number from 1 to {most}: ?{name}={default}")
    return number


def _rate(value: str | None) -> float | None:
    if value is None:
        return None
    rate = float(value) if _RATE.fullmatch(value) else 0.0
    if rate <= 0:
        raise ValueError("rate in the mail URL must be letters in a second, more than 0 and below 1000000: ?rate=10")
    return rate


def _may_pipeline(value: str) -> bool:
    if value not in ("when-offered", "off"):
        raise ValueError("pipelining in the mail URL is when-offered or off")
    return value == "when-offered"


def _is_loopback(host: str) -> bool:
    if host in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
