"""What a spam filter says of every kind of letter: SpamAssassin from the system's packages, by its local rules.

Not in the normal suite, since it asks a program that is not everywhere. To run it, and have the table printed:

    pytest -m slow -s tests/letters/test_spam_score.py

What local rules cannot know is in docs/channels.md: the sender's reputation, its records in DNS, a signature.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from email.parser import HeaderParser
from itertools import product
from pathlib import Path

import pytest

from registry.domain.vocabulary import Audience, ServiceLetterKind, StatementKind
from registry.language import LANGUAGES
from registry.letters.compose import compose, list_headers
from registry.letters.values import FrozenLetter, Sender, StatementFacts
from tests.letters.cast import (
    ACKNOWLEDGED,
    ANSWERED,
    ANTOPSIS,
    FAILING,
    OBJECTION,
    RENDERER,
    change,
    facts_of,
    merge_for,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),  # one SpamAssassin reads all letters; a machine with other work to do takes minutes
    pytest.mark.skipif(
        shutil.which("spamassassin") is None,
        reason="no command named spamassassin; Debian, Ubuntu: apt-get install spamassassin",
    ),
]

HIGHEST = 0.5
"""Points. A rule above it is mended, or allowed below by name and with its reason."""
ELSEWHERE = "HEADER_FROM_DIFFERENT_DOMAINS"
ALLOWED: dict[str, str] = {
    ELSEWHERE: "not the letter's: all publishers have one address for bounces, and each may write from its own domain"
}
"""Rules above `HIGHEST` that stay, each with the reason why no letter can mend it."""

CUSTOMERS_ALONE = {
    ServiceLetterKind.ACKNOWLEDGED,
    ServiceLetterKind.OBJECTION_RECEIVED,
    ServiceLetterKind.OBJECTION_REPLY,
}
UNCONFIRMED = {ServiceLetterKind.CONFIRM, ServiceLetterKind.CONFIRM_ENDPOINT}
"""Letters to who has confirmed nothing yet, so there is nothing to leave."""

BETWEEN_LETTERS = "From filter@customer.example Wed Sep 30 08:00:05 2026\n"
"""What starts each letter in a file of many, the mbox format."""


SAO_MAI = Sender(
    slug="saomai",
    name="Công ty Sao Mai",
    legal_name="Công ty Cổ phần Công nghệ Sao Mai",
    contact="baomat@saomai.example",
    from_address="thongbao@saomai.example",
    time_zone="Asia/Ho_Chi_Minh",
    page_url="https://danhsach.saomai.example/",
    privacy_url="https://saomai.example/bao-mat",
    imprint_url="https://saomai.example/lien-he",
)
VIETTEL = {
    "name": "Viettel IDC",
    "legal_name": "Công ty TNHH Viettel - CHT",
    "country": "VN",
    "address": "Số 1 Trần Hữu Dực\nHà Nội",
    "purposes": ["Máy chủ vận hành dịch vụ"],
    "data_categories": ["Thông tin tài khoản", "Dữ liệu sử dụng"],
    "locations": [{"country": "VN", "place": "Hòa Lạc", "function": "processing"}],
}
IN_VIETNAMESE = "vi, its list too"
"""A publisher whose list is in Vietnamese, so that nothing in its letters is in another language."""

ANY_FILTER_KNOWS_IT = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
"""The line by which a filter is tried out."""


@dataclass(frozen=True)
class Case:
    """One letter to one reader."""

    kind: str
    column: str
    """Of the table: a language, or `IN_VIETNAMESE`."""
    audience: Audience
    sender: Sender
    is_emergency: bool = False
    """An emergency whose date is not known yet."""


def vietnamese(facts: StatementFacts) -> StatementFacts:
    after = VIETTEL | {"purposes": ["Máy chủ vận hành dịch vụ", "Sao lưu"]}
    return replace(
        facts,
        sender=SAO_MAI,
        summary="Chúng tôi chuyển máy chủ sang Hòa Lạc",
        changes=(change("viettel", VIETTEL, after), change("fpt", None, VIETTEL | {"name": "FPT Smart Cloud"})),
        reason=facts.reason and "Nơi sao lưu ghi sai.",
        emergency_reason=facts.emergency_reason and "Máy chủ hỏng.",
        product_names=(),
    )


def statements(column: str, language: str) -> Iterator[tuple[Case, FrozenLetter]]:
    """Every statement to every audience: with its date, and of an emergency without one."""
    for kind, audience in product(StatementKind, Audience):
        dated = facts_of(kind)
        undated = replace(dated, effective_on=None, effective_at=None, emergency_reason="The servers burnt down.")
        for facts in (dated, undated):
            said = vietnamese(facts) if column == IN_VIETNAMESE else facts
            case = Case(kind.value, column, audience, said.sender, facts is undated)
            yield case, RENDERER.render_statement(said, audience, language)


def service_letter(kind: ServiceLetterKind, sender: Sender, language: str) -> FrozenLetter:
    match kind:
        case ServiceLetterKind.OBJECTION_RECEIVED:
            return RENDERER.render_objection_letter(kind, sender, language, OBJECTION)
        case ServiceLetterKind.OBJECTION_REPLY:
            return RENDERER.render_objection_letter(kind, sender, language, ANSWERED)
        case ServiceLetterKind.ACKNOWLEDGED:
            return RENDERER.render_acknowledgement(sender, language, ACKNOWLEDGED)
    endpoint = FAILING if kind is ServiceLetterKind.ENDPOINT_FAILING else None
    return RENDERER.render_service_letter(kind, sender, language, endpoint=endpoint)


def every_letter() -> Iterator[tuple[Case, FrozenLetter]]:
    """Every kind of letter, in every language, to everybody who gets it."""
    for column in (*LANGUAGES, IN_VIETNAMESE):
        language = column[:2]
        yield from statements(column, language)
        sender = SAO_MAI if column == IN_VIETNAMESE else ANTOPSIS
        for kind in ServiceLetterKind:
            for audience in (Audience.CUSTOMER,) if kind in CUSTOMERS_ALONE else Audience:
                yield Case(kind.value, column, audience, sender), service_letter(kind, sender, language)


def as_received(case: Case, letter: FrozenLetter, bounces_at: str | None = None) -> bytes:
    """The letter's bytes as a customer's mail server hands them to its filter: with the lines it adds on top.

    `bounces_at` is the domain of the return path; the sender's own if it is left out.
    """
    merge = merge_for(letter, case.audience)
    if case.kind in UNCONFIRMED:
        merge = replace(merge, headers=list_headers(case.sender, case.audience, None, "registry.example"))
    own = case.sender.from_address.partition("@")[2]
    trace = (
        f"Return-Path: <bounces+k1.1.9f86d081884c7d659a2f@{bounces_at or own}>\n"
        f"Received: from relay.{own} (relay.{own} [93.184.216.34])\n"
        "\tby mx.customer.example (Postfix) with ESMTPS id ABC\n"
        f"\tfor <{merge.recipient}>; {merge.date_at:%a, %d %b %Y %H:%M:%S +0000}\n"
    )
    return trace.encode() + compose(letter, merge, case.sender).replace(b"\r\n", b"\n")


def spamassassin(*arguments: str, home: Path) -> str:
    """What the system's SpamAssassin prints: its rules and settings, none of a person's, and no network."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    command = ["spamassassin", "--local", "--nocreate-prefs", "--prefspath=/dev/null", *arguments]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout.decode(errors="replace")


