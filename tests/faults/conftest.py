"""Every fault happens in an empty folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def in_an_empty_folder(here: Path) -> None:
    """Every test runs in one."""
