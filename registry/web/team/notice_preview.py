"""Looking at a notice before it is published: its letter, its page and its feed item, as each reader will see them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, g, request
from flask_limiter import RateLimitExceeded
from markupsafe import Markup
from sqlalchemy.orm import Session

from registry.domain.people import TeamRole
from registry.domain.publishers import PublisherFacts
from registry.language import LANGUAGES
from registry.letters.trial_letter import TEST_SUBJECT, mark_as_test
from registry.letters.wording import say_deadline
from registry.pages.feed_items import make_feed
from registry.pages.values import Addresses
from registry.queries.notice_preview import CustomerOffered, offer_customers
from registry.steps.lookup import get_notice
from registry.steps.preview_notice import (
    PreviewedLetter,
    Reader,
    list_told,
    load_reader,
    preview_letter,
    record_test,
)
from registry.steps.preview_public import preview_public
from registry.tables import Notice, Publisher
from registry.web.answers import HTML
from registry.web.current import wiring
from registry.web.limits import limiter
from registry.web.sign_in_mail import LetterNotSent, send_letter
from registry.web.team.access import Desk, screen
from registry.web.team.delivery_sandbox import sandboxed, show_letter
from registry.web.team.frame import go, show, to

SHOWN: Final = (
    ("text", "Letter as text"),
    ("html", "Letter as HTML"),
    ("page", "Public page"),
    ("feed", "Feed item"),
)
TESTS_PER_PERSON: Final = "20 per hour"
LONGEST_NAME: Final = 200
PAGE_POLICY: Final = (
    "sandbox allow-same-origin; default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
"""Of the public page in a frame: it may fetch its stylesheet, which is given to pages of this origin alone, and do
nothing: no script runs in it."""

_LINK = re.compile(r'(<a\b[^<>]*?)\shref="')
_UNDERLINED: Final = "<style>a { text-decoration: underline; }</style>"


@dataclass(frozen=True)
class _Asked:
    """What is to be shown, as the address has it: which of the forms, and as which reader.

    Without a `language` letters are in the reader's own.
    """

    shown: str
    customer: str
    contact: int | None
    statement: int | None
    language: str | None

    def as_arguments(self) -> dict[str, Any]:
        """Return it as the arguments of an address again, without those that are as always."""
        given = {
            "customer": self.customer,
            "contact": self.contact,
            "statement": self.statement,
            "language": self.language,
        }
        return {name: value for name, value in given.items() if value}


@screen("/notices/<number>/preview", TeamRole.VIEWER)
def notice_preview(desk: Desk, number: str) -> Any:
    """Show a notice's letter as one reader gets it, or its page or feed item; before its announcement and after."""
    return _show(desk, number, _read_asked(request.args))


@screen("/notices/<number>/preview/letter.html", TeamRole.VIEWER)
def notice_preview_letter(desk: Desk, number: str) -> Any:
    """Show the HTML of the letter, for the frame of the preview. Its links lead nowhere."""
    asked = _read_asked(request.args)
    with desk.reading() as (session, publisher):
        found = get_notice(session, publisher, number)
        facts = desk.facts(session, publisher)
        reader = _find_reader(session, desk, publisher, found, facts, asked.customer, asked.contact)
        letter = _letter(session, desk, found, facts, reader, asked)
    return show_letter(_without_links(letter.html).replace("</head>", f"{_UNDERLINED}</head>", 1))


@screen("/notices/<number>/preview/page.html", TeamRole.VIEWER)
def notice_preview_page(desk: Desk, number: str) -> Any:
    """Show the public page of the notice, for the frame of the preview. Its links lead nowhere."""
    with desk.reading() as (session, publisher):
        found = get_notice(session, publisher, number)
        facts = desk.facts(session, publisher)
        public, notice = preview_public(session, desk.now, publisher, found, facts)
    parts = wiring()
    page = parts.pages.notice_page(public, notice, Addresses(parts.letterhead.address_of(facts)))
    return sandboxed(_without_links(page.decode()), HTML, PAGE_POLICY)


@screen("/notices/<number>/preview/customers", TeamRole.VIEWER)
def notice_preview_customers(desk: Desk, number: str) -> Any:
    """Offer the customers that fit what is being typed, for the list below the field."""
    with desk.reading() as (session, publisher):
        get_notice(session, publisher, number)
        offered = offer_customers(session, publisher, request.args.get("customer", "")[:LONGEST_NAME])
    return show("team/notice_preview/_customers.html", offered=offered)


@screen("/notices/<number>/preview/test", TeamRole.EDITOR, get=False)
def notice_preview_test(desk: Desk, number: str) -> Any:
    """Send the letter to whoever asks for it, and to nobody else. No delivery comes of it."""
    asked = _read_asked(request.form)
    with desk.reading() as (session, publisher):
        found = get_notice(session, publisher, number)
        facts = desk.facts(session, publisher)
        reader = _find_reader(session, desk, publisher, found, facts, asked.customer, asked.contact)
        letter = _letter(session, desk, found, facts, reader, asked)
    try:
        _count_test()
    except RateLimitExceeded:
        said = "You sent yourself 20 test letters within an hour, which is the most. Read it here, or wait a while."
        return _show(desk, number, asked, status=429, errors={"form": said})
    text, page = mark_as_test(letter.text, letter.html, _say_test(desk, number, reader))
    try:
        send_letter(f"{TEST_SUBJECT} {letter.subject}", desk.email, text, page)
    except LetterNotSent as trouble:
        return _show(desk, number, asked, status=503, errors={"form": trouble.description or ""})
    with desk.writing() as (session, publisher):
        record_test(session, desk.now, publisher, get_notice(session, publisher, number), desk.actor, letter, reader)
    said = f"The test letter is on its way to {desk.email}, and to nobody else."
    return go("notice_preview", said=said, number=number, show=asked.shown, **asked.as_arguments())


