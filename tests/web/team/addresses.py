"""An address of every screen of the workbench, with the names and numbers of things that are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask
from werkzeug.routing import IntegerConverter
from werkzeug.routing import Rule as Route

from registry.web.team.access import RULES


@dataclass(frozen=True)
class Samples:
    """What addresses may name: by the endpoint and the argument, else by the argument alone.

    Arguments that are whole numbers are named `int:delivery`, since `number` is also a notice's, which is none.
    """

    by_argument: dict[str, str | int]
    by_endpoint: dict[tuple[str, str], str | int]

    def of(self, endpoint: str, argument: str) -> str | int:
        """Return what to name; a screen with an argument nobody gave a sample for is an error."""
        found = self.by_endpoint.get((endpoint, argument), self.by_argument.get(argument))
        assert found is not None, f"give a sample for {argument} of {endpoint}"
        return found


@dataclass(frozen=True)
class Screen:
    """One screen at one publisher: its path, its methods, and the name of its view."""

    endpoint: str
    path: str
    methods: frozenset[str]


def screens(app: Flask, samples: Samples, slug: str = "antopsis") -> Iterator[Screen]:
    """Yield every screen that the workbench has, in the order of their names."""
    for route in sorted(app.url_map.iter_rules(), key=lambda route: (route.endpoint, route.rule)):
        if route.endpoint not in RULES:
            continue
        name = route.endpoint.removeprefix("team.")
        yield Screen(name, _fill(app, route, samples, slug), frozenset(route.methods or ()) - {"HEAD", "OPTIONS"})


def _fill(app: Flask, route: Route, samples: Samples, slug: str) -> str:
    name = route.endpoint.removeprefix("team.")
    numbers = {each for each, converter in route._converters.items() if isinstance(converter, IntegerConverter)}
    values = {each: samples.of(name, f"int:{each}" if each in numbers else each) for each in route.arguments - {"slug"}}
    if "slug" in route.arguments:
        values["slug"] = slug
    built = route.build(values, append_unknown=False)
    assert built is not None, (route.rule, values)
    return built[1]
