"""Mail scanners, previews and browsers that fetch ahead follow every link, and none of them may change anything."""

from __future__ import annotations

from registry.readers.registry_file import RegistryFile
from tests.web.site import Site, path_of
from tests.web.test_letter_links import sign
from tests.world import antopsis, link_in

FRED, OLGA = "fred@reader.example", "olga@watcher.example"
HANOI = "privacy@hanoi.example"

# What each argument of a route may be, so that every route is asked for with values that lead somewhere.
ARGUMENTS = {"slug", "key", "number", "part", "token", "filename", "kind"}


def list_addresses(site: Site, number: str) -> list[str]:
    """Return an address for every route, with valid tokens of a follower, of a wish, and of a contact."""
    site.subscribe(OLGA)
    tokens = {
        "confirm": [path_of(link_in(site.letters_to(OLGA)[-1], "confirm")).rpartition("/")[2]],
        "manage": [sign(site, "manage", FRED), sign(site, "manage", HANOI)],
        "unsubscribe": [sign(site, "unsubscribe", FRED), sign(site, "unsubscribe", HANOI)],
        "object": [path_of(link_in(site.letters_to(HANOI)[-1], "object")).rpartition("/")[2]],
        "acknowledge": [path_of(link_in(site.letters_to(HANOI)[-1], "acknowledge")).rpartition("/")[2]],
    }
    addresses = []
    for rule in site.app.url_map.iter_rules():
        if rule.endpoint.startswith("team."):
            # These lead to the sign-in; as somebody signed in they are walked in tests/web/team/test_access.py.
            continue
        assert rule.arguments <= ARGUMENTS, f"{rule} has an argument this test does not know"
        word = rule.rule.partition("/<token>")[0].rpartition("/")[2] if "<token>" in rule.rule else ""
        for token in tokens.get(word, [""]):
            path = (
                rule.rule.replace("<int:part>", "1")
                .replace("<slug>", "antopsis")
                .replace("<key>", "stripe")
                .replace("<number>", number)
            )
            addresses.append(path.replace("<token>", token).replace("<path:filename>", "registry.css"))
    return addresses


def test_no_get_head_or_options_of_any_route_changes_a_single_row(site: Site, streams: RegistryFile) -> None:
    site.world.apply(streams)
    site.follow(FRED)
    number = site.world.announce(antopsis(helsinki=True))
    addresses = list_addresses(site, number)
    assert len(addresses) > 40
    before = site.snapshot()
    assert sum(len(rows) for rows in before.values()) > 50
    answered: dict[int, int] = {}
    prefetch = {"Sec-Purpose": "prefetch", "Purpose": "prefetch"}
    asked = [("GET", address) for address in addresses]
    asked += [("GET", f"{address}?as_of=2026-09-30") for address in addresses]
    asked += [("GET", f"{address}?List-Unsubscribe=One-Click&action=stop") for address in addresses]
    asked += [(method, address) for address in addresses for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")]
    for method, address in asked:
        # Below the slug on the installation's host, without one on the publisher's own.
        base_url = "http://127.0.0.1:8000" if address.startswith("/antopsis") else "https://legal.streams.example"
        answer = site.client.open(address, method=method, base_url=base_url, headers=prefetch, buffered=True)
        assert answer.status_code < 500, (method, address)
        answered[answer.status_code] = answered.get(answer.status_code, 0) + 1
        if method in ("PUT", "DELETE", "PATCH"):
            assert answer.status_code in {404, 405}, (method, address)
    assert site.snapshot() == before
    # They did lead somewhere.
    assert answered[200] > 100
