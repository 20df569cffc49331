"""Each is told in the language of their subscription: frozen once a language, merged and made again in it (R30)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import event, select

from registry.domain.vocabulary import Audience, ServiceLetterKind
from registry.steps.fan_out import fan_out
from registry.steps.freeze_letters import freeze_missing, own_language
from registry.steps.load_letter import load_recipient
from registry.steps.lookup import get_publisher
from registry.steps.make_statement import deliver_pending_to
from registry.steps.merge_letter import make_envelope
from registry.steps.service_letters import freeze_service_letter
from registry.tables import Attempt, Delivery, Letter, Notice, Publisher, Statement, Subscription
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import announce, follow, sweep, withdraw
from tests.world import World, antopsis, letters_to, text_of

CUSTOMERS = """  - key: bremen
    name: Bremen Media GmbH
    time_zone: Europe/Berlin
    contacts: [{email: dpo@bremen.example, language: de-AT}]
  - key: leeds
    name: Leeds Ltd
    time_zone: Europe/London
    contacts: [dpo@leeds.example]
"""
LINH, MEI, PIA, FRED = "linh@reader.example", "mei@reader.example", "pia@reader.example", "fred@reader.example"


def tell_all(world: World, customers: str = CUSTOMERS) -> str:
    """Announce a notice to customers and followers of several languages; return its number."""
    world.apply(antopsis(customers=customers))
    speak(world, follow(world, LINH), "vi")
    speak(world, follow(world, PIA), "pt-BR")
    return announce(world)


def speak(world: World, row: int, language: str, **values: Any) -> None:
    """Have a subscription ask for a language."""
    with world.writing() as session:
        subscription = session.get_one(Subscription, row)
        subscription.language = language
        for name, value in values.items():
            setattr(subscription, name, value)


def letter_to(mail_server: MailServer, address: str) -> EmailMessage:
    """The last letter to an address."""
    return letters_to(mail_server, address)[-1]


def languages(world: World) -> dict[str, list[str]]:
    """The languages that statements' letters were frozen in, by audience."""
    with world.reading() as session:
        rows = session.execute(
            select(Letter.audience, Letter.language)
            .where(Letter.statement_id.is_not(None))
            .order_by(Letter.audience, Letter.language)
        ).all()
    return {audience.value: [language for of, language in rows if of == audience.value] for audience in Audience}


def test_each_reads_the_notice_in_the_language_asked_for(world: World, mail_server: MailServer) -> None:
    number = tell_all(world)
    sweep(world)
    german, english = letter_to(mail_server, "dpo@bremen.example"), letter_to(mail_server, "dpo@leeds.example")
    assert german["Subject"] == (
        f"Antopsis: Änderung der Liste der Unterauftragsverarbeiter zum 2. November 2026 (Mitteilung {number})"
    )
    said = text_of(german)
    assert "Ablauf von Freitag, 30. Oktober 2026 (2026-10-30, Europe/Berlin)" in said
    assert "Sie sind als Ansprechpartner von Bremen Media GmbH" in said
    assert "Object by:" in text_of(english)
    vietnamese = text_of(letter_to(mail_server, LINH))
    assert "Danh sách bên xử lý phụ của Antopsis thay đổi" in vietnamese
    assert "Quý vị đã đề nghị được báo về thay đổi" in vietnamese
    assert languages(world) == {"customer": ["de", "en"], "follower": ["en", "vi"]}


def test_a_language_that_there_is_not_falls_to_the_publishers_and_then_to_english(
    world: World, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=""))
    speak(world, follow(world, PIA), "pt-BR")
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis", lock=True)
        publisher.facts = publisher.facts | {"language": "de-CH"}
        assert own_language(publisher) == "de"
        assert own_language(Publisher(facts={"language": "pt"})) == "en"
    announce(world)
    sweep(world)
    assert "Unterauftragsverarbeiter" in letter_to(mail_server, PIA)["Subject"]
    assert languages(world) == {"customer": ["de"], "follower": ["de"]}


def test_the_bytes_of_every_language_are_made_again(world: World) -> None:
    tell_all(world)
    sweep(world)
    with world.reading() as session:
        attempts = session.execute(
            select(Attempt.sha256, Delivery).join(Delivery, Delivery.id == Attempt.delivery_id)
        ).all()
        assert len(attempts) == 4
        for sha256, delivery in attempts:
            recipient = load_recipient(session, delivery)
            envelope = make_envelope(session, recipient, world.wiring.keyring)
            assert hashlib.sha256(envelope.message).hexdigest() == sha256


