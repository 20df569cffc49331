"""The addresses that customers reply and object to are tested once a day: when, over which connection, and when not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from registry.channels.base import Envelope
from registry.channels.outbox import OutboxChannel
from registry.steps import check_addresses as module
from registry.steps.check_addresses import CheckedAddress, check_addresses, check_publisher, find_latest_check
from registry.steps.installation import pause
from registry.steps.lookup import get_publisher
from registry.steps.pacing import give_back_connections, take_connections
from registry.steps.sweeps import list_sweeps
from registry.tables import ProviderConnection
from tests.channels.scripted_server import CUT, HANG, Behaviour, ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.steps.address_checks_cast import add_publishers, check, checks, during_a_test
from tests.steps.bounce_cast import SUPPORT, bouncing_world, letter_to
from tests.steps.pacing_cast import lose_the_answer_to_one_commit
from tests.steps.post_office import announce_to, dispatch_of, meanwhile, send, use_channel, use_server
from tests.world import ANNA, World, antopsis, letters_to, text_of, utc


@pytest.fixture
def world(database_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation with a bounce address, and Antopsis on it."""
    with bouncing_world(database_url, tmp_path / "instance", mail_server) as world:
        world.apply(antopsis())
        yield world


def test_a_letter_goes_to_the_contact_says_what_it_is_and_asks_for_no_answer(
    world: World, mail_server: MailServer
) -> None:
    assert check(world) == {"accepted": 1}
    (letter,) = letters_to(mail_server, SUPPORT)
    assert letter["Subject"] == "Test of this address, no answer needed (Antopsis)"
    assert (letter["Auto-Submitted"], letter["From"]) == ("auto-generated", "Antopsis <notices@registry.example>")
    assert "No answer is needed." in text_of(letter)
    assert max(len(line) for line in text_of(letter).splitlines()) < 80
    (row,) = checks(world)
    assert (row.address, row.answer_class, row.code, row.sent_at) == (SUPPORT, "accepted", 250, world.at)
    assert (row.bounced_at, row.message_id) == (None, letter["Message-ID"])


def test_once_a_day_by_the_publishers_own_calendar_however_often_the_sweep_runs(
    world: World, mail_server: MailServer
) -> None:
    for instant in ("2026-09-30 08:00", "2026-09-30 21:59", "2026-09-30 22:00", "2026-10-01 21:59"):
        world.at = utc(instant)
        check(world)
        check(world)
    # 22:00 UTC is midnight in Berlin.
    assert [row.sent_at for row in checks(world)] == [utc("2026-09-30 08:00"), utc("2026-09-30 22:00")]
    assert len(letters_to(mail_server, SUPPORT)) == 2


def test_a_clock_that_was_set_back_sends_no_second_letter(world: World) -> None:
    check(world)
    world.at -= timedelta(days=1)
    assert check(world) == {}


def test_doctor_may_ask_for_a_test_now(world: World, mail_server: MailServer) -> None:
    check(world)
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
    done = check_publisher(world.wiring.engine, world.clock, dispatch_of(world), publisher.id, even_today=True)
    assert done == CheckedAddress("antopsis", SUPPORT, "accepted", 250, "2.0.0 OK: queued as TEST0002")
    assert len(letters_to(mail_server, SUPPORT)) == 2
    with world.reading() as session:
        latest = find_latest_check(session, publisher)
    assert latest is not None
    assert latest.id == checks(world)[-1].id


def test_the_row_is_there_before_the_letter_is(world: World) -> None:
    seen: list[tuple[str, str | None]] = []

    def look(envelope: Envelope) -> None:
        seen.extend((row.message_id, row.answer_class) for row in checks(world))
        assert envelope.message_id == seen[0][0]

    during_a_test(world, look)
    check(world)
    assert [answer for _, answer in seen] == [None]
    assert checks(world)[0].answer_class == "accepted"


def test_a_worker_that_dies_with_the_letter_on_the_wire_sends_no_second_one_that_day(
    world: World, mail_server: MailServer
) -> None:
    def die(envelope: Envelope) -> None:
        raise KeyboardInterrupt

    during_a_test(world, die)
    with pytest.raises(KeyboardInterrupt):
        check(world)
    assert check(world) == {}
    assert (len(letters_to(mail_server, SUPPORT)), checks(world)[0].answer_class) == (1, None)
    world.at += timedelta(days=1)
    assert check(world) == {"accepted": 1}


def test_two_workers_at_once_send_one_letter(postgresql_url: str, tmp_path: Path, mail_server: MailServer) -> None:
    with bouncing_world(postgresql_url, tmp_path / "instance", mail_server) as world:
        world.apply(antopsis())
        start, sent = threading.Barrier(3), list[dict[str, int]]()

        def work() -> None:
            channels = world.wiring.make_channels(world.clock)
            dispatch = replace(dispatch_of(world), channels=channels)
            start.wait(timeout=10)
            sent.append(check_addresses(world.wiring.engine, world.clock, dispatch))
            channels["email"].close()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert sorted(sent, key=len) == [{}, {}, {"accepted": 1}]
        assert len(letters_to(mail_server, SUPPORT)) == 1


NOT_NOW = "4.1.2 <support@antopsis.example>: Recipient address rejected: Domain not found"


