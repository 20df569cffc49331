"""What goes out by web: a payload that fits its schema, and messages within what chat services take (R30)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from registry.domain.vocabulary import Audience, ChannelKind, StatementKind
from registry.letters.slots import BrokenSlot, MissingSlotValue, UnknownSlot
from registry.letters.teams_message import LONGEST_MESSAGE
from registry.letters.values import StatementFacts
from registry.letters.web_forms import WEB_FORMS, fill_form, freeze_form, write_test
from registry.letters.web_slots import WebSlot, fill_document, freeze_document
from registry.letters.webhook_payload import EVENT_TYPES
from registry.writers.webhook_schema import load_webhook_schema
from tests.letters.cast import ANNOUNCEMENT, ANTOPSIS, change, facts_of

MADE_AT = datetime(2026, 9, 30, 8, 0, 0, 250_000, tzinfo=UTC)
TITLE = "Antopsis: change to the subprocessor list on 31 October 2026 (notice 2026-001)"
VALUES = {
    "customer_key": "bremen",
    "customer_name": "Bremen Media GmbH",
    "deadline_at": "2026-10-30T23:00:00Z",
    "deadline_on": "2026-10-30",
    "deadline_zone": "Europe/Berlin",
    "deadline_in_words": "end of Friday, 30 October 2026 (2026-10-30, Europe/Berlin)",
    "object_url": "https://registry.example/antopsis/object/k1.17.0a",
    "acknowledge_url": "https://registry.example/antopsis/acknowledge/k1.17.0b",
    "delivery_reference": "registry.example/17",
}
SCHEMA: dict[str, Any] = json.loads(load_webhook_schema())
CHATS = (ChannelKind.SLACK, ChannelKind.TEAMS)
KINDS_AND_AUDIENCES = [(kind, audience) for kind in StatementKind for audience in Audience]
ADDED_SINCE = {"explanation", "object_url", "acknowledge_url"}
"""Fields that version 1 did not begin with: what was frozen before, and is repeated today, has none of them."""
NOTICE_URL = "https://registry.example/antopsis/notices/2026-001"

SLACK_MOST_BLOCKS, SLACK_LONGEST_TEXT, SLACK_LONGEST_HEADER = 50, 3_000, 150
SLACK_BLOCKS_SEEN_REFUSED = 13_000
WORKFLOWS_ADD = 1.2
"""Teams counts what Workflows has packed anew: a card of 24,453 bytes was refused as 28,897."""


def finished(
    form: ChannelKind,
    facts: StatementFacts = ANNOUNCEMENT,
    audience: Audience = Audience.CUSTOMER,
    title: str = TITLE,
    **values: str,
) -> bytes:
    """One recipient's message."""
    return fill_form(form, freeze_form(form, facts, audience, title, "en", MADE_AT).text, VALUES | values)


def payload_of(facts: StatementFacts, audience: Audience, **values: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(finished(ChannelKind.WEBHOOK, facts, audience, **values))
    Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)
    return document


def texts_of(form: ChannelKind, message: bytes) -> list[str]:
    """Every text of a chat message, as its service would show it, in order."""
    document = json.loads(message)
    if form is ChannelKind.SLACK:
        blocks = document["blocks"]
        texts = [block["text"]["text"] for block in blocks if "text" in block]
        return texts + [each["text"] for block in blocks if block["type"] == "context" for each in block["elements"]]
    body = document["attachments"][0]["content"]["body"]
    return ["".join(run["text"] for run in block["inlines"]) for block in body]


def check_slack(message: bytes) -> None:
    blocks = json.loads(message)["blocks"]
    assert len(blocks) <= SLACK_MOST_BLOCKS
    assert len(json.dumps(blocks, ensure_ascii=False)) < SLACK_BLOCKS_SEEN_REFUSED
    for block in blocks:
        if block["type"] == "header":
            assert 1 <= len(block["text"]["text"]) <= SLACK_LONGEST_HEADER
        elif block["type"] == "section":
            assert 1 <= len(block["text"]["text"]) <= SLACK_LONGEST_TEXT
        elif block["type"] == "context":
            assert 1 <= len(block["elements"]) <= 10
            assert all(len(each["text"]) <= SLACK_LONGEST_TEXT for each in block["elements"])
        else:
            assert block == {"type": "divider"}


