"""`registry doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import click
from sqlalchemy import exists, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from registry.cli.doctor_receipts import examine_receipts
from registry.cli.doctor_roads import examine_mail, examine_operators
from registry.cli.doctor_senders import OwnSender, examine_senders, list_own_senders
from registry.cli.doctor_team import examine_sign_in, examine_team
from registry.cli.doctor_tries import try_addresses
from registry.cli.failures import explain_failure
from registry.cli.findings import Finding, Grade
from registry.cli.invocation import Command, Invocation, pass_invocation
from registry.cli.printing import count_of, print_json, print_lines, say_at, words_of
from registry.domain.deliveries import SENDABLE_STATES, DeliveryState
from registry.domain.errors import RegistryError
from registry.domain.notice_life import NoticeState
from registry.domain.terms import Terms
from registry.steps.errors import TermsUnreadable
from registry.steps.installation import is_same_base_url
from registry.steps.lookup import list_running_customers, read_facts
from registry.steps.tasks import count_open_tasks
from registry.tables import Address, Customer, Delivery, Installation, Notice, Publisher, Statement, Subscription
from registry.tables.audience import suppresses
from registry.tables.engine import reading
from registry.wiring import Wiring
from registry.worker import STALLED_AFTER

UNFIT = 1
"""Exit code where the installation is not fit to go live."""
GRACE = timedelta(minutes=10)
"""A worker that is alive does what is due well within this."""


@click.command(
    cls=Command,
    examples=["registry doctor", "registry doctor --dkim-selector relay1", "registry doctor --no-network --json"],
)
@click.option(
    "--dkim-selector",
    "selectors",
    multiple=True,
    metavar="NAME",
    help="The selector your mail server signs under. May be repeated, for several domains too.",
)
@click.option("--no-network", is_flag=True, help="Try no mail server, ask no name server or issuer, write to nobody.")
@pass_invocation
@click.pass_context
def doctor(context: click.Context, run: Invocation, selectors: tuple[str, ...], no_network: bool) -> None:
    """Say what is wrong with this installation, and what to do. Exits 1 where it is not fit to go live.

    It signs in at the mail server, asks name servers for the domain of each sender and the company's sign-in who it is,
    and writes from and to each sender, and to the address of each publisher that letters name for replies and
    objections.
    """
    findings = list(_examine(run, selectors, uses_network=not no_network))
    is_fit = all(finding.grade is not Grade.WRONG for finding in findings)
    if run.as_json:
        print_json({"is_fit": is_fit, "findings": findings})
    else:
        print_lines(_lines(findings))
        wrong = sum(finding.grade is Grade.WRONG for finding in findings)
        click.echo("")
        weigh = sum(finding.grade is Grade.WARN for finding in findings)
        if not is_fit:
            click.echo(f"Not fit to go live: {count_of(wrong, 'thing')} to mend.")
        else:
            click.echo("Fit to go live." + (f" {count_of(weigh, 'thing')} to weigh first." if weigh else ""))
    if not is_fit:
        context.exit(UNFIT)


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    width = max(len(finding.about) for finding in findings)
    for finding in findings:
        yield f"{finding.grade:<5}  {finding.about:<{width}}  {finding.says}"
        if finding.remedy:
            yield f"{'':<5}  {'':<{width}}  {finding.remedy}"


def _examine(run: Invocation, selectors: Sequence[str], *, uses_network: bool) -> Iterator[Finding]:
    wiring = run.unchecked
    yield from _settings(wiring)
    yield from examine_mail(wiring, uses_network=uses_network)
    yield from examine_operators(wiring)
    yield from examine_sign_in(wiring, uses_network=uses_network)
    own: Sequence[OwnSender] = ()
    try:
        wiring.check_schema()
        with reading(wiring.engine) as session:
            own = list_own_senders(session, wiring.letterhead)
            database = "SQLite, for one machine" if wiring.uses_sqlite else "PostgreSQL"
            yield Finding("Database", Grade.OK, f"{database}, schema up to date.")
            yield from _installation(session, run.now, wiring)
            yield from _notices(session, run.now)
            yield from _deliveries(session, run.now)
            yield from _customers(session, run.now)
            yield from examine_receipts(session, run.now, wiring)
            yield from _tasks(session)
            yield from examine_team(session, wiring)
        if uses_network:
            yield from try_addresses(wiring, own)
    except (RegistryError, SQLAlchemyError) as error:
        yield Finding("Database", Grade.WRONG, explain_failure(error).message)
    yield from examine_senders(wiring, own, selectors, uses_network=uses_network)


def _settings(wiring: Wiring) -> Iterator[Finding]:
    base_url = wiring.letterhead.base_url
    if base_url.startswith("https://"):
        yield Finding("Address", Grade.OK, f"letters link to {base_url}.")
    else:
        yield Finding(
            "Address",
            Grade.WRONG,
            f"letters link to {base_url}, which is not encrypted.",
            "Set REGISTRY_BASE_URL to the public https address.",
        )
    if wiring.mail_only_to:
        yield Finding(
            "Recipients",
            Grade.WRONG,
            f"only {', '.join(wiring.mail_only_to)} can be written to.",
            "Unset REGISTRY_MAIL_ONLY_TO, so that every customer is told.",
        )
    if wiring.allow_time_travel:
        yield Finding(
            "Time travel",
            Grade.WRONG,
            "`registry tick --at` is permitted.",
            "Unset REGISTRY_ALLOW_TIME_TRAVEL where evidence is made.",
        )
    if not wiring.is_production:
        yield Finding(
            "Environment",
            Grade.NOTE,
            "this is not set up as production.",
            "REGISTRY_ENV=production refuses settings that would be unsafe.",
        )


def _installation(session: Session, now: datetime, wiring: Wiring) -> Iterator[Finding]:
    row = session.scalar(select(Installation))
    if row is None:
        yield Finding(
            "Installation",
            Grade.WRONG,
            "the database belongs to no installation yet.",
            "Start the service: `registry serve`, or `registry web` and `registry worker`.",
        )
        return
    if row.fingerprint != wiring.fingerprint or not is_same_base_url(row.base_url, wiring.letterhead.base_url):
        yield Finding(
            "Installation",
            Grade.WRONG,
            f"the database was bound with another key or address ({row.base_url}), as a copy would be.",
            "If this is the original and no copy, `registry resume` binds it anew.",
        )
    else:
        yield Finding("Installation", Grade.OK, f"bound to this key and address as {row.installation_id}.")
    if row.is_demo:
        yield Finding(
            "Demonstration",
            Grade.WRONG,
            "this installation is marked as a demo for good, and its outbox counts as receipt.",
            "Go live with another REGISTRY_INSTANCE or database.",
        )
    if row.not_evidence_since is not None:
        yield Finding(
            "Evidence",
            Grade.WRONG,
            f"time was travelled in this database on {say_at(row.not_evidence_since, 'UTC')}, so it proves nothing.",
            "Go live with another REGISTRY_INSTANCE or database.",
        )
    if row.paused_at is not None:
        yield Finding(
            "Sending",
            Grade.WRONG,
            f"paused since {say_at(row.paused_at, 'UTC')} ({row.paused_because}).",
            "`registry resume` lets it go on.",
        )
    else:
        yield Finding("Sending", Grade.OK, "not paused.")
    yield _worker(row.heartbeat_at, now)


def _worker(heartbeat_at: datetime | None, now: datetime) -> Finding:
    remedy = "Start `registry worker`, or `registry serve`."
    if heartbeat_at is None:
        return Finding("Worker", Grade.WRONG, "none has ever run, so nothing is sent or takes effect.", remedy)
    age = now - heartbeat_at
    # A beat from the future was made by a clock that was wrong.
    if abs(age) > STALLED_AFTER:
        remedy += " Where it runs, one of its sweeps hangs, and its log says which."
        return Finding("Worker", Grade.WRONG, f"last seen {say_at(heartbeat_at, 'UTC')}.", remedy)
    return Finding("Worker", Grade.OK, f"seen {count_of(max(0, int(age.total_seconds())), 'second')} ago.")


def _notices(session: Session, now: datetime) -> Iterator[Finding]:
    overdue = (Notice.state == NoticeState.ANNOUNCED.value) & (Notice.effective_at < now - GRACE)
    unannounced = (Notice.state == NoticeState.PUBLISHED.value) & (Notice.announce_at < now - GRACE)
    rows = session.execute(
        select(Publisher.slug, Notice.number, Notice.state)
        .join(Publisher, Publisher.id == Notice.publisher_id)
        .where(overdue | unannounced)
        .order_by(Publisher.slug, Notice.number)
    ).all()
    for slug, number, state in rows:
        if state == NoticeState.PUBLISHED.value:
            says = f"{number} of {slug} should have been announced."
        else:
            says = f"{number} of {slug} should be in effect or held by now."
        remedy = f"See `registry notice status {number} --publisher {slug}`, and whether a worker runs."
        yield Finding("Notice", Grade.WRONG, says, remedy)
    if not rows:
        yield Finding("Notices", Grade.OK, "none is overdue.")


def _deliveries(session: Session, now: datetime) -> Iterator[Finding]:
    stuck = session.execute(
        select(Publisher.slug, Notice.number, func.count())
        .select_from(Delivery)
        .join(Publisher, Publisher.id == Delivery.publisher_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Notice, Notice.id == Statement.notice_id)
        .where(Delivery.state == DeliveryState.NEEDS_ATTENTION.value)
        .group_by(Publisher.slug, Notice.number)
        .order_by(Publisher.slug, Notice.number)
    ).all()
    for slug, number, count in stuck:
        what = f"notice {number} of {slug}" if number else f"subscriptions of {slug}"
        see = f"`registry notice status {number} --publisher {slug}` says why. " if number else ""
        yield Finding(
            "Letters",
            Grade.WRONG,
            f"{count_of(count, 'letter')} about {what} could not be brought to a contact.",
            f"{see}Add another contact, or serve it by other means.",
        )
    sendable = [state.value for state in SENDABLE_STATES]
    late = session.scalar(
        select(func.count()).select_from(Delivery).where(Delivery.state.in_(sendable), Delivery.due_at < now - GRACE)
    )
    if late:
        yield Finding(
            "Letters",
            Grade.WRONG,
            f"{count_of(late, 'letter')} should have been tried by now.",
            "Look whether a worker runs and sending is not paused.",
        )
    if not stuck and not late:
        yield Finding("Letters", Grade.OK, "none is late, and none needs a person.")


def _customers(session: Session, now: datetime) -> Iterator[Finding]:
    for publisher in session.scalars(select(Publisher).order_by(Publisher.slug)):
        terms: Terms = read_facts(session, publisher).notice
        try:
            running = {row.id: row for row, _ in list_running_customers(session, publisher, terms, now)}
        except TermsUnreadable as error:
            whose = f"{error.params['customer']} at {publisher.slug}"
            says = f"the terms of {whose} cannot be read, and nothing is announced."
            yield Finding("Customers", Grade.WRONG, says, "Set them anew: under Customers, or by `registry apply`.")
            continue
        reached = set(
            session.scalars(
                select(Subscription.customer_id)
                .join(Address, Address.id == Subscription.address_id)
                .where(
                    Subscription.publisher_id == publisher.id,
                    Subscription.confirmed_at.is_not(None),
                    Subscription.ended_at.is_(None),
                    Address.value.is_not(None),
                    ~exists().where(suppresses()),
                )
            )
        )
        unreached: list[Customer] = [row for row in running.values() if row.id not in reached]
        if unreached:
            named = ", ".join(row.key for row in unreached)
            yield Finding(
                "Customers",
                Grade.WRONG,
                f"of {publisher.slug}, nobody can be told: {named}. Each would hold every notice.",
                f"`registry customer contact-add {unreached[0].key} EMAIL --publisher {publisher.slug}`. Contacts that "
                f"are written to no more: `registry suppression list --publisher {publisher.slug}`.",
            )


def _tasks(session: Session) -> Iterator[Finding]:
    counts = count_open_tasks(session)
    if not counts:
        yield Finding("Tasks", Grade.OK, "none is open.")
        return
    told = ", ".join(f"{count} {words_of(kind)}" for kind, count in sorted(counts.items()))
    yield Finding("Tasks", Grade.NOTE, f"open: {told}.", "`registry task list` says what to do, and how long there is.")
