"""A press gives what `compose` gives, byte for byte, or raises what it raises; and it does not do so by composing."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.channels.smtp_letter import with_crlf
from registry.domain.errors import RegistryError
from registry.domain.vocabulary import Audience, ServiceLetterKind, StatementKind
from registry.letters import press as press_module
from registry.letters import wording
from registry.letters.compose import compose, list_headers
from registry.letters.mime import BoundaryInContent, ImpossibleHeader
from registry.letters.press import Press
from registry.letters.slots import LINKS, SLOTS
from registry.letters.values import FrozenLetter, Merge, Sender
from tests.letters.cast import ANTOPSIS, RENDERER, facts_of, merge_for, service_letter
from tests.letters.reading import text_of

STREAMONAPI = replace(ANTOPSIS, name="Công ty StreamOnApi", legal_name="Công ty TNHH StreamOnApi – Phát trực tuyến")
LETTERS = [
    *((kind, audience, ANTOPSIS) for kind in StatementKind for audience in Audience),
    *((kind, Audience.FOLLOWER, ANTOPSIS) for kind in ServiceLetterKind),
    (StatementKind.ANNOUNCEMENT, Audience.CUSTOMER, STREAMONAPI),
    (StatementKind.ANNOUNCEMENT, Audience.CUSTOMER, replace(ANTOPSIS, contact="privacy@bücher.example")),
]


def render(kind: StatementKind | ServiceLetterKind, audience: Audience, sender: Sender) -> FrozenLetter:
    if isinstance(kind, ServiceLetterKind):
        return service_letter(kind, sender)
    return RENDERER.render_statement(replace(facts_of(kind), sender=sender), audience, "en")


LETTER = render(StatementKind.ANNOUNCEMENT, Audience.CUSTOMER, ANTOPSIS)
MERGE = merge_for(LETTER, Audience.CUSTOMER)
NAMES = (
    "Example Customer GmbH",
    "Müller & Söhne, Nachfolger",
    "Công ty Phát trực tuyến StreamOnApi, Bộ phận Pháp chế và Bảo vệ dữ liệu cá nhân",
    'O\'Neill "Widgets" <sales>',
    "=?utf-8?q?a=3Db?= = 流媒体 😀",
    "A customer of a name so long that it neither fits on its line of the letter nor into a single line of any header",
    "one-word-" * 20,
    ".",
    "soft\u00adhyphen, non-breaking\u00a0space,  two spaces ",
    "Foo\r\nBcc: everybody@example.org\x00\x02why\x03\u202egnp",
    "",
)
TOKENS = ("s7.Zb4", "k1.4711." + "0f" * 20, "k1.4711." + "0f" * 60, "?a=1&b=2")


def merges_of(letter: FrozenLetter, audience: Audience) -> Iterator[Merge]:
    """Recipients of every sort, each with all links, as the product gives them whether the letter has slots or not."""
    for number, name in enumerate(NAMES):
        for token in TOKENS:
            links = {link: f"https://registry.example/antopsis/{link[:6]}/{token}" for link in LINKS}
            merge = merge_for(letter, audience)
            said = (
                dict(merge.slots) | {"recipient_name": name, "why": wording.say_why_contact("Antopsis", name)} | links
            )
            if audience is Audience.FOLLOWER and number % 2:
                said["why"] = wording.say_why_follower("Antopsis", date(2026, 8, 12))
            yield replace(
                merge,
                recipient_name=name or None,
                boundary=f"=_{number:032x}",
                date_at=merge.date_at + timedelta(seconds=number // 2),
                slots=tuple(said.items()),
                headers=list_headers(ANTOPSIS, audience, links["unsubscribe_url"], "registry.example"),
            )


@pytest.mark.parametrize(("kind", "audience", "sender"), LETTERS)
def test_every_letter_of_the_product_has_the_bytes_that_compose_gives_it(
    kind: StatementKind | ServiceLetterKind, audience: Audience, sender: Sender
) -> None:
    letter = render(kind, audience, sender)
    press = Press(letter, sender)
    merges = list(merges_of(letter, audience))
    assert len({press.merge(merge) for merge in merges}) == len(merges)
    for merge in merges:
        assert press.merge(merge) == compose(letter, merge, sender)


@pytest.mark.parametrize(("kind", "audience", "sender"), LETTERS)
def test_no_letter_of_the_product_is_left_to_compose(
    kind: StatementKind | ServiceLetterKind, audience: Audience, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be right, and twenty times as slow."""
    letter = render(kind, audience, sender)
    press = Press(letter, sender)
    merges = list(merges_of(letter, audience))
    monkeypatch.delattr(press_module, "compose")
    assert all(press.merge(merge).endswith(b"--\r\n") for merge in merges)


