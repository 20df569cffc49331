"""Public holidays as data for the notice clock, from the `holidays` library."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import holidays

from registry.domain.errors import InvalidInput, Problem
from registry.domain.terms import Terms, WorkingDays

YEARS_AHEAD = 5


def working_days_for(terms: Terms, from_on: date) -> WorkingDays:
    """Return the working days for counting with `terms` from the local date `from_on`.

    They reach five years ahead, further than the longest period. Raises `InvalidInput` for a region whose holidays
    nobody publishes.
    """
    if terms.holidays is None:
        return WorkingDays()
    return _working_days(terms.holidays, from_on.year)


@lru_cache(maxsize=256)
def _working_days(region: str, year: int) -> WorkingDays:
    country, _, subdivision = region.partition("-")
    try:
        found = holidays.country_holidays(
            country, subdiv=subdivision or None, years=range(year - 1, year + YEARS_AHEAD + 1)
        )
    except NotImplementedError:
        near = [country] if subdivision else []
        raise InvalidInput([Problem("notice.holidays", region, "unknown-region", {"near": near})]) from None
    return WorkingDays(frozenset(found))
