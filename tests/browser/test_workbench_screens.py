"""Every screen of the workbench as people meet it: axe-core, light and dark, from a phone's width to a desk's.

The suite judges one of each kind in the light, and in the dark as many as show each class of the stylesheets at least
once; `make screens` judges everything in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import expect

from registry.web.team.access import RULES
from tests import databases
from tests.browser.conftest import Contexts
from tests.browser.workbench import Seat, Workbench, at_work, faults, seat
from tests.browser.workbench_life import MORE, UNBROKEN, fill, live_through
from tests.web.colleagues import OLA, VERA, ZOE
from tests.web.site import streams_file
from tests.web.team.addresses import Samples, screens

pytestmark = pytest.mark.browser

HERE = "/team/antopsis/"
PIECES = {
    *("deliveries_progress", "notice_preview_customers"),  # pieces of a screen, which htmx asks for
    *("delivery_letter", "outbox_frame", "notice_preview_letter", "notice_preview_page"),  # what frames show
    *("document", "import_template"),  # downloads
}
"""What is asked for by GET and is no screen."""
AREAS = (
    *("account", "compare", "customers", "deliveries", "entries", "followers", "notices", "objections", "outbox"),
    *("people", "record", "settings", "suppressions", "today"),
)
"""The parts of the workbench, by the first word of their addresses."""
NO_SCREEN = ("no-such-screen",)
IN_THE_DARK = (
    *("", "customers/", "customers/import", "deliveries/1", "entries/", "entries/?q=nothing+of+the+kind"),
    *("entries/clerk/edit", "entries/clerk/translations", "entries/openai", "entries/stripe/remove", "notices/"),
    *("notices/2026-001/deliveries", "notices/2026-002", "notices/2026-002/customers/bremen", "notices/new"),
    *("notices/2026-002/preview", "notices/2026-002/submit", "notices/2026-003/send-back", "objections/"),
    *("objections/1", "people/", "people/4", "record/", "settings/", "/team/account/passkeys/1/remove"),
)
"""Screens that are judged in the dark as well whenever tests run: among them is all that screens are made of."""
TAUGHT = ("", "entries/", "customers/", "notices/", "objections/", "settings/")
"""Screens of a publisher who just begins that are judged whenever tests run."""
WRONG = (
    *("entries/new", "entries/openai/edit", "customers/new", "customers/bremen/edit", "customers/bremen/contract"),
    *("notices/2026-003/edit", "notices/2026-002/withdraw", "notices/2026-002/postpone", "notices/2026-002/correct"),
    *("objections/new", "objections/1/close", "settings/publisher", "settings/terms", "settings/approvals"),
    *("settings/brand", "settings/retention", "settings/products", "people/invite", "suppressions/add"),
    *("followers/erase", "customers/import"),
)
"""Screens whose form is sent with nonsense."""
SENT_WRONG = """nonsense => {
    const forms = [...document.querySelectorAll("main form[method=post]")];
    const form = forms.sort((a, b) => b.elements.length - a.elements.length)[0];
    for (const each of form.elements) {
        if (each.type === "checkbox") each.checked = false;
        if (["date", "time"].includes(each.type)) each.value = "";
        if (each.type === "number") each.value = "-1";
        if (["text", "textarea", "email", "url"].includes(each.type)) each.value = nonsense;
    }
    form.noValidate = true;
    form.requestSubmit([...form.querySelectorAll(".actions button, button")].filter(each =>
        each.type === "submit" && !each.dataset.row && !each.hasAttribute("data-day")
        && !each.closest(".unseen, .calendar, .pick, aside")
        && !each.matches(".unseen, .plain"))[0]);
}"""


@pytest.fixture(scope="module")
def busy(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workbench, Samples]]:
    """A publisher in the middle of its life, with one of everything."""
    folder = tmp_path_factory.mktemp("busy")
    url = databases.copied_sqlite_url(folder, sqlite_template)
    with at_work(url, folder, before=lambda base: live_through(url, folder, base)) as workbench:
        yield workbench, fill(workbench.team)


@pytest.fixture(scope="module")
def owner(contexts: Contexts, busy: tuple[Workbench, Samples]) -> Iterator[Seat]:
    """Ola, who sees most."""
    with seat(contexts, busy[0], OLA) as taken:
        yield taken


def addresses(busy: tuple[Workbench, Samples], more: Sequence[str] = ()) -> dict[str, list[str]]:
    """Return an address of each kind of screen, and those of `more`, by area."""
    workbench, samples = busy
    found = [
        each.path
        for each in screens(workbench.site.app, samples)
        if "GET" in each.methods and each.endpoint not in PIECES
    ]
    by_area: dict[str, list[str]] = {}
    for path in dict.fromkeys([*found, *(urljoin(HERE, path) for path in more)]):
        area = path.removeprefix(HERE).removeprefix("/team/").partition("/")[0].partition("?")[0] or "today"
        by_area.setdefault(area, []).append(path)
    return by_area


def of_each_kind(busy: tuple[Workbench, Samples]) -> dict[str, list[str]]:
    """Return the addresses that are judged whenever tests run, by area."""
    return addresses(busy, (*IN_THE_DARK, *NO_SCREEN))


def judge(taken: Seat, path: str, *, in_the_dark: bool = True) -> list[str]:
    """Open a screen and return what is wrong with it, and what the console said meanwhile."""
    answer = taken.page.goto(path)
    assert answer is not None
    assert answer.status in {200, 404}, path
    assert taken.page.evaluate("() => document.querySelectorAll('body.team h1').length") == 1
    return faults(taken.page, in_the_dark=in_the_dark) + taken.overheard()


def listed(found: dict[str, list[str]]) -> str:
    """Return what is wrong, screen by screen, to be read in full where an assertion fails."""
    return "\n".join(f"{path}: {wrong}" for path, all_wrong in found.items() for wrong in all_wrong)


def test_every_screen_belongs_to_an_area_that_is_judged(busy: tuple[Workbench, Samples]) -> None:
    assert set(addresses(busy)) == set(AREAS)
    assert set(of_each_kind(busy)) == set(addresses(busy, MORE)) == {*AREAS, *NO_SCREEN}


@pytest.mark.parametrize("area", [*AREAS, *NO_SCREEN])
def test_a_screen_of_each_kind_is_accessible_and_fits(area: str, owner: Seat, busy: tuple[Workbench, Samples]) -> None:
    dark = {urljoin(HERE, path) for path in IN_THE_DARK}
    found = {path: judge(owner, path, in_the_dark=path in dark) for path in of_each_kind(busy)[area]}
    assert listed(found) == ""


@pytest.mark.exhaustive
def test_what_is_judged_in_the_dark_whenever_tests_run_shows_every_class(busy: tuple[Workbench, Samples]) -> None:
    ola = busy[0].team.sign_in(OLA)

    def classes(paths: Iterable[str]) -> set[str]:
        html = [ola.get(path, follow_redirects=True).get_data(as_text=True) for path in paths]
        return {name for names in re.findall(r'<\w[^>]*\sclass="([^"]*)"', "".join(html)) for name in names.split()}

    every = [path for paths in addresses(busy, MORE).values() for path in paths]
    assert classes(every) - classes(urljoin(HERE, path) for path in IN_THE_DARK) == set()


@pytest.mark.exhaustive
@pytest.mark.parametrize("area", [*AREAS, *NO_SCREEN])
def test_every_screen_is_accessible_and_fits(area: str, owner: Seat, busy: tuple[Workbench, Samples]) -> None:
    found = {path: judge(owner, path) for path in addresses(busy, MORE)[area]}
    assert listed(found) == ""


@pytest.mark.parametrize("in_the_dark", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("path", WRONG)
def test_a_form_that_was_refused_is_accessible_and_fits_and_has_the_focus_on_what_is_wrong(
    path: str, in_the_dark: bool, owner: Seat
) -> None:
    owner.page.goto(HERE + path)
    with owner.page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        # Any word is a reason to withdraw, but none is not.
        owner.page.evaluate(SENT_WRONG, "" if path.endswith("/withdraw") else UNBROKEN)
    # 409 where it is the state of things that refuses, such as a notice that was read in another state.
    assert answered.value.status in {400, 409}
    owner.page.wait_for_load_state()
    expect(owner.page.locator(".problems")).to_be_focused()
    assert listed({path: faults(owner.page, in_the_dark=in_the_dark)}) == ""


def test_what_a_stranger_sees_is_accessible_and_fits(contexts: Contexts, busy: tuple[Workbench, Samples]) -> None:
    with seat(contexts, busy[0], None) as taken:
        paths = ("login", "login?next=/team/antopsis/", "reset", "reset/nothing")
        found = {path: judge(taken, f"/team/account/{path}") for path in paths}
        assert listed(found) == ""


def test_what_somebody_may_not_do_is_said_accessibly(contexts: Contexts, busy: tuple[Workbench, Samples]) -> None:
    with seat(contexts, busy[0], VERA) as taken:
        answer = taken.page.goto(HERE + "people/invite")
        assert answer is not None
        assert answer.status == 403
        assert faults(taken.page) == []


@pytest.mark.parametrize("all_of_it", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
def test_a_publisher_who_just_begins_is_taught_accessibly(
    contexts: Contexts, sqlite_template: Path, tmp_path: Path, all_of_it: bool
) -> None:
    url = databases.copied_sqlite_url(tmp_path, sqlite_template)
    with at_work(url, tmp_path, streams_file()) as workbench, seat(contexts, workbench, ZOE) as taken:
        paths = []
        for route in workbench.site.app.url_map.iter_rules():
            name = route.endpoint.removeprefix("team.")
            is_got = route.arguments == {"slug"} and "GET" in (route.methods or ())
            if route.endpoint in RULES and is_got and name not in PIECES:
                paths.append(route.rule.replace("<slug>", "streams"))
        assert len(paths) > 20
        taught = [f"/team/streams/{path}" for path in TAUGHT]
        assert set(taught) < set(paths)
        found = {path: judge(taken, path) for path in (paths if all_of_it else taught)}
        assert listed(found) == ""
