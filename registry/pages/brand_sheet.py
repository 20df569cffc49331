"""A publisher's colour as a stylesheet, made readable on light and on dark pages."""

from __future__ import annotations

from typing import Final

from registry.domain.colours import DARK_PAPER, LIGHT_PAPER, adapt

_RAISED: Final = {LIGHT_PAPER: "#f4f5f1", DARK_PAPER: "#1d2220"}
"""What forms stand on, by the paper, as `registry.css` says."""
_TINTS: Final = {LIGHT_PAPER: 8, DARK_PAPER: 14}
"""How many hundredths of the colour are in what notices stand on, by the paper."""


def build_brand_sheet(colour: str) -> bytes:
    """Return the stylesheet for a colour, given as `#rrggbb`: links and buttons, and the ground of notices."""
    printed = ":root { --accent: #000; --accent-ink: #fff; --tint: #fff; }"
    sheet = (
        f"{_rule(colour, LIGHT_PAPER)}\n"
        f"@media (prefers-color-scheme: dark) {{ {_rule(colour, DARK_PAPER)} }}\n"
        f"@media print {{ {printed} }}\n"
    )
    return sheet.encode()


def _rule(colour: str, paper: str) -> str:
    tint = _mix(colour, paper, _TINTS[paper])
    accent = colour
    # A countdown is written in the colour on its tint, and a link in it stands on either of the others.
    for ground in (paper, _RAISED[paper], tint):
        accent = adapt(accent, ground).accent
    return f":root {{ --accent: {accent}; --accent-ink: {adapt(accent, paper).on_accent}; --tint: {tint}; }}"


def _mix(colour: str, paper: str, hundredths: int) -> str:
    pairs = ((int(colour[at : at + 2], 16), int(paper[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round((c * hundredths + p * (100 - hundredths)) / 100):02x}" for c, p in pairs)
