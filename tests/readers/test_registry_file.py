"""One registry file: what it says, and every problem it has with its line."""

from __future__ import annotations

from datetime import date

import pytest

from registry.domain.entries import EntryContent, EntryInternals
from registry.domain.errors import InvalidInput, Problem
from registry.domain.publishers import ContactFacts, ProductFacts
from registry.domain.terms import Terms
from registry.readers.registry_file import RegistryFile, read_registry_file
from tests.readers.registry_files import ANTOPSIS, HEAD


def read(text: str) -> RegistryFile:
    return read_registry_file(text.encode(), "antopsis.yaml")


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(InvalidInput) as refused:
        read(text)
    assert refused.value.params["file"] == "antopsis.yaml"
    return refused.value.problems


def found_in(text: str) -> list[tuple[int | None, str, str]]:
    return [(problem.line, problem.field, problem.code) for problem in problems_of(text)]


def with_entries(entries: str, after: str = "") -> str:
    return f"{HEAD}entries:\n{entries}{after}"


def test_a_whole_file_is_read() -> None:
    file = read(ANTOPSIS)
    assert (file.publisher.slug, file.publisher.country) == ("antopsis", "DE")
    assert file.publisher.notice == Terms(days=30, objection_days=30, time_zone="Europe/Berlin")
    assert file.products == (ProductFacts(key="streaming", name="Live streaming"),)
    (hetzner,) = file.entries
    assert (hetzner.key, hetzner.former_keys, hetzner.internals) == ("hetzner-falkenstein", (), EntryInternals())
    assert type(hetzner.content) is EntryContent
    assert hetzner.content.locations[0].place == "Falkenstein"
    assert file.customers is not None
    (customer,) = file.customers
    assert customer.contacts == (ContactFacts(email="privacy@customer.example"),)
    assert customer.terms_under(file.publisher.notice).days == 45


def test_a_file_without_customers_says_nothing_of_them_and_an_empty_list_says_there_are_none() -> None:
    assert read(with_entries("  - {key: stripe, name: Stripe}\n")).customers is None
    assert read(with_entries("  - {key: stripe, name: Stripe}\n", "customers: []\n")).customers == ()


TRANSLATED = (
    "  - key: stripe\n    name: Stripe\n    purposes: [Payment processing]\n    translations:\n"
    "      de:\n        Payment processing: Zahlungsabwicklung\n"
)


def test_an_entry_brings_its_translations_and_a_stale_one_is_named_with_its_line() -> None:
    (stripe,) = read(with_entries(TRANSLATED)).entries
    assert stripe.content.translations == {"de": {"Payment processing": "Zahlungsabwicklung"}}
    (problem,) = problems_of(with_entries(TRANSLATED.replace("[Payment processing]", "[Payments]")))
    assert (problem.field, problem.value, problem.line) == (
        "entries.0.translations.de",
        "Payment processing",
        9,
    )
    assert problem.params["near"] == ["Payments"]


def test_what_is_private_is_read_apart_from_what_is_published() -> None:
    file = read(
        with_entries(
            "  - key: stripe\n    name: Stripe\n    former_keys: [stripe-eu]\n    owner: Legal\n"
            "    note: Ask Ada.\n    dpa_signed_on: 2025-04-01\n    since: 2025-05-01\n"
        )
    )
    (stripe,) = file.entries
    assert stripe.former_keys == ("stripe-eu",)
    assert stripe.internals == EntryInternals(owner="Legal", note="Ask Ada.", dpa_signed_on=date(2025, 4, 1))
    assert stripe.content == EntryContent(name="Stripe", since=date(2025, 5, 1))
    assert "Ada" not in str(stripe.content.as_document())


def test_norway_is_a_country() -> None:
    (entry,) = read(with_entries("  - {key: a, name: NO, country: NO, locations: [{country: NO}]}\n")).entries
    assert (entry.content.name, entry.content.country, entry.content.locations[0].country) == ("NO", "NO", "NO")


