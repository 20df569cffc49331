"""The addresses that monitoring asks: fit or not and why, and the figures to whoever may read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text, update

from registry.migrations import newest_revision
from registry.steps.installation import pause
from registry.tables import Installation
from registry.web import health
from tests.web.conftest import serving
from tests.web.site import Site, json_of
from tests.world import ANNA, antopsis

TOKEN = "k7Qp-2vN8_test-only-token"


def figures(site: Site, **options: object) -> dict[tuple[str, ...], float]:
    """Return what /metrics says: the value by name and labels."""
    answer = site.get("/metrics", **options)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture
def unkept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every question be answered anew."""
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(health, "SHARE_OF_TIME", 0)


def test_a_service_whose_worker_lives_is_ready_and_says_what_it_looked_at(site: Site) -> None:
    site.world.tick()
    answer = site.get("/readyz")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert json_of(answer) == {
        "ready": True,
        "checks": {
            "database": {"ok": True},
            "schema": {"ok": True, "state": "newest", "found": newest_revision()},
            "scheduler": {"ok": True, "state": "alive", "heartbeat_age_seconds": 0.0},
            "sweeps": {"ok": True, "failing": []},
            "dispatch": {"ok": True, "paused": False, "because": None},
        },
    }


def test_a_dead_scheduler_makes_it_unready_and_health_stays_as_it_was(site: Site) -> None:
    site.world.tick()
    site.world.at += timedelta(minutes=3)
    answer = site.get("/readyz")
    assert answer.status_code == 503
    assert json_of(answer)["checks"]["scheduler"] == {"ok": False, "state": "late", "heartbeat_age_seconds": 180.0}
    assert site.get("/healthz").data == b"ok\n"


def test_a_web_without_any_worker_is_ready_for_ten_minutes(site: Site) -> None:
    for minutes, status in ((9, 200), (11, 503)):
        with site.world.writing() as session:
            created_at = site.world.at - timedelta(minutes=minutes)
            session.execute(update(Installation).values(created_at=created_at))
        assert site.get("/readyz").status_code == status


def test_a_schema_that_is_not_the_newest_makes_it_unready(site: Site) -> None:
    site.world.tick()
    with site.world.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    answer = site.get("/readyz")
    assert answer.status_code == 503
    assert json_of(answer)["checks"]["schema"] == {"ok": False, "state": "newer", "found": "9999"}


def test_a_pause_is_shown_without_anybodys_words_and_stays_ready(site: Site) -> None:
    site.world.tick()
    with site.world.writing() as session:
        pause(session, site.world.at, ANNA, "Bernd at bernd@antopsis.example asked")
    answer = site.get("/readyz")
    assert answer.status_code == 200
    assert json_of(answer)["checks"]["dispatch"] == {"ok": True, "paused": True, "because": "by-a-person"}
    assert "bernd" not in answer.text


def test_the_figures_are_in_prometheus_text_form_and_name_nobody(site: Site, unkept: None) -> None:
    site.follow("fred@reader.example")
    site.world.announce(antopsis(helsinki=True))
    before = figures(site)
    assert before["registry_queue_letters", "email", "pending"] == 3
    site.world.tick()
    site.world.at += timedelta(seconds=20)
    after = figures(site)
    assert ("registry_queue_letters", "email", "pending") not in after
    assert after["registry_deliveries", "email", "accepted"] == 4
    assert after["registry_oldest_due_seconds",] == 0
    assert after["registry_needs_attention_letters",] == 0
    assert after["registry_dispatch_paused",] == 0
    assert after["registry_heartbeat_age_seconds",] == 20
    assert after["registry_blocked_providers",] == 0
    assert after["registry_first_tries",] == 4
    assert after["registry_first_try_seconds", "0.5"] == 0
    told = site.get("/metrics").text
    assert "@" not in told
    assert "antopsis" not in told
    assert "hanoi" not in told


def test_figures_are_kept_for_some_seconds(site: Site) -> None:
    site.world.tick()
    first = figures(site)
    site.world.at += timedelta(seconds=30)
    assert figures(site) == first


@pytest.fixture
def guarded_site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """Antopsis, whose figures need a token."""
    with serving(sqlite_url, tmp_path / "instance", antopsis(), REGISTRY_METRICS_TOKEN=TOKEN) as site:
        yield site


def test_with_a_token_set_the_figures_need_it_from_everywhere(guarded_site: Site) -> None:
    for given in (None, "Bearer", "Bearer wrong-token-of-some-length", f"Basic {TOKEN}", "Bearer \u00e9"):
        headers = {} if given is None else {"Authorization": given}
        answer = guarded_site.get("/metrics", headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "registry_" not in answer.text
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert figures(guarded_site, headers={"Authorization": f"Bearer {TOKEN}"}, environ_overrides=elsewhere)


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.0.2.7", {}),
        ("", {}),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}),
        ("127.0.0.1", {"Forwarded": "for=192.0.2.7"}),
        ("127.0.0.1", {"Host": "lists.example"}),
        ("127.0.0.1", {"Host": "[::1"}),
    ],
)
def test_without_a_token_only_this_machine_itself_reads_the_figures(
    light_site: Site, peer: str, headers: dict[str, str]
) -> None:
    answer = light_site.get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert answer.status_code in (400, 403)
    assert "registry_queue" not in answer.text
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000"):
        assert figures(light_site, headers={"Host": host}, environ_overrides={"REMOTE_ADDR": "::1"})


def test_a_trusted_proxy_on_this_machine_does_not_make_a_stranger_this_machine(proxied_site: Site) -> None:
    answer = proxied_site.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"})
    assert answer.status_code == 403


def test_every_figure_is_documented_and_no_other(site: Site, unkept: None) -> None:
    site.world.announce(antopsis(helsinki=True))
    site.world.tick()
    families = text_string_to_metric_families(site.get("/metrics").text)
    document = (Path(__file__).resolve().parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    assert {family.name for family in families} == set(re.findall(r"^\| `(registry_\w+)` \|", document, re.MULTILINE))
