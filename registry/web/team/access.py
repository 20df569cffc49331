"""Who may do what in the workbench. Every view states its rule here, or it cannot be reached; a test walks them all.

    /team/<slug>/… ─▶ signed in? ─▶ session not ended? ─▶ at this publisher, with this role? ─▶ proved lately? ─▶ view

Nobody learns whether a publisher exists at which they hold nothing: it is answered like one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from flask import Blueprint, abort, flash, g, redirect, request
from flask_security import current_user
from flask_security.decorators import default_reauthn_handler
from flask_security.utils import check_and_update_authn_fresh
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Forbidden, NotFound
from werkzeug.wrappers import Response

from registry.domain.people import TeamRole
from registry.domain.publishers import PublisherFacts
from registry.steps.lookup import lock_publisher, read_facts
from registry.steps.record import Actor
from registry.tables import Installation, Membership, Publisher, SignIn
from registry.tables.engine import reading, writing
from registry.web.current import now, wiring
from registry.web.publishers import is_searchable
from registry.web.sessions import end_this_session, has_one_proof, is_of_this_request, note_seen
from registry.web.sign_in import ACCOUNT, FRESH_FOR, csrf

team = Blueprint("team", __name__, url_prefix="/team")

LARGEST_NUMBER: Final = 2**63 - 1
"""No row has a greater number."""
LONGEST_FORM: Final = 256 * 1024
"""Bytes. The longest form without a file is that of an entry with all its places."""
SIGN_IN: Final = f"{ACCOUNT}/login"


@dataclass(frozen=True)
class Rule:
    """What a view asks of whoever calls it: a role at the publisher in its address, and for some a proof of late.

    `role` None: to be signed in is enough, since the view is about no publisher. `longest_body` is in bytes.
    """

    role: TeamRole | None
    is_fresh: bool = False
    longest_body: int = LONGEST_FORM


RULES: Final[dict[str, Rule]] = {}
"""The rule of every view of the workbench, by its endpoint."""


@dataclass(frozen=True)
class Place:
    """A publisher at which somebody holds something. `row` is the publisher as it was when the request began."""

    row: Publisher
    role: TeamRole

    @property
    def slug(self) -> str:
        """The publisher's slug."""
        return self.row.slug

    @property
    def name(self) -> str:
        """The publisher's name."""
        name: str = self.row.facts["name"]
        return name


@dataclass(frozen=True)
class Desk:
    """Who is at work, and at which publisher: what every view of the workbench begins from.

    `places` are all publishers at which this person holds something. Without a publisher (the choice of one, one's own
    account) `place` is None. `is_demo` says that this installation is a demonstration, whose outbox counts as receipt.
    """

    person_id: int
    email: str
    name: str | None
    sign_in_id: int
    places: tuple[Place, ...]
    is_demo: bool
    place: Place | None = None

    @property
    def slug(self) -> str:
        """The publisher's slug."""
        return self.here.slug

    @property
    def here(self) -> Place:
        """The publisher at work on. Raises `NotFound` in a view without one."""
        if self.place is None:
            raise NotFound
        return self.place

    @property
    def actor(self) -> Actor:
        """Who acts, for the record and for four eyes."""
        return Actor(self.email, "web", sign_in=self.sign_in_id)

    @property
    def now(self) -> datetime:
        """The UTC instant of this request."""
        return now()

    def may(self, role: TeamRole | str) -> bool:
        """Return whether this person may do here what a role may: what they may not is not offered to them."""
        return self.place is not None and self.place.role.includes(TeamRole(role))

    @contextmanager
    def reading(self) -> Iterator[tuple[Session, Publisher]]:
        """Open a session that reads, with the publisher."""
        with reading(wiring().engine) as session:
            yield session, session.merge(self.here.row, load=False)

    @contextmanager
    def writing(self) -> Iterator[tuple[Session, Publisher]]:
        """Open a session that writes, with the publisher locked; commit at the end, roll back on any error."""
        with writing(wiring().engine) as session:
            publisher = session.merge(self.here.row, load=False)
            lock_publisher(session, publisher)
            yield session, publisher

    def facts(self, session: Session, publisher: Publisher) -> PublisherFacts:
        """Return the publisher's facts with its newest terms, read once per request."""
        if "team_facts" not in g:
            g.team_facts = read_facts(session, publisher)
        found: PublisherFacts = g.team_facts
        return found


View = Callable[..., Any]


def screen(
    path: str,
    role: TeamRole,
    *,
    post: bool = False,
    get: bool = True,
    is_fresh: bool = False,
    longest_body: int = LONGEST_FORM,
) -> Callable[[View], View]:
    """Make a view a screen of the workbench below `/team/<slug>`, for whoever holds `role` or more there.

    The view is called with the `Desk` and the address's other values. It takes GET, and with `post` POST; `get=False`
    makes it POST alone. `is_fresh` asks whoever signed in longer than a quarter of an hour ago to prove it once more;
    put it on the page before an act too, so that nothing typed is lost. `longest_body` (bytes) is for what takes files.
    """
    return _add(f"/<slug>{path}", Rule(role, is_fresh, longest_body), get=get, post=post)


