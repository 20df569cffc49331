"""The letter that tells somebody they may work for a publisher, and how to begin. It leaves once that is on record."""

from __future__ import annotations

from typing import Final

from flask import current_app

from registry.domain.people import INVITATION_GOOD_FOR, TeamRole
from registry.steps.people import Invitation
from registry.tables import Person
from registry.tables.engine import reading
from registry.web.current import wiring
from registry.web.sign_in_links import make_password_link
from registry.web.sign_in_mail import LetterNotSent, send_letter

_TEMPLATES: Final = "team/mail/invitation"
_MAY: Final = {
    TeamRole.VIEWER: "You may see everything, and change nothing.",
    TeamRole.EDITOR: (
        "You may see everything, edit the list, draft and submit notices, and keep customers and objections."
    ),
    TeamRole.APPROVER: (
        "You may do what an editor does, and approve what others wrote, publish, postpone and withdraw."
    ),
    TeamRole.OWNER: "You may do everything: what an approver does, and decide on settings, people and terms.",
}


def make_invitation_link(invitation: Invitation, slug: str) -> str:
    """Return the address at which whoever is invited begins: where a password is chosen, or the publisher's own desk.

    Whoever opens the former needs nothing else, so it is for them alone. Needs an app context, and no request.
    """
    if not invitation.needs_password:
        return f"{wiring().letterhead.base_url}/team/{slug}/"
    with reading(wiring().engine) as session:
        return make_password_link(session.get_one(Person, invitation.person_id))


def send_invitation(invitation: Invitation, slug: str, publisher_name: str, invited_by: str) -> bool:
    """Write to whoever is invited; return whether the mail server took the letter.

    `invited_by` names who invites, as people read it. Where the letter cannot be sent the invitation stands.
    """
    subject = f"{publisher_name}: you can work on its list of subprocessors"
    values = {
        "subject": subject,
        "invitation": invitation,
        "publisher": publisher_name,
        "invited_by": invited_by,
        "powers": _MAY[invitation.role],
        "link": make_invitation_link(invitation, slug),
        "days": INVITATION_GOOD_FOR.days,
    }
    text, html = (current_app.jinja_env.get_template(f"{_TEMPLATES}.{form}").render(values) for form in ("txt", "html"))
    try:
        send_letter(subject, invitation.email, text, html)
    except LetterNotSent:
        return False
    return True
