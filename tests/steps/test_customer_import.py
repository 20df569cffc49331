"""Customers from a table: what is shown is what is done, and what a table never does (R8, R34)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from registry.domain.customer_import import ImportPlan, RowFate
from registry.migrations import upgrade
from registry.readers.customer_table import read_customer_table
from registry.steps.add_customers import add_customers
from registry.steps.contacts import add_contact, end_contact
from registry.steps.customer_import import ImportHasRefusedRows, ImportOutdated, apply_import, plan_import
from registry.steps.customers import record_customers
from registry.steps.lookup import find_customer_terms, get_customer, read_facts
from registry.tables import Address, Customer, CustomerTerms, Delivery, Event, Subscription
from tests.steps.audience_cast import EDITOR, MONDAY, House, customer_facts, later, open_house
from tests.web.team.counting import queries

OFFICER, DEPUTY = "officer@acme.example", "deputy@acme.example"


def plan(house: House, text: str) -> ImportPlan:
    return plan_import(house.session, later(days=1), house.publisher, read_customer_table(text.encode()))


def apply(house: House, text: str, digest: str | None = None, **options: Any) -> ImportPlan:
    table = read_customer_table(text.encode())
    digest = digest or plan(house, text).digest
    return apply_import(house.session, later(days=1), house.publisher, table, digest, EDITOR, **options)


def load(house: House, *customers: Any) -> None:
    record_customers(house.session, MONDAY, house.publisher, customers, EDITOR)


def contacts_of(house: House, key: str) -> list[str | None]:
    return list(
        house.session.scalars(
            select(Address.value)
            .join(Subscription, Subscription.address_id == Address.id)
            .join(Customer, Customer.id == Subscription.customer_id)
            .where(Customer.key == key, Subscription.ended_at.is_(None))
            .order_by(Subscription.rank)
        )
    )


def codes(found: ImportPlan, key: str) -> tuple[list[str], list[str]]:
    (row,) = [row for row in found.rows if row.key == key]
    return [problem.code for problem in row.problems], [warning.code for warning in row.warnings]


def test_a_table_adds_changes_and_leaves_alone(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER, notice={"days": 45}), customer_facts("beta", "p@beta.example"))
        load(house, customer_facts("elsewhere", "p@elsewhere.example"))
        text = (
            "key;name;contract_until;notice_days;contacts;products\n"
            f"acme;Acme Holding;31.12.2026;60;{DEPUTY};\n"
            "beta;Beta GmbH;;;;\n"
            'gamma;Gamma SA;2027-01-31;40;"The office <office@gamma.example>; two@gamma.example";clips\n'
        )
        found = plan(house, text)
        assert [(row.key, row.fate) for row in found.rows] == [
            ("acme", RowFate.CHANGED),
            ("beta", RowFate.SAME),
            ("gamma", RowFate.NEW),
        ]
        assert [(each.field, each.before, each.after) for each in found.rows[0].differences] == [
            ("name", "Acme GmbH", "Acme Holding"),
            ("contract_until", None, "2026-12-31"),
            ("notice_days", "45", "60"),
            ("contacts", OFFICER, f"{DEPUTY}, {OFFICER}"),
        ]
        assert apply(house, text).digest == found.digest
        acme, gamma = (get_customer(house.session, house.publisher, key) for key in ("acme", "gamma"))
        assert (acme.name, acme.contract_until) == ("Acme Holding", date(2026, 12, 31))
        assert (gamma.contract_until, gamma.products) == (date(2027, 1, 31), ["clips"])
        own = read_facts(house.session, house.publisher).notice
        terms = [find_customer_terms(house.session, each, own) for each in (acme, gamma)]
        assert [each and each.days for each in terms] == [60, 40]
        assert set(contacts_of(house, "acme")) == {OFFICER, DEPUTY}
        assert contacts_of(house, "gamma") == ["office@gamma.example", "two@gamma.example"]
        assert contacts_of(house, "elsewhere") == ["p@elsewhere.example"]
        (event,) = house.events("customers.imported")
        assert event.payload == {"digest": found.digest, "new": 1, "changed": 1, "same": 1, "refused": 0}
        assert "@" not in str(event.payload)


def test_the_same_table_once_more_changes_nothing(database_url: str) -> None:
    with open_house(database_url) as house:
        text = f"key;name;notice_days;contacts;contract_from\nacme;Acme;45;{OFFICER},{DEPUTY};2026-01-01\n"
        apply(house, text)
        again = plan(house, text)
        assert [row.fate for row in again.rows] == [RowFate.SAME]
        before = house.session.scalar(select(func.count()).select_from(CustomerTerms))
        apply(house, text)
        assert house.session.scalar(select(func.count()).select_from(CustomerTerms)) == before


def test_a_blank_cell_leaves_and_a_dash_takes_back(database_url: str) -> None:
    with open_house(database_url) as house:
        facts = {"notice": {"days": 20, "objection_days": 50}, "contract_until": "2026-12-31", "products": ["clips"]}
        load(house, customer_facts("acme", OFFICER, **facts))
        blank = plan(house, "key;name;notice_days;contract_until;products\nacme;;;;\n")
        assert [row.fate for row in blank.rows] == [RowFate.SAME]
        apply(house, "key;notice_days;contract_until;products\nacme;-;-;all\n")
        acme = get_customer(house.session, house.publisher, "acme")
        assert (acme.contract_until, acme.products) == (None, [])
        own = read_facts(house.session, house.publisher).notice
        terms = find_customer_terms(house.session, acme, own)
        assert terms is not None
        assert (terms.days, terms.objection_days) == (own.days, 50)


def test_a_table_brings_nobody_back_and_lifts_no_suppression(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER, DEPUTY))
        acme = get_customer(house.session, house.publisher, "acme")
        end_contact(house.session, MONDAY, acme, DEPUTY, EDITOR)
        house.suppress("blocked@acme.example")
        text = f"key;contacts\nacme;{OFFICER};\n".replace(";\n", f", {DEPUTY.upper()}, blocked@acme.example\n")
        found = plan(house, text)
        assert codes(found, "acme") == ([], ["import-contact-left", "import-contact-suppressed"])
        apply(house, text)
        assert contacts_of(house, "acme") == [OFFICER, "blocked@acme.example"]
        house.session.expire_all()
        assert len(house.subscriptions_at(DEPUTY)) == 1
        only_the_one_who_left = plan(house, f"key;contacts\nacme;{DEPUTY}\n")
        assert [row.fate for row in only_the_one_who_left.rows] == [RowFate.SAME]


def test_a_contact_named_for_another_customer_stays_where_it_is_too(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER), customer_facts("beta", "p@beta.example"))
        text = f"key;contacts\nbeta;{OFFICER}\n"
        found = plan(house, text)
        assert codes(found, "beta") == ([], ["import-contact-of-another", "import-contacts-stay"])
        apply(house, text)
        assert contacts_of(house, "acme") == [OFFICER]
        assert sorted(contacts_of(house, "beta"), key=str) == [OFFICER, "p@beta.example"]


def test_shorter_terms_are_refused_where_a_second_person_is_required(database_url: str) -> None:
    with open_house(database_url, approvals_required=1) as house:
        load(house, customer_facts("acme", OFFICER, notice={"days": 45}))
        text = "key;name;notice_days\nacme;Acme Holding;44\nnew;New AG;40\n"
        found = plan(house, text)
        assert codes(found, "acme") == (["import-shortens-terms"], [])
        with pytest.raises(ImportHasRefusedRows):
            apply(house, text)
        apply(house, text, without_refused=True)
        assert get_customer(house.session, house.publisher, "acme").name == "Acme GmbH"


def test_without_required_approvals_shorter_terms_are_warned_of(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER, notice={"days": 45}))
        found = plan(house, "key;notice_days\nacme;44\n")
        assert codes(found, "acme") == ([], ["import-shorter-terms"])


def test_what_changed_since_it_was_shown_is_shown_again_first(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER))
        text = f"key;name;contacts\nacme;Acme Holding;{DEPUTY}\n"
        shown = plan(house, text).digest
        add_contact(house.session, MONDAY, get_customer(house.session, house.publisher, "acme"), DEPUTY, EDITOR)
        with pytest.raises(ImportOutdated):
            apply(house, text, shown)
        assert get_customer(house.session, house.publisher, "acme").name == "Acme GmbH"
        assert house.session.scalars(select(Event).where(Event.kind == "customers.imported")).all() == []


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        ("Acme!;A;;;;;", "key", "not-a-key"),
        (";A;;;;;", "key", "not-a-key"),
        ("import;A;;;;;", "key", "reserved-key"),
        ("acme;;;;;;", "name", "empty"),
        ("acme;A;30.02.2026;;;;", "contract_until", "impossible-date"),
        ("acme;A;03/04/2026;;;;", "contract_until", "date-unclear"),
        ("acme;A;46387;;;;", "contract_until", "not-a-date"),
        ("acme;A;;soon;;;", "notice_days", "not-a-whole-number"),
        ("acme;A;;9999;;;", "notice_days", "too-large"),
        ("acme;A;;;maybe;;", "roll_to_working_day", "not-yes-or-no"),
        ("acme;A;;;;nobody;", "contacts", "not-an-email-address"),
        ("acme;A;;;;a@localhost.;", "contacts", "not-an-email-address"),
        ("acme;A;;;;a@b.example, A@b.example;", "", "repeated-member"),
        ("acme;A;;;;;video", "products", "unknown-product"),
    ],
)
def test_a_row_that_cannot_be_is_refused_by_its_column(sqlite_url: str, row: str, field: str, code: str) -> None:
    header = "key;name;contract_until;notice_days;roll_to_working_day;contacts;products\n"
    with open_house(sqlite_url) as house:
        (planned,) = plan(house, header + row + "\n").rows
        assert planned.fate is RowFate.REFUSED
        assert [(problem.field, problem.code) for problem in planned.problems] == [(field, code)]


def test_a_key_in_two_rows_is_refused_in_both(sqlite_url: str) -> None:
    with open_house(sqlite_url) as house:
        found = plan(house, "key;name\nacme;One\nbeta;B\nacme;Two\n")
        assert [row.fate for row in found.rows] == [RowFate.REFUSED, RowFate.NEW, RowFate.REFUSED]
        assert found.rows[0].problems[0].params == {"lines": ["2", "4"]}


@pytest.mark.parametrize("written", ["2026-12-31", "31.12.2026", "31/12/2026", "12/31/2026", "2026-12-31 00:00:00"])
def test_dates_are_read_as_spreadsheets_write_them(sqlite_url: str, written: str) -> None:
    with open_house(sqlite_url) as house:
        (row,) = plan(house, f"key;name;contract_until\nacme;A;{written}\n").rows
        assert row.facts is not None
        assert row.facts.contract_until == date(2026, 12, 31)


def test_the_questions_asked_do_not_grow_by_the_row(sqlite_url: str) -> None:
    def ask(rows: int) -> int:
        lines = "".join(f"c-{n};C {n};dpo@c-{n}.example\n" for n in range(rows))
        engine = house.session.get_bind()
        with queries(engine) as sent:  # type: ignore[arg-type]  # the session is bound to an engine, not a connection
            plan(house, "key;name;contacts\n" + lines)
        return len(sent)

    with open_house(sqlite_url) as house:
        assert ask(3) == ask(900)


def test_many_new_customers_stand_as_if_each_had_been_added_alone(database_url: str, sqlite_url: str) -> None:
    customers = [
        customer_facts("acme", OFFICER, {"email": DEPUTY, "name": "D", "language": "de"}, notice={"days": 45}),
        customer_facts("beta", OFFICER, time_zone="Asia/Tokyo", products=["clips"], contract_from="2026-01-01"),
        customer_facts("gamma", "blocked@gamma.example", notice={"language": "fr"}),
        customer_facts("delta"),
    ]

    def stand(house: House) -> list[Any]:
        contacts = house.session.execute(
            select(Customer.key, Address.value, Subscription.name, Subscription.language, Subscription.rank)
            .join(Subscription, Subscription.customer_id == Customer.id)
            .join(Address, Address.id == Subscription.address_id)
            .where(Subscription.confirmed_at == MONDAY, Subscription.audience == "customer")
            .order_by(Customer.key, Subscription.rank)
        )
        terms = house.session.execute(select(CustomerTerms.version, CustomerTerms.document).order_by(CustomerTerms.id))
        rows = house.session.execute(
            select(Customer.key, Customer.name, Customer.products, Customer.contract_from).order_by(Customer.key)
        )
        events = [
            (event.kind, event.actor, event.subject_kind, str(event.payload))
            for kind in ("customer.added", "customer.terms_changed", "contact.added")
            for event in house.events(kind)
        ]
        letters = house.session.scalar(select(func.count()).select_from(Delivery))
        return [contacts.all(), terms.all(), rows.all(), sorted(events), letters]

    found = []
    for url in dict.fromkeys([database_url, f"{sqlite_url}-alone"]):
        if url.endswith("-alone"):
            upgrade(url)
        with open_house(url) as house:
            house.suppress("blocked@gamma.example")
            house.announce_addition()
            if url.endswith("-alone"):
                load(house, *customers)
            else:
                own = read_facts(house.session, house.publisher).notice
                add_customers(house.session, MONDAY, house.publisher, own, house.keyring, customers, EDITOR)
            found.append(stand(house))
    assert found[0] == found[1]
    assert found[0][-1] == 4
