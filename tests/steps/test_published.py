"""What the public sees, now and as of a past day, of one publisher and of no other (R6, R7, R14, R35)."""

from __future__ import annotations

from datetime import date

import pytest

from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.steps.errors import BeforeFounding, FutureAsOf, UnknownEntry
from registry.steps.lookup import get_publisher
from registry.steps.published import load_entry_history, load_public_list
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import (
    CARLA,
    HETZNER,
    STRIPE,
    TWO_PLACES,
    WITH_A_LINK,
    add_customer,
    announce,
    at,
    counting,
    edit,
    events,
    file_of,
    follow,
    object_to,
    standing,
    sweep,
    withdraw,
)
from tests.world import BREMEN, World, antopsis, letters_to, utc

STRIPE_LINE = "{key: stripe, name: Stripe, purposes: [Payments]}"


def neighbour(helsinki: bool = False) -> RegistryFile:
    """Return the file of another publisher in another zone, with the same keys and the same customer."""
    places = "[{country: DE, place: Falkenstein, function: processing}"
    places += ", {country: FI, place: Helsinki, function: processing}]" if helsinki else "]"
    text = f"""
registry: 1
publisher:
  slug: nextapi
  name: NextAPI
  contact: privacy@nextapi.example
  time_zone: Asia/Ho_Chi_Minh
  notice: {{days: 30, objection_days: 30}}
products:
  - {{key: streaming, name: Live streaming}}
entries:
  - key: stripe
    name: Stripe
    purposes: [Payments]
    data_categories: [Customer id, Subscription status]
    products: [streaming]
  - key: hetzner-falkenstein
    name: Hetzner
    purposes: [Servers that run the service]
    data_categories: [Account data, Usage data]
    locations: {places}
    transfers: [{{regime: eu, mechanism: none.same-area, destination: DE}}]
customers:
  - {{key: bremen, name: Bremen Media GmbH, time_zone: Europe/Berlin, contacts: [dpo@bremen.example]}}
"""
    return read_registry_file(text.encode(), "nextapi.yaml")


def test_a_past_day_is_shown_as_it_was_at_its_end(world: World) -> None:
    world.apply(antopsis(customers=""))
    for instant, place in (("2026-10-01 21:59:59", "one"), ("2026-10-01 22:00", "two"), ("2026-10-02 21:59", "three")):
        world.at = utc(instant)
        edit(world, HETZNER | {"links": {"website": f"https://{place}.example"}})
    world.at = utc("2026-10-05 08:00")

    def website(on: date) -> str | None:
        links = world.public(on).entries[1].content.links
        return links.website if links else None

    assert website(date(2026, 9, 30)) is None
    assert website(date(2026, 10, 1)) == "https://one.example"
    assert website(date(2026, 10, 2)) == "https://three.example"
    assert website(date(2026, 10, 5)) == "https://three.example"


def test_today_is_now_and_a_day_to_come_is_refused(world: World) -> None:
    world.apply(antopsis(customers=""))
    world.at = utc("2026-09-30 21:59:59")
    assert world.public(date(2026, 9, 30)) == world.public()
    assert world.public().as_of is None
    with pytest.raises(FutureAsOf) as refusal:
        world.public(date(2026, 10, 1))
    assert refusal.value.params == {"on": date(2026, 10, 1), "today": date(2026, 9, 30)}
    world.at = utc("2026-09-30 22:00")
    assert world.public(date(2026, 10, 1)).as_of is None
    assert world.public(date(2026, 9, 30)).as_of == date(2026, 9, 30)


def test_before_its_founding_there_was_no_list(world: World) -> None:
    world.at = utc("2026-09-30 22:30")
    world.apply(antopsis(customers=""))
    world.at = utc("2026-10-05 08:00")
    with pytest.raises(BeforeFounding) as refusal:
        world.public(date(2026, 9, 30))
    assert refusal.value.params == {"on": date(2026, 9, 30), "founded_on": date(2026, 10, 1)}
    assert len(world.public(date(2026, 10, 1)).entries) == 2