def test_contacts_are_stored_in_the_form_that_is_sent_to() -> None:
    customers = "customers:\n  - {key: a, name: A, contacts: [Legal@Bücher.Example]}\n"
    file = read(with_entries("  []\n", customers))
    assert file.customers is not None
    assert file.customers[0].contacts[0].email == "Legal@xn--bcher-kva.example"


def test_an_address_that_cannot_receive_letters_is_refused_and_a_misshapen_one_told_once() -> None:
    customers = "customers:\n  - key: a\n    name: A\n    contacts:\n      - a@host.invalid\n      - {email: nobody}\n"
    assert found_in(with_entries("  []\n", customers)) == [
        (10, "customers.0.contacts.0.email", "not-an-email-address"),
        (11, "customers.0.contacts.1.email", "not-an-email-address"),
    ]


def test_every_problem_comes_at_once_in_the_order_of_the_file() -> None:
    text = """\
registry: 1
publisher:
  slug: team
  name: "bell\\x07"
  contact: support@antopsis.io
  country: Norwy
  time_zone: Europe/Berln
  notice: {days: true, objection: hol}
  approvals_required: yes
products:
  - {key: streaming, name: Live streaming}
  - {key: streaming, name: Again}
entries:
  - key: hetzner
    name: Hetzner
    name: Again
    roel: subprocessor
    since: 2026-02-30
    products: [streming]
    transfers:
      - {regime: eu,
         mechanism: eu.scc}
  - key: stripe
    former_keys: [hetzner]
    name: !!python/name:os.system Stripe
    parent: adyen
    until: 2026-02-03T10:00:00Z
  - plain
customers:
  - {key: a, name: A, time_zone: Berlin,
     notice: {dys: 45},
     products: [api]}
entires: []
"""
    assert found_in(text) == [
        (3, "publisher.slug", "reserved-slug"),
        (4, "publisher.name", "control-character"),
        (6, "publisher.country", "unknown-country"),
        (7, "publisher.time_zone", "unknown-time-zone"),
        (8, "publisher.notice.days", "not-a-whole-number"),
        (8, "publisher.notice.objection", "unknown-choice"),
        (9, "publisher.approvals_required", "not-a-whole-number"),
        (12, "products.1.key", "repeated-key"),
        (16, "entries.0.name", "repeated-field"),
        (17, "entries.0.roel", "unknown-field"),
        (18, "entries.0.since", "impossible-date"),
        (19, "entries.0.products.0", "unknown-product"),
        (22, "entries.0.transfers.0.mechanism", "unknown-mechanism"),
        (24, "entries.1.former_keys.0", "repeated-key"),
        (25, "entries.1.name", "tag-refused"),
        (26, "entries.1.parent", "unknown-parent"),
        (27, "entries.1.until", "time-in-a-date"),
        (28, "entries.2", "not-a-group"),
        (30, "customers.0.time_zone", "unknown-time-zone"),
        (31, "customers.0.notice.dys", "unknown-field"),
        (32, "customers.0.products.0", "unknown-product"),
        (33, "entires", "unknown-field"),
    ]


@pytest.mark.parametrize(
    ("text", "field", "code"),
    [
        ("- registry: 1\n", "", "not-a-group"),
        ("just a sentence\n", "", "not-a-group"),
        ("---\n", "", "empty-file"),
        ("~\n", "", "empty-file"),
    ],
)
def test_a_file_that_is_no_group_of_fields_is_refused_as_such(text: str, field: str, code: str) -> None:
    assert found_in(text) == [(1, field, code)]


def test_an_empty_group_is_told_all_that_it_lacks() -> None:
    assert found_in("{}\n") == [(1, "registry", "missing"), (1, "publisher", "missing"), (1, "entries", "missing")]


@pytest.mark.parametrize("version", ["2", '"1"', "1.0", "true", "one", "[1]"])
def test_another_version_of_the_format_is_the_one_thing_said(version: str) -> None:
    (problem,) = problems_of(f"publisher: {{}}\nregistry: {version}\n")
    assert (problem.line, problem.field, problem.code) == (2, "registry", "unknown-format-version")
    assert problem.params == {"known": 1}


