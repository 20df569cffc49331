"""What an operator may set, read once from the environment and refused as a whole when anything in it is wrong."""

from __future__ import annotations

import difflib
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import getaddresses
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

Environment = Literal["development", "production", "test"]

PREFIX: Final = "REGISTRY_"
WITH_FILE_TWIN: Final = ("DATABASE_URL", "SECRET_KEY", "MAIL_URL")
NAMES: Final = (
    *("INSTANCE", "ENV", "BASE_URL", "MAIL_FROM", "MAIL_ONLY_TO", "LIMITER_URL", "TRUSTED_PROXIES"),
    *("ALLOW_TIME_TRAVEL", "ALERT_URL"),
    *WITH_FILE_TWIN,
    *(f"{name}_FILE" for name in WITH_FILE_TWIN),
)
# Kubernetes puts these into every container that runs beside a service named "registry".
KUBERNETES: Final = re.compile(r"SERVICE_(HOST|PORT\w*)|PORT(_\d+_\w+)?")

DEFAULT_INSTANCE: Final = Path(__file__).resolve().parent.parent / "instance"
OUTBOX: Final = "outbox:"
KEY_LENGTH: Final = 32
KEY_VARIETY: Final = 8
PLACEHOLDERS: Final = re.compile(r"change.?(me|this|it)|secret|password|example|your.?key|dev.?key", re.IGNORECASE)
MAKE_A_KEY: Final = "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
ADDRESS: Final = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
YES: Final = ("1", "true", "yes", "on")
NO: Final = ("0", "false", "no", "off")


class BadSettings(Exception):
    """The environment holds values that cannot be used. `problems` are sentences for the operator, secrets masked."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(["The settings cannot be used:", *(f"- {problem}" for problem in problems)]))


class UnsafeSettings(BadSettings):
    """Every value can be read, but together they would be unsafe where real people are to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator has set. Values only: nothing here connects to anything.

    `instance` is an absolute folder for the embedded database, the outbox and keys; it may not exist yet.
    `database_url` is for SQLAlchemy, driver named. `base_url` has no slash at its end. `mail_only_to` holds addresses
    and `@domains` in lower case, and is empty where anyone may be written to (R32). `trusted_proxies` counts the hops
    before the server. What may hold a secret is left out of `repr`.
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
    alert_url: str | None = field(repr=False)

    @property
    def uses_sqlite(self) -> bool:
        """True on the embedded database."""
        return self.database_url.startswith("sqlite:")

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
        reading = _Reading(os.environ if environ is None else environ)
        reading.refuse_unknown_names()
        instance = reading.instance()
        environment = reading.environment()
        database_url = reading.database_url(instance)
        secret_key = reading.secret("SECRET_KEY")
        base_url = reading.base_url()
        mail_url = reading.mail_url()
        mail_from = reading.mail_from(mail_url)
        limiter_url = reading.limiter_url()
        trusted_proxies = reading.trusted_proxies()
        mail_only_to = reading.mail_only_to()
        allow_time_travel = reading.allow_time_travel()
        alert_url = reading.alert_url()

        refusal: type[BadSettings] = BadSettings if reading.problems else UnsafeSettings
        if environment == "production":
            reading.refuse_unsafe("with REGISTRY_ENV=production", secret_key, base_url, mail_url)
            if allow_time_travel:
                reading.refuse(
                    "ALLOW_TIME_TRAVEL",
                    "production refuses it, for a database that has travelled in time is no evidence",
                    "unset it, and try things out on another instance",
                )
        elif environment != "test" and not database_url.startswith("sqlite:"):
            reading.refuse_unsafe("on a database server", secret_key, base_url, mail_url)
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
            alert_url=alert_url,
        )


