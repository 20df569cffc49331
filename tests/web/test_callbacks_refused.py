"""What is posted where Resend reports and is not taken: forged, malformed, fuzzed, cut short. Never a 500."""

from __future__ import annotations

import http.client
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url, select

from registry import clock
from registry.channels.resend_events import LONGEST_CALLBACK
from registry.tables import Outcome
from registry.tables import engine as engine_module
from tests.channels.resend_server import SIGNING_SECRET, Callback, ResendServer, TakenLetter
from tests.databases import ReusedDatabase
from tests.processes import answer_of, free_port, running, wait_for
from tests.steps.bounce_cast import outcomes
from tests.steps.post_office import DPO, send, states_of
from tests.web.callbacks import ADA, ANY_JSON, CALLBACKS, HARD, PATH, letter_to, letters_with, post, reporting
from tests.web.conftest import serving
from tests.web.site import Site
from tests.world import BREMEN, antopsis


@pytest.fixture
def site(database: ReusedDatabase, instance: Path, resend: ResendServer) -> Iterator[Site]:
    """Both letters are with Resend."""
    with letters_with(resend, database, instance, ADA) as site:
        yield site


@pytest.fixture
def light_site(sqlite_database: ReusedDatabase, instance: Path, resend: ResendServer) -> Iterator[Site]:
    """The same on the embedded database."""
    with letters_with(resend, sqlite_database, instance) as site:
        yield site


def test_what_resend_did_not_sign_is_refused_without_a_reason(site: Site, resend: ResendServer) -> None:
    before = site.snapshot()
    true = resend.callback(letter_to(resend, DPO), "email.bounced", **HARD)
    late = resend.callback(letter_to(resend, DPO), "email.bounced", at=resend.now - timedelta(hours=1), **HARD)
    answers = [
        site.post(PATH, true.body),
        site.post(PATH, true.body + b" ", headers=true.headers),
        site.post(PATH, true.body, headers=true.headers | {"svix-id": "msg_another"}),
        site.post(PATH, true.body, headers=true.headers | {"svix-signature": "v1,AAAA"}),
        post(site, late),
        site.post(PATH, b""),
    ]
    assert [answer.status_code for answer in answers] == [401] * len(answers)
    assert len({answer.data for answer in answers}) == 1
    assert site.snapshot() == before


@pytest.mark.parametrize("body", [b"[]", b"not JSON", b'{"type": "email.delivered"}', b'{"type": 3}', b"\xff"])
def test_what_is_signed_and_cannot_be_read_is_a_400(light_site: Site, resend: ResendServer, body: bytes) -> None:
    try:
        callback = resend.sign(body)
    except UnicodeDecodeError:
        callback = Callback(resend.sign(b"x").headers, body)
    answer = post(light_site, callback)
    assert (answer.status_code, answer.content_type) == (400, "text/plain; charset=utf-8")
    assert outcomes(light_site.world) == []


def test_a_body_longer_than_any_callback_is_refused_unread(light_site: Site, resend: ResendServer) -> None:
    callback = resend.sign(b'{"type": "email.opened", "x": "' + b"x" * LONGEST_CALLBACK + b'"}')
    assert post(light_site, callback).status_code == 400
    longest = resend.sign(json.dumps({"type": "email.opened", "x": "x" * (LONGEST_CALLBACK - 50)}).encode())
    assert len(longest.body) > 64 * 1024, "longer than any form, and still taken"
    assert post(light_site, longest).status_code == 204


def test_where_no_secret_is_set_there_is_nothing_here(sqlite_url: str, tmp_path: Path, resend: ResendServer) -> None:
    with serving(sqlite_url, tmp_path / "instance", antopsis()) as site:
        answer = site.post(PATH, b"{}")
    assert answer.status_code == 404
    assert b"REGISTRY_RESEND_WEBHOOK_SECRET" in answer.data


def test_it_is_only_posted_to(light_site: Site) -> None:
    answer = light_site.get(PATH)
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, {"OPTIONS", "POST"})


def test_many_reports_at_once_meet_no_limit(light_site: Site, resend: ResendServer) -> None:
    letter = resend.taken[0]
    assert {post(light_site, resend.callback(letter, "email.delivered")).status_code for _ in range(150)} == {204}
    assert len(outcomes(light_site.world)) == 150