@pytest.mark.parametrize("part", ["products", "entries", "customers"])
@pytest.mark.parametrize(("given", "code"), [("", "not-a-list"), ("{a: 1}", "not-a-list"), ("text", "not-a-list")])
def test_a_part_that_is_no_list_is_refused_even_where_it_could_mean_none(part: str, given: str, code: str) -> None:
    text = "".join(f"{name}: {given if name == part else '[]'}\n" for name in ("products", "entries", "customers"))
    publisher = "registry: 1\npublisher: {slug: a, name: A, contact: a@a.example, time_zone: UTC}\n"
    assert [(field, found) for _, field, found in found_in(publisher + text)] == [(part, code)]


def test_a_publisher_that_is_no_group_does_not_hide_what_else_is_wrong() -> None:
    text = "registry: 1\npublisher: antopsis\nentries:\n  - {key: a, name: A, country: XX}\n"
    assert found_in(text) == [(2, "publisher", "not-a-group"), (4, "entries.0.country", "unknown-country")]


def test_two_entries_cannot_have_one_key_nor_one_the_other_had() -> None:
    text = with_entries(
        "  - {key: a, name: A, former_keys: [x]}\n"
        "  - {key: a, name: B}\n"
        "  - {key: b, name: C, former_keys: [x, b]}\n"
        "  - {key: x, name: D}\n"
    )
    assert found_in(text) == [
        (5, "entries.0.former_keys.0", "repeated-key"),
        (6, "entries.1.key", "repeated-key"),
        (7, "entries.2.former_keys.0", "repeated-key"),
        (7, "entries.2.former_keys.1", "repeated-key"),
    ]
    first = problems_of(text)[1]
    assert (first.value, first.params) == ("a", {"first": "entries.0.key", "first_line": 5})


def test_products_and_customers_have_keys_of_their_own() -> None:
    rows = "  - {key: streaming, name: A}\n"
    assert len(read(with_entries(rows, f"customers:\n{rows}")).entries) == 1
    assert found_in(with_entries(rows, f"customers:\n{rows}{rows}")) == [(8, "customers.1.key", "repeated-key")]


def test_an_unknown_product_is_met_with_the_nearest() -> None:
    (problem,) = problems_of(with_entries("  - {key: a, name: A, products: [api, streming]}\n"))
    assert (problem.value, problem.params) == ("streming", {"near": ["streaming"], "known": ["api", "streaming"]})


@pytest.mark.parametrize(
    ("parents", "cycle", "field"),
    [
        ({"a": "a"}, ["a", "a"], "entries.0.parent"),
        ({"a": "b", "b": "a"}, ["a", "b", "a"], "entries.0.parent"),
        ({"a": "b", "b": "c", "c": "d", "d": "c"}, ["c", "d", "c"], "entries.2.parent"),
    ],
)
def test_an_entry_is_not_its_own_parent_by_whatever_way(parents: dict[str, str], cycle: list[str], field: str) -> None:
    rows = "".join(f"  - {{key: {key}, name: X, parent: {parent}}}\n" for key, parent in parents.items())
    (problem,) = problems_of(with_entries(rows))
    assert (problem.field, problem.code, problem.params) == (field, "parent-cycle", {"cycle": cycle})


def test_a_chain_of_parents_that_ends_is_taken() -> None:
    rows = "  - {key: a, name: A, parent: b}\n  - {key: b, name: B, parent: c}\n  - {key: c, name: C}\n"
    assert [entry.content.parent for entry in read(with_entries(rows)).entries] == ["b", "c", None]


def test_two_cycles_are_two_problems() -> None:
    parents = {"a": "b", "b": "a", "c": "c"}
    rows = "".join(f"  - {{key: {key}, name: X, parent: {parent}}}\n" for key, parent in parents.items())
    assert [field for _, field, _ in found_in(with_entries(rows))] == ["entries.0.parent", "entries.2.parent"]


