"""One reading of the environment: names, files that hold secrets, and the values that no road out of the house needs.

Each value that cannot be used is noted with its cause and its remedy, so that all of them can be told at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import SplitResult, urlsplit

import idna
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

Environment = Literal["development", "production", "test"]

PREFIX: Final = "REGISTRY_"
WITH_FILE_TWIN: Final = (
    *("DATABASE_URL", "SECRET_KEY", "MAIL_URL"),
    *("RESEND_API_KEY", "RESEND_WEBHOOK_SECRET", "ALERT_URL", "PING_URL", "METRICS_TOKEN", "OIDC_CLIENT_SECRET"),
)
NAMES: Final = (
    *("INSTANCE", "ENV", "BASE_URL", "MAIL_FROM", "MAIL_ONLY_TO", "BOUNCE_ADDRESS", "SENDER_DOMAINS"),
    *("LIMITER_URL", "TRUSTED_PROXIES"),
    "ALLOW_TIME_TRAVEL",
    *("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_NAME"),
    *WITH_FILE_TWIN,
    *(f"{name}_FILE" for name in WITH_FILE_TWIN),
)
# Kubernetes puts these into every container that runs beside a service named "registry".
KUBERNETES: Final = re.compile(r"SERVICE_(HOST|PORT\w*)|PORT(_\d+_\w+)?")

HOST: Final = re.compile(r"[a-z0-9_-][a-z0-9._-]*|[0-9a-f:.]+")
"""A name in small ASCII letters, or an address of version 4 or 6."""
DEFAULT_INSTANCE: Final = Path(__file__).resolve().parent.parent / "instance"
KEY_LENGTH: Final = 32
KEY_VARIETY: Final = 8
PLACEHOLDERS: Final = re.compile(r"change.?(me|this|it)|secret|password|example|your.?key|dev.?key", re.IGNORECASE)
MAKE_A_KEY: Final = "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
YES: Final = ("1", "true", "yes", "on")
NO: Final = ("0", "false", "no", "off")

_MAY_BE_SHOWN: Final = "outbox:"


class BadSettings(Exception):
    """The environment holds values that cannot be used. `problems` are sentences for the operator, secrets masked."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(["The settings cannot be used:", *(f"- {problem}" for problem in problems)]))


class UnsafeSettings(BadSettings):
    """Every value can be read, but together they would be unsafe where real people are to be told."""


