"""The list in git: a file against what is on record, planned and applied (R3–R5, R8, R10, R16, R35)."""

from __future__ import annotations

from datetime import date

import pytest

from registry.domain.errors import InvalidInput
from registry.domain.vocabulary import Weight
from registry.i18n import explain
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.steps.apply_file import Plan, apply_file, plan_file
from registry.steps.errors import UnknownPublisher
from registry.steps.lookup import get_publisher
from registry.steps.published import load_entry_history
from registry.steps.record_edit import EditFate
from registry.tables import Publisher
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import (
    add_customer,
    announce,
    at,
    counting,
    dump,
    edit,
    events,
    file_of,
    follow,
    sweep,
)
from tests.world import ANNA, BREMEN, HANOI, World, antopsis, letters_to, utc

STRIPE = "{key: stripe, name: Stripe, purposes: [Payments]}"
CLERK = "{key: clerk, name: Clerk, purposes: [Sign-in]}"
HETZNER = "{key: hetzner, name: Hetzner, purposes: [Hosting]}"


def plan(world: World, file: RegistryFile) -> Plan:
    """Plan a file, and make sure that this changes nothing."""
    before = dump(world)
    with world.reading() as session:
        planned = plan_file(session, world.at, file)
    assert dump(world) == before
    return planned


def keys(world: World) -> list[str]:
    return [entry.key for entry in world.public().entries]


def test_the_first_load_states_the_list_once_and_tells_nobody(world: World, mail_server: MailServer) -> None:
    planned = plan(world, antopsis())
    assert planned.is_founding
    assert [item.change.key for item in planned.changes] == ["stripe", "hetzner-falkenstein"]
    assert planned.earliest is None
    applied = world.apply(antopsis())
    assert [(edit.key, edit.fate) for edit in applied.edits] == [
        ("stripe", EditFate.IN_EFFECT),
        ("hetzner-falkenstein", EditFate.IN_EFFECT),
    ]
    follow(world, "fred@reader.example", joins=True)
    sweep(world)
    assert mail_server.messages == []
    assert world.public().revision == 1
    (founded,) = events(world, "publisher.founded")
    assert len(founded.payload["entries"]) == 2
    world.at = utc("2026-10-01 08:00")
    again = world.apply(antopsis())
    assert (again.is_founding, again.changed_anything) == (False, False)
    assert world.public().revision == 1
    assert world.public().founded_at == utc("2026-09-30 08:00")


def test_an_empty_list_is_founded_once_too(world: World) -> None:
    assert world.apply(file_of([])).is_founding
    applied = world.apply(file_of([STRIPE]))
    assert not applied.is_founding
    assert [edit.fate for edit in applied.edits] == [EditFate.DRAFTED]
    assert keys(world) == []


def test_applying_a_file_twice_writes_nothing(world: World) -> None:
    world.apply(antopsis())
    world.apply(antopsis(helsinki=True))
    before = dump(world)
    world.at = utc("2026-10-01 08:00")
    assert not world.apply(antopsis(helsinki=True)).changed_anything
    assert dump(world) == before


def test_a_key_that_vanishes_is_a_removal(world: World) -> None:
    world.apply(file_of([STRIPE, CLERK]))
    planned = plan(world, file_of([CLERK]))
    assert [(item.change.key, item.change.weight) for item in planned.changes] == [("stripe", Weight.INFORMING)]
    assert planned.earliest is None
    applied = world.apply(file_of([CLERK]))
    assert [(each.key, each.fate) for each in applied.edits] == [("stripe", EditFate.DRAFTED)]
    assert not world.apply(file_of([CLERK])).changed_anything
    world.publish(world.draft())
    sweep(world)
    assert keys(world) == ["clerk"]
    assert not world.apply(file_of([CLERK])).changed_anything


def test_a_key_that_comes_and_goes_before_its_notice_leaves_the_list_alone(world: World) -> None:
    world.apply(file_of([STRIPE]))
    world.apply(file_of([STRIPE, CLERK]))
    number = world.draft()
    applied = world.apply(file_of([STRIPE]))
    assert [(each.key, each.fate) for each in applied.edits] == [("clerk", EditFate.DROPPED)]
    assert world.notice(number).state == "withdrawn"
    assert not world.apply(file_of([STRIPE])).changed_anything
    assert plan(world, file_of([STRIPE])).changes == ()


