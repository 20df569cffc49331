"""`registry doctor`: what is not fit to go live, and what to do; the mail server and the name servers are real ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from registry.channels.mail_dns import look_up_mail_dns
from registry.cli import doctor_senders
from registry.steps.tasks import open_task
from registry.tables import Address, Delivery, Installation, Notice
from registry.tables.engine import writing
from tests.channels.dns_server import SILENCE, DnsServer
from tests.channels.scripted_server import ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.cli.conftest import LIST, Terminal, environ_for
from tests.cli.doctor_cast import findings, live, said_of
from tests.unreadable_terms import spoil_terms

OF = ("--publisher", "antopsis")


def test_the_doctor_says_what_is_not_fit_and_what_to_do(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    told = sqlite_terminal.run("doctor", exit_code=1).stdout
    assert "Set REGISTRY_MAIL_URL to your mail server" in told
    assert "Set REGISTRY_BASE_URL to the public https address." in told
    assert "Not fit to go live" in told
    found = findings(sqlite_terminal)
    assert found["Installation"]["grade"] == "wrong"
    sqlite_terminal.run("tick")
    found = findings(sqlite_terminal)
    assert (found["Installation"]["grade"], found["Worker"]["grade"]) == ("ok", "ok")


def test_the_doctor_finds_an_installation_fit(sqlite_terminal: Terminal, mail: MailServer, names: DnsServer) -> None:
    told = live(sqlite_terminal, mail).run("doctor", "--dkim-selector", "relay1").stdout
    assert "Fit to go live." in told
    assert "hush" not in told
    found = findings(sqlite_terminal, "--dkim-selector", "relay1", exit_code=0)
    assert {found[about]["grade"] for about in ("SPF", "DKIM", "DMARC", "Replies", "Alerts", "Silence")} == {"ok"}
    assert found["SPF"]["says"] == "example.com says v=spf1 include:relay.example -all."
    assert found["Alerts"]["says"] == "operators are told by 'https://hooks.example/***'."
    assert found["Tasks"]["says"] == "none is open."


def test_the_doctor_without_a_network_asks_nobody(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    found = findings(live(sqlite_terminal, mail), "--no-network", exit_code=0)
    assert "was not tried" in found["Mail"]["says"]
    assert found["Domain"]["grade"] == "note"
    assert names.asked == []


def test_a_domain_without_records_is_not_fit_and_each_is_named_with_what_to_publish(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail, REGISTRY_MAIL_FROM="notices@bare.example")
    found = findings(sqlite_terminal, "--dkim-selector", "relay1")
    assert [found[about]["grade"] for about in ("DKIM", "DMARC", "Replies")] == ["wrong"] * 3
    assert "_dmarc.bare.example" in found["DMARC"]["remedy"]
    assert found["SPF"]["grade"] == "ok", "SPF is that of the return path, whose domain is another one here"
    assert "relay1._domainkey.bare.example has no such record" in found["DKIM"]["says"]


def test_a_bounce_address_where_no_mail_arrives_is_not_fit(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    names.put("bounces.example", "TXT", '"v=spf1 include:relay.example -all"')
    live(sqlite_terminal, mail, REGISTRY_BOUNCE_ADDRESS="bounces@bounces.example")
    assert findings(sqlite_terminal)["Way back"]["grade"] == "wrong"
    names.put("bounces.example", "MX", "10 mail.example.com.")
    assert findings(sqlite_terminal, exit_code=0)["Way back"]["grade"] == "ok"


def test_what_no_name_server_answers_is_not_known_and_not_wrong(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_senders, "look_up_mail_dns", partial(look_up_mail_dns, lifetime_seconds=0.3))
    for name in ("example.com", "_dmarc.example.com"):
        names.misbehave(name, SILENCE)
    found = findings(live(sqlite_terminal, mail), exit_code=0)
    assert [found[about]["grade"] for about in ("SPF", "DKIM", "DMARC", "Replies")] == ["note"] * 4
    assert "selector" in found["DKIM"]["says"]


def test_the_mail_server_is_tried_and_one_that_refuses_is_named(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail)
    found = findings(sqlite_terminal, exit_code=0)["Mail"]
    assert (found["grade"], "was tried and is ready" in found["says"]) == ("ok", True)
    with ScriptedServer({"auth": ["535 5.7.8 Wrong password"] * 9}, features=["AUTH PLAIN"]) as server:
        url = server.url.replace("smtp://", "smtp://registry:hush@")
        sqlite_terminal.environ["REGISTRY_MAIL_URL"] = url
        found = findings(sqlite_terminal)["Mail"]
    assert found["grade"] == "wrong"
    assert "(535 " in found["says"] or ": 535 " in found["says"]
    assert "5.7.8 Wrong password" in found["says"]
    assert "hush" not in found["says"]


def test_the_address_for_objections_is_written_to(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail)
    before = len(mail.messages)
    assert findings(sqlite_terminal, exit_code=0)["Objections"]["grade"] == "ok"
    sent = [message.rcpt_tos for message in mail.messages[before:]]
    assert sent.count(("support@antopsis.example",)) == 1
    mail.script("support@antopsis.example", 550, "5.1.1 No such user here")
    found = findings(sqlite_terminal)["Objections"]
    assert "takes no mail (550 at RCPT TO: 5.1.1 No such user here)" in found["says"]
    assert [task["kind"] for task in sqlite_terminal.ask("task", "list")] == ["address_fails"]


def test_smtp_without_a_bounce_address_is_to_be_weighed_and_says_what_it_leads_to(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail).environ["REGISTRY_BOUNCE_ADDRESS"] = ""
    ((grade, says),) = said_of(sqlite_terminal, "Bounces")
    assert grade == "warn"
    assert "a notice takes effect for a customer that never had it" in says
    assert "Fit to go live. 1 thing to weigh first." in sqlite_terminal.run("doctor").stdout


def test_terms_that_ask_for_delivery_are_not_met_by_a_mail_server(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail, LIST.replace("{days: 45}", "{days: 45, clock_starts_on: delivered}"))
    ((grade, says),) = said_of(sqlite_terminal, "Receipts")
    assert (grade, "the clock of hanoi starts at a report of delivery" in says) == ("warn", True)
    sqlite_terminal.environ["REGISTRY_BOUNCE_ADDRESS"] = ""
    ((grade, says),) = said_of(sqlite_terminal, "Receipts", exit_code=1)
    assert (grade, "every notice would wait" in says) == ("wrong", True)


def test_without_alerts_and_pings_the_doctor_says_that_nobody_is_told(sqlite_terminal: Terminal) -> None:
    found = findings(sqlite_terminal)
    assert (found["Alerts"]["grade"], found["Silence"]["grade"]) == ("note", "note")
    assert "REGISTRY_ALERT_URL" in found["Alerts"]["remedy"]
    assert "REGISTRY_PING_URL" in found["Silence"]["remedy"]


def test_open_tasks_are_counted_by_kind(terminal: Terminal, engine: Engine) -> None:
    terminal.apply(LIST)
    with writing(engine) as session:
        for number in (1, 2):
            open_task(session, datetime.now(UTC), "callback_unmatched", subject=("provider", str(number)))
    assert findings(terminal)["Tasks"]["says"] == "open: 2 callback unmatched."


def test_the_doctor_sees_a_silent_worker_overdue_notices_and_letters_that_need_a_person(
    terminal: Terminal, engine: Engine
) -> None:
    number = terminal.publish_a_move()
    terminal.run("tick")
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    with writing(engine) as session:
        session.execute(update(Installation).values(heartbeat_at=long_ago))
        session.execute(update(Notice).values(effective_at=long_ago))
        session.execute(update(Delivery).values(state="needs_attention"))
    found = findings(terminal)
    assert "last seen" in found["Worker"]["says"]
    assert f"{number} of antopsis should be in effect or held by now." in found["Notice"]["says"]
    assert f"1 letter about notice {number} of antopsis could not be brought" in found["Letters"]["says"]
    with writing(engine) as session:
        session.execute(update(Delivery).values(state="pending", due_at=long_ago))
    assert "1 letter should have been tried by now." in findings(terminal)["Letters"]["says"]


def test_the_doctor_names_customers_nobody_can_be_told_for(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.run("customer", "add", "bremen", *OF, "--name", "Bremen Media GmbH")
    found = findings(sqlite_terminal)["Customers"]
    assert "bremen" in found["says"]
    assert "registry customer contact-add bremen EMAIL --publisher antopsis" in found["remedy"]


def test_a_customer_whose_only_contact_is_not_written_to_counts_as_not_told(terminal: Terminal, engine: Engine) -> None:
    terminal.apply(LIST)
    assert "Customers" not in findings(terminal)
    terminal.run("suppression", "add", "privacy@hanoi.example", *OF)
    found = findings(terminal)["Customers"]
    assert found["says"] == "of antopsis, nobody can be told: hanoi. Each would hold every notice."
    assert "registry suppression list --publisher antopsis" in found["remedy"]
    terminal.run("customer", "contact-add", "hanoi", "second@hanoi.example", *OF)
    assert "Customers" not in findings(terminal)
    with writing(engine) as session:
        session.execute(update(Address).where(Address.value == "second@hanoi.example").values(value=None))
    assert "hanoi" in findings(terminal)["Customers"]["says"]


def test_terms_that_cannot_be_read_are_named_and_everything_else_is_examined(
    terminal: Terminal, engine: Engine
) -> None:
    terminal.apply(LIST)
    terminal.apply(LIST.replace("antopsis", "zenopsis").replace("key: hanoi", "key: saigon"))
    terminal.run("customer", "add", "mute", "--publisher", "zenopsis", "--name", "Mute AG")
    spoil_terms(engine, "hanoi")
    found = findings(terminal)
    assert (found["Database"]["grade"], found["Tasks"]["grade"]) == ("ok", "ok")
    said = said_of(terminal, "Customers", exit_code=1)
    assert said == [
        ("wrong", "the terms of hanoi at antopsis cannot be read, and nothing is announced."),
        ("wrong", "of zenopsis, nobody can be told: mute. Each would hold every notice."),
    ]


def test_the_doctor_examines_a_database_it_cannot_reach(tmp_path: Path) -> None:
    terminal = Terminal(environ_for("postgresql://registry@127.0.0.1:1/registry", tmp_path / "instance"), tmp_path)
    assert "cannot be opened" in findings(terminal)["Database"]["says"]
