"""`registry user`: the way in for the first owner, and for when nobody can get in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask_security import hash_password
from sqlalchemy import Engine, select

from registry.app import create_app
from registry.cli.demo import SCENES, TEAM, find_ways_in, prepare_demo
from registry.clock import now
from registry.settings import Settings
from registry.tables import Event, Membership, Passkey, Person, SignIn
from registry.tables.engine import reading, writing
from registry.web.current import EXTENSION
from registry.wiring import wire
from tests.backups import engine_of
from tests.channels.smtp_server import MailServer
from tests.cli.conftest import LIST, Terminal, environ_for
from tests.world import letters_to, text_of

OLA = "ola@antopsis.example"
EDDA = "edda@antopsis.example"
AT = ("--publisher", "antopsis")
LINK = re.compile(r"http://127\.0\.0\.1:8000/team/account/reset/\S+")


@pytest.fixture
def founded(terminal: Terminal) -> Terminal:
    """A fresh machine with a list, and nobody who may sign in."""
    terminal.apply(LIST)
    return terminal


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A real mail server on a socket."""
    with MailServer() as server:
        yield server


def add(terminal: Terminal, email: str, role: str, *more: str, exit_code: int = 0) -> str:
    result = terminal.run("user", "add", email, *AT, "--role", role, *more, exit_code=exit_code)
    return result.stdout if exit_code == 0 else result.stderr


def opens(terminal: Terminal, link: str) -> int:
    """Open a link as a browser does."""
    app = create_app(Settings.from_env(terminal.environ))
    try:
        path = link.removeprefix("http://127.0.0.1:8000")
        return app.test_client().get(path, base_url="http://127.0.0.1:8000").status_code
    finally:
        app.extensions[EXTENSION].engine.dispose()


class TestAdding:
    def test_the_first_owner_of_a_fresh_machine_gets_a_link_that_opens(self, founded: Terminal, engine: Engine) -> None:
        said = add(founded, "Ola@antopsis.example", "owner", "--name", "Ola Owner", "--as", "root@antopsis.example")
        assert "ola@antopsis.example is owner of antopsis: also decides on settings, people and terms." in said
        assert "within 7 days" in said
        found = LINK.search(said)
        assert found is not None
        assert opens(founded, found[0]) == 200
        with reading(engine) as session:
            person = session.scalars(select(Person)).one()
            event = session.scalars(select(Event).where(Event.kind == "person.invited")).one()
            assert (person.email, person.name, person.password) == (OLA, "Ola Owner", None)
            assert event.actor.startswith("root@antopsis.example (command line, as ")
            assert session.scalars(select(Membership.role)).one() == "owner"

    def test_added_again_it_is_a_new_link_in_the_new_role(self, founded: Terminal) -> None:
        add(founded, OLA, "editor")
        assert LINK.search(add(founded, OLA, "owner")) is not None
        assert founded.ask("user", "list")[0]["holds"] == [{"publisher": "antopsis", "role": "owner"}]

    def test_with_real_mail_it_is_sent_as_well_unless_no_letter_is_wanted(
        self, sqlite_url: str, tmp_path: Path, mail_server: MailServer
    ) -> None:
        mail = {"REGISTRY_MAIL_URL": mail_server.url, "REGISTRY_MAIL_FROM": "notices@registry.example"}
        terminal = Terminal(environ_for(sqlite_url, tmp_path / "instance", **mail), tmp_path)
        terminal.apply(LIST)
        add(terminal, OLA, "owner", "--no-letter")
        assert letters_to(mail_server, OLA) == []
        assert "It was sent to them by e-mail as well." in add(terminal, OLA, "owner", "--as", "root@antopsis.example")
        [letter] = letters_to(mail_server, OLA)
        assert "root@antopsis.example invites you" in letter.as_string()
        mail_server.script(EDDA, 550, "5.1.1 No such user here")
        said = add(terminal, EDDA, "editor")
        assert "The mail server did not take the letter" in said
        assert LINK.search(said) is not None

    def test_without_real_mail_nothing_is_written(self, founded: Terminal) -> None:
        document = founded.ask("user", "add", OLA, *AT, "--role", "owner")
        assert (document["letter"], document["needs_password"], document["role"]) == ("not_written", True, "owner")
        assert LINK.fullmatch(document["link"])
        assert not list(founded.folder.glob("instance/outbox/*.eml"))

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("ola", *AT, "--role", "owner"), "“ola” cannot be an e-mail address"),
            ((OLA, *AT, "--role", "king"), "is not one of 'viewer', 'editor', 'approver', 'owner'"),
            ((OLA, "--publisher", "antopis", "--role", "owner"), "Did you mean antopsis?"),
            ((OLA, *AT), "Missing option '--role'"),
        ],
    )
    def test_bad_input_is_one_clear_sentence_and_exit_2(
        self, sqlite_terminal: Terminal, arguments: tuple[str, ...], sentence: str
    ) -> None:
        sqlite_terminal.apply(LIST)
        refused = sqlite_terminal.run("user", "add", *arguments, exit_code=2)
        assert sentence in refused.stderr
        assert refused.stderr.count("\n") == 1


