"""The sweeps: all that happens by itself, each idempotent, run by the worker's clock or once by `registry tick`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from registry.pages.render import PageRenderer
from registry.steps.announce_notice import announce_due_notices
from registry.steps.artefacts import build_artefacts
from registry.steps.installation import beat
from registry.steps.record import WORKER
from registry.steps.record_outcome import match_outcomes
from registry.steps.recover_leases import recover_leases
from registry.steps.remind import send_reminders
from registry.steps.send_deliveries import Dispatch, send_deliveries
from registry.steps.subscribe import sweep_expired_requests
from registry.steps.take_effect import take_effect
from registry.tables.engine import writing


@dataclass(frozen=True)
class Sweeping:
    """What the sweeps need. `clock` gives aware UTC; a tick with a time of its own passes a clock that stands.

    `should_stop` is asked between two letters: a worker that is to stop finishes the one on the wire and no more.
    """

    engine: Engine
    clock: Callable[[], datetime]
    dispatch: Dispatch
    pages: PageRenderer
    build: str
    should_stop: Callable[[], bool] = lambda: False


def list_sweeps(sweeping: Sweeping) -> dict[str, Callable[[], object]]:
    """Return every sweep by name, in the order in which one tick runs them.

    What is due to be said comes before sending, and effect after it, so that one tick brings a quiet day to its end.
    Statements that effect adds are sent by the last one.
    """
    engine, clock, dispatch = sweeping.engine, sweeping.clock, sweeping.dispatch
    letterhead = dispatch.letterhead

    def in_session(step: Callable[..., object], *arguments: object) -> Callable[[], object]:
        def run() -> object:
            with writing(engine) as session:
                return step(session, clock(), *arguments)

        return run

    def send() -> object:
        return send_deliveries(engine, clock, dispatch, should_stop=sweeping.should_stop)

    return {
        "heartbeat": in_session(beat),
        "recover_leases": in_session(recover_leases),
        "announce": in_session(announce_due_notices, letterhead),
        "match_outcomes": in_session(match_outcomes, WORKER),
        "remind": in_session(send_reminders, letterhead),
        "send": send,
        "take_effect": in_session(take_effect, letterhead),
        "send_effect": send,
        "expire_requests": in_session(sweep_expired_requests),
        "artefacts": in_session(build_artefacts, sweeping.pages, letterhead, sweeping.build),
    }


def tick(sweeping: Sweeping) -> dict[str, object]:
    """Run every sweep once and return what each did. Twice in a row, or two at once, do no more than one."""
    return {name: sweep() for name, sweep in list_sweeps(sweeping).items()}
