"""The web application: `create_app` wires what `registry.web` has, and nothing else."""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask, request
from limits.errors import ConfigurationError
from werkzeug.middleware.proxy_fix import ProxyFix

from registry import clock
from registry.database import db
from registry.domain.errors import RegistryError
from registry.i18n import explain
from registry.settings import BadSettings, Settings, masked
from registry.steps.keyring import make_keyring
from registry.tables.engine import writing
from registry.web.callbacks import callbacks
from registry.web.compare import compare
from registry.web.current import EXTENSION
from registry.web.discovery import discovery
from registry.web.embed import embed
from registry.web.errors import add_error_pages
from registry.web.forms import FORMS
from registry.web.front import Front
from registry.web.headers import add_headers
from registry.web.health import health
from registry.web.languages import add_languages
from registry.web.limits import limiter
from registry.web.lists import FEEDS, FILES, lists
from registry.web.object_form import object_form
from registry.web.root import root
from registry.web.sign_in import add_sign_in
from registry.web.static_files import add_compression
from registry.web.team import team
from registry.wiring import STATIC, TEMPLATES, Wiring, wire

LONGEST_BODY = 64 * 1024
"""Bytes. The longest form here has a few lines."""


class RegistryApp(Flask):
    """Flask, but for what it logs."""

    def log_exception(self, exc_info: Any) -> None:
        """Log a failure by its route and not by its address, which may hold a token from somebody's letter."""
        self.logger.error("Failed: %s %s", request.method, request.url_rule, exc_info=exc_info)


def create_app(settings: Settings) -> Flask:
    """Return the application for one installation, on a database whose schema is of this release.

    Raises `SchemaMissing`, `SchemaOutdated`, `SchemaNewer` or `DatabaseUnreachable`, and `BadSettings` where the store
    of rate limits cannot be used.
    """
    parts = wire(settings)
    parts.check_schema()
    parts.bind()
    # Made now, since no GET may write.
    with writing(parts.engine) as session:
        make_keyring(session, clock.now())
    app = RegistryApp(
        __name__,
        template_folder=TEMPLATES,
        static_folder=STATIC,
        static_url_path="/static",
        instance_path=str(parts.instance),
    )
    app.config.update(
        SECRET_KEY=parts.secret_key,
        MAX_CONTENT_LENGTH=LONGEST_BODY,
        SEND_FILE_MAX_AGE_DEFAULT=3_600,
        SQLALCHEMY_DATABASE_URI=parts.database_url,
        RATELIMIT_STORAGE_URI=parts.limiter_url,
    )
    # A redirect that routing makes by itself would take its host from the request (R33).
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    app.extensions[EXTENSION] = parts
    db.init_app(app)
    _count_requests(app, parts)
    add_headers(app)
    add_compression(app)
    add_error_pages(app)
    add_languages(app)
    add_sign_in(app, parts)
    app.register_blueprint(root)
    app.register_blueprint(health)
    app.register_blueprint(callbacks)
    app.register_blueprint(discovery)
    app.register_blueprint(team)
    for blueprint in (lists, compare, embed, *FORMS, object_form):
        app.register_blueprint(blueprint, url_prefix="/<slug>")
        app.register_blueprint(blueprint, name=f"own_host_{blueprint.name}")
    if parts.trusted_proxies:
        # Not X-Forwarded-Host: where a proxy leaves it alone, anybody could choose the publisher that a cache keeps.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # how Flask documents the use of middleware
            app.wsgi_app, x_for=parts.trusted_proxies, x_proto=parts.trusted_proxies, x_host=0, x_port=0, x_prefix=0
        )
    published = ("", *(name for name, _ in (FILES | FEEDS).values()))
    app.wsgi_app = Front(app, app.wsgi_app, published)  # type: ignore[method-assign]  # as above
    return app


def _count_requests(app: Flask, parts: Wiring) -> None:
    try:
        limiter.init_app(app)
    except ConfigurationError:
        # Its own message holds the address with the password.
        shown = masked("LIMITER_URL", parts.limiter_url)
        cause = "there is no such store, or the library to reach it is not installed"
        remedy = "install that library, or use memory:// with a single web process"
        raise BadSettings([f"REGISTRY_LIMITER_URL is {shown}: {cause}; {remedy}."]) from None


def create_app_from_env() -> Flask:
    """Return the application as the environment sets it; on what cannot be used say why, and exit with 2."""
    try:
        return create_app(Settings.from_env())
    except BadSettings as error:
        problem = str(error)
    except RegistryError as error:
        problem = explain(error)
    sys.stderr.write(f"{problem}\n")
    raise SystemExit(2)
