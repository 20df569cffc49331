"""The sentences of the record: one for every act that the code puts on record."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.domain.outcomes import OutcomeKind
from registry.domain.vocabulary import StatementKind
from registry.steps.proposals import ProposalOutcome
from registry.web.team.record_rows import find_differences, show_value, split_actor
from registry.web.team.record_sentences import AREAS, SENTENCES, say_act

RECORDERS = {"record_event", "_record", "_record_event", "_record_hold", "_record_standing"}
"""The functions by which acts are put on record."""


def acts_of_the_code() -> Iterator[str]:
    """Yield the kinds of act that the code names where it puts one on record, by themselves or by a constant."""
    package = Path(__file__).resolve().parents[3] / "registry"
    for path in sorted([*package.glob("steps/*.py"), *package.glob("web/**/*.py")]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RECORDERS):
                continue
            for given in [*node.args, *(each.value for each in node.keywords if each.arg == "kind")]:
                for part in ast.walk(given):
                    value = constants.get(part.id) if isinstance(part, ast.Name) else getattr(part, "value", None)
                    if isinstance(value, str) and re.fullmatch(r"[a-z_]+\.[a-z_]*[a-z]", value):
                        yield value


class TestWords:
    def test_every_kind_that_has_a_sentence_can_be_chosen(self) -> None:
        areas = {area for area, _ in AREAS}
        assert {kind.partition(".")[0] for kind in SENTENCES} <= areas

    def test_every_act_that_is_put_on_record_has_a_sentence(self) -> None:
        kinds = set(acts_of_the_code())
        assert {"correction.proposed", "override.proposed", "objection.added_to"} <= kinds
        kinds |= {f"{subject}.approved" for subject in ("notice", "correction", "override", "edit", "customer_terms")}
        kinds |= {f"{subject}.approved" for subject in ("terms", "proposal")}
        kinds |= {f"delivery.reported_{kind.value}" for kind in OutcomeKind}
        kinds |= {f"statement.{kind.value}" for kind in StatementKind}
        kinds |= {f"proposal.{outcome.value}" for outcome in ProposalOutcome}
        # What happens to the installation is about no publisher, and stands in no publisher's record.
        of_nobody = ("installation.", "keyring.", "provider.")
        assert {kind for kind in kinds if not kind.startswith(of_nobody)} - set(SENTENCES) == set()

    def test_a_receipt_that_is_lost_after_the_effect_is_not_said_to_be_taken_back(self) -> None:
        said = say_act("customer.receipt_revoked", {"customer": "Bremen Media GmbH", "after_effect": "yes"})
        assert said == (
            "A letter to Bremen Media GmbH came back after the notice had taken effect, which stays as it was"
        )
        assert "Took back the receipt" in say_act("customer.receipt_revoked", {"after_effect": "no"})
        assert say_act("notice.withdrawn", {"was_told": "no"}).startswith("Took the notice back before anybody")

    def test_details_are_in_words_and_not_in_the_notation_of_programs(self) -> None:
        assert show_value([["bremen", "objection_open"], ["hanoi", "not_received"]]) == (
            "bremen, objection open; hanoi, not received"
        )
        assert show_value({"customer": "hanoi", "why": "not_taken"}) == "Customer: hanoi; Why: not taken"

    def test_an_address_that_begins_a_sentence_is_left_as_it_is_written(self) -> None:
        chose = "person.password_set"
        assert say_act(chose, {"person": "anna@antopsis.example"}) == "anna@antopsis.example chose a first password"
        assert say_act(chose, {}) == "Somebody chose a first password"
        assert say_act("customer.received", {"customer": "hanoi"}).startswith("Hanoi received")

    def test_a_letter_that_came_back_is_said_to_be_lost_and_why(self) -> None:
        assert say_act("delivery.reported_bounced", {}) == "The letter was reported as lost: its address takes no mail"

    def test_every_sentence_can_be_said_of_nothing(self) -> None:
        for kind in SENTENCES:
            assert "{" not in say_act(kind, {})

    @pytest.mark.parametrize(
        ("actor", "parts"),
        [
            ("anna@antopsis.example (web)", ("anna@antopsis.example", "web", None)),
            ("anna (command line, as anna)", ("anna", "command line", "anna")),
            ("A (b) c (worker)", ("A (b) c", "worker", None)),
            ("nobody", ("nobody", "", None)),
        ],
    )
    def test_an_actor_is_read_back(self, actor: str, parts: tuple[str, str, str | None]) -> None:
        assert split_actor(actor) == parts

    def test_differences_are_read_from_whatever_says_them(self) -> None:
        [one] = find_differences({"before": "editor", "after": "owner"})
        assert (one.field, one.before, one.after) == ("", "editor", "owner")
        [new] = find_differences({"after": {"rank": 2}})
        assert (new.field, new.before, new.after) == ("Rank", "nothing", "2")
        [pair] = find_differences({"changes": {"notice.days": [30, 45]}})
        assert (pair.field, pair.before, pair.after) == ("Notice: days", "30", "45")
        assert find_differences({"fields": ["a"]}) == ()

    def test_values_are_said_plainly(self) -> None:
        assert [show_value(value) for value in (None, True, ["a", 1], [], {"a": 1})] == [
            "nothing",
            "yes",
            "a, 1",
            "nothing",
            "A: 1",
        ]
        assert len(show_value("x" * 1_000)) == 301
