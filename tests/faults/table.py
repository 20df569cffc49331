"""The table of faults: what is broken, what must hold, and what it came to, added up from the runs of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from tests.faults.post import Post

DATABASES: Final = ("SQLite", "PostgreSQL")


class Fault(Enum):
    """A kind of fault, in the order of the table: what is broken, and what must hold all the same."""

    KILLED_AT_RANDOM = (
        "Workers are killed (SIGKILL) at random while letters go out; three at once on PostgreSQL, one on SQLite",
        "lost 0; no more copies than kills, each with its twin's Message-ID and bytes, and marked",
    )
    KILLED_WITH_MANY = (
        "The same, each worker with several connections",
        "lost 0; no more copies than two for each connection of a worker that was killed, with bytes and mark as above",
    )
    KILLED_AT_A_POINT = (
        "A worker is killed at a chosen point: between claim and send, before the wire; or many are, all the time",
        "the same; where nothing was on the wire there is no copy",
    )
    KILLED_BEFORE_COMMIT = (
        "A worker is killed between the server's 250 and its own commit",
        "lost 0; one copy for each kill, marked",
    )
    KILLED_IN_FAN_OUT = (
        "The process that announces a notice is killed, before its commit and at any other moment",
        "the rows of all recipients are there, or none is; announced again, each has one letter",
    )
    AT_ONCE = ("Several workers, or several whole ticks, at once", "no letter is claimed twice: no copy at all")
    LEASE_OUTLASTED = (
        "A send outlasts its lease, and another worker takes the letter over",
        "one marked copy at most; the slow worker settles nothing and begins nothing more",
    )
    DATABASE_AWAY = (
        "The database is stopped, crashed or locked at the moment a letter is to be settled",
        "back within seconds: no copy; away for longer: one marked copy; lost 0",
    )
    DISK_FULL = ("The disk is full in the middle of a commit", "lost 0; one marked copy at most, once there is room")
    SMTP_REFUSES = (
        "The mail server says 421, 450, 451, 452, 550, 552 or 554 to a recipient or to a letter",
        "4xx is tried again, 5xx fails for good, each for the letter it is about and no other; no copy",
    )
    SMTP_TROUBLE = (
        "The mail server refuses connections, is slow, hangs or cuts the connection before or after the final dot",
        "lost 0; before the dot no copy, after it one, marked",
    )
    WEB_TROUBLE = (
        "An endpoint drips, redirects, says 410, 429 with and without Retry-After or 500, an HTML 502, or breaks off",
        "2xx alone is a yes; asked again when it wished, with the same id and bytes, so that a repeat is known for one",
    )
    RESEND_TROUBLE = (
        "Resend times out and took it, says 409 of both kinds, 429, 500 or an HTML 502, breaks off or drips",
        "each letter is taken once: no copy; where bytes differ, a person decides",
    )
    CALLBACKS = (
        "Callbacks come in every order, twice, at once, forged and fuzzed",
        "never a 500; a letter's state never goes back; every order comes to the same",
    )
    PRIVATE_ADDRESS = (
        "An endpoint's address is private: plain, decimal, octal, hex, mapped, NAT64, by a name, "
        "by a name that changes its answer, by a redirect",
        "nobody is connected to there; the refusal is on record; a name that is mended is told",
    )
    WALL_CLOCK = (
        "The machine's clock is set a day forward or back while letters go out, wait, or are with a dead worker",
        "letters may be early or late; no copy but the dead worker's one",
    )
    BROKEN_ROW = (
        "One letter always raises, when it is made or when it is sent, or ends every worker at it",
        "it is set aside (at once, after its second unclear try, after three deaths); all others go out",
    )
    SCHEDULER_DIES = (
        "The scheduler's thread dies while its worker sends",
        "the worker finishes the letter on the wire, says so and exits non-zero; readiness fails; the next one goes on",
    )
    MIGRATION = (
        "The schema is upgraded from each earlier one with letters leased, unclear and due",
        "each row keeps its state, and a repeat its bytes; lost 0",
    )
    LATER_BOUNCES = (
        "A provider accepts everything and later bounces half",
        "the clocks that had begun end; nobody bounced is written to again",
    )

    @property
    def broken(self) -> str:
        """What is broken."""
        return str(self.value[0])

    @property
    def holds(self) -> str:
        """What must hold all the same."""
        return str(self.value[1])


@dataclass(frozen=True)
class Run:
    """What one run came to on one database. `more` are counts of its own, by what is counted."""

    fault: Fault
    name: str
    database: str
    post: Post
    kills: int
    seconds: float
    more: dict[str, int] = field(default_factory=dict)

    def as_line(self) -> str:
        """Return the run as a line of a terminal."""
        post = self.post
        counts = f"letters {post.letters:>5}  kills {self.kills:>3}  copies {post.extra_copies:>3}  lost {post.lost}"
        more = "".join(f"  {what} {count}" for what, count in self.more.items())
        return f"{self.name:<48} {self.database:<10}  {counts}  to a person {post.spent}  {self.seconds:5.1f} s{more}"

    def as_property(self) -> dict[str, Any]:
        """Return the run in such parts as a test process hands to another."""
        post = self.post
        return {
            "fault": self.fault.name,
            "name": self.name,
            "database": self.database,
            "post": [post.letters, post.extra_copies, post.spent, post.lost],
            "kills": self.kills,
            "seconds": self.seconds,
            "more": self.more,
        }


def read_property(parts: dict[str, Any]) -> Run:
    """Return the run that was handed over."""
    return Run(**(parts | {"fault": Fault[parts["fault"]], "post": Post(*parts["post"])}))


def table_of(runs: Iterable[Run]) -> list[str]:
    """Return the runs as a Markdown table: a row for each kind of fault, with the figures of its runs added up."""
    known = list(runs)
    rows = [f"| What is broken | What must hold | {' | '.join(DATABASES)} |", "|---|---|---|---|"]
    for fault in Fault:
        cells = [_add_up([run for run in known if (run.fault, run.database) == (fault, name)]) for name in DATABASES]
        rows.append(f"| {fault.broken} | {fault.holds} | {' | '.join(cells)} |")
    return rows


def _add_up(runs: list[Run]) -> str:
    if not runs:
        return "not run"
    letters, copies, spent, lost = (
        sum(getattr(run.post, name) for run in runs) for name in ("letters", "extra_copies", "spent", "lost")
    )
    kills, more = sum(run.kills for run in runs), Counter[str]()
    for run in runs:
        more.update(run.more)
    parts = [f"runs {len(runs)}", f"letters {letters:,}", f"kills {kills}", f"copies {copies}", f"**lost {lost}**"]
    parts += [f"to a person {spent}"] if spent else []
    return " · ".join([*parts, *(f"{what} {count:,}" for what, count in more.items())])
