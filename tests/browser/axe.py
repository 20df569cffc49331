"""Accessibility, judged by axe-core in the page itself."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
"""axe-core 4, as it is published, with its checksum beside it."""


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong with the page as it is now: the rule, and where."""
    # Evaluated, and not added as a script: the page's own policy takes no foreign ones.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result = page.evaluate("async () => await axe.run()")
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: {[node['target'] for node in each['nodes']]}"
        for each in result["violations"]
    ]
