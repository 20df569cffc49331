"""What `registry doctor` tries of REGISTRY_MAIL_FROM where every publisher writes from an address of its own."""

from __future__ import annotations

from tests.channels.dns_server import DnsServer
from tests.channels.smtp_server import MailServer
from tests.cli.conftest import LIST, Terminal
from tests.cli.doctor_cast import live, said_of
from tests.cli.test_doctor_senders import from_and_to, send_back, sent_from

SHARED, TAGGED = "notices@example.com", "notices+updates@example.com"
OWN = sent_from("notices@own.example")


def with_own_sender(terminal: Terminal, mail: MailServer) -> None:
    """Go live with one publisher, whose notices come from its own address."""
    live(terminal, mail, OWN, REGISTRY_SENDER_DOMAINS="own.example")
    mail.messages.clear()


def test_that_it_has_no_pair_is_no_fault(sqlite_terminal: Terminal, mail: MailServer, names: DnsServer) -> None:
    with_own_sender(sqlite_terminal, mail)
    mail.script(TAGGED, 550, "5.1.1 No such user here")
    # The domain of these tests has no records; that is another finding.
    assert [grade for grade, _ in said_of(sqlite_terminal, "Senders", exit_code=1)] == ["ok"] * 3
    assert from_and_to(mail)[0] == (SHARED, SHARED)
    assert TAGGED not in {taken.rcpt_tos[0] for taken in mail.messages}


def test_that_it_takes_no_mail_is_one(sqlite_terminal: Terminal, mail: MailServer, names: DnsServer) -> None:
    with_own_sender(sqlite_terminal, mail)
    mail.script(SHARED, 550, "5.1.1 No such user here")
    first, *others = said_of(sqlite_terminal, "Senders", exit_code=1)
    assert first[0] == "wrong"
    assert f"{SHARED}, which people answer to, takes no mail (550" in first[1]
    assert [grade for grade, _ in others] == ["ok", "ok"]


def test_one_publisher_that_writes_from_it_is_enough_for_its_pair(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    with_own_sender(sqlite_terminal, mail)
    sqlite_terminal.apply(LIST.replace("slug: antopsis", "slug: zebra"))
    mail.messages.clear()
    said_of(sqlite_terminal, "Senders", exit_code=1)
    assert from_and_to(mail)[:2] == [(SHARED, TAGGED), (TAGGED, SHARED)]


def test_its_letter_that_comes_back_is_a_task_that_says_what_comes_from_it(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    with_own_sender(sqlite_terminal, mail)
    said_of(sqlite_terminal, "Senders", exit_code=1)
    send_back(sqlite_terminal, mail, SHARED)
    (task,) = sqlite_terminal.ask("task", "list")
    assert (task["kind"], task["facts"]["purpose"]) == ("address_fails", "sign_in")
    shown = " ".join(sqlite_terminal.run("task", "list").stdout.split())
    assert "REGISTRY_MAIL_FROM, which letters of the sign-in come from, takes no mail" in shown
    assert "run registry doctor" in shown
