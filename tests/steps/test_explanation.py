"""The publisher's own words beside the changes: what approvals bind to, and in every form a statement takes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from registry.domain.errors import InvalidInput
from registry.letters.mime import QUOTED_PRINTABLE
from registry.pages.feed_items import build_feed
from registry.pages.values import Addresses
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.steps.approvals import count_approvals
from registry.steps.correct_notice import approve_correction, correct_notice
from registry.steps.errors import NotApproved
from registry.steps.lookup import get_notice, get_publisher
from registry.tables import Letter, Notice, Statement
from registry.writers.json_list import build_json
from tests.channels.http_receiver import HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import TWO_PLACES, approve, at, edit, revise, withdraw
from tests.steps.web_cast import connect, posted
from tests.world import ANNA, ANTOPSIS, BORIS, BREMEN, HANOI, World, antopsis, letters_to, text_of

WORDS = """We open a **second site** in Helsinki. See [our page](https://antopsis.example/why).

- Nothing leaves the Union.
- <b>Prices</b> stay."""
IN_TEXT = """In our own words
----------------

We open a *second site* in Helsinki. See our page
(https://antopsis.example/why).

- Nothing leaves the Union.
- <b>Prices</b> stay.

What changes"""
IN_HTML = (
    "We open a <strong>second site</strong> in Helsinki.",
    'href="https://antopsis.example/why" rel="noopener nofollow"',
    "&lt;b&gt;Prices&lt;/b&gt; stay.",
)
WRONG = "The place is Tampere, not Helsinki."


def _drafted(world: World, approvals: int = 0, **options: Any) -> str:
    world.apply(antopsis(approvals=approvals))
    edit(world, TWO_PLACES)
    return world.draft(**options)


def _tampere(approvals: int = 0) -> RegistryFile:
    place = "\n      - {country: FI, place: Tampere, function: processing}"
    text = ANTOPSIS.format(approvals=approvals, more_locations=place, customers=HANOI + BREMEN, more_entries="")
    return read_registry_file(text.encode(), "antopsis.yaml")


def _correct(world: World, number: str, explanation: str | None) -> None:
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        letterhead = world.wiring.letterhead
        correct_notice(session, world.at, publisher, notice, ANNA, letterhead, reason=WRONG, explanation=explanation)


def test_it_is_kept_as_markdown_with_plain_line_breaks_and_nothing_around(world: World) -> None:
    number = _drafted(world, explanation="  We **move**.\r\n\r\n- one\r\n- two\r\n ")
    assert world.notice(number).explanation == "We **move**.\n\n- one\n- two"


def test_a_notice_without_one_has_the_digest_it_always_had(world: World) -> None:
    number = _drafted(world)
    assert world.notice(number).explanation == ""
    before = world.notice(number).digest
    revise(world, number, explanation="  \n")
    assert world.notice(number).digest == before
    revise(world, number, explanation=WORDS)
    assert world.notice(number).digest != before
    revise(world, number, explanation="")
    assert world.notice(number).digest == before


def test_another_word_in_it_voids_the_approvals(world: World) -> None:
    number = _drafted(world, approvals=1, explanation=WORDS)
    approve(world, number, BORIS)
    assert world.notice(number).state == "approved"
    revise(world, number, explanation=WORDS.replace("second", "third"))
    notice = world.notice(number)
    assert notice.state == "draft"
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        assert count_approvals(session, publisher, "notice", notice.id, notice.digest, excluding=set()) == 0
    with pytest.raises(NotApproved):
        world.publish(number)


def test_leaving_it_out_of_a_revision_leaves_it_as_it_is(world: World) -> None:
    number = _drafted(world, explanation=WORDS)
    revise(world, number, summary="Helsinki joins")
    assert world.notice(number).explanation == WORDS


@pytest.mark.parametrize(
    ("words", "code"),
    [("a" * 5_001, "too-long"), ("We move\x07.", "control-character"), ("We\u202emove", "control-character")],
)
def test_what_cannot_be_printed_or_is_too_long_is_refused_at_its_field(world: World, words: str, code: str) -> None:
    number = _drafted(world)
    for tried in (lambda: world.draft(explanation=words), lambda: revise(world, number, explanation=words)):
        with pytest.raises(InvalidInput) as refusal:
            tried()
        assert [(each.field, each.code) for each in refusal.value.problems] == [("explanation", code)]
    assert world.notice(number).explanation == ""


def test_exactly_the_longest_is_taken(world: World) -> None:
    assert len(world.notice(_drafted(world, explanation="ä" * 5_000)).explanation) == 5_000


def test_every_letter_says_it_before_the_changes(world: World, mail_server: MailServer) -> None:
    number = _drafted(world, explanation=WORDS)
    world.publish(number)
    world.tick()
    (letter,) = letters_to(mail_server, "dpo@bremen.example")
    assert IN_TEXT in text_of(letter).replace("\r\n", "\n")
    part = letter.get_body(("html",))
    assert part is not None
    assert part["Content-Transfer-Encoding"] == QUOTED_PRINTABLE
    page = part.get_content()
    assert [words for words in IN_HTML if words not in page] == []
    assert page.index("second site") < page.index("What changes")


def test_a_letter_without_one_has_no_place_for_it(world: World, mail_server: MailServer) -> None:
    world.publish(_drafted(world))
    world.tick()
    (letter,) = letters_to(mail_server, "dpo@bremen.example")
    assert "In our own words" not in letter.as_string()


def test_it_is_frozen_once_for_all_its_readers(world: World) -> None:
    number = _drafted(world, explanation=WORDS)
    world.publish(number)
    with world.reading() as session:
        letters = session.scalars(select(Letter).where(Letter.statement_id.is_not(None))).all()
        assert {letter.audience for letter in letters} == {"customer", "follower"}
        assert len(letters) == 2
        assert all("*second site*" in letter.text for letter in letters)


def test_the_public_sees_it_on_the_page_in_the_feeds_and_in_the_file(world: World) -> None:
    world.publish(_drafted(world, explanation=WORDS))
    public = world.public()
    (notice,) = public.notices
    assert notice.explanation == WORDS
    addresses = Addresses("https://registry.example/antopsis")
    page = world.wiring.pages.notice_page(public, notice, addresses).decode()
    assert [words for words in IN_HTML if words not in page] == []
    assert "In Antopsis’s own words" in page
    items = json.loads(build_feed(public, addresses, "json"))["items"]
    (item,) = [each for each in items if each["title"].startswith("Announced")]
    assert [words for words in IN_HTML if words not in item["content_html"]] == []
    for kind in ("rss", "atom"):
        assert b"second site" in build_feed(public, addresses, kind)
    (upcoming,) = json.loads(build_json(public, addresses))["upcoming"]
    assert upcoming["explanation"] == WORDS


def test_the_file_says_null_where_there_is_none(world: World) -> None:
    world.publish(_drafted(world))
    (upcoming,) = json.loads(build_json(world.public(), Addresses("https://registry.example/antopsis")))["upcoming"]
    assert upcoming["explanation"] is None


def test_a_webhook_carries_the_markdown_as_it_was_written(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis())
    connect(world, receiver)
    edit(world, TWO_PLACES)
    world.publish(world.draft(explanation=WORDS))
    world.tick()
    (payload,) = posted(receiver)
    assert payload["data"]["notice"]["explanation"] == WORDS


def test_a_withdrawal_refers_to_the_notice_and_does_not_explain_it_again(world: World, mail_server: MailServer) -> None:
    number = _drafted(world, explanation=WORDS)
    world.publish(number)
    world.tick()
    withdraw(world, number, reason="Not needed")
    world.tick()
    told = [text_of(letter) for letter in letters_to(mail_server, "dpo@bremen.example")]
    assert ["In our own words" in text for text in told] == [True, False]
    public, addresses = world.public(), Addresses("https://registry.example/antopsis")
    assert b"second site" not in build_feed(public, addresses, "atom")
    page = world.wiring.pages.notice_page(public, public.notices[0], addresses).decode()
    assert "What Antopsis had said about it" in page


@pytest.mark.parametrize(
    ("explanation", "told"),
    [(None, WORDS), ("It is Tampere.", "It is Tampere."), ("", "")],
    ids=["kept", "new", "gone"],
)
def test_a_correction_keeps_the_words_changes_them_or_takes_them_away(
    world: World, explanation: str | None, told: str
) -> None:
    number = _drafted(world, explanation=WORDS)
    world.publish(number)
    world.apply(_tampere())
    _correct(world, number, explanation)
    assert world.notice(number).explanation == told
    with world.reading() as session:
        statements = session.scalars(select(Statement).order_by(Statement.seq)).all()
        assert [each.explanation for each in statements] == [WORDS, told]
    assert world.public().notices[0].explanation == told


def test_an_approval_of_a_correction_binds_to_its_words(world: World) -> None:
    number = _drafted(world, approvals=1, explanation=WORDS)
    approve(world, number)
    world.publish(number)
    world.apply(_tampere(approvals=1))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        approve_correction(session, world.at, publisher, notice, BORIS, reason=WRONG, explanation="It is Tampere.")
    for other in (None, "It is Turku."):
        with pytest.raises(NotApproved):
            _correct(world, number, other)
    _correct(world, number, "It is Tampere.")
    assert world.notice(number).explanation == "It is Tampere."


def test_a_past_day_shows_the_words_of_that_day(world: World) -> None:
    number = _drafted(world, explanation=WORDS)
    world.publish(number)
    announced_on = world.at.date()
    at(world, world.at + timedelta(days=2))
    world.apply(_tampere())
    _correct(world, number, "It is Tampere.")
    at(world, world.at + timedelta(days=1))
    assert world.public(as_of=announced_on).notices[0].explanation == WORDS
    assert world.public().notices[0].explanation == "It is Tampere."


def test_notices_of_an_earlier_release_have_none(world: World) -> None:
    number = _drafted(world)
    with world.reading() as session:
        assert session.scalars(select(Notice.explanation).where(Notice.number == number)).one() == ""
