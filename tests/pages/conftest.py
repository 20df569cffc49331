"""What the tests of the pages share."""

from __future__ import annotations

import pytest

from tests.pages.factories import public_list
from tests.pages.reading import Page, page_of


@pytest.fixture(scope="module")
def page() -> Page:
    """The list of the examples, as everybody finds it."""
    return page_of(public_list())
