"""The real commands, run in this process on a database of the test's own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from registry.cli import main
from registry.tables.engine import make_engine
from tests.channels.dns_server import DnsServer
from tests.channels.smtp_server import MailServer

LIST = """
registry: 1
publisher:
  slug: antopsis
  name: Antopsis
  contact: support@antopsis.example
  time_zone: Europe/Berlin
  notice: {days: 30, objection_days: 30}
  approvals_required: APPROVALS
  command_line_may_approve: true
products:
  - {key: streaming, name: Live streaming}
entries:
  - key: stripe
    name: Stripe
    purposes: [Payments]
  - key: hetzner
    name: Hetzner
    purposes: [Servers that run the service]
    locations: [{country: DE, place: Falkenstein, function: processing}]
customers:
  - key: hanoi
    name: Hanoi Streams Co.
    time_zone: Asia/Ho_Chi_Minh
    notice: {days: 45}
    contacts: [privacy@hanoi.example]
"""
MOVED = LIST.replace("place: Falkenstein", "place: Nuremberg")
"""The same list, with one binding change."""
LINKED = LIST.replace("name: Stripe", "name: Stripe\n    links: {website: 'https://stripe.example'}")
"""The same list, with one editorial change."""
RENAMED = LIST.replace("name: Stripe", "name: Stripe Payments")
"""The same list, with one informing change."""


def environ_for(database_url: str, instance: Path, **more: str) -> dict[str, str]:
    """Return the settings of a test installation, as an environment."""
    return {
        "REGISTRY_ENV": "test",
        "REGISTRY_INSTANCE": str(instance),
        "REGISTRY_DATABASE_URL": database_url,
        "REGISTRY_SECRET_KEY": "kJ3-fq9_tests-only-Zp81xWv0LmQ27uRb",
        **more,
    }


@dataclass
class Terminal:
    """Somebody at a terminal of one installation. `environ` are its settings."""

    environ: dict[str, str]
    folder: Path

    def run(self, *arguments: str, exit_code: int = 0, given: str | None = None, **environ: str) -> Result:
        """Run `registry` with `arguments` and check how it exits."""
        runner = CliRunner(env={**self.environ, **environ})
        result = runner.invoke(main, list(arguments), input=given)
        assert result.exit_code == exit_code, result.output
        return result

    def ask(self, *arguments: str, exit_code: int = 0) -> Any:
        """Run a command with `--json` and return what it answers."""
        return json.loads(self.run(*arguments, "--json", exit_code=exit_code).stdout)

    def file(self, text: str, approvals: int = 0) -> str:
        """Write a registry file and return its path."""
        path = self.folder / "list.yaml"
        path.write_text(text.replace("APPROVALS", str(approvals)), encoding="utf-8")
        return str(path)

    def apply(self, text: str, approvals: int = 0, acting_as: str = "anna@antopsis.example") -> Result:
        """Apply a registry file."""
        return self.run("apply", self.file(text, approvals), "--as", acting_as)

    def publish_a_move(self) -> str:
        """Load the list, announce that Hetzner moves, and return the notice's number."""
        self.apply(LIST)
        self.apply(MOVED)
        number = self.run("notice", "draft", "--publisher", "antopsis").stdout.strip()
        self.run("notice", "publish", number, "--publisher", "antopsis")
        return number


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the environment of the test run sets."""
    for name in list(os.environ):
        if (name.startswith("REGISTRY_") and not name.startswith("REGISTRY_TEST_")) or name == "PORT":
            monkeypatch.delenv(name)


@pytest.fixture
def terminal(database_url: str, tmp_path: Path) -> Terminal:
    """A terminal of an installation that no publisher is in yet, on each database."""
    return Terminal(environ_for(database_url, tmp_path / "instance"), tmp_path)


@pytest.fixture
def sqlite_terminal(sqlite_url: str, tmp_path: Path) -> Terminal:
    """The same on SQLite alone, for what does not depend on the database."""
    return Terminal(environ_for(sqlite_url, tmp_path / "instance"), tmp_path)


@pytest.fixture
def engine(terminal: Terminal) -> Iterator[Engine]:
    """The engine of the terminal's database, to look behind the commands."""
    made = make_engine(terminal.environ["REGISTRY_DATABASE_URL"])
    yield made
    made.dispose()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[DnsServer]:
    """A name server that knows a domain with everything in place."""
    with DnsServer() as server:
        monkeypatch.setattr("registry.channels.mail_dns.Resolver", server.resolver)
        server.put("example.com", "TXT", '"v=spf1 include:relay.example -all"')
        server.put("relay.example", "TXT", '"v=spf1 ip4:192.0.2.0/24 -all"')
        server.put("example.com", "MX", "10 mail.example.com.")
        server.put("_dmarc.example.com", "TXT", '"v=DMARC1; p=reject"')
        server.put("relay1._domainkey.example.com", "TXT", '"v=DKIM1; k=rsa; p=MIGf"')
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A mail server."""
    with MailServer() as server:
        yield server