class TestTheOthers:
    def test_who_may_sign_in_is_listed_with_what_they_hold(self, founded: Terminal) -> None:
        assert "Nobody may sign in yet. `registry user add EMAIL" in founded.run("user", "list").stdout
        add(founded, OLA, "owner")
        add(founded, EDDA, "editor", "--name", "Edda Editor")
        lines = founded.run("user", "list", *AT).stdout.splitlines()
        assert lines[0].split() == ["Address", "Name", "Works", "for", "Second", "proof", "Signs", "in"]
        assert lines[1].startswith(
            "edda@antopsis.example  Edda Editor  antopsis: editor  no            not yet, invited "
        )
        assert len(lines) == 3

    def test_a_role_changes_and_a_person_goes_but_the_last_owner_stays(self, founded: Terminal) -> None:
        add(founded, OLA, "owner")
        add(founded, EDDA, "editor")
        said = founded.run("user", "role", EDDA, *AT, "--role", "approver").stdout
        assert said == "edda@antopsis.example is approver of antopsis now, and was editor.\n"
        assert "Nothing changed" in founded.run("user", "role", EDDA, *AT, "--role", "approver").stdout
        assert founded.ask("user", "remove", EDDA, *AT) == {
            "email": EDDA,
            "publisher": "antopsis",
            "before": "approver",
        }
        for act in (("remove", OLA, *AT), ("role", OLA, *AT, "--role", "viewer"), ("shut-out", OLA)):
            refused = founded.run("user", *act, exit_code=2)
            assert "ola@antopsis.example is the only owner of Antopsis" in refused.stderr
        assert "does not work for Antopsis" in founded.run("user", "remove", EDDA, *AT, exit_code=2).stderr

    def test_who_is_shut_out_is_let_in_again(self, founded: Terminal) -> None:
        add(founded, OLA, "owner")
        add(founded, EDDA, "editor")
        assert "every session has ended" in founded.run("user", "shut-out", EDDA).stdout
        assert "was shut out already" in founded.run("user", "shut-out", EDDA).stdout
        assert "shut out" in founded.run("user", "list").stdout
        assert "registry user let-in" in add(founded, EDDA, "editor", exit_code=2)
        assert "registry user let-in" in founded.run("user", "link", EDDA, exit_code=2).stderr
        assert founded.ask("user", "let-in", EDDA) == {"email": EDDA, "is_active": True, "is_new": True}
        assert "was not shut out" in founded.run("user", "let-in", EDDA).stdout
        assert (
            "Nobody signs in here as edd@antopsis.example."
            in founded.run("user", "shut-out", "edd@antopsis.example", exit_code=2).stderr
        )

    def test_a_link_for_who_cannot_get_in_is_on_record(self, founded: Terminal, engine: Engine) -> None:
        add(founded, OLA, "owner")
        assert "within 7 days" in founded.run("user", "link", OLA).stdout
        app = create_app(Settings.from_env(founded.environ))
        with app.app_context(), writing(engine) as session:
            session.scalars(select(Person)).one().password = hash_password("correct horse battery staple")
        app.extensions[EXTENSION].engine.dispose()
        document = founded.ask("user", "link", OLA)
        assert (document["email"], document["good_for_days"]) == (OLA, 1)
        assert opens(founded, document["link"]) == 200
        with reading(engine) as session:
            kinds = session.scalars(select(Event.kind).where(Event.kind == "person.link_made")).all()
        assert len(kinds) == 2


