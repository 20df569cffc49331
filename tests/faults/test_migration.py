"""A database of an earlier release, left in the middle of its sending, is upgraded, and no letter is lost by it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from registry.letters.compose import sha256_of
from registry.migrations import downgrade, find_revision, known_revisions, newest_revision, upgrade
from tests.channels.scripted_server import CUT, ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.faults.conftest import Figures
from tests.faults.post import Post, check_the_post, finish, readers
from tests.faults.table import Fault
from tests.faults.workers import Point, Task, Workers
from tests.steps.post_office import announce_to, attempts_at, delivery_to, states_of, use_server
from tests.world import BREMEN, HANOI, World, settings_for, utc

COUNT = 40
EARLIER = sorted(known_revisions() - {newest_revision()})


@pytest.mark.parametrize("revision", EARLIER)
def test_letters_that_were_leased_unclear_or_due_before_an_upgrade_go_out_after_it(
    own_database_url: str, tmp_path: Path, mail_server: MailServer, figures: Figures, revision: str
) -> None:
    settings = settings_for(own_database_url, tmp_path / "instance", mail_server.url)
    with closing(World(settings, utc("2026-09-30 08:00"))) as world, Workers(world) as workers:
        announce_to(world, *readers(COUNT - 2), customers=BREMEN + HANOI)
        # Of 40 letters 14 are accepted, one was taken by the server and nobody knows, the others of its claim are
        # leased, and the rest wait.
        workers.run_until_killed(Task.SEND, Point.ANSWERED, die_after=15)
        before = sorted(states_of(world).values())
        assert {"accepted", "leased", "pending"} == set(before)
        world.close()
        downgrade(own_database_url, revision)
        assert find_revision(own_database_url) == revision
        upgrade(own_database_url)
    assert find_revision(own_database_url) == newest_revision()
    with closing(World(settings, utc("2026-09-30 08:20"))) as world:
        assert sorted(states_of(world).values()) == before
        finish(world)
        post = check_the_post(world, mail_server)
        figures(Fault.MIGRATION, f"upgraded from {revision} with leased letters", world, post, kills=1)
        assert post == Post(letters=COUNT + 1, extra_copies=1, spent=0)
        assert set(states_of(world).values()) == {"accepted"}


def test_a_letter_that_was_unclear_before_an_upgrade_is_the_same_to_the_byte_after_it(
    own_database_url: str, tmp_path: Path, mail_server: MailServer, figures: Figures
) -> None:
    settings = settings_for(own_database_url, tmp_path / "instance", mail_server.url)
    with closing(World(settings, utc("2026-09-30 08:00"))) as world, ScriptedServer({"dot": [CUT, CUT]}) as cutting:
        announce_to(world, *readers(1), customers=BREMEN)
        use_server(world, cutting.url)
        assert world.tick()["send"] == {"ambiguous": 2}
        assert len(cutting.letters) == 2
        world.close()
        downgrade(own_database_url, "0002")
        upgrade(own_database_url)
    with closing(World(settings, utc("2026-09-30 09:00"))) as world:
        finish(world)
        assert set(states_of(world).values()) == {"accepted"}
        for message in mail_server.messages:
            attempts = attempts_at(world, delivery_to(world, message.rcpt_tos[0]))
            assert [each.answer_class for each in attempts] == ["ambiguous", "accepted"]
            assert {each.sha256 for each in attempts} == {sha256_of(message.content)}
        assert len(mail_server.messages) == 2
    figures(Fault.MIGRATION, "upgraded from 0002 with unclear letters", world, Post(4, 2, 0))
