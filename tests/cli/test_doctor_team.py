"""What `registry doctor` says of the team: who can sign in, who could approve, and ways in that do not work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from registry.clock import now
from registry.tables import Person, Publisher
from registry.tables.engine import writing
from registry.web.sign_in_keys import recovery_codes_key
from tests.backups import engine_of
from tests.cli.conftest import LIST, Terminal
from tests.web.team.oidc_provider import Provider, issuer

AT = ("--publisher", "antopsis")
OLA, ARNO, EDDA = (f"{name}@antopsis.example" for name in ("ola", "arno", "edda"))


@pytest.fixture
def provider() -> Iterator[Provider]:
    """The company's sign-in, on a socket of this machine."""
    with issuer() as running:
        yield running


def about(terminal: Terminal, subject: str, *options: str) -> list[dict[str, Any]]:
    told = terminal.ask("doctor", *(options or ("--no-network",)), exit_code=1)
    return [finding for finding in told["findings"] if finding["about"] == subject]


def work(terminal: Terminal, email: str, role: str, *, has_joined: bool = True) -> None:
    terminal.run("user", "add", email, *AT, "--role", role)
    if has_joined:
        with engine_of(terminal.environ["REGISTRY_DATABASE_URL"]) as engine, writing(engine) as session:
            session.scalars(select(Person).where(Person.email == email)).one().joined_at = now()


class TestOwners:
    def test_a_list_that_is_kept_without_the_workbench_is_told_how_to_let_somebody_in(
        self, sqlite_terminal: Terminal
    ) -> None:
        sqlite_terminal.apply(LIST)
        [found] = about(sqlite_terminal, "Owners")
        assert (found["grade"], found["says"]) == ("note", "nobody works for antopsis in the workbench.")
        assert "registry user add EMAIL --publisher antopsis --role owner" in found["remedy"]

    def test_an_owner_who_never_signed_in_is_named_with_the_command_for_a_new_link(
        self, sqlite_terminal: Terminal
    ) -> None:
        sqlite_terminal.apply(LIST)
        work(sqlite_terminal, OLA, "owner", has_joined=False)
        [found] = about(sqlite_terminal, "Owners")
        assert (found["grade"], found["remedy"]) == ("note", f"`registry user link {OLA}` makes a new link.")
        work(sqlite_terminal, OLA, "owner")
        [found] = about(sqlite_terminal, "Owners")
        assert (found["grade"], found["says"]) == ("ok", "of antopsis, 1 owner can sign in.")

    def test_colleagues_without_any_owner_who_can_sign_in_are_not_fit(self, sqlite_terminal: Terminal) -> None:
        sqlite_terminal.apply(LIST)
        work(sqlite_terminal, EDDA, "editor")
        [found] = about(sqlite_terminal, "Owners")
        assert found["grade"] == "wrong"
        assert "no owner of antopsis can sign in" in found["says"]


class TestApprovals:
    REQUIRED = LIST.replace("  command_line_may_approve: true\n", "")

    def test_nobody_to_approve_means_that_nothing_can_ever_be_published(self, sqlite_terminal: Terminal) -> None:
        sqlite_terminal.apply(self.REQUIRED, approvals=2)
        work(sqlite_terminal, OLA, "owner")
        work(sqlite_terminal, EDDA, "editor")
        [found] = about(sqlite_terminal, "Approvals")
        assert found["grade"] == "wrong"
        assert "requires 2 approvals, and 1 person could give one" in found["says"]
        work(sqlite_terminal, ARNO, "approver")
        assert about(sqlite_terminal, "Approvals") == []

    def test_one_person_alone_cannot_approve_what_they_write(self, sqlite_terminal: Terminal) -> None:
        sqlite_terminal.apply(self.REQUIRED, approvals=1)
        work(sqlite_terminal, OLA, "owner")
        [found] = about(sqlite_terminal, "Approvals")
        assert "nobody approves what they wrote" in found["says"]
        work(sqlite_terminal, EDDA, "editor")
        assert about(sqlite_terminal, "Approvals") == []

    def test_where_the_command_line_approves_it_needs_nobody(self, sqlite_terminal: Terminal) -> None:
        sqlite_terminal.apply(LIST, approvals=2)
        assert about(sqlite_terminal, "Approvals") == []


