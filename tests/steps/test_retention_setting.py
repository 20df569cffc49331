"""Retention is a setting of the publisher: planned like its other facts, shown to nobody, shortened by two (R36)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import select

from registry.domain.errors import InvalidInput
from registry.domain.retention import Retention
from registry.i18n import explain
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.readers.schema import registry_file_schema
from registry.readers.yaml_values import read_yaml
from registry.steps.apply_file import plan_file
from registry.steps.approve_terms import approve_terms
from registry.steps.errors import ApprovalNeeded
from registry.steps.lookup import get_publisher, read_facts
from registry.tables import Publisher
from tests.steps.path_cast import dump
from tests.steps.retention_cast import keeping
from tests.world import BORIS, BREMEN, World, antopsis

EXAMPLE = (Path(__file__).parents[2] / "examples" / "antopsis.yaml").read_bytes()


def kept(world: World) -> Retention:
    with world.reading() as session:
        return read_facts(session, get_publisher(session, "antopsis")).retention


def differences(world: World, file: RegistryFile) -> tuple[str, ...]:
    with world.reading() as session:
        return plan_file(session, world.at, file).publisher_changes


def test_a_changed_retention_is_planned_applied_and_then_no_difference(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    file = keeping("{followers: 30}")
    assert differences(world, file) == ("retention",)
    assert world.apply(file).publisher_changes == ("retention",)
    assert kept(world) == Retention(followers=30)
    assert differences(world, file) == ()
    assert not world.apply(file).changed_anything


def test_nobody_outside_sees_it(world: World) -> None:
    world.apply(keeping("{}"))
    with world.reading() as session:
        before = get_publisher(session, "antopsis")
    world.apply(keeping("{followers: 30}"))
    with world.reading() as session:
        after = get_publisher(session, "antopsis")
    assert (after.revision, after.changed_at) == (before.revision, before.changed_at)


def test_a_publisher_of_an_earlier_release_keeps_the_usual_time_and_differs_in_nothing(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    with world.writing() as session:
        publisher = session.scalars(select(Publisher)).one()
        publisher.facts = {name: value for name, value in publisher.facts.items() if name != "retention"}
    assert kept(world) == Retention()
    assert differences(world, keeping("{}")) == ()
    before = dump(world)
    assert not world.apply(keeping("{}")).changed_anything
    assert dump(world) == before


class TestShortening:
    @pytest.mark.parametrize(
        ("shorter", "what"),
        [
            ("{followers: 29}", "retention.followers, retention.letters"),
            ("{followers: 30, letters: 36500}", "retention.letters"),
            ("{followers: 30, letters: forever, answers: 1460}", "retention.answers"),
        ],
    )
    def test_it_is_refused_until_somebody_else_approves_exactly_it(self, world: World, shorter: str, what: str) -> None:
        world.apply(keeping("{followers: 30, letters: forever}", approvals=1))
        wanted = keeping(shorter, approvals=1)
        with pytest.raises(ApprovalNeeded) as refused:
            world.apply(wanted)
        assert refused.value.params["what"] == what
        assert "registry publisher approve-terms FILE" in explain(refused.value)
        assert kept(world) == Retention(followers=30, letters="forever")
        with world.writing() as session:
            approve_terms(session, world.at, get_publisher(session, "antopsis"), wanted, BORIS)
        world.apply(wanted)
        assert kept(world) == wanted.publisher.retention

    def test_keeping_longer_needs_nobody(self, world: World) -> None:
        world.apply(keeping("{followers: 30}", approvals=1))
        world.apply(keeping("{followers: 31, contacts: forever}", approvals=1))
        assert kept(world) == Retention(followers=31, contacts="forever")

    def test_without_approvals_one_person_decides(self, world: World) -> None:
        world.apply(keeping("{followers: 30}"))
        world.apply(keeping("{followers: 1}"))
        assert kept(world) == Retention(followers=1)


class TestTheFile:
    validator = jsonschema.Draft202012Validator(registry_file_schema())

    def with_retention(self, value: Any) -> dict[str, Any]:
        file = read_yaml(EXAMPLE, "antopsis.yaml").value
        assert isinstance(file, dict)
        return file | {"publisher": file["publisher"] | {"retention": value}}

    @pytest.mark.parametrize("value", [{}, {"followers": 1}, {"followers": 36_500, "letters": "forever"}])
    def test_what_the_reader_takes_fits_the_schema(self, value: Any) -> None:
        file = self.with_retention(value)
        assert list(self.validator.iter_errors(file)) == []
        read = read_registry_file(json.dumps(file).encode(), "antopsis.yaml")
        assert read.publisher.retention == Retention(**value)

    @pytest.mark.parametrize(
        "value",
        [
            *({"followers": bad} for bad in (0, -1, 36_501, "30", "never", None, True, [30])),
            *({"letter": 3}, None, [], 30, "forever"),
        ],
    )
    def test_what_the_reader_refuses_does_not_fit(self, value: Any) -> None:
        file = self.with_retention(value)
        assert not self.validator.is_valid(file)
        with pytest.raises(InvalidInput):
            read_registry_file(json.dumps(file).encode(), "antopsis.yaml")

    def test_a_person_reads_what_would_do_with_its_line(self) -> None:
        text = EXAMPLE.decode().replace("publisher:\n", "publisher:\n  retention: {followers: always}\n", 1)
        with pytest.raises(InvalidInput) as refused:
            read_registry_file(text.encode(), "list.yaml")
        line = text.splitlines().index("  retention: {followers: always}") + 1
        assert explain(refused.value) == (
            f"list.yaml:{line}: publisher.retention.followers: “always” is no time to keep something. "
            "Write whole days, such as 365, or forever."
        )