def test_a_changed_key_is_a_move_and_neither_removal_nor_addition(world: World) -> None:
    world.apply(file_of([STRIPE, CLERK]))
    moved = file_of([STRIPE.replace("stripe,", "stripe-payments, former_keys: [stripe],"), CLERK])
    planned = plan(world, moved)
    assert (planned.moved, planned.changes) == ((("stripe", "stripe-payments"),), ())
    applied = world.apply(moved)
    assert (applied.edits, applied.moved) == ((), (("stripe", "stripe-payments"),))
    assert applied.changed_anything
    assert not world.apply(moved).changed_anything
    assert keys(world) == ["stripe-payments", "clerk"]
    with world.reading() as session:
        present, history = load_entry_history(session, get_publisher(session, "antopsis"), "stripe")
    assert (present, [version.cause for version in history]) == ("stripe-payments", ["founding"])


def test_an_entry_may_move_and_change_at_once(world: World) -> None:
    world.apply(file_of([STRIPE]))
    file = file_of(["{key: stripe-payments, former_keys: [stripe], name: Stripe, purposes: [Payments, Billing]}"])
    assert [item.change.kinds for item in plan(world, file).changes] == [("purpose",)]
    applied = world.apply(file)
    assert [(each.key, each.fate) for each in applied.edits] == [("stripe-payments", EditFate.DRAFTED)]
    world.publish(world.draft())
    at(world, utc("2026-10-30 23:00"))
    assert world.public().entries[0].content.purposes == ("Payments", "Billing")


def test_a_move_back_is_a_move(world: World) -> None:
    world.apply(file_of([STRIPE]))
    world.apply(file_of([STRIPE.replace("stripe,", "payments, former_keys: [stripe],")]))
    applied = world.apply(file_of([STRIPE]))
    assert applied.moved == (("payments", "stripe"),)
    assert keys(world) == ["stripe"]


def test_a_new_entry_cannot_take_a_key_that_leads_to_another(world: World) -> None:
    world.apply(file_of([STRIPE]))
    moved = STRIPE.replace("stripe,", "payments, former_keys: [stripe],")
    world.apply(file_of([moved]))
    both = file_of([STRIPE.replace("stripe,", "payments,"), STRIPE.replace("Stripe", "Another")])
    before = dump(world)
    with pytest.raises(InvalidInput) as refusal:
        world.apply(both)
    assert [(problem.field, problem.code) for problem in refusal.value.problems] == [("entries.1.key", "repeated-key")]
    with world.reading() as session, pytest.raises(InvalidInput):
        plan_file(session, world.at, both)
    assert dump(world) == before


def test_another_order_is_public_and_a_place_in_the_middle_for_a_draft_is_not(world: World) -> None:
    world.apply(file_of([STRIPE, HETZNER]))
    before = world.public()
    applied = world.apply(file_of([STRIPE, CLERK, HETZNER]))
    assert not applied.is_reordered
    assert world.public() == before
    applied = world.apply(file_of([CLERK, HETZNER, STRIPE]))
    assert applied.is_reordered
    assert applied.changed_anything
    assert world.public().revision == before.revision + 1
    assert keys(world) == ["hetzner", "stripe"]
    assert not world.apply(file_of([CLERK, HETZNER, STRIPE])).changed_anything
    world.publish(world.draft())
    at(world, utc("2026-10-30 23:00"))
    assert keys(world) == ["clerk", "hetzner", "stripe"]


def test_a_plan_names_the_earliest_date_and_whose_clock_decides_it(world: World) -> None:
    world.apply(antopsis())
    planned = plan(world, antopsis(helsinki=True))
    assert planned.earliest is not None
    assert (planned.earliest.effective_on, planned.earliest.governed_by) == (date(2026, 11, 16), "hanoi")
    assert [(item.is_drafted, item.stands_in) for item in planned.changes] == [(False, None)]


