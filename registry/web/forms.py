"""The forms by which somebody asks to be told, confirms, chooses, acknowledges and leaves (R18, R33, R34).

GET shows and changes nothing, for mail scanners follow links. POST acts, and the token in the address is what allows
it, so no session and no cookie is needed. Each kind of form has a module of its own; here they are put together.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint

from registry.web.acknowledge import acknowledging
from registry.web.forms_confirm import confirming
from registry.web.forms_leave import leaving
from registry.web.forms_subscribe import subscribing
from registry.web.manage import managing

FORMS: Final[tuple[Blueprint, ...]] = (subscribing, confirming, managing, leaving, acknowledging)
