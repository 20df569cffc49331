"""What a publisher states about itself, its products and its customers."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from registry.domain.errors import InvalidInput, Problem
from registry.domain.publishers import (
    RESERVED_SLUGS,
    ContactFacts,
    CustomerFacts,
    FileEntry,
    ProductFacts,
    PublisherFacts,
    read_publisher,
)
from registry.domain.terms import Terms
from registry.domain.validation import read_model
from tests.domain.entry_cases import full_entry, offered_by

ANTOPSIS: dict[str, Any] = {
    "slug": "antopsis",
    "name": "Antopsis",
    "contact": "support@antopsis.io",
    "time_zone": "Europe/Berlin",
}
CUSTOMER: dict[str, Any] = {"key": "harbour", "name": "Harbour Ltd"}


def problems_of(**data: Any) -> list[Problem]:
    with pytest.raises(InvalidInput) as refused:
        read_publisher(ANTOPSIS | data)
    return refused.value.problems


def test_a_publisher_that_states_little_gets_the_usual_terms_in_its_own_zone_and_language() -> None:
    publisher = read_publisher(ANTOPSIS | {"language": "de"})
    assert publisher.notice == Terms(time_zone="Europe/Berlin", language="de")
    assert (publisher.notice.days, publisher.reminder_days, publisher.dispatch_margin_days) == (30, 7, 1)
    assert (publisher.approvals_required, publisher.command_line_may_approve) == (0, False)
    assert publisher.country is None


def test_terms_that_name_their_own_zone_and_language_keep_them() -> None:
    publisher = read_publisher(ANTOPSIS | {"notice": {"days": 45, "time_zone": "Asia/Tokyo", "language": "ja"}})
    assert publisher.notice == Terms(days=45, time_zone="Asia/Tokyo", language="ja")
    assert publisher.time_zone == "Europe/Berlin"


def test_facts_survive_being_stored() -> None:
    publisher = read_publisher(ANTOPSIS | {"notice": {"undeliverable": {"deemed_after_days": 5, "clause": "§ 4"}}})
    assert PublisherFacts.model_validate(publisher.model_dump(mode="json")) == publisher


@pytest.mark.parametrize(
    "slug",
    [
        *("team", "api", "callbacks", "healthz", "readyz", "metrics", "static", "schemas"),
        *("subscribe", "confirm", "manage", "unsubscribe", "acknowledge", "object", "entries", "notices", "compare"),
    ],
)
def test_a_slug_is_no_top_level_route_of_the_service(slug: str) -> None:
    assert slug in RESERVED_SLUGS
    assert [(problem.field, problem.code) for problem in problems_of(slug=slug)] == [
        ("publisher.slug", "reserved-slug")
    ]


def test_reserved_slugs_are_slugs_themselves() -> None:
    # Else the rule would never be asked about them.
    assert all(ProductFacts(key=slug, name="x").key == slug for slug in RESERVED_SLUGS)


@pytest.mark.parametrize("slug", ["Antopsis", "a b", "../x", "a/b", "", "-a"])
def test_a_slug_is_a_key(slug: str) -> None:
    assert [problem.code for problem in problems_of(slug=slug)] == ["not-a-key"]


def test_a_zone_that_is_none_is_met_with_near_ones_and_told_once() -> None:
    (problem,) = problems_of(time_zone="Europe/Berln")
    assert (problem.field, problem.code) == ("publisher.time_zone", "unknown-time-zone")
    assert "Europe/Berlin" in offered_by(problem)


def test_all_problems_of_a_publisher_and_its_terms_come_at_once() -> None:
    problems = problems_of(
        name="",
        contact="nobody",
        country="Norwy",
        notice={"days": "30", "objection": "hol", "undeliverable": {"deemed_after_days": 0, "claus": "x"}},
        approvals_required=6,
        reminder_days=0,
        websit="https://x.example",
    )
    assert {(problem.field, problem.code) for problem in problems} == {
        ("publisher.name", "empty"),
        ("publisher.contact", "not-an-email-address"),
        ("publisher.country", "unknown-country"),
        ("publisher.notice.days", "not-a-whole-number"),
        ("publisher.notice.objection", "unknown-choice"),
        ("publisher.notice.undeliverable.deemed_after_days", "too-small"),
        ("publisher.notice.undeliverable.clause", "missing"),
        ("publisher.notice.undeliverable.claus", "unknown-field"),
        ("publisher.approvals_required", "too-large"),
        ("publisher.reminder_days", "too-small"),
        ("publisher.websit", "unknown-field"),
    }


@pytest.mark.parametrize("data", ["antopsis", None, ["antopsis"]])
def test_what_is_no_group_is_no_publisher(data: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_publisher(data)
    assert [(problem.field, problem.code) for problem in refused.value.problems] == [("publisher", "not-a-group")]


def test_terms_that_are_no_group_are_named() -> None:
    assert [(problem.field, problem.code) for problem in problems_of(notice=30)] == [
        ("publisher.notice", "not-a-group")
    ]


@pytest.mark.parametrize("field", ["approvals_required", "dispatch_margin_days", "reminder_days"])
@pytest.mark.parametrize("value", [True, "2", 2.0])
def test_a_number_is_a_number_and_yes_is_none(field: str, value: object) -> None:
    assert [problem.code for problem in problems_of(**{field: value})] == ["not-a-whole-number"]


@pytest.mark.parametrize("value", ["yes", "true", 1])
def test_leave_to_approve_is_true_or_false_and_nothing_like_it(value: object) -> None:
    assert [problem.code for problem in problems_of(command_line_may_approve=value)] == ["not-yes-or-no"]


def test_a_publisher_may_want_no_reminders() -> None:
    assert read_publisher(ANTOPSIS | {"reminder_days": None}).reminder_days is None


@pytest.mark.parametrize("host", ["legal.antopsis.io", "xn--bcher-kva.example", "a.b.c.example"])
def test_a_publisher_may_have_a_host_name_of_its_own(host: str) -> None:
    assert read_publisher(ANTOPSIS | {"host": host}).host == host


@pytest.mark.parametrize(
    "host",
    [
        *(
            "https://legal.antopsis.io",
            "legal.antopsis.io:443",
            "legal.antopsis.io/x",
            "Legal.Antopsis.io",
            "localhost",
        ),
        *(
            "192.0.2.1",
            "-a.example",
            "a..example",
            "bücher.example",
            "a.example.",
            f"{'a' * 64}.example",
            "a." * 130 + "example",
        ),
    ],
)
def test_a_host_name_is_a_name_and_no_address(host: str) -> None:
    assert [problem.code for problem in problems_of(host=host)] == ["not-a-host-name"]


def test_a_bare_address_is_a_contact() -> None:
    customer = CustomerFacts.model_validate(
        CUSTOMER | {"contacts": ["a@harbour.example", {"email": "b@harbour.example", "name": "Bo", "language": "en"}]}
    )
    assert customer.contacts == (
        ContactFacts(email="a@harbour.example"),
        ContactFacts(email="b@harbour.example", name="Bo", language="en"),
    )


def test_an_address_is_one_contact_of_a_customer() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_model(CustomerFacts, CUSTOMER | {"contacts": ["a@harbour.example", "A@Harbour.example"]})
    (problem,) = refused.value.problems
    assert (problem.code, problem.params["member"]) == ("repeated-member", "a@harbour.example")


def test_a_contract_cannot_end_before_it_begins() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_model(CustomerFacts, CUSTOMER | {"contract_from": "2026-05-01", "contract_until": "2026-04-30"})
    assert [problem.code for problem in refused.value.problems] == ["contract-ends-before-it-begins"]
    one_day = read_model(CustomerFacts, CUSTOMER | {"contract_from": "2026-05-01", "contract_until": "2026-05-01"})
    assert one_day.contract_until == date(2026, 5, 1)


def test_a_customer_has_the_publishers_terms_but_where_its_contract_differs() -> None:
    publishers = Terms(time_zone="Europe/Berlin", days=30, objection_days=14, counting="business", holidays="DE-SN")
    plain = CustomerFacts.model_validate(CUSTOMER)
    assert plain.terms_under(publishers) == publishers
    other = CustomerFacts.model_validate(CUSTOMER | {"time_zone": "Asia/Tokyo", "notice": {"days": 45}})
    assert other.terms_under(publishers) == publishers.model_copy(update={"days": 45, "time_zone": "Asia/Tokyo"})


def test_a_zone_named_for_counting_wins_over_the_zone_the_customer_is_in() -> None:
    customer = CustomerFacts.model_validate(
        CUSTOMER | {"time_zone": "Asia/Tokyo", "notice": {"time_zone": "Europe/London"}}
    )
    assert customer.terms_under(Terms(time_zone="UTC")).time_zone == "Europe/London"


def test_terms_a_contract_cannot_have_are_named_below_the_customer() -> None:
    customer = CustomerFacts.model_validate(CUSTOMER | {"notice": {"dys": 45, "days": 0}})
    with pytest.raises(InvalidInput) as refused:
        customer.terms_under(Terms(time_zone="UTC"), "customers.3.notice")
    assert {(problem.field, problem.code) for problem in refused.value.problems} == {
        ("customers.3.notice.dys", "unknown-field"),
        ("customers.3.notice.days", "too-small"),
    }


def test_an_entry_of_a_file_keeps_what_is_private_apart() -> None:
    entry = FileEntry(key="nimbus", content=full_entry())
    assert entry.content == full_entry()
    assert entry.internals.model_dump(exclude_none=True) == {}
    assert entry.former_keys == ()