def own_screen(path: str, *, post: bool = False, get: bool = True, is_fresh: bool = False) -> Callable[[View], View]:
    """Make a view one about the person alone, below `/team`, for whoever is signed in."""
    return _add(path, Rule(None, is_fresh), get=get, post=post)


def _add(path: str, rule: Rule, *, get: bool, post: bool) -> Callable[[View], View]:
    methods = [*(["GET"] if get else []), *(["POST"] if post or not get else [])]

    def decorate(view: View) -> View:
        name = view.__name__

        def call(**values: Any) -> Any:
            return view(g.desk, **values)

        team.add_url_rule(path, name, call, methods=methods)
        RULES[f"team.{name}"] = rule
        return view

    return decorate


@team.url_value_preprocessor
def _take_slug(endpoint: str | None, values: dict[str, Any] | None) -> None:
    g.team_slug = (values or {}).pop("slug", None)


@team.before_request
def _let_in() -> Response | None:
    rule = RULES.get(request.endpoint or "")
    if rule is None:
        abort(403)
    if not current_user.is_authenticated:
        return _to_sign_in()
    _refuse_impossible()
    with reading(wiring().engine) as session:
        sign_in, places, is_demo = _find_places(session)
    if sign_in is None:
        return _to_sign_in()
    if any(place.row.requires_second_factor for place in places) and has_one_proof(current_user):
        end_this_session()
        flash("Two proofs of who you are have been asked for since you signed in here. Sign in anew, with both.")
        return _to_sign_in()
    g.desk = desk = _desk(sign_in, places, rule, is_demo=is_demo)
    if desk.place is not None and desk.place.row.requires_second_factor and not current_user.has_second_factor:
        flash(f"{desk.place.name} asks everybody who works here for a second proof of who they are. Set one up.")
        return redirect(f"{ACCOUNT}/tf-setup")
    if request.method not in {"GET", "HEAD"}:
        request.max_content_length = rule.longest_body
        csrf.protect()
    if rule.is_fresh and not check_and_update_authn_fresh(FRESH_FOR, FRESH_FOR):
        answer: Response = default_reauthn_handler(FRESH_FOR, FRESH_FOR)  # type: ignore[no-untyped-call]  # it has no types
        return answer
    note_seen(sign_in)
    return None


def _refuse_impossible() -> None:
    """Answer as not found what no row can be called: neither database takes such a number, and one no such text."""
    for value in (request.view_args or {}).values():
        if isinstance(value, int) and value > LARGEST_NUMBER:
            raise NotFound
        if isinstance(value, str) and not is_searchable(value):
            raise NotFound


def _find_places(session: Session) -> tuple[SignIn | None, tuple[Place, ...], bool]:
    """Find the open session of this request, where its person works, and if this is a demonstration, in one query."""
    rows = session.execute(
        select(SignIn, Publisher, Membership.role, select(Installation.is_demo).scalar_subquery())
        .outerjoin(Membership, Membership.person_id == SignIn.person_id)
        .outerjoin(Publisher, Publisher.id == Membership.publisher_id)
        .where(is_of_this_request(current_user.id))
        .order_by(Publisher.slug)
    ).all()
    if not rows:
        return None, (), False
    places = tuple(Place(row, TeamRole(role)) for _, row, role, _ in rows if row is not None)
    return rows[0][0], places, bool(rows[0][3])


def _desk(sign_in: SignIn, places: tuple[Place, ...], rule: Rule, *, is_demo: bool) -> Desk:
    desk = Desk(current_user.id, current_user.email, current_user.name, sign_in.id, places, is_demo)
    if rule.role is None:
        return desk
    place = next((place for place in places if place.slug == g.team_slug), None)
    if place is None:
        raise NotFound
    if not place.role.includes(rule.role):
        raise NotEnough(rule.role, place)
    return Desk(desk.person_id, desk.email, desk.name, desk.sign_in_id, places, is_demo, place)


class NotEnough(Forbidden):
    """Somebody's role does not reach for what they asked."""

    def __init__(self, needed: TeamRole, place: Place) -> None:
        super().__init__()
        self.needed, self.place = needed, place


def _to_sign_in() -> Response:
    # Back to where they were, unless that was an act: it must be meant anew.
    back = request.full_path.rstrip("?") if request.method == "GET" else ""
    return redirect(f"{SIGN_IN}?next={quote(back, safe='/')}" if back else SIGN_IN)
