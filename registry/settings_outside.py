"""The settings by which the house speaks to the outside: mail and its way back, alerts, who may read figures, and the
company whose sign-in counts here.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from email.utils import getaddresses
from typing import Final
from urllib.parse import urlsplit

from registry.settings_reading import PREFIX, Reading, in_ascii, split_address

OUTBOX: Final = "outbox:"
RESEND: Final = "resend:"
DOMAIN: Final = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
ADDRESS: Final = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
SENDER: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
"""What a From header can hold as it is (`letters.mime`)."""
LONGEST_SENDER_MAILBOX: Final = 56
LONGEST_SENDER: Final = 246
"""Followers are written to from the same address with +updates before the @, and that must be one too: 64 octets before
it, and 254 in all (RFC 5321)."""
API_KEY: Final = re.compile(r"[!-~]{8,500}")
TOKEN: Final = re.compile(r"[!-~]{16,500}")
MAKE_A_TOKEN: Final = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"  # noqa: S105 - a command that makes one
WEBHOOK_SECRET: Final = "whsec_"  # noqa: S105 - how every one of them begins
SHORTEST_WEBHOOK_SECRET: Final = 16
"""Bytes. The specification asks for 24 to 64; less than this can be guessed."""
LONGEST_BOUNCE_MAILBOX: Final = 18
"""Octets before the @. What names the letter is added to them, and a server need take no more than 64 (RFC 5321)."""

DISCOVERY: Final = "/.well-known/openid-configuration"
LONGEST_OIDC_NAME: Final = 40
ISSUER_NAMES: Final = {"accounts.google.com": "Google", "login.microsoftonline.com": "Microsoft"}
"""What people call an issuer whose host says something else."""
ON_THIS_MACHINE: Final = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class CompanySignIn:
    """Another sign-in that counts here (OpenID Connect). `name` is what its button says."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str

    @property
    def discovery_url(self) -> str:
        """Where the issuer says how it is spoken to."""
        return f"{self.issuer.rstrip('/')}{DISCOVERY}"


def read_company_sign_in(reading: Reading) -> CompanySignIn | None:
    """Return the company's sign-in, None where none is set. Issuer, client id and secret come together."""
    issuer = _read_issuer(reading)
    secret = reading.secret("OIDC_CLIENT_SECRET")
    client_id, name = reading.given.get("OIDC_CLIENT_ID"), reading.given.get("OIDC_NAME")
    given = {"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": client_id, "OIDC_CLIENT_SECRET": secret}
    if name is not None and not (name.isprintable() and len(name) <= LONGEST_OIDC_NAME):
        cause = f"a button has room for {LONGEST_OIDC_NAME} characters on one line"
        reading.refuse("OIDC_NAME", cause, "use the name your colleagues know, such as Google")
    if not any(given.values()):
        if name is not None:
            reading.refuse("OIDC_NAME", "there is no sign-in that it could name", f"set {PREFIX}OIDC_ISSUER too")
        return None
    for missing in [each for each, value in given.items() if not value]:
        remedy = "copy it from the application that you registered there, or unset all that begin with OIDC"
        reading.refuse(missing, "the company's sign-in needs issuer, client id and secret", remedy)
    if not (issuer and client_id and secret):
        return None
    host = urlsplit(issuer).hostname or ""
    return CompanySignIn(issuer, client_id, secret, name or ISSUER_NAMES.get(host, host))


def _read_issuer(reading: Reading) -> str | None:
    value = reading.given.get("OIDC_ISSUER")
    if value is None:
        return None
    issuer = value.removesuffix(DISCOVERY)
    parts = split_address(issuer)
    example = "use the issuer's https address, such as https://accounts.google.com"
    if parts is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment or "@" in parts.netloc:
        reading.refuse("OIDC_ISSUER", "this is not the address of an issuer", example)
    elif parts.scheme == "http" and parts.hostname not in ON_THIS_MACHINE:
        reading.refuse("OIDC_ISSUER", "who signs in must be said over an encrypted connection", example)
    else:
        return issuer
    return None