def test_who_joins_later_brings_a_language_along_and_the_others_stay_as_they_were(
    world: World, mail_server: MailServer
) -> None:
    number = tell_all(world)
    sweep(world)
    before = frozen(world)
    world.at += timedelta(days=1)
    join(world, MEI, "zh-Hant")
    sweep(world)
    letter = letter_to(mail_server, MEI)
    assert letter["Subject"] == f"Antopsis：次级受托方名单变更，自 2026年11月2日 起（通知 {number}）"
    assert languages(world) == {"customer": ["de", "en"], "follower": ["en", "vi", "zh"]}
    after = frozen(world)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1


def test_who_joins_in_a_known_language_adds_no_letter(world: World) -> None:
    tell_all(world)
    before = frozen(world)
    join(world, MEI, "vi-VN")
    join(world, FRED, "en-GB")
    assert frozen(world) == before


def test_later_statements_follow_in_the_same_language(world: World, mail_server: MailServer) -> None:
    number = tell_all(world)
    sweep(world)
    withdraw(world, number)
    sweep(world)
    assert "zurückgenommen" in letter_to(mail_server, "dpo@bremen.example")["Subject"]
    assert "đã rút lại" in letter_to(mail_server, LINH)["Subject"]


def test_a_letter_of_an_earlier_release_stands_in_where_its_language_is_the_only_one(world: World) -> None:
    number = tell_all(world)
    with world.writing() as session:
        statement = session.scalars(select(Statement).join(Notice).where(Notice.number == number)).one()
        notice = session.get_one(Notice, statement.notice_id)
        session.query(Delivery).delete()
        session.query(Letter).filter(Letter.language != "en").delete()
        counts = fan_out(session, world.at, notice, statement)
        spoken = session.scalars(
            select(Letter.language).join(Delivery, Delivery.letter_id == Letter.id).distinct()
        ).all()
    assert (counts["due"], spoken) == (4, ["en"])


def test_fanning_out_in_several_languages_is_still_one_statement(world: World) -> None:
    number = tell_all(world)
    written: list[str] = []
    with world.writing() as session:
        statement = session.scalars(select(Statement).join(Notice).where(Notice.number == number)).one()
        notice = session.get_one(Notice, statement.notice_id)
        session.query(Delivery).delete()
        event.listen(session.connection(), "before_cursor_execute", lambda *given: written.append(given[2]))
        counts = fan_out(session, world.at, notice, statement)
    inserts = [each for each in written if each.lstrip().upper().startswith("INSERT")]
    assert (counts["due"], len(inserts)) == (4, 1)
    assert len(written) <= 8


@pytest.mark.parametrize(("language", "subject"), [("de", "Bitte bestätigen"), ("vi-VN", "xin xác nhận"), ("xx", "")])
def test_a_letter_about_the_subscription_is_in_its_language_too(world: World, language: str, subject: str) -> None:
    world.apply(antopsis(customers=""))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        kind, letterhead = ServiceLetterKind.CONFIRM, world.wiring.letterhead
        arguments = (session, world.at, publisher, letterhead, kind, Audience.FOLLOWER)
        letter = freeze_service_letter(*arguments, language=language)
        assert freeze_service_letter(*arguments, language=language) is letter
        assert (subject or "please confirm") in letter.subject
        assert letter.language == (language[:2] if subject else "en")


def test_freezing_what_is_there_already_freezes_nothing(world: World) -> None:
    number = tell_all(world)
    with world.writing() as session:
        statement = session.scalars(select(Statement).join(Notice).where(Notice.number == number)).one()
        notice = session.get_one(Notice, statement.notice_id)
        for subscription in session.scalars(select(Subscription)).all():
            assert freeze_missing(session, world.at, notice, statement, subscription) == 0


def frozen(world: World) -> dict[int, str]:
    """The digests of all letters, by their rows."""
    with world.reading() as session:
        return {row.id: row.digest for row in session.scalars(select(Letter))}


def join(world: World, email: str, language: str) -> None:
    """Have somebody follow the list in a language and be told at once of what is pending."""
    row = follow(world, email)
    speak(world, row, language)
    with world.writing() as session:
        deliver_pending_to(session, world.at, session.get_one(Subscription, row))