def test_terms_of_a_customer_are_judged_as_terms() -> None:
    customers = (
        "customers:\n  - key: a\n    name: A\n    notice:\n      days: 0\n      holidays: DE-SN\n"
        "      undeliverable: {deemed_after_days: 5}\n      time_zone: Mars\n"
    )
    assert found_in(with_entries("  []\n", customers)) == [
        (10, "customers.0.notice.days", "too-small"),
        (12, "customers.0.notice.undeliverable.clause", "missing"),
        (13, "customers.0.notice.time_zone", "unknown-time-zone"),
    ]


def test_a_bad_publisher_does_not_hide_bad_terms_of_a_customer() -> None:
    text = (
        "registry: 1\npublisher: {slug: a}\nentries: []\n"
        "customers: [{key: a, name: A, notice: {days: soon}}, {key: b, name: B, notice: 45}]\n"
    )
    fields = [field for _, field, _ in found_in(text)]
    assert fields == [
        "publisher.name",
        "publisher.contact",
        "publisher.time_zone",
        "customers.1.notice",
        "customers.0.notice.days",
    ]


@pytest.mark.parametrize(
    ("sender", "code"),
    [("n" * 57 + "@own.example", "sender-too-long"), ("müller@own.example", "mailbox-not-ascii")],
)
def test_a_sender_that_no_letter_could_come_from_is_noted_where_it_stands(sender: str, code: str) -> None:
    text = (
        f"registry: 1\npublisher:\n  {{slug: a, name: A, contact: a@a.example, time_zone: UTC,\n  sender: {sender}}}\n"
    )
    file = read(f"{text}entries: []\n")
    assert [(each.line, each.field, each.code) for each in file.if_new] == [(4, "publisher.sender", code)]
    assert file.publisher.sender == sender, "only the record knows whether it is new"


@pytest.mark.parametrize("value", ["1699920000", "2026-11-21T00:00:00Z", "2026-11-21 08:00", "21.11.2026"])
def test_a_time_or_a_number_is_not_taken_for_a_date(value: str) -> None:
    (found,) = found_in(with_entries(f"  - key: a\n    name: A\n    since: {value}\n"))
    assert found[:2] == (7, "entries.0.since")
    assert found[2] in {"not-a-date", "time-in-a-date"}


def test_a_problem_of_a_field_that_is_missing_stands_at_the_entry_that_lacks_it() -> None:
    assert found_in(with_entries("  - key: a\n    name: A\n  - key: b\n    role: affiliate\n")) == [
        (7, "entries.1.name", "missing")
    ]


def test_a_file_full_of_mistakes_names_each() -> None:
    rows = "".join(f"  - {{key: k{n}, name: '', country: XX, since: x}}\n" for n in range(300))
    assert len(problems_of(with_entries(rows))) == 900


def test_a_list_of_a_thousand_entries_is_read() -> None:
    rows = "".join(
        f"  - {{key: k{n}, name: Vendor {n}, country: DE, products: [api], locations: [{{country: NO}}]}}\n"
        for n in range(1000)
    )
    assert len(read(with_entries(rows)).entries) == 1000


@pytest.mark.parametrize(("language", "refused"), [(None, "en"), ("de-AT", "de"), ("pt-BR", None)])
def test_an_entry_is_not_translated_to_the_publishers_own_language(language: str | None, refused: str | None) -> None:
    entry = "  - {key: a, name: A, purposes: [Hosting], translations: {en: {Hosting: H}, de: {Hosting: H}}}\n"
    text = with_entries(entry)
    if language:
        text = text.replace("name: Antopsis,", f"name: Antopsis, language: {language},")
    if refused is None:
        assert read(text).entries[0].content.translations.keys() == {"en", "de"}
    else:
        assert found_in(text) == [(5, f"entries.0.translations.{refused}", "own-language")]
