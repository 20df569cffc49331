"""The sweeps: all that happens by itself, each idempotent, run by the worker's clock or once by `registry tick`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from registry.channels.alerts import AlertRoad
from registry.pages.render import PageRenderer
from registry.steps.alert_operators import send_alerts, send_ping
from registry.steps.announce_notice import announce_due_notices
from registry.steps.artefacts import build_artefacts
from registry.steps.call_in import call_in
from registry.steps.check_addresses import check_addresses
from registry.steps.dispatch import Dispatch
from registry.steps.endpoint_owners import tell_owners
from registry.steps.endpoints import retire_secrets
from registry.steps.erase_expired import erase_expired
from registry.steps.installation import beat
from registry.steps.pacing import renew_connections
from registry.steps.persist import DATABASE_AWAY
from registry.steps.reconcile import reconcile
from registry.steps.record import WORKER
from registry.steps.record_outcome import match_outcomes
from registry.steps.recover_leases import recover_leases
from registry.steps.remind import send_reminders
from registry.steps.send_deliveries import send_deliveries
from registry.steps.subscribe import sweep_expired_requests
from registry.steps.sweep_slots import note_failure, note_success
from registry.steps.take_effect import take_effect
from registry.steps.watch import watch
from registry.tables.engine import GIVES_UP_LOCKS, writing

NOTED_AS: Final = {"send_effect": "send"}
"""Sweeps that no worker runs by this name: whether they fail is kept by the other one."""
GOES_WELL_WITH: Final = {"send": ("send_by_web",)}
"""What a worker does apart and a tick along with the other: it sends by all roads, so that either has gone well."""


@dataclass(frozen=True)
class Sweeping:
    """What the sweeps need. `clock` gives aware UTC; a tick with a time of its own passes a clock that stands.

    `should_stop` is asked between two letters: a worker that is to stop finishes the one on the wire and no more.
    `alerts` is the road to the operators, and `is_well` whether this process has nothing to hide from them. While
    `is_stuck` says that a sweep of this process hangs, it gives no sign of life.
    """

    engine: Engine
    clock: Callable[[], datetime]
    dispatch: Dispatch
    pages: PageRenderer
    build: str
    should_stop: Callable[[], bool] = lambda: False
    alerts: AlertRoad = field(default_factory=AlertRoad)
    is_well: Callable[[], bool] = lambda: True
    is_stuck: Callable[[], bool] = lambda: False


def list_sweeps(sweeping: Sweeping) -> dict[str, Callable[[], object]]:
    """Return every sweep by name, in the order in which one tick runs them.

    What is due to be said comes before sending, and effect after it, so that one tick brings a quiet day to its end.
    Statements that effect adds are sent by the last one. What needs a person is looked for when all that is done.
    None but those that wait for other servers anyway waits without end for what somebody else has locked.
    """
    patient, clock, dispatch = sweeping.engine, sweeping.clock, sweeping.dispatch
    engine = patient.execution_options(**GIVES_UP_LOCKS)
    letterhead = dispatch.letterhead

    def in_session(step: Callable[..., object], *arguments: object) -> Callable[[], object]:
        def run() -> object:
            with writing(engine) as session:
                return step(session, clock(), *arguments)

        return run

    def over_notices(step: Callable[..., object], *arguments: object) -> Callable[[], object]:
        def run() -> object:
            troubles: list[Exception] = []
            with writing(engine) as session:
                did = step(session, clock(), *arguments, note_trouble=troubles.append)
            if troubles:
                # What could be done for the other notices is committed.
                raise troubles[0]
            return did

        return run

    def heartbeat() -> None:
        with writing(engine) as session:
            renew_connections(session, clock())
            if not sweeping.is_stuck():
                beat(session, clock())

    def send() -> object:
        return send_deliveries(patient, clock, dispatch, should_stop=sweeping.should_stop)

    def erase() -> object:
        return erase_expired(engine, clock, should_stop=sweeping.should_stop)

    def match() -> object:
        return match_outcomes(engine, clock, WORKER, should_stop=sweeping.should_stop)

    def check() -> object:
        return check_addresses(patient, clock, dispatch, should_stop=sweeping.should_stop)

    def alert() -> object:
        return send_alerts(engine, clock, sweeping.alerts, letterhead.base_url)

    def ping() -> object:
        return send_ping(engine, clock, sweeping.alerts, sweeping.is_well)

    return {
        "heartbeat": heartbeat,
        "recover_leases": in_session(recover_leases),
        "announce": over_notices(announce_due_notices, letterhead),
        "match_outcomes": match,
        "remind": over_notices(send_reminders, letterhead),
        "reconcile": lambda: reconcile(engine, clock),
        "tell_owners": in_session(tell_owners, letterhead),
        "retire_secrets": in_session(retire_secrets),
        "send": send,
        # Whoever could not be told just now is told by another contact in the same tick.
        "call_in": over_notices(call_in),
        "take_effect": over_notices(take_effect, letterhead),
        "send_effect": send,
        "check_addresses": check,
        "watch": lambda: watch(engine, clock),
        "alert": alert,
        "ping": ping,
        "expire_requests": in_session(sweep_expired_requests),
        "erase_expired": erase,
        "artefacts": lambda: build_artefacts(engine, clock, sweeping.pages, letterhead, sweeping.build),
    }


def tick(sweeping: Sweeping, begins: Callable[[str], None] = lambda name: None) -> dict[str, object]:
    """Run every sweep once and return what each did. Twice in a row, or two at once, do no more than one.

    `begins` is told the name of each. One that fails keeps no other from its turn, but for the ping; the first error is
    raised at the end. That the database is away is about all of them, and is raised at once.
    """
    did: dict[str, object] = {}
    trouble: Exception | None = None

    def is_well() -> bool:
        return trouble is None and sweeping.is_well()

    for name, sweep in list_sweeps(replace(sweeping, is_well=is_well)).items():
        begins(name)
        try:
            did[name] = sweep()
            for done in (NOTED_AS.get(name, name), *GOES_WELL_WITH.get(name, ())):
                note_success(sweeping.engine, done)
        except DATABASE_AWAY:
            raise
        except Exception as raised:  # noqa: BLE001 - it is raised once the others had their turn
            trouble = trouble or raised
            with suppress(SQLAlchemyError), writing(sweeping.engine.execution_options(**GIVES_UP_LOCKS)) as session:
                note_failure(session, sweeping.clock(), NOTED_AS.get(name, name))
    if trouble is not None:
        raise trouble
    return did