def test_while_the_database_is_locked_resend_is_asked_to_come_again_and_then_it_counts(
    sqlite_url: str,
    tmp_path: Path,
    resend: ResendServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.2)
    served = serving(
        sqlite_url, tmp_path / "instance", antopsis(customers=BREMEN), REGISTRY_RESEND_WEBHOOK_SECRET=SIGNING_SECRET
    )
    with reporting(served, resend) as site:
        send(site.world)
        callback = resend.callback(resend.taken[0], "email.delivered")
        with (
            closing(sqlite3.connect(str(make_url(sqlite_url).database), isolation_level=None)) as other,
            caplog.at_level(logging.WARNING),
        ):
            other.execute("BEGIN IMMEDIATE")
            answer = post(site, callback)
            other.execute("ROLLBACK")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert "callback-not-recorded" in caplog.text
        assert post(site, callback).status_code == 204
        assert states_of(site.world) == {DPO: "delivered"}


def test_a_database_without_its_tables_is_a_503_and_no_address_is_logged(
    light_site: Site, resend: ResendServer, caplog: pytest.LogCaptureFixture
) -> None:
    with light_site.world.writing() as session:
        session.connection().exec_driver_sql("ALTER TABLE outcomes RENAME TO elsewhere")
    with caplog.at_level(logging.WARNING):
        assert post(light_site, resend.callback(resend.taken[0], "email.bounced", **HARD)).status_code == 503
    told = caplog.text + "".join(str(getattr(record, "facts", "")) for record in caplog.records)
    assert "no such table" in told
    assert DPO not in told


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CALLBACKS | ANY_JSON, st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_whatever_is_signed_is_taken_or_refused_and_never_an_error_of_ours(
    light_site: Site, resend: ResendServer, content: Any, event_id: str
) -> None:
    callback = resend.sign(json.dumps(content).encode(), event_id=event_id)
    assert post(light_site, callback).status_code in (204, 400, 401)
    with light_site.world.reading() as session:
        session.scalars(select(Outcome)).all()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["svix-id", "svix-timestamp", "svix-signature", "Content-Type", "Content-Encoding"]),
        st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40),
    ),
    st.binary(max_size=300),
    st.text(max_size=20),
)
def test_whatever_is_not_signed_is_refused(light_site: Site, headers: dict[str, str], body: bytes, query: str) -> None:
    answer = light_site.post(PATH, body, headers=headers, query_string={"q": query})
    # What is not even text is not looked at for its signature.
    assert answer.status_code in (400, 401)
    assert outcomes(light_site.world) == []


@pytest.mark.timeout(90)
def test_over_http_as_it_is_served_whole_in_pieces_and_cut_short(sqlite_url: str, tmp_path: Path) -> None:
    """A proxy may send on in pieces what it got whole; then no header says how long the body is."""
    port, log = free_port(), tmp_path / "web.log"
    environ = {
        "REGISTRY_ENV": "test",
        "REGISTRY_INSTANCE": str(tmp_path / "instance"),
        "REGISTRY_DATABASE_URL": sqlite_url,
        "REGISTRY_RESEND_WEBHOOK_SECRET": SIGNING_SECRET,
    }

    def ask(body: Any, headers: dict[str, str], **options: Any) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("POST", PATH, body, headers, **options)
            return connection.getresponse().status

    with ResendServer(now=clock.now()) as resend, running(environ, log, "web", "--port", str(port)):
        wait_for(lambda: answer_of(f"http://127.0.0.1:{port}/healthz"), "web server")
        letter = TakenLetter(
            "56761188-7520-42d8-8898-ff6fc54ce618",
            {"from": "a@b.example", "to": ["c@d.example"], "subject": "s"},
            None,
            None,
            resend.now,
        )
        whole = resend.callback(letter, "email.delivered")
        assert ask(whole.body, whole.headers) == 204
        pieces = resend.callback(letter, "email.bounced", **HARD)
        chunks = iter([pieces.body[:100], pieces.body[100:]])
        assert ask(chunks, pieces.headers | {"Transfer-Encoding": "chunked"}, encode_chunked=True) == 204
        endless = iter([b"x" * 65_536] * 8)
        assert ask(endless, whole.headers | {"Transfer-Encoding": "chunked"}, encode_chunked=True) == 400
        assert ask(b"", {}) == 401
        assert ask(b"x" * (LONGEST_CALLBACK + 1), whole.headers) == 400
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as cut:
            cut.putrequest("POST", PATH)
            cut.putheader("Content-Length", "1000")
            cut.endheaders(b"only a part")
        assert ask(whole.body, whole.headers) == 204
    with closing(sqlite3.connect(str(make_url(sqlite_url).database))) as database:
        rows = database.execute("SELECT kind FROM outcomes ORDER BY id").fetchall()
    assert rows == [("delivered",), ("bounced",)]
    assert " 500 " not in log.read_text()
