"""`registry doctor`: what is not fit to go live, and what to do; the mail server and the name servers are real ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from registry.channels.mail_dns import look_up_mail_dns
from registry.cli import doctor_senders
from registry.steps.tasks import open_task
from registry.tables import Delivery, Installation, Notice
from registry.tables.engine import writing
from tests.channels.dns_server import SILENCE, DnsServer
from tests.channels.resend_missteps import refusal
from tests.channels.resend_server import ResendServer
from tests.channels.scripted_server import ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.cli.conftest import LIST, Terminal, environ_for

OF = ("--publisher", "antopsis")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[DnsServer]:
    """A name server that knows a domain with everything in place."""
    with DnsServer() as server:
        monkeypatch.setattr("registry.channels.mail_dns.Resolver", server.resolver)
        server.put("example.com", "TXT", '"v=spf1 include:relay.example -all"')
        server.put("example.com", "MX", "10 mail.example.com.")
        server.put("_dmarc.example.com", "TXT", '"v=DMARC1; p=reject"')
        server.put("relay1._domainkey.example.com", "TXT", '"v=DKIM1; k=rsa; p=MIGf"')
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A mail server."""
    with MailServer() as server:
        yield server


def findings(terminal: Terminal, *options: str, exit_code: int = 1) -> dict[str, dict[str, Any]]:
    """Return what the doctor finds, by what it is about."""
    told = terminal.ask("doctor", *options, exit_code=exit_code)
    return {finding["about"]: finding for finding in told["findings"]}


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


def live(terminal: Terminal, mail: MailServer, **environ: str) -> Terminal:
    """Set a terminal up as it goes live."""
    terminal.environ |= {
        "REGISTRY_BASE_URL": "https://list.example.com",
        "REGISTRY_MAIL_URL": mail.url,
        "REGISTRY_MAIL_FROM": "notices@example.com",
        "REGISTRY_ALERT_URL": "https://hooks.example/T0/hush",
        "REGISTRY_PING_URL": "https://ping.example/hush",
        "REGISTRY_BOUNCE_ADDRESS": "bounces@example.com",
        **environ,
    }
    terminal.apply(LIST)
    # No alert and no ping leaves for hosts that are not there.
    terminal.run("tick", REGISTRY_ALERT_URL="", REGISTRY_PING_URL="")
    return terminal


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


def said_of(terminal: Terminal, about: str, *options: str, exit_code: int = 0) -> list[tuple[str, str]]:
    """Return the grade and the words of everything that the doctor finds about one thing, in order."""
    told = terminal.ask("doctor", *options, exit_code=exit_code)
    return [(finding["grade"], finding["says"]) for finding in told["findings"] if finding["about"] == about]


def from_and_to(mail: MailServer) -> list[tuple[str, str]]:
    """Return from where to where each letter went that the mail server took."""
    pairs = []
    for taken in mail.messages:
        letter = message_from_bytes(taken.content, policy=policy.default)
        pairs.append((letter["From"].addresses[0].addr_spec, taken.rcpt_tos[0]))
    return pairs


def with_own_sender(monkeypatch: pytest.MonkeyPatch, sender: str) -> None:
    """Have the publisher of the list name a sender of its own."""
    monkeypatch.setitem(globals(), "LIST", LIST.replace("  contact:", f"  sender: {sender}\n  contact:"))


