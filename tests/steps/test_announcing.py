"""The moment a notice is told: all of it or nothing, and nothing of it before (R14, R15, R17)."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import jinja2
import pytest

from registry.letters.render import LetterRenderer
from registry.steps.errors import UnknownEntry
from registry.steps.lookup import get_publisher, read_facts
from registry.steps.published import load_entry_history
from registry.tables import PublisherTerms
from registry.wiring import TEMPLATES
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import (
    BREMEN_FACTS,
    HETZNER,
    STRIPE,
    TWO_PLACES,
    add_customer,
    announce,
    at,
    count_deliveries,
    dump,
    edit,
    events,
    follow,
    standing,
    statements,
    sweep,
    withdraw,
)
from tests.world import BREMEN, World, antopsis, letters_to, text_of, utc

CLERK = {"name": "Clerk", "purposes": ["Sign-in"]}


def test_nothing_of_a_published_notice_is_public_before_it_is_announced(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    before = world.public()
    edit(world, CLERK, "clerk")
    number = world.draft(announce_at=utc("2026-10-05 08:00"))
    world.publish(number)
    follow(world, "fred@reader.example", joins=True)
    at(world, utc("2026-09-30 21:00"))
    assert world.notice(number).state == "published"
    assert world.public() == before
    assert mail_server.messages == []
    with world.reading() as session, pytest.raises(UnknownEntry) as refusal:
        load_entry_history(session, get_publisher(session, "antopsis"), "clark")
    assert refusal.value.params["near"] == []
    at(world, utc("2026-10-05 07:59:59"))
    assert world.public().notices == ()
    at(world, utc("2026-10-05 08:00"))
    (notice,) = world.public().notices
    assert (notice.number, notice.announced_at) == (number, utc("2026-10-05 08:00"))
    assert notice.effective_on == date(2026, 11, 6)
    assert len(letters_to(mail_server, "dpo@bremen.example")) == 1
    assert len(letters_to(mail_server, "fred@reader.example")) == 1
    assert world.public(date(2026, 10, 4)).notices == ()


def test_a_clock_that_grew_longer_meanwhile_refuses_the_announcement_once_on_record(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    edit(world, TWO_PLACES)
    late = world.draft(announce_at=utc("2026-10-05 08:00"))
    world.publish(late)
    edit(world, None, "stripe")
    other = world.draft(announce_at=utc("2026-10-05 08:00"), effective_on=date(2026, 10, 10))
    world.publish(other)
    add_customer(world, **(BREMEN_FACTS | {"notice": {"days": 90}}))
    at(world, utc("2026-10-05 08:00"))
    at(world, utc("2026-10-05 08:01"))
    assert world.notice(late).state == "published"
    assert world.notice(other).state == "announced"
    (refusal,) = events(world, "notice.announce_refused")
    assert (refusal.subject, refusal.payload) == (late, {"code": "notice-period-too-short"})
    assert [notice.number for notice in world.public().notices] == [other]
    assert withdraw(world, late) == {}
    edit(world, TWO_PLACES)
    assert world.notice(world.draft()).planned_on == date(2027, 1, 5)


def test_an_error_while_announcing_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    """The letters of followers cannot be made, after those of customers were: neither stays."""
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    follow(world, "fred@reader.example")
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    broken = tmp_path / "templates" / "mail" / "announcement" / "body.txt"
    broken.write_text("{% if not is_customer %}{{ nothing.at_all }}{% endif %}")
    whole = world.wiring
    world.wiring = replace(whole, letterhead=replace(whole.letterhead, renderer=LetterRenderer(tmp_path / "templates")))
    before = dump(world)
    with pytest.raises(jinja2.UndefinedError):
        world.publish(number)
    assert dump(world) == before
    world.wiring = whole
    world.publish(number)
    assert count_deliveries(world) == 3


def test_one_announcement_that_fails_does_not_stop_the_next(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    first = announce(world, announce_at=utc("2026-10-05 08:00"))
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    second = world.draft(announce_at=utc("2026-10-05 08:00"), effective_on=date(2027, 3, 1))
    world.publish(second)
    add_customer(world, **(BREMEN_FACTS | {"notice": {"days": 60}}))
    at(world, utc("2026-10-05 09:00"), "announce")
    assert (world.notice(first).state, world.notice(second).state) == ("published", "announced")


def test_customers_are_frozen_with_the_terms_in_force_at_the_announcement(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world, announce_at=utc("2026-10-05 08:00"), effective_on=date(2027, 1, 15))
    assert standing(world, number, "bremen") is None
    add_customer(world, **(BREMEN_FACTS | {"notice": {"days": 60}}))
    add_customer(world, key="acme", name="Acme GmbH", contacts=["privacy@acme.example"])
    add_customer(world, key="gone", name="Gone GmbH", contract_until="2026-10-03", contacts=["a@gone.example"])
    at(world, utc("2026-10-05 08:00"))
    add_customer(world, **(BREMEN_FACTS | {"notice": {"days": 90}}))
    bremen, acme = standing(world, number, "bremen"), standing(world, number, "acme")
    assert bremen is not None
    assert acme is not None
    assert (bremen.terms["days"], acme.terms["days"]) == (60, 30)
    assert standing(world, number, "gone") is None
    skipped = [(each.customer, each.skip_reason) for each in world.status(number).deliveries if each.skip_reason]
    assert skipped == [("gone", "contract_ended")]
    sweep(world)
    bremen = standing(world, number, "bremen")
    assert bremen is not None
    assert bremen.earliest_at == utc("2026-12-04 23:00")


def test_terms_changed_between_publication_and_announcement_are_those_of_the_announcement(world: World) -> None:
    world.apply(antopsis(customers=""))
    number = announce(world, announce_at=utc("2026-10-05 08:00"), effective_on=date(2027, 1, 15))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        terms = read_facts(session, publisher).notice.model_copy(update={"objection_days": 40})
        session.add(
            PublisherTerms(
                publisher_id=publisher.id, version=2, document=terms.model_dump(mode="json"), from_at=world.at
            )
        )
    at(world, utc("2026-10-05 08:00"))
    assert world.notice(number).terms["objection_days"] == 40
    (notice,) = world.public().notices
    assert notice.objection_until_on == date(2026, 11, 14)


def test_every_message_of_a_notice_has_its_number_and_its_date(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    sweep(world)
    at(world, utc("2026-10-26 08:00"))
    at(world, utc("2026-10-31 23:00"))
    on = date(2026, 11, 1)
    assert statements(world, number) == [("announcement", on), ("reminder", on), ("effect", on)]
    edit(world, HETZNER)
    second = world.draft()
    world.publish(second)
    assert statements(world, second)[0][0] == "announcement"


def test_a_letter_says_what_was_frozen_with_the_announcement(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world, summary="A second place for our servers")
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        publisher.facts = publisher.facts | {"name": "Renamed"}
    sweep(world)
    (letter,) = letters_to(mail_server, "dpo@bremen.example")
    assert number in text_of(letter)
    assert "A second place for our servers" in text_of(letter)
    assert "Renamed" not in letter.as_string()
