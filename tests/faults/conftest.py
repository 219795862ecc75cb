"""Every fault happens in an empty folder of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def in_an_empty_folder(here: Path) -> None:
    """Every test runs in one."""


@pytest.fixture
def refused_after(
    tiny: dict[str, Any], write: Callable[..., Path], refused: Callable[..., str]
) -> Callable[[Callable[[dict[str, Any]], None], list[str]], None]:
    """Asserts that changed options are refused with some texts, in a dry run with the same."""

    def check(change: Callable[[dict[str, Any]], None], texts: list[str]) -> None:
        change(tiny)
        write(tiny)
        message = refused("train", "options.yaml")
        for text in texts:
            assert text in message
        assert refused("train", "options.yaml", "--dry-run") == message

    return check


@pytest.fixture(scope="session")
def outcome() -> Callable[[Path], dict[str, Any]]:
    """``outcome(folder)``: the checkpoint at the end of the one run below ``folder``.

    Without how the run was started, and how long it took.
    """
    from mtt.checkpoint import read

    def outcome(folder: Path) -> dict[str, Any]:
        (path,) = folder.glob("outputs/*/*/model.ckpt")
        stored = read(path)
        del stored["provenance"]
        rows = json.loads(stored["trainer_state"].pop("history"))
        stored["history"] = [{**row, "seconds": 0.0} for row in rows]
        return stored

    return outcome


@pytest.fixture(scope="session")
def same_outcome(outcome: Callable[[Path], dict[str, Any]]) -> Callable[[Path, Path], int]:
    """Asserts that the runs below two folders ended with the same; the number of equal bits."""
    from mtt.checkpoint.format import first_difference, n_bytes
    from mtt.checkpoint.plain import same_values

    def check(one: Path, other: Path) -> int:
        ended = outcome(one)
        assert first_difference(ended, outcome(other), same=same_values) is None
        return 8 * n_bytes(ended)

    return check
