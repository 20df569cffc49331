"""Mail to the bounce address that a person must read: kept to the last byte, a task, and nothing goes away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.steps.addresses import find_address
from registry.steps.erase_address import ErasedBecause, erase_addresses
from registry.steps.lookup import get_publisher
from registry.steps.receive_mail import BY_MAIL, Happened, receive_mail
from registry.steps.tasks import TaskKind
from tests.channels.smtp_server import MailServer
from tests.steps.bounce_cast import ADA, BOUNCES, came_back, kept, letter_to, outcomes, receive, tasks, world_that_told
from tests.steps.bounce_cast import SAMPLES as BOUNCES_ON_FILE
from tests.steps.post_office import DPO, delivery_to, events, states_of
from tests.world import World


@pytest.fixture
def world(database_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation with a bounce address, which has told Bremen and Ada of a second hosting place."""
    with world_that_told(database_url, tmp_path / "instance", mail_server) as world:
        yield world


@pytest.mark.parametrize(("sample", "reason"), [("out_of_office", "auto-reply"), ("human_reply", "no-report")])
def test_what_a_contact_or_its_machine_answers_is_a_task_of_its_own_and_kept_to_the_last_byte(
    world: World, mail_server: MailServer, sample: str, reason: str
) -> None:
    message = came_back(sample, letter_to(mail_server, DPO))
    received = receive(world, message, letter_to(mail_server, DPO).mail_from)
    assert (received.happened, received.reason) == (Happened.KEPT, reason)
    (mail,) = kept(world)
    assert (mail.body, mail.delivery_id) == (message, delivery_to(world, DPO).id)
    (task,) = tasks(world, TaskKind.MAIL_TO_READ)
    assert (task.subject_kind, task.subject) == ("mail", str(mail.id))
    assert task.facts == {"mail": mail.id, "reason": reason, "customer": "bremen", "notice": "2026-001"}
    assert states_of(world)[DPO] == "accepted"


def test_what_followers_machines_answer_is_one_task_together(world: World, mail_server: MailServer) -> None:
    message = came_back("out_of_office", letter_to(mail_server, ADA))
    for number in range(3):
        assert receive(world, message + f"{number}\n".encode()).happened is Happened.KEPT
    (task,) = tasks(world, TaskKind.MAIL_TO_READ)
    assert (task.subject, task.facts["mail"]) == ("antopsis", kept(world)[-1].id)
    assert len(kept(world)) == 3


@pytest.mark.parametrize("message", [b"", b"\0\xff\xfe no headers", b"Subject: \xff\r\n\r\n" + b"x" * 1_000])
def test_what_nobody_can_read_is_kept_whole(world: World, message: bytes) -> None:
    assert receive(world, message, "not an address").happened is Happened.KEPT
    (mail,) = kept(world)
    assert (mail.body, mail.publisher_id, mail.delivery_id) == (message, None, None)
    assert len(tasks(world, TaskKind.MAIL_TO_READ)) == 1


def test_a_message_that_is_too_long_to_be_read_is_kept_all_the_same(world: World, mail_server: MailServer) -> None:
    message = came_back("postfix", letter_to(mail_server, DPO)) + b"x" * 10_000_000
    received = receive(world, message, letter_to(mail_server, DPO).mail_from)
    assert (received.happened, received.reason) == (Happened.KEPT, "too-large")
    assert (kept(world)[0].body, kept(world)[0].delivery_id) == (message, delivery_to(world, DPO).id)


def test_a_message_at_which_this_house_fails_is_kept_for_a_person(world: World, mail_server: MailServer) -> None:
    """Raised, the error would have the mail server bring the message again for days, and then drop it."""
    broken = replace(world.wiring.keyring, lookup_secret=None)  # type: ignore[arg-type]  # what makes it break
    message = came_back("postfix", letter_to(mail_server, DPO), return_path=BOUNCES)
    with world.writing() as session:
        received = receive_mail(session, world.at, broken, BOUNCES, message, None)
    assert (received.happened, received.reason) == (Happened.KEPT, "broken")
    assert kept(world)[0].body == message
    assert states_of(world)[DPO] == "accepted"


def test_no_task_and_no_event_names_a_person(world: World, mail_server: MailServer) -> None:
    for sample in ("postfix", "out_of_office", "human_reply"):
        receive(world, came_back(sample, letter_to(mail_server, DPO)))
    told = [str(task.facts) + task.subject for task in tasks(world, TaskKind.MAIL_TO_READ)]
    told += [str(event.payload) for kind in ("task.opened", "suppression.added") for event in events(world, kind)]
    assert len(told) >= 4
    assert not any("@" in each for each in told)


def test_what_was_kept_about_a_letter_goes_with_its_address(world: World, mail_server: MailServer) -> None:
    receive(world, came_back("out_of_office", letter_to(mail_server, ADA)))
    with world.writing() as session:
        address = find_address(session, get_publisher(session, "antopsis"), world.wiring.keyring, ADA)
        assert address is not None
        erase_addresses(session, world.at, [address], BY_MAIL, ErasedBecause.ASKED_FOR)
    assert kept(world)[0].body is None


SAMPLES: dict[str, bytes] = {}


@pytest.fixture
def sqlite_world_with_letters(sqlite_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation whose letters came back in every way that the samples show."""
    with world_that_told(sqlite_url, tmp_path / "instance", mail_server) as world:
        letter = letter_to(mail_server, DPO)
        for path in BOUNCES_ON_FILE.glob("*.eml"):
            SAMPLES[path.stem] = came_back(path.stem, letter)
        yield world


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_comes_is_an_outcome_or_is_kept_and_none_of_it_raises(
    sqlite_world_with_letters: World, data: st.DataObject
) -> None:
    world = sqlite_world_with_letters
    sample = data.draw(st.sampled_from(sorted(SAMPLES)))
    message = bytearray(SAMPLES[sample])
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(message)))
        message[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    before = len(outcomes(world)) + len(kept(world))
    received = receive(world, bytes(message), data.draw(st.none() | st.text(max_size=60)))
    after = len(outcomes(world)) + len(kept(world))
    assert (after > before) == (received.happened is not Happened.KNOWN)
