"""In the dark nothing but colours differs, which is why axe-core asks about colours alone there."""

from __future__ import annotations

import re

from registry.pages.brand_sheet import build_brand_sheet
from tests.test_architecture import ROOT

STATIC = ROOT / "registry" / "web" / "static"
DARK = re.compile(r"@media[^{]*prefers-color-scheme[^{]*\{((?:[^{}]|\{[^{}]*\})*)\}")
COLOURS_OF_THE_ROOT = re.compile(r"\s*:root \{(\s*--[a-z-]+: #[0-9a-f]{3,8};)+\s*\}\s*")


def test_in_the_dark_sheets_say_nothing_but_colours_of_their_own() -> None:
    sheets = {path.name: path.read_text("utf-8") for path in STATIC.glob("*.css")}
    sheets["brand.css"] = build_brand_sheet("#2b7a3f").decode()
    said = {name: DARK.findall(re.sub(r"(?s)/\*.*?\*/", "", sheet)) for name, sheet in sheets.items()}
    assert {name for name, each in said.items() if each} == {"registry.css", "pictures.css", "team.css", "brand.css"}
    others = [(name, part) for name, each in said.items() for part in each if not COLOURS_OF_THE_ROOT.fullmatch(part)]
    assert others == []
    # Each was found, however it is written.
    assert sum(map(len, said.values())) == sum(sheet.count("prefers-color-scheme") for sheet in sheets.values())
    # And no script asks.
    assert [path.name for path in STATIC.glob("*.js") if "color-scheme" in path.read_text("utf-8")] == []
