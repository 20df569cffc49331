"""The message on the wire: its structure, its lines, and bytes that come out the same for ever (R30)."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.errors import RegistryError
from registry.domain.vocabulary import Audience
from registry.letters.compose import OtherMergeVersion, compose, list_headers, sha256_of
from registry.letters.mime import BoundaryInContent, ImpossibleHeader
from registry.letters.values import FrozenLetter
from tests.letters.cast import ANNOUNCEMENT, ANTOPSIS, RENDERER, merge_for
from tests.letters.merges import LETTER, LONG_LINK, MERGE, SHORT, SHORT_MERGE, UNCLEAN
from tests.letters.reading import html_of, mailbox_of, parsed, squeezed, text_of


def test_the_message_has_plain_text_first_and_html_second() -> None:
    message = parsed(compose(LETTER, MERGE, ANTOPSIS))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content_charset() for part in message.iter_parts()] == ["utf-8", "utf-8"]
    assert message.get_boundary() == MERGE.boundary


def test_lines_end_in_crlf_and_none_is_too_long() -> None:
    raw = compose(LETTER, MERGE, ANTOPSIS)
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert raw.isascii()


def test_a_very_long_line_of_content_is_carried_within_the_limit() -> None:
    letter = replace(SHORT, text="é" * 5_000 + "\n", html="<p>" + "x" * 20_000 + "</p>\n")
    raw = compose(letter, SHORT_MERGE, ANTOPSIS)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert text_of(raw) == letter.text
    assert html_of(raw) == letter.html


@pytest.mark.parametrize("boundary", ["", "a b\r\n", 'a"b', "x" * 71])
def test_a_boundary_that_cannot_be_is_refused(boundary: str) -> None:
    with pytest.raises(ImpossibleHeader):
        compose(LETTER, replace(MERGE, boundary=boundary), ANTOPSIS)


def test_a_boundary_that_stands_in_the_content_is_refused() -> None:
    with pytest.raises(BoundaryInContent):
        compose(replace(SHORT, text="x\n--b1\ny\n"), SHORT_MERGE, ANTOPSIS)


def test_a_merge_of_another_version_is_not_made_by_this_one() -> None:
    with pytest.raises(OtherMergeVersion) as caught:
        compose(LETTER, replace(MERGE, merge_version=2), ANTOPSIS)
    assert caught.value.params == {"version": 2, "own": 1}
    assert isinstance(caught.value, RegistryError)


GOLDEN_LETTER = FrozenLetter(
    subject="Übertragung: change to the subprocessor list on 31 October 2026, and a subject of several lines, for sure",
    text=(
        "For:             \x02recipient_name\x03\nObject by:       \x02objection_deadline\x03\n\n"
        "\x02why\x03\n\n. dot – dash\nFrom here\n"
    ),
    html=(
        '<p title="\x02recipient_name\x03">Für \x02recipient_name\x03 = 100 %</p>\n'
        '<a href="\x02manage_url\x03">\x02why\x03</a>\n'
    ),
)
GOLDEN_MERGE = replace(
    MERGE,
    recipient_name="Nguyễn Thị Minh Khai, Phòng Pháp chế và Bảo vệ dữ liệu cá nhân",
    slots=(
        ("recipient_name", 'Example & Söhne "Customer" GmbH'),
        ("objection_deadline", "end of Wednesday, 30 September 2026 (2026-09-30, America/Argentina/Buenos_Aires)"),
        ("why", "You are a named contact of Example & Söhne for these notices, under its contract with Antopsis."),
        ("manage_url", "https://registry.example/m?a=1&b=2"),
    ),
    headers=list_headers(ANTOPSIS, Audience.FOLLOWER, LONG_LINK, "registry.example"),
)
GOLDEN_SHA256_OF_MERGE_VERSION_1 = "e29ee117ad2711734e1eb0b12a24dd1ac36131b55cb59e0015c046f7f64edbda"


def test_merge_version_1_makes_the_bytes_it_always_made() -> None:
    """Stored hashes are compared with bytes made again years later: if this fails, MERGE_VERSION must rise instead."""
    raw = compose(GOLDEN_LETTER, GOLDEN_MERGE, ANTOPSIS)
    golden = Path(__file__).parent / "golden" / "merge_version_1.eml"
    assert raw.replace(b"\r\n", b"\n").decode("ascii") == golden.read_text("ascii")
    assert sha256_of(raw) == GOLDEN_SHA256_OF_MERGE_VERSION_1


@pytest.mark.parametrize("audience", list(Audience))
def test_two_processes_with_other_hash_seeds_make_the_same_bytes(audience: Audience) -> None:
    script = (
        "import hashlib, sys\n"
        "from registry.domain.vocabulary import Audience\n"
        "from registry.letters.compose import compose\n"
        "from tests.letters.cast import ANNOUNCEMENT, ANTOPSIS, RENDERER, merge_for\n"
        "audience = Audience(sys.argv[1])\n"
        "letter = RENDERER.render_statement(ANNOUNCEMENT, audience, 'en')\n"
        "print(hashlib.sha256(compose(letter, merge_for(letter, audience), ANTOPSIS)).hexdigest())\n"
    )
    letter = RENDERER.render_statement(ANNOUNCEMENT, audience, "en")
    digests = {sha256_of(compose(letter, merge_for(letter, audience), ANTOPSIS))}
    for seed, zone in (("1", "Asia/Tokyo"), ("4711", "America/New_York")):
        ran = subprocess.run(
            [sys.executable, "-c", script, audience.value],
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(ran.stdout.strip())
    assert len(digests) == 1


CLEAN = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters=UNCLEAN)
LINES = st.text(CLEAN | st.sampled_from(" ,.“é"), max_size=120)


@given(subject=LINES, name=LINES, text=st.lists(LINES, max_size=5), markup=st.lists(LINES, max_size=5))
def test_any_text_arrives_as_it_was_written(subject: str, name: str, text: list[str], markup: list[str]) -> None:
    subject = " ".join(subject.split())
    letter = FrozenLetter(subject, "\n".join([*text, ""]), "\n".join([*markup, ""]))
    merge = replace(SHORT_MERGE, recipient_name=name, boundary="=_7d1f0c5e9a3b4688_=")
    raw = compose(letter, merge, ANTOPSIS)
    message = parsed(raw)
    assert message["Subject"] == subject
    assert text_of(raw) == letter.text
    assert html_of(raw) == letter.html
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert mailbox_of(raw, "To") == (" ".join(name.split()), "dana@customer.example")


def test_what_a_reader_gets_is_what_was_rendered() -> None:
    raw = compose(LETTER, MERGE, ANTOPSIS)
    assert "Reference: 2026-001/1/D-000412" in squeezed(text_of(raw))
    assert "2026-001/1/D-000412" in html_of(raw)
