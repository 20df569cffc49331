"""What proves a notice goes when its days are over, not a moment sooner, and leaves its digests and times (R36)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from registry.domain.retention import ENDED_DELIVERIES
from registry.steps.keyring import load_keyring
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.merge_letter import LetterErased, load_recipient, make_envelope
from registry.steps.record_outcome import OutcomeKind, record_outcome
from registry.steps.requeue_deliveries import requeue_deliveries
from registry.tables import Attempt, Delivery, Objection, Outcome, StoredMail, Task
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import at, dump, events, object_to, resolve, sweep, withdraw
from tests.steps.retention_cast import (
    A_MOMENT,
    DPO,
    IN_EFFECT,
    attempts,
    erase,
    hold,
    keeping,
    letters,
    lift,
    midnight,
    objections,
    put_in_effect,
    tell,
)
from tests.world import ANNA, World, utc

TEN = "{letters: 10, answers: forever, objections: forever}"
ANSWERS_TEN = "{letters: forever, answers: 10, objections: forever}"
OBJECTIONS_TEN = "{letters: forever, answers: forever, objections: 10}"


class TestLetters:
    def test_the_words_go_when_the_last_day_has_ended_and_the_proof_stays(self, world: World) -> None:
        put_in_effect(world, TEN)
        before = letters(world)
        assert erase(world, midnight("2026-11-12") - A_MOMENT) == {}
        assert all(each.merge for each in letters(world))
        assert erase(world, midnight("2026-11-12")) == {
            "letters": len(letters(world)) + len(letters(world, "reminder"))
        }
        for was, now in zip(before, letters(world), strict=True):
            assert now.merge is None
            kept = ("state", "message_id", "accepted_at", "deadline_at", "created_at", "letter_id", "attempt_count")
            assert [getattr(was, name) for name in kept] == [getattr(now, name) for name in kept]
            assert now.state == "accepted"
        assert all(each.sha256 and each.finished_at and each.answer for each in attempts(world))

    def test_the_bytes_cannot_be_made_again_and_the_record_says_so(self, world: World) -> None:
        put_in_effect(world, TEN)
        erase(world, midnight("2026-11-12"))
        with world.reading() as session:
            delivery = session.get_one(Delivery, letters(world)[0].id)
            recipient, keyring = load_recipient(session, delivery), load_keyring(session, world.at)
            with pytest.raises(LetterErased):
                make_envelope(session, recipient, keyring)

    def test_twice_in_a_row_does_nothing_more(self, world: World) -> None:
        put_in_effect(world, TEN)
        erase(world, midnight("2026-11-12"))
        whole = dump(world)
        assert erase(world) == {}
        assert dump(world) == whole

    def test_one_event_says_how_much_went_and_none_that_nothing_did(self, world: World) -> None:
        put_in_effect(world, "{letters: 10, answers: 10}")
        erase(world, midnight("2026-11-11"))
        assert events(world, "retention.erased") == []
        erased = erase(world, midnight("2026-11-12"))
        [event] = events(world, "retention.erased")
        assert (event.payload, event.subject, event.at) == (erased, "antopsis", midnight("2026-11-12"))
        assert event.payload["letters"] == event.payload["answers"] > 0

    def test_no_word_goes_while_its_notice_is_pending(self, world: World, mail_server: MailServer) -> None:
        mail_server.script(DPO, 550, "5.1.1 No such user here")
        number = tell(world, "{letters: 1, answers: 1}")
        at(world, IN_EFFECT)
        assert world.notice(number).state == "held"
        assert erase(world, IN_EFFECT + timedelta(days=400)) == {}
        assert [bool(each.merge) for each in letters(world)] == [True, True]

    def test_a_withdrawn_notice_has_come_to_its_end(self, world: World) -> None:
        number = tell(world, "{letters: 1}")
        at(world, utc("2026-10-10 08:00"))
        withdraw(world, number)
        sweep(world, "send")
        assert erase(world, midnight("2026-10-12") - A_MOMENT) == {}
        assert erase(world, midnight("2026-10-12"))["letters"] == 4

    def test_a_letter_that_ended_after_the_effect_is_counted_from_its_own_end(self, world: World) -> None:
        put_in_effect(world, TEN, followers=())
        with world.writing() as session:
            session.execute(update(Attempt).values(finished_at=midnight("2026-11-05")))
        assert erase(world, midnight("2026-11-16") - A_MOMENT) == {}
        assert erase(world, midnight("2026-11-16")) != {}

    def test_a_report_that_ended_the_waiting_is_when_the_letter_ended(self, world: World) -> None:
        put_in_effect(world, TEN, followers=())
        world.at = midnight("2026-11-05")
        report(world, letters(world)[0], OutcomeKind.DELIVERED)
        erase(world, midnight("2026-11-12"))
        assert letters(world)[0].merge is not None
        erase(world, midnight("2026-11-16"))
        assert letters(world)[0].merge is None

    @pytest.mark.parametrize("state", ["pending", "leased", "retry_wait", "ambiguous", "needs_attention"])
    def test_what_may_go_out_yet_keeps_its_words(self, world: World, state: str) -> None:
        assert state not in {each.value for each in ENDED_DELIVERIES}
        put_in_effect(world, "{letters: 1, answers: 1}", followers=())
        token = "t" if state == "leased" else None
        with world.writing() as session:
            session.execute(update(Delivery).values(state=state, token=token))
        assert erase(world, IN_EFFECT + timedelta(days=900)) == {}
        with world.writing() as session:
            session.execute(update(Delivery).values(state="failed", token=None))
        assert erase(world)["letters"] > 0

    def test_what_a_person_lets_go_again_has_its_words(self, world: World, mail_server: MailServer) -> None:
        number = put_in_effect(world, "{letters: 1}", followers=())
        with world.writing() as session:
            session.execute(update(Attempt).values(answer_class="temporary"))
            session.execute(update(Delivery).values(state="needs_attention"))
        erase(world, IN_EFFECT + timedelta(days=30))
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            requeue_deliveries(session, world.at, publisher, get_notice(session, publisher, number), ANNA)
        sent = len(mail_server.messages)
        sweep(world, "send")
        assert len(mail_server.messages) > sent
        assert {each.state for each in letters(world)} == {"accepted"}

    def test_forever_is(self, world: World) -> None:
        put_in_effect(world, "{followers: forever, contacts: forever, letters: forever, answers: forever}")
        assert erase(world, utc("2100-01-01 00:00")) == {}

    def test_four_years_are_the_usual_time(self, world: World) -> None:
        put_in_effect(world, "{}")
        assert erase(world, midnight("2030-11-02") - A_MOMENT) == {}
        assert erase(world, midnight("2030-11-02")).keys() == {"letters", "answers"}

    def test_a_shorter_setting_counts_for_what_is_there(self, world: World) -> None:
        put_in_effect(world, "{}")
        assert erase(world, midnight("2026-12-12")) == {}
        world.apply(keeping("{letters: 10}"))
        assert erase(world)["letters"] > 0


def report(world: World, delivery: Delivery, kind: OutcomeKind, detail: str | None = None) -> None:
    """Have a provider report about a letter now."""
    assert delivery.message_id is not None
    with world.writing() as session:
        record_outcome(
            session,
            world.at,
            provider="tests",
            event_id=f"{kind.value} {delivery.message_id}",
            message_id=delivery.message_id,
            kind=kind,
            happened_at=world.at,
            actor=ANNA,
            detail=detail,
        )


def report_the_unknown(world: World) -> None:
    """Have two reports about letters that are none of ours."""
    for number in range(2):
        with world.writing() as session:
            record_outcome(
                session,
                world.at,
                provider="tests",
                event_id=f"unknown {number}",
                message_id=f"<{number}@elsewhere.example>",
                kind=OutcomeKind.BOUNCED,
                happened_at=world.at,
                actor=ANNA,
                detail="550 somebody@elsewhere.example has left",
            )


class TestAnswers:
    def test_words_of_servers_go_and_codes_classes_and_hashes_stay(self, world: World) -> None:
        put_in_effect(world, ANSWERS_TEN)
        before = attempts(world)
        assert all(each.answer for each in before)
        assert erase(world, midnight("2026-11-12") - A_MOMENT) == {}
        assert erase(world, midnight("2026-11-12")) == {"answers": len(before)}
        for was, now in zip(before, attempts(world), strict=True):
            kept = ("answer_class", "code", "sha256", "send_started_at", "finished_at", "token", "n", "channel")
            assert [getattr(was, name) for name in kept] == [getattr(now, name) for name in kept]
            assert (now.answer, now.answer_class) == (None, "accepted")
        assert all(each.merge for each in letters(world))

    def test_an_answer_has_its_days_from_when_it_came(self, world: World) -> None:
        put_in_effect(world, ANSWERS_TEN)
        last = attempts(world)[-1]
        with world.writing() as session:
            session.execute(update(Attempt).where(Attempt.id == last.id).values(finished_at=midnight("2026-11-05")))
        assert erase(world, midnight("2026-11-12")) == {"answers": len(attempts(world)) - 1}
        assert erase(world, midnight("2026-11-16")) == {"answers": 1}

    def test_the_detail_of_a_report_has_its_days_from_when_it_was_recorded(self, world: World) -> None:
        put_in_effect(world, ANSWERS_TEN, followers=())
        world.at = midnight("2026-11-05")
        report(world, letters(world)[0], OutcomeKind.BOUNCED, f"550 {DPO} has left")
        erase(world, midnight("2026-11-16") - A_MOMENT)
        with world.reading() as session:
            assert session.scalars(select(Outcome.detail)).one() == f"550 {DPO} has left"
        assert erase(world, midnight("2026-11-16")) == {"answers": 1}
        with world.reading() as session:
            outcome = session.scalars(select(Outcome)).one()
            assert (outcome.detail, outcome.kind, outcome.recorded_at) == (None, "bounced", midnight("2026-11-05"))
        assert letters(world)[0].state == "bounced"

    def test_a_report_that_matched_nothing_is_kept_the_usual_time_in_utc(self, world: World) -> None:
        world.apply(keeping("{answers: 1}"))
        report_the_unknown(world)
        assert erase(world, utc("2030-10-01 00:00") - A_MOMENT) == {}
        assert erase(world, utc("2030-10-01 00:00")) == {"answers": 2}
        [event] = events(world, "retention.erased")
        assert (event.publisher_id, event.subject_kind, event.payload) == (None, "installation", {"answers": 2})
        assert erase(world) == {}

    def test_any_hold_keeps_a_report_that_nobody_can_place(self, world: World) -> None:
        world.apply(keeping("{answers: 1}"))
        report_the_unknown(world)
        hold(world, customer_key="bremen")
        assert erase(world, utc("2040-10-01 00:00")) == {}

    def test_stored_mail_goes_as_answers_do_and_keeps_its_hash(self, world: World) -> None:
        put_in_effect(world, ANSWERS_TEN, followers=())
        delivery = letters(world)[0]
        with world.writing() as session:
            for place, delivery_id in enumerate([delivery.id, None]):
                session.add(
                    StoredMail(
                        publisher_id=delivery.publisher_id,
                        delivery_id=delivery_id,
                        sha256=str(place) * 64,
                        reason="unreadable",
                        body=b"To: dpo@bremen.example",
                        received_at=midnight("2026-11-05"),
                    )
                )
        erase(world, midnight("2026-11-16") - A_MOMENT)
        held = hold(world, customer_key="bremen")
        assert held
        assert erase(world, midnight("2026-11-16")) == {}
        with world.writing() as session:
            session.execute(update(StoredMail).where(StoredMail.delivery_id.is_(None)).values(publisher_id=None))
        lift(world, held)
        assert erase(world) == {"answers": 1}
        with world.reading() as session:
            rows = session.execute(select(StoredMail.sha256, StoredMail.body).order_by(StoredMail.id)).all()
        assert [tuple(row) for row in rows] == [("0" * 64, None), ("1" * 64, b"To: dpo@bremen.example")]

    def test_mail_that_a_person_is_yet_to_read_stays(self, world: World) -> None:
        world.apply(keeping("{}"))
        with world.writing() as session:
            mail = StoredMail(sha256="0" * 64, reason="unreadable", body=b"Dear registry", received_at=world.at)
            session.add(mail)
            session.flush()
            task = Task(kind="mail", subject_kind="stored_mail", subject=str(mail.id), facts={}, opened_at=world.at)
            session.add(task)
        assert erase(world, utc("2040-01-01 00:00")) == {}
        with world.writing() as session:
            session.execute(update(Task).values(closed_at=world.at, closed_by="anna", closed_because="read"))
        assert erase(world) == {"answers": 1}


class TestObjections:
    def test_ground_and_cure_go_and_the_state_stays(self, world: World) -> None:
        number = tell(world, OBJECTIONS_TEN)
        object_to(world, number, "bremen")
        world.at = utc("2026-10-05 08:00")
        resolve(world, number, "bremen")
        with world.writing() as session:
            session.execute(update(Objection).values(cure="Stays on the old host"))
        at(world, IN_EFFECT)
        before = objections(world)[0]
        assert erase(world, midnight("2026-11-12") - A_MOMENT) == {}
        assert erase(world, midnight("2026-11-12")) == {"objections": 1}
        after = objections(world)[0]
        assert (after.ground, after.cure) == (None, None)
        kept = ("state", "received_at", "deadline_at", "is_in_time", "resolved_at", "customer_id", "notice_id")
        assert [getattr(before, name) for name in kept] == [getattr(after, name) for name in kept]

    def test_one_closed_after_the_effect_has_its_days_from_then(self, world: World) -> None:
        number = put_in_effect(world, OBJECTIONS_TEN)
        at(world, midnight("2026-11-05"))
        object_to(world, number, "bremen")
        assert erase(world, midnight("2027-11-05")) == {}
        resolve(world, number, "bremen", "other")
        assert erase(world, midnight("2027-11-16") - A_MOMENT) == {}
        assert erase(world, midnight("2027-11-16")) == {"objections": 1}

    def test_an_open_one_is_never_erased(self, world: World) -> None:
        number = put_in_effect(world, OBJECTIONS_TEN)
        object_to(world, number, "bremen")
        assert erase(world, utc("2040-01-01 00:00")) == {}
        assert objections(world)[0].ground == "No."

    def test_one_about_a_pending_notice_waits_for_its_end(self, world: World) -> None:
        number = tell(world, OBJECTIONS_TEN)
        object_to(world, number, "bremen")
        resolve(world, number, "bremen")
        assert erase(world, utc("2026-10-31 22:00")) == {}
        assert objections(world)[0].ground == "No."
