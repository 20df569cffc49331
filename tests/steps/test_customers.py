"""Customers and their contacts as data: what a file changes, leaves alone, and may not do (R8, R17, R34)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from registry.domain.errors import InvalidInput
from registry.steps.audience_errors import LastContact, UnknownContact
from registry.steps.confirm import confirm
from registry.steps.contacts import add_contact, end_contact, request_contact_change
from registry.steps.customers import end_contract, record_customer, record_customers
from registry.steps.errors import ApprovalNeeded, UnknownCustomer
from registry.steps.lookup import find_customer_terms, list_running_customers, read_facts
from registry.tables import Customer, CustomerTerms, Delivery, Subscription
from tests.steps.audience_cast import EDITOR, LETTERHEAD, MONDAY, House, customer_facts, later, open_house

OFFICER, DEPUTY = "officer@acme.example", "deputy@acme.example"
NOTHING_CHANGED = {
    "customers_added": 0,
    "customers_changed": 0,
    "terms_changed": 0,
    "contacts_added": 0,
    "contacts_changed": 0,
    "letters_due": 0,
    "customers_not_in_file": (),
    "contacts_not_in_file": (),
    "contacts_left_before": (),
}


def load(house: House, *customers: Any, at: Any = MONDAY) -> dict[str, Any]:
    """Load a registry file's customers."""
    return dict(record_customers(house.session, at, house.publisher, customers, EDITOR))


def get(house: House, key: str = "acme") -> Customer:
    """A customer's row."""
    return house.session.scalars(select(Customer).where(Customer.key == key)).one()


def versions(house: House) -> list[dict[str, Any]]:
    """Every version of every customer's terms, in order."""
    rows = house.session.scalars(select(CustomerTerms).order_by(CustomerTerms.id))
    return [row.document for row in rows]


def test_a_file_brings_customers_with_their_terms_and_contacts(database_url: str) -> None:
    with open_house(database_url) as house:
        acme = customer_facts(
            "acme",
            OFFICER,
            {"email": DEPUTY, "name": "The deputy", "language": "de"},
            time_zone="Asia/Ho_Chi_Minh",
            notice={"days": 45},
            products=["clips"],
            contract_from="2026-01-01",
        )
        counts = load(house, acme)
        assert counts == NOTHING_CHANGED | {"customers_added": 1, "terms_changed": 1, "contacts_added": 2}
        customer = get(house)
        assert (customer.name, customer.products, customer.contract_from) == ("Acme GmbH", ["clips"], date(2026, 1, 1))
        terms = find_customer_terms(house.session, customer, read_facts(house.session, house.publisher).notice)
        assert terms is not None
        assert (terms.days, terms.objection_days, terms.time_zone) == (45, 30, "Asia/Ho_Chi_Minh")
        contacts = house.session.scalars(select(Subscription).order_by(Subscription.rank)).all()
        assert [(each.audience, each.rank, each.name, each.language) for each in contacts] == [
            ("customer", 0, None, "en"),
            ("customer", 1, "The deputy", "de"),
        ]
        assert all(each.confirmed_at == MONDAY for each in contacts)


def test_loading_the_same_file_twice_changes_nothing(database_url: str) -> None:
    with open_house(database_url) as house:
        file = [
            customer_facts(
                "acme", OFFICER, {"email": DEPUTY, "name": "D"}, notice={"days": 45}, time_zone="Asia/Tokyo"
            ),
            customer_facts("beta", "privacy@münchen.example"),
        ]
        load(house, *file)
        before = house.whole_record()
        assert load(house, *file, at=later(days=1)) == NOTHING_CHANGED
        assert house.whole_record() == before


def test_nothing_ends_by_being_left_out_of_a_file(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER, DEPUTY), customer_facts("beta", "privacy@beta.example"))
        counts = load(house, customer_facts("acme", DEPUTY), at=later(days=1))
        assert counts["customers_not_in_file"] == ("beta",)
        assert counts["contacts_not_in_file"] == ("acme",)
        assert all(each.ended_at is None for each in house.session.scalars(select(Subscription)))
        assert len(house.session.scalars(select(Customer)).all()) == 2


