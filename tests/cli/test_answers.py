"""What becomes of a notice customer by customer, recorded on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, update

from registry.tables import NoticeCustomer
from registry.tables.engine import writing
from tests.cli.conftest import LIST, MOVED, Terminal

OF = ("--publisher", "antopsis")
HANOI = ("--customer", "hanoi")


def today() -> str:
    return (datetime.now(UTC) + timedelta(hours=7)).date().isoformat()  # Viet Nam has no change of clocks


def test_service_by_post_starts_the_clock_with_its_document(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    served = sqlite_terminal.run("notice", "served", number, *OF, *HANOI, "--on", today(), "--document", "Post RR 1 VN")
    assert "hanoi is recorded as served on" in served.stdout
    status = sqlite_terminal.ask("notice", "status", number, *OF)
    (customer,) = status["customers"]
    assert (customer["state"], customer["basis"]) == ("served", "Post RR 1 VN")
    assert customer["received_at"] is not None
    assert status["holds"] == []


def test_service_before_the_announcement_or_to_come_is_refused(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    for day in ("2001-01-01", "2999-01-01"):
        refused = sqlite_terminal.run(
            "notice", "served", number, *OF, *HANOI, "--on", day, "--document", "Post", exit_code=2
        )
        assert "cannot have been served on" in refused.stderr


def test_an_exempt_customer_holds_no_more(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    assert (
        "no longer holds"
        in sqlite_terminal.run("notice", "exempt", number, *OF, *HANOI, "--basis", "Letter of 3 May").stdout
    )
    status = sqlite_terminal.ask("notice", "status", number, *OF)
    assert (status["customers"][0]["state"], status["holds"]) == ("exempt", [])
    refused = sqlite_terminal.run("notice", "exempt", number, *OF, *HANOI, "--basis", "  ", exit_code=2)
    assert "only with the basis of it on record" in refused.stderr


def test_specific_authorisation_is_given_by_the_customers_own_approval(sqlite_terminal: Terminal) -> None:
    specific = "notice: {days: 45, authorisation: specific}"
    sqlite_terminal.apply(LIST.replace("notice: {days: 45}", specific))
    sqlite_terminal.apply(MOVED.replace("notice: {days: 45}", specific))
    number = sqlite_terminal.run("notice", "draft", *OF).stdout.strip()
    sqlite_terminal.run("notice", "publish", number, *OF)
    sqlite_terminal.run("notice", "served", number, *OF, *HANOI, "--on", today(), "--document", "By hand")
    reasons = [hold["reason"] for hold in sqlite_terminal.ask("notice", "status", number, *OF)["holds"]]
    assert reasons == ["approval_missing"]
    told = sqlite_terminal.run("notice", "approve-for", number, *OF, *HANOI, "--basis", "E-mail of 24 November")
    assert "approves of notice" in told.stdout
    assert sqlite_terminal.ask("notice", "status", number, *OF)["holds"] == []


def test_an_objection_holds_until_it_is_resolved(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    sqlite_terminal.run("notice", "served", number, *OF, *HANOI, "--on", today(), "--document", "By hand")
    objected = sqlite_terminal.run("notice", "object", number, *OF, *HANOI, "--ground", "No transfers")
    assert "recorded as in time" in objected.stdout
    status = sqlite_terminal.run("notice", "status", number, *OF).stdout
    assert "it has objected in time, and the objection is open" in status
    resolved = sqlite_terminal.run(
        "notice", "resolve", number, *OF, *HANOI, "--cure", "accommodated", "--note", "Stays in Falkenstein"
    )
    assert "accommodated" in resolved.stdout
    assert sqlite_terminal.ask("notice", "status", number, *OF)["holds"] == []
    refused = sqlite_terminal.run("notice", "resolve", number, *OF, *HANOI, "--cure", "other", exit_code=2)
    assert "no open objection" in refused.stderr


def test_an_objection_to_a_withdrawn_notice_is_on_record_and_nothing_is_left_to_do(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    assert "Next: registry notice resolve" in sqlite_terminal.run("notice", "object", number, *OF, *HANOI).stdout
    sqlite_terminal.run("notice", "withdraw", number, *OF)
    objected = sqlite_terminal.run("notice", "object", number, *OF, *HANOI).stdout
    assert objected.endswith(f"Notice {number} is withdrawn, so the objection is on record, and moot.\n")
    assert "Next:" not in objected


def test_an_objection_from_the_future_or_before_the_announcement_and_an_unknown_customer_are_refused(
    sqlite_terminal: Terminal,
) -> None:
    number = sqlite_terminal.publish_a_move()
    refused = sqlite_terminal.run(
        "notice", "object", number, *OF, *HANOI, "--received-at", "2099-01-01T00:00Z", exit_code=2
    )
    assert "received_at: “2099-01-01T00:00:00+00:00” is still to come." in refused.stderr
    for before in ("2001-01-01T00:00Z", (datetime.now(UTC) - timedelta(hours=1)).isoformat()):
        refused = sqlite_terminal.run("notice", "object", number, *OF, *HANOI, "--received-at", before, exit_code=2)
        assert "is before the notice was announced, at " in refused.stderr
    refused = sqlite_terminal.run(
        "notice", "object", number, *OF, *HANOI, "--received-at", "0001-01-01T00:00Z", exit_code=2
    )
    assert "is not between 1970-01-01 and " in refused.stderr
    assert sqlite_terminal.ask("notice", "status", number, *OF)["objections"] == []
    refused = sqlite_terminal.run("notice", "object", number, *OF, "--customer", "hanoy", exit_code=2)
    assert "Did you mean hanoi?" in refused.stderr


def test_a_bounce_is_recorded_once_and_the_address_is_not_written_to_again(terminal: Terminal) -> None:
    number = terminal.publish_a_move()
    terminal.run("tick")
    message_id = terminal.ask("notice", "status", number, *OF)["deliveries"][0]["message_id"]
    told = terminal.ask("outcome", message_id, "--kind", "bounced", "--detail", "550 no such user")
    assert (told["is_new"], told["state"]) == (True, "bounced")
    # Without its brackets it is the same letter, and the same report is not counted twice.
    again = terminal.run("outcome", message_id.strip("<>"), "--kind", "bounced")
    assert "Nothing changed" in again.stdout
    terminal.run("notice", "withdraw", number, *OF)
    terminal.run("tick")
    states = [each["state"] for each in terminal.ask("notice", "status", number, *OF)["deliveries"]]
    assert states == ["bounced", "skipped"]


def test_an_outcome_of_a_letter_nobody_sent_is_refused(sqlite_terminal: Terminal) -> None:
    refused = sqlite_terminal.run("outcome", "made-up@registry.example", "--kind", "delivered", exit_code=2)
    assert refused.stderr == "Error: No letter was sent with the Message-ID “<made-up@registry.example>”.\n"


def test_a_hold_is_set_aside_by_two_people_with_one_reason(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    asking = ("notice", "override", number, *OF, *HANOI, "--reason", "Unreachable since May")
    first = sqlite_terminal.run(*asking, "--as", "anna@antopsis.example").stdout
    assert "stands until a second person agrees" in first
    again = sqlite_terminal.run(*asking, "--as", "Anna@antopsis.example").stdout
    assert "stands until a second person agrees" in again
    assert len(sqlite_terminal.ask("notice", "status", number, *OF)["holds"]) == 1
    second = sqlite_terminal.run(*asking, "--as", "boris@antopsis.example").stdout
    assert "is set aside: Unreachable since May." in second
    third = sqlite_terminal.run(*asking, "--as", "carla@antopsis.example", exit_code=2).stderr
    assert f"hanoi holds notice {number} no more: it is on record as overridden" in third
    assert sqlite_terminal.ask("notice", "status", number, *OF)["holds"] == []


def test_what_stands_on_record_cannot_forge_a_status(terminal: Terminal, engine: Engine) -> None:
    number = terminal.publish_a_move()
    for command in (
        ("exempt", "--basis", "Letter\nHolds: none as things stand. It takes effect on its day."),
        ("object", "--ground", "No\x1b[2J transfers"),
    ):
        refused = terminal.run("notice", command[0], number, *OF, *HANOI, *command[1:], exit_code=2)
        assert refused.stderr.startswith(f"Error: {command[1].removeprefix('--')}: ")
    # Earlier releases took it.
    with writing(engine) as session:
        session.execute(update(NoticeCustomer).values(basis="Letter\x1b[2J\nHolds: none as things stand."))
    told = terminal.run("notice", "status", number, *OF).stdout
    assert "      Basis               Letter\\u001b[2J Holds: none as things stand.\n" in told


def test_words_of_an_outcome_and_of_a_pause_are_those_that_people_can_read(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    sqlite_terminal.run("tick")
    message_id = sqlite_terminal.ask("notice", "status", number, *OF)["deliveries"][0]["message_id"]
    reported = ("outcome", message_id, "--kind", "bounced", "--detail", "550 no\x07 such user")
    assert "detail: The character U+0007" in sqlite_terminal.run(*reported, exit_code=2).stderr
    assert "reason: " in sqlite_terminal.run("pause", "--reason", "One\nTwo", exit_code=2).stderr
    assert "was not paused" in sqlite_terminal.run("resume").stdout