@pytest.mark.parametrize("trouble", [CUT, HANG])
def test_a_server_that_is_not_there_is_asked_for_one_publisher_and_the_next_round_goes_on(
    world: World, mail_server: MailServer, trouble: Behaviour
) -> None:
    add_publishers(world, "bertha", "caesar")
    with ScriptedServer({"dot": [trouble]}) as server:
        use_server(world, server.url)
        assert check(world) == {"ambiguous": 1}
        assert check(world) == {"accepted": 2}
    assert [row.address.partition("@")[2] for row in checks(world)] == [
        *("antopsis.example", "bertha.example", "caesar.example")
    ]
    world.at += timedelta(days=1)
    use_server(world, "smtp://127.0.0.1:1?starttls=off")
    assert check(world) == {"temporary": 1}


def test_a_refusal_keeps_no_other_publisher_waiting(world: World, mail_server: MailServer) -> None:
    add_publishers(world, "bertha")
    mail_server.script(SUPPORT, 450, NOT_NOW)
    assert check(world) == {"temporary": 1, "accepted": 1}


def test_it_has_a_connection_of_its_own_beside_one_that_is_busy(world: World, mail_server: MailServer) -> None:
    letters: list[int] = []

    def test_meanwhile(envelope: Envelope) -> None:
        assert check(world) == {"accepted": 1}
        letters.append(len(letters_to(mail_server, SUPPORT)))

    announce_to(world)
    meanwhile(world, test_meanwhile)
    assert send(world) == {"accepted": 2}
    assert letters == [1]


def test_it_keeps_to_the_connections_that_all_workers_may_hold(world: World, mail_server: MailServer) -> None:
    use_server(world, f"{mail_server.url}&in-all=1")
    account = f"smtp:@127.0.0.1:{mail_server.port}"
    with world.writing() as session:
        assert take_connections(session, world.at, account, "somebody", 1, 1) == 1
    assert (check(world), checks(world)) == ({}, [])
    with world.writing() as session:
        give_back_connections(session, "somebody")
    assert check(world) == {"accepted": 1}
    with world.writing() as session:
        assert take_connections(session, world.at, account, "somebody", 1, 1) == 1, "it was given back"


def test_a_connection_whose_commit_lost_its_answer_is_given_back(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_server(world, f"{mail_server.url}&in-all=1")
    lose_the_answer_to_one_commit(monkeypatch, module)
    with pytest.raises(OperationalError):
        check(world)
    assert check(world) == {"accepted": 1}


def test_a_long_round_renews_its_connection_with_each_letter(world: World, mail_server: MailServer) -> None:
    add_publishers(world, "bertha", "clara")
    use_server(world, f"{mail_server.url}&in-all=1")
    leases: list[datetime] = []

    def look(envelope: Envelope) -> None:
        with world.reading() as session:
            leases.append(session.scalars(select(ProviderConnection.lease_until)).one() or world.at)
        world.at += timedelta(minutes=1)

    during_a_test(world, look, look, look)
    assert check(world) == {"accepted": 3}
    assert leases == sorted(set(leases))
    assert len(leases) == 3


def test_nothing_is_sent_where_letters_do_not_leave_the_house(world: World, tmp_path: Path) -> None:
    use_channel(world, OutboxChannel(tmp_path / "outbox", world.clock))
    assert check(world) == {}
    assert checks(world) == []
    assert not (tmp_path / "outbox").exists()


def test_nothing_is_sent_while_dispatch_is_paused(world: World, mail_server: MailServer) -> None:
    with world.writing() as session:
        pause(session, world.at, ANNA, "other-base-url")
    assert check(world) == {}
    assert (checks(world), mail_server.messages) == ([], [])


def test_nothing_is_sent_to_whom_this_installation_may_not_write(world: World, mail_server: MailServer) -> None:
    assert check(world, "@staging.example") == {}
    assert (checks(world), mail_server.messages) == ([], [])
    assert check(world, "@antopsis.example") == {"accepted": 1}


def test_an_international_contact_is_compared_as_it_is_written_to(world: World, mail_server: MailServer) -> None:
    file = antopsis()
    world.apply(replace(file, publisher=file.publisher.model_copy(update={"contact": "hilfe@bücher.example"})))
    assert check(world, "@staging.example") == {}
    assert check(world, "@xn--bcher-kva.example") == {"accepted": 1}
    assert checks(world)[0].address == "hilfe@bücher.example"


def test_the_sweep_is_on_the_list_of_the_worker_and_stops_between_two_publishers(world: World) -> None:
    sweeping = replace(world.wiring.make_sweeping(world.channels, world.clock), should_stop=lambda: True)
    assert list_sweeps(sweeping)["check_addresses"]() == {}
    assert list_sweeps(replace(sweeping, should_stop=lambda: False))["check_addresses"]() == {"accepted": 1}


def test_without_a_bounce_address_it_goes_out_under_the_sender(world: World, mail_server: MailServer) -> None:
    letterhead = replace(world.wiring.letterhead, bounce_address=None)
    done = check_addresses(world.wiring.engine, world.clock, replace(dispatch_of(world), letterhead=letterhead))
    assert done == {"accepted": 1}
    assert letter_to(mail_server, SUPPORT).mail_from == "notices@registry.example"
