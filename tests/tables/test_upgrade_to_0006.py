"""From the schema before subscribing by every channel to the one with it, and back: every row stays as it was."""

from __future__ import annotations

from sqlalchemy import text

from registry.migrations import downgrade, upgrade
from registry.tables.engine import reading
from tests.backups import engine_of
from tests.tables.test_upgrades_with_rows import dumped, filled_at, see_the_record_guarded, without_what_is_new

NEW = {"acknowledgements", "endpoint_requests"}


def test_an_installation_of_0005_is_upgraded_with_every_row_and_goes_back_with_every_row(
    empty_database_url: str,
) -> None:
    before = filled_at(empty_database_url, "0005")
    upgrade(empty_database_url, "0006")
    after = dumped(empty_database_url)
    assert without_what_is_new(after, before) == before
    assert after.keys() - before.keys() == NEW
    assert [row["paused_at"] for row in after["subscriptions"]] == [None, None]
    see_the_record_guarded(empty_database_url)
    downgrade(empty_database_url, "0005")
    assert dumped(empty_database_url) == before


def test_going_back_leaves_no_link_that_would_confirm_something_else(empty_database_url: str) -> None:
    filled_at(empty_database_url, "0006")
    with engine_of(empty_database_url) as engine, engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("UPDATE confirm_tokens SET used_at = NULL"))
    downgrade(empty_database_url, "0005")
    with engine_of(empty_database_url) as engine, reading(engine) as session:
        used = session.execute(text("SELECT id, used_at IS NOT NULL FROM confirm_tokens ORDER BY id")).all()
    # Of the two rows the first one was about an endpoint.
    assert [bool(is_used) for _, is_used in used] == [True, False]
