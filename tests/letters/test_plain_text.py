"""Wrapping must never come out otherwise: the bytes of letters long sent hang on it (R30)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.letters.plain_text import wrap

LEADS = st.sampled_from(["", "  ", "     ", " " * 17, "For:             ", "x" * 76, "x" * 77, "x" * 78, "x" * 100])


@given(
    words=st.lists(st.text("abé.", min_size=1, max_size=90) | st.sampled_from(["x" * 61, "y" * 78])),
    first=LEADS,
    rest=LEADS,
)
def test_a_line_takes_every_word_that_fits_and_at_least_one(words: list[str], first: str, rest: str) -> None:
    lines: list[str] = []
    line = words[:1]
    for word in words[1:]:
        lead = rest if lines else first
        if len(lead) + len(" ".join([*line, word])) <= 78:
            line.append(word)
        else:
            lines.append(lead + " ".join(line))
            line = [word]
    lines.append(((rest if lines else first) + " ".join(line)).rstrip())
    assert wrap("\t ".join(words), first, rest) == "\n".join(lines)
