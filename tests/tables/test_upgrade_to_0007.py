"""From the schema before the sweeps that fail to the one with them, and back: every row stays as it was."""

from __future__ import annotations

from registry.migrations import downgrade, upgrade
from tests.tables.test_upgrades_with_rows import dumped, filled_at, see_the_record_guarded, without_what_is_new

NEW = {"failing_sweeps"}


def test_an_installation_of_0006_is_upgraded_with_every_row_and_goes_back_with_every_row(
    empty_database_url: str,
) -> None:
    before = filled_at(empty_database_url, "0006")
    upgrade(empty_database_url, "0007")
    after = dumped(empty_database_url)
    assert without_what_is_new(after, before) == before
    assert after.keys() - before.keys() == NEW
    see_the_record_guarded(empty_database_url)
    downgrade(empty_database_url, "0006")
    assert dumped(empty_database_url) == before
