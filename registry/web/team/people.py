"""People: who works for the publisher and as what; inviting, changing and removing them, for its owners."""

from __future__ import annotations

from typing import Any, Final

from flask import abort, flash, redirect, request

from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.people import INVITATION_GOOD_FOR, TeamRole, UnknownPerson
from registry.pages.wording import count_of
from registry.queries.people import count_second_factors, get_colleague, list_colleagues
from registry.steps import people as steps
from registry.web.sign_in_limits import LETTERS_PER_ADDRESS, may_write_to
from registry.web.team.access import Desk, screen
from registry.web.team.frame import PAGE_SIZE, cut_page, errors_of, go, page_number, show, status_of
from registry.web.team.invitations import send_invitation

_NOT_SENT = (
    "{email} is invited as {role}, and nothing is lost. But the mail server did not take the letter: "
    "send the invitation again in a few minutes."
)
_WRITTEN_TO: Final = (
    "{email} is invited as {role}, and nothing is lost. But {letters} letters to this address were asked for today, "
    "which is the most. The link in each is good for {days} days."
)


@screen("/people/", TeamRole.VIEWER)
def people(desk: Desk) -> Any:
    """Show who works for the publisher; to its owners also how each signs in, and what they can do about it."""
    number = page_number()
    with desk.reading() as (session, publisher):
        rows = list_colleagues(session, publisher, PAGE_SIZE + 1, (number - 1) * PAGE_SIZE)
        factors = count_second_factors(session, publisher) if desk.may(TeamRole.OWNER) else None
        zone, is_required = publisher.facts["time_zone"], publisher.requires_second_factor
    return show(
        "team/people/list.html",
        page=cut_page(rows, number),
        factors=factors,
        is_required=is_required,
        zone=zone,
        now=desk.now,
    )


@screen("/people/invite", TeamRole.OWNER, post=True, is_fresh=True)
def invite(desk: Desk) -> Any:
    """Invite somebody by e-mail."""
    if request.method == "GET":
        return _show_invitation({"role": request.args.get("role", TeamRole.EDITOR.value)})
    try:
        role = _read_role()
        with desk.writing() as (session, publisher):
            given = request.form
            invitation = steps.invite_person(
                session, desk.now, publisher, given.get("email", ""), role, desk.actor, name=given.get("name")
            )
    except RegistryError as error:
        # Whoever has joined is no matter of state here: another address was meant.
        errors = errors_of(error)
        return _show_invitation(
            request.form, {"email" if field == "form" else field: errors[field] for field in errors}
        )
    return _send(desk, invitation)


def _show_invitation(values: Any, errors: dict[str, str] | None = None) -> Any:
    return show(
        "team/people/invite.html",
        status=400 if errors else 200,
        errors=errors or {},
        values=values,
        days=INVITATION_GOOD_FOR.days,
    )


def _send(desk: Desk, invitation: steps.Invitation) -> Any:
    if not may_write_to(f"invitation: {invitation.email}"):
        said = _WRITTEN_TO.format(
            email=invitation.email,
            role=invitation.role.value,
            letters=LETTERS_PER_ADDRESS.split()[0],
            days=INVITATION_GOOD_FOR.days,
        )
        flash(said, "error")
        return go("colleague", number=invitation.person_id)
    invited_by = f"{desk.name} ({desk.email})" if desk.name else desk.email
    if not send_invitation(invitation, desk.slug, desk.here.name, invited_by):
        flash(_NOT_SENT.format(email=invitation.email, role=invitation.role.value), "error")
        return go("colleague", number=invitation.person_id)
    if invitation.needs_password:
        more = f"The link in it is good for {INVITATION_GOOD_FOR.days} days."
    else:
        more = "They sign in as they always do."
    said = f"A letter is on its way to {invitation.email}, {invitation.role.value} of {desk.here.name}. {more}"
    return go("people", said=said)


@screen("/people/<int:number>", TeamRole.OWNER, is_fresh=True)
def colleague(desk: Desk, number: int) -> Any:
    """Show one person, with what an owner can change about them."""
    return _show_colleague(desk, number)


