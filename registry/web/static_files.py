"""Style sheets and scripts as they travel: compressed for whoever takes that, once for all of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from flask import Flask, Response, request

from registry.steps.artefacts import compress
from registry.web.answers import choose_coding

PACKED: Final = frozenset({"text/css", "text/javascript"})


def add_compression(app: Flask) -> None:
    """Have `app` compress what it serves of its own files. Each coding has an entity tag of its own."""

    @app.after_request
    def pack(response: Response) -> Response:
        if request.endpoint != "static" or response.mimetype not in PACKED:
            return response
        response.vary.add("Accept-Encoding")
        coding = choose_coding(request.headers.get("Accept-Encoding"))
        tag, _ = response.get_etag()
        if coding is None or tag is None or response.status_code != 200:
            return response
        response.direct_passthrough = False
        response.set_data(_compressed(response.get_data(), coding))
        response.headers["Content-Encoding"] = coding
        response.headers.pop("Accept-Ranges", None)
        response.set_etag(f"{tag}-{coding}")
        response.make_conditional(request)
        return response


@lru_cache(maxsize=64)
def _compressed(body: bytes, coding: str) -> bytes:
    return compress(body, coding)
