"""A notice of a second place that is to take effect on 1 November 2026, and how it is held."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import update

from registry.domain.effect import HoldReason
from registry.steps.tasks import TaskKind
from registry.steps.watch import watch
from registry.tables import Task
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import announce, at, decide, sweep
from tests.world import BREMEN, World, antopsis, utc

FIRST_OF_NOVEMBER = date(2026, 11, 1)
ITS_FIRST_INSTANT = utc("2026-10-31 23:00")
LUEBECK = BREMEN.replace("bremen", "luebeck").replace("Bremen", "Lübeck")
UNREACHED = TaskKind.CUSTOMER_NOT_REACHED.value


def pending_notice(world: World, customers: str = BREMEN, *, deliver: bool = True) -> str:
    """Announce a second place, to take effect on 1 November, and have the letters go out or not."""
    world.apply(antopsis(customers=customers))
    number = announce(world)
    assert world.notice(number).effective_on == FIRST_OF_NOVEMBER
    if deliver:
        sweep(world)
    return number


def change(world: World, table: type[Any], **values: Any) -> None:
    """Change every row of a table."""
    with world.writing() as session:
        session.execute(update(table).values(**values))


def reasons(world: World, number: str) -> list[tuple[str, HoldReason]]:
    """Return who holds a notice and why."""
    return [(hold.customer_key, hold.reason) for hold in world.status(number).holds]


def state_and_date(world: World, number: str, as_of: date | None = None) -> tuple[str, date | None]:
    """Return a notice's public state and date, now or at the end of a past day."""
    (notice,) = (notice for notice in world.public(as_of).notices if notice.number == number)
    return notice.state, notice.effective_on


def no_mailbox(mail_server: MailServer) -> None:
    """Have Bremen's contact refused for good."""
    mail_server.script("dpo@bremen.example", 550, "5.1.1 No such user here")


def served_while_held(world: World, mail_server: MailServer) -> str:
    """Hold a notice that no letter brought to its customer; on 5 November it is on record as served the day before."""
    no_mailbox(mail_server)
    number = pending_notice(world)
    at(world, ITS_FIRST_INSTANT)
    world.at = utc("2026-11-05 10:00")
    decide(world, number, "bremen", "served", "Post RR 123 DE", utc("2026-11-04 09:00"))
    sweep(world)
    return number


def look(world: World) -> dict[str, int]:
    """Look for what needs a person, as the sweep does."""
    return watch(world.wiring.engine, world.clock)


def tasks(world: World, kind: str, *, is_open: bool = True) -> list[Task]:
    """Return the tasks of a kind, open or closed, the first one first."""
    with world.reading() as session:
        found = session.query(Task).filter_by(kind=kind).order_by(Task.id).all()
        return [task for task in found if (task.closed_at is None) is is_open]
