"""An entry's page in the workbench: what it shows, and removing, dropping and approving on it."""

from __future__ import annotations

from registry.domain.entries import EntryInternals, read_entry
from registry.steps.lookup import find_entry, get_publisher
from registry.steps.record import Actor
from registry.steps.record_edit import record_edit, record_internals
from registry.tables import PendingEdit
from tests.web.colleagues import ARNO, EDDA, OLA, VERA, Colleague, Team
from tests.web.site import links_of, words_of
from tests.web.team.entry_cast import STRIPE, base_on, edit, names_on
from tests.web.team.entry_forms import HETZNER, LIST
from tests.world import ANNA, antopsis


def test_an_entry_shows_what_stands_and_its_private_facts_apart(light_team: Team) -> None:
    world = light_team.site.world
    with world.writing() as session:
        internals = EntryInternals.model_validate({"owner": "Edda", "note": "Renew <soon>"})
        publisher = get_publisher(session, "antopsis")
        record_internals(session, publisher, "hetzner-falkenstein", internals, now=world.at, actor=ANNA)
    page = light_team.sign_in(VERA).get(HETZNER).text
    words = words_of(page)
    assert "Falkenstein, Germany (processing)" in words
    assert "never published, exported or compared Owner Edda Note Renew &lt;soon&gt;" in words
    assert "The data stays in the legal area it comes from" in words


def test_an_entry_of_an_announced_notice_shows_now_and_then(light_team: Team) -> None:
    number = light_team.site.world.announce(antopsis(helsinki=True))
    words = words_of(light_team.sign_in(VERA).get(HETZNER).text)
    assert f"In notice {number} announced" in words
    assert "Takes effect on 16 November 2026" in words
    assert "Helsinki, Finland (processing)" in words


def test_a_former_key_leads_to_the_present_one(light_team: Team) -> None:
    world = light_team.site.world
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        record_edit(session, world.at, publisher, "stripe-payments", read_entry(STRIPE), ANNA, former_keys=("stripe",))
    edda = light_team.sign_in(EDDA)
    for path in ("", "/edit"):
        answer = edda.get(f"{LIST}stripe{path}")
        assert answer.headers["Location"].endswith(f"/entries/stripe-payments{path}")


def test_a_removal_says_what_it_means_and_waits_for_a_notice(team: Team) -> None:
    edda = team.sign_in(EDDA)
    page = edda.get(f"{HETZNER}/remove")
    assert "This is a removal: customers are told, and nobody's clock runs." in page.text.replace("&#39;", "'")
    answer = edda.post(f"{HETZNER}/remove", {"base": base_on(page.text)})
    assert answer.headers["Location"].endswith("/entries/hetzner-falkenstein")
    words = words_of(edda.get(HETZNER).text)
    assert "The removal waits for a notice" in words
    assert "edda@antopsis.example asked for this" in words
    assert "Remove from the list" not in words
    assert names_on(edda.get(LIST)) == ["stripe", "hetzner-falkenstein"]
    assert "leaves" in words_of(edda.get(LIST).text)


def test_dropping_an_edit_leaves_the_list_as_it_is(team: Team) -> None:
    edit(team.site.world, "hetzner-falkenstein", None)
    edda = team.sign_in(EDDA)
    page = edda.get(f"{HETZNER}/drop")
    assert "The list stays as it is." in page.text
    assert edda.post(f"{HETZNER}/drop", {"base": base_on(page.text)}).status_code == 303
    assert "No edit waits any more." in words_of(edda.get(HETZNER).text)
    again = edda.get(f"{HETZNER}/drop")
    assert again.headers["Location"].endswith("/entries/hetzner-falkenstein")


def test_dropping_the_last_edit_of_a_draft_withdraws_it(light_team: Team) -> None:
    edit(light_team.site.world, "hetzner-falkenstein", None)
    number = light_team.site.world.draft()
    edda = light_team.sign_in(EDDA)
    page = edda.get(f"{HETZNER}/drop")
    assert f'The draft of notice <a href="/team/antopsis/notices/{number}">' in page.text or number in page.text
    edda.post(f"{HETZNER}/drop", {"base": base_on(page.text)})
    assert light_team.site.world.notice(number).state == "withdrawn"


def test_dropping_beyond_an_announced_notice_goes_back_to_what_was_announced(light_team: Team) -> None:
    world = light_team.site.world
    number = world.announce(antopsis(helsinki=True))
    edit(world, "hetzner-falkenstein", {"name": "Hetzner", "purposes": ["Another"]})
    edda = light_team.sign_in(EDDA)
    page = edda.get(HETZNER)
    assert "Waits beyond that notice" in words_of(page.text)
    asked = edda.get(f"{HETZNER}/drop")
    assert "only what was asked for beyond it is dropped" in asked.text
    edda.post(f"{HETZNER}/drop", {"base": base_on(asked.text)})
    words = words_of(edda.get(HETZNER).text)
    assert "Waits beyond" not in words
    assert f"In notice {number}" in words


