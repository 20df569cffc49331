"""The front: ready answers for what is published, before Flask is even asked.

It knows the public page, files and feeds, and answers GET and HEAD for exactly those, with the very headers and bytes
that the application would. Everything else goes to the application as it came: other methods, other parameters of the
address, ranges, what is odd. It counts nothing and limits nothing, as the application does not for these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from time import monotonic
from typing import Any, Final

from flask import Flask
from werkzeug.http import is_resource_modified

from registry.domain.publishers import RESERVED_SLUGS
from registry.language import LANGUAGES
from registry.web.answers import LONGEST_HEADER, choose_coding
from registry.web.front_shelf import Answer, Asked, Shelf, Wanted
from registry.web.languages import PARAMETER, read_language

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]

UNUSUAL: Final = frozenset({"HTTP_RANGE", "HTTP_IF_RANGE", "HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE"})
"""Headers that the application deals with."""
LANGUAGE_QUERIES: Final = {f"{PARAMETER}={language}": language for language in LANGUAGES}
HOST: Final = re.compile(r"([A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?", re.ASCII)
OK: Final = "200 OK"
NOT_MODIFIED: Final = "304 NOT MODIFIED"


class Front:
    """A WSGI application before another one. `names` are what is published below a publisher's address, "" its page."""

    def __init__(self, app: Flask, behind: Application, names: Iterable[str]) -> None:
        self._behind = behind
        self._names = frozenset(names)
        self.shelf = Shelf(app, behind)

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer a request."""
        get, shelf = environ.get, self.shelf
        method = environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD") or not environ.keys().isdisjoint(UNUSUAL) or get("SCRIPT_NAME"):
            return self._behind(environ, start_response)
        asked = (
            get("HTTP_HOST"),
            get("PATH_INFO"),
            get("QUERY_STRING"),
            get("HTTP_ACCEPT_ENCODING"),
            get("HTTP_ACCEPT_LANGUAGE"),
        )
        answer = shelf.remembered.get(asked)
        if answer is None or monotonic() >= shelf.fresh_until:
            answer = self._find(asked)
            if answer is None:
                return self._behind(environ, start_response)
        tag = get("HTTP_IF_NONE_MATCH")
        if (tag is not None or "HTTP_IF_MODIFIED_SINCE" in environ) and (
            tag == answer.etag or not is_resource_modified(environ, answer.etag, last_modified=answer.modified)
        ):
            start_response(NOT_MODIFIED, answer.unchanged[:])
            return []
        start_response(OK, answer.headers[:])
        return [answer.body] if method == "GET" else []

    def _find(self, asked: Asked) -> Answer | None:
        host, path, query, accepted, languages = asked
        place = _read_place(host, path)
        if place is None or place[2] not in self._names or (query and query not in LANGUAGE_QUERIES):
            return None
        if max(len(accepted or ""), len(languages or "")) > LONGEST_HEADER:
            return None
        known = self.shelf.current()
        if known is None:
            return None
        name, slug, rest = place
        own = known.by_host.get(name)
        if slug is None:
            edition = own
        else:
            edition = known.by_slug.get(slug)
            if own is not None and own is not edition and name != self.shelf.installation_host:
                return None
        if edition is None:
            return None
        named, own_language = LANGUAGE_QUERIES.get(query or ""), edition.language
        otherwise = own_language if rest else _read_language(languages, own_language)
        if named == own_language != otherwise:
            # The links of that page have to keep its language, so it is not the one that is published.
            return None
        at_host = name if own is not None else None
        wanted = Wanted(edition.publisher_id, at_host, slug, rest, named or otherwise, choose_coding(accepted))
        answer = self.shelf.find(wanted)
        if answer is not None:
            self.shelf.remember(asked, answer)
        return answer


@lru_cache(maxsize=2_048)
def _read_place(host: str | None, path: str | None) -> tuple[str, str | None, str] | None:
    """Return the host name in small letters, the slug or None, and the rest of the path; None for what is odd."""
    named = HOST.fullmatch(host or "")
    if named is None or path is None or not path.startswith("/") or len(path) > LONGEST_HEADER:
        return None
    slug, slash, rest = path[1:].partition("/")
    name = named[1].lower().removesuffix(".")
    if not slash:
        return name, None, slug
    return None if not slug or slug in RESERVED_SLUGS else (name, slug, rest)


@lru_cache(maxsize=2_048)
def _read_language(header: str | None, default: str) -> str:
    return read_language({}, header, default)
