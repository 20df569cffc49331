"""Every public page as people meet it: axe-core, light and dark, a phone's width and a desk's, and what it weighs.

The suite judges each kind of page in the light at a desk and in the dark on a phone; `make screens` judges every page,
in all states that are known here, in both ways at both.
"""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Response

from tests.browser.axe import COLOURS, light_and_dark, violations
from tests.browser.conftest import DESKTOP, Contexts, Served
from tests.browser.workbench import faults
from tests.web.public_life import ANNOUNCED, HELD, HOLDER, PAST_DAY, SLUG, SMALL, UNBROKEN
from tests.web.site import Site, path_of
from tests.web.test_letter_links import sign
from tests.world import link_in

pytestmark = pytest.mark.browser

HERE = f"/{SLUG}"
FRED, OLGA = "fred@reader.example", "olga@watcher.example"
NO_PAGES = {
    *("lists.json", "lists.csv", "lists.rss", "lists.atom", "lists.json_feed", "lists.calendar"),
    *("lists.show_brand", "lists.show_logo", "lists.show_schema", "lists.show_feed_schema"),
    *(
        "lists.show_webhook_schema",
        "lists.find_notices",
        "compare.show_compare_file",
        "managing.export",
        "root.find_list",
    ),
    *("discovery.show_part_of_sitemap", "discovery.show_robots", "discovery.show_sitemap"),
    *("discovery.show_well_known", "root.show_no_icon", "static"),
    *("health.show_health", "health.show_metrics", "health.show_readiness"),
}
"""What is asked for by GET and is no page: files, feeds, schemas, what leads elsewhere, and what machines ask for."""
MORE = (
    *("", f"?as_of={PAST_DAY}", "?region=DE&role=subprocessor&q=%3Cscript%3E", "?lang=de", "?lang=zh"),
    *("entries/hetzner", "entries/odd-new", "entries/odd-5", "entries/wasabi", f"entries/{'a' * 80}"),
    *(f"notices/{HELD}", "notices/2026-003", "notices/2026-005", "subscribe?product=api&region=DE"),
    *(f"compare?from={PAST_DAY}&to=2026-12-01", "embed?role=affiliate"),
)
"""Addresses besides one of each page: other states of it."""
STATES = (
    *(f"{HERE}/?as_of={PAST_DAY}", f"{HERE}/?region=DE&role=subprocessor&q=%3Cscript%3E"),
    *(f"{HERE}/notices/2026-003", f"{HERE}/notices/{HELD}", f"/{SMALL}/"),
)
"""Those that are looked at whenever tests run, since they show what the first pages of each kind do not."""
REFUSED = (
    *(
        "/nobody/",
        f"{HERE}/entries/nothing",
        f"{HERE}/notices/2020-001",
        f"{HERE}/?region=Germny&purpose={UNBROKEN * 3}",
    ),
    *(f"{HERE}/?as_of=2926-01-01", f"{HERE}/compare?from=x", f"{HERE}/?lang=tlh", f"{HERE}/manage/{UNBROKEN}", "/no"),
)
TOUCH = ("target-size",)
"""The rule of WCAG 2.2 that axe-core leaves to whoever asks for it: what is touched has 24 pixels."""
HEAVIEST = 60 * 1024
"""Bytes of a first visit."""


@pytest.fixture(scope="module")
def served(northlight: Served) -> Served:
    """The publisher with much to show."""
    return northlight


@pytest.fixture(scope="module")
def pages(served: Served) -> dict[str, list[str]]:
    """Addresses of every page there is, by the name of its view."""
    site = served.site
    return _pages_of(site, _tokens(site))


def _tokens(site: Site) -> dict[str, list[str]]:
    site.follow(FRED, SLUG)
    site.subscribe(OLGA, SLUG)
    letter = site.letters_to(HOLDER)[-1]
    return {
        "confirm": [path_of(link_in(site.letters_to(OLGA)[-1], "confirm")).rpartition("/")[2]],
        "manage": [sign(site, "manage", FRED), sign(site, "manage", HOLDER)],
        "unsubscribe": [sign(site, "unsubscribe", FRED), sign(site, "unsubscribe", HOLDER)],
        "object": [path_of(link_in(letter, "object")).rpartition("/")[2]],
        "acknowledge": [path_of(link_in(letter, "acknowledge")).rpartition("/")[2]],
    }