def read_mail_url(reading: Reading) -> str:
    """Return the road that mail takes, the outbox where none is set."""
    value = reading.secret("MAIL_URL")
    if value is None:
        return "" if "MAIL_URL" in reading.refused else OUTBOX
    if value == OUTBOX:
        return value
    roads = "smtp://user:password@host:587, smtps://user:password@host:465, resend://, or outbox: to try things out"
    if value.startswith(RESEND):
        if is_resend(value):
            return value
        reading.refuse("MAIL_URL", "the key does not stand here", f"use resend:// and set {PREFIX}RESEND_API_KEY")
        return ""
    parts = split_address(value)
    if parts is None or parts.scheme not in ("smtp", "smtps") or parts.path.strip("/") or parts.fragment:
        cause = "this is not the address of a mail server"
        reading.refuse("MAIL_URL", cause, f"use {roads}, special characters in the password percent-encoded")
        return ""
    return value


def is_resend(mail_url: str) -> bool:
    """Return whether mail goes by Resend's interface: `resend://`, or with a host for another that speaks the same."""
    return re.fullmatch(r"resend://([a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?)?", mail_url) is not None


def read_mail_from(reading: Reading, mail_url: str) -> str:
    """Return the sender of letters."""
    value = reading.given.get("MAIL_FROM")
    example = "use an address that your mail server may send from, such as registry@example.com"
    if value is None:
        if mail_url not in ("", OUTBOX):
            reading.refuse("MAIL_FROM", "letters need a sender", example)
        return "registry@localhost"
    addresses = getaddresses([value])
    if not value.isprintable() or len(addresses) != 1 or not ADDRESS.fullmatch(addresses[0][1]):
        reading.refuse("MAIL_FROM", "this is not one e-mail address", example)
    elif addresses[0][1] != value:
        cause = "letters carry each publisher's own name, so that only the bare address stands here"
        reading.refuse("MAIL_FROM", cause, f"write {addresses[0][1]}")
    elif not SENDER.fullmatch(sender := _with_ascii_domain(value)):
        reading.refuse("MAIL_FROM", "no letter's From could hold it", example)
    elif len(sender.partition("@")[0]) > LONGEST_SENDER_MAILBOX or len(sender) > LONGEST_SENDER:
        cause = (
            "followers are written to from it with +updates before the @, and then it is longer than an address may be"
        )
        remedy = f"use {LONGEST_SENDER_MAILBOX} characters at most before the @, and {LONGEST_SENDER} in all"
        reading.refuse("MAIL_FROM", cause, remedy)
    else:
        return sender
    return ""


def _with_ascii_domain(address: str) -> str:
    mailbox, at, domain = address.rpartition("@")
    return address if domain.isascii() else f"{mailbox}{at}{in_ascii(domain) or domain}"


def read_mail_only_to(reading: Reading) -> tuple[str, ...]:
    """Return the addresses and `@domains` that may be written to, none for anyone (R32)."""
    names = [_with_ascii_domain(name.strip().lower()) for name in reading.given.get("MAIL_ONLY_TO", "").split(",")]
    allowed = tuple(name for name in names if name)
    wrong = [name for name in allowed if not ADDRESS.fullmatch(name.replace("@", "x@", 1))]
    if wrong or ("MAIL_ONLY_TO" in reading.given and not allowed):
        cause = f"{', '.join(map(repr, wrong)) or 'it'} names nobody"
        reading.refuse("MAIL_ONLY_TO", cause, "use addresses and domains, such as me@example.com,@example.org")
    return allowed


