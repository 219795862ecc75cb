"""Commands run in this process, in an empty folder; one model is trained for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def in_an_empty_folder(here: Path) -> None:
    """Every test runs in one."""
