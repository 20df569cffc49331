"""The demonstration: invented, marked as such, made by the real steps, and made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from registry.cli.demo import EXAMPLES, SCENES, prepare_demo
from registry.clock import now
from registry.readers.registry_file import read_registry_file
from registry.settings import Settings
from registry.tables import Address, Customer, Delivery, Installation, Notice, Publisher, Subscription
from registry.tables.engine import reading
from registry.wiring import wire
from tests.cli.conftest import LIST, Terminal, environ_for


def prepare(terminal: Terminal) -> list[str]:
    wiring = wire(Settings.from_env(terminal.environ))
    try:
        return prepare_demo(wiring, now())
    finally:
        wiring.engine.dispose()


def test_every_example_gets_a_pending_notice_a_customer_and_a_follower(terminal: Terminal, engine: Engine) -> None:
    slugs = {read_registry_file(path.read_bytes(), path.name).publisher.slug for path in EXAMPLES.glob("*.yaml")}
    assert set(prepare(terminal)) == slugs == set(SCENES)
    with reading(engine) as session:
        assert set(session.scalars(select(Publisher.slug))) == slugs
        assert list(session.scalars(select(Notice.state))) == ["announced"] * len(slugs)
        assert session.scalar(select(Installation.is_demo)) is True
        confirmed = session.scalars(select(Subscription.audience).where(Subscription.confirmed_at.is_not(None))).all()
        assert sorted(confirmed) == ["customer"] * len(slugs) + ["follower"] * len(slugs)
        for name in session.scalars(select(Customer.name)):
            assert name.endswith("(invented)")
        for value in session.scalars(select(Address.value)):
            assert value is not None
            assert value.endswith(".example")
        for summary in session.scalars(select(Notice.summary)):
            assert summary.startswith("Invented for this demonstration: ")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_second_start_adds_nothing(terminal: Terminal, engine: Engine) -> None:
    prepare(terminal)
    with reading(engine) as session:
        before = list(session.execute(select(Delivery.id, Delivery.state)))
    assert prepare(terminal) == []
    with reading(engine) as session:
        assert list(session.execute(select(Delivery.id, Delivery.state))) == before


def test_on_a_demo_the_outbox_counts_as_receipt_and_notices_take_effect(sqlite_terminal: Terminal) -> None:
    prepare(sqlite_terminal)
    sqlite_terminal.run("tick")
    status = sqlite_terminal.ask(
        "notice",
        "status",
        sqlite_terminal.ask("notice", "list", "--publisher", "antopsis")[0]["number"],
        "--publisher",
        "antopsis",
    )
    assert [customer["state"] for customer in status["customers"]] == ["received"]
    assert status["holds"] == []
    assert "marked as a demo for good" in sqlite_terminal.run("doctor", exit_code=1).stdout


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_another_port_does_not_pause_a_demo(terminal: Terminal, engine: Engine) -> None:
    prepare(terminal)
    terminal.environ["REGISTRY_BASE_URL"] = "http://127.0.0.1:8010"
    prepare(terminal)
    with reading(engine) as session:
        installation = session.scalars(select(Installation)).one()
        assert (installation.paused_at, installation.base_url) == (None, "http://127.0.0.1:8010")


def test_a_demo_does_not_mix_with_what_is_real(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.run("tick")
    sqlite_terminal.apply(LIST)
    refused = sqlite_terminal.run("serve", "--demo", "--port", "8765", exit_code=2)
    assert "was started without --demo" in refused.stderr
    assert [each["slug"] for each in sqlite_terminal.ask("publisher", "list")] == ["antopsis"]


def test_a_demo_sends_no_mail(sqlite_url: str, tmp_path: Path) -> None:
    mail = {"REGISTRY_MAIL_URL": "smtp://127.0.0.1:2525", "REGISTRY_MAIL_FROM": "notices@example.com"}
    terminal = Terminal(environ_for(sqlite_url, tmp_path / "instance", **mail), tmp_path)
    refused = terminal.run("serve", "--demo", "--port", "8765", exit_code=2)
    assert "A demonstration sends no mail" in refused.stderr