def read_bounce_address(reading: Reading) -> str | None:
    """Return the mailbox that return paths are made from, each naming its letter (VERP); None where there is none."""
    value = reading.given.get("BOUNCE_ADDRESS")
    if value is None:
        return None
    example = "use the bare address of a mailbox that takes everything after a +, such as bounces@example.com"
    value = _with_ascii_domain(value)
    if not (value.isascii() and value.isprintable() and ADDRESS.fullmatch(value)):
        reading.refuse("BOUNCE_ADDRESS", "this is not one bare e-mail address", example)
        return None
    if len(value.partition("@")[0]) > LONGEST_BOUNCE_MAILBOX:
        cause = f"of the part before the @, {LONGEST_BOUNCE_MAILBOX} characters leave room for a letter's name"
        reading.refuse("BOUNCE_ADDRESS", cause, example)
        return None
    return value


def read_sender_domains(reading: Reading) -> frozenset[str]:
    """Return the domains, in small ASCII letters, that publishers' own senders may be at."""
    given = [name.strip().lower() for name in reading.given.get("SENDER_DOMAINS", "").split(",")]
    names = frozenset(in_ascii(name) or name for name in given if name)
    wrong = sorted(name for name in names if not DOMAIN.fullmatch(name))
    if wrong or ("SENDER_DOMAINS" in reading.given and not names):
        cause = f"{', '.join(map(repr, wrong)) or 'it'} names no domain"
        remedy = (
            "use domains that your mail server is set up and verified for, such as antopsis.example,nextapi.example"
        )
        reading.refuse("SENDER_DOMAINS", cause, remedy)
        return frozenset()
    return names


def read_resend_api_key(reading: Reading, mail_url: str) -> str | None:
    """Return Resend's API key, which is needed where mail goes by it."""
    value = reading.secret("RESEND_API_KEY")
    remedy = f"make one in Resend's dashboard and set it, or name a file that holds it in {PREFIX}RESEND_API_KEY_FILE"
    if value is None:
        if is_resend(mail_url):
            reading.refuse("RESEND_API_KEY", f"{PREFIX}MAIL_URL sends by Resend, which needs a key", remedy)
        return None
    if not API_KEY.fullmatch(value):
        reading.refuse("RESEND_API_KEY", "this is no key: one has no blanks and only plain letters", remedy)
        return None
    return value


def read_resend_webhook_secrets(reading: Reading) -> tuple[str, ...]:
    """Return the secrets that Resend's callbacks are signed with; several while one is rotated out."""
    value = reading.secret("RESEND_WEBHOOK_SECRET")
    if value is None:
        return ()
    secrets = tuple(each.strip() for each in value.split(",") if each.strip())
    if not secrets or not all(map(_is_webhook_secret, secrets)):
        remedy = f"copy the signing secret of the webhook, {WEBHOOK_SECRET}…; while one is rotated out, both by a comma"
        reading.refuse("RESEND_WEBHOOK_SECRET", "this is no signing secret", remedy)
        return ()
    return secrets


def _is_webhook_secret(text: str) -> bool:
    try:
        key = base64.b64decode(text.removeprefix(WEBHOOK_SECRET), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(WEBHOOK_SECRET) and len(key) >= SHORTEST_WEBHOOK_SECRET


def read_alert_url(reading: Reading) -> str | None:
    """Return the webhook that operators hear of trouble by."""
    return _read_web_address(reading, "ALERT_URL", "use the https address of a webhook")


def read_ping_url(reading: Reading) -> str | None:
    """Return the address that is asked for each minute while all is well, so that its silence is the alarm."""
    return _read_web_address(reading, "PING_URL", "use the https address of a dead-man's switch")


def _read_web_address(reading: Reading, name: str, remedy: str) -> str | None:
    value = reading.secret(name)
    parts = None if value is None else split_address(value)
    if value is not None and (parts is None or parts.scheme not in ("http", "https")):
        reading.refuse(name, "this is not a web address", remedy)
        return None
    return value


def read_metrics_token(reading: Reading) -> str | None:
    """Return the bearer token that `/metrics` asks for; None where only this machine may read it."""
    value = reading.secret("METRICS_TOKEN")
    if value is not None and not TOKEN.fullmatch(value):
        cause = "it must have 16 characters or more, without blanks"
        reading.refuse("METRICS_TOKEN", cause, f"make one with {MAKE_A_TOKEN}")
        return None
    return value
