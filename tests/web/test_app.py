"""How the application comes up: on which database, with which settings, and what it says where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from registry.app import create_app
from registry.database import db
from registry.settings import BadSettings
from registry.tables import Event, RingKey
from registry.web.current import CLOCK, now
from registry.wiring import SchemaMissing, SchemaNewer
from tests.databases import make_reused_engine
from tests.web.site import Site
from tests.world import settings_for


def test_a_database_without_a_schema_is_refused_at_the_start(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaMissing):
        create_app(settings_for(empty_database_url, tmp_path / "instance"))


def test_a_database_of_a_newer_release_is_refused_at_the_start(database_url: str, tmp_path: Path) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaNewer):
        create_app(settings_for(database_url, tmp_path / "instance"))


def test_starting_binds_the_database_and_makes_the_keys_so_that_no_get_has_to(site: Site) -> None:
    with site.world.reading() as session:
        assert {key.purpose for key in session.query(RingKey)} == {"link", "lookup"}
        assert session.query(Event).filter_by(kind="installation.bound").count() == 1


def test_a_store_of_limits_that_cannot_be_used_is_named_without_its_password(sqlite_url: str, tmp_path: Path) -> None:
    url = "nosuchstore://user:hunter2@cache.example:6379"
    with pytest.raises(BadSettings, match="REGISTRY_LIMITER_URL") as refused:
        create_app(settings_for(sqlite_url, tmp_path / "instance", REGISTRY_LIMITER_URL=url))
    # It had looked at the database before.
    make_reused_engine(sqlite_url).dispose()
    assert "hunter2" not in str(refused.value)


def test_flask_sqlalchemy_works_on_the_one_engine_with_its_rules(site: Site) -> None:
    with site.app.app_context():
        assert db.engine is site.app.extensions["registry"].engine
        assert db.session.execute(text("SELECT 1")).scalar() == 1


def test_the_time_is_the_real_one_unless_a_clock_is_given(sqlite_url: str, tmp_path: Path) -> None:
    app = create_app(settings_for(sqlite_url, tmp_path / "instance"))
    with app.app_context():
        assert abs((datetime.now(UTC) - now()).total_seconds()) < 5
    app.config[CLOCK] = lambda: datetime(2026, 9, 30, tzinfo=UTC)
    with app.app_context():
        assert now() == datetime(2026, 9, 30, tzinfo=UTC)
        app.config[CLOCK] = lambda: datetime(2027, 9, 30, tzinfo=UTC)
        assert now() == datetime(2026, 9, 30, tzinfo=UTC), "one request has one time"
    app.extensions["registry"].engine.dispose()


def start_from_env(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Start the factory as a server does, in a process of its own."""
    script = "from registry.app import create_app_from_env; print(create_app_from_env().name)"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    return subprocess.run(
        [sys.executable, "-c", script], env=kept | environ, capture_output=True, text=True, timeout=60
    )


def test_the_factory_takes_its_settings_from_the_environment(sqlite_url: str, tmp_path: Path) -> None:
    started = start_from_env({"REGISTRY_INSTANCE": str(tmp_path / "i"), "REGISTRY_DATABASE_URL": sqlite_url})
    assert (started.returncode, started.stdout) == (0, "registry.app\n"), started.stderr


def test_settings_that_cannot_be_used_are_said_and_end_with_2(tmp_path: Path) -> None:
    started = start_from_env({"REGISTRY_INSTANCE": str(tmp_path), "REGISTRY_BASE_URL": "nowhere"})
    assert started.returncode == 2
    assert "REGISTRY_BASE_URL" in started.stderr
    assert "Traceback" not in started.stderr


def test_a_schema_that_does_not_fit_is_said_with_its_remedy_and_ends_with_2(tmp_path: Path) -> None:
    started = start_from_env({"REGISTRY_INSTANCE": str(tmp_path)})
    assert started.returncode == 2
    assert "registry upgrade" in started.stderr
    assert "Traceback" not in started.stderr
