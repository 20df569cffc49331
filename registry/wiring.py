"""From settings to the parts that work together: engine, channels, renderers, keyring. Settings go no further."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from registry import clock
from registry.channels.alerts import AlertRoad
from registry.channels.base import Channel
from registry.channels.chat import HOSTS as CHATS
from registry.channels.chat import ChatChannel, ChatKind
from registry.channels.outbox import OutboxChannel
from registry.channels.reach import PUBLIC, WITH_THIS_MACHINE, Reach
from registry.channels.resend import RESEND_URL, ResendChannel
from registry.channels.smtp import SmtpChannel
from registry.channels.smtp_address import SmtpAddress, parse_mail_url
from registry.channels.webhook import WebhookChannel
from registry.domain.errors import RegistryError
from registry.domain.vocabulary import ChannelKind
from registry.language import CATALOGUES
from registry.letters.render import LetterRenderer
from registry.migrations import known_revisions, newest_revision, read_revision
from registry.pages.render import PageRenderer
from registry.settings import OUTBOX, RESEND, BadSettings, Settings, masked
from registry.settings import CompanySignIn as CompanySignIn
from registry.steps.dispatch import Dispatch
from registry.steps.installation import bind_installation, fingerprint_of
from registry.steps.keyring import Keyring, load_keyring, make_keyring
from registry.steps.letterhead import Letterhead
from registry.steps.sweeps import Sweeping
from registry.tables.engine import make_engine, reading, writing

CHECKOUT = Path(__file__).resolve().parent.parent
TEMPLATES = CHECKOUT / "templates"
STATIC = CHECKOUT / "registry" / "web" / "static"


class SchemaMissing(RegistryError):
    """The database has no schema yet. Params: none."""

    code = "schema-missing"


class SchemaOutdated(RegistryError):
    """The database's schema is older than this release. Params: found, newest."""

    code = "schema-outdated"


class SchemaNewer(RegistryError):
    """The database was upgraded by a newer release, which must not be written over. Params: found, newest."""

    code = "schema-newer"


class DatabaseUnreachable(RegistryError):
    """The database cannot be opened. Params: why."""

    code = "database-unreachable"


@dataclass(frozen=True)
class Wiring:
    """The parts of one installation, made once per process."""

    engine: Engine
    database_url: str
    letterhead: Letterhead
    pages: PageRenderer
    build: str
    instance: Path
    fingerprint: str
    mail_url: str
    mail_only_to: tuple[str, ...]
    allow_time_travel: bool
    is_production: bool
    uses_sqlite: bool
    trusted_proxies: int
    limiter_url: str
    secret_key: str
    reach: Reach = PUBLIC
    bounce_address: str | None = None
    resend_base_url: str | None = None
    resend_api_key: str | None = field(default=None, repr=False)
    resend_webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    alert_url: str | None = field(default=None, repr=False)
    ping_url: str | None = field(default=None, repr=False)
    metrics_token: str | None = field(default=None, repr=False)
    company_sign_in: CompanySignIn | None = None

    @cached_property
    def keyring(self) -> Keyring:
        """The keys of links and addresses, which `bind` made. Reading them waits for no writer, not even the caller."""
        with reading(self.engine) as session:
            return load_keyring(session, clock.now())

    @property
    def outbox(self) -> Path:
        """The folder that letters go to where none are really sent."""
        return self.instance / "outbox"

    def make_channels(self, now: Callable[[], datetime] = clock.now) -> dict[str, Channel]:
        """Open the channels, by the kind of address they take. One set belongs to one worker.

        Where mail goes to the outbox nothing leaves the house by web either.
        """
        if self.mail_url == OUTBOX:
            return {kind.value: OutboxChannel(self.outbox, now, kind.value) for kind in ChannelKind}
        return {
            ChannelKind.EMAIL.value: self._open_mail(),
            ChannelKind.WEBHOOK.value: WebhookChannel(self.reach.open_http(), now),
            **{kind: self._open_chat(kind, now) for kind in CHATS},
        }

    def _open_mail(self) -> Channel:
        if self.resend_api_key is not None and self.mail_url.startswith(RESEND):
            return ResendChannel(self.resend_api_key, base_url=self.resend_base_url or RESEND_URL)
        address = _read_mail_url(self.mail_url)
        try:
            return SmtpChannel(address)
        except ValueError as error:
            raise _bad_mail_url(self.mail_url, error) from None

    def _open_chat(self, kind: ChatKind, now: Callable[[], datetime]) -> ChatChannel:
        http, hosts = self.reach.open_http(), self.reach.chat_hosts[kind]
        return ChatChannel(kind, http, now, hosts=hosts, allow_http=self.reach.allow_http)

    def make_sweeping(self, channels: dict[str, Channel], now: Callable[[], datetime] = clock.now) -> Sweeping:
        """Put together what the sweeps need."""
        dispatch = Dispatch(channels, self.letterhead, self.keyring, self.mail_only_to)
        alerts = AlertRoad(self.alert_url, self.ping_url)
        return Sweeping(self.engine, now, dispatch, self.pages, self.build, alerts=alerts)

    def check_schema(self) -> None:
        """Refuse to work on a database whose schema is missing, older or newer than this release."""
        try:
            with self.engine.connect() as connection:
                found = read_revision(connection)
        except OperationalError as error:
            raise DatabaseUnreachable(why=str(error.orig).partition("\n")[0]) from error
        try:
            _refuse_other_schemas(found, newest_revision())
        except RegistryError:
            self.engine.dispose()
            raise

    def bind(self, *, is_demo: bool = False) -> None:
        """Bind the database to this installation, or pause dispatch if it belongs to another (R32); make its keys."""
        with writing(self.engine) as session:
            make_keyring(session, clock.now())
            bind_installation(session, clock.now(), self.fingerprint, self.letterhead.base_url, is_demo=is_demo)


