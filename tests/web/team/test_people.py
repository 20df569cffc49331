"""People: who works here, invited by letter, changed and removed by owners alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import func, select

from registry.domain.people import INVITATION_GOOD_FOR, TeamRole
from registry.steps.people import invite_person
from registry.tables import Event, Membership, Person, Publisher, SignIn
from registry.web.sign_in_links import INVITATION_LINK_FOR
from tests.channels.smtp_server import MailServer
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, ZOE, Colleague, Somebody, Team
from tests.web.conftest import serving
from tests.web.site import words_of
from tests.web.team.counting import queries
from tests.world import ANNA, antopsis, letters_to

HERE = "/team/antopsis/people/"
NORA = "nora@antopsis.example"
PASSWORD = "correct horse battery staple"


def person_id(team: Team, email: str) -> int:
    with team.site.world.reading() as session:
        return session.scalars(select(Person.id).where(Person.email == email)).one()


def roles(team: Team, slug: str = "antopsis") -> dict[str, str]:
    with team.site.world.reading() as session:
        query = select(Person.email, Membership.role).join(Membership, Membership.person_id == Person.id)
        rows = session.execute(query.join(Publisher).where(Publisher.slug == slug))
        return {email: role for email, role in rows}  # noqa: C416 - mypy takes no rows for pairs


def invite(owner: Colleague, **given: str) -> str:
    answer = owner.post(f"{HERE}invite", {"email": NORA, "name": "Nora New", "role": "editor", **given})
    assert answer.status_code == 303, words_of(answer.text)
    return words_of(owner.get(answer.headers["Location"]).text)


def link_in(letter: EmailMessage) -> str:
    text = letter.get_body(("plain",))
    assert text is not None
    found = re.search(r"^http\S+", text.get_content(), re.MULTILINE)
    assert found is not None, text.get_content()
    return found[0]


def token_on(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


@pytest.fixture
def mailing(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[Team, MailServer]]:
    """The team of an installation that sends real mail, and the server that takes it."""
    with MailServer() as server, serving(sqlite_url, tmp_path / "i", antopsis(), REGISTRY_MAIL_URL=server.url) as site:
        yield Team(site), server


class TestTheList:
    def test_everybody_sees_who_works_here_and_as_what(self, light_team: Team) -> None:
        said = words_of(light_team.sign_in(VERA).get(HERE).text)
        for each in (OLA, ARNO, EDDA, VERA):
            assert f"{each.name}" in said
            assert each.email in said
        assert "(you)" in said
        assert "Last sign-in" not in said
        assert "Invite somebody" not in said

    def test_owners_see_how_each_signs_in_and_who_has_no_second_proof(self, light_team: Team) -> None:
        with light_team.site.world.writing() as session:
            session.query(Person).filter(Person.email == ARNO.email).one().tf_primary_method = "authenticator"
        said = words_of(light_team.sign_in(OLA).get(HERE).text)
        assert "3 of 4 have none yet" in said
        assert "Last sign-in" in said

    def test_a_sign_in_from_before_they_worked_here_is_no_affair_of_this_publisher(self, two_teams: Team) -> None:
        world = two_teams.site.world
        two_teams.sign_in(ZOE)
        world.at += INVITATION_GOOD_FOR
        ola = two_teams.sign_in(OLA)
        invite(ola, email=ZOE.email, role="viewer")
        page = ola.get(f"{HERE}{person_id(two_teams, ZOE.email)}").text
        assert "last before they worked here" in words_of(page)

    def test_it_asks_no_more_of_the_database_for_a_longer_list(self, light_team: Team) -> None:
        world = light_team.site.world
        ola = light_team.sign_in(OLA)
        ola.get(HERE)
        counts = []
        for members in (0, 120):
            with world.writing() as session:
                publisher = session.scalars(select(Publisher)).one()
                for number in range(members):
                    invite_person(session, world.at, publisher, f"p{number}@x.example", TeamRole.VIEWER, ANNA)
            with queries(light_team.site.app.extensions["registry"].engine) as sent:
                page = ola.get(HERE)
            counts.append(len(sent))
            assert page.status_code == 200
        assert counts[0] == counts[1] <= 10
        assert 'rel="next"' in page.text
        assert VERA.email in ola.get(f"{HERE}?page=3").text


class TestInviting:
    def test_the_letter_says_who_where_what_and_how_long_and_leads_in(self, team: Team) -> None:
        ola = team.sign_in(OLA)
        said = invite(ola)
        assert (
            "A letter is on its way to nora@antopsis.example, editor of Antopsis. The link in it is good for 7" in said
        )
        assert "invited" in said
        [letter] = team.site.letters_to(NORA)
        assert letter["Subject"] == "Antopsis: you can work on its list of subprocessors"
        for kind in ("plain", "html"):
            part = letter.get_body((kind,))
            assert part is not None
            text = " ".join(part.get_content().split())
            for words in ("Ola Owner (ola@antopsis.example)", "edit the list, draft and submit notices", "7 days"):
                assert words in text
        link = link_in(letter)
        assert link.startswith(f"{team.base_url}/team/account/reset/")

        nora = team.stranger()
        form = nora.get(link.removeprefix(team.base_url))
        assert form.status_code == 200
        given = {"csrf_token": token_on(form.text), "password": PASSWORD, "password_confirm": PASSWORD}
        assert nora.post_bare(link.removeprefix(team.base_url), given).status_code in {302, 303}
        page = nora.get("/team/account/login")
        nora.post_bare("/team/account/login", {"csrf_token": token_on(page.text), "email": NORA, "password": PASSWORD})
        assert "Nora New" in nora.get("/team/antopsis/").text
        with team.site.world.reading() as session:
            assert session.scalars(select(Person.joined_at).where(Person.email == NORA)).one() == team.site.world.at

    def test_the_link_is_good_as_long_as_the_letter_says(self) -> None:
        assert INVITATION_GOOD_FOR == INVITATION_LINK_FOR

    def test_no_link_is_shown_to_whoever_invites(self, light_team: Team) -> None:
        ola = light_team.sign_in(OLA)
        invite(ola)
        for page in (HERE, f"{HERE}{person_id(light_team, NORA)}", "/team/antopsis/record/"):
            assert "/reset/" not in ola.get(page).text

    def test_a_letter_that_cannot_be_sent_loses_nothing_and_can_be_sent_again(
        self, mailing: tuple[Team, MailServer]
    ) -> None:
        team, server = mailing
        server.script(NORA, 451, "4.3.0 Try again later", times=1)
        ola = team.sign_in(OLA)
        said = invite(ola)
        assert "nora@antopsis.example is invited as editor, and nothing is lost" in said
        assert "Send the invitation again" in said
        assert roles(team)[NORA] == "editor"
        assert letters_to(server, NORA) == []
        answer = ola.post(f"{HERE}{person_id(team, NORA)}/invitation")
        assert answer.status_code == 303
        [letter] = letters_to(server, NORA)
        assert "/team/account/reset/" in link_in(letter)

    def test_nobodys_mailbox_is_filled_with_invitations(self, light_team: Team) -> None:
        ola = light_team.sign_in(OLA)
        invite(ola)
        for _ in range(4):
            answer = ola.post(f"{HERE}{person_id(light_team, NORA)}/invitation")
        said = words_of(ola.get(answer.headers["Location"]).text)
        assert "nora@antopsis.example is invited as editor, and nothing is lost. But 3 letters" in said
        assert len(light_team.site.letters_to(NORA)) == 3

    def test_who_signs_in_elsewhere_already_is_led_to_the_new_desk(self, two_teams: Team) -> None:
        invite(two_teams.sign_in(OLA), email=ZOE.email, name="A name for Zoe", role="viewer")
        [letter] = two_teams.site.letters_to(ZOE.email)
        assert link_in(letter) == f"{two_teams.base_url}/team/antopsis/"
        zoe = two_teams.sign_in(ZOE)
        assert zoe.get("/team/antopsis/").status_code == 200
        assert "A name for Zoe" not in zoe.get("/team/antopsis/").text

    @pytest.mark.parametrize(
        ("given", "field", "sentence"),
        [
            ({"email": "nora"}, "email", "cannot be an e-mail address"),
            ({"email": OLA.email}, "email", "works for Antopsis already, as owner"),
            ({"role": "king"}, "role", "is no role"),
            ({"name": "x" * 501}, "name", "500 is the most"),
        ],
    )
    def test_what_cannot_be_taken_comes_back_beside_its_field_with_the_text_kept(
        self, light_team: Team, given: dict[str, str], field: str, sentence: str
    ) -> None:
        ola = light_team.sign_in(OLA)
        answer = ola.post(f"{HERE}invite", {"email": NORA, "name": "Nora New", "role": "viewer", **given})
        assert answer.status_code == 400
        error = re.search(rf'id="{field}-error">([^<]*)<', answer.text)
        assert error is not None, words_of(answer.text)
        assert sentence in error[1]
        if field != "name":
            assert 'value="Nora New"' in answer.text
        assert NORA not in roles(light_team)

    def test_the_name_of_who_has_not_joined_can_be_mended(self, light_team: Team) -> None:
        ola = light_team.sign_in(OLA)
        invite(ola)
        number = person_id(light_team, NORA)
        assert ola.post(f"{HERE}{number}/name", {"name": "Nora Newer"}).status_code == 303
        assert "Nora Newer" in ola.get(HERE).text
        joined = person_id(light_team, ARNO.email)
        refused = ola.post(f"{HERE}{joined}/name", {"name": "Another"})
        assert refused.status_code == 409
        assert "says themselves what they are called" in words_of(refused.text)


class TestChanging:
    def test_an_owner_raises_and_removes_and_it_counts_from_the_next_click(self, team: Team) -> None:
        ola, vera = team.sign_in(OLA), team.sign_in(VERA)
        number = person_id(team, VERA.email)
        answer = ola.post(f"{HERE}{number}/role", {"role": "approver"})
        assert answer.status_code == 303
        assert "vera@antopsis.example is approver now" in words_of(ola.get(HERE).text)
        assert "loses access to Antopsis at once" in words_of(ola.get(f"{HERE}{number}/remove").text)
        assert vera.get("/team/antopsis/").status_code == 200
        assert ola.post(f"{HERE}{number}/remove").status_code == 303
        assert vera.get("/team/antopsis/").status_code == 404
        assert VERA.email not in roles(team)
        with team.site.world.reading() as session:
            kinds = session.scalars(select(Event.kind).where(Event.subject == str(number)).order_by(Event.id)).all()
            actors = session.scalars(select(Event.actor).where(Event.subject == str(number))).all()
            from_where = session.scalars(select(Event.sign_in_id).where(Event.subject == str(number))).all()
        assert kinds == ["person.role_changed", "person.removed"]
        assert set(actors) == {"ola@antopsis.example (web)"}
        assert None not in from_where

    def test_the_last_owner_is_told_why_they_stay(self, light_team: Team) -> None:
        ola = light_team.sign_in(OLA)
        number = person_id(light_team, OLA.email)
        for answer in (ola.post(f"{HERE}{number}/role", {"role": "viewer"}), ola.post(f"{HERE}{number}/remove")):
            assert answer.status_code == 409
            assert "Make somebody else an owner first" in words_of(answer.text)
        assert roles(light_team)[OLA.email] == "owner"

    def test_an_owner_who_leaves_is_led_out(self, light_team: Team) -> None:
        ola = light_team.sign_in(OLA)
        ola.post(f"{HERE}{person_id(light_team, ARNO.email)}/role", {"role": "owner"})
        answer = ola.post(f"{HERE}{person_id(light_team, OLA.email)}/remove")
        assert answer.headers["Location"] == "/team/"
        assert "does not work for Antopsis any more" in words_of(ola.get("/team/").text)

    def test_a_session_of_who_was_removed_lives_on_for_other_publishers(self, two_teams: Team) -> None:
        ola = two_teams.sign_in(OLA)
        invite(ola, email=ZOE.email, role="viewer")
        zoe = two_teams.sign_in(ZOE)
        ola.post(f"{HERE}{person_id(two_teams, ZOE.email)}/remove")
        assert zoe.get("/team/antopsis/").status_code == 404
        assert zoe.get("/team/streams/").status_code == 200


class TestASecondProof:
    def test_the_page_names_who_would_have_to_set_one_up_before_it_is_asked_for(self, light_team: Team) -> None:
        with light_team.site.world.writing() as session:
            session.query(Person).filter(Person.email == OLA.email).one().tf_primary_method = "authenticator"
        ola = light_team.sign_in(OLA)
        said = words_of(ola.get(f"{HERE}second-factor").text)
        assert "3 of 4 have none yet." in said
        assert EDDA.email in said
        assert OLA.email not in said
        assert ola.post(f"{HERE}second-factor", {"required": "yes"}).status_code == 303
        said = words_of(ola.get(HERE).text)
        assert "3 people have to set one up first" in said
        assert "not yet" in said
        assert light_team.sign_in(EDDA).get("/team/antopsis/").status_code == 302
        ola.post(f"{HERE}second-factor", {"required": "no"})
        assert light_team.sign_in(EDDA).get("/team/antopsis/").status_code == 200


class TestWhoMay:
    ACTS = ("invite", "{}/role", "{}/name", "{}/invitation", "{}/remove", "second-factor")
    PAGES = ("invite", "{}", "{}/remove", "second-factor")

    @pytest.mark.parametrize("who", [ARNO, EDDA, VERA], ids=lambda who: who.role.value)
    def test_nobody_but_an_owner_changes_people(self, light_team: Team, who: Somebody) -> None:
        colleague = light_team.sign_in(who)
        number = person_id(light_team, who.email)
        before = roles(light_team)
        given = {"role": "owner", "email": NORA, "name": "N", "required": "yes"}
        assert {colleague.post(HERE + act.format(number), given).status_code for act in self.ACTS} == {403}
        assert {colleague.get(HERE + page.format(number)).status_code for page in self.PAGES} == {403}
        assert roles(light_team) == before

    def test_an_owner_proves_once_more_who_they_are(self, light_team: Team) -> None:
        ola = light_team.sign_in(OLA, is_fresh=False)
        number = person_id(light_team, VERA.email)
        assert {ola.get(HERE + page.format(number)).status_code for page in self.PAGES} == {302}
        assert {ola.post(HERE + act.format(number), {"role": "owner"}).status_code for act in self.ACTS} == {302}
        assert roles(light_team)[VERA.email] == "viewer"
        assert ola.get(HERE).status_code == 200

    def test_numbers_of_another_publishers_people_lead_nowhere(self, two_teams: Team) -> None:
        ola = two_teams.sign_in(OLA)
        number = person_id(two_teams, ZOE.email)
        assert {ola.get(HERE + page.format(number)).status_code for page in ("{}", "{}/remove")} == {404}
        acts = [act for act in self.ACTS if "{}" in act]
        given = {"role": "viewer", "name": "N"}
        assert {ola.post(HERE + act.format(number), given).status_code for act in acts} == {404}
        assert roles(two_teams, "streams") == {ZOE.email: "owner"}
        with two_teams.site.world.reading() as session:
            assert session.scalar(select(func.count()).select_from(SignIn)) == 1
