"""Which publisher a request is about: the one its address names, or whose own host it was sent to (R35).

The Host header chooses among the publishers that have a host of their own, and does nothing else: every link and every
redirect is made from settings (R33).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, g, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from registry.domain.publishers import HOST_NAME, LONGEST_HOST_NAME
from registry.domain.text import find_unclean
from registry.language import find_language, spoken
from registry.pages.values import Addresses, PublicPublisher
from registry.steps.artefacts import addresses_of, own_language
from registry.steps.errors import UnknownPublisher
from registry.steps.lookup import get_publisher
from registry.steps.published import is_demonstration, load_public_publisher
from registry.tables import Publisher
from registry.web.current import wiring
from registry.web.headers import is_for_machines
from registry.web.languages import PARAMETER, read_language, refuse_unknown_language, speak

LONGEST_NAME = 80
"""No key or number in an address is longer; a longer one is not looked for."""


@dataclass(frozen=True)
class Chosen:
    """The publisher a request is about, and what every page of it shows."""

    row: Publisher
    public: PublicPublisher
    addresses: Addresses
    is_demo: bool

    def shown(self) -> dict[str, Any]:
        """Return what every template takes."""
        return {"publisher": self.public, "addresses": self.addresses, "is_demo": self.is_demo}


def keep_slug(blueprint: Blueprint) -> None:
    """Take the publisher's slug out of the arguments of the blueprint's views, which are served with and without."""

    @blueprint.url_value_preprocessor
    def take_slug(endpoint: str | None, values: dict[str, str] | None) -> None:
        g.slug = (values or {}).pop("slug", None)


def choose_publisher(session: Session) -> Chosen:
    """Return the publisher of this request, remember it for an error page, and answer in its language or the reader's.

    Raises `InvalidInput` for a language that there is not, `UnknownPublisher`, and `NotFound` where nobody could be
    meant: another publisher on a publisher's own host, or an address without a slug on any other host.
    """
    slug: str | None = g.slug
    own = find_own_host(session)
    if slug is None:
        if own is None:
            raise NotFound
        chosen = _choose(session, own)
    elif own is not None and own.slug != slug and not is_installation_host():
        raise NotFound
    else:
        chosen = _choose(session, _get_published(session, slug))
    refuse_unknown_language(request.args)
    return chosen


def keep_language(addresses: Addresses) -> Addresses:
    """Return addresses to lead to: they keep the language that this one names, and take none from the browser."""
    return replace(addresses, lang=find_language(request.args.get(PARAMETER)))


def find_own_host(session: Session) -> Publisher | None:
    """Return the publisher whose own host this request was sent to, or None."""
    host = _requested_host()
    if len(host) > LONGEST_HOST_NAME or not re.fullmatch(HOST_NAME, host):
        return None
    return session.scalar(select(Publisher).where(Publisher.host == host, Publisher.revision > 0))


def find_publisher_for_error(session: Session) -> Chosen | None:
    """Return the publisher that a request without a view seems to be about, or None."""
    own = find_own_host(session)
    if own is not None:
        return _choose(session, own)
    slug = request.path.strip("/").partition("/")[0]
    if not slug or not is_searchable(slug):
        return None
    row = session.scalar(select(Publisher).where(Publisher.slug == slug, Publisher.revision > 0))
    return _choose(session, row) if row else None


def is_searchable(name: str) -> bool:
    """Return whether a name from an address can be looked for at all. PostgreSQL refuses NUL in any text."""
    return len(name) <= LONGEST_NAME and find_unclean(name) is None


def _get_published(session: Session, slug: str) -> Publisher:
    if not is_searchable(slug):
        raise UnknownPublisher(slug=f"{slug[:LONGEST_NAME]}…", near=[])
    try:
        publisher = get_publisher(session, slug)
    except UnknownPublisher as error:
        # An installation may hold hundreds: near names help, all names do not.
        raise UnknownPublisher(slug=slug, near=error.params["near"]) from None
    if not publisher.revision:
        raise UnknownPublisher(slug=slug, near=[])
    return publisher


def _choose(session: Session, row: Publisher) -> Chosen:
    public = load_public_publisher(session, row)
    addresses = replace(addresses_of(session, row, wiring().letterhead), lang=_choose_language(own_language(public)))
    chosen = Chosen(row, public, addresses, is_demonstration(session))
    g.chosen = chosen
    return chosen


def _choose_language(own: str) -> str | None:
    """Answer in the language of this request, and return it where links have to keep it (R34: there is no cookie).

    They do where it is not the publisher's own, and where the address names that one and the browser would ask for
    another.
    """
    by_address_only = is_for_machines(request.path)
    speak(own, by_address_only=by_address_only)
    otherwise = own if by_address_only else read_language({}, request.headers.get("Accept-Language"), own)
    return spoken() if {spoken(), otherwise} != {own} else None


def _requested_host() -> str:
    try:
        return (urlsplit(f"//{request.host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def is_installation_host() -> bool:
    """Return whether this request was sent to the installation's own host, and not to one of a publisher's."""
    return _requested_host() == wiring().letterhead.host