def check_teams(message: bytes) -> None:
    assert len(message) * WORKFLOWS_ADD <= LONGEST_MESSAGE
    envelope = json.loads(message)
    assert envelope["type"] == "message"
    (attachment,) = envelope["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    # Only text runs, in which Teams reads no Markdown.
    assert {element["type"] for element in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for element in card["body"] for run in element["inlines"]} == {"TextRun"}
    assert {action["type"] for action in card["actions"]} == {"Action.OpenUrl"}


CHECKS = {ChannelKind.SLACK: check_slack, ChannelKind.TEAMS: check_teams}


# The payload of webhooks


@pytest.mark.parametrize(("kind", "audience"), KINDS_AND_AUDIENCES)
def test_every_payload_fits_the_schema_and_says_what_it_is(kind: StatementKind, audience: Audience) -> None:
    payload = payload_of(facts_of(kind), audience)
    assert payload["type"] == EVENT_TYPES[kind]
    assert payload["timestamp"] == "2026-09-30T08:00:00Z"
    data = payload["data"]
    assert data["version"] == 1
    assert data["notice"]["number"] == "2026-001"
    assert data["changes"] == json.loads(json.dumps([change.as_document() for change in ANNOUNCEMENT.changes]))
    is_customer = audience is Audience.CUSTOMER
    assert data["recipient"]["customer"] == ({"key": "bremen", "name": "Bremen Media GmbH"} if is_customer else None)
    may_object = is_customer and kind not in {StatementKind.WITHDRAWAL, StatementKind.EFFECT}
    deadline = {"at": "2026-10-30T23:00:00Z", "on": "2026-10-30", "time_zone": "Europe/Berlin"}
    assert data["recipient"]["objection_deadline"] == (deadline if may_object else None)
    assert data["recipient"]["delivery"] == "registry.example/17"


def test_the_schema_describes_every_field_that_is_sent_and_no_other() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    def compare(value: Any, schema: dict[str, Any]) -> None:
        schema = schema.get("oneOf", [schema])[-1]
        if isinstance(value, dict) and "properties" in schema:
            assert set(value) == set(schema["properties"])
            assert set(schema["required"]) == set(value) - ADDED_SINCE
            for name, inner in value.items():
                compare(inner, schema["properties"][name])

    compare(payload_of(ANNOUNCEMENT, Audience.CUSTOMER), SCHEMA)
    told = payload_of(ANNOUNCEMENT, Audience.CUSTOMER)["data"]["changes"][0]
    assert set(told) | {"translations"} == set(SCHEMA["$defs"]["change"]["properties"])


def test_a_notice_put_off_until_further_notice_has_no_date() -> None:
    facts = replace(facts_of(StatementKind.POSTPONEMENT), effective_on=None, effective_at=None)
    notice = payload_of(facts, Audience.CUSTOMER)["data"]["notice"]
    assert (notice["effective_on"], notice["effective_at"]) == (None, None)
    assert notice["previous_effective_on"] == "2026-10-31"
    assert notice["reason"] == "A customer has not yet been reached."


def test_what_is_filled_in_is_escaped_where_it_stands_and_never_looked_at_again() -> None:
    odd = 'Söhne "& Töchter" \\ \x02customer_key\x03\n'
    told = payload_of(ANNOUNCEMENT, Audience.CUSTOMER, customer_name=odd)
    assert told["data"]["recipient"]["customer"]["name"] == odd


@pytest.mark.parametrize("text", ["\\u0002customer_key\\u0003", "\\\\u0002", '\\"', "a\\", "\\u0041"])
def test_what_looks_like_a_slot_once_it_is_escaped_is_none(text: str) -> None:
    frozen = freeze_document({"text": text, "slot": WebSlot.CUSTOMER_KEY.mark})
    assert json.loads(fill_document(frozen, {"customer_key": "bremen"})) == {"text": text, "slot": "bremen"}


@given(st.dictionaries(st.text(), st.text(st.characters(exclude_characters="\x02\x03", exclude_categories=["Cs"]))))
def test_a_frozen_document_is_the_document_but_for_its_slots(document: dict[str, str]) -> None:
    clean = {key: value for key, value in document.items() if not {"\x02", "\x03"} & set(key)}
    clean = {key.encode("utf-8", "replace").decode(): value for key, value in clean.items()}
    assert json.loads(fill_document(freeze_document(clean), {})) == clean


def test_a_slot_that_is_unknown_broken_or_not_filled_is_an_error() -> None:
    with pytest.raises(UnknownSlot):
        fill_document(freeze_document({"a": "\x02recipient_name\x03"}), VALUES)
    with pytest.raises(MissingSlotValue):
        fill_document(freeze_document({"a": WebSlot.CUSTOMER_KEY.mark}), {})
    with pytest.raises(BrokenSlot):
        fill_document(freeze_document({"a": "\x02"}), VALUES)


@pytest.mark.parametrize("form", WEB_FORMS)
def test_content_that_could_be_taken_for_a_slot_is_refused(form: ChannelKind) -> None:
    for facts in (
        replace(ANNOUNCEMENT, summary="pay \x02customer_key\x03"),
        replace(ANNOUNCEMENT, changes=(replace(ANNOUNCEMENT.changes[0], name="Evil \x02"),)),
        replace(ANNOUNCEMENT, sender=replace(ANTOPSIS, name="\x03")),
    ):
        with pytest.raises(BrokenSlot):
            freeze_form(form, facts, Audience.CUSTOMER, TITLE, "en", MADE_AT)


# Messages to chat rooms


@pytest.mark.parametrize("form", CHATS)
@pytest.mark.parametrize(("kind", "audience"), KINDS_AND_AUDIENCES)
def test_every_message_tells_the_change_and_keeps_within_the_services_limits(
    form: ChannelKind, kind: StatementKind, audience: Audience
) -> None:
    message = finished(form, facts_of(kind), audience)
    CHECKS[form](message)
    read = "\n".join(texts_of(form, message))
    assert TITLE in read
    assert "Hetzner: new on the list" in read
    assert "BunnyCDN: removed from the list" in read
    assert "United States (US), Ashburn: storage (new)" in read
    assert "independent controller → subprocessor" in read
    assert "Reference: registry.example/17" in read
    assert NOTICE_URL in message.decode()
    is_customer = audience is Audience.CUSTOMER
    assert ("Bremen Media GmbH" in read) is is_customer
    may_object = is_customer and kind not in {StatementKind.WITHDRAWAL, StatementKind.EFFECT}
    assert ("end of Friday, 30 October 2026 (2026-10-30, Europe/Berlin)" in read) is may_object
    assert ("write to privacy@antopsis.example and quote notice 2026-001" in read) is may_object
    assert "\x02" not in read


@pytest.mark.parametrize("form", CHATS)
def test_the_effective_date_is_told_in_words_and_iso(form: ChannelKind) -> None:
    read = "\n".join(texts_of(form, finished(form)))
    assert "Saturday, 31 October 2026 (2026-10-31, Europe/Berlin), from its first minute (2026-10-30 23:00 UTC)" in read
    without = replace(facts_of(StatementKind.POSTPONEMENT), effective_on=None, effective_at=None)
    read = "\n".join(texts_of(form, finished(form, without)))
    assert "none yet, until further notice" in read
    assert "Saturday, 31 October 2026 (2026-10-31, Europe/Berlin)" in read


@pytest.mark.parametrize("form", CHATS)
def test_an_emergency_is_marked_with_its_reason(form: ChannelKind) -> None:
    facts = replace(ANNOUNCEMENT, emergency_reason="A data centre burned down.")
    assert any(
        "A data centre burned down." in text and "Emergency" in text for text in texts_of(form, finished(form, facts))
    )


@pytest.mark.parametrize("form", CHATS)
def test_no_link_that_acts_for_whoever_opens_it_stands_in_a_room(form: ChannelKind) -> None:
    for audience in Audience:
        message = finished(form, audience=audience).decode()
        assert "/manage/" not in message
        assert "/unsubscribe/" not in message


LONG = "&<>*_`~ Ünïcödé 漢字 " * 200
MANY = tuple(
    change(f"vendor-{n}", None, {"name": f"Vendor {n} & Söhne", "purposes": [LONG[:400]], "activity": LONG[:3_000]})
    for n in range(80)
)


@pytest.mark.parametrize("form", CHATS)
@pytest.mark.parametrize("count", [1, 8, 30, 45, 80])
def test_a_message_too_long_is_cut_with_a_link_to_the_notice(form: ChannelKind, count: int) -> None:
    facts = replace(
        ANNOUNCEMENT,
        summary=LONG,
        changes=MANY[:count],
        reason=LONG[:4_900],
        emergency_reason=LONG[:4_900],
    )
    message = finished(form, facts, title=f"{'&' * 400} (notice 2026-001)", customer_name="&" * 500)
    CHECKS[form](message)
    read = "\n".join(texts_of(form, message))
    assert "see the notice" in read
    shown = sum(f"Vendor {n} " in read for n in range(count))
    assert 0 < shown <= count
    if shown < count:
        assert f"… and {count - shown} more" in read


@pytest.mark.parametrize("form", CHATS)
@pytest.mark.parametrize("audience", list(Audience))
@settings(max_examples=50)  # for each of the four kinds of message
@given(
    summary=st.text(max_size=3_000),
    name=st.text(min_size=1, max_size=400),
    customer=st.text(min_size=1, max_size=500),
    count=st.integers(1, 60),
)
def test_whatever_is_said_the_message_is_one_the_service_takes(
    form: ChannelKind, audience: Audience, summary: str, name: str, customer: str, count: int
) -> None:
    clean = str.maketrans("", "", "\x02\x03")
    summary, name, customer = (
        text.encode("utf-8", "replace").decode().translate(clean) for text in (summary, name, customer)
    )
    facts = replace(
        ANNOUNCEMENT, summary=summary, changes=tuple(replace(each, name=name or "x") for each in MANY[:count])
    )
    CHECKS[form](finished(form, facts, audience, customer_name=customer or "x"))


def test_slack_takes_no_markup_from_what_somebody_wrote() -> None:
    facts = replace(ANNOUNCEMENT, summary="<!channel> see <https://evil.example|the notice> & more")
    message = json.loads(finished(ChannelKind.SLACK, facts, customer_name="<!here> & Sons"))
    texts = [block["text"]["text"] for block in message["blocks"] if block["type"] == "section"]
    assert "&lt;!channel&gt; see &lt;https://evil.example|the notice&gt; &amp; more" in texts
    assert "*For:* &lt;!here&gt; &amp; Sons" in texts
    assert all(block["text"]["verbatim"] for block in message["blocks"] if block["type"] == "section")
    assert message["text"] == TITLE


def test_the_headline_of_slack_has_no_markup_at_all() -> None:
    message = json.loads(finished(ChannelKind.SLACK, title="A & B: <change> :warning:"))
    assert message["blocks"][0]["text"] == {"type": "plain_text", "text": "A & B: <change> :warning:", "emoji": False}
    assert message["text"] == "A &amp; B: &lt;change&gt; :warning:"


@pytest.mark.parametrize("form", WEB_FORMS)
def test_the_same_facts_and_values_give_the_same_bytes(form: ChannelKind) -> None:
    assert finished(form) == finished(form)
    finished(form).decode("utf-8")


@pytest.mark.parametrize("form", CHATS)
def test_a_room_is_tried_with_a_message_that_says_who_will_post(form: ChannelKind) -> None:
    document = json.loads(write_test(form, "A & B"))
    said = json.dumps(document, ensure_ascii=False)
    assert ("A &amp; B" if form is ChannelKind.SLACK else "A & B") in said
    assert "test of the address" in said


def test_there_is_no_form_of_the_web_for_mail() -> None:
    with pytest.raises(ValueError, match="email"):
        freeze_form(ChannelKind.EMAIL, ANNOUNCEMENT, Audience.FOLLOWER, TITLE, "en", MADE_AT)
    with pytest.raises(ValueError, match="webhook"):
        write_test(ChannelKind.WEBHOOK, "Antopsis")