class TestSecondProofs:
    def lose_everything(self, terminal: Terminal, engine: Engine, *, has_password: bool = True) -> None:
        """Let Ola have codes, recovery codes, a passkey and a session, none of which she has at hand any more."""
        add(terminal, OLA, "owner")
        with writing(engine) as session:
            person = session.scalars(select(Person)).one()
            person.password, person.joined_at = "argon2" if has_password else None, now()
            person.tf_primary_method, person.tf_totp_secret, person.mf_recovery_codes = "authenticator", "sealed", ["x"]
            passkey = {"name": "Laptop", "credential_id": b"1", "public_key": b"2", "usage": "first"}
            facts = {"backup_state": False, "device_type": "single_device", "lastuse_datetime": now()}
            session.add(Passkey(person_id=person.id, **passkey, **facts))
            session.add(SignIn(person_id=person.id, key="k", began_at=now(), seen_at=now()))

    def test_who_lost_phone_key_and_codes_signs_in_by_password_again_and_it_is_on_record(
        self, founded: Terminal, engine: Engine
    ) -> None:
        self.lose_everything(founded, engine)
        said = founded.run("user", "reset-factors", "Ola@antopsis.example", "--as", "root@antopsis.example").stdout
        assert "ola@antopsis.example has no second proof any more, and every session has ended." in said
        assert "sign in by their password" in said
        with reading(engine) as session:
            person = session.scalars(select(Person)).one()
            assert (person.password, person.tf_primary_method, person.tf_totp_secret) == ("argon2", None, None)
            assert person.mf_recovery_codes is None
            assert session.scalars(select(Passkey)).all() == []
            assert session.scalars(select(SignIn.ended_at)).one() is not None
            event = session.scalars(select(Event).where(Event.kind == "person.second_factors_taken")).one()
        assert event.actor.startswith("root@antopsis.example (command line, as ")
        assert event.payload == {"codes": True, "passkeys": 1}
        assert "Nothing changed: ola@antopsis.example has no second" in founded.run("user", "reset-factors", OLA).stdout
        assert founded.ask("user", "reset-factors", OLA) == {
            "email": OLA,
            "is_new": False,
            "has_password": True,
            "letter": "not_written",
        }

    def test_who_has_no_password_either_is_named_the_command_that_gives_a_link(
        self, founded: Terminal, engine: Engine
    ) -> None:
        self.lose_everything(founded, engine, has_password=False)
        assert f"`registry user link {OLA}`" in founded.run("user", "reset-factors", OLA).stdout

    def test_nobody_is_reset_by_a_mistyped_address(self, founded: Terminal, engine: Engine) -> None:
        self.lose_everything(founded, engine)
        refused = founded.run("user", "reset-factors", "olaf@antopsis.example", exit_code=2)
        assert "Nobody signs in here as olaf@antopsis.example." in refused.stderr
        with reading(engine) as session:
            assert session.scalars(select(Person.tf_primary_method)).one() == "authenticator"

    def test_the_person_is_told_by_letter_that_somebody_took_their_proofs(
        self, sqlite_url: str, tmp_path: Path, mail_server: MailServer
    ) -> None:
        mail = {"REGISTRY_MAIL_URL": mail_server.url, "REGISTRY_MAIL_FROM": "notices@registry.example"}
        terminal = Terminal(environ_for(sqlite_url, tmp_path / "instance", **mail), tmp_path)
        terminal.apply(LIST)
        with engine_of(sqlite_url) as engine:
            self.lose_everything(terminal, engine)
            assert terminal.ask("user", "reset-factors", OLA)["letter"] == "sent"
            letter = letters_to(mail_server, OLA)[-1]
            assert letter["Subject"] == "Your second proofs were taken away"
            text = text_of(letter)
            assert "If you asked for that, there is nothing to do." in text
            assert "From:" not in text
            with writing(engine) as session:
                session.scalars(select(Person)).one().tf_primary_method = "authenticator"
            mail_server.script(OLA, 550, "5.1.1 No such user here")
            assert "Tell them in another way." in terminal.run("user", "reset-factors", OLA).stdout


class TestTheDemonstration:
    def test_every_publisher_has_three_invented_people_once_and_the_first_ones_get_a_link(
        self, sqlite_terminal: Terminal
    ) -> None:
        settings = Settings.from_env(sqlite_terminal.environ)
        wiring = wire(settings)
        for _ in range(2):
            prepare_demo(wiring, now())
        with reading(wiring.engine) as session:
            emails = set(session.scalars(select(Person.email)))
        wiring.engine.dispose()
        assert emails == {f"{role.value}@{slug}.example" for role in TEAM for slug in SCENES}
        ways_in = find_ways_in(settings, "antopsis")
        assert [way.role for way in ways_in] == list(TEAM)
        assert all(way.link is not None and opens(sqlite_terminal, way.link) == 200 for way in ways_in)

    def test_an_installation_that_is_no_demonstration_gets_nobody(self, sqlite_terminal: Terminal) -> None:
        sqlite_terminal.apply(LIST)
        assert find_ways_in(Settings.from_env(sqlite_terminal.environ), "antopsis") == []
        assert sqlite_terminal.ask("user", "list") == []
