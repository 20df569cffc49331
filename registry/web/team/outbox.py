"""The outbox: what was "sent" while no mail server is set up, as it would have looked (R12).

Only what a delivery of this publisher names is shown. Letters of signing in and other publishers' letters lie in the
same folder, and are never looked at here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from flask import abort

from registry.domain.people import TeamRole
from registry.queries.delivery_letter import LONGEST_SHOWN, ShownLetter, read_message
from registry.queries.outbox import OutboxLetter, find_outbox_letter, list_outbox
from registry.web.current import wiring
from registry.web.team.access import Desk, screen
from registry.web.team.delivery_sandbox import show_letter
from registry.web.team.frame import PAGE_SIZE, cut_page, page_number, show

NO_MAIL_SERVER: Final = "outbox:"
"""The mail address of an installation that sends nothing."""


@screen("/outbox/", TeamRole.EDITOR)
def outbox(desk: Desk) -> Any:
    """Show what this publisher's letters would have been, the newest first."""
    with desk.reading() as (session, publisher):
        rows = list_outbox(session, publisher, page_number(), PAGE_SIZE)
    page = cut_page([(row, read_file(row)) for row in rows], page_number())
    zone = publisher.facts["time_zone"]
    return show("team/outbox/list.html", page=page, zone=zone, is_real=wiring().mail_url != NO_MAIL_SERVER)


@screen("/outbox/<int:number>", TeamRole.EDITOR)
def outbox_letter(desk: Desk, number: int) -> Any:
    """Show one letter of the outbox."""
    row, letter, zone = _load(desk, number)
    return show("team/outbox/one.html", row=row, letter=letter, zone=zone)


@screen("/outbox/<int:number>/letter", TeamRole.EDITOR)
def outbox_frame(desk: Desk, number: int) -> Any:
    """Show the HTML of a letter of the outbox alone, for the frame on its screen."""
    _, letter, _ = _load(desk, number)
    if letter is None or letter.html is None:
        abort(404)
    return show_letter(letter.html)


def _load(desk: Desk, number: int) -> tuple[OutboxLetter, ShownLetter | None, str]:
    with desk.reading() as (session, publisher):
        row = find_outbox_letter(session, publisher, number)
        zone = publisher.facts["time_zone"]
    if row is None:
        abort(404)
    return row, read_file(row), zone


def read_file(row: OutboxLetter) -> ShownLetter | None:
    """Read a letter's file, None where it is gone from the folder, or its address was erased."""
    folder: Path = wiring().outbox
    # The name was written by this service; all the same nothing outside the folder is ever read.
    if row.is_erased or Path(row.file).name != row.file:
        return None
    try:
        with (folder / row.file).open("rb") as file:
            return read_message(file.read(LONGEST_SHOWN), row.channel)
    except OSError:
        return None
