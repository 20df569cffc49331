"""Settings: what the publisher says of itself, its notice terms, its products, and how its letters leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import request
from sqlalchemy.orm import Session

from registry.domain.colours import DARK_PAPER, LIGHT_PAPER, adapt, contrast
from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.people import TeamRole
from registry.domain.publishers import ProductFacts, PublisherFacts, read_publisher
from registry.domain.validation import read_model
from registry.domain.vocabulary import Audience
from registry.steps.brand import LARGEST_LOGO, find_logo_version, remove_logo, set_logo
from registry.steps.change_settings import (
    SettingsFate,
    approve_settings,
    change_settings,
    list_products,
    read_proposed,
)
from registry.steps.check_addresses import find_latest_check
from registry.steps.list_endpoints import list_endpoints
from registry.steps.proposals import (
    ProposalKind,
    ProposalOutcome,
    close_proposal,
    find_proposal,
    get_proposal,
)
from registry.tables import Publisher
from registry.web.current import wiring
from registry.web.team.access import LONGEST_FORM, Desk, screen
from registry.web.team.documents import read_upload
from registry.web.team.frame import errors_of, go, show, status_of
from registry.web.team.settings_forms import (
    FORMS,
    SettingsForm,
    differences,
    form_values,
    given_settings,
    label_fields,
    show_settings,
    time_zones,
)

LONGEST_LOGO_FORM: Final = LARGEST_LOGO + LONGEST_FORM
"""Bytes. More than a logo may have, so that one slightly too large gets its sentence beside the field."""


@screen("/settings/", TeamRole.VIEWER)
def settings(desk: Desk) -> Any:
    """Show all settings, what waits for a second person, and how the publisher's own address fares."""
    with desk.reading() as (session, publisher):
        facts = desk.facts(session, publisher)
        products = list_products(session, publisher)
        proposal = find_proposal(session, publisher, ProposalKind.SETTINGS, publisher.slug)
        letterhead = wiring().letterhead
        return show(
            "team/settings/overview.html",
            facts=facts,
            zone=facts.time_zone,
            sections=show_settings(facts),
            products=products,
            proposal=proposal,
            proposed=differences(facts, products, *read_proposed(proposal)) if proposal else (),
            sender=letterhead.sender_for(facts, Audience.CUSTOMER).from_address,
            sends_own=facts.sender is not None and letterhead.may_send_from(facts.sender),
            check=find_latest_check(session, publisher),
            endpoints=list_endpoints(session, publisher),
            logo=find_logo_version(session, publisher),
            requires_second_factor=publisher.requires_second_factor,
            light=adapt(facts.colour, LIGHT_PAPER) if facts.colour else None,
            dark=adapt(facts.colour, DARK_PAPER) if facts.colour else None,
        )


@screen("/settings/<any(publisher, terms, approvals, brand, retention):part>", TeamRole.OWNER, post=True, is_fresh=True)
def edit_settings(desk: Desk, part: str) -> Any:
    """Show one part of the settings as a form, and take it."""
    form = FORMS[part]
    if request.method == "GET":
        with desk.reading() as (session, publisher):
            facts = desk.facts(session, publisher)
            return _show_form(form, form_values(facts), facts)
    try:
        with desk.writing() as (session, publisher):
            facts = desk.facts(session, publisher)
            wanted = read_publisher(given_settings(form, facts, request.form), "")
            fate = change_settings(session, desk.now, publisher, wanted, list_products(session, publisher), desk.actor)
            said = _say(fate)
    except RegistryError as error:
        return _show_form(form, _typed(form), facts, error)
    return go("settings", said=said)


def _show_form(
    form: SettingsForm, values: Mapping[str, Any], facts: PublisherFacts, error: RegistryError | None = None
) -> Any:
    return show(
        "team/settings/form.html",
        status=status_of(error) if error else 200,
        errors=errors_of(error, "publisher.") if error else {},
        values=values,
        form=form,
        facts=facts,
        time_zones=time_zones() if form.part in {"publisher", "terms"} else (),
        contrasts=_contrasts(facts.colour) if form.part == "brand" and facts.colour else (),
    )


def _typed(form: SettingsForm) -> dict[str, Any]:
    return {field.name: request.form.get(field.name, "") for field in form.fields}


def _contrasts(colour: str) -> tuple[tuple[str, str, str, float], ...]:
    """Say how the colour stands on a light and on a dark page, and what is used there in its place."""
    return tuple(
        (word, colour, adapt(colour, paper).accent, round(contrast(colour, paper), 1))
        for word, paper in (("light", LIGHT_PAPER), ("dark", DARK_PAPER))
    )