def test_a_press_names_the_slots_its_letter_has() -> None:
    letter = render(StatementKind.ANNOUNCEMENT, Audience.FOLLOWER, ANTOPSIS)
    assert Press(letter, ANTOPSIS).slots == {"why", "manage_url", "unsubscribe_url", "delivery_reference"}


def outcome_of(letter: FrozenLetter, merge: Merge, sender: Sender, press: Press | None = None) -> Any:
    """The bytes, or what was raised instead."""
    try:
        return press.merge(merge) if press else compose(letter, merge, sender)
    except RegistryError as error:
        return type(error), error.params
    except UnicodeEncodeError as error:
        return type(error), error.reason


NAME, WHY, LINK = "\x02recipient_name\x03", "\x02why\x03", "\x02manage_url\x03"
LINES = (
    *(
        NAME,
        f"{NAME}.",
        f"{NAME} ",
        f"{NAME}\t",
        f"{NAME} y",
        f"{NAME}  y",
        f"{NAME}\u00a0y",
        f"{NAME}\0y",
        f"{NAME}y\r",
    ),
    *(
        f".{NAME}",
        f". {NAME}",
        f"={NAME}=",
        f"é{NAME}é",
        f"  {NAME}",
        f"For:   {NAME}",
        f"For:\t {NAME}  ",
        f"\ud800{NAME}y",
    ),
    f"Dear {NAME}, we write to you since there is something to be said",
    f"For:   {NAME}  (that is you)",
    f"{NAME}{WHY}{NAME}",
    f'<p title="{NAME}">Für {WHY} = {NAME}</p>',
    f'<a href="{LINK}">{WHY}</a> · <a href="{LINK}">{NAME}</a>',
    *(LINK, f"Link:  {LINK}", f"Link: {LINK}", f"Link:  {LINK} now", f"Link:  {LINK}\u00a0now", f"{LINK} {NAME}"),
    f"{'x' * 75}{NAME}{'y' * 75}",
    f"{'x' * 76}{NAME}{'=' * 30}",
)
SAID = (
    *(
        "",
        ".",
        "-",
        "=",
        "é",
        "&",
        "x y",
        "a = b",
        "é e",
        "word by word",
        "one two three four five " * 6,
        "x . " * 40,
        "é " * 70,
    ),
    *("x" * width for width in (1, 2, 30, *range(55, 80), 149, 150, 151, 152, 400)),
)


@pytest.mark.parametrize("ending", ["", "\n", "\n\n.\n"])
@pytest.mark.parametrize("beginning", ["", "é\n", f"{'<p>' * 30}\n.\n"])
def test_any_line_with_slots_is_broken_where_compose_breaks_it(beginning: str, ending: str) -> None:
    for line in LINES:
        letter = FrozenLetter("Hello", beginning + line + ending, beginning + line + ending)
        press = Press(letter, ANTOPSIS)
        for said in SAID:
            link = f"https://r.example/{'k' * len(said)}"
            slots = (("recipient_name", said), ("why", f"{said}."), ("manage_url", link))
            merge = replace(MERGE, boundary="Q_5f0c", slots=slots)
            assert outcome_of(letter, merge, ANTOPSIS, press) == outcome_of(letter, merge, ANTOPSIS), (line, said)


