"""`registry user`: who may sign in to the workbench, and as what. The way in for the first owner on a fresh machine."""

from __future__ import annotations

from typing import Any, Final

import click

from registry.cli.invocation import Invocation, Section, as_option, pass_invocation, publisher_option
from registry.cli.printing import count_of, plain, print_json, print_lines, stamp, table
from registry.cli.workbench import workbench_at_hand
from registry.domain.people import INVITATION_GOOD_FOR, ROLE_POWERS, TeamRole
from registry.queries.people import Account, list_accounts
from registry.settings import OUTBOX, Settings
from registry.steps import people, people_access
from registry.steps.account import take_second_factors
from registry.steps.lookup import get_publisher
from registry.steps.people import Invitation
from registry.tables import Person
from registry.tables.engine import reading, writing

UTC_NAME: Final = "UTC"
ROLE = click.Choice([role.value for role in TeamRole])
DAYS: Final = INVITATION_GOOD_FOR.days


@click.group(cls=Section, short_help="Who may sign in to the workbench.")
def user() -> None:
    """Add, list and remove the people who work in the workbench, and what each may do there."""


@user.command(
    examples=[
        "registry user add ola@antopsis.example --publisher antopsis --role owner",
        'registry user add edda@antopsis.example --publisher antopsis --role editor --name "Edda Editor"',
    ]
)
@click.argument("email")
@publisher_option
@click.option("--role", type=ROLE, required=True, help="What they may do; each role may do all those before it may.")
@click.option("--name", metavar="NAME", help="What colleagues call them.")
@click.option("--no-letter", is_flag=True, help="Only print the link, and write no letter.")
@as_option
@pass_invocation
def add(
    run: Invocation,
    email: str,
    publisher_slug: str,
    role: str,
    name: str | None,
    no_letter: bool,
    acting_as: str | None,
) -> None:
    """Let EMAIL work for a publisher, and print the link at which they choose a password.

    Where mail is really sent, they get the link by letter too. Added again, somebody who never signed in gets a new
    link. Whoever signs in here already keeps their password, and needs no link.
    """
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        invitation = people.invite_person(session, run.now, publisher, email, TeamRole(role), actor, name=name)
        publisher_name = publisher.facts["name"]
    writes = run.wiring.mail_url != OUTBOX and not no_letter
    link, was_sent = _begin(run.settings, invitation, publisher_slug, publisher_name, actor.name, writes=writes)
    if run.as_json:
        document = {
            "email": invitation.email,
            "publisher": publisher_slug,
            "role": invitation.role,
            "link": link,
            "needs_password": invitation.needs_password,
            "letter": _say_letter(was_sent),
        }
        print_json(document)
        return
    click.echo(f"{invitation.email} is {role} of {publisher_slug}: {ROLE_POWERS[TeamRole(role)]}.")
    if invitation.needs_password:
        click.echo(f"To choose a password, within {DAYS} days:\n  {link}")
        click.echo("Whoever opens the link is let in as this person. Give it to nobody else.")
    else:
        click.echo(f"They sign in as they always do:\n  {link}")
    if was_sent:
        click.echo("It was sent to them by e-mail as well.")
    elif was_sent is False:
        click.echo("The mail server did not take the letter to them. Hand over the link, or run this again later.")


def _begin(
    settings: Settings, invitation: Invitation, slug: str, name: str, invited_by: str, *, writes: bool
) -> tuple[str, bool | None]:
    """Return where somebody begins, and whether a letter was sent, None where none was to be."""
    with workbench_at_hand(settings):
        from registry.web.team.invitations import make_invitation_link, send_invitation

        sent = send_invitation(invitation, slug, name, invited_by) if writes else None
        return make_invitation_link(invitation, slug), sent


@user.command("list", examples=["registry user list", "registry user list --publisher antopsis"])
@click.option("--publisher", "publisher_slug", metavar="P", help="Only who works for this publisher, by its slug.")
@pass_invocation
def list_all(run: Invocation, publisher_slug: str | None) -> None:
    """List who may sign in, for which publisher they work and as what, and whether they ever did."""
    with reading(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug) if publisher_slug is not None else None
        found = list_accounts(session, publisher)
    if run.as_json:
        print_json([_document(account) for account in found])
    elif not found:
        whom = f"Nobody works for {publisher_slug}" if publisher_slug else "Nobody may sign in"
        named = publisher_slug or "P"
        click.echo(f"{whom} yet. `registry user add EMAIL --publisher {named} --role owner` lets the first one in.")
    else:
        rows = [
            (
                account.email,
                account.name or "–",
                ", ".join(f"{slug}: {role.value}" for slug, role in account.holds) or "none",
                "yes" if account.has_second_factor else "no",
                _say_standing(account),
            )
            for account in found
        ]
        print_lines(table(("Address", "Name", "Works for", "Second proof", "Signs in"), rows))


def _document(account: Account) -> dict[str, Any]:
    holds = [{"publisher": slug, "role": role.value} for slug, role in account.holds]
    return {
        "email": account.email,
        "name": account.name,
        "holds": holds,
        "has_second_factor": account.has_second_factor,
        "is_active": account.is_active,
        "invited_at": plain(account.invited_at),
        "joined_at": plain(account.joined_at),
    }


def _say_standing(account: Account) -> str:
    if not account.is_active:
        return "shut out"
    if account.joined_at is not None:
        return f"since {stamp(account.joined_at, UTC_NAME)}"
    return f"not yet, invited {stamp(account.invited_at, UTC_NAME)}"