class TestSecondProofs:
    def test_one_that_is_required_and_that_nobody_has_is_a_note(self, sqlite_terminal: Terminal) -> None:
        sqlite_terminal.apply(LIST)
        work(sqlite_terminal, OLA, "owner")
        with engine_of(sqlite_terminal.environ["REGISTRY_DATABASE_URL"]) as engine:
            with writing(engine) as session:
                session.scalars(select(Publisher)).one().requires_second_factor = True
            [found] = about(sqlite_terminal, "Second proof")
            assert found["grade"] == "note"
            with writing(engine) as session:
                session.scalars(select(Person)).one().tf_primary_method = "authenticator"
            assert about(sqlite_terminal, "Second proof") == []

    def test_codes_stored_under_another_secret_key_are_found_and_whose_they_are(
        self, sqlite_terminal: Terminal
    ) -> None:
        sqlite_terminal.apply(LIST)
        work(sqlite_terminal, OLA, "owner")
        sealed = Fernet(recovery_codes_key(sqlite_terminal.environ["REGISTRY_SECRET_KEY"])).encrypt(b"1a2b-3c4d")
        with engine_of(sqlite_terminal.environ["REGISTRY_DATABASE_URL"]) as engine, writing(engine) as session:
            session.scalars(select(Person)).one().mf_recovery_codes = [sealed.decode()]
        assert about(sqlite_terminal, "Second proof") == []
        sqlite_terminal.environ["REGISTRY_SECRET_KEY"] = "Vq7-another-installation-0aZ91xLm"
        [found] = about(sqlite_terminal, "Second proof")
        assert found["grade"] == "wrong"
        assert f"of {OLA}: codes were stored under another secret key" in found["says"]
        assert f"`registry user reset-factors {OLA}`" in found["remedy"]


class TestWaysIn:
    @pytest.mark.parametrize(
        ("address", "is_named"),
        [
            ("http://127.0.0.1:8000", False),
            ("https://192.0.2.7", False),
            ("https://[2001:db8::7]", False),
            ("http://localhost:8000", True),
            ("https://list.example.com", True),
        ],
    )
    def test_passkeys_need_an_address_with_a_name(
        self, sqlite_terminal: Terminal, address: str, is_named: bool
    ) -> None:
        sqlite_terminal.apply(LIST)
        sqlite_terminal.environ["REGISTRY_BASE_URL"] = address
        assert (about(sqlite_terminal, "Passkeys") == []) is is_named

    def by_company(self, terminal: Terminal, address: str) -> Terminal:
        terminal.apply(LIST)
        terminal.environ |= {
            "REGISTRY_OIDC_ISSUER": address,
            "REGISTRY_OIDC_CLIENT_ID": "registry",
            "REGISTRY_OIDC_CLIENT_SECRET": "hush-hush-hush",
            "REGISTRY_OIDC_NAME": "Antopsis",
        }
        return terminal

    def test_the_companys_sign_in_is_asked_whether_it_is_what_the_setting_says(
        self, sqlite_terminal: Terminal, provider: Provider
    ) -> None:
        terminal = self.by_company(sqlite_terminal, provider.base)
        [found] = about(terminal, "Company", "--dkim-selector", "x")
        assert (found["grade"], found["says"]) == ("ok", "people can sign in by Antopsis too.")
        provider.told_issuer = "https://another.example"
        [found] = about(terminal, "Company", "--dkim-selector", "x")
        assert (found["grade"], "calls itself https://another.example" in found["says"]) == ("wrong", True)
        provider.answers_badly = True
        [found] = about(terminal, "Company", "--dkim-selector", "x")
        assert (found["grade"], "it answered with 500" in found["says"]) == ("wrong", True)
        asked = len(provider.paths)
        [found] = about(terminal, "Company", "--no-network")
        assert (found["grade"], len(provider.paths)) == ("note", asked)

    def test_an_issuer_that_is_not_there_is_said(self, sqlite_terminal: Terminal, provider: Provider) -> None:
        terminal = self.by_company(sqlite_terminal, "http://127.0.0.1:9")
        [found] = about(terminal, "Company", "--dkim-selector", "x")
        assert (found["grade"], "it was not reached" in found["says"]) == ("wrong", True)
        terminal.environ["REGISTRY_OIDC_ISSUER"] = f"{provider.base}/realm"
        [found] = about(terminal, "Company", "--dkim-selector", "x")
        assert (found["grade"], "it answered with 404" in found["says"]) == ("wrong", True)