def test_terms_get_a_new_version_only_when_they_differ(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", notice={"days": 45}))
        load(house, customer_facts("acme", notice={"days": 45}, contract_from="2026-01-01"))
        assert versions(house) == [{"days": 45}]
        load(
            house,
            customer_facts("acme", notice={"days": 60, "undeliverable": {"deemed_after_days": 5, "clause": "§ 9"}}),
        )
        load(house, customer_facts("acme"))
        assert versions(house) == [
            {"days": 45},
            {"days": 60, "undeliverable": {"deemed_after_days": 5, "clause": "§ 9"}},
            {},
        ]
        terms = find_customer_terms(house.session, get(house), read_facts(house.session, house.publisher).notice)
        assert terms is not None
        assert terms.days == 30


def test_shorter_terms_need_a_second_person_where_the_publisher_asks_for_one(database_url: str) -> None:
    with open_house(database_url, approvals_required=1) as house:
        load(house, customer_facts("acme", notice={"days": 45}), customer_facts("beta"))
        with pytest.raises(ApprovalNeeded) as refused:
            load(house, customer_facts("other"), customer_facts("acme", notice={"days": 44}))
        assert refused.value.params == {"publisher": "antopsis", "what": "customers.acme.notice.days"}
        with pytest.raises(ApprovalNeeded):
            load(house, customer_facts("acme"))
        assert versions(house) == [{"days": 45}]
        assert house.session.scalars(select(Customer).where(Customer.key == "other")).all() == []
        assert load(house, customer_facts("acme", notice={"days": 50}))["terms_changed"] == 1


@pytest.mark.parametrize("key", ["new", "import", "export"])
def test_a_key_that_the_workbench_needs_is_refused_unless_it_is_on_record(database_url: str, key: str) -> None:
    with open_house(database_url) as house:
        with pytest.raises(InvalidInput) as refused:
            load(house, customer_facts("acme"), customer_facts(key))
        assert [(each.field, each.code) for each in refused.value.problems] == [("customers.1.key", "reserved-key")]
        with pytest.raises(InvalidInput) as refused:
            record_customer(house.session, MONDAY, house.publisher, customer_facts(key), EDITOR)
        assert [(each.field, each.code) for each in refused.value.problems] == [("key", "reserved-key")]
        load(house, customer_facts("acme"))
        get(house).key = key
        assert load(house, customer_facts(key, contract_from="2026-01-01"))["customers_changed"] == 1


def test_without_required_approvals_shorter_terms_are_taken_and_recorded(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", notice={"days": 45}))
        assert load(house, customer_facts("acme", notice={"days": 14}), at=later(days=1))["terms_changed"] == 1
        assert [event.payload for event in house.events("customer.terms_changed")] == [
            {"version": 1, "fields": ["days"]},
            {"version": 2, "fields": ["days"]},
        ]


def test_an_end_of_contract_set_by_command_survives_a_file_that_does_not_speak_of_it(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER))
        end_contract(house.session, MONDAY, house.publisher, "acme", date(2026, 9, 30), EDITOR)
        end_contract(house.session, MONDAY, house.publisher, "acme", date(2026, 9, 30), EDITOR)
        assert len(house.events("customer.contract_ended")) == 1
        load(house, customer_facts("acme", OFFICER, name="Acme Holding"))
        assert (get(house).name, get(house).contract_until) == ("Acme Holding", date(2026, 9, 30))
        load(house, customer_facts("acme", OFFICER, name="Acme Holding", contract_until=None))
        assert get(house).contract_until is None


def test_a_contract_runs_to_the_end_of_its_last_day_in_the_customers_zone(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", time_zone="Asia/Tokyo"))
        end_contract(house.session, MONDAY, house.publisher, "acme", date(2026, 9, 7), EDITOR)
        terms = read_facts(house.session, house.publisher).notice
        running = list_running_customers(house.session, house.publisher, terms, later(hours=6, minutes=59))
        assert [customer.key for customer, _ in running] == ["acme"]
        assert list_running_customers(house.session, house.publisher, terms, later(hours=7)) == []


def test_a_contract_cannot_end_before_it_began(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", contract_from="2026-05-01"))
        with pytest.raises(InvalidInput) as refused:
            end_contract(house.session, MONDAY, house.publisher, "acme", date(2026, 4, 30), EDITOR)
        assert [problem.code for problem in refused.value.problems] == ["contract-ends-before-it-begins"]
        with pytest.raises(UnknownCustomer) as unknown:
            end_contract(house.session, MONDAY, house.publisher, "akme", date(2026, 4, 30), EDITOR)
        assert unknown.value.params["near"] == ["acme"]


def test_every_problem_of_every_customer_is_named_before_anything_changes(database_url: str) -> None:
    with open_house(database_url) as house:
        with pytest.raises(InvalidInput) as refused:
            load(
                house,
                customer_facts("fine", OFFICER),
                customer_facts("acme", "a@nowhere.invalid", products=["klips"], notice={"days": 0}),
            )
        assert [(problem.field, problem.code) for problem in refused.value.problems] == [
            ("customers.1.products.0", "unknown-product"),
            ("customers.1.contacts.0.email", "not-an-email-address"),
            ("customers.1.notice.days", "too-small"),
        ]
        assert house.session.scalars(select(Customer)).all() == []


def test_a_new_contact_of_a_customer_gets_the_pending_notices_at_once(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER))
        house.announce_addition()
        counts = load(house, customer_facts("acme", OFFICER, DEPUTY), at=later(days=1))
        assert (counts["contacts_added"], counts["letters_due"]) == (1, 1)
        assert house.kinds_to(DEPUTY) == ["announcement"]
        assert house.kinds_to(OFFICER) == ["announcement"]


def test_one_address_at_two_customers_is_two_contacts_and_two_letters(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER), customer_facts("beta", OFFICER))
        house.announce_addition()
        assert house.kinds_to(OFFICER) == ["announcement", "announcement"]


def test_an_import_does_not_bring_back_a_contact_that_named_another(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER))
        [old] = house.subscriptions_at(OFFICER)
        request_contact_change(house.session, MONDAY, old, LETTERHEAD, house.keyring, email=DEPUTY)
        confirm(house.session, later(hours=1), house.token_for(DEPUTY), house.keyring)
        counts = load(house, customer_facts("acme", OFFICER), at=later(days=1))
        assert counts == NOTHING_CHANGED | {"contacts_left_before": ("acme",), "contacts_not_in_file": ("acme",)}
        assert [each.ended_because for each in house.subscriptions_at(OFFICER)] == ["replaced"]
        added = add_contact(house.session, later(days=2), get(house), OFFICER, EDITOR)
        assert added.is_new
        assert load(house, customer_facts("acme", OFFICER), at=later(days=3))["contacts_left_before"] == ()