@pytest.mark.parametrize(
    "wrong",
    [
        {"merge_version": 2},
        {"recipient": "dana"},
        {"message_id": "<a b>"},
        {"message_id": "<a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j>"},
        {"message_id": "<ä@b>"},
        {"message_id": "x" * 986},
        {"message_id": "x" * 987},
        {"boundary": ""},
        {"date_at": datetime(2026, 9, 30, 8, 0)},  # noqa: DTZ001 - the case tested
        {"headers": ()},
        {"headers": (("Bcc", "x@y.example"),)},
        {"headers": (("List-Id", "<a>"), ("list-id", "<b>"))},
        {"headers": (("X-Note", "words with spaces " * 5),)},
        {"headers": (("X-Note", "x" * 990),)},
        {"headers": (("X-Note", "x" * 991),)},
        {"headers": (("X-Note", "ä"),)},
        {"headers": (("X-Note:", "a"),)},
        {"headers": (("X-Note", "%s"), ("X-Other", ""))},
        {"headers": (("Bcc", "x@y.example"),), "recipient": "dana"},
        {"slots": ()},
        {"slots": MERGE.slots[1:]},
        {"slots": (*MERGE.slots, ("nickname", "Dana"))},
        {"slots": (*MERGE.slots, ("unsubscribe_url", "javascript:x"))},
        {"slots": (("manage_url", "javascript:x"), *MERGE.slots)},
        {"slots": (("recipient_name", "Somebody else"), *MERGE.slots)},
        {"slots": (*MERGE.slots, ("manage_url", "https://registry.example/ x"))},
        {"slots": (*MERGE.slots, ("nickname", "Dana")), "headers": (("Bcc", "x@y.example"),)},
    ],
)
def test_an_odd_merge_ends_as_it_does_when_composed(wrong: dict[str, Any]) -> None:
    merge = replace(MERGE, **wrong)
    assert outcome_of(LETTER, merge, ANTOPSIS, Press(LETTER, ANTOPSIS)) == outcome_of(LETTER, merge, ANTOPSIS)


def joined(pieces: st.SearchStrategy[str], most: int = 12) -> st.SearchStrategy[str]:
    return st.lists(pieces, max_size=most).map("".join)


ASCII = st.text(string.ascii_letters + string.digits + string.punctuation + " ", max_size=90)
ANYTHING = st.text(st.characters(codec="utf-8"), max_size=6)
CAREFUL = [*"=.-<&\"'(,\\é流😀", "=?", "..", "--", "=_", "\t", "\x00", "\x7f", "\x85", *"\u00a0\u00ad\u2028\u202e"]
SPACES = [" ", "  ", " " * 17]
WIDTHS = ["x" * width for width in (1, 2, 30, *range(70, 81), 149, 150, 151, 152)]
MARKS = [f"\x02{slot}\x03" for slot in sorted(SLOTS)]
BROKEN = ["\r\n", "\r", "\0", "\x02", "\x03", "\x02nickname\x03", "\ud800"]

SIGNS = st.sampled_from(CAREFUL + SPACES)
BITS = st.sampled_from(MARKS) | ASCII | SIGNS | ANYTHING | st.sampled_from(["\n", *SPACES, *WIDTHS])
QUIET_BITS = st.sampled_from(MARKS) | st.text("ab .,é", max_size=60) | st.sampled_from(["\n", *SPACES, *WIDTHS])
BODIES = joined(QUIET_BITS) | joined(QUIET_BITS).map(lambda body: f"{body}\n") | joined(BITS)
HTML = BODIES.map(lambda body: f"<p>{'x' * 90}</p>\n{body}</p>\n</html>\n") | BODIES
SUBJECTS = st.just("Hello") | joined(BITS).map(lambda body: body.replace("\n", " "))

