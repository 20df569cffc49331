"""`registry endpoint owner`: somebody else answers for an endpoint."""

from __future__ import annotations

from tests.cli.conftest import LIST, Terminal

ADDRESS = "https://hooks.acme.example/notices"
OWNER, SUCCESSOR = "ops@acme.example", "anna@acme.example"


def add(terminal: Terminal) -> str:
    """Add a customer that has nothing but an endpoint; return the endpoint's number."""
    terminal.apply(LIST)
    terminal.run("customer", "add", "acme", "--publisher", "antopsis", "--name", "Acme GmbH")
    at = ("--publisher", "antopsis", "--kind", "webhook", "--customer", "acme", "--owner", OWNER)
    return str(terminal.ask("endpoint", "add", ADDRESS, *at)["endpoint"])


def test_the_new_owner_is_named_and_what_becomes_of_the_former_one(terminal: Terminal) -> None:
    number = add(terminal)
    shown = terminal.run("endpoint", "owner", number, SUCCESSOR, "--publisher", "antopsis").stdout
    assert f"{SUCCESSOR} answers for endpoint {number} from now on." in shown
    assert f"{SUCCESSOR} stands by as a contact of acme" in shown
    advice = f"registry customer contact-end acme {OWNER} --publisher antopsis"
    assert advice in shown
    terminal.run(*advice.split()[1:])
    assert terminal.ask("endpoint", "list", "--publisher", "antopsis")[0]["owner"] == SUCCESSOR
    shown = terminal.run("endpoint", "owner", number, SUCCESSOR, "--publisher", "antopsis").stdout
    assert f"{SUCCESSOR} answers for endpoint {number} already." in shown


def test_a_program_is_told_the_same(terminal: Terminal) -> None:
    number = add(terminal)
    assert terminal.ask("endpoint", "owner", number, SUCCESSOR, "--publisher", "antopsis") == {
        "endpoint": int(number),
        "owner": SUCCESSOR,
        "is_new": True,
        "new_standby_of": "acme",
        "former_contact_of": ["acme"],
    }


def test_what_is_wrong_is_said(terminal: Terminal) -> None:
    number = add(terminal)
    refused = terminal.run("endpoint", "owner", "4711", SUCCESSOR, "--publisher", "antopsis", exit_code=2)
    assert "antopsis has no endpoint 4711" in refused.stderr
    refused = terminal.run("endpoint", "owner", number, "anna", "--publisher", "antopsis", exit_code=2)
    assert "owner" in refused.stderr
    terminal.run("customer", "contact-add", "acme", "dpo@acme.example", "--publisher", "antopsis")
    terminal.run("endpoint", "end", number, "--publisher", "antopsis")
    refused = terminal.run("endpoint", "owner", number, SUCCESSOR, "--publisher", "antopsis", exit_code=2)
    assert f"Endpoint {number} of antopsis has ended" in refused.stderr
