"""The sign-in of the publisher's own company: what it needs, and how its issuer is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.settings import Settings
from tests.settings.environments import refused

COMPANY = {
    "REGISTRY_OIDC_ISSUER": "https://accounts.google.com",
    "REGISTRY_OIDC_CLIENT_ID": "registry.apps.example",
    "REGISTRY_OIDC_CLIENT_SECRET": "hush-hush",
}


def test_the_sign_in_of_a_company_needs_issuer_client_id_and_secret(embedded: dict[str, str], tmp_path: Path) -> None:
    assert Settings.from_env(embedded).company_sign_in is None
    for name in COMPANY:
        alone = {**embedded, name: COMPANY[name]}
        missing = sorted(problem.split()[0] for problem in refused(alone))
        assert missing == sorted(other for other in COMPANY if other != name)
    path = tmp_path / "secret"
    path.write_text("hush-hush\n")
    in_file = {**COMPANY, "REGISTRY_OIDC_CLIENT_SECRET_FILE": str(path)}
    del in_file["REGISTRY_OIDC_CLIENT_SECRET"]
    settings = Settings.from_env({**embedded, **in_file})
    assert settings.company_sign_in == Settings.from_env({**embedded, **COMPANY}).company_sign_in
    assert settings.company_sign_in is not None
    assert settings.company_sign_in.client_secret == "hush-hush"
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("issuer", "name", "shown", "asked"),
    [
        ("https://accounts.google.com", None, "Google", "https://accounts.google.com"),
        ("https://id.antopsis.example/", None, "id.antopsis.example", "https://id.antopsis.example"),
        ("https://id.example/t1/v2.0", "Antopsis ID", "Antopsis ID", "https://id.example/t1/v2.0"),
        ("https://id.example/.well-known/openid-configuration", None, "id.example", "https://id.example"),
        ("http://127.0.0.1:9000", None, "127.0.0.1", "http://127.0.0.1:9000"),
    ],
)
def test_an_issuer_is_named_as_people_know_it(
    issuer: str, name: str | None, shown: str, asked: str, embedded: dict[str, str]
) -> None:
    environ = {**embedded, **COMPANY, "REGISTRY_OIDC_ISSUER": issuer}
    company = Settings.from_env(environ | ({"REGISTRY_OIDC_NAME": name} if name else {})).company_sign_in
    assert company is not None
    assert company.name == shown
    assert company.discovery_url == f"{asked}/.well-known/openid-configuration"
