"""What an operator may set, read once from the environment and refused as a whole when anything in it is wrong."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from registry.settings_outside import (
    OUTBOX,
    RESEND,
    CompanySignIn,
    is_resend,
    read_alert_url,
    read_bounce_address,
    read_company_sign_in,
    read_mail_from,
    read_mail_only_to,
    read_mail_url,
    read_metrics_token,
    read_ping_url,
    read_resend_api_key,
    read_resend_webhook_secrets,
    read_sender_domains,
)
from registry.settings_reading import (
    DEFAULT_INSTANCE,
    KEY_LENGTH,
    PREFIX,
    BadSettings,
    Environment,
    Reading,
    UnsafeSettings,
    masked,
)

__all__ = [
    "DEFAULT_INSTANCE",
    "OUTBOX",
    "RESEND",
    "BadSettings",
    "CompanySignIn",
    "Environment",
    "Settings",
    "UnsafeSettings",
    "masked",
]

LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator has set. Values only: nothing here connects to anything.

    `instance` is an absolute folder for the embedded database, the outbox and keys; it may not exist yet.
    `database_url` is for SQLAlchemy, driver named. `base_url` has no slash at its end. `mail_only_to` holds addresses
    and `@domains` in lower case, and is empty where anyone may be written to (R32). `trusted_proxies` counts the hops
    before the server. `sender_domains` are those that publishers may send from
    besides. `bounce_address` is where return paths lead that name their letter. `alert_url` and `ping_url`
    tell operators of trouble and of silence. Of `resend_webhook_secrets` there are several while one is rotated out.
    `company_sign_in` is another sign-in by which people of the team may come in.
    What may hold a secret is left out of `repr`.
    """

    instance: Path
    environment: Environment
    database_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    base_url: str
    mail_url: str = field(repr=False)
    mail_from: str
    limiter_url: str = field(repr=False)
    trusted_proxies: int
    mail_only_to: tuple[str, ...]
    allow_time_travel: bool
    sender_domains: frozenset[str]
    bounce_address: str | None
    resend_api_key: str | None = field(repr=False)
    resend_webhook_secrets: tuple[str, ...] = field(repr=False)
    alert_url: str | None = field(repr=False)
    ping_url: str | None = field(repr=False)
    metrics_token: str | None = field(repr=False)
    company_sign_in: CompanySignIn | None

    @property
    def uses_sqlite(self) -> bool:
        """True on the embedded database."""
        return self.database_url.startswith("sqlite:")

    @property
    def resend_base_url(self) -> str | None:
        """Where an interface like Resend's is; None for Resend's own. It is encrypted, but on this machine."""
        host = self.mail_url.removeprefix("resend://") if is_resend(self.mail_url) else ""
        if not host:
            return None
        return f"{'http' if host.partition(':')[0] in LOOPBACK else 'https'}://{host}"

    @property
    def is_production(self) -> bool:
        """True where nothing may be tried out."""
        return self.environment == "production"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from `environ`, or from the process's environment where it is None.

        An empty value counts as not set. Only these are touched: the `_FILE` twins are read, and on the embedded
        database, where no key is set, `<instance>/secret_key` is made once (mode 0600) and read from then on.

        Raises `BadSettings` with everything that cannot be used, or `UnsafeSettings` where all of it is of one kind:
        a database server or REGISTRY_ENV=production needs a strong key of its own, an https address and mail that is
        really sent; and production refuses to travel in time (R39). REGISTRY_ENV=test lifts this for a server.
        """
        reading = Reading(os.environ if environ is None else environ)
        reading.refuse_unknown_names()
        instance = reading.instance()
        environment = reading.environment()
        database_url = reading.database_url(instance)
        secret_key = reading.secret("SECRET_KEY")
        base_url = reading.base_url()
        mail_url = read_mail_url(reading)
        mail_from = read_mail_from(reading, mail_url)
        limiter_url = reading.limiter_url()
        trusted_proxies = reading.trusted_proxies()
        mail_only_to = read_mail_only_to(reading)
        allow_time_travel = reading.allow_time_travel()
        sender_domains = read_sender_domains(reading)
        bounce_address = read_bounce_address(reading)
        resend_api_key = read_resend_api_key(reading, mail_url)
        resend_webhook_secrets = read_resend_webhook_secrets(reading)
        alert_url = read_alert_url(reading)
        ping_url = read_ping_url(reading)
        metrics_token = read_metrics_token(reading)
        company_sign_in = read_company_sign_in(reading)

        refusal: type[BadSettings] = BadSettings if reading.problems else UnsafeSettings
        if environment == "production":
            _refuse_unsafe(reading, "with REGISTRY_ENV=production", secret_key, base_url, mail_url)
            if allow_time_travel:
                reading.refuse(
                    "ALLOW_TIME_TRAVEL",
                    "production refuses it, for a database that has travelled in time is no evidence",
                    "unset it, and try things out on another instance",
                )
        elif environment != "test" and not database_url.startswith("sqlite:"):
            _refuse_unsafe(reading, "on a database server", secret_key, base_url, mail_url)
        if reading.problems:
            raise refusal(reading.problems)

        return cls(
            instance=instance,
            environment=environment,
            database_url=database_url,
            secret_key=secret_key or _find_or_make_secret_key(instance),
            base_url=base_url,
            mail_url=mail_url,
            mail_from=mail_from,
            limiter_url=limiter_url,
            trusted_proxies=trusted_proxies,
            mail_only_to=mail_only_to,
            allow_time_travel=allow_time_travel,
            sender_domains=sender_domains,
            bounce_address=bounce_address,
            resend_api_key=resend_api_key,
            resend_webhook_secrets=resend_webhook_secrets,
            alert_url=alert_url,
            ping_url=ping_url,
            metrics_token=metrics_token,
            company_sign_in=company_sign_in,
        )


def _refuse_unsafe(reading: Reading, where: str, secret_key: str | None, base_url: str, mail_url: str) -> None:
    """Refuse what must not face real customers; `where` says what makes this such a place."""
    reading.refuse_weak_key(where, secret_key)
    if not base_url.startswith("https://"):
        remedy = "set it to the public https address, such as https://subprocessors.example.com"
        reading.refuse("BASE_URL", f"{where} the links in letters must be encrypted and lead here", remedy)
    if mail_url == OUTBOX:
        remedy = "set it to your mail server, such as smtp://user:password@host:587"
        reading.refuse("MAIL_URL", f"{where} letters must leave the house, and an outbox only keeps them", remedy)


def _find_or_make_secret_key(instance: Path) -> str:
    path = instance / "secret_key"
    remedy = f"let this process write to the folder, or set {PREFIX}SECRET_KEY"
    try:
        # It will hold everybody's addresses: others of the machine have no business there.
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(48))
        key = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSettings([f"{path} cannot be made or read ({error.strerror}): {remedy}."]) from error
    if len(key) < KEY_LENGTH:
        raise BadSettings([f"{path} holds no key of {KEY_LENGTH} characters: remove the file and a new one is made."])
    return key


def _write_once(path: Path, text: str) -> None:
    """Write a file only its owner may read, unless there is one. Of two processes one wins, and neither sees half."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, fails where another process was first; then the other's key is the key.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