class _Reading:
    """One reading of an environment. Each value that cannot be used is noted, and stands as empty from then on."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.given = {
            name.removeprefix(PREFIX): value.strip()
            for name, value in environ.items()
            if name.startswith(PREFIX) and value.strip()
        }
        self.problems: list[str] = []
        self.refused: set[str] = set()

    def refuse(self, name: str, cause: str, remedy: str) -> None:
        """Note why the value of `name` will not do, and what would. Of each setting the first cause is enough."""
        if name in self.refused:
            return
        self.refused.add(name)
        value = self.given.get(name)
        shown = "is not set" if value is None else f"is {masked(name, value)}"
        self.problems.append(f"{PREFIX}{name} {shown}: {cause}; {remedy}.")

    def refuse_unknown_names(self) -> None:
        for name, value in sorted(self.given.items()):
            # What begins with REGISTRY_TEST_ speaks to the test suite.
            foreign = name.startswith("TEST_") or (
                KUBERNETES.fullmatch(name) is not None and (name != "PORT" or "://" in value)
            )
            if name in NAMES or foreign:
                continue
            near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.5)
            names = [f"{PREFIX}{each}" for each in near or sorted(NAMES)]
            meant = f"{names[0]} may be meant" if near else f"those known are {', '.join(names)}"
            self.problems.append(f"{PREFIX}{name} is not a setting: {meant}; correct the name or unset it.")

    def secret(self, name: str) -> str | None:
        """The value of a setting that may stand in a file of its own instead, named by its `_FILE` twin."""
        file_name = self.given.get(f"{name}_FILE")
        if file_name is None:
            return self.given.get(name)
        twin = f"{PREFIX}{name}_FILE"
        if name in self.given:
            self.refuse(name, f"{twin} is set too, and they may disagree", "keep one of them")
            return None
        try:
            value = Path(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            self.refuse(f"{name}_FILE", f"the file cannot be read ({why})", "name a text file this process may read")
        else:
            if value:
                self.given[name] = value
                return value
            self.refuse(f"{name}_FILE", "the file is empty", "write the value into it")
        self.refused.add(name)
        return None

    def instance(self) -> Path:
        value = self.given.get("INSTANCE")
        if value is None:
            return DEFAULT_INSTANCE
        folder = Path(value).absolute()
        if folder.exists() and not folder.is_dir():
            self.refuse("INSTANCE", "this is not a folder", "name a folder; it is made if it is missing")
        return folder

    def environment(self) -> Environment:
        value = self.given.get("ENV", "development")
        for known in get_args(Environment):
            if value == known:
                environment: Environment = known
                return environment
        self.refuse("ENV", "there is no such environment", f"use one of {', '.join(get_args(Environment))}")
        return "development"

    def database_url(self, instance: Path) -> str:
        value = self.secret("DATABASE_URL")
        if value is None:
            return "" if "DATABASE_URL" in self.refused else f"sqlite:///{instance / 'registry.db'}"
        example = "postgresql://user:password@host/database, special characters in the password percent-encoded"
        try:
            url = make_url(re.sub(r"^postgres://", "postgresql://", value))
        except (ArgumentError, ValueError):
            self.refuse("DATABASE_URL", "this is not a database address", f"write it as {example}")
            return ""
        if url.drivername in ("postgresql", "postgresql+psycopg"):
            if url.database:
                return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
            self.refuse("DATABASE_URL", "it names no database", f"write it as {example}")
        elif url.drivername in ("sqlite", "sqlite+pysqlite"):
            if url.database and not url.database.startswith((":memory:", "file:")):
                # Flask and the command line would each resolve a relative path against another folder.
                return f"sqlite:///{instance / url.database}"
            self.refuse("DATABASE_URL", "a database in memory is lost, and no two processes share it", "name a file")
        else:
            self.refuse(
                "DATABASE_URL",
                "SQLite, and PostgreSQL by psycopg 3, are what this runs on",
                f"unset it for SQLite in the instance folder, or use {example}",
            )
        return ""

    def base_url(self) -> str:
        value = self.given.get("BASE_URL", "http://127.0.0.1:8000")
        parts = _split(value)
        example = "write scheme and host alone, such as https://subprocessors.example.com"
        if parts is None or parts.scheme not in ("http", "https"):
            self.refuse("BASE_URL", "this is not a web address", example)
        elif parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
            self.refuse("BASE_URL", "the registry lives at the root of its host", example)
        else:
            return f"{parts.scheme}://{parts.netloc.lower()}"
        return ""

    def mail_url(self) -> str:
        value = self.secret("MAIL_URL")
        if value is None:
            return "" if "MAIL_URL" in self.refused else OUTBOX
        parts = _split(value)
        remedy = "use smtp://user:password@host:587, smtps://user:password@host:465, or outbox: to try things out"
        if value == OUTBOX:
            return value
        if value.startswith("resend:"):
            self.refuse("MAIL_URL", "sending by Resend's interface is not in this release", remedy)
        elif parts is None or parts.scheme not in ("smtp", "smtps") or parts.path.strip("/") or parts.fragment:
            cause = "this is not the address of a mail server"
            self.refuse("MAIL_URL", cause, f"{remedy}, special characters in the password percent-encoded")
        else:
            return value
        return ""

    def mail_from(self, mail_url: str) -> str:
        value = self.given.get("MAIL_FROM")
        example = "use an address that your mail server may send from, such as registry@example.com"
        if value is None:
            if mail_url not in ("", OUTBOX):
                self.refuse("MAIL_FROM", "letters need a sender", example)
            return "registry@localhost"
        addresses = getaddresses([value])
        if not value.isprintable() or len(addresses) != 1 or not ADDRESS.fullmatch(addresses[0][1]):
            self.refuse("MAIL_FROM", "this is not one e-mail address", example)
        return value

    def limiter_url(self) -> str:
        value = self.given.get("LIMITER_URL", "memory://")
        if not re.match(r"[a-z][a-z0-9+]*://", value):
            example = "memory:// for one process, redis://host:6379 or memcached://host:11211 for several"
            self.refuse("LIMITER_URL", "this is not the address of a store", f"use {example}")
        return value

    def trusted_proxies(self) -> int:
        value = self.given.get("TRUSTED_PROXIES", "0")
        if not (value.isascii() and value.isdecimal() and len(value) == 1):
            cause = "this is not a number of proxies from 0 to 9"
            self.refuse("TRUSTED_PROXIES", cause, "use 0 where the server is reached directly, 1 behind one proxy")
            return 0
        return int(value)

    def mail_only_to(self) -> tuple[str, ...]:
        names = [name.strip().lower() for name in self.given.get("MAIL_ONLY_TO", "").split(",")]
        allowed = tuple(name for name in names if name)
        wrong = [name for name in allowed if not ADDRESS.fullmatch(name.replace("@", "x@", 1))]
        if wrong or ("MAIL_ONLY_TO" in self.given and not allowed):
            cause = f"{', '.join(map(repr, wrong)) or 'it'} names nobody"
            self.refuse("MAIL_ONLY_TO", cause, "use addresses and domains, such as me@example.com,@example.org")
        return allowed

    def allow_time_travel(self) -> bool:
        value = self.given.get("ALLOW_TIME_TRAVEL", NO[0]).lower()
        if value not in (*YES, *NO):
            self.refuse("ALLOW_TIME_TRAVEL", "this is neither yes nor no", "use 1 or 0")
        return value in YES

    def alert_url(self) -> str | None:
        value = self.given.get("ALERT_URL")
        parts = None if value is None else _split(value)
        if value is not None and (parts is None or parts.scheme not in ("http", "https")):
            self.refuse("ALERT_URL", "this is not a web address", "use the https address of a webhook")
        return value

    def refuse_unsafe(self, where: str, secret_key: str | None, base_url: str, mail_url: str) -> None:
        """Refuse what must not face real customers; `where` says what makes this such a place."""
        remedy = f"make a key with {MAKE_A_KEY} and set it, or name a file that holds it in {PREFIX}SECRET_KEY_FILE"
        if secret_key is None:
            self.refuse("SECRET_KEY", f"{where} a key is needed that every process shares", remedy)
        elif len(secret_key) < KEY_LENGTH or len(set(secret_key)) < KEY_VARIETY or PLACEHOLDERS.search(secret_key):
            cause = f"{where} it must be random and of {KEY_LENGTH} characters or more, and this can be guessed"
            self.refuse("SECRET_KEY", cause, remedy)
        if not base_url.startswith("https://"):
            remedy = "set it to the public https address, such as https://subprocessors.example.com"
            self.refuse("BASE_URL", f"{where} the links in letters must be encrypted and lead here", remedy)
        if mail_url == OUTBOX:
            remedy = "set it to your mail server, such as smtp://user:password@host:587"
            self.refuse("MAIL_URL", f"{where} letters must leave the house, and an outbox only keeps them", remedy)


def masked(name: str, value: str) -> str:
    """`value` of the setting `name` (without its prefix) as it may be shown or logged, secrets starred."""
    scheme, separator, rest = value.partition("://")
    if name == "ALERT_URL" and separator:
        # A webhook's path is its password.
        return repr(f"{scheme}://{re.split('[/?#]', rest.rpartition('@')[2])[0]}/***")
    if name.endswith("_URL") and separator and scheme != "resend":
        return repr(re.sub(r"\?.*", "?***", re.sub(r"(?<=://).*@", "***@", value)))
    if name.endswith(("_URL", "_KEY")) and name != "BASE_URL" and value != OUTBOX:
        return f"*** (length {len(value)})"
    return repr(value)


def _split(value: str) -> SplitResult | None:
    """The parts of an address with a host, None where it is none."""
    try:
        parts = urlsplit(value)
        # Reading the port is what makes a bad one known.
        usable = parts.hostname is not None and parts.port != 0 and value.isprintable() and " " not in value
    except ValueError:
        return None
    return parts if usable else None


def _find_or_make_secret_key(instance: Path) -> str:
    path = instance / "secret_key"
    remedy = f"let this process write to the folder, or set {PREFIX}SECRET_KEY"
    try:
        instance.mkdir(parents=True, exist_ok=True)
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
