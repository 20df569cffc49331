"""`registry endpoint`: addresses on the web that are told, as webhooks or in chat rooms; docs/webhooks.md says more."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any

import click

from registry.cli.invocation import Invocation, Section, as_option, pass_invocation, publisher_option
from registry.cli.printing import count_of, print_json, print_lines, stamp, table
from registry.cli.values import NUMBER, STANDARD_INPUT, read_line
from registry.domain.vocabulary import ChangeKind, ChannelKind
from registry.letters.web_forms import WEB_FORMS
from registry.steps.change_owner import change_owner
from registry.steps.endpoint_errors import EndpointNotVerified
from registry.steps.endpoints import (
    OLD_SECRET_SIGNS_FOR,
    EndpointWish,
    add_endpoint,
    remove_endpoint,
    rotate_secret,
)
from registry.steps.list_endpoints import ListedEndpoint, list_endpoints
from registry.steps.lookup import get_customer, get_publisher, read_facts
from registry.steps.verify_endpoint import prepare_verification, probe_endpoint, record_verification
from registry.tables.engine import reading, writing

SHOWN_ONCE = "It is shown this once. Keep it where the endpoint can check signatures with it."


@click.group(cls=Section, short_help="Webhooks and chat rooms that are told.")
def endpoint() -> None:
    """Add, verify, hand over, list and end endpoints: webhooks and chat rooms that are told of changes."""


@endpoint.command(
    examples=[
        "registry endpoint add https://hooks.acme.example/notices --kind webhook --publisher antopsis "
        "--customer acme --owner ops@acme.example",
        "registry endpoint add - --kind slack --publisher antopsis --owner anna@reader.example < address.txt",
    ]
)
@click.argument("url")
@publisher_option
@click.option("--kind", type=click.Choice([form.value for form in WEB_FORMS]), required=True, help="What is there.")
@click.option("--owner", required=True, metavar="EMAIL", help="Who answers for it, and is told when it fails.")
@click.option("--customer", "customer_key", metavar="KEY", help="For whom, by its key; a follower if left out.")
@click.option("--product", "products", multiple=True, metavar="KEY", help="Only changes of this product; repeatable.")
@click.option(
    "--change",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in ChangeKind]),
    help="Only this kind of change; repeatable.",
)
@as_option
@pass_invocation
def add(
    run: Invocation,
    /,
    url: str,
    publisher_slug: str,
    kind: str,
    owner: str,
    customer_key: str | None,
    products: tuple[str, ...],
    kinds: tuple[str, ...],
    acting_as: str | None,
) -> None:
    """Add the endpoint at URL, or at the address that standard input holds for -, since an address may be a credential.

    Nothing is posted there until it is verified. A customer's contact limits never drop a change that binds it (R27).
    """
    actor = run.actor(acting_as)
    address = read_line() if url == STANDARD_INPUT else url
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        customer = get_customer(session, publisher, customer_key) if customer_key is not None else None
        wish = EndpointWish(ChannelKind(kind), address, owner, customer, products, kinds)
        added = add_endpoint(session, run.now, publisher, wish, run.wiring.reach, actor)
    if run.as_json:
        document = {"endpoint": added.number, "secret": added.secret, "has_new_standby": added.has_new_standby}
        print_json(document)
        return
    click.echo(f"Endpoint {added.number} ({kind}) is on record, and waits to be verified.")
    if added.secret is not None:
        click.echo(f"Secret: {added.secret}")
        click.echo(SHOWN_ONCE)
    if added.has_new_standby:
        click.echo(f"{owner} stands by as a contact of {customer_key}, and is told by e-mail where the endpoint fails.")
    click.echo(f"Next: registry endpoint verify {added.number} --publisher {publisher_slug}")


@endpoint.command(examples=["registry endpoint verify 17 --publisher antopsis"])
@click.argument("number", type=NUMBER)
@publisher_option
@as_option
@pass_invocation
def verify(run: Invocation, number: int, publisher_slug: str, acting_as: str | None) -> None:
    """Verify endpoint NUMBER: a webhook must answer a challenge, a chat room must take a test message.

    From then on it is told, and at once of what is pending (R18).
    """
    actor = run.actor(acting_as)
    with reading(run.wiring.engine) as session:
        tried = prepare_verification(session, run.now, get_publisher(session, publisher_slug), number)
    channels = run.wiring.make_channels(lambda: run.now)
    with closing(channels[tried.kind.value]) as channel:
        answer = probe_endpoint(channel, tried)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        verified = record_verification(session, run.now, publisher, tried, answer, actor)
    if not verified.is_verified:
        raise EndpointNotVerified(number=number, publisher=publisher_slug, answer=answer.answer)
    if run.as_json:
        document = {"endpoint": number, "confirmed": verified.confirmed, "letters_due": verified.letters_due}
        print_json(document)
    else:
        due = count_of(verified.letters_due, "message")
        click.echo(f"Endpoint {number} is verified; {due} about what is pending.")


@endpoint.command("rotate-secret", examples=["registry endpoint rotate-secret 17 --publisher antopsis --old-for 48"])
@click.argument("number", type=NUMBER)
@publisher_option
@click.option(
    "--old-for",
    type=click.IntRange(0, 24 * 30),
    default=int(OLD_SECRET_SIGNS_FOR.total_seconds() // 3600),
    show_default=True,
    metavar="HOURS",
    help="How long the old secret goes on signing beside the new one.",
)
@as_option
@pass_invocation
def rotate(run: Invocation, number: int, publisher_slug: str, old_for: int, acting_as: str | None) -> None:
    """Give the webhook endpoint NUMBER a new secret. Until the old one retires both sign."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        secret = rotate_secret(session, run.now, publisher, number, actor, timedelta(hours=old_for))
        zone = read_facts(session, publisher).time_zone
    retires_at = run.now + timedelta(hours=old_for)
    if run.as_json:
        print_json({"endpoint": number, "secret": secret, "old_retires_at": retires_at})
    else:
        click.echo(f"Secret: {secret}")
        click.echo(SHOWN_ONCE)
        until = f"signs as well until {stamp(retires_at, zone)}" if old_for else "signs no more"
        click.echo(f"The old one {until}.")


