"""What `registry doctor` says of the addresses and domains that letters come from."""

from __future__ import annotations

from email import message_from_bytes, policy
from functools import partial

import pytest

from registry.channels.mail_dns import look_up_mail_dns
from registry.cli import doctor_senders
from tests.channels.dns_server import SILENCE, DnsServer
from tests.channels.resend_missteps import refusal
from tests.channels.resend_server import ResendServer
from tests.channels.scripted_server import ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.cli.conftest import LIST, Terminal
from tests.cli.doctor_cast import findings, live, said_of


def from_and_to(mail: MailServer) -> list[tuple[str, str]]:
    """Return from where to where each letter went that the mail server took."""
    pairs = []
    for taken in mail.messages:
        letter = message_from_bytes(taken.content, policy=policy.default)
        pairs.append((letter["From"].addresses[0].addr_spec, taken.rcpt_tos[0]))
    return pairs


def sent_from(sender: str) -> str:
    """Return the list with a publisher that names a sender of its own."""
    return LIST.replace("  contact:", f"  sender: {sender}\n  contact:")


def test_each_sender_writes_to_its_pair_and_back(sqlite_terminal: Terminal, mail: MailServer, names: DnsServer) -> None:
    names.put("xn--bcher-kva.example", "MX", "10 mail.example.com.")
    names.put("xn--bcher-kva.example", "TXT", '"v=spf1 -all"')
    names.put("_dmarc.xn--bcher-kva.example", "TXT", '"v=DMARC1; p=none"')
    live(sqlite_terminal, mail, sent_from("legal@b\u00fccher.example"), REGISTRY_SENDER_DOMAINS="b\u00fccher.example")
    mail.messages.clear()
    assert [grade for grade, _ in said_of(sqlite_terminal, "Senders")] == ["ok"] * 3
    own = "legal@xn--bcher-kva.example"
    assert from_and_to(mail) == [
        # No notice comes from it, and the letters of the sign-in do.
        ("notices@example.com", "notices@example.com"),
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
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    without = LIST.replace("slug: antopsis", "slug: zebra")
    live(sqlite_terminal, mail, sent_from("notices@own.example"), REGISTRY_SENDER_DOMAINS="own.example")
    sqlite_terminal.apply(without)
    mail.messages.clear()
    findings(sqlite_terminal)
    send_back(sqlite_terminal, mail, "notices+updates@example.com")
    shown = sqlite_terminal.run("task", "list").stdout
    assert "An address that letters of zebra come from takes no mail" in " ".join(shown.split())


def test_the_records_of_every_domain_that_is_sent_from_are_looked_at(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail, sent_from("notices@own.example"), REGISTRY_SENDER_DOMAINS="own.example")
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


@pytest.mark.parametrize(
    ("record", "grade", "words", "remedy"),
    [
        ("v=spf1 -all", "wrong", "It names no server that may send.", "as its operator tells you"),
        (
            "v=spf1 ipv4:192.0.2.1 -all",
            "wrong",
            "ipv4:192.0.2.1 in the record of own.example is nothing that SPF knows: receivers take the whole record"
            " for an error, and nobody may send by it.",
            "v=spf1 ip4:192.0.2.1",
        ),
        (
            "v=spf1 include:gone.example -all",
            "wrong",
            "leads to no SPF record, or to several: receivers",
            "Correct that",
        ),
        ("v=spf1 include:own.example -all", "wrong", "leads back to where it comes from: receivers", "Take that out."),
        ("v=spf1" + " mx" * 11, "wrong", "From mx in the record of own.example on it needs more than 10", "by ip4:"),
        ("v=spf1 +all", "warn", "+all in the record of own.example lets everybody send", "-all or ~all"),
        ("v=spf1 include:mute.example -all", "note", "No name server answers for include:mute.example", ""),
        ("v=spf1 include:relay.example -all", "ok", "own.example says v=spf1 include:relay.example -all.", ""),
    ],
)
def test_an_spf_record_that_does_not_do_is_told_with_what_to_do(
    sqlite_terminal: Terminal,
    mail: MailServer,
    names: DnsServer,
    monkeypatch: pytest.MonkeyPatch,
    record: str,
    grade: str,
    words: str,
    remedy: str,
) -> None:
    monkeypatch.setattr(doctor_senders, "look_up_mail_dns", partial(look_up_mail_dns, lifetime_seconds=0.5))
    names.put("own.example", "TXT", f'"{record}"')
    names.put("own.example", "MX", "10 mail.example.com.")
    names.misbehave("mute.example", SILENCE)
    live(sqlite_terminal, mail, REGISTRY_BOUNCE_ADDRESS="bounces@own.example")
    found = findings(sqlite_terminal, exit_code=1 if grade == "wrong" else 0)["SPF"]
    assert (found["grade"], words in found["says"]) == (grade, True), found
    assert found["says"].startswith(f"own.example says {record}.")
    assert remedy in found["remedy"]
    assert bool(remedy) == bool(found["remedy"])


def test_a_key_that_receivers_cannot_read_is_wrong(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    names.put("relay2._domainkey.example.com", "TXT", '"v=DKIM1; k=rsa; p=!!!"')
    live(sqlite_terminal, mail)
    told = said_of(sqlite_terminal, "DKIM", "--dkim-selector", "relay2", exit_code=1)
    assert told == [("wrong", "the record of relay2._domainkey.example.com is malformed: v=DKIM1; k=rsa; p=!!!.")]


def test_of_one_domain_every_selector_must_have_a_key(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail)
    selectors = ("--dkim-selector", "relay1", "--dkim-selector", "relay2")
    assert [grade for grade, _ in said_of(sqlite_terminal, "DKIM", *selectors, exit_code=1)] == ["ok", "wrong"]


def test_a_sender_that_is_not_used_is_named_with_the_reason(
    sqlite_terminal: Terminal, mail: MailServer, names: DnsServer
) -> None:
    live(sqlite_terminal, mail, sent_from("notices@own.example"))
    told = said_of(sqlite_terminal, "Sender")
    assert told[1] == (
        "note",
        "letters of antopsis come from notices@example.com and not from notices@own.example: own.example is not among "
        "REGISTRY_SENDER_DOMAINS.",
    )
    assert not any("own.example" in str(question) for question in names.asked)
