"""What a notice says reaches each reader in its order: the last letter is the one that counts (R15)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from registry.channels.base import Answer, Envelope, TemporaryFailure
from registry.channels.smtp import SmtpChannel, parse_mail_url
from registry.steps.claim_deliveries import release_leases
from tests.channels.http_receiver import HttpReceiver, Reply
from tests.channels.scripted_server import CUT, ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.steps.claims_cast import claim_and_prepare
from tests.steps.holding_cast import ITS_FIRST_INSTANT
from tests.steps.path_cast import at, object_to, withdraw
from tests.steps.post_office import (
    DPO,
    announce_to,
    attempts_at,
    delivery_to,
    send,
    states_of,
    use_channel,
    use_server,
)
from tests.steps.test_postponing import postpone
from tests.steps.web_cast import announce_by_web, posted
from tests.world import World, letters_to

ADA = "ada@reader.example"
FIFTEENTH = date(2026, 12, 15)
NOBODY_LISTENS = "smtp://127.0.0.1:1"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as server:
        yield server


def told(mail_server: MailServer, email: str) -> list[str]:
    """Return what somebody was told, in the order in which it arrived."""
    kinds = {"postponed": "postponed", "withdrawn": "withdrawn"}
    letters = [str(each["Subject"]) for each in letters_to(mail_server, email)]
    return [next((kinds[word] for word in kinds if word in subject), "announced") for subject in letters]


def be_in_vain(world: World, times: int) -> None:
    """Send so many times, each time that the announcement is due."""
    for _ in range(times):
        world.at = max(world.at, delivery_to(world, DPO).due_at)
        send(world)


def mend(world: World, mail_server: MailServer) -> None:
    """Have the mail server back."""
    use_channel(world, SmtpChannel(parse_mail_url(mail_server.url)))


def refuse_announcements(world: World) -> None:
    """Have every announcement refused for now, and nothing else."""
    channel = world.channels["email"]
    carry = channel.send

    def refuse(envelope: Envelope) -> Answer:
        if b"Subject: Antopsis: change to the subprocessor list on" in envelope.message.replace(b"\r\n ", b" "):
            return TemporaryFailure(451, "4.7.1 not this one")
        return carry(envelope)

    vars(channel)["send"] = refuse


def test_what_is_said_after_an_outage_comes_behind_what_waited_for_its_retry(
    world: World, mail_server: MailServer
) -> None:
    number = announce_to(world, ADA)
    use_server(world, NOBODY_LISTENS)
    be_in_vain(world, 9)
    mend(world, mail_server)
    world.at += MINUTE
    assert delivery_to(world, DPO).due_at > world.at + HOUR / 2
    postpone(world, number, FIFTEENTH)
    # By mail the announcement is tried at once, so that the later letter need not wait for it either.
    assert send(world) == {"accepted": 4}
    assert told(mail_server, DPO) == told(mail_server, ADA) == ["announced", "postponed"]


def test_what_is_said_during_an_outage_is_tried_right_behind_what_waits_for_its_retry(
    world: World, mail_server: MailServer
) -> None:
    number = announce_to(world)
    use_server(world, NOBODY_LISTENS)
    be_in_vain(world, 9)
    world.at += MINUTE
    postpone(world, number, FIFTEENTH)
    send(world)
    be_in_vain(world, 3)
    # A minute after its first try the later one would be due again; it has its tries behind those of the earlier one.
    announcement, postponement = delivery_to(world, DPO), delivery_to(world, DPO, "postponement")
    began = [[each.send_started_at for each in attempts_at(world, of)] for of in (announcement, postponement)]
    assert [each for each in began[1] if each is not None] == began[0][-4:]
    assert (announcement.state, postponement.state) == ("retry_wait", "retry_wait")
    mend(world, mail_server)
    be_in_vain(world, 1)
    world.at += MINUTE
    send(world)
    assert told(mail_server, DPO) == ["announced", "postponed"]


def test_a_letter_that_alone_is_refused_keeps_the_next_one_waiting_no_longer_than_its_try(
    world: World, mail_server: MailServer
) -> None:
    number = announce_to(world)
    refuse_announcements(world)
    be_in_vain(world, 9)
    world.at += MINUTE
    postpone(world, number, FIFTEENTH)
    send(world)
    assert told(mail_server, DPO) == ["postponed"]
    assert states_of(world) == {DPO: "retry_wait"}
    assert len(attempts_at(world, delivery_to(world, DPO))) == 10


@pytest.mark.parametrize("is_leased", [False, True], ids=["it waits for its retry", "a worker has it"])
def test_who_has_the_later_letter_alone_gets_the_withdrawal(
    world: World, mail_server: MailServer, is_leased: bool
) -> None:
    number = announce_to(world, ADA)
    refuse_announcements(world)
    send(world)
    postpone(world, number, FIFTEENTH)
    world.at += HOUR
    assert send(world) == {"retry_wait": 2, "accepted": 2}
    if is_leased:
        world.at += HOUR
        leases = [*claim_and_prepare(world)[0], *claim_and_prepare(world)[0]]
        assert {lease.delivery_id for lease in leases} == {delivery_to(world, each).id for each in (DPO, ADA)}
    assert withdraw(world, number) == {"due": 2, "cancelled": 0 if is_leased else 2}
    if is_leased:
        with world.writing() as session:
            release_leases(session, world.at, leases)
    send(world)
    for email in (DPO, ADA):
        assert told(mail_server, email) == ["postponed", "withdrawn"]
    assert set(states_of(world).values()) == {"cancelled"}


def test_what_may_have_arrived_keeps_its_wait_and_the_next_one_waits_for_it(world: World) -> None:
    with ScriptedServer({"dot": [CUT]}) as server:
        use_server(world, server.url)
        number = announce_to(world)
        send(world)
        due_at = delivery_to(world, DPO).due_at
        assert states_of(world) == {DPO: "ambiguous"}
        world.at += MINUTE / 2
        postpone(world, number, FIFTEENTH)
        assert send(world) == {}
        assert delivery_to(world, DPO).due_at == due_at == delivery_to(world, DPO, "postponement").due_at
        world.at = due_at
        assert send(world) == {"accepted": 2}
        world.channels["email"].close()
        assert [b"-postponement." in letter for letter in server.letters] == [False, False, True]


def test_another_date_overtakes_no_letter_that_tells_of_none(world: World, mail_server: MailServer) -> None:
    """The nearest date goes first. "Until further notice" is far: what came after it would be met first, in vain."""
    number = announce_to(world, ADA)
    send(world)
    object_to(world, number, "bremen")
    at(world, ITS_FIRST_INSTANT, "take_effect")
    assert delivery_to(world, DPO, "postponement").state == "pending"
    postpone(world, number, FIFTEENTH)
    leases, prepared = claim_and_prepare(world)
    assert [lease.delivery_id for lease in leases] == sorted(lease.delivery_id for lease in leases)
    assert len(leases) == 2
    leases, prepared = claim_and_prepare(world)
    # The follower's second letter is made when its turn comes, which is after the first one's.
    assert list(prepared) == [leases[0].delivery_id]
    assert leases[0].delivery_id < leases[1].delivery_id


def test_a_webhook_does_not_wait_since_its_receiver_keeps_the_highest_number(
    world: World, receiver: HttpReceiver
) -> None:
    announce_by_web(world, receiver)
    receiver.script(Reply(503))
    send(world)
    receiver.requests.clear()
    postpone(world, "2026-001", FIFTEENTH)
    send(world)
    assert [each["type"] for each in posted(receiver)] == ["notice.postponed"]