class Reading:
    """One reading of an environment. Each value that cannot be used is noted, and stands as empty from then on.

    `given` holds what is set, without the prefix and without blanks around it.
    """

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
        """Note every name below the prefix that is no setting, with the one that may be meant."""
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
        """Return the value of a setting that may stand in a file of its own instead, named by its `_FILE` twin."""
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

    def refuse_weak_key(self, where: str, secret_key: str | None) -> None:
        """Refuse a secret key that is missing or can be guessed; `where` says what makes that matter."""
        remedy = f"make a key with {MAKE_A_KEY} and set it, or name a file that holds it in {PREFIX}SECRET_KEY_FILE"
        if secret_key is None:
            self.refuse("SECRET_KEY", f"{where} a key is needed that every process shares", remedy)
        elif len(secret_key) < KEY_LENGTH or len(set(secret_key)) < KEY_VARIETY or PLACEHOLDERS.search(secret_key):
            cause = f"{where} it must be random and of {KEY_LENGTH} characters or more, and this can be guessed"
            self.refuse("SECRET_KEY", cause, remedy)

    def instance(self) -> Path:
        """Return the instance folder, absolute; it may not exist yet."""
        value = self.given.get("INSTANCE")
        if value is None:
            return DEFAULT_INSTANCE
        folder = Path(value).absolute()
        if folder.exists() and not folder.is_dir():
            self.refuse("INSTANCE", "this is not a folder", "name a folder; it is made if it is missing")
        return folder

    def environment(self) -> Environment:
        """Return what sort of place this is."""
        value = self.given.get("ENV", "development")
        for known in get_args(Environment):
            if value == known:
                environment: Environment = known
                return environment
        self.refuse("ENV", "there is no such environment", f"use one of {', '.join(get_args(Environment))}")
        return "development"

    def database_url(self, instance: Path) -> str:
        """Return the database's address for SQLAlchemy, its driver named."""
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
        """Return the address that links lead to, without a slash at its end.

        In ASCII it is small letters and otherwise as given, so that it stays what the installation is bound to.
        """
        value = self.given.get("BASE_URL", "http://127.0.0.1:8000")
        parts = split_address(value)
        example = "write scheme and host alone, such as https://subprocessors.example.com"
        if parts is None or parts.scheme not in ("http", "https"):
            self.refuse("BASE_URL", "this is not a web address", example)
        elif parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
            self.refuse("BASE_URL", "the registry lives at the root of its host", example)
        elif (host := in_ascii(parts.hostname or "")) is None or not HOST.fullmatch(host):
            self.refuse("BASE_URL", "its host is no name that links can lead to", example)
        elif parts.netloc.isascii():
            return f"{parts.scheme}://{parts.netloc.lower()}"
        else:
            port = f":{parts.port}" if parts.port is not None else ""
            return f"{parts.scheme}://{host}{port}"
        return ""

    def limiter_url(self) -> str:
        """Return where requests are counted."""
        value = self.given.get("LIMITER_URL", "memory://")
        if not re.match(r"[a-z][a-z0-9+]*://", value):
            example = "memory:// for one process, redis://host:6379 or memcached://host:11211 for several"
            self.refuse("LIMITER_URL", "this is not the address of a store", f"use {example}")
        return value

    def trusted_proxies(self) -> int:
        """Return how many proxies stand in front."""
        value = self.given.get("TRUSTED_PROXIES", "0")
        if not (value.isascii() and value.isdecimal() and len(value) == 1):
            cause = "this is not a number of proxies from 0 to 9"
            self.refuse("TRUSTED_PROXIES", cause, "use 0 where the server is reached directly, 1 behind one proxy")
            return 0
        return int(value)

    def allow_time_travel(self) -> bool:
        """Return whether `registry tick --at` may be used (R39)."""
        value = self.given.get("ALLOW_TIME_TRAVEL", NO[0]).lower()
        if value not in (*YES, *NO):
            self.refuse("ALLOW_TIME_TRAVEL", "this is neither yes nor no", "use 1 or 0")
        return value in YES


def masked(name: str, value: str) -> str:
    """`value` of the setting `name` (without its prefix) as it may be shown or logged, secrets starred."""
    scheme, separator, rest = value.partition("://")
    if name in ("ALERT_URL", "PING_URL") and separator:
        # A webhook's path is its password.
        return repr(f"{scheme}://{re.split('[/?#]', rest.rpartition('@')[2])[0]}/***")
    if name.endswith("_URL") and scheme == "resend" and re.fullmatch(r"[a-z0-9.:-]*", rest):
        # A key has an underscore in it, or a capital letter.
        return repr(value)
    if name.endswith("_URL") and separator and scheme != "resend":
        return repr(re.sub(r"\?.*", "?***", re.sub(r"(?<=://).*@", "***@", value)))
    if name.endswith(("_URL", "_KEY", "_SECRET", "_TOKEN")) and name != "BASE_URL" and value != _MAY_BE_SHOWN:
        return f"*** (length {len(value)})"
    return repr(value)


def in_ascii(domain: str) -> str | None:
    """Return a domain in small ASCII letters, an international one in its xn-- form; None where it has none."""
    try:
        return domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return None


def split_address(value: str) -> SplitResult | None:
    """Return the parts of an address with a host, None where it is none."""
    try:
        parts = urlsplit(value)
        # Reading the port is what makes a bad one known.
        usable = parts.hostname is not None and parts.port != 0 and value.isprintable() and " " not in value
    except ValueError:
        return None
    return parts if usable else None
