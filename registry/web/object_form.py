"""Objecting by the link in a customer's letter, without an account (R25, R33; DESIGN §5).

GET shows and changes nothing, for mail scanners follow links. POST acts, and the token in the address is what allows
it, so no session and no cookie is needed. What was typed is never lost: a form that is not taken comes back with it.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, redirect, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from registry.domain.documents import ENDINGS, TAKEN
from registry.domain.errors import InvalidInput
from registry.domain.objections import read_objection_words
from registry.domain.text import LINE_LENGTH, LONG_TEXT_LENGTH
from registry.i18n import say_problem
from registry.letters.wording import say_deadline, say_instant
from registry.queries.objecting import load_objecting
from registry.steps.keyring import load_keyring
from registry.steps.object_by_link import ObjectionLink, add_by_link, object_by_link, open_link, withdraw_by_link
from registry.tables.engine import reading, writing
from registry.web.answers import show_private
from registry.web.current import now, wiring
from registry.web.languages import speak
from registry.web.limits import limiter, link_key, refuse_cross_site
from registry.web.publishers import Chosen, choose_publisher, keep_slug
from registry.web.team.documents import LONGEST_UPLOAD, read_upload
from registry.web.wording import OBJECTION_DONE, OBJECTION_STATES

object_form = Blueprint("object_form", __name__)
keep_slug(object_form)

PER_LINK: Final = "20 per hour"
"""Each act writes to all contacts of the customer. By link and not by client: somebody else's haste, in the same office
or behind the same provider, must not keep an objection from coming in before its deadline."""


@limiter.shared_limit(PER_LINK, scope="objecting", key_func=link_key)
def _count_act() -> None:
    """Count one act by this link; raises `RateLimitExceeded` where there were too many."""


@object_form.get("/object/<token>")
def show_object(token: str) -> Response:
    """Show what the customer may object to, until when, and what it has sent already."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        link = _open(session, chosen, token)
        return _page(session, chosen, link, done=OBJECTION_DONE.get(request.args.get("done", "")))


@object_form.post("/object/<token>")
def act_on_object(token: str) -> BaseResponse:
    """Take an objection, more to one that stands, or its withdrawal, by the button pressed."""
    request.max_content_length = LONGEST_UPLOAD
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        _open(session, chosen, token)
    refuse_cross_site(chosen)
    _count_act()
    upload = read_upload()
    action = request.form.get("action", "")
    try:
        with writing(wiring().engine) as session:
            link = _open(session, choose_publisher(session), token)
            match action:
                case "add":
                    add_by_link(session, now(), wiring().letterhead, link, request.form.get("text", ""), upload)
                case "withdraw":
                    withdraw_by_link(session, now(), wiring().letterhead, link, request.form.get("reason", ""))
                case _:
                    words = read_objection_words(
                        *(request.form.get(name, "") for name in ("ground", "name", "company"))
                    )
                    chosen_keys = request.form.getlist("changes")
                    object_by_link(session, now(), wiring().letterhead, link, words, chosen_keys, upload)
    except InvalidInput as error:
        return _show_again(token, error)
    done = action if action in OBJECTION_DONE else "object"
    return redirect(chosen.addresses.at(f"object/{token}?done={done}"), 303)


def _open(session: Session, chosen: Chosen, token: str) -> ObjectionLink:
    return open_link(session, load_keyring(session, now()), chosen.row, token)


def _show_again(token: str, error: InvalidInput) -> Response:
    errors: dict[str, str] = {}
    for problem in error.problems:
        errors.setdefault(problem.field.partition(".")[0] or "form", say_problem(problem))
    given: dict[str, Any] = request.form.to_dict() | {"changes": request.form.getlist("changes")}
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        return _page(session, chosen, _open(session, chosen, token), errors=errors, values=given)


def _page(
    session: Session,
    chosen: Chosen,
    link: ObjectionLink,
    *,
    done: str | None = None,
    errors: dict[str, str] | None = None,
    values: dict[str, Any] | None = None,
) -> Response:
    speak(link.contact.language, by_address_only=True)
    page = load_objecting(session, now(), link, chosen.public, chosen.addresses)
    if values is None:
        values = {"changes": [change.key for change in page.changes], "company": page.customer}
    return show_private(
        "public/object.html",
        400 if errors else 200,
        **chosen.shown(),
        **page.own_words,
        page=page,
        zone=chosen.public.time_zone,
        done=done if page.received else None,
        errors=errors or {},
        values=values,
        deadline=say_deadline(page.last_on, page.zone) if page.last_on else None,
        said_at=lambda at: say_instant(at, page.zone),
        state_words=OBJECTION_STATES,
        endings=",".join(ENDINGS),
        taken=TAKEN,
        longest_text=LONG_TEXT_LENGTH,
        longest_line=LINE_LENGTH,
    )
