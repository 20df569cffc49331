"""What comes back by mail, for the reader's tests: the samples in `bounces/`, and messages made up of a few words."""

from __future__ import annotations

from pathlib import Path

from registry.readers.bounce_message import read_bounce
from registry.readers.bounce_report import BounceMessage, Permanence

SAMPLES = Path(__file__).parent / "bounces"
PERMANENT, TRANSIENT = Permanence.PERMANENT, Permanence.TRANSIENT


def sample(name: str) -> bytes:
    """Return a sample as it came."""
    return (SAMPLES / f"{name}.eml").read_bytes()


def read_status(
    *fields: str,
    first: str = "Reporting-MTA: dns; mx.customer.example\n",
    words: str = "Something happened.",
) -> BounceMessage:
    """Read a report with one block of fields for each recipient, and with `words` for people."""
    blocks = "\n".join(f"{block}\n" for block in fields)
    return read_bounce(
        f"""From: MAILER-DAEMON@mx.customer.example
To: bounces@registry.example
Date: Wed, 30 Sep 2026 10:00:00 +0200
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

{words}
--b
Content-Type: message/delivery-status

{first}
{blocks}
--b--
""".encode()
    )


def read_words(words: str, *headers: str) -> BounceMessage:
    """Read a message in words, by default one that a mail system sends."""
    shown = "\n".join(headers or ("From: MAILER-DAEMON@mx.customer.example",))
    return read_bounce(f"To: bounces@registry.example\n{shown}\n\n{words}\n".encode())