def _show(desk: Desk, number: str, asked: _Asked, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    wrong = dict(errors or {})
    letter: PreviewedLetter | None = None
    reader, item, told = Reader(), None, []
    with desk.reading() as (session, publisher):
        found = get_notice(session, publisher, number)
        facts = desk.facts(session, publisher)
        is_letter = asked.shown in {"text", "html"}
        offered = offer_customers(session, publisher, asked.customer) if is_letter else []
        if is_letter:
            if found.announced_at is not None:
                told = list(list_told(session, found))
            chosen = _choose(asked.customer, offered)
            if chosen is not None:
                reader = load_reader(session, desk.now, publisher, found, facts, chosen.key, asked.contact)
            elif asked.customer:
                wrong["customer"] = _say_unclear(asked.customer, offered)
            letter = _letter(session, desk, found, facts, reader, asked)
        elif asked.shown == "feed":
            public, _ = preview_public(session, desk.now, publisher, found, facts)
            address = Addresses(wiring().letterhead.address_of(facts))
            item = [(each, _dead(each.content_html)) for each in make_feed(public, address).items]
    arguments = asked.as_arguments()
    if reader.customer is None:
        arguments.pop("customer", None)
        arguments.pop("contact", None)
    else:
        arguments["customer"] = reader.customer.key
    return show(
        "team/notice_preview/preview.html",
        status=status if not wrong or status != 200 else 400,
        errors=wrong,
        values={
            "customer": reader.customer.name if reader.customer else asked.customer,
            "contact": reader.contact.subscription_id if reader.contact else "",
            "statement": letter.seq if letter else "",
            "language": asked.language or "",
        },
        notice=found,
        zone=facts.time_zone,
        shown=asked.shown,
        tabs=SHOWN,
        reader=reader,
        letter=letter,
        deadline=say_deadline(letter.deadline.last_on, letter.deadline.zone) if letter and letter.deadline else None,
        items=item,
        told=told,
        offered=offered,
        languages=LANGUAGES,
        arguments=arguments,
    )


def _choose(typed: str, offered: list[CustomerOffered]) -> CustomerOffered | None:
    """Return the customer that is meant: by its key or name, or the only one that fits; None where that is unclear."""
    if not typed:
        return None
    exact = [each for each in offered if each.is_exact]
    fitting = exact or offered
    # A key is one customer's; of several that bear a name none is meant more than the others.
    if exact and exact[0].key.lower() == typed.lower():
        return exact[0]
    return fitting[0] if len(fitting) == 1 else None


def _say_unclear(typed: str, offered: list[CustomerOffered]) -> str:
    if not offered:
        return f"No customer is called “{typed}”. Type a few letters of the name or the key."
    return f"Several customers fit “{typed}”. Choose one of those offered below, or type its key."


def _find_reader(
    session: Session,
    desk: Desk,
    publisher: Publisher,
    notice: Notice,
    facts: PublisherFacts,
    key: str,
    contact: int | None,
) -> Reader:
    return load_reader(session, desk.now, publisher, notice, facts, key, contact) if key else Reader()


def _letter(
    session: Session, desk: Desk, notice: Notice, facts: PublisherFacts, reader: Reader, asked: _Asked
) -> PreviewedLetter:
    parts = wiring()
    link = f"{parts.letterhead.base_url}{to('notice_preview', number=notice.number)}"
    return preview_letter(
        session,
        desk.now,
        notice,
        facts,
        reader,
        parts.letterhead,
        parts.keyring,
        link=link,
        seq=asked.statement,
        language=asked.language,
    )


def _read_asked(given: Any) -> _Asked:
    shown = given.get("show", "")
    language = given.get("language", "")
    return _Asked(
        shown=shown if shown in dict(SHOWN) else SHOWN[0][0],
        customer=_clean(given.get("customer", "")),
        contact=_number(given.get("contact", "")),
        statement=_number(given.get("statement", "")),
        language=language if language in LANGUAGES else None,
    )


def _clean(typed: str) -> str:
    # PostgreSQL refuses NUL in any text.
    return "".join(character for character in typed[:LONGEST_NAME] if character.isprintable()).strip()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _say_test(desk: Desk, number: str, reader: Reader) -> str:
    seen_by = reader.customer.name if reader.customer else "somebody who follows the list"
    return (
        f"This is a test of notice {number}, as {seen_by} would get it. {desk.name or desk.email} had it sent to "
        f"{desk.email} alone; nobody else got it. Its links open nothing: they lead back to the preview."
    )


def _without_links(page: str) -> str:
    return _LINK.sub(r'\1 data-href="', page)


def _dead(content: str) -> Markup:
    return Markup(_without_links(content))  # noqa: S704 - the very content of the feed, made of escaped parts


@limiter.shared_limit(TESTS_PER_PERSON, scope="test-letters", key_func=lambda: str(g.desk.person_id))
def _count_test() -> None: ...
