"""Who certainly heard nothing of a notice is not told of its withdrawal; whoever may have is, whatever came (R15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

import registry.steps.merge_letter as merge_letter
from registry.channels.base import Ambiguous, Answer, Envelope
from registry.channels.smtp import SmtpChannel, parse_mail_url
from registry.domain.deliveries import MAX_CRASHES
from registry.steps.claim_deliveries import Lease, claim_deliveries
from registry.steps.dispatch import Dispatch
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.requeue_deliveries import requeue_deliveries
from registry.steps.send_deliveries import send_deliveries
from registry.steps.start_delivery import start_delivery
from tests.channels.http_receiver import HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.steps.claims_cast import claim_and_prepare
from tests.steps.holding_cast import look, tasks
from tests.steps.path_cast import withdraw
from tests.steps.post_office import (
    DPO,
    announce_to,
    attempts_at,
    change,
    delivery_to,
    dispatch_of,
    events,
    intercept,
    let_leases_run_out,
    send,
    states_of,
)
from tests.steps.test_send_leases import recover
from tests.steps.web_cast import announce_by_web, delivery_at, posted
from tests.world import ANNA, World, letters_to

ADA, BOB = "ada@reader.example", "bob@reader.example"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as server:
        yield server


def claim_all(world: World, kind: str = "email") -> list[Lease]:
    """Claim what is due as a worker does that dies before the first letter begins: contacts', then followers'."""
    leases: list[Lease] = []
    for _ in range(2):
        with world.writing() as session:
            leases += claim_deliveries(session, world.at, world.channels[kind], (), 200)
    return leases


def begin(world: World, lease: Lease) -> None:
    """Begin a letter as a worker does that dies before the answer."""
    with world.writing() as session:
        envelope, _ = start_delivery(session, world.at, lease, dispatch_of(world))
        assert envelope is not None


def find_the_dead(world: World) -> None:
    """Let every lease run out, and take back what it was for."""
    let_leases_run_out(world)
    recover(world)


def lose_answers(world: World, times: int) -> None:
    """Let the next answers be lost behind the final dot."""
    channel, left = world.channels["email"], [None] * times
    carry = channel.send

    def lose(envelope: Envelope) -> Answer:
        answer = carry(envelope)
        return Ambiguous(None, "cut after the dot") if left and left.pop() is None else answer

    vars(channel)["send"] = lose


def requeue(world: World, number: str) -> int:
    """A person lets what waited for one be tried again."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        return requeue_deliveries(session, world.at, publisher, get_notice(session, publisher, number), ANNA)


def subjects(mail_server: MailServer, email: str) -> list[str]:
    """Return what somebody got, in short."""
    return ["withdrawn" if "withdrawn" in str(each["Subject"]) else "told" for each in letters_to(mail_server, email)]


def test_what_a_dead_worker_had_not_begun_is_cancelled_along_with_its_withdrawal(
    world: World, mail_server: MailServer
) -> None:
    number = announce_to(world, ADA, BOB)
    assert len(claim_all(world)) == 3
    assert withdraw(world, number) == {"due": 3, "cancelled": 0}
    # Another worker meets the withdrawals first: nobody can say yet what becomes of the announcements.
    assert send(world) == {}
    assert set(states_of(world, "withdrawal").values()) == {"pending"}
    find_the_dead(world)
    world.at += MINUTE
    send(world)
    assert set(states_of(world).values()) == {"cancelled"}
    assert set(states_of(world, "withdrawal").values()) == {"cancelled"}
    assert mail_server.messages == []
    look(world)
    assert tasks(world, "customer_not_told") == []


def test_who_may_have_what_a_dead_worker_had_begun_gets_the_withdrawal(world: World, mail_server: MailServer) -> None:
    number = announce_to(world, ADA, BOB)
    leases = claim_all(world)
    begin(world, next(lease for lease in leases if lease.delivery_id == delivery_to(world, ADA).id))
    withdraw(world, number)
    assert send(world) == {}
    find_the_dead(world)
    world.at += MINUTE
    send(world)
    assert states_of(world, "withdrawal") == {DPO: "cancelled", ADA: "accepted", BOB: "cancelled"}
    assert subjects(mail_server, ADA) == ["withdrawn"]
    assert len(mail_server.messages) == 1


