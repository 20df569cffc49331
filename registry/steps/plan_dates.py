"""The earliest lawful effect of a notice, over all customers whose contract runs (R10, R11)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.notices import CustomerTerms, EarliestEffect, local_date, plan_effective
from registry.domain.publishers import CustomerFacts, PublisherFacts
from registry.steps.lookup import list_running_customers, read_facts, runs_on
from registry.steps.working_days import working_days_for
from registry.tables import Customer, Publisher


def find_earliest(
    session: Session,
    announced_at: datetime,
    publisher: Publisher,
    facts: PublisherFacts | None = None,
    customers: Iterable[CustomerFacts] = (),
) -> EarliestEffect:
    """Return when a binding change announced at `announced_at` (UTC) may take effect, and whose clock decides.

    With the `facts` and `customers` of a file, as things would stand once it is applied.
    """
    facts = facts or read_facts(session, publisher)
    customers = tuple(customers)
    known = session.scalars(select(Customer).where(Customer.publisher_id == publisher.id)) if customers else ()
    on_record = {row.key: row for row in known}
    terms = {value.key: value for _, value in list_running_customers(session, publisher, facts.notice, announced_at)}
    for customer in customers:
        terms.pop(customer.key, None)
        value = _of_file(customer, on_record.get(customer.key), facts, announced_at)
        if value is not None:
            terms[customer.key] = value
    return plan_effective(
        announced_at,
        facts.notice,
        working_days_for(facts.notice, local_date(announced_at, facts.notice.time_zone)),
        facts.time_zone,
        terms.values(),
        facts.dispatch_margin_days,
    )


def _of_file(
    customer: CustomerFacts, known: Customer | None, facts: PublisherFacts, at: datetime
) -> CustomerTerms | None:
    own = customer.terms_under(facts.notice)
    today = local_date(at, own.time_zone)
    # A file that does not speak of a contract's days leaves those on record as they are.
    stated = customer.model_fields_set
    begins = known.contract_from if known and "contract_from" not in stated else customer.contract_from
    ends = known.contract_until if known and "contract_until" not in stated else customer.contract_until
    if not runs_on(today, begins, ends):
        return None
    return CustomerTerms(customer.key, customer.name, own, working_days_for(own, today))
