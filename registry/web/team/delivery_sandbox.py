"""Answers that hold what others wrote: letters and documents, under a policy that lets them do nothing."""

from __future__ import annotations

import html
import re
import secrets
from typing import Final

from flask import Response

from registry.web.answers import HTML

_NOTHING: Final = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'"
DOWNLOAD_POLICY: Final = f"{_NOTHING}; frame-ancestors 'none'"
LETTER_POLICY: Final = f"{_NOTHING}; style-src 'nonce-{{nonce}}'; frame-ancestors 'self'"
"""Of a letter as a page in a frame: its own styles and nothing else. Without scripts, forms, pictures from elsewhere
and an origin, what it holds reaches nothing."""

_STYLE_OF_ELEMENT: Final = re.compile(r'(<[a-zA-Z][^<>]*?)\sstyle="([^"]*)"')
_STYLE: Final = re.compile(r"<style\b[^>]*>", re.IGNORECASE)


def sandboxed(body: str | bytes, media_type: str, policy: str) -> Response:
    """Answer with what others wrote, kept by nobody, under a policy of its own in place of the workbench's."""
    answer = Response(body, content_type=media_type, headers={"Content-Security-Policy": policy})
    answer.cache_control.no_store = True
    return answer


def show_letter(page: str) -> Response:
    """Answer with the HTML of a letter, for a frame of a screen."""
    nonce = secrets.token_urlsafe(16)
    return sandboxed(with_named_styles(page, nonce), HTML, LETTER_POLICY.format(nonce=nonce))


def with_named_styles(page: str, nonce: str) -> str:
    """Return a letter's HTML with its styles under a nonce.

    Mail programs need styles written into each element; a browser would have to be told to take any such style. So each
    becomes a rule of a sheet at the end, which only that rule's elements name.
    """
    rules: dict[str, int] = {}

    def name(found: re.Match[str]) -> str:
        declared = html.unescape(found.group(2))
        if re.search(r"[{}<>@\\]", declared):
            return found.group(1)
        return f'{found.group(1)} data-style="{rules.setdefault(declared, len(rules))}"'

    named = _STYLE_OF_ELEMENT.sub(name, page)
    named = _STYLE.sub(f'<style nonce="{nonce}">', named)
    sheet = "\n".join(f'[data-style="{number}"] {{ {declared} }}' for declared, number in rules.items())
    # Before the letter's own sheet, whose rules for the dark are written to win over an element's own style.
    return named.replace("<head>", f'<head>\n<style nonce="{nonce}">\n{sheet}\n</style>', 1)