def _say(fate: SettingsFate) -> str:
    if fate.proposal is not None:
        return (
            "Kept as a proposal, since it shortens what was promised or loosens who approves: "
            f"{label_fields(fate.needs)}. A colleague approves it below."
        )
    if not fate.fields:
        return "Nothing was changed: everything is as it was."
    return "Changed. New terms count for notices that are published from now on, never for those already told."


@screen("/settings/logo", TeamRole.OWNER, get=False, longest_body=LONGEST_LOGO_FORM)
def edit_logo(desk: Desk) -> Any:
    """Show another logo on the public pages, or none."""
    try:
        with desk.writing() as (session, publisher):
            if "remove" in request.form:
                remove_logo(session, desk.now, publisher, desk.actor)
                said = "The pages show your name without a logo."
            else:
                upload = read_upload("logo")
                if upload is None:
                    raise InvalidInput([Problem("logo", None, "missing")])
                set_logo(session, desk.now, publisher, desk.actor, upload)
                said = "The pages show this logo from now on."
    except RegistryError as error:
        with desk.reading() as (session, publisher):
            facts = desk.facts(session, publisher)
        return _show_form(FORMS["brand"], form_values(facts), facts, error)
    return go("settings", said=said)


@screen("/settings/products", TeamRole.OWNER, post=True)
def edit_products(desk: Desk) -> Any:
    """Show the products as a form, and take them: new ones are added, known ones renamed, none is taken away."""
    with desk.reading() as (session, publisher):
        known = list_products(session, publisher)
    rows = [(each.key, each.name) for each in known]
    if request.method == "GET":
        return show("team/settings/products.html", rows=[*rows, ("", "")], known={key for key, _ in rows})
    given = list(zip(request.form.getlist("key"), request.form.getlist("name"), strict=False))
    try:
        wanted = _read_products(given)
        with desk.writing() as (session, publisher):
            _keep_products(desk, session, publisher, wanted)
    except RegistryError as error:
        return show(
            "team/settings/products.html",
            status=status_of(error),
            errors=errors_of(error),
            rows=[*given, ("", "")],
            known={key for key, _ in rows},
        )
    return go("settings", said="The products are as you named them.")


def _read_products(given: list[tuple[str, str]]) -> list[ProductFacts]:
    wanted, problems = [], []
    for at, (key, name) in enumerate(given):
        if not key.strip() and not name.strip():
            continue
        try:
            wanted.append(read_model(ProductFacts, {"key": key.strip(), "name": name}, f"products.{at}"))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return wanted


def _keep_products(desk: Desk, session: Session, publisher: Publisher, wanted: list[ProductFacts]) -> None:
    """Take the products named, with those behind them that the form left out: none ever vanishes."""
    named = {product.key for product in wanted}
    kept = [*wanted, *(each for each in list_products(session, publisher) if each.key not in named)]
    change_settings(session, desk.now, publisher, desk.facts(session, publisher), kept, desk.actor)


@screen("/settings/proposals/<int:number>/approve", TeamRole.APPROVER, get=False, is_fresh=True)
def approve_proposed_settings(desk: Desk, number: int) -> Any:
    """Approve proposed settings; the last approval that is asked for brings the publisher there."""
    try:
        with desk.writing() as (session, publisher):
            proposal = get_proposal(session, publisher, number)
            fate = approve_settings(session, desk.now, publisher, proposal, desk.actor)
    except RegistryError as error:
        return go("settings", said=" ".join(errors_of(error).values()))
    if fate.proposal is not None:
        return go("settings", said="Approved. Another colleague’s yes is needed before it counts.")
    return go("settings", said="Approved, and changed as proposed.")


@screen("/settings/proposals/<int:number>/refuse", TeamRole.EDITOR, get=False)
def refuse_proposed_settings(desk: Desk, number: int) -> Any:
    """Refuse proposed settings, or withdraw one's own: everything stays as it is."""
    try:
        with desk.writing() as (session, publisher):
            proposal = get_proposal(session, publisher, number)
            is_own = proposal.author == desk.email
            if not is_own and not desk.may(TeamRole.APPROVER):
                return go("settings", said="Refusing what somebody proposed takes the role of an approver.")
            outcome = ProposalOutcome.WITHDRAWN if is_own else ProposalOutcome.REFUSED
            close_proposal(session, desk.now, publisher, proposal, desk.actor, outcome)
    except RegistryError as error:
        return go("settings", said=" ".join(errors_of(error).values()))
    return go("settings", said="The proposal is off; everything stays as it is.")