@endpoint.command(examples=["registry endpoint owner 17 anna@acme.example --publisher antopsis"])
@click.argument("number", type=NUMBER)
@click.argument("email")
@publisher_option
@as_option
@pass_invocation
def owner(run: Invocation, number: int, email: str, publisher_slug: str, acting_as: str | None) -> None:
    """Let EMAIL answer for endpoint NUMBER from now on, and be told when it fails.

    Where the one before was the only mailbox of a customer, the new one stands by for it too. Nobody ends as a contact.
    """
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug, lock=True)
        changed = change_owner(session, run.now, publisher, number, email, actor)
    if run.as_json:
        document = {
            "endpoint": number,
            "owner": changed.owner,
            "is_new": changed.is_new,
            "new_standby_of": changed.new_standby_of,
            "former_contact_of": changed.former_contact_of,
        }
        print_json(document)
        return
    if not changed.is_new:
        click.echo(f"{changed.owner} answers for endpoint {number} already.")
        return
    click.echo(f"{changed.owner} answers for endpoint {number} from now on.")
    if changed.new_standby_of is not None:
        said = f"{changed.owner} stands by as a contact of {changed.new_standby_of}"
        click.echo(f"{said}, and is told by e-mail where the endpoint fails.")
    for key in changed.former_contact_of:
        click.echo(f"{changed.former} stays a contact of {key}. To end that:")
        click.echo(f"registry customer contact-end {key} {changed.former} --publisher {publisher_slug}")


@endpoint.command(examples=["registry endpoint end 17 --publisher antopsis"])
@click.argument("number", type=NUMBER)
@publisher_option
@as_option
@pass_invocation
def end(run: Invocation, number: int, publisher_slug: str, acting_as: str | None) -> None:
    """End endpoint NUMBER, where each of its customers has another contact (R34). What waits for it is cancelled."""
    actor = run.actor(acting_as)
    with writing(run.wiring.engine) as session:
        ended = remove_endpoint(session, run.now, get_publisher(session, publisher_slug, lock=True), number, actor)
    if run.as_json:
        print_json({"endpoint": number, "subscriptions_ended": ended})
    else:
        click.echo(f"Endpoint {number} has ended. Nothing more is posted there.")


@endpoint.command("list", examples=["registry endpoint list --publisher antopsis"])
@publisher_option
@click.option("--all", "with_ended", is_flag=True, help="Those that have ended too.")
@pass_invocation
def list_all(run: Invocation, publisher_slug: str, with_ended: bool) -> None:
    """List the endpoints of a publisher, and how each of them stands."""
    with reading(run.wiring.engine) as session:
        publisher = get_publisher(session, publisher_slug)
        found = list_endpoints(session, publisher, with_ended=with_ended)
        zone = read_facts(session, publisher).time_zone
    if run.as_json:
        print_json([_document(each) for each in found])
    elif not found:
        click.echo(f"{publisher_slug} posts to no endpoint. `registry endpoint add URL` adds one.")
    else:
        rows = [
            (
                str(each.number),
                each.kind.value,
                each.shown,
                ", ".join(each.told) or "–",
                each.owner or "erased",
                _state(each, zone),
            )
            for each in found
        ]
        print_lines(table(("No.", "Kind", "Address", "For", "Owner", "State"), rows))


def _document(listed: ListedEndpoint) -> dict[str, Any]:
    return {
        "endpoint": listed.number,
        "kind": listed.kind,
        "address": listed.shown,
        "for": listed.told,
        "owner": listed.owner,
        "secrets": listed.secrets,
        "verified_at": listed.verified_at,
        "failing_since": listed.failing_since,
        "owner_told_at": listed.owner_told_at,
        "ended_at": listed.ended_at,
    }


def _state(listed: ListedEndpoint, zone: str) -> str:
    if listed.ended_at is not None:
        return f"ended {stamp(listed.ended_at, zone)}"
    if listed.verified_at is None:
        return "not verified: nothing is posted"
    if listed.failing_since is not None:
        told = ", owner told" if listed.owner_told_at else ""
        return f"failing since {stamp(listed.failing_since, zone)}{told}"
    return "verified"
