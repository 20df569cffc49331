"""The four example publishers say what their policies say: each fact by name, and nothing where a policy is silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.domain.entries import EntryContent
from registry.domain.vocabulary import ConditionWhen, LocationFunction, Role
from registry.readers.registry_file import RegistryFile, read_registry_file

EXAMPLES = Path(__file__).parents[1] / "examples"
SLUGS = ("antopsis", "apexstream", "nextapi", "streamonapi")


def example(slug: str) -> RegistryFile:
    path = EXAMPLES / f"{slug}.yaml"
    return read_registry_file(path.read_bytes(), path.name)


def entries_of(slug: str) -> dict[str, EntryContent]:
    return {entry.key: entry.content for entry in example(slug).entries}


def test_there_are_four_and_each_is_named_after_its_publisher() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.yaml")) == list(SLUGS)
    assert [example(slug).publisher.slug for slug in SLUGS] == list(SLUGS)


@pytest.mark.parametrize(
    ("slug", "contact", "country", "zone"),
    [
        ("antopsis", "support@antopsis.io", "DE", "Europe/Berlin"),
        ("apexstream", "support@apexstream.org", None, "UTC"),
        ("nextapi", "privacy@nextapi.dev", None, "UTC"),
        ("streamonapi", "help@streamonapi.com", "VN", "Asia/Ho_Chi_Minh"),
    ],
)
def test_each_publisher_has_its_contact_country_and_zone(
    slug: str, contact: str, country: str | None, zone: str
) -> None:
    publisher = example(slug).publisher
    assert (publisher.contact, publisher.country, publisher.time_zone) == (contact, country, zone)
    assert publisher.notice.time_zone == zone
    assert publisher.notice.days >= 30


@pytest.mark.parametrize("slug", SLUGS)
def test_each_has_one_product_and_no_customers(slug: str) -> None:
    assert len(example(slug).products) == 1
    assert example(slug).customers is None


@pytest.mark.parametrize("slug", SLUGS)
def test_nothing_is_said_that_no_policy_says(slug: str) -> None:
    for entry in example(slug).entries:
        content = entry.content
        assert (content.legal_name, content.address, content.country, content.links) == (None, None, None, None)
        assert (content.since, content.until, content.parent, content.special_categories) == (None, None, None, ())
        assert entry.internals.model_dump(exclude_none=True) == {}


@pytest.mark.parametrize("slug", SLUGS)
def test_each_file_says_when_its_policy_was_last_updated_and_where_a_fact_is_from(slug: str) -> None:
    text = (EXAMPLES / f"{slug}.yaml").read_text("utf-8")
    assert "privacy policy last updated" in text.splitlines()[0]
    assert text.count("# [") >= len(example(slug).entries)


def test_antopsis_names_all_its_recipients_with_their_roles() -> None:
    named = {content.name: (content.role, content.purposes) for content in entries_of("antopsis").values()}
    assert named == {
        "Stripe": (Role.SUBPROCESSOR, ("Payments",)),
        "Cloudflare": (Role.SUBPROCESSOR, ("Content delivery",)),
        "BunnyCDN": (Role.SUBPROCESSOR, ("Content delivery",)),
        "Cloudflare R2": (Role.SUBPROCESSOR, ("Storage of encrypted database backups",)),
        "Resend": (Role.SUBPROCESSOR, ("Transactional e-mail",)),
        "Google": (Role.INDEPENDENT_CONTROLLER, ("Sign-in with Google OAuth",)),
        "Hetzner": (Role.SUBPROCESSOR, ("Servers that run the service",)),
        "Restream targets": (Role.CUSTOMER_DIRECTED, ("Forwarding of streams to platforms the customer names",)),
    }


def test_antopsis_shares_three_kinds_of_payment_data_with_stripe() -> None:
    assert entries_of("antopsis")["stripe"].data_categories == ("Customer ID", "Subscription status", "Payment events")


def test_antopsis_has_cloudflare_in_two_engagements() -> None:
    entries = entries_of("antopsis")
    assert entries["cloudflare"].data_categories != entries["cloudflare-r2"].data_categories
    assert entries["cloudflare-r2"].data_categories == ("Database backups (encrypted)",)


def test_antopsis_is_hosted_in_falkenstein_with_a_safeguard_that_is_not_named() -> None:
    hetzner = entries_of("antopsis")["hetzner-falkenstein"]
    (place,) = hetzner.locations
    assert (place.country, place.place, place.function) == ("DE", "Falkenstein", LocationFunction.PROCESSING)
    within, from_outside = hetzner.transfers
    assert (within.regime, within.mechanism, within.destination) == ("eu", "none.same-area", "DE")
    assert (from_outside.regime, from_outside.mechanism, from_outside.destination) == (None, "unknown", "DE")
    assert from_outside.details is not None
    assert "outside the EU" in from_outside.details
    assert "safeguards" in from_outside.details


def test_antopsis_forwards_to_google_and_restream_targets_only_where_the_customer_chooses() -> None:
    entries = entries_of("antopsis")
    for key in ("google", "restream-targets"):
        condition = entries[key].condition
        assert condition is not None
        assert condition.when is ConditionWhen.CUSTOMER_CHOICE


@pytest.mark.parametrize(
    ("slug", "keys"),
    [
        ("apexstream", {"hosting", "email", "payments", "analytics"}),
        ("streamonapi", {"payments", "email-delivery", "hosting", "analytics"}),
    ],
)
def test_publishers_that_name_nobody_list_categories(slug: str, keys: set[str]) -> None:
    entries = entries_of(slug)
    assert set(entries) == keys
    assert {content.role for content in entries.values()} == {Role.CATEGORY}
    assert {content.locations for content in entries.values()} == {()}


def test_apexstream_names_standard_contractual_clauses_without_a_module() -> None:
    for content in entries_of("apexstream").values():
        (transfer,) = content.transfers
        assert (transfer.mechanism, transfer.regime, transfer.destination) == ("other", None, None)
        assert transfer.details is not None
        assert "standard contractual clauses" in transfer.details
        assert "module is not stated" in transfer.details


def test_apexstream_lists_data_by_what_it_is_used_for() -> None:
    entries = entries_of("apexstream")
    assert entries["payments"].data_categories == ("Plan", "Invoices", "Payment metadata")
    assert "connection counts" in entries["hosting"].data_categories[0]
    assert "e-mail address" in entries["email"].data_categories[0]
    assert entries["analytics"].data_categories == ()
    for key in ("hosting", "email"):
        activity = entries[key].activity
        assert activity is not None
        assert "not to recipients" in activity


def test_streamonapi_promises_thirty_days_and_an_answer_within_48_hours() -> None:
    publisher = example("streamonapi").publisher
    assert (publisher.notice.days, publisher.notice.counting) == (30, "calendar")
    assert publisher.inquiries is not None
    assert "48 hours on business days" in publisher.inquiries


def test_streamonapi_names_standard_contractual_clauses_or_other_approved_mechanisms() -> None:
    for content in entries_of("streamonapi").values():
        (transfer,) = content.transfers
        assert (transfer.mechanism, transfer.regime, transfer.destination) == ("other", None, None)
        assert transfer.details is not None
        assert "standard contractual clauses or other approved mechanisms" in transfer.details


def test_nextapi_names_five_and_a_category() -> None:
    roles = {content.name: content.role for content in entries_of("nextapi").values()}
    assert roles == {
        **dict.fromkeys(("Seedance", "Clerk", "Cloudflare", "Aliyun", "PostHog"), Role.SUBPROCESSOR),
        "Payment processor": Role.CATEGORY,
    }


def test_nextapi_sends_prompts_and_images_to_the_upstream_model() -> None:
    assert entries_of("nextapi")["seedance"].data_categories == ("Prompt text", "Reference images")


def test_nextapi_signs_in_by_clerk_and_runs_on_two_providers() -> None:
    entries = entries_of("nextapi")
    assert "Sign-in" in entries["clerk"].purposes
    for key in ("cloudflare", "aliyun"):
        assert entries[key].purposes == ("Hosting", "Content delivery (CDN)", "DDoS protection")
        assert "by default 7 days" in (entries[key].retention or "")
    assert entries["seedance"].retention is None


def test_nextapi_lets_people_opt_out_of_posthog() -> None:
    posthog = entries_of("nextapi")["posthog"]
    assert posthog.purposes == ("Product analytics",)
    assert posthog.condition is not None
    assert posthog.condition.when is ConditionWhen.OPT_OUT
    others = [content.condition for key, content in entries_of("nextapi").items() if key != "posthog"]
    assert others == [None] * 5
