"""Endpoints: added, verified, given new secrets, ended; and what is refused (R12, R13, R34)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from registry.domain.errors import InvalidInput
from registry.domain.vocabulary import ChannelKind
from registry.steps.audience_errors import LastContact
from registry.steps.contacts import add_contact, end_contact
from registry.steps.endpoint_errors import (
    EndpointEnded,
    EndpointNotSigned,
    EndpointNotTried,
    EndpointStands,
    UnknownEndpoint,
)
from registry.steps.endpoint_results import end_endpoint, note_endpoint_result
from registry.steps.endpoints import remove_endpoint, retire_secrets, rotate_secret
from registry.steps.list_endpoints import list_endpoints
from registry.steps.lookup import get_customer, get_publisher
from registry.steps.suppressions import add_suppression
from registry.steps.verify_endpoint import prepare_verification, probe_endpoint
from registry.tables import Address, Endpoint, EndpointSecret, Event, Subscription
from registry.wiring import wire
from tests.channels.http_receiver import BAD_GATEWAY, OK, Echo, HttpReceiver, Reply
from tests.steps.post_office import events, send
from tests.steps.web_cast import OWNER, add, bremen, connect, endpoint_of, probe, verified_by, verify
from tests.world import ANNA, World, antopsis, settings_for

URL = "https://hooks.bremen.example/Notices"
SLACK = "https://hooks.slack.com/services/T0INVENTED/B0INVENTED/inventedInvented"


@pytest.fixture
def told(world: World) -> World:
    """A world whose publisher has one customer, without any contact."""
    world.apply(antopsis(customers=bremen()))
    return world


def subscriptions(world: World) -> list[tuple[str, str, bool, bool, bool]]:
    """Channel, audience, and whether each is confirmed, stands by and has ended."""
    with world.reading() as session:
        rows = session.execute(
            select(Address.channel, Subscription)
            .join(Subscription, Subscription.address_id == Address.id)
            .order_by(Subscription.id)
        )
        return [
            (channel, row.audience, row.confirmed_at is not None, row.is_standby, row.ended_at is not None)
            for channel, row in rows
        ]


def secrets_of(world: World, number: int) -> list[str]:
    with world.reading() as session:
        query = select(EndpointSecret.secret).where(EndpointSecret.address_id == number)
        return list(session.scalars(query.order_by(EndpointSecret.id)))


def test_an_endpoint_that_was_added_is_not_told_until_it_is_verified(told: World) -> None:
    added = add(told, URL)
    assert added.secret is not None
    assert added.secret.startswith("whsec_")
    assert secrets_of(told, added.number) == [added.secret]
    row = endpoint_of(told, added.number)
    assert (row.verified_at, row.failing_since, row.ended_at) == (None, None, None)
    assert subscriptions(told)[0] == ("webhook", "customer", False, False, False)
    told.announce(antopsis(helsinki=True, customers=bremen()))
    with told.reading() as session:
        assert session.scalar(select(Address.value).where(Address.id == added.number)) == URL


def test_a_customer_without_a_mailbox_gets_the_owner_as_a_contact_that_stands_by(told: World) -> None:
    added = add(told, URL)
    assert added.has_new_standby
    assert subscriptions(told)[1:] == [("email", "customer", True, True, False)]


def test_a_customer_with_a_mailbox_keeps_its_contacts_as_they_are(world: World) -> None:
    world.apply(antopsis(customers=bremen(contacts="dpo@bremen.example")))
    assert not add(world, URL).has_new_standby
    assert [row[0] for row in subscriptions(world)] == ["email", "webhook"]


def test_a_follower_can_have_one_too_limited_to_what_it_wants(told: World) -> None:
    added = add(told, URL, customer=None, products=("streaming",), kinds=("location",))
    assert subscriptions(told) == [("webhook", "follower", False, False, False)]
    assert not added.has_new_standby


@pytest.mark.parametrize(
    ("kind", "url", "code"),
    [
        (ChannelKind.WEBHOOK, "notices", "not-a-web-address"),
        (ChannelKind.WEBHOOK, "ftp://hooks.bremen.example/", "address-not-https"),
        (ChannelKind.WEBHOOK, "https://anna:secret@hooks.bremen.example/", "address-with-sign-in"),
        (ChannelKind.WEBHOOK, "https://hooks..example/", "address-bad-host"),
        (ChannelKind.WEBHOOK, "https://hooks.bremen.example:25/", "address-bad-port"),
        (ChannelKind.WEBHOOK, "https://169.254.169.254/latest", "address-not-public"),
        (ChannelKind.WEBHOOK, f"https://hooks.bremen.example/{'x' * 2_100}", "too-long"),
        (ChannelKind.SLACK, "https://hooks.slack.evil.example/services/T0/B0/x", "address-foreign-host"),
        (ChannelKind.TEAMS, SLACK, "address-foreign-host"),
    ],
)
def test_an_address_that_cannot_be_posted_to_is_refused(told: World, kind: ChannelKind, url: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        add(told, url, kind)
    assert [(problem.field, problem.code) for problem in refused.value.problems] == [("url", code)]


def test_outside_of_tests_neither_this_machine_nor_plain_http_is_posted_to(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("house")
    wirings = {
        environment: wire(settings_for(f"sqlite:///{folder}/registry.db", folder, REGISTRY_ENV=environment))
        for environment in ("test", "development")
    }
    for kind in ("webhook", "slack", "teams"):
        assert str(wirings["test"].reach.read_address(kind, "http://127.0.0.1:8080/x")) == "127.0.0.1:8080"
        assert wirings["development"].reach.read_address(kind, "http://127.0.0.1:8080/x") == "address-not-https"
        assert wirings["development"].reach.read_address(kind, "https://127.0.0.1:8080/x") in {
            "address-not-public",
            "address-foreign-host",
        }
    for each in wirings.values():
        each.engine.dispose()


def test_everything_wrong_with_a_wish_is_said_at_once(told: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        add(told, "http:", owner="nobody", products=("straming",))
    assert [problem.field for problem in refused.value.problems] == ["url", "owner", "products.0"]


def test_one_address_is_told_once_for_each_customer_and_once_as_a_follower(told: World) -> None:
    added = add(told, URL)
    with pytest.raises(EndpointStands) as refused:
        add(told, URL)
    assert refused.value.params["number"] == added.number
    again = add(told, URL, customer=None, owner="anna@bremen.example")
    assert (again.number, again.secret) == (added.number, None)
    assert secrets_of(told, added.number) == [added.secret]


def test_paths_that_differ_in_upper_and_lower_case_are_two_endpoints(told: World) -> None:
    first, second = add(told, SLACK, ChannelKind.SLACK), add(told, SLACK.lower(), ChannelKind.SLACK)
    assert first.number != second.number
    with pytest.raises(EndpointStands):
        add(told, SLACK.replace("hooks.slack.com", "HOOKS.Slack.com"), ChannelKind.SLACK)


def test_a_webhook_is_verified_by_a_challenge_that_it_answers(told: World, receiver: HttpReceiver) -> None:
    added = add(told, receiver.url)
    receiver.script(Echo())
    verified, _ = probe(told, added.number)
    assert (verified.is_verified, verified.confirmed, verified.letters_due) == (True, 1, 0)
    assert endpoint_of(told, added.number).verified_at == told.at
    assert added.secret is not None
    asked = verified_by(told, receiver.requests[0], added.secret)
    assert asked["type"] == "endpoint.verification"
    assert subscriptions(told)[0] == ("webhook", "customer", True, False, False)


@pytest.mark.parametrize("behaviour", [OK, BAD_GATEWAY, Echo(instead="something else"), Reply(410, "gone")])
def test_a_webhook_that_answers_otherwise_stays_unverified(
    told: World, receiver: HttpReceiver, behaviour: Reply | Echo
) -> None:
    added = add(told, receiver.url)
    receiver.script(behaviour)
    verified, answer = probe(told, added.number)
    assert not verified.is_verified
    assert verified.answer == answer
    row = endpoint_of(told, added.number)
    assert (row.verified_at, row.ended_at) == (None, None)
    assert subscriptions(told)[0] == ("webhook", "customer", False, False, False)
    assert len(events(told, "endpoint.not_verified")) == 1


@pytest.mark.parametrize("kind", [ChannelKind.SLACK, ChannelKind.TEAMS])
def test_a_chat_room_is_verified_by_a_message_that_it_takes(
    told: World, receiver: HttpReceiver, kind: ChannelKind
) -> None:
    added = add(told, receiver.url, kind)
    assert added.secret is None
    receiver.script(BAD_GATEWAY)
    assert not probe(told, added.number)[0].is_verified
    assert probe(told, added.number)[0].is_verified
    assert "Antopsis will post changes" in receiver.requests[1].body.decode()
    assert "webhook-signature" not in receiver.requests[1].headers


def test_who_is_verified_is_told_at_once_of_what_is_pending(told: World, receiver: HttpReceiver) -> None:
    number = told.announce(antopsis(helsinki=True, customers=bremen()))
    added = add(told, receiver.url)
    assert verify(told, receiver, added.number).letters_due == 1
    assert send(told) == {"accepted": 1}
    assert receiver.requests[0].json["data"]["notice"]["number"] == number


def test_verifying_once_more_changes_nothing_and_ends_a_line_of_failures(told: World, receiver: HttpReceiver) -> None:
    number = connect(told, receiver).number
    with told.writing() as session:
        note_endpoint_result(session, told.at, number, False)
    assert endpoint_of(told, number).failing_since == told.at
    assert verify(told, receiver, number).confirmed == 0
    assert endpoint_of(told, number).failing_since is None


def test_nothing_can_be_verified_where_nothing_leaves_the_house(told: World, receiver: HttpReceiver) -> None:
    added = add(told, receiver.url)
    with told.reading() as session:
        tried = prepare_verification(session, told.at, get_publisher(session, "antopsis"), added.number)
    outbox = wire(settings_for(told.settings.database_url, told.settings.instance))
    channels = outbox.make_channels(told.clock)
    with pytest.raises(EndpointNotTried):
        probe_endpoint(channels["webhook"], tried)
    outbox.engine.dispose()
    assert receiver.requests == []


def test_a_new_secret_signs_beside_the_old_one_until_that_retires(told: World, receiver: HttpReceiver) -> None:
    added = connect(told, receiver)
    assert added.secret is not None
    with told.writing() as session:
        publisher = get_publisher(session, "antopsis")
        new = rotate_secret(session, told.at, publisher, added.number, ANNA, timedelta(hours=24))
    told.announce(antopsis(helsinki=True, customers=bremen()))
    send(told)
    (request,) = receiver.requests
    assert len(request.headers["webhook-signature"].split()) == 2
    for secret in (new, added.secret):
        assert verified_by(told, request, secret)["type"] == "notice.announced"
    told.at += timedelta(hours=23)
    told.tick()
    assert secrets_of(told, added.number) == [added.secret, new]
    told.at += timedelta(hours=1)
    told.tick()
    assert secrets_of(told, added.number) == [new]


def test_a_secret_that_is_out_signs_nothing_from_that_moment_on(told: World, receiver: HttpReceiver) -> None:
    added = connect(told, receiver)
    with told.writing() as session:
        publisher = get_publisher(session, "antopsis")
        first = rotate_secret(session, told.at, publisher, added.number, ANNA, timedelta(0))
        second = rotate_secret(session, told.at, publisher, added.number, ANNA, timedelta(hours=2))
        assert retire_secrets(session, told.at) == 0
    assert secrets_of(told, added.number) == [first, second]
    assert len(events(told, "endpoint.secret_rotated")) == 2
    assert first not in str([event.payload for event in events(told, "endpoint.secret_rotated")])


def test_a_chat_room_has_no_secret_to_rotate(told: World) -> None:
    added = add(told, SLACK, ChannelKind.SLACK)
    with told.writing() as session, pytest.raises(EndpointNotSigned):
        rotate_secret(session, told.at, get_publisher(session, "antopsis"), added.number, ANNA)


def test_an_endpoint_ends_where_its_customer_has_another_contact(told: World, receiver: HttpReceiver) -> None:
    number = connect(told, receiver).number
    with told.writing() as session:
        assert remove_endpoint(session, told.at, get_publisher(session, "antopsis"), number, ANNA) == 1
    assert endpoint_of(told, number).ended_at == told.at
    assert subscriptions(told)[0] == ("webhook", "customer", True, False, True)
    with told.writing() as session, pytest.raises(EndpointEnded):
        remove_endpoint(session, told.at, get_publisher(session, "antopsis"), number, ANNA)


def test_the_last_contact_that_can_prove_receipt_is_not_ended(told: World, receiver: HttpReceiver) -> None:
    added = connect(told, receiver)
    with told.writing() as session:
        add_suppression(session, told.at, get_publisher(session, "antopsis"), told.wiring.keyring, OWNER, ANNA)
    with told.writing() as session, pytest.raises(LastContact):
        remove_endpoint(session, told.at, get_publisher(session, "antopsis"), added.number, ANNA)


@pytest.mark.parametrize("kind", [ChannelKind.WEBHOOK, ChannelKind.SLACK])
def test_a_mailbox_stays_where_the_web_alone_would_prove_nothing(
    world: World, receiver: HttpReceiver, kind: ChannelKind
) -> None:
    world.apply(antopsis(customers=bremen(terms="{}")))
    added = add(world, receiver.url, kind)
    receiver.script(Echo() if kind is ChannelKind.WEBHOOK else OK)
    assert probe(world, added.number)[0].is_verified
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "bremen")
        with pytest.raises(LastContact):
            end_contact(session, world.at, customer, OWNER, ANNA)
        add_contact(session, world.at, customer, "dpo@bremen.example", ANNA)
        assert end_contact(session, world.at, customer, OWNER, ANNA).ended_at == world.at


def test_one_that_ended_begins_anew_with_a_secret_of_its_own(told: World, receiver: HttpReceiver) -> None:
    added = connect(told, receiver)
    with told.writing() as session:
        note_endpoint_result(session, told.at, added.number, False)
        assert end_endpoint(session, told.at, added.number) == 1
        assert end_endpoint(session, told.at, added.number) == 0
    again = add(told, receiver.url, owner="new@bremen.example")
    assert again.number == added.number
    assert again.secret not in {None, added.secret}
    assert secrets_of(told, added.number) == [again.secret]
    row = endpoint_of(told, added.number)
    assert (row.verified_at, row.failing_since, row.ended_at) == (None, None, None)
    assert verify(told, receiver, added.number).confirmed == 1


def test_who_answers_410_wants_nothing_more_and_the_record_says_so(told: World, receiver: HttpReceiver) -> None:
    number = connect(told, receiver).number
    told.announce(antopsis(helsinki=True, customers=bremen()))
    with told.writing() as session:
        end_endpoint(session, told.at, number)
    (event,) = events(told, "endpoint.ended")
    assert event.payload["because"] == "gone"
    assert send(told) == {}
    with told.reading() as session:
        because = select(Subscription.ended_because).where(Subscription.address_id == number)
        assert session.scalar(because) == "gone"


def test_an_unknown_number_is_told_which_there_are(told: World) -> None:
    added = add(told, URL)
    with told.writing() as session, pytest.raises(UnknownEndpoint) as refused:
        rotate_secret(session, told.at, get_publisher(session, "antopsis"), added.number + 7, ANNA)
    assert refused.value.params["known"] == [str(added.number)]


def test_the_list_shows_how_each_stands(told: World, receiver: HttpReceiver) -> None:
    works = connect(told, receiver).number
    waits = add(told, SLACK, ChannelKind.SLACK, customer=None).number
    with told.reading() as session:
        listed = {each.number: each for each in list_endpoints(session, get_publisher(session, "antopsis"))}
    assert (listed[works].told, listed[works].secrets, listed[works].owner) == (("bremen",), 1, OWNER)
    assert listed[works].verified_at == told.at
    assert (listed[waits].told, listed[waits].secrets, listed[waits].verified_at) == (("follower",), 0, None)
    assert (listed[works].shown, listed[waits].shown) == (receiver.url, "hooks.slack.com/…")


def test_neither_the_record_nor_a_representation_holds_an_address_or_a_secret(
    told: World, receiver: HttpReceiver
) -> None:
    added = connect(told, receiver)
    with told.reading() as session:
        tried = prepare_verification(session, told.at, get_publisher(session, "antopsis"), added.number)
        count = session.scalar(select(func.count()).select_from(Endpoint))
    assert count == 1
    assert added.secret is not None
    shown = repr(tried) + str([(event.kind, event.subject, event.payload) for event in all_events(told)])
    assert added.secret not in shown
    assert receiver.url not in shown
    assert OWNER not in shown


def all_events(world: World) -> list[Event]:
    return [event for kind in ("endpoint.added", "endpoint.verified", "contact.added") for event in events(world, kind)]
