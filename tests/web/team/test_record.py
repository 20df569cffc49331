"""The record: who did what and when, from where, searched by its address, and taken away as a file."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from registry.domain.outcomes import OutcomeKind
from registry.domain.people import TeamRole
from registry.domain.vocabulary import StatementKind
from registry.steps.lookup import get_publisher
from registry.steps.people import invite_person, remove_person
from registry.steps.proposals import ProposalOutcome
from registry.steps.record import WORKER, Actor, record_event
from registry.tables import Event, Person, Publisher, SignIn
from registry.web.team.record_rows import find_differences, show_value, split_actor
from registry.web.team.record_sentences import AREAS, SENTENCES, say_act
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, ZOE, Team
from tests.web.site import words_of
from tests.web.team.counting import queries
from tests.world import ANNA, antopsis

HERE = "/team/antopsis/record/"
COMMAND_LINE = Actor("anna@antopsis.example", "command line", "anna")


def note(
    team: Team, kind: str, subject: tuple[str, str], actor: Actor = ANNA, slug: str = "antopsis", **more: Any
) -> None:
    """Put an act on record now."""
    world = team.site.world
    with world.writing() as session:
        publisher_id = get_publisher(session, slug).id
        record_event(session, world.at, actor, kind, subject=subject, publisher_id=publisher_id, **more)


def acts(page: str) -> list[str]:
    """What the page says was done, in its order."""
    return [" ".join(said.split()) for said in re.findall(r'<p class="said">(.*?)</p>', page, re.DOTALL)]


def export(team: Team, who: Any, form: str, **filters: str) -> str:
    answer = team.sign_in(who).post(f"{HERE}export", {"format": form, **filters})
    assert answer.status_code == 200, words_of(answer.text)
    return answer.get_data().decode("utf-8-sig")


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
