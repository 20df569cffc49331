"""Style sheets and scripts travel compressed, and a cache never mixes up one coding with another."""

from __future__ import annotations

import gzip

import brotli
import pytest

from tests.web.site import Site

FILES = ("/static/registry.css", "/static/pictures.css", "/static/htmx.min.js")


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_the_same_in_every_coding(light_site: Site, path: str) -> None:
    plain = light_site.get(path)
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]
    tags = {plain.headers["ETag"]}
    for asked, coding, unpack in (
        ("gzip, deflate", "gzip", gzip.decompress),
        ("gzip, deflate, br, zstd", "br", brotli.decompress),
    ):
        answer = light_site.get(path, headers={"Accept-Encoding": asked})
        assert answer.headers["Content-Encoding"] == coding
        assert answer.headers["Vary"] == plain.headers["Vary"]
        assert answer.headers["Cache-Control"] == plain.headers["Cache-Control"]
        assert answer.content_length == len(answer.data) < len(plain.data) / 2
        assert unpack(answer.data) == plain.data
        tags.add(answer.headers["ETag"])
        known = {"Accept-Encoding": asked, "If-None-Match": answer.headers["ETag"]}
        again = light_site.get(path, headers=known)
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == answer.headers["ETag"]
        head = light_site.client.head(path, headers={"Accept-Encoding": asked}, buffered=True)
        assert (head.content_length, head.data) == (answer.content_length, b"")
    assert len(tags) == 3


def test_what_a_coding_is_not_asked_of_is_left_alone(light_site: Site) -> None:
    part = light_site.get("/static/registry.css", headers={"Accept-Encoding": "br", "Range": "bytes=0-9"})
    assert part.status_code == 206
    assert "Content-Encoding" not in part.headers
    assert len(part.data) == 10
    missing = light_site.get("/static/nothing.css", headers={"Accept-Encoding": "br"})
    assert missing.status_code == 404
    assert "Content-Encoding" not in missing.headers
