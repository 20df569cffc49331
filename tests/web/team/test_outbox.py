"""The outbox: what would have been sent, rendered, of one's own publisher alone, and called what it is."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import select

from registry.tables import Address, Attempt, Publisher
from tests.channels.smtp_server import MailServer
from tests.web.colleagues import EDDA, VERA, ZOE, Team
from tests.web.site import quick_tick, words_of
from tests.web.team.counting import queries
from tests.web.team.delivery_cast import announce, mailing

OUTBOX = "/team/antopsis/outbox/"


def numbers(page: str) -> list[str]:
    """Return the paths of the letters a page lists."""
    return re.findall(r'<th scope="row"><a href="([^"]+)"', page)


def test_what_was_written_is_listed_the_newest_first_and_called_not_sent(team: Team) -> None:
    team.site.follow("fan@people.example")
    announce(team)
    quick_tick(team.site.world)
    edda = team.sign_in(EDDA)
    page = edda.get(OUTBOX).text
    said = words_of(page)
    assert "None of them was sent to anybody." in said
    assert said.count("not sent") == 6
    assert "fan@people.example" in said
    assert "please confirm" in said
    assert said.index("privacy@hanoi.example") < said.index("please confirm")
    assert len(numbers(page)) == 5


def test_a_letter_is_shown_with_its_headers_text_and_html_in_a_frame(team: Team) -> None:
    announce(team)
    quick_tick(team.site.world)
    edda = team.sign_in(EDDA)
    path = numbers(edda.get(OUTBOX).text)[-1]
    page = edda.get(path)
    said = words_of(page.text)
    assert page.status_code == 200
    assert "went to nobody" in said
    assert "Subject" in said
    assert "List-Unsubscribe" in said
    assert "Helsinki" in said
    assert f'<iframe class="letter" sandbox src="{path}/letter"' in page.text
    frame = edda.get(f"{path}/letter")
    assert frame.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "<script" not in frame.text
    assert "Helsinki" in frame.text


def test_nobody_sees_another_publishers_letters_nor_those_of_signing_in(two_teams: Team) -> None:
    announce(two_teams)
    world = two_teams.site.world
    quick_tick(world)
    folder: Path = world.wiring.outbox
    stray = folder / "20260930T080000.000000Z-sign-in.1@registry.example.eml"
    stray.write_bytes(
        b"From: a@b.example\r\nTo: ola@antopsis.example\r\nSubject: Reset your password\r\n\r\nSECRET\r\n"
    )
    edda, zoe = two_teams.sign_in(EDDA), two_teams.sign_in(ZOE)
    paths = numbers(edda.get(OUTBOX).text)
    assert "Reset your password" not in edda.get(OUTBOX).text
    listed = zoe.get("/team/streams/outbox/").text
    assert "Nothing was written yet" in listed
    for path in paths:
        for ending in ("", "/letter"):
            assert zoe.get(f"{path.replace('antopsis', 'streams')}{ending}").status_code == 404
            assert zoe.get(f"{path}{ending}").status_code == 404


def test_a_viewer_sees_no_outbox(light_team: Team) -> None:
    assert light_team.sign_in(VERA).get(OUTBOX).status_code == 403


def test_a_file_outside_the_folder_is_never_read(light_team: Team) -> None:
    announce(light_team)
    world = light_team.site.world
    quick_tick(world)
    (world.wiring.instance / "secret.eml").write_bytes(b"Subject: SECRET\r\n\r\nSECRET\r\n")
    with world.writing() as session:
        for attempt in session.scalars(select(Attempt)):
            attempt.provider_ref = "../secret.eml"
    edda = light_team.sign_in(EDDA)
    page = edda.get(OUTBOX).text
    assert "SECRET" not in page
    assert "its file is gone" in page
    assert "SECRET" not in edda.get(numbers(page)[0]).text


def test_a_letter_to_an_erased_address_is_not_shown(light_team: Team) -> None:
    announce(light_team)
    quick_tick(light_team.site.world)
    with light_team.site.world.writing() as session:
        for address in session.scalars(select(Address)):
            address.value = None
    edda = light_team.sign_in(EDDA)
    page = edda.get(OUTBOX).text
    assert "erased address" in page
    assert "@bremen.example" not in page
    path = numbers(page)[0]
    assert "is not shown any more" in edda.get(path).text
    assert edda.get(f"{path}/letter").status_code == 404


def test_where_mail_is_real_the_page_says_so(sqlite_url: str, tmp_path: Path) -> None:
    with MailServer() as mail, mailing(sqlite_url, tmp_path / "instance", mail) as team:
        announce(team)
        quick_tick(team.site.world)
        said = words_of(team.sign_in(EDDA).get(OUTBOX).text)
        assert "Letters are really sent now." in said
        assert "Nothing lies here" in said


def test_the_outbox_asks_the_database_little(light_team: Team) -> None:
    announce(light_team)
    quick_tick(light_team.site.world)
    edda = light_team.sign_in(EDDA)
    edda.get(OUTBOX)
    with queries(light_team.site.app.extensions["registry"].engine) as sent:
        assert edda.get(OUTBOX).status_code == 200
    assert len(sent) <= 6
    with light_team.site.world.reading() as session:
        assert session.scalar(select(Publisher.slug)) == "antopsis"
