"""The workbench while the terms of one customer cannot be read: every screen answers, and says what is so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unreadable_terms import DAMAGED, NEWER, spoil_frozen_terms, spoil_terms
from tests.web.colleagues import OLA, Team
from tests.web.site import words_of
from tests.web.team.addresses import screens
from tests.web.team.samples import make_samples

NO_SCREENS = {"remove_account_passkey", "places"}
MORE = (
    "notices/2026-001/customers?state=waiting",
    "customers/?terms=own&authorisation=specific",
)
ASK_FOR_ALL_TERMS = {
    *("notices/2026-001/correct", "notices/2026-001/correct/send", "notices/2026-001/postpone"),
    *("notices/2026-001/withdraw", "notices/2026-002/edit", "notices/2026-002/audience"),
    "entries/clerk/translations",
}
"""What tells how long each customer is told ahead, and refuses to leave one out."""


@pytest.mark.parametrize("document", [DAMAGED, NEWER, []])
def test_every_screen_answers_while_frozen_terms_of_a_customer_cannot_be_read(team: Team, document: Any) -> None:
    samples = make_samples(team)
    spoil_frozen_terms(team.site.world.wiring.engine, "bremen", document)
    assert walk(team, samples) == {}
    ola = team.sign_in(OLA)
    page = words_of(ola.get("/team/antopsis/notices/2026-001").text)
    assert "would hold it on its day as things stand" in page
    assert "its terms cannot be read, so nothing can be decided for it: set them anew" in page
    page = words_of(ola.get("/team/antopsis/notices/2026-001/customers/bremen").text)
    assert "registry notice add-customer 2026-001 --publisher antopsis --customer bremen" in page
    previewed = ola.get("/team/antopsis/notices/2026-001/preview?customer=bremen")
    assert previewed.status_code == 400
    assert "The terms of bremen that notice 2026-001 froze cannot be read" in words_of(previewed.text)
    assert ola.post("/team/antopsis/notices/2026-001/deliveries/files/customers").status_code == 200
    served = {"served_on": "2026-09-30", "served_at": "12:00", "way": "post", "reference": "RR 1 DE"}
    assert ola.post("/team/antopsis/notices/2026-001/customers/bremen/served", served).status_code == 400


@pytest.mark.parametrize("document", [DAMAGED, NEWER, [], "x", 5])
def test_every_screen_answers_while_a_customers_own_terms_cannot_be_read(team: Team, document: Any) -> None:
    samples = make_samples(team)
    spoil_terms(team.site.world.wiring.engine, "bremen", document)
    refused = walk(team, samples)
    assert refused == {f"/team/antopsis/{path}": 400 for path in ASK_FOR_ALL_TERMS}
    ola = team.sign_in(OLA)
    assert "The terms of bremen cannot be read" in ola.get("/team/antopsis/notices/2026-002/audience").text
    assert "cannot be read: set them anew" in words_of(ola.get("/team/antopsis/customers/").text)
    assert "The terms of Bremen Media GmbH cannot be read." in words_of(ola.get("/team/antopsis/customers/bremen").text)
    table = ola.post("/team/antopsis/customers/export", {"what": "customers"})
    assert table.status_code == 200
    assert "bremen;Bremen Media GmbH" in table.text
    given = {"pasted": "key;name;objection_days\nbremen;Bremen AG;45\n"}
    assert "Bremen AG" in ola.post("/team/antopsis/customers/import/preview", given).text


def walk(team: Team, samples: Any) -> dict[str, int]:
    """Ask for every screen as an owner, and return those that do not answer well."""
    ola = team.sign_in(OLA)
    paths = [
        screen.path
        for screen in screens(team.site.app, samples)
        if "GET" in screen.methods and screen.endpoint not in NO_SCREENS
    ]
    codes = {path: ola.get(path).status_code for path in [*paths, *(f"/team/antopsis/{each}" for each in MORE)]}
    return {path: code for path, code in codes.items() if code not in {200, 303}}
