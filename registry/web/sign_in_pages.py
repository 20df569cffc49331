"""The pages and letters of the sign-in, rendered as all others are: an undefined name in one is an error."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, current_app
from jinja2 import Environment, StrictUndefined

from registry.web.answers import HTML
from registry.web.current import wiring
from registry.web.sign_in_links import account_address, password_address
from registry.web.sign_in_words import LABELS

_ENVIRONMENT: Final = "registry_sign_in_templates"


def render(template_name: str, /, **values: Any) -> str:
    """Return a page or the body of a letter, as Flask-Security asks for them."""
    given = dict(values)
    current_app.update_template_context(given)
    return _environment().get_template(template_name).render(given)


def answer(template_name: str, /, status: int = 200, **values: Any) -> Response:
    """Answer with a page that is kept by nobody."""
    response = Response(render(template_name, **values), status, content_type=HTML)
    response.cache_control.no_store = True
    return response


def _environment() -> Environment:
    made: Environment | None = current_app.extensions.get(_ENVIRONMENT)
    if made is None:
        made = current_app.jinja_env.overlay(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        made.globals.update(
            asset=lambda name: f"/static/{name}?v={wiring().build}",
            factor_labels=LABELS,
            password_address=password_address,
            account_address=account_address,
        )
        current_app.extensions[_ENVIRONMENT] = made
    return made
