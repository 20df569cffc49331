"""A page as a reader, or a reader's program, finds it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from lxml import html

from registry.pages.render import PageRenderer
from registry.pages.selection import ListQuery
from registry.pages.values import PublicList
from tests.pages.factories import ADDRESSES

ROOT = Path(__file__).resolve().parents[2]
STYLESHEET_URL = "/static/registry.css?v=1"


@cache
def renderer() -> PageRenderer:
    """Return the renderer of the product's own templates."""
    return PageRenderer(ROOT / "templates", STYLESHEET_URL)


class Page:
    """A parsed page; everything it returns is text with single spaces."""

    def __init__(self, page: bytes) -> None:
        self.root = html.document_fromstring(page, parser=html.HTMLParser(encoding="utf-8"))

    def texts(self, selector: str) -> list[str]:
        """Return the text of every element the CSS-like XPath `selector` finds."""
        return [_text(element) for element in self.root.xpath(selector)]

    def text(self, selector: str = "//body") -> str:
        """Return the text of the one element found."""
        found = self.texts(selector)
        assert len(found) == 1, f"{selector}: {len(found)} found"
        return found[0]

    def attributes(self, selector: str, name: str) -> list[str]:
        """Return an attribute of every element found."""
        return [element.get(name) for element in self.root.xpath(selector)]

    def facts(self, selector: str) -> dict[str, str]:
        """Return the labels and values of the description lists below an element."""
        rows = self.root.xpath(f"{selector}//dl/div")
        return {_text(row.find("dt")): _text(row.find("dd")) for row in rows}

    def rows(self, selector: str, rows: str = "tbody/tr") -> list[list[str]]:
        """Return the cells of every row in the bodies of the tables found, or of those rows alone."""
        return [[_text(cell) for cell in row] for row in self.root.xpath(f"{selector}/{rows}")]

    def entry(self, key: str) -> list[str]:
        """Return the cells of an entry on the list: who, purpose, data, places, transfer ground."""
        return self.rows(f"//table[tbody[@id='entry-{key}']]", f"tbody[@id='entry-{key}']/tr[1]")[0]

    def further(self, key: str) -> str:
        """Return what stands below an entry's cells."""
        return self.text(f"//tbody[@id='entry-{key}']/tr[@class='further']")


def page_of(public: PublicList, query: ListQuery | None = None) -> Page:
    """Return a list as everybody finds it, searched or filtered or not."""
    return Page(renderer().list_page(public, ADDRESSES, query))


def _text(element: Any) -> str:
    return " ".join(element.text_content().split())
