"""Which browser that was, in words: what a person needs to know their own sessions from a stranger's."""

from __future__ import annotations

from typing import Final

# Each names itself after the ones before it in history: the first that is found is the one.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "Android"),
    ("CrOS", "a Chromebook"),
    ("Windows", "Windows"),
    ("Macintosh", "a Mac"),
    ("Linux", "Linux"),
)
UNKNOWN: Final = "A browser that does not say which"


def describe_browser(agent: str | None) -> str:
    """Return what a browser says it is as people call it: "Firefox on Windows"."""
    if not agent:
        return UNKNOWN
    browser = next((name for mark, name in _BROWSERS if mark in agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in agent), None)
    if browser is None:
        return f"A browser on {system}" if system else UNKNOWN
    return f"{browser} on {system}" if system else browser
