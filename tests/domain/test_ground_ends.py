"""Grounds of transfers that end, or must be looked at anew."""

from __future__ import annotations

from datetime import date

import pytest

from registry.domain.transfers import find_ground_end, grounds_that_end

CHECKED = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("mechanism", "destination", "checked_on", "ends_on"),
    [
        ("eu.art45", "GB", CHECKED, date(2031, 12, 27)),
        ("eu.art45", "JP", CHECKED, None),
        ("eu.art45.us-dpf", "US", CHECKED, date(2027, 3, 1)),
        ("eu.art45.us-dpf", "US", None, date.min),
        ("eu.art45.us-dpf", "US", date(9999, 12, 30), date.max),
        ("cn.certification", "CN", CHECKED, date(2029, 2, 28)),
        ("cn.certification", "CN", date.max, date.max),
        ("vn.decree13", "VN", CHECKED, date(2025, 12, 31)),
        ("eu.art46.scc2021.m2", "US", None, None),
        ("uk.adequacy", "FO", None, None),
        ("unknown", None, None, None),
        ("no such mechanism", "US", None, None),
    ],
)
def test_a_ground_ends_when_the_law_or_its_last_check_says_so(
    mechanism: str, destination: str, checked_on: date | None, ends_on: date | None
) -> None:
    assert find_ground_end(mechanism, destination, checked_on) == ends_on


def test_the_grounds_that_may_end_are_known_without_looking_at_a_transfer() -> None:
    assert set(grounds_that_end()) == {"eu.art45", "eu.art45.us-dpf", "vn.decree13", "cn.certification"}
