"""`registry customer` and `registry publisher`."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from tests.cli.conftest import LIST, Terminal

OF = ("--publisher", "antopsis")


def test_a_customer_is_added_with_the_terms_of_its_contract(terminal: Terminal) -> None:
    terminal.apply(LIST)
    added = terminal.run(
        *("customer", "add", "bremen", *OF, "--name", "Bremen Media GmbH", "--contact", "dpo@bremen.example"),
        *("--days", "60", "--counting", "business", "--holidays", "DE-HB", "--contract-from", "2025-01-01"),
    )
    assert "Bremen Media GmbH (bremen) is on record with 1 contact: dpo@bremen.example." in added.stdout
    bremen, hanoi = terminal.ask("customer", "list", *OF)
    assert (bremen["terms"]["days"], bremen["terms"]["counting"], bremen["terms"]["holidays"]) == (
        60,
        "business",
        "DE-HB",
    )
    assert bremen["terms"]["time_zone"] == "Europe/Berlin"
    assert (hanoi["key"], hanoi["contacts"]) == ("hanoi", ["privacy@hanoi.example"])
    table = terminal.run("customer", "list", *OF).stdout.splitlines()
    assert table[0].index("Zone") == table[1].index("Europe/Berlin") == table[2].index("Asia/Ho_Chi_Minh")


def test_a_customer_on_record_is_not_added_again(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    refused = sqlite_terminal.run("customer", "add", "hanoi", *OF, "--name", "Hanoi", exit_code=2)
    assert "has a customer hanoi already" in refused.stderr
    assert sqlite_terminal.ask("customer", "list", *OF)[0]["name"] == "Hanoi Streams Co."


def test_wrong_values_are_named_each_on_its_own_line(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    refused = sqlite_terminal.run(
        *("customer", "add", "bremen", *OF, "--name", "Bremen", "--contact", "dpo@bremen.example"),
        *("--days", "0", "--product", "streeming", "--holidays", "Mars"),
        exit_code=2,
    )
    assert "products.0: “streeming” is no product" in refused.stderr
    assert "notice.days: “0” is too small" in refused.stderr
    assert "notice.holidays: “Mars” is no region" in refused.stderr


def test_contacts_come_and_go_but_one_stays(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    refused = sqlite_terminal.run("customer", "contact-end", "hanoi", "privacy@hanoi.example", *OF, exit_code=2)
    assert "keeps at least one contact" in refused.stderr
    added = sqlite_terminal.run("customer", "contact-add", "hanoi", "legal@hanoi.example", *OF, "--name", "Ms Lan")
    assert "legal@hanoi.example is a contact of hanoi" in added.stdout
    assert (
        "Nothing changed" in sqlite_terminal.run("customer", "contact-add", "hanoi", "legal@hanoi.example", *OF).stdout
    )
    sqlite_terminal.run("customer", "contact-end", "hanoi", "privacy@hanoi.example", *OF)
    assert sqlite_terminal.ask("customer", "list", *OF)[0]["contacts"] == ["legal@hanoi.example"]
    refused = sqlite_terminal.run("customer", "contact-end", "hanoi", "nobody@hanoi.example", *OF, exit_code=2)
    assert "no contact nobody@hanoi.example" in refused.stderr


def test_a_contact_added_while_a_notice_is_pending_is_told_at_once(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.publish_a_move()
    told = sqlite_terminal.ask("customer", "contact-add", "hanoi", "legal@hanoi.example", *OF)
    assert told["letters_due"] == 1


def test_a_contract_ends_with_its_last_day_in_the_customers_zone(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    ended = sqlite_terminal.run("customer", "contract-end", "hanoi", *OF, "--on", "2026-12-31").stdout
    assert ended == "The contract of hanoi ends with Thursday, 31 December 2026 (2026-12-31), Asia/Ho_Chi_Minh.\n"
    assert "ends Thu 31 Dec 2026 (2026-12-31)" in sqlite_terminal.run("customer", "list", *OF).stdout


def test_the_list_says_how_each_contract_stands_today_where_its_customer_is(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    west, east = "Etc/GMT+12", "Pacific/Kiritimati"  # 26 hours apart, so that it is never the same day in both.
    today_in_the_west = datetime.now(ZoneInfo(west)).date().isoformat()
    for key, zone, option, day in (
        ("runs-out", west, "--contract-until", today_in_the_west),
        ("over", east, "--contract-until", today_in_the_west),
        ("to-come", west, "--contract-from", "2999-01-01"),
    ):
        sqlite_terminal.run("customer", "add", key, *OF, "--name", key, "--time-zone", zone, option, day)
    rows = {row.split()[0]: row for row in sqlite_terminal.run("customer", "list", *OF).stdout.splitlines()}
    assert f"({today_in_the_west})" in rows["over"]
    assert "  ended " in rows["over"]
    assert "  ends " in rows["runs-out"]
    assert "  begins Tue 1 Jan 2999 (2999-01-01)" in rows["to-come"]
    assert "  runs  " in rows["hanoi"]


def test_a_contract_that_does_not_run_names_the_commands_that_change_its_days(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    sqlite_terminal.run("customer", "add", "bremen", *OF, "--name", "Bremen", "--contract-from", "2999-01-01")
    refused = sqlite_terminal.run("notice", "add-customer", number, *OF, "--customer", "bremen", exit_code=2)
    assert "The contract of bremen does not run today" in refused.stderr
    assert "by registry apply FILE (the last day also by registry customer contract-end)" in refused.stderr


def test_publishers_are_listed_with_their_pages(sqlite_terminal: Terminal) -> None:
    assert "`registry apply FILE`" in sqlite_terminal.run("publisher", "list").stdout
    number = sqlite_terminal.publish_a_move()
    assert number
    (told,) = sqlite_terminal.ask("publisher", "list")
    assert told == {
        "slug": "antopsis",
        "name": "Antopsis",
        "time_zone": "Europe/Berlin",
        "entries": 2,
        "pending_notices": 1,
        "page": "http://127.0.0.1:8000/antopsis/",
    }
