"""What `registry doctor` finds about the evidence of receipt that terms ask for, and whether any comes here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.cli.findings import Finding, Grade
from registry.settings import OUTBOX, RESEND
from registry.steps.errors import TermsUnreadable
from registry.steps.lookup import list_running_customers, read_facts
from registry.tables import Publisher
from registry.wiring import Wiring

DELIVERED = "delivered"


def examine_receipts(session: Session, now: datetime, wiring: Wiring) -> Iterator[Finding]:
    """Yield whose clock starts only at a report of delivery, where mail goes by a server that hardly ever sends one.

    Resend reports them, and what is missing for that is found with its callbacks.
    """
    if wiring.mail_url == OUTBOX or wiring.mail_url.startswith(RESEND):
        return
    for publisher in session.scalars(select(Publisher).order_by(Publisher.slug)):
        terms = read_facts(session, publisher).notice
        try:
            running = list_running_customers(session, publisher, terms, now)
        except TermsUnreadable as error:
            says = (
                f"the terms of {error.params['customer']} at {publisher.slug} cannot be read, and nothing is announced."
            )
            yield Finding("Receipts", Grade.WRONG, says, "Set them anew: under Customers, or by `registry apply`.")
            continue
        whose = [row.key for row, customer in running if customer.terms.clock_starts_on == DELIVERED]
        if not whose and terms.clock_starts_on != DELIVERED:
            continue
        of_whom = ", ".join(whose) if whose else "customers to come"
        says = f"of {publisher.slug}, the clock of {of_whom} starts at a report of delivery"
        remedy = (
            "Send by Resend, agree on `clock_starts_on: accepted`, or record each service (`registry notice served`)."
        )
        if wiring.bounce_address is None:
            says += ", and none can arrive without REGISTRY_BOUNCE_ADDRESS: every notice would wait."
            yield Finding("Receipts", Grade.WRONG, says, remedy)
        else:
            says += ", which hardly any mail server sends: a notice waits until somebody records service."
            yield Finding("Receipts", Grade.WARN, says, remedy)
