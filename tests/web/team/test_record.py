"""The record: who did what and when, from where, and every act on one page."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from registry.domain.people import TeamRole
from registry.steps.lookup import get_publisher
from registry.steps.people import invite_person, remove_person
from registry.steps.record import WORKER, Actor, record_event
from registry.tables import Event, Person, SignIn
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, ZOE, Team
from tests.web.site import words_of
from tests.web.team.counting import queries
from tests.web.team.record_cast import HERE, acts, export, note
from tests.world import ANNA, antopsis

COMMAND_LINE = Actor("anna@antopsis.example", "command line", "anna")


class TestTheRows:
    def test_the_newest_stands_first_with_who_what_when_and_from_where(self, team: Team) -> None:
        team.site.world.announce(antopsis(helsinki=True))
        ola = team.sign_in(OLA)
        ola.post("/team/antopsis/people/invite", {"email": "nora@antopsis.example", "role": "viewer"})
        page = ola.get(HERE).text
        assert acts(page)[:3] == [
            "Invited nora@antopsis.example as viewer",
            "Announced the notice: letters are on their way",
            "Made the announcement",
        ]
        said = words_of(page)
        assert "30 September 2026, 10:00 Europe/Berlin" in said
        assert "ola@antopsis.example Workbench, 192.0.2.7, tests" in said
        assert "registry The service itself" in said
        assert 'datetime="2026-09-30T08:00:00Z"' in page

    def test_the_command_line_is_said_with_the_user_of_the_machine(self, light_team: Team) -> None:
        note(light_team, "entry.edited", ("entry", "stripe"), COMMAND_LINE)
        said = words_of(light_team.sign_in(ARNO).get(HERE).text)
        assert "anna@antopsis.example Command line, user anna of the machine" in said

    def test_what_changed_is_said_before_and_after(self, light_team: Team) -> None:
        before, after = {"name": "Antopsis", "days": 30, "same": 1}, {"name": "Antopsis GmbH", "days": 45, "same": 1}
        note(light_team, "publisher.updated", ("publisher", "antopsis"), before=before, after=after)
        page = light_team.sign_in(VERA).get(HERE).text
        said = words_of(page)
        assert "Name Antopsis Antopsis GmbH" in said
        assert "Days 30 45" in said
        assert "Same" not in said

    def test_a_customer_is_said_by_name(self, light_team: Team) -> None:
        number = light_team.site.world.announce(antopsis(helsinki=True))
        with light_team.site.world.reading() as session:
            customer = get_publisher(session, "antopsis").id
        note(light_team, "customer.received", ("notice", number), WORKER, customer_id=customer)
        page = light_team.sign_in(VERA).get(HERE).text
        assert acts(page)[0] == "Hanoi Streams Co. received the notice: its clock runs"

    def test_an_unknown_kind_a_strange_payload_and_markup_break_nothing(self, light_team: Team) -> None:
        odd: dict[str, Any] = {
            "deep": [{"a": [None]}],
            "customer_id": "no number",
            "changes": "none",
            "text": "<script>alert(1)</script>",
        }
        note(light_team, "something.quite_new", ("strange", "<b>x</b>"), Actor("<i>odd", "beyond"), **odd)
        note(light_team, "customer.received", ("notice", "2026-001"), WORKER)
        page = light_team.sign_in(OLA).get(HERE)
        assert page.status_code == 200
        assert acts(page.text)[:2] == ["A customer received the notice: its clock runs", "Something: quite new"]
        assert "<script>alert" not in page.text
        assert "<b>x" not in page.text
        assert "<i>odd" not in page.text

    def test_an_erased_address_is_said_to_be_erased(self, light_team: Team) -> None:
        edda = light_team.sign_in(EDDA)
        assert edda.get(HERE).status_code == 200
        with light_team.site.world.writing() as session:
            sign_in = session.scalars(select(SignIn)).one()
            sign_in.address = sign_in.agent = None
            number = sign_in.id
        note(light_team, "entry.edited", ("entry", "stripe"), Actor(EDDA.email, "web", sign_in=number))
        assert "Workbench, an address that was erased since" in words_of(light_team.sign_in(ARNO).get(HERE).text)

    def test_from_where_colleagues_act_is_for_approvers_and_owners(self, light_team: Team) -> None:
        ola = light_team.sign_in(OLA)
        ola.post("/team/antopsis/people/invite", {"email": "nora@antopsis.example", "role": "viewer"})
        assert "192.0.2.7" in light_team.sign_in(ARNO).get(HERE).text
        assert "192.0.2.7" not in light_team.sign_in(EDDA).get(HERE).text


class TestSignIns:
    @pytest.fixture
    def signed(self, two_teams: Team) -> Team:
        """Zoe signed in before she was invited to Antopsis, while she worked there, and after she was removed."""
        world = two_teams.site.world

        def begin() -> None:
            world.at += timedelta(hours=1)
            with world.writing() as session:
                zoe = session.scalars(select(Person).where(Person.email == ZOE.email)).one()
                record_event(
                    session, world.at, Actor(ZOE.email, "web"), "person.signed_in", subject=("person", str(zoe.id))
                )

        begin()
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            zoe = invite_person(session, world.at, publisher, ZOE.email, TeamRole.VIEWER, ANNA).person_id
        begin()
        begin()
        with world.writing() as session:
            remove_person(session, world.at, get_publisher(session, "antopsis"), zoe, ANNA)
        begin()
        return two_teams

    def test_an_owner_sees_those_of_the_time_somebody_worked_here(self, signed: Team) -> None:
        page = signed.sign_in(OLA).get(f"{HERE}?subject_kind=person").text
        assert acts(page) == [
            "Removed zoe@streams.example",
            "Signed in",
            "Signed in",
            "Invited zoe@streams.example as viewer",
        ]

    def test_nobody_else_sees_any(self, signed: Team) -> None:
        for who in (ARNO, EDDA, VERA):
            page = signed.sign_in(who).get(f"{HERE}?kind=person").text
            assert "Signed in" not in acts(page)
            assert acts(page)

    def test_an_export_holds_them_for_owners_alone(self, signed: Team) -> None:
        for who, count in ((OLA, 2), (ARNO, 0)):
            rows = json.loads(export(signed, who, "json"))["acts"]
            assert [row["kind"] for row in rows].count("person.signed_in") == count


class TestPages:
    def test_every_act_stands_on_one_page_and_on_no_other(self, light_team: Team) -> None:
        for number in range(120):
            note(light_team, "entry.edited", ("entry", f"entry-{number}"))
        ola = light_team.sign_in(OLA)
        path, seen = HERE, []
        for _ in range(9):
            page = ola.get(path).text
            seen += re.findall(r'<li id="act-(\d+)"', page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            if following is None:
                break
            path = following[1].replace("&amp;", "&")
        with light_team.site.world.reading() as session:
            known = session.scalars(select(Event.id).where(Event.publisher_id.is_not(None)).order_by(Event.id.desc()))
            assert [int(number) for number in seen] == list(known)
        assert len(seen) > 120

    def test_it_asks_no_more_of_the_database_for_a_longer_record(self, light_team: Team) -> None:
        ola = light_team.sign_in(OLA)
        ola.get(HERE)
        counts = []
        for more in (0, 200):
            for number in range(more):
                note(light_team, "customer.received", ("notice", f"{number}"), WORKER, customer_id=1)
            with queries(light_team.site.app.extensions["registry"].engine) as sent:
                assert ola.get(f"{HERE}?subject_kind=customer&subject=hanoi").status_code == 200
            counts.append(len(sent))
        assert max(counts) <= 10
