"""`registry notice`: the whole path without the web."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, select, update

from registry.tables import Attempt, Event
from registry.tables.engine import reading, writing
from tests.cli.conftest import LINKED, LIST, MOVED, Terminal

ANNA = ("--as", "anna@antopsis.example")
BORIS = ("--as", "boris@antopsis.example")
OF = ("--publisher", "antopsis")


def test_a_draft_prints_its_number_alone_and_the_next_command_beside_it(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    drafted = sqlite_terminal.run("notice", "draft", *OF)
    year = datetime.now(ZoneInfo("Europe/Berlin")).year
    assert drafted.stdout == f"{year}-001\n"
    assert f"Next: registry notice publish {year}-001 --publisher antopsis" in drafted.stderr


def test_the_path_runs_from_draft_to_letters(terminal: Terminal) -> None:
    number = terminal.publish_a_move()
    assert terminal.ask("notice", "status", number, *OF)["is_on_its_way"] is True
    ticked = terminal.ask("tick")
    assert ticked["sweeps"]["send"] == {"accepted": 1}
    status = terminal.ask("notice", "status", number, *OF)
    assert status["state"] == "announced"
    assert status["is_on_its_way"] is False
    (delivery,) = status["deliveries"]
    assert (delivery["address"], delivery["state"]) == ("privacy@hanoi.example", "accepted")
    assert re.fullmatch(r"[0-9a-f]{64}", delivery["attempts"][0]["sha256"])
    # The outbox proves no receipt, except on a demo (R12).
    assert [(hold["customer_key"], hold["reason"]) for hold in status["holds"]] == [("hanoi", "not_received")]
    (letter,) = (terminal.folder / "instance" / "outbox").iterdir()
    assert delivery["message_id"].strip("<>") in letter.name


def test_a_status_reads_as_the_whole_story(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    sqlite_terminal.run("tick")
    told = sqlite_terminal.run("notice", "status", number, *OF).stdout
    assert f"Notice {number} of antopsis: announced" in told
    assert "Hetzner (hetzner): change of places, binding" in told
    assert "Hanoi Streams Co. (hanoi): nothing proves yet that it received the notice" in told
    assert "privacy@hanoi.example" in told
    assert "written to the outbox, not sent" in told
    assert "Deliveries: 1 written and not sent\n" in told
    assert re.search(r"privacy@hanoi\.example +hanoi +written, not sent +\w", told)
    assert "accepted" not in told
    assert "Asia/Ho_Chi_Minh" in told
    assert re.search(r"Takes effect on +\w+day, \d+ \w+ \d{4} \(\d{4}-\d\d-\d\d\), Europe/Berlin", told)
    assert re.search(r"notice\.announced +\S+ \(command line, as \S+\)", told)
    listed = sqlite_terminal.run("notice", "list", *OF).stdout
    assert re.search(rf"^{number}  announced  ", listed, re.MULTILINE)


def test_once_a_recipient_is_erased_the_outbox_is_still_not_said_to_have_accepted(
    terminal: Terminal, engine: Engine
) -> None:
    number = terminal.publish_a_move()
    terminal.run("tick")
    with writing(engine) as session:
        session.execute(update(Attempt).values(answer=None))
    told = terminal.run("notice", "status", number, *OF).stdout
    assert "  outbox: written, not sent\n" in told
    assert "accepted" not in told


def test_watching_ends_when_nothing_is_on_its_way(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    sqlite_terminal.run("tick")
    told = sqlite_terminal.run("notice", "status", number, *OF, "--watch").stdout
    assert told.startswith(f"{number}: 1 written and not sent\n")
    assert "announced" in told
    watched = sqlite_terminal.ask("notice", "status", number, *OF, "--watch")
    assert (watched["is_on_its_way"], watched["counts"]) == (False, {"accepted": 1})
    assert sqlite_terminal.ask("notice", "status", number, *OF)["is_on_its_way"] is False


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_command_line_is_recorded_as_the_user_of_the_machine_claiming_a_name(
    terminal: Terminal, engine: Engine
) -> None:
    terminal.apply(LIST, acting_as="Anna@Antopsis.example ")
    with reading(engine) as session:
        (actor,) = set(session.scalars(select(Event.actor).where(Event.kind == "publisher.founded")))
    assert re.fullmatch(r"anna@antopsis\.example \(command line, as \S+\)", actor)


def test_where_approvals_are_required_a_second_person_approves(terminal: Terminal) -> None:
    terminal.apply(LIST, approvals=1)
    terminal.apply(MOVED, approvals=1)
    drafted = terminal.run("notice", "draft", *OF, *ANNA)
    number = drafted.stdout.strip()
    assert f"Next: registry notice approve {number} --publisher antopsis --as EMAIL" in drafted.stderr
    refused = terminal.run("notice", "publish", number, *OF, *ANNA, exit_code=2)
    assert "Have it approved first" in refused.stderr
    own = terminal.run("notice", "approve", number, *OF, "--as", "ANNA@antopsis.example", exit_code=2)
    assert "nobody approves their own work" in own.stderr
    approved = terminal.run("notice", "approve", number, *OF, *BORIS)
    assert f"Next: registry notice publish {number} --publisher antopsis" in approved.stdout
    assert "is announced" in terminal.run("notice", "publish", number, *OF, *ANNA).stdout


def test_an_editorial_edit_that_needs_approval_takes_effect_on_it(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST, approvals=1)
    applied = sqlite_terminal.apply(LINKED, approvals=1).stdout
    assert "Stripe (stripe): editorial, waits for approval" in applied
    assert "Next: registry entry approve stripe --publisher antopsis --as EMAIL" in applied
    own = sqlite_terminal.run("entry", "approve", "stripe", *OF, *ANNA, exit_code=2)
    assert "nobody approves their own work" in own.stderr
    assert "it is in effect" in sqlite_terminal.run("entry", "approve", "stripe", *OF, *BORIS).stdout
    assert "No changes" in sqlite_terminal.run("plan", sqlite_terminal.file(LINKED, approvals=1)).stdout
    assert (
        "No edit of stripe waits" in sqlite_terminal.run("entry", "approve", "stripe", *OF, *BORIS, exit_code=2).stderr
    )


def test_a_binding_edit_is_not_approved_by_itself(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST, approvals=1)
    sqlite_terminal.apply(MOVED, approvals=1)
    refused = sqlite_terminal.run("entry", "approve", "hetzner", *OF, *BORIS, exit_code=2)
    assert "registry notice draft --publisher antopsis --entry hetzner" in refused.stderr
    number = sqlite_terminal.run("notice", "draft", *OF, *ANNA).stdout.strip()
    refused = sqlite_terminal.run("entry", "approve", "hetzner", *OF, *BORIS, exit_code=2)
    assert f"registry notice approve {number}" in refused.stderr


def test_a_date_too_early_names_customer_rule_and_first_date(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    soon = (datetime.now(UTC) + timedelta(days=10)).date().isoformat()
    refused = sqlite_terminal.run("notice", "draft", *OF, "--effective-on", soon, exit_code=2)
    assert "too early for Hanoi Streams Co. (hanoi): its 45 days of notice" in refused.stderr
    assert "The first date that would do is" in refused.stderr
    error = json.loads(
        sqlite_terminal.run("notice", "draft", *OF, "--effective-on", soon, "--json", exit_code=2).stderr
    )
    assert error["error"] == "notice-period-too-short"


def test_a_time_without_an_offset_is_refused_with_the_remedy(sqlite_terminal: Terminal) -> None:
    refused = sqlite_terminal.run("notice", "draft", *OF, "--announce-at", "2027-01-04T09:00", exit_code=2)
    assert "“2027-01-04T09:00” has no offset" in refused.stderr
    assert "2027-01-04T09:00+01:00" in refused.stderr
    assert refused.stderr.count("\n") == 1
    refused = sqlite_terminal.run("notice", "draft", *OF, "--effective-on", "04.01.2027", exit_code=2)
    assert "such as 2026-11-21" in refused.stderr


def test_a_notice_can_be_announced_later(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    at = (datetime.now(UTC) + timedelta(days=3)).isoformat(timespec="minutes")
    number = sqlite_terminal.run("notice", "draft", *OF, "--announce-at", at).stdout.strip()
    assert "is published, and is announced on" in sqlite_terminal.run("notice", "publish", number, *OF).stdout
    status = sqlite_terminal.ask("notice", "status", number, *OF)
    assert (status["state"], status["deliveries"]) == ("published", [])


def test_an_emergency_takes_effect_without_waiting(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    number = sqlite_terminal.run("notice", "draft", *OF, "--emergency", "The host burnt down").stdout.strip()
    sqlite_terminal.run("notice", "publish", number, *OF)
    sqlite_terminal.run("tick")
    told = sqlite_terminal.run("notice", "status", number, *OF).stdout
    assert "in effect" in told
    assert "Emergency (R19): The host burnt down" in told


def test_only_the_entries_named_are_drafted(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED.replace("name: Stripe", "name: Stripe Payments"))
    number = sqlite_terminal.run("notice", "draft", *OF, "--entry", "hetzner", "--summary", "We move").stdout.strip()
    status = sqlite_terminal.ask("notice", "status", number, *OF)
    assert [change["key"] for change in status["changes"]] == ["hetzner"]
    refused = sqlite_terminal.run("notice", "draft", *OF, "--entry", "hetzner", exit_code=2)
    assert f"stands in the open notice {number}" in refused.stderr
    refused = sqlite_terminal.run("notice", "draft", *OF, "--entry", "hetzer", exit_code=2)
    assert "Did you mean hetzner?" in refused.stderr


def test_a_withdrawn_notice_tells_those_who_were_told(terminal: Terminal) -> None:
    number = terminal.publish_a_move()
    terminal.run("tick")
    withdrawn = terminal.run("notice", "withdraw", number, *OF, "--reason", "The contract fell through").stdout
    assert "Told of the withdrawal: 1." in withdrawn
    terminal.run("tick")
    assert len(list((terminal.folder / "instance" / "outbox").iterdir())) == 2
    refused = terminal.run("notice", "withdraw", number, *OF, exit_code=2)
    assert "in the state “withdrawn”" in refused.stderr


def test_a_draft_nobody_saw_is_withdrawn_without_a_word(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    number = sqlite_terminal.run("notice", "draft", *OF).stdout.strip()
    assert "Nobody had been told of it." in sqlite_terminal.run("notice", "withdraw", number, *OF).stdout


def test_a_number_that_is_not_there_names_those_that_are(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    refused = sqlite_terminal.run("notice", "status", "1999-001", *OF, exit_code=2)
    assert f"Known: {number}." in refused.stderr
    refused = sqlite_terminal.run("notice", "list", "--publisher", "antopsi", exit_code=2)
    assert "Did you mean antopsis?" in refused.stderr


def test_lowering_a_weight_needs_a_reason_and_a_second_person(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    number = sqlite_terminal.run("notice", "draft", *OF, *ANNA).stdout.strip()
    lower = ("notice", "weigh", number, *OF, "--entry", "hetzner", "--weight", "informing")
    refused = sqlite_terminal.run(*lower, *ANNA, exit_code=2)
    assert "only with a reason on record" in refused.stderr
    lowered = sqlite_terminal.run(*lower, *ANNA, "--reason", "The same building got another address").stdout
    assert f"The change of hetzner in notice {number} is informing; it needs 1 approval." in lowered
    refused = sqlite_terminal.run("notice", "publish", number, *OF, *ANNA, exit_code=2)
    assert "Have it approved first" in refused.stderr
    sqlite_terminal.run("notice", "approve", number, *OF, *BORIS)
    assert "is announced" in sqlite_terminal.run("notice", "publish", number, *OF, *ANNA).stdout


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00Z", "9999-12-01T00:00Z", "9999-12-31T23:59Z", "9999-12-31T23:59-14:00"]
)
def test_an_instant_at_the_ends_of_the_calendar_is_refused_with_what_would_do(
    sqlite_terminal: Terminal, at: str
) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    for command in (("notice", "draft", *OF, "--announce-at", at), ("tick", "--at", at)):
        refused = sqlite_terminal.run(*command, exit_code=2)
        assert f"“{at}” is not between 1970-01-01 and 21" in refused.stderr


def test_a_date_at_the_end_of_the_calendar_is_refused_by_name(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    refused = sqlite_terminal.run("notice", "draft", *OF, "--effective-on", "9999-12-31", exit_code=2)
    assert re.search(r"effective_on: “9999-12-31” is too far ahead: .+ is the latest that is taken", refused.stderr)