def test_a_plan_counts_the_terms_and_customers_of_its_own_file(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    slower = BREMEN.replace("time_zone", "notice: {days: 90}\n    time_zone")
    planned = plan(world, antopsis(helsinki=True, customers=slower + HANOI))
    assert planned.earliest is not None
    assert (planned.earliest.governed_by, planned.earliest.days) == ("bremen", 90)
    world.apply(antopsis(helsinki=True, customers=slower + HANOI))
    assert world.notice(world.draft()).planned_on == planned.earliest.effective_on
    ended = HANOI + "    contract_until: 2026-09-01\n"
    planned = plan(world, antopsis(helsinki=True, customers=BREMEN + ended, more_entries="  - {key: a, name: A}"))
    assert planned.earliest is not None
    assert planned.earliest.governed_by == "bremen"
    # A contract that was ended by hand stays ended where the file does not speak of it.
    add_customer(world, key="bremen", name="Bremen Media GmbH", contract_until=date(2026, 9, 1))
    planned = plan(world, antopsis(helsinki=True, customers=slower, more_entries="  - {key: clerk, name: Clerk}"))
    assert planned.earliest is not None
    assert planned.earliest.governed_by == "hanoi"


def test_a_plan_tells_what_is_drafted_and_what_stands_in_a_notice(world: World) -> None:
    world.apply(antopsis())
    file = antopsis(helsinki=True)
    world.apply(file)
    (drafted,) = plan(world, file).changes
    assert (drafted.is_drafted, drafted.stands_in) == (True, None)
    number = world.draft()
    planned = plan(world, file)
    assert (planned.changes[0].is_drafted, planned.changes[0].stands_in) == (True, number)
    # Nothing binding is new, so no date is named.
    assert planned.earliest is None
    world.publish(number)
    assert plan(world, file).changes[0].stands_in == number


def test_an_edit_that_waits_for_a_notice_to_end_does_not_stand_in_it(world: World) -> None:
    world.apply(file_of([STRIPE]))
    world.apply(file_of(["{key: stripe, name: Stripe, purposes: [Payments, Billing]}"]))
    world.publish(world.draft())
    file = file_of(["{key: stripe, name: Stripe, purposes: [Payments, Billing], retention: 10 years}"])
    applied = world.apply(file)
    assert [each.fate for each in applied.edits] == [EditFate.WAITS]
    (item,) = plan(world, file).changes
    assert (item.is_drafted, item.stands_in) == (True, None)
    assert not world.apply(file).changed_anything


def test_a_plan_for_what_is_published_already_is_empty(world: World) -> None:
    world.apply(antopsis())
    announce(world)
    at(world, utc("2027-03-01 08:00"))
    at(world, utc("2027-06-01 08:00"))
    planned = plan(world, antopsis(helsinki=True))
    assert (planned.changes, planned.moved, planned.publisher_changes, planned.earliest) == ((), (), (), None)


def test_private_facts_change_alone_and_count_as_a_change(world: World) -> None:
    world.apply(file_of([STRIPE]))
    public = world.public()
    file = file_of([STRIPE.replace("}", ", owner: Anna, review_due_on: 2027-01-01}")])
    applied = world.apply(file)
    assert (applied.edits, applied.internals_changed, applied.changed_anything) == ((), 1, True)
    assert not world.apply(file).changed_anything
    assert world.public() == public
    assert world.apply(file_of([STRIPE])).internals_changed == 1


def test_what_the_publisher_says_of_itself_is_public_and_how_it_works_is_not(world: World) -> None:
    world.apply(file_of([STRIPE]))
    world.at = utc("2026-10-01 08:00")
    before = world.public()
    applied = world.apply(file_of([STRIPE], reminder_days="14", dispatch_margin_days="2"))
    assert applied.publisher_changes == ("dispatch_margin_days", "reminder_days")
    assert (world.public().revision, world.public().changed_at) == (before.revision, before.changed_at)
    renamed = file_of([STRIPE], reminder_days="14", dispatch_margin_days="2", legal_name="Antopsis GmbH")
    assert plan(world, renamed).publisher_changes == ("legal_name",)
    world.apply(renamed)
    assert world.public().publisher.legal_name == "Antopsis GmbH"
    assert world.public().revision == before.revision + 1


def test_a_file_for_another_publisher_is_refused(world: World) -> None:
    world.apply(antopsis())
    before = dump(world)
    with pytest.raises(UnknownPublisher), world.writing() as session:
        apply_file(session, world.at, antopsis(helsinki=True), ANNA, only="nextapi")
    assert dump(world) == before


def test_a_host_name_belongs_to_one_publisher(world: World) -> None:
    world.apply(file_of([STRIPE], host="legal.antopsis.example"))
    text = b"""
registry: 1
publisher:
  slug: nextapi
  name: NextAPI
  contact: privacy@nextapi.example
  time_zone: UTC
  host: legal.antopsis.example
  notice: {days: 30}
entries: []
"""
    with pytest.raises(InvalidInput) as refusal:
        world.apply(read_registry_file(text, "nextapi.yaml"))
    assert [problem.field for problem in refusal.value.problems] == ["publisher.host"]
    with world.reading() as session:
        assert session.query(Publisher).count() == 1


def with_addresses(contact: str, sender: str, more_entries: str = "") -> RegistryFile:
    text = f"""registry: 1
publisher:
  slug: nextapi
  name: NextAPI
  contact: {contact}
  sender: {sender}
  time_zone: UTC
  notice: {{days: 30}}
entries:
  - {STRIPE}
{more_entries}"""
    return read_registry_file(text.encode(), "nextapi.yaml")


IMPOSSIBLE = ["notices@nextapi.local", "m\u00fcller@nextapi.example", f"{'n' * 57}@nextapi.example"]


@pytest.mark.parametrize("sender", IMPOSSIBLE)
def test_an_address_that_no_letter_could_name_is_refused_where_it_is_new(world: World, sender: str) -> None:
    def refusal(file: RegistryFile) -> str:
        before = dump(world)
        for step in (plan, World.apply):
            with pytest.raises(InvalidInput) as refused:
                step(world, file)
        assert dump(world) == before
        return explain(refused.value)

    first = refusal(with_addresses("privacy@nextapi.example", sender))
    assert first.startswith("nextapi.yaml:6: publisher.sender: ")
    world.apply(with_addresses("privacy@nextapi.example", "notices@nextapi.example"))
    assert refusal(with_addresses("privacy@nextapi.example", sender)) == first
    lines = refusal(with_addresses("privacy@nextapi.local", sender)).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["nextapi.yaml:5", "nextapi.yaml:6"]


@pytest.mark.parametrize("sender", IMPOSSIBLE)
def test_an_address_that_an_earlier_release_took_does_not_keep_the_rest_from_being_applied(
    world: World, sender: str
) -> None:
    world.apply(with_addresses("privacy@nextapi.example", "notices@nextapi.example"))
    with world.writing() as session:
        publisher = get_publisher(session, "nextapi")
        publisher.facts = publisher.facts | {"contact": "privacy@nextapi.local", "sender": sender}
    file = with_addresses("privacy@nextapi.local", sender, f"  - {CLERK}\n")
    assert [item.change.key for item in plan(world, file).changes] == ["clerk"]
    applied = world.apply(file)
    assert ([edit.key for edit in applied.edits], applied.publisher_changes) == (["clerk"], ())
    with pytest.raises(InvalidInput) as refused:
        world.apply(with_addresses("privacy@nextapi.local", "other@nextapi.local"))
    assert [problem.field for problem in refused.value.problems] == ["publisher.sender"]


def test_customers_are_left_alone_where_the_file_does_not_speak_of_them(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    applied = world.apply(file_of([STRIPE]))
    assert applied.customers == {}
    edit(world, {"name": "Clerk"}, "clerk")
    number = world.draft(entry_keys=("clerk",))
    world.publish(number)
    sweep(world)
    assert [customer.key for customer in world.status(number).customers] == ["bremen"]


def test_customers_of_a_file_are_told_of_what_is_pending(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=""))
    world.announce(antopsis(helsinki=True, customers=""))
    applied = world.apply(antopsis(helsinki=True, customers=BREMEN))
    assert (applied.customers["customers_added"], applied.customers["letters_due"]) == (1, 1)
    sweep(world)
    assert len(letters_to(mail_server, "dpo@bremen.example")) == 1


def test_five_hundred_entries_are_planned_and_applied_with_a_few_questions(world: World) -> None:
    def line(number: int, more: str = "") -> str:
        return f"{{key: vendor-{number}, name: Vendor {number}, purposes: [Hosting{more}], country: DE}}"

    first = file_of([line(number) for number in range(500)])
    second = file_of([line(number, ", Backups") for number in range(100)] + [line(n) for n in range(100, 500)])
    world.apply(first)
    with counting(world) as sent, world.reading() as session:
        planned = plan_file(session, world.at, second)
    assert len(planned.changes) == 100
    assert len(sent) < 30
    with counting(world) as sent:
        world.apply(first)
    assert len(sent) < 30
    world.apply(second)