def _pages_of(site: Site, tokens: dict[str, list[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"more": [f"{HERE}/{path}" for path in MORE] + [f"/{SMALL}/", f"/{SMALL}/embed"]}
    for rule in site.app.url_map.iter_rules():
        name, _, view = rule.endpoint.partition(".")
        # Below a publisher's own host the views are the same.
        if name in {"team", "security"} or name.startswith("own_host_") or "GET" not in (rule.methods or ()):
            continue
        word = rule.rule.partition("/<token>")[0].rpartition("/")[2]
        for token in tokens.get(word, [""]) if "token" in rule.arguments else [""]:
            values = {"slug": SLUG, "key": "cloudflare", "number": ANNOUNCED, "part": 1, "token": token}
            values |= {"filename": "registry.css", **(rule.defaults or {})}
            built = rule.build({each: values[each] for each in rule.arguments}, append_unknown=False)
            assert built is not None
            found.setdefault(f"{name}.{view}" if view else name, []).append(built[1])
    found["root.show_list"] = ["/"]
    return found


def listed(found: dict[str, list[str]]) -> str:
    """Return what is wrong, page by page, to be read in full where an assertion fails."""
    return "\n".join(f"{path}: {wrong}" for path, all_wrong in found.items() for wrong in all_wrong)


def judge(page: Page, path: str, statuses: frozenset[int] = frozenset({200}), *, in_every_way: bool) -> list[str]:
    """Open a page and return what is wrong with it: at three widths, and as cards on a phone too."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status in statuses, path
    assert page.evaluate("() => document.querySelectorAll('h1').length") == 1
    page.evaluate("() => { for (const each of document.querySelectorAll('details')) each.open = true }")
    found = faults(page, in_the_dark=in_every_way)
    page.set_viewport_size({"width": 320, "height": 640})
    if in_every_way:
        return found + [f"320 px, {each}" for each in light_and_dark(page, also=TOUCH)]
    page.emulate_media(color_scheme="dark")
    found += [f"320 px, dark: {each}" for each in violations(page, (*COLOURS, *TOUCH))]
    page.emulate_media(color_scheme="light")
    return found


def test_whatever_is_no_page_is_known(served: Served, pages: dict[str, list[str]]) -> None:
    answers = {view: [served.site.get(path) for path in paths] for view, paths in pages.items()}
    no_pages = {
        view for view, each in answers.items() if {(a.status_code, a.mimetype) for a in each} != {(200, "text/html")}
    }
    assert no_pages == NO_PAGES


def test_a_page_of_each_kind_is_accessible_and_fits(page: Page, pages: dict[str, list[str]]) -> None:
    kinds = {view: each for view, each in pages.items() if view not in NO_PAGES and view != "more"}
    assert len(kinds) > 10
    assert set(STATES) < set(pages["more"])
    paths = [*(path for each in kinds.values() for path in each), *STATES]
    found = {path: judge(page, path, in_every_way=False) for path in paths}
    assert listed(found) == ""


@pytest.mark.exhaustive
def test_every_page_is_accessible_and_fits(page: Page, pages: dict[str, list[str]]) -> None:
    paths = {path for view, each in pages.items() if view not in NO_PAGES for path in each}
    assert len(paths) > 30
    found = {path: judge(page, path, in_every_way=True) for path in sorted(paths)}
    assert listed(found) == ""


@pytest.mark.parametrize("in_every_way", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
def test_every_refusal_is_accessible_and_fits(contexts: Contexts, served: Served, in_every_way: bool) -> None:
    with contexts.page(served.base) as page:
        found = {path: judge(page, path, frozenset({400, 404, 410}), in_every_way=in_every_way) for path in REFUSED}
    assert listed(found) == ""


def test_a_first_visit_weighs_little(chromium: Browser, served: Served) -> None:
    context = chromium.new_context(viewport=DESKTOP, base_url=served.base)
    page = context.new_page()
    asked: list[Response] = []
    page.on("response", lambda answer: asked.append(answer))
    page.goto(f"{HERE}/")
    page.wait_for_load_state("networkidle")
    # Chromium takes Brotli from where it is at home, which this address is; others take gzip.
    by_brotli = {urlsplit(each.url).path: each.request.sizes()["responseBodySize"] for each in asked}
    by_gzip = {}
    for each in asked:
        parts = urlsplit(each.url)
        answer = served.site.get(f"{parts.path}?{parts.query}", headers={"Accept-Encoding": "gzip, deflate"})
        by_gzip[parts.path] = len(answer.data)
    entries = page.locator("table.list tbody").count()
    context.close()
    for name, weights in (("gzip", by_gzip), ("br", by_brotli)):
        parts_of_it = ", ".join(f"{path.rpartition('/')[2] or 'page'} {weight}" for path, weight in weights.items())
        sys.stdout.write(f"\nA first visit of {entries} entries, {name}: {sum(weights.values())} bytes ({parts_of_it})")
        assert len(weights) >= 4
        assert sum(weights.values()) <= HEAVIEST
