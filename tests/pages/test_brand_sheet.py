"""A publisher's colour as a stylesheet: readable wherever it stands, whatever colour it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.colours import contrast
from registry.pages.brand_sheet import build_brand_sheet
from tests.pages.reading import ROOT


def schemes_of(sheet: str) -> list[dict[str, str]]:
    """Return the colours of each scheme of a sheet: light, then dark."""
    blocks = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[:2]
    return [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in blocks]


OWN = schemes_of((ROOT / "registry/web/static/registry.css").read_text("utf-8"))


@given(st.integers(0, 0xFFFFFF))
def test_any_colour_can_be_read_on_every_ground_of_light_and_of_dark_pages(number: int) -> None:
    for own, brand in zip(OWN, schemes_of(build_brand_sheet(f"#{number:06x}").decode()), strict=True):
        for ground in (own["paper"], own["raised"], brand["tint"]):
            assert contrast(brand["accent"], ground) >= 4.5
        for text in ("ink", "soft"):
            assert contrast(own[text], brand["tint"]) >= 4.5
        assert contrast(brand["accent-ink"], brand["accent"]) >= 4.5


@pytest.mark.parametrize("colour", ["#b23a2e", "#0d5c50"])
def test_a_colour_that_stands_out_is_left_as_it_is(colour: str) -> None:
    assert schemes_of(build_brand_sheet(colour).decode())[0]["accent"] == colour


def test_on_paper_there_is_no_colour() -> None:
    assert "@media print { :root { --accent: #000; --accent-ink: #fff; --tint: #fff; } }" in (
        build_brand_sheet("#b23a2e").decode()
    )
