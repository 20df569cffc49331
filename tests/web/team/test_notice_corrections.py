"""A notice corrected by its screens: proposed by one, approved by another, and clocks that begin anew."""

from __future__ import annotations

from registry.steps.record import Actor
from registry.tables import Statement
from tests.steps.path_cast import HETZNER, edit, object_to, statements
from tests.web.colleagues import ARNO, EDDA, OLA, Team
from tests.web.site import quick_tick, words_of
from tests.web.team.notice_cast import BY_EDDA, NOTICES, correction_read, do, published, require_approvals, said
from tests.world import utc

ESPOO = HETZNER | {"locations": [*HETZNER["locations"], {"country": "FI", "place": "Espoo", "function": "storage"}]}


def test_a_correction_is_proposed_approved_by_another_and_restarts_clocks(team: Team) -> None:
    world = team.site.world
    number = published(team)
    quick_tick(world)
    require_approvals(team)
    edda, arno, ola = team.sign_in(EDDA), team.sign_in(ARNO), team.sign_in(OLA)
    assert "No edit waits" in edda.get(f"{NOTICES}/{number}/correct").text
    world.at = utc("2026-10-02 08:00")
    edit(world, ESPOO, actor=BY_EDDA)
    page = words_of(edda.get(f"{NOTICES}/{number}/correct").text)
    assert "every clock starts again" in page
    assert "18 November 2026" in page
    words = {"reason": "It is Espoo.", "summary": ""}
    edda.post(f"{NOTICES}/{number}/correct", words)
    proposed = correction_read(arno, number)
    assert ola.post(f"{NOTICES}/{number}/correct/send", proposed).status_code == 409
    assert edda.post(f"{NOTICES}/{number}/correct/approve", proposed).status_code == 403
    other = proposed | {"proposed_reason": "It is Turku."}
    assert arno.post(f"{NOTICES}/{number}/correct/approve", other).status_code == 400
    assert arno.post(f"{NOTICES}/{number}/correct/approve", proposed).status_code == 303
    assert "is corrected. Told of it: 2" in said(ola, ola.post(f"{NOTICES}/{number}/correct/send", proposed))
    assert [kind for kind, _ in statements(world, number)] == ["announcement", "correction"]
    assert world.notice(number).effective_on.isoformat() == "2026-11-18"  # type: ignore[union-attr]  # there is one, or the test fails
    with world.reading() as session:
        last = session.query(Statement).order_by(Statement.id.desc()).first()
        assert last is not None
        assert (last.restarts_clocks, last.reason) == (True, "It is Espoo.")


def correct_to_espoo(team: Team) -> str:
    """Announce a notice, and have Edda propose what corrects it; return its number."""
    world = team.site.world
    number = published(team)
    quick_tick(world)
    world.at = utc("2026-10-02 08:00")
    edit(world, ESPOO, actor=BY_EDDA)
    team.sign_in(EDDA).post(f"{NOTICES}/{number}/correct", {"reason": "It is Espoo.", "summary": ""})
    return number


def test_whoever_proposed_words_for_a_correction_does_not_approve_it(team: Team) -> None:
    number = correct_to_espoo(team)
    require_approvals(team)
    arno, ola = team.sign_in(ARNO), team.sign_in(OLA)
    arno.post(f"{NOTICES}/{number}/correct", {"reason": "It was Espoo all along.", "summary": ""})
    read = correction_read(ola, number)
    assert "Approve these words" not in arno.get(f"{NOTICES}/{number}/correct").text
    assert "own work" in words_of(arno.post(f"{NOTICES}/{number}/correct/approve", read).text)
    # Nor once somebody else has taken their words over with a word of their own.
    team.sign_in(EDDA).post(f"{NOTICES}/{number}/correct", {"reason": "It was Espoo all along!", "summary": ""})
    read = correction_read(ola, number)
    assert arno.post(f"{NOTICES}/{number}/correct/approve", read).status_code == 409
    assert ola.post(f"{NOTICES}/{number}/correct/send", read).status_code == 409
    assert ola.post(f"{NOTICES}/{number}/correct/approve", read).status_code == 303
    assert ola.post(f"{NOTICES}/{number}/correct/send", read).status_code == 303


def test_a_correction_is_approved_and_sent_with_the_edits_that_were_read(team: Team) -> None:
    number = correct_to_espoo(team)
    require_approvals(team)
    arno = team.sign_in(ARNO)
    read = correction_read(arno, number)
    edit(team.site.world, ESPOO | {"retention": "for ever"}, actor=BY_EDDA)
    refused = arno.post(f"{NOTICES}/{number}/correct/approve", read)
    assert refused.status_code == 400
    assert "edited an entry, since you read this" in words_of(refused.text)
    assert arno.post(f"{NOTICES}/{number}/correct/send", read).status_code == 400
    assert arno.post(f"{NOTICES}/{number}/correct/approve", correction_read(arno, number)).status_code == 303


def test_whoever_wrote_what_a_colleague_touched_up_does_not_approve_the_correction(team: Team) -> None:
    number = correct_to_espoo(team)
    require_approvals(team)
    by_arno = Actor(ARNO.email, "web")
    edit(team.site.world, ESPOO | {"retention": "30 days"}, actor=by_arno)
    edit(team.site.world, ESPOO | {"retention": "30 days."}, actor=BY_EDDA)
    arno = team.sign_in(ARNO)
    read = correction_read(team.sign_in(OLA), number)
    assert arno.post(f"{NOTICES}/{number}/correct/approve", read).status_code == 409


def test_a_hold_that_was_set_aside_takes_two_people_again_once_a_correction_lets_clocks_begin_anew(team: Team) -> None:
    number = correct_to_espoo(team)
    arno, ola = team.sign_in(ARNO), team.sign_in(OLA)
    path = f"{NOTICES}/{number}/override/bremen"
    object_to(team.site.world, number, "bremen")
    do(arno, number, "override/bremen", reason="Settled.")
    agree = {"act": "agree", "proposed_reason": "Settled."}
    assert "is set aside" in said(ola, ola.post(path, agree))
    team.site.world.at = utc("2026-10-02 09:00")
    sent = ola.post(f"{NOTICES}/{number}/correct/send", correction_read(ola, number))
    assert "is corrected" in said(ola, sent)
    # What both had agreed to was about what was told until then.
    assert ola.post(path, agree).status_code == 400
    assert "until a second person agrees" in said(arno, do(arno, number, "override/bremen", reason="Settled."))
    assert "is set aside" in said(ola, ola.post(path, agree))