def test_what_changed_since_somebody_looked_is_not_removed_or_dropped(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    base = base_on(edda.get(f"{HETZNER}/remove").text)
    edit(light_team.site.world, "hetzner-falkenstein", {"name": "Hetzner", "purposes": ["Another"]})
    for act in ("remove", "drop"):
        answer = edda.post(f"{HETZNER}/{act}", {"base": base})
        assert answer.status_code == 409
        assert "anna@antopsis.example changed hetzner-falkenstein while you were at it." in words_of(answer.text)
    assert "Another" in words_of(edda.get(HETZNER).text)


def approving(team: Team) -> Colleague:
    """Let the publisher require an approval, and have Edda make an editorial edit."""
    team.site.world.apply(antopsis(approvals=1))
    edda = team.sign_in(EDDA)
    page = edda.get(f"{LIST}stripe/edit").text
    digest = page.partition('name="base_internals" value="')[2].partition('"')[0]
    typed = {
        "name": "Stripe",
        "purposes": "Payments",
        "data_categories": "Customer id\nSubscription status",
        "products": ["streaming"],
        "links.website": "https://stripe.example",
    }
    answer = edda.post(f"{LIST}stripe/edit", typed | {"base": base_on(page), "base_internals": digest})
    assert answer.status_code == 303, words_of(answer.text)
    return edda


def test_an_editorial_edit_is_approved_by_a_colleague_and_never_by_its_author(team: Team) -> None:
    edda = approving(team)
    words = words_of(edda.get(f"{LIST}stripe").text)
    assert "Saved. The change is editorial, and is on the list once a colleague has approved it." in words
    assert "(0 of 1 so far)" in words
    assert edda.post(f"{LIST}stripe/approve").status_code == 403
    arno = team.sign_in(ARNO)
    page = arno.get(f"{LIST}stripe").text
    assert "Approve this edit" in page
    base = page.partition("/approve")[2].partition('name="base" value="')[2].partition('"')[0]
    assert arno.post(f"{LIST}stripe/approve", {"base": base}).status_code == 303
    words = words_of(arno.get(f"{LIST}stripe").text)
    assert "Approved, and on the list." in words
    assert "What waits" not in words


def test_who_made_an_editorial_edit_is_told_to_ask_a_colleague(light_team: Team) -> None:
    light_team.site.world.apply(antopsis(approvals=1))
    with light_team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        website = {**STRIPE, "products": ["streaming"], "links": {"website": "https://stripe.example"}}
        actor = Actor(ARNO.email, "web")
        record_edit(session, light_team.site.world.at, publisher, "stripe", read_entry(website), actor)
    arno = light_team.sign_in(ARNO)
    page = arno.get(f"{LIST}stripe").text
    assert "Approve this edit" not in page
    assert "nobody approves their own work" in page
    answer = arno.post(f"{LIST}stripe/approve", {"base": base_of(light_team, "stripe")})
    assert answer.status_code == 409
    assert "nobody approves their own work" in words_of(answer.text)


def test_who_wrote_what_a_colleague_touched_up_does_not_approve_it_either(team: Team) -> None:
    team.site.world.apply(antopsis(approvals=1))
    with team.site.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        for somebody, links in (
            (ARNO, {"website": "https://stripe.example"}),
            (EDDA, {"website": "https://x.example"}),
        ):
            content = read_entry({**STRIPE, "products": ["streaming"], "links": links})
            record_edit(session, team.site.world.at, publisher, "stripe", content, Actor(somebody.email, "web"))
    arno, ola = team.sign_in(ARNO), team.sign_in(OLA)
    assert "Approve this edit" not in arno.get(f"{LIST}stripe").text
    assert arno.post(f"{LIST}stripe/approve", {"base": base_of(team, "stripe")}).status_code == 409
    assert ola.post(f"{LIST}stripe/approve", {"base": base_of(team, "stripe")}).status_code == 303


def base_of(team: Team, key: str) -> str:
    with team.site.world.reading() as session:
        entry = find_entry(session, get_publisher(session, "antopsis"), key)
        assert entry is not None
        return str(session.query(PendingEdit).filter_by(entry_id=entry.id).one().version_id)


def test_a_viewer_is_offered_no_act_and_reaches_none(light_team: Team) -> None:
    edit(light_team.site.world, "hetzner-falkenstein", None)
    vera = light_team.sign_in(VERA)
    for path in (LIST, HETZNER):
        page = vera.get(path).text.partition("<main")[2]
        assert not [link for link in links_of(f"<main{page}") if link.endswith(("/edit", "/new", "/remove", "/drop"))]
    for path in ("new", "stripe/edit", "stripe/remove", "stripe/drop"):
        assert vera.get(LIST + path).status_code == 403
        assert vera.post(LIST + path).status_code == 403
    for path in ("stripe/assess", "new/assess", "stripe/draft", "new/draft", "stripe/approve"):
        assert vera.post(LIST + path).status_code == 403
