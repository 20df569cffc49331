"""The links in letters: each opens one thing, for one publisher, and GET never acts."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registry.readers.registry_file import RegistryFile
from registry.steps.keyring import Purpose, load_keyring, rotate_link_key
from registry.tables import Address, Event, Subscription, SubscriptionKind, SubscriptionProduct
from tests.web.site import Site, path_of, words_of
from tests.world import ANNA, antopsis, link_in, utc

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
FRED = "fred@reader.example"


def sign(site: Site, purpose: Purpose, address: str) -> str:
    """Return the token that a letter to the address would carry."""
    with site.world.reading() as session:
        query = select(Subscription.id).join(Address, Address.id == Subscription.address_id)
        number = session.scalars(query.where(Address.value == address).order_by(Subscription.id.desc())).first()
        assert number is not None
        return load_keyring(session, site.world.at).sign(purpose, number)


def subscription_of(site: Site, address: str) -> Subscription:
    with site.world.reading() as session:
        query = select(Subscription).join(Address, Address.id == Subscription.address_id)
        found = session.scalars(query.where(Address.value == address).order_by(Subscription.id.desc())).first()
        assert found is not None
        return found


def test_the_links_of_a_letter_work(site: Site) -> None:
    site.follow(FRED)
    site.world.announce(antopsis(helsinki=True))
    letter = site.letters_to(FRED)[-1]
    assert site.get(path_of(link_in(letter, "manage"))).status_code == 200
    header = str(letter["List-Unsubscribe"]).strip("<>")
    assert site.post(path_of(header), ONE_CLICK).status_code == 200
    assert subscription_of(site, FRED).ended_because == "unsubscribed"


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_ends_a_subscription_at_once_and_without_a_redirect(site: Site, content_type: str) -> None:
    site.follow(FRED)
    link = f"/antopsis/unsubscribe/{sign(site, 'unsubscribe', FRED)}"
    # As mail providers send it: no cookie, no origin, from a machine of their own.
    answer = site.post(link, ONE_CLICK, content_type=content_type, environ_overrides={"REMOTE_ADDR": "198.51.100.1"})
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert subscription_of(site, FRED).ended_at == site.world.at
    # Leaving twice is leaving once.
    assert site.post(link, ONE_CLICK).status_code == 200
    assert "Unsubscribed" in site.get(link).text
    with site.world.reading() as session:
        ended = session.scalars(select(Event).where(Event.kind == "subscription.ended")).all()
        assert len(ended) == 1


def test_who_leaves_by_the_page_presses_a_button_that_get_only_shows(site: Site) -> None:
    site.follow(FRED)
    link = f"/antopsis/unsubscribe/{sign(site, 'unsubscribe', FRED)}"
    page = site.get(link)
    assert page.status_code == 200
    assert "Stop the letters?" in page.text
    assert "/antopsis/manage/" in page.text
    assert subscription_of(site, FRED).ended_at is None
    assert f"{FRED} gets no more letters" in words_of(site.post(link).text)
    assert subscription_of(site, FRED).ended_at is not None


def test_leaving_is_never_limited(light_site: Site) -> None:
    links = []
    for number in range(15):
        light_site.follow(f"fred{number}@reader.example")
        links.append(f"/antopsis/unsubscribe/{sign(light_site, 'unsubscribe', f'fred{number}@reader.example')}")
    assert [light_site.post(link, ONE_CLICK).status_code for link in links * 8] == [200] * 120


def test_a_subscriber_changes_what_they_are_told(site: Site) -> None:
    manage = site.follow(FRED, products=["storage"])
    with site.world.writing() as session:
        subscription = session.scalars(select(Subscription).where(Subscription.customer_id.is_(None))).one()
        ids = {"subscription_id": subscription.id, "publisher_id": subscription.publisher_id}
        session.add(SubscriptionKind(**ids, kind="location"))
    shown = site.get(manage)
    assert 'value="storage" checked' in shown.text
    saved = site.post(manage, {"action": "save", "products": ["streaming"], "effect": "1"})
    assert saved.status_code == 200
    assert "Saved." in saved.text
    assert 'value="streaming" checked' in saved.text
    assert 'value="storage" checked' not in saved.text
    with site.world.reading() as session:
        assert list(session.scalars(select(SubscriptionProduct.product_key))) == ["streaming"]
        # The form does not ask for kinds of change, so they stay as they were.
        assert list(session.scalars(select(SubscriptionKind.kind))) == ["location"]
    assert subscription_of(site, FRED).wants_effect


def test_an_unknown_product_changes_nothing_and_is_named(site: Site) -> None:
    manage = site.follow(FRED, products=["storage"])
    before = site.snapshot()
    answer = site.post(manage, {"action": "save", "products": ["steaming"], "effect": "1"})
    assert answer.status_code == 400
    assert "“steaming” is no product" in words_of(answer.text)
    assert site.snapshot() == before


def test_a_follower_stops_from_the_manage_page_and_finds_it_ended_afterwards(site: Site) -> None:
    manage = site.follow(FRED)
    assert "Unsubscribed" in site.post(manage, {"action": "stop"}).text
    for answer in (site.get(manage), site.post(manage, {"action": "save"})):
        assert answer.status_code == 410
        assert "This subscription has ended" in answer.text
        assert "http://127.0.0.1:8000/antopsis/subscribe" in answer.text


def test_a_contact_cannot_leave_by_any_road_and_is_offered_a_change_of_contact(site: Site) -> None:
    address = "privacy@hanoi.example"
    roads = [
        (f"/antopsis/unsubscribe/{sign(site, 'unsubscribe', address)}", ONE_CLICK),
        (f"/antopsis/unsubscribe/{sign(site, 'unsubscribe', address)}", {}),
        (f"/antopsis/manage/{sign(site, 'manage', address)}", {"action": "stop"}),
    ]
    for link, form in roads:
        shown = site.get(link)
        assert shown.status_code == 200
        assert "change_contact" in shown.text
        assert "Hanoi Streams Co." in shown.text
        answer = site.post(link, form)
        # A machine must not believe that it worked.
        assert answer.status_code == 409
        assert "Hand the notices on" in answer.text
        assert subscription_of(site, address).ended_at is None


@pytest.mark.parametrize("purpose", ["manage", "unsubscribe"])
def test_a_contact_names_another_who_confirms_and_stands_in_its_place(site: Site, purpose: Purpose) -> None:
    old, new = "privacy@hanoi.example", "legal@hanoi.example"
    link = f"/antopsis/{purpose}/{sign(site, purpose, old)}"
    answer = site.post(link, {"action": "change_contact", "email": new, "name": "Linh"})
    assert answer.status_code == 200
    assert f"A letter is on its way to {new}" in answer.text
    assert subscription_of(site, old).ended_at is None
    confirm = site.confirm_link(new)
    assert f"{new} is to receive notices" in words_of(site.get(confirm).text)
    assert f"{new} is now a contact for notices" in words_of(site.post(confirm).text)
    assert subscription_of(site, old).ended_because == "replaced"
    assert subscription_of(site, new).customer_id is not None


@pytest.mark.parametrize("given", ["", "nobody", "privacy@hanoi.example", "a\x00@b.example"])
@pytest.mark.parametrize("purpose", ["manage", "unsubscribe"])
def test_a_contact_that_cannot_be_is_refused_at_its_field(light_site: Site, purpose: Purpose, given: str) -> None:
    link = f"/antopsis/{purpose}/{sign(light_site, purpose, 'privacy@hanoi.example')}"
    before = light_site.snapshot()
    answer = light_site.post(link, {"action": "change_contact", "email": given, "name": "Linh"})
    assert answer.status_code == 400
    assert 'id="email-error"' in answer.text
    assert 'value="Linh"' in answer.text
    assert light_site.snapshot() == before


def test_letters_asked_for_by_changing_contacts_are_limited_and_nothing_else_on_that_page_is(light_site: Site) -> None:
    link = f"/antopsis/manage/{sign(light_site, 'manage', 'privacy@hanoi.example')}"
    asked = [
        light_site.post(link, {"action": "change_contact", "email": f"c{number}@hanoi.example"}).status_code
        for number in range(21)
    ]
    assert asked == [200] * 20 + [429]
    assert light_site.post(link, {"action": "save"}).status_code == 200
    # The two forms that have letters written count together.
    assert light_site.subscribe(FRED).status_code == 429


def test_a_follower_has_no_contact_to_change(site: Site) -> None:
    manage = site.follow(FRED)
    answer = site.post(manage, {"action": "change_contact", "email": "x@reader.example"})
    assert answer.status_code == 409


def test_a_confirm_link_works_once_and_then_says_that_all_is_done(site: Site) -> None:
    site.subscribe(FRED)
    link = site.confirm_link(FRED)
    assert site.post(link).status_code == 200
    for answer in (site.get(link), site.post(link)):
        assert answer.status_code == 410
        assert "Confirmed already" in answer.text
    site.post(f"/antopsis/unsubscribe/{sign(site, 'unsubscribe', FRED)}", ONE_CLICK)
    assert "This link was used already" in site.get(link).text
    assert subscription_of(site, FRED).ended_at is not None


def test_a_confirm_link_is_good_for_seven_days(site: Site) -> None:
    site.subscribe(FRED)
    link = site.confirm_link(FRED)
    site.world.at = utc("2026-10-07 07:59:59")
    assert site.get(link).status_code == 200
    site.world.at = utc("2026-10-07 08:00")
    for answer in (site.get(link), site.post(link)):
        assert answer.status_code == 410
        assert "7 days" in answer.text
        assert "http://127.0.0.1:8000/antopsis/subscribe" in answer.text
    assert subscription_of(site, FRED).confirmed_at is None
    # Subscribing again brings a new link.
    site.world.tick()
    site.subscribe(FRED)
    assert site.post(site.confirm_link(FRED)).status_code == 200


def test_an_expired_link_of_a_named_contact_does_not_tell_it_to_subscribe(site: Site) -> None:
    link = f"/antopsis/manage/{sign(site, 'manage', 'privacy@hanoi.example')}"
    site.post(link, {"action": "change_contact", "email": "legal@hanoi.example"})
    confirm = site.confirm_link("legal@hanoi.example")
    site.world.at = utc("2026-10-08 08:00")
    answer = site.get(confirm)
    assert answer.status_code == 410
    assert "still stands" in words_of(answer.text)
    assert "ubscribe" not in words_of(answer.text)


def test_a_token_opens_nothing_but_its_own_purpose(site: Site) -> None:
    site.follow(FRED)
    site.subscribe("olga@watcher.example")
    tokens = {
        "manage": sign(site, "manage", FRED),
        "unsubscribe": sign(site, "unsubscribe", FRED),
        "confirm": site.confirm_link("olga@watcher.example").rpartition("/")[2],
    }
    before = site.snapshot()
    for purpose in tokens:
        for other, token in tokens.items():
            if other != purpose:
                for answer in (
                    site.get(f"/antopsis/{purpose}/{token}"),
                    site.post(f"/antopsis/{purpose}/{token}", ONE_CLICK),
                ):
                    assert answer.status_code == 404
                    assert "This link opens nothing" in answer.text
    assert site.snapshot() == before


def test_a_token_of_one_publisher_opens_nothing_at_another(site: Site, streams: RegistryFile) -> None:
    site.world.apply(streams)
    site.follow(FRED)
    site.subscribe("olga@watcher.example")
    confirm = site.confirm_link("olga@watcher.example").rpartition("/")[2]
    before = site.snapshot()
    paths = [
        f"manage/{sign(site, 'manage', FRED)}",
        f"unsubscribe/{sign(site, 'unsubscribe', FRED)}",
        f"confirm/{confirm}",
    ]
    for base, options in (("/streams", {}), ("", {"base_url": "https://legal.streams.example"})):
        for path in paths:
            for answer in (site.get(f"{base}/{path}", **options), site.post(f"{base}/{path}", ONE_CLICK, **options)):
                assert answer.status_code == 404, path
                assert "reader.example" not in answer.text
    assert site.snapshot() == before
    # Nor does it say elsewhere what became of it.
    site.post(f"/antopsis/confirm/{confirm}")
    assert site.get(f"/antopsis/confirm/{confirm}").status_code == 410
    assert site.get(f"/streams/confirm/{confirm}").status_code == 404


def test_a_made_up_token_opens_nothing(light_site: Site) -> None:
    no_signature = "0" * 40
    tokens = [
        *("x", "k1.1.0", f"k1.1.{no_signature}", f"k9.1.{no_signature}", f"k1.99999999999999999999.{no_signature}"),
        *("%00", "%ff", "..", "%2e%2e", "a" * 10_000, "0" * 64, f"k1.-1.{no_signature}", "k1.1.%0a", "☃"),
        "'; DROP TABLE subscriptions",
    ]
    before = light_site.snapshot()
    for purpose in ("confirm", "manage", "unsubscribe"):
        for token in tokens:
            path = f"/antopsis/{purpose}/{token}"
            for answer in (light_site.get(path), light_site.post(path, ONE_CLICK)):
                assert answer.status_code == 404, path
    assert light_site.snapshot() == before


def test_a_token_changed_in_one_character_opens_nothing(light_site: Site) -> None:
    light_site.follow(FRED)
    token = sign(light_site, "manage", FRED)
    for at in range(len(token)):
        changed = token[:at] + ("0" if token[at] != "0" else "1") + token[at + 1 :]
        assert light_site.get(f"/antopsis/manage/{changed}").status_code == 404, changed


def test_links_signed_before_a_new_key_live_on_and_the_new_key_works_at_once(site: Site) -> None:
    manage = site.follow(FRED)
    with site.world.writing() as session:
        rotate_link_key(session, site.world.at, ANNA)
    assert site.get(manage).status_code == 200
    fresh = sign(site, "manage", FRED)
    assert fresh.startswith("k2.")
    assert site.get(f"/antopsis/manage/{fresh}").status_code == 200


def test_a_subscription_goes_on_at_its_old_links_when_the_publisher_gets_a_host(
    site: Site, streams: RegistryFile
) -> None:
    site.world.apply(streams)
    site.subscribe(FRED, "streams")
    letter = site.letters_to(FRED)[-1]
    assert link_in(letter, "confirm").startswith("https://legal.streams.example/confirm/")
    token = link_in(letter, "confirm").rpartition("/")[2]
    # The address below the installation's own host stays, for letters that name it are out there.
    assert site.get(f"/streams/confirm/{token}").status_code == 200
    answer = site.post(f"/confirm/{token}", base_url="https://legal.streams.example")
    assert answer.status_code == 200


def test_kinds_and_reminders_are_chosen_and_a_form_that_did_not_ask_changes_neither(site: Site) -> None:
    manage = site.follow(FRED)
    asked = {"action": "save", "asked": "kinds reminders", "kinds": ["location", "data"], "effect": "1"}
    saved = site.post(manage, asked)
    assert saved.status_code == 200
    for kind in ("location", "data"):
        assert f'value="{kind}" checked' in saved.text
    assert 'value="purpose" checked' not in saved.text
    assert not subscription_of(site, FRED).wants_reminders
    site.post(manage, {"action": "save", "effect": "1"})
    kept = site.get(manage).text
    assert 'value="location" checked' in kept
    wrong = site.post(manage, {"action": "save", "asked": "kinds", "kinds": ["loction"]})
    assert wrong.status_code == 400
    assert "loction" in wrong.text
