"""Customers and contacts as a file. Addresses leave the house by it, so it asks for a fresh proof and is on record."""

from __future__ import annotations

from typing import Any

from flask import request

from registry.domain.people import TeamRole
from registry.queries.customer_export import CONTACT_COLUMNS
from registry.queries.customer_export import export_contacts as read_contacts
from registry.queries.customer_export import export_customers as read_customers
from registry.readers.customer_table import COLUMNS
from registry.steps.record import record_event
from registry.web.team.access import Desk, screen
from registry.web.team.frame import private, show
from registry.writers.customer_csv import write_csv

CUSTOMERS, CONTACTS = "customers", "contacts"


@screen("/customers/export", TeamRole.APPROVER, post=True, is_fresh=True)
def export_customers(desk: Desk) -> Any:
    """Give all customers, or all contacts, as CSV."""
    what = request.form.get("what", CUSTOMERS)
    if request.method == "GET":
        return show("team/customers/export.html", values={"what": CUSTOMERS})
    if what not in (CUSTOMERS, CONTACTS):
        return show("team/customers/export.html", 400, errors={"what": "Choose one of the two."})
    with desk.writing() as (session, publisher):
        rows = list(read_contacts(session, publisher) if what == CONTACTS else read_customers(session, publisher))
        record_event(
            session,
            desk.now,
            desk.actor,
            "customers.exported",
            subject=("publisher", publisher.slug),
            publisher_id=publisher.id,
            what=what,
            rows=len(rows),
        )
    body = write_csv(CONTACT_COLUMNS if what == CONTACTS else COLUMNS, rows)
    response = private(body, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{desk.slug}-{what}-{desk.now:%Y-%m-%d}.csv"'
    return response