WORDS = st.lists(st.text("abXY0.-=&'é", min_size=1, max_size=20), min_size=1, max_size=12).map(" ".join)
VALUES = WORDS | ASCII | joined(ASCII | SIGNS | ANYTHING, 4) | st.sampled_from(["", "-", "--", "=", "=_", *WIDTHS])
LINKS_GIVEN = st.integers(1, 160).map(lambda length: f"https://r.example/{'k' * length}") | st.sampled_from(
    ["http://r.example/?a=1&b=2", "https://r.example/-", "https://r.example/=_"]
)
NO_LINKS = st.sampled_from(["", "javascript:x", "https://a b", "https://", "https://é.example/"])
GIVEN = {slot: LINKS_GIVEN if slot in LINKS else VALUES for slot in sorted(SLOTS)}
GIVEN_BADLY = {slot: LINKS_GIVEN | NO_LINKS if slot in LINKS else VALUES for slot in [*sorted(SLOTS), "nickname"]}
BOUNDARIES = st.sampled_from(["=_5f0c", "b", "-", "--", "=", "", 'a"b']) | st.text("=_-ab", min_size=1, max_size=3)
NAIVE_DATES = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1))  # noqa: DTZ001 - Hypothesis gives the zone
DATES = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC) | st.timezones())  # noqa: DTZ001 - the same
HEADERS = st.tuples(
    st.sampled_from(["List-Id", "list-id", "List-Unsubscribe", "X-Note", "Bcc", "X-Nöte", "X:", "X-" + "A" * 68]),
    st.sampled_from(["", "<a>", "a b c", "%s", "word " * 30, "x" * 900, "x" * 990, "é", "a\r\nb"]) | ASCII,
)
USUAL_HEADERS = st.sampled_from([(), list_headers(ANTOPSIS, Audience.FOLLOWER, "https://r.example/u/1", "r.example")])
ORDINARY = st.builds(
    Merge,
    recipient=st.just("dana@customer.example"),
    recipient_name=st.none() | VALUES,
    message_id=st.just("<1@registry.example>"),
    boundary=st.just("=_5f0c") | st.just("=_5f1d") | BOUNDARIES,
    date_at=DATES,
    slots=st.fixed_dictionaries(GIVEN).map(lambda given: tuple(given.items())),
    headers=USUAL_HEADERS,
)
EXTRAORDINARY = st.builds(
    Merge,
    recipient=st.sampled_from(
        ["dana@customer.example", "dana", "dána@b.example", "a@b.example\n", f"a@{'b' * 250}.example"]
    ),
    recipient_name=st.none() | st.text(max_size=120),
    message_id=st.sampled_from(["<1@r.example>", "", "<a b>", "<ä@b>", "<a\r\nb>", "x" * 985]) | ASCII,
    boundary=BOUNDARIES,
    date_at=DATES | NAIVE_DATES,
    slots=st.fixed_dictionaries({}, optional=GIVEN_BADLY).map(lambda given: tuple(given.items()) * 2),
    headers=st.lists(HEADERS, max_size=3).map(tuple),
    merge_version=st.sampled_from([1, 1, 1, 2]),
)


@given(subject=SUBJECTS, text=BODIES, html=HTML, merges=st.lists(ORDINARY, min_size=1, max_size=6))
def test_any_letter_has_the_bytes_that_compose_gives_it(
    subject: str, text: str, html: str, merges: list[Merge]
) -> None:
    letter = FrozenLetter(subject, text, html)
    press = Press(letter, ANTOPSIS)
    for merge in merges:
        assert outcome_of(letter, merge, ANTOPSIS, press) == outcome_of(letter, merge, ANTOPSIS)


@given(
    text=BODIES | joined(BITS | st.sampled_from(BROKEN)),
    html=HTML | joined(BITS | st.sampled_from(BROKEN)),
    sender=st.builds(
        replace, st.just(ANTOPSIS), name=VALUES, from_address=st.sampled_from(["a@b.example"] * 5 + ["a"])
    ),
    merges=st.lists(ORDINARY | EXTRAORDINARY, min_size=1, max_size=6),
)
def test_whatever_compose_raises_a_press_raises(text: str, html: str, sender: Sender, merges: list[Merge]) -> None:
    letter = FrozenLetter("Hello", text, html)
    press = Press(letter, sender)
    for merge in merges:
        outcome = outcome_of(letter, merge, sender, press)
        assert outcome == outcome_of(letter, merge, sender)
        # Channels are told so (`StoredLetter.has_crlf`), and do not look again.
        assert "\r" in text + html or not isinstance(outcome, bytes) or with_crlf(outcome) == outcome


