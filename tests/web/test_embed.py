"""The list in other websites' frames: who may frame what, and what the snippet says."""

from __future__ import annotations

from datetime import date

import pytest
from lxml import html

from registry.readers.registry_file import read_registry_file
from tests.pages.reading import Page
from tests.web.site import STREAMS, Site, attributes_of, links_of
from tests.world import antopsis, utc


def test_the_frame_alone_may_be_shown_by_others(light_site: Site) -> None:
    light_site.world.announce(antopsis(helsinki=True))
    framed = light_site.get("/antopsis/embed").headers["Content-Security-Policy"]
    assert "frame-ancestors *" in framed
    assert "default-src 'none'" in framed
    assert "form-action 'none'" in framed
    assert "script-src" not in framed
    assert "unsafe" not in framed
    for path in ("/antopsis/", "/antopsis/embed/how", "/antopsis/compare", "/antopsis/subscribe", "/antopsis/embedded"):
        assert "frame-ancestors 'none'" in light_site.get(path).headers["Content-Security-Policy"], path


def test_the_frame_shows_the_list_small_and_what_is_upcoming(light_site: Site) -> None:
    number = light_site.world.announce(antopsis(helsinki=True), effective_on=date(2026, 11, 20))
    answer = light_site.get("/antopsis/embed")
    assert answer.status_code == 200
    page = Page(answer.data)
    assert page.texts("//table/tbody/tr/th/a") == ["Hetzner", "Stripe"]
    hetzner = page.rows("//table")[0]
    assert hetzner[1:] == ["Servers that run the service", "Falkenstein, Germany (processing)"]
    assert "20 November 2026" in page.text("//section[@class='upcoming']")
    assert f"http://127.0.0.1:8000/antopsis/notices/{number}" in links_of(answer.text)
    # No masthead, no form, nothing that acts.
    assert page.root.xpath("//nav|//form|//script|//input|//*[@class='masthead']|//*[@style]") == []


def test_every_link_of_the_frame_opens_in_the_whole_window(light_site: Site) -> None:
    page = light_site.get("/antopsis/embed").text
    assert ("base", "target", "_top") in attributes_of(page)
    assert not [value for tag, name, value in attributes_of(page) if tag == "a" and name == "target"]
    assert all(link.startswith("http://127.0.0.1:8000/antopsis/") for link in links_of(page))


def test_the_frame_takes_the_filters_of_the_list(light_site: Site) -> None:
    assert Page(light_site.get("/antopsis/embed?q=falkenstein").data).texts("//tbody/tr/th/a") == ["Hetzner"]
    assert Page(light_site.get("/antopsis/embed?product=storage").data).texts("//tbody/tr/th/a") == ["Hetzner"]
    assert "Nothing on the list fits" in light_site.get("/antopsis/embed?q=nobody").text


def test_a_filter_that_is_wrong_is_said_within_the_frame(light_site: Site) -> None:
    answer = light_site.get("/antopsis/embed?product=steaming")
    assert answer.status_code == 400
    assert "frame-ancestors *" in answer.headers["Content-Security-Policy"]
    assert "steaming" in answer.text
    assert Page(answer.data).root.xpath("//table") == []
    how = light_site.get("/antopsis/embed/how?product=steaming")
    assert how.status_code == 400


def test_the_snippet_is_a_frame_without_a_script_for_the_list_as_it_was_narrowed(light_site: Site) -> None:
    page = Page(light_site.get("/antopsis/embed/how?q=stripe&product=streaming").data)
    (area,) = page.root.xpath("//textarea")
    (frame,) = html.fragments_fromstring(area.text.strip())
    assert frame.tag == "iframe"
    assert dict(frame.attrib) == {
        "src": "http://127.0.0.1:8000/antopsis/embed?q=stripe&product=streaming",
        "title": "Subprocessors of Antopsis",
        "width": "100%",
        "height": "600",
        "loading": "lazy",
    }
    whole = Page(light_site.get("/antopsis/embed/how").data)
    assert 'src="http://127.0.0.1:8000/antopsis/embed"' in whole.root.xpath("//textarea")[0].text


def test_the_snippet_and_the_links_keep_the_language_that_was_asked_for(light_site: Site) -> None:
    how = Page(light_site.get("/antopsis/embed/how?q=stripe&lang=de").data)
    assert 'src="http://127.0.0.1:8000/antopsis/embed?q=stripe&amp;lang=de"' in how.root.xpath("//textarea")[0].text
    framed = light_site.get("/antopsis/embed?q=stripe&lang=de")
    assert '<html lang="de">' in framed.text
    assert all(link.endswith("lang=de") for link in links_of(framed.text))


def test_the_frame_revalidates_and_changes_with_the_list(light_site: Site) -> None:
    first = light_site.get("/antopsis/embed")
    again = light_site.get("/antopsis/embed", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    # What may frame it stands with the frame that the browser has.
    assert "Content-Security-Policy" not in again.headers
    light_site.world.at = utc("2026-10-01 09:00")
    light_site.world.announce(antopsis(helsinki=True))
    assert light_site.get("/antopsis/embed").headers["ETag"] != first.headers["ETag"]


def test_the_styles_of_the_frame_are_from_the_host_it_is_on(light_site: Site) -> None:
    coloured = STREAMS.replace("  host:", "  colour: '#a01050'\n  host:")
    light_site.world.apply(read_registry_file(coloured.encode(), "streams.yaml"))
    for path, base_url in (("/streams/embed", "http://127.0.0.1:8000"), ("/embed", "https://legal.streams.example")):
        page = light_site.get(path, base_url=base_url)
        sheets = Page(page.data).attributes("//link[@rel='stylesheet']", "href")
        assert len(sheets) == 3
        for sheet in sheets:
            assert sheet.startswith("/")
            assert light_site.get(sheet, base_url=base_url).status_code == 200


@pytest.mark.parametrize("path", ["/nobody/embed", "/nobody/embed/how", "/antopsis/embed/", "/antopsis/embed/x"])
def test_what_is_not_there_is_not_found(light_site: Site, path: str) -> None:
    assert light_site.get(path).status_code == 404
