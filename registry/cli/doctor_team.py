"""What `registry doctor` finds about the team: who can sign in, who could approve, and whether second proofs fit."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import requests
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.cli.findings import Finding, Grade
from registry.cli.printing import count_of
from registry.domain.people import TeamRole
from registry.steps.lookup import read_facts
from registry.tables import Membership, Passkey, Person, Publisher
from registry.web.sign_in_keys import recovery_codes_key
from registry.wiring import CompanySignIn, Wiring

SECONDS: Final = 5
"""How long the company's sign-in may take to answer, as in `registry.web.sign_in_company`."""
MOST_NAMED: Final = 5
SPOKEN_TO_BY: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
"""What an issuer must say of itself, or nobody can sign in by it."""


@dataclass(frozen=True)
class _Colleague:
    email: str
    role: TeamRole
    is_active: bool
    has_joined: bool
    has_second_factor: bool


def examine_sign_in(wiring: Wiring, *, uses_network: bool) -> Iterator[Finding]:
    """Yield what is found about the ways to sign in that hang on settings: passkeys, and the company's sign-in."""
    host = urlsplit(wiring.letterhead.base_url).hostname or ""
    if _is_address(host):
        yield Finding(
            "Passkeys",
            Grade.NOTE,
            f"browsers make none for {host}, which is no name. Passwords and codes work.",
            "Set REGISTRY_BASE_URL to an address with a name.",
        )
    if wiring.company_sign_in is not None:
        yield _company(wiring.company_sign_in, uses_network=uses_network)


def examine_team(session: Session, wiring: Wiring) -> Iterator[Finding]:
    """Yield what is found about the people: of each publisher whether it can be run, and whose codes are lost."""
    for publisher in session.scalars(select(Publisher).order_by(Publisher.slug)):
        colleagues = _colleagues(session, publisher)
        yield _owners(publisher.slug, colleagues)
        yield from _approvers(session, publisher, colleagues)
        if publisher.requires_second_factor and not any(each.has_second_factor for each in colleagues):
            yield Finding(
                "Second proof",
                Grade.NOTE,
                f"{publisher.slug} requires one, and nobody there has set one up.",
                "Each is led to it with the next click after signing in.",
            )
    yield from _sealed_codes(session, wiring)


def _colleagues(session: Session, publisher: Publisher) -> list[_Colleague]:
    with_passkey = set(session.scalars(select(Passkey.person_id).distinct()))
    return [
        _Colleague(
            email=person.email,
            role=TeamRole(role),
            is_active=person.active,
            has_joined=person.joined_at is not None,
            has_second_factor=person.tf_primary_method is not None or person.id in with_passkey,
        )
        for person, role in session.execute(
            select(Person, Membership.role)
            .join(Membership, Membership.person_id == Person.id)
            .where(Membership.publisher_id == publisher.id)
            .order_by(Person.email)
        )
    ]


def _owners(slug: str, colleagues: list[_Colleague]) -> Finding:
    owners = [each for each in colleagues if each.role is TeamRole.OWNER and each.is_active]
    if any(each.has_joined for each in owners):
        return Finding("Owners", Grade.OK, f"of {slug}, {count_of(len(owners), 'owner')} can sign in.")
    add = f"`registry user add EMAIL --publisher {slug} --role owner` lets one in."
    if owners:
        first = owners[0].email
        says = f"{first}, owner of {slug}, has never signed in."
        return Finding("Owners", Grade.NOTE, says, f"`registry user link {first}` makes a new link.")
    if not colleagues:
        return Finding("Owners", Grade.NOTE, f"nobody works for {slug} in the workbench.", add)
    says = f"no owner of {slug} can sign in: nobody decides on its settings and people."
    return Finding("Owners", Grade.WRONG, says, add)


def _approvers(session: Session, publisher: Publisher, colleagues: list[_Colleague]) -> Iterator[Finding]:
    facts = read_facts(session, publisher)
    needed = facts.approvals_required
    if not needed or facts.command_line_may_approve:
        return
    able = [each for each in colleagues if each.is_active and each.role.includes(TeamRole.APPROVER)]
    writers = [each for each in colleagues if each.is_active and each.role.includes(TeamRole.EDITOR)]
    remedy = f"`registry user add EMAIL --publisher {publisher.slug} --role approver`, or require fewer."
    asked = f"{publisher.slug} requires {count_of(needed, 'approval')}"
    if len(able) < needed:
        says = (
            f"{asked}, and {count_of(len(able), 'person', 'people')} could give one: no notice can ever be published."
        )
        yield Finding("Approvals", Grade.WRONG, says, remedy)
    elif len(writers) == needed:
        says = f"{asked}, and nobody approves what they wrote: what any of the {needed} drafts here waits for ever."
        yield Finding("Approvals", Grade.WRONG, says, remedy)


def _sealed_codes(session: Session, wiring: Wiring) -> Iterator[Finding]:
    """Try the recovery codes, which go with every second proof by codes or key: a wrong key opens none of them.

    The secrets of one-time codes cannot tell: opened with a wrong key they are other secrets, and no error.
    """
    fernet = Fernet(recovery_codes_key(wiring.secret_key))
    lost = []
    for email, codes in session.execute(select(Person.email, Person.mf_recovery_codes).order_by(Person.email)):
        try:
            for code in (codes or [])[:1]:
                fernet.decrypt(code.encode())
        except InvalidToken:
            lost.append(email)
    if lost:
        named = ", ".join(lost[:MOST_NAMED]) + (f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else "")
        yield Finding(
            "Second proof",
            Grade.WRONG,
            f"of {named}: codes were stored under another secret key, and none of theirs opens anything.",
            f"Set REGISTRY_SECRET_KEY to what it was; or `registry user reset-factors {lost[0]}` for each, once you "
            "know who asks.",
        )


def _company(company: CompanySignIn, *, uses_network: bool) -> Finding:
    if not uses_network:
        return Finding("Company", Grade.NOTE, f"{company.issuer} was not asked.", "Leave out --no-network.")
    remedy = "Correct REGISTRY_OIDC_ISSUER. Passwords and passkeys work meanwhile."
    try:
        response = requests.get(company.discovery_url, timeout=SECONDS)
        response.raise_for_status()
        told = response.json()
    except requests.RequestException as error:
        status = getattr(error.response, "status_code", None)
        why = f"it answered with {status}" if status else "it was not reached, or answered with something else"
        return Finding("Company", Grade.WRONG, f"nobody can sign in by {company.name}: {why}.", remedy)
    issuer = told.get("issuer") if isinstance(told, dict) else None
    if not isinstance(issuer, str) or issuer.rstrip("/") != company.issuer.rstrip("/"):
        says = f"nobody can sign in by {company.name}: {company.issuer} calls itself {issuer or 'nothing'}."
        return Finding("Company", Grade.WRONG, says, remedy)
    missing = [name for name in SPOKEN_TO_BY if not told.get(name)]
    if missing:
        says = f"nobody can sign in by {company.name}: it does not say its {', '.join(missing)}."
        return Finding("Company", Grade.WRONG, says, remedy)
    return Finding("Company", Grade.OK, f"people can sign in by {company.name} too.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
