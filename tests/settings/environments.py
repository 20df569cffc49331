"""Environments that settings are read from, and how a refusal is looked at."""

from __future__ import annotations

import pytest

from registry.settings import BadSettings, Settings

STRONG_KEY = "kN3vXw8_0pQzR5tYbL2mHc7JdFg4Se6A"
SERVER = {
    "REGISTRY_DATABASE_URL": "postgresql://registry:hush@db.example/registry",
    "REGISTRY_SECRET_KEY": STRONG_KEY,
    "REGISTRY_BASE_URL": "https://subprocessors.antopsis.example",
    "REGISTRY_MAIL_URL": "smtp://registry:hush@mail.example:587",
    "REGISTRY_MAIL_FROM": "privacy@antopsis.example",
}


def refused(environ: dict[str, str], kind: type[BadSettings] = BadSettings) -> list[str]:
    """Return what is said of settings that are refused, and see that all of it is said."""
    with pytest.raises(BadSettings) as caught:
        Settings.from_env(environ)
    assert type(caught.value) is kind
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems
