"""Which lists and pages a host has for everybody, in a fixed number of SQL statements however many there are (R14)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.notice_life import PUBLIC_STATES, NoticeState
from registry.domain.publishers import PublisherFacts
from registry.pages.discovery import PublicPage, PublishedSite
from registry.pages.values import Addresses
from registry.steps.letterhead import Letterhead
from registry.tables import Entry, ListPeriod, Notice, NoticeChange, Publisher, Statement

OPEN_STATES = (NoticeState.ANNOUNCED.value, NoticeState.HELD.value)


def list_sites(session: Session, letterhead: Letterhead, only: Publisher | None = None) -> list[PublishedSite]:
    """Return every publisher with a published list by slug, or the one given, with its public addresses (R35)."""
    on_list = (
        select(func.count(ListPeriod.id))
        .where(ListPeriod.publisher_id == Publisher.id, ListPeriod.to_at.is_(None))
        .correlate(Publisher)
        .scalar_subquery()
    )
    query = select(Publisher, on_list).where(Publisher.revision > 0).order_by(Publisher.slug)
    if only is not None:
        query = query.where(Publisher.id == only.id)
    sites = []
    for row, entries in session.execute(query):
        # Without its terms, which nothing here needs.
        facts = PublisherFacts.model_validate(row.facts)
        addresses = Addresses(letterhead.address_of(facts))
        sites.append(
            PublishedSite(
                slug=facts.slug,
                name=facts.name,
                legal_name=facts.legal_name,
                country=facts.country,
                language=facts.language,
                addresses=addresses,
                changed_at=row.changed_at,
                entries=entries,
            )
        )
    return sites


def list_pages(session: Session, sites: Iterable[PublishedSite]) -> list[PublicPage]:
    """Return every public page of these publishers that search engines may show, each publisher's together.

    They are the list, the form to subscribe, the notices and the entries: those on the list, those that were on it,
    and those announced for it. What is drafted or withdrawn before it ever was on the list has no page.
    """
    by_slug = {site.slug: site for site in sites}
    entries = _entries_of(session, by_slug)
    notices = _notices_of(session, by_slug)
    pages = []
    for slug, site in by_slug.items():
        at, changed_at = site.addresses.at, site.changed_at
        pages += [PublicPage(site.addresses.page(), changed_at), PublicPage(at("subscribe"), changed_at)]
        pages += [
            PublicPage(at("notices/"), max([changed for _, changed in notices.get(slug, [])], default=changed_at))
        ]
        pages += [PublicPage(at(f"notices/{number}"), changed) for number, changed in notices.get(slug, [])]
        pages += [PublicPage(at(f"entries/{key}"), changed) for key, changed in sorted(entries.get(slug, {}).items())]
    return pages


def _entries_of(session: Session, slugs: Iterable[str]) -> dict[str, dict[str, datetime]]:
    """Return each publisher's entries that have a page, with the instant of their last change, told or made."""
    listed = session.execute(
        select(Publisher.slug, Entry.key, func.max(ListPeriod.from_at), func.max(ListPeriod.to_at))
        .join(Entry, Entry.publisher_id == Publisher.id)
        .join(ListPeriod, ListPeriod.entry_id == Entry.id)
        .where(Publisher.slug.in_(list(slugs)))
        .group_by(Publisher.slug, Entry.key)
    )
    found: dict[str, dict[str, datetime]] = {}
    for slug, key, begun, ended in listed:
        found.setdefault(slug, {})[key] = max(filter(None, (begun, ended)))
    announced = session.execute(
        select(Publisher.slug, Entry.key, func.max(Notice.announced_at))
        .join(Entry, Entry.publisher_id == Publisher.id)
        .join(NoticeChange, NoticeChange.entry_id == Entry.id)
        .join(Notice, Notice.id == NoticeChange.notice_id)
        .where(Publisher.slug.in_(list(slugs)), Notice.state.in_(OPEN_STATES), Notice.announced_at.is_not(None))
        .group_by(Publisher.slug, Entry.key)
    )
    for slug, key, at in announced:
        if at is not None:
            known = found.setdefault(slug, {})
            known[key] = max(at, known.get(key, at))
    return found


def _notices_of(session: Session, slugs: Iterable[str]) -> dict[str, list[tuple[str, datetime]]]:
    """Return each publisher's announced notices by number, with the instant of what was last told or done of them."""
    public = [*(state.value for state in PUBLIC_STATES), NoticeState.WITHDRAWN.value]
    rows = session.execute(
        select(
            Publisher.slug,
            Notice.number,
            Notice.announced_at,
            Notice.took_effect_at,
            Notice.withdrawn_at,
            func.max(Statement.made_at),
        )
        .join(Notice, Notice.publisher_id == Publisher.id)
        .outerjoin(Statement, Statement.notice_id == Notice.id)
        .where(Publisher.slug.in_(list(slugs)), Notice.state.in_(public), Notice.announced_at.is_not(None))
        .group_by(
            Publisher.slug, Notice.id, Notice.number, Notice.announced_at, Notice.took_effect_at, Notice.withdrawn_at
        )
        .order_by(Notice.id)
    )
    found: dict[str, list[tuple[str, datetime]]] = {}
    for slug, number, *instants in rows:
        found.setdefault(slug, []).append((number, max(filter(None, instants))))
    return found
