"""An instance that nothing is set for: its folder, its database and its secret key."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.settings import DEFAULT_INSTANCE, Settings
from tests.settings.environments import STRONG_KEY, refused


def test_the_embedded_default_needs_nothing_but_a_folder(embedded: dict[str, str], tmp_path: Path) -> None:
    settings = Settings.from_env(embedded)
    assert settings.instance == tmp_path / "instance"
    assert settings.database_url == f"sqlite:///{tmp_path}/instance/registry.db"
    assert settings.uses_sqlite
    assert not settings.is_production
    assert (settings.environment, settings.base_url) == ("development", "http://127.0.0.1:8000")
    assert (settings.mail_url, settings.mail_from) == ("outbox:", "registry@localhost")
    assert (settings.limiter_url, settings.trusted_proxies, settings.mail_only_to) == ("memory://", 0, ())
    assert settings.allow_time_travel is False
    assert (settings.alert_url, settings.ping_url, settings.metrics_token) == (None, None, None)
    assert (settings.bounce_address, settings.resend_api_key, settings.resend_webhook_secrets) == (None, None, ())


def test_the_default_instance_is_the_folder_of_the_checkout() -> None:
    settings = Settings.from_env({"REGISTRY_SECRET_KEY": STRONG_KEY})
    assert settings.instance == DEFAULT_INSTANCE == Path(__file__).parents[2] / "instance"


def test_without_an_argument_the_environment_of_the_process_is_read(
    embedded: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**embedded, "REGISTRY_TRUSTED_PROXIES": "3"}.items():
        monkeypatch.setenv(name, value)
    assert Settings.from_env().trusted_proxies == 3


def test_a_secret_key_is_made_once_and_only_its_owner_may_read_it(embedded: dict[str, str], tmp_path: Path) -> None:
    first, second = Settings.from_env(embedded), Settings.from_env(embedded)
    path = tmp_path / "instance" / "secret_key"
    assert first.secret_key == second.secret_key == path.read_text().strip()
    assert len(first.secret_key) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret_key"]


def test_processes_that_start_together_agree_on_one_secret_key(embedded: dict[str, str]) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = {settings.secret_key for settings in pool.map(Settings.from_env, [embedded] * 64)}
    assert len(keys) == 1


def test_two_instances_have_two_secret_keys(tmp_path: Path) -> None:
    keys = {Settings.from_env({"REGISTRY_INSTANCE": str(tmp_path / name)}).secret_key for name in ("one", "two")}
    assert len(keys) == 2


def test_a_secret_key_cut_short_is_refused_and_not_overwritten(embedded: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "instance" / "secret_key"
    path.parent.mkdir()
    path.write_text("short\n")
    (problem,) = refused(embedded)
    assert str(path) in problem
    assert "remove the file" in problem
    assert path.read_text() == "short\n"


def test_no_secret_key_is_made_where_the_settings_are_refused(embedded: dict[str, str], tmp_path: Path) -> None:
    refused({**embedded, "REGISTRY_TRUSTED_PROXIES": "many"})
    assert not (tmp_path / "instance").exists()


def test_an_instance_folder_that_cannot_be_made_is_a_clear_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (problem,) = refused({"REGISTRY_INSTANCE": str(tmp_path / "file")})
    assert "not a folder" in problem
    (problem,) = refused({"REGISTRY_INSTANCE": str(tmp_path / "file" / "instance")})
    assert "cannot be made or read" in problem
    assert "REGISTRY_SECRET_KEY" in problem


def test_a_relative_sqlite_file_lies_in_the_instance_folder(embedded: dict[str, str], tmp_path: Path) -> None:
    settings = Settings.from_env({**embedded, "REGISTRY_DATABASE_URL": "sqlite:///list.db"})
    assert settings.database_url == f"sqlite:///{tmp_path}/instance/list.db"