def _refuse_other_schemas(found: str | None, newest: str | None) -> None:
    if found is None:
        raise SchemaMissing()
    if found not in known_revisions():
        raise SchemaNewer(found=found, newest=newest)
    if found != newest:
        raise SchemaOutdated(found=found, newest=newest)


def wire(settings: Settings) -> Wiring:
    """Make the parts from settings. Opens no connection yet; makes the instance folder if it is missing.

    Raises `BadSettings` for a mail URL with options that cannot be used.
    """
    if settings.mail_url != OUTBOX and not settings.mail_url.startswith(RESEND):
        _read_mail_url(settings.mail_url)
    # It holds the embedded database, and with it customers' addresses.
    settings.instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    sheets = b"".join(sheet.read_bytes() for sheet in sorted(STATIC.glob("*.css")))
    version = hashlib.sha256(sheets).hexdigest()[:12]
    return Wiring(
        engine=make_engine(settings.database_url),
        database_url=settings.database_url,
        letterhead=Letterhead(
            LetterRenderer(TEMPLATES),
            settings.base_url,
            settings.mail_from,
            settings.bounce_address,
            settings.sender_domains,
        ),
        pages=PageRenderer(TEMPLATES, f"/static/registry.css?v={version}"),
        build=_build(),
        instance=settings.instance,
        fingerprint=fingerprint_of(settings.secret_key),
        mail_url=settings.mail_url,
        mail_only_to=settings.mail_only_to,
        allow_time_travel=settings.allow_time_travel,
        is_production=settings.is_production,
        uses_sqlite=settings.uses_sqlite,
        trusted_proxies=settings.trusted_proxies,
        limiter_url=settings.limiter_url,
        secret_key=settings.secret_key,
        reach=WITH_THIS_MACHINE if settings.environment == "test" else PUBLIC,
        bounce_address=settings.bounce_address,
        resend_base_url=settings.resend_base_url,
        resend_api_key=settings.resend_api_key,
        resend_webhook_secrets=settings.resend_webhook_secrets,
        alert_url=settings.alert_url,
        ping_url=settings.ping_url,
        metrics_token=settings.metrics_token,
        company_sign_in=settings.company_sign_in,
    )


def _read_mail_url(mail_url: str) -> SmtpAddress:
    try:
        return parse_mail_url(mail_url)
    except ValueError as error:
        raise _bad_mail_url(mail_url, error) from None


def _bad_mail_url(mail_url: str, error: ValueError) -> BadSettings:
    return BadSettings([f"REGISTRY_MAIL_URL is {masked('MAIL_URL', mail_url)}: {error}."])


# What a process runs was read when it began, whatever lies in the folder since.
@cache
def _build() -> str:
    code = [*(CHECKOUT / "registry").rglob("*.py"), *CATALOGUES.glob("*.po")]
    return build_id([*TEMPLATES.rglob("*"), *STATIC.rglob("*"), *code])


def build_id(files: Iterable[Path]) -> str:
    """Name the software that builds artefacts by the contents of its files, so that a new release builds anew."""
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.is_file():
            digest.update(path.relative_to(CHECKOUT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
