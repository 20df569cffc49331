"""The record searched by its address."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from registry.steps.record import WORKER, Actor
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, ZOE, Team
from tests.web.team.record_cast import HERE, acts, export, note


class TestFilters:
    @pytest.fixture
    def busy(self, light_team: Team) -> Team:
        """Four acts on four days."""
        world = light_team.site.world
        for day, (kind, subject, actor) in enumerate(
            [
                ("entry.edited", ("entry", "stripe"), Actor(EDDA.email, "web")),
                ("notice.drafted", ("notice", "2026-007"), Actor(EDDA.email, "web")),
                ("notice.approved", ("notice", "2026-007"), Actor(ARNO.email, "web")),
                ("delivery.accepted", ("delivery", "12"), WORKER),
            ]
        ):
            world.at += timedelta(days=bool(day))
            note(light_team, kind, subject, actor)
        return light_team

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("actor=EDDA", ["Drafted the notice", "Edited the entry"]),
            ("actor=%25", []),
            ("kind=notice.approved", ["Approved the notice"]),
            ("kind=notice&actor=arno", ["Approved the notice"]),
            ("subject=2026-007", ["Approved the notice", "Drafted the notice"]),
            ("subject_kind=delivery", ["The mail server took the letter"]),
            ("subject_kind=notice&subject=12", []),
            ("from=2026-10-02", ["The mail server took the letter", "Approved the notice"]),
            ("from=2026-10-01&to=2026-10-01", ["Drafted the notice"]),
            ("actor=(worker)&from=2026-10-03", ["The mail server took the letter"]),
        ],
    )
    def test_the_address_says_which_acts_are_meant(self, busy: Team, asked: str, found: list[str]) -> None:
        answer = busy.sign_in(OLA).get(f"{HERE}?{asked}")
        assert acts(answer.text) == found
        assert ("No act fits" in answer.text) is (not found)

    def test_days_are_those_of_the_publishers_zone(self, light_team: Team) -> None:
        # 22:30 UTC is half past midnight of the next day in Berlin.
        light_team.site.world.at += timedelta(hours=14, minutes=30)
        note(light_team, "entry.edited", ("entry", "stripe"))
        ola = light_team.sign_in(OLA)
        assert acts(ola.get(f"{HERE}?from=2026-10-01&to=2026-10-01").text) == ["Edited the entry"]
        assert "Edited the entry" not in acts(ola.get(f"{HERE}?to=2026-09-30").text)

    def test_a_customer_is_found_in_what_notices_did_with_it(self, light_team: Team) -> None:
        note(light_team, "customer.received", ("notice", "2026-001"), WORKER, customer_id=1)
        found = acts(light_team.sign_in(OLA).get(f"{HERE}?subject_kind=customer&subject=hanoi").text)
        assert found[0] == "Hanoi Streams Co. received the notice: its clock runs"
        assert "Added the customer" in found

    def test_a_person_is_found_by_address(self, light_team: Team) -> None:
        ola = light_team.sign_in(OLA)
        ola.post("/team/antopsis/people/invite", {"email": "nora@antopsis.example", "role": "viewer"})
        page = ola.get(f"{HERE}?subject_kind=person&subject=Nora@antopsis.example").text
        assert acts(page) == ["Invited nora@antopsis.example as viewer"]

    @pytest.mark.parametrize(
        ("asked", "field", "sentence"),
        [
            ("from=soon", "from", "is no date"),
            ("to=2026-02-30", "to", "is no day of the calendar"),
            ("from=2026-10-02&to=2026-10-01", "to", "is before the first one (2026-10-02)"),
            ("kind=Robert';--", "kind", "is no kind of act"),
            ("subject_kind=%00", "subject_kind", "is no kind of act"),
            ("from=9999-12-31", "from", "is no day of the calendar"),
            (f"actor={'x' * 201}", "actor", "200 is the most"),
        ],
    )
    def test_what_cannot_be_read_is_said_beside_its_field(
        self, light_team: Team, asked: str, field: str, sentence: str
    ) -> None:
        answer = light_team.sign_in(VERA).get(f"{HERE}?{asked}")
        assert answer.status_code == 400
        error = re.search(rf'id="{field}-error">([^<]*)<', answer.text)
        assert error is not None
        assert sentence in error[1]

    def test_no_act_of_another_publisher_is_ever_among_them(self, two_teams: Team) -> None:
        note(two_teams, "entry.edited", ("entry", "mail-delivery"), slug="streams")
        ola = two_teams.sign_in(OLA)
        assert "mail-delivery" not in ola.get(HERE).text
        assert acts(ola.get(f"{HERE}?subject=mail-delivery").text) == []
        assert "mail-delivery" not in export(two_teams, OLA, "json")
        assert two_teams.sign_in(ZOE).get(HERE).status_code == 404
