"""Customers: the list of them, and one with its terms, contacts, notices and objections."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from flask import abort, request
from sqlalchemy.orm import Session

from registry.domain.notices import local_date
from registry.domain.people import TeamRole
from registry.domain.publishers import PublisherFacts
from registry.queries.customer_page import CustomerPage, load_customer
from registry.queries.customers import (
    ContractState,
    CustomerFilter,
    contract_state,
    count_customers,
    list_customers,
    shown_address,
)
from registry.steps.contract_runs_again import list_pending_without
from registry.steps.errors import UnknownCustomer
from registry.steps.propose_terms import count_proposal_approvals
from registry.tables import Publisher
from registry.web.team.access import Desk, screen
from registry.web.team.customer_words import describe_terms, describe_versions, say_notice_days, say_whose
from registry.web.team.delivery_words import say_last
from registry.web.team.frame import PAGE_SIZE, cut_page, page_number, show

LONGEST_SEARCH: Final = 200
AUTHORISATIONS: Final = ("general", "specific")


@screen("/customers/", TeamRole.VIEWER)
def customers(desk: Desk) -> Any:
    """Show the publisher's customers, a page of them."""
    wanted = _read_filter(desk)
    number = page_number()
    with desk.reading() as (session, publisher):
        facts = desk.facts(session, publisher)
        rows = list_customers(
            session, desk.now, publisher, facts, wanted, offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE
        )
        total = count_customers(session, publisher) if rows or wanted.is_set else 0
    return show(
        "team/customers/list.html",
        page=cut_page(rows, number),
        total=total,
        wanted=wanted,
        values=request.args.to_dict(),
        say_notice_days=say_notice_days,
        say_whose=say_whose,
    )


@screen("/customers/<key>", TeamRole.VIEWER)
def customer(desk: Desk, key: str) -> Any:
    """Show one customer with all that is known of it."""
    return show_customer(desk, key)


def show_customer(desk: Desk, key: str, status: int = 200, **more: Any) -> Any:
    """Show one customer, with what a form on its page was given and why that was refused."""
    with desk.reading() as (session, publisher):
        facts = desk.facts(session, publisher)
        found = get_page(session, publisher, facts, key)
        approvals = 0
        if found.proposal is not None:
            approvals = count_proposal_approvals(session, publisher, found.row, found.proposal.digest)
        today = local_date(desk.now, found.terms.time_zone)
        return show(
            "team/customers/one.html",
            status=status,
            found=found,
            facts=facts,
            described=describe_terms(found.terms, facts.notice) if found.has_readable_terms else (),
            versions=describe_versions(found.versions),
            contract=contract_state(today, found.row.contract_from, found.row.contract_until),
            approvals=approvals,
            pending_without=list_pending_without(session, desk.now, publisher, found.row),
            say_last=say_last,
            shown_address=shown_address,
            waiting=describe_terms(found.proposal.terms, found.terms) if found.proposal else (),
            **more,
        )


def get_page(session: Session, publisher: Publisher, facts: PublisherFacts, key: str) -> CustomerPage:
    """Return one customer with all that is known of it, or answer that there is none."""
    # PostgreSQL takes no text with a NUL, not even to find that nothing has it.
    if "\0" in key:
        abort(404)
    try:
        return load_customer(session, publisher, facts, key)
    except UnknownCustomer:
        abort(404)


def _read_filter(desk: Desk) -> CustomerFilter:
    contract = None
    with suppress(ValueError):
        contract = ContractState(request.args.get("contract", ""))
    authorisation = request.args.get("authorisation", "")
    return CustomerFilter(
        text=request.args.get("q", "").strip()[:LONGEST_SEARCH].replace("\0", ""),
        in_addresses=desk.may(TeamRole.EDITOR),
        contract=contract,
        authorisation=authorisation if authorisation in AUTHORISATIONS else None,
        product=request.args.get("product", "").strip()[:80].replace("\0", "") or None,
        without_contact=request.args.get("contacts") == "none",
        differing=request.args.get("terms") == "own",
    )
