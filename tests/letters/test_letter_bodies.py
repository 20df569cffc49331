"""What customers and followers read, kind by kind. The golden letters are meant to be read by people too."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from registry.domain.vocabulary import Audience, ServiceLetterKind, StatementKind
from registry.letters.compose import compose
from registry.letters.slots import BrokenSlot, slots_of
from registry.letters.values import StatementFacts
from tests.letters.cast import (
    ANNOUNCEMENT,
    ANTOPSIS,
    FAILING,
    RENDERER,
    change,
    facts_of,
    merge_for,
    service_letter,
)
from tests.letters.reading import html_of, squeezed, text_of

GOLDEN = Path(__file__).parent / "golden"
KINDS_AND_AUDIENCES = [(kind, audience) for kind in StatementKind for audience in Audience]
EMERGENCY = "Our former provider has stopped its service after a fire."


def composed(facts: StatementFacts, audience: Audience) -> bytes:
    letter = RENDERER.render_statement(facts, audience, "en")
    return compose(letter, merge_for(letter, audience), ANTOPSIS)


@pytest.mark.parametrize("audience", list(Audience))
def test_the_announcement_reads_as_the_golden_letter(audience: Audience) -> None:
    golden = GOLDEN / f"announcement_{audience.value}.txt"
    text = text_of(composed(ANNOUNCEMENT, audience))
    if os.environ.get("WRITE_GOLDEN_LETTERS"):
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


@pytest.mark.parametrize(("kind", "audience"), KINDS_AND_AUDIENCES)
def test_every_statement_tells_each_audience_every_change_before_and_after(
    kind: StatementKind, audience: Audience
) -> None:
    message = composed(facts_of(kind), audience)
    for body in (text_of(message), html_of(message)):
        read = squeezed(body)
        assert "Hetzner: new on the list" in read
        assert "BunnyCDN: removed from the list" in read
        assert "Germany (DE): storage (no longer)" in read
        assert "United States (US), Ashburn: storage (new)" in read
        assert "EU-US Data Privacy Framework [GDPR Art 45; Dec (EU) 2023/1795]" in read
        assert "independent controller" in read
        assert "2026-001" in read
        assert "Antopsis (Antopsis Streaming GmbH)" in read
        for contact in (
            "privacy@antopsis.example",
            "https://antopsis.example/privacy",
            "https://antopsis.example/imprint",
        ):
            assert contact in read
        assert "None" not in read


@pytest.mark.parametrize(("kind", "audience"), KINDS_AND_AUDIENCES)
def test_plain_text_keeps_to_78_columns_but_for_addresses(kind: StatementKind, audience: Audience) -> None:
    for line in text_of(composed(facts_of(kind), audience)).split("\n"):
        assert len(line) <= 78 or len(line.split()) <= 2, line
        assert line == line.rstrip()


def test_a_long_zone_in_a_slot_is_wrapped_in_its_column() -> None:
    letter = RENDERER.render_statement(ANNOUNCEMENT, Audience.CUSTOMER, "en")
    merge = merge_for(letter, Audience.CUSTOMER)
    deadline = "end of Wednesday, 30 September 2026 (2026-09-30, America/Argentina/ComodRivadavia)"
    slots = tuple((name, deadline if name == "objection_deadline" else value) for name, value in merge.slots)
    text = text_of(compose(letter, replace(merge, slots=slots), ANTOPSIS))
    assert "Object by:       end of Wednesday, 30 September 2026 (2026-09-30,\n" in text
    assert "\n                 America/Argentina/ComodRivadavia)\n" in text


@pytest.mark.parametrize("kind", list(StatementKind))
def test_a_customer_is_told_how_to_object_as_long_as_objecting_makes_sense(kind: StatementKind) -> None:
    read = squeezed(text_of(composed(facts_of(kind), Audience.CUSTOMER)))
    can_object = kind not in {StatementKind.WITHDRAWAL, StatementKind.EFFECT}
    assert ("Object by: end of Friday, 30 October 2026 (2026-10-30, Europe/Berlin)" in read) is can_object
    assert ("write to privacy@antopsis.example: quote notice 2026-001" in read) is can_object
    assert ("Object: https://registry.example/antopsis/object/k1.412.c09aa" in read) is can_object


@pytest.mark.parametrize("kind", list(StatementKind))
def test_a_contract_contact_can_hand_over_and_cannot_silently_leave(kind: StatementKind) -> None:
    message = composed(facts_of(kind), Audience.CUSTOMER)
    read = squeezed(text_of(message))
    assert "Your company's contract asks us to tell it" in read
    assert "Change contact: https://registry.example/antopsis/manage/k1.s7.a8Vn2" in read
    assert "unsubscribe" not in read.lower()
    assert "unsubscribe" not in html_of(message).lower()


@pytest.mark.parametrize("kind", list(StatementKind))
def test_a_follower_can_choose_or_leave_and_is_given_no_deadline(kind: StatementKind) -> None:
    read = squeezed(text_of(composed(facts_of(kind), Audience.FOLLOWER)))
    assert "Stop: https://registry.example/antopsis/unsubscribe/k1.s7.Zb41x" in read
    assert "Choose: https://registry.example/antopsis/manage/k1.s7.a8Vn2" in read
    assert "Object by" not in read
    assert "/object/" not in read
    assert "contract asks us" not in read


@pytest.mark.parametrize(("kind", "audience"), KINDS_AND_AUDIENCES)
def test_everybody_is_told_why_they_get_the_letter(kind: StatementKind, audience: Audience) -> None:
    read = squeezed(text_of(composed(facts_of(kind), audience)))
    if audience is Audience.CUSTOMER:
        assert "You are a named contact of Example Customer GmbH for these notices, under its contract" in read
    else:
        assert "You asked to be told of changes to Antopsis's list, and confirmed it on 12 August 2026" in read


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("announcement", "Antopsis: change to the subprocessor list on 31 October 2026 (notice 2026-001)"),
        ("reminder", "Antopsis: reminder, change to the subprocessor list on 31 October 2026 (notice 2026-001)"),
        ("correction", "Antopsis: correction, change to the subprocessor list on 31 October 2026 (notice 2026-001)"),
        ("postponement", "Antopsis: change to the subprocessor list postponed to 14 November 2026 (notice 2026-001)"),
        ("withdrawal", "Antopsis: change to the subprocessor list withdrawn (notice 2026-001)"),
        ("effect", "Antopsis: change to the subprocessor list now in effect (notice 2026-001)"),
    ],
)
def test_a_subject_says_who_what_when_and_which_notice(kind: str, subject: str) -> None:
    facts = facts_of(StatementKind(kind))
    assert RENDERER.render_statement(facts, Audience.CUSTOMER, "en").subject == subject
    in_emergency = RENDERER.render_statement(replace(facts, emergency_reason=EMERGENCY), Audience.FOLLOWER, "en")
    assert in_emergency.subject == subject.replace("change", "emergency change")


def test_no_line_break_enters_a_subject() -> None:
    name = "Anto\npsis\u2028 GmbH\r\nBcc: everybody@example.org"
    sender = replace(ANTOPSIS, name=name)
    letter = RENDERER.render_statement(replace(ANNOUNCEMENT, sender=sender), Audience.FOLLOWER, "en")
    assert letter.subject.startswith("Anto psis GmbH Bcc: everybody@example.org: change to")
    assert len(letter.subject.splitlines()) == 1


@pytest.mark.parametrize("kind", [kind for kind in StatementKind if kind is not StatementKind.WITHDRAWAL])
@pytest.mark.parametrize("audience", list(Audience))
def test_an_emergency_is_marked_as_such_with_its_reason(kind: StatementKind, audience: Audience) -> None:
    message = composed(replace(facts_of(kind), emergency_reason=EMERGENCY), audience)
    for body in (text_of(message), html_of(message)):
        read = squeezed(body)
        assert "an emergency change" in read
        assert f"Reason: {EMERGENCY}" in read
        assert ("you can still object" in read.lower()) is (audience is Audience.CUSTOMER)


def test_a_postponement_names_both_dates_and_its_reason() -> None:
    read = squeezed(text_of(composed(facts_of(StatementKind.POSTPONEMENT), Audience.FOLLOWER)))
    assert "New date: Saturday, 14 November 2026 (2026-11-14, Europe/Berlin)" in read
    assert "Instead of: Saturday, 31 October 2026 (2026-10-31, Europe/Berlin)" in read
    assert "A customer has not yet been reached." in read


@pytest.mark.parametrize("audience", list(Audience))
def test_a_postponement_without_a_date_lasts_until_further_notice(audience: Audience) -> None:
    facts = replace(facts_of(StatementKind.POSTPONEMENT), effective_on=None, effective_at=None)
    message = composed(facts, audience)
    read = squeezed(text_of(message))
    assert "New date: none yet, until further notice" in read
    assert "takes effect with the beginning of the next day in Europe/Berlin" in read
    # No statement tells a date that follows "until further notice", so no letter promises one (ADR 0009).
    assert "The page of the notice shows that date as soon as it is set; we may not write to you again" in read
    assert squeezed(html_of(message)).count("until further notice") >= 2
    subject = RENDERER.render_statement(facts, audience, "en").subject
    assert subject == "Antopsis: change to the subprocessor list postponed until further notice (notice 2026-001)"


@pytest.mark.parametrize("kind", list(StatementKind))
def test_a_statement_without_a_date_says_until_further_notice(kind: StatementKind) -> None:
    facts = replace(facts_of(kind), effective_on=None, effective_at=None)
    read = squeezed(text_of(composed(facts, Audience.CUSTOMER)))
    assert ("until further notice" in read) is (kind is not StatementKind.EFFECT)


def test_the_effect_is_told_with_the_instant_it_was_committed() -> None:
    read = squeezed(text_of(composed(facts_of(StatementKind.EFFECT), Audience.FOLLOWER)))
    assert "In effect since: Saturday, 31 October 2026, 00:00 (2026-10-31T00:00+01:00, Europe/Berlin)" in read


def test_a_withdrawal_does_not_look_like_a_change() -> None:
    read = squeezed(text_of(composed(facts_of(StatementKind.WITHDRAWAL), Audience.CUSTOMER)))
    assert "Not happening: Hetzner: new on the list" in read
    assert "the list stays as it is" in read


def test_a_bare_publisher_and_a_bare_entry_still_make_a_whole_letter() -> None:
    sender = replace(ANTOPSIS, legal_name=None, privacy_url=None, imprint_url=None)
    facts = replace(
        ANNOUNCEMENT, sender=sender, changes=(change("x", None, {"name": "X"}),), summary="", product_names=()
    )
    read = squeezed(text_of(composed(facts, Audience.CUSTOMER)))
    assert "1. X: new on the list" in read
    assert "Places: not stated" in read
    assert "From: Antopsis Contact: privacy@antopsis.example" in read
    assert "Imprint" not in read


def test_a_letter_in_a_language_nobody_translated_is_the_english_one() -> None:
    english = RENDERER.render_statement(ANNOUNCEMENT, Audience.CUSTOMER, "en")
    assert RENDERER.render_statement(ANNOUNCEMENT, Audience.CUSTOMER, "tlh") == english


def test_content_that_could_be_taken_for_a_slot_is_refused() -> None:
    for facts in (
        replace(ANNOUNCEMENT, summary="pay \x02manage_url\x03"),
        replace(ANNOUNCEMENT, changes=(replace(ANNOUNCEMENT.changes[0], name="Evil \x02"),)),
        replace(ANNOUNCEMENT, sender=replace(ANTOPSIS, name="\x03")),
    ):
        with pytest.raises(BrokenSlot):
            RENDERER.render_statement(facts, Audience.CUSTOMER, "en")


def test_the_confirmation_letter_says_that_nothing_happens_without_it() -> None:
    letter = RENDERER.render_service_letter(ServiceLetterKind.CONFIRM, ANTOPSIS, "en", product_names=["Live streaming"])
    assert slots_of(letter) == {"confirm_url"}
    assert letter.subject == "Antopsis: please confirm that you want to be told of changes to the subprocessor list"
    text = text_of(compose(letter, merge_for(letter, Audience.FOLLOWER, headers=()), ANTOPSIS))
    read = squeezed(text)
    assert "\n  https://registry.example/antopsis/confirm/3kP0v\n" in text
    assert "valid for 7 days" in read
    assert "Without your confirmation nothing happens" in read
    assert "Live streaming" in read


def test_the_letter_to_an_address_that_is_subscribed_offers_its_choices() -> None:
    letter = RENDERER.render_service_letter(ServiceLetterKind.ALREADY_SUBSCRIBED, ANTOPSIS, "en")
    assert slots_of(letter) == {"manage_url"}
    read = squeezed(text_of(compose(letter, merge_for(letter, Audience.FOLLOWER, headers=()), ANTOPSIS)))
    assert "subscribed already, so nothing has changed" in read
    assert "https://registry.example/antopsis/manage/k1.s7.a8Vn2" in read


def test_the_letter_to_the_owner_of_a_failing_endpoint_reads_as_the_golden_one() -> None:
    letter = service_letter(ServiceLetterKind.ENDPOINT_FAILING, ANTOPSIS)
    assert slots_of(letter) == set()
    assert letter.subject == "Antopsis: notices do not reach hooks.customer.example (endpoint 17)"
    message = compose(letter, merge_for(letter, Audience.FOLLOWER, headers=()), ANTOPSIS)
    text, golden = text_of(message), GOLDEN / "endpoint_failing.txt"
    if os.environ.get("WRITE_GOLDEN_LETTERS"):
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")
    assert "Bad Gateway &lt;nginx&gt;" in html_of(message)


def test_the_owner_of_a_followers_endpoint_is_sent_to_the_page() -> None:
    endpoint = replace(FAILING, kind="slack", place="hooks.slack.com", customers=(), answer=None)
    letter = RENDERER.render_service_letter(ServiceLetterKind.ENDPOINT_FAILING, ANTOPSIS, "en", endpoint=endpoint)
    read = squeezed(text_of(compose(letter, merge_for(letter, Audience.FOLLOWER, headers=()), ANTOPSIS)))
    assert "Endpoint: 17, Slack at hooks.slack.com" in read
    assert "Last answer: none" in read
    assert "you find every notice on the page of the list" in read
    assert "contacts by e-mail" not in read
