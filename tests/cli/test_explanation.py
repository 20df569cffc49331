"""`registry notice`: the publisher's own words, from the command line or from a file."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registry.tables import Notice
from registry.tables.engine import make_engine, reading
from tests.cli.conftest import LIST, MOVED, Terminal

OF = ("--publisher", "antopsis")


def _explanation(terminal: Terminal) -> str:
    engine = make_engine(terminal.environ["REGISTRY_DATABASE_URL"])
    with reading(engine) as session:
        found = session.scalars(select(Notice.explanation)).one()
    engine.dispose()
    return found


@pytest.fixture
def edited(sqlite_terminal: Terminal) -> Terminal:
    """A terminal with an edit that waits for its notice."""
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    return sqlite_terminal


def test_a_draft_is_explained_on_the_command_line(edited: Terminal) -> None:
    edited.run("notice", "draft", *OF, "--explanation", "We **move**.")
    assert _explanation(edited) == "We **move**."


def test_a_draft_is_explained_from_a_file(edited: Terminal) -> None:
    path = edited.folder / "words.md"
    path.write_bytes("\ufeffWir **ziehen um**.\r\n\r\n- Zürich bleibt\r\n".encode())
    edited.run("notice", "draft", *OF, "--explanation-file", str(path))
    assert _explanation(edited) == "Wir **ziehen um**.\n\n- Zürich bleibt"


def test_a_revision_gives_other_words_or_none(edited: Terminal) -> None:
    number = edited.run("notice", "draft", *OF, "--explanation", "One.").stdout.strip()
    edited.run("notice", "revise", number, *OF, "--explanation", "Two.")
    assert _explanation(edited) == "Two."
    edited.run("notice", "revise", number, *OF)
    assert _explanation(edited) == "Two."
    edited.run("notice", "revise", number, *OF, "--explanation", "")
    assert _explanation(edited) == ""


def test_the_same_cannot_be_said_twice_and_a_file_must_be_text(edited: Terminal) -> None:
    path = edited.folder / "words.md"
    path.write_bytes(b"\xff\xfe")
    both = ("--explanation", "One.", "--explanation-file", str(path))
    assert "Give one of them" in edited.run("notice", "draft", *OF, *both, exit_code=2).stderr
    assert "UTF-8" in edited.run("notice", "draft", *OF, "--explanation-file", str(path), exit_code=2).stderr
