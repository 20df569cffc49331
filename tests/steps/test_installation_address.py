"""One base address written in several ways is one place, and an installation bound to it is no copy (R32)."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from registry.steps.installation import bind_installation, fingerprint_of, is_same_base_url, resume
from registry.tables import Installation
from registry.tables.engine import make_engine, writing
from tests.steps.audience_cast import EDITOR, MONDAY, later
from tests.world import World, settings_for

KEY = fingerprint_of("the-secret-key-of-production")

SAME = [
    ("https://bücher.example", "https://xn--bcher-kva.example"),
    ("https://BÜCHER.example", "https://xn--bcher-kva.example"),
    ("https://bu\u0308cher.example", "https://bücher.example"),
    ("https://bücher.example:8443", "https://XN--BCHER-KVA.example:8443"),
    ("https://Registry.Example", "https://registry.example"),
    ("HTTPS://registry.example", "https://registry.example"),
    ("https://registry.example/", "https://registry.example"),
    ("https://registry.example:443", "https://registry.example"),
    ("http://registry.example:80/", "http://registry.example"),
    ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
]
OTHERS = [
    ("https://registry.example", "http://registry.example"),
    ("https://registry.example", "https://registry.example:8443"),
    ("https://registry.example:80", "https://registry.example"),
    ("https://registry.example", "https://staging.registry.example"),
    ("https://bücher.example", "https://bucher.example"),
    ("https://registry.example", "https://registry.example/list"),
    ("https://registry.example:99999", "https://registry.example"),
    ("https://a\u200b--.example", "https://registry.example"),
    ("", "https://registry.example"),
]


@pytest.mark.parametrize(("bound", "here"), SAME)
def test_what_leads_to_one_place_is_the_same(bound: str, here: str) -> None:
    assert is_same_base_url(bound, here)
    assert is_same_base_url(here, bound)


@pytest.mark.parametrize(("bound", "here"), OTHERS)
def test_what_leads_elsewhere_is_not(bound: str, here: str) -> None:
    assert not is_same_base_url(bound, here)
    assert not is_same_base_url(here, bound)


@pytest.mark.parametrize(("bound", "here"), SAME)
def test_a_start_at_the_same_place_pauses_nothing(database_url: str, bound: str, here: str) -> None:
    engine = make_engine(database_url)
    try:
        with writing(engine) as session:
            bind_installation(session, MONDAY, KEY, bound)
            assert bind_installation(session, later(days=1), KEY, here).paused_at is None
            assert bind_installation(session, later(days=1), KEY, "https://staging.example").paused_at == later(days=1)
            assert resume(session, later(days=2), EDITOR, KEY, here).base_url == here
    finally:
        engine.dispose()


def test_an_installation_bound_by_the_name_starts_by_the_settings_of_today(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(database_url, tmp_path / "instance", REGISTRY_BASE_URL="https://bücher.example")
    assert settings.base_url == "https://xn--bcher-kva.example"
    World(settings, MONDAY).close()
    world = World(settings, MONDAY, was_bound=True)
    try:
        with world.writing() as session:
            session.execute(update(Installation).values(base_url="https://bücher.example"))
    finally:
        world.close()
    again = World(settings, later(days=1))
    try:
        with again.reading() as session:
            assert session.query(Installation).one().paused_at is None
    finally:
        again.close()