def test_a_list_that_was_founded_empty_was_a_list_from_that_day(world: World) -> None:
    world.apply(file_of([]))
    founded_at = world.at
    at(world, utc("2026-10-05 08:00"))
    edit(world, STRIPE, "stripe")
    world.publish(world.draft())
    at(world, utc("2026-11-20 08:00"))
    assert world.public(date(2026, 10, 1)).entries == ()
    assert world.public().founded_at == founded_at
    with pytest.raises(BeforeFounding):
        world.public(date(2026, 9, 29))


def test_the_long_day_in_autumn_ends_an_hour_later(world: World) -> None:
    world.at = utc("2026-10-20 08:00")
    world.apply(antopsis(customers=""))
    world.at = utc("2026-10-25 22:59:59")
    edit(world, WITH_A_LINK)
    world.at = utc("2026-10-25 23:00")
    edit(world, HETZNER)
    world.at = utc("2026-10-27 08:00")
    assert world.public(date(2026, 10, 24)).entries[1].content.links is None
    assert world.public(date(2026, 10, 25)).entries[1].content.links is not None
    assert world.public(date(2026, 10, 26)).entries[1].content.links is None


def test_the_short_day_in_spring_ends_an_hour_sooner(world: World) -> None:
    world.at = utc("2027-03-20 08:00")
    world.apply(antopsis(customers=""))
    world.at = utc("2027-03-28 22:00")
    edit(world, WITH_A_LINK)
    world.at = utc("2027-03-30 08:00")
    assert world.public(date(2027, 3, 28)).entries[1].content.links is None
    assert world.public(date(2027, 3, 29)).entries[1].content.links is not None


def test_a_past_day_shows_its_notices_with_what_was_told_then(world: World) -> None:
    world.apply(antopsis(customers=""))
    world.at = utc("2026-10-02 08:00")
    number = announce(world)
    at(world, utc("2026-11-01 23:00"))
    world.at = utc("2026-11-20 08:00")
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    second = world.draft()
    world.publish(second)
    world.at = utc("2026-11-21 08:00")
    withdraw(world, second)
    assert world.public(date(2026, 10, 1)).notices == ()
    (before,) = world.public(date(2026, 11, 1)).notices
    assert (before.number, before.state, before.took_effect_at) == (number, "announced", None)
    assert [notice.state for notice in world.public(date(2026, 11, 20)).notices] == ["in_effect", "announced"]
    assert world.public(date(2026, 11, 20)).notices[1].withdrawn_at is None
    assert [notice.state for notice in world.public().notices] == ["in_effect", "withdrawn"]
    assert [notice.number for notice in world.public(date(2026, 11, 20)).upcoming] == [second]


def test_what_was_announced_as_the_day_began_was_not_on_the_page_the_day_before(world: World) -> None:
    world.apply(antopsis(customers=""))
    world.at = utc("2026-10-04 22:00")
    announce(world)
    world.at = utc("2026-10-10 08:00")
    assert world.public(date(2026, 10, 4)).notices == ()
    assert len(world.public(date(2026, 10, 5)).notices) == 1


def test_the_notice_period_of_a_past_day_is_the_one_that_was_promised_then(world: World) -> None:
    world.apply(file_of([STRIPE_LINE]))
    world.at = utc("2026-10-02 08:00")
    world.apply(file_of([STRIPE_LINE], notice="{days: 60, objection_days: 30}"))
    assert world.public(date(2026, 10, 1)).publisher.notice_days == 30
    assert world.public().publisher.notice_days == 60


def test_effect_at_the_publishers_midnight_belongs_to_the_new_day_where_terms_count_in_another_zone(
    world: World,
) -> None:
    world.apply(file_of([STRIPE_LINE], notice="{days: 30, objection_days: 30, time_zone: America/New_York}"))
    edit(world, {"name": "Stripe", "purposes": ["Payments", "Billing"]}, "stripe")
    number = world.draft()
    world.publish(number)
    notice = world.notice(number)
    at(world, utc("2026-10-20 08:00"))
    (then,) = world.public(date(2026, 10, 1)).notices
    assert then.effective_at == notice.effective_at == utc("2026-10-31 23:00")


def test_what_waits_for_its_announcement_is_unknown_to_the_public(world: World) -> None:
    world.apply(antopsis())
    before = world.public()
    edit(world, {"name": "Clerk"}, "clerk")
    edit(world, TWO_PLACES)
    world.draft()
    assert world.public() == before
    with world.reading() as session, pytest.raises(UnknownEntry) as refusal:
        load_entry_history(session, get_publisher(session, "antopsis"), "clerk")
    assert refusal.value.params["near"] == []


