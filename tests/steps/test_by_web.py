"""Notices by webhook and in chat rooms, from the announcement to the clock (R12, R15, R18, R27, R30)."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import delete, update

from registry.domain.vocabulary import ChannelKind
from registry.letters.compose import sha256_of
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.merge_letter import LetterErased
from registry.steps.revise_draft import list_changes
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Address, EndpointSecret, Subscription
from registry.writers.webhook_schema import load_webhook_schema
from tests.channels.http_receiver import BAD_GATEWAY, CUT, OK, HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import STRIPE, edit, object_to
from tests.steps.post_office import (
    add_followers,
    attempts_at,
    change,
    check_that_every_accepted_letter_can_be_made_again,
    clock_of,
    remake,
    send,
    states_of,
)
from tests.steps.web_cast import (
    OWNER,
    add,
    announce_by_web,
    bremen,
    connect,
    delivery_at,
    forms_frozen,
    posted,
    probe,
    verified_by,
    verify,
)
from tests.world import ANNA, World, antopsis, letters_to, settings_for, utc

COUNTS, COUNTS_NOT = bremen(), bremen(terms="{}")
SCHEMA = Draft202012Validator(json.loads(load_webhook_schema()))
CHATS = [ChannelKind.SLACK, ChannelKind.TEAMS]


def found(world: World, customers: str = COUNTS) -> None:
    world.apply(antopsis(customers=customers))


def announce(world: World, customers: str = COUNTS, **options: object) -> str:
    return world.announce(antopsis(helsinki=True, customers=customers), **options)


def test_a_customer_is_told_by_webhook_with_its_own_deadline(world: World, receiver: HttpReceiver) -> None:
    found(world)
    added = connect(world, receiver)
    number = announce(world)
    assert send(world) == {"accepted": 1}
    (request,) = receiver.requests
    assert added.secret is not None
    payload = verified_by(world, request, added.secret)
    SCHEMA.validate(payload)
    delivery = delivery_at(world, added.number)
    assert payload["type"] == "notice.announced"
    assert payload["timestamp"] == "2026-09-30T08:00:00Z"
    data = payload["data"]
    object_url, acknowledge_url = (data["recipient"].pop(name) for name in ("object_url", "acknowledge_url"))
    assert object_url.startswith(f"http://127.0.0.1:8000/antopsis/object/k1.{delivery.id}.")
    assert acknowledge_url.startswith(f"http://127.0.0.1:8000/antopsis/acknowledge/k1.{delivery.id}.")
    # They are made when the message is, so that a copy of the table opens nothing.
    assert object_url.rpartition(".")[2] not in json.dumps(delivery.merge)
    assert data["notice"]["number"] == number
    assert data["notice"]["url"] == f"http://127.0.0.1:8000/antopsis/notices/{number}"
    assert data["notice"]["effective_on"] == "2026-11-01"
    assert data["notice"]["effective_at"] == "2026-10-31T23:00:00Z"
    assert [change["key"] for change in data["changes"]] == ["hetzner-falkenstein"]
    assert [field["field"] for field in data["changes"][0]["fields"]] == ["locations"]
    assert data["recipient"] == {
        "audience": "customer",
        "customer": {"key": "bremen", "name": "Bremen Media GmbH"},
        "objection_deadline": {"at": "2026-10-30T23:00:00Z", "on": "2026-10-30", "time_zone": "Europe/Berlin"},
        "delivery": f"127.0.0.1/{delivery.id}",
    }
    assert delivery.deadline_at == utc("2026-10-30 23:00")
    (attempt,) = attempts_at(world, delivery)
    assert (attempt.channel, attempt.code, attempt.sha256) == ("webhook", 200, sha256_of(request.body))


@pytest.mark.parametrize("terms", [COUNTS, COUNTS_NOT], ids=["counts", "counts-not"])
def test_a_webhook_starts_the_clock_where_terms_count_it_and_nowhere_else(
    world: World, receiver: HttpReceiver, terms: str
) -> None:
    announce_by_web(world, receiver, terms)
    assert send(world) == {"accepted": 1}
    assert clock_of(world) == (("received", world.at) if terms is COUNTS else ("waiting", None))


def test_where_terms_ask_for_delivery_the_answer_of_a_webhook_is_not_enough(
    world: World, receiver: HttpReceiver
) -> None:
    terms = bremen(terms="{receipt_by_webhook: true, clock_starts_on: delivered}")
    announce_by_web(world, receiver, terms)
    send(world)
    assert clock_of(world) == ("waiting", None)


@pytest.mark.parametrize("kind", CHATS)
def test_a_chat_room_is_told_in_its_own_form_and_starts_no_clock(
    world: World, receiver: HttpReceiver, kind: ChannelKind
) -> None:
    found(world)
    added = add(world, receiver.url, kind)
    assert probe(world, added.number)[0].is_verified
    receiver.requests.clear()
    number = announce(world)
    assert send(world) == {"accepted": 1}
    (message,) = posted(receiver)
    said = json.dumps(message, ensure_ascii=False)
    assert ("blocks" in message) is (kind is ChannelKind.SLACK)
    assert ("attachments" in message) is (kind is ChannelKind.TEAMS)
    for words in (
        number,
        "Bremen Media GmbH",
        "Helsinki",
        "end of Friday, 30 October 2026 (2026-10-30, Europe/Berlin)",
    ):
        assert words in said
    assert clock_of(world) == ("waiting", None)
    assert check_that_every_accepted_letter_can_be_made_again(world) == 1


def test_a_follower_is_told_by_webhook_without_customer_and_deadline(world: World, receiver: HttpReceiver) -> None:
    found(world, "")
    connect(world, receiver, customer=None)
    announce(world, "")
    assert send(world) == {"accepted": 1}
    recipient = posted(receiver)[0]["data"]["recipient"]
    assert (recipient["audience"], recipient["customer"], recipient["objection_deadline"]) == ("follower", None, None)


def test_a_follower_hears_only_of_what_it_wants(world: World, receiver: HttpReceiver) -> None:
    found(world, "")
    connect(world, receiver, customer=None, kinds=("transfer",))
    announce(world, "")
    assert send(world) == {}


def test_a_list_without_webhooks_freezes_no_form_of_the_web(world: World) -> None:
    found(world)
    add_followers(world, ["ada@reader.example"])
    announce(world)
    send(world)
    assert forms_frozen(world) == {"email": 2}


def test_only_the_forms_and_audiences_that_somebody_takes_are_frozen(world: World, receiver: HttpReceiver) -> None:
    found(world)
    add(world, "https://waits.bremen.example/")
    connect(world, receiver, customer=None)
    announce(world)
    assert forms_frozen(world) == {"email": 2, "webhook": 1}


def test_who_comes_later_is_told_what_was_said_then(world: World, receiver: HttpReceiver) -> None:
    found(world)
    number = announce(world)
    world.at = utc("2026-10-05 08:00")
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        publisher.facts = publisher.facts | {"name": "Antopsis anew"}
    connect(world, receiver)
    assert send(world) == {"accepted": 1}
    (told,) = posted(receiver)
    assert told["data"]["notice"]["number"] == number
    assert told["data"]["publisher"]["name"] == "Antopsis"
    assert told["timestamp"] == "2026-09-30T08:00:00Z"
    assert told["data"]["recipient"]["objection_deadline"]["on"] == "2026-11-04"
    assert forms_frozen(world) == {"email": 2, "webhook": 1}


def test_every_statement_of_a_notice_is_posted_with_its_own_type(world: World, receiver: HttpReceiver) -> None:
    found(world)
    connect(world, receiver)
    number = announce(world)
    send(world)
    object_to(world, number, "bremen")
    world.at = utc("2026-10-26 08:00")
    world.tick()
    world.at = utc("2026-10-31 23:00")
    world.tick()
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        withdraw_notice(session, world.at, publisher, notice, ANNA, world.wiring.letterhead, "never mind")
    world.tick()
    payloads = posted(receiver)
    assert [each["type"] for each in payloads] == [
        "notice.announced",
        "notice.reminder",
        "notice.postponed",
        "notice.withdrawn",
    ]
    assert [each["data"]["notice"]["statement"] for each in payloads] == [1, 2, 3, 4]
    assert payloads[2]["data"]["notice"]["previous_effective_on"] == "2026-11-01"
    assert payloads[2]["data"]["notice"]["effective_on"] is None
    assert payloads[3]["data"]["notice"]["reason"] == "never mind"
    assert payloads[3]["data"]["recipient"]["objection_deadline"] is None
    for each in payloads:
        SCHEMA.validate(each)
    assert check_that_every_accepted_letter_can_be_made_again(world) == 4


def test_a_weight_that_a_person_raised_stands_in_the_payload(world: World, receiver: HttpReceiver) -> None:
    found(world, "")
    connect(world, receiver, customer=None)
    edit(world, STRIPE | {"name": "Stripe Payments"}, "stripe")
    number = world.draft(effective_on=date(2026, 12, 1))
    with world.writing() as session:
        (row,) = list_changes(session, get_notice(session, get_publisher(session, "antopsis"), number))
        assert row.weight == "informing"
        row.weight = "binding"
    world.publish(number)
    send(world)
    (told,) = posted(receiver)[0]["data"]["changes"]
    assert told["weight"] == "binding"
    assert {field["weight"] for field in told["fields"]} == {"informing"}


def test_what_arrives_is_what_is_made_again_also_after_a_rotation(world: World, receiver: HttpReceiver) -> None:
    found(world)
    added = connect(world, receiver)
    announce(world)
    send(world)
    (request,) = receiver.requests
    delivery = delivery_at(world, added.number)
    assert remake(world, delivery) == request.body
    with world.writing() as session:
        session.execute(update(EndpointSecret).values(secret="whsec_" + "QUFB" * 8))
    assert remake(world, delivery) == request.body
    with world.writing() as session:
        session.execute(update(Address).where(Address.id == added.number).values(value=None))
    with pytest.raises(LetterErased):
        remake(world, delivery)


def test_a_repeat_has_the_same_id_and_bytes_on_the_same_day(world: World, receiver: HttpReceiver) -> None:
    found(world)
    added = connect(world, receiver)
    announce(world)
    receiver.script(CUT, BAD_GATEWAY, OK)
    assert send(world) == {"ambiguous": 1}
    world.at += timedelta(minutes=1)
    assert send(world) == {"ambiguous": 1}
    world.at += timedelta(hours=1)
    assert send(world) == {"accepted": 1}
    assert len({request.body for request in receiver.requests}) == 1
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert delivery_at(world, added.number).possible_duplicate


def test_on_a_later_day_the_deadline_is_counted_anew(world: World, receiver: HttpReceiver) -> None:
    found(world)
    added = connect(world, receiver)
    announce(world)
    receiver.script(BAD_GATEWAY)
    assert send(world) == {"retry_wait": 1}
    world.at += timedelta(days=2)
    change(world, delivery_at(world, added.number), due_at=world.at)
    assert send(world) == {"accepted": 1}
    told = [each["data"]["recipient"]["objection_deadline"]["on"] for each in posted(receiver)]
    assert told == ["2026-10-30", "2026-11-01"]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    # A gateway may have answered for an endpoint that took the first one: nothing else differs.
    first, second = posted(receiver)
    for each in (first, second):
        del each["data"]["recipient"]["objection_deadline"]
    assert first == second


def test_a_room_that_may_have_the_message_gets_it_once_more_and_then_a_person_looks(
    world: World, receiver: HttpReceiver
) -> None:
    found(world)
    added = add(world, receiver.url, ChannelKind.SLACK)
    assert probe(world, added.number)[0].is_verified
    announce(world)
    receiver.script(CUT, CUT)
    assert send(world) == {"ambiguous": 1}
    world.at += timedelta(minutes=1)
    assert send(world) == {"needs_attention": 1}


def test_a_webhook_without_a_secret_is_put_before_a_person_and_the_others_go_on(
    world: World, receiver: HttpReceiver
) -> None:
    found(world)
    broken = connect(world, receiver)
    works = add(world, receiver.url_at("127.0.0.1", "/other"), customer=None)
    verify(world, receiver, works.number)
    with world.writing() as session:
        session.execute(delete(EndpointSecret).where(EndpointSecret.address_id == broken.number))
    announce(world)
    assert send(world) == {"needs_attention": 1, "accepted": 1}
    assert delivery_at(world, broken.number).note == "cannot_be_made: endpoint-without-secret"
    assert [request.path for request in receiver.requests] == ["/other"]


def test_mail_only_to_keeps_back_other_hosts(world: World, receiver: HttpReceiver) -> None:
    announce_by_web(world, receiver)
    assert send(world, mail_only_to=("@try.example",)) == {}
    world.at += timedelta(hours=1)
    assert send(world, mail_only_to=("@127.0.0.1",)) == {"accepted": 1}


def test_mail_and_webhooks_leave_side_by_side(world: World, receiver: HttpReceiver, mail_server: MailServer) -> None:
    customers = bremen(contacts="dpo@bremen.example")
    found(world, customers)
    connect(world, receiver)
    announce(world, customers)
    assert send(world) == {"accepted": 2}
    assert states_of(world) == {"dpo@bremen.example": "accepted", receiver.url: "accepted"}
    assert len(letters_to(mail_server, "dpo@bremen.example")) == 1
    assert letters_to(mail_server, OWNER) == []


def test_twenty_webhooks_leave_by_several_connections(world: World, receiver: HttpReceiver) -> None:
    found(world, "")
    for n in range(20):
        added = add(world, receiver.url_at("127.0.0.1", f"/{n}"), customer=None)
        verify(world, receiver, added.number)
    before = receiver.connections
    announce(world, "")
    assert send(world) == {"accepted": 20}
    assert sorted(request.path for request in receiver.requests) == sorted(f"/{n}" for n in range(20))
    assert receiver.connections > before


def test_where_letters_stay_in_the_house_webhooks_and_chat_do_too(
    database_url: str, tmp_path: Path, receiver: HttpReceiver
) -> None:
    with closing(World(settings_for(database_url, tmp_path / "instance"), utc("2026-09-30 08:00"))) as world:
        found(world)
        for kind in (ChannelKind.WEBHOOK, *CHATS):
            added = add(world, receiver.url_at("127.0.0.1", f"/{kind}"), kind)
            confirm_by_hand(world, added.number)
        announce(world)
        assert send(world) == {"accepted": 3}
        files = sorted(world.wiring.outbox.iterdir())
        assert {path.suffix for path in files} == {".json"}
        assert len([json.loads(path.read_bytes()) for path in files]) == 3
        (attempt,) = attempts_at(world, delivery_at(world, 1))
        assert (attempt.channel, attempt.answer) == ("outbox", "written to the outbox, not sent")
        assert clock_of(world) == ("waiting", None)
    assert receiver.requests == []


def confirm_by_hand(world: World, number: int) -> None:
    """Have an endpoint told that never answered, as none can on an installation that sends nothing."""
    with world.writing() as session:
        session.execute(update(Subscription).where(Subscription.address_id == number).values(confirmed_at=world.at))
