"""What servers say and do in place of a yes, and what stands on record of it (DESIGN §4.4)."""

from __future__ import annotations

import socket
from collections import Counter
from contextlib import closing
from datetime import timedelta

import pytest

from tests.channels.http_receiver import BAD_GATEWAY, HANG, RESET, Behaviour, Drip, HttpReceiver, Reply, redirect
from tests.channels.scripted_server import CUT, ScriptedServer
from tests.channels.scripted_server import Behaviour as SmtpBehaviour
from tests.channels.smtp_server import MailServer
from tests.faults.conftest import Figures
from tests.faults.post import Post, check_the_post, count_unfinished, readers
from tests.faults.table import Fault
from tests.steps.post_office import announce_to, attempts_at, delivery_to, send, states_of, use_server
from tests.steps.test_lanes import PostsLetters, by_web
from tests.world import World

MINUTE = timedelta(minutes=1)

REFUSALS = {
    (421, "RCPT"): "retry_wait",
    (450, "RCPT"): "retry_wait",
    (451, "DATA"): "retry_wait",
    (452, "DATA"): "retry_wait",
    (550, "RCPT"): "failed",
    (550, "DATA"): "failed",
    (552, "DATA"): "failed",
    (554, "RCPT"): "failed",
}


def go_on_until_nothing_waits(world: World) -> None:
    for _ in range(8):
        send(world)
        if not count_unfinished(world):
            return
        world.at += timedelta(hours=2)
    raise AssertionError(f"{count_unfinished(world)} letters are not finished")


def test_refusals_by_a_mail_server_cost_the_letters_they_are_about_and_no_other(
    world: World, mail_server: MailServer, figures: Figures
) -> None:
    everybody = readers(30)
    refused = dict(zip(everybody[::3], REFUSALS, strict=False))
    for address, (code, stage) in refused.items():
        mail_server.script(address, code, "5.0.0 No" if code >= 500 else "4.0.0 Later", times=1, stage=stage)
    announce_to(world, *everybody, customers="")
    send(world)
    states = states_of(world)
    assert {address: states[address] for address in refused} == {
        address: REFUSALS[refusal] for address, refusal in refused.items()
    }
    for address, (code, _) in refused.items():
        (attempt,) = attempts_at(world, delivery_to(world, address))
        assert (attempt.code, attempt.answer_class) == (code, "permanent" if code >= 500 else "temporary")
    assert Counter(states[to] for to in everybody if to not in refused) == {"accepted": 22}
    go_on_until_nothing_waits(world)
    assert Counter(states_of(world).values()) == {"accepted": 26, "failed": 4}
    assert len({message.rcpt_tos for message in mail_server.messages}) == len(mail_server.messages) == 26
    figures(Fault.SMTP_REFUSES, "SMTP 421 450 451 452 550 552 554", world, Post(26, 0, 0))


TROUBLE: dict[str, tuple[str, SmtpBehaviour, int, int]] = {
    "closing (421)": ("mail", "421 4.3.2 Shutting down", 0, 0),
    "greylisted": ("rcpt", "451 4.7.1 Greylisted", 0, 0),
    "slow": ("rcpt", Drip(b"250 ok\r\n", 0.02), 0, 0),
    "cut before the dot": ("data", CUT, 0, 0),
    "hanging before the dot": ("data", HANG, 0, 0),
    # By then all of a short letter is on its way, with its dot.
    "cut in the letter": ("letter", CUT, 0, 1),
    "slow after the dot": ("dot", Drip(b"250 ok\r\n", 0.02), 0, 0),
    "cut after the dot": ("dot", CUT, 1, 1),
    "hanging after the dot": ("dot", HANG, 1, 1),
    "garbage after the dot": ("dot", b"what?\r\n", 1, 1),
}
"""By name: the stage, what happens there once, the copies too many that come of it, and the letters marked for it."""


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_mail_server_in_trouble_has_each_letter_once_or_a_marked_copy(
    world: World, figures: Figures, trouble: str
) -> None:
    stage, behaviour, extra, marked = TROUBLE[trouble]
    announce_to(world, *readers(6), customers="")
    with ScriptedServer({stage: [behaviour]}) as server:
        use_server(world, server.url)
        go_on_until_nothing_waits(world)
        world.channels["email"].close()
        copies = Counter(letter for letter in server.letters if letter.endswith(b".\r\n"))
    assert set(states_of(world).values()) == {"accepted"}
    assert sorted(copies.values()) == [1] * 5 + [1 + extra]
    assert sum(delivery_to(world, to).possible_duplicate for to in readers(6)) == marked
    figures(Fault.SMTP_TROUBLE, f"SMTP {trouble}", world, Post(sum(copies.values()), extra, 0))