def test_the_history_of_an_entry_names_what_put_each_version_on_the_list(world: World) -> None:
    world.apply(antopsis(customers=""))
    world.at = utc("2026-10-01 08:00")
    edit(world, WITH_A_LINK)
    edit(world, HETZNER)
    number = announce(world)
    at(world, utc("2026-10-31 23:00"))
    with world.reading() as session:
        key, history = load_entry_history(session, get_publisher(session, "antopsis"), "hetzner-falkenstein")
    assert key == "hetzner-falkenstein"
    assert [version.cause for version in history] == [number, "editorial", "editorial", "founding"]
    assert history[0].to_at is None
    changed = [[field.field for field in version.change.fields] for version in history[:3] if version.change]
    assert changed == [["locations"], ["links.website"], ["links.website"]]


def test_two_publishers_with_the_same_keys_and_numbers_never_mix(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    world.apply(neighbour())
    follow(world, "fred@reader.example")
    follow(world, "olga@watcher.example", slug="nextapi")
    first = announce(world)
    second = world.announce(neighbour(helsinki=True))
    assert first == second == "2026-001"
    withdrawn_of_both = (world.notice(first).id, world.notice(second, "nextapi").id)
    assert len(set(withdrawn_of_both)) == 2
    sweep(world)
    assert len(letters_to(mail_server, "dpo@bremen.example")) == 2
    (fred,) = letters_to(mail_server, "fred@reader.example")
    (olga,) = letters_to(mail_server, "olga@watcher.example")
    assert "NextAPI" not in fred.as_string()
    assert "Antopsis" not in olga.as_string()
    object_to(world, first, "bremen")
    assert world.status(second, "nextapi").holds == ()
    assert world.status(second, "nextapi").objections == ()
    ours, theirs = standing(world, first, "bremen"), standing(world, second, "bremen", "nextapi")
    assert ours is not None
    assert theirs is not None
    assert (ours.terms["time_zone"], theirs.publisher_id) != (None, ours.publisher_id)
    withdraw(world, first)
    at(world, utc("2026-11-01 17:00"))
    assert (world.notice(first).state, world.notice(second, "nextapi").state) == ("withdrawn", "in_effect")
    assert len(world.public(slug="nextapi").entries[1].content.locations) == 2
    assert len(world.public().entries[1].content.locations) == 1
    assert len(letters_to(mail_server, "olga@watcher.example")) == 1
    number = announce(world)
    assert number == "2026-002"
    assert {event.publisher_id for event in events(world, "notice.withdrawn")} == {ours.publisher_id}


def test_a_customer_of_one_publisher_gives_another_no_longer_clock(world: World) -> None:
    world.apply(antopsis(customers=""))
    world.apply(neighbour())
    add_customer(world, "nextapi", key="slow", name="Slow SE", notice={"days": 200}, contacts=["a@slow.example"])
    edit(world, TWO_PLACES, actor=CARLA)
    assert world.notice(world.draft()).planned_on == date(2026, 10, 31)


def test_the_list_costs_as_many_queries_with_sixty_entries_as_with_six(sqlite_world: World) -> None:
    costs = []
    for count in (6, 60):
        keys = [f"vendor-{number}" for number in range(count)]
        world = sqlite_world
        world.apply(file_of([f"{{key: {key}, name: {key}, purposes: [Hosting]}}" for key in keys]))
        if count == 60:
            number = world.draft()
            world.publish(number)
            at(world, utc("2026-10-30 23:00"), "take_effect")
            for key in keys[:20]:
                edit(world, {"name": key, "purposes": ["Hosting", "Backups"]}, key)
                world.publish(world.draft())
            at(world, utc("2026-11-10 08:00"), "take_effect")
        with world.reading() as session:
            publisher = get_publisher(session, "antopsis")
            with counting(world) as sent:
                public = load_public_list(session, world.at, publisher)
        assert len(public.entries) == count
        costs.append(len(sent))
    assert len(public.notices) == 21
    assert costs[0] == costs[1]
