"""The record taken away as a file."""

from __future__ import annotations

import csv
import io
import json

import pytest
from sqlalchemy import select

from registry.steps.record import WORKER, Actor, record_event
from registry.tables import Event, Publisher
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Team
from tests.web.site import words_of
from tests.web.team.record_cast import HERE, export, note


class TestTheFile:
    def test_csv_runs_no_formula_and_holds_what_the_record_does(self, team: Team) -> None:
        note(team, "entry.edited", ("entry", "=cmd|calc"), Actor("@sum(a1)", "web"))
        rows = list(csv.DictReader(io.StringIO(export(team, ARNO, "csv"))))
        # That it is taken stands in it too: it was put on record before.
        assert [row["kind"] for row in rows[:2]] == ["record.exported", "entry.edited"]
        assert (rows[1]["subject"], rows[1]["actor"]) == ("'=cmd|calc", "'@sum(a1)")
        assert rows[1]["at"] == "2026-09-30T08:00:00Z"
        assert rows[0]["address"] == "192.0.2.7"
        for row in rows:
            assert not any(value.startswith(("=", "+", "-", "@")) for value in row.values())

    def test_json_is_one_document_also_of_nothing(self, light_team: Team) -> None:
        whole = json.loads(export(light_team, OLA, "json"))
        assert (whole["publisher"], whole["exported_at"]) == ("antopsis", "2026-09-30T08:00:00Z")
        assert whole["acts"][0]["what"] == "Exported the record"
        none = json.loads(export(light_team, OLA, "json", actor="nobody at all"))
        assert none["acts"] == []

    def test_a_long_record_is_whole(self, light_team: Team) -> None:
        world = light_team.site.world
        with world.writing() as session:
            publisher = session.scalars(select(Publisher)).one()
            for number in range(1_203):
                subject = ("delivery", str(number))
                record_event(session, world.at, WORKER, "delivery.accepted", subject=subject, publisher_id=publisher.id)
        rows = json.loads(export(light_team, OLA, "json", kind="delivery"))["acts"]
        assert [row["subject"] for row in rows] == [str(number) for number in reversed(range(1_203))]

    def test_that_it_was_taken_is_on_record_without_whom_it_was_about(self, light_team: Team) -> None:
        export(light_team, ARNO, "csv", actor=EDDA.email, kind="notice")
        with light_team.site.world.reading() as session:
            event = session.scalars(select(Event).where(Event.kind == "record.exported")).one()
        assert event.actor == "arno@antopsis.example (web)"
        assert event.sign_in_id is not None
        assert event.payload["filtered_by"] == ["actor", "kind"]
        assert event.payload["filter_kind"] == "notice"
        assert EDDA.email not in str(event.payload)

    def test_a_get_takes_nothing_and_says_what_would_be_in_it(self, light_team: Team) -> None:
        said = words_of(light_team.sign_in(ARNO).get(f"{HERE}export?kind=notice&from=2026-09-30").text)
        assert "What notice" in said
        assert "From 2026-09-30" in said
        with light_team.site.world.reading() as session:
            assert session.scalars(select(Event).where(Event.kind == "record.exported")).all() == []

    def test_it_is_for_approvers_and_owners_who_proved_themselves_lately(self, light_team: Team) -> None:
        for who in (EDDA, VERA):
            colleague = light_team.sign_in(who)
            assert colleague.post(f"{HERE}export", {"format": "csv"}).status_code == 403
            assert "/record/export" not in colleague.get(HERE).text
        tired = light_team.sign_in(OLA, is_fresh=False)
        assert tired.post(f"{HERE}export", {"format": "csv"}).status_code == 302
        assert tired.get(f"{HERE}export").status_code == 302

    @pytest.mark.parametrize("given", [{"format": "exe"}, {}, {"format": "csv", "from": "soon"}])
    def test_what_cannot_be_read_takes_nothing(self, light_team: Team, given: dict[str, str]) -> None:
        assert light_team.sign_in(OLA).post(f"{HERE}export", given).status_code == 400
        with light_team.site.world.reading() as session:
            assert session.scalars(select(Event).where(Event.kind == "record.exported")).all() == []
