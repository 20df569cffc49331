"""A publisher's colour stays readable, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.colours import DARK_PAPER, ENOUGH, LIGHT_PAPER, adapt, contrast

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#777777", 1.0),
        ("#767676", "#ffffff", 4.54),
        ("#0d5c50", "#fdfdfb", 7.7),
    ],
)
def test_contrast_is_the_ratio_that_the_guidelines_define(first: str, second: str, ratio: float) -> None:
    assert contrast(first, second) == pytest.approx(ratio, abs=0.1)
    assert contrast(second, first) == contrast(first, second)


@given(colour=COLOURS, paper=st.sampled_from([LIGHT_PAPER, DARK_PAPER]))
def test_any_colour_can_be_read_on_either_paper_and_so_can_the_words_on_it(colour: str, paper: str) -> None:
    brand = adapt(colour, paper)
    assert contrast(brand.accent, paper) >= ENOUGH
    assert contrast(brand.accent, brand.on_accent) >= ENOUGH


def test_a_colour_that_stands_out_stays_as_it_is() -> None:
    assert adapt("#0d5c50", LIGHT_PAPER).accent == "#0d5c50"
    assert not adapt("#0d5c50", LIGHT_PAPER).is_adapted
    assert adapt("#0d5c50", DARK_PAPER).is_adapted