@user.command(examples=["registry user role edda@antopsis.example --publisher antopsis --role approver"])
@click.argument("email")
@publisher_option
@click.option("--role", type=ROLE, required=True, help="What they may do from now on.")
@as_option
@pass_invocation
def role(run: Invocation, email: str, publisher_slug: str, role: str, acting_as: str | None) -> None:
    """Let EMAIL hold another role at a publisher."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        person, held = people.get_member_by_address(session, publisher, email)
        before, address = held.role, person.email
        is_other = people.change_role(session, run.now, publisher, person.id, TeamRole(role), actor)
    if run.as_json:
        print_json({"email": address, "publisher": publisher_slug, "before": before, "role": role})
    elif is_other:
        click.echo(f"{address} is {role} of {publisher_slug} now, and was {before}.")
    else:
        click.echo(f"Nothing changed: {address} was {role} of {publisher_slug} already.")


@user.command(examples=["registry user remove edda@antopsis.example --publisher antopsis"])
@click.argument("email")
@publisher_option
@as_option
@pass_invocation
def remove(run: Invocation, email: str, publisher_slug: str, acting_as: str | None) -> None:
    """Have EMAIL work for a publisher no more, from their next click on. What they did stays in the record."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        person, held = people.get_member_by_address(session, publisher, email)
        before, address = held.role, person.email
        people.remove_person(session, run.now, publisher, person.id, actor)
    if run.as_json:
        print_json({"email": address, "publisher": publisher_slug, "before": before})
    else:
        click.echo(
            f"{address} does not work for {publisher_slug} any more, and was {before}. The record names them still."
        )


@user.command("link", examples=["registry user link ola@antopsis.example"])
@click.argument("email")
@as_option
@pass_invocation
def link(run: Invocation, email: str, acting_as: str | None) -> None:
    """Print a link at which EMAIL chooses another password: for when no letter reaches them. It goes on record."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        person = people_access.allow_password_link(session, run.now, email, actor)
        person_id, address = person.id, person.email
    with workbench_at_hand(run.settings), reading(run.wiring.engine) as session:
        from registry.web.sign_in_links import FORGOTTEN_LINK_FOR, make_password_link

        person = session.get_one(Person, person_id)
        days = FORGOTTEN_LINK_FOR.days if person.password is not None else DAYS
        url = make_password_link(person)
    if run.as_json:
        print_json({"email": address, "link": url, "good_for_days": days})
    else:
        click.echo(f"To choose a password for {address}, within {count_of(days, 'day')}:\n  {url}")
        click.echo("Whoever opens the link is let in as this person. Give it to nobody else.")


@user.command("shut-out", examples=["registry user shut-out edda@antopsis.example"])
@click.argument("email")
@as_option
@pass_invocation
def shut_out(run: Invocation, email: str, acting_as: str | None) -> None:
    """Let EMAIL in nowhere any more, at no publisher, and end all their sessions. What they hold stays."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        is_new = people_access.shut_out(session, run.now, email, actor)
    if run.as_json:
        print_json({"email": email, "is_active": False, "is_new": is_new})
    elif is_new:
        click.echo(f"{email} is shut out, and every session has ended. `registry user let-in {email}` takes it back.")
    else:
        click.echo(f"Nothing changed: {email} was shut out already.")


@user.command("let-in", examples=["registry user let-in edda@antopsis.example"])
@click.argument("email")
@as_option
@pass_invocation
def let_in(run: Invocation, email: str, acting_as: str | None) -> None:
    """Let EMAIL sign in again who was shut out."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        is_new = people_access.let_in(session, run.now, email, actor)
    if run.as_json:
        print_json({"email": email, "is_active": True, "is_new": is_new})
    elif is_new:
        click.echo(f"{email} may sign in again, with the password and the second proof they had.")
    else:
        click.echo(f"Nothing changed: {email} was not shut out.")


@user.command("reset-factors", examples=["registry user reset-factors edda@antopsis.example"])
@click.argument("email")
@as_option
@pass_invocation
def reset_factors(run: Invocation, email: str, acting_as: str | None) -> None:
    """Take away every second proof of EMAIL, who lost phone, key and recovery codes. First make sure who asks.

    Codes, recovery codes and passkeys go, and all sessions end; the password stays. It goes on record, and where mail
    is really sent they are told by letter.
    """
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        person = people_access.get_person(session, email)
        address, has_password = person.email, person.password is not None
        is_new = take_second_factors(session, run.now, person.id, actor)
    was_sent = _tell_factors_taken(run, address) if is_new else None
    if run.as_json:
        print_json({"email": address, "is_new": is_new, "has_password": has_password, "letter": _say_letter(was_sent)})
    elif not is_new:
        click.echo(f"Nothing changed: {address} has no second proof.")
    else:
        click.echo(f"{address} has no second proof any more, and every session has ended.")
        if has_password:
            click.echo("They sign in by their password, and set up another under Your account.")
        else:
            click.echo(f"They have no password either: `registry user link {address}` makes a link to choose one.")
        if was_sent is False:
            click.echo("The mail server did not take the letter that tells them so. Tell them in another way.")


def _tell_factors_taken(run: Invocation, email: str) -> bool | None:
    if run.wiring.mail_url == OUTBOX:
        return None
    with workbench_at_hand(run.settings):
        from registry.web.sign_in_events import tell_factors_taken

        return tell_factors_taken(email)


def _say_letter(was_sent: bool | None) -> str:
    return "not_written" if was_sent is None else "sent" if was_sent else "not_sent"
