"""`registry endpoint`: addresses on the web, from the command that adds one to the one that ends it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.channels.http_receiver import BAD_GATEWAY, Echo, HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.cli.conftest import LIST, MOVED, Terminal

SLACK = "https://hooks.slack.com/services/T0INVENTED/B0INVENTED/inventedInvented"
OWNER = "ops@acme.example"


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as running:
        yield running


@pytest.fixture
def mailing(terminal: Terminal) -> Iterator[Terminal]:
    """A terminal of an installation that really sends, with a list and a customer."""
    with MailServer() as server:
        terminal.environ |= {
            "REGISTRY_MAIL_URL": f"{server.url}?starttls=off",
            "REGISTRY_MAIL_FROM": "notices@registry.example",
        }
        terminal.apply(LIST)
        terminal.run("customer", "add", "acme", "--publisher", "antopsis", "--name", "Acme GmbH")
        yield terminal


def add(terminal: Terminal, url: str, *more: str, kind: str = "webhook") -> dict[str, object]:
    arguments = ("endpoint", "add", url, "--publisher", "antopsis", "--kind", kind, "--owner", OWNER, *more)
    answer: dict[str, object] = terminal.ask(*arguments)
    return answer


def on(number: object) -> tuple[str, ...]:
    return (str(number), "--publisher", "antopsis")


def listed(terminal: Terminal, *more: str) -> list[dict[str, object]]:
    answer: list[dict[str, object]] = terminal.ask("endpoint", "list", "--publisher", "antopsis", *more)
    return answer


def test_a_webhook_from_its_addition_to_its_end(mailing: Terminal, receiver: HttpReceiver) -> None:
    mailing.apply(MOVED)
    number = mailing.run("notice", "draft", "--publisher", "antopsis").stdout.strip()
    mailing.run("notice", "publish", number, "--publisher", "antopsis")
    added = add(mailing, receiver.url, "--customer", "acme")
    assert added["has_new_standby"] is True
    secret = str(added["secret"])
    receiver.script(Echo())
    assert mailing.ask("endpoint", "verify", *on(added["endpoint"])) == {
        "endpoint": added["endpoint"],
        "confirmed": 1,
        "letters_due": 1,
    }
    assert receiver.requests[0].verify(secret)["type"] == "endpoint.verification"
    rotated = mailing.ask("endpoint", "rotate-secret", *on(added["endpoint"]), "--old-for", "48")
    mailing.run("tick")
    told = receiver.requests[1]
    assert told.verify(secret) == told.verify(rotated["secret"])
    assert told.json["data"]["notice"]["number"] == number
    (row,) = listed(mailing)
    assert (row["kind"], row["for"], row["owner"], row["secrets"]) == ("webhook", ["acme"], OWNER, 2)
    assert mailing.ask("endpoint", "end", *on(added["endpoint"])) == {
        "endpoint": added["endpoint"],
        "subscriptions_ended": 1,
    }
    assert listed(mailing) == []
    assert [each["ended_at"] is not None for each in listed(mailing, "--all")] == [True]


def test_words_for_people_show_the_secret_once_and_say_what_comes_next(
    mailing: Terminal, receiver: HttpReceiver
) -> None:
    arguments = ("--publisher", "antopsis", "--kind", "webhook", "--owner", OWNER, "--customer", "acme")
    shown = mailing.run("endpoint", "add", receiver.url, *arguments).stdout
    assert "Secret: whsec_" in shown
    assert "shown this once" in shown
    assert f"{OWNER} stands by as a contact of acme" in shown
    number = listed(mailing)[0]["endpoint"]
    assert f"Next: registry endpoint verify {number} --publisher antopsis" in shown
    assert "not verified: nothing is posted" in mailing.run("endpoint", "list", "--publisher", "antopsis").stdout
    receiver.script(Echo())
    assert "is verified; 0 messages" in mailing.run("endpoint", "verify", *on(number)).stdout
    assert "The old one signs as well until" in mailing.run("endpoint", "rotate-secret", *on(number)).stdout
    rotated = mailing.run("endpoint", "rotate-secret", *on(number), "--old-for", "0").stdout
    assert rotated.endswith("The old one signs no more.\n")
    contacts = mailing.run("customer", "list", "--publisher", "antopsis").stdout
    assert f"{OWNER} (stands by)" in contacts
    assert receiver.url in contacts
    assert "Nothing more is posted" in mailing.run("endpoint", "end", *on(number)).stdout


def test_an_endpoint_that_does_not_answer_as_asked_is_refused_and_stays_as_it_was(
    mailing: Terminal, receiver: HttpReceiver
) -> None:
    number = add(mailing, receiver.url, "--customer", "acme")["endpoint"]
    receiver.script(BAD_GATEWAY)
    refused = mailing.run("endpoint", "verify", *on(number), exit_code=2)
    assert "did not answer as asked (HTTP 502 Bad Gateway" in refused.stderr
    assert listed(mailing)[0]["verified_at"] is None


def test_the_address_of_a_chat_room_is_read_from_standard_input_and_never_shown(mailing: Terminal) -> None:
    arguments = ("endpoint", "add", "-", "--publisher", "antopsis", "--kind", "slack", "--owner", OWNER)
    shown = mailing.run(*arguments, "--customer", "acme", given=f"{SLACK}\n").stdout
    shown += mailing.run("endpoint", "list", "--publisher", "antopsis").stdout
    shown += json.dumps(listed(mailing))
    shown += mailing.run("customer", "list", "--publisher", "antopsis").stdout
    assert "hooks.slack.com/…" in json.loads(json.dumps(shown))
    assert "inventedInvented" not in shown


def test_nothing_is_verified_where_letters_stay_in_the_house(terminal: Terminal, receiver: HttpReceiver) -> None:
    terminal.apply(LIST)
    number = add(terminal, receiver.url)["endpoint"]
    refused = terminal.run("endpoint", "verify", *on(number), exit_code=2)
    assert f"endpoint {number} cannot answer" in refused.stderr
    assert receiver.requests == []


def test_what_is_wrong_with_an_endpoint_is_said_field_by_field(terminal: Terminal) -> None:
    terminal.apply(LIST)
    arguments = ("--publisher", "antopsis", "--kind", "teams", "--owner", "nobody")
    refused = terminal.run("endpoint", "add", SLACK, *arguments, exit_code=2).stderr
    assert "url: “https://hooks.slack.com" in refused
    assert "is no incoming webhook of this service" in refused
    assert "owner: “nobody” cannot be an e-mail address" in refused
    unknown = terminal.run("endpoint", "end", *on(17), exit_code=2).stderr
    assert "antopsis has no endpoint 17" in unknown


def test_a_contact_can_be_added_that_stands_by(terminal: Terminal) -> None:
    terminal.apply(LIST)
    terminal.run(
        "customer", "add", "acme", "--publisher", "antopsis", "--name", "Acme GmbH", "--contact", "a@acme.example"
    )
    added = ("customer", "contact-add", "acme", "b@acme.example", "--publisher", "antopsis", "--standby")
    assert "b@acme.example stands by as a contact of acme" in terminal.run(*added).stdout
    rows = {each["key"]: each for each in terminal.ask("customer", "list", "--publisher", "antopsis")}
    row = rows["acme"]
    assert (row["contacts"], row["standing_by"]) == (["a@acme.example", "b@acme.example"], ["b@acme.example"])
