"""An installation that goes live, and what the doctor finds in it."""

from __future__ import annotations

from typing import Any

from tests.channels.smtp_server import MailServer
from tests.cli.conftest import LIST, Terminal


def findings(terminal: Terminal, *options: str, exit_code: int = 1) -> dict[str, dict[str, Any]]:
    """Return what the doctor finds, by what it is about."""
    told = terminal.ask("doctor", *options, exit_code=exit_code)
    return {finding["about"]: finding for finding in told["findings"]}


def live(terminal: Terminal, mail: MailServer, text: str = LIST, **environ: str) -> Terminal:
    """Set a terminal up as it goes live with this list."""
    terminal.environ |= {
        "REGISTRY_BASE_URL": "https://list.example.com",
        "REGISTRY_MAIL_URL": mail.url,
        "REGISTRY_MAIL_FROM": "notices@example.com",
        "REGISTRY_ALERT_URL": "https://hooks.example/T0/hush",
        "REGISTRY_PING_URL": "https://ping.example/hush",
        "REGISTRY_BOUNCE_ADDRESS": "bounces@example.com",
        **environ,
    }
    terminal.apply(text)
    # No alert and no ping leaves for hosts that are not there.
    terminal.run("tick", REGISTRY_ALERT_URL="", REGISTRY_PING_URL="")
    return terminal


def said_of(terminal: Terminal, about: str, *options: str, exit_code: int = 0) -> list[tuple[str, str]]:
    """Return the grade and the words of everything that the doctor finds about one thing, in order."""
    told = terminal.ask("doctor", *options, exit_code=exit_code)
    return [(finding["grade"], finding["says"]) for finding in told["findings"] if finding["about"] == about]