def test_an_import_does_not_lift_a_suppression_but_the_contact_stands_in_the_record(database_url: str) -> None:
    with open_house(database_url) as house:
        house.suppress(OFFICER)
        load(house, customer_facts("acme", OFFICER))
        house.announce_addition()
        [(delivery, _)] = house.letters_to(OFFICER)
        assert (delivery.state, delivery.skip_reason) == ("skipped", "suppressed")
        [event] = house.events("contact.added")
        assert event.payload["suppressed"] is True


def test_a_file_that_names_a_contact_still_being_asked_makes_it_count(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER))
        [old] = house.subscriptions_at(OFFICER)
        request_contact_change(house.session, MONDAY, old, LETTERHEAD, house.keyring, email=DEPUTY)
        assert load(house, customer_facts("acme", OFFICER, DEPUTY), at=later(hours=1))["contacts_added"] == 1
        assert house.subscriptions_at(DEPUTY)[0].confirmed_at == later(hours=1)
        confirm(house.session, later(hours=2), house.token_for(DEPUTY), house.keyring)
        assert old.ended_because == "replaced"


def test_a_file_that_moves_or_names_contacts_changes_them(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", OFFICER, DEPUTY))
        counts = load(house, customer_facts("acme", {"email": DEPUTY, "name": "The deputy"}, OFFICER))
        assert counts == NOTHING_CHANGED | {"contacts_changed": 2}
        ranks = {each.rank: each.name for each in house.session.scalars(select(Subscription))}
        assert ranks == {0: "The deputy", 1: None}


def test_a_single_customer_is_recorded_like_one_of_a_file(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("beta"))
        customer = record_customer(house.session, MONDAY, house.publisher, customer_facts("acme", OFFICER), EDITOR)
        assert (customer.key, len(house.subscriptions_at(OFFICER))) == ("acme", 1)
        with pytest.raises(InvalidInput) as refused:
            record_customer(house.session, MONDAY, house.publisher, customer_facts("acme", "a@b.invalid"), EDITOR)
        assert [problem.field for problem in refused.value.problems] == ["contacts.0.email"]


class TestEndingAContact:
    def test_a_contact_ends_where_another_stands(self, database_url: str) -> None:
        with open_house(database_url) as house:
            load(house, customer_facts("acme", OFFICER, DEPUTY))
            house.announce_addition()
            ended = end_contact(house.session, later(hours=1), get(house), OFFICER.upper(), EDITOR)
            assert (ended.ended_at, ended.ended_because) == (later(hours=1), "removed")
            states = house.session.scalars(select(Delivery.state).order_by(Delivery.id)).all()
            assert sorted(states) == ["cancelled", "pending"]
            assert load(house, customer_facts("acme", OFFICER, DEPUTY))["contacts_left_before"] == ("acme",)

    def test_the_last_contact_stays(self, database_url: str) -> None:
        with open_house(database_url) as house:
            load(house, customer_facts("acme", OFFICER))
            with pytest.raises(LastContact) as refused:
                end_contact(house.session, MONDAY, get(house), OFFICER, EDITOR)
            assert refused.value.params == {"customer": "acme", "publisher": "antopsis"}

    def test_a_contact_that_cannot_be_written_to_is_no_other_contact(self, database_url: str) -> None:
        with open_house(database_url) as house:
            load(house, customer_facts("acme", OFFICER, DEPUTY))
            house.suppress(DEPUTY)
            with pytest.raises(LastContact):
                end_contact(house.session, MONDAY, get(house), OFFICER, EDITOR)
            assert end_contact(house.session, MONDAY, get(house), DEPUTY, EDITOR).ended_because == "removed"

    def test_one_still_being_asked_is_no_other_contact_either(self, database_url: str) -> None:
        with open_house(database_url) as house:
            load(house, customer_facts("acme", OFFICER))
            [old] = house.subscriptions_at(OFFICER)
            request_contact_change(house.session, MONDAY, old, LETTERHEAD, house.keyring, email=DEPUTY)
            with pytest.raises(LastContact):
                end_contact(house.session, MONDAY, get(house), OFFICER, EDITOR)
            assert end_contact(house.session, MONDAY, get(house), DEPUTY, EDITOR).confirmed_at is None

    def test_who_is_no_contact_of_this_customer_is_named_as_unknown(self, database_url: str) -> None:
        with open_house(database_url) as house:
            load(house, customer_facts("acme", OFFICER), customer_facts("beta", DEPUTY))
            for email in (DEPUTY, "nobody@acme.example"):
                with pytest.raises(UnknownContact) as refused:
                    end_contact(house.session, MONDAY, get(house), email, EDITOR)
                assert refused.value.params == {"email": email, "customer": "acme", "publisher": "antopsis"}


def test_the_record_of_customers_names_no_contact(database_url: str) -> None:
    with open_house(database_url) as house:
        load(house, customer_facts("acme", {"email": OFFICER, "name": "Olga Officer"}, DEPUTY, notice={"days": 45}))
        end_contact(house.session, MONDAY, get(house), OFFICER, EDITOR)
        told = house.whole_record().lower()
        assert "customer.added" in told
        assert "acme.example" not in told
        assert "olga" not in told
