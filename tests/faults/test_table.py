"""The page about fault runs has a row for each kind of fault, in the words that the runs print."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.post import Post
from tests.faults.table import Fault, Run, read_property, table_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_its_row_with_figures_of_both_databases(fault: Fault) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {fault.broken} |")]
    assert row.startswith(f"| {fault.broken} | {fault.holds} | runs ")
    assert row.count("**lost 0**") == 2


def test_figures_of_runs_are_added_up_for_each_database() -> None:
    runs = [
        Run(Fault.AT_ONCE, "one", "SQLite", Post(1_000, 1, 0), 2, 0.5, {"missing": 1}),
        Run(Fault.AT_ONCE, "two", "SQLite", Post(500, 2, 3), 1, 0.5, {"missing": 2}),
        Run(Fault.AT_ONCE, "one", "PostgreSQL", Post(7, 0, 0), 0, 0.5),
    ]
    assert [read_property(run.as_property()) for run in runs] == runs
    head, rule, *rows = table_of(runs)
    assert (head.count("|"), rule) == (5, "|---|---|---|---|")
    (row,) = [row for row in rows if "not run" not in row]
    assert row.endswith(
        "| runs 2 · letters 1,500 · kills 3 · copies 3 · **lost 0** · to a person 3 · missing 3 "
        "| runs 1 · letters 7 · kills 0 · copies 0 · **lost 0** |"
    )