def _show_colleague(desk: Desk, number: int, error: RegistryError | None = None) -> Any:
    try:
        with desk.reading() as (session, publisher):
            found = get_colleague(session, publisher, number)
            zone = publisher.facts["time_zone"]
    except UnknownPerson:
        abort(404)
    values: dict[str, Any] = {"role": found.role.value, "name": found.name}
    if error is not None:
        values |= request.form.to_dict()
    return show(
        "team/people/person.html",
        status=status_of(error) if error is not None else 200,
        errors=errors_of(error) if error is not None else {},
        values=values,
        colleague=found,
        zone=zone,
        now=desk.now,
    )


@screen("/people/<int:number>/role", TeamRole.OWNER, get=False, is_fresh=True)
def change_role(desk: Desk, number: int) -> Any:
    """Let a person hold another role."""
    try:
        role = _read_role()
        with desk.writing() as (session, publisher):
            is_other = steps.change_role(session, desk.now, publisher, number, role, desk.actor)
            person, _ = steps.get_member(session, publisher, number)
            email = person.email
    except UnknownPerson:
        abort(404)
    except RegistryError as error:
        return _show_colleague(desk, number, error)
    said = f"{email} is {role.value} now." if is_other else f"Nothing changed: {email} was {role.value} already."
    return go("people", said=said)


@screen("/people/<int:number>/name", TeamRole.OWNER, get=False, is_fresh=True)
def rename_colleague(desk: Desk, number: int) -> Any:
    """Correct the name of somebody who has not signed in yet."""
    try:
        with desk.writing() as (session, publisher):
            steps.rename_invited(session, desk.now, publisher, number, request.form.get("name"), desk.actor)
    except UnknownPerson:
        abort(404)
    except RegistryError as error:
        return _show_colleague(desk, number, error)
    return go("colleague", number=number, said="The name is corrected.")


@screen("/people/<int:number>/invitation", TeamRole.OWNER, get=False, is_fresh=True)
def send_again(desk: Desk, number: int) -> Any:
    """Send an open invitation once more, with a new link."""
    try:
        with desk.writing() as (session, publisher):
            invitation, _ = steps.invite_again(session, desk.now, publisher, number, desk.actor)
    except UnknownPerson:
        abort(404)
    except RegistryError as error:
        return _show_colleague(desk, number, error)
    return _send(desk, invitation)


@screen("/people/<int:number>/remove", TeamRole.OWNER, post=True, is_fresh=True)
def remove_colleague(desk: Desk, number: int) -> Any:
    """Say what removing a person means, and do it."""
    error: RegistryError | None = None
    try:
        if request.method == "POST":
            with desk.writing() as (session, publisher):
                person = steps.remove_person(session, desk.now, publisher, number, desk.actor)
                email = person.email
            flash(f"{email} does not work for {desk.here.name} any more. The record keeps what they did.", "done")
            # Whoever removed themselves has no business here any more.
            return redirect("/team/", 303) if number == desk.person_id else go("people")
    except UnknownPerson:
        abort(404)
    except RegistryError as refusal:
        error = refusal
    try:
        with desk.reading() as (session, publisher):
            found = get_colleague(session, publisher, number)
    except UnknownPerson:
        abort(404)
    return show(
        "team/people/remove.html",
        status=status_of(error) if error is not None else 200,
        errors=errors_of(error) if error is not None else {},
        colleague=found,
    )


@screen("/people/second-factor", TeamRole.OWNER, post=True, is_fresh=True)
def second_factor(desk: Desk) -> Any:
    """Say who would have to set up a second proof of who they are, and ask for it or no more."""
    if request.method == "GET":
        with desk.reading() as (session, publisher):
            factors = count_second_factors(session, publisher)
            is_required = publisher.requires_second_factor
        return show("team/people/second_factor.html", factors=factors, is_required=is_required)
    wanted = request.form.get("required") == "yes"
    with desk.writing() as (session, publisher):
        steps.set_second_factor_required(session, desk.now, publisher, wanted, desk.actor)
        without = count_second_factors(session, publisher).without
    if not wanted:
        return go("people", said=f"{desk.here.name} asks nobody for a second proof any more. Who has one keeps it.")
    ask = f" {count_of(without, 'person has', 'people have')} to set one up first." if without else ""
    return go("people", said=f"{desk.here.name} asks everybody for a second proof from now on.{ask}")


def _read_role() -> TeamRole:
    given = request.form.get("role", "")
    try:
        return TeamRole(given)
    except ValueError:
        raise InvalidInput([Problem("role", given, "unknown-role")]) from None