def test_a_withdrawal_looks_seldom_at_what_a_dead_worker_keeps(world: World, mail_server: MailServer) -> None:
    number = announce_to(world)
    (lease,) = claim_all(world)
    begin(world, lease)
    withdraw(world, number)
    waits = []
    for _ in range(7):
        send(world)
        due_at = delivery_to(world, DPO, "withdrawal").due_at
        waits.append((due_at - world.at) // MINUTE)
        world.at = due_at
    assert waits == [1, 2, 3, 4, 5, 6, 7]
    find_the_dead(world)
    send(world)
    assert subjects(mail_server, DPO) == ["withdrawn"]


@pytest.mark.parametrize("is_refused", [True, False], ids=["refused for now", "taken"])
def test_another_worker_waits_for_the_announcement_on_the_wire(
    world: World, mail_server: MailServer, is_refused: bool
) -> None:
    if is_refused:
        mail_server.script(DPO, 451, "4.3.0 later", times=1)
    number = announce_to(world)

    def withdraw_and_let_another_send(envelope: Envelope) -> None:
        withdraw(world, number)
        beside = SmtpChannel(parse_mail_url(mail_server.url))
        wiring = world.wiring
        another = Dispatch({**world.channels, "email": beside}, wiring.letterhead, wiring.keyring)
        assert send_deliveries(wiring.engine, world.clock, another) == {}
        beside.close()

    intercept(world.channels["email"], [withdraw_and_let_another_send])
    send(world)
    world.at += timedelta(days=1)
    send(world)
    assert subjects(mail_server, DPO) == ([] if is_refused else ["told", "withdrawn"])
    assert states_of(world, "withdrawal") == {DPO: "cancelled" if is_refused else "accepted"}


def test_by_web_a_withdrawal_waits_just_so(world: World, receiver: HttpReceiver) -> None:
    endpoint = announce_by_web(world, receiver)
    claim_all(world, "webhook")
    withdraw(world, "2026-001")
    assert send(world) == {}
    find_the_dead(world)
    world.at += MINUTE
    send(world)
    assert delivery_at(world, endpoint, "withdrawal").state == "cancelled"
    assert posted(receiver) == []


def test_withdrawals_of_a_long_list_are_made_ready_together_for_those_who_were_told(
    world: World, mail_server: MailServer
) -> None:
    number = announce_to(world, ADA, BOB, customers="")
    send(world)
    change(world, delivery_to(world, BOB), state="leased", token="another worker's")
    withdraw(world, number)
    leases, prepared = claim_and_prepare(world)
    assert len(leases) == 2
    assert list(prepared) == [delivery_to(world, ADA, "withdrawal").id]


def break_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    make_envelope, left = merge_letter.make_envelope, [None]

    def make(*arguments: object, **more: object) -> Envelope:
        if left:
            left.pop()
            raise KeyError("a broken row")
        made: Envelope = make_envelope(*arguments, **more)  # type: ignore[arg-type] # handed on as it came
        return made

    monkeypatch.setattr("registry.steps.start_delivery.make_envelope", make)


def test_what_could_never_be_made_takes_its_withdrawal_along(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_the_next(monkeypatch)
    number = announce_to(world)
    assert send(world) == {"needs_attention": 1}
    assert withdraw(world, number) == {"due": 0, "cancelled": 1}
    assert send(world) == {}
    assert states_of(world) == {DPO: "cancelled"}
    assert mail_server.messages == []


def test_what_ended_three_workers_before_it_began_takes_its_withdrawal_along(
    world: World, mail_server: MailServer
) -> None:
    number = announce_to(world)
    claim_all(world)
    withdraw(world, number)
    change(world, delivery_to(world, DPO), crash_count=MAX_CRASHES - 1)
    find_the_dead(world)
    assert states_of(world) == {DPO: "needs_attention"}
    send(world)
    assert states_of(world, "withdrawal") == {DPO: "cancelled"}
    assert [event.payload["because"] for event in events(world, "delivery.cancelled")] == ["not_told"]
    assert mail_server.messages == []


def told_twice_unclearly(world: World, number: str) -> None:
    assert states_of(world)[DPO] == "needs_attention"
    assert requeue(world, number) == 1


def restored(world: World, number: str) -> None:
    """What `registry restore` makes of a letter that was due when the backup was made."""
    change(world, delivery_to(world, DPO), state="pending", possible_duplicate=True)


@pytest.mark.parametrize("happening", [told_twice_unclearly, restored])
def test_who_may_have_the_announcement_gets_the_withdrawal_though_it_waits_to_be_sent(
    world: World, mail_server: MailServer, happening: Callable[[World, str], None]
) -> None:
    number = announce_to(world)
    if happening is told_twice_unclearly:
        lose_answers(world, 2)
        send(world)
        world.at += MINUTE
        send(world)
    happening(world, number)
    before = subjects(mail_server, DPO)
    assert withdraw(world, number) == {"due": 1, "cancelled": 0}
    send(world)
    assert subjects(mail_server, DPO) == [*before, "withdrawn"]
    announcement = delivery_to(world, DPO)
    assert (announcement.state, announcement.note) == ("cancelled", "may_have_arrived")


def test_a_restored_letter_that_a_worker_has_leaves_its_withdrawal_alone(world: World, mail_server: MailServer) -> None:
    number = announce_to(world, ADA)
    for email in (DPO, ADA):
        change(world, delivery_to(world, email), possible_duplicate=True)
    claim_all(world)
    withdraw(world, number)
    find_the_dead(world)
    send(world)
    assert states_of(world, "withdrawal") == {DPO: "accepted", ADA: "accepted"}
    assert {delivery_to(world, email).note for email in (DPO, ADA)} == {"may_have_arrived"}


def test_who_refused_the_announcement_until_its_tries_were_spent_is_told_still(
    world: World, mail_server: MailServer
) -> None:
    """It was attempted (R15), and nobody knows what its server kept of it."""
    number = announce_to(world)
    mail_server.script(DPO, 451, "4.3.0 later", times=1)
    send(world)
    change(world, delivery_to(world, DPO), state="needs_attention", note="tries_spent")
    assert withdraw(world, number) == {"due": 1, "cancelled": 0}
    send(world)
    assert subjects(mail_server, DPO) == ["withdrawn"]
    assert [each.answer_class for each in attempts_at(world, delivery_to(world, DPO))] == ["temporary"]