def test_a_mail_server_that_refuses_connections_has_every_letter_once_when_it_is_back(
    world: World, mail_server: MailServer, figures: Figures
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        closed_port = nobody.getsockname()[1]
    use_server(world, f"smtp://127.0.0.1:{closed_port}")
    announce_to(world, *readers(12), customers="")
    assert send(world) == {"retry_wait": 12}
    use_server(world, mail_server.url)
    go_on_until_nothing_waits(world)
    post = check_the_post(world, mail_server)
    figures(Fault.SMTP_TROUBLE, "SMTP connection refused", world, post)
    assert post == Post(12, 0, 0)


# The web

ANSWERS: list[tuple[Behaviour, str, timedelta | None]] = [
    (Reply(200), "accepted", None),
    (Drip(Reply(204, "", {"Connection": "close"}).as_bytes(), 0.005), "accepted", None),
    (redirect("http://127.0.0.1:1/elsewhere", 301), "retry_wait", timedelta(seconds=5)),
    (redirect("http://169.254.169.254/latest/meta-data", 307), "retry_wait", timedelta(seconds=5)),
    (Reply(429, "slow down", {"Retry-After": "90"}), "retry_wait", timedelta(seconds=90)),
    (Reply(429, "slow down"), "retry_wait", timedelta(seconds=5)),
    (Reply(500, "oh"), "retry_wait", timedelta(seconds=5)),
    (BAD_GATEWAY, "retry_wait", timedelta(seconds=5)),
    (Reply(410, "gone"), "failed", None),
    (RESET, "ambiguous", MINUTE),
    (Drip(b"HTTP/1.1 200 OK\r\n" * 200, 0.02), "ambiguous", MINUTE),
]


def test_answers_by_web_are_on_record_and_what_was_not_a_no_goes_out_again_under_the_same_id(
    world: World, figures: Figures
) -> None:
    announce_to(world, *readers(len(ANSWERS)), customers="")
    # In the order they are told.
    everybody = sorted(readers(len(ANSWERS)), key=lambda to: delivery_to(world, to).id)
    by_web(world, everybody)
    with HttpReceiver() as receiver, closing(PostsLetters(receiver.url, lambda: None, whole=0.8)) as road:
        receiver.script(*(behaviour for behaviour, _, _ in ANSWERS))
        world.channels["webhook"] = road
        send(world)
        for to, (behaviour, state, wait) in zip(everybody, ANSWERS, strict=True):
            delivery = delivery_to(world, to)
            assert delivery.state == state, behaviour
            assert wait is None or delivery.due_at == world.at + wait, behaviour
        go_on_until_nothing_waits(world)
        assert Counter(states_of(world).values()) == {"accepted": len(ANSWERS) - 1, "failed": 1}
        ids = Counter(request.headers["webhook-id"] for request in receiver.requests)
        bodies = {(request.headers["webhook-id"], request.body) for request in receiver.requests}
    # Each id went out with the same bytes every time; a receiver that knows it takes it once.
    assert len(bodies) == len(ids) == len(ANSWERS)
    assert sorted(ids.values()) == [1] * 3 + [2] * 8
    # Of those that were given up on half-way the receiver had all.
    figures(Fault.WEB_TROUBLE, "HTTP drip 3xx 410 429 500 502 reset", world, Post(len(ANSWERS) - 1 + 2, 2, 0))
