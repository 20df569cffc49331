"""Every screen of the workbench as people meet it: axe-core, light and dark, from a phone's width to a desk's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests import databases
from tests.browser.workbench import Seat, Workbench, at_work, faults, seat
from tests.browser.workbench_life import MORE, fill, live_through
from tests.web.colleagues import OLA, VERA
from tests.web.team.addresses import Samples, screens
from tests.world import antopsis

pytestmark = pytest.mark.browser

HERE = "/team/antopsis/"


@pytest.fixture(scope="module")
def busy(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workbench, Samples]]:
    """A publisher in the middle of its life, with one of everything."""
    folder = tmp_path_factory.mktemp("busy")
    url = databases.copied_sqlite_url(folder, sqlite_template)
    with at_work(url, folder, before=lambda base: live_through(url, folder, base)) as workbench:
        yield workbench, fill(workbench.team)


@pytest.fixture(scope="module")
def owner(chromium: Browser, busy: tuple[Workbench, Samples]) -> Iterator[Seat]:
    """Ola, who sees most."""
    with seat(chromium, busy[0], OLA) as taken:
        yield taken


def test_x(owner: Seat, busy: tuple[Workbench, Samples]) -> None:
    import time
    workbench, samples = busy
    paths = {screen.endpoint: screen.path for screen in screens(workbench.site.app, samples) if "GET" in screen.methods}
    paths |= {each: HERE + each for each in MORE}
    for name, path in paths.items():
        t = time.time()
        try:
            answer = owner.page.goto(path)
        except Exception as e:
            print("!!", name, path, str(e)[:100]); continue
        t1 = time.time()
        found = faults(owner.page)
        print(f"{name} {path} {answer.status} {owner.page.evaluate('document.body.className')!r} load {t1-t:.2f} judge {time.time()-t1:.2f} {owner.page.url}")
        owner.page.emulate_media(color_scheme="light")
        import re
        fn = re.sub(r"\W+", "-", name)
        for w in (320, 768, 1440):
            owner.page.set_viewport_size({"width": w, "height": 900})
            owner.page.screenshot(path=f"/tmp/shots/scr-{fn}-{w}.png", full_page=True)
        for f in found: print("     ", f[:300])
        for f in owner.overheard(): print("   console", f)
