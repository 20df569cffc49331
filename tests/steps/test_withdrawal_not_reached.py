"""A withdrawal that a customer does not get is a task, and no contact is called in that never heard of the notice."""

from __future__ import annotations

from registry.steps.call_in import call_in
from registry.steps.contacts import add_contact
from registry.steps.lookup import get_customer, get_publisher
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import look, no_mailbox, pending_notice, tasks
from tests.steps.path_cast import sweep, withdraw
from tests.steps.post_office import DPO, states_of
from tests.steps.test_untold import SECOND, UNTOLD
from tests.world import ANNA, BREMEN, World, antopsis, letters_to


def test_who_stands_by_is_not_told_of_the_withdrawal_of_what_it_never_heard_of(
    world: World, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=BREMEN))
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "bremen")
        add_contact(session, world.at, customer, SECOND, ANNA, is_standby=True)
    number = pending_notice(world, BREMEN)
    no_mailbox(mail_server)
    withdraw(world, number)
    sweep(world, "send")
    with world.writing() as session:
        assert call_in(session, world.at) == 0
    sweep(world, "send")
    assert states_of(world, "withdrawal") == {DPO: "failed"}
    assert letters_to(mail_server, SECOND) == []
    look(world)
    assert [(task.facts["letter"], task.facts["customer"]) for task in tasks(world, UNTOLD)] == [
        ("withdrawal", "bremen")
    ]
