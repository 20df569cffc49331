"""Accessibility, judged by axe-core in the page itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
"""axe-core 4, as it is published, with its checksum beside it."""


COLOURS = ("color-contrast", "link-in-text-block")
"""The rules whose outcome depends on the colours."""


def violations(page: Page, rules: Sequence[str] = (), also: Sequence[str] = ()) -> list[str]:
    """Return what axe-core finds wrong with the page as it is now: the rule, and where.

    `rules` are the only ones asked, where there are any; `also` are asked besides those that axe-core asks by itself.
    """
    # Evaluated, and not added as a script: the page's own policy takes no foreign ones.
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    # Into frames axe-core is not put: it would ask them, wait for answers that never come, and find nothing.
    options: dict[str, object] = {
        "reporter": "no-passes",
        "iframes": False,
        "rules": {each: {"enabled": True} for each in also},
    }
    if rules:
        options["runOnly"] = list(rules)
    result = page.evaluate("async options => await axe.run(options)", options)
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: {[node['target'] for node in each['nodes']]}"
        for each in result["violations"]
    ]


def light_and_dark(page: Page, also: Sequence[str] = ()) -> list[str]:
    """Return what axe-core finds wrong with the page in the light, and with its colours in the dark.

    In the dark nothing else differs: `test_dark_sheets` sees to that. The page is light again afterwards.
    """
    page.emulate_media(color_scheme="light")
    found = [f"light: {each}" for each in violations(page, also=also)]
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {each}" for each in violations(page, COLOURS)]
    page.emulate_media(color_scheme="light")
    return found
