"""A list that somebody narrowed, at an address of its own: as a page, as files, and never with an error of ours."""

from __future__ import annotations

import csv
import io
import json

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from registry.pages.selection import CHOICES
from registry.writers.json_list import load_schema
from tests.web.site import Site, json_of, links_of, words_of

FILES = ("subprocessors.json", "subprocessors.csv")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
FEEDS = ("feed.rss", "feed.atom", "feed.json", "calendar.ics")


def keys_of(site: Site, query: str) -> list[str]:
    return [entry["key"] for entry in json_of(site.get(f"/antopsis/subprocessors.json?{query}"))["entries"]]


def rows_of(site: Site, query: str) -> list[str]:
    text = site.get(f"/antopsis/subprocessors.csv?{query}").data.decode("utf-8-sig")
    return [row["key"] for row in csv.DictReader(io.StringIO(text))]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("region=DE", ["hetzner-falkenstein"]),
        ("region=eea&region=US", ["hetzner-falkenstein"]),
        ("region=not-stated", ["stripe"]),
        ("purpose=payments", ["stripe"]),
        ("data=Usage+data&data=Customer+id", ["hetzner-falkenstein", "stripe"]),
        ("role=affiliate", []),
        ("mechanism=none.same-area", ["hetzner-falkenstein"]),
        ("product=storage", ["hetzner-falkenstein"]),
        ("q=payments", ["stripe"]),
    ],
)
def test_the_same_filter_narrows_the_page_and_both_files(light_site: Site, query: str, keys: list[str]) -> None:
    assert keys_of(light_site, query) == rows_of(light_site, query) == keys
    page = light_site.get(f"/antopsis/?{query}")
    assert page.status_code == 200
    shown = [key for key in ("hetzner-falkenstein", "stripe") if f'id="entry-{key}"' in page.text]
    assert shown == keys
    for path in (*FILES, *FEEDS):
        assert any(link.startswith(f"http://127.0.0.1:8000/antopsis/{path}?") for link in links_of(page.text)), path


def test_a_narrowed_file_says_what_it_was_narrowed_to_and_the_whole_one_that_it_was_not(light_site: Site) -> None:
    document = json_of(light_site.get("/antopsis/subprocessors.json?region=DE&q=Hetzner"))
    jsonschema.Draft202012Validator(json.loads(load_schema())).validate(document)
    assert document["filter"] == {
        "q": "Hetzner",
        "product": [],
        "region": ["DE"],
        "purpose": [],
        "data": [],
        "role": [],
        "mechanism": [],
    }
    assert json_of(light_site.get("/antopsis/subprocessors.json"))["filter"] is None


def test_a_day_and_a_filter_go_together(light_site: Site) -> None:
    assert keys_of(light_site, "region=DE&as_of=2026-09-30") == ["hetzner-falkenstein"]


@pytest.mark.parametrize("path", ["", *FILES, *FEEDS])
@pytest.mark.parametrize(
    ("field", "value", "near"),
    [
        ("region", "Germny", "DE"),
        ("purpose", "Paymnts", "Payments"),
        ("data", "Usage dada", "Usage data"),
        ("role", "processors", "processor"),
        ("mechanism", "none.same-are", "none.same-area"),
        ("product", "streamin", "streaming"),
    ],
)
def test_what_stands_for_nothing_is_refused_with_field_value_and_near_names(
    light_site: Site, path: str, field: str, value: str, near: str
) -> None:
    answer = light_site.get(f"/antopsis/{path}", query_string={field: value}, headers={"Accept": "application/json"})
    assert answer.status_code == 400
    error = json_of(answer)["error"]
    assert error["field"] == field
    assert value in error["message"]
    assert near in error["message"]


def test_a_person_gets_a_page_that_says_so_and_leads_to_the_whole_list(light_site: Site) -> None:
    page = light_site.get("/antopsis/?region=Germny")
    assert page.status_code == 400
    assert "<h1>This address asks for something impossible</h1>" in page.text
    assert "“Germny”" in words_of(page.text)
    assert "http://127.0.0.1:8000/antopsis/" in links_of(page.text)


def test_an_empty_form_asks_for_the_list_as_it_is(light_site: Site) -> None:
    empty = "&".join(f"{field}=" for field in ("q", *CHOICES, "as_of"))
    for path in ("", *FILES):
        assert light_site.get(f"/antopsis/{path}?{empty}").data == light_site.get(f"/antopsis/{path}").data


# The site is put back by nobody between examples, and no example changes it.
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(("", *FILES, *FEEDS)),
    asked=st.lists(
        st.tuples(
            st.sampled_from(("q", *CHOICES, "as_of", "lang")), st.text(st.characters(codec="utf-8"), max_size=60)
        ),
        max_size=6,
    ),
)
def test_no_question_brings_the_service_down(light_site: Site, path: str, asked: list[tuple[str, str]]) -> None:
    answer = light_site.get(f"/antopsis/{path}", query_string=MultiDict(asked))
    assert answer.status_code in {200, 400, 404}