def scores_of(letters: Mapping[Case, bytes], scratch: Path) -> dict[Case, dict[str, float]]:
    """The rules that match each letter, with their points; rules of no points are left out.

    One SpamAssassin reads all. It answers in an order of its own, so each letter has a number.
    """
    asked = scratch / "asked"
    numbered = (b"X-Number: %d\n%s" % (number, letter) for number, letter in enumerate(letters.values()))
    asked.write_bytes(b"".join(BETWEEN_LETTERS.encode() + letter + b"\n" for letter in numbered))
    answered = spamassassin(
        "--cf=report_safe 0",
        "--cf=clear_headers",
        "--cf=add_header all Points _TESTSSCORES(,)_",
        "--mbox",
        str(asked),
        home=scratch,
    )
    found: dict[int, dict[str, float]] = {}
    for answer in answered.split(BETWEEN_LETTERS)[1:]:
        headers = HeaderParser().parsestr(answer)
        rules = re.findall(r"(\w+)=(-?[\d.]+)", headers["X-Spam-Points"])
        found[int(headers["X-Number"])] = {rule: float(points) for rule, points in rules if float(points)}
    return {case: found[n] for n, case in enumerate(letters)}


def table_of(scores: Mapping[Case, Mapping[str, float]]) -> str:
    """The highest sum of each kind and language, in Markdown."""
    columns = (*LANGUAGES, IN_VIETNAMESE)
    sums: dict[str, dict[str, float]] = defaultdict(dict)
    for case, rules in scores.items():
        total = sum(rules.values())
        sums[case.kind][case.column] = max(total, sums[case.kind].get(case.column, total))
    rows = [["Letter", *columns], ["---"] * (len(columns) + 1)]
    rows += [[f"`{kind}`", *(f"{row[column]:.1f}" for column in columns)] for kind, row in sums.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def test_no_rule_that_could_be_mended_scores_a_letter(tmp_path: Path) -> None:
    scores = scores_of({case: as_received(case, letter) for case, letter in every_letter()}, tmp_path)
    sys.stdout.write(f"\n{spamassassin('--version', home=tmp_path).splitlines()[0]}\n\n{table_of(scores)}\n")
    assert not any(ELSEWHERE in rules for rules in scores.values())
    too_high = {
        f"{case.kind}, {case.column}, to a {case.audience.value}, emergency: {case.is_emergency}: {rule}": points
        for case, rules in scores.items()
        for rule, points in rules.items()
        if points > HIGHEST and rule not in ALLOWED
    }
    assert too_high == {}


def test_bounces_to_another_domain_are_noticed_and_nothing_else(tmp_path: Path) -> None:
    case = Case("announcement", "en", Audience.CUSTOMER, ANTOPSIS)
    letter = RENDERER.render_statement(facts_of(StatementKind.ANNOUNCEMENT), case.audience, "en")
    rules = scores_of({case: as_received(case, letter, "registry.example")}, tmp_path)[case]
    assert {rule for rule, points in rules.items() if points > HIGHEST} == set(ALLOWED)


def test_the_filter_reads_what_it_is_given(tmp_path: Path) -> None:
    case = Case("objection_reply", "en", Audience.CUSTOMER, ANTOPSIS)
    words = replace(ANSWERED, words=ANY_FILTER_KNOWS_IT)
    letter = RENDERER.render_objection_letter(ServiceLetterKind.OBJECTION_REPLY, ANTOPSIS, "en", words)
    assert scores_of({case: as_received(case, letter)}, tmp_path)[case]["GTUBE"] > HIGHEST
