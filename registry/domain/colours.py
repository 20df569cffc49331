"""A publisher's colour, and what becomes of it where text must be readable on it and in it (WCAG 2.2, 1.4.3).

Nobody who reads a notice should need better eyes because of a brand: a colour that does not stand out enough from the
page is made darker, or on a dark page lighter, until it does.
"""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from registry.domain.text import Line

ENOUGH: Final = 4.5
"""The least contrast of text and what it stands on (WCAG 2.2, success criterion 1.4.3, level AA)."""
LIGHT_PAPER: Final = "#fdfdfb"
DARK_PAPER: Final = "#151918"
"""What the public pages stand on, as their stylesheet says."""
_STEP: Final = 0.01


def _colour(value: str) -> str:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", value):
        raise PydanticCustomError("not-a-colour", "not a colour", {})
    return value.lower()


Colour = Annotated[Line, AfterValidator(_colour), Field(json_schema_extra={"pattern": "^#[0-9A-Fa-f]{6}$"})]
"""A colour as `#rrggbb`, in sRGB."""


@dataclass(frozen=True)
class BrandColours:
    """A publisher's colour as pages use it: `accent` for links and buttons, `on_accent` for the words on a button.

    `is_adapted`: the colour itself did not stand out enough on this paper.
    """

    accent: str
    on_accent: str
    is_adapted: bool


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, from 1 for the same to 21 for black and white (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def adapt(colour: str, paper: str) -> BrandColours:
    """Return `colour` as it can be read on `paper`: made darker on a light one, lighter on a dark one, where it must.

    Its hue stays. The words on a button of it are black or white, whichever stands out more.
    """
    hue, lightness, saturation = colorsys.rgb_to_hls(*_parts(colour))
    step = -_STEP if _luminance(paper) > 0.5 else _STEP
    accent = colour
    while contrast(accent, paper) < ENOUGH:
        lightness = min(max(lightness + step, 0.0), 1.0)
        accent = _written(colorsys.hls_to_rgb(hue, lightness, saturation))
    on_accent = max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, accent))
    return BrandColours(accent, on_accent, accent != colour)


def _parts(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _written(parts: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)


def _luminance(colour: str) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
