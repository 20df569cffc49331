"""Settings: changed by an owner, at once or with a colleague's yes, and never half."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from sqlalchemy import select

from registry.domain.retention import RetentionKind
from registry.steps.lookup import get_publisher, read_facts
from registry.tables import Event, Proposal
from registry.web.team.settings_forms import FORMS, form_values
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Team
from tests.web.site import words_of
from tests.web.team.counting import queries
from tests.world import antopsis

AT = "/team/antopsis/settings/"


def typed(team: Team, part: str, **changes: str) -> dict[str, Any]:
    """What the form holds as it is opened, with some of it typed over; an empty text unticks and clears."""
    with team.site.world.reading() as session:
        values = form_values(read_facts(session, get_publisher(session, "antopsis")))
    given = {field.name: values.get(field.name) for field in FORMS[part].fields}
    given |= {name.replace("__", "."): text for name, text in changes.items()}
    return {name: value if value is not True else "1" for name, value in given.items() if value not in (None, False)}


def facts_of(team: Team) -> Any:
    with team.site.world.reading() as session:
        return read_facts(session, get_publisher(session, "antopsis"))


def png(width: int = 2, height: int = 2) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_everybody_sees_the_settings_and_only_an_owner_is_offered_to_change_them(team: Team) -> None:
    for somebody, offered in ((VERA, False), (ARNO, False), (OLA, True)):
        answer = team.sign_in(somebody).get(AT)
        assert answer.status_code == 200
        assert "support@antopsis.example" in answer.text
        assert (f'href="{AT}terms"' in answer.text) is offered
        assert "Language English (en)" in words_of(answer.text)
    assert team.sign_in(ARNO).get(f"{AT}terms").status_code == 403


def test_an_owner_changes_what_the_publisher_says_of_itself(team: Team) -> None:
    ola = team.sign_in(OLA)
    given = typed(team, "publisher", legal_name="Antopsis GmbH", country="DE", website="https://antopsis.example")
    assert ola.post(f"{AT}publisher", given).status_code == 303
    facts = facts_of(team)
    assert (facts.legal_name, facts.website) == ("Antopsis GmbH", "https://antopsis.example")
    assert "Antopsis GmbH" in team.site.get("/antopsis/").text
    with team.site.world.reading() as session:
        event = session.scalars(select(Event).where(Event.kind == "publisher.updated")).one()
    assert event.actor == "ola@antopsis.example (web)"
    assert event.payload["after"]["legal_name"] == "Antopsis GmbH"


def test_what_cannot_be_taken_comes_back_with_a_sentence_at_its_field_and_everything_typed(team: Team) -> None:
    ola = team.sign_in(OLA)
    given = typed(team, "terms", notice__days="soon", notice__time_zone="Europe/Berlinn")
    answer = ola.post(f"{AT}terms", given)
    assert answer.status_code == 400
    assert 'id="notice.days-error"' in answer.text
    assert "Europe/Berlin" in words_of(answer.text)
    assert 'value="soon"' in answer.text
    assert facts_of(team).notice.days == 30


def test_an_address_that_no_letter_could_name_is_refused_when_it_is_typed(team: Team) -> None:
    ola = team.sign_in(OLA)
    answer = ola.post(f"{AT}publisher", typed(team, "publisher", contact="müller@antopsis.example"))
    assert answer.status_code == 400
    assert 'id="contact-error"' in answer.text
    answer = ola.post(f"{AT}publisher", typed(team, "publisher", sender="n" * 57 + "@antopsis.example"))
    assert answer.status_code == 400
    assert 'id="sender-error"' in answer.text
    assert "leaves no room for +updates" in words_of(answer.text)
    assert facts_of(team).contact == "support@antopsis.example"
    given = typed(team, "publisher", contact="privacy@bücher.example", sender="notices@bücher.example")
    assert ola.post(f"{AT}publisher", given).status_code == 303
    assert "privacy@bücher.example" in team.site.get("/antopsis/").text


def test_an_address_of_an_earlier_release_keeps_no_other_setting_from_being_changed(team: Team) -> None:
    ola = team.sign_in(OLA)
    with team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        publisher.facts = publisher.facts | {"sender": "n" * 57 + "@antopsis.example"}
    assert ola.post(f"{AT}publisher", typed(team, "publisher", legal_name="Antopsis GmbH")).status_code == 303
    assert facts_of(team).legal_name == "Antopsis GmbH"


def test_longer_terms_count_at_once_and_shorter_ones_too_where_nobody_must_approve(team: Team) -> None:
    ola = team.sign_in(OLA)
    assert ola.post(f"{AT}terms", typed(team, "terms", notice__days="45")).status_code == 303
    assert facts_of(team).notice.days == 45
    assert ola.post(f"{AT}terms", typed(team, "terms", notice__days="14", reminder_days="")).status_code == 303
    assert (facts_of(team).notice.days, facts_of(team).reminder_days) == (14, None)


def test_receipt_is_deemed_only_by_a_clause(team: Team) -> None:
    ola = team.sign_in(OLA)
    given = typed(team, "terms", notice__undeliverable="deemed", notice__deemed_after_days="14")
    assert ola.post(f"{AT}terms", given).status_code == 400
    given["notice.clause"] = "§ 7 (2) of the agreement"
    assert ola.post(f"{AT}terms", given).status_code == 303
    assert facts_of(team).notice.undeliverable.deemed_after_days == 14


def test_shorter_terms_wait_for_a_colleague_where_approvals_are_required(team: Team) -> None:
    team.site.world.apply(antopsis(approvals=1))
    ola, arno, edda = (team.sign_in(each) for each in (OLA, ARNO, EDDA))
    assert ola.post(f"{AT}terms", typed(team, "terms", notice__days="14")).status_code == 303
    assert facts_of(team).notice.days == 30
    seen = words_of(arno.get(AT).text)
    assert "Waits for a colleague" in seen
    assert "Days of notice 30 14" in seen
    with team.site.world.reading() as session:
        number = session.scalars(select(Proposal.id)).one()
    assert ola.post(f"{AT}proposals/{number}/approve").status_code == 303
    assert "cannot approve" in words_of(ola.get(AT).text) or facts_of(team).notice.days == 30
    assert edda.post(f"{AT}proposals/{number}/approve").status_code == 403
    assert facts_of(team).notice.days == 30
    assert arno.post(f"{AT}proposals/{number}/approve").status_code == 303
    assert facts_of(team).notice.days == 14
    assert "Waits for a colleague" not in words_of(arno.get(AT).text)


def test_a_proposal_that_was_overtaken_or_refused_changes_nothing(team: Team) -> None:
    team.site.world.apply(antopsis(approvals=1))
    ola, arno = team.sign_in(OLA), team.sign_in(ARNO)
    ola.post(f"{AT}terms", typed(team, "terms", notice__days="14"))
    with team.site.world.reading() as session:
        number = session.scalars(select(Proposal.id)).one()
    ola.post(f"{AT}publisher", typed(team, "publisher", legal_name="Antopsis GmbH"))
    assert arno.post(f"{AT}proposals/{number}/approve").status_code == 303
    assert "has changed since" in arno.get(AT).text
    assert arno.post(f"{AT}proposals/{number}/refuse").status_code == 303
    assert (facts_of(team).notice.days, facts_of(team).legal_name) == (30, "Antopsis GmbH")


def test_products_are_added_and_renamed_and_none_is_taken_away(team: Team) -> None:
    ola = team.sign_in(OLA)
    given = {"key": ["streaming", "archive", ""], "name": ["Streaming", "Archive", ""]}
    assert ola.post(f"{AT}products", given).status_code == 303
    seen = words_of(ola.get(AT).text)
    assert all(word in seen for word in ("Streaming", "Archive", "Recordings"))
    wrong = ola.post(f"{AT}products", {"key": ["streaming", "No Key"], "name": ["Streaming", "Something"]})
    assert wrong.status_code == 400
    assert 'id="products.1.key-error"' in wrong.text


def test_a_colour_reaches_the_public_page_and_is_readable_there(team: Team) -> None:
    ola = team.sign_in(OLA)
    assert ola.post(f"{AT}brand", {"colour": "red"}).status_code == 400
    assert ola.post(f"{AT}brand", {"colour": "#FFCC00"}).status_code == 303
    assert "#ffcc00" in ola.get(f"{AT}brand").text
    assert "brand.css?v=ffcc00" in team.site.get("/antopsis/").text
    sheet = team.site.get("/antopsis/brand.css")
    assert sheet.content_type == "text/css; charset=utf-8"
    assert "--accent: #ffcc00" in sheet.text.partition("@media")[2]
    assert "--accent: #ffcc00" not in sheet.text.partition("@media")[0]


def test_a_logo_is_a_picture_and_shows_on_the_public_page(team: Team) -> None:
    ola = team.sign_in(OLA)
    assert team.site.get("/antopsis/logo").status_code == 404
    wrong = ola.post(f"{AT}logo", {"logo": (io.BytesIO(b"%PDF-1.7"), "logo.pdf")})
    assert wrong.status_code == 400
    assert "Give a PNG or a JPEG" in words_of(wrong.text)
    large = ola.post(f"{AT}logo", {"logo": (io.BytesIO(png() + b"\0" * 250_000), "logo.png")})
    assert large.status_code == 400
    assert ola.post(f"{AT}logo", {"logo": (io.BytesIO(png()), "logo.png")}).status_code == 303
    assert "/antopsis/logo?v=" in team.site.get("/antopsis/").text
    assert team.site.get("/antopsis/logo").data == png()
    assert ola.post(f"{AT}logo", {"remove": "1"}).status_code == 303
    assert team.site.get("/antopsis/logo").status_code == 404
    assert "/antopsis/logo" not in team.site.get("/antopsis/").text


@pytest.mark.parametrize("part", FORMS)
def test_each_part_opens_and_saved_as_it_is_changes_nothing(light_team: Team, part: str) -> None:
    ola = light_team.sign_in(OLA)
    before = facts_of(light_team)
    assert ola.get(f"{AT}{part}").status_code == 200
    assert ola.post(f"{AT}{part}", typed(light_team, part)).status_code == 303
    assert facts_of(light_team) == before


def test_whoever_signed_in_long_ago_proves_it_once_more_before_changing_settings(light_team: Team) -> None:
    ola = light_team.sign_in(OLA, is_fresh=False)
    answer = ola.get(f"{AT}terms")
    assert answer.status_code == 302
    assert "/team/account/verify" in answer.headers["Location"]


def test_the_settings_ask_the_database_ten_times_at_most(light_team: Team) -> None:
    ola = light_team.sign_in(OLA)
    with queries(light_team.site.app.extensions["registry"].engine) as sent:
        assert ola.get(AT).status_code == 200
    assert len(sent) <= 10, "\n".join(sent)


def test_every_kind_of_personal_data_has_its_days_among_the_settings(light_team: Team) -> None:
    offered = {field.name for field in FORMS["retention"].fields}
    assert offered == {f"retention.{kind.value}" for kind in RetentionKind}
    ola = light_team.sign_in(OLA)
    given = typed(light_team, "retention", retention__drafts="30", retention__sign_ins="forever")
    assert ola.post(f"{AT}retention", given).status_code == 303
    kept = facts_of(light_team).retention
    assert (kept.documents, kept.drafts, kept.sign_ins) == (1461, 30, "forever")
