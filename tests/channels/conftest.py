"""What the tests of the channels share: certificates made on the spot, short time-outs, a letter."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from registry.channels import smtp_opening
from registry.channels.base import Envelope
from registry.channels.smtp import SmtpChannel, SmtpTimeouts, parse_mail_url
from registry.channels.smtp_address import SmtpAddress

EnvelopeMaker = Callable[..., Envelope]
ChannelMaker = Callable[..., SmtpChannel]


@dataclass(frozen=True)
class Authority:
    """A certificate authority of its own. `certificate` is its PEM file."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "authority.pem"

    def server_context(self, subject_alternative_name: str) -> ssl.SSLContext:
        """A server's context with a certificate for `DNS:mail.example` or `IP:127.0.0.1`."""
        stem = self.folder / subject_alternative_name.replace(":", "-")
        key, request, leaf = stem.with_suffix(".key"), stem.with_suffix(".csr"), stem.with_suffix(".crt")
        extensions = stem.with_suffix(".ext")
        extensions.write_text(
            f"subjectAltName={subject_alternative_name}\nbasicConstraints=critical,CA:FALSE\n"
            "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
            "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        )
        _openssl("req", *_NEW_KEY, "-keyout", key, "-subj", "/CN=mail server of the tests", "-out", request)
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.folder / "authority.key"),
            *("-set_serial", "2", "-days", "2", "-extfile", extensions, "-out", leaf),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf, key)
        return context


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that nobody trusts yet."""
    made = Authority(tmp_path_factory.mktemp("authority"))
    _openssl(
        *("req", "-x509", *_NEW_KEY, "-keyout", made.folder / "authority.key", "-out", made.certificate, "-days", "2"),
        *("-subj", "/CN=authority of the tests", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    return made


@pytest.fixture(scope="session", autouse=True)
def trust_read_once() -> Iterator[None]:
    """Read whom this machine trusts once: it takes ten times as long as a letter, and hundreds of channels ask."""
    make = smtp_opening._context_for
    usual = cache(ssl.create_default_context)

    def context_for(address: SmtpAddress) -> ssl.SSLContext:
        return usual() if address.certificate_authority is None else make(address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(smtp_opening, "_context_for", context_for)
        yield


@pytest.fixture
def open_channel() -> Iterator[ChannelMaker]:
    """Makes SMTP channels from a mail URL and the channel's options, and closes them when the test is over."""
    with ExitStack() as stack:

        def make(url: str, **options: Any) -> SmtpChannel:
            return stack.enter_context(closing(SmtpChannel(parse_mail_url(url), **options)))

        yield make


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A name service of the test's own: put host names in, and the addresses they have."""
    known: dict[str, list[str]] = {}
    look_up = socket.getaddrinfo

    def look_up_here(host: str, *args: Any, **kwargs: Any) -> list[Any]:
        return [found for address in known.get(host, [host]) for found in look_up(address, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)
    return known


@pytest.fixture
def short() -> SmtpTimeouts:
    """Time-outs for a server on this machine that hangs on purpose."""
    return SmtpTimeouts(connect=2, command=0.3, data_block=0.3, after_dot=0.3, before_dot=2)


@pytest.fixture
def make_envelope() -> EnvelopeMaker:
    """Makes an envelope with a letter in it; every part may be given."""

    def make(
        recipient: str = "privacy@customer.example",
        return_path: str = "notices@antopsis.example",
        message: bytes | None = None,
        message_id: str = "<2026-003.1@antopsis.example>",
    ) -> Envelope:
        if message is None:
            letter = EmailMessage(policy=SMTP)
            letter["From"] = "Antopsis <notices@antopsis.example>"
            letter["To"] = "privacy@customer.example"
            letter["Subject"] = "Notice 2026-003: Hetzner joins the list"
            letter["Message-ID"] = message_id
            letter.set_content("Hetzner will process account data from Saturday, 31 October 2026 on.\n")
            message = letter.as_bytes()
        return Envelope(recipient, return_path, message, message_id)

    return make
