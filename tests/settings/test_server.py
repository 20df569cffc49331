"""An installation on a database server: what must be set there, what is too weak, and secrets in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.settings import Settings, UnsafeSettings
from tests.settings.environments import SERVER, STRONG_KEY, refused


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_always_reached_by_psycopg_3(scheme: str) -> None:
    url = SERVER["REGISTRY_DATABASE_URL"].replace("postgresql", scheme, 1)
    settings = Settings.from_env({**SERVER, "REGISTRY_DATABASE_URL": url})
    assert settings.database_url == "postgresql+psycopg://registry:hush@db.example/registry"
    assert not settings.uses_sqlite


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://root:hush@db.example/registry", "PostgreSQL by psycopg 3"),
        ("postgresql+psycopg2://u:hush@db.example/registry", "PostgreSQL by psycopg 3"),
        ("postgresql://u:hush@db.example", "names no database"),
        ("postgresql://u:hush@db.example:x/registry", "not a database address"),
        ("hush", "not a database address"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused(url: str, cause: str) -> None:
    (problem,) = refused({**SERVER, "REGISTRY_DATABASE_URL": url})
    assert problem.startswith("REGISTRY_DATABASE_URL is ")
    assert cause in problem
    assert "hush" not in problem


def test_a_database_server_without_the_rest_refuses_to_start_and_says_how_to_mend_it() -> None:
    problems = refused({"REGISTRY_DATABASE_URL": SERVER["REGISTRY_DATABASE_URL"]}, UnsafeSettings)
    assert [problem.split()[0] for problem in problems] == [
        "REGISTRY_SECRET_KEY",
        "REGISTRY_BASE_URL",
        "REGISTRY_MAIL_URL",
    ]
    assert all("is not set: on a database server" in problem for problem in problems)
    assert "python3 -c" in problems[0]
    assert "https://" in problems[1]
    assert "smtp://" in problems[2]


def test_production_on_the_embedded_database_asks_for_the_same(embedded: dict[str, str], tmp_path: Path) -> None:
    problems = refused({**embedded, "REGISTRY_ENV": "production"}, UnsafeSettings)
    assert len(problems) == 3
    assert all("with REGISTRY_ENV=production" in problem for problem in problems)
    assert not (tmp_path / "instance").exists()


def test_a_server_with_everything_set_is_taken() -> None:
    settings = Settings.from_env({**SERVER, "REGISTRY_ENV": "production"})
    assert settings.is_production
    assert settings.secret_key == STRONG_KEY
    assert settings.mail_from == "privacy@antopsis.example"


@pytest.mark.parametrize("key", ["short", "ab" * 40, "change-me-0123456789-abcdefghijklmnop", STRONG_KEY[:31]])
def test_a_key_that_can_be_guessed_is_refused_on_a_server(key: str) -> None:
    (problem,) = refused({**SERVER, "REGISTRY_SECRET_KEY": key}, UnsafeSettings)
    assert problem.startswith("REGISTRY_SECRET_KEY is ***")
    assert "can be guessed" in problem
    assert key not in problem


def test_an_address_without_encryption_is_refused_on_a_server() -> None:
    (problem,) = refused({**SERVER, "REGISTRY_BASE_URL": "http://localhost:8000"}, UnsafeSettings)
    assert problem.startswith("REGISTRY_BASE_URL is 'http://localhost:8000'")


def test_an_outbox_is_refused_on_a_server_even_when_asked_for() -> None:
    (problem,) = refused({**SERVER, "REGISTRY_MAIL_URL": "outbox:"}, UnsafeSettings)
    assert problem.startswith("REGISTRY_MAIL_URL is 'outbox:'")


def test_the_test_environment_may_use_a_database_server_as_it_is(embedded: dict[str, str]) -> None:
    url = SERVER["REGISTRY_DATABASE_URL"]
    settings = Settings.from_env({**embedded, "REGISTRY_ENV": "test", "REGISTRY_DATABASE_URL": url})
    assert settings.environment == "test"
    assert settings.mail_url == "outbox:"


def test_time_travel_is_for_anywhere_but_production(embedded: dict[str, str]) -> None:
    assert Settings.from_env({**embedded, "REGISTRY_ALLOW_TIME_TRAVEL": "1"}).allow_time_travel is True
    environ = {**SERVER, "REGISTRY_ENV": "production", "REGISTRY_ALLOW_TIME_TRAVEL": "yes"}
    (problem,) = refused(environ, UnsafeSettings)
    assert "no evidence" in problem


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    environ = dict(SERVER)
    for name in ("REGISTRY_DATABASE_URL", "REGISTRY_SECRET_KEY", "REGISTRY_MAIL_URL"):
        path = tmp_path / name
        path.write_text(environ.pop(name) + "\n")
        environ[f"{name}_FILE"] = str(path)
    assert Settings.from_env(environ) == Settings.from_env(SERVER)


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(STRONG_KEY)
    (problem,) = refused({**SERVER, "REGISTRY_SECRET_KEY_FILE": str(path)})
    assert problem.startswith("REGISTRY_SECRET_KEY is ***")
    assert "REGISTRY_SECRET_KEY_FILE is set too" in problem


@pytest.mark.parametrize(("content", "cause"), [(None, "No such file"), (b" \n", "empty"), (b"\xff\xfe", "not text")])
def test_a_secret_file_that_cannot_be_used_is_refused(content: bytes | None, cause: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    environ = {**SERVER, "REGISTRY_SECRET_KEY": "", "REGISTRY_SECRET_KEY_FILE": str(path)}
    (problem,) = refused(environ)
    assert problem.startswith(f"REGISTRY_SECRET_KEY_FILE is '{path}'")
    assert cause in problem


def test_the_representation_of_settings_holds_no_secret() -> None:
    environ = {
        **SERVER,
        "REGISTRY_LIMITER_URL": "redis://:hush@cache.example",
        "REGISTRY_ALERT_URL": "https://hooks.example/hush",
    }
    settings = Settings.from_env(environ)
    assert "subprocessors.antopsis.example" in repr(settings)
    assert "hush" not in repr(settings)
    assert STRONG_KEY not in repr(settings)