def test_each_sender_writes_to_its_pair_and_back(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.put("xn--bcher-kva.example", "MX", "10 mail.example.com.")
    names.put("xn--bcher-kva.example", "TXT", '"v=spf1 -all"')
    names.put("_dmarc.xn--bcher-kva.example", "TXT", '"v=DMARC1; p=none"')
    with_own_sender(monkeypatch, "legal@b\u00fccher.example")
    live(sqlite_terminal, mail, REGISTRY_SENDER_DOMAINS="b\u00fccher.example")
    mail.messages.clear()
    assert [grade for grade, _ in said_of(sqlite_terminal, "Senders")] == ["ok"] * 4
    own = "legal@xn--bcher-kva.example"
    assert from_and_to(mail) == [
        ("notices@example.com", "notices+updates@example.com"),
        ("notices+updates@example.com", "notices@example.com"),
        (own, "legal+updates@xn--bcher-kva.example"),
        ("legal+updates@xn--bcher-kva.example", own),
        (own, "support@antopsis.example"),
    ]
    assert all(taken.mail_from.startswith("bounces+k1.") for taken in mail.messages), "as a notice would leave"


def test_a_sender_that_takes_no_mail_or_may_not_send_is_not_fit(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail)
    mail.script("notices+updates@example.com", 550, "5.1.1 No such user here")
    (first, second) = said_of(sqlite_terminal, "Senders", exit_code=1)
    assert first[0] == "wrong"
    assert "notices+updates@example.com, which people answer to, takes no mail (550" in first[1]
    assert second[0] == "ok"
    with ScriptedServer({"mail": ["553 5.7.1 Sender address rejected: not owned by user"] * 9}) as server:
        sqlite_terminal.environ["REGISTRY_MAIL_URL"] = server.url
        found = findings(sqlite_terminal)
    assert (found["Senders"]["grade"], found["Objections"]["grade"]) == ("wrong", "wrong")
    assert "no letter may come from notices+updates@example.com: 553" in found["Senders"]["says"]
    assert "was not written to: 553" in found["Objections"]["says"]


@pytest.mark.parametrize(("status", "grade"), [(403, "wrong"), (429, "note"), (503, "note")])
def test_what_resend_says_of_a_sender_is_wrong_where_no_waiting_changes_it(
    status: int, grade: str, sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    with ResendServer() as server:
        where = server.url.removeprefix("http://")
        live(sqlite_terminal, mail, REGISTRY_RESEND_API_KEY=server.api_key)
        sqlite_terminal.environ["REGISTRY_MAIL_URL"] = f"resend://{where}"
        server.script(refusal(status, "service_unavailable", "The example.com domain is not verified."))
        told = said_of(sqlite_terminal, "Senders", exit_code=1)
    assert [each for each, _ in told] == [grade, "ok"]
    assert ("no letter may come from notices@example.com: 403" in told[0][1]) is (status == 403)


def test_while_nobody_answers_no_further_sender_is_tried(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail)
    sqlite_terminal.environ["REGISTRY_MAIL_URL"] = "smtp://127.0.0.1:1"
    ((grade, says),) = said_of(sqlite_terminal, "Senders", exit_code=1)
    assert (grade, "is not known" in says) == ("note", True)


@pytest.mark.parametrize("hindrance", ["paused", "only to others"])
def test_no_sender_is_tried_where_nothing_may_be_sent(
    hindrance: str, sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail)
    if hindrance == "paused":
        sqlite_terminal.run("pause")
    else:
        sqlite_terminal.environ["REGISTRY_MAIL_ONLY_TO"] = "@staging.example"
    mail.messages.clear()
    assert said_of(sqlite_terminal, "Senders", exit_code=1) == []
    assert mail.messages == []


def send_back(terminal: Terminal, mail: MailServer, recipient: str) -> None:
    """Report that the letter to `recipient` could not be handed on."""
    (lost,) = [taken for taken in mail.messages if taken.rcpt_tos == (recipient,)]
    report = (
        "From: mailer-daemon@example.com\nTo: bounces@example.com\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nNo such user.\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example.com\n\n"
        f"Final-Recipient: rfc822; {recipient}\nAction: failed\nStatus: 5.1.1\n\n--b--\n"
    )
    terminal.run("bounce", "take", "--recipient", lost.mail_from, given=report)


def test_a_test_of_a_sender_that_comes_back_later_is_a_task_that_says_so(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail)
    mail.messages.clear()
    findings(sqlite_terminal, exit_code=0)
    send_back(sqlite_terminal, mail, "notices+updates@example.com")
    (task,) = sqlite_terminal.ask("task", "list")
    assert task["kind"] == "address_fails"
    shown = sqlite_terminal.run("task", "list").stdout
    assert "An address that letters of antopsis come from takes no mail" in " ".join(shown.split())


def test_a_test_of_the_shared_sender_is_the_task_of_a_publisher_that_writes_from_it(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = LIST.replace("slug: antopsis", "slug: zebra")
    with_own_sender(monkeypatch, "notices@own.example")
    live(sqlite_terminal, mail, REGISTRY_SENDER_DOMAINS="own.example")
    sqlite_terminal.apply(without)
    mail.messages.clear()
    findings(sqlite_terminal)
    send_back(sqlite_terminal, mail, "notices+updates@example.com")
    shown = sqlite_terminal.run("task", "list").stdout
    assert "An address that letters of zebra come from takes no mail" in " ".join(shown.split())


def test_the_records_of_every_domain_that_is_sent_from_are_looked_at(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_own_sender(monkeypatch, "notices@own.example")
    live(sqlite_terminal, mail, REGISTRY_SENDER_DOMAINS="own.example")
    selectors = ("--dkim-selector", "relay1", "--dkim-selector", "own1")
    told = said_of(sqlite_terminal, "DMARC", *selectors, exit_code=1)
    assert [grade for grade, _ in told] == ["ok", "wrong"]
    assert "own.example" in told[1][1]
    assert said_of(sqlite_terminal, "Sender", exit_code=1)[1] == (
        "ok",
        "letters of antopsis come from notices@own.example.",
    )
    names.put("own.example", "MX", "10 mail.example.com.")
    names.put("_dmarc.own.example", "TXT", '"v=DMARC1; p=none"')
    missing = said_of(sqlite_terminal, "DKIM", *selectors, exit_code=1)
    assert [grade for grade, _ in missing] == ["ok", "wrong", "wrong"], "neither selector has a key there"
    names.put("own1._domainkey.own.example", "TXT", '"v=DKIM1; k=rsa; p=MIGf"')
    assert [grade for grade, _ in said_of(sqlite_terminal, "DKIM", *selectors)] == ["ok", "ok"]
    assert len(said_of(sqlite_terminal, "SPF", *selectors)) == 1, "all letters have one return path"
    sqlite_terminal.environ["REGISTRY_BOUNCE_ADDRESS"] = ""
    told = said_of(sqlite_terminal, "SPF", *selectors, exit_code=1)
    assert [grade for grade, _ in told] == ["ok", "wrong"]


def test_of_one_domain_every_selector_must_have_a_key(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail)
    selectors = ("--dkim-selector", "relay1", "--dkim-selector", "relay2")
    assert [grade for grade, _ in said_of(sqlite_terminal, "DKIM", *selectors, exit_code=1)] == ["ok", "wrong"]


def test_a_sender_that_is_not_used_is_named_with_the_reason(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_own_sender(monkeypatch, "notices@own.example")
    live(sqlite_terminal, mail)
    told = said_of(sqlite_terminal, "Sender")
    assert told[1] == (
        "note",
        "letters of antopsis come from notices@example.com and not from notices@own.example: own.example is not among "
        "REGISTRY_SENDER_DOMAINS.",
    )
    assert not any("own.example" in str(question) for question in names.asked)


def test_smtp_without_a_bounce_address_is_to_be_weighed_and_says_what_it_leads_to(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail).environ["REGISTRY_BOUNCE_ADDRESS"] = ""
    ((grade, says),) = said_of(sqlite_terminal, "Bounces")
    assert grade == "warn"
    assert "a notice takes effect for a customer that never had it" in says
    assert "Fit to go live. 1 thing to weigh first." in sqlite_terminal.run("doctor").stdout


def test_terms_that_ask_for_delivery_are_not_met_by_a_mail_server(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "LIST", LIST.replace("{days: 45}", "{days: 45, clock_starts_on: delivered}"))
    live(sqlite_terminal, mail)
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


def test_the_doctor_examines_a_database_it_cannot_reach(tmp_path: Path) -> None:
    terminal = Terminal(environ_for("postgresql://registry@127.0.0.1:1/registry", tmp_path / "instance"), tmp_path)
    assert "cannot be opened" in findings(terminal)["Database"]["says"]
