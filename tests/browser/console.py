"""What a browser says in its console."""

from __future__ import annotations

from collections.abc import Iterable

# A test may have typed into a field before the page's own came to have the focus; a person is not that quick.
_TYPED_AT_ONCE = "Autofocus processing was blocked because a document already has a focused element"


def faults_in(said: Iterable[str], *expected: str) -> list[str]:
    """Return what was said but for what is `expected`, in part, and for what only a test brings about."""
    return [text for text in said if not any(each in text for each in (*expected, _TYPED_AT_ONCE))]