def test_a_space_that_is_no_ascii_may_fall_to_a_line_break_and_leave_ascii() -> None:
    letter = FrozenLetter("Hello", f"\x02recipient_name\x03\u00a0{'x' * 70}\n", f"<p>{'x' * 90}</p>\n")
    for name in ("Dana", "A customer of a longer name"):
        merge = replace(MERGE, slots=(("recipient_name", name),))
        assert Press(letter, ANTOPSIS).merge(merge) == compose(letter, merge, ANTOPSIS)
    assert b"7bit" in compose(letter, merge, ANTOPSIS)


@pytest.mark.parametrize("sender", [replace(ANTOPSIS, from_address="nobody"), replace(ANTOPSIS, contact="")])
def test_a_letter_nobody_can_have_sent_fails_when_it_is_merged(sender: Sender) -> None:
    press = Press(LETTER, sender)
    with pytest.raises(ImpossibleHeader) as caught:
        press.merge(MERGE)
    assert outcome_of(LETTER, MERGE, sender) == (ImpossibleHeader, caught.value.params)


@pytest.mark.parametrize(
    ("html", "value", "boundary"),
    [
        ("--=_b <b>\x02why\x03</b>", "nothing", "=_b"),
        ("<b>\x02why\x03=_b</b>", "--", "=_b"),
        ("<b>-\x02why\x03-=_b</b>", "", "=_b"),
        ("<b>--\x02why\x03_b</b>", "=", "=_b"),
        ("<b>--\x02why\x03</b>", "=_b", "=_b"),
        ("<b>\x02why\x03</b>", "<--=_b>", "=_b"),
        ("<b>--\x02why\x03\x02recipient_name\x03</b>", "a", "ab"),
        ("<b>\x02recipient_name\x03</b>", "nothing", "a"),
    ],
)
def test_a_boundary_is_found_wherever_it_comes_together(html: str, value: str, boundary: str) -> None:
    letter = FrozenLetter("Hello", "For you.\n", f"{html}{'x' * 90}\n")
    merge = replace(MERGE, slots=(("why", value), ("recipient_name", "b --a")), boundary=boundary)
    with pytest.raises(BoundaryInContent):
        Press(letter, ANTOPSIS).merge(merge)
    assert outcome_of(letter, merge, ANTOPSIS) == (BoundaryInContent, {"boundary": boundary})


def test_the_two_hours_the_clock_goes_back_through_have_two_dates() -> None:
    """Python takes the two for equal, and only their `fold` tells them apart."""
    press = Press(LETTER, ANTOPSIS)
    summer = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    winter = summer.replace(fold=1)
    assert summer == winter
    for at, told in ((summer, b"00:30:00 +0000"), (winter, b"01:30:00 +0000"), (summer, b"00:30:00 +0000")):
        assert b"\r\nDate: Sun, 25 Oct 2026 " + told + b"\r\n" in press.merge(replace(MERGE, date_at=at))


def test_every_second_has_its_own_date() -> None:
    press = Press(LETTER, ANTOPSIS)
    for second in (5, 5, 6, 5):
        message = press.merge(replace(MERGE, date_at=datetime(2026, 9, 30, 8, 0, second, tzinfo=UTC)))
        assert f"\r\nDate: Wed, 30 Sep 2026 08:00:0{second} +0000\r\n".encode() in message


def test_no_recipient_gets_what_another_one_was_told() -> None:
    press = Press(LETTER, ANTOPSIS)
    first = replace(MERGE, recipient_name="Dana", slots=(*MERGE.slots, ("recipient_name", "Dana's Company")))
    again = [press.merge(merge) for merge in (first, MERGE, first, MERGE)]
    assert again[:2] == again[2:]
    assert "Dana" in text_of(again[0])
    assert b"Dana" not in again[1]
