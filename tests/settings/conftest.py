"""What the tests of the settings share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def embedded(tmp_path: Path) -> dict[str, str]:
    """The environment of an instance on the embedded database."""
    return {"REGISTRY_INSTANCE": str(tmp_path / "instance")}
