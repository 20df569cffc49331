"""A database knows which installation it belongs to, and a copy of it stays silent (R32)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from registry.steps.audience_errors import InstallationNotBound
from registry.steps.installation import (
    beat,
    bind_installation,
    dispatch_pause,
    fingerprint_of,
    mark_not_evidence,
    pause,
    resume,
)
from registry.tables import Event, Installation
from registry.tables.engine import make_engine, writing
from tests.steps.audience_cast import EDITOR, MONDAY, later

HERE = "https://registry.example"
STAGING = "https://staging.registry.example"
KEY = fingerprint_of("the-secret-key-of-production")
OTHER_KEY = fingerprint_of("the-secret-key-of-staging")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a fresh database."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A writing session on a database that production has bound."""
    with writing(engine) as session:
        bind_installation(session, MONDAY, KEY, HERE)
        yield session


def kinds(session: Session) -> list[str]:
    """The kinds of the record's events, in order."""
    session.flush()
    return list(session.scalars(select(Event.kind).order_by(Event.id)))


def test_a_fingerprint_stands_for_a_key_and_does_not_hold_it() -> None:
    assert fingerprint_of("a") == fingerprint_of("a")
    assert fingerprint_of("a") != fingerprint_of("b")
    assert "the-secret-key" not in KEY


def test_the_first_start_binds_the_database_once(session: Session) -> None:
    first = bind_installation(session, later(hours=1), KEY, HERE)
    assert (first.fingerprint, first.base_url, first.created_at, first.is_demo) == (KEY, HERE, MONDAY, False)
    assert dispatch_pause(session) is None
    assert kinds(session) == ["installation.bound"]


@pytest.mark.parametrize(
    ("key", "base_url", "because"),
    [
        (OTHER_KEY, HERE, "other-secret-key"),
        (KEY, STAGING, "other-base-url"),
        (OTHER_KEY, STAGING, "other-secret-key"),
    ],
)
def test_a_copy_started_elsewhere_pauses_once_and_says_why(
    session: Session, key: str, base_url: str, because: str
) -> None:
    for hour in (1, 2, 3):
        bind_installation(session, later(hours=hour), key, base_url)
    paused = dispatch_pause(session)
    assert paused is not None
    assert (paused.paused_because, paused.paused_at) == (because, later(hours=1))
    assert (paused.fingerprint, paused.base_url) == (KEY, HERE)
    assert kinds(session) == ["installation.bound", "installation.paused"]


def test_starting_where_it_belongs_again_does_not_lift_the_pause(session: Session) -> None:
    bind_installation(session, later(hours=1), KEY, STAGING)
    bind_installation(session, later(hours=2), KEY, HERE)
    assert dispatch_pause(session) is not None


def test_a_person_lets_it_go_on_and_binds_it_to_where_it_is(session: Session) -> None:
    bind_installation(session, later(hours=1), OTHER_KEY, STAGING)
    resume(session, later(hours=2), EDITOR, OTHER_KEY, STAGING)
    assert dispatch_pause(session) is None
    bind_installation(session, later(hours=3), OTHER_KEY, STAGING)
    assert dispatch_pause(session) is None
    resumed = session.scalars(select(Event).where(Event.kind == "installation.resumed")).one()
    assert (resumed.actor, resumed.payload) == (str(EDITOR), {"bound_anew": True})
    bind_installation(session, later(hours=4), KEY, HERE)
    assert dispatch_pause(session) is not None


def test_a_pause_of_a_person_keeps_its_words_out_of_the_record(session: Session) -> None:
    pause(session, later(hours=1), EDITOR, "Ms Example moves the mail server")
    pause(session, later(hours=2), EDITOR, "something else")
    paused = dispatch_pause(session)
    assert paused is not None
    assert (paused.paused_because, paused.paused_at) == ("Ms Example moves the mail server", later(hours=1))
    event = session.scalars(select(Event).where(Event.kind == "installation.paused")).one()
    assert event.payload == {"because": "by-a-person"}
    resume(session, later(hours=3), EDITOR, KEY, HERE)
    resume(session, later(hours=4), EDITOR, KEY, HERE)
    assert dispatch_pause(session) is None
    assert kinds(session).count("installation.resumed") == 1


def test_a_copy_made_while_paused_says_that_it_is_a_copy_and_keeps_the_first_reason(session: Session) -> None:
    pause(session, later(hours=1), EDITOR, "maintenance")
    for hours in (2, 3):
        bind_installation(session, later(hours=hours), OTHER_KEY, HERE)
    paused = dispatch_pause(session)
    assert paused is not None
    assert (paused.paused_because, paused.paused_at) == ("maintenance; other-secret-key", later(hours=1))


def test_evidence_does_not_become_a_demonstration(session: Session) -> None:
    assert bind_installation(session, later(hours=1), KEY, HERE, is_demo=True).is_demo is False


def test_a_database_in_which_time_was_travelled_is_marked_for_good(session: Session) -> None:
    mark_not_evidence(session, later(hours=1))
    mark_not_evidence(session, later(hours=2))
    assert session.get_one(Installation, 1).not_evidence_since == later(hours=1)
    assert kinds(session).count("installation.not_evidence") == 1


def test_the_heartbeat_is_no_act(session: Session) -> None:
    beat(session, later(minutes=1))
    beat(session, later(minutes=2))
    session.expire_all()
    assert session.get_one(Installation, 1).heartbeat_at == later(minutes=2)
    assert kinds(session) == ["installation.bound"]


def test_a_database_nobody_bound_cannot_be_paused(engine: Engine) -> None:
    with writing(engine) as session:
        assert dispatch_pause(session) is None
        with pytest.raises(InstallationNotBound):
            pause(session, MONDAY, EDITOR, "x")
        with pytest.raises(InstallationNotBound):
            mark_not_evidence(session, MONDAY)


def test_two_processes_that_start_at_once_bind_once(engine: Engine) -> None:
    both = threading.Barrier(2)
    found: list[str] = []

    def start() -> None:
        both.wait()
        with writing(engine) as session:
            found.append(bind_installation(session, MONDAY, KEY, HERE).installation_id)

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert len(set(found)) == 1
    with writing(engine) as session:
        assert kinds(session) == ["installation.bound"]
        assert dispatch_pause(session) is None
